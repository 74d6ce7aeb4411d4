//! Taking records in: what a holder checks before it keeps one (4.3, steps 3 and 4).

use super::Store;
use super::disk::Waiter;
use super::placement;
use super::quota::Network;
use super::records::{Kept, Refused};
use super::validity::{self, Invalid};
use super::write::{How, Slot};
use crate::chord::core::{Core, Received};
use crate::chord::violation::Violation;
use crate::chord::{Context, Instant};
use throng_wire::chord::{
    Busy, Held, IdRule, Kind, Limit, Message, Outcome, PutFlags, PutResult, Record, Replicate,
};

impl Store {
    /// Takes one record of a put.
    pub(super) fn take_put(
        &mut self,
        core: &mut Core,
        from: &Received,
        held: &Held<'_>,
        how: How,
        now: Instant,
    ) -> Slot {
        let key = held.record.ring_key();
        let ours = if how.flags.has(PutFlags::LOCAL) {
            placement::keeps(core, key)
        } else {
            placement::owner_of(core, key).is_some()
        };
        if !ours {
            return Slot { outcome: Outcome::NotMine, id: None, about: None };
        }
        let source = from.from.endpoint;
        // Who passes a posting on has checked whose it is, and is not its publisher.
        let passed_on = how.flags.has(PutFlags::FORWARDED) && held.record.kind() == Kind::Posting;
        if core.config.id_rule == IdRule::Prefix
            && !passed_on
            && validity::check_source(&held.record, source).is_err()
        {
            core.blame(Violation::BadRecord);
            return Slot::refused(Limit::Source, 0);
        }
        let network = if core.endpoint == Some(source) { Network::UNKNOWN } else { Network::of(source) };
        let slot =
            self.take(core, &held.record, (None, network, how.cas), (how.flags.has(PutFlags::LOCAL), now));
        if slot.id.is_some() && !how.flags.has(PutFlags::LOCAL) {
            self.on_posted(core, &held.record, how.flags.has(PutFlags::FORWARDED), now);
        }
        slot
    }

    /// Takes one record as a copy.
    pub(crate) fn take_copy(&mut self, core: &mut Core, held: &Held<'_>, now: Instant) -> PutResult {
        let slot = self.take(core, &held.record, (Some(held.remaining), Network::UNKNOWN, None), (true, now));
        self.result(core, slot, |_| Outcome::Stored {
            copies: 1,
            of: 1,
            durable: core.config.storing.durable,
        })
    }

    fn take(
        &mut self,
        core: &mut Core,
        record: &Record<'_>,
        (remaining, network, cas): (Option<u32>, Network, Option<u64>),
        (copied, now): (bool, Instant),
    ) -> Slot {
        let Ok(candidate) = validity::candidate(record, remaining, network) else {
            return Slot::refused(Limit::Signature, 0);
        };
        let id = candidate.id;
        // What is held already in this version was verified then: refreshes and repairs cost no signature check.
        let known = self.records.find(&id, now).is_some_and(|stored| stored.body == candidate.body);
        if let Err(invalid) = if known { Ok(()) } else { self.verified.check(record) } {
            core.blame(Violation::BadRecord);
            return Slot::refused(Limit::from(invalid), 0);
        }
        let clock = self.clock(core, now);
        match self.records.offer(candidate, cas, clock, &core.config.storing.quotas) {
            Ok(kept) => {
                if kept == Kept::Written && copied {
                    self.doubt_holders_of(core, id.key, now);
                }
                let durable = core.config.storing.durable;
                Slot { outcome: Outcome::Stored { copies: 0, of: 1, durable }, id: Some(id), about: Some(id) }
            }
            Err(refused) => Slot { outcome: outcome_of(refused), id: None, about: Some(id) },
        }
    }

    /// The owner, or another holder of the set, wants copies kept.
    pub(crate) fn on_replicate(
        &mut self,
        core: &mut Core,
        from: &Received,
        copies: &Replicate<'_>,
        cx: &mut Context<'_>,
    ) {
        if !core.is_proved(cx, from) {
            return;
        }
        if self.disk.is_busy() {
            return core.reply(cx, from, &Message::Busy(Busy { retry_after: 10 }));
        }
        if copies.flags.has(PutFlags::MOVED) {
            return self.on_moved(core, from, copies, cx);
        }
        let host = from.from.endpoint;
        let trusted = placement::is_neighbour(core, host) || core.endpoint == Some(host);
        let count = u32::try_from(copies.records.len()).unwrap_or(u32::MAX);
        let limited = !trusted && !self.puts.admit(host, count, core.config.storing.puts, cx.now());
        let mut results = Vec::with_capacity(copies.records.len());
        for held in copies.records {
            results.push(if limited {
                Slot::refused(Limit::Rate, 1).bare()
            } else if trusted || placement::keeps(core, held.record.ring_key()) {
                self.take_copy(core, &held, cx.now())
            } else {
                Slot { outcome: Outcome::NotMine, id: None, about: None }.bare()
            });
        }
        self.disk.wait(Waiter::Answer(Box::new((*from, results))));
    }
}

impl From<Invalid> for Limit {
    fn from(invalid: Invalid) -> Limit {
        match invalid {
            Invalid::Source => Limit::Source,
            Invalid::Signature | Invalid::Terms | Invalid::Form => Limit::Signature,
        }
    }
}

fn outcome_of(refused: Refused) -> Outcome {
    match refused {
        Refused::Older { seq } | Refused::Cas { seq } => Outcome::Conflict { seq },
        Refused::Future => Outcome::Refused { limit: Limit::Future, retry_after: 0 },
        Refused::Expired => Outcome::Refused { limit: Limit::Expired, retry_after: 0 },
        Refused::Limit(met) => Outcome::Refused { limit: met.limit, retry_after: met.retry_after },
    }
}
