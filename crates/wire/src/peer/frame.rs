//! Cutting a stream into messages (BEP 3), with a limit for every message id.
//!
//! Invariants: a frame over its limit is refused from its first five bytes, before the caller holds more of it; a
//! block is announced after 13 bytes and its data never passes through here.

use super::hashes::{Hashes, MAX_HASHES, REQUEST_LEN};
use super::message::{Block, Message, PIECE_HEADER_LEN, id};
use super::{HashRequest, PeerWireError, array_at, u32_at};

/// The most pieces of any torrent we load, and so the longest bitfield (256 KiB) before the metadata is known.
pub const MAX_PIECES: u32 = 2_097_152;
/// The bytes of the length prefix.
const PREFIX: usize = 4;
/// The longest message of an unknown id, which must be read past: far more than any defined message without a payload
/// of its own needs, little enough to hold.
const MAX_UNKNOWN: u32 = 64 * 1024;

/// How long messages may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The torrent's pieces, which fix the length of a bitfield; `None` while the metadata is being fetched, when
    /// any bitfield of up to [`MAX_PIECES`] is taken. Default: `None`.
    pub pieces: Option<u32>,
    /// The longest block in bytes. Default: 128 KiB, eight of the usual blocks.
    pub max_block: u32,
    /// The longest extension message in bytes, with its two ids. Default: 1 MiB.
    pub max_extended: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { pieces: None, max_block: 128 * 1024, max_extended: 1024 * 1024 }
    }
}

impl Limits {
    /// The shortest and the longest length (id included) of messages with this id.
    fn lengths(&self, id: u8) -> (u32, u32) {
        match id {
            id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => {
                (1, 1)
            }
            id::PORT => (3, 3),
            id::HAVE | id::SUGGEST_PIECE | id::ALLOWED_FAST => (5, 5),
            id::REQUEST | id::CANCEL | id::REJECT_REQUEST => (13, 13),
            id::BITFIELD => match self.pieces {
                Some(pieces) => (1 + pieces.div_ceil(8), 1 + pieces.div_ceil(8)),
                None => (1, 1 + MAX_PIECES / 8),
            },
            id::PIECE => (9, self.max_block.saturating_add(9)),
            id::EXTENDED => (2, self.max_extended),
            id::HASH_REQUEST | id::HASH_REJECT => (1 + REQUEST_LEN, 1 + REQUEST_LEN),
            id::HASHES => (1 + REQUEST_LEN, 1 + REQUEST_LEN + 32 * MAX_HASHES),
            _ => (1, MAX_UNKNOWN),
        }
    }

    /// The longest length of any message.
    fn longest(&self) -> u32 {
        let variable = [id::BITFIELD, id::PIECE, id::EXTENDED, id::HASHES, u8::MAX];
        variable.into_iter().map(|id| self.lengths(id).1).max().unwrap_or(MAX_UNKNOWN)
    }

    /// Checks the length of a frame of this id.
    fn check(&self, id: u8, length: u32) -> Result<(), PeerWireError> {
        match self.lengths(id) {
            (least, most) if (least..=most).contains(&length) => Ok(()),
            (least, most) if length > most && most > least => {
                Err(PeerWireError::MessageTooLong { id, length, limit: most })
            }
            _ => Err(PeerWireError::WrongLength { id, length }),
        }
    }
}

/// What the bytes at hand amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Nothing can be said before this many bytes, counted from the frame's start, are at hand.
    NeedMore(usize),
    /// A complete message, other than a block.
    Message {
        /// The message.
        message: Message<'a>,
        /// The bytes it took, prefix included.
        consumed: usize,
    },
    /// The 13 bytes before a block; the next `len` bytes of the stream are its data, which the caller routes itself.
    PieceHeader {
        /// The piece's number.
        piece: u32,
        /// The first byte within the piece.
        begin: u32,
        /// The bytes of data that follow the [`PIECE_HEADER_LEN`] bytes taken.
        len: u32,
    },
}

/// Reads the frame that `bytes` starts with as far as they go; an error is final for the connection.
#[inline]
pub fn parse_prefix<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Progress<'a>, PeerWireError> {
    let Some(length) = u32_at(bytes, 0) else {
        return Ok(Progress::NeedMore(PREFIX));
    };
    if length == 0 {
        return Ok(Progress::Message { message: Message::KeepAlive, consumed: PREFIX });
    }
    let Some(&id) = bytes.get(PREFIX) else {
        let limit = limits.longest();
        let fits = length <= limit;
        return if fits { Ok(Progress::NeedMore(PREFIX + 1)) } else { Err(too_long(length, limit)) };
    };
    limits.check(id, length)?;
    if id == id::PIECE {
        return Ok(piece_prefix(bytes, length));
    }
    let total = PREFIX + length as usize;
    match bytes.get(PREFIX + 1..total) {
        Some(payload) => Ok(Progress::Message { message: decode_payload(id, payload)?, consumed: total }),
        None => Ok(Progress::NeedMore(total)),
    }
}

fn too_long(length: u32, limit: u32) -> PeerWireError {
    PeerWireError::FrameTooLong { length, limit }
}

/// The header of a block whose length is already checked to be at least 9.
fn piece_prefix(bytes: &[u8], length: u32) -> Progress<'static> {
    match (u32_at(bytes, 5), u32_at(bytes, 9)) {
        (Some(piece), Some(begin)) => Progress::PieceHeader { piece, begin, len: length.saturating_sub(9) },
        _ => Progress::NeedMore(PIECE_HEADER_LEN),
    }
}

/// Reads a whole frame, a block with its data too, and says how many bytes it took; `None` while it is incomplete.
/// For tools and tests: a transfer uses [`parse_prefix`] and keeps blocks out of its buffer.
pub fn decode_frame<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Option<(Message<'a>, usize)>, PeerWireError> {
    match parse_prefix(bytes, limits)? {
        Progress::NeedMore(_) => Ok(None),
        Progress::Message { message, consumed } => Ok(Some((message, consumed))),
        Progress::PieceHeader { piece, begin, len } => {
            let total = PIECE_HEADER_LEN + len as usize;
            let data = bytes.get(PIECE_HEADER_LEN..total);
            Ok(data.map(|data| (Message::Piece { piece, begin, data }, total)))
        }
    }
}

/// Reads the payload of any message but a block, of a length [`Limits::check`] let through.
fn decode_payload(id: u8, payload: &[u8]) -> Result<Message<'_>, PeerWireError> {
    let message = match id {
        id::CHOKE => Some(Message::Choke),
        id::UNCHOKE => Some(Message::Unchoke),
        id::INTERESTED => Some(Message::Interested),
        id::NOT_INTERESTED => Some(Message::NotInterested),
        id::HAVE => u32_at(payload, 0).map(Message::Have),
        id::BITFIELD => Some(Message::Bitfield(payload)),
        id::REQUEST => decode_block(payload).map(Message::Request),
        id::CANCEL => decode_block(payload).map(Message::Cancel),
        id::PORT => array_at(payload, 0).map(|port| Message::Port(u16::from_be_bytes(port))),
        id::SUGGEST_PIECE => u32_at(payload, 0).map(Message::SuggestPiece),
        id::HAVE_ALL => Some(Message::HaveAll),
        id::HAVE_NONE => Some(Message::HaveNone),
        id::REJECT_REQUEST => decode_block(payload).map(Message::RejectRequest),
        id::ALLOWED_FAST => u32_at(payload, 0).map(Message::AllowedFast),
        id::EXTENDED => payload.split_first().map(|(&id, payload)| Message::Extended { id, payload }),
        id::HASH_REQUEST => HashRequest::decode(payload).map(Message::HashRequest),
        id::HASHES => Some(Message::Hashes(Hashes::decode(payload)?)),
        id::HASH_REJECT => HashRequest::decode(payload).map(Message::HashReject),
        _ => Some(Message::Unknown { id }),
    };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(1);
    message.ok_or(PeerWireError::WrongLength { id, length })
}

fn decode_block(payload: &[u8]) -> Option<Block> {
    Some(Block { piece: u32_at(payload, 0)?, begin: u32_at(payload, 4)?, length: u32_at(payload, 8)? })
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
