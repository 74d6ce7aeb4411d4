//! Rates of payload, and the request window that follows from them.

use std::time::Duration;
use throng_machine::Instant;

/// Time constant of a rate: half of what counts is younger than 7 s, as reciprocity wants (BEP 3: 20 s average).
const TAU_SECONDS: f64 = 10.0;

/// Bytes a second, weighted towards the last seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    level: f64,
    total: u64,
    began: Instant,
    updated: Instant,
}

impl Rate {
    pub(crate) fn new(now: Instant) -> Rate {
        Rate { level: 0.0, total: 0, began: now, updated: now }
    }

    pub(crate) fn add(&mut self, bytes: u64, now: Instant) {
        self.total += bytes;
        self.level = self.decayed(now) + bytes as f64;
        self.updated = now;
    }

    /// Bytes since the beginning.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes a second.
    pub(crate) fn per_second(&self, now: Instant) -> u64 {
        let age = now.since(self.began).as_secs_f64().max(0.1);
        let span = TAU_SECONDS * (1.0 - (-age / TAU_SECONDS).exp());
        (self.decayed(now) / span) as u64
    }

    fn decayed(&self, now: Instant) -> f64 {
        let gap = now.since(self.updated).as_secs_f64();
        if gap == 0.0 { self.level } else { self.level * (-gap / TAU_SECONDS).exp() }
    }
}

/// Blocks are 16 KiB everywhere; larger requests are refused by many clients.
pub(crate) const BLOCK: u32 = 16 << 10;
/// Requests under way before anything is measured, and the least ever.
const LEAST_WINDOW: u32 = 4;
/// A smallest round-trip time is believed this long, then measured anew (the route may have changed).
const RTT_LIFE: Duration = Duration::from_secs(30);

/// How many requests to keep under way: the measured delivery rate times the smallest round trip plus a bounded
/// queueing delay, so a link of any delay is filled and no peer holds more of our requests than it can soon answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    delivered: u64,
    /// Bytes a µs.
    rate: f32,
    min_rtt_micros: u32,
    min_rtt_at: Instant,
}

/// What is remembered of a request to measure by its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    at: Instant,
    delivered: u64,
}

impl Stamp {}

impl Window {
    pub(crate) fn new(now: Instant) -> Window {
        Window { delivered: 0, rate: 0.0, min_rtt_micros: u32::MAX, min_rtt_at: now }
    }

    /// Stamps a request made now.
    pub(crate) fn stamp(&self, now: Instant) -> Stamp {
        Stamp { at: now, delivered: self.delivered }
    }

    /// A block of `bytes` answered the request stamped so.
    pub(crate) fn on_block(&mut self, stamp: Stamp, bytes: u32, now: Instant, queue_delay: Duration) {
        self.delivered += u64::from(bytes);
        let micros = |duration: Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        let rtt = micros(now.since(stamp.at)).max(1);
        if rtt <= self.min_rtt_micros {
            (self.min_rtt_micros, self.min_rtt_at) = (rtt, now);
        } else if now.since(self.min_rtt_at) > RTT_LIFE {
            // Measured anew, the time holds the queue that our own window keeps filled.
            let base = rtt.saturating_sub(micros(queue_delay)).max(1);
            (self.min_rtt_micros, self.min_rtt_at) = (base, now);
        }
        let sample = (self.delivered - stamp.delivered) as f32 / rtt as f32;
        // Up at once, down slowly: one late block says little about the link.
        self.rate = if sample > self.rate { sample } else { self.rate + (sample - self.rate) / 16.0 };
    }

    /// How many requests to keep under way.
    pub(crate) fn blocks(&self, queue_delay: Duration) -> u32 {
        if self.min_rtt_micros == u32::MAX {
            return LEAST_WINDOW;
        }
        let micros = self.min_rtt_micros as f32 + queue_delay.as_micros() as f32;
        ((self.rate * micros / BLOCK as f32) as u32).max(LEAST_WINDOW)
    }

    /// The smallest round trip seen lately.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        (self.min_rtt_micros != u32::MAX).then(|| Duration::from_micros(self.min_rtt_micros.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_within_a_twentieth() {
        let mut rate = Rate::new(Instant::EPOCH);
        for tenth in 1..=600u64 {
            rate.add(100_000, Instant::from_micros(tenth * 100_000));
        }
        let per_second = rate.per_second(Instant::from_micros(60_000_000));
        assert!((950_000..1_050_000).contains(&per_second), "{per_second}");
        assert_eq!(rate.total(), 60_000_000);
    }

    /// A link of that rate and delay, with as many requests under way as the window wants; the window it settles on.
    fn settle(bytes_per_micro: f64, rtt_micros: u64) -> u32 {
        let delay = Duration::from_millis(150);
        let (mut window, mut free_at, mut under_way) =
            (Window::new(Instant::EPOCH), 0.0f64, std::collections::VecDeque::new());
        let mut now = 0u64;
        for _ in 0..20_000 {
            while under_way.len() < window.blocks(delay) as usize {
                free_at = free_at.max((now + rtt_micros / 2) as f64) + f64::from(BLOCK) / bytes_per_micro;
                under_way
                    .push_back((window.stamp(Instant::from_micros(now)), free_at as u64 + rtt_micros / 2));
            }
            let (stamp, arrives) = under_way.pop_front().unwrap();
            now = now.max(arrives);
            window.on_block(stamp, BLOCK, Instant::from_micros(now), delay);
        }
        window.blocks(delay)
    }

    #[test]
    fn the_window_fills_links_of_any_delay_and_no_more() {
        for (rate, rtt) in [(1.0, 50_000), (10.0, 200_000), (100.0, 1_000), (0.25, 20_000)] {
            let product = rate * rtt as f64 / f64::from(BLOCK);
            let blocks = f64::from(settle(rate, rtt));
            assert!(blocks >= product, "{rate} B/µs, {rtt} µs: {blocks} below {product}");
            let bound = rate * (rtt as f64 + 400_000.0) / f64::from(BLOCK);
            assert!(blocks <= bound.max(4.0), "{rate} B/µs, {rtt} µs: {blocks} above {bound}");
        }
    }
}
