//! Where a record lies within the store, and what orders its versions (4.1, 4.2).

use sha2::{Digest as _, Sha256};
use throng_wire::chord::{Kind, RecordId, RingId};

/// Where one record lies: ring key, kind, and which of its kind there; in this order, so that ranges of keys and
/// the records of one key lie together. Also its id on the disk.
///
/// Of the record's own id 88 bits are kept: whoever finds two ids that agree in them, and in the key, can replace
/// one record of his own by another of his own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Locator {
    /// Its place on the ring.
    pub key: RingId,
    slot: [u8; 12],
}

impl Locator {
    /// Where the record of that key, kind and id lies.
    pub(crate) fn new(key: RingId, kind: Kind, id: RecordId) -> Locator {
        let mut slot = [kind as u8; 12];
        slot[1..].copy_from_slice(&id.0[..11]);
        Locator { key, slot }
    }

    /// The smallest at a ring position, whatever the record.
    pub(crate) const fn first(key: RingId) -> Locator {
        Locator { key, slot: [0; 12] }
    }

    /// The largest at a ring position.
    pub(crate) const fn last(key: RingId) -> Locator {
        Locator { key, slot: [0xff; 12] }
    }

    /// The smallest of a kind at a ring position.
    pub(crate) const fn first_of(key: RingId, kind: Kind) -> Locator {
        let mut slot = [0; 12];
        slot[0] = kind as u8;
        Locator { key, slot }
    }

    /// The largest of a kind at a ring position.
    pub(crate) const fn last_of(key: RingId, kind: Kind) -> Locator {
        let mut slot = [0xff; 12];
        slot[0] = kind as u8;
        Locator { key, slot }
    }

    /// The record's kind.
    pub(crate) fn kind(&self) -> Kind {
        Kind::ALL.get(usize::from(self.slot[0])).copied().unwrap_or(Kind::Immutable)
    }

    /// Whether the record of that id lies here.
    pub(crate) fn is_of(&self, id: &RecordId) -> bool {
        self.slot[1..] == id.0[..11]
    }

    /// The 32 bytes that name the record on the disk and in a digest.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..20].copy_from_slice(&self.key.0);
        bytes[20..].copy_from_slice(&self.slot);
        bytes
    }
}

/// A version: the larger wins, by sequence number, then by the hash of the value (4.2). Total, so replicas agree
/// whatever the order in which they hear of versions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Version {
    /// What the publisher counts up; of providers and postings the seconds since 1970, of entries the milliseconds.
    pub seq: u64,
    /// The first half of SHA-256(value); ordered as the whole is, up to 2⁻¹²⁸.
    pub hash: [u8; 16],
}

impl Version {
    /// The version of `value` under `seq`.
    pub(crate) fn of(seq: u64, value: &[u8]) -> Version {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(value)[..16]);
        Version { seq, hash }
    }
}
