//! Letting go of what is not needed any more: a million hosts share a machine, and maps, once grown, keep their room.
//!
//! A host that was only asked holds its store for a moment and then none: what it knew (who asked how often, what others'
//! clocks say) counts for no longer than that.

use super::super::core::Core;
use super::{Context, Instant, Store};
use std::collections::BTreeMap;
use std::time::Duration;

/// A store looks at itself so long after it was called; what is busy then is looked at again after as long.
pub(super) const AFTER: Duration = Duration::from_secs(2);

impl Store {
    /// An empty store. Its numbers begin anywhere, so that answers to an earlier one fit no request of this one.
    pub(super) fn new(key_seed: &[u8; 32], cx: &mut Context<'_>) -> Store {
        Store { key_seed: *key_seed, numbers: cx.rng().next_u64() as u32, ..Store::default() }
    }

    /// Gives back room, when it is time; says whether the whole store may go.
    pub(super) fn rest(&mut self, core: &Core, now: Instant) -> bool {
        if self.rest_at.is_none_or(|at| at > now) {
            return false;
        }
        self.rest_at = None;
        self.puts.forget_full(core.config.storing.puts, now);
        self.gets.forget_full(core.config.storing.gets, now);
        self.heat.cool(now);
        release(&mut self.writes);
        release(&mut self.operations);
        release(&mut self.syncs);
        release(&mut self.pushed);
        release(&mut self.pulled);
        release(&mut self.through);
        release(&mut self.confirming);
        release(&mut self.streams.talks);
        release(&mut self.streams.knocking);
        self.disk.release();
        if self.streams.talks.is_empty() {
            self.verified.end();
        }
        if self.puts.is_busy() || self.gets.is_busy() {
            self.rest_at = Some(now + AFTER);
            return false;
        }
        self.is_vacant(now)
    }

    /// Whether nothing is held, wanted or under way, and nothing was ever counted.
    fn is_vacant(&self, now: Instant) -> bool {
        self.records.is_blank()
            && self.own.is_empty()
            && self.publishing.is_empty()
            && self.is_idle()
            && self.shards.is_empty()
            && self.upkeep.iter().all(|upkeep| upkeep.is_idle(now))
    }

    fn is_idle(&self) -> bool {
        self.writes.is_empty()
            && self.operations.is_empty()
            && self.syncs.is_empty()
            && self.through.is_empty()
            && self.confirming.is_empty()
            && self.streams.talks.is_empty()
            && self.streams.knocking.is_empty()
            && self.disk.is_idle()
    }
}

/// An empty map that was not always so holds room for eleven still.
pub(super) fn release<K, V>(map: &mut BTreeMap<K, V>) {
    if map.is_empty() {
        *map = BTreeMap::new();
    }
}
