//! The hashes a posting carries, so that what is found can be fetched from there on: a byte that says which, then they.

use crate::chord::Error;
use crate::chord::layout::Wire;

/// What names a file, as far as its publisher knew.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Hashes {
    /// The swarm it can be fetched from: the name that travels in handshakes.
    pub info_hash: Option<[u8; 20]>,
    /// The v2 info-hash of the torrent that has it, in full.
    pub info_hash_v2: Option<[u8; 32]>,
    /// SHA-1 of the whole file, as Gnutella names it.
    pub sha1: Option<[u8; 20]>,
    /// Root of its tiger tree.
    pub tiger: Option<[u8; 24]>,
    /// FTHash, as FastTrack names it.
    pub ft_hash: Option<[u8; 20]>,
}

/// Bits of the hashes that exist.
const ALL: u8 = 0b1_1111;

impl Hashes {
    /// Bytes they take.
    pub fn encoded_len(&self) -> usize {
        let len = |present: bool, bytes: usize| usize::from(present) * bytes;
        1 + len(self.info_hash.is_some(), 20)
            + len(self.info_hash_v2.is_some(), 32)
            + len(self.sha1.is_some(), 20)
            + len(self.tiger.is_some(), 24)
            + len(self.ft_hash.is_some(), 20)
    }

    pub(super) fn read(rest: &mut &[u8]) -> Result<Self, Error> {
        let bits = u8::read(rest)?;
        if bits & !ALL != 0 {
            return Err(Error::Value);
        }
        Ok(Self {
            info_hash: hash(bits, 0, rest)?,
            info_hash_v2: hash(bits, 1, rest)?,
            sha1: hash(bits, 2, rest)?,
            tiger: hash(bits, 3, rest)?,
            ft_hash: hash(bits, 4, rest)?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let all: [Option<&[u8]>; 5] = [
            self.info_hash.as_ref().map(|hash| &hash[..]),
            self.info_hash_v2.as_ref().map(|hash| &hash[..]),
            self.sha1.as_ref().map(|hash| &hash[..]),
            self.tiger.as_ref().map(|hash| &hash[..]),
            self.ft_hash.as_ref().map(|hash| &hash[..]),
        ];
        out.push((0u8..).zip(&all).fold(0, |bits, (bit, hash)| bits | u8::from(hash.is_some()) << bit));
        all.into_iter().flatten().for_each(|hash| out.extend_from_slice(hash));
    }
}

/// The hash of that bit, if it is there.
fn hash<const N: usize>(bits: u8, bit: u8, rest: &mut &[u8]) -> Result<Option<[u8; N]>, Error> {
    if bits >> bit & 1 == 0 {
        return Ok(None);
    }
    let (hash, after) = rest.split_first_chunk().ok_or(Error::Truncated)?;
    *rest = after;
    Ok(Some(*hash))
}
