//! The machine: what it holds, and where each input goes.

use std::collections::BTreeMap;

use throng_machine::{Context, Datagram, Endpoint, Instant, Machine, StreamId, StreamInput};
use throng_wire::http::Opening;

use super::client::{Job, Remote};
use super::command::{Command, FetchId, SourceId};
use super::config::Config;
use super::connection::Conn;
use super::event::Event;
use super::mesh::Mesh;
use super::server::Slots;
use super::shares::Shares;
use super::violation::{Violation, Violations};
use crate::dial::Calls;
use crate::timers::Timers;

/// What a context of this machine is.
pub(super) type Cx<'a> = Context<'a, Event>;

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// A connection: its text must be whole, its bytes must move, or it is idle.
    Conn(StreamId),
    /// A source: asked again, or it should have called.
    Source(SourceId),
    /// Those who wait for a slot.
    Queue,
}

/// Moves files between peers by HTTP: all uploads, all fetches.
#[derive(Debug)]
pub struct Transfer {
    pub(super) config: Config,
    pub(super) shares: Shares,
    pub(super) mesh: Mesh,
    pub(super) conns: BTreeMap<StreamId, Box<Conn>>,
    pub(super) slots: Slots,
    pub(super) jobs: BTreeMap<FetchId, Box<Job>>,
    pub(super) remotes: BTreeMap<SourceId, Box<Remote>>,
    pub(super) calls: Calls,
    pub(super) timers: Timers<Timer>,
    violations: Violations,
}

impl Transfer {
    /// Shares nothing and fetches nothing yet.
    pub fn new(config: Config) -> Transfer {
        Transfer {
            config,
            shares: Shares::default(),
            mesh: Mesh::default(),
            conns: BTreeMap::new(),
            slots: Slots::default(),
            jobs: BTreeMap::new(),
            remotes: BTreeMap::new(),
            calls: Calls::default(),
            timers: Timers::new(),
            violations: Violations::default(),
        }
    }

    /// Whether the first bytes of a connection that was accepted are for us; `None` if more must come. Such a
    /// connection is handed over by [`Machine::handle_stream`] with `Accepted`, then with all its bytes so far.
    pub fn speaks(first: &[u8]) -> Option<bool> {
        Opening::is_spoken(first)
    }

    /// Whether the connection is ours.
    pub fn owns(&self, stream: StreamId) -> bool {
        self.conns.contains_key(&stream)
    }

    /// How often others broke the protocol.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }

    /// Uploads that hold a slot, and who waits for one.
    pub fn upload_load(&self) -> (usize, usize) {
        (self.slots.active(), self.slots.waiting())
    }

    /// Whether all slots are taken.
    pub fn is_busy(&self) -> bool {
        self.slots.active() >= self.config.upload_slots as usize
    }

    /// Where we can be called, as far as we know.
    pub(super) fn set_address(&mut self, address: Option<Endpoint>) {
        self.config.identity.address = address;
    }

    /// Connections, fetches, and files shared.
    pub fn load(&self) -> (usize, usize, usize) {
        (self.conns.len(), self.jobs.len(), self.shares.len())
    }

    /// Counts a breach that is nobody's in particular.
    pub(super) fn count(&mut self, violation: Violation) {
        self.violations.count(violation);
    }

    /// Counts a breach and tells of it.
    pub(super) fn blame(&mut self, whom: Endpoint, violation: Violation, cx: &mut Cx<'_>) {
        self.violations.count(violation);
        cx.emit(Event::Misbehaved(whom, violation));
    }

    fn on_due(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Conn(stream) => self.on_conn_due(stream, cx),
            Timer::Source(source) => self.on_source_due(source, cx),
            Timer::Queue => self.on_queue_due(cx),
        }
    }
}

impl Machine for Transfer {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Share(file) => self.share(*file, cx),
            Command::Unshare(content) => self.unshare(content, cx),
            Command::SetAvailable(content, parts) => self.shares.set_available(content, parts),
            Command::Judge(content, at, good) => self.mesh.judge(content, at, good),
            Command::Fetch(fetch) => self.fetch(*fetch, cx),
            Command::FetchTree(fetch) => self.fetch_tree(*fetch, cx),
            Command::Browse(id, source, at) => self.browse(id, source, at, cx),
            Command::Cancel(id) => self.cancel(id, cx),
            Command::Release(source) => self.release_source(source, cx),
            Command::CallWith(to, index) => self.call_with(to, index, cx),
            Command::CallWithNumber(to, number) => self.call_to_serve(to, Opening::Give(number), cx),
            Command::PushPassed(stream, passed) => self.on_push_passed(stream, passed, cx),
            Command::SetAddress(address) => self.set_address(address),
            Command::SetServing(slots, browsable) => {
                (self.config.upload_slots, self.config.browsable) = (slots, browsable);
                self.call_next(cx);
            }
        }
    }

    /// The protocol has no datagrams.
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Cx<'_>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        match input {
            StreamInput::Accepted { from, .. } => self.on_accepted(stream, from, cx),
            input => self.on_input(stream, input, cx),
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
