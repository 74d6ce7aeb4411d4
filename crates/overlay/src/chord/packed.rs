//! Tables of nodes in few bytes: a node of a million keeps some sixty others.
//!
//! An entry takes 41 bytes instead of 56 where its address is IPv4's, and no table has room for more than it holds.
//! Entries are read and written by value. IPv6 addresses lie beside the table; who is in a table changes far less often
//! than what is known of them, so every such change makes the table anew.

use super::node::{Entry, Health, Node, Rtt, Stamp};
use std::net::IpAddr;
use throng_machine::Endpoint;
use throng_wire::chord::RingId;

/// The address is IPv6's: `address` is its place among those.
const FAR: u8 = 1 << 7;
/// Only others reach it.
const RELAYED: u8 = 1 << 6;

/// An entry as bytes, which need no alignment; `X` is what else a table knows of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot<X> {
    id: RingId,
    incarnation: [u8; 4],
    address: [u8; 6],
    vnode: u8,
    heard: [u8; 4],
    rtt: [u8; 5],
    /// The health, [`FAR`], [`RELAYED`].
    state: u8,
    extra: X,
}

/// Entries in an order of their owner's, each with an `X`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packed<X> {
    slots: Box<[Slot<X>]>,
    /// The addresses that do not fit a slot.
    far: Box<[Endpoint]>,
}

impl<X> Default for Packed<X> {
    fn default() -> Packed<X> {
        Packed { slots: Box::default(), far: Box::default() }
    }
}

impl<X: Copy> Packed<X> {
    /// These entries, in this order.
    pub(crate) fn of(entries: &[(Entry, X)]) -> Packed<X> {
        let mut far = Vec::new();
        let mut slots = Vec::with_capacity(entries.len());
        slots.extend(entries.iter().map(|(entry, extra)| {
            let (address, is_far) = pack(entry.node.endpoint, &mut far);
            let Node { id, incarnation, vnode, .. } = entry.node;
            let slot = Slot {
                id,
                incarnation: incarnation.to_ne_bytes(),
                address,
                vnode,
                heard: [0; 4],
                rtt: [0; 5],
                state: is_far,
                extra: *extra,
            };
            slot.with(entry)
        }));
        Packed { slots: slots.into(), far: far.into() }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Where a node stands on the ring.
    pub(crate) fn id(&self, at: usize) -> RingId {
        self.slots[at].id
    }

    /// One of them.
    pub(crate) fn get(&self, at: usize) -> (Entry, X) {
        let slot = &self.slots[at];
        (self.unpack(slot), slot.extra)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Entry, X)> + ExactSizeIterator + Clone {
        self.slots.iter().map(|slot| (self.unpack(slot), slot.extra))
    }

    /// All nodes, without what is known of them.
    pub(crate) fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + ExactSizeIterator + Clone {
        self.slots.iter().map(|slot| self.node(slot))
    }

    /// Where exactly this node is.
    pub(crate) fn position(&self, node: &Node) -> Option<usize> {
        self.slots.iter().position(|slot| slot.id == node.id && self.node(slot) == *node)
    }

    /// The first place whose id does not lie `before`; ids must be in that order.
    pub(crate) fn partition_point(&self, before: impl Fn(RingId) -> bool) -> usize {
        self.slots.partition_point(|slot| before(slot.id))
    }

    /// What is known of a node by now; the entry must be of the same node.
    pub(crate) fn set(&mut self, at: usize, entry: &Entry, extra: X) {
        debug_assert!(self.node(&self.slots[at]) == entry.node, "a place belongs to one node");
        let slot = &mut self.slots[at];
        *slot = Slot { extra, ..slot.with(entry) };
    }

    /// Changes who is in the table.
    pub(crate) fn edit<R>(&mut self, change: impl FnOnce(&mut Vec<(Entry, X)>) -> R) -> R {
        let mut entries = Vec::with_capacity(self.len() + 1);
        entries.extend(self.iter());
        let outcome = change(&mut entries);
        *self = Packed::of(&entries);
        outcome
    }

    fn node(&self, slot: &Slot<X>) -> Node {
        let [a, b, c, d, high, low] = slot.address;
        let endpoint = if slot.state & FAR == 0 {
            Endpoint::v4([a, b, c, d], u16::from_be_bytes([high, low]))
        } else {
            self.far[u32::from_be_bytes([a, b, c, d]) as usize]
        };
        Node { id: slot.id, incarnation: u32::from_ne_bytes(slot.incarnation), endpoint, vnode: slot.vnode }
    }

    fn unpack(&self, slot: &Slot<X>) -> Entry {
        let health = match slot.state & !(FAR | RELAYED) {
            0 => Health::Alive,
            1 => Health::Suspect,
            _ => Health::Dead,
        };
        Entry {
            heard: Stamp::from_bytes(slot.heard),
            health,
            relay_only: slot.state & RELAYED != 0,
            rtt: Rtt::from_bytes(slot.rtt),
            ..Entry::hearsay(self.node(slot))
        }
    }
}

impl<X: Copy> Slot<X> {
    /// The same node, with what is known of it by now.
    fn with(&self, entry: &Entry) -> Slot<X> {
        let health = match entry.health {
            Health::Alive => 0,
            Health::Suspect => 1,
            Health::Dead => 2,
        };
        let relayed = if entry.relay_only { RELAYED } else { 0 };
        let state = self.state & FAR | relayed | health;
        Slot { heard: entry.heard.to_bytes(), rtt: entry.rtt.to_bytes(), state, ..*self }
    }
}

/// An address in six bytes and [`FAR`] or nothing; what does not fit is put beside.
fn pack(endpoint: Endpoint, far: &mut Vec<Endpoint>) -> ([u8; 6], u8) {
    match endpoint.ip() {
        IpAddr::V4(ip) => {
            let ([a, b, c, d], [high, low]) = (ip.octets(), endpoint.port().to_be_bytes());
            ([a, b, c, d, high, low], 0)
        }
        IpAddr::V6(_) => {
            // Tables are bounded far below 2^32.
            let [a, b, c, d] = (far.len() as u32).to_be_bytes();
            far.push(endpoint);
            ([a, b, c, d, 0, 0], FAR)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use throng_machine::Instant;
    use throng_wire::chord::IdRule;

    fn entries() -> Vec<(Entry, u8)> {
        let v6 = |last| Endpoint::new(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]), 7);
        let all = [Endpoint::v4([192, 0, 2, 7], 51_413), v6(1), Endpoint::v4([10, 0, 0, 1], 1), v6(2)];
        let entry = |(index, endpoint): (u8, Endpoint)| {
            let node = Node::new(IdRule::Open, endpoint, index, u32::MAX - u32::from(index)).unwrap();
            let mut entry = Entry::hearsay(node);
            entry.on_heard(Some(Duration::from_millis(index.into())), Instant::from_micros(5_000_000));
            if index > 1 {
                entry.on_silent();
            }
            entry.relay_only = index == 1;
            (entry, index)
        };
        (0..).zip(all).map(entry).collect()
    }

    #[test]
    fn what_is_packed_is_unpacked_alike() {
        let (all, mut table) = (entries(), Packed::of(&entries()));
        assert!(table.iter().eq(all.iter().copied()));
        assert!(table.nodes().eq(all.iter().map(|(entry, _)| entry.node)));
        assert!((0..4).all(|at| table.position(&all[at].0.node) == Some(at) && table.get(at) == all[at]));
        let mut entry = all[3].0;
        entry.health = Health::Dead;
        table.set(3, &entry, 9);
        assert_eq!(table.get(3), (entry, 9));
        table.edit(|all| all.remove(1));
        assert!(table.iter().eq([all[0], all[2], (entry, 9)]));
    }

    #[test]
    fn an_entry_takes_forty_one_bytes() {
        assert_eq!(size_of::<Slot<()>>(), 41);
        assert!(size_of::<Packed<()>>() <= 32);
    }
}
