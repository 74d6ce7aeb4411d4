//! The client as a machine: what it holds, and where each input goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use throng_machine::{Context, Datagram, Endpoint, Instant, Machine, StreamId, StreamInput};
use throng_wire::napster::ClientMessage;

use super::browse::DirectBrowse;
use super::command::{Command, DownloadId};
use super::config::Config;
use super::download::Fetch;
use super::event::Event;
use super::peer::Peer;
use super::server::{Phase, Servers};
use super::shares::Shares;
use super::upload::{Upload, UploadId, Waiting};
use super::violation::{Violation, Violations};
use crate::dial::Calls;
use crate::discovery::Ticket;
use crate::timers::Timers;

/// What a context of this machine is.
pub(super) type Cx<'a> = Context<'a, Event>;

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// Connect, give up login, poke a silent server.
    Server(Endpoint),
    /// Give up the search under way there.
    Search(Endpoint),
    /// A download's request, push or queue.
    Download(DownloadId),
    /// An accepted upload that nobody fetches.
    Upload(UploadId),
    /// A direct browse.
    Browse(Ticket),
    /// A peer's text, or its progress.
    Peer(StreamId),
    /// No more digits came.
    Settle(StreamId),
}

/// Whose a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    Server(Endpoint),
    Peer,
}

/// The client side of the directories: all servers, all transfers.
#[derive(Debug)]
pub struct Client {
    pub(super) config: Config,
    pub(super) servers: Servers,
    pub(super) shares: Shares,
    pub(super) owners: BTreeMap<StreamId, Owner>,
    pub(super) peers: BTreeMap<StreamId, Box<Peer>>,
    pub(super) downloads: BTreeMap<DownloadId, Box<Fetch>>,
    pub(super) uploads: BTreeMap<UploadId, Upload>,
    pub(super) next_upload: u32,
    pub(super) waiting: VecDeque<Waiting>,
    /// Searches and browses, and on how many servers they are not over.
    pub(super) finds: BTreeMap<Ticket, u32>,
    pub(super) browses: BTreeMap<Ticket, DirectBrowse>,
    pub(super) watched: BTreeSet<Vec<u8>>,
    pub(super) calls: Calls,
    pub(super) timers: Timers<Timer>,
    violations: Violations,
}

impl Client {
    /// A client that is nowhere yet.
    pub fn new(config: Config) -> Client {
        Client {
            config,
            servers: Servers::new(),
            shares: Shares::default(),
            owners: BTreeMap::new(),
            peers: BTreeMap::new(),
            downloads: BTreeMap::new(),
            uploads: BTreeMap::new(),
            next_upload: 0,
            waiting: VecDeque::new(),
            finds: BTreeMap::new(),
            browses: BTreeMap::new(),
            watched: BTreeSet::new(),
            calls: Calls::default(),
            timers: Timers::new(),
            violations: Violations::default(),
        }
    }

    /// How often others broke the protocol.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }

    /// Whether we are logged in at that directory.
    pub fn is_online(&self, server: Endpoint) -> bool {
        self.servers.get(&server).is_some_and(|server| server.is_online())
    }

    /// Uploads under way or agreed, and users waiting.
    pub fn upload_load(&self) -> (usize, usize) {
        (self.uploads.len(), self.waiting.len())
    }

    /// Counts a breach and tells of it.
    pub(super) fn blame(&mut self, whom: Endpoint, violation: Violation, cx: &mut Cx<'_>) {
        self.violations.count(violation);
        cx.emit(Event::Misbehaved(whom, violation));
    }

    /// Writes a message to a server; false if we are not logged in there (but for the login itself), or the message
    /// cannot be expressed.
    pub(super) fn tell(&mut self, at: Endpoint, message: &ClientMessage<'_>, cx: &mut Cx<'_>) -> bool {
        use ClientMessage::{CheckNick, Login, Register};
        let Some(server) = self.servers.get_mut(&at) else { return false };
        let early = matches!(message, CheckNick(_) | Login(_) | Register(_));
        if early == server.is_online() || server.phase == Phase::Connecting {
            return false;
        }
        let Some(stream) = server.stream else { return false };
        let (mut written, mut length) = (false, 0);
        cx.write(stream, |out| {
            let start = out.len();
            written = message.encode(out).is_ok();
            length = out.len() - start;
        });
        server.unflushed = server.unflushed.saturating_add(length as u64);
        written
    }

    /// As [`Client::tell`], within what a server may make us answer.
    pub(super) fn answer(&mut self, at: Endpoint, message: &ClientMessage<'_>, cx: &mut Cx<'_>) -> bool {
        let Some(server) = self.servers.get_mut(&at) else { return false };
        if !server.answers.is_open(cx.now()) {
            return false;
        }
        server.answers.take(64);
        self.tell(at, message, cx)
    }

    fn on_due(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Server(at) => self.on_server_due(at, cx),
            Timer::Search(at) => self.on_search_due(at, cx),
            Timer::Download(id) => self.on_download_due(id, cx),
            Timer::Upload(id) => self.on_upload_due(id, cx),
            Timer::Browse(ticket) => self.on_browse_due(ticket, cx),
            Timer::Peer(stream) => self.on_peer_due(stream, cx),
            Timer::Settle(stream) => self.on_settled(stream, cx),
        }
    }
}

impl Machine for Client {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Join(servers) => servers.into_iter().for_each(|at| self.join(at, cx)),
            Command::Leave => {
                let all: Vec<Endpoint> = self.servers.keys().copied().collect();
                all.into_iter().for_each(|at| self.part(at, cx));
            }
            Command::Part(at) => self.part(at, cx),
            Command::Share(file) => self.share(file, cx),
            Command::Unshare(content) => self.unshare(content, cx),
            Command::Find(ticket, search) => self.find(ticket, &search, cx),
            Command::FindContent(ticket, root, size) => self.find_content(ticket, &root, size, cx),
            Command::Browse(ticket, at, nick) => self.browse(ticket, at, nick, cx),
            Command::BrowseDirectly(ticket, at, nick) => self.browse_directly(ticket, at, nick, cx),
            Command::Cancel(ticket) => self.cancel(ticket, cx),
            Command::Download(download) => self.download(*download, cx),
            Command::Extend(id, to) => self.extend_download(id, to),
            Command::CancelDownload(id) => self.cancel_download(id, cx),
            Command::Magnet(stream, link) => self.send_magnet(stream, link.as_deref(), cx),
            Command::Watch(nick) => self.watch(nick, cx),
            Command::Unwatch(nick) => self.unwatch(&nick, cx),
            Command::Say(at, nick, text) => self.say(at, &nick, &text, cx),
            Command::Whois(at, nick) => self.ask_whois(at, &nick, cx),
            Command::AskSpeed(at, nick) => self.ask_speed(at, &nick, cx),
            Command::Ping(at, nick) => self.ping(at, &nick, cx),
            Command::SetPort(port) => self.set_port(port, cx),
            Command::SetSpeed(speed) => self.set_speed(speed, cx),
        }
    }

    /// The protocol has no datagrams.
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Cx<'_>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        if let StreamInput::Accepted { from, .. } = input {
            return self.on_accepted(stream, from, cx);
        }
        match self.owners.get(&stream) {
            Some(Owner::Server(at)) => self.on_server_input(*at, input, cx),
            Some(Owner::Peer) => self.on_peer_input(stream, input, cx),
            None => {}
        }
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        while let Some(timer) = self.timers.pop(cx.now()) {
            self.on_due(timer, cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.earliest()
    }
}
