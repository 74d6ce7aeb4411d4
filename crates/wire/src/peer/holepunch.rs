//! Connecting two peers behind NATs through a third that knows both (BEP 55, `ut_holepunch`).
//!
//! `kind[1] family[1] address[4|16] port[2] error[4]`. libtorrent reads the error only where there is one, so peers may
//! leave it out of the other kinds, and its absence is accepted there.

use std::net::{IpAddr, SocketAddr};

use super::{PeerWireError, array_at, u32_at};

/// Why a rendezvous failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolepunchError {
    /// The endpoint makes no sense.
    NoSuchPeer,
    /// The relay is not connected to that peer.
    NotConnected,
    /// That peer does not know the extension.
    NoSupport,
    /// The endpoint is the relay's own.
    NoSelf,
    /// A code without a meaning yet.
    Other(u32),
}

impl HolepunchError {
    fn from_code(code: u32) -> Self {
        match code {
            1 => HolepunchError::NoSuchPeer,
            2 => HolepunchError::NotConnected,
            3 => HolepunchError::NoSupport,
            4 => HolepunchError::NoSelf,
            code => HolepunchError::Other(code),
        }
    }

    fn code(self) -> u32 {
        match self {
            HolepunchError::NoSuchPeer => 1,
            HolepunchError::NotConnected => 2,
            HolepunchError::NoSupport => 3,
            HolepunchError::NoSelf => 4,
            HolepunchError::Other(code) => code,
        }
    }
}

/// What a message wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolepunchKind {
    /// To the relay: have that peer and me connect to each other.
    Rendezvous,
    /// From the relay: connect to that peer now.
    Connect,
    /// From the relay: it cannot be done.
    Error(HolepunchError),
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holepunch {
    /// What it wants.
    pub kind: HolepunchKind,
    /// The other peer: whom to meet, to connect to, or who could not be met.
    pub peer: SocketAddr,
}

impl Holepunch {
    /// Reads the payload of an extended message; `ExtensionLength` or `HolepunchKind` if it is none.
    pub fn decode(payload: &[u8]) -> Result<Self, PeerWireError> {
        let (kind, family) = match payload {
            [kind, family, ..] => (*kind, *family),
            _ => return Err(PeerWireError::ExtensionLength),
        };
        let (ip, after) = match family {
            0 => (array_at::<4>(payload, 2).map(IpAddr::from), 6),
            1 => (array_at::<16>(payload, 2).map(IpAddr::from), 18),
            _ => return Err(PeerWireError::HolepunchKind),
        };
        let port = array_at(payload, after).map(u16::from_be_bytes);
        let (Some(ip), Some(port)) = (ip, port) else {
            return Err(PeerWireError::ExtensionLength);
        };
        let code = u32_at(payload, after + 2);
        let kind = match (kind, code) {
            (0, _) => HolepunchKind::Rendezvous,
            (1, _) => HolepunchKind::Connect,
            (2, Some(code)) => HolepunchKind::Error(HolepunchError::from_code(code)),
            (2, None) => return Err(PeerWireError::ExtensionLength),
            _ => return Err(PeerWireError::HolepunchKind),
        };
        let end = after + if code.is_some() { 6 } else { 2 };
        if payload.len() != end {
            return Err(PeerWireError::ExtensionLength);
        }
        Ok(Holepunch { kind, peer: SocketAddr::new(ip, port) })
    }

    /// Appends the payload (without length, message id and extended id), with the error always there; a v4-mapped
    /// address goes out as IPv4.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, code) = match self.kind {
            HolepunchKind::Rendezvous => (0, 0),
            HolepunchKind::Connect => (1, 0),
            HolepunchKind::Error(error) => (2, error.code()),
        };
        out.push(kind);
        match self.peer.ip().to_canonical() {
            IpAddr::V4(ip) => {
                out.push(0);
                out.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                out.push(1);
                out.extend_from_slice(&ip.octets());
            }
        }
        out.extend_from_slice(&self.peer.port().to_be_bytes());
        out.extend_from_slice(&code.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::hex;
    use super::*;
    use proptest::prelude::*;

    fn encoded(message: Holepunch) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(&mut out);
        out
    }

    #[test]
    fn messages_have_the_layout_of_bep_55() {
        let message = Holepunch { kind: HolepunchKind::Rendezvous, peer: "1.2.3.4:6881".parse().unwrap() };
        let expected = hex("00        rendezvous
             00        IPv4
             01020304  address
             1ae1      port
             00000000  no_error");
        assert_eq!(encoded(message), expected);
        assert_eq!(Holepunch::decode(&expected), Ok(message));

        let kind = HolepunchKind::Error(HolepunchError::NotConnected);
        let message = Holepunch { kind, peer: "[2001:db8::1]:6881".parse().unwrap() };
        let expected = hex("02        error
             01        IPv6
             20010db8000000000000000000000001  address
             1ae1      port
             00000002  not_connected");
        assert_eq!(encoded(message), expected);
        assert_eq!(Holepunch::decode(&expected), Ok(message));
    }

    #[test]
    fn the_error_may_be_missing_where_there_is_none() {
        let connect = [1, 0, 1, 2, 3, 4, 0x1a, 0xe1];
        let expected = Holepunch { kind: HolepunchKind::Connect, peer: "1.2.3.4:6881".parse().unwrap() };
        assert_eq!(Holepunch::decode(&connect), Ok(expected));
        let error = [2, 0, 1, 2, 3, 4, 0x1a, 0xe1];
        assert_eq!(Holepunch::decode(&error), Err(PeerWireError::ExtensionLength));
    }

    #[test]
    fn unknown_kinds_and_other_lengths_are_refused() {
        let mut payload = vec![3, 0, 1, 2, 3, 4, 0x1a, 0xe1, 0, 0, 0, 0];
        assert_eq!(Holepunch::decode(&payload), Err(PeerWireError::HolepunchKind));
        payload[..2].copy_from_slice(&[0, 2]);
        assert_eq!(Holepunch::decode(&payload), Err(PeerWireError::HolepunchKind));
        payload[1] = 1;
        assert_eq!(Holepunch::decode(&payload), Err(PeerWireError::ExtensionLength));
        payload[1] = 0;
        for len in [0, 1, 5, 7, 9, 11] {
            assert_eq!(Holepunch::decode(&payload[..len]), Err(PeerWireError::ExtensionLength), "{len}");
        }
        payload.push(0);
        assert_eq!(Holepunch::decode(&payload), Err(PeerWireError::ExtensionLength));
    }

    proptest! {
        #[test]
        fn holepunch_messages_round_trip(v6: bool, ip: [u8; 15], port: u16, kind in 0..3, code: u32) {
            let mut long = [0x20; 16];
            long[1..].copy_from_slice(&ip);
            let ip = if v6 { IpAddr::from(long) } else { IpAddr::from([ip[0], ip[1], ip[2], ip[3]]) };
            let kind = match kind {
                0 => HolepunchKind::Rendezvous,
                1 => HolepunchKind::Connect,
                _ => HolepunchKind::Error(HolepunchError::from_code(code)),
            };
            let message = Holepunch { kind, peer: SocketAddr::new(ip, port) };
            prop_assert_eq!(Holepunch::decode(&encoded(message)), Ok(message));
        }
    }
}
