//! The server: accounts, users, their files, who may talk to whom, and other servers.
//!
//! A machine over streams; the protocol's parts are in files by their own names: `login`, `sharing`, `searching`,
//! `transfers`, `browsing`, `session`, `talk`, `channels`, `operators`, `links`. What waits, what is slow and what is
//! too much is in `input`, `reply` and `sweep`. Slow work and stores are the application's: see [`Command`] and
//! [`Event`].
//!
//! Invariants: no answer sends anybody to an address that its user is not connected from; memory a connection is
//! bounded whatever it sends or does not read; a user's files are in the index exactly while the user is here.

mod accounts;
mod browsing;
mod channels;
mod command;
mod config;
mod connections;
mod dispatch;
mod input;
mod links;
mod login;
mod metrics;
mod operators;
mod people;
mod reply;
mod searching;
mod session;
mod sharing;
mod sweep;
mod talk;
#[cfg(test)]
mod tests;
mod transfers;

pub use command::{Account, Banned, CheckId, Command, Event, Level, Violation};
pub use config::{Config, Peer, Rate};
pub use metrics::{Gauges, Metrics};

use crate::keyword_index::{KeywordIndex, OwnerId};
use accounts::Accounts;
use channels::Channels;
use connections::{ConnId, Connections, Phase};
use links::{Links, Searches};
use people::{Home, People, PersonId, ServerId};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use talk::Watchers;
use throng_machine::{
    Context, Datagram, Endpoint, Entropy, Instant, Machine, StreamEnd, StreamId, StreamInput,
};

/// What handlers are given.
type Cx<'a> = Context<'a, Event>;

/// A directory server.
pub struct Server {
    config: Config,
    accounts: Accounts,
    connections: Connections,
    /// Connections of each address.
    addresses: BTreeMap<IpAddr, u32>,
    /// Logins awaited, the oldest first.
    fresh: VecDeque<(Instant, ConnId, StreamId)>,
    checks: BTreeMap<CheckId, ConnId>,
    next_check: u32,
    people: People,
    index: KeywordIndex,
    watchers: Watchers,
    channels: Channels,
    links: Links,
    searches: Searches,
    /// Connections to be closed with the end of the call.
    doomed: Vec<(ConnId, Violation)>,
    motd: Vec<Vec<u8>>,
    metrics: Metrics,
    scratch: Vec<u8>,
    slice: u32,
    next_slice: Instant,
    closing: bool,
}

/// A user's number in the index.
const fn owner(who: PersonId) -> OwnerId {
    OwnerId(who.0)
}

impl Server {
    /// A directory without users; `entropy` keys its tables, so it must be the operating system's in production.
    pub fn new(config: Config, entropy: &mut dyn Entropy, now: Instant) -> Server {
        let mut seed = || [entropy.next_u64(), entropy.next_u64()];
        let (people, index) = (People::new(seed()), KeywordIndex::new(seed()));
        let first = [
            format!("VERSION throng-directory {}", env!("CARGO_PKG_VERSION")),
            format!("SERVER {}", config.name),
        ];
        let motd = first.iter().chain(&config.motd).map(|line| line.clone().into_bytes()).collect();
        Server {
            links: Links::new(&config, now),
            next_slice: now + sweep::slice_of(&config),
            config,
            accounts: Accounts::default(),
            connections: Connections::default(),
            addresses: BTreeMap::new(),
            fresh: VecDeque::new(),
            checks: BTreeMap::new(),
            next_check: 0,
            people,
            index,
            watchers: Watchers::default(),
            channels: Channels::new(),
            searches: Searches::default(),
            doomed: Vec::new(),
            motd,
            metrics: Metrics::default(),
            scratch: Vec::new(),
            slice: 0,
            closing: false,
        }
    }

    /// Counters since the start.
    pub fn metrics(&self) -> Metrics {
        self.metrics
    }

    /// What there is now.
    pub fn gauges(&self) -> Gauges {
        let index = self.index.size();
        Gauges {
            connections: self.connections.len(),
            users: self.people.len(),
            files: self.people.files,
            bytes_shared: self.people.bytes,
            files_here: index.documents,
            words: index.words as u64,
            index_bytes: index.bytes as u64,
            channels: self.channels.len() as u64,
            watched: self.watchers.len() as u64,
            accounts: self.accounts.len() as u64,
            links: self.links.count() as u64,
            pending_searches: self.searches.len() as u64,
            checks: self.checks.len() as u64,
        }
    }

    fn on_accepted(&mut self, stream: StreamId, from: Endpoint, cx: &mut Cx<'_>) {
        let count = self.addresses.get(&from.ip()).copied().unwrap_or(0);
        let is_banned = self.accounts.is_banned(&Banned::Address(from.ip())).is_some();
        if count >= self.config.max_per_address {
            self.count(from, Violation::TooManyFromAddress, cx);
        }
        let is_full = self.connections.len() >= self.config.max_connections;
        if is_banned || is_full || self.closing || count >= self.config.max_per_address {
            self.metrics.connections_refused += 1;
            return cx.close(stream);
        }
        *self.addresses.entry(from.ip()).or_default() += 1;
        self.metrics.connections += 1;
        let conn = self.connections.add(self.new_connection(stream, from, cx));
        self.fresh.push_back((cx.now() + self.config.login_timeout, conn, stream));
    }

    /// Closes a connection after what was written to it, and forgets it and its user.
    fn close(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        if let Some(connection) = self.connections.get(conn) {
            cx.close(connection.stream);
        }
        self.forget(conn, "closed here", cx);
    }

    /// Counts a violation, tells the application, and closes.
    fn punish(&mut self, conn: ConnId, violation: Violation, cx: &mut Cx<'_>) {
        let Some(from) = self.connections.get(conn).map(|connection| connection.from) else { return };
        self.count(from, violation, cx);
        self.close(conn, cx);
    }

    fn count(&mut self, from: Endpoint, violation: Violation, cx: &mut Cx<'_>) {
        self.metrics.violations[violation as usize] += 1;
        cx.emit(Event::Violation { from, violation });
    }

    /// The connection is gone.
    fn forget(&mut self, conn: ConnId, reason: &'static str, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.remove(conn) else { return };
        let ip = connection.from.ip();
        let is_called = match connection.phase {
            Phase::User(who) => {
                self.leave(who, cx);
                false
            }
            Phase::Checking(waiting) => {
                self.checks.remove(&waiting.check);
                false
            }
            Phase::Link(link) => {
                let called = self.links.was_called(link);
                self.link_is_down(link, reason, cx);
                called
            }
            Phase::Fresh => false,
        };
        if !is_called && let Some(count) = self.addresses.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&ip);
            }
        }
    }

    /// An account from the store, perhaps of a user who is here.
    fn load_account(&mut self, account: Account) {
        if let Some(person) = self.people.find(&account.nick).and_then(|who| self.people.get_mut(who))
            && person.registered
        {
            person.level = account.level;
        }
        self.accounts.load(account);
    }

    /// Everything of users, after their connections are gone; accounts are told as seen.
    fn forget_everybody(&mut self, cx: &mut Cx<'_>) {
        let at = self.unix(cx.now());
        for who in self.people.ids() {
            if let Some(person) = self.people.get(who).filter(|person| person.registered) {
                cx.emit(Event::AccountSeen { nick: person.nick.to_vec(), at });
            }
        }
        let mut seed = || [cx.rng().next_u64(), cx.rng().next_u64()];
        (self.people, self.index) = (People::new(seed()), KeywordIndex::new(seed()));
        (self.watchers, self.channels, self.searches) =
            (Watchers::default(), Channels::new(), Searches::default());
        self.addresses.clear();
        self.fresh.clear();
        self.checks.clear();
    }

    /// Ends every call: links are written, the slow are closed.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        while let Some((conn, violation)) = self.doomed.pop() {
            self.punish(conn, violation, cx);
        }
        self.flush_links(cx);
        // A link that could not be written to.
        while let Some((conn, violation)) = self.doomed.pop() {
            self.punish(conn, violation, cx);
        }
    }

    /// Seconds since 1970.
    fn unix(&self, now: Instant) -> u64 {
        self.config.epoch_unix + now.as_micros() / 1_000_000
    }

    fn people_here(&self) -> Vec<PersonId> {
        self.people.ids().filter(|who| self.is_here(*who)).collect()
    }

    fn people_of(&self, server: ServerId) -> Vec<PersonId> {
        let is_there =
            |who: &PersonId| self.people.get(*who).is_some_and(|person| person.home == Home::There(server));
        self.people.ids().filter(is_there).collect()
    }
}

impl Machine for Server {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::LoadAccount(account) => self.load_account(account),
            Command::ForgetAccount { nick } => self.accounts.forget(&nick),
            Command::PasswordChecked { check, right } => self.on_password_checked(check, right, cx),
            Command::Ban { banned, reason } => self.ban(banned, reason, cx),
            Command::Unban(banned) => self.accounts.unban(&banned),
            Command::Kick { nick, reason } => self.kick(&nick, &reason, cx),
            Command::Announce(text) => self.announce(&text, cx),
            Command::Link(name) => _ = self.call_server(name.as_bytes(), cx),
            Command::Unlink(name) => self.unlink(name.as_bytes(), "unlinked by the application", cx),
            Command::Shutdown { notice, redirect } => self.shut_down(&notice, redirect.as_ref(), cx),
        }
        self.settle(cx);
    }

    /// The protocol has no datagrams.
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Cx<'_>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        if let StreamInput::Accepted { from, .. } = input {
            self.on_accepted(stream, from, cx);
            return self.settle(cx);
        }
        let Some(conn) = self.connections.by_stream(stream) else { return };
        match input {
            StreamInput::Bytes(bytes) => self.on_bytes(conn, bytes, cx),
            StreamInput::Flushed(count) => self.on_flushed(conn, count, cx),
            StreamInput::Opened => {
                if let Some(Phase::Link(link)) =
                    self.connections.get(conn).map(|connection| &connection.phase)
                {
                    self.on_link_opened(*link, cx);
                }
            }
            StreamInput::Closed(end) => {
                let reason = match end {
                    StreamEnd::Finished => "closed by the other side",
                    StreamEnd::Broken => "the connection broke",
                    StreamEnd::Refused => "cannot be reached",
                };
                self.forget(conn, reason, cx);
            }
            // No file data here; whatever a driver means by it, it is not ours.
            StreamInput::Blank(_) | StreamInput::Accepted { .. } => {}
        }
        self.settle(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        self.on_time(cx);
        self.settle(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next_deadline()
    }
}
