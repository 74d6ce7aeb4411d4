//! The 32 bytes every datagram begins with (chord.md 1.5).

use super::Error;
use super::contact::{Contact, read_vnode};
use super::id::MAX_VNODES;
use super::layout::Wire;
use std::net::SocketAddr;

/// First two bytes of a datagram.
pub const MAGIC: u16 = 0xc352;
/// The version spoken.
pub const VERSION: u8 = 1;
/// Bytes of the header.
pub const HEADER_LEN: usize = 32;

/// What is common to all messages; magic, version and kind are added by the encoder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Which ring; separate rings never mix.
    pub net_id: u32,
    /// Random in a request, the request's in its answer: an answer to nothing asked is dropped.
    pub txid: u64,
    /// Which of the sender's virtual nodes speaks, below 64.
    pub source: u8,
    /// Which of the receiver's virtual nodes is meant, below 64.
    pub destination: u8,
    /// See [`Flags`].
    pub flags: Flags,
    /// Of the sender.
    pub incarnation: u32,
    /// In a request: the token the receiver gave the sender before, 0 for none. In an answer: the token the receiver
    /// of the answer is to show in its next requests. In `Found`: the token of its `Look`.
    pub token: u64,
}

impl Header {
    /// Who speaks, given where the datagram came from.
    pub fn contact(&self, from: SocketAddr) -> Contact {
        Contact::new(from, self.source, self.incarnation)
    }

    /// The header of the answer to a request with this one, from the same pair of virtual nodes.
    #[must_use]
    pub const fn answer(&self, incarnation: u32, token: u64) -> Self {
        let Self { net_id, txid, source, destination, .. } = *self;
        Self { net_id, txid, source: destination, destination: source, flags: Flags(0), incarnation, token }
    }

    pub(super) fn write(&self, kind: u8, out: &mut Vec<u8>) -> Result<(), Error> {
        let vnodes = [self.source, self.destination];
        if let Some(vnode) = vnodes.into_iter().find(|vnode| *vnode >= MAX_VNODES) {
            return Err(Error::Vnode(vnode));
        }
        let mut bytes = [0; HEADER_LEN];
        bytes[..2].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[2..4].copy_from_slice(&[VERSION, kind]);
        bytes[4..8].copy_from_slice(&self.net_id.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.txid.to_be_bytes());
        bytes[16..18].copy_from_slice(&vnodes);
        bytes[18..20].copy_from_slice(&self.flags.0.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes[24..].copy_from_slice(&self.token.to_be_bytes());
        out.extend_from_slice(&bytes);
        Ok(())
    }

    /// Takes the header and the message's kind off the front.
    pub(super) fn read(bytes: &mut &[u8]) -> Result<(Self, u8), Error> {
        let bytes = &mut <&[u8; HEADER_LEN]>::read(bytes)?.as_slice();
        if u16::read(bytes)? != MAGIC {
            return Err(Error::Magic);
        }
        let version = u8::read(bytes)?;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let kind = u8::read(bytes)?;
        let header = Self {
            net_id: u32::read(bytes)?,
            txid: u64::read(bytes)?,
            source: read_vnode(bytes)?,
            destination: read_vnode(bytes)?,
            flags: Flags(u16::read(bytes)?),
            incarnation: u32::read(bytes)?,
            token: u64::read(bytes)?,
        };
        Ok((header, kind))
    }
}

/// Bits that say more about the sender; those not known are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// The sender is no member, only a client: it must enter no list, table or finger.
    pub const LEAF: Self = Self(1);
    /// The sender is leaving: it still forwards but owns nothing (2.3 G).
    pub const LEAVING: Self = Self(2);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
