//! A supernode: its ordinary nodes, their files, and other supernodes.
//!
//! A machine over streams; its parts are in files by their own names. Towards ordinary nodes: `session`, `sharing`,
//! `searching`, `push`. Between supernodes: `links` (who), `linking` (how many, and which), `flooding` (queries and
//! replies), `telling` (digests, standing, gossip). How many ordinary nodes it has: `balance`. This node's own files
//! and searches: `local`. What a ring adds: `ring`.
//!
//! Invariants: an ordinary node is never sent hits for a search it did not make, nor its own files; nobody is told of
//! an address that the node there does not come from; memory a connection is bounded whatever it sends or does not
//! read; an ordinary node's files are in the catalogue exactly while it is connected.

mod balance;
mod connections;
mod flooding;
mod input;
mod linking;
mod links;
mod local;
mod metrics;
mod push;
mod reply;
mod ring;
mod searching;
mod session;
mod sharing;
mod telling;
#[cfg(test)]
mod tests;

pub(crate) use linking::SAMPLE;
pub use metrics::{Gauges, Metrics};

use super::config::Config;
use super::size::Crowd;
use super::violation::{Violation, Violations};
use super::{Catalogue, endpoint};
pub(in crate::supernode) use super::{Command, Cx, Event};
use crate::dial::Calls;
use crate::flood::{Flood, LinkId};
use crate::host_cache::HostCache;
use crate::keyword_index::OwnerId;
use crate::timers::Timers;
use connections::{ConnId, Connections, Phase};
use links::Links;
use local::Local;
use searching::Search;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddrV4};
use std::sync::Arc;
use throng_machine::{Datagram, Endpoint, Entropy, Instant, Machine, StreamEnd, StreamId, StreamInput};
use throng_wire::supernode::{Guid, Standing};

/// This node's own files are this owner's in the catalogue; connections have the numbers above.
const LOCAL: OwnerId = OwnerId(0);

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    /// A connection that has not greeted.
    Greeting(ConnId, StreamId),
    /// An ordinary node that may be dead.
    Silence(ConnId, StreamId),
    /// A search's next step.
    Search(Guid),
    /// Links.
    Links,
    /// Somebody is told of others.
    Gossip,
    /// One link is changed for another.
    Shuffle,
    /// The digest has changed.
    Digest,
    /// How many ordinary nodes there are.
    Balance,
}

/// A supernode.
pub struct Server {
    config: Arc<Config>,
    /// Where others reach it, once known.
    address: Option<SocketAddrV4>,
    instance: u64,
    since: Instant,
    /// When it last had a link, or began.
    linked: Instant,
    connections: Connections,
    /// Connections that came from each address.
    addresses: BTreeMap<IpAddr, u32>,
    members: u16,
    catalogue: Catalogue,
    links: Links,
    flood: Flood,
    searches: BTreeMap<Guid, Search>,
    crowd: Crowd,
    cache: HostCache,
    /// Until when those that lied are not linked.
    banned: BTreeMap<IpAddr, Instant>,
    calls: Calls,
    timers: Timers<Timer>,
    local: Local,
    in_ring: ring::InRing,
    balance: balance::Balance,
    violations: Violations,
    metrics: Metrics,
    /// A digest that changed will be told.
    digest_due: bool,
    /// Others can carry its ordinary nodes, or no supernode would have it for long.
    is_superfluous: bool,
    /// Its application was told that it joined.
    said_joined: bool,
    closing: bool,
}

impl Server {
    /// A supernode without anybody; `entropy` keys its tables, so it must be the operating system's in production.
    pub fn new(config: Arc<Config>, entropy: &mut dyn Entropy, now: Instant) -> Server {
        let mut seed = || [entropy.next_u64(), entropy.next_u64()];
        let mut timers = Timers::new();
        timers.set(Timer::Links, now + config.link_every);
        timers.set(Timer::Gossip, now + config.gossip_every);
        timers.set(Timer::Shuffle, now + config.shuffle_every);
        timers.set(Timer::Balance, now + config.balance_every);
        Server {
            address: config.address,
            instance: seed()[0],
            since: now,
            linked: now,
            connections: Connections::default(),
            addresses: BTreeMap::new(),
            members: 0,
            catalogue: Catalogue::new(seed()),
            links: Links::default(),
            flood: Flood::new(config.flood, seed()),
            searches: BTreeMap::new(),
            crowd: Crowd::default(),
            cache: HostCache::default(),
            banned: BTreeMap::new(),
            calls: Calls::default(),
            timers,
            local: Local::default(),
            in_ring: ring::InRing::default(),
            balance: balance::Balance::default(),
            violations: Violations::default(),
            metrics: Metrics::default(),
            digest_due: false,
            is_superfluous: false,
            said_joined: false,
            closing: false,
            config,
        }
    }

    /// How often others broke the protocol.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }

    /// Counters since the start.
    pub fn metrics(&self) -> Metrics {
        self.metrics
    }

    /// Where others reach it, once known.
    pub fn address(&self) -> Option<SocketAddrV4> {
        self.address
    }

    /// What there is now.
    pub fn gauges(&self) -> Gauges {
        let size = self.catalogue.size();
        Gauges {
            members: self.members.into(),
            connections: self.connections.len(),
            links: self.links.up() as u32,
            files: size.documents,
            index_bytes: size.bytes as u64,
            digest_bytes: self.links.held() as u64,
            searches: self.searches.len() as u32,
            supernodes: self.crowd.estimate(),
            known: self.cache.len() as u32,
        }
    }

    /// Other supernodes that it is linked to and has reached, for an ordinary node's list.
    pub fn neighbours(&self) -> Vec<SocketAddrV4> {
        self.links.proved().map(|(_, at, _)| at).collect()
    }

    /// Whether its application was told that it joined; from now on it was.
    pub(super) fn says_joined(&mut self) -> bool {
        std::mem::replace(&mut self.said_joined, true)
    }

    /// Whether the network does without it.
    pub fn is_superfluous(&self) -> bool {
        self.is_superfluous
    }

    fn standing(&self, now: Instant) -> Standing {
        Standing {
            members: self.members,
            slots: self.config.slots,
            links: self.links.up() as u16,
            minutes: u32::try_from(now.since(self.since).as_secs() / 60).unwrap_or(u32::MAX),
        }
    }

    /// Counts a violation and tells the application.
    fn count(&mut self, from: Endpoint, violation: Violation, cx: &mut Cx<'_>) {
        self.violations.add(violation);
        cx.emit(Event::Violation { from, violation });
    }

    /// Counts a violation and closes.
    fn punish(&mut self, conn: ConnId, violation: Violation, cx: &mut Cx<'_>) {
        let Some(from) = self.connections.get(conn).map(|connection| connection.from) else { return };
        self.count(from, violation, cx);
        self.close(conn, cx);
    }

    /// Closes a connection after what was written to it, and forgets all that came by it.
    fn close(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        if let Some(connection) = self.connections.get(conn) {
            cx.close(connection.stream);
        }
        self.forget(conn, StreamEnd::Finished, cx);
    }

    /// The connection is gone.
    fn forget(&mut self, conn: ConnId, end: StreamEnd, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.remove(conn) else { return };
        self.timers.clear(Timer::Greeting(conn, connection.stream));
        self.timers.clear(Timer::Silence(conn, connection.stream));
        if !connection.outgoing {
            let ip = connection.from.ip();
            if let Some(count) = self.addresses.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    self.addresses.remove(&ip);
                }
            }
        }
        match connection.phase {
            Phase::Member(member) => self.member_is_gone(conn, &member, cx),
            Phase::Link(link) => self.link_is_down(link, cx),
            Phase::Calling(call) => self.call_failed(connection.from, &call, end, cx),
            Phase::Fresh | Phase::Naming(_) | Phase::Closing => {}
        }
    }

    fn on_accepted(&mut self, stream: StreamId, from: Endpoint, cx: &mut Cx<'_>) {
        let ip = from.ip();
        let count = self.addresses.get(&ip).copied().unwrap_or(0);
        let is_crowd = count >= self.config.max_per_address && !ip.is_loopback();
        if is_crowd {
            self.count(from, Violation::Crowd, cx);
        }
        if is_crowd || self.closing || self.connections.len() as usize >= self.config.max_connections {
            self.metrics.refused += 1;
            return cx.close(stream);
        }
        *self.addresses.entry(ip).or_default() += 1;
        let conn = self.connections.add(stream, from, false, Phase::Fresh);
        self.timers.set(Timer::Greeting(conn, stream), cx.now() + self.config.greeting_timeout);
    }

    fn on_due(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Greeting(conn, stream) if self.connections.is(conn, stream) => {
                self.punish(conn, Violation::TooSlow, cx);
            }
            Timer::Silence(conn, stream) if self.connections.is(conn, stream) => self.on_silence(conn, cx),
            Timer::Greeting(..) | Timer::Silence(..) => {}
            Timer::Search(guid) => self.on_search_due(&guid, cx),
            Timer::Links => self.look_after_links(cx),
            Timer::Gossip => self.gossip(cx),
            Timer::Shuffle => self.shuffle(cx),
            Timer::Digest => self.tell_changes(cx),
            Timer::Balance => self.balance(cx),
        }
    }

    /// A connection to somebody for some purpose.
    fn call(&mut self, to: SocketAddrV4, call: connections::Call, cx: &mut Cx<'_>) -> ConnId {
        let to = endpoint(to);
        let stream = cx.open(throng_machine::Via::Tcp, to);
        let conn = self.connections.add(stream, to, true, Phase::Calling(Box::new(call)));
        self.timers.set(Timer::Greeting(conn, stream), cx.now() + self.config.greeting_timeout);
        conn
    }

    /// Whether a stream is this machine's.
    pub fn owns(&self, stream: StreamId) -> bool {
        self.connections.by_stream(stream).is_some()
    }

    fn is_banned(&self, ip: IpAddr, now: Instant) -> bool {
        self.banned.get(&ip).is_some_and(|until| now < *until)
    }
}

impl Machine for Server {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        self.on_command(command, cx);
        self.settle(cx);
    }

    /// The protocol needs no datagrams (section 10 of the note).
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Cx<'_>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        if let StreamInput::Accepted { from, .. } = input {
            return self.on_accepted(stream, from, cx);
        }
        let Some(conn) = self.connections.by_stream(stream) else { return };
        match input {
            StreamInput::Opened => self.on_opened(conn, cx),
            StreamInput::Bytes(bytes) => self.on_bytes(conn, bytes, cx),
            StreamInput::Flushed(count) => self.on_flushed(conn, count, cx),
            StreamInput::Closed(end) => self.forget(conn, end, cx),
            // No file data here; whatever a driver means by it, it is not ours.
            StreamInput::Blank(_) | StreamInput::Accepted { .. } => {}
        }
        self.settle(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        while let Some(timer) = self.timers.pop(cx.now()) {
            self.on_due(timer, cx);
        }
        self.settle(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.earliest()
    }
}

impl Server {
    /// Ends every call: a digest that changed will be told.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        if !self.digest_due && self.catalogue.digest().has_changed() && self.links.up() > 0 {
            self.digest_due = true;
            self.timers.set(Timer::Digest, cx.now() + self.config.digest_delay);
        }
    }

    /// The link of a connection.
    fn link_of(&self, conn: ConnId) -> Option<LinkId> {
        match self.connections.get(conn)?.phase {
            Phase::Link(link) => Some(link),
            _ => None,
        }
    }
}
