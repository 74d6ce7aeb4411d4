//! Hosts with streams between them that carry real bytes, in segments, and break.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use throng_machine::Extent;

/// One host.
pub(super) struct Host {
    pub(super) probe: Probe<Transfer>,
    pub(super) stored: BTreeMap<ContentId, Vec<u8>>,
    pub(super) heard: Vec<Event>,
    /// Whether it can be called.
    reachable: bool,
    /// The other end of each stream.
    ends: BTreeMap<StreamId, (usize, StreamId)>,
}

/// Hosts, and what is still to be done.
pub(super) struct World {
    pub(super) hosts: Vec<Host>,
    segment: usize,
    /// Each connection breaks after so many bytes more.
    pub(super) breaks_after: Option<usize>,
    carried: usize,
    queue: VecDeque<(usize, Out)>,
    draining: bool,
}

impl World {
    /// Hosts that can be called or not, bytes of a segment.
    pub(super) fn new(reachable: &[bool], segment: usize) -> World {
        let host = |(number, reachable): (usize, &bool)| {
            let mut config = Config { chunk: 4 << 10, ..config(number as u8) };
            config.max_calls_a_minute = 1_000;
            config.identity.address = config.identity.address.filter(|_| *reachable);
            let probe = Probe::new(Transfer::new(config));
            Host {
                probe,
                stored: BTreeMap::new(),
                heard: Vec::new(),
                reachable: *reachable,
                ends: BTreeMap::new(),
            }
        };
        let hosts = reachable.iter().enumerate().map(host).collect();
        World { hosts, segment, breaks_after: None, carried: 0, queue: VecDeque::new(), draining: false }
    }

    pub(super) fn command(&mut self, host: usize, command: Command) {
        let outs = self.hosts[host].probe.command(command);
        self.run(host, outs);
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            for host in 0..self.hosts.len() {
                let outs = self.hosts[host].probe.advance(Duration::from_secs(1));
                self.run(host, outs);
            }
        }
    }

    pub(super) fn events(&mut self, host: usize) -> Vec<Event> {
        std::mem::take(&mut self.hosts[host].heard)
    }

    /// The servents: pushes find their way.
    fn collect(&mut self) {
        for number in 0..self.hosts.len() {
            for event in self.hosts[number].probe.take_events() {
                if let Event::PushWanted(_, by, number_said) = &event {
                    let to = host(number as u8);
                    let asked = match by {
                        PushBy::Servent { servent: id, .. } => (0..self.hosts.len())
                            .find(|other| servent(*other as u8) == *id)
                            .map(|other| (other, Command::CallWith(to, 0))),
                        // In these tests host 0 has what FastTrack's sources have.
                        PushBy::Number { .. } => Some((0, Command::CallWithNumber(to, *number_said))),
                    };
                    if let Some((other, command)) = asked {
                        self.command(other, command);
                    }
                }
                self.hosts[number].heard.push(event);
            }
        }
    }

    fn input(&mut self, host: usize, stream: StreamId, bytes: &[u8]) {
        let outs = self.hosts[host].probe.stream(stream, StreamInput::Bytes(bytes));
        for out in &outs {
            if let Out::Place(extent, at) = out {
                self.store(host, *extent, &bytes[*at as usize..][..extent.len as usize]);
            }
        }
        self.run(host, outs);
    }

    fn store(&mut self, host: usize, extent: Extent, bytes: &[u8]) {
        let stored = self.hosts[host].stored.entry(extent.content).or_default();
        let end = (extent.offset + u64::from(extent.len)) as usize;
        stored.resize(stored.len().max(end), 0);
        stored[extent.offset as usize..end].copy_from_slice(bytes);
    }

    fn run(&mut self, host: usize, outs: Vec<Out>) {
        self.queue.extend(outs.into_iter().map(|out| (host, out)));
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        while let Some((host, out)) = self.queue.pop_front() {
            self.act(host, out);
        }
        self.draining = false;
        self.collect();
    }

    fn act(&mut self, host: usize, out: Out) {
        match out {
            Out::Open(stream, to) => self.connect(host, stream, to),
            Out::Write(stream, bytes) => self.carry(host, stream, &bytes),
            Out::WriteExtent(stream, head, extent) => {
                let data = (0..u64::from(extent.len)).map(|at| byte(extent.content, extent.offset + at));
                let bytes: Vec<u8> = head.into_iter().chain(data).collect();
                self.carry(host, stream, &bytes);
            }
            Out::Close(stream) => self.cut(host, stream, false),
            Out::Place(..) => {}
            Out::Send(..) => unreachable!("no datagrams"),
        }
    }

    /// A stream ends; the host itself is told too if it did not end it.
    fn cut(&mut self, host: usize, stream: StreamId, both: bool) {
        let Some((other, end)) = self.hosts[host].ends.remove(&stream) else { return };
        self.hosts[other].ends.remove(&end);
        let outs = self.hosts[other].probe.stream(end, StreamInput::Closed(StreamEnd::Finished));
        self.run(other, outs);
        if both {
            let outs = self.hosts[host].probe.stream(stream, StreamInput::Closed(StreamEnd::Broken));
            self.run(host, outs);
        }
    }

    fn connect(&mut self, from: usize, stream: StreamId, to: Endpoint) {
        let found =
            (0..self.hosts.len()).find(|other| host(*other as u8) == to && self.hosts[*other].reachable);
        let Some(other) = found else {
            let outs = self.hosts[from].probe.stream(stream, StreamInput::Closed(StreamEnd::Refused));
            return self.run(from, outs);
        };
        let (end, outs) = self.hosts[other].probe.accept(host(from as u8).with_port(40_000));
        self.hosts[from].ends.insert(stream, (other, end));
        self.hosts[other].ends.insert(end, (from, stream));
        let opened = self.hosts[from].probe.stream(stream, StreamInput::Opened);
        self.run(from, opened);
        self.run(other, outs);
    }

    /// Bytes leave a host in segments; then it hears that they have left.
    fn carry(&mut self, host: usize, stream: StreamId, bytes: &[u8]) {
        for part in bytes.chunks(self.segment) {
            let Some((other, end)) = self.hosts[host].ends.get(&stream).copied() else { return };
            self.carried += part.len();
            if self.breaks_after.is_some_and(|limit| self.carried > limit) {
                self.carried = 0;
                return self.cut(host, stream, true);
            }
            self.input(other, end, part);
        }
        let outs = self.hosts[host].probe.stream(stream, StreamInput::Flushed(bytes.len() as u32));
        self.run(host, outs);
    }
}
