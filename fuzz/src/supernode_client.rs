//! The ordinary node as a machine: supernodes that say anything, die and lie, and an application that does anything.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use crate::input::Input;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Machine as _, StreamEnd, StreamId, StreamInput};
use throng_overlay::discovery::{Item, Query, Ticket};
use throng_overlay::supernode::{Client, Command, Config, Event};
use throng_wire::fasttrack::{
    Cipher, Framing, FtHash, Hit, Hits, Message, NodeList, NodeListEntry, Reply, SERVER_SEED, ServerHello,
    TagKind, TagsWriter,
};

/// Runs a list of operations: streams are used as the contract says, and every search ends.
pub fn supernode_client(data: &[u8]) {
    let config = Config { port: 1_300, known: 6, max_files: 20, ..Config::default() };
    let client = Client::new(Arc::new(config), 7);
    let mut run =
        Run { probe: Probe::new(client), streams: BTreeMap::new(), searches: BTreeMap::new(), tickets: 0 };
    let mut input = Input(data);
    for _ in 0..600 {
        if input.is_empty() {
            break;
        }
        run.step(&mut input);
    }
    run.end();
}

/// A supernode's end: what it enciphers with, once it has said hello.
type End = Option<Box<(Cipher, Framing)>>;

struct Run {
    probe: Probe<Client>,
    streams: BTreeMap<StreamId, End>,
    /// Whether each search is over.
    searches: BTreeMap<u32, bool>,
    tickets: u32,
}

fn at(last: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last % 8), 1_214)
}

impl Run {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(8) {
            0 => self.command(input),
            1 => self.open(input),
            2..=4 => self.say(input),
            5 => self.advance(Duration::from_millis(10 << input.below(12))),
            6 => self.end_stream(input),
            _ => self.flush(input),
        }
    }

    fn command(&mut self, input: &mut Input<'_>) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let item = Item {
            title: "zebra.mp3".into(),
            ft_hash: (!input.one_in(8)).then(|| [input.byte() % 4; 20]),
            ..Item::default()
        };
        let words = vec![["zebra", "...", "song"][input.below(3)].into()];
        let query = Query { words, limit: input.byte().into(), timeout: Duration::from_secs(5) };
        let older = Ticket(u32::from(input.byte()));
        let command = match input.below(8) {
            0 => Command::Join(vec![Endpoint::v4([10, 0, 0, input.byte() % 8], 1_214)]),
            1 => Command::Publish(ticket, item, None),
            2 => Command::Withdraw(older),
            3 | 4 => {
                self.searches.insert(ticket.0, false);
                Command::Find(ticket, query)
            }
            5 => {
                self.searches.insert(ticket.0, false);
                Command::FindContent(ticket, item)
            }
            6 => {
                self.searches.remove(&older.0);
                Command::Cancel(older)
            }
            _ => Command::Push { id: 5, target: at(1), supernode: at(2), user: b"bob".to_vec() },
        };
        let outs = self.probe.command(command);
        self.take(outs);
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<StreamId> {
        let count = self.streams.len();
        (count > 0).then(|| *self.streams.keys().nth(input.below(count)).expect("within the count"))
    }

    /// A supernode takes the call and says hello and its name, or something else.
    fn open(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.pick(input) else { return };
        if self.streams[&stream].is_some() {
            return;
        }
        self.stream(stream, StreamInput::Opened);
        let mut cipher = Cipher::new(SERVER_SEED);
        let mut bytes = b"KaZaA\0".to_vec();
        cipher.apply(&mut bytes);
        let hello =
            if input.one_in(8) { input.bytes(8).to_vec() } else { ServerHello::ours().encode().to_vec() };
        if self.streams.contains_key(&stream) {
            self.streams.insert(stream, Some(Box::new((cipher, Framing::default()))));
        }
        for part in input.split(&[hello, bytes].concat()) {
            self.bytes(stream, part);
        }
    }

    fn say(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.pick(input) else { return };
        let (kind, body) = message(input);
        let Some(Some(end)) = self.streams.get_mut(&stream) else { return };
        let (cipher, framing) = &mut **end;
        let mut bytes = Vec::new();
        framing.encode(kind, &body, &mut bytes);
        cipher.apply(&mut bytes);
        if input.one_in(32) {
            bytes = input.run().to_vec();
        }
        for part in input.split(&bytes) {
            self.bytes(stream, part);
        }
    }

    fn end_stream(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.pick(input) else { return };
        let is_open = self.streams.remove(&stream).flatten().is_some();
        let end = if is_open { StreamEnd::Broken } else { StreamEnd::Refused };
        self.stream(stream, StreamInput::Closed(end));
    }

    fn flush(&mut self, input: &mut Input<'_>) {
        if let Some(stream) = self.pick(input) {
            self.stream(stream, StreamInput::Flushed(u32::from(input.u16())));
        }
    }

    fn advance(&mut self, by: Duration) {
        let outs = self.probe.advance(by);
        self.take(outs);
    }

    fn bytes(&mut self, stream: StreamId, bytes: &[u8]) {
        if self.streams.contains_key(&stream) {
            self.stream(stream, StreamInput::Bytes(bytes));
        }
    }

    fn stream(&mut self, stream: StreamId, input: StreamInput<'_>) {
        let outs = self.probe.stream(stream, input);
        self.take(outs);
    }

    fn take(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Write(stream, _) => {
                    assert!(self.streams.contains_key(&stream), "written to an open stream")
                }
                Out::Close(stream) => assert!(self.streams.remove(&stream).is_some(), "closed once"),
                Out::Open(stream, _) => _ = self.streams.insert(stream, None),
                other => panic!("an ordinary node does not {other:?}"),
            }
        }
        assert!(self.streams.len() <= 4, "one session and three calls");
        for event in self.probe.take_events() {
            if let Event::Finished(ticket) | Event::Refused(ticket, _) = event
                && let Some(over) = self.searches.get_mut(&ticket.0)
            {
                assert!(!std::mem::replace(over, true), "a search ends once");
            }
        }
    }

    fn end(&mut self) {
        self.advance(Duration::from_secs(120));
        assert!(self.searches.values().all(|over| *over), "every search ends");
        let outs = self.probe.command(Command::Leave);
        self.take(outs);
        assert!(self.streams.is_empty() && self.probe.machine.poll_timeout().is_none());
    }
}

/// A message of a supernode that makes sense, or one that does not.
fn message(input: &mut Input<'_>) -> (u16, Vec<u8>) {
    let mut body = Vec::new();
    let mut list = Vec::new();
    for _ in 0..input.below(4) {
        let entry = NodeListEntry { address: at(input.byte()), minutes: 0, load: 0 };
        NodeList::put(entry, &mut list);
    }
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, [&b"zebra.mp3"[..], b"song", b""][input.below(3)]);
    if input.one_in(4) {
        tags.text(TagKind::MAGNET, input.run());
    }
    let hash = FtHash([input.byte() % 4; 20]);
    let item = throng_wire::fasttrack::Item { hash, file_id: 0, size: 5, tags: tags.tags() };
    let mut hits = Vec::new();
    Hit { at: at(input.byte()), bandwidth: 1, user: Some(b"eve"), item }.put(b"KaZaA", &mut hits);
    let id = u16::from(input.byte() % 16);
    let message = match input.below(8) {
        0 => Message::NodeList(NodeList(&list)),
        1 => Message::ExternalAddress(Ipv4Addr::new(10, 0, 0, input.byte())),
        2 => Message::SendShares,
        3 | 4 => Message::Reply(Reply { supernode: at(1), id, hits: Hits::written(1, &hits) }),
        5 => Message::SearchEnd(id),
        _ => {
            let kind = [0x0d, 0x7e, 0x1d, 0x26, 0x00, 0x07, 0x09, 0x1f][input.below(8)];
            return (kind, input.run().to_vec());
        }
    };
    message.put(&mut body);
    (message.kind(), body)
}
