//! Rings known from outside, for tests: who owns what, and what each node would know once all is settled.

use super::super::list::SuccessorList;
use super::super::node::{Entry, Node};
use super::config::FingerConfig;
use super::fingers::{Fingers, Frame};
use super::route::Place;
use super::slot::Base;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_wire::chord::{Claim, IdRule, RingId, dist};

/// A node at an address.
pub(crate) fn node(ip: [u8; 4], port: u16) -> Node {
    Node::new(IdRule::Open, Endpoint::v4(ip, port), 0, 1).unwrap()
}

/// A position at random.
pub(crate) fn random_id(rng: &mut SplitMix64) -> RingId {
    let mut id = RingId::MIN;
    rng.fill(&mut id.0);
    id
}

/// A stable ring of one virtual node a host, sorted by id.
pub(crate) struct StableRing {
    pub nodes: Vec<Node>,
    pub most: usize,
    pub base: Base,
    pub config: FingerConfig,
}

impl StableRing {
    pub(crate) fn new(size: u32, most: usize, base: Base) -> StableRing {
        let host = |number: u32| {
            let [_, a, b, c] = (number + 1).to_be_bytes();
            node([10, a, b, c], 4000)
        };
        let mut nodes: Vec<Node> = (0..size).map(host).collect();
        nodes.sort_unstable_by_key(|node| node.id);
        let config = FingerConfig { candidates: 1, alternates: 0, ..FingerConfig::default() };
        StableRing { nodes, most, base, config }
    }

    /// The place of the owner of a key.
    pub(crate) fn owner(&self, key: RingId) -> usize {
        self.nodes.partition_point(|node| node.id < key) % self.nodes.len()
    }

    pub(crate) fn after(&self, at: usize, by: usize) -> Node {
        self.nodes[(at + by) % self.nodes.len()]
    }

    pub(crate) fn list(&self, at: usize) -> Vec<Entry> {
        let len = self.most.min(self.nodes.len() - 1);
        (1..=len).map(|by| heard(self.after(at, by))).collect()
    }

    pub(crate) fn frame(&self, at: usize) -> Frame {
        let (me, list) = (self.nodes[at].id, self.list(at));
        let reach = list.last().map_or(RingId::MIN, |entry| dist(me, entry.node.id));
        Frame { me, reach, listed: list.len() as u8, base: self.base, config: self.config }
    }

    /// What node `at` knows in the end.
    pub(crate) fn member(&self, at: usize) -> Member {
        let frame = self.frame(at);
        let mut fingers = Fingers::default();
        fingers.fill(frame, self.fingers(&frame).into_iter().map(heard));
        let before = self.after(at, self.nodes.len() - 1);
        Member {
            node: self.nodes[at],
            before: heard(before),
            list: SuccessorList::of(self.list(at)),
            fingers,
            most: self.most as u8,
        }
    }

    /// The first node of each slot's interval.
    pub(crate) fn fingers(&self, frame: &Frame) -> Vec<Node> {
        let first = |slot| {
            let (key, end) = (frame.key(slot), frame.base.after(slot).map(|next| frame.base.start(next)));
            let node = self.nodes[self.owner(key)];
            let distance = dist(frame.me, node.id);
            (distance >= dist(frame.me, key) && end.is_none_or(|end| distance < end)).then_some(node)
        };
        frame.all().filter_map(first).collect()
    }
}

/// One member's knowledge.
pub(crate) struct Member {
    pub node: Node,
    pub before: Entry,
    pub list: SuccessorList,
    pub fingers: Fingers,
    pub most: u8,
}

impl Member {
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            node: self.node,
            claim: Claim::Active { low: self.before.node.id, epoch: 1 },
            predecessor: Some(self.before),
            below: None,
            list: &self.list,
            fingers: &self.fingers,
            granted: None,
            most: self.most,
        }
    }
}

/// An entry of a node that answered in 40 ms.
pub(crate) fn heard(node: Node) -> Entry {
    let mut entry = Entry::hearsay(node);
    entry.on_heard(Some(Duration::from_millis(40)), Instant::EPOCH);
    entry
}
