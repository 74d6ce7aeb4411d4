//! Torrents of one address family by info-hash, in shards that grow, sweep and shrink each on its own.
//!
//! With 256 small tables instead of a large one no announce waits for the move of a million entries, and a sweep
//! is a step of microseconds.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use throng_wire::ids::InfoHash;

use crate::allow::AllowList;
use crate::keys::Keys;
use crate::metrics::FamilyGauges;
use crate::peers::Peers;
use crate::record::Tick;

/// Tables of one family.
pub(crate) const SHARDS: usize = 256;

/// A torrent's peers of one family; 64 bytes for IPv4, a cache line.
pub(crate) struct Torrent<const N: usize> {
    hash: InfoHash,
    pub(crate) completed: u32,
    pub(crate) peers: Peers<N>,
}

/// What the sweep of a shard goes by.
pub(crate) struct Sweep<'a> {
    pub(crate) now: Tick,
    pub(crate) ttl: u16,
    pub(crate) allow: Option<&'a AllowList>,
}

/// All torrents of a family.
pub(crate) struct Table<const N: usize> {
    shards: Box<[HashTable<Torrent<N>>]>,
    pub(crate) gauges: FamilyGauges,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new() -> Self {
        let shards = std::iter::repeat_with(HashTable::new).take(SHARDS).collect();
        Self { shards, gauges: FamilyGauges::default() }
    }

    /// The torrent, if it has had peers lately.
    pub(crate) fn find(&self, hash: &InfoHash, keys: &Keys) -> Option<&Torrent<N>> {
        if self.gauges.torrents == 0 {
            return None;
        }
        let code = keys.hash_torrent(hash);
        self.shards[shard_of(code)].find(code, |torrent| torrent.hash == *hash)
    }

    /// The same, to change it, with the family's gauges.
    pub(crate) fn find_mut(
        &mut self,
        hash: &InfoHash,
        keys: &Keys,
    ) -> Option<(&mut Torrent<N>, &mut FamilyGauges)> {
        let code = keys.hash_torrent(hash);
        let torrent = self.shards[shard_of(code)].find_mut(code, |torrent| torrent.hash == *hash)?;
        Some((torrent, &mut self.gauges))
    }

    /// The torrent, made if need be and if there are fewer than `max`.
    pub(crate) fn find_or_add(
        &mut self,
        hash: &InfoHash,
        max: usize,
        keys: &Keys,
    ) -> Option<(&mut Torrent<N>, &mut FamilyGauges)> {
        let code = keys.hash_torrent(hash);
        let rehash = |torrent: &Torrent<N>| keys.hash_torrent(&torrent.hash);
        match self.shards[shard_of(code)].entry(code, |torrent| torrent.hash == *hash, rehash) {
            Entry::Occupied(entry) => Some((entry.into_mut(), &mut self.gauges)),
            Entry::Vacant(_) if self.gauges.torrents >= max => None,
            Entry::Vacant(entry) => {
                self.gauges.torrents += 1;
                let torrent = Torrent { hash: *hash, completed: 0, peers: Peers::new() };
                Some((entry.insert(torrent).into_mut(), &mut self.gauges))
            }
        }
    }

    /// Drops from one shard peers that have gone, and torrents that are empty or no longer allowed.
    pub(crate) fn sweep(&mut self, shard: usize, sweep: &Sweep<'_>, keys: &Keys) {
        let gauges = &mut self.gauges;
        let table = &mut self.shards[shard];
        let before = table.len();
        table.retain(|torrent| {
            let (peers, seeds) = (torrent.peers.len(), torrent.peers.seeds());
            if sweep.allow.is_some_and(|allow| !allow.contains(&torrent.hash)) {
                torrent.peers = Peers::new();
            } else {
                torrent.peers.expire(sweep.now, sweep.ttl, keys);
            }
            gauges.peers -= peers - torrent.peers.len();
            gauges.seeds -= seeds - torrent.peers.seeds();
            torrent.peers.len() > 0
        });
        gauges.torrents -= before - table.len();
        if table.capacity() > 16 && table.capacity() > 4 * table.len() {
            table.shrink_to(2 * table.len(), |torrent| keys.hash_torrent(&torrent.hash));
        }
    }
}

/// From the middle of the code: a table takes its slots from the low bits and its tags from the high ones.
fn shard_of(code: u64) -> usize {
    (code >> 32) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::V4;

    #[test]
    fn a_torrent_with_its_first_peers_takes_a_cache_line() {
        assert!(size_of::<Torrent<V4>>() <= 64, "{}", size_of::<Torrent<V4>>());
    }
}
