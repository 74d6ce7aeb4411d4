//! Choices, with units, defaults and reasons.

use std::time::Duration;

/// Choices for a swarm machine: all torrents together.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our peer id, 20 bytes; the application draws its random part.
    pub peer_id: [u8; 20],
    /// The port we listen on, told to trackers and peers; 0 if we don't listen.
    pub listen_port: u16,
    /// What we call ourselves in the extension handshake.
    pub client: String,
    /// Bytes a second uploaded over all torrents, payload only; unlimited.
    pub upload_limit: Option<u64>,
    /// Bytes a second requested over all torrents, payload only; unlimited.
    pub download_limit: Option<u64>,
    /// Connections in all; 500, within the usual limit of 1,024 open files.
    pub max_connections: usize,
    /// Connections a torrent; 80, where more peers no longer bring more pieces.
    pub max_connections_per_torrent: usize,
    /// Connection attempts under way; 30, so that home routers keep up.
    pub max_half_open: usize,
    /// Connections from one address, loopback excepted; 4, as several people may share one.
    pub max_per_address: usize,
    /// Addresses remembered a torrent; 2,000 (about 80 KiB).
    pub max_known_peers: usize,
    /// Bytes of pieces begun but not yet verified; 24 MiB, what a fast link has under way.
    pub max_partial_bytes: u64,
    /// Requests we hold for one peer before refusing; 1,000 (told as `reqq`).
    pub max_requests_per_peer: usize,
    /// Bytes handed to the driver for one peer and not yet flushed; 1 MiB keeps any socket buffer full.
    pub max_unflushed: u32,
    /// A handshake not finished by then is closed; 10 s.
    pub handshake_timeout: Duration,
    /// A peer silent for this long is closed; 125 s, as keep-alives come every 2 minutes (BEP 3).
    pub idle_timeout: Duration,
    /// A peer that owes blocks and sends none for this long is snubbed; 20 s.
    pub snub_timeout: Duration,
    /// Queueing delay aimed at when sizing request windows; 150 ms.
    pub queue_delay: Duration,
    /// Period of the choker; 10 s (BEP 3).
    pub choke_interval: Duration,
    /// Peers unchoked at once, the optimistic one included; `None` computes it from the upload limit.
    pub upload_slots: Option<usize>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            peer_id: *b"-Tg0100-000000000000",
            listen_port: 0,
            client: String::from("throng 0.1.0"),
            upload_limit: None,
            download_limit: None,
            max_connections: 500,
            max_connections_per_torrent: 80,
            max_half_open: 30,
            max_per_address: 4,
            max_known_peers: 2_000,
            max_partial_bytes: 24 << 20,
            max_requests_per_peer: 1_000,
            max_unflushed: 1 << 20,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(125),
            snub_timeout: Duration::from_secs(20),
            queue_delay: Duration::from_millis(150),
            choke_interval: Duration::from_secs(10),
            upload_slots: None,
        }
    }
}

/// Choices for one torrent.
#[derive(Clone, Debug, Default)]
pub struct TorrentOptions {
    /// Begin stopped.
    pub paused: bool,
    /// Super-seeding (BEP 16): show each peer one piece at a time while we are the only seed.
    pub super_seed: bool,
    /// Private (BEP 27): peers only from trackers and from the person.
    pub private: bool,
    /// Upload only: never ask for pieces.
    pub upload_only: bool,
}
