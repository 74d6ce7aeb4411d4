//! Bytes from everywhere: what a source outside the swarm is to a download.
//!
//! Web seeds, Gnutella servents, FastTrack nodes and Napster users differ in how they are asked, not in what they are
//! for: each gives ranges of one file. A download asks many at once through [`RangeSource`] and verifies what comes.

mod desk;
mod source;

pub use desk::{Desk, Order, desk};
pub use source::{RangeError, RangeSource, Ranging};
