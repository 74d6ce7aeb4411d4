//! Rings so small that every member knows all (chord.md 2.5).
//!
//! Tables merge row by row: the higher incarnation, then the later [`Status`], wins. So pages of a table may be merged
//! in any order; only "the whole table has arrived" needs all of them.

use crate::chord::contact::Contact;
use crate::chord::layout::{Item, List, codes, layout};

layout! {
    /// Somebody joins; from its contact to every member, answered by `SmallAck`.
    pub struct SmallAdd<'a> {
        /// Who.
        pub joiner: Contact,
        /// Which part of the sender's table this is.
        pub page: Page,
        /// The sender's table.
        pub table: List<'a, Row>,
    }

    /// Answers `SmallAdd` with the sender's table, its own pending joiners included; confirms `SmallWelcome` without one.
    pub struct SmallAck<'a> {
        /// Which part of the table this is.
        pub page: Page,
        /// The sender's table.
        pub table: List<'a, Row>,
    }

    /// You are a member; answers `JoinRead`, repeated until a `SmallAck`.
    pub struct SmallWelcome<'a> {
        /// The mode's epoch.
        pub epoch: u32,
        /// Which part of the table this is.
        pub page: Page,
        /// All members.
        pub table: List<'a, Row>,
    }

    /// I see the whole ring and want it to be a small one; answered by `CollapseAck`.
    pub struct Collapse<'a> {
        /// The mode's epoch after the change.
        pub epoch: u32,
        /// Which part of the table this is.
        pub page: Page,
        /// All the sender knows.
        pub table: List<'a, Row>,
    }

    /// Answers `Collapse`.
    pub struct CollapseAck<'a> {
        /// Whether the sender sees the whole ring too.
        pub agree: bool,
        /// The epoch asked.
        pub epoch: u32,
        /// Which part of the table this is.
        pub page: Page,
        /// All the sender knows.
        pub table: List<'a, Row>,
    }

    /// Part of a table that needs several datagrams.
    pub struct Page {
        /// From 0.
        pub index: u8,
        /// Parts in all.
        pub of: u8,
    }

    /// A member or one who was or wants to be.
    pub struct Row {
        /// Who.
        pub contact: Contact,
        /// What is known.
        pub status: Status,
    }
}

impl Page {
    /// The only part.
    pub const ONLY: Self = Self { index: 0, of: 1 };
}

impl Item<'_> for Row {
    /// More do not fit into a datagram.
    const MAX: usize = 92;
}

codes! {
    /// What a table says of a node; the later wins when tables merge.
    pub enum Status {
        /// Its join is under way.
        Pending = 0,
        /// A member.
        Live = 1,
        /// Confirmed dead or left.
        Dead = 2,
    }
}
