//! A rate limit that machines can plan with: how much may go now, and when the rest may.

use crate::Instant;
use std::time::Duration;

/// A token bucket in bytes; `None` as rate means unlimited.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Option<u64>,
    burst: i64,
    tokens: i64,
    updated: Instant,
}

impl TokenBucket {
    /// A full bucket with `rate` bytes a second and a burst of 20 ms of it, at least 32 KiB (two blocks).
    pub fn new(rate: Option<u64>, now: Instant) -> TokenBucket {
        let burst = rate.map_or(0, |rate| (rate / 50).clamp(32 << 10, i64::MAX as u64) as i64);
        TokenBucket { rate, burst, tokens: burst, updated: now }
    }

    /// Whether anything may go now; a bucket that is not empty may be overdrawn by one unit.
    pub fn is_open(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.rate.is_none() || self.tokens > 0
    }

    /// Takes `bytes`, going into debt if need be.
    pub fn take(&mut self, bytes: u64) {
        if self.rate.is_some() {
            self.tokens = self.tokens.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// When the bucket opens again; `None` if it is open or its rate is zero.
    pub fn opens_at(&self) -> Option<Instant> {
        let rate = self.rate.filter(|rate| *rate > 0)?;
        let debt = u64::try_from(1 - self.tokens).ok().filter(|debt| *debt > 0)?;
        let micros = (u128::from(debt) * 1_000_000).div_ceil(u128::from(rate));
        Some(self.updated + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    fn refill(&mut self, now: Instant) {
        let Some(rate) = self.rate else { return };
        let gained = u128::from(rate) * now.since(self.updated).as_micros() / 1_000_000;
        if gained > 0 {
            // Advance by exactly what the gained tokens took, so that frequent calls lose nothing to rounding.
            let took = gained * 1_000_000 / u128::from(rate.max(1));
            self.updated = self.updated + Duration::from_micros(u64::try_from(took).unwrap_or(u64::MAX));
            self.tokens =
                self.tokens.saturating_add(i64::try_from(gained).unwrap_or(i64::MAX)).min(self.burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_rate_however_often_it_is_asked() {
        let mut bucket = TokenBucket::new(Some(1 << 20), Instant::EPOCH);
        let mut sent = 0u64;
        for micros in (0..10_000_000).step_by(37) {
            while bucket.is_open(Instant::from_micros(micros)) {
                bucket.take(16 << 10);
                sent += 16 << 10;
            }
        }
        let ideal = 10u64 << 20;
        assert!(sent >= ideal - (64 << 10) && sent <= ideal + (128 << 10), "{sent} of {ideal}");
    }

    #[test]
    fn it_says_when_it_opens_and_keeps_its_word() {
        let mut bucket = TokenBucket::new(Some(1000), Instant::EPOCH);
        bucket.take(40 << 10);
        assert!(!bucket.is_open(Instant::EPOCH));
        let opens = bucket.opens_at().unwrap();
        assert!(bucket.is_open(opens));
    }

    #[test]
    fn unlimited_is_always_open_and_zero_never() {
        let mut free = TokenBucket::new(None, Instant::EPOCH);
        free.take(u64::MAX);
        assert!(free.is_open(Instant::EPOCH));
        let mut shut = TokenBucket::new(Some(0), Instant::EPOCH);
        shut.take(32 << 10);
        assert!(!shut.is_open(Instant::from_micros(u64::MAX)));
        assert_eq!(shut.opens_at(), None);
    }
}
