//! The directory server as a machine: users, operators and a linked server that say anything, time, slow passwords.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::input::Input;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Instant, Machine as _, SplitMix64, StreamEnd, StreamId, StreamInput};
use throng_overlay::directory::server::{
    Account, Banned, CheckId, Command, Config, Event, Gauges, Level, Peer, Rate, Server,
};
use throng_wire::napster::{Deflater, Frame, MAX_DATA, ip_to_number, link_proof};

/// Runs a list of operations: every answer to a client can be read, nobody is sent to an address that no user has,
/// what waits for somebody is bounded, and of those who left nothing stays.
pub fn directory_server(data: &[u8]) {
    let peer = |name: &str, last: u8| Peer {
        name: name.into(),
        send_password: "ours".into(),
        expect_password: "theirs".into(),
        addresses: vec![[10, 1, 0, last].into()],
        dial: (last == 2).then(|| Endpoint::v4([10, 1, 0, last], 8888)),
    };
    let config = Config {
        name: "hub.test".into(),
        peers: vec![peer("one.test", 1), peer("two.test", 2)],
        max_per_address: 5,
        max_files: 12,
        max_watched: 3,
        max_ignored: 3,
        max_members: 3,
        max_queue: 2_000,
        max_link_queue: 50_000,
        searches: Rate { a_minute: 60, burst: 20 },
        search_work: 400,
        ..Config::default()
    };
    let server = Server::new(config, &mut SplitMix64::new(7), Instant::EPOCH);
    let mut run = Run {
        probe: Probe::new(server),
        clients: BTreeMap::new(),
        links: Vec::new(),
        calls: Vec::new(),
        checks: Vec::new(),
        open: Vec::new(),
        users: Vec::new(),
    };
    for level in [Level::User, Level::Moderator, Level::Elite] {
        let nick = format!("op{}", level as u8).into_bytes();
        let account = Account { nick, level, email: b"a@b".to_vec(), created: 1, last_seen: 1 };
        run.command(Command::LoadAccount(account));
    }
    let mut input = Input(data);
    for _ in 0..1_500 {
        if input.is_empty() {
            break;
        }
        run.step(&mut input);
    }
    run.end();
}

/// A linked server, as far as it has come.
struct Link {
    stream: StreamId,
    deflater: Deflater,
}

struct Run {
    probe: Probe<Server>,
    /// What each client has not read, and how much of it is not told as flushed.
    clients: BTreeMap<StreamId, (Endpoint, Vec<u8>)>,
    links: Vec<Link>,
    /// Streams the server opened.
    calls: Vec<StreamId>,
    checks: Vec<CheckId>,
    open: Vec<StreamId>,
    /// Those who logged in, or tried.
    users: Vec<StreamId>,
}

/// Types of clients' messages, the frequent ones often.
const KINDS: [u16; 64] = [
    2, 2, 2, 6, 7, 11, 100, 100, 100, 102, 110, 200, 200, 200, 203, 203, 205, 207, 208, 211, 214, 215, 218,
    221, 303, 320, 322, 323, 326, 400, 401, 402, 500, 600, 603, 608, 609, 610, 617, 619, 621, 626, 627, 628,
    640, 641, 700, 701, 702, 703, 750, 751, 752, 801, 824, 827, 870, 10_010, 10_100, 10_101, 10_112, 10_115,
    10_300, 10_301,
];

/// Types of servers' messages.
const LINK_KINDS: [u16; 32] = [
    2, 2, 203, 205, 211, 218, 400, 401, 402, 606, 607, 610, 700, 703, 751, 824, 10_000, 10_012, 10_013,
    10_014, 10_015, 10_015, 10_016, 10_017, 10_018, 10_018, 10_019, 10_020, 10_021, 10_023, 10_262, 10_010,
];

/// Words that mean something somewhere.
const WORDS: [&str; 48] = [
    "a",
    "b",
    "c",
    "op2",
    "op4",
    "pw",
    "0",
    "1",
    "5",
    "6699",
    "65536",
    "4294967296",
    "-1",
    "\"C:\\a b.mp3\"",
    "\"C:\\b zebra.mp3\"",
    "\"C:\\dir\\\"",
    "\"x.mp3\"",
    "62837da508c5b15b6465453833176ef4",
    "NOMD5COMPUTED",
    "\"",
    "FILENAME",
    "CONTAINS",
    "zebra",
    "\"a mp3\"",
    "EXCLUDES",
    "b",
    "MAX_RESULTS",
    "BITRATE",
    "\"AT LEAST\"",
    "128",
    "TYPE",
    "any",
    "LOCAL",
    "#one",
    "#two",
    "video",
    ":a",
    ":one.test",
    ":op4",
    "one.test",
    "two.test",
    "three.test",
    "ABCDEFGH",
    "User",
    "Elite",
    "16777343",
    "\r\n",
    "\0",
];

fn words(input: &mut Input<'_>) -> Vec<u8> {
    let count = input.below(12);
    let words: Vec<&str> = (0..count).map(|_| WORDS[input.below(WORDS.len())]).collect();
    words.join(" ").into_bytes()
}

fn frame(kind: u16, data: &[u8]) -> Vec<u8> {
    let data = &data[..data.len().min(MAX_DATA)];
    [&(data.len() as u16).to_le_bytes()[..], &kind.to_le_bytes(), data].concat()
}

impl Run {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(24) {
            0 => self.connect(input),
            1 | 2 => self.log_in(input),
            3..6 => self.mean(input),
            6..11 => self.say(input),
            11..16 => self.say_as_server(input),
            16 => self.link(input),
            17 => self.close(input),
            18 => self.read(input),
            19 => self.check(input),
            20 => self.wait(Duration::from_secs(u64::from(input.byte() % 64))),
            21 => self.answer_call(input),
            22 if input.one_in(4) => self.raw(input),
            23 if input.one_in(4) => self.order(input),
            _ => self.mean(input),
        }
        assert!(self.probe.machine.poll_timeout() > Some(self.probe.now) || self.is_quiet());
    }

    /// A deadline that is now must have nothing to do after it was told.
    fn is_quiet(&mut self) -> bool {
        self.wait(Duration::ZERO);
        self.probe.machine.poll_timeout().is_none_or(|at| at > self.probe.now)
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<StreamId> {
        if self.open.is_empty() { None } else { Some(self.open[input.below(self.open.len().min(256))]) }
    }

    fn connect(&mut self, input: &mut Input<'_>) {
        let from = match input.below(8) {
            7 => Endpoint::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 4_000),
            last => Endpoint::v4([10, 0, 0, last as u8], 4_000),
        };
        self.accept(from);
    }

    fn accept(&mut self, from: Endpoint) -> StreamId {
        let (stream, outs) = self.probe.accept(from);
        self.open.push(stream);
        self.clients.insert(stream, (from, Vec::new()));
        self.take(outs);
        stream
    }

    fn log_in(&mut self, input: &mut Input<'_>) {
        let stream = self.accept(Endpoint::v4([10, 0, 0, input.byte() % 8], 4_000));
        let nick = ["a", "b", "c", "A", "op2", "op4"][input.below(6)];
        let port = [0, 6_699][input.below(2)];
        self.bytes(stream, &frame(2, format!("{nick} pw {port} \"x\" 5").as_bytes()));
        self.users.push(stream);
    }

    /// What a client would say.
    fn mean(&mut self, input: &mut Input<'_>) {
        if self.users.is_empty() {
            return self.log_in(input);
        }
        let stream = self.users[input.below(self.users.len().min(256))];
        let nick = ["a", "b", "c", "x", "y", "op4"][input.below(6)];
        let name = ["C:\\a zebra.mp3", "C:\\b zebra.mp3", "zebra"][input.below(3)];
        let (kind, text) = match input.below(8) {
            0 | 1 => {
                (100, format!("\"{name}\" 62837da508c5b15b6465453833176ef4 {} 128 44100 9", input.byte()))
            }
            2 | 3 => (200, format!("FILENAME CONTAINS zebra MAX_RESULTS {}", input.byte())),
            4 => (203, format!("{nick} \"{name}\"")),
            5 => (500, format!("{nick} \"{name}\"")),
            6 => (608, format!("{nick} \"{name}\"")),
            _ => (400, "#one".into()),
        };
        self.bytes(stream, &frame(kind, text.as_bytes()));
    }

    fn say(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.pick(input) else { return };
        let kind = KINDS[input.below(KINDS.len())];
        let bytes = frame(kind, &words(input));
        for part in input.split(&bytes) {
            self.bytes(stream, part);
        }
    }

    fn raw(&mut self, input: &mut Input<'_>) {
        let bytes = input.run();
        if let Some(stream) = self.pick(input) {
            self.bytes(stream, bytes);
        }
    }

    fn say_as_server(&mut self, input: &mut Input<'_>) {
        if self.links.is_empty() {
            return;
        }
        let at = input.below(self.links.len());
        let kind = LINK_KINDS[input.below(LINK_KINDS.len())];
        // Most of these end the link.
        let kind = if matches!(kind, 10_010 | 10_019) && !input.one_in(8) { 10_015 } else { kind };
        let mut data = words(input);
        if kind == 10_015 && input.one_in(2) {
            data = b"x ABCDEFGH FILENAME CONTAINS \"zebra\"".to_vec();
        }
        if kind == 2 && !input.one_in(4) {
            let nick = ["a", "b", "x", "y"][input.below(4)];
            let server = ["one.test", "two.test", "three.test"][input.below(3)];
            data = format!("{nick} pw {} \"x\" 5 m 9 16777343 {server} 1", input.u16()).into_bytes();
        }
        if kind == 10_018 {
            let inner = frame([204, 501, 212, 5, 404, 640][input.below(6)], &words(input));
            data = [&b":one.test "[..], [&b"a "[..], b"b ", b"x "][input.below(3)], &inner].concat();
        }
        let mut out = Vec::new();
        let Link { stream, deflater } = &mut self.links[at];
        let stream = *stream;
        if deflater.deflate(&frame(kind, &data), &mut out).is_ok() {
            self.bytes(stream, &out);
        }
    }

    /// A neighbour calls and proves itself, or does not.
    fn link(&mut self, input: &mut Input<'_>) {
        let last = 1 + input.below(2) as u8;
        let stream = self.accept(Endpoint::v4([10, 1, 0, last], 4_000));
        let name = if last == 1 { "one.test" } else { "two.test" };
        self.greet(stream, name, input);
    }

    /// A call of the server is answered.
    fn answer_call(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.calls.pop() else { return };
        if input.one_in(3) {
            return self.stream(stream, StreamInput::Closed(StreamEnd::Refused));
        }
        self.open.push(stream);
        self.stream(stream, StreamInput::Opened);
        self.greet(stream, "two.test", input);
    }

    fn greet(&mut self, stream: StreamId, name: &str, input: &mut Input<'_>) {
        self.bytes(stream, &frame(10_010, format!("{name} NONCE 1").as_bytes()));
        let Some((_, told)) = self.clients.get(&stream) else { return };
        let Ok(Some((hello, _))) = Frame::split(told, MAX_DATA) else { return };
        let nonce = hello.data.split(|byte| *byte == b' ').nth(1).unwrap_or(b"").to_vec();
        let password: &[u8] = if input.one_in(8) { b"wrong" } else { b"theirs" };
        self.bytes(stream, &frame(10_011, &link_proof(&nonce, b"NONCE", password)));
        if self.open.contains(&stream) {
            self.links.push(Link { stream, deflater: Deflater::new(1) });
        }
    }

    fn close(&mut self, input: &mut Input<'_>) {
        if let Some(stream) = self.pick(input) {
            self.forget(stream);
            self.stream(stream, StreamInput::Closed(StreamEnd::Broken));
        }
    }

    /// A client reads all that it was sent.
    fn read(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.pick(input) else { return };
        let is_link = self.links.iter().any(|link| link.stream == stream);
        let Some((_, told)) = self.clients.get_mut(&stream) else { return };
        let told = std::mem::take(told);
        if !is_link {
            self.look(&told);
        }
        self.stream(stream, StreamInput::Flushed(told.len() as u32));
    }

    /// What a client is told can be read, and sends it nowhere but to users.
    fn look(&self, told: &[u8]) {
        let mut at = 0;
        while let Some((frame, length)) =
            Frame::split(&told[at..], MAX_DATA).expect("frames are in their limit")
        {
            at += length;
            if frame.kind == 501 {
                let text = String::from_utf8_lossy(frame.data).into_owned();
                let number: u32 =
                    text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("an address");
                let ours = (0..8).map(|last| ip_to_number([10, 0, 0, last].into()));
                let linked = [ip_to_number([127, 0, 0, 1].into()), ip_to_number([10, 1, 0, 1].into())];
                let servers = [ip_to_number([10, 1, 0, 2].into())];
                assert!(ours.chain(linked).chain(servers).any(|known| known == number), "{text}");
            }
        }
        assert!(at == told.len() || Frame::split(told, MAX_DATA).is_ok(), "whole frames");
    }

    fn check(&mut self, input: &mut Input<'_>) {
        if let Some(check) = self.checks.pop() {
            self.command(Command::PasswordChecked { check, right: !input.one_in(3) });
        }
    }

    fn order(&mut self, input: &mut Input<'_>) {
        let address = Banned::Address([10, 0, 0, input.byte() % 8].into());
        let command = match input.below(8) {
            0 => Command::Ban { banned: address, reason: b"x".to_vec() },
            1 => Command::Unban(address),
            2 => Command::Ban { banned: Banned::Nick(b"C".to_vec()), reason: b"x".to_vec() },
            3 => Command::Unban(Banned::Nick(b"c".to_vec())),
            4 => Command::Kick { nick: b"a".to_vec(), reason: b"x".to_vec() },
            5 => Command::Announce(b"hello".to_vec()),
            6 => Command::Link("two.test".into()),
            _ => Command::Unlink("one.test".into()),
        };
        self.command(command);
    }

    fn end(&mut self) {
        for stream in std::mem::take(&mut self.open) {
            self.stream(stream, StreamInput::Closed(StreamEnd::Finished));
        }
        self.links.clear();
        for stream in std::mem::take(&mut self.calls) {
            self.stream(stream, StreamInput::Closed(StreamEnd::Refused));
        }
        let left = self.probe.machine.gauges();
        let accounts = left.accounts;
        assert_eq!(left, Gauges { accounts, index_bytes: left.index_bytes, ..Gauges::default() });
    }

    fn wait(&mut self, by: Duration) {
        let outs = self.probe.advance(by);
        self.take(outs);
    }

    fn command(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.take(outs);
    }

    fn bytes(&mut self, stream: StreamId, bytes: &[u8]) {
        self.stream(stream, StreamInput::Bytes(bytes));
    }

    fn stream(&mut self, stream: StreamId, input: StreamInput<'_>) {
        let outs = self.probe.stream(stream, input);
        self.take(outs);
    }

    fn forget(&mut self, stream: StreamId) {
        self.open.retain(|other| *other != stream);
        self.users.retain(|other| *other != stream);
        self.links.retain(|link| link.stream != stream);
        self.clients.remove(&stream);
    }

    fn take(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Write(stream, bytes) => {
                    let (_, told) =
                        self.clients.entry(stream).or_insert((Endpoint::v4([0; 4], 0), Vec::new()));
                    told.extend(bytes);
                    assert!(told.len() < 400_000, "what waits for a client is bounded");
                }
                Out::Close(stream) => self.forget(stream),
                Out::Open(stream, _) => self.calls.push(stream),
                other => panic!("a directory does not {other:?}"),
            }
        }
        for event in self.probe.take_events() {
            if let Event::CheckPassword { check, .. } = event {
                self.checks.push(check);
            }
        }
    }
}
