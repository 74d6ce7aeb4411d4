//! Answers in digits: the size to a `GET`, the offset to a `SEND`, or a refusal in words (7.1 to 7.3).

use super::{Opening, Parsed, leading_digits};
use crate::napster::NapsterError;

/// A refusal in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nick or file were not agreed through the server, or the arguments were not whole.
    InvalidRequest,
    /// The file is not there.
    FileNotFound,
    /// The file is not shared.
    FileNotShared,
    /// The file was not asked for.
    FileNotRequested,
    /// Any other text.
    Other,
}

impl Refusal {
    const TEXTS: [(Refusal, &'static [u8]); 4] = [
        (Refusal::InvalidRequest, b"INVALID REQUEST"),
        (Refusal::FileNotFound, b"FILE NOT FOUND"),
        (Refusal::FileNotShared, b"FILE NOT SHARED"),
        (Refusal::FileNotRequested, b"FILE NOT REQUESTED"),
    ];

    /// What to send.
    pub fn text(self) -> &'static [u8] {
        Refusal::TEXTS
            .iter()
            .find(|(refusal, _)| *refusal == self)
            .map_or(b"INVALID REQUEST", |(_, text)| *text)
    }

    /// Reads a refusal; one that is none of the known texts is whole at once.
    fn parse(bytes: &[u8]) -> Parsed<Refusal> {
        if let Some((refusal, text)) = Refusal::TEXTS.iter().find(|(_, text)| bytes.starts_with(text)) {
            return Parsed::Complete(*refusal, text.len());
        }
        if Refusal::TEXTS.iter().any(|(_, text)| text.starts_with(bytes)) {
            return Parsed::Incomplete;
        }
        Parsed::Complete(Refusal::Other, bytes.len())
    }
}

/// The answer to a `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeAnswer {
    /// The file's full size; data follow.
    Size(u64),
    /// No.
    Refused(Refusal),
}

/// Reads the size. Nothing marks where its digits end, and the data may begin with one: so the promised size is
/// compared first, and only if it differs the digits run to the first other byte.
pub fn parse_size(bytes: &[u8], promised: Option<u64>) -> Result<Parsed<SizeAnswer>, NapsterError> {
    let Some(first) = bytes.first() else { return Ok(Parsed::Incomplete) };
    if !first.is_ascii_digit() {
        return Ok(Refusal::parse(bytes).map(SizeAnswer::Refused));
    }
    if let Some(size) = promised {
        let text = size.to_string();
        if bytes.starts_with(text.as_bytes()) {
            return Ok(Parsed::Complete(SizeAnswer::Size(size), text.len()));
        }
        if text.as_bytes().starts_with(bytes) {
            return Ok(Parsed::Incomplete);
        }
    }
    let (size, count) = leading_digits(bytes).ok_or(NapsterError::OutOfRange)?;
    Ok(match bytes.len() > count {
        true => Parsed::Complete(SizeAnswer::Size(size), count),
        false => Parsed::Open(SizeAnswer::Size(size), count),
    })
}

/// The answer to a `SEND`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetAnswer<'a> {
    /// Send from that byte on.
    Offset(u64),
    /// The magnet link will do (section 12).
    Magnet {
        /// The downloader.
        nick: &'a [u8],
        /// Full path.
        name: &'a [u8],
    },
    /// No.
    Refused(Refusal),
}

/// Reads the offset into a file of `size` bytes; whole at once where another digit would lead beyond its end.
pub fn parse_offset(bytes: &[u8], size: u64) -> Result<Parsed<OffsetAnswer<'_>>, NapsterError> {
    match bytes.first() {
        None => Ok(Parsed::Incomplete),
        Some(b'M') => Ok(Opening::parse(bytes)?.map(|opening| match opening {
            Opening::Magnet { nick, name } => OffsetAnswer::Magnet { nick, name },
            _ => OffsetAnswer::Refused(Refusal::Other),
        })),
        Some(first) if first.is_ascii_digit() => {
            let (offset, count) = leading_digits(bytes).ok_or(NapsterError::OutOfRange)?;
            let ended = bytes.len() > count || *first == b'0' || offset.saturating_mul(10) >= size;
            let answer = OffsetAnswer::Offset(offset);
            Ok(if ended { Parsed::Complete(answer, count) } else { Parsed::Open(answer, count) })
        }
        Some(_) => Ok(Refusal::parse(bytes).map(OffsetAnswer::Refused)),
    }
}
