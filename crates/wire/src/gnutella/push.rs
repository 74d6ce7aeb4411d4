//! Asking a servent behind a firewall to connect (section 4.6).

use super::ggep::Block;
use super::number::{array, ip, u16, u32};
use super::{Error, Guid};
use std::net::SocketAddrV4;

/// A push: travels back along the way of the hits, by servent id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Push<'a> {
    /// Who is to connect.
    pub servent: Guid,
    /// Which file, said again in GIV.
    pub index: u32,
    /// Where to connect to.
    pub requester: SocketAddrV4,
    /// Extensions: `TLS`, `6`.
    pub ggep: Block<'a>,
}

impl<'a> Push<'a> {
    /// Reads a payload.
    pub fn parse(mut payload: &'a [u8]) -> Result<Push<'a>, Error> {
        let bytes = &mut payload;
        let (servent, index, ip) = (Guid(array(bytes)?), u32(bytes)?, ip(bytes)?);
        let requester = SocketAddrV4::new(ip, u16(bytes)?);
        let ggep = Block::take(bytes).map(|(block, _)| block).unwrap_or_default();
        Ok(Push { servent, index, requester, ggep })
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.servent.0);
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.requester.ip().octets());
        out.extend_from_slice(&self.requester.port().to_le_bytes());
        out.extend_from_slice(self.ggep.bytes());
    }
}
