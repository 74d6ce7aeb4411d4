//! One peer in 8 bytes (IPv4) or 20 (IPv6): the compact endpoint, as it goes out, and 2 bytes of state.
//!
//! The state's top bit says whether the peer is a seed; the other 15 hold the time of its last announce in units of
//! [`Tick::UNIT`], so they wrap after 36 hours. The sweep sees every record far more often than that.

use std::time::Duration;

use throng_machine::Instant;

/// Bytes of an IPv4 record.
pub(crate) const V4: usize = 8;
/// Bytes of an IPv6 record.
pub(crate) const V6: usize = 20;

const SEED: u16 = 1 << 15;

/// A coarse time, modulo 2¹⁵ units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick(u16);

impl Tick {
    /// µs in a unit: 4 s.
    pub(crate) const UNIT: u64 = 4_000_000;

    pub(crate) fn of(now: Instant) -> Self {
        Self((now.as_micros() / Self::UNIT % u64::from(SEED)) as u16)
    }

    /// A span in units, rounded up, below half of what the clock can tell apart.
    pub(crate) fn units(span: Duration) -> u16 {
        let units = span.as_micros().div_ceil(u128::from(Self::UNIT)).min(24 * 3_600 / 4);
        u16::try_from(units).unwrap_or(u16::MAX)
    }

    fn since(self, earlier: u16) -> u16 {
        self.0.wrapping_sub(earlier) & !SEED
    }
}

/// A peer; `N` is 6 or 18 bytes of endpoint and 2 of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<const N: usize>([u8; N]);

impl<const N: usize> Record<N> {
    pub(crate) const EMPTY: Self = Self([0; N]);

    /// A record from the compact endpoint, which has `N - 2` bytes.
    pub(crate) fn new(endpoint: &[u8], seed: bool, now: Tick) -> Self {
        let mut record = Self::EMPTY;
        record.0[..N - 2].copy_from_slice(endpoint);
        record.0[N - 2..].copy_from_slice(&(now.0 | if seed { SEED } else { 0 }).to_ne_bytes());
        record
    }

    pub(crate) fn endpoint(&self) -> &[u8] {
        &self.0[..N - 2]
    }

    pub(crate) fn is_same_peer(&self, other: &Self) -> bool {
        self.endpoint() == other.endpoint()
    }

    pub(crate) fn is_seed(&self) -> bool {
        self.state() & SEED != 0
    }

    /// Whether more than `ttl` units have passed since the last announce.
    pub(crate) fn is_expired(&self, now: Tick, ttl: u16) -> bool {
        now.since(self.state() & !SEED) > ttl
    }

    fn state(&self) -> u16 {
        u16::from_ne_bytes([self.0[N - 2], self.0[N - 1]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_take_eight_and_twenty_bytes() {
        assert_eq!((size_of::<Record<V4>>(), size_of::<Record<V6>>()), (8, 20));
    }

    #[test]
    fn a_record_expires_after_its_time_also_where_the_clock_wraps() {
        let at = |units: u64| Tick::of(Instant::from_micros(units * Tick::UNIT));
        let ttl = Tick::units(Duration::from_secs(40));
        assert_eq!(ttl, 10);
        for start in [0, 5, 32_760, 32_767, 1_000_000] {
            let record = Record::<V4>::new(&[0; 6], true, at(start));
            assert!(record.is_seed());
            assert!((0..=10).all(|age| !record.is_expired(at(start + age), ttl)));
            assert!((11..32_767).all(|age| record.is_expired(at(start + age), ttl)));
        }
    }
}
