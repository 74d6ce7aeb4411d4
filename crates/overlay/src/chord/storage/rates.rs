//! What one source may ask a second, and which keys are asked for most (4.5, section 5 rows 10 and 11).
//!
//! Buckets exist for sources that asked lately; at the bound the fullest, whose owners asked least, are forgotten.

use std::collections::BTreeMap;
use std::net::IpAddr;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::RingId;

/// Sources or keys watched at once.
const WATCHED: usize = 4_096;

/// A bucket of whole requests, counted in thousandths.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    millis: u64,
    since: Instant,
}

impl Bucket {
    fn refill(&mut self, (rate, burst): (u32, u32), now: Instant) {
        let gained = (now - self.since).as_millis() as u64 * u64::from(rate);
        self.millis = self.millis.saturating_add(gained).min(u64::from(burst) * 1_000);
        // What is less than a millisecond is kept for the next time.
        if gained > 0 {
            self.since = now;
        }
    }
}

/// Requests of one kind by source address.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rates {
    buckets: BTreeMap<IpAddr, Bucket>,
    /// What nobody has for himself.
    spare: Option<Bucket>,
}

impl Rates {
    /// Whether a source may make `count` requests now; takes them from its bucket.
    pub(crate) fn admit(&mut self, source: Endpoint, count: u32, limit: (u32, u32), now: Instant) -> bool {
        if self.buckets.len() >= WATCHED && !self.buckets.contains_key(&source.ip()) {
            self.forget(limit, now);
        }
        let full = Bucket { millis: u64::from(limit.1) * 1_000, since: now };
        let bucket = self.buckets.entry(source.ip()).or_insert(full);
        bucket.refill(limit, now);
        let wanted = u64::from(count) * 1_000;
        let admitted = bucket.millis >= wanted;
        if admitted {
            bucket.millis -= wanted;
        }
        admitted
    }

    /// The same for requests that wait for their answers: beyond its own bucket a source may use what is spare for all.
    pub(crate) fn admit_spare(
        &mut self,
        source: Endpoint,
        count: u32,
        (limit, spare): ((u32, u32), (u32, u32)),
        now: Instant,
    ) -> bool {
        let full = Bucket { millis: u64::from(spare.1) * 1_000, since: now };
        let bucket = self.spare.get_or_insert(full);
        bucket.refill(spare, now);
        let wanted = u64::from(count) * 1_000;
        if bucket.millis >= wanted {
            bucket.millis -= wanted;
            return true;
        }
        self.admit(source, count, limit, now)
    }

    /// Whether anybody asked so much lately that it counts.
    pub(crate) fn is_busy(&self) -> bool {
        !self.buckets.is_empty()
    }

    /// Forgets buckets that are full again: they are like those of sources that never asked.
    pub(crate) fn forget_full(&mut self, limit: (u32, u32), now: Instant) {
        let full = u64::from(limit.1) * 1_000;
        self.buckets.retain(|_, bucket| {
            bucket.refill(limit, now);
            bucket.millis < full
        });
        super::rest::release(&mut self.buckets);
    }

    fn forget(&mut self, limit: (u32, u32), now: Instant) {
        self.forget_full(limit, now);
        while self.buckets.len() >= WATCHED {
            let fullest = self.buckets.iter().max_by_key(|(ip, bucket)| (bucket.millis, **ip));
            let Some(ip) = fullest.map(|(ip, _)| *ip) else { break };
            self.buckets.remove(&ip);
        }
    }
}

/// Reads by key within the current second.
#[derive(Clone, Default, Debug)]
pub(crate) struct Heat {
    second: u64,
    reads: BTreeMap<RingId, u32>,
    before: BTreeMap<RingId, u32>,
}

impl Heat {
    /// Forgets reads that count no more.
    pub(crate) fn cool(&mut self, now: Instant) {
        if now.as_micros() / 1_000_000 > self.second + 1 {
            (self.reads, self.before) = (BTreeMap::new(), BTreeMap::new());
        }
    }

    /// Counts a read; returns how many there were this second or the one before, whichever are more.
    pub(crate) fn read(&mut self, key: RingId, now: Instant) -> u32 {
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            let reads = std::mem::take(&mut self.reads);
            self.before = if second == self.second + 1 { reads } else { BTreeMap::new() };
            self.second = second;
        }
        if self.reads.len() >= WATCHED && !self.reads.contains_key(&key) {
            return 1;
        }
        let count = self.reads.entry(key).or_insert(0);
        *count = count.saturating_add(1);
        (*count).max(self.before.get(&key).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_source_has_its_burst_and_then_its_rate() {
        let mut rates = Rates::default();
        let source = Endpoint::v4([192, 0, 2, 1], 1);
        let mut admitted = 0;
        for tick in 0..10_000u64 {
            let now = Instant::from_micros(tick * 1_000);
            admitted += u32::from(rates.admit(source.with_port(tick as u16), 1, (20, 100), now));
        }
        assert!((295..=300).contains(&admitted), "{admitted} in ten seconds at 20 a second after 100");
        assert!(rates.admit(Endpoint::v4([192, 0, 2, 2], 1), 100, (20, 100), Instant::EPOCH));
    }

    #[test]
    fn what_is_spare_is_used_up_by_one_source_and_others_have_their_own_still() {
        let mut rates = Rates::default();
        let (greedy, other) = (Endpoint::v4([192, 0, 2, 1], 1), Endpoint::v4([192, 0, 2, 2], 1));
        let limits = ((20, 100), (1_000, 2_000));
        let admitted = (0..500).filter(|_| rates.admit_spare(greedy, 10, limits, Instant::EPOCH)).count();
        assert_eq!(admitted, 210, "the spare ones and its own");
        assert!((0..100).all(|_| rates.admit_spare(other, 1, limits, Instant::EPOCH)));
        let later = Instant::EPOCH + Duration::from_secs(1);
        let admitted = (0..500).filter(|_| rates.admit_spare(greedy, 10, limits, later)).count();
        assert_eq!(admitted, 102);
    }

    #[test]
    fn the_sources_watched_are_bounded_and_a_greedy_one_is_not_forgotten() {
        let mut rates = Rates::default();
        let greedy = Endpoint::v4([192, 0, 2, 1], 1);
        assert!(rates.admit(greedy, 100, (20, 100), Instant::EPOCH));
        for n in 0..10_000u32 {
            let [_, _, c, d] = n.to_be_bytes();
            rates.admit(Endpoint::v4([10, 0, c, d], 1), 1, (20, 100), Instant::EPOCH);
        }
        assert!(rates.buckets.len() <= WATCHED);
        assert!(!rates.admit(greedy, 1, (20, 100), Instant::EPOCH));
    }

    #[test]
    fn heat_is_reads_a_second_and_cools_down() {
        let mut heat = Heat::default();
        let key = RingId::hash(b"key");
        let now = Instant::EPOCH;
        assert_eq!((0..50).map(|_| heat.read(key, now)).last(), Some(50));
        assert_eq!(heat.read(key, now + Duration::from_secs(1)), 50);
        assert_eq!(heat.read(key, now + Duration::from_secs(3)), 1);
    }
}
