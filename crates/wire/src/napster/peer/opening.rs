//! The first words of the connecting side: `GET`, `SEND`, `GETLIST`, `SENDLIST`, and our `MAGNET`.

use super::{Parsed, leading_digits};
use crate::napster::{Fields, NapsterError, Writer};

/// The longest opening: a path of 256 bytes, a nick and a number fit many times.
pub const MAX_OPENING: usize = 1_024;

/// What the connecting side wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening<'a> {
    /// A file from an offset on; answered by the full size and the data (7.1).
    Get {
        /// The downloader.
        nick: &'a [u8],
        /// Full path.
        name: &'a [u8],
        /// First byte wanted.
        offset: u64,
    },
    /// To bring a file; answered by an offset (7.3).
    Send {
        /// The uploader.
        nick: &'a [u8],
        /// Full path.
        name: &'a [u8],
        /// Full size.
        size: u64,
    },
    /// The list of our files (7.4).
    GetList,
    /// To bring the list of that user's files; lines follow.
    SendList {
        /// Whose.
        nick: &'a [u8],
    },
    /// The magnet link of a file (section 12).
    Magnet {
        /// The downloader.
        nick: &'a [u8],
        /// Full path.
        name: &'a [u8],
    },
}

impl<'a> Opening<'a> {
    /// Reads an opening from all bytes that came; `NotAnOpening` or `PeerTextTooLong` if it never will be one.
    pub fn parse(bytes: &'a [u8]) -> Result<Parsed<Self>, NapsterError> {
        let parsed = Opening::parse_any(bytes)?;
        if parsed == Parsed::Incomplete && bytes.len() >= MAX_OPENING {
            return Err(NapsterError::PeerTextTooLong);
        }
        Ok(parsed)
    }

    fn parse_any(bytes: &'a [u8]) -> Result<Parsed<Self>, NapsterError> {
        match bytes {
            b"GETLIST" => Ok(Parsed::Open(Opening::GetList, bytes.len())),
            [b'G', b'E', b'T', b'L', b'I', b'S', b'T', b'\n', ..] => {
                Ok(Parsed::Complete(Opening::GetList, 8))
            }
            [b'G', b'E', b'T', b'L', b'I', b'S', b'T', b'\r', b'\n', ..] => {
                Ok(Parsed::Complete(Opening::GetList, 9))
            }
            [b'G', b'E', b'T', args @ ..] => {
                Ok(parse_file(args, 3)?.map(|(nick, name, offset)| Opening::Get { nick, name, offset }))
            }
            [b'S', b'E', b'N', b'D', b'L', b'I', b'S', b'T', list @ ..] if !is_send_from_list(list) => {
                Ok(parse_send_list(list))
            }
            [b'S', b'E', b'N', b'D', args @ ..] => {
                Ok(parse_file(args, 4)?.map(|(nick, name, size)| Opening::Send { nick, name, size }))
            }
            [b'M', b'A', b'G', b'N', b'E', b'T', args @ ..] => parse_magnet(args),
            bytes if [&b"GET"[..], b"SEND", b"MAGNET"].iter().any(|word| word.starts_with(bytes)) => {
                Ok(Parsed::Incomplete)
            }
            _ => Err(NapsterError::NotAnOpening),
        }
    }

    /// Appends the opening as one text; `Unwritable` if a field cannot be expressed.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), NapsterError> {
        let start = out.len();
        let (word, nick, file) = match *self {
            Opening::Get { nick, name, offset } => (&b"GET"[..], nick, Some((name, Some(offset)))),
            Opening::Send { nick, name, size } => (&b"SEND"[..], nick, Some((name, Some(size)))),
            Opening::Magnet { nick, name } => (&b"MAGNET"[..], nick, Some((name, None))),
            // Without a line end: TekNap reads seven bytes and resets if one is left (P7).
            Opening::GetList => {
                out.extend_from_slice(b"GETLIST");
                return Ok(());
            }
            Opening::SendList { nick } => (&b"SENDLIST "[..], nick, None),
        };
        out.extend_from_slice(word);
        let mut writer = Writer::new(out);
        writer.word(nick);
        if let Some((name, number)) = file {
            writer.quoted(name);
            writer.maybe_long(number);
        } else {
            writer.raw(b"\n");
        }
        let written = writer.finish();
        if written.is_err() {
            out.truncate(start);
        }
        written
    }
}

/// A nick and a name, both with their ends seen, and what follows.
fn parse_nick_name(args: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut fields = Fields::new(args);
    let (nick, _) = fields.next_delimited().filter(|(_, ended)| *ended)?;
    let (name, _) = fields.next_delimited().filter(|(_, ended)| *ended)?;
    Some((nick, name, fields.remaining()))
}

/// A nick, a name and a number.
type FileArgs<'a> = (&'a [u8], &'a [u8], u64);

/// `nick "name" number` after a keyword of `keyword` bytes.
fn parse_file(args: &[u8], keyword: usize) -> Result<Parsed<FileArgs<'_>>, NapsterError> {
    let Some((nick, name, rest)) = parse_nick_name(args) else { return Ok(Parsed::Incomplete) };
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let digits = &rest[spaces..];
    if digits.is_empty() {
        return Ok(Parsed::Incomplete);
    }
    let (number, count) = leading_digits(digits).ok_or(NapsterError::NotAnOpening)?;
    let length = keyword + (args.len() - rest.len()) + spaces + count;
    // A number that begins with 0 or is followed by something else cannot go on.
    let ended = digits.len() > count || digits[0] == b'0';
    let file = (nick, name, number);
    Ok(if ended { Parsed::Complete(file, length) } else { Parsed::Open(file, length) })
}

fn parse_magnet(args: &[u8]) -> Result<Parsed<Opening<'_>>, NapsterError> {
    Ok(parse_nick_name(args).map_or(Parsed::Incomplete, |(nick, name, rest)| {
        Parsed::Complete(Opening::Magnet { nick, name }, 6 + args.len() - rest.len())
    }))
}

/// Whether it is a user called LIST who brings a file: a quoted name follows instead of a nick.
fn is_send_from_list(list: &[u8]) -> bool {
    list.iter().find(|byte| **byte != b' ').is_some_and(|byte| *byte == b'"')
}

/// ` nick LF`, or TekNap's ` LF nick LF`, after `SENDLIST`.
fn parse_send_list(list: &[u8]) -> Parsed<Opening<'_>> {
    let Some(start) = list.iter().position(|byte| !matches!(byte, b' ' | b'\r' | b'\n')) else {
        return Parsed::Incomplete;
    };
    let Some(end) = list[start..].iter().position(|byte| *byte == b'\n') else { return Parsed::Incomplete };
    let nick = list[start..start + end].trim_ascii_end();
    Parsed::Complete(Opening::SendList { nick }, 8 + start + end + 1)
}
