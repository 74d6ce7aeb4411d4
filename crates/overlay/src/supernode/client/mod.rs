//! An ordinary node: attached to one supernode, which knows its files and searches for it.
//!
//! `attach` finds a supernode and another when it dies, `session` is what the two say, `publishing` and `searching` are
//! what they are for. The node list is the host cache. An attached node without files takes a few hundred bytes, as
//! networks of a million are simulated: there is one deadline for all, and nothing is kept that is not needed.
//!
//! Invariants: hits are taken only for searches under way; nobody is called on the supernode's word who is nearer to
//! us than it is.

mod attach;
mod known;
mod publishing;
mod searching;
mod session;
#[cfg(test)]
mod tests;

use super::command::Command;
use super::config::Config;
use super::seldom::Seldom;
use super::violation::{Violation, Violations};
use super::{Cx, Event, v4};
use crate::discovery::Ticket;
use attach::Call;
use known::Known;
use publishing::Shared;
use searching::Find;
use session::Session;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use throng_machine::{Datagram, Deadline, Endpoint, Instant, Machine, StreamEnd, StreamId, StreamInput};

/// An ordinary node.
#[derive(Debug)]
pub struct Client {
    config: Arc<Config>,
    /// Told to our supernodes, so that they can see who answers a call back.
    instance: u64,
    known: Known,
    /// The supernode we are attached to, or were named by.
    session: Option<Box<Session>>,
    calls: Seldom<Call>,
    /// When another supernode is called, while there is none.
    next_call: Option<Instant>,
    /// Milliseconds to wait when nobody takes it.
    retry: u32,
    shares: BTreeMap<Ticket, Box<Shared>>,
    finds: Seldom<Find>,
    next_find: u16,
    /// Our address as a supernode sees it.
    seen_as: Option<Ipv4Addr>,
    mebibytes: u32,
    leaving: bool,
    promoted: bool,
    violations: Option<Box<Violations>>,
}

impl Client {
    /// A node that knows nobody.
    pub fn new(config: Arc<Config>, instance: u64) -> Client {
        Client {
            retry: attach::millis(config.retry_min),
            config,
            instance,
            known: Known::default(),
            session: None,
            calls: Seldom::default(),
            next_call: None,
            shares: BTreeMap::new(),
            finds: Seldom::default(),
            next_find: 0,
            seen_as: None,
            mebibytes: 0,
            leaving: false,
            promoted: false,
            violations: None,
        }
    }

    /// Its choices.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The supernode it is attached to.
    pub fn supernode(&self) -> Option<SocketAddrV4> {
        self.session.as_ref().filter(|session| session.attached).map(|session| session.at)
    }

    /// Our address as the supernode sees it.
    pub fn seen_as(&self) -> Option<Ipv4Addr> {
        self.seen_as
    }

    /// Supernodes it knows.
    pub fn known(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.known.iter()
    }

    /// Files shared, and how many of them the supernode was told of.
    pub fn shared(&self) -> (usize, usize) {
        (self.shares.len(), self.shares.values().filter(|shared| shared.told).count())
    }

    /// Searches under way.
    pub fn finding(&self) -> usize {
        self.finds.len()
    }

    /// How often others broke the protocol.
    pub fn violations(&self) -> Violations {
        self.violations.as_deref().copied().unwrap_or_default()
    }

    /// Whether a supernode asked it to become one; asked once.
    pub fn take_promotion(&mut self) -> bool {
        std::mem::take(&mut self.promoted)
    }

    /// The number by which a call back knows it.
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Whether a stream is this machine's.
    pub fn owns(&self, stream: StreamId) -> bool {
        self.session.as_ref().is_some_and(|session| session.stream == stream)
            || self.calls.iter().any(|call| call.stream == stream)
    }

    fn blame(&mut self, from: SocketAddrV4, violation: Violation, cx: &mut Cx<'_>) {
        self.violations.get_or_insert_default().add(violation);
        cx.emit(Event::Violation { from: super::endpoint(from), violation });
    }

    fn join(&mut self, addresses: &[Endpoint], cx: &mut Cx<'_>) {
        self.leaving = false;
        for at in addresses.iter().copied().filter_map(v4) {
            self.known.add(at, self.config.known, cx.rng());
        }
        if self.session.is_none() && self.calls.is_empty() {
            self.call_somebody(cx);
        }
    }

    fn leave(&mut self, cx: &mut Cx<'_>) {
        self.retire(cx);
        cx.emit(Event::Left);
    }

    /// Says goodbye, without a word to the application but that its searches are over.
    pub fn retire(&mut self, cx: &mut Cx<'_>) {
        self.leaving = true;
        for call in self.calls.take() {
            cx.close(call.stream);
        }
        if let Some(session) = self.session.take() {
            cx.close(session.stream);
        }
        self.next_call = None;
        for find in self.finds.take() {
            cx.emit(Event::Finished(find.ticket));
        }
    }
}

impl Machine for Client {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Join(addresses) => self.join(&addresses, cx),
            Command::Leave => self.leave(cx),
            Command::Publish(ticket, item, swarm) => self.publish(ticket, &item, swarm, cx),
            Command::Withdraw(ticket) => self.withdraw(ticket, cx),
            Command::Find(ticket, query) => self.find(ticket, &query, cx),
            Command::FindContent(ticket, item) => self.find_content(ticket, &item, cx),
            Command::Cancel(ticket) => self.finds.retain(|find| find.ticket != ticket),
            Command::Push { id, target, supernode, user } => self.push(id, (target, supernode), &user, cx),
            Command::Capacity { mebibytes, .. } => {
                self.mebibytes = mebibytes;
                self.tell_capacity(cx);
            }
            // Only a supernode asks a ring.
            Command::RingFound(..) | Command::RingFinished(_) => {}
        }
    }

    /// The protocol needs no datagrams.
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Cx<'_>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        let is_session = self.session.as_ref().is_some_and(|session| session.stream == stream);
        match input {
            StreamInput::Bytes(bytes) if is_session => self.on_bytes(bytes, cx),
            StreamInput::Flushed(count) if is_session => self.on_flushed(count, cx),
            StreamInput::Closed(_) if is_session => self.lose(cx),
            _ if is_session => {}
            StreamInput::Opened => self.on_opened(stream, cx),
            StreamInput::Bytes(bytes) => self.on_greeting(stream, bytes, cx),
            StreamInput::Closed(end) => self.on_call_ended(stream, end == StreamEnd::Refused, cx),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        self.end_slow_calls(cx);
        if self.next_call.is_some_and(|at| at <= cx.now()) {
            self.call_somebody(cx);
        }
        self.look_at_silence(cx);
        self.end_slow_finds(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.next_call);
        deadline.at(self.session.as_ref().map(|session| session.due));
        self.calls.iter().for_each(|call| _ = deadline.at(call.until));
        self.finds.iter().for_each(|find| _ = deadline.at(find.until));
        deadline.earliest()
    }
}
