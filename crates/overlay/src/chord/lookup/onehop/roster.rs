//! All members by id: a snapshot that many tables may share, and what differs from it.
//!
//! A node on a network has its own snapshot. In a simulation thousands of machines would hold thousands of nearly equal
//! tables; given one [`Snapshots`], they share the latest and keep only differences.

use super::super::super::node::Node;
use std::sync::{Arc, Mutex};
use throng_wire::chord::{Prefix, RingId, TreeHash};

/// Differences kept before they become a snapshot.
const MOST_DIFFERENCES: usize = 64;
/// A shared snapshot is worth it if no more than this share of it differs.
const WORTH: usize = 8;

/// The latest table of any machine of a driver.
#[derive(Default, Debug)]
pub struct Snapshots(Mutex<Arc<[Node]>>);

/// Members by id, one incarnation each.
#[derive(Clone, Default, Debug)]
pub(crate) struct Roster {
    base: Arc<[Node]>,
    /// By id: members that the base lacks or has in another incarnation (true), and those it has in vain.
    differences: Vec<(Node, bool)>,
    len: usize,
}

impl Roster {
    /// Members.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The member of that id.
    pub(crate) fn find(&self, id: RingId) -> Option<Node> {
        match self.differences.binary_search_by_key(&id, |(node, _)| node.id) {
            Ok(at) => Some(self.differences[at]).filter(|(_, present)| *present).map(|(node, _)| node),
            Err(_) => self.in_base(id),
        }
    }

    fn in_base(&self, id: RingId) -> Option<Node> {
        self.base.binary_search_by_key(&id, |node| node.id).ok().map(|at| self.base[at])
    }

    /// Takes a member in; false if it, or a later run of it, was there.
    pub(crate) fn insert(&mut self, node: Node) -> bool {
        let known = self.find(node.id);
        if known.is_some_and(|known| known.incarnation >= node.incarnation) {
            return false;
        }
        self.len += usize::from(known.is_none());
        self.set(node, true);
        true
    }

    /// Takes a member out, unless a later run of it is there.
    pub(crate) fn remove(&mut self, node: &Node) -> bool {
        let Some(known) = self.find(node.id).filter(|known| known.incarnation <= node.incarnation) else {
            return false;
        };
        self.len -= 1;
        self.set(known, false);
        true
    }

    fn set(&mut self, node: Node, present: bool) {
        let base = self.in_base(node.id);
        let found = self.differences.binary_search_by_key(&node.id, |(node, _)| node.id);
        let needed = if present { base != Some(node) } else { base.is_some() };
        match (found, needed) {
            (Ok(at), true) => self.differences[at] = (node, present),
            (Ok(at), false) => drop(self.differences.remove(at)),
            (Err(at), true) => self.differences.insert(at, (node, present)),
            (Err(_), false) => {}
        }
    }

    /// Members with ids in `first..=last`, by id.
    pub(crate) fn range(&self, first: RingId, last: RingId) -> impl Iterator<Item = Node> {
        let base = &self.base[self.base.partition_point(|node| node.id < first)..];
        let differences = &self.differences[self.differences.partition_point(|(node, _)| node.id < first)..];
        Merged { base, differences }.take_while(move |node| node.id <= last)
    }

    /// All members from the first at or after `key`, once round.
    pub(crate) fn from(&self, key: RingId) -> impl Iterator<Item = Node> {
        let below = (key != RingId::MIN).then(|| self.range(RingId::MIN, key.minus(RingId::power(0))));
        self.range(key, RingId::MAX).chain(below.into_iter().flatten())
    }

    /// How many members a part has, and a hash over them: equal parts have equal ones. It guards against no enemy.
    pub(crate) fn hash(&self, part: Prefix) -> (u32, TreeHash) {
        let (mut count, mut sum) = (0, 0u128);
        for node in self.range(part.first(), part.last()) {
            let [.., a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = node.id.0;
            let id = u128::from_be_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
            // Ids are hashes themselves; the incarnation turns into another summand by an odd factor.
            let run = u128::from(node.incarnation).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
            sum = sum.wrapping_add((id ^ run).wrapping_mul(0xD6E8_FEB8_6659_FD93_2545_F491_4F6C_DD1D));
            count += 1;
        }
        (count, sum.to_be_bytes())
    }

    /// Makes the differences part of the snapshot once there are many; shares the snapshot of others if it is near.
    pub(crate) fn consolidate(&mut self, snapshots: Option<&Snapshots>) {
        if self.differences.len() <= MOST_DIFFERENCES.max(self.base.len() / WORTH) {
            return;
        }
        let all: Arc<[Node]> = self.range(RingId::MIN, RingId::MAX).collect();
        let shared = snapshots.and_then(|snapshots| snapshots.0.lock().ok());
        match shared {
            Some(mut latest) => {
                let differences = differences(&latest, &all);
                if differences.len() <= MOST_DIFFERENCES.max(all.len() / WORTH) / 2 {
                    (self.base, self.differences) = (Arc::clone(&latest), differences);
                } else {
                    *latest = Arc::clone(&all);
                    (self.base, self.differences) = (all, Vec::new());
                }
            }
            None => (self.base, self.differences) = (all, Vec::new()),
        }
        self.differences.shrink_to_fit();
    }
}

/// What turns one table into another; both by id.
fn differences(from: &[Node], to: &[Node]) -> Vec<(Node, bool)> {
    let lacks = |table: &[Node], node: &Node| table.binary_search_by_key(&node.id, |node| node.id).is_err();
    let there =
        |node: &Node| from.binary_search_by_key(&node.id, |node| node.id).is_ok_and(|at| from[at] == *node);
    let gone = from.iter().filter(|node| lacks(to, node)).map(|node| (*node, false));
    let come = to.iter().filter(|node| !there(node)).map(|node| (*node, true));
    let mut differences: Vec<(Node, bool)> = gone.chain(come).collect();
    differences.sort_unstable_by_key(|(node, _)| node.id);
    differences
}

/// A base and its differences in one order.
struct Merged<'a> {
    base: &'a [Node],
    differences: &'a [(Node, bool)],
}

impl Iterator for Merged<'_> {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        loop {
            let (Some((node, present)), rest) = (self.differences.first(), self.differences.get(1..)) else {
                let (node, rest) = self.base.split_first()?;
                self.base = rest;
                return Some(*node);
            };
            match self.base.split_first() {
                Some((first, rest)) if first.id < node.id => {
                    self.base = rest;
                    return Some(*first);
                }
                Some((first, rest)) if first.id == node.id => self.base = rest,
                _ => {}
            }
            self.differences = rest.unwrap_or(&[]);
            if *present {
                return Some(*node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testkit::{node, random_id};
    use super::*;
    use std::collections::BTreeMap;
    use throng_machine::{Entropy, SplitMix64};

    fn member(number: u32, incarnation: u32) -> Node {
        let [_, a, b, c] = number.to_be_bytes();
        Node { incarnation, ..node([10, a, b, c], 1) }
    }

    /// Applies random changes to a roster and to a plain map; both must agree in everything.
    fn agree(snapshots: Option<&Snapshots>, seed: u64) -> Roster {
        let (mut roster, mut map) = (Roster::default(), BTreeMap::new());
        let mut rng = SplitMix64::new(seed);
        for round in 0..3_000 {
            let node = member(rng.below(400), rng.below(3) + 1);
            let known: Option<Node> = map.get(&node.id).copied();
            if rng.below(3) > 0 {
                let news = known.is_none_or(|known| known.incarnation < node.incarnation);
                assert_eq!(roster.insert(node), news);
                if news {
                    map.insert(node.id, node);
                }
            } else {
                let there = known.is_some_and(|known| known.incarnation <= node.incarnation);
                assert_eq!(roster.remove(&node), there);
                if there {
                    map.remove(&node.id);
                }
            }
            roster.consolidate(snapshots);
            assert_eq!(roster.len(), map.len());
            if round % 100 == 0 {
                let key = random_id(&mut rng);
                let expected = map.range(key..).chain(map.range(..key)).map(|(_, node)| *node);
                assert!(roster.from(key).eq(expected));
                assert!(roster.range(RingId::MIN, RingId::MAX).eq(map.values().copied()));
                assert_eq!(roster.find(node.id), map.get(&node.id).copied());
            }
        }
        roster
    }

    #[test]
    fn a_roster_answers_as_a_sorted_map_does() {
        agree(None, 1);
    }

    #[test]
    fn rosters_that_share_snapshots_answer_the_same_and_hold_one_copy() {
        let snapshots = Snapshots::default();
        let (a, b) = (agree(Some(&snapshots), 2), agree(Some(&snapshots), 3));
        let mut all: Vec<Roster> = (0..20).map(|_| a.clone()).collect();
        all.push(b);
        for roster in &mut all {
            for number in 1_000..1_080 {
                roster.insert(member(number, 1));
                roster.consolidate(Some(&snapshots));
            }
        }
        let first = &all[0].base;
        assert!(all[..20].iter().all(|roster| Arc::ptr_eq(&roster.base, first)));
    }

    #[test]
    fn hashes_tell_tables_apart_and_do_not_depend_on_how_they_came_about() {
        let (mut a, mut b) = (Roster::default(), Roster::default());
        assert!((0..300).all(|number| a.insert(member(number, 1))));
        assert!((0..300).rev().all(|number| b.insert(member(number, 1))));
        a.consolidate(None);
        assert_eq!(a.hash(Prefix::ROOT), b.hash(Prefix::ROOT));
        assert_eq!(a.hash(Prefix::ROOT).0, 300);
        b.insert(member(7, 2));
        assert_ne!(a.hash(Prefix::ROOT), b.hash(Prefix::ROOT));
        let differing = (0..16).filter_map(|digit| Prefix::ROOT.child(digit));
        assert_eq!(differing.filter(|part| a.hash(*part) != b.hash(*part)).count(), 1);
    }
}
