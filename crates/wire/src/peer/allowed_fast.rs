//! The pieces a peer may fetch while choked (BEP 6, "Allowed Fast Set Generation").
//!
//! The set follows from the peer's /24 and the info-hash alone, so a peer gains nothing by asking many seeds or
//! from many addresses of one network. The BEP has no rule for IPv6.

use std::net::Ipv4Addr;

use sha1::{Digest as _, Sha1};

use crate::ids::InfoHash;

/// The most pieces in a set; the BEP uses 10, and a large set is an invitation to free riders.
const MAX_SET: usize = 64;
/// The hashes tried for a full set. A set of 64 out of 64 pieces needs about 60; a torrent on which the chain of
/// hashes went in circles must still end.
const MAX_ROUNDS: usize = 1024;

/// The first `count` (at most 64, and at most all) piece numbers for the peer at `ip`, in canonical order.
#[must_use]
pub fn allowed_fast_set(ip: Ipv4Addr, info_hash: &InfoHash, pieces: u32, count: usize) -> Vec<u32> {
    let count = count.min(MAX_SET).min(usize::try_from(pieces).unwrap_or(MAX_SET));
    let [a, b, c, _] = ip.octets();
    let mut set = Vec::with_capacity(count);
    let mut hash: [u8; 20] = Sha1::new().chain_update([a, b, c, 0]).chain_update(info_hash).finalize().into();
    for _ in 0..MAX_ROUNDS {
        for word in hash.as_chunks::<4>().0 {
            if set.len() == count {
                return set;
            }
            let piece = u32::from_be_bytes(*word).checked_rem(pieces).unwrap_or_default();
            if !set.contains(&piece) {
                set.push(piece);
            }
        }
        hash = Sha1::digest(hash).into();
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IP: Ipv4Addr = Ipv4Addr::new(80, 4, 4, 200);

    #[test]
    fn the_sets_of_the_bep_are_reproduced() {
        let info_hash = InfoHash([0xaa; 20]);
        let nine = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508];
        assert_eq!(allowed_fast_set(IP, &info_hash, 1313, 7), nine[..7]);
        assert_eq!(allowed_fast_set(IP, &info_hash, 1313, 9), nine);
    }

    #[test]
    fn peers_of_one_network_share_a_set() {
        let info_hash = InfoHash([0xaa; 20]);
        let neighbour = Ipv4Addr::new(80, 4, 4, 1);
        assert_eq!(
            allowed_fast_set(neighbour, &info_hash, 1313, 10),
            allowed_fast_set(IP, &info_hash, 1313, 10)
        );
    }

    #[test]
    fn the_set_is_capped_by_the_pieces_and_by_the_limit() {
        let info_hash = InfoHash([1; 20]);
        assert!(allowed_fast_set(IP, &info_hash, 0, 10).is_empty());
        assert_eq!(allowed_fast_set(IP, &info_hash, 1, 10), [0]);
        assert_eq!(allowed_fast_set(IP, &info_hash, u32::MAX, usize::MAX).len(), MAX_SET);
    }

    proptest! {
        #[test]
        fn sets_are_full_distinct_and_in_range(ip: [u8; 4], hash: [u8; 20], pieces in 0..200_u32, count in 0..100_usize) {
            let mut set = allowed_fast_set(ip.into(), &InfoHash(hash), pieces, count);
            prop_assert_eq!(set.len(), count.min(MAX_SET).min(pieces as usize));
            prop_assert!(set.iter().all(|&piece| piece < pieces));
            set.sort_unstable();
            prop_assert!(set.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
