//! What was measured: counters for the whole simulation and for each host, and histograms.

use std::collections::BTreeMap;

/// Counters of a whole simulation.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Totals {
    /// Queue entries handled.
    pub events: u64,
    /// Calls of `handle_timeout`.
    pub timers: u64,
    /// Deadlines that did not move on after being handled: machines that would spin a real driver.
    pub spins: u64,
    /// Commands given.
    pub commands: u64,
    /// Datagrams handed to the network.
    pub datagrams_sent: u64,
    /// Their payload bytes.
    pub datagram_bytes: u64,
    /// Datagrams given to machines, duplicates included.
    pub datagrams_delivered: u64,
    /// Datagrams lost: by chance, a full queue, a NAT, a partition, an absent host, or larger than the MTU.
    pub datagrams_dropped: u64,
    /// Streams asked for.
    pub opens: u64,
    /// Streams accepted.
    pub accepts: u64,
    /// Ends told that their stream was refused.
    pub refusals: u64,
    /// Ends told that their stream broke.
    pub breaks: u64,
    /// Chunks delivered to machines.
    pub chunks: u64,
    /// Real bytes delivered over streams.
    pub stream_bytes: u64,
    /// Blank bytes (file data) delivered over streams.
    pub blank_bytes: u64,
    /// Disk operations completed, well or not.
    pub disk_operations: u64,
}

/// Counters of one host; kept only if [`crate::Network::count_hosts`] asks for them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct HostCounters {
    /// Bytes of datagrams and chunks that left the host.
    pub sent: u64,
    /// Bytes of datagrams and chunks that were delivered to it.
    pub received: u64,
    /// Datagrams and chunks that left the host.
    pub messages_sent: u32,
    /// Datagrams and chunks that were delivered to it.
    pub messages_received: u32,
}

/// All measurements of a simulation.
#[derive(Clone, Default, Debug)]
pub struct Probe {
    /// The sums.
    pub totals: Totals,
    pub(crate) hosts: Vec<HostCounters>,
    histograms: BTreeMap<&'static str, Histogram>,
}

impl Probe {
    /// The counters of host number `host`; zero if hosts are not counted.
    pub fn host(&self, host: u32) -> HostCounters {
        self.hosts.get(host as usize).copied().unwrap_or_default()
    }

    /// The histogram of that name, if anything was recorded in it.
    pub fn histogram(&self, name: &str) -> Option<&Histogram> {
        self.histograms.get(name)
    }

    /// All histograms by name.
    pub fn histograms(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        self.histograms.iter().map(|(name, histogram)| (*name, histogram))
    }

    /// Records a value.
    pub fn record(&mut self, name: &'static str, value: u64) {
        self.histograms.entry(name).or_default().record(value);
    }

    pub(crate) fn sent(&mut self, host: u32, bytes: u64) {
        if let Some(counters) = self.hosts.get_mut(host as usize) {
            counters.sent += bytes;
            counters.messages_sent = counters.messages_sent.saturating_add(1);
        }
    }

    pub(crate) fn received(&mut self, host: u32, bytes: u64) {
        if let Some(counters) = self.hosts.get_mut(host as usize) {
            counters.received += bytes;
            counters.messages_received = counters.messages_received.saturating_add(1);
        }
    }
}

/// Sub-buckets a power of two: quantiles are right within 1/32.
const FINE: u32 = 5;

/// Values in buckets whose width grows with the value; quantiles are right within 3.2 %.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Histogram {
    /// Adds a value.
    pub fn record(&mut self, value: u64) {
        let bucket = Self::bucket(value);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += u128::from(value);
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; zero without values.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The smallest value; zero without values.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The greatest value; zero without values.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value below or at which a share `q` (0 to 1) of all values lies; zero without values.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.count as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Self::upper(bucket).clamp(self.min, self.max);
            }
        }
        self.max
    }

    fn bucket(value: u64) -> usize {
        let shift = (u64::BITS - value.leading_zeros()).saturating_sub(FINE + 1);
        ((u64::from(shift) << FINE) + (value >> shift)) as usize
    }

    fn upper(bucket: usize) -> u64 {
        let shift = ((bucket as u64) >> FINE).saturating_sub(1);
        let fine = bucket as u64 - (shift << FINE);
        (((u128::from(fine) + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_a_thirtieth() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|value| histogram.record(value));
        for q in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let (exact, found) = (100_000.0 * q, histogram.quantile(q) as f64);
            assert!(found >= exact && found <= exact * 1.033, "{q}: {found} for {exact}");
        }
        assert_eq!((histogram.min(), histogram.max(), histogram.count()), (1, 100_000, 100_000));
        assert!((histogram.mean() - 50_000.5).abs() < 1e-6);
    }

    #[test]
    fn extremes_and_emptiness_are_no_trouble() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.max()), (0, 0));
        histogram.record(u64::MAX);
        histogram.record(0);
        assert_eq!((histogram.quantile(0.0), histogram.quantile(1.0)), (0, u64::MAX));
    }

    #[test]
    fn buckets_follow_each_other_without_gap() {
        for bucket in 0..1000 {
            let upper = Histogram::upper(bucket);
            assert_eq!((Histogram::bucket(upper), Histogram::bucket(upper + 1)), (bucket, bucket + 1));
        }
    }
}
