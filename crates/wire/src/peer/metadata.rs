//! Fetching the info dictionary from peers (BEP 9, `ut_metadata`), in blocks of 16 KiB.
//!
//! A bencoded dictionary `{msg_type, piece[, total_size]}`; in a data message the block follows it, outside of the
//! bencoding. Invariant: a block read here has exactly the length that its number and the total size imply.

use super::PeerWireError;
use super::extended::decode_dictionary;
use crate::bencode::{Encoder, Limits, Value};

/// The bytes of every block but the last.
pub const METADATA_BLOCK: u32 = 16 * 1024;
/// The largest info dictionary fetched, 30 MiB: enough for two million v1 pieces, little enough to hold.
pub const MAX_METADATA: u32 = 30 * 1024 * 1024;
/// A block, its dictionary and room for fields of a later day.
const DICTIONARY: Limits = Limits { bytes: METADATA_BLOCK as usize + 4096, depth: 4, tokens: 64 };

/// One message of the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataMessage<'a> {
    /// Asks for a block.
    Request {
        /// The block's number.
        piece: u32,
    },
    /// A block.
    Data {
        /// The block's number.
        piece: u32,
        /// The bytes of the whole info dictionary, between 1 and [`MAX_METADATA`].
        total_size: u32,
        /// The block: [`METADATA_BLOCK`] bytes, or what is left for the last.
        data: &'a [u8],
    },
    /// The block will not be sent.
    Reject {
        /// The block's number.
        piece: u32,
    },
    /// A kind of message not known yet, to be ignored.
    Unknown,
}

/// The bytes of block `piece` of a dictionary of `total_size` bytes, or `None` if there is no such block.
fn block_len(piece: u32, total_size: u32) -> Option<u32> {
    let begin = piece.checked_mul(METADATA_BLOCK)?;
    let left = total_size.checked_sub(begin).filter(|&left| left > 0)?;
    Some(left.min(METADATA_BLOCK))
}

impl<'a> MetadataMessage<'a> {
    /// Reads the payload of an extended message; `MetadataBlock` if the block does not fit its total size.
    pub fn decode(payload: &'a [u8]) -> Result<Self, PeerWireError> {
        let (document, consumed) = decode_dictionary(payload, DICTIONARY)?;
        let number = |key: &[u8]| document.root().get(key).and_then(Value::as_u64);
        let field =
            |key: &[u8]| number(key).and_then(|n| u32::try_from(n).ok()).ok_or(PeerWireError::BadField);
        match field(b"msg_type")? {
            0 => Ok(MetadataMessage::Request { piece: field(b"piece")? }),
            1 => Self::data(field(b"piece")?, field(b"total_size")?, &payload[consumed..]),
            2 => Ok(MetadataMessage::Reject { piece: field(b"piece")? }),
            _ => Ok(MetadataMessage::Unknown),
        }
    }

    fn data(piece: u32, total_size: u32, data: &'a [u8]) -> Result<Self, PeerWireError> {
        let expected = block_len(piece, total_size).filter(|_| total_size <= MAX_METADATA);
        if expected.map(|len| len as usize) != Some(data.len()) {
            return Err(PeerWireError::MetadataBlock);
        }
        Ok(MetadataMessage::Data { piece, total_size, data })
    }

    /// Appends the payload (without length, message id and extended id); nothing for `Unknown`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, piece, total_size, data) = match *self {
            MetadataMessage::Request { piece } => (0, piece, None, &[][..]),
            MetadataMessage::Data { piece, total_size, data } => (1, piece, Some(total_size), data),
            MetadataMessage::Reject { piece } => (2, piece, None, &[][..]),
            MetadataMessage::Unknown => return,
        };
        let mut encoder = Encoder::with_buffer(std::mem::take(out));
        encoder.begin_dict().entry_int("msg_type", kind).entry_int("piece", piece);
        if let Some(total_size) = total_size {
            encoder.entry_int("total_size", total_size);
        }
        encoder.end();
        *out = encoder.finish();
        out.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(message: MetadataMessage<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(&mut out);
        out
    }

    #[test]
    fn messages_have_the_bencoding_of_bep_9() {
        assert_eq!(encoded(MetadataMessage::Request { piece: 0 }), b"d8:msg_typei0e5:piecei0ee");
        assert_eq!(encoded(MetadataMessage::Reject { piece: 7 }), b"d8:msg_typei2e5:piecei7ee");
        let data = MetadataMessage::Data { piece: 0, total_size: 5, data: b"xxxxx" };
        assert_eq!(encoded(data), b"d8:msg_typei1e5:piecei0e10:total_sizei5eexxxxx");
        assert_eq!(MetadataMessage::decode(&encoded(data)), Ok(data));
    }

    #[test]
    fn an_unknown_kind_is_ignored_not_refused() {
        assert_eq!(MetadataMessage::decode(b"d8:msg_typei9e5:piecei0ee"), Ok(MetadataMessage::Unknown));
    }

    #[test]
    fn a_block_of_the_wrong_length_is_refused() {
        for payload in [
            &b"d8:msg_typei1e5:piecei0e10:total_sizei5eexxxx"[..],
            b"d8:msg_typei1e5:piecei0e10:total_sizei5eexxxxxx",
            b"d8:msg_typei1e5:piecei1e10:total_sizei5eexxxxx",
            b"d8:msg_typei1e5:piecei0e10:total_sizei0ee",
            b"d8:msg_typei1e5:piecei4294967295e10:total_sizei5eexxxxx",
        ] {
            assert_eq!(MetadataMessage::decode(payload), Err(PeerWireError::MetadataBlock));
        }
    }

    #[test]
    fn a_total_size_over_the_limit_is_refused() {
        let data = [0; METADATA_BLOCK as usize];
        let at = |total_size| MetadataMessage::Data { piece: 0, total_size, data: &data };
        assert_eq!(MetadataMessage::decode(&encoded(at(MAX_METADATA))), Ok(at(MAX_METADATA)));
        let over = encoded(at(MAX_METADATA + 1));
        assert_eq!(MetadataMessage::decode(&over), Err(PeerWireError::MetadataBlock));
    }

    #[test]
    fn missing_and_impossible_fields_are_refused() {
        for payload in [
            &b"de"[..],
            b"d8:msg_typei0ee",
            b"d8:msg_type1:05:piecei0ee",
            b"d8:msg_typei0e5:piecei-1ee",
            b"d8:msg_typei0e5:piecei4294967296ee",
            b"d8:msg_typei1e5:piecei0eexxxxx",
        ] {
            assert_eq!(MetadataMessage::decode(payload), Err(PeerWireError::BadField));
        }
        for payload in [&b""[..], b"le", b"i0e", b"d8:msg_typei0e5:piecei0e"] {
            assert_eq!(MetadataMessage::decode(payload), Err(PeerWireError::BadDictionary));
        }
    }

    #[test]
    fn a_payload_longer_than_a_block_and_its_fields_is_refused_unread() {
        let mut payload = b"d8:msg_typei0e5:piecei0ee".to_vec();
        payload.resize(DICTIONARY.bytes + 1, 0);
        assert_eq!(MetadataMessage::decode(&payload), Err(PeerWireError::BadDictionary));
    }

    proptest! {
        #[test]
        fn metadata_messages_round_trip(piece: u32, kind in 0..2, last in 1..=METADATA_BLOCK, before in 0..1900_u32) {
            let request = if kind == 0 { MetadataMessage::Request { piece } } else { MetadataMessage::Reject { piece } };
            let payload = encoded(request);
            prop_assert_eq!(MetadataMessage::decode(&payload), Ok(request));
            let block = vec![7; last as usize];
            let data =
                MetadataMessage::Data { piece: before, total_size: before * METADATA_BLOCK + last, data: &block };
            let payload = encoded(data);
            prop_assert_eq!(MetadataMessage::decode(&payload), Ok(data));
        }

        #[test]
        fn any_bytes_are_read_without_panic(payload: Vec<u8>) {
            let _ = MetadataMessage::decode(&payload);
        }
    }
}
