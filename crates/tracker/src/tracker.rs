//! The tracker's state, and the time that passes over it.

use std::time::Duration;

use throng_machine::{Entropy, Instant};
use throng_wire::ids::InfoHash;

use crate::allow::AllowList;
use crate::config::Config;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::record::Tick;
use crate::swarms::{Cx, Swarms};
use crate::table::{SHARDS, Sweep};

/// A tracker: swarms, secrets, counters. The faces are in `udp` and `http`.
pub struct Tracker {
    pub(crate) config: Config,
    pub(crate) swarms: Swarms,
    pub(crate) keys: Keys,
    pub(crate) metrics: Metrics,
    allow: Option<AllowList>,
    next_sweep: Instant,
    shard: usize,
}

impl Tracker {
    /// An empty tracker; `entropy` gives its secrets, so it must be the operating system's in production.
    pub fn new(config: Config, entropy: &mut dyn Entropy, now: Instant) -> Self {
        let next_sweep = now + sweep_step(&config);
        let (keys, metrics) = (Keys::new(entropy), Metrics::default());
        Self { config, swarms: Swarms::new(), keys, metrics, allow: None, next_sweep, shard: 0 }
    }

    /// Serves only these swarms from now on, or all; what is no longer allowed is forgotten by the next sweep.
    pub fn set_allow_list(&mut self, allow: Option<AllowList>) {
        self.allow = allow;
    }

    /// Counters since the start and gauges of now.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = self.metrics;
        self.swarms.fill_gauges(&mut metrics);
        metrics.allowed = self.allow.as_ref().map(AllowList::len);
        metrics
    }

    /// Sweeps as many shards as are due: usually one, never more than all of them once.
    pub fn handle_timeout(&mut self, now: Instant) {
        let step = sweep_step(&self.config);
        let ttl = Tick::units(self.config.peer_ttl);
        let sweep = Sweep { now: Tick::of(now), ttl, allow: self.allow.as_ref() };
        for _ in 0..SHARDS {
            if now < self.next_sweep {
                return;
            }
            self.swarms.sweep(self.shard, &sweep, &self.keys);
            self.shard = (self.shard + 1) % SHARDS;
            self.next_sweep = self.next_sweep + step;
        }
        // Far behind, after a pause of the machine: all was swept, so begin anew.
        self.next_sweep = now + step;
    }

    /// When the next shard is due.
    pub fn poll_timeout(&self) -> Instant {
        self.next_sweep
    }

    pub(crate) fn is_allowed(&self, hash: &InfoHash) -> bool {
        self.allow.as_ref().is_none_or(|allow| allow.contains(hash))
    }

    /// The store, and what a call to it needs.
    pub(crate) fn store<'a>(&'a mut self, rng: &'a mut dyn Entropy) -> (&'a mut Swarms, Cx<'a>) {
        let cx = Cx { config: &self.config, keys: &self.keys, metrics: &mut self.metrics, rng };
        (&mut self.swarms, cx)
    }
}

fn sweep_step(config: &Config) -> Duration {
    (config.sweep_period / SHARDS as u32).max(Duration::from_millis(1))
}
