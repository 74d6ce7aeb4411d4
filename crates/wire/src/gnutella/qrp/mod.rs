//! Query routing (section 4.8): tables of the words a servent has, sent as a reset and patches.
//!
//! Limits: a table has at most 2^21 entries (larger ones are folded by those who take them at all; we refuse), and a
//! patch sequence inflates to the table's size exactly.

mod reassembly;
mod table;
#[cfg(test)]
mod tests;

pub use reassembly::Reassembly;
pub use table::{QrpTable, WordHash, hash_of, reset, table_patches};

use super::number::{array, u8, u32};

/// Entries of the largest table taken: 256 KiB here.
const MOST_ENTRIES: u32 = 1 << 21;
const RESET: u8 = 0;
const PATCH: u8 = 1;

/// What is wrong with a route-table message; all end the link with BYE 413.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QrpError {
    /// Cut off, or of an unknown variant.
    #[error("route table message is malformed")]
    Malformed,
    /// Entries no power of two, or more than 2^21.
    #[error("route table has a length that is none")]
    Length,
    /// Infinity 0.
    #[error("route table has infinity 0")]
    Infinity,
    /// A patch without a reset before it.
    #[error("route table patch without a reset")]
    NoReset,
    /// A sequence with wrong numbers, or whose coding changes within it.
    #[error("route table patches are out of order")]
    Sequence,
    /// Bits per entry that are none of 8, 4, 2, 1, or an unknown compressor.
    #[error("route table patch is coded in an unknown way")]
    Coding,
    /// More or less data than the table has entries, or a broken zlib stream.
    #[error("route table patch does not fit the table")]
    Size,
}

/// A route-table message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QrpMessage<'a> {
    /// Empties the table.
    Reset {
        /// Entries.
        entries: u32,
        /// Value of an absent word.
        infinity: u8,
    },
    /// Changes it.
    Patch(Patch<'a>),
}

/// A piece of a patch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patch<'a> {
    /// Number of the piece, from 1.
    pub number: u8,
    /// Pieces in all.
    pub of: u8,
    /// 0 none, 1 zlib.
    pub compressor: u8,
    /// Bits per entry.
    pub bits: u8,
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> QrpMessage<'a> {
    /// Reads a payload.
    pub fn parse(mut payload: &'a [u8]) -> Result<QrpMessage<'a>, QrpError> {
        let bytes = &mut payload;
        let malformed = |_| QrpError::Malformed;
        match u8(bytes).map_err(malformed)? {
            RESET => {
                let entries = u32(bytes).map_err(malformed)?;
                Ok(QrpMessage::Reset { entries, infinity: u8(bytes).map_err(malformed)? })
            }
            PATCH => {
                let [number, of, compressor, bits] = array(bytes).map_err(malformed)?;
                Ok(QrpMessage::Patch(Patch { number, of, compressor, bits, data: bytes }))
            }
            _ => Err(QrpError::Malformed),
        }
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            QrpMessage::Reset { entries, infinity } => {
                out.push(RESET);
                out.extend_from_slice(&entries.to_le_bytes());
                out.push(*infinity);
            }
            QrpMessage::Patch(patch) => {
                out.extend_from_slice(&[PATCH, patch.number, patch.of, patch.compressor, patch.bits]);
                out.extend_from_slice(patch.data);
            }
        }
    }
}
