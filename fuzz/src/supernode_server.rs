//! The supernode as a machine: ordinary nodes and other supernodes that say anything, time, and its own node's wishes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use crate::input::Input;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Instant, SplitMix64, StreamEnd, StreamId, StreamInput};
use throng_overlay::discovery::{Item, Query, Ticket};
use throng_overlay::supernode::{Command, Config, Rate, Server};
use throng_wire::fasttrack::{self, Comparison, FtHash, Media, Realm, Share, Term};
use throng_wire::fasttrack::{
    CLIENT_SEED, Cipher, ClientHello, Framing, Message, SERVER_SEED, TagKind, TagsWriter,
};
use throng_wire::supernode::{self, DigestPart, Preamble, Purpose, Standing};

/// Words that files have and searches look for.
const WORDS: [&str; 5] = ["zebra", "song", "giraffe", "x.mp3", "..."];

/// Runs a list of operations: what waits for anybody is bounded, and of those who left nothing stays.
pub fn supernode_server(data: &[u8]) {
    let second = Duration::from_secs(1);
    let config = Config {
        address: Some(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 100), 1_214)),
        port: 1_214,
        ring: true,
        slots: 5,
        most_members: 6,
        promote_above: 3,
        demote_below: 2,
        least_term: 5 * second,
        least_uptime: second,
        least_mebibytes: 0,
        max_per_address: 4,
        max_files: 8,
        max_files_in_all: 20,
        max_searches: 3,
        max_queue: 4_000,
        links: 3,
        max_links: 4,
        searches: Rate { burst: 20, every: second },
        messages: Rate { burst: 400, every: second / 10 },
        ..Config::default()
    };
    let server = Server::new(Arc::new(config), &mut SplitMix64::new(7), Instant::EPOCH);
    let mut run =
        Run { probe: Probe::new(server), open: Vec::new(), said: BTreeMap::new(), ends: BTreeMap::new() };
    let mut input = Input(data);
    for _ in 0..1_000 {
        if input.is_empty() {
            break;
        }
        run.step(&mut input);
    }
    run.end();
}

/// What somebody's end of a connection is.
enum End {
    Node(Box<(Cipher, Framing)>),
    Link,
    /// The supernode calls; what it said.
    Called,
}

struct Run {
    probe: Probe<Server>,
    open: Vec<StreamId>,
    /// Bytes written and not told as flushed.
    said: BTreeMap<StreamId, Vec<u8>>,
    ends: BTreeMap<StreamId, End>,
}

impl Run {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => self.node(input),
            1 => self.link(input),
            2..=5 => self.say(input),
            6 => self.answer(input),
            7 => self.flush(input),
            8 => self.advance(input),
            9 => self.command(input),
            10 => self.close(input),
            _ => self.raw(input),
        }
    }

    fn accept(&mut self, last: u8) -> StreamId {
        let (stream, outs) = self.probe.accept(Endpoint::v4([10, 0, 0, last % 8], 4_000));
        self.open.push(stream);
        self.take(outs);
        stream
    }

    fn node(&mut self, input: &mut Input<'_>) {
        let stream = self.accept(input.byte());
        self.bytes(stream, &ClientHello::ours().encode());
        let mut cipher = Cipher::new(CLIENT_SEED ^ SERVER_SEED);
        let mut name = b"KaZaA\0".to_vec();
        cipher.apply(&mut name);
        self.bytes(stream, &name);
        self.ends.insert(stream, End::Node(Box::new((cipher, Framing::default()))));
    }

    fn link(&mut self, input: &mut Input<'_>) {
        let stream = self.accept(input.byte());
        let preamble = preamble(input, 0);
        self.bytes(stream, &preamble);
        self.ends.insert(stream, End::Link);
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<StreamId> {
        (!self.open.is_empty()).then(|| self.open[input.below(self.open.len())])
    }

    fn say(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.pick(input) else { return };
        let bytes = match self.ends.get_mut(&stream) {
            Some(End::Node(end)) => {
                let (cipher, framing) = &mut **end;
                let (kind, body) = node_message(input);
                let mut bytes = Vec::new();
                framing.encode(kind, &body, &mut bytes);
                cipher.apply(&mut bytes);
                bytes
            }
            Some(End::Link) => link_frame(input),
            _ => return,
        };
        for part in input.split(&bytes) {
            self.bytes(stream, part);
        }
    }

    /// Somebody whom the supernode calls.
    fn answer(&mut self, input: &mut Input<'_>) {
        let called = self.ends.iter().find(|(_, end)| matches!(end, End::Called)).map(|(stream, _)| *stream);
        let Some(stream) = called else { return };
        if input.one_in(4) {
            self.forget(stream);
            return self.stream(stream, StreamInput::Closed(StreamEnd::Refused));
        }
        self.stream(stream, StreamInput::Opened);
        let asked = self.said.get(&stream).and_then(|bytes| Preamble::parse(bytes).ok());
        let nonce = asked.map_or(0, |asked| asked.nonce);
        if self.ends.contains_key(&stream) {
            self.ends.insert(stream, End::Link);
            let bytes = preamble(input, nonce);
            self.bytes(stream, &bytes);
        }
        if input.one_in(2) {
            self.bytes(stream, &[0; 3_000]);
        }
    }

    fn flush(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.pick(input) else { return };
        let count = self.said.remove(&stream).map_or(0, |bytes| bytes.len());
        self.stream(stream, StreamInput::Flushed(count as u32));
    }

    fn advance(&mut self, input: &mut Input<'_>) {
        let by = Duration::from_millis(10 << input.below(14));
        let outs = self.probe.advance(by);
        self.take(outs);
    }

    fn command(&mut self, input: &mut Input<'_>) {
        let ticket = Ticket(input.byte().into());
        let item = Item {
            title: WORDS[input.below(5)].into(),
            ft_hash: Some([input.byte() % 4; 20]),
            root: input.one_in(2).then(|| [input.byte() % 4; 32]),
            ..Item::default()
        };
        let words = vec![WORDS[input.below(5)].into()];
        let query = Query { words, limit: input.byte().into(), timeout: Duration::from_secs(5) };
        let command = match input.below(8) {
            0 => Command::Join(vec![Endpoint::v4([10, 0, 0, input.byte() % 8], 1_214)]),
            1 => Command::Publish(ticket, item, None),
            2 => Command::Withdraw(ticket),
            3 => Command::Find(ticket, query),
            4 => Command::FindContent(ticket, item),
            5 => Command::Cancel(ticket),
            6 => Command::RingFound(Ticket(input.below(8) as u32), Endpoint::v4([10, 0, 1, 1], 1_214)),
            _ => Command::RingFinished(Ticket(input.below(8) as u32)),
        };
        let outs = self.probe.command(command);
        self.take(outs);
    }

    fn close(&mut self, input: &mut Input<'_>) {
        if let Some(stream) = self.pick(input) {
            self.forget(stream);
            self.stream(stream, StreamInput::Closed(StreamEnd::Broken));
        }
    }

    fn raw(&mut self, input: &mut Input<'_>) {
        let bytes = input.run();
        match self.pick(input) {
            Some(stream) if input.one_in(2) => self.bytes(stream, bytes),
            _ => {
                let stream = self.accept(input.byte());
                self.bytes(stream, bytes);
            }
        }
    }

    fn bytes(&mut self, stream: StreamId, bytes: &[u8]) {
        if self.open.contains(&stream) {
            self.stream(stream, StreamInput::Bytes(bytes));
        }
    }

    fn stream(&mut self, stream: StreamId, input: StreamInput<'_>) {
        let outs = self.probe.stream(stream, input);
        self.take(outs);
    }

    fn forget(&mut self, stream: StreamId) {
        self.open.retain(|other| *other != stream);
        self.said.remove(&stream);
        self.ends.remove(&stream);
    }

    fn take(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Write(stream, bytes) => {
                    let said = self.said.entry(stream).or_default();
                    said.extend(bytes);
                    assert!(said.len() < 1 << 20, "what waits is bounded");
                }
                Out::Close(stream) => self.forget(stream),
                Out::Open(stream, _) => {
                    self.open.push(stream);
                    self.ends.insert(stream, End::Called);
                }
                other => panic!("a supernode does not {other:?}"),
            }
        }
        self.probe.take_events();
        let gauges = self.probe.machine.gauges();
        assert!(gauges.members <= 6 && gauges.files <= 20 + 256 && gauges.links <= 8, "{gauges:?}");
        assert_eq!(gauges.connections as usize, self.open.len(), "every connection is known to both");
    }

    fn end(&mut self) {
        for stream in self.open.clone() {
            self.forget(stream);
            self.stream(stream, StreamInput::Closed(StreamEnd::Finished));
        }
        // It may have called others in the meantime.
        for stream in self.open.clone() {
            self.forget(stream);
            self.stream(stream, StreamInput::Closed(StreamEnd::Refused));
        }
        let gauges = self.probe.machine.gauges();
        assert_eq!((gauges.members, gauges.links), (0, 0));
    }
}

fn preamble(input: &mut Input<'_>, nonce: u64) -> Vec<u8> {
    let purpose = [Purpose::Link, Purpose::Link, Purpose::Probe, Purpose::Errand][input.below(4)];
    let members = u16::from(input.byte());
    let standing = Standing { members, slots: 150, links: 3, minutes: 1 };
    let (port, instance) = (u16::from(input.byte()), u64::from(input.byte() % 4));
    let mut out = Vec::new();
    Preamble { purpose, port, instance, nonce, sees: Ipv4Addr::new(10, 0, 0, 100), standing }.put(&mut out);
    out
}

/// A message of an ordinary node that makes sense, or one that does not.
fn node_message(input: &mut Input<'_>) -> (u16, Vec<u8>) {
    let mut body = Vec::new();
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, WORDS[input.below(5)].as_bytes());
    if input.one_in(3) {
        tags.text(TagKind(u64::from(input.byte())), input.run());
    }
    let hash = FtHash([input.byte() % 4; 20]);
    let item = fasttrack::Item { hash, file_id: 0, size: 5, tags: tags.tags() };
    let mut into = Vec::new();
    let word = Term {
        comparison: Comparison::Contains,
        field: TagKind::ANY,
        data: WORDS[input.below(5)].as_bytes(),
    };
    let wanted = Term { comparison: Comparison::Equals, field: TagKind::HASH, data: &hash.0 };
    let terms = [word, wanted];
    let terms = fasttrack::Query::write_terms(&terms[input.below(2)..][..1], &mut into);
    let id = u16::from(input.byte() % 8);
    let query =
        fasttrack::Query { max_results: u16::from(input.byte()), id, realm: Realm(input.byte()), terms };
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, input.byte() % 8), input.u16());
    let message = match input.below(8) {
        0 | 1 => Message::Share(Share { media: Media::Audio, item }),
        2 => Message::Unshare(item),
        3 | 4 => Message::Search(query),
        5 => Message::NodeInfo(fasttrack::NodeInfo { address, bandwidth: 1, user: b"bob" }),
        _ => {
            let kind = [0x0d, 0x0d, 0x7e, 0x1d, 0x26, 0x22, 0x06, 0x05][input.below(8)];
            return (kind, input.run().to_vec());
        }
    };
    message.put(&mut body);
    (message.kind(), body)
}

/// A frame of a supernode that makes sense, or one that does not.
fn link_frame(input: &mut Input<'_>) -> Vec<u8> {
    let mut into = Vec::new();
    let data = WORDS[input.below(5)].as_bytes();
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data };
    let terms = fasttrack::Query::write_terms(&[term], &mut into);
    let guid = [input.byte() % 8; 16];
    let query = supernode::Query {
        guid,
        ttl: input.byte() % 5,
        hops: input.byte() % 5,
        fanout: input.byte() % 4,
        wanted: u16::from(input.byte()),
        realm: Realm::EVERYTHING,
        terms,
    };
    let bits = [0xff; 128];
    let part = DigestPart { log2: 10, at: 0, bytes: &bits[..input.below(129)] };
    let mut out = Vec::new();
    match input.below(5) {
        0 | 1 => supernode::Message::Query(query).put(&mut out),
        2 => supernode::Message::Digest(part).put(&mut out),
        3 => supernode::Message::AskKnown.put(&mut out),
        _ => {
            let kind = input.byte() % 12;
            let body = input.run();
            supernode::Frame::put(kind, &mut out, |out| out.extend_from_slice(body))
        }
    };
    out
}
