//! Choices, with units, defaults and reasons.

use std::time::Duration;

use throng_machine::Endpoint;
use throng_wire::gnutella::Guid;

/// Who we are, as others are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Our servent id, said in `GIV` and in lists.
    pub servent: Guid,
    /// Program and version.
    pub agent: String,
    /// Our name on FastTrack.
    pub user: String,
    /// Where we can be called; `None` if we cannot.
    pub address: Option<Endpoint>,
    /// Our supernode, told with files of FastTrack.
    pub supernode: Option<Endpoint>,
}

/// Choices for transfers.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who we are.
    pub identity: Identity,
    /// Whether the list of all files is served; yes, as searches tell it anyway.
    pub browsable: bool,
    /// Files listed at most; 20,000, some 4 MiB.
    pub max_listed: u32,
    /// Files shared at most; 1,000,000.
    pub max_shared: usize,
    /// Uploads at once; 8, as many fit through a home line twice.
    pub upload_slots: u32,
    /// Uploads at once to one address; 2, as households share one. Loopback is not counted.
    pub slots_per_address: u32,
    /// Who waits for a slot; 128.
    pub max_queue: usize,
    /// Who waits on a kept connection; 32, the rest come again.
    pub max_active_queue: usize,
    /// Wait told to the first in the queue, and half of that more for each behind; 30 s.
    pub queue_poll: Duration,
    /// The longest wait told; 5 min.
    pub queue_poll_max: Duration,
    /// A place not asked for again so long after its time is lost; 60 s.
    pub queue_patience: Duration,
    /// How long one who lost the connection while being served has the slot before all others; 45 s.
    pub slot_grace: Duration,
    /// Calls of one waiting host are so far apart; 12 s.
    pub callback_gap: Duration,
    /// Calls for one place are so far apart; 10 min.
    pub callback_again: Duration,
    /// Files of at most so many bytes need no slot; 8 KiB.
    pub small_file: u64,
    /// Connections; 256.
    pub max_connections: usize,
    /// Connections that one address opened, loopback excepted; 8.
    pub max_per_address: usize,
    /// Calls of one address a minute; 5, as gtk-gnutella bans at more.
    pub max_calls_a_minute: u32,
    /// Fetches, those that wait included; 1,024.
    pub max_fetches: usize,
    /// Sources remembered; 1,024.
    pub max_sources: usize,
    /// Requests sent before the replies to them have ended; 2, so that no round trip is lost between ranges.
    pub pipeline: usize,
    /// How often a busy source is asked again; 100.
    pub max_waits: u32,
    /// The longest a busy source may make us wait; 1 h.
    pub max_wait: Duration,
    /// Bytes of a tree taken; 4 MiB.
    pub max_tree: usize,
    /// Bytes of a list taken; 8 MiB, as it is packed as many when it comes.
    pub max_list: usize,
    /// A request or an opening line must be whole by then; 20 s.
    pub request_timeout: Duration,
    /// A connection must be made by then; 20 s.
    pub connect_timeout: Duration,
    /// A reply must have begun and its head be whole by then; 60 s, as old programs read slow disks.
    pub reply_timeout: Duration,
    /// A push must be answered by then; 60 s.
    pub push_timeout: Duration,
    /// How often a source is asked to call; 2.
    pub max_pushes: u32,
    /// A connection on which nothing is asked; 60 s.
    pub idle_timeout: Duration,
    /// The same while it holds a slot that others wait for; 15 s.
    pub idle_slot_timeout: Duration,
    /// In each such while at least [`Config::min_progress`] bytes must move; 60 s.
    pub stall_timeout: Duration,
    /// See [`Config::stall_timeout`]; 4 KiB, half of a 14.4k modem's second.
    pub min_progress: u64,
    /// Bytes of a file handed to the driver at once; 256 KiB.
    pub chunk: u32,
}

impl Config {
    /// The defaults for one of that name.
    pub fn new(identity: Identity) -> Config {
        Config {
            identity,
            browsable: true,
            max_listed: 20_000,
            max_shared: 1_000_000,
            upload_slots: 8,
            slots_per_address: 2,
            max_queue: 128,
            max_active_queue: 32,
            queue_poll: Duration::from_secs(30),
            queue_poll_max: Duration::from_secs(300),
            queue_patience: Duration::from_secs(60),
            slot_grace: Duration::from_secs(45),
            callback_gap: Duration::from_secs(12),
            callback_again: Duration::from_secs(600),
            small_file: 8 << 10,
            max_connections: 256,
            max_per_address: 8,
            max_calls_a_minute: 5,
            max_fetches: 1_024,
            max_sources: 1_024,
            pipeline: 2,
            max_waits: 100,
            max_wait: Duration::from_secs(3_600),
            max_tree: 4 << 20,
            max_list: 8 << 20,
            request_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(20),
            reply_timeout: Duration::from_secs(60),
            push_timeout: Duration::from_secs(60),
            max_pushes: 2,
            idle_timeout: Duration::from_secs(60),
            idle_slot_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(60),
            min_progress: 4 << 10,
            chunk: 256 << 10,
        }
    }
}
