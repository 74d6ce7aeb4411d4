//! How records are to be read and written, and what became of them (chord.md 4.2 to 4.5).

use crate::chord::Error;
use crate::chord::layout::{Item, List, Wire, codes, layout, take};
use crate::chord::record::{Kind, RecordId, Term};

codes! {
    /// Which limit stands against a record.
    pub enum Limit {
        /// Bytes or records of the holder.
        Store = 1,
        /// Share of a kind.
        Kind = 2,
        /// Records under one key.
        Key = 3,
        /// Share of one publisher, in the store or in a shard.
        Publisher = 4,
        /// Share of the source's network.
        Network = 5,
        /// Puts a second of one address.
        Rate = 6,
        /// The version lies more than 15 minutes ahead of the holder's clock.
        Future = 7,
        /// It has expired.
        Expired = 8,
        /// Its signature or hash is wrong.
        Signature = 9,
        /// An announced address is not the source's.
        Source = 10,
    }
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// That many of so many hosts have it.
    Stored {
        /// Have acknowledged it.
        copies: u8,
        /// Should have it.
        of: u8,
        /// Whether each of them has it on its disk.
        durable: bool,
    },
    /// A version that wins, or another than `cas` names, is stored.
    Conflict {
        /// That version; 0 if `cas` names one and nothing is stored.
        seq: u64,
    },
    /// A limit stands against it.
    Refused {
        /// Which.
        limit: Limit,
        /// Seconds to wait; 0 if waiting does not help.
        retry_after: u32,
    },
    /// The body of a refreshed record is not there: put the whole.
    NeedBody,
    /// The key is somebody else's.
    NotMine,
}

impl<'a> Wire<'a> for Outcome {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        Ok(match u8::read(bytes)? {
            0 => Self::Stored { copies: u8::read(bytes)?, of: u8::read(bytes)?, durable: bool::read(bytes)? },
            1 => Self::Conflict { seq: u64::read(bytes)? },
            2 => Self::Refused { limit: Limit::read(bytes)?, retry_after: u32::read(bytes)? },
            3 => Self::NeedBody,
            4 => Self::NotMine,
            _ => return Err(Error::Value),
        })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Stored { copies, of, durable } => {
                out.extend_from_slice(&[0, *copies, *of]);
                durable.write(out)
            }
            Self::Conflict { seq } => {
                out.push(1);
                seq.write(out)
            }
            Self::Refused { limit, retry_after } => {
                out.push(2);
                limit.write(out)?;
                retry_after.write(out)
            }
            Self::NeedBody => 3u8.write(out),
            Self::NotMine => 4u8.write(out),
        }
    }
}

/// How a record is to be put.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PutFlags(u8);

impl PutFlags {
    /// Acknowledge only what is on the disk.
    pub const DURABLE: Self = Self(1);
    /// Do not pass it on: the client writes to the replica set itself.
    pub const LOCAL: Self = Self(2);
    /// The receiver was seen behind when it was read; no acknowledgement is needed.
    pub const REPAIR: Self = Self(4);
    /// Forwarded once already by a shard that should not hold it.
    pub const FORWARDED: Self = Self(8);
    /// Of a `Replicate`: these lie at the shard they belong to by now and need not be kept under this key.
    pub const MOVED: Self = Self(16);

    const ALL: u8 = 31;

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<'a> Wire<'a> for PutFlags {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let flags = u8::read(bytes)?;
        if flags & !Self::ALL == 0 { Ok(Self(flags)) } else { Err(Error::Value) }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.write(out)
    }
}

/// Which records of a key are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selector<'a> {
    /// None: only the token and the counts are wanted.
    None,
    /// All.
    All,
    /// Those of one publisher or writer.
    By(&'a [u8; 32]),
    /// The one of this id, unless it is this version: then nothing is answered but the count.
    Newer {
        /// Which.
        id: RecordId,
        /// The version known.
        seq: u64,
    },
    /// A sample of so many, from a place the seed decides: of providers.
    Sample(u32),
    /// Postings with all of these.
    Postings(PostingFilter<'a>),
}

layout! {
    /// Which postings are meant.
    pub struct PostingFilter<'a> {
        /// Words that must all occur among the title's and the tags'.
        pub terms: List<'a, Term<'a>>,
        /// Bytes at least.
        pub min_size: u64,
        /// Bytes at most.
        pub max_size: u64,
        /// Of this medium; 0 for any.
        pub medium: u8,
    }
}

impl<'a> Wire<'a> for Selector<'a> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        Ok(match u8::read(bytes)? {
            0 => Self::None,
            1 => Self::All,
            2 => Self::By(Wire::read(bytes)?),
            3 => Self::Newer { id: RecordId::read(bytes)?, seq: u64::read(bytes)? },
            4 => Self::Sample(u32::read(bytes)?),
            5 => Self::Postings(PostingFilter::read(bytes)?),
            _ => return Err(Error::Value),
        })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::None => 0u8.write(out),
            Self::All => 1u8.write(out),
            Self::By(key) => {
                out.push(2);
                key.write(out)
            }
            Self::Newer { id, seq } => {
                out.push(3);
                id.write(out)?;
                seq.write(out)
            }
            Self::Sample(seed) => {
                out.push(4);
                seed.write(out)
            }
            Self::Postings(filter) => {
                out.push(5);
                filter.write(out)
            }
        }
    }
}

/// Kinds of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KindSet(u8);

impl KindSet {
    /// Every kind.
    pub const ALL: Self = Self::of(Kind::ALL);

    /// These kinds.
    pub const fn of(kinds: &[Kind]) -> Self {
        let mut bits = 0;
        let mut next = kinds;
        while let [kind, rest @ ..] = next {
            bits |= 1 << *kind as u8;
            next = rest;
        }
        Self(bits)
    }

    /// Whether a kind is among them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

impl<'a> Wire<'a> for KindSet {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let bits = u8::read(bytes)?;
        if bits & !Self::ALL.0 == 0 { Ok(Self(bits)) } else { Err(Error::Value) }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.write(out)
    }
}

impl<'a> Item<'a> for Term<'a> {
    /// Words of a query.
    const MAX: usize = 12;
}

/// Zeros behind their number in 16 bits, at most [`Padding::MOST`].
///
/// An answer to an address not proved is a few times as long as the request at most: who makes the request longer is
/// answered at once and not challenged first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Padding(u16);

impl Padding {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The most zeros: with them the longest datagram is no more than three times the request.
    pub const MOST: u16 = 352;

    /// That many zeros, or as many as may be.
    pub fn of(zeros: u16) -> Self {
        Self(zeros.min(Self::MOST))
    }
}

impl<'a> Wire<'a> for Padding {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let zeros = u16::read(bytes)?;
        if zeros > Self::MOST {
            return Err(Error::TooLarge);
        }
        let body = take(bytes, usize::from(zeros))?;
        if body.iter().all(|byte| *byte == 0) { Ok(Self(zeros)) } else { Err(Error::Value) }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.write(out)?;
        out.resize(out.len() + usize::from(self.0), 0);
        Ok(())
    }
}
