//! The messages that follow the handshake (BEP 3, 5, 6, 10, 52) and how they are written.
//!
//! `length[4] id[1] payload`, all integers big-endian, the length counting the id. Messages borrow their payload. A
//! sender on the hot path writes [`piece_header`] and then the block from where it lies, not [`Message::Piece`].

use super::hashes::{HashRequest, Hashes, REQUEST_LEN};

/// The bytes of a `piece` message before its data: length, id, piece, begin.
pub const PIECE_HEADER_LEN: usize = 13;

/// The message ids.
pub mod id {
    /// The sender will not answer requests (BEP 3).
    pub const CHOKE: u8 = 0;
    /// The sender will answer requests (BEP 3).
    pub const UNCHOKE: u8 = 1;
    /// The sender wants something the receiver has (BEP 3).
    pub const INTERESTED: u8 = 2;
    /// The sender wants nothing the receiver has (BEP 3).
    pub const NOT_INTERESTED: u8 = 3;
    /// The sender has one more piece (BEP 3).
    pub const HAVE: u8 = 4;
    /// All pieces the sender has (BEP 3).
    pub const BITFIELD: u8 = 5;
    /// A block is asked for (BEP 3).
    pub const REQUEST: u8 = 6;
    /// A block (BEP 3).
    pub const PIECE: u8 = 7;
    /// A request is withdrawn (BEP 3).
    pub const CANCEL: u8 = 8;
    /// The UDP port of the sender's DHT node (BEP 5).
    pub const PORT: u8 = 9;
    /// A piece the receiver might ask for (BEP 6).
    pub const SUGGEST_PIECE: u8 = 13;
    /// The sender has every piece (BEP 6).
    pub const HAVE_ALL: u8 = 14;
    /// The sender has no piece (BEP 6).
    pub const HAVE_NONE: u8 = 15;
    /// A request will not be answered (BEP 6, BEP 52).
    pub const REJECT_REQUEST: u8 = 16;
    /// A piece the receiver may ask for while choked (BEP 6).
    pub const ALLOWED_FAST: u8 = 17;
    /// A message of an extension (BEP 10).
    pub const EXTENDED: u8 = 20;
    /// Hashes are asked for (BEP 52).
    pub const HASH_REQUEST: u8 = 21;
    /// Hashes (BEP 52).
    pub const HASHES: u8 = 22;
    /// Hashes will not be sent (BEP 52).
    pub const HASH_REJECT: u8 = 23;
}

/// A range of bytes of one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// The piece's number.
    pub piece: u32,
    /// The first byte within the piece.
    pub begin: u32,
    /// The bytes.
    pub length: u32,
}

/// One message; payloads are borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Nothing but a sign of life (a length of zero).
    KeepAlive,
    /// Requests will not be answered.
    Choke,
    /// Requests will be answered.
    Unchoke,
    /// The sender wants something.
    Interested,
    /// The sender wants nothing.
    NotInterested,
    /// The sender has this piece now.
    Have(u32),
    /// The sender's pieces, the highest bit of the first byte being piece 0.
    Bitfield(&'a [u8]),
    /// Asks for a block.
    Request(Block),
    /// A block with its bytes.
    Piece {
        /// The piece's number.
        piece: u32,
        /// The first byte within the piece.
        begin: u32,
        /// The block.
        data: &'a [u8],
    },
    /// Withdraws a request.
    Cancel(Block),
    /// The UDP port of the sender's DHT node.
    Port(u16),
    /// A piece that would be cheap to send.
    SuggestPiece(u32),
    /// The sender has every piece.
    HaveAll,
    /// The sender has no piece.
    HaveNone,
    /// The request will not be answered.
    RejectRequest(Block),
    /// A piece the receiver may ask for while choked.
    AllowedFast(u32),
    /// An extension's message, by the receiver's own number for it; 0 is the extension handshake.
    Extended {
        /// The extension's number.
        id: u8,
        /// The extension's payload.
        payload: &'a [u8],
    },
    /// Asks for hashes; the range is not checked yet, [`HashRequest::validate`] does.
    HashRequest(HashRequest),
    /// Hashes; their count is checked.
    Hashes(Hashes<'a>),
    /// The hashes will not be sent.
    HashReject(HashRequest),
    /// A message of no known id, to be ignored; its payload is dropped and so not written either.
    Unknown {
        /// The message id.
        id: u8,
    },
}

impl Message<'_> {
    /// The id on the wire, or `None` for a keep-alive.
    #[must_use]
    pub fn id(&self) -> Option<u8> {
        Some(match *self {
            Message::KeepAlive => return None,
            Message::Choke => id::CHOKE,
            Message::Unchoke => id::UNCHOKE,
            Message::Interested => id::INTERESTED,
            Message::NotInterested => id::NOT_INTERESTED,
            Message::Have(_) => id::HAVE,
            Message::Bitfield(_) => id::BITFIELD,
            Message::Request(_) => id::REQUEST,
            Message::Piece { .. } => id::PIECE,
            Message::Cancel(_) => id::CANCEL,
            Message::Port(_) => id::PORT,
            Message::SuggestPiece(_) => id::SUGGEST_PIECE,
            Message::HaveAll => id::HAVE_ALL,
            Message::HaveNone => id::HAVE_NONE,
            Message::RejectRequest(_) => id::REJECT_REQUEST,
            Message::AllowedFast(_) => id::ALLOWED_FAST,
            Message::Extended { .. } => id::EXTENDED,
            Message::HashRequest(_) => id::HASH_REQUEST,
            Message::Hashes(_) => id::HASHES,
            Message::HashReject(_) => id::HASH_REJECT,
            Message::Unknown { id } => id,
        })
    }

    /// The bytes after the id.
    fn payload_len(&self) -> usize {
        match self {
            Message::KeepAlive
            | Message::Choke
            | Message::Unchoke
            | Message::Interested
            | Message::NotInterested
            | Message::HaveAll
            | Message::HaveNone
            | Message::Unknown { .. } => 0,
            Message::Port(_) => 2,
            Message::Have(_) | Message::SuggestPiece(_) | Message::AllowedFast(_) => 4,
            Message::Request(_) | Message::Cancel(_) | Message::RejectRequest(_) => 12,
            Message::Bitfield(bits) => bits.len(),
            Message::Piece { data, .. } => 8 + data.len(),
            Message::Extended { payload, .. } => 1 + payload.len(),
            Message::HashRequest(_) | Message::HashReject(_) => REQUEST_LEN as usize,
            Message::Hashes(hashes) => REQUEST_LEN as usize + hashes.hashes.as_flattened().len(),
        }
    }
}

/// Appends `message` with its length prefix; a payload of 4 GiB or more, which no limit lets through, is a bug of
/// the caller.
pub fn encode(message: &Message<'_>, out: &mut Vec<u8>) {
    let Some(id) = message.id() else {
        out.extend_from_slice(&[0; 4]);
        return;
    };
    let length = u32::try_from(1 + message.payload_len()).expect("a message is far below 4 GiB");
    out.reserve(5 + message.payload_len());
    out.extend_from_slice(&length.to_be_bytes());
    out.push(id);
    match *message {
        Message::KeepAlive
        | Message::Choke
        | Message::Unchoke
        | Message::Interested
        | Message::NotInterested
        | Message::HaveAll
        | Message::HaveNone
        | Message::Unknown { .. } => {}
        Message::Have(piece) | Message::SuggestPiece(piece) | Message::AllowedFast(piece) => {
            out.extend_from_slice(&piece.to_be_bytes());
        }
        Message::Bitfield(bits) => out.extend_from_slice(bits),
        Message::Request(block) | Message::Cancel(block) | Message::RejectRequest(block) => {
            encode_block(block, out)
        }
        Message::Piece { piece, begin, data } => {
            out.extend_from_slice(&piece.to_be_bytes());
            out.extend_from_slice(&begin.to_be_bytes());
            out.extend_from_slice(data);
        }
        Message::Port(port) => out.extend_from_slice(&port.to_be_bytes()),
        Message::Extended { id, payload } => {
            out.push(id);
            out.extend_from_slice(payload);
        }
        Message::HashRequest(request) | Message::HashReject(request) => request.encode(out),
        Message::Hashes(hashes) => {
            hashes.request.encode(out);
            out.extend_from_slice(hashes.hashes.as_flattened());
        }
    }
}

fn encode_block(block: Block, out: &mut Vec<u8>) {
    for field in [block.piece, block.begin, block.length] {
        out.extend_from_slice(&field.to_be_bytes());
    }
}

/// The bytes that go before a block of `len` bytes, so that the block itself need not be copied; a `len` within 9 of
/// `u32::MAX`, which no limit lets through, saturates.
#[must_use]
pub fn piece_header(piece: u32, begin: u32, len: u32) -> [u8; PIECE_HEADER_LEN] {
    let mut out = [0; PIECE_HEADER_LEN];
    out[..4].copy_from_slice(&len.saturating_add(9).to_be_bytes());
    out[4] = id::PIECE;
    out[5..9].copy_from_slice(&piece.to_be_bytes());
    out[9..].copy_from_slice(&begin.to_be_bytes());
    out
}

#[cfg(test)]
#[path = "message_tests.rs"]
pub(super) mod tests;
