//! Addresses of others to try: bounded, aged, with a wait after each failure that doubles.
//!
//! Strangers fill it, so an address they tell never pushes out one that has answered us, and is tried at most a few
//! times before it is forgotten. The application keeps it on disk as lines ([`HostCache::lines`]).
//!
//! Invariants: never more hosts than the limit; a host that is waited for is not given out; times are the driver's.

mod line;
#[cfg(test)]
mod tests;

pub use line::Line;

use siphasher::sip::SipHasher13;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;
use throng_machine::{Endpoint, Instant};

/// How much is kept and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheLimits {
    /// Hosts at most; 1,000, some 100 KiB.
    pub hosts: usize,
    /// The wait after the first failure; it doubles with each; 15 s.
    pub first_wait: Duration,
    /// The longest wait; 1 h.
    pub longest_wait: Duration,
    /// Failures after which a host that never answered is forgotten; 3. One that did may fail as often as waits last a
    /// day.
    pub failures: u8,
}

impl Default for CacheLimits {
    fn default() -> CacheLimits {
        CacheLimits {
            hosts: 1_000,
            first_wait: Duration::from_secs(15),
            longest_wait: Duration::from_secs(3_600),
            failures: 3,
        }
    }
}

/// Up to so many hosts memory is taken for each one as it comes.
const FEW: usize = 32;
/// Failures after which even a host that has answered is forgotten: about a day of waits.
const MOST_FAILURES: u8 = 30;

/// What is known of a host; times in seconds, as a million simulated nodes each have some.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Host {
    at: Endpoint,
    /// When it was last heard of.
    heard: u32,
    /// Not to be tried before.
    not_before: u32,
    /// Attempts in a row that came to nothing.
    failures: u8,
    /// It has answered us once.
    proved: bool,
}

/// Addresses of others to try.
#[derive(Debug, Default)]
pub struct HostCache {
    /// Ascending by address.
    hosts: Vec<Host>,
    /// Which of several that are as good is chosen depends on it, so that not all call the same.
    key: u64,
}

/// Whole seconds that have passed.
fn past(at: Instant) -> u32 {
    u32::try_from(at.as_micros() / 1_000_000).unwrap_or(u32::MAX)
}

/// Whole seconds after which a time has come.
fn to_come(at: Instant) -> u32 {
    u32::try_from(at.as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

impl HostCache {
    /// An empty one; `key` is no other node's.
    pub fn new(key: u64) -> HostCache {
        HostCache { hosts: Vec::new(), key }
    }

    /// A number drawn for an address, always the same one here and another elsewhere.
    pub fn draw(&self, at: &Endpoint) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.key, 0);
        at.hash(&mut hasher);
        hasher.finish()
    }

    /// Somebody told us of a host, or it told us itself; false if there is no room for it.
    pub fn add(&mut self, at: Endpoint, limits: &CacheLimits, now: Instant) -> bool {
        if !at.is_dialable() {
            return false;
        }
        if let Some(host) = self.host_mut(&at) {
            host.heard = past(now);
            return true;
        }
        if self.hosts.len() >= limits.hosts && !self.evict() {
            return false;
        }
        let host = Host { at, heard: past(now), not_before: 0, failures: 0, proved: false };
        let place = self.hosts.partition_point(|known| known.at < at);
        if self.hosts.len() < FEW {
            self.hosts.reserve_exact(1);
        }
        self.hosts.insert(place, host);
        true
    }

    fn place(&self, at: &Endpoint) -> Option<usize> {
        self.hosts.binary_search_by_key(at, |host| host.at).ok()
    }

    fn host_mut(&mut self, at: &Endpoint) -> Option<&mut Host> {
        let place = self.place(at)?;
        self.hosts.get_mut(place)
    }

    fn remove(&mut self, at: &Endpoint) -> bool {
        self.place(at).map(|place| self.hosts.remove(place)).is_some()
    }

    /// Takes the unproved host heard of longest ago away, or if all have answered the one heard of longest ago.
    fn evict(&mut self) -> bool {
        let worst = self.hosts.iter().min_by_key(|host| (host.proved, host.heard, host.at));
        let Some(worst) = worst.map(|host| host.at) else { return false };
        self.remove(&worst)
    }

    /// The best host to try now: one that has answered, then with few failures, then heard of lately. It is not given
    /// out again until it has failed or succeeded, or the first wait is over.
    pub fn next(
        &mut self,
        limits: &CacheLimits,
        now: Instant,
        mut wanted: impl FnMut(&Endpoint) -> bool,
    ) -> Option<Endpoint> {
        let passed = past(now);
        let ready = self.hosts.iter().filter(|host| host.not_before <= passed && wanted(&host.at));
        let rank = |host: &&Host| (host.failures, !host.proved, u32::MAX - host.heard, self.draw(&host.at));
        let at = ready.min_by_key(rank)?.at;
        self.host_mut(&at)?.not_before = to_come(now + limits.first_wait);
        Some(at)
    }

    /// When a host that is waited for may be tried again, if none may be now.
    pub fn next_try(&self, mut wanted: impl FnMut(&Endpoint) -> bool) -> Option<Instant> {
        let first = self.hosts.iter().filter(|host| wanted(&host.at)).map(|host| host.not_before).min();
        first.map(|seconds| Instant::from_micros(u64::from(seconds) * 1_000_000))
    }

    /// It answered: also a refusal with reasons is an answer.
    pub fn succeeded(&mut self, at: &Endpoint, now: Instant) {
        if let Some(host) = self.host_mut(at) {
            *host = Host { heard: past(now), failures: 0, proved: true, ..*host };
        }
    }

    /// It did not answer.
    pub fn failed(&mut self, at: &Endpoint, limits: &CacheLimits, now: Instant) {
        let Some(host) = self.host_mut(at) else { return };
        host.failures = host.failures.saturating_add(1);
        let most = if host.proved { MOST_FAILURES } else { limits.failures };
        if host.failures >= most {
            self.remove(at);
            return;
        }
        let doublings = u32::from(host.failures - 1).min(16);
        let wait = limits.first_wait.saturating_mul(1 << doublings).min(limits.longest_wait);
        host.not_before = to_come(now + wait);
    }

    /// It has no room, or asked not to be called: not before that.
    pub fn postpone(&mut self, at: &Endpoint, until: Instant) {
        if let Some(host) = self.host_mut(at) {
            host.not_before = host.not_before.max(to_come(until));
        }
    }

    /// Up to so many hosts to tell others of: those that answered, then those heard of lately.
    pub fn best(&self, most: usize) -> Vec<Endpoint> {
        let mut all: Vec<_> = self.hosts.iter().filter(|host| host.failures == 0).collect();
        all.sort_by_key(|host| (!host.proved, u32::MAX - host.heard, host.at));
        all.into_iter().take(most).map(|host| host.at).collect()
    }

    /// How many it knows.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// What is to be written to disk, the best first.
    pub fn lines(&self, now: Instant) -> Vec<Line> {
        let mut all: Vec<_> = self.hosts.iter().collect();
        all.sort_by_key(|host| (!host.proved, host.failures, u32::MAX - host.heard, host.at));
        let line = |host: &Host| Line {
            at: host.at,
            proved: host.proved,
            failures: host.failures,
            age: past(now).saturating_sub(host.heard).into(),
        };
        all.into_iter().map(line).collect()
    }

    /// What was on the disk.
    pub fn restore(&mut self, line: &Line, limits: &CacheLimits, now: Instant) {
        if !self.add(line.at, limits, now) {
            return;
        }
        if let Some(host) = self.host_mut(&line.at) {
            let heard = past(now).saturating_sub(u32::try_from(line.age).unwrap_or(u32::MAX));
            // A failure of an earlier run may have been our own: it is tried once more, after the others.
            let failures = line.failures.min(limits.failures.saturating_sub(1));
            *host = Host { heard, not_before: 0, failures, proved: line.proved, ..*host };
        }
    }
}
