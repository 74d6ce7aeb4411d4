//! Other servers of the cluster (section 9): who is linked, what lies behind whom, what is to be sent.
//!
//! The links form a tree: a server that is known already, or that says it knows us, is not linked again. What is
//! sent to a link is collected during a call and compressed at its end. Lists of files are not told, only totals.

mod handshake;
mod incoming;
mod outgoing;
mod relay;
mod search;

pub(super) use search::Searches;

use super::config::{Config, Peer};
use super::connections::ConnId;
use super::people::ServerId;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::napster::{Deflater, Inflater, LinkMessage};

/// A link's number; used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct LinkId(pub(super) u16);

/// How far a link has come.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// Called; their hello is awaited.
    Called,
    /// Both hellos are told; their proof is awaited.
    Greeted {
        /// Their nonce.
        nonce: Vec<u8>,
    },
    /// Both have proved themselves.
    Up,
}

/// A connection to another server.
struct Link {
    conn: ConnId,
    /// Which one of the configuration.
    peer: usize,
    state: State,
    /// We called them.
    called: bool,
    up_since: Option<Instant>,
    nonce: [u8; 16],
    level: u32,
    inflater: Option<Inflater>,
    deflater: Option<Deflater>,
    /// Input, inflated once they have proved themselves.
    input: Vec<u8>,
    /// Frames to be sent with the end of the call.
    out: Vec<u8>,
    /// Nicks of ours that gave way to theirs lately, folded: the kill that their side sends for it is about ours.
    settled: Vec<(Vec<u8>, Instant)>,
    told_time: bool,
    told_end: bool,
}

/// A server somewhere behind a link.
#[derive(Debug)]
struct Remote {
    name: Vec<u8>,
    port: u16,
    via: LinkId,
    /// To whom it is linked, on our side of it.
    peer: Vec<u8>,
    peer_port: u16,
    hops: u32,
}

/// Nothing, or time for them to call us.
fn first_wait(config: &Config, peer: &Peer) -> Duration {
    let first = peer.name.to_ascii_lowercase() < config.name.to_ascii_lowercase();
    if first { Duration::ZERO } else { YIELD }
}

/// The most servers of a cluster.
const MAX_SERVERS: usize = 1_024;

/// All links and the servers behind them.
pub(super) struct Links {
    slots: Vec<Option<Link>>,
    servers: Vec<Option<Remote>>,
    /// When each server of the configuration is called.
    calls: Vec<Call>,
}

/// When a server is called next, if it is at all, and how often in a row it did not become a link.
#[derive(Clone, Copy, Debug)]
struct Call {
    at: Option<Instant>,
    failures: u32,
}

/// How long a server waits for the call of one whose name sorts behind its own before it calls that itself; 2 s. Those
/// that name each other are so called from one side, the last names first, and all find the same tree: had all called
/// all at once, circles would have formed, and been cut, for minutes.
const YIELD: Duration = Duration::from_secs(2);

impl Links {
    pub(super) fn new(config: &Config, now: Instant) -> Links {
        let call = |peer: &Peer| Call { at: peer.dial.map(|_| now + first_wait(config, peer)), failures: 0 };
        let calls = config.peers.iter().map(call).collect();
        Links { slots: Vec::new(), servers: Vec::new(), calls }
    }

    /// Links that are up.
    pub(super) fn count(&self) -> usize {
        self.up().count()
    }

    pub(super) fn is_up(&self, link: LinkId) -> bool {
        self.get(link).is_some_and(|link| link.state == State::Up)
    }

    /// Whether we called it, or were called.
    pub(super) fn was_called(&self, link: LinkId) -> bool {
        self.get(link).is_some_and(|link| link.called)
    }

    /// Whether a server of the cluster has that name.
    pub(super) fn is_server(&self, name: &[u8]) -> bool {
        self.find_server(name).is_some()
    }

    /// The link that leads to a server.
    pub(super) fn way_to(&self, server: ServerId) -> Option<LinkId> {
        self.servers.get(usize::from(server.0))?.as_ref().map(|remote| remote.via)
    }

    pub(super) fn name_of(&self, server: ServerId) -> &[u8] {
        let remote = self.servers.get(usize::from(server.0)).and_then(Option::as_ref);
        remote.map_or(b"unknown", |remote| &remote.name)
    }

    /// Appends a message for a link.
    pub(super) fn send(&mut self, link: LinkId, message: &LinkMessage<'_>) {
        if let Some(link) = self.get_mut(link) {
            // What cannot be expressed is not said.
            _ = message.encode(&mut link.out);
        }
    }

    /// Appends whole frames for a link.
    pub(super) fn send_frames(&mut self, link: LinkId, frames: &[u8]) {
        if let Some(link) = self.get_mut(link) {
            link.out.extend_from_slice(frames);
        }
    }

    /// Appends a message for all links that are up, but for the one it came from.
    pub(super) fn send_all(&mut self, message: &LinkMessage<'_>, but: Option<LinkId>) {
        for link in self.others(but) {
            self.send(link, message);
        }
    }

    /// One line a link for 10112: both ends with their ports, hops, lag.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |remote: &Remote| {
            let (peer, name) = (String::from_utf8_lossy(&remote.peer), String::from_utf8_lossy(&remote.name));
            format!("{peer} {} {name} {} {} 0", remote.peer_port, remote.port, remote.hops)
        };
        self.servers.iter().flatten().map(line).collect()
    }

    /// When a server is to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.calls.iter().filter_map(|call| call.at).min()
    }

    fn get(&self, link: LinkId) -> Option<&Link> {
        self.slots.get(usize::from(link.0))?.as_ref()
    }

    fn get_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.slots.get_mut(usize::from(link.0))?.as_mut()
    }

    fn ids(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        let there = |(at, slot): (usize, &'_ Option<Link>)| slot.as_ref().map(|_| LinkId(at as u16));
        self.slots.iter().enumerate().filter_map(there).filter_map(|id| Some((id, self.get(id)?)))
    }

    /// Whether some link has come half way: who is behind it is not known yet.
    fn is_linking(&self) -> bool {
        self.ids().any(|(_, link)| link.state != State::Up)
    }

    fn up(&self) -> impl Iterator<Item = LinkId> {
        self.ids().filter(|(_, link)| link.state == State::Up).map(|(id, _)| id)
    }

    fn others(&self, but: Option<LinkId>) -> Vec<LinkId> {
        self.up().filter(|link| Some(*link) != but).collect()
    }

    fn add(&mut self, link: Link) -> LinkId {
        let free = self.slots.iter().position(Option::is_none);
        let at = free.unwrap_or(self.slots.len());
        match free {
            Some(at) => self.slots[at] = Some(link),
            None => self.slots.push(Some(link)),
        }
        LinkId(at as u16)
    }

    fn find_server(&self, name: &[u8]) -> Option<ServerId> {
        let same = |slot: &Option<Remote>| {
            slot.as_ref().is_some_and(|remote| remote.name.eq_ignore_ascii_case(name))
        };
        self.servers.iter().position(same).map(|at| ServerId(at as u16))
    }

    /// Adds a server that is not known; false if there are too many.
    fn add_server(&mut self, remote: Remote) -> bool {
        match self.servers.iter().position(Option::is_none) {
            Some(at) => self.servers[at] = Some(remote),
            None if self.servers.len() >= MAX_SERVERS => return false,
            None => self.servers.push(Some(remote)),
        }
        true
    }

    /// Servers behind a link.
    fn behind(&self, link: LinkId) -> Vec<ServerId> {
        let behind = |(at, slot): (usize, &Option<Remote>)| {
            slot.as_ref().filter(|remote| remote.via == link).map(|_| ServerId(at as u16))
        };
        self.servers.iter().enumerate().filter_map(behind).collect()
    }
}
