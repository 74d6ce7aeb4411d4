//! What the ring tells the application.

use super::{Measured, PersistId};
use crate::discovery;
use crate::discovery::Ticket;
use throng_machine::Endpoint;

/// What the application is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The node is a member.
    Joined,
    /// It has lost everyone it knew and looks for the ring again; what it stores is kept.
    Isolated,
    /// It has handed over and may stop.
    Left,
    /// Something put is held by that many hosts of the key's replica set, each of which has it on its disk.
    Stored {
        /// The put.
        ticket: Ticket,
        /// Hosts that acknowledged; at least the write quorum.
        copies: u32,
        /// Hosts that should hold it.
        of: u32,
        /// The version it was stored as.
        seq: u64,
        /// SHA-256 of an immutable value with the kind's tag: the handle to read it by.
        hash: [u8; 32],
    },
    /// What a get found; empty if there is nothing.
    Got {
        /// The get.
        ticket: Ticket,
        /// The values, newest first; providers may be several.
        values: Vec<Value>,
        /// Hosts contacted on the way to the owner, the owner included.
        hops: u32,
    },
    /// A put or get came to nothing.
    Failed {
        /// Which.
        ticket: Ticket,
        /// Why.
        failure: Failure,
    },
    /// Bring these changes to the disk, all or none, then say `Command::Persisted`: acknowledgements wait for it.
    Persist(PersistId, Vec<Change>),
    /// What `Command::Measure` came to; `None` if nobody answered.
    Measured {
        /// The number given.
        number: u32,
        /// The owner and the way there.
        measured: Option<Measured>,
    },
    /// Of a publication or search.
    Discovery(discovery::Event),
}

/// One change of what is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Keep this record under this id, in place of what is there.
    Write {
        /// Identifies the record within the store: kind, key, publisher.
        id: [u8; 32],
        /// The encoded record.
        record: Vec<u8>,
        /// Seconds until it expires.
        remaining: u32,
    },
    /// Forget the record of this id.
    Remove {
        /// Identifies it.
        id: [u8; 32],
    },
}

/// One value read from the ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Its version.
    pub seq: u64,
    /// Who signed it; zeros for immutable values.
    pub writer: [u8; 32],
    /// Of a provider: where it is reached.
    pub source: Option<Endpoint>,
}

/// Why a put or get came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The ring has not been joined.
    NotJoined,
    /// Nobody answered within the time for a lookup.
    Unanswered,
    /// Fewer hosts than the write quorum hold it; it is retried no more.
    Partial {
        /// Hosts that have it.
        copies: u32,
        /// Hosts needed.
        needed: u32,
    },
    /// A newer version is stored, or `cas` names another than the stored one.
    Conflict {
        /// The version stored.
        seq: u64,
    },
    /// A limit of the holder: which, and when to try again.
    OverQuota {
        /// The holder's words for the limit.
        limit: &'static str,
        /// Seconds to wait.
        retry_after: u32,
    },
    /// The name or value is longer than the kind allows.
    TooLarge,
    /// Too many operations at once in this node.
    Busy,
}
