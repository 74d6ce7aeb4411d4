//! What our supernodes say to each other (docs/protocols/supernode.md); the historical protocol is not public.
//!
//! One TCP connection: both sides send a [`Preamble`] of fixed length, whose first four bytes no FastTrack node, HTTP
//! client or other peer of ours begins with, then [`Frame`]s that hold [`Message`]s. Files, hits and terms are written
//! as FastTrack writes them, so that a supernode passes them on without reading more than it must. Numbers are
//! big-endian.
//!
//! Limits: bodies of 65,535 bytes; lists of [`MAX_KNOWN`] addresses and [`MAX_SKETCH`] marks; a digest of
//! 2^[`MAX_DIGEST_LOG2`] bits.

mod digest;
mod frame;
mod message;
mod ours;
mod preamble;
#[cfg(test)]
mod tests;

pub use crate::fasttrack::Error;
pub use digest::{DigestPart, MAX_DIGEST_LOG2, MIN_DIGEST_LOG2, Toggles};
pub use frame::{Frame, HEAD, MAX_BODY};
pub use message::{Guid, MAX_KNOWN, MAX_SKETCH, Mark, Message, Query, Reply, Sketch, Standing};
pub use ours::{Candidate, OURS, Ours};
pub use preamble::{MAGIC, Preamble, Purpose, VERSION};
