//! Positions on the ring (chord.md 1.2, 1.3): 160 bits, arithmetic modulo 2^160, and nowhere else in the project.
//!
//! "Between" goes clockwise, towards larger numbers and past the top to the smallest. An id is never sent: it is
//! computed from the address a packet came from, so a forged one cannot be expressed.

use sha1::{Digest, Sha1};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Bits of a position.
pub const BITS: u32 = 160;
/// Virtual nodes a host may run at most; an index is below it.
pub const MAX_VNODES: u8 = 64;
/// Slots, and so virtual nodes, of one address under [`IdRule::Prefix`].
pub const PREFIX_SLOTS: u8 = 8;

/// Which bits of an IPv4 address count under [`IdRule::Prefix`].
const MASK_V4: u32 = 0x030f_3fff;
/// Which bits of the upper half of an IPv6 address count under [`IdRule::Prefix`].
const MASK_V6: u64 = 0x0103_070f_1f3f_7fff;

/// A position on the ring: the id of a virtual node or the hash of a key, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RingId(pub [u8; 20]);

impl RingId {
    /// The smallest position.
    pub const MIN: Self = Self([0; 20]);
    /// The largest position.
    pub const MAX: Self = Self([0xff; 20]);
    /// A third of the ring (rounded down): the offset between equally spaced copies.
    pub const THIRD: Self = Self([0x55; 20]);

    /// SHA-1 of some bytes.
    pub fn hash(bytes: &[u8]) -> Self {
        Self::hash_parts(&[bytes])
    }

    /// SHA-1 of some bytes given in parts.
    pub fn hash_parts(parts: &[&[u8]]) -> Self {
        let mut sha = Sha1::new();
        for part in parts {
            sha.update(part);
        }
        Self(sha.finalize().into())
    }

    /// The id of a virtual node under [`IdRule::Open`], whatever its index.
    pub fn of(address: SocketAddr, vnode: u8) -> Self {
        let [high, low] = address.port().to_be_bytes();
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                Self::hash(&[a, b, c, d, high, low, vnode])
            }
            IpAddr::V6(ip) => Self::hash_parts(&[&ip.octets(), &[high, low, vnode]]),
        }
    }

    /// The number as its upper 128 and lower 32 bits.
    #[inline]
    const fn halves(self) -> (u128, u32) {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, low @ ..] = self.0;
        let high = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
        (u128::from_be_bytes(high), u32::from_be_bytes(low))
    }

    #[inline]
    const fn from_halves(high: u128, low: u32) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = high.to_be_bytes();
        let [q, r, s, t] = low.to_be_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t])
    }

    /// `self + other` modulo 2^160.
    #[must_use]
    #[inline]
    pub const fn plus(self, other: Self) -> Self {
        let ((a, b), (c, d)) = (self.halves(), other.halves());
        let (low, carry) = b.overflowing_add(d);
        Self::from_halves(a.wrapping_add(c).wrapping_add(carry as u128), low)
    }

    /// `self - other` modulo 2^160.
    #[must_use]
    #[inline]
    pub const fn minus(self, other: Self) -> Self {
        let ((a, b), (c, d)) = (self.halves(), other.halves());
        let (low, borrow) = b.overflowing_sub(d);
        Self::from_halves(a.wrapping_sub(c).wrapping_sub(borrow as u128), low)
    }

    /// `self + 2^power`, the start of the classical finger `power + 1`; unchanged for 160 and more.
    #[must_use]
    pub const fn add_pow(self, power: u32) -> Self {
        self.plus(Self::power(power))
    }

    /// `self + digit * 2^(level * bits)` modulo 2^160: where finger (level, digit) of base `2^bits` starts.
    #[must_use]
    pub fn add_digit(self, level: u32, digit: u32, bits: u32) -> Self {
        (0..32)
            .filter(|bit| digit >> bit & 1 == 1)
            .fold(self, |sum, bit| sum.add_pow(level.saturating_mul(bits).saturating_add(bit)))
    }

    /// 2^power; 0 for 160 and more.
    pub const fn power(power: u32) -> Self {
        match power {
            0..32 => Self::from_halves(0, 1 << power),
            32..160 => Self::from_halves(1 << (power - 32), 0),
            _ => Self::MIN,
        }
    }

    /// Place of the highest bit set; none for 0. Of a distance: the level of the binary finger that covers it.
    pub const fn log2(self) -> Option<u32> {
        match self.halves() {
            (0, 0) => None,
            (0, low) => Some(low.ilog2()),
            (high, _) => Some(high.ilog2() + 32),
        }
    }

    /// Hexadecimal digit `level` (0 is the highest, at most 39), by which digest trees branch.
    pub const fn nibble(self, level: u8) -> u8 {
        let byte = self.0[(level / 2) as usize % 20];
        if level.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
    }

    /// The distance that is this share of the ring, to 2^-53 of it; what is below 0 is 0, what is not below 1 all but 2^-128.
    pub fn of_fraction(share: f64) -> Self {
        // Casts saturate.
        Self::from_halves((share * 2f64.powi(128)) as u128, 0)
    }

    /// The number as a fraction of the ring, from 0 to below 1 (rounding may reach 1).
    pub fn fraction(self) -> f64 {
        let (high, low) = self.halves();
        // 2^-128 and 2^-160 are exact.
        high as f64 * 2f64.powi(-128) + f64::from(low) * 2f64.powi(-160)
    }
}

impl Ord for RingId {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.halves().cmp(&other.halves())
    }
}

impl PartialOrd for RingId {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether `x` lies strictly after `a` and strictly before `b`; if `a = b`, the whole ring but `a` does.
#[inline]
pub fn btw(a: RingId, x: RingId, b: RingId) -> bool {
    if a < b { a < x && x < b } else { a < x || x < b }
}

/// Whether `k` lies in `(a, b]`; if `a = b`, every `k` does.
#[inline]
pub fn own(a: RingId, k: RingId, b: RingId) -> bool {
    if a < b { a < k && k <= b } else { a < k || k <= b }
}

/// How far `x` lies after `a`, clockwise.
#[inline]
pub const fn dist(a: RingId, x: RingId) -> RingId {
    x.minus(a)
}

/// How many nodes a ring has in which the `count`-th successor lies `span` away; infinite for no span.
pub fn ring_size(count: usize, span: RingId) -> f64 {
    count as f64 / span.fraction()
}

/// How an address and an index become an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IdRule {
    /// SHA-1(ip, port, index): for LANs, private networks, loopback and the simulator.
    #[default]
    Open,
    /// SHA-1("p", masked ip, slot): eight ids an address whatever its port, for the public Internet.
    Prefix,
}

impl IdRule {
    /// Virtual nodes an address may have.
    pub const fn vnodes(self) -> u8 {
        match self {
            Self::Open => MAX_VNODES,
            Self::Prefix => PREFIX_SLOTS,
        }
    }

    /// The id of a virtual node; none if the rule allows no such index.
    pub fn id(self, address: SocketAddr, vnode: u8) -> Option<RingId> {
        if vnode >= self.vnodes() {
            return None;
        }
        Some(match self {
            Self::Open => RingId::of(address, vnode),
            Self::Prefix => match address.ip().to_canonical() {
                IpAddr::V4(ip) => {
                    RingId::hash_parts(&[b"p", &(u32::from(ip) & MASK_V4).to_be_bytes(), &[vnode]])
                }
                IpAddr::V6(ip) => {
                    let upper = (u128::from(ip) >> 64) as u64;
                    RingId::hash_parts(&[b"p", &(upper & MASK_V6).to_be_bytes(), &[vnode]])
                }
            },
        })
    }
}
