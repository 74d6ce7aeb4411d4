//! Saying why a link ends (section 4.7).

use super::Error;
use super::number::u16;

/// Why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ByeCode(pub u16);

impl ByeCode {
    /// The servent ends.
    pub const SHUTDOWN: ByeCode = ByeCode(200);
    /// Its user removed the link.
    pub const REMOVED: ByeCode = ByeCode(201);
    /// Room for a better peer.
    pub const LEAVING: ByeCode = ByeCode(202);
    /// It takes another role.
    pub const ROLE_CHANGE: ByeCode = ByeCode(203);
    /// Garbage, or a message too large.
    pub const BAD_MESSAGE: ByeCode = ByeCode(400);
    /// Too many duplicates.
    pub const DUPLICATES: ByeCode = ByeCode(401);
    /// Improper or too many queries.
    pub const BAD_QUERIES: ByeCode = ByeCode(402);
    /// Too much traffic of high TTL.
    pub const HIGH_TTL: ByeCode = ByeCode(403);
    /// Nothing happened, or the send queue stood, for too long.
    pub const IDLE: ByeCode = ByeCode(405);
    /// No answer to alive pings.
    pub const NOT_ALIVE: ByeCode = ByeCode(406);
    /// A route table is wrong.
    pub const BAD_TABLE: ByeCode = ByeCode(413);
    /// A leaf relayed.
    pub const LEAF_RELAYED: ByeCode = ByeCode(414);
    /// An I/O error.
    pub const IO: ByeCode = ByeCode(500);
    /// The send queue is full.
    pub const QUEUE_FULL: ByeCode = ByeCode(502);
    /// Too many links.
    pub const TOO_MANY: ByeCode = ByeCode(503);
    /// A version that is not supported.
    pub const VERSION: ByeCode = ByeCode(505);
}

/// A goodbye.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bye<'a> {
    /// Why.
    pub code: ByeCode,
    /// The same in words, without the header lines that may follow.
    pub text: &'a [u8],
}

impl<'a> Bye<'a> {
    /// Reads a payload; the text may lack its end.
    pub fn parse(mut payload: &'a [u8]) -> Result<Bye<'a>, Error> {
        let bytes = &mut payload;
        let code = ByeCode(u16(bytes)?);
        let end = bytes.iter().position(|byte| matches!(*byte, 0 | b'\r' | b'\n')).unwrap_or(bytes.len());
        Ok(Bye { code, text: &bytes[..end] })
    }

    /// Appends the payload, at most 4 KiB.
    pub fn put(&self, server: &str, out: &mut Vec<u8>) {
        let text = &self.text[..self.text.len().min(2_048)];
        out.extend_from_slice(&self.code.0.to_le_bytes());
        out.extend_from_slice(text);
        out.extend_from_slice(format!("\r\nServer: {server}\r\n\r\n\0").as_bytes());
    }
}
