//! The 68-byte handshake that opens a connection (BEP 3).
//!
//! `19 "BitTorrent protocol" reserved[8] info-hash[20] peer-id[20]`. A v2 swarm uses its SHA-256 info-hash cut to
//! 20 bytes (BEP 52). Decoding is incremental: the first wrong byte of the name is refused without waiting for more,
//! and the head (all but the peer id) is readable early, because the side that was dialled answers after it.

use super::{PeerWireError, array_at};
use crate::ids::{InfoHash, PeerId};

/// The bytes of a whole handshake.
pub const HANDSHAKE_LEN: usize = 68;
/// The length-prefixed name of the protocol, the first 20 bytes of a handshake.
pub const PROTOCOL: [u8; 20] = *b"\x13BitTorrent protocol";
/// Where the reserved bytes, the info-hash and the peer id begin.
const RESERVED_AT: usize = 20;
const INFO_HASH_AT: usize = 28;
const PEER_ID_AT: usize = 48;

/// The eight reserved bytes, which advertise extensions bit by bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// The extension protocol: bit 20 from the right (BEP 10).
    pub const EXTENSION_PROTOCOL: Reserved = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0]);
    /// The fast extension: the third bit from the right (BEP 6).
    pub const FAST: Reserved = Reserved([0, 0, 0, 0, 0, 0, 0, 0x04]);
    /// The sender runs a DHT node: the last bit (BEP 5).
    pub const DHT: Reserved = Reserved([0, 0, 0, 0, 0, 0, 0, 0x01]);
    /// On a v1 info-hash: the sender would upgrade to v2; bit 4 of the last byte (BEP 52).
    pub const V2_UPGRADE: Reserved = Reserved([0, 0, 0, 0, 0, 0, 0, 0x10]);

    /// Both sets of bits.
    #[must_use]
    pub fn with(self, other: Reserved) -> Reserved {
        Reserved(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// True if every bit of `other` is set.
    #[must_use]
    pub fn contains(self, other: Reserved) -> bool {
        self.0.iter().zip(other.0).all(|(mine, theirs)| mine & theirs == theirs)
    }
}

/// The part of a handshake that a dialled peer must know before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeHead {
    /// What the sender supports.
    pub reserved: Reserved,
    /// The swarm asked for: a SHA-1 info-hash, or a SHA-256 one cut to 20 bytes.
    pub info_hash: InfoHash,
}

/// A whole handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// What the sender supports.
    pub reserved: Reserved,
    /// The swarm asked for: a SHA-1 info-hash, or a SHA-256 one cut to 20 bytes.
    pub info_hash: InfoHash,
    /// The name the sender gave itself (BEP 20).
    pub peer_id: PeerId,
}

impl Handshake {
    /// The 68 bytes to send.
    #[must_use]
    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut out = [0; HANDSHAKE_LEN];
        out[..RESERVED_AT].copy_from_slice(&PROTOCOL);
        out[RESERVED_AT..INFO_HASH_AT].copy_from_slice(&self.reserved.0);
        out[INFO_HASH_AT..PEER_ID_AT].copy_from_slice(self.info_hash.as_bytes());
        out[PEER_ID_AT..].copy_from_slice(self.peer_id.as_bytes());
        out
    }

    /// Reads all but the peer id; `None` until 48 bytes are at hand, [`PeerWireError::NotBitTorrent`] as soon as any
    /// byte of the name differs.
    pub fn decode_head(bytes: &[u8]) -> Result<Option<HandshakeHead>, PeerWireError> {
        if bytes.iter().zip(PROTOCOL).any(|(&got, expected)| got != expected) {
            return Err(PeerWireError::NotBitTorrent);
        }
        let (Some(reserved), Some(info_hash)) = (array_at(bytes, RESERVED_AT), array_at(bytes, INFO_HASH_AT))
        else {
            return Ok(None);
        };
        Ok(Some(HandshakeHead { reserved: Reserved(reserved), info_hash: InfoHash(info_hash) }))
    }

    /// Reads a whole handshake from the start of `bytes`; `None` until [`HANDSHAKE_LEN`] bytes are at hand,
    /// [`PeerWireError::NotBitTorrent`] as soon as any byte of the name differs.
    pub fn decode(bytes: &[u8]) -> Result<Option<Handshake>, PeerWireError> {
        let head = Self::decode_head(bytes)?;
        Ok(head.zip(array_at(bytes, PEER_ID_AT)).map(|(head, peer_id)| Handshake {
            reserved: head.reserved,
            info_hash: head.info_hash,
            peer_id: PeerId(peer_id),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::hex;
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Handshake {
        let reserved =
            Reserved::EXTENSION_PROTOCOL.with(Reserved::FAST).with(Reserved::DHT).with(Reserved::V2_UPGRADE);
        Handshake { reserved, info_hash: InfoHash([0xab; 20]), peer_id: PeerId(*b"-qB4650-abcdefghijkl") }
    }

    #[test]
    fn a_handshake_has_the_layout_of_bep_3() {
        let expected = hex("13                                        length of the name
             426974546f7272656e742070726f746f636f6c    BitTorrent_protocol
             0000000000100015                          reserved:_extended,_v2,_fast,_dht
             abababababababababababababababababababab  info-hash
             2d7142343635302d6162636465666768696a6b6c  peer-id");
        assert_eq!(sample().encode().as_slice(), expected);
        assert_eq!(Handshake::decode(&expected), Ok(Some(sample())));
    }

    #[test]
    fn the_first_wrong_byte_is_refused_at_once() {
        for at in 0..PROTOCOL.len() {
            let mut bytes = sample().encode();
            bytes[at] ^= 0x20;
            assert_eq!(Handshake::decode(&bytes[..at]), Ok(None));
            assert_eq!(Handshake::decode(&bytes[..=at]), Err(PeerWireError::NotBitTorrent));
        }
    }

    #[test]
    fn the_info_hash_is_known_before_the_peer_id_arrives() {
        let bytes = sample().encode();
        assert_eq!(Handshake::decode_head(&bytes[..47]), Ok(None));
        let head = HandshakeHead { reserved: sample().reserved, info_hash: sample().info_hash };
        assert_eq!(Handshake::decode_head(&bytes[..48]), Ok(Some(head)));
        assert_eq!(Handshake::decode(&bytes[..67]), Ok(None));
    }

    #[test]
    fn each_extension_is_seen_only_by_its_own_bit() {
        let all = [Reserved::EXTENSION_PROTOCOL, Reserved::FAST, Reserved::DHT, Reserved::V2_UPGRADE];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one.contains(*other), i == j);
            }
        }
    }

    proptest! {
        #[test]
        fn handshakes_round_trip(reserved: [u8; 8], info_hash: [u8; 20], peer_id: [u8; 20], tail: Vec<u8>) {
            let handshake = Handshake {
                reserved: Reserved(reserved), info_hash: InfoHash(info_hash), peer_id: PeerId(peer_id),
            };
            let mut bytes = handshake.encode().to_vec();
            bytes.extend(tail);
            prop_assert_eq!(Handshake::decode(&bytes), Ok(Some(handshake)));
        }
    }
}
