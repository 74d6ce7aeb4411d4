//! What an operator may set.

use std::time::Duration;

/// Limits and intervals of a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Time between announces that clients are asked for; default 30 min, what public trackers ask for.
    pub interval: Duration,
    /// Time before which clients are asked not to come again (HTTP only); default 1 min, so that whoever was first in a
    /// swarm need not wait long for the second.
    pub min_interval: Duration,
    /// How long a peer that does not announce is kept; default 65 min, two announces and some delay. At most 24 h.
    pub peer_ttl: Duration,
    /// Time in which the whole store is swept for peers that have gone; default 2 min. Bounds how stale answers are.
    pub sweep_period: Duration,
    /// Peers given to a client that names no number; default 50.
    pub default_num_want: u32,
    /// Most peers given over UDP and IPv4; default 200 (1,220 bytes: no fragment on any path).
    pub max_num_want_udp_v4: u32,
    /// Most peers given over UDP and IPv6; default 60 (1,100 bytes).
    pub max_num_want_udp_v6: u32,
    /// Most peers of each family given over HTTP; default 200.
    pub max_num_want_http: u32,
    /// Most swarms of one HTTP scrape; default 74, as over UDP. A scrape of everything is never answered.
    pub max_scrape_http: usize,
    /// Most torrents known, per family; default 4 million (about 0.5 GB if all are small).
    pub max_torrents: usize,
    /// Most peers known, per family; default 20 million (about 0.4 GB).
    pub max_peers: usize,
    /// Most peers of one torrent, per family; default 100,000. A full swarm still answers, but keeps no more.
    pub max_peers_per_torrent: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30 * 60),
            min_interval: Duration::from_secs(60),
            peer_ttl: Duration::from_secs(65 * 60),
            sweep_period: Duration::from_secs(120),
            default_num_want: 50,
            max_num_want_udp_v4: 200,
            max_num_want_udp_v6: 60,
            max_num_want_http: 200,
            max_scrape_http: 74,
            max_torrents: 4_000_000,
            max_peers: 20_000_000,
            max_peers_per_torrent: 100_000,
        }
    }
}
