//! Comparing what two stores hold, and fetching the difference (chord.md 2.10).
//!
//! A range is a 16-way tree over the digits of its keys. Whoever asks sends hashes, of the root first; the other answers
//! with its hashes of the children where they differ, or with its records where few are below.

use super::store::{Held, MAX_RECORDS};
use crate::chord::layout::{Item, List, Wire, layout, take};
use crate::chord::record::RecordId;
use crate::chord::{Error, RingId};

/// 128 bits of the SHA-256 of a stretch of the store.
pub type TreeHash = [u8; 16];

layout! {
    /// These are my hashes of a range; answered by `DigestAck`.
    pub struct Digest<'a> {
        /// Where the range begins, exclusive.
        pub low: RingId,
        /// Where it ends.
        pub high: RingId,
        /// Records of a leaf seen already, if one leaf is asked and needs several answers.
        pub skip: u16,
        /// Parts of the range and their hashes: the root, or what differed before.
        pub nodes: List<'a, TreeNode>,
    }

    /// Answers `Digest` with what differs; nothing if all is equal.
    pub struct DigestAck<'a> {
        /// Where the range begins, exclusive.
        pub low: RingId,
        /// Where it ends.
        pub high: RingId,
        /// The sender's hashes of the children of large parts that differ.
        pub nodes: List<'a, TreeNode>,
        /// The sender's records of small parts that differ.
        pub records: List<'a, Summary>,
        /// Nodes of the request, from the first, that this answers in full.
        pub answered: u8,
        /// Records of the next node given already.
        pub skip: u16,
    }

    /// Part of a digest tree.
    pub struct TreeNode {
        /// The leading digits all its keys share.
        pub prefix: Prefix,
        /// Its records.
        pub count: u32,
        /// Over all of them in order.
        pub hash: TreeHash,
    }

    /// A record without its body.
    pub struct Summary {
        /// Its key.
        pub key: RingId,
        /// Which.
        pub id: RecordId,
        /// Its version.
        pub seq: u64,
        /// First half of the SHA-256 of its value.
        pub hash: TreeHash,
    }

    /// Give me these, or everything of a range; answered by `PullAck`.
    pub struct Pull<'a> {
        /// Where the range begins, exclusive.
        pub low: RingId,
        /// Where it ends.
        pub high: RingId,
        /// Without `ids`: what follows this in the range; none to begin.
        pub after: Option<Cursor>,
        /// Which records; empty for all of the range in its order.
        pub ids: List<'a, RecordId>,
    }

    /// Answers `Pull`.
    pub struct PullAck<'a> {
        /// Records; those asked for that are missing did not fit or are not there.
        pub records: List<'a, Held<'a>>,
        /// Records too large for a datagram: to be fetched by stream.
        pub large: List<'a, Summary>,
        /// Where to go on with the range; none at its end.
        pub next: Option<Cursor>,
    }

    /// A place in the order of a range: by key from its beginning, then by id.
    pub struct Cursor {
        /// The key.
        pub key: RingId,
        /// The record.
        pub id: RecordId,
    }

    /// May I delete this range? To its owner, answered by `Confirmed` or `NotMine`.
    pub struct Confirm {
        /// Where the range begins, exclusive.
        pub low: RingId,
        /// Where it ends.
        pub high: RingId,
    }

    /// Answers `Confirm`.
    pub struct Confirmed {
        /// Hosts whose digests of the range are equal, the owner included.
        pub holders: u8,
        /// That digest.
        pub hash: TreeHash,
    }
}

/// The leading hexadecimal digits of keys: a node of a 16-way tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Prefix {
    digits: RingId,
    level: u8,
}

impl Prefix {
    /// The root: no digits.
    pub const ROOT: Self = Self { digits: RingId::MIN, level: 0 };
    /// Digits at most.
    pub const MAX_LEVEL: u8 = 40;

    /// The first `level` digits of a key; at most 40.
    pub fn of(key: RingId, level: u8) -> Self {
        let level = level.min(Self::MAX_LEVEL);
        let mut digits = key.0;
        for (at, byte) in digits.iter_mut().enumerate() {
            match (at * 2).cmp(&usize::from(level)) {
                std::cmp::Ordering::Less if at * 2 + 1 == usize::from(level) => *byte &= 0xf0,
                std::cmp::Ordering::Less => {}
                _ => *byte = 0,
            }
        }
        Self { digits: RingId(digits), level }
    }

    /// Digits.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// The smallest key with them.
    pub const fn first(self) -> RingId {
        self.digits
    }

    /// The largest key with them.
    pub fn last(self) -> RingId {
        match self.level {
            0 => RingId::MAX,
            level => self.digits.add_pow(160 - 4 * u32::from(level)).minus(RingId::power(0)),
        }
    }

    /// Whether a key has them.
    pub fn covers(self, key: RingId) -> bool {
        Self::of(key, self.level) == self
    }

    /// The node one digit longer; none below the last level.
    pub fn child(self, digit: u8) -> Option<Self> {
        if self.level >= Self::MAX_LEVEL || digit > 15 {
            return None;
        }
        let mut digits = self.digits.0;
        digits[usize::from(self.level / 2)] |= if self.level.is_multiple_of(2) { digit << 4 } else { digit };
        Some(Self { digits: RingId(digits), level: self.level + 1 })
    }
}

/// The level, then half as many bytes, rounded up.
impl<'a> Wire<'a> for Prefix {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let level = u8::read(bytes)?;
        if level > Self::MAX_LEVEL {
            return Err(Error::Value);
        }
        let mut digits = [0; 20];
        let len = usize::from(level.div_ceil(2));
        digits[..len].copy_from_slice(take(bytes, len)?);
        let prefix = Self::of(RingId(digits), level);
        if prefix.digits.0 == digits { Ok(prefix) } else { Err(Error::Value) }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.level.write(out)?;
        out.extend_from_slice(&self.digits.0[..usize::from(self.level.div_ceil(2))]);
        Ok(())
    }
}

impl Item<'_> for TreeNode {
    /// Two nodes' children, or what fits.
    const MAX: usize = 64;
}

impl Item<'_> for Summary {
    const MAX: usize = 16;
}

impl Item<'_> for RecordId {
    const MAX: usize = MAX_RECORDS;
}
