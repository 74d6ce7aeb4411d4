//! The line a connection begins with when the uploader opened it: GIV, GIVE, QUEUE (11.6, 11.8; 9 of FastTrack's).

use super::{QueueId, parse_address};
use crate::gnutella::Guid;
use std::net::SocketAddr;

/// Bytes of such a line at most; a GIV has a file's name in it.
pub const MAX_OPENING: usize = 1_024;

/// Why somebody called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening<'a> {
    /// `GIV INDEX:SERVENT/NAME`: answers a push.
    Giv {
        /// The number said in the push.
        index: u32,
        /// Who calls.
        servent: Guid,
        /// Any name.
        name: &'a [u8],
    },
    /// `GIVE NUMBER`: answers a push of FastTrack.
    Give(u32),
    /// `QUEUE ID ADDRESS`: it is our turn.
    Queue {
        /// Our place.
        id: QueueId,
        /// Where the server listens.
        at: Option<SocketAddr>,
    },
}

impl<'a> Opening<'a> {
    /// Reads the line at the start of bytes, and how many bytes it took; `None` if more must come. An error if it is
    /// none or longer than [`MAX_OPENING`].
    pub fn parse(bytes: &'a [u8]) -> Result<Option<(Opening<'a>, usize)>, super::HttpError> {
        let Some(end) = bytes.iter().take(MAX_OPENING).position(|byte| *byte == b'\n') else {
            let long = bytes.len() >= MAX_OPENING;
            return if long { Err(super::HttpError::TooLong) } else { Ok(None) };
        };
        let line = bytes[..end].trim_ascii_end();
        Opening::read(line).map(|opening| Some((opening, end + 1))).ok_or(super::HttpError::Malformed)
    }

    fn read(line: &'a [u8]) -> Option<Opening<'a>> {
        if let Some(rest) = line.strip_prefix(b"GIV ") {
            let colon = rest.iter().position(|byte| *byte == b':')?;
            let (servent, name) = rest.get(colon + 1..)?.split_at_checked(32)?;
            let index = std::str::from_utf8(&rest[..colon]).ok()?.trim().parse().ok()?;
            return Some(Opening::Giv {
                index,
                servent: Guid::from_hex(servent)?,
                name: name.strip_prefix(b"/")?,
            });
        }
        let text = std::str::from_utf8(line).ok()?;
        if let Some(number) = text.strip_prefix("GIVE ") {
            return number.trim().parse().ok().map(Opening::Give);
        }
        let mut words = text.strip_prefix("QUEUE ")?.split_whitespace();
        Some(Opening::Queue { id: QueueId::parse(words.next()?)?, at: words.next().and_then(parse_address) })
    }

    /// Whether bytes begin, or may go on, as such a line or as a request.
    pub fn is_spoken(bytes: &[u8]) -> Option<bool> {
        const STARTS: [&[u8]; 5] = [b"GET ", b"HEAD ", b"GIV ", b"GIVE ", b"QUEUE "];
        if STARTS.iter().any(|start| bytes.starts_with(start)) {
            return Some(true);
        }
        if STARTS.iter().any(|start| start.starts_with(bytes)) { None } else { Some(false) }
    }

    /// Appends the line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Opening::Giv { index, servent, name } => {
                out.extend_from_slice(format!("GIV {index}:{}/", servent.hex().to_lowercase()).as_bytes());
                out.extend(name.iter().filter(|byte| !byte.is_ascii_control()).take(MAX_OPENING / 2));
                out.extend_from_slice(b"\n\n");
            }
            Opening::Give(number) => out.extend_from_slice(format!("GIVE {number}\r\n").as_bytes()),
            Opening::Queue { id, at } => {
                let at = at.map(|at| format!(" {at}")).unwrap_or_default();
                out.extend_from_slice(format!("QUEUE {id}{at}\r\n").as_bytes());
            }
        }
    }
}
