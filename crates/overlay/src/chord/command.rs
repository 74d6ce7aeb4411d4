//! What the application may ask of the ring.

use super::LookupMode;
use crate::discovery;
use crate::discovery::Ticket;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::chord::RingId;

/// What the application may ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Become a member; records kept over a restart were given by [`Command::Restore`] before.
    Start(Start),
    /// Hand everything over, say goodbye; answered by `Event::Left`.
    Leave,
    /// Store something; answered by `Event::Stored` or `Event::Failed`.
    Put(Ticket, Put),
    /// Read something; answered by `Event::Got` or `Event::Failed`.
    Get(Ticket, Want),
    /// Publish, withdraw, find and cancel in the vocabulary all overlays share.
    Discovery(discovery::Command),
    /// What `Event::Persist` asked is on the disk, or could not be brought there.
    Persisted(PersistId, bool),
    /// Look a key up, for the sake of the way there; answered by `Event::Measured`.
    Measure {
        /// Comes back with the answer.
        number: u32,
        /// What to look up.
        key: RingId,
        /// How.
        mode: LookupMode,
    },
    /// A record found on the disk at the start, as `Change::Write` gave it, with the seconds of life it has left.
    Restore {
        /// The encoded record.
        record: Vec<u8>,
        /// Seconds until it expires.
        remaining: u32,
    },
}

/// How a node enters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// The first node of a new ring.
    New,
    /// Join the ring that any of these belongs to; asked again until one answers.
    Join(Vec<Endpoint>),
    /// Begin a ring together with these, our own address among them or not: it begins once all have answered. If any
    /// of them is of a ring already, join that. At most 40; each is given the same list.
    Together(Vec<Endpoint>),
}

/// What is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Put {
    /// A named value in the ring as a database: the last write wins, each writer's newest is kept.
    Entry {
        /// The key as people type it; at most 255 bytes.
        name: Vec<u8>,
        /// At most 1,000 bytes.
        value: Vec<u8>,
        /// How long it is kept unless written again; refreshed by this node while it runs.
        ttl: Duration,
    },
    /// Removes what this node wrote under a name.
    Remove {
        /// The key.
        name: Vec<u8>,
    },
    /// A value named by its own hash; at most 64 KiB.
    Immutable {
        /// The bytes.
        value: Vec<u8>,
    },
    /// The newest version of something only the holder of this node's key may change (BEP 44's idea).
    Mutable {
        /// Which of the key's values; at most 64 bytes.
        salt: Vec<u8>,
        /// At most 1,000 bytes.
        value: Vec<u8>,
        /// Only if the stored version is this one.
        cas: Option<u64>,
    },
}

/// What is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Want {
    /// The newest value under a name, of this writer's if one is given.
    Entry {
        /// The key.
        name: Vec<u8>,
        /// An ed25519 public key.
        writer: Option<[u8; 32]>,
    },
    /// The value whose SHA-256 (with the kind's tag) this is.
    Immutable([u8; 32]),
    /// The newest version of a mutable value.
    Mutable {
        /// Whose.
        key: [u8; 32],
        /// Which.
        salt: Vec<u8>,
    },
    /// Who has an item, by its content id (the BEP 52 root).
    Providers([u8; 32]),
}

/// Names something that is to reach the disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PersistId(pub u64);
