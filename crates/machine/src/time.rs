//! Time as machines see it: microseconds since the driver's epoch, in eight bytes even when optional.

use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, in µs since the driver's epoch; `Option<Instant>` is eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Instant(NonZeroU64);

impl Instant {
    /// The driver's epoch.
    pub const EPOCH: Instant = Instant(NonZeroU64::MIN);

    /// The instant that many µs after the epoch; saturates.
    pub const fn from_micros(micros: u64) -> Instant {
        Instant(NonZeroU64::MIN.saturating_add(micros))
    }

    /// µs since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// Saturates at the end of time.
    fn add(self, by: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

/// Collects the earliest of several deadlines, for `poll_timeout`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No deadline yet.
    pub const fn none() -> Deadline {
        Deadline(None)
    }

    /// Keeps the earlier of the two.
    pub fn at(&mut self, when: impl Into<Option<Instant>>) -> &mut Self {
        if let Some(when) = when.into() {
            self.0 = Some(self.0.map_or(when, |now| now.min(when)));
        }
        self
    }

    /// The earliest seen.
    pub const fn earliest(self) -> Option<Instant> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_instant_takes_eight_bytes() {
        assert_eq!(size_of::<Option<Instant>>(), 8);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Instant::from_micros(u64::MAX) + crate::FOREVER;
        assert_eq!(Instant::EPOCH - late, Duration::ZERO);
        assert!(late > Instant::EPOCH);
        assert_eq!(Instant::from_micros(7).as_micros(), 7);
    }

    #[test]
    fn a_deadline_keeps_the_earliest() {
        let mut deadline = Deadline::none();
        assert_eq!(deadline.earliest(), None);
        deadline.at(Instant::from_micros(9)).at(None).at(Instant::from_micros(3)).at(Instant::from_micros(5));
        assert_eq!(deadline.earliest(), Some(Instant::from_micros(3)));
    }
}
