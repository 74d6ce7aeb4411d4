//! Deadlines of many things, the earliest at hand.

use std::collections::{BTreeMap, BTreeSet};

use throng_machine::Instant;

/// One deadline a key.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    order: BTreeSet<(Instant, K)>,
    at: BTreeMap<K, Instant>,
}

impl<K: Copy + Ord> Timers<K> {
    pub(crate) fn new() -> Self {
        Timers { order: BTreeSet::new(), at: BTreeMap::new() }
    }

    /// Sets or moves a deadline.
    pub(crate) fn set(&mut self, key: K, at: Instant) {
        self.clear(key);
        self.at.insert(key, at);
        self.order.insert((at, key));
    }

    pub(crate) fn clear(&mut self, key: K) {
        if let Some(at) = self.at.remove(&key) {
            self.order.remove(&(at, key));
        }
    }

    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes a deadline that has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.order.first()?;
        (at <= now).then(|| {
            self.clear(key);
            key
        })
    }
}
