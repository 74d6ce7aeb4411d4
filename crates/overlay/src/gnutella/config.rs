//! Choices of a servent. One value serves many nodes: what differs from node to node is [`Identity`].

use crate::flood::{FlowLimits, RouteLimits};
use crate::host_cache::CacheLimits;
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_wire::gnutella::Guid;

/// What a servent is in the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// As all were in 2000: floods to everybody it is linked with. Links with its own kind only.
    Plain,
    /// Linked with a few ultrapeers, which shield it; relays nothing.
    Leaf,
    /// Linked with others of its kind and with leaves, for which it searches.
    Ultrapeer,
}

/// Which role a servent is to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleChoice {
    /// This one.
    Fixed(Role),
    /// A leaf, until it proves to be able to carry leaves and the network wants ultrapeers; a leaf again when it no longer
    /// is, or has none for long.
    Elected,
}

/// Who a servent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its id, the same over restarts; never zero.
    pub servent: Guid,
    /// Where it listens. An unspecified address is filled in by what peers say they see.
    pub listen: SocketAddrV4,
    /// The keys of its tables and tokens; drawn at random, known to nobody.
    pub key: [u64; 2],
}

/// How many of everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Ultrapeers that a leaf is linked with; 3, as the network did: two may die at once.
    pub leaf_ultrapeers: usize,
    /// Links of an ultrapeer with others; 32, the degree that dynamic querying was designed for.
    pub ultrapeers: usize,
    /// Leaves of an ultrapeer; 200.
    pub leaves: usize,
    /// Links a plain servent looks for; 4.
    pub plain: usize,
    /// Links a plain servent takes; 12.
    pub most_plain: usize,
    /// Handshakes under way, both directions; 64.
    pub handshakes: usize,
    /// Links and handshakes from one IP address that is not our own machine's; 8.
    pub per_address: usize,
    /// Attempts to connect at once; 4.
    pub attempts: usize,
    /// Searches of our own at once; 64.
    pub searches: usize,
    /// Dynamic queries at once, our own and those of leaves; 512.
    pub dynamic: usize,
    /// Hits of our own to one query; 64.
    pub hits: u32,
    /// Files of our own; 65,536.
    pub files: usize,
    /// Push routes and queries remembered.
    pub routes: RouteLimits,
    /// Flow control of a link.
    pub flow: FlowLimits,
    /// Known servents.
    pub hosts: CacheLimits,
}

/// How often and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// A handshake takes at most this long; 30 s (gtk-gnutella lets 90 s pass).
    pub handshake: Duration,
    /// A link to an ultrapeer or plain servent that was silent so long is pinged; 10 s, which gtk-gnutella needs.
    pub quiet: Duration,
    /// A link to a leaf likewise; 60 s.
    pub leaf_quiet: Duration,
    /// A ping that is not answered within this is sent again; 3 s, so that one who loses all its ultrapeers at once has
    /// others within 30 s.
    pub ping_wait: Duration,
    /// After so many unanswered pings the link is dead; 3.
    pub ping_misses: u8,
    /// A link that stood still for so long ends; 180 s.
    pub congested: Duration,
    /// Route tables are sent again at most this often; 5 s, so that what is published is found within 10 s, over the
    /// table of its leaf and then that of the ultrapeer.
    pub tables: Duration,
    /// A search of our own is asked again with a new id no sooner; gtk-gnutella drops the same words for half an hour.
    pub dynamic_per_hop: Duration,
    /// After a probe of a few ultrapeers so long is waited for each hop.
    pub dynamic_probe: Duration,
    /// A dynamic query lives at most so long; 200 s.
    pub dynamic_life: Duration,
    /// An ultrapeer that was elected and had no leaf for so long steps down; 1 h.
    pub no_leaves: Duration,
    /// A leaf that is up so long may be elected; 10 min; twice as long each time it has stepped down.
    pub election: Duration,
}

/// Choices of a servent.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Name and version as `User-Agent` tells them; not one of another program.
    pub agent: String,
    /// Its role.
    pub role: RoleChoice,
    /// The largest TTL of queries between ultrapeers; 4. Plain servents take 7.
    pub max_ttl: u8,
    /// Whether links are deflated where the other side wants it; yes. Towards leaves never: they get little.
    pub deflate: bool,
    /// Whether the handshake of 2000 is spoken with plain servents that know no other; yes, by plain servents only.
    pub old_handshake: bool,
    /// Whether an ultrapeer searches step by step (section 8); if not it floods the ultrapeers, for comparison.
    pub dynamic: bool,
    /// Entries of our route table as powers of two; 13 to 17. An ultrapeer's are as few as keep it sparse, a leaf's as
    /// many as there may be.
    pub table_bits: (u32, u32),
    /// Upload speed told in hits; kbit/s; 1,000.
    pub speed: u32,
    /// What the line of a servent must have been seen to carry upwards for it to be elected; kbit/s; 256, which is
    /// 32 KiB a second.
    pub least_capacity: u32,
    /// Hits wanted by our own searches and by leaves' (150 and 50).
    pub wanted: (u32, u32),
    /// Numbers of things.
    pub limits: Limits,
    /// Times.
    pub timing: Timing,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            leaf_ultrapeers: 3,
            ultrapeers: 32,
            leaves: 200,
            plain: 4,
            most_plain: 12,
            handshakes: 64,
            per_address: 8,
            attempts: 4,
            searches: 64,
            dynamic: 512,
            hits: 64,
            files: 1 << 16,
            routes: RouteLimits::default(),
            flow: FlowLimits::default(),
            hosts: CacheLimits::default(),
        }
    }
}

impl Default for Timing {
    fn default() -> Timing {
        let seconds = Duration::from_secs;
        Timing {
            handshake: seconds(30),
            quiet: seconds(10),
            leaf_quiet: seconds(60),
            ping_wait: seconds(3),
            ping_misses: 3,
            congested: seconds(180),
            tables: seconds(5),
            dynamic_per_hop: Duration::from_millis(2_400),
            dynamic_probe: Duration::from_millis(3_000),
            dynamic_life: seconds(200),
            no_leaves: seconds(3_600),
            election: seconds(600),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            agent: concat!("Throng/", env!("CARGO_PKG_VERSION")).to_owned(),
            role: RoleChoice::Fixed(Role::Leaf),
            max_ttl: 4,
            deflate: true,
            old_handshake: true,
            dynamic: true,
            table_bits: (13, 17),
            speed: 1_000,
            least_capacity: 256,
            wanted: (150, 50),
            limits: Limits::default(),
            timing: Timing::default(),
        }
    }
}
