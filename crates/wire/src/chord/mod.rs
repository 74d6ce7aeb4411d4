//! The ring: positions, datagrams, records and the stream of the Chord strategy (`docs/protocols/chord.md`).
//!
//! Decoded messages borrow from the datagram and allocate nothing; every value has one encoding only.

mod contact;
mod error;
mod header;
mod id;
mod layout;
mod message;
mod record;
mod stream;
#[cfg(test)]
mod tests;

pub use contact::{Claim, Contact, Contacts, Mode, Neighbour};
pub use error::Error;
pub use header::{Flags, HEADER_LEN, Header, MAGIC, VERSION};
pub use id::{BITS, IdRule, MAX_VNODES, PREFIX_SLOTS, RingId, btw, dist, own, ring_size};
pub use layout::{Item, Iter, List, Wire};
pub use message::*;
pub use record::*;
pub use stream::*;
