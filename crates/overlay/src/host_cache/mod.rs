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

use std::collections::BTreeMap;
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

/// Failures after which even a host that has answered is forgotten: about a day of waits.
const MOST_FAILURES: u8 = 30;

/// What is known of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Host {
    /// When it was last heard of.
    heard: Instant,
    /// Not to be tried before.
    not_before: Instant,
    /// Attempts in a row that came to nothing.
    failures: u8,
    /// It has answered us once.
    proved: bool,
}

/// Addresses of others to try.
#[derive(Debug, Default)]
pub struct HostCache {
    hosts: BTreeMap<Endpoint, Host>,
}

impl HostCache {
    /// Somebody told us of a host, or it told us itself; false if there is no room for it.
    pub fn add(&mut self, at: Endpoint, limits: &CacheLimits, now: Instant) -> bool {
        if !at.is_dialable() {
            return false;
        }
        if let Some(host) = self.hosts.get_mut(&at) {
            host.heard = now;
            return true;
        }
        if self.hosts.len() >= limits.hosts && !self.evict() {
            return false;
        }
        let host = Host { heard: now, not_before: Instant::EPOCH, failures: 0, proved: false };
        self.hosts.insert(at, host);
        true
    }

    /// Takes the unproved host heard of longest ago away, or if all have answered the one heard of longest ago.
    fn evict(&mut self) -> bool {
        let worst = self.hosts.iter().min_by_key(|(at, host)| (host.proved, host.heard, **at));
        let Some(worst) = worst.map(|(at, _)| *at) else { return false };
        self.hosts.remove(&worst).is_some()
    }

    /// The best host to try now: one that has answered, then with few failures, then heard of lately. It is not given
    /// out again until it has failed or succeeded, or the first wait is over.
    pub fn next(
        &mut self,
        limits: &CacheLimits,
        now: Instant,
        mut wanted: impl FnMut(&Endpoint) -> bool,
    ) -> Option<Endpoint> {
        let ready = self.hosts.iter_mut().filter(|(at, host)| host.not_before <= now && wanted(at));
        let best = ready.min_by_key(|(at, host)| {
            let age = u64::MAX - host.heard.as_micros();
            (host.failures, !host.proved, age, **at)
        });
        let (at, host) = best?;
        host.not_before = now + limits.first_wait;
        Some(*at)
    }

    /// When a host that is waited for may be tried again, if none may be now.
    pub fn next_try(&self, mut wanted: impl FnMut(&Endpoint) -> bool) -> Option<Instant> {
        self.hosts.iter().filter(|(at, _)| wanted(at)).map(|(_, host)| host.not_before).min()
    }

    /// It answered: also a refusal with reasons is an answer.
    pub fn succeeded(&mut self, at: &Endpoint, now: Instant) {
        if let Some(host) = self.hosts.get_mut(at) {
            *host = Host { heard: now, failures: 0, proved: true, ..*host };
        }
    }

    /// It did not answer.
    pub fn failed(&mut self, at: &Endpoint, limits: &CacheLimits, now: Instant) {
        let Some(host) = self.hosts.get_mut(at) else { return };
        host.failures = host.failures.saturating_add(1);
        let most = if host.proved { MOST_FAILURES } else { limits.failures };
        if host.failures >= most {
            self.hosts.remove(at);
            return;
        }
        let doublings = u32::from(host.failures - 1).min(16);
        let wait = limits.first_wait.saturating_mul(1 << doublings).min(limits.longest_wait);
        host.not_before = now + wait;
    }

    /// It has no room, or asked not to be called: not before that.
    pub fn postpone(&mut self, at: &Endpoint, until: Instant) {
        if let Some(host) = self.hosts.get_mut(at) {
            host.not_before = host.not_before.max(until);
        }
    }

    /// Up to so many hosts to tell others of: those that answered, then those heard of lately.
    pub fn best(&self, most: usize) -> Vec<Endpoint> {
        let mut all: Vec<_> = self.hosts.iter().filter(|(_, host)| host.failures == 0).collect();
        all.sort_by_key(|(at, host)| (!host.proved, u64::MAX - host.heard.as_micros(), **at));
        all.into_iter().take(most).map(|(at, _)| *at).collect()
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
        all.sort_by_key(|(at, host)| (!host.proved, host.failures, u64::MAX - host.heard.as_micros(), **at));
        let line = |(at, host): (&Endpoint, &Host)| Line {
            at: *at,
            proved: host.proved,
            failures: host.failures,
            age: (now - host.heard).as_secs(),
        };
        all.into_iter().map(line).collect()
    }

    /// What was on the disk.
    pub fn restore(&mut self, line: &Line, limits: &CacheLimits, now: Instant) {
        if !self.add(line.at, limits, now) {
            return;
        }
        if let Some(host) = self.hosts.get_mut(&line.at) {
            let age = Duration::from_secs(line.age).as_micros();
            let heard = now.as_micros().saturating_sub(u64::try_from(age).unwrap_or(u64::MAX));
            // A failure of an earlier run may have been our own: it is tried once more, after the others.
            let failures = line.failures.min(limits.failures.saturating_sub(1));
            *host = Host {
                heard: Instant::from_micros(heard),
                not_before: Instant::EPOCH,
                failures,
                proved: line.proved,
            };
        }
    }
}
