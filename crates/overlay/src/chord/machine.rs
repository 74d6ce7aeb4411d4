//! The machine of one host: receives, proves, dispatches (one `match` a message), and keeps one deadline.
//!
//! Answers are matched to requests of ours and then dispatched by what they were asked for; everything else by what it
//! says. After each input the news of all parts is delivered and the deadline computed once.

use super::config::{Config, Host};
use super::core::{Core, Life, Received};
use super::lookup::{self, Goal, LookupCounts, Lookups, Snapshots};
use super::node::Node;
use super::notice::Notice;
use super::rpc::{Pending, Purpose};
use super::storage::{Storage, StoreStatus};
use super::view::{Status, View};
use super::violation::Violation;
use super::{Command, Context, Event, Instant};
use std::sync::Arc;
use throng_machine::{Deadline, Endpoint, Machine, StreamId, StreamInput};
use throng_wire::chord::{self as wire, Message};

/// Rounds of news and loopback an input may cause before the rest waits for the next call.
const MOST_ROUNDS: usize = 4_096;

/// One host of the ring.
#[derive(Clone, Debug)]
pub struct Chord {
    core: Core,
    lookups: Lookups,
    storage: Storage,
    deadline: Option<Instant>,
}

impl Chord {
    /// A host that is of no ring yet.
    pub fn new(config: Arc<Config>, host: &Host) -> Chord {
        Chord {
            core: Core::new(config, host),
            lookups: Lookups::default(),
            storage: Storage::new(host),
            deadline: None,
        }
    }

    /// For rings computed instead of grown: the shared state, to be filled.
    pub(super) fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    /// For rings computed instead of grown: everything periodic begins.
    pub(super) fn begin_upkeep(&mut self, now: Instant) {
        self.lookups.begin_upkeep(&self.core, now);
        let mut deadline = Deadline::none();
        deadline.at(self.core.deadline()).at(self.lookups.deadline()).at(self.storage.deadline());
        self.deadline = deadline.earliest();
    }

    /// How many virtual nodes there are; those of no ring are counted too.
    pub fn vnode_count(&self) -> usize {
        self.core.vnodes.len()
    }

    /// Who a virtual node is.
    pub fn node(&self, vnode: usize) -> Option<Node> {
        self.core.vnodes.get(vnode).map(|vnode| vnode.node)
    }

    /// What a virtual node owns.
    pub fn claim(&self, vnode: usize) -> Option<wire::Claim> {
        self.core.vnodes.get(vnode).map(|vnode| vnode.claim)
    }

    /// Whether it takes part in a ring.
    pub fn is_member(&self) -> bool {
        self.core.vnodes.iter().any(|vnode| vnode.is_member())
    }

    /// Whether one of its virtual nodes owns a key.
    pub fn owns(&self, key: wire::RingId) -> bool {
        self.core.vnodes.iter().any(|vnode| vnode.claim.owns(vnode.node.id, key))
    }

    /// A virtual node as the invariants see it.
    pub fn view(&self, vnode: usize) -> Option<View> {
        self.core.vnodes.get(vnode).map(|vnode| self.core.view(vnode))
    }

    /// Shares snapshots of the table of all members with other machines of the same driver: thousands of simulated
    /// hosts would hold thousands of nearly equal tables.
    pub fn share_tables(&mut self, snapshots: &Arc<Snapshots>) {
        self.lookups.table.share(Arc::clone(snapshots));
    }

    /// Members of the one-hop table; 0 while it is off.
    pub fn table_len(&self) -> usize {
        self.lookups.table.len()
    }

    /// What became of lookups so far.
    pub fn lookups(&self) -> LookupCounts {
        self.lookups.counts()
    }

    /// Lookups being handed on, and those remembered.
    #[cfg(test)]
    pub(super) fn lookups_under_way(&self) -> (usize, usize) {
        self.lookups.under_way()
    }

    /// How often others did each thing wrong.
    pub fn violations(&self) -> &super::Violations {
        &self.core.violations
    }

    /// Addresses of all nodes known, worth keeping for a later start.
    pub fn acquaintances(&self) -> Vec<Endpoint> {
        self.core.acquaintances().into_iter().map(|node| node.endpoint).collect()
    }

    /// The store in numbers.
    pub fn store(&self) -> StoreStatus {
        self.storage.status()
    }

    /// What a person is shown.
    pub fn status(&self) -> Status {
        self.core.status()
    }
}

impl Machine for Chord {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Context<'_>) {
        match command {
            Command::Start(start) => self.core.start(cx, start),
            Command::Leave => self.core.leave(cx),
            Command::Measure { number, key, mode } => {
                let wish = (0, key, Goal::Measure(number), None);
                self.lookups.start_as(&mut self.core, wish, mode, cx);
            }
            other => self.storage.on_command(&mut self.core, other, cx),
        }
        self.settle(cx);
    }

    fn handle_datagram(&mut self, datagram: throng_machine::Datagram<'_>, cx: &mut Context<'_>) {
        if self.core.endpoint == Some(datagram.from) {
            // What our own nodes tell each other never reaches the network.
            self.core.blame(Violation::Reflected);
            return;
        }
        self.receive(datagram.from, datagram.bytes, cx);
        self.settle(cx);
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_>) {
        self.storage.on_stream(&mut self.core, stream, input, cx);
        self.settle(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        let Some(due) = self.deadline.filter(|due| *due <= cx.now()) else { return };
        self.core.on_clock(due, cx.now());
        while let Some(pending) = self.core.resend(cx) {
            self.on_failure(&pending, cx);
        }
        self.core.on_timeout(cx);
        self.lookups.on_timeout(&mut self.core, cx);
        self.storage.on_timeout(&mut self.core, cx);
        self.settle(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

impl Chord {
    fn receive(&mut self, from: Endpoint, bytes: &[u8], cx: &mut Context<'_>) {
        if self.core.vnodes.is_empty() && self.core.life == Life::Idle {
            return;
        }
        let datagram = match wire::Datagram::decode(bytes) {
            Ok(datagram) => datagram,
            Err(_) => return self.core.blame(Violation::Malformed),
        };
        let header = datagram.header;
        if header.net_id != self.core.config.net_id {
            return self.core.blame(Violation::ForeignNet);
        }
        let rule = self.core.config.id_rule;
        let Some(node) = Node::new(rule, from, header.source, header.incarnation) else {
            return self.core.blame(Violation::NoSuchNode);
        };
        if let Message::Found(found) = &datagram.message
            && self.core.rpc.find(header.txid).is_none()
        {
            // Proved by the secret of its lookup, and bounded by how many of those there are.
            return self.lookups.on_found(&mut self.core, (node, &header), found, cx);
        }
        if is_answer(&datagram.message) {
            return self.on_answer(node, header, &datagram.message, cx);
        }
        let Some(at) = self.core.position(header.destination) else {
            return self.core.blame(Violation::NoSuchNode);
        };
        let own = self.core.endpoint == Some(from);
        let proved = own || self.core.proofs.is_valid(from, header.token, cx.now());
        let received = Received { from: node, at, header, proved, sample: None };
        if proved {
            self.core.guard.forget(from);
            if !self.core.heard(cx, &received) {
                return;
            }
        } else {
            let limits = (self.core.config.limits.unproved, self.core.config.limits.sources);
            if !self.core.guard.admits(from, limits, cx.now()) {
                return self.core.blame(Violation::TooMany);
            }
        }
        self.on_request(&received, &datagram.message, cx);
    }

    /// An answer: it must match a request of ours in transaction, address and virtual node.
    fn on_answer(&mut self, from: Node, header: wire::Header, message: &Message<'_>, cx: &mut Context<'_>) {
        let matching = self
            .core
            .rpc
            .find(header.txid)
            .filter(|pending| pending.to.endpoint == from.endpoint && pending.to.vnode == from.vnode);
        let Some(pending) = matching else {
            if let (Message::PutAck(_), Some(at)) = (message, self.core.position(header.destination)) {
                // A put is acknowledged again whenever more copies are known; the store knows its transactions.
                let received = Received { from, at, header, proved: false, sample: None };
                return self.storage.on_message(&mut self.core, &received, message, cx);
            }
            return self.on_late(from, header, cx);
        };
        if from.incarnation < pending.to.incarnation {
            return self.core.blame(Violation::Impossible);
        }
        self.core.proofs.serve(self.core.vnodes.len());
        self.core.proofs.hold(from.endpoint, header.token, cx.now());
        if matches!(message, Message::Challenge(_)) {
            return self.core.on_challenge(cx, header.txid, from.endpoint, header.token);
        }
        let Some(pending) = self.core.rpc.take(header.txid) else { return };
        let age = cx.now().since(pending.first);
        // After a retransmission this is an upper bound. It is taken all the same: if patience has become too short for
        // the way there every request is sent twice, and nothing else would ever lengthen it.
        let sample = Some(age);
        let received = Received { from, at: pending.at, header, proved: true, sample };
        if pending.at >= self.core.vnodes.len() {
            if let Purpose::Ring(call) = pending.purpose {
                self.core.on_nameless_answer(cx, call, message);
            }
            return;
        }
        self.core.detector.on_answer(cx.now());
        let seen = match message {
            Message::Pong(pong) => Some(pong.seen),
            _ => None,
        };
        if let Message::Pong(pong) = message {
            self.storage.on_pong(&self.core, &from, pong.clock, cx.now());
        }
        if from.incarnation > pending.to.incarnation && pending.to.incarnation != 0 {
            // Another run of its process: whom we asked is dead, and was told so by this answer.
            self.core.heard(cx, &received);
            self.core.on_dead(cx, &pending.to);
            return self.on_failure_of(&pending, cx);
        }
        if !self.core.heard(cx, &received) {
            return self.on_failure_of(&pending, cx);
        }
        match pending.purpose {
            Purpose::Ring(call) => self.core.on_reply(cx, call, &pending, &received, message),
            Purpose::Lookup(call) => self.lookups.on_reply(&mut self.core, call, &received, message, cx),
            Purpose::Storage(call) => self.storage.on_reply(&mut self.core, call, &received, message, cx),
        }
        if let Some(seen) = seen {
            self.core.seen_at(cx, &from, seen.into());
        }
    }

    /// An answer that nobody waits for any more says that its sender lives and how long its way is, whatever else.
    fn on_late(&mut self, from: Node, header: wire::Header, cx: &mut Context<'_>) {
        let Some(first) = self.core.rpc.late(header.txid, &from) else {
            return self.core.blame(Violation::Unasked);
        };
        self.core.proofs.hold(from.endpoint, header.token, cx.now());
        let (at, sample) = (self.core.position(header.destination).unwrap_or(0), cx.now().since(first));
        self.core.heard(cx, &Received { from, at, header, proved: true, sample: Some(sample) });
    }

    /// A request was sent as often as planned.
    fn on_failure(&mut self, pending: &Pending, cx: &mut Context<'_>) {
        if pending.at >= self.core.vnodes.len() {
            return;
        }
        // A hop of a lookup gets one send, a step two: too few to suspect anybody. It is pinged instead.
        let few = matches!(
            pending.purpose,
            Purpose::Ring(super::maintenance::Call::Told)
                | Purpose::Lookup(lookup::Call::Hop(_) | lookup::Call::Step { .. })
        );
        if !few {
            self.core.on_silence(cx, pending);
        }
        self.on_failure_of(pending, cx);
    }

    fn on_failure_of(&mut self, pending: &Pending, cx: &mut Context<'_>) {
        match pending.purpose {
            Purpose::Ring(call) => self.core.on_failure(cx, call, pending),
            Purpose::Lookup(call) => self.lookups.on_failure(&mut self.core, call, &pending.to, cx),
            Purpose::Storage(call) => self.storage.on_failure(&mut self.core, call, &pending.to, cx),
        }
    }

    /// The one dispatch of requests.
    fn on_request(&mut self, from: &Received, message: &Message<'_>, cx: &mut Context<'_>) {
        match message {
            Message::Ping(ping) => self.core.on_ping(cx, from, ping),
            Message::PingReq(request) => self.core.on_ping_req(cx, from, request),
            Message::GetState(request) => self.core.on_get_state(cx, from, request),
            Message::Notify(notify) => self.core.on_notify(cx, from, notify),
            Message::Nudge(_) => self.core.on_nudge(cx, from),
            Message::JoinRead(request) => self.core.on_join_read(cx, from, request),
            Message::Leave(leave) => self.core.on_leave(cx, from, leave),
            Message::Switch(switch) => self.core.on_switch(cx, from, switch),
            Message::SmallAdd(add) => self.core.on_small_add(cx, from, add),
            Message::SmallWelcome(welcome) => self.core.on_small_welcome(cx, from, welcome),
            Message::Collapse(collapse) => self.core.on_collapse(cx, from, collapse),
            Message::MergeHint(hint) => self.core.on_merge_hint(cx, from, hint),
            Message::Meet(meet) => self.core.on_meet(cx, from, meet),
            Message::Events(events) => {
                self.core.on_rumour(cx, from, events);
                self.lookups.on_message(&mut self.core, from, message, cx);
            }
            Message::Look(_) | Message::TableDigest(_) | Message::GetTable(_) => {
                self.lookups.on_message(&mut self.core, from, message, cx);
            }
            _ => self.storage.on_message(&mut self.core, from, message, cx),
        }
    }

    /// Delivers news until there is none, then computes the deadline.
    fn settle(&mut self, cx: &mut Context<'_>) {
        for _ in 0..MOST_ROUNDS {
            if let Some(notice) = self.core.notices.pop_front() {
                self.deliver(notice, cx);
            } else if let Some(bytes) = self.core.loopback.pop_front() {
                if let Some(own) = self.core.endpoint {
                    self.receive(own, &bytes, cx);
                }
            } else {
                break;
            }
        }
        if self.core.notices.is_empty() && self.core.notices.capacity() > 0 {
            // A quiet node holds nothing.
            self.core.notices = std::collections::VecDeque::new();
        }
        let mut deadline = Deadline::none();
        deadline.at(self.core.deadline()).at(self.lookups.deadline()).at(self.storage.deadline());
        if !self.core.notices.is_empty() || !self.core.loopback.is_empty() {
            deadline.at(cx.now());
        }
        self.deadline = deadline.earliest();
    }

    fn deliver(&mut self, notice: Notice, cx: &mut Context<'_>) {
        match notice {
            Notice::Look { at, key, goal, via } => {
                self.lookups.start(&mut self.core, (at, key, goal, via), cx)
            }
            Notice::Found { goal: Goal::Store(number), found } => {
                self.storage.on_found(&mut self.core, number, found, cx);
            }
            Notice::Found { goal: Goal::Check { at }, found } => {
                self.core.on_checked(cx, usize::from(at), found)
            }
            Notice::Found { goal: Goal::Probe { at, epoch }, found } => {
                self.core.on_probed(cx, (usize::from(at), epoch), found);
            }
            notice => {
                self.lookups.on_notice(&mut self.core, &notice, cx);
                self.storage.on_notice(&mut self.core, &notice, cx);
            }
        }
    }
}

/// Whether a message answers another; everything else is a request or said once.
fn is_answer(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::Pong(_)
            | Message::PingRes(_)
            | Message::State(_)
            | Message::NotifyAck(_)
            | Message::JoinOk(_)
            | Message::Redirect(_)
            | Message::LeaveAck(_)
            | Message::SwitchAck(_)
            | Message::SmallAck(_)
            | Message::CollapseAck(_)
            | Message::LookAck(_)
            | Message::Found(_)
            | Message::Got(_)
            | Message::PutAck(_)
            | Message::DigestAck(_)
            | Message::PullAck(_)
            | Message::Confirmed(_)
            | Message::NotMine(_)
            | Message::MeetAck(_)
            | Message::TableDigestAck(_)
            | Message::Table(_)
            | Message::Challenge(_)
            | Message::Busy(_)
            | Message::NotMember(_)
    )
}

#[cfg(test)]
impl Chord {
    /// Does something to the state all parts share, as an input would: how tests place a node in a ring.
    pub(super) fn poke(&mut self, cx: &mut Context<'_>, act: impl FnOnce(&mut Core, &mut Context<'_>)) {
        act(&mut self.core, cx);
        self.settle(cx);
    }

    /// The state all parts share.
    pub(super) fn core(&self) -> &Core {
        &self.core
    }
}
