//! Two rings become one (chord.md 2.8).

use crate::chord::contact::{Contact, Contacts};
use crate::chord::layout::layout;

layout! {
    /// There is another ring; not answered.
    pub struct MergeHint {
        /// Names the merge: a node acts on each once.
        pub epoch: u64,
        /// Somebody of the other ring.
        pub contact: Contact,
        /// Times it may still be passed on.
        pub ttl: u8,
    }

    /// Here is my stretch of our ring; answered by `MeetAck`.
    pub struct Meet<'a> {
        /// The merge.
        pub epoch: u64,
        /// The sender's predecessor.
        pub prdc: Option<Contact>,
        /// Its successors.
        pub list: Contacts<'a>,
    }

    /// Answers `Meet` with the sender's own.
    pub struct MeetAck<'a> {
        /// The merge.
        pub epoch: u64,
        /// The sender's predecessor.
        pub prdc: Option<Contact>,
        /// Its successors.
        pub list: Contacts<'a>,
    }
}
