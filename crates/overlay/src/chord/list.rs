//! The successor list: nearest first, sorted by distance, no duplicates, never its owner (section 2.3, `top`).
//!
//! It is changed by union, by dropping a node confirmed dead, and by inserting before its last entry; never by
//! position, so that no live node that everyone counts on is skipped.

use super::node::{Entry, Node};
use super::packed::Packed;
use throng_wire::chord::{RingId, btw, dist, own};

/// The nodes that follow us, nearest first; packed, so read and written by value.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SuccessorList {
    packed: Packed<()>,
}

impl SuccessorList {
    /// A list of these entries, nearest first.
    pub(crate) fn of(entries: impl IntoIterator<Item = Entry>) -> SuccessorList {
        let entries: Vec<(Entry, ())> = entries.into_iter().map(|entry| (entry, ())).collect();
        SuccessorList { packed: Packed::of(&entries) }
    }

    /// The entries, nearest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = Entry> + ExactSizeIterator + Clone {
        self.packed.iter().map(|(entry, ())| entry)
    }

    /// The nodes, nearest first.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + ExactSizeIterator + Clone {
        self.packed.nodes()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.packed.len()
    }

    /// Whether nobody follows us.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, the first at 0.
    pub fn get(&self, at: usize) -> Option<Entry> {
        (at < self.len()).then(|| self.packed.get(at).0)
    }

    /// The first.
    pub fn head(&self) -> Option<Entry> {
        self.get(0)
    }

    /// The last.
    pub fn last(&self) -> Option<Entry> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Whether exactly this node is in it.
    pub fn holds(&self, node: &Node) -> bool {
        self.packed.position(node).is_some()
    }

    /// The entry of exactly this node.
    pub fn find(&self, node: &Node) -> Option<Entry> {
        self.get(self.packed.position(node)?)
    }

    /// Changes what is known of exactly this node; says whether it is in the list.
    pub fn update(&mut self, node: &Node, change: impl FnOnce(&mut Entry)) -> bool {
        let Some(at) = self.packed.position(node) else { return false };
        self.update_at(at, change);
        true
    }

    /// Changes what is known of all.
    pub fn update_all(&mut self, mut change: impl FnMut(&mut Entry)) {
        for at in 0..self.len() {
            self.update_at(at, &mut change);
        }
    }

    fn update_at(&mut self, at: usize, change: impl FnOnce(&mut Entry)) {
        let (mut entry, ()) = self.packed.get(at);
        change(&mut entry);
        self.packed.set(at, &entry, ());
    }

    /// `top(me, list + others)`: the union sorted by distance from `me`, the nearest `most`; says whether anything
    /// changed. Of two incarnations of one id the higher stays. Knowledge of entries that stay is kept.
    pub fn merge(&mut self, me: RingId, others: impl IntoIterator<Item = Node>, most: usize) -> bool {
        let mut entries: Vec<Entry> = self.entries().collect();
        let mut changed = false;
        for node in others {
            if node.id == me {
                continue;
            }
            let at = entries.partition_point(|entry| dist(me, entry.node.id) < dist(me, node.id));
            match entries.get_mut(at) {
                Some(entry) if entry.node.id == node.id && entry.node.incarnation >= node.incarnation => {
                    continue;
                }
                Some(entry) if entry.node.id == node.id => *entry = Entry::hearsay(node),
                _ if at < most => {
                    entries.truncate(most - 1);
                    entries.insert(at, Entry::hearsay(node));
                }
                _ => continue,
            }
            changed = true;
        }
        changed |= entries.len() > most;
        if changed {
            entries.truncate(most);
            changed = !self.nodes().eq(entries.iter().map(|entry| entry.node));
            *self = SuccessorList::of(entries);
        }
        changed
    }

    /// Forgets everything in favour of these, sorted and cut as in [`SuccessorList::merge`]; entries that stay keep
    /// what is known of them.
    pub fn replace(&mut self, me: RingId, nodes: impl IntoIterator<Item = Node>, most: usize) -> bool {
        let old = std::mem::take(self);
        self.merge(me, nodes, most);
        self.update_all(|entry| *entry = old.find(&entry.node).unwrap_or(*entry));
        !self.nodes().eq(old.nodes())
    }

    /// Drops exactly this node; says whether it was there.
    pub fn remove(&mut self, node: &Node) -> bool {
        let at = self.packed.position(node);
        if let Some(at) = at {
            self.packed.edit(|entries| entries.remove(at));
        }
        at.is_some()
    }

    /// Drops what lies beyond `end`; says whether anything did.
    pub fn cut_beyond(&mut self, me: RingId, end: RingId) -> bool {
        let keep = self.packed.partition_point(|id| dist(me, id) <= dist(me, end));
        let cut = keep < self.len();
        if cut {
            self.packed.edit(|entries| entries.truncate(keep));
        }
        cut
    }

    /// Whether inserting `id` keeps the span: it lies before the last entry.
    pub fn spans(&self, me: RingId, id: RingId) -> bool {
        self.last().is_some_and(|last| btw(me, id, last.node.id))
    }

    /// The first entry at or after `key`, for a key within the span of the list.
    pub fn owner_of(&self, me: RingId, key: RingId) -> Option<Entry> {
        self.entries().find(|entry| own(me, key, entry.node.id))
    }

    /// The closest entry strictly before `id` that `admit` lets through.
    pub fn closest_before(&self, me: RingId, id: RingId, admit: impl Fn(&Entry) -> bool) -> Option<Entry> {
        self.entries().rev().find(|entry| btw(me, entry.node.id, id) && admit(entry))
    }

    /// How many hosts it spans.
    pub fn hosts(&self) -> usize {
        let mut hosts: Vec<_> = self.nodes().map(|node| node.endpoint).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.len()
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
        let nodes: Vec<Node> = list.nodes().collect();
        assert!(!list.cut_beyond(me, nodes[7].id));
        assert!(list.cut_beyond(me, nodes[4].id));
        assert!(list.nodes().eq(nodes[..5].iter().copied()));
        assert!(!list.cut_beyond(me, nodes[4].id));
    }
}
