//! Compact endpoints: 4 + 2 bytes for IPv4 (BEP 23), 16 + 2 bytes for IPv6 (BEP 7), all big-endian.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Bytes of a compact IPv4 endpoint.
pub const V4_LEN: usize = 6;
/// Bytes of a compact IPv6 endpoint.
pub const V6_LEN: usize = 18;

/// Encodes one IPv4 endpoint.
pub fn encode_v4(endpoint: SocketAddrV4) -> [u8; V4_LEN] {
    let mut bytes = [0; V4_LEN];
    bytes[..4].copy_from_slice(&endpoint.ip().octets());
    bytes[4..].copy_from_slice(&endpoint.port().to_be_bytes());
    bytes
}

/// Encodes one IPv6 endpoint; scope and flow label have no place in it.
pub fn encode_v6(endpoint: SocketAddrV6) -> [u8; V6_LEN] {
    let mut bytes = [0; V6_LEN];
    bytes[..16].copy_from_slice(&endpoint.ip().octets());
    bytes[16..].copy_from_slice(&endpoint.port().to_be_bytes());
    bytes
}

/// Decodes one IPv4 endpoint.
pub fn decode_v4(bytes: &[u8; V4_LEN]) -> SocketAddrV4 {
    let [a, b, c, d, hi, lo] = *bytes;
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([hi, lo]))
}

/// Decodes one IPv6 endpoint.
pub fn decode_v6(bytes: &[u8; V6_LEN]) -> SocketAddrV6 {
    let [ip @ .., hi, lo] = *bytes;
    SocketAddrV6::new(Ipv6Addr::from(ip), u16::from_be_bytes([hi, lo]), 0, 0)
}

/// Appends an endpoint to the list of its family; an IPv4-mapped IPv6 address counts as IPv4.
pub fn push_endpoint(endpoint: SocketAddr, v4: &mut Vec<u8>, v6: &mut Vec<u8>) {
    match endpoint.ip().to_canonical() {
        IpAddr::V4(ip) => v4.extend_from_slice(&encode_v4(SocketAddrV4::new(ip, endpoint.port()))),
        IpAddr::V6(ip) => v6.extend_from_slice(&encode_v6(SocketAddrV6::new(ip, endpoint.port(), 0, 0))),
    }
}

/// Iterates over a compact IPv4 list; an incomplete last entry is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactV4<'a>(pub &'a [u8]);

impl Iterator for CompactV4<'_> {
    type Item = SocketAddrV4;

    fn next(&mut self) -> Option<SocketAddrV4> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(decode_v4(head))
    }
}

/// Iterates over a compact IPv6 list; an incomplete last entry is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactV6<'a>(pub &'a [u8]);

impl Iterator for CompactV6<'_> {
    type Item = SocketAddrV6;

    fn next(&mut self) -> Option<SocketAddrV6> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(decode_v6(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_survive_a_round_trip_and_stay_in_order() {
        let a: SocketAddrV4 = "192.0.2.1:6881".parse().unwrap();
        let b: SocketAddrV4 = "198.51.100.7:1".parse().unwrap();
        let list = [encode_v4(a), encode_v4(b)].concat();
        assert_eq!(list, [192, 0, 2, 1, 0x1a, 0xe1, 198, 51, 100, 7, 0, 1]);
        assert_eq!(CompactV4(&list).collect::<Vec<_>>(), [a, b]);
        let c: SocketAddrV6 = "[2001:db8::1]:6881".parse().unwrap();
        assert_eq!(CompactV6(&encode_v6(c)).collect::<Vec<_>>(), [c]);
    }

    #[test]
    fn a_cut_last_entry_is_not_seen() {
        assert_eq!(CompactV4(&[1, 2, 3, 4, 0, 5, 6, 7, 8]).count(), 1);
        assert_eq!(CompactV6(&[0; 35]).count(), 1);
    }

    #[test]
    fn a_mapped_address_goes_to_the_ipv4_list() {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        push_endpoint("[::ffff:192.0.2.1]:80".parse().unwrap(), &mut v4, &mut v6);
        push_endpoint("[2001:db8::1]:80".parse().unwrap(), &mut v4, &mut v6);
        assert_eq!((v4.len(), v6.len()), (V4_LEN, V6_LEN));
    }
}
