//! Bytes from everywhere: what a source outside the swarm is to a download.
//!
//! Web seeds, Gnutella servents, FastTrack nodes and Napster users differ in how they are asked, not in what they are
//! for: each gives ranges of one file. A download asks many at once through [`RangeSource`] and verifies what comes.

mod desk;
mod error;
pub(crate) mod patience;
mod plain;
mod plan;
mod source;
mod store;
#[cfg(test)]
mod tests;

pub use desk::{Desk, Order, desk};
pub use error::RangeError;
pub use plain::{PlainDownload, PlainProof, PlainSnapshot, PlainSource, PlainState, PlainWish};
pub use source::{RangeSource, Ranging, Said};
