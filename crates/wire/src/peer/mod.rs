//! The BitTorrent peer wire protocol, as a codec only: bytes to typed messages and back.
//!
//! Sources: BEP 3 and 52 (messages), 6 (fast extension), 9 (metadata), 10 (extension protocol), 11 (peer
//! exchange), 20 (peer ids), 21 (upload only), 40 (peer priority), 54 (don't have), 55 (holepunch).
//! Invariants: nothing here outlives a call; decoded messages borrow from the caller's bytes, and the payload of a
//! block is never copied nor waited for ([`parse_prefix`] answers after its 13-byte header); every length is checked
//! against its limit before a caller is asked to hold it.

mod allowed_fast;
pub mod client;
mod dont_have;
mod error;
mod extended;
mod frame;
mod handshake;
mod hashes;
mod holepunch;
mod message;
mod metadata;
mod pex;
mod priority;

pub use allowed_fast::allowed_fast_set;
pub use dont_have::{DONT_HAVE_LEN, decode_dont_have, encode_dont_have};
pub use error::PeerWireError;
pub use extended::{ExtendedHandshake, Extension, ExtensionIds, HANDSHAKE_ID};
pub use frame::{Limits, MAX_PIECES, Progress, decode_frame, parse_prefix};
pub use handshake::{HANDSHAKE_LEN, Handshake, HandshakeHead, PROTOCOL, Reserved};
pub use hashes::{HashRequest, Hashes, MAX_HASH_REQUEST, MAX_TREE_HEIGHT};
pub use holepunch::{Holepunch, HolepunchError, HolepunchKind};
pub use message::{Block, Message, PIECE_HEADER_LEN, encode, id, piece_header};
pub use metadata::{MAX_METADATA, METADATA_BLOCK, MetadataMessage};
pub use pex::{MAX_PEX_CONTACTS, Pex, PexFlags, encode_pex};
pub use priority::{crc32c, peer_priority};

/// Copies `N` bytes out of `bytes` at `at`, or `None` where there are too few.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// The big-endian `u32` at `at`, or `None` where there are too few bytes.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_be_bytes)
}
