//! Peer exchange (BEP 11, `ut_pex`): the peers a peer met and lost since its last message.
//!
//! A bencoded dictionary of strings: `added`, `added6`, `dropped`, `dropped6` hold contacts (address and port, 6 or
//! 18 bytes each), `added.f` and `added6.f` a byte of flags for each. Contacts are a stranger's word: they are
//! candidates at most, and no more than [`MAX_PEX_CONTACTS`] of each list are looked at.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::PeerWireError;
use super::extended::decode_dictionary;
use crate::bencode::{Encoder, Limits, Value};

/// The contacts of each list that are read or written; what follows them is dropped.
pub const MAX_PEX_CONTACTS: usize = 50;
/// Six strings and room for fields of a later day; the first message of a busy peer may hold thousands of contacts.
const DICTIONARY: Limits = Limits { bytes: 128 * 1024, depth: 4, tokens: 128 };

/// What is said of an added peer; bits without a name are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PexFlags(pub u8);

impl PexFlags {
    /// Prefers encrypted connections.
    pub const ENCRYPTION: PexFlags = PexFlags(0x01);
    /// Is a seed, or wants nothing.
    pub const UPLOAD_ONLY: PexFlags = PexFlags(0x02);
    /// Speaks uTP.
    pub const UTP: PexFlags = PexFlags(0x04);
    /// Knows `ut_holepunch`.
    pub const HOLEPUNCH: PexFlags = PexFlags(0x08);
    /// Was dialled, so it can be reached.
    pub const REACHABLE: PexFlags = PexFlags(0x10);

    /// Both sets of flags.
    #[must_use]
    pub fn with(self, other: PexFlags) -> PexFlags {
        PexFlags(self.0 | other.0)
    }

    /// True if every flag of `other` is set.
    #[must_use]
    pub fn contains(self, other: PexFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A message as it lies in its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pex<'a> {
    added: &'a [[u8; 6]],
    added_flags: &'a [u8],
    added6: &'a [[u8; 18]],
    added6_flags: &'a [u8],
    dropped: &'a [[u8; 6]],
    dropped6: &'a [[u8; 18]],
}

impl<'a> Pex<'a> {
    /// Reads the payload of an extended message; `BadDictionary` if it is none. Missing lists are empty, the bytes of
    /// half a contact are dropped, missing flags are unset.
    pub fn decode(payload: &'a [u8]) -> Result<Self, PeerWireError> {
        let (document, _) = decode_dictionary(payload, DICTIONARY)?;
        let bytes = |key: &[u8]| document.root().get(key).and_then(Value::as_bytes).unwrap_or_default();
        Ok(Pex {
            added: contacts(bytes(b"added")),
            added_flags: bytes(b"added.f"),
            added6: contacts(bytes(b"added6")),
            added6_flags: bytes(b"added6.f"),
            dropped: contacts(bytes(b"dropped")),
            dropped6: contacts(bytes(b"dropped6")),
        })
    }

    /// The peers met, IPv4 before IPv6.
    pub fn added(&self) -> impl Iterator<Item = (SocketAddr, PexFlags)> + use<'a> {
        let v4 = self.added.iter().map(socket_v4).zip(flags(self.added_flags));
        let v6 = self.added6.iter().map(socket_v6).zip(flags(self.added6_flags));
        v4.chain(v6)
    }

    /// The peers lost, IPv4 before IPv6.
    pub fn dropped(&self) -> impl Iterator<Item = SocketAddr> + use<'a> {
        self.dropped.iter().map(socket_v4).chain(self.dropped6.iter().map(socket_v6))
    }
}

/// The whole contacts of a list, up to the limit.
fn contacts<const N: usize>(bytes: &[u8]) -> &[[u8; N]] {
    let (whole, _) = bytes.as_chunks::<N>();
    &whole[..whole.len().min(MAX_PEX_CONTACTS)]
}

/// The flags there are, then unset ones without end.
fn flags(bytes: &[u8]) -> impl Iterator<Item = PexFlags> {
    bytes.iter().map(|&flags| PexFlags(flags)).chain(std::iter::repeat(PexFlags::default()))
}

fn socket_v4(contact: &[u8; 6]) -> SocketAddr {
    let [a, b, c, d, port @ ..] = *contact;
    SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes(port)))
}

fn socket_v6(contact: &[u8; 18]) -> SocketAddr {
    let mut ip = [0; 16];
    ip.copy_from_slice(&contact[..16]);
    SocketAddr::from((Ipv6Addr::from(ip), u16::from_be_bytes([contact[16], contact[17]])))
}

/// Contacts on their way out.
#[derive(Default)]
struct List {
    contacts: Vec<u8>,
    flags: Vec<u8>,
}

impl List {
    fn push(&mut self, ip: &[u8], port: u16, flags: PexFlags) {
        if self.flags.len() < MAX_PEX_CONTACTS {
            self.contacts.extend_from_slice(ip);
            self.contacts.extend_from_slice(&port.to_be_bytes());
            self.flags.push(flags.0);
        }
    }

    /// The lists of both families; v4-mapped addresses count as IPv4.
    fn split(peers: impl Iterator<Item = (SocketAddr, PexFlags)>) -> (List, List) {
        let (mut v4, mut v6) = (List::default(), List::default());
        for (peer, flags) in peers {
            match peer.ip().to_canonical() {
                std::net::IpAddr::V4(ip) => v4.push(&ip.octets(), peer.port(), flags),
                std::net::IpAddr::V6(ip) => v6.push(&ip.octets(), peer.port(), flags),
            }
        }
        (v4, v6)
    }
}

/// Appends the payload (without length, message id and extended id), with at most [`MAX_PEX_CONTACTS`] contacts a
/// list; the BEP also wants no more than that of both families together, and one message a minute.
pub fn encode_pex(added: &[(SocketAddr, PexFlags)], dropped: &[SocketAddr], out: &mut Vec<u8>) {
    let (added, added6) = List::split(added.iter().copied());
    let (dropped, dropped6) = List::split(dropped.iter().map(|&peer| (peer, PexFlags::default())));
    let mut encoder = Encoder::with_buffer(std::mem::take(out));
    encoder.begin_dict().entry_bytes("added", &added.contacts).entry_bytes("added.f", &added.flags);
    encoder.entry_bytes("added6", &added6.contacts).entry_bytes("added6.f", &added6.flags);
    encoder.entry_bytes("dropped", &dropped.contacts).entry_bytes("dropped6", &dropped6.contacts).end();
    *out = encoder.finish();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(added: &[(SocketAddr, PexFlags)], dropped: &[SocketAddr]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_pex(added, dropped, &mut out);
        out
    }

    #[test]
    fn a_message_has_the_bencoding_of_bep_11() {
        let seed = ("1.2.3.4:26985".parse().unwrap(), PexFlags::UPLOAD_ONLY.with(PexFlags::REACHABLE));
        let six: SocketAddr = "[6161:6161:6161:6161:6161:6161:6161:6161]:25186".parse().unwrap();
        let payload = encoded(&[seed, (six, PexFlags::UTP)], &[six]);
        // 12 = UPLOAD_ONLY | REACHABLE, 04 = UTP; 26985 = "ii", 25186 = "bb"
        let expected = b"d5:added6:\x01\x02\x03\x04ii7:added.f1:\x12\
            6:added618:aaaaaaaaaaaaaaaabb8:added6.f1:\x04\
            7:dropped0:8:dropped618:aaaaaaaaaaaaaaaabbe";
        assert_eq!(payload, expected);
        let pex = Pex::decode(&payload).unwrap();
        assert_eq!(pex.added().collect::<Vec<_>>(), [seed, (six, PexFlags::UTP)]);
        assert_eq!(pex.dropped().collect::<Vec<_>>(), [six]);
    }

    #[test]
    fn missing_flags_are_unset_and_half_a_contact_is_dropped() {
        let pex = Pex::decode(b"d5:added15:aaaaaabbbbbbccc7:added.f1:\x02e").unwrap();
        let flags: Vec<_> = pex.added().map(|(_, flags)| flags).collect();
        assert_eq!(flags, [PexFlags::UPLOAD_ONLY, PexFlags::default()]);
    }

    #[test]
    fn more_contacts_than_the_limit_are_cut_on_both_ways() {
        let mut payload = b"d5:added606:".to_vec();
        payload.extend([b'x'; 606]);
        payload.push(b'e');
        assert_eq!(Pex::decode(&payload).unwrap().added().count(), MAX_PEX_CONTACTS);
        let peers = vec!["1.2.3.4:5".parse().unwrap(); 60];
        let payload = encoded(&[], &peers);
        assert_eq!(Pex::decode(&payload).unwrap().dropped().count(), MAX_PEX_CONTACTS);
        assert!(payload.len() < 400);
    }

    #[test]
    fn fields_of_the_wrong_type_count_as_missing() {
        let pex = Pex::decode(b"d5:addedi5e7:droppedlee").unwrap();
        assert_eq!((pex.added().count(), pex.dropped().count()), (0, 0));
    }

    #[test]
    fn what_is_no_dictionary_or_too_large_is_refused() {
        let mut huge = b"d5:added".to_vec();
        huge.resize(DICTIONARY.bytes + 1, b'0');
        let many = [&b"d1:al"[..], &b"i0e".repeat(200), b"ee"].concat();
        let deep = [&b"d1:a"[..], &b"l".repeat(100_000)].concat();
        for payload in [&b""[..], b"le", b"d5:added6:aa", &huge, &many, &deep] {
            assert_eq!(Pex::decode(payload), Err(PeerWireError::BadDictionary));
        }
    }

    proptest! {
        #[test]
        fn contacts_round_trip(
            v4 in prop::collection::vec(any::<([u8; 4], u16, u8)>(), 0..=MAX_PEX_CONTACTS),
            v6 in prop::collection::vec(any::<([u8; 15], u16, u8)>(), 0..=MAX_PEX_CONTACTS),
        ) {
            let v4 = v4.into_iter().map(|(ip, port, flags)| (SocketAddr::from((ip, port)), PexFlags(flags)));
            // A first byte of 0x20 keeps the address from being a v4-mapped one.
            let v6 = v6.into_iter().map(|(tail, port, flags)| {
                let mut ip = [0x20; 16];
                ip[1..].copy_from_slice(&tail);
                (SocketAddr::from((ip, port)), PexFlags(flags))
            });
            let added: Vec<_> = v4.chain(v6).collect();
            let dropped: Vec<_> = added.iter().map(|&(peer, _)| peer).collect();
            let payload = encoded(&added, &dropped);
            let pex = Pex::decode(&payload).unwrap();
            prop_assert_eq!(pex.added().collect::<Vec<_>>(), added);
            prop_assert_eq!(pex.dropped().collect::<Vec<_>>(), dropped);
        }

        #[test]
        fn any_bytes_are_read_without_panic(payload: Vec<u8>) {
            if let Ok(pex) = Pex::decode(&payload) {
                let _ = (pex.added().count(), pex.dropped().count());
            }
        }
    }
}
