//! Connection ids without memory (BEP 15): a keyed hash of the source address and the time.
//!
//! Time runs in buckets of 30 s. An id holds the bucket's two low bits in the clear and 62 bits of hash, so that
//! checking takes one hash. It is accepted in its own bucket and the three that follow: for 90 to 120 s. The port is
//! not part of it: address translators change ports between packets, and it is the address that must be proved.

use std::net::IpAddr;

use throng_machine::{Endpoint, Instant};

use crate::keys::Keys;

/// Width of a bucket, in µs.
const BUCKET: u64 = 30_000_000;
/// Bits of the bucket shown in the id.
const SHOWN: u64 = 0b11;

/// The id granted to this address now.
pub(crate) fn grant(keys: &Keys, from: Endpoint, now: Instant) -> u64 {
    id_of(keys, from, now.as_micros() / BUCKET)
}

/// Whether this address was granted this id within the last two minutes.
pub(crate) fn is_valid(keys: &Keys, from: Endpoint, id: u64, now: Instant) -> bool {
    let bucket = now.as_micros() / BUCKET;
    let age = bucket.wrapping_sub(id) & SHOWN;
    // Word-wide, without an early exit: the time it takes says nothing of how much of a guess was right.
    bucket.checked_sub(age).is_some_and(|granted| id_of(keys, from, granted) ^ id == 0)
}

fn id_of(keys: &Keys, from: Endpoint, bucket: u64) -> u64 {
    let address = match from.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    keys.authenticate(&address, bucket) & !SHOWN | bucket & SHOWN
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use throng_machine::SplitMix64;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_id_holds_for_its_address_at_least_ninety_seconds_and_less_than_two_minutes() {
        let keys = Keys::new(&mut SplitMix64::new(1));
        let home = Endpoint::v4([192, 0, 2, 1], 6881);
        for granted in [0, 1, 29, 30, 100, 1_000_003] {
            let id = grant(&keys, home, at(granted));
            assert!((0..=90).all(|age| is_valid(&keys, home, id, at(granted + age))));
            assert!((120..600).all(|age| !is_valid(&keys, home, id, at(granted + age))));
        }
    }

    #[test]
    fn an_id_is_bound_to_the_address_but_not_to_the_port() {
        let keys = Keys::new(&mut SplitMix64::new(1));
        let home = Endpoint::v4([192, 0, 2, 1], 6881);
        let id = grant(&keys, home, at(0));
        assert!(is_valid(&keys, home.with_port(1), id, at(1)));
        assert!(!is_valid(&keys, Endpoint::v4([192, 0, 2, 2], 6881), id, at(1)));
        assert!(!is_valid(&Keys::new(&mut SplitMix64::new(2)), home, id, at(1)));
        assert!((0..64).all(|bit| !is_valid(&keys, home, id ^ (1 << bit), at(1))));
        assert!(!is_valid(&keys, home, 0, at(0)));
    }
}
