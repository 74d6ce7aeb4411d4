//! The servent as a machine: links, datagrams and an application that do anything in any order.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use crate::input::Input;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Machine as _, StreamEnd, StreamId, StreamInput};
use throng_overlay::discovery::{self, Ticket};
use throng_overlay::gnutella::{
    Command, Config, Identity, Limits, Role, RoleChoice, Search, Servent, SharedFile,
};
use throng_wire::gnutella::{Guid, Header, Kind};

/// The most operations of one input.
const MAX_STEPS: usize = 400;
/// Links and handshakes of one input at most: more than the limits let.
const MAX_STREAMS: usize = 64;

const HELLOS: [&str; 8] = [
    "GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: False\r\nVendor-Message: 0.2\r\nBye-Packet: 0.1\r\n\r\n",
    "GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: True\r\nX-Ultrapeer-Query-Routing: 0.1\r\nX-Ext-Probes: 0.1\r\n\r\n",
    "GNUTELLA CONNECT/0.6\r\nBye-Packet: 0.1\r\n\r\n",
    "GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: True\r\nAccept-Encoding: deflate\r\nNode: 10.0.0.9:6346\r\n\r\n",
    "GNUTELLA CONNECT/0.4\n\n",
    "GNUTELLA/0.6 200 OK\r\nX-Ultrapeer: True\r\nX-Degree: 32\r\nX-Dynamic-Querying: 0.1\r\n\r\n",
    "GNUTELLA/0.6 200 OK\r\n\r\n",
    "GNUTELLA/0.6 503 Full\r\nX-Try-Ultrapeers: 10.0.0.7:6346,127.0.0.1:80\r\nRemote-IP: 10.0.0.1\r\n\r\n",
];
const TEXTS: [&str; 5] = ["brontosaurus", "brontosaurus song", "a", "mp3", "velociraptor egg"];
const KINDS: [u8; 9] = [0x00, 0x01, 0x02, 0x30, 0x31, 0x40, 0x80, 0x81, 0x77];

/// Runs a list of operations; streams are used as the contract says, every wait ends, and what it holds is bounded.
pub fn gnutella_servent(data: &[u8]) {
    let mut input = Input(data);
    let role = [Role::Plain, Role::Leaf, Role::Ultrapeer][input.below(3)];
    let limits = Limits { leaves: 6, ultrapeers: 4, most_plain: 6, handshakes: 8, ..Limits::default() };
    let config = Config {
        role: if input.one_in(6) { RoleChoice::Elected } else { RoleChoice::Fixed(role) },
        deflate: input.one_in(2),
        dynamic: !input.one_in(4),
        limits,
        ..Config::default()
    };
    let listen = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 6_346);
    let me = Identity { servent: Guid([7; 16]), listen, key: [1, 2] };
    let mut probe = Probe::new(Servent::new(Arc::new(config), me));
    probe.now = probe.now + Duration::from_secs(5_000);
    let mut world = World { probe, streams: BTreeMap::new(), tickets: 0 };
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.settle();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Closed,
}

struct World {
    probe: Probe<Servent>,
    /// Each stream's state, and bytes written and not flushed.
    streams: BTreeMap<StreamId, (State, u64)>,
    tickets: u32,
}

fn host(input: &mut Input<'_>) -> Endpoint {
    Endpoint::v4([10, 0, 0, 2 + input.below(8) as u8], 6_346)
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 | 1 => self.command(input),
            2 => {
                if self.streams.values().filter(|(state, _)| *state != State::Closed).count() < MAX_STREAMS {
                    let from = host(input);
                    let (stream, outs) = self.probe.accept(from);
                    self.streams.insert(stream, (State::Open, 0));
                    self.take(outs);
                }
            }
            3 => self.end(input),
            4 | 5 => {
                let hello = HELLOS[input.below(8)];
                self.says(hello.as_bytes(), input);
            }
            6 => {
                let bytes = input.run();
                self.says(bytes, input);
            }
            7 => self.flush(input),
            8 => self.advance(Duration::from_secs(u64::from(input.byte()))),
            9 => self.advance(Duration::from_millis(u64::from(input.u16()))),
            10 => {
                let (from, message) = (host(input), message(input));
                let outs = self.probe.datagram(from, &message);
                let answered: usize =
                    outs.iter().map(|out| if let Out::Send(_, bytes) = out { bytes.len() } else { 0 }).sum();
                let linked = self.probe.machine.neighbours().any(|(at, _)| at.ip() == from.ip());
                assert!(linked || answered <= message.len() || message[16] == 0x80, "amplified {answered}");
                self.take(outs);
            }
            _ => {
                let message = message(input);
                self.says(&message, input);
            }
        }
        self.probe.take_events();
    }

    fn command(&mut self, input: &mut Input<'_>) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let words = TEXTS[input.below(5)].to_owned();
        let sha1 = input.one_in(3).then(|| [9; 20]);
        let command = match input.below(12) {
            0..3 => Command::Discovery(discovery::Command::Join(vec![host(input)])),
            3 => Command::Discovery(discovery::Command::Leave),
            4..7 => Command::Search(ticket, Search { words, sha1, limit: 3, timeout: Duration::from_secs(60) }),
            7 => Command::Discovery(discovery::Command::Cancel(Ticket(u32::from(input.byte())))),
            8 | 9 => {
                let file = SharedFile { name: words, size: 99, sha1, ..SharedFile::default() };
                Command::Share(input.below(8) as u32, std::sync::Arc::new(file))
            }
            10 => Command::Become([Role::Plain, Role::Leaf, Role::Ultrapeer][input.below(3)]),
            _ => Command::Push { servent: Guid([input.byte(); 16]), index: 1, proxies: vec![host(input)] },
        };
        let outs = self.probe.command(command);
        self.take(outs);
    }

    fn stream(&self, input: &mut Input<'_>) -> Option<StreamId> {
        let live = self.streams.iter().filter(|(_, (state, _))| *state != State::Closed);
        let live: Vec<StreamId> = live.map(|(stream, _)| *stream).collect();
        live.get(input.below(live.len().min(256))).copied()
    }

    fn says(&mut self, bytes: &[u8], input: &mut Input<'_>) {
        let Some(stream) = self.stream(input) else { return };
        if let Some((state @ State::Opening, _)) = self.streams.get_mut(&stream) {
            *state = State::Open;
            let outs = self.probe.stream(stream, StreamInput::Opened);
            self.take(outs);
        }
        for part in input.split(bytes) {
            if self.streams.get(&stream).is_none_or(|(state, _)| *state == State::Closed) {
                return;
            }
            let outs = self.probe.stream(stream, StreamInput::Bytes(part));
            self.take(outs);
        }
    }

    fn flush(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.stream(input) else { return };
        let Some((State::Open, unflushed)) = self.streams.get_mut(&stream) else { return };
        let count = std::mem::take(unflushed);
        let outs = self.probe.stream(stream, StreamInput::Flushed(count as u32));
        self.take(outs);
    }

    fn end(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.stream(input) else { return };
        let end = [StreamEnd::Finished, StreamEnd::Broken, StreamEnd::Refused][input.below(3)];
        self.closed(stream, end);
    }

    fn closed(&mut self, stream: StreamId, end: StreamEnd) {
        if let Some((state, _)) = self.streams.get_mut(&stream) {
            *state = State::Closed;
        }
        let outs = self.probe.stream(stream, StreamInput::Closed(end));
        self.take(outs);
    }

    fn advance(&mut self, by: Duration) {
        let outs = self.probe.advance(by);
        self.take(outs);
    }

    /// Notes what the machine wants, and that it may want it.
    fn take(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Open(stream, to) => {
                    assert!(to.is_dialable() && !to.ip().is_loopback(), "{to}");
                    self.streams.insert(stream, (State::Opening, 0));
                }
                Out::Write(stream, bytes) => {
                    let (state, unflushed) = self.streams.get_mut(&stream).expect("a stream we know");
                    assert!(*state == State::Open, "written where nothing can be");
                    *unflushed += bytes.len() as u64;
                    assert!(*unflushed < 4 << 20, "more under way than flow control allows");
                }
                Out::Close(stream) => {
                    self.streams.get_mut(&stream).expect("a stream we know").0 = State::Closed;
                }
                Out::Send(to, _) => assert!(to.is_dialable()),
                Out::WriteExtent(..) | Out::Place(..) => panic!("a servent has no file data"),
            }
        }
    }

    /// Everybody leaves: what waits ends, and no deadline stays.
    fn settle(&mut self) {
        let outs = self.probe.command(Command::Discovery(discovery::Command::Leave));
        self.take(outs);
        let live = self.streams.iter().filter(|(_, (state, _))| *state != State::Closed);
        for stream in live.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            self.closed(stream, StreamEnd::Broken);
        }
        self.advance(Duration::from_secs(2_000));
        let status = self.probe.machine.status(self.probe.now);
        assert!(status.links.is_empty() && status.searches == (0, 0), "{status:?}");
        assert_eq!(self.probe.machine.poll_timeout(), None, "a deadline is left");
    }
}

/// A message: of a kind that means something, with a payload that may.
fn message(input: &mut Input<'_>) -> Vec<u8> {
    let kind = Kind::from_code(KINDS[input.below(9)]);
    let guid = Guid([[7, input.byte()][input.below(2)]; 16]);
    let (ttl, hops) = (input.byte() % 9, input.byte() % 4);
    let header = Header { guid, kind, ttl, hops: if input.one_in(2) { hops } else { 0 }, length: 0 };
    let mut out = Vec::new();
    header.message(&mut out, |out| match (kind, input.below(3)) {
        (Kind::Query, 0 | 1) => {
            out.extend_from_slice(&[0x98, 0]);
            out.extend_from_slice(TEXTS[input.below(5)].as_bytes());
            out.push(0);
        }
        (Kind::Qrp, 0) => out.extend_from_slice(&[0, 0, 4, 0, 0, 7]),
        (Kind::Vendor, 0 | 1) => {
            let kinds: [&[u8]; 8] = [
                b"BEAR\x07\0\x01\0\xca\x18",
                b"LIME\x15\0\x01\0",
                b"BEAR\x0b\0\x01\0",
                b"BEAR\x0c\0\x01\0\x05\0",
                b"GTKG\x07\0\x01\0\xca\x18",
                b"\0\0\0\0\0\0\0\0\x02\0LIME\x15\0\x01\0BEAR\x0b\0\x01\0",
                b"\0\0\0\0\0\0\0\0\x01\0THRG\x02\0\x01\0",
                b"THRG\x02\0\x01\0",
            ];
            let kind = kinds[input.below(8)];
            out.extend_from_slice(kind);
            if kind.starts_with(b"THRG") {
                out.extend_from_slice(input.run());
            }
        }
        (Kind::Push, 0 | 1) => {
            out.extend_from_slice(&[[7, 9][input.below(2)]; 16]);
            out.extend_from_slice(&[1, 0, 0, 0, 10, 0, 0, 4, 0xca, 0x18]);
        }
        (Kind::QueryHit, 0 | 1) => {
            out.extend_from_slice(b"\x01\xca\x18\x0a\0\0\x05\x10\0\0\0\x01\0\0\0\x63\0\0\0brontosaurus song\0\0");
            out.extend_from_slice(b"TEST\x02\x1c\x00");
            out.extend_from_slice(&[[9, 0, input.byte()][input.below(3)]; 16]);
        }
        _ => out.extend_from_slice(input.run()),
    });
    out
}
