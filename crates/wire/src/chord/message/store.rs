//! Reading and writing what the ring holds (chord.md 4).
//!
//! A delete is a `Put` of a tombstone. Requests that change anything need a token, which every answer brings.

use super::options::{KindSet, Outcome, Padding, PutFlags, Selector};
use super::repair::{Summary, TreeHash};
use crate::chord::RingId;
use crate::chord::contact::{Claim, Contact};
use crate::chord::layout::{Item, List, layout};
use crate::chord::record::{Record, RecordId};

/// Records a message may carry at most.
pub(super) const MAX_RECORDS: usize = 32;

layout! {
    /// What is there under this key? Answered by `Got` or `NotMine`.
    pub struct Get<'a> {
        /// The key.
        pub key: RingId,
        /// Of which kinds.
        pub kinds: KindSet,
        /// Which of them.
        pub selector: Selector<'a>,
        /// Records wanted at most.
        pub limit: u8,
        /// Where to go on, from the answer before; 0 to begin.
        pub cursor: u32,
        /// Makes the request as long as its answer may be, a few times over, before the address is proved.
        pub padding: Padding,
    }

    /// Answers `Get`.
    pub struct Got<'a> {
        /// What the sender owns.
        pub claim: Claim,
        /// Records under the key that were meant.
        pub count: u32,
        /// How full the sender is, 0 to 100.
        pub load: u8,
        /// The key's postings are spread over 2^this shards.
        pub shard_bits: u8,
        /// Seconds the answer may be kept and given to others; 0 forbids it.
        pub cache: u16,
        /// Where to go on; none at the end.
        pub next: Option<u32>,
        /// Records.
        pub records: List<'a, Held<'a>>,
        /// Records too large for a datagram: to be fetched by stream.
        pub large: List<'a, Summary>,
    }

    /// Keep these; answered by `PutAck`, again whenever more copies are known.
    pub struct Put<'a> {
        /// See [`PutFlags`].
        pub flags: PutFlags,
        /// Only if the stored version is this one; for a single record.
        pub cas: Option<u64>,
        /// The records.
        pub records: List<'a, Held<'a>>,
    }

    /// Answers `Put`, `Refresh` and `Replicate`.
    pub struct PutAck<'a> {
        /// How full the sender is, 0 to 100: above 50 refresh half as often.
        pub load: u8,
        /// The sender's clock in seconds since 1970.
        pub clock: u64,
        /// Median of how many seconds the clocks of others are ahead of the sender's.
        pub offset: i64,
        /// What became of each record, in order.
        pub results: List<'a, PutResult>,
        /// What is stored instead of a single record, if it fits.
        pub stored: Option<Held<'a>>,
    }

    /// What became of a record.
    pub struct PutResult {
        /// That.
        pub outcome: Outcome,
        /// Records under its key.
        pub count: u32,
        /// Its key's postings are spread over 2^this shards.
        pub shard_bits: u8,
    }

    /// Keep what you have for another while; answered by `PutAck`.
    pub struct Refresh<'a> {
        /// Each.
        pub items: List<'a, RefreshItem<'a>>,
    }

    /// A record with a new version and signature but an old body.
    pub struct RefreshItem<'a> {
        /// Its key.
        pub key: RingId,
        /// Which.
        pub id: RecordId,
        /// The new version; the old one to restart the time of the same.
        pub seq: u64,
        /// The new time to live in seconds.
        pub ttl: u32,
        /// First half of the SHA-256 of its value.
        pub hash: TreeHash,
        /// Over the whole record as it is now; of zeros for immutable records.
        pub signature: &'a [u8; 64],
    }

    /// Keep a copy; from the owner to the others of the replica set and from one of them to another, answered by `PutAck`.
    pub struct Replicate<'a> {
        /// What the sender owns.
        pub claim: Claim,
        /// See [`PutFlags`].
        pub flags: PutFlags,
        /// The records.
        pub records: List<'a, Held<'a>>,
    }

    /// Refusal of a node asked for a key it does not own.
    pub struct NotMine {
        /// What it owns.
        pub claim: Claim,
        /// Its predecessor, who may know better.
        pub prdc: Option<Contact>,
    }

    /// A record on its way from one store to another.
    pub struct Held<'a> {
        /// Seconds it has left where it comes from.
        pub remaining: u32,
        /// The record.
        pub record: Record<'a>,
    }
}

impl<'a> Item<'a> for Held<'a> {
    const MAX: usize = MAX_RECORDS;
}

impl Item<'_> for PutResult {
    const MAX: usize = MAX_RECORDS;
}

impl<'a> Item<'a> for RefreshItem<'a> {
    const MAX: usize = 8;
}
