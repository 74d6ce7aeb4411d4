//! What can be wrong with bytes from a peer.
//!
//! A broken handshake or frame leaves no way to go on in the stream; a broken extension message or an impossible hash
//! range leaves the stream intact, and the caller decides between a reject, a count and a close.

use thiserror::Error;

/// Why bytes of the peer wire protocol were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeerWireError {
    /// The handshake does not start with the protocol's name (BEP 3).
    #[error("not a BitTorrent handshake")]
    NotBitTorrent,
    /// A length prefix larger than any message may have, whatever its id.
    #[error("frame of {length} bytes is over the limit of {limit}")]
    FrameTooLong {
        /// The announced length, without the prefix.
        length: u32,
        /// The largest length allowed for any message.
        limit: u32,
    },
    /// A message longer than its id allows.
    #[error("message {id} of {length} bytes is over its limit of {limit}")]
    MessageTooLong {
        /// The message id.
        id: u8,
        /// The announced length, with the id and without the prefix.
        length: u32,
        /// The largest length allowed for this id.
        limit: u32,
    },
    /// A message shorter than its id allows, or of another length than the only one it may have.
    #[error("message {id} of {length} bytes has the wrong length")]
    WrongLength {
        /// The message id.
        id: u8,
        /// The announced length, with the id and without the prefix.
        length: u32,
    },
    /// The count of hashes is not what their own request fields imply (BEP 52).
    #[error("hashes do not match their request fields")]
    HashCount,
    /// A hash range is empty, not a power of two, unaligned, too long, or outside any possible tree (BEP 52).
    #[error("hash request asks for an impossible range")]
    HashRange,
    /// The payload of an extension message is not the bencoded dictionary it should be, or is over the limits.
    #[error("extension message is not a well-formed dictionary")]
    BadDictionary,
    /// A field of an extension message is missing, of another type, or out of its range.
    #[error("extension message has a missing or impossible field")]
    BadField,
    /// A metadata block whose length, number and total size contradict each other (BEP 9).
    #[error("metadata block does not fit its total size")]
    MetadataBlock,
    /// A fixed-layout extension message of another length than its layout (BEP 54, BEP 55).
    #[error("extension message has the wrong length")]
    ExtensionLength,
    /// An unknown kind of message or of address in a holepunch message (BEP 55).
    #[error("unknown kind of holepunch message")]
    HolepunchKind,
}
