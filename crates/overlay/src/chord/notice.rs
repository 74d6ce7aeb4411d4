//! What the ring tells lookups and store, and they each other: queued in `Core`, delivered by the machine after each
//! input, so that no part calls into another that is in the middle of something.

use super::lookup::{FoundAt, Goal};
use super::node::Node;
use throng_wire::chord::RingId;

/// One piece of news inside a machine; `at` is a position in `Core::vnodes`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    /// A virtual node became a member of a ring.
    Member {
        /// Which.
        at: usize,
    },
    /// Its successor list, predecessor or known predecessors changed.
    ListChanged {
        /// Which.
        at: usize,
    },
    /// What it owns changed.
    RangeChanged {
        /// Which.
        at: usize,
    },
    /// It owns something from now on.
    Active {
        /// Which.
        at: usize,
    },
    /// The records of (low, high] are to be copied to a predecessor that will own them; the store answers with
    /// `Core::copied` when digests agree. At most one copy a virtual node; 30 s at most, then ownership switches anyway.
    Copy {
        /// Which gives.
        at: usize,
        /// To whom.
        to: Node,
        /// Exclusive.
        low: RingId,
        /// Inclusive.
        high: RingId,
    },
    /// The virtual node wants to leave: push what would have too few holders; the store answers `Core::handed_over`.
    HandOver {
        /// Which.
        at: usize,
    },
    /// A returning virtual node has neighbours again: ask them what it missed; the store answers `Core::caught_up`.
    CatchUp {
        /// Which.
        at: usize,
    },
    /// A node was confirmed dead.
    Dead {
        /// Which.
        node: Node,
    },
    /// A node answered nothing three times; it may live.
    Silent {
        /// Which.
        node: Node,
    },
    /// A virtual node is of no ring any more.
    Gone {
        /// Which.
        at: usize,
    },
    /// Somebody needs the owner of a key; lookups answer with `Found`.
    Look {
        /// For which virtual node.
        at: usize,
        /// The key.
        key: RingId,
        /// Who is to be told.
        goal: Goal,
        /// Begin at this node instead of our own tables: its view is asked for.
        via: Option<Node>,
    },
    /// What a lookup came to; `None` if nobody answered.
    Found {
        /// Who asked.
        goal: Goal,
        /// The owner.
        found: Option<Box<FoundAt>>,
    },
}
