//! The answer to our `MAGNET`: the link's length in decimal, a space, the link (section 12).

use std::io::Write;

use super::{Parsed, leading_digits};
use crate::napster::NapsterError;

/// The longest magnet link.
pub const MAX_MAGNET: usize = 8 << 10;

/// Reads the answer; `PeerTextTooLong` over [`MAX_MAGNET`], `PeerRefused` if it is none (then: `GET`).
pub fn parse_magnet_answer(bytes: &[u8]) -> Result<Parsed<&[u8]>, NapsterError> {
    if bytes.is_empty() {
        return Ok(Parsed::Incomplete);
    }
    let (length, count) = leading_digits(bytes).ok_or(NapsterError::PeerRefused)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_MAGNET);
    let length = length.ok_or(NapsterError::PeerTextTooLong)?;
    match bytes.get(count) {
        None => Ok(Parsed::Incomplete),
        Some(b' ') => {
            let end = count + 1 + length;
            Ok(bytes.get(count + 1..end).map_or(Parsed::Incomplete, |link| Parsed::Complete(link, end)))
        }
        Some(_) => Err(NapsterError::PeerRefused),
    }
}

/// Appends the answer; `PeerTextTooLong` over [`MAX_MAGNET`].
pub fn write_magnet_answer(link: &[u8], out: &mut Vec<u8>) -> Result<(), NapsterError> {
    if link.len() > MAX_MAGNET {
        return Err(NapsterError::PeerTextTooLong);
    }
    // Writing to a Vec cannot fail.
    _ = write!(out, "{} ", link.len());
    out.extend_from_slice(link);
    Ok(())
}
