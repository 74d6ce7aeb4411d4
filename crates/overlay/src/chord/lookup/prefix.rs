//! Bounds on how many fingers share a network, so that one owner of addresses cannot fill the table (section 5, row 3).

use std::net::IpAddr;
use throng_machine::Endpoint;

/// The networks an address lies in: its /24 and /16, of IPv6 its /48 and /32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Prefix {
    narrow: u64,
    wide: u64,
}

/// Set in the prefixes of IPv6, so that they never equal those of IPv4.
const V6: u64 = 1 << 63;

impl Prefix {
    /// The prefix of an address; `None` of those a private network shares out at will, where it says nothing.
    pub(crate) fn of(endpoint: Endpoint) -> Option<Prefix> {
        match endpoint.ip() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                let shared = a == 100 && b & 0xc0 == 64;
                let private = ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared;
                let wide = u64::from(a) << 8 | u64::from(b);
                (!private).then_some(Prefix { narrow: wide << 8 | u64::from(c), wide })
            }
            IpAddr::V6(ip) => {
                let private = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
                let top = (u128::from(ip) >> 80) as u64;
                (!private).then_some(Prefix { narrow: V6 | top, wide: V6 | top >> 16 })
            }
        }
    }

    /// The /24 (/48) as a number.
    pub(crate) fn narrow(self) -> u64 {
        self.narrow
    }

    /// Whether both lie in one /24 (/48).
    pub(crate) fn shares_narrow(self, other: Prefix) -> bool {
        self.narrow == other.narrow
    }

    /// Whether both lie in one /16 (/32).
    pub(crate) fn shares_wide(self, other: Prefix) -> bool {
        self.wide == other.wide
    }
}

/// Whether two addresses lie in different /16 as far as anyone can tell.
pub(crate) fn apart(a: Endpoint, b: Endpoint) -> bool {
    match (Prefix::of(a), Prefix::of(b)) {
        (Some(a), Some(b)) => !a.shares_wide(b),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> Endpoint {
        Endpoint::new(text.parse().unwrap(), 1)
    }

    #[test]
    fn addresses_are_compared_by_their_networks() {
        let of = |ip| Prefix::of(Endpoint::v4(ip, 1)).unwrap();
        assert!(of([8, 8, 8, 1]).shares_narrow(of([8, 8, 8, 2])));
        assert!(!of([8, 8, 8, 1]).shares_narrow(of([8, 8, 9, 1])));
        assert!(of([8, 8, 8, 1]).shares_wide(of([8, 8, 9, 1])));
        assert!(!of([8, 8, 8, 1]).shares_wide(of([8, 9, 8, 1])));
        let wide = |text| Prefix::of(v6(text)).unwrap();
        assert!(wide("2a00:1:2::1").shares_narrow(wide("2a00:1:2:3::1")));
        assert!(wide("2a00:1:2::1").shares_wide(wide("2a00:1:3::1")));
        assert!(!wide("2a00:1:2::1").shares_wide(wide("2a00:2:2::1")));
        assert!(!wide("::808:801").shares_wide(of([8, 8, 8, 1])));
    }

    #[test]
    fn private_addresses_have_no_prefix() {
        for ip in [[10, 0, 0, 1], [127, 0, 0, 1], [192, 168, 1, 1], [169, 254, 1, 1], [100, 64, 1, 1]] {
            assert_eq!(Prefix::of(Endpoint::v4(ip, 1)), None);
        }
        assert!(["::1", "fe80::1", "fd00::1"].iter().all(|text| Prefix::of(v6(text)).is_none()));
        assert!(apart(Endpoint::v4([10, 0, 0, 1], 1), Endpoint::v4([10, 0, 0, 2], 1)));
        assert!(!apart(Endpoint::v4([8, 8, 8, 1], 1), Endpoint::v4([8, 8, 9, 2], 1)));
    }
}
