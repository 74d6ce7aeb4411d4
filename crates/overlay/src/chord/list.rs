//! The successor list: nearest first, sorted by distance, no duplicates, never its owner (section 2.3, `top`).
//!
//! It is changed by union, by dropping a node confirmed dead, and by inserting before its last entry; never by
//! position, so that no live node that everyone counts on is skipped.

use super::node::{Entry, Node};
use throng_wire::chord::{RingId, btw, dist, own};

/// The nodes that follow us, nearest first.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SuccessorList {
    entries: Vec<Entry>,
}

impl SuccessorList {
    /// The entries, nearest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The nodes, nearest first.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = &Node> + ExactSizeIterator {
        self.entries.iter().map(|entry| &entry.node)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody follows us.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first.
    pub fn head(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// The last.
    pub fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// The entry of exactly this node.
    pub fn find(&self, node: &Node) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.node == *node)
    }

    /// The entry of exactly this node.
    pub fn find_mut(&mut self, node: &Node) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.node == *node)
    }

    /// All entries.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    /// `top(me, list + others)`: the union sorted by distance from `me`, the nearest `most`; says whether anything
    /// changed. Of two incarnations of one id the higher stays. Knowledge of entries that stay is kept.
    pub fn merge(&mut self, me: RingId, others: impl IntoIterator<Item = Node>, most: usize) -> bool {
        let before: Vec<Node> = self.nodes().copied().collect();
        for node in others {
            if node.id == me {
                continue;
            }
            let at = self.entries.partition_point(|entry| dist(me, entry.node.id) < dist(me, node.id));
            match self.entries.get_mut(at) {
                Some(entry) if entry.node.id == node.id && entry.node.incarnation >= node.incarnation => {}
                Some(entry) if entry.node.id == node.id => *entry = Entry::hearsay(node),
                _ if at < most => {
                    self.entries.truncate(most - 1);
                    self.reserve(most);
                    self.entries.insert(at, Entry::hearsay(node));
                }
                _ => {}
            }
        }
        self.entries.truncate(most);
        !self.nodes().eq(before.iter())
    }

    /// Forgets everything in favour of these, sorted and cut as in [`SuccessorList::merge`]; entries that stay keep
    /// what is known of them.
    pub fn replace(&mut self, me: RingId, nodes: impl IntoIterator<Item = Node>, most: usize) -> bool {
        let old = std::mem::take(self);
        self.merge(me, nodes, most);
        for entry in &mut self.entries {
            if let Some(known) = old.find(&entry.node) {
                *entry = *known;
            }
        }
        !self.nodes().eq(old.nodes())
    }

    /// Drops exactly this node; says whether it was there.
    pub fn remove(&mut self, node: &Node) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.node != *node);
        before != self.entries.len()
    }

    /// Drops what lies beyond `end`; says whether anything did.
    pub fn cut_beyond(&mut self, me: RingId, end: RingId) -> bool {
        let before = self.entries.len();
        let keep = self.entries.partition_point(|entry| dist(me, entry.node.id) <= dist(me, end));
        self.entries.truncate(keep);
        keep < before
    }

    /// Whether inserting `id` keeps the span: it lies before the last entry.
    pub fn spans(&self, me: RingId, id: RingId) -> bool {
        self.last().is_some_and(|last| btw(me, id, last.node.id))
    }

    /// The first entry at or after `key`, for a key within the span of the list.
    pub fn owner_of(&self, me: RingId, key: RingId) -> Option<&Entry> {
        self.entries.iter().find(|entry| own(me, key, entry.node.id))
    }

    /// The closest entry strictly before `id` that `admit` lets through.
    pub fn closest_before(&self, me: RingId, id: RingId, admit: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| btw(me, entry.node.id, id) && admit(entry))
    }

    /// How many hosts it spans.
    pub fn hosts(&self) -> usize {
        let mut hosts: Vec<_> = self.nodes().map(|node| node.endpoint).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.len()
    }

    /// Room for what is needed and no more: a million lists share a machine.
    fn reserve(&mut self, most: usize) {
        if self.entries.len() == self.entries.capacity() {
            let room = (self.entries.len() + 4).min(most.max(self.entries.len() + 1));
            self.entries.reserve_exact(room - self.entries.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::Endpoint;
    use throng_wire::chord::IdRule;

    #[test]
    fn what_lies_beyond_an_end_goes_and_the_end_itself_stays() {
        let me = RingId::MIN;
        let node =
            |host| Node::new(IdRule::Open, Endpoint::v4([10, 0, 0, host], 1), 0, 1).expect("index 0 exists");
        let mut list = SuccessorList::default();
        list.merge(me, (1..9).map(node), 8);
        let nodes: Vec<Node> = list.nodes().copied().collect();
        assert!(!list.cut_beyond(me, nodes[7].id));
        assert!(list.cut_beyond(me, nodes[4].id));
        assert!(list.nodes().eq(&nodes[..5]));
        assert!(!list.cut_beyond(me, nodes[4].id));
    }
}
