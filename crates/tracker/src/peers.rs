//! The peers of one torrent and family: a dense array with the leechers first, so that a random window is an answer.
//!
//! Up to two peers lie inline; more lie in one allocation, and beyond [`INDEX_ABOVE`] a table of positions finds a
//! peer without a scan. Invariants: `records[..leechers]` are leechers and the rest seeds; no endpoint is there
//! twice; an index, if there is one, holds every position once.

use hashbrown::HashTable;
use throng_machine::Entropy;

use crate::keys::Keys;
use crate::record::{Record, Tick};

/// Peers held without an allocation.
const INLINE: usize = 2;
/// A scan of up to 64 records (8 cache lines of IPv4) costs less than a look-up in a table.
const INDEX_ABOVE: usize = 64;
/// Below this the index is dropped again; half, so that a swarm at the border does not build it over and over.
const INDEX_BELOW: usize = 32;

/// See the module.
pub(crate) enum Peers<const N: usize> {
    Inline { len: u8, leechers: u8, records: [Record<N>; INLINE] },
    Heap(Heap<N>),
}

/// More than [`INLINE`] peers.
pub(crate) struct Heap<const N: usize> {
    records: Vec<Record<N>>,
    leechers: u32,
    index: Option<Box<HashTable<u32>>>,
}

/// What an announce changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The peer is new; `false` if the swarm is full and it was not kept.
    Added(bool),
    /// The peer was known; whether as a seed.
    Updated { was_seed: bool },
}

impl<const N: usize> Peers<N> {
    pub(crate) const fn new() -> Self {
        Self::Inline { len: 0, leechers: 0, records: [Record::EMPTY; INLINE] }
    }

    pub(crate) fn len(&self) -> usize {
        self.records().len()
    }

    pub(crate) fn leechers(&self) -> usize {
        match self {
            Self::Inline { leechers, .. } => usize::from(*leechers),
            Self::Heap(heap) => heap.leechers as usize,
        }
    }

    pub(crate) fn seeds(&self) -> usize {
        self.len() - self.leechers()
    }

    fn records(&self) -> &[Record<N>] {
        match self {
            Self::Inline { len, records, .. } => &records[..usize::from(*len)],
            Self::Heap(heap) => &heap.records,
        }
    }

    /// Where this peer is.
    pub(crate) fn position(&self, peer: &Record<N>, keys: &Keys) -> Option<usize> {
        match self {
            Self::Heap(Heap { records, index: Some(index), .. }) => {
                let hash = keys.hash_endpoint(peer.endpoint());
                index.find(hash, |at| records[*at as usize].is_same_peer(peer)).map(|at| *at as usize)
            }
            _ => self.records().iter().position(|record| record.is_same_peer(peer)),
        }
    }

    /// Adds or refreshes a peer; a swarm of `max` peers takes no more. Returns the change and the peer's place.
    pub(crate) fn announce(&mut self, peer: Record<N>, max: usize, keys: &Keys) -> (Change, Option<usize>) {
        if let Some(at) = self.position(&peer, keys) {
            let was_seed = self.records()[at].is_seed();
            return (Change::Updated { was_seed }, Some(self.refresh(at, peer, keys)));
        }
        if self.len() >= max {
            return (Change::Added(false), None);
        }
        self.push(peer, keys);
        let at = if peer.is_seed() { self.len() } else { self.leechers() };
        (Change::Added(true), Some(at - 1))
    }

    fn refresh(&mut self, at: usize, peer: Record<N>, keys: &Keys) -> usize {
        let was_seed = at >= self.leechers();
        self.set(at, peer);
        if was_seed == peer.is_seed() {
            return at;
        }
        // Over the border between leechers and seeds, which moves by one.
        let border = if was_seed { self.leechers() } else { self.leechers() - 1 };
        self.swap(at, border, keys);
        self.set_leechers(if was_seed { border + 1 } else { border });
        border
    }

    fn push(&mut self, peer: Record<N>, keys: &Keys) {
        let at = self.len();
        match self {
            Self::Inline { len, records, .. } if at < INLINE => {
                records[at] = peer;
                *len += 1;
            }
            Self::Inline { leechers, records, .. } => {
                let mut grown = Vec::with_capacity(2 * INLINE);
                grown.extend_from_slice(records);
                grown.push(peer);
                *self = Self::Heap(Heap { records: grown, leechers: u32::from(*leechers), index: None });
            }
            Self::Heap(heap) => heap.push(peer, keys),
        }
        if !peer.is_seed() {
            let border = self.leechers();
            self.swap(at, border, keys);
            self.set_leechers(border + 1);
        }
    }

    /// Forgets the peer at this place; the last of its kind takes it.
    pub(crate) fn remove(&mut self, at: usize, keys: &Keys) {
        let mut hole = at;
        if at < self.leechers() {
            hole = self.leechers() - 1;
            self.swap(at, hole, keys);
            self.set_leechers(hole);
        }
        let last = self.len() - 1;
        self.swap(hole, last, keys);
        match self {
            Self::Inline { len, .. } => *len -= 1,
            Self::Heap(heap) => heap.pop(keys),
        }
    }

    /// Forgets those who did not announce for `ttl`, and gives memory back.
    pub(crate) fn expire(&mut self, now: Tick, ttl: u16, keys: &Keys) {
        // From the end: whoever takes a hole has been looked at.
        for at in (0..self.len()).rev() {
            if self.records()[at].is_expired(now, ttl) {
                self.remove(at, keys);
            }
        }
        self.shrink(keys);
    }

    fn shrink(&mut self, keys: &Keys) {
        let Self::Heap(heap) = self else { return };
        if heap.records.len() <= INLINE {
            let mut records = [Record::EMPTY; INLINE];
            records[..heap.records.len()].copy_from_slice(&heap.records);
            let len = heap.records.len() as u8;
            *self = Self::Inline { len, leechers: heap.leechers as u8, records };
        } else {
            heap.shrink(keys);
        }
    }

    /// Appends up to `want` endpoints from a random place on, without the one at `asker`; seeds get leechers only.
    pub(crate) fn pick(
        &self,
        want: usize,
        asker: (Option<usize>, bool),
        rng: &mut dyn Entropy,
        out: &mut Vec<u8>,
    ) {
        let (at, is_seed) = asker;
        let pool = &self.records()[..if is_seed { self.leechers() } else { self.len() }];
        let (before, after) = match at.filter(|at| *at < pool.len()) {
            Some(at) => (&pool[..at], &pool[at + 1..]),
            None => (pool, &[][..]),
        };
        let others = before.len() + after.len();
        let take = want.min(others);
        if take == 0 {
            return;
        }
        let start = if take < others { rng.below(others as u32) as usize } else { 0 };
        // The window over `before` and `after` laid end to end, and round again.
        let (late, early) = if start < before.len() {
            ([&before[start..], after], [&before[..start], &[]])
        } else {
            let split = start - before.len();
            ([&after[split..], &[]], [before, &after[..split]])
        };
        out.reserve(take * (N - 2));
        let window = late.into_iter().chain(early).flatten().take(take);
        window.for_each(|record| out.extend_from_slice(record.endpoint()));
    }

    fn set(&mut self, at: usize, peer: Record<N>) {
        match self {
            Self::Inline { records, .. } => records[at] = peer,
            Self::Heap(heap) => heap.records[at] = peer,
        }
    }

    fn set_leechers(&mut self, count: usize) {
        match self {
            Self::Inline { leechers, .. } => *leechers = count as u8,
            Self::Heap(heap) => heap.leechers = count as u32,
        }
    }

    fn swap(&mut self, a: usize, b: usize, keys: &Keys) {
        match self {
            Self::Inline { records, .. } => records.swap(a, b),
            Self::Heap(heap) if a != b => heap.swap(a, b, keys),
            Self::Heap(_) => {}
        }
    }
}

impl<const N: usize> Heap<N> {
    fn push(&mut self, peer: Record<N>, keys: &Keys) {
        if self.records.len() == self.records.capacity() {
            // By half, not to the double: most of a tracker's memory is what its many small swarms don't use.
            let more = (self.records.len() / 2).next_multiple_of(2).max(4);
            self.records.reserve_exact(more);
        }
        self.records.push(peer);
        let at = self.records.len() - 1;
        if let Some(index) = &mut self.index {
            let hasher = |at: &u32| keys.hash_endpoint(self.records[*at as usize].endpoint());
            index.insert_unique(keys.hash_endpoint(peer.endpoint()), at as u32, hasher);
        } else if self.records.len() > INDEX_ABOVE {
            self.build_index(keys);
        }
    }

    fn build_index(&mut self, keys: &Keys) {
        let hash_at = |at: &u32| keys.hash_endpoint(self.records[*at as usize].endpoint());
        let mut index = HashTable::with_capacity(self.records.len());
        for at in 0..self.records.len() as u32 {
            index.insert_unique(hash_at(&at), at, hash_at);
        }
        self.index = Some(Box::new(index));
    }

    fn pop(&mut self, keys: &Keys) {
        let Some(peer) = self.records.pop() else { return };
        let at = self.records.len() as u32;
        if let Some(index) = &mut self.index
            && let Ok(entry) = index.find_entry(keys.hash_endpoint(peer.endpoint()), |place| *place == at)
        {
            entry.remove();
        }
    }

    fn swap(&mut self, a: usize, b: usize, keys: &Keys) {
        if let Some(index) = &mut self.index {
            let hash_at = |at: usize| keys.hash_endpoint(self.records[at].endpoint());
            // One entry is parked while the other is renamed, since they are told apart by their place.
            let (hash_a, hash_b) = (hash_at(a), hash_at(b));
            rename(index, hash_a, a as u32, u32::MAX);
            rename(index, hash_b, b as u32, a as u32);
            rename(index, hash_a, u32::MAX, b as u32);
        }
        self.records.swap(a, b);
    }

    fn shrink(&mut self, keys: &Keys) {
        if self.records.len() <= INDEX_BELOW {
            self.index = None;
        } else if self.index.as_ref().is_some_and(|index| index.capacity() > 4 * self.records.len()) {
            self.build_index(keys);
        }
        if self.records.capacity() > 2 * self.records.len() + 4 {
            self.records.shrink_to(self.records.len() + 2);
        }
    }
}

fn rename(index: &mut HashTable<u32>, hash: u64, from: u32, to: u32) {
    if let Some(place) = index.find_mut(hash, |place| *place == from) {
        *place = to;
    }
}

#[cfg(test)]
mod tests;
