//! The table of all members, kept while the ring is small enough (chord.md 3.6), and news of who comes and goes.

use super::repair::TreeNode;
use crate::chord::RingId;
use crate::chord::contact::{Contact, Contacts};
use crate::chord::layout::{Item, List, layout};

layout! {
    /// Who came and went; not answered.
    pub struct Events<'a> {
        /// Each.
        pub changes: List<'a, Change>,
    }

    /// Somebody came (or has a new incarnation) or was confirmed dead.
    pub struct Change {
        /// Who.
        pub contact: Contact,
        /// Whether it lives.
        pub alive: bool,
        /// Rounds it is still passed on.
        pub ttl: u8,
    }

    /// These are my hashes of parts of the table; answered by `TableDigestAck`.
    pub struct TableDigest<'a> {
        /// Parts and their hashes: the root, or what differed before.
        pub nodes: List<'a, TreeNode>,
    }

    /// Answers `TableDigest`.
    pub struct TableDigestAck<'a> {
        /// The sender's hashes of the children of large parts that differ.
        pub nodes: List<'a, TreeNode>,
        /// The sender's members of small parts that differ.
        pub members: Contacts<'a>,
    }

    /// Tell me all members after this place; answered by `Table`.
    pub struct GetTable {
        /// Where to begin, exclusive; none for the smallest id.
        pub after: Option<RingId>,
    }

    /// Answers `GetTable`.
    pub struct Table<'a> {
        /// Members in the order of their ids.
        pub members: Contacts<'a>,
        /// Where to go on; none at the end.
        pub next: Option<RingId>,
    }
}

impl Item<'_> for Change {
    /// More do not fit into a datagram.
    const MAX: usize = 85;
}
