//! Clients against a scripted directory, with streams between them that carry real bytes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use throng_machine::probe::{Out, Probe};
use throng_machine::{ContentId, Endpoint, Extent, StreamEnd, StreamId, StreamInput};
use throng_wire::napster::ClientMessage as Said;
use throng_wire::napster::ServerMessage as Told;
use throng_wire::napster::*;

use super::super::*;
use super::{config, directory};

/// Byte `offset` of a content.
pub(super) fn byte(content: ContentId, offset: u64) -> u8 {
    (offset.wrapping_mul(31) ^ (offset >> 7) ^ u64::from(content.0)) as u8
}

/// One host: a client, its address, what it stored.
pub(super) struct Host {
    pub(super) probe: Probe<Client>,
    ip: u8,
    nick: Vec<u8>,
    port: u16,
    client: Vec<u8>,
    shares: Vec<(Vec<u8>, u64, Vec<u8>)>,
    pub(super) stored: BTreeMap<ContentId, Vec<u8>>,
    pub(super) heard: Vec<Event>,
    /// The stream to the directory.
    server: Option<StreamId>,
    /// The other end of each stream.
    ends: BTreeMap<StreamId, (usize, StreamId)>,
}

/// Hosts and the directory.
pub(super) struct World {
    pub(super) hosts: Vec<Host>,
    /// Bytes of each segment.
    segment: usize,
    /// What is still to be done, in order.
    queue: VecDeque<(usize, Out)>,
    draining: bool,
}

impl World {
    pub(super) fn new(ports: &[u16], segment: usize) -> World {
        let host = |(index, port): (usize, &u16)| {
            let nick = format!("host{index}").into_bytes();
            let config = Config { nick: nick.clone(), data_port: *port, chunk: 4 << 10, ..config() };
            Host {
                probe: Probe::new(Client::new(config)),
                ip: 10 + index as u8,
                nick,
                port: *port,
                client: Vec::new(),
                shares: Vec::new(),
                stored: BTreeMap::new(),
                heard: Vec::new(),
                server: None,
                ends: BTreeMap::new(),
            }
        };
        let hosts = ports.iter().enumerate().map(host).collect();
        let mut world = World { hosts, segment, queue: VecDeque::new(), draining: false };
        for index in 0..ports.len() {
            world.command(index, Command::Join(vec![directory()]));
        }
        world
    }

    pub(super) fn command(&mut self, host: usize, command: Command) {
        let outs = self.hosts[host].probe.command(command);
        self.run(host, outs);
    }

    /// Lets time pass at all hosts.
    pub(super) fn pass(&mut self, time: Duration) {
        for host in 0..self.hosts.len() {
            let outs = self.hosts[host].probe.advance(time);
            self.run(host, outs);
        }
    }

    pub(super) fn events(&mut self, host: usize) -> Vec<Event> {
        self.collect();
        std::mem::take(&mut self.hosts[host].heard)
    }

    /// Events as they come: a magnet link wanted is answered at once.
    fn collect(&mut self) {
        for host in 0..self.hosts.len() {
            for event in self.hosts[host].probe.take_events() {
                if let Event::MagnetWanted(stream, _) = event {
                    let link = bytes::Bytes::from_static(b"magnet:?xt=urn:btmh:1220");
                    self.command(host, Command::Magnet(stream, Some(link)));
                }
                self.hosts[host].heard.push(event);
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

    /// Does what machines want, in the order they wanted it.
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
            Out::Open(stream, to) if to == directory() => {
                self.hosts[host].server = Some(stream);
                let outs = self.hosts[host].probe.stream(stream, StreamInput::Opened);
                self.run(host, outs);
            }
            Out::Open(stream, to) => self.connect(host, stream, to),
            Out::Write(stream, bytes) => self.carry(host, stream, &bytes),
            Out::WriteExtent(stream, head, extent) => {
                let data = (0..u64::from(extent.len)).map(|at| byte(extent.content, extent.offset + at));
                let bytes: Vec<u8> = head.into_iter().chain(data).collect();
                self.carry(host, stream, &bytes);
            }
            Out::Close(stream) => {
                if let Some((other, end)) = self.hosts[host].ends.remove(&stream) {
                    self.hosts[other].ends.remove(&end);
                    let outs = self.hosts[other].probe.stream(end, StreamInput::Closed(StreamEnd::Finished));
                    self.run(other, outs);
                }
            }
            Out::Place(..) => {}
            Out::Send(..) => unreachable!("no datagrams"),
        }
    }

    fn connect(&mut self, host: usize, stream: StreamId, to: Endpoint) {
        let target = self.hosts.iter().position(|other| Endpoint::v4([10, 0, 0, other.ip], other.port) == to);
        let Some(other) = target else {
            let outs = self.hosts[host].probe.stream(stream, StreamInput::Closed(StreamEnd::Refused));
            return self.run(host, outs);
        };
        let from = Endpoint::v4([10, 0, 0, self.hosts[host].ip], 40_000);
        let (end, outs) = self.hosts[other].probe.accept(from);
        self.hosts[host].ends.insert(stream, (other, end));
        self.hosts[other].ends.insert(end, (host, stream));
        let opened = self.hosts[host].probe.stream(stream, StreamInput::Opened);
        self.run(host, opened);
        self.run(other, outs);
    }

    /// Bytes leave a host in segments; then it hears that they have left.
    fn carry(&mut self, host: usize, stream: StreamId, bytes: &[u8]) {
        if self.hosts[host].server == Some(stream) {
            self.hear(host, bytes);
        } else {
            for part in bytes.chunks(self.segment) {
                let Some((other, end)) = self.hosts[host].ends.get(&stream).copied() else { return };
                self.input(other, end, part);
            }
        }
        let count = bytes.len() as u32;
        let outs = self.hosts[host].probe.stream(stream, StreamInput::Flushed(count));
        self.run(host, outs);
    }

    fn hear(&mut self, host: usize, mut bytes: &[u8]) {
        while let Some((frame, length)) = Frame::split(bytes, MAX_DATA).expect("short frames") {
            let message = Said::decode(frame).expect("good messages");
            self.on_said(host, message);
            bytes = &bytes[length..];
        }
        assert!(bytes.is_empty());
    }

    fn tell(&mut self, host: usize, message: Told<'_>) {
        let mut out = Vec::new();
        message.encode(&mut out).expect("writable");
        if let Some(stream) = self.hosts[host].server {
            self.input(host, stream, &out);
        }
    }

    fn host_of(&self, nick: &[u8]) -> usize {
        self.hosts.iter().position(|host| host.nick.eq_ignore_ascii_case(nick)).expect("a known nick")
    }

    fn contact<'a>(nick: &'a [u8], host: (u8, u16), name: &'a [u8], md5: &'a [u8]) -> Contact<'a> {
        Contact { nick, ip: [10, 0, 0, host.0].into(), port: host.1, name, md5, speed: Some(Speed(8)) }
    }

    /// The directory: as much of OpenNap as the flows of 4.4 need.
    fn on_said(&mut self, host: usize, message: Said<'_>) {
        let own = self.hosts[host].nick.clone();
        match message {
            Said::Login(login) => {
                self.hosts[host].client = login.client.to_vec();
                self.tell(host, Told::LoginAck(LoginAck { email: b"anon@x", zlib_level: None }));
            }
            Said::Share(share) => {
                self.hosts[host].shares.push((share.name.to_vec(), share.size, share.md5.to_vec()));
            }
            Said::Search(query) => self.on_search(host, query.text),
            Said::Whois(nick) => self.on_whois(host, nick.nick),
            Said::Request(file) | Said::RequestPush(file) => {
                let other = self.host_of(file.nick);
                let (ip, port) = (self.hosts[other].ip, self.hosts[other].port);
                if port == 0 && matches!(message, Said::Request(_)) {
                    return self.tell(
                        host,
                        Told::DownloadReady(World::contact(file.nick, (ip, 0), file.name, b"0")),
                    );
                }
                self.tell(
                    other,
                    Told::UploadRequest(UploadRequest { nick: &own, name: file.name, speed: None }),
                );
            }
            Said::AcceptUpload(file) => {
                let other = self.host_of(file.nick);
                let asker = (self.hosts[other].ip, self.hosts[other].port);
                let owner = (self.hosts[host].ip, self.hosts[host].port);
                if owner.1 == 0 {
                    self.tell(host, Told::PushOrder(World::contact(file.nick, asker, file.name, b"0")));
                } else {
                    self.tell(other, Told::DownloadReady(World::contact(&own, owner, file.name, b"0")));
                }
            }
            Said::QueueFull(full) => {
                let limit = QueueLimit { nick: &own, name: full.name, size: 1, limit: full.limit };
                self.tell(self.host_of(full.nick), Told::QueueLimit(limit));
            }
            Said::DirectBrowse(nick) => {
                let (other, ip) = (self.host_of(nick.nick), self.hosts[host].ip);
                let port = u32::from(self.hosts[host].port);
                let called = self.hosts[other].port == 0;
                let (ip, port) = (called.then_some([10, 0, 0, ip].into()), called.then_some(port));
                self.tell(other, Told::DirectBrowseOrder(DirectBrowseOrder { nick: &own, ip, port }));
            }
            Said::AcceptDirectBrowse(nick) => {
                let ready = DirectBrowseReady {
                    nick: &own,
                    ip: [10, 0, 0, self.hosts[host].ip].into(),
                    port: self.hosts[host].port,
                };
                self.tell(self.host_of(nick.nick), Told::DirectBrowseReady(ready));
            }
            _ => {}
        }
    }

    fn on_search(&mut self, host: usize, text: &[u8]) {
        let query = Query::parse(text).expect("a query").contains.concat();
        for other in 0..self.hosts.len() {
            for (name, size, md5) in self.hosts[other].shares.clone() {
                if other != host && name.windows(query.len()).any(|part| part == query) {
                    let nick = self.hosts[other].nick.clone();
                    let hit = Hit {
                        name: &name,
                        md5: &md5,
                        size,
                        bitrate: 128,
                        frequency: 44_100,
                        duration: 1,
                        nick: &nick,
                        ip: [10, 0, 0, self.hosts[other].ip].into(),
                        speed: Speed(8),
                        weight: None,
                    };
                    self.tell(host, Told::Hit(hit));
                }
            }
        }
        self.tell(host, Told::SearchEnd);
    }

    fn on_whois(&mut self, host: usize, nick: &[u8]) {
        let client = self.hosts[self.host_of(nick)].client.clone();
        let whois = Whois {
            nick,
            level: b"User",
            seconds: 1,
            channels: b" ",
            status: b"Active",
            shared: 0,
            downloads: 0,
            uploads: 0,
            speed: Speed(8),
            client: &client,
            total_downloads: None,
            total_uploads: None,
            address: None,
            connect_port: None,
            data_port: None,
            email: None,
            server: None,
        };
        self.tell(host, Told::Whois(whois));
    }
}
