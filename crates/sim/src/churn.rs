//! Arrivals and departures as data.

use std::time::Duration;
use throng_machine::Entropy;

/// How long something lasts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Lasting {
    /// Always this long.
    Fixed(Duration),
    /// Exponentially distributed: memoryless.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Weibull distributed; measured peer-to-peer sessions have shapes of 0.4 to 0.6: many short, few very long.
    Weibull {
        /// Below 1: who stayed long stays longer.
        shape: f64,
        /// The time after which 1 in e is still there.
        scale: Duration,
    },
}

impl Lasting {
    /// Draws one; at least 1 µs.
    pub fn draw(self, rng: &mut dyn Entropy) -> Duration {
        let seconds = match self {
            Lasting::Fixed(length) => return length,
            Lasting::Exponential { mean } => mean.as_secs_f64() * exponential(rng),
            Lasting::Weibull { shape, scale } => scale.as_secs_f64() * exponential(rng).powf(1.0 / shape),
        };
        seconds_at_most_a_century(seconds).max(Duration::from_micros(1))
    }
}

/// How hosts of a kind come and go once started.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Churn {
    /// How long a host stays.
    pub session: Lasting,
    /// How long it stays away; `None` for ever.
    pub absence: Option<Lasting>,
    /// How it goes.
    pub departure: Departure,
}

/// How a host goes away, as its peers see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Departure {
    /// The program ends: peers see their streams finished, a latency later.
    Exit,
    /// The program is killed: peers see their streams broken, a latency later.
    Reset,
    /// The power fails: peers notice after [`crate::Network::silence`].
    Silent,
}

/// When the hosts of a group start.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Arrivals {
    /// All at once, at this time.
    Together(Duration),
    /// Evenly spread over this time.
    Spread(Duration),
    /// A Poisson process with this many a second.
    Poisson(f64),
    /// A flash crowd: each after an exponentially distributed time of this mean.
    Crowd(Duration),
}

impl Arrivals {
    /// The start times of `count` hosts.
    pub fn times(self, count: u32, rng: &mut dyn Entropy) -> Vec<Duration> {
        let mut clock = 0.0;
        let draw = |index| match self {
            Arrivals::Together(at) => at,
            Arrivals::Spread(over) => over.mul_f64(f64::from(index) / f64::from(count)),
            Arrivals::Poisson(rate) => {
                clock += exponential(rng) / rate.max(1e-9);
                seconds_at_most_a_century(clock)
            }
            Arrivals::Crowd(mean) => seconds_at_most_a_century(mean.as_secs_f64() * exponential(rng)),
        };
        (0..count).map(draw).collect()
    }
}

/// Exponentially distributed with mean 1.
fn exponential(rng: &mut dyn Entropy) -> f64 {
    // 53 random bits, never zero.
    -((((rng.next_u64() >> 11) + 1) as f64) / (1u64 << 53) as f64).ln()
}

fn seconds_at_most_a_century(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, throng_machine::FOREVER.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::SplitMix64;

    fn mean(lasting: Lasting) -> f64 {
        let mut rng = SplitMix64::new(3);
        (0..50_000).map(|_| lasting.draw(&mut rng).as_secs_f64()).sum::<f64>() / 50_000.0
    }

    #[test]
    fn sessions_have_the_mean_they_should() {
        let minute = Duration::from_secs(60);
        assert!((mean(Lasting::Exponential { mean: minute }) - 60.0).abs() < 1.0);
        // The mean of a Weibull distribution of shape 1/2 is twice its scale.
        assert!((mean(Lasting::Weibull { shape: 0.5, scale: minute }) - 120.0).abs() < 4.0);
        assert!((mean(Lasting::Fixed(minute)) - 60.0).abs() < 1e-6);
    }

    #[test]
    fn a_poisson_process_has_its_rate_and_a_crowd_its_mean() {
        let mut rng = SplitMix64::new(4);
        let last = *Arrivals::Poisson(100.0).times(10_000, &mut rng).last().unwrap();
        assert!((last.as_secs_f64() - 100.0).abs() < 3.0, "{last:?}");
        let crowd = Arrivals::Crowd(Duration::from_secs(10)).times(10_000, &mut rng);
        let mean = crowd.iter().map(Duration::as_secs_f64).sum::<f64>() / 10_000.0;
        assert!((mean - 10.0).abs() < 0.3, "{mean}");
    }
}
