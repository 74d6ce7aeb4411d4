//! Proof of an address: tokens we give, checked without memory, and the tokens others gave us.
//!
//! A token is a keyed hash of the source's address and port and of a 5-minute slot; it holds in its slot and the next.
//! Every answer carries one for its receiver, so neighbours always hold a fresh one; strangers are challenged first.

use super::node::Stamp;
use siphasher::sip::SipHasher24;
use std::cmp::Reverse;
use std::hash::Hasher as _;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant};

/// Width of a slot, in µs.
const SLOT: u64 = 300_000_000;
/// How long another's token is used: it holds for at least one slot.
const KEPT: Duration = Duration::from_secs(290);
/// Tokens of others kept at most for each virtual node: its list, its fingers, and a few more.
const MOST_HELD: usize = 64;

/// Tokens given and held.
#[derive(Clone, Default, Debug)]
pub(crate) struct Proofs {
    key: Option<[u64; 2]>,
    /// Those of IPv4 addresses: 18 bytes each.
    short: Vec<Held<6>>,
    /// Those of IPv6 addresses.
    long: Vec<Held<18>>,
    /// Virtual nodes of this host, if more than one.
    vnodes: u8,
}

/// A token of an address of `N` bytes, port included; all as bytes, since a million hosts hold dozens each.
#[derive(Clone, Copy, Debug)]
struct Held<const N: usize> {
    from: [u8; N],
    token: [u8; 8],
    since: Stamp4,
}

/// A [`Stamp`] that needs no alignment.
type Stamp4 = [u8; 4];

impl Proofs {
    /// For rings computed instead of grown: tokens that others can compute as well, which is what makes them useless
    /// on a network.
    pub(crate) fn computed(of: Endpoint) -> Proofs {
        Proofs { key: Some(computed_key(of)), ..Proofs::default() }
    }

    /// Holds the token that a node of a computed ring would have given us.
    pub(crate) fn hold_computed(&mut self, from: Endpoint, me: Endpoint, now: Instant) {
        self.hold(from, hash(computed_key(from), me, now.as_micros() / SLOT), now);
    }

    /// The token for an address now; never zero, which means "none".
    pub(crate) fn token(&mut self, of: Endpoint, now: Instant, rng: &mut dyn Entropy) -> u64 {
        let key = *self.key.get_or_insert_with(|| [rng.next_u64(), rng.next_u64()]);
        hash(key, of, now.as_micros() / SLOT)
    }

    /// Whether this address was given this token within the last 5 to 10 minutes.
    pub(crate) fn is_valid(&self, of: Endpoint, token: u64, now: Instant) -> bool {
        let (Some(key), slot) = (self.key, now.as_micros() / SLOT) else { return false };
        token != 0
            && (hash(key, of, slot) == token
                || slot.checked_sub(1).is_some_and(|slot| hash(key, of, slot) == token))
    }

    /// Makes room for the neighbours of that many virtual nodes.
    pub(crate) fn serve(&mut self, vnodes: usize) {
        self.vnodes = vnodes.min(64) as u8;
    }

    /// Remembers the token another gave us.
    pub(crate) fn hold(&mut self, from: Endpoint, token: u64, now: Instant) {
        if token == 0 {
            return;
        }
        let most = MOST_HELD * usize::from(self.vnodes.max(1));
        match Name::of(from) {
            Name::Short(name) => hold(&mut self.short, most, (name, token), now),
            Name::Long(name) => hold(&mut self.long, most, (name, token), now),
        }
    }

    /// The token to show to this address; zero if we have none.
    pub(crate) fn held(&self, to: Endpoint, now: Instant) -> u64 {
        match Name::of(to) {
            Name::Short(name) => held(&self.short, name, now),
            Name::Long(name) => held(&self.long, name, now),
        }
    }
}

/// An address and port as few bytes.
enum Name {
    Short([u8; 6]),
    Long([u8; 18]),
}

impl Name {
    fn of(endpoint: Endpoint) -> Name {
        let [high, low] = endpoint.port().to_be_bytes();
        match endpoint.ip() {
            std::net::IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                Name::Short([a, b, c, d, high, low])
            }
            std::net::IpAddr::V6(ip) => {
                let mut name = [0; 18];
                name[..16].copy_from_slice(&ip.octets());
                (name[16], name[17]) = (high, low);
                Name::Long(name)
            }
        }
    }
}

fn hold<const N: usize>(all: &mut Vec<Held<N>>, most: usize, (from, token): ([u8; N], u64), now: Instant) {
    let fresh = Held { from, token: token.to_ne_bytes(), since: Stamp::at(now).to_bytes() };
    if let Some(held) = all.iter_mut().find(|held| held.from == from) {
        *held = fresh;
        return;
    }
    let since = |held: &Held<N>| Stamp::from_bytes(held.since);
    all.retain(|held| since(held).within(KEPT, now));
    if all.len() >= most {
        let oldest = (0..all.len()).min_by_key(|at| Reverse(since(&all[*at]).age(now))).unwrap_or(0);
        all.swap_remove(oldest);
    }
    if all.len() == all.capacity() {
        all.reserve_exact(4);
    }
    all.push(fresh);
}

fn held<const N: usize>(all: &[Held<N>], to: [u8; N], now: Instant) -> u64 {
    let fresh = |held: &&Held<N>| held.from == to && Stamp::from_bytes(held.since).within(KEPT, now);
    all.iter().find(fresh).map_or(0, |held| u64::from_ne_bytes(held.token))
}

/// Anybody can compute it.
fn computed_key(of: Endpoint) -> [u64; 2] {
    [hash([1, 2], of, 0), hash([3, 4], of, 0)]
}

fn hash(key: [u64; 2], of: Endpoint, slot: u64) -> u64 {
    let mut bytes = [0; 26];
    match of.ip() {
        std::net::IpAddr::V4(ip) => bytes[..16].copy_from_slice(&ip.to_ipv6_mapped().octets()),
        std::net::IpAddr::V6(ip) => bytes[..16].copy_from_slice(&ip.octets()),
    }
    bytes[16..18].copy_from_slice(&of.port().to_be_bytes());
    bytes[18..].copy_from_slice(&slot.to_be_bytes());
    let mut hasher = SipHasher24::new_with_keys(key[0], key[1]);
    hasher.write(&bytes);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::SplitMix64;

    #[test]
    fn a_token_holds_for_its_address_at_least_five_minutes_and_no_longer_than_ten() {
        let (mut proofs, mut rng) = (Proofs::default(), SplitMix64::new(1));
        let (home, other) = (Endpoint::v4([192, 0, 2, 1], 1), Endpoint::v4([192, 0, 2, 1], 2));
        let at = |seconds| Instant::EPOCH + Duration::from_secs(seconds);
        for given in [0, 7, 299, 300, 1_000] {
            let token = proofs.token(home, at(given), &mut rng);
            assert!(proofs.is_valid(home, token, at(given + 300)));
            assert!(!proofs.is_valid(home, token, at(given + 600)));
            assert!(!proofs.is_valid(other, token, at(given)));
        }
        assert!(!proofs.is_valid(home, 0, at(0)));
    }

    #[test]
    fn held_tokens_are_bounded_and_the_newest_counts() {
        let mut proofs = Proofs::default();
        for port in 1..1_000 {
            proofs.hold(Endpoint::v4([10, 0, 0, 1], port), u64::from(port), Instant::EPOCH);
        }
        assert_eq!(proofs.short.len(), MOST_HELD);
        let last = Endpoint::v4([10, 0, 0, 1], 999);
        proofs.hold(last, 5, Instant::EPOCH);
        assert_eq!(proofs.held(last, Instant::EPOCH), 5);
        assert_eq!(proofs.held(last, Instant::EPOCH + KEPT + Duration::from_secs(1)), 0);
    }
}
