//! Frames: two bytes of length and two of type, both little-endian, then the data (section 1).
//!
//! Invariant: a length over the limit is refused from its two bytes, before anything is waited for or held.

use super::NapsterError;

/// Bytes before the data of a frame.
pub const HEADER_LEN: usize = 4;

/// The most data both known servers accept in a frame (N7).
pub const MAX_DATA: usize = 2_048;

/// One frame as it lies in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message type.
    pub kind: u16,
    /// Its data, without terminator.
    pub data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of `bytes` and its length with the header; `None` if there is not all of it yet, `TooLong`
    /// if its data is over `max_data`.
    pub fn split(bytes: &'a [u8], max_data: usize) -> Result<Option<(Frame<'a>, usize)>, NapsterError> {
        let Some(length) = bytes.first_chunk().map(|length| usize::from(u16::from_le_bytes(*length))) else {
            return Ok(None);
        };
        if length > max_data {
            return Err(NapsterError::TooLong { length, limit: max_data });
        }
        let end = HEADER_LEN + length;
        let Some(([_, _, low, high, data @ ..], end)) = bytes.get(..end).map(|frame| (frame, end)) else {
            return Ok(None);
        };
        Ok(Some((Frame { kind: u16::from_le_bytes([*low, *high]), data }, end)))
    }

    /// Appends the frame as it is; `TooLong` beyond [`MAX_DATA`], with nothing appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), NapsterError> {
        write_frame(out, self.kind, |out| {
            out.extend_from_slice(self.data);
            Ok(())
        })
    }
}

/// Appends a frame whose data `fill` appends; on an error nothing is appended.
pub(super) fn write_frame(
    out: &mut Vec<u8>,
    kind: u16,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), NapsterError>,
) -> Result<(), NapsterError> {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&kind.to_le_bytes());
    let filled = fill(out).and_then(|()| {
        let length = out.len() - start - HEADER_LEN;
        let long = NapsterError::TooLong { length, limit: MAX_DATA };
        u16::try_from(length).ok().filter(|_| length <= MAX_DATA).ok_or(long)
    });
    match filled {
        Ok(length) => {
            out[start..start + 2].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}
