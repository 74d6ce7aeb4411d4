//! The canonical peer priority (BEP 40): which connections a full swarm should keep, agreed on by both ends.
//!
//! CRC-32C over both addresses in order, each masked so that one network's addresses count alike unless the two
//! peers are neighbours; for two peers at one address, over their ports.

use std::net::{IpAddr, SocketAddr};

/// The reversed Castagnoli polynomial.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// The CRC-32C (Castagnoli) of `bytes`; a byte at a time, since its inputs here are 32 bytes at most.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8)
}

/// The priority of the connection between `a` and `b`, the same from either side; higher is kept. Use the address by
/// which the peer sees us. Mixed families, of which the BEP says nothing, count as IPv6 with v4-mapped addresses.
#[must_use]
pub fn peer_priority(a: SocketAddr, b: SocketAddr) -> u32 {
    match (a.ip().to_canonical(), b.ip().to_canonical()) {
        (a_ip, b_ip) if a_ip == b_ip => sorted_crc(a.port().to_be_bytes(), b.port().to_be_bytes()),
        (IpAddr::V4(a), IpAddr::V4(b)) => masked_crc(a.octets(), b.octets(), 2),
        (a, b) => masked_crc(octets(a), octets(b), 6),
    }
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Keeps `least` bytes, or one more than the addresses share if that is more, and masks the others with 0x55.
fn masked_crc<const N: usize>(a: [u8; N], b: [u8; N], least: usize) -> u32 {
    let shared = a.iter().zip(b).take_while(|&(&a, b)| a == b).count();
    let kept = least.max(shared + 1);
    let mask = |ip: [u8; N]| std::array::from_fn(|i| if i < kept { ip[i] } else { ip[i] & 0x55 });
    sorted_crc::<N>(mask(a), mask(b))
}

fn sorted_crc<const N: usize>(a: [u8; N], b: [u8; N]) -> u32 {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    crc32c([low, high].as_flattened())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn priority(a: &str, b: &str) -> u32 {
        peer_priority(a.parse().unwrap(), b.parse().unwrap())
    }

    #[test]
    fn crc32c_has_its_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn the_examples_of_the_bep_are_reproduced() {
        assert_eq!(priority("123.213.32.10:1", "98.76.54.32:2"), 0xec2d_7224);
        assert_eq!(priority("123.213.32.10:1", "123.213.32.234:2"), 0x9956_8189);
    }

    #[test]
    fn peers_of_one_16_are_told_apart_by_their_third_byte() {
        let expected = crc32c(&[123, 213, 32, 10 & 0x55, 123, 213, 33, 10 & 0x55]);
        assert_eq!(priority("123.213.33.10:1", "123.213.32.10:2"), expected);
    }

    #[test]
    fn two_peers_at_one_address_are_told_apart_by_their_ports() {
        assert_eq!(priority("10.0.0.1:6882", "10.0.0.1:6881"), crc32c(&[0x1a, 0xe1, 0x1a, 0xe2]));
        assert_eq!(priority("[::ffff:10.0.0.1]:6882", "10.0.0.1:6881"), crc32c(&[0x1a, 0xe1, 0x1a, 0xe2]));
    }

    #[test]
    fn ipv6_keeps_48_bits_and_one_byte_more_for_each_byte_shared() {
        let bytes = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
        let crc = |a: &str, b: &str| crc32c(&[bytes(a), bytes(b)].concat());
        let far = priority("[2001:db8:2:ffff::ff]:1", "[2001:db8:1:ffff::ff]:1");
        assert_eq!(far, crc("2001:db8:1:5555::55", "2001:db8:2:5555::55"));
        let same_48 = priority("[2001:db8:1:02ff::ff]:1", "[2001:db8:1:01ff::ff]:1");
        assert_eq!(same_48, crc("2001:db8:1:0155::55", "2001:db8:1:0255::55"));
        let same_56 = priority("[2001:db8:1:01ff::ff]:1", "[2001:db8:1:01fe::ff]:1");
        assert_eq!(same_56, crc("2001:db8:1:01fe::55", "2001:db8:1:01ff::55"));
    }

    proptest! {
        #[test]
        fn both_ends_agree(a: SocketAddr, b: SocketAddr) {
            prop_assert_eq!(peer_priority(a, b), peer_priority(b, a));
        }
    }
}
