//! The 23 bytes before every payload (section 1 of the note).

use super::number::{array, u8, u32};
use super::{Error, Guid};

/// Bytes of a header.
pub const HEADER: usize = 23;
/// Bytes of a payload at most; servents send far less, larger means a broken stream.
pub const MAX_PAYLOAD: u32 = 65_536;

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Asks for addresses.
    Ping,
    /// Answers with one.
    Pong,
    /// Says why the link ends.
    Bye,
    /// Route tables.
    Qrp,
    /// A vendor's message, or one several agreed on.
    Vendor,
    /// Asks a servent behind a firewall to connect.
    Push,
    /// A search.
    Query,
    /// Its hits.
    QueryHit,
    /// Horizon sizes.
    Hsep,
    /// Anything else: skip the payload.
    Other(u8),
}

impl Kind {
    /// From the type byte.
    pub fn from_code(code: u8) -> Kind {
        match code {
            0x00 => Kind::Ping,
            0x01 => Kind::Pong,
            0x02 => Kind::Bye,
            0x30 => Kind::Qrp,
            0x31 | 0x32 => Kind::Vendor,
            0x40 => Kind::Push,
            0x80 => Kind::Query,
            0x81 => Kind::QueryHit,
            0xcd => Kind::Hsep,
            other => Kind::Other(other),
        }
    }

    /// The type byte.
    pub fn code(self) -> u8 {
        match self {
            Kind::Ping => 0x00,
            Kind::Pong => 0x01,
            Kind::Bye => 0x02,
            Kind::Qrp => 0x30,
            Kind::Vendor => 0x31,
            Kind::Push => 0x40,
            Kind::Query => 0x80,
            Kind::QueryHit => 0x81,
            Kind::Hsep => 0xcd,
            Kind::Other(code) => code,
        }
    }

    /// Whether it never goes further than one link.
    pub fn is_local(self) -> bool {
        matches!(self, Kind::Bye | Kind::Qrp | Kind::Vendor | Kind::Hsep)
    }
}

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The message's id.
    pub guid: Guid,
    /// What follows.
    pub kind: Kind,
    /// Links it may still go.
    pub ttl: u8,
    /// Links it has gone.
    pub hops: u8,
    /// Bytes that follow; at most [`MAX_PAYLOAD`].
    pub length: u32,
}

impl Header {
    /// Reads a header.
    pub fn parse(bytes: &[u8; HEADER]) -> Result<Header, Error> {
        let bytes = &mut &bytes[..];
        let guid = Guid(array(bytes)?);
        let (kind, ttl, hops) = (Kind::from_code(u8(bytes)?), u8(bytes)?, u8(bytes)?);
        let length = u32(bytes)?;
        if length > MAX_PAYLOAD {
            return Err(Error::TooLarge);
        }
        Ok(Header { guid, kind, ttl, hops, length })
    }

    /// Writes it.
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..16].copy_from_slice(&self.guid.0);
        bytes[16..19].copy_from_slice(&[self.kind.code(), self.ttl, self.hops]);
        bytes[19..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    /// Appends a whole message; its payload is what `fill` appends.
    pub fn message(mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.resize(start + HEADER, 0);
        fill(out);
        self.length = (out.len() - start - HEADER) as u32;
        out[start..start + HEADER].copy_from_slice(&self.encode());
    }

    /// One link further, if it may go there.
    pub fn relayed(self) -> Option<Header> {
        let ttl = self.ttl.checked_sub(1).filter(|ttl| *ttl > 0)?;
        Some(Header { ttl, hops: self.hops.checked_add(1)?, ..self })
    }
}

/// A message taken from a link: header, payload, and bytes of both.
pub type Framed<'a> = (Header, &'a [u8], usize);

/// Takes the message at the start of a link's bytes: header, payload and how many bytes both have; `None` if more must
/// come.
pub fn frame(bytes: &[u8]) -> Result<Option<Framed<'_>>, Error> {
    let Some(head) = bytes.first_chunk() else { return Ok(None) };
    let header = Header::parse(head)?;
    let end = HEADER + header.length as usize;
    Ok(bytes.get(HEADER..end).map(|payload| (header, payload, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_and_read_at_every_cut() {
        let header = Header { guid: Guid([9; 16]), kind: Kind::Query, ttl: 4, hops: 1, length: 0 };
        let mut out = Vec::new();
        header.message(&mut out, |out| out.extend_from_slice(b"abc"));
        for end in 0..out.len() {
            assert_eq!(frame(&out[..end]), Ok(None));
        }
        let (read, payload, used) = frame(&out).unwrap().unwrap();
        assert_eq!((read.ttl, read.hops, read.length, payload, used), (4, 1, 3, &b"abc"[..], 26));
    }

    #[test]
    fn a_payload_beyond_the_limit_is_refused_before_it_comes() {
        let mut bytes = [0; HEADER];
        bytes[19..].copy_from_slice(&65_537u32.to_le_bytes());
        assert_eq!(frame(&bytes), Err(Error::TooLarge));
    }

    #[test]
    fn a_relay_counts_and_stops_at_the_end() {
        let header = Header { guid: Guid([9; 16]), kind: Kind::Query, ttl: 2, hops: 0, length: 0 };
        let next = header.relayed().unwrap();
        assert_eq!((next.ttl, next.hops, next.relayed()), (1, 1, None));
        assert_eq!(Header { ttl: 0, ..header }.relayed(), None);
        assert_eq!(Header { ttl: 9, hops: 255, ..header }.relayed(), None);
    }
}
