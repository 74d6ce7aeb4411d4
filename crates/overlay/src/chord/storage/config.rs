//! Choices of a holder and publisher, and their reasons (the note's chapter 4 and 8.1).

use super::quota::Quotas;
use std::time::Duration;

/// How records are kept and copied.
#[derive(Clone, PartialEq, Debug)]
pub struct Storing {
    /// Limits of what is held.
    pub quotas: Quotas,
    /// Whether acknowledgements wait for `Command::Persisted`; true. Simulations that model no disk set it false and
    /// are told of no changes.
    pub durable: bool,
    /// After a change of neighbours copies are compared within this; 2 s.
    pub repair_after: Duration,
    /// After a death new copies wait for this, since most of the vanished come back; 30 s.
    pub death_wait: Duration,
    /// An owner that is new to a range asks its successor for what it lacks for this; 60 s.
    pub read_through: Duration,
    /// An owner answers a put at the latest after this, whatever the replicas say; 2.5 s.
    pub write_wait: Duration,
    /// The port at which this host's files are fetched, told in its provider records; `None`: the ring's own.
    pub service_port: Option<u16>,
    /// Records of our own that are refreshed at most; 65,536.
    pub own_records: u32,
    /// Operations of our own under way at once; 256.
    pub operations: u16,
    /// Puts a second and burst of one source address; 20 and 100.
    pub puts: (u32, u32),
    /// Puts a second and burst that all sources together may have beyond their own, by stream alone: a record costs its
    /// holder some 15 us where many come together, 60 if each signature is checked by itself; 4,000 and 16,000.
    pub spare_puts: (u32, u32),
    /// Gets a second and burst of one source address; 200 and 1,000.
    pub gets: (u32, u32),
    /// Reads of one key a second above which the holder asks readers to keep the answer; 10.
    pub hot: u32,
    /// ... and above which it answers `Busy`, so that readers go to other replicas; 200.
    pub scorching: u32,
    /// Records that a comparison moves by datagram; more go by stream; 256.
    pub by_datagram: u32,
    /// Bytes a second given by stream for copies of ranges; 4 MiB.
    pub copy_rate: u64,
}

impl Default for Storing {
    fn default() -> Storing {
        Storing {
            quotas: Quotas::default(),
            durable: true,
            repair_after: Duration::from_secs(2),
            death_wait: Duration::from_secs(30),
            read_through: Duration::from_secs(60),
            write_wait: Duration::from_millis(2_500),
            service_port: None,
            own_records: 65_536,
            operations: 256,
            puts: (20, 100),
            spare_puts: (4_000, 16_000),
            gets: (200, 1_000),
            hot: 10,
            scorching: 200,
            by_datagram: 256,
            copy_rate: 4 << 20,
        }
    }
}
