//! The one store behind both faces: announces and scrapes over the two families' tables.

use std::net::IpAddr;

use throng_machine::{Endpoint, Entropy};
use throng_wire::ids::InfoHash;
use throng_wire::tracker::{AnnounceEvent, ScrapeEntry};

use crate::config::Config;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::peers::Change;
use crate::record::{Record, Tick, V4, V6};
use crate::table::{Sweep, Table};

/// An announce as both faces see it; `peer` is the packet's address with the announced port.
#[derive(Clone, Copy)]
pub(crate) struct Announce<'a> {
    pub(crate) hash: &'a InfoHash,
    pub(crate) peer: Endpoint,
    pub(crate) seed: bool,
    pub(crate) event: AnnounceEvent,
    pub(crate) now: Tick,
}

impl Announce<'_> {
    /// Seeds need no seeds. But who just started and has nothing left may not know yet how much there is: aria2
    /// announces a magnet link so.
    fn wants_leechers_only(&self) -> bool {
        self.seed && self.event != AnnounceEvent::Started
    }
}

pub(crate) struct Swarms {
    v4: Table<V4>,
    v6: Table<V6>,
}

impl Swarms {
    pub(crate) fn new() -> Self {
        Self { v4: Table::new(), v6: Table::new() }
    }

    /// Keeps, refreshes or forgets the announcing peer, and appends up to `want` others of his own family.
    pub(crate) fn announce(
        &mut self,
        announce: &Announce<'_>,
        want: usize,
        cx: &mut Cx<'_>,
        out: &mut Vec<u8>,
    ) -> ScrapeEntry {
        let port = announce.peer.port().to_be_bytes();
        match announce.peer.ip() {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                let mine = update(&mut self.v4, announce, &[a, b, c, d, port[0], port[1]], want, cx, out);
                add(mine, count(&self.v6, announce.hash, cx.keys))
            }
            IpAddr::V6(ip) => {
                let mut endpoint = [0; V6 - 2];
                endpoint[..16].copy_from_slice(&ip.octets());
                endpoint[16..].copy_from_slice(&port);
                let mine = update(&mut self.v6, announce, &endpoint, want, cx, out);
                add(mine, count(&self.v4, announce.hash, cx.keys))
            }
        }
    }

    /// Appends up to `want` peers of the other family than the announcing peer's.
    pub(crate) fn others(&self, announce: &Announce<'_>, want: usize, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let asker = (None, announce.wants_leechers_only());
        match announce.peer.ip() {
            IpAddr::V4(_) => {
                let torrent = self.v6.find(announce.hash, cx.keys);
                torrent.into_iter().for_each(|torrent| torrent.peers.pick(want, asker, cx.rng, out));
            }
            IpAddr::V6(_) => {
                let torrent = self.v4.find(announce.hash, cx.keys);
                torrent.into_iter().for_each(|torrent| torrent.peers.pick(want, asker, cx.rng, out));
            }
        }
    }

    /// Counts of both families.
    pub(crate) fn scrape(&self, hash: &InfoHash, keys: &Keys) -> ScrapeEntry {
        add(count(&self.v4, hash, keys), count(&self.v6, hash, keys))
    }

    /// Sweeps one shard of each family.
    pub(crate) fn sweep(&mut self, shard: usize, sweep: &Sweep<'_>, keys: &Keys) {
        self.v4.sweep(shard, sweep, keys);
        self.v6.sweep(shard, sweep, keys);
    }

    pub(crate) fn fill_gauges(&self, metrics: &mut Metrics) {
        (metrics.v4, metrics.v6) = (self.v4.gauges, self.v6.gauges);
    }
}

/// What a call needs besides the store.
pub(crate) struct Cx<'a> {
    pub(crate) config: &'a Config,
    pub(crate) keys: &'a Keys,
    pub(crate) metrics: &'a mut Metrics,
    pub(crate) rng: &'a mut dyn Entropy,
}

fn update<const N: usize>(
    table: &mut Table<N>,
    announce: &Announce<'_>,
    endpoint: &[u8],
    want: usize,
    cx: &mut Cx<'_>,
    out: &mut Vec<u8>,
) -> ScrapeEntry {
    let record = Record::<N>::new(endpoint, announce.seed, announce.now);
    if announce.event == AnnounceEvent::Stopped {
        forget(table, announce.hash, &record, cx);
        return count(table, announce.hash, cx.keys);
    }
    let full = table.gauges.peers >= cx.config.max_peers;
    let Some((torrent, gauges)) = table.find_or_add(announce.hash, cx.config.max_torrents, cx.keys) else {
        cx.metrics.not_kept += 1;
        return ScrapeEntry::default();
    };
    let max = if full { 0 } else { cx.config.max_peers_per_torrent as usize };
    let (change, at) = torrent.peers.announce(record, max, cx.keys);
    let was_seed = match change {
        Change::Added(kept) => {
            gauges.peers += usize::from(kept);
            gauges.seeds += usize::from(kept && announce.seed);
            cx.metrics.not_kept += u64::from(!kept);
            false
        }
        Change::Updated { was_seed } => {
            gauges.seeds = gauges.seeds + usize::from(announce.seed) - usize::from(was_seed);
            was_seed
        }
    };
    // Once a peer: a seed that reports completion again is not counted again.
    if announce.event == AnnounceEvent::Completed && announce.seed && !was_seed {
        torrent.completed = torrent.completed.saturating_add(1);
        cx.metrics.completed += 1;
    }
    torrent.peers.pick(want, (at, announce.wants_leechers_only()), cx.rng, out);
    entry(torrent.completed, torrent.peers.seeds(), torrent.peers.leechers())
}

fn forget<const N: usize>(table: &mut Table<N>, hash: &InfoHash, record: &Record<N>, cx: &Cx<'_>) {
    let Some((torrent, gauges)) = table.find_mut(hash, cx.keys) else { return };
    if let Some(at) = torrent.peers.position(record, cx.keys) {
        let seeds = torrent.peers.seeds();
        torrent.peers.remove(at, cx.keys);
        gauges.peers -= 1;
        gauges.seeds -= seeds - torrent.peers.seeds();
    }
}

fn count<const N: usize>(table: &Table<N>, hash: &InfoHash, keys: &Keys) -> ScrapeEntry {
    let torrent = table.find(hash, keys);
    torrent.map_or(ScrapeEntry::default(), |torrent| {
        entry(torrent.completed, torrent.peers.seeds(), torrent.peers.leechers())
    })
}

fn entry(completed: u32, seeds: usize, leechers: usize) -> ScrapeEntry {
    let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
    ScrapeEntry { seeders: count(seeds), completed, leechers: count(leechers) }
}

fn add(a: ScrapeEntry, b: ScrapeEntry) -> ScrapeEntry {
    ScrapeEntry {
        seeders: a.seeders.saturating_add(b.seeders),
        completed: a.completed.saturating_add(b.completed),
        leechers: a.leechers.saturating_add(b.leechers),
    }
}
