//! The one clock of a driver: microseconds since it was made, never going back.

use std::time::Duration;
use throng_machine::Instant;

/// Reads the monotonic clock as machines see time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: std::time::Instant,
}

impl Clock {
    /// A clock whose epoch is now.
    pub fn start() -> Clock {
        Clock { epoch: std::time::Instant::now() }
    }

    /// The time since the epoch, rounded down to a µs.
    pub fn now(&self) -> Instant {
        Instant::EPOCH + self.epoch.elapsed()
    }

    /// How long until `when`; zero if it has passed.
    pub fn until(&self, when: Instant) -> Duration {
        when.since(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back_and_counts_down_to_zero() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.now() >= first);
        assert_eq!(clock.until(Instant::EPOCH), Duration::ZERO);
        assert!(clock.until(first + Duration::from_secs(60)) <= Duration::from_secs(60));
    }
}
