//! The directory client as a machine: servers, peers and an application that do anything in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::input::Input;
use throng_machine::probe::{Out, Probe};
use throng_machine::{ContentId, Endpoint, StreamEnd, StreamId, StreamInput};
use throng_overlay::directory::client::{
    Client, Command, Config, Download, DownloadId, Event, Part, Resume, Search, SharedFile,
};
use throng_overlay::discovery::Ticket;
use throng_wire::napster::Frame;

/// The most operations of one input.
const MAX_STEPS: usize = 400;

const NICKS: [&str; 4] = ["alice", "Alice", "bob", "LIST"];
const NAMES: [&str; 4] = ["a\\b c.mp3", "A\\B C.MP3", "Throng\\x.mp3", "y"];
const PEER_TEXTS: [&str; 14] = [
    "1",
    "GETalice \"a\\b c.mp3\" 0",
    "GETbob \"Throng\\x.mp3\" 7",
    "SENDalice \"a\\b c.mp3\" 12",
    "MAGNETalice \"a\\b c.mp3\"",
    "GETLIST",
    "GETLIST\n",
    "SENDLIST\nalice\n",
    "\"x\" 0 1 2 3 4\n\n",
    "12abcdefghijkl",
    "0",
    "5",
    "9 magnet:?x",
    "INVALID REQUEST",
];

/// Runs a list of operations; streams are used as the contract says, every wait ends, and nothing is left over.
pub fn directory_client(data: &[u8]) {
    let mut input = Input(data);
    let port = if input.one_in(3) { 0 } else { 6_700 };
    let config = Config {
        data_port: port,
        register: input.one_in(4).then(|| b"a@b".to_vec()),
        max_peers: 12,
        max_downloads: 6,
        upload_slots: 2,
        max_hits: 20,
        max_listed: 20,
        chunk: 8,
        ..Config::default()
    };
    let mut world = World { probe: Probe::new(Client::new(config)), streams: BTreeMap::new(), tickets: 0 };
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.settle();
}

/// What the driver knows of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Closed,
}

struct World {
    probe: Probe<Client>,
    /// Each stream: its state, whether it goes to a server, bytes written and not flushed.
    streams: BTreeMap<StreamId, (State, bool, u64)>,
    tickets: u32,
}

fn server(input: &mut Input<'_>) -> Endpoint {
    let host = [[10, 0, 0, 1], [127, 0, 0, 1], [8, 8, 8, 8]][input.below(3)];
    Endpoint::v4(host, 8_888)
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => self.command(input),
            1 => self.share(input),
            2 => self.search(input),
            3 | 4 => self.download(input),
            5 => {
                let from = Endpoint::v4([10, 0, 1, input.below(6) as u8], 40_000);
                let (stream, outs) = self.probe.accept(from);
                self.streams.insert(stream, (State::Open, false, 0));
                self.take(outs, None);
            }
            6 => self.end(input),
            7 | 8 => self.peer_says(input),
            9 => self.flush(input),
            10 => {
                let outs = self.probe.advance(Duration::from_secs(u64::from(input.byte())));
                self.take(outs, None);
            }
            11 => {
                let outs = self.probe.advance(Duration::from_millis(u64::from(input.u16())));
                self.take(outs, None);
            }
            _ => self.server_says(input),
        }
        // The application answers what it is asked.
        for event in self.probe.take_events() {
            if let Event::MagnetWanted(stream, _) = event
                && !input.one_in(3)
            {
                let link = (!input.one_in(3)).then(|| bytes::Bytes::from_static(b"magnet:?x"));
                let outs = self.probe.command(Command::Magnet(stream, link));
                self.take(outs, None);
            }
        }
    }

    fn run(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.take(outs, None);
    }

    fn command(&mut self, input: &mut Input<'_>) {
        let at = server(input);
        let nick = NICKS[input.below(4)].as_bytes().to_vec();
        self.run(match input.below(13) {
            0..4 => Command::Join(vec![at]),
            4 => Command::Part(at),
            5 => Command::Watch(nick),
            6 => Command::Unwatch(nick),
            7 => Command::Say(at, nick, input.run().to_vec()),
            8 => Command::Whois(at, nick),
            9 => Command::Ping(at, nick),
            10 => Command::SetPort(u16::from(input.byte())),
            11 => Command::Extend(DownloadId(input.below(8) as u32), u64::from(input.byte())),
            _ => Command::CancelDownload(DownloadId(input.below(8) as u32)),
        });
    }

    fn share(&mut self, input: &mut Input<'_>) {
        let content = ContentId(input.below(8) as u32);
        let file = SharedFile::new(content, NAMES[input.below(4)], u64::from(input.byte()) * 3);
        self.run(if input.one_in(4) { Command::Unshare(content) } else { Command::Share(file) });
    }

    fn search(&mut self, input: &mut Input<'_>) {
        self.tickets += 1;
        let (ticket, at) = (Ticket(self.tickets), server(input));
        let nick = NICKS[input.below(4)].as_bytes().to_vec();
        self.run(match input.below(6) {
            0 => Command::Find(ticket, Search::for_words(vec!["x y".into()])),
            1 => Command::FindContent(ticket, [7; 16], 5),
            2 => Command::Browse(ticket, at, nick),
            3 => Command::BrowseDirectly(ticket, at, nick),
            _ => Command::Cancel(Ticket(u32::from(input.byte()) % self.tickets.max(1))),
        });
    }

    fn download(&mut self, input: &mut Input<'_>) {
        let resume = input.one_in(3).then(|| Resume {
            offset: u64::from(input.byte()) % 16,
            tail: bytes::Bytes::copy_from_slice(input.bytes(3)),
        });
        self.run(Command::Download(Box::new(Download {
            id: DownloadId(input.below(8) as u32),
            server: server(input),
            nick: NICKS[input.below(4)].as_bytes().to_vec(),
            name: NAMES[input.below(4)].as_bytes().to_vec(),
            size: [None, Some(12), Some(u64::from(input.byte()))][input.below(3)],
            root: None,
            content: ContentId(20),
            resume,
            part: input
                .one_in(3)
                .then(|| Part { from: u64::from(input.byte()) % 16, to: u64::from(input.byte()) % 32 }),
            magnet: input.one_in(2),
        })));
    }

    /// A stream of that sort that is not closed.
    fn stream(&self, to_server: bool, input: &mut Input<'_>) -> Option<StreamId> {
        let fits = |(_, (state, server, _)): &(&StreamId, &(State, bool, u64))| {
            *state != State::Closed && *server == to_server
        };
        let live: Vec<StreamId> = self.streams.iter().filter(fits).map(|(stream, _)| *stream).collect();
        live.get(input.below(live.len().min(256))).copied()
    }

    /// Opens it first, if that has not happened.
    fn opened(&mut self, stream: StreamId) {
        if let Some((state @ State::Opening, ..)) = self.streams.get_mut(&stream) {
            *state = State::Open;
            let outs = self.probe.stream(stream, StreamInput::Opened);
            self.take(outs, None);
        }
    }

    fn says(&mut self, stream: StreamId, bytes: &[u8], input: &mut Input<'_>) {
        self.opened(stream);
        for part in input.split(bytes) {
            if self.streams.get(&stream).is_none_or(|(state, ..)| *state == State::Closed) {
                return;
            }
            let outs = self.probe.stream(stream, StreamInput::Bytes(part));
            self.take(outs, Some(part.len()));
        }
    }

    fn server_says(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.stream(true, input) else { return };
        let (nick, name) = (NICKS[input.below(4)], NAMES[input.below(4)]);
        let ip = [33_554_442, 16_777_343, 134_744_072, 0][input.below(4)];
        let port = [0, 6_701][input.below(2)];
        let (kind, data) = match input.below(24) {
            0..4 => (3, "a@b".to_owned()),
            4 => (
                0,
                ["Invalid Password", "Connecting too fast", "x is already active"][input.below(3)].to_owned(),
            ),
            5 => ([8, 9, 10, 202, 217, 748, 316, 5][input.below(8)], String::new()),
            6 => (201, format!("\"{name}\" 0 12 1 2 3 {nick} {ip} 8")),
            7 => (212, format!("{nick} \"{name}\" 0 12 1 2 3")),
            8 => (213, nick.to_owned()),
            9..12 => (204, format!("{nick} {ip} {port} \"{name}\" 0 8")),
            12..15 => (607, format!("{nick} \"{name}\"")),
            15 | 16 => (501, format!("{nick} {ip} {port} \"{name}\" 0 8")),
            17 => (620, format!("{nick} \"{name}\" 12 {}", input.byte())),
            18 => (604, format!("{nick} \"User\" 1 \" \" \"Active\" 0 0 0 8 \"Throng/1\"")),
            19 => (640, if input.one_in(2) { nick.to_owned() } else { format!("{nick} {ip} {port}") }),
            20 => (641, format!("{nick} {ip} {port}")),
            21 => (404, format!("{nick} is not firewalled")),
            22 => (206, format!("{nick} \"{name}\"")),
            _ => (input.u16() % 900, String::from_utf8_lossy(input.run()).into_owned()),
        };
        let mut bytes = Vec::new();
        if (Frame { kind, data: data.as_bytes() }).encode(&mut bytes).is_ok() {
            self.says(stream, &bytes, input);
        }
    }

    fn peer_says(&mut self, input: &mut Input<'_>) {
        let Some(stream) = self.stream(false, input) else { return };
        match input.below(16) {
            index @ 0..14 => self.says(stream, PEER_TEXTS[index].as_bytes(), input),
            14 => {
                let bytes = input.run();
                self.says(stream, bytes, input);
            }
            _ => {
                self.opened(stream);
                let outs = self.probe.stream(stream, StreamInput::Blank(u32::from(input.byte())));
                self.take(outs, Some(256));
            }
        }
    }

    fn flush(&mut self, input: &mut Input<'_>) {
        let to_server = input.one_in(3);
        let Some(stream) = self.stream(to_server, input) else { return };
        self.opened(stream);
        let Some((_, _, unflushed)) = self.streams.get_mut(&stream) else { return };
        let count = if input.one_in(3) { (*unflushed).min(3) } else { *unflushed };
        *unflushed -= count;
        let outs = self.probe.stream(stream, StreamInput::Flushed(count as u32));
        self.take(outs, None);
    }

    fn end(&mut self, input: &mut Input<'_>) {
        let to_server = input.one_in(3);
        let Some(stream) = self.stream(to_server, input) else { return };
        let end = [StreamEnd::Finished, StreamEnd::Broken, StreamEnd::Refused][input.below(3)];
        self.closed(stream, end);
    }

    fn closed(&mut self, stream: StreamId, end: StreamEnd) {
        if let Some((state, ..)) = self.streams.get_mut(&stream) {
            *state = State::Closed;
        }
        let outs = self.probe.stream(stream, StreamInput::Closed(end));
        self.take(outs, None);
    }

    /// Notes what the machine wants, and that it may want it; `input` is the length of what it was just shown.
    fn take(&mut self, outs: Vec<Out>, input: Option<usize>) {
        for out in outs {
            match out {
                Out::Open(stream, to) => {
                    assert!(to.is_dialable(), "{to}");
                    self.streams.insert(stream, (State::Opening, to.port() == 8_888, 0));
                }
                Out::Write(stream, bytes) => self.wrote(stream, bytes.len() as u64),
                Out::WriteExtent(stream, head, extent) => {
                    assert!(extent.len > 0 && extent.content.0 < 8, "only what is shared");
                    self.wrote(stream, head.len() as u64 + u64::from(extent.len));
                }
                Out::Place(extent, at) => {
                    let shown = input.expect("only while bytes are handled");
                    assert!(at as usize + extent.len as usize <= shown && extent.len > 0);
                    assert_eq!(extent.content, ContentId(20));
                }
                Out::Close(stream) => {
                    let (state, ..) = self.streams.get_mut(&stream).expect("a stream we know");
                    *state = State::Closed;
                }
                Out::Send(..) => panic!("no datagrams"),
            }
        }
    }

    fn wrote(&mut self, stream: StreamId, count: u64) {
        let (state, _, unflushed) = self.streams.get_mut(&stream).expect("a stream we know");
        assert!(*state == State::Open, "written where nothing can be");
        *unflushed += count;
    }

    /// Everybody leaves: what waits ends, no slot and no deadline stays.
    fn settle(&mut self) {
        self.run(Command::Leave);
        let live = self.streams.iter().filter(|(_, (state, ..))| *state != State::Closed);
        for stream in live.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            if self.streams.get(&stream).is_some_and(|(state, ..)| *state != State::Closed) {
                self.closed(stream, StreamEnd::Broken);
            }
        }
        let outs = self.probe.advance(Duration::from_secs(1_000));
        self.take(outs, None);
        use throng_machine::Machine as _;
        assert_eq!(self.probe.machine.poll_timeout(), None, "a deadline is left");
        assert_eq!(self.probe.machine.upload_load().0, 0, "a slot is left");
    }
}
