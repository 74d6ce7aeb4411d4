//! Choices, with units, defaults and reasons; the same for all roles of a node.

use crate::flood::{FloodLimits, FlowLimits, RouteLimits};
use crate::host_cache::CacheLimits;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Whether a node may change between ordinary and super.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Ordinary at first; becomes a supernode when one asks it to, and ordinary again when it is not needed.
    Either,
    /// Never a supernode.
    Ordinary,
    /// Always a supernode: the operator says so.
    Super,
}

/// How often something may be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// At once, after a pause.
    pub burst: u32,
    /// One more each.
    pub every: Duration,
}

/// Settings of a node of the supernode network.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it may become.
    pub role: Role,
    /// Its user's name: 1 to 31 bytes without blank, tab, `@` or control.
    pub user: Vec<u8>,
    /// Where others reach it, if known; learnt from others otherwise.
    pub address: Option<SocketAddrV4>,
    /// The port it listens on; 0 for nowhere.
    pub port: u16,
    /// Its bandwidth in kbit/s, as told to others; 0 for unknown.
    pub kilobits: u32,
    /// Whether it is in a ring that is to be told of files and asked.
    pub ring: bool,

    /// Ordinary nodes at once that it should have; 150.
    pub slots: u16,
    /// Ordinary nodes at most; 320, so that when half of all supernodes die the others can take their nodes until there
    /// are more again.
    pub most_members: u16,
    /// Above so many ordinary nodes another supernode is looked for; 120.
    pub promote_above: u16,
    /// Below so many a supernode whose neighbours have room goes back to ordinary; 60.
    pub demote_below: u16,
    /// A supernode stays one at least so long; 10 min, so that a burst of arrivals is not a burst of changes.
    pub least_term: Duration,
    /// A candidate must have run so long, as it says; 10 min.
    pub least_uptime: Duration,
    /// And have been attached here so long, which is measured; 1 min.
    pub least_attached: Duration,
    /// A candidate must send so many kbit/s, as measured by a supernode; 256.
    pub least_kilobits: u32,
    /// A candidate must have so many MiB of memory to give; 32, twice what 150 ordinary nodes need.
    pub least_mebibytes: u32,
    /// How often a supernode looks at how many ordinary nodes it has; 10 s.
    pub balance_every: Duration,

    /// Connections at once, of all kinds; 500.
    pub max_connections: usize,
    /// Connections from one address; 32, for those behind one router.
    pub max_per_address: u32,
    /// Files of an ordinary node; 20,000, since a person may have as many.
    pub max_files: u32,
    /// Files of all together; 500,000.
    pub max_files_in_all: u32,
    /// Hits for one search of an ordinary node; 200 as Kazaa.
    pub max_hits: u16,
    /// Searches of one ordinary node under way; 32.
    pub max_searches: usize,
    /// Searches of an ordinary node; mldonkey asks for each wanted file once a minute.
    pub searches: Rate,
    /// Other messages of an ordinary node; it shares all its files in one run, one a message.
    pub messages: Rate,
    /// Pushes that one address may be named in as the one to be called, a minute; 6.
    pub max_calls_a_minute: u32,
    /// Bytes waiting for an ordinary node above which it gets no more hits; at twice this it is closed; 128 KiB.
    pub max_queue: u32,
    /// Hellos and names; 15 s.
    pub greeting_timeout: Duration,
    /// A silent ordinary node is pinged after this and closed after as long again; 120 s.
    pub member_silence: Duration,

    /// Links to other supernodes wanted; 40.
    pub links: usize,
    /// Links at most, those that others made included; 50.
    pub max_links: usize,
    /// How often links are looked after; 2 s.
    pub link_every: Duration,
    /// How often a neighbour is told of others and of the size of the network; 10 s.
    pub gossip_every: Duration,
    /// How often one link is given up for another, so that the network stays mixed; 2 min.
    pub shuffle_every: Duration,
    /// A link silent for so long is dead; 60 s. Each side says something three times as often.
    pub link_silence: Duration,
    /// Queries of one link.
    pub link_queries: Rate,
    /// Changes of the digest are told so long after the first; 1 s.
    pub digest_delay: Duration,
    /// Of queries between supernodes: a search is over in ten seconds, so ways back are remembered for two minutes, and
    /// at most 16,384 of them, half a mebibyte.
    pub flood: FloodLimits,
    /// Of each link.
    pub flow: FlowLimits,
    /// Addresses of other supernodes.
    pub cache: CacheLimits,
    /// How long neighbours whose digest fits have before others are asked; 800 ms.
    pub near_wait: Duration,
    /// How long the others have; 3 s.
    pub far_wait: Duration,
    /// How long the ring has; 5 s.
    pub ring_wait: Duration,
    /// A supernode that lied is not linked for so long; 1 h.
    pub ban: Duration,

    /// An ordinary node's connection to a supernode; 4 s.
    pub connect_timeout: Duration,
    /// Supernodes called at once; 3.
    pub calls_at_once: usize,
    /// Supernodes an ordinary node remembers; 24, as half of them may be dead.
    pub known: usize,
    /// An ordinary node pings its supernode when it was silent for so long, and leaves after as long again; 8 s.
    pub silence: Duration,
    /// First wait when no supernode takes it, doubled each time; 1 s.
    pub retry_min: Duration,
    /// Longest such wait; 60 s.
    pub retry_max: Duration,
}

impl Default for Config {
    fn default() -> Config {
        let second = Duration::from_secs(1);
        Config {
            role: Role::Either,
            user: b"throng".to_vec(),
            address: None,
            port: 0,
            kilobits: 0,
            ring: false,
            slots: 150,
            most_members: 320,
            promote_above: 120,
            demote_below: 60,
            least_term: 600 * second,
            least_uptime: 600 * second,
            least_attached: 60 * second,
            least_kilobits: 256,
            least_mebibytes: 32,
            balance_every: 10 * second,
            max_connections: 500,
            max_per_address: 32,
            max_files: 20_000,
            max_files_in_all: 500_000,
            max_hits: 200,
            max_searches: 32,
            searches: Rate { burst: 40, every: second },
            messages: Rate { burst: 22_000, every: second / 20 },
            max_calls_a_minute: 6,
            max_queue: 128 << 10,
            greeting_timeout: 15 * second,
            member_silence: 120 * second,
            links: 40,
            max_links: 50,
            link_every: 2 * second,
            gossip_every: 10 * second,
            shuffle_every: 120 * second,
            link_silence: 60 * second,
            link_queries: Rate { burst: 1_000, every: second / 200 },
            digest_delay: second,
            flood: FloodLimits {
                span: 4,
                most_span: 8,
                routes: RouteLimits { age: 120 * second, entries: 1 << 14 },
            },
            flow: FlowLimits { window: 64 << 10, waiting: 512 << 10 },
            cache: CacheLimits { hosts: 256, first_wait: 5 * second, ..CacheLimits::default() },
            near_wait: second * 4 / 5,
            far_wait: 3 * second,
            ring_wait: 5 * second,
            ban: 3_600 * second,
            connect_timeout: 4 * second,
            calls_at_once: 3,
            known: 24,
            silence: 8 * second,
            retry_min: second,
            retry_max: 60 * second,
        }
    }
}
