//! Names of torrents, peers and pieces: four types made by validation, so that none is taken for another.
//!
//! A torrent has a v1 info-hash (SHA-1, BEP 3), a v2 info-hash (SHA-256, BEP 52) or both. On the wire (handshake,
//! trackers, DHT) a swarm is named by 20 bytes: the v1 hash, or the first 20 of the v2 hash.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha1::Digest as _;

/// The text given is not the hexadecimal form of the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hexadecimal id of the expected length")]
pub struct ParseIdError;

/// Decodes exactly `N` bytes of hexadecimal text, upper or lower case.
fn parse_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    HEXLOWER_PERMISSIVE.decode_mut(text, &mut bytes).ok()?;
    Some(bytes)
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Bytes in this id.
            pub const LEN: usize = $length;

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// The id in `bytes`, if the length is right.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text.as_bytes()).map(Self).ok_or(ParseIdError)
            }
        }

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

byte_id! {
    /// SHA-1 of the info dictionary (BEP 3).
    InfoHashV1, 20
}
byte_id! {
    /// SHA-256 of the info dictionary (BEP 52).
    InfoHashV2, 32
}
byte_id! {
    /// The 20 bytes that name a swarm on the wire: a v1 info-hash, or a v2 one truncated (BEP 52).
    InfoHash, 20
}
byte_id! {
    /// The name a peer gives itself in the handshake and at trackers (BEP 3, BEP 20).
    PeerId, 20
}

impl InfoHashV1 {
    /// The info-hash of these info dictionary bytes.
    pub fn of(info: &[u8]) -> Self {
        Self(sha1::Sha1::digest(info).into())
    }
}

impl InfoHashV2 {
    /// The info-hash of these info dictionary bytes.
    pub fn of(info: &[u8]) -> Self {
        Self(sha2::Sha256::digest(info).into())
    }

    /// The first 20 bytes, which name the swarm where the protocol has room for no more.
    pub fn truncated(&self) -> [u8; 20] {
        let mut short = [0; 20];
        short.copy_from_slice(&self.0[..20]);
        short
    }
}

impl From<InfoHashV1> for InfoHash {
    fn from(hash: InfoHashV1) -> Self {
        Self(hash.0)
    }
}

impl From<InfoHashV2> for InfoHash {
    fn from(hash: InfoHashV2) -> Self {
        Self(hash.truncated())
    }
}

/// The number of a piece within a torrent, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PieceIndex(pub u32);

impl PieceIndex {
    /// The number as an index into memory.
    pub fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u32> for PieceIndex {
    fn from(index: u32) -> Self {
        Self(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_and_read_as_hexadecimal() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        let id: InfoHashV1 = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), format!("InfoHashV1({text})"));
        assert_eq!("01".parse::<InfoHash>(), Err(ParseIdError));
        assert_eq!(format!("g{}", &text[1..]).parse::<PeerId>(), Err(ParseIdError));
    }

    #[test]
    fn a_v2_hash_is_truncated_on_the_wire() {
        let hash = InfoHashV2::of(b"");
        assert!(hash.to_string().starts_with("e3b0c44298fc1c149afbf4c8996fb92427ae41e4"));
        assert_eq!(InfoHash::from(hash).to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4");
        assert_eq!(InfoHashV1::of(b"").to_string(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}
