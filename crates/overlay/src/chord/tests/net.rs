//! Machines and the datagrams between them, in memory and cloneable: the ground of the explorer and of the schedules.
//!
//! Nodes are shared between clones until one of them is touched. There are no streams here: opening one is refused.

use std::collections::BTreeMap;
use std::rc::Rc;
use throng_machine::{
    Context, Datagram, Endpoint, Instant, Machine, Op, Outbox, SplitMix64, StreamEnd, StreamId, StreamInput,
    Via,
};

/// One machine with its clock and its entropy.
#[derive(Clone)]
pub(super) struct Node<M> {
    pub machine: M,
    /// Its own clock: nodes' clocks need not agree.
    pub now: Instant,
    rng: SplitMix64,
    next_stream: u32,
}

/// A datagram under way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Flying {
    /// When it arrives, if time decides.
    pub due: Instant,
    /// Breaks ties in the order of sending.
    pub sequence: u64,
    pub from: Endpoint,
    pub to: Endpoint,
    pub bytes: Rc<[u8]>,
}

/// The nodes that are up and what flies between them.
pub(super) struct Net<M: Machine> {
    pub nodes: BTreeMap<Endpoint, Rc<Node<M>>>,
    pub flying: Vec<Flying>,
    /// What applications were told, in order.
    pub told: Vec<(Endpoint, M::Event)>,
    sequence: u64,
}

impl<M: Machine + Clone> Clone for Net<M>
where
    M::Event: Clone,
{
    fn clone(&self) -> Self {
        let Net { nodes, flying, told, sequence } = self;
        Net { nodes: nodes.clone(), flying: flying.clone(), told: told.clone(), sequence: *sequence }
    }
}

impl<M: Machine + Clone> Net<M> {
    pub(super) fn new() -> Self {
        Net { nodes: BTreeMap::new(), flying: Vec::new(), told: Vec::new(), sequence: 0 }
    }

    /// A node comes up; its entropy is seeded by its address and `seed`.
    pub(super) fn add(&mut self, at: Endpoint, machine: M, now: Instant, seed: u64) {
        let rng = SplitMix64::new(SplitMix64::mix(seed, u64::from(at.port())));
        self.nodes.insert(at, Rc::new(Node { machine, now, rng, next_stream: 0 }));
    }

    /// A node vanishes, with all that flies to it; what it sent before still flies.
    pub(super) fn crash(&mut self, at: Endpoint) {
        self.nodes.remove(&at);
        self.flying.retain(|datagram| datagram.to != at);
    }

    /// Calls a node's machine; what it sends flies, due at once by the node's clock. Nothing happens if it is down.
    pub(super) fn call(&mut self, at: Endpoint, act: impl FnOnce(&mut M, &mut Context<'_, M::Event>)) {
        let Some(node) = self.nodes.get_mut(&at) else { return };
        let node = Rc::make_mut(node);
        let (mut outbox, mut events) = (Outbox::new(), Vec::new());
        let mut cx = Context::new(node.now, &mut node.rng, &mut node.next_stream, &mut outbox, &mut events);
        act(&mut node.machine, &mut cx);
        let now = node.now;
        self.told.extend(events.into_iter().map(|event| (at, event)));
        let mut refused = Vec::new();
        for op in outbox.ops() {
            match op {
                Op::Send { to, bytes, .. } => {
                    self.sequence += 1;
                    let bytes = Rc::from(outbox.bytes(*bytes));
                    self.flying.push(Flying { due: now, sequence: self.sequence, from: at, to: *to, bytes });
                }
                Op::Open { stream, .. } => refused.push(*stream),
                _ => {}
            }
        }
        for stream in refused {
            self.refuse(at, stream);
        }
    }

    fn refuse(&mut self, at: Endpoint, stream: StreamId) {
        self.call(at, |machine, cx| {
            machine.handle_stream(stream, StreamInput::Closed(StreamEnd::Refused), cx);
        });
    }

    /// Gives a node a command.
    pub(super) fn command(&mut self, at: Endpoint, command: M::Command) {
        self.call(at, |machine, cx| machine.handle_command(command, cx));
    }

    /// Hands a datagram that flew to whom it is for.
    pub(super) fn deliver(&mut self, datagram: &Flying) {
        let Flying { from, to, bytes, .. } = datagram;
        let datagram = Datagram { via: Via::Udp, from: *from, bytes };
        self.call(*to, |machine, cx| machine.handle_datagram(datagram, cx));
    }

    /// What the receiver of a datagram would become, without its happening.
    pub(super) fn imagine(&self, datagram: &Flying) -> Option<M> {
        let Node { mut machine, now, mut rng, mut next_stream } = Node::clone(self.nodes.get(&datagram.to)?);
        let (mut outbox, mut events) = (Outbox::new(), Vec::new());
        let mut cx = Context::new(now, &mut rng, &mut next_stream, &mut outbox, &mut events);
        machine.handle_datagram(
            Datagram { via: Via::Udp, from: datagram.from, bytes: &datagram.bytes },
            &mut cx,
        );
        Some(machine)
    }

    /// Sets a node's clock to its next deadline and calls it; says whether it had one.
    pub(super) fn fire(&mut self, at: Endpoint) -> bool {
        let Some(node) = self.nodes.get_mut(&at) else { return false };
        let Some(deadline) = node.machine.poll_timeout() else { return false };
        let node = Rc::make_mut(node);
        node.now = node.now.max(deadline);
        self.call(at, |machine, cx| machine.handle_timeout(cx));
        true
    }

    /// Sets a node's clock, never back.
    pub(super) fn set_clock(&mut self, at: Endpoint, now: Instant) {
        if let Some(node) = self.nodes.get_mut(&at).filter(|node| node.now < now) {
            Rc::make_mut(node).now = now;
        }
    }
}
