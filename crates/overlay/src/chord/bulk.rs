//! Rings that did not grow but are computed: every list, predecessor, finger and range as it would be once all is calm.
//!
//! For simulations too large to let every node join through the protocol; a ring that did join must reach the same
//! state. Nothing here is used by a node on a network.

use super::config::{Config, Host};
use super::core::{Core, Life};
use super::lookup::{Frame, Slot, list_length};
use super::machine::Chord;
use super::node::{Entry, Node, Stamp};
use super::proof::Proofs;
use super::vnode::{Pred, Vnode};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::{Claim, Mode, RingId, dist};

/// The members of a calm ring, in the order of their ids.
#[derive(Clone, Debug)]
pub struct StableRing {
    nodes: Vec<Node>,
    /// By place; empty if nobody died.
    dead: Vec<bool>,
    most: u8,
    copies: usize,
    rtt: Option<RoundTrips>,
}

/// What members of a computed ring have measured.
#[derive(Clone)]
pub enum RoundTrips {
    /// The same to everyone.
    Same(Duration),
    /// By where two hosts are. Each finger is then the nearest of the first nodes of its interval ([`Config::fingers`],
    /// `candidates`), as refreshing fingers for hours leaves it.
    Between(Arc<dyn Fn(Endpoint, Endpoint) -> Duration>),
}

impl RoundTrips {
    fn between(&self, a: Endpoint, b: Endpoint) -> Duration {
        match self {
            RoundTrips::Same(rtt) => *rtt,
            RoundTrips::Between(rtt) => rtt(a, b),
        }
    }
}

impl fmt::Debug for RoundTrips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoundTrips::Same(rtt) => write!(f, "Same({rtt:?})"),
            RoundTrips::Between(_) => write!(f, "Between"),
        }
    }
}

impl StableRing {
    /// The ring of these hosts, each with the same number of virtual nodes and the incarnation given.
    pub fn new(config: &Config, hosts: impl IntoIterator<Item = Endpoint>, incarnation: u32) -> StableRing {
        let vnodes = config.vnodes.max(1);
        let of_host = |endpoint| {
            (0..vnodes).filter_map(move |index| Node::new(config.id_rule, endpoint, index, incarnation))
        };
        let mut nodes: Vec<Node> = hosts.into_iter().flat_map(of_host).collect();
        nodes.sort_unstable_by_key(|node| node.id);
        nodes.dedup_by_key(|node| node.id);
        let most = config.successors.unwrap_or(list_length(nodes.len() as f64) as u8);
        StableRing { nodes, dead: Vec::new(), most, copies: usize::from(config.replicas), rtt: None }
    }

    /// These hosts died just now, and all that happened so far is that their ranges were taken over: they are still in
    /// all lists and finger tables (the setting of the publication's Table II).
    pub fn kill(&mut self, hosts: &BTreeSet<Endpoint>) {
        self.dead = self.nodes.iter().map(|node| hosts.contains(&node.endpoint)).collect();
    }

    /// Everyone has measured these round trips to all it knows, often enough to be sure of them, and holds their tokens.
    #[must_use]
    pub fn measured(mut self, rtt: RoundTrips) -> StableRing {
        self.rtt = Some(rtt);
        self
    }

    /// All members, by id.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The owner of a key: the first at or after it that lives; `None` of an empty ring.
    pub fn owner(&self, key: RingId) -> Option<&Node> {
        let (place, len) = (self.place(key), self.nodes.len());
        (0..len).map(|by| (place + by) % len).find(|at| self.lives(*at)).map(|at| &self.nodes[at])
    }

    fn lives(&self, place: usize) -> bool {
        !self.dead.get(place).copied().unwrap_or(false)
    }

    /// The place of the first node at or after a key.
    fn place(&self, key: RingId) -> usize {
        self.nodes.partition_point(|node| node.id < key) % self.nodes.len().max(1)
    }

    /// The nodes after a place, the nearest first, at most that many and never round to the place itself.
    fn after(&self, place: usize, count: usize) -> impl Iterator<Item = Node> {
        let len = self.nodes.len();
        (1..len.min(count + 1)).map(move |by| self.nodes[(place + by) % len])
    }

    /// The living nodes before a place, the nearest first.
    fn before(&self, place: usize, count: usize) -> impl Iterator<Item = usize> {
        let len = self.nodes.len();
        (1..len).map(move |by| (place + len - by) % len).filter(|at| self.lives(*at)).take(count)
    }

    fn claim(&self, place: usize) -> Claim {
        let before = self.before(place, 1).next().unwrap_or(place);
        Claim::Active { low: self.nodes[before].id, epoch: 1 }
    }

    fn pred(&self, place: usize) -> Pred {
        Pred { node: self.nodes[place], claim: self.claim(place) }
    }

    /// The finger of each interval of a table, by distance.
    fn fingers(&self, me: &Node, frame: &Frame) -> Vec<Node> {
        frame.all().filter_map(|slot| self.finger(me, frame, slot)).collect()
    }

    /// The first node of an interval, or of its candidates the nearest; the first again if there is none.
    fn finger(&self, me: &Node, frame: &Frame, slot: Slot) -> Option<Node> {
        let (key, end) = (frame.key(slot), frame.base.after(slot).map(|next| frame.base.start(next)));
        let (place, start, len) = (self.place(key), dist(frame.me, key), self.nodes.len());
        let within = |node: &Node| {
            let distance = dist(frame.me, node.id);
            distance >= start && end.is_none_or(|end| distance < end)
        };
        let mut after = (0..len).map(|by| self.nodes[(place + by) % len]).take_while(within);
        let first = after.next()?;
        let Some(RoundTrips::Between(rtt)) = &self.rtt else { return Some(first) };
        let more = after.take_while(|node| frame.is_candidate(slot, node.id));
        std::iter::once(first).chain(more).min_by_key(|node| rtt(me.endpoint, node.endpoint))
    }

    /// What is known of a node that answers.
    fn warm(&self, me: &Node, entry: &mut Entry, now: Instant) {
        let rtt = self.rtt.as_ref().map(|rtt| rtt.between(me.endpoint, entry.node.endpoint));
        // After that many measurements the deviation has settled.
        for _ in 0..if rtt.is_some() { 16 } else { 1 } {
            entry.on_heard(rtt, now);
        }
    }

    /// One member as it is once all is calm.
    fn member(&self, config: &Config, place: usize, now: Instant) -> Vnode {
        let node = self.nodes[place];
        let mut vnode = Vnode::new(node, self.most);
        (vnode.mode, vnode.mode_epoch) = (Mode::Ring, 1);
        (vnode.claim, vnode.epoch) = (self.claim(place), 1);
        vnode.list.replace(node.id, self.after(place, usize::from(self.most)), usize::from(self.most));
        let mut preds: Vec<Pred> = self.before(place, self.copies).map(|at| self.pred(at)).collect();
        preds.shrink_to_fit();
        vnode.list.update_all(|entry| self.warm(&node, entry, now));
        vnode.predecessor = preds.first().map(|pred| {
            let mut entry = Entry::hearsay(pred.node);
            self.warm(&node, &mut entry, now);
            entry
        });
        vnode.bound = preds.first().copied();
        vnode.predecessors = preds;
        let frame = Frame::of(node.id, &vnode.list, config);
        let fingers = self.fingers(&node, &frame).into_iter().map(|node| {
            let mut entry = Entry::hearsay(node);
            self.warm(&node, &mut entry, now);
            entry
        });
        vnode.fingers.fill(frame, fingers);
        // Neighbours are heard at different times.
        let (from, to) = config.timers.stabilise;
        let phase = node.id.fraction();
        vnode.stabilise_at = Some(now + from.mul_f64(phase) + (to.saturating_sub(from)).mul_f64(phase));
        vnode.heartbeat_at = Some(now + config.timers.heartbeat.mul_f64((phase * 977.0).fract()));
        vnode.check_at = Some(now + config.timers.self_check.mul_f64(0.5 + (phase * 577.0).fract()));
        (vnode.since, vnode.notified, vnode.ready) = (Stamp::at(now), Stamp::at(now), true);
        vnode
    }
}

impl Chord {
    /// A host of a calm ring; it has the virtual nodes that the ring has at its address.
    pub fn bulk(config: Arc<Config>, host: &Host, ring: &StableRing, now: Instant) -> Chord {
        let mut chord = Chord::new(Arc::clone(&config), host);
        let core = chord.core_mut();
        core.vnodes.clear();
        core.vnodes.reserve_exact(usize::from(config.vnodes.max(1)));
        for index in 0..config.vnodes.max(1) {
            let id = host.endpoint.and_then(|endpoint| config.id_rule.id(endpoint.socket_addr(), index));
            let Some(id) = id else { continue };
            let place = ring.place(id);
            if ring.nodes.get(place).is_some_and(|node| node.id == id) {
                core.vnodes.push(ring.member(&config, place, now));
            }
        }
        if let Some(me) = host.endpoint.filter(|_| ring.rtt.is_some()) {
            core.proofs = Proofs::computed(me);
            let known = core.acquaintances();
            known.into_iter().for_each(|node| core.proofs.hold_computed(node.endpoint, me, now));
        }
        core.life = Life::Running;
        chord.begin_upkeep(now);
        chord
    }
}

/// How far apart the first refreshes of bulk members lie.
pub(crate) fn phase(core: &Core, every: Duration) -> Duration {
    core.vnodes.first().map_or(every, |vnode| every.mul_f64((vnode.node.id.fraction() * 131.0).fract()))
}
