//! Transfers by HTTP as a machine: peers, servers and an application that do anything in any order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::input::Input;
use throng_machine::probe::{Out, Probe};
use throng_machine::{ContentId, Endpoint, Machine as _, StreamEnd, StreamId, StreamInput};
use throng_overlay::http::{
    Command, Config, Event, Fetch, FetchId, FetchTree, Identity, PushBy, Shared, Source, SourceId, TigerTree,
    Transfer,
};
use throng_wire::gnutella::{Guid, Urn};
use throng_wire::http::Target;

/// The most operations of one input.
const MAX_STEPS: usize = 400;
/// Bytes of the file that is shared and fetched.
const SIZE: u64 = 60;

const REQUESTS: [&str; 12] = [
    "GET /uri-res/N2R?urn:sha1:AEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIB HTTP/1.1\r\nHost: h\r\nX-Queue: 1.0\r\n\r\n",
    "GET /get/1/x HTTP/1.0\r\nRange: bytes=5-9\r\nConnection: Keep-Alive\r\n\r\n",
    "GET /.hash=0202020202020202020202020202020202020202 HTTP/1.1\r\nHost: h\r\nRange: bytes=-7\r\nX-Node: 10.0.1.1:9\r\n\r\n",
    "HEAD /get/1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nAccept: application/x-gnutella-packets\r\n\r\n",
    "GET /uri-res/N2X?urn:sha1:AEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIB HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /gnet/push-proxy?guid=07070707070707070707070707070707 HTTP/1.1\r\nHost: h\r\nX-Node: 10.0.1.1:9\r\n\r\n",
    "GET /get/1/x HTTP/1.1\r\nHost: h\r\nX-Queue: 0.1\r\nX-Alt: 1.2.3.4, 10.0.0.9:5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    "GIV 1:07070707070707070707070707070707/x\n\n",
    "GIVE 3\r\n",
    "QUEUE 00000000000000000000000000000000 10.0.1.1:9\r\n",
];

const REPLIES: [&str; 12] = [
    "HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/60\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 206 P\r\nContent-Range: bytes 0-4/60\r\nX-Queued: ID=00000000000000000000000000000000\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nX-Queued: position=2; ID=00000000000000000000000000000000\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nno!",
    "HTTP/1.1 416 No\r\nX-Available-Ranges: bytes 0-5\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nall until the end",
    "HTTP/1.1 206 P\r\nContent-Range: bytes 10-19/60\r\nContent-Length: 10\r\n\r\n",
    "0123456789",
    "\r\n",
];

/// Runs a list of operations; streams are used as the contract says, every wait ends, and nothing is left over.
pub fn transfer(data: &[u8]) {
    let mut input = Input(data);
    let identity = Identity {
        servent: Guid([9; 16]),
        agent: "T".into(),
        user: "t".into(),
        address: input.one_in(2).then(|| Endpoint::v4([10, 0, 0, 1], 6346)),
        supernode: None,
    };
    let config = Config {
        upload_slots: 1,
        max_queue: 3,
        max_active_queue: 1,
        max_connections: 12,
        max_fetches: 6,
        max_sources: 4,
        max_waits: 3,
        small_file: 0,
        chunk: 8,
        max_tree: 200,
        max_list: 200,
        ..Config::new(identity)
    };
    let mut world = World {
        probe: Probe::new(Transfer::new(config)),
        streams: BTreeMap::new(),
        fetches: BTreeMap::new(),
        next: 0,
    };
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.settle();
}

/// What the driver knows of a stream: whether it is open, bytes written and not flushed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Closed,
}

struct World {
    probe: Probe<Transfer>,
    streams: BTreeMap<StreamId, (State, u64)>,
    /// Fetches that are not over.
    fetches: BTreeMap<FetchId, ()>,
    next: u32,
}

fn peer(input: &mut Input<'_>) -> Endpoint {
    Endpoint::v4([10, 0, 1, input.below(4) as u8], 9)
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => self.share(input),
            1..4 => self.fetch(input),
            4 => self.command(input),
            5 | 6 => {
                let (stream, outs) = self.probe.accept(peer(input));
                self.streams.insert(stream, (State::Open, 0));
                self.take(outs, 0);
            }
            7 => self.end(input),
            8 => self.flush(input),
            9 => {
                let outs = self.probe.advance(Duration::from_secs(u64::from(input.byte())));
                self.take(outs, 0);
            }
            10 | 11 => self.open(input),
            12 | 13 => self.say(input, &REQUESTS),
            _ => self.say(input, &REPLIES),
        }
        self.hear(input.one_in(2));
    }

    /// No fetch is heard of again once it is over; pushes are answered.
    fn hear(&mut self, passes: bool) {
        for event in self.probe.take_events() {
            match event {
                Event::Fetched(id)
                | Event::FetchFailed(id, ..)
                | Event::TreeFetched(id, ..)
                | Event::Browsed(id, _) => {
                    assert!(self.fetches.remove(&id).is_some(), "told twice");
                }
                Event::FetchQueued(id, ..) | Event::PushWanted(id, ..) | Event::Described(id, _) => {
                    assert!(self.fetches.contains_key(&id), "told of what is over");
                }
                Event::PushProxyAsked(stream, ..) => self.run(Command::PushPassed(stream, passes)),
                _ => {}
            }
        }
    }

    fn run(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.take(outs, 0);
    }

    fn share(&mut self, input: &mut Input<'_>) {
        let content = ContentId(1 + input.below(2) as u32);
        let whole = input.one_in(2);
        let shared = Shared {
            content,
            index: content.0,
            name: "x".into(),
            size: SIZE,
            sha1: Some([content.0 as u8; 20]),
            tiger: Some(TigerTree { root: [3; 24], level: Arc::from(vec![[3; 24]]) }),
            ft_hash: Some([2; 20]),
            magnet: None,
            available: (!whole).then(|| vec![0..5, 20..30]),
        };
        self.run(if input.one_in(4) { Command::Unshare(content) } else { Command::Share(Box::new(shared)) });
    }

    fn fetch(&mut self, input: &mut Input<'_>) {
        self.next += 1;
        let (id, source) = (FetchId(self.next), SourceId(input.below(3) as u32));
        let address = (!input.one_in(3)).then(|| peer(input));
        let push = match input.below(3) {
            0 => None,
            1 => Some(PushBy::Servent { servent: Guid([7; 16]), index: 1, proxies: Vec::new() }),
            _ => Some(PushBy::Number { at: peer(input), supernode: peer(input), user: Vec::new() }),
        };
        let target = Target::Urn(Urn::Sha1([1; 20]));
        let from = Source { address, push, target, size: Some(SIZE), sha1: Some([1; 20]) };
        let start = 10 * input.below(3) as u64;
        self.fetches.insert(id, ());
        self.run(match input.below(6) {
            0 => Command::FetchTree(Box::new(FetchTree { id, source, from, root: [3; 24] })),
            1 => Command::Browse(id, source, peer(input)),
            _ => {
                let (range, content) = (start..start + 10, ContentId(900 + id.0));
                Command::Fetch(Box::new(Fetch { id, source, from, range, content }))
            }
        });
    }

    fn command(&mut self, input: &mut Input<'_>) {
        let id = FetchId(self.next.saturating_sub(input.below(6) as u32));
        let command = match input.below(7) {
            0 | 1 => {
                self.fetches.remove(&id);
                Command::Cancel(id)
            }
            2 => Command::CallWith(peer(input), 1),
            3 => Command::CallWithNumber(peer(input), 3),
            4 => Command::SetServing(u32::from(input.byte()) % 3, input.one_in(2)),
            5 => Command::Judge(ContentId(1), peer(input), input.one_in(2)),
            _ => Command::SetAvailable(ContentId(1), None),
        };
        self.run(command);
    }

    fn some(&self, input: &mut Input<'_>, wanted: State) -> Option<StreamId> {
        let fit: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, (state, _))| *state == wanted)
            .map(|(stream, _)| *stream)
            .collect();
        fit.get(input.below(fit.len().min(256))).copied()
    }

    fn open(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.some(input, State::Opening) else { return };
        self.streams.insert(stream, (State::Open, 0));
        let outs = self.probe.stream(stream, StreamInput::Opened);
        self.take(outs, 0);
    }

    fn say(&mut self, input: &mut Input<'_>, texts: &[&str]) {
        let Some(stream) = self.some(input, State::Open) else { return };
        let mut bytes = texts[input.below(texts.len())].as_bytes().to_vec();
        if input.one_in(4) {
            bytes.extend_from_slice(input.run());
        }
        for part in input.split(&bytes) {
            if self.streams.get(&stream).is_some_and(|(state, _)| *state == State::Open) {
                let outs = self.probe.stream(stream, StreamInput::Bytes(part));
                self.take(outs, part.len());
            }
        }
        if input.one_in(8) && self.streams.get(&stream).is_some_and(|(state, _)| *state == State::Open) {
            let count = u32::from(input.byte());
            let outs = self.probe.stream(stream, StreamInput::Blank(count));
            self.take(outs, count as usize);
        }
    }

    fn flush(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.some(input, State::Open) else { return };
        let Some((_, unflushed)) = self.streams.get_mut(&stream) else { return };
        let count = (*unflushed).min(u64::from(input.byte()) * 8);
        *unflushed -= count;
        let outs = self.probe.stream(stream, StreamInput::Flushed(count as u32));
        self.take(outs, 0);
    }

    fn end(&mut self, input: &mut Input<'_>) {
        let wanted = if input.one_in(2) { State::Opening } else { State::Open };
        let Some(stream) = self.some(input, wanted) else { return };
        let end = if wanted == State::Opening { StreamEnd::Refused } else { StreamEnd::Finished };
        self.closed(stream, end);
    }

    fn closed(&mut self, stream: StreamId, end: StreamEnd) {
        self.streams.insert(stream, (State::Closed, 0));
        let outs = self.probe.stream(stream, StreamInput::Closed(end));
        self.take(outs, 0);
    }

    /// Does what the machine wants, as far as the contract lets it; `input` bytes were just handed to it.
    fn take(&mut self, outs: Vec<Out>, input: usize) {
        for out in outs {
            match out {
                Out::Open(stream, to) => {
                    assert!(to.is_dialable());
                    assert!(self.streams.insert(stream, (State::Opening, 0)).is_none());
                }
                Out::Write(stream, bytes) => self.wrote(stream, bytes.len() as u64),
                Out::WriteExtent(stream, head, extent) => {
                    assert!(extent.len > 0 && extent.offset + u64::from(extent.len) <= SIZE);
                    self.wrote(stream, head.len() as u64 + u64::from(extent.len));
                }
                Out::Place(extent, at) => {
                    assert!(at as usize + extent.len as usize <= input, "placed what was not there");
                    let id = FetchId(extent.content.0 - 900);
                    assert!(self.fetches.contains_key(&id), "placed for what is over");
                    assert!(extent.offset + u64::from(extent.len) <= SIZE);
                }
                Out::Close(stream) => {
                    let state = self.streams.insert(stream, (State::Closed, 0));
                    assert!(state.is_some_and(|(state, _)| state != State::Closed), "closed twice");
                }
                Out::Send(..) => panic!("no datagrams"),
            }
        }
    }

    fn wrote(&mut self, stream: StreamId, count: u64) {
        let (state, unflushed) = self.streams.get_mut(&stream).expect("a stream we know");
        assert!(*state == State::Open, "written where nothing can be");
        *unflushed += count;
        assert!(*unflushed < 1 << 20, "too much for one who does not read");
    }

    /// Everybody leaves: what waits ends, no slot and no deadline stays, every fetch was told of.
    fn settle(&mut self) {
        for _ in 0..8 {
            let live = self.streams.iter().filter(|(_, (state, _))| *state != State::Closed);
            for stream in live.map(|(stream, _)| *stream).collect::<Vec<_>>() {
                if self.streams.get(&stream).is_some_and(|(state, _)| *state != State::Closed) {
                    self.closed(stream, StreamEnd::Broken);
                }
            }
            let outs = self.probe.advance(Duration::from_secs(5_000));
            self.take(outs, 0);
            self.hear(false);
        }
        let machine = &self.probe.machine;
        assert_eq!(machine.poll_timeout(), None, "a deadline is left");
        assert_eq!((machine.load().0, machine.load().1), (0, 0), "something is left");
        assert_eq!(machine.upload_load().0, 0, "a slot is left");
        assert!(self.fetches.is_empty(), "a fetch was never told of");
    }
}
