//! A machine that does what a test tells it and writes down what happened to it.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use throng_machine::{
    ContentId, Context, Datagram, Endpoint, Extent, Instant, Machine, StreamEnd, StreamId, StreamInput, Via,
};
use throng_sim::{App, HostId, HostIo, Network, Placed, Profile, ProfileId, ReadOutcome, Sim};

/// What a machine saw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    Datagram(Endpoint, Vec<u8>),
    Accepted(StreamId, Endpoint),
    Opened(StreamId),
    Bytes(StreamId, Vec<u8>),
    Blank(StreamId, u32),
    Flushed(StreamId, u32),
    Closed(StreamId, StreamEnd),
    Timeout,
    Disk(u64, bool),
    Placed(Extent, bool),
    Tick(u64),
}

/// What a machine can be told to do.
#[derive(Clone, Debug)]
pub enum Do {
    Send(Endpoint, Vec<u8>),
    Open(Endpoint),
    Write(StreamId, Vec<u8>),
    Block(StreamId, Vec<u8>, Extent),
    Close(StreamId),
    Timer(Instant),
}

/// Echoes datagrams that end in `?`; places blanks where the last header said.
#[derive(Default)]
pub struct Scripted {
    pub deadline: Option<Instant>,
    pub place_at: Option<u64>,
}

impl Machine for Scripted {
    type Command = Do;
    type Event = Seen;

    fn handle_command(&mut self, command: Do, cx: &mut Context<'_, Seen>) {
        match command {
            Do::Send(to, bytes) => cx.send(Via::Udp, to, |out| out.extend_from_slice(&bytes)),
            Do::Open(to) => {
                cx.open(Via::Tcp, to);
            }
            Do::Write(stream, bytes) => cx.write(stream, |out| out.extend_from_slice(&bytes)),
            Do::Block(stream, head, extent) => {
                cx.write_extent(stream, |out| out.extend_from_slice(&head), extent);
            }
            Do::Close(stream) => cx.close(stream),
            Do::Timer(at) => self.deadline = Some(at),
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Context<'_, Seen>) {
        cx.emit(Seen::Datagram(datagram.from, datagram.bytes.to_vec()));
        if datagram.bytes.ends_with(b"?") {
            cx.send(Via::Udp, datagram.from, |out| out.extend_from_slice(b"yes"));
        }
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_, Seen>) {
        cx.emit(match input {
            StreamInput::Accepted { from, .. } => Seen::Accepted(stream, from),
            StreamInput::Opened => Seen::Opened(stream),
            StreamInput::Bytes(bytes) => Seen::Bytes(stream, bytes.to_vec()),
            StreamInput::Blank(len) => Seen::Blank(stream, len),
            StreamInput::Flushed(len) => Seen::Flushed(stream, len),
            StreamInput::Closed(end) => Seen::Closed(stream, end),
        });
        if let (StreamInput::Blank(len), Some(at)) = (input, self.place_at.as_mut()) {
            cx.place(Extent { content: ContentId(9), offset: *at, len }, 0);
            *at += u64::from(len);
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Seen>) {
        if self.deadline.is_some_and(|at| at <= cx.now()) {
            self.deadline = None;
            cx.emit(Seen::Timeout);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

/// Writes down, with the time in µs.
#[derive(Default)]
pub struct Diary {
    pub machine: Scripted,
    pub seen: Vec<(u64, Seen)>,
    /// Offsets of blocks whose stored copy is damaged, or can't be read.
    pub corrupt: Vec<u64>,
    pub unreadable: Vec<u64>,
    pub starts: u32,
    pub stops: u32,
}

impl App for Diary {
    type Machine = Scripted;
    fn machine(&mut self) -> &mut Scripted {
        &mut self.machine
    }
    fn on_event(&mut self, event: Seen, io: &mut HostIo<'_, Self>) {
        self.seen.push((io.now().as_micros(), event));
    }
    fn on_start(&mut self, _io: &mut HostIo<'_, Self>) {
        self.starts += 1;
    }
    fn on_stop(&mut self) {
        self.stops += 1;
        self.machine = Scripted::default();
    }
    fn on_tick(&mut self, tag: u64, io: &mut HostIo<'_, Self>) {
        self.seen.push((io.now().as_micros(), Seen::Tick(tag)));
    }
    fn on_disk(&mut self, tag: u64, ok: bool, io: &mut HostIo<'_, Self>) {
        self.seen.push((io.now().as_micros(), Seen::Disk(tag, ok)));
    }
    fn on_place(&mut self, placed: Placed<'_>, io: &mut HostIo<'_, Self>) {
        self.seen.push((io.now().as_micros(), Seen::Placed(placed.extent, placed.corrupt)));
    }
    fn on_read(&mut self, extent: Extent, _io: &mut HostIo<'_, Self>) -> ReadOutcome {
        match extent.offset {
            at if self.unreadable.contains(&at) => ReadOutcome::Failed,
            at if self.corrupt.contains(&at) => ReadOutcome::Corrupt,
            _ => ReadOutcome::Good,
        }
    }
}

pub const A: HostId = HostId(0);
pub const B: HostId = HostId(1);
pub const C: HostId = HostId(2);
pub const S0: StreamId = StreamId(0);
pub const S1: StreamId = StreamId(1);
pub const MS: u64 = 1_000;

/// `count` hosts of one profile.
pub fn hosts(count: u32, network: Network, profile: Profile) -> Sim<Diary> {
    let mut sim = Sim::new(1, network);
    let profile = sim.add_profile(profile);
    for _ in 0..count {
        sim.add(Diary::default(), profile);
    }
    sim
}

/// `count` hosts, each with its own profile.
pub fn mixed(profiles: &[Profile], network: Network) -> Sim<Diary> {
    let mut sim = Sim::new(1, network);
    for profile in profiles {
        let profile: ProfileId = sim.add_profile(profile.clone());
        sim.add(Diary::default(), profile);
    }
    sim
}

/// What a host saw, without times.
pub fn seen(sim: &Sim<Diary>, host: HostId) -> Vec<Seen> {
    sim.app(host).seen.iter().map(|(_, seen)| seen.clone()).collect()
}

pub fn extent(offset: u64, len: u32) -> Extent {
    Extent { content: ContentId(1), offset, len }
}

/// Connects A to another host: both call the stream number 0.
pub fn connect(sim: &mut Sim<Diary>, from: HostId, to: HostId) {
    sim.command(from, Do::Open(sim.endpoint(to)));
    sim.run_for(std::time::Duration::from_millis(100));
    assert!(seen(sim, from).iter().any(|seen| matches!(seen, Seen::Opened(_))), "{:?}", seen(sim, from));
}

/// Bytes and blanks a host got on a stream.
pub fn received(sim: &Sim<Diary>, host: HostId, of: StreamId) -> u64 {
    let len = |seen: &Seen| match seen {
        Seen::Bytes(stream, bytes) if *stream == of => bytes.len() as u64,
        Seen::Blank(stream, len) if *stream == of => u64::from(*len),
        _ => 0,
    };
    sim.app(host).seen.iter().map(|(_, seen)| len(seen)).sum()
}

/// Bytes a host was told have left.
pub fn flushed(sim: &Sim<Diary>, host: HostId, of: StreamId) -> u64 {
    let len = |seen: &Seen| match seen {
        Seen::Flushed(stream, len) if *stream == of => u64::from(*len),
        _ => 0,
    };
    sim.app(host).seen.iter().map(|(_, seen)| len(seen)).sum()
}
