//! Finding the owner of a key (chord.md 3).

use crate::chord::contact::{Contact, Contacts, Neighbour};
use crate::chord::layout::{Wire, codes, layout};
use crate::chord::{Error, RingId};

layout! {
    /// Who owns this key? Passed on hop by hop, each answered by `LookAck`; the initiator is sent `Found`.
    pub struct Look {
        /// Names the lookup; random.
        pub lookup: u64,
        /// The key.
        pub key: RingId,
        /// What it is for.
        pub purpose: Purpose,
        /// See [`LookFlags`].
        pub flags: LookFlags,
        /// Hops left; at most 64.
        pub ttl: u8,
        /// Times it was passed back to a predecessor.
        pub back: u8,
        /// Nodes contacted so far.
        pub path: u8,
        /// Nodes on the way that did not answer.
        pub timeouts: u8,
        /// Who asks.
        pub initiator: Contact,
        /// The initiator's secret: comes back in the header of `Found`.
        pub token: u64,
        /// The first hop, which knows the initiator, if `Found` is to go through it.
        pub reply_via: Option<Contact>,
    }

    /// Answers `Look` to the previous hop.
    pub struct LookAck<'a> {
        /// The lookup.
        pub lookup: u64,
        /// What becomes of it.
        pub verdict: Verdict,
        /// For `Verdict::TryOther` and `Verdict::Next`: whom to ask, best first.
        pub next: Contacts<'a>,
    }

    /// The owner's answer.
    pub struct Found<'a> {
        /// The lookup.
        pub lookup: u64,
        /// The owner and what it owns.
        pub owner: Neighbour,
        /// The owner's predecessor.
        pub prdc: Option<Contact>,
        /// Nodes contacted, the owner included.
        pub path: u8,
        /// Nodes on the way that did not answer.
        pub timeouts: u8,
        /// Nodes the owner believes the ring to have.
        pub n_est: u64,
        /// To whom a first hop passes it on; none if it goes to the initiator itself.
        pub initiator: Option<Contact>,
        /// What the initiator is to show in its next requests, as in any answer's header; 0 if this goes through its
        /// first hop, who is not to learn it.
        pub pass: u64,
        /// Who keeps copies besides the owner, in ring order.
        pub replicas: Contacts<'a>,
        /// The next nodes after the owner, for the spacing test.
        pub list: Contacts<'a>,
    }
}

codes! {
    /// What a lookup is for.
    pub enum Purpose {
        /// To store or read.
        Key = 0,
        /// To find the place of a joiner.
        Join = 1,
        /// To fill or refresh a finger.
        Finger = 2,
        /// To see whether the own id leads to oneself, here or from a stranger's view.
        Check = 3,
        /// To witness another's answer.
        Witness = 4,
    }

    /// What becomes of a lookup at a hop.
    pub enum Verdict {
        /// It was passed on, or the hop owns the key.
        Accepted = 0,
        /// The hop cannot help.
        TryOther = 1,
        /// The hop has too much to do.
        Busy = 2,
        /// In iterative mode: ask these.
        Next = 3,
    }
}

/// How a lookup is to be handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LookFlags(u8);

impl LookFlags {
    /// The receiver was named as the owner.
    pub const DIRECT: Self = Self(1);
    /// Answer with the next hops instead of passing it on.
    pub const ITERATIVE: Self = Self(2);
    /// The initiator is no member.
    pub const LEAF: Self = Self(4);

    const ALL: u8 = 7;

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These bits but those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl<'a> Wire<'a> for LookFlags {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let flags = u8::read(bytes)?;
        if flags & !Self::ALL == 0 { Ok(Self(flags)) } else { Err(Error::Value) }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.write(out)
    }
}
