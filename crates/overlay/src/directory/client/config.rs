//! Choices, with units, defaults and reasons.

use std::time::Duration;

use throng_wire::napster::Speed;

/// Choices for the client side of the directories: all servers together.
#[derive(Clone, Debug)]
pub struct Config {
    /// The nick asked for; where it is taken, digits are put behind it.
    pub nick: Vec<u8>,
    /// The password of the nick, sent in clear: never one that is used elsewhere.
    pub password: Vec<u8>,
    /// Register the nick with this mail address where it is free; `None` logs in without.
    pub register: Option<Vec<u8>>,
    /// What we call ourselves; peers that see `Throng/` may ask us for magnet links (section 12).
    pub client: Vec<u8>,
    /// Speed of our line as servers show it; unknown.
    pub speed: Speed,
    /// The port peers reach us at; 0 if they cannot.
    pub data_port: u16,
    /// Whether users may list our files directly; yes, as servers list them anyway.
    pub browsable: bool,
    /// Uploads at once; 4, as many fit through a home line.
    pub upload_slots: u32,
    /// Uploads at once to one nick; 2.
    pub slots_per_nick: u32,
    /// Users waiting for a slot; 64.
    pub max_waiting: usize,
    /// Directories at once; 16.
    pub max_servers: usize,
    /// Searches and browses under way or waiting on a server; 32.
    pub max_searches: usize,
    /// Hits taken from one server for one search; 1,000, as linked servers give 100 each.
    pub max_hits: u32,
    /// Files taken for one browse; 50,000, ten times what servers let a user share.
    pub max_listed: u32,
    /// Downloads at once, those that wait included; 256.
    pub max_downloads: usize,
    /// Connections between peers; 256.
    pub max_peers: usize,
    /// Connections from one address, loopback excepted; 8.
    pub max_per_address: usize,
    /// Calls of one address a minute that servers may make us do; 6.
    pub max_calls_a_minute: u32,
    /// Connecting and login; 30 s (servers give 60).
    pub login_timeout: Duration,
    /// A silent server is asked for its totals after this, and left after twice that; 150 s (they tell each 60 s).
    pub server_silence: Duration,
    /// First wait before connecting again, doubled each time; 5 s.
    pub retry_min: Duration,
    /// Longest wait before connecting again; 10 min.
    pub retry_max: Duration,
    /// How long G remembers our last session (N6); 460 s.
    pub ghost_wait: Duration,
    /// A search or browse not answered by then is over; 60 s.
    pub search_timeout: Duration,
    /// A request for a file not answered by then has failed; 60 s.
    pub request_timeout: Duration,
    /// Wait before asking a full queue again, twice that where nothing is given at all; 60 s.
    pub queue_retry: Duration,
    /// How often a full queue is asked; 30.
    pub max_queue_retries: u32,
    /// Connecting to a peer, and each of its texts; 20 s.
    pub peer_timeout: Duration,
    /// Wait for more digits where a number may not be over; 300 ms, two round trips.
    pub settle: Duration,
    /// Our extension is given up after this (section 12); 5 s.
    pub magnet_timeout: Duration,
    /// In each such while at least [`Config::min_progress`] bytes must move; 60 s.
    pub stall_timeout: Duration,
    /// See [`Config::stall_timeout`]; 4 KiB, half of a 14.4k modem's second.
    pub min_progress: u64,
    /// An accepted upload not fetched by then gives its slot to the next; 90 s.
    pub accepted_timeout: Duration,
    /// Bytes of a file handed to the driver at once; 256 KiB.
    pub chunk: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            nick: b"throng".to_vec(),
            password: b"throng".to_vec(),
            register: None,
            client: concat!("Throng/", env!("CARGO_PKG_VERSION")).into(),
            speed: Speed::UNKNOWN,
            data_port: 0,
            browsable: true,
            upload_slots: 4,
            slots_per_nick: 2,
            max_waiting: 64,
            max_servers: 16,
            max_searches: 32,
            max_hits: 1_000,
            max_listed: 50_000,
            max_downloads: 256,
            max_peers: 256,
            max_per_address: 8,
            max_calls_a_minute: 6,
            login_timeout: Duration::from_secs(30),
            server_silence: Duration::from_secs(150),
            retry_min: Duration::from_secs(5),
            retry_max: Duration::from_secs(600),
            ghost_wait: Duration::from_secs(460),
            search_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(60),
            queue_retry: Duration::from_secs(60),
            max_queue_retries: 30,
            peer_timeout: Duration::from_secs(20),
            settle: Duration::from_millis(300),
            magnet_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(60),
            min_progress: 4 << 10,
            accepted_timeout: Duration::from_secs(90),
            chunk: 256 << 10,
        }
    }
}
