//! Pings and pongs (section 4.1).

use super::Error;
use super::ggep::Block;
use super::number::{addresses, ip, put_address, short_number, u16, u32};
use std::net::SocketAddrV4;

/// Asks for addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ping<'a> {
    /// Extensions: `SCP` (addresses wanted in `IPP`), `QK` (query key wanted) …
    pub ggep: Block<'a>,
}

impl<'a> Ping<'a> {
    /// Reads a payload; bytes that are no block are ignored.
    pub fn parse(payload: &'a [u8]) -> Ping<'a> {
        Ping { ggep: Block::take(payload).map(|(block, _)| block).unwrap_or_default() }
    }

    /// Whether addresses of servents with free slots are wanted, and the bits that say which: 1 for ultrapeer slots.
    pub fn wants_addresses(&self) -> Option<u8> {
        self.ggep.find(b"SCP").map(|data| data.first().copied().unwrap_or(0))
    }
}

/// An address, with what is shared there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pong<'a> {
    /// Where it listens.
    pub address: SocketAddrV4,
    /// Files shared.
    pub files: u32,
    /// KiB shared; ultrapeers round this to a power of two of at least 8.
    pub kibibytes: u32,
    /// Extensions: `UP`, `DU`, `IPP`, `GUE`, `VC` …
    pub ggep: Block<'a>,
}

/// What an ultrapeer says of itself in a pong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UltrapeerSlots {
    /// Free places for leaves.
    pub leaves: u8,
    /// Free places for ultrapeers.
    pub ultrapeers: u8,
}

impl<'a> Pong<'a> {
    /// Reads a payload.
    pub fn parse(mut payload: &'a [u8]) -> Result<Pong<'a>, Error> {
        let bytes = &mut payload;
        let port = u16(bytes)?;
        let address = SocketAddrV4::new(ip(bytes)?, port);
        let (files, kibibytes) = (u32(bytes)?, u32(bytes)?);
        let ggep = Block::take(bytes).map(|(block, _)| block).unwrap_or_default();
        Ok(Pong { address, files, kibibytes, ggep })
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.address.port().to_le_bytes());
        out.extend_from_slice(&self.address.ip().octets());
        out.extend_from_slice(&self.files.to_le_bytes());
        out.extend_from_slice(&self.kibibytes.to_le_bytes());
        out.extend_from_slice(self.ggep.bytes());
    }

    /// KiB as an ultrapeer tells them: the power of two at or below, at least 8.
    pub fn rounded(kibibytes: u32) -> u32 {
        1 << kibibytes.max(8).ilog2()
    }

    /// The `UP` extension.
    pub fn ultrapeer(&self) -> Option<UltrapeerSlots> {
        let data = self.ggep.find(b"UP")?;
        let [_, leaves, ultrapeers] = data.get(..3)?.try_into().ok()?;
        Some(UltrapeerSlots { leaves, ultrapeers })
    }

    /// Mean daily uptime in seconds, the `DU` extension.
    pub fn uptime(&self) -> Option<u64> {
        short_number(&self.ggep.find(b"DU")?)
    }

    /// More servents, the `IPP` extension; at most 30 are looked at.
    pub fn more(&self) -> Vec<SocketAddrV4> {
        self.ggep.find(b"IPP").map(|data| addresses(&data).take(30).collect()).unwrap_or_default()
    }

    /// Addresses as `IPP` carries them.
    pub fn packed(list: impl IntoIterator<Item = SocketAddrV4>) -> Vec<u8> {
        let mut out = Vec::new();
        list.into_iter().take(30).for_each(|address| put_address(&mut out, address));
        out
    }
}
