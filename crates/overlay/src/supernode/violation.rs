//! What no honest node does; the connection is closed unless said otherwise.

/// A breach of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Violation {
    /// Bytes that cannot be read: a wrong cipher, a stream out of step, a length that lies.
    Unreadable,
    /// No hello or name in time.
    TooSlow,
    /// More connections from an address than may be; refused.
    Crowd,
    /// More messages than a node could mean.
    Flood,
    /// It does not read what it asked for.
    SlowReader,
    /// More files than may be shared; the rest is ignored.
    TooManyFiles,
    /// More searches than a person could mean; answered with their end.
    QueryStorm,
    /// What only a supernode says, from an ordinary node; ignored.
    NotItsRole,
    /// Hits for a search that nobody made; ignored, and closed when it is a habit.
    Unasked,
    /// Hits that are no answers; ignored, and banned when it is a habit.
    FalseAnswer,
    /// It cannot be reached where it says it listens; not told to others.
    NotReachable,
    /// An address that may not be called on its word; ignored.
    Address,
    /// A query sent twice or meant to go too far; ignored.
    Repeated,
}

impl Violation {
    /// How many kinds there are.
    pub const COUNT: usize = Violation::Repeated as usize + 1;
}

/// How often each was seen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Violations([u64; Violation::COUNT]);

impl Violations {
    /// Counts one.
    pub(super) fn add(&mut self, violation: Violation) {
        self.0[violation as usize] += 1;
    }

    /// How often that was seen.
    pub const fn count(&self, violation: Violation) -> u64 {
        self.0[violation as usize]
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
