//! Choices and their reasons (the note's section 8.1). `Config` is shared by all machines of a driver; `Host` is what
//! one machine has for itself.

use super::lookup::{FingerConfig, LookupConfig};
use super::storage::Storing;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::chord::IdRule;

/// How a ring is run; the same for all its members but for the timers. One `Arc` serves a million machines.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Rings of different numbers never mix; 0.
    pub net_id: u32,
    /// How ids follow from addresses; [`IdRule::Open`], as fits a LAN, loopback and the simulator.
    pub id_rule: IdRule,
    /// Length of the successor list; `None`: 2 log2 n within 16 to 40, so that half of 2^20 nodes may vanish at once.
    pub successors: Option<u8>,
    /// The base of the finger table, 2 to 16; 4: a fifth fewer hops than 2 for eight more fingers at 2^20 nodes.
    pub base: u8,
    /// Virtual nodes of a host, at most 64; 8 (p99 of stored copies 1.46 times the mean).
    pub vnodes: u8,
    /// Copies of a record; 5.
    pub replicas: u8,
    /// Copies that must be held before a put is called stored; 3.
    pub write_quorum: u8,
    /// Replicas asked for a mutable record; 3 (with the write quorum more than `replicas`).
    pub read_quorum: u8,
    /// Others asked at once for a value if the replicas that would be enough were never measured; 2.
    pub read_spare: u8,
    /// Whether ring maintenance, lookups and hand-over follow the timers below.
    pub timers: Timers,
    /// How fingers are chosen.
    pub fingers: FingerConfig,
    /// How lookups are made.
    pub lookup: LookupConfig,
    /// When the full table is kept.
    pub one_hop: OneHop,
    /// What one source may cost us.
    pub limits: Limits,
    /// How records are kept and copied.
    pub storing: Storing,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            net_id: 0,
            id_rule: IdRule::Open,
            successors: None,
            base: 4,
            vnodes: 8,
            replicas: 5,
            write_quorum: 3,
            read_quorum: 3,
            read_spare: 2,
            timers: Timers::default(),
            fingers: FingerConfig::default(),
            lookup: LookupConfig::default(),
            one_hop: OneHop::default(),
            limits: Limits::default(),
            storing: Storing::default(),
        }
    }
}

/// Periods and patience.
#[derive(Clone, PartialEq, Debug)]
pub struct Timers {
    /// Stabilisation is drawn uniformly between these; 10 to 20 s.
    pub stabilise: (Duration, Duration),
    /// Head and predecessor are pinged if silent for this; 5 s.
    pub heartbeat: Duration,
    /// First retransmission to a contact never measured; 250 ms.
    pub rto_first: Duration,
    /// Least retransmission time; 50 ms.
    pub rto_least: Duration,
    /// Greatest retransmission time before doubling; 1 s.
    pub rto_most: Duration,
    /// Unanswered sends, each after twice the time of the one before, that make a suspect; 3.
    pub sends: u8,
    /// Others asked to confirm a death; 3.
    pub relays: u8,
    /// A contact confirmed dead is not taken on hearsay for this; 60 s.
    pub dead: Duration,
    /// Old and foreign contacts are kept for this; 7 days.
    pub passive: Duration,
    /// One of them is asked for our place in its ring about every so often; 60 s.
    pub probe: Duration,
    /// A contact that did not answer such a probe waits twice as long each time, at most this; 1 h.
    pub probe_most: Duration,
    /// Own id is looked up through others about every so often; 5 min.
    pub self_check: Duration,
    /// ... and when the predecessor has not notified for this; 60 s.
    pub notify_silence: Duration,
    /// Copying before a switch of ownership takes no longer; 30 s.
    pub copy: Duration,
    /// Goodbyes are answered within this; 1 s.
    pub leave: Duration,
    /// One who left still forwards for this; 5 s.
    pub linger: Duration,
    /// A leaving node waits this long for its records to be copied; 30 s.
    pub hand_over: Duration,
    /// A node cut off from more than half of its list believes it after this; 30 s.
    pub detached: Duration,
    /// Virtual nodes join one at a time, this far apart; 10 s.
    pub vnode_every: Duration,
    /// ... and only after the first has been in a ring for this; 60 s.
    pub vnode_after: Duration,
    /// A finger is looked up anew every so often, the oldest first; 60 s.
    pub finger_refresh: Duration,
    /// Fingers are pinged this often, which keeps NAT mappings open; 25 s.
    pub finger_ping: Duration,
    /// News of who came and went is passed on after this, so that several go together; 1 s.
    pub table_spread: Duration,
    /// Tables of all members are compared with a random one about every so often; 30 s.
    pub table_digest: Duration,
    /// Lookups: patience with the first try; 1.5 s.
    pub lookup_first: Duration,
    /// ... with the second; 3 s.
    pub lookup_second: Duration,
    /// ... with paths walked hop by hop; 8 s.
    pub lookup_walk: Duration,
    /// ... and with all; 16 s: a death is certain after nine at the latest, and nobody owns the dead node's keys before.
    pub lookup_total: Duration,
    /// Records are compared with one neighbour about every so often; 300 s.
    pub repair: Duration,
    /// Nothing is deleted within this after a change of the successor list; 10 min.
    pub delete_grace: Duration,
}

impl Default for Timers {
    fn default() -> Timers {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        Timers {
            stabilise: (s(10), s(20)),
            heartbeat: s(5),
            rto_first: ms(250),
            rto_least: ms(50),
            rto_most: s(1),
            sends: 3,
            relays: 3,
            dead: s(60),
            passive: s(7 * 86_400),
            probe: s(60),
            probe_most: s(3_600),
            self_check: s(300),
            notify_silence: s(60),
            copy: s(30),
            leave: s(1),
            linger: s(5),
            hand_over: s(30),
            detached: s(30),
            vnode_every: s(10),
            vnode_after: s(60),
            finger_refresh: s(60),
            finger_ping: s(25),
            table_spread: s(1),
            table_digest: s(30),
            lookup_first: ms(1_500),
            lookup_second: s(3),
            lookup_walk: s(8),
            lookup_total: s(16),
            repair: s(300),
            delete_grace: s(600),
        }
    }
}

/// When the table of all members is kept (section 3.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OneHop {
    /// On at or below this estimate for three rounds; 3,000. 0 keeps it off.
    pub on: u32,
    /// Off above this; 4,096.
    pub off: u32,
}

impl Default for OneHop {
    fn default() -> OneHop {
        OneHop { on: 3_000, off: 4_096 }
    }
}

/// Bounds on what others can make us hold or do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Requests of ours under way at once; 4,096.
    pub pending: u16,
    /// Old and foreign contacts kept; 64.
    pub passive: u8,
    /// Contacts confirmed dead that are remembered; 64.
    pub dead: u8,
    /// Messages a second taken from a source that has not proved its address; 5, then silence for 5 minutes.
    pub unproved: u8,
    /// Sources whose rate is watched at once; 256.
    pub sources: u16,
    /// Joins a minute from one /24 (/48); 6, unlimited under [`IdRule::Open`].
    pub joins: u8,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { pending: 4_096, passive: 64, dead: 64, unproved: 5, sources: 256, joins: 6 }
    }
}

/// What one machine has for itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// The address others reach it by, port included; `None`: learnt from the first peers that answer.
    pub endpoint: Option<Endpoint>,
    /// Greater at every start of the process: its start in seconds since 1970, kept monotone on disk.
    pub incarnation: u32,
    /// Seconds since 1970 at the driver's epoch.
    pub clock: u64,
    /// Seed of the ed25519 key that signs what this node publishes.
    pub key_seed: [u8; 32],
}

impl Host {
    /// A host at `endpoint`; clock zero and a key made of the address: for tests and simulations.
    pub fn at(endpoint: Endpoint, incarnation: u32) -> Host {
        let mut key_seed = [0; 32];
        key_seed[..6].copy_from_slice(&(u64::from(endpoint.port()) << 32).to_be_bytes()[..6]);
        if let std::net::IpAddr::V4(ip) = endpoint.ip() {
            key_seed[8..12].copy_from_slice(&ip.octets());
        }
        Host { endpoint: Some(endpoint), incarnation, clock: 0, key_seed }
    }
}
