//! Gnutella 0.6: handshake, messages, and what hangs on them.
//!
//! A link begins with three blocks of text ([`Handshake`]), then carries messages: a [`Header`] of 23 bytes and a payload,
//! read by kind ([`Message`]). Numbers are little-endian but for IPv4 addresses and the flags of queries. Extensions are
//! [`ggep`] blocks and [`Urn`] strings. Files are checked by SHA-1 and by a [`tiger`] tree. See
//! `docs/protocols/gnutella.md`.

mod bye;
mod error;
pub mod ggep;
mod guid;
mod handshake;
mod header;
mod hit;
mod message;
mod number;
mod ping;
mod push;
mod qrp;
mod query;
mod ranges;
#[cfg(test)]
mod tests;
pub mod thex;
pub mod tiger;
mod urn;
mod vendor;

pub use bye::{Bye, ByeCode};
pub use error::Error;
pub use guid::Guid;
pub use handshake::{Block, Handshake, HandshakeError, Headers, MAX_BLOCK, first_line};
pub use header::{Framed, HEADER, Header, Kind, MAX_PAYLOAD, frame};
pub use hit::{HitBuilder, HitFlags, QueryHit, Record, RecordBuilder};
pub use message::Message;
pub use ping::{Ping, Pong, UltrapeerSlots};
pub use push::Push;
pub use qrp::{Patch, QrpError, QrpMessage, QrpTable, Reassembly, WordHash, hash_of, reset, table_patches};
pub use query::{Query, QueryFlags};
pub use ranges::{ByteRange, parse_range};
pub use urn::{Extension, Extensions, Urn, base32, from_base32};
pub use vendor::{VendorKind, VendorMessage};
