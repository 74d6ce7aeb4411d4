//! Records that a comparison moves (2.10): what the other lacks is pushed, what we lack is pulled.

use super::digest;
use super::id::{Locator, Version};
use super::serve::{before, held};
use super::sync::{Ended, Why};
use super::{Call, Store};
use crate::chord::core::Core;
use crate::chord::rpc::Purpose;
use crate::chord::{Context, Instant};
use std::collections::BTreeSet;
use throng_wire::chord::{
    Held, MAX_PAYLOAD, Message, Outcome, Prefix, Pull, PullAck, PutAck, PutFlags, Replicate, Summary,
};

/// Bytes of a copy that are not records.
const OVERHEAD: usize = 48;

impl Store {
    /// Sends some records the other lacks.
    pub(super) fn push(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) -> bool {
        let Some(sync) = self.syncs.get_mut(&number) else { return false };
        let (mut chosen, mut room) = (Vec::new(), MAX_PAYLOAD - OVERHEAD);
        while let Some(id) = sync.pushes.front().copied() {
            let Some(stored) = self.records.find(&id, cx.now()) else {
                sync.pushes.pop_front();
                continue;
            };
            let size = stored.body.len() + 4;
            if size > room || chosen.len() >= 16 {
                break;
            }
            room -= size;
            chosen.push(id);
            sync.pushes.pop_front();
        }
        if chosen.is_empty() {
            return true;
        }
        let records: Vec<Held<'_>> = chosen
            .iter()
            .filter_map(|id| self.records.find(id, cx.now()))
            .filter_map(|stored| held(stored, cx.now()))
            .collect();
        let (at, peer) = (sync.at, sync.peer);
        sync.serial += 1;
        let serial = sync.serial;
        let claim = core.vnodes.get(at).map(|vnode| vnode.claim).unwrap_or_default();
        let message = Replicate { claim, flags: PutFlags::default(), records: (&records).into() };
        let call = Purpose::Storage(Call::Synced(number, serial));
        let sent = core.call(cx, (at, peer), call, &Message::Replicate(message)).is_some();
        if sent {
            sync.inflight += 1;
            sync.moved += u32::try_from(chosen.len()).unwrap_or(u32::MAX);
            self.pushed.insert((number, serial), chosen);
        }
        sent
    }

    /// Asks for some records we lack.
    pub(super) fn pull(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) -> bool {
        let Some(sync) = self.syncs.get_mut(&number) else { return false };
        let Some((part, mut ids)) = sync.pulls.pop_front() else { return true };
        if ids.len() > 16 {
            let rest = ids.split_off(16);
            sync.pulls.push_front((part, rest));
        }
        sync.serial += 1;
        let (serial, at, peer) = (sync.serial, sync.at, sync.peer);
        let (low, high) = (before(part.first()), part.last());
        self.pulled.insert((number, serial), (part, ids.clone()));
        let message = Message::Pull(Pull { low, high, after: None, ids: (&ids).into() });
        self.sync_call(core, (number, serial, at, peer), &message, cx)
    }

    pub(super) fn on_push_ack(&mut self, (number, serial): (u32, u32), ack: &PutAck<'_>) {
        let Some(pushed) = self.pushed.remove(&(number, serial)) else { return };
        let Some(sync) = self.syncs.get_mut(&number) else { return };
        for (id, result) in pushed.into_iter().zip(ack.results) {
            if !matches!(result.outcome, Outcome::Stored { .. } | Outcome::Conflict { .. }) {
                sync.refused.insert(id);
            }
        }
    }

    /// All headers of a small part are known: what is newer there is pulled, what is newer here is pushed.
    pub(super) fn settle_leaf(&mut self, number: u32, part: Prefix, theirs: &[Summary], now: Instant) {
        let Some(sync) = self.syncs.get_mut(&number) else { return };
        let ours = digest::headers(&self.records, (sync.low, sync.high), part, now);
        let (mut wanted, mut known) = (Vec::new(), BTreeSet::new());
        for summary in theirs {
            let version = Version { seq: summary.seq, hash: summary.hash };
            let here = ours.iter().find(|(id, _)| id.key == summary.key && id.is_of(&summary.id));
            match here {
                Some((id, held)) => {
                    known.insert(*id);
                    if *held < version {
                        wanted.push(summary.id);
                    } else if *held > version {
                        sync.pushes.push_back(*id);
                    }
                }
                None => wanted.push(summary.id),
            }
        }
        // Whoever comes back does not know what its successors are to keep: owners see to that.
        let ours = if sync.why == Why::CatchUp { Vec::new() } else { ours };
        let lacked = ours.into_iter().map(|(id, _)| id).filter(|id| !known.contains(id));
        let lacked: Vec<Locator> = lacked.filter(|id| !sync.refused.contains(id)).collect();
        sync.offer(lacked);
        if !wanted.is_empty() {
            sync.pulls.push_back((part, wanted));
        }
    }

    pub(super) fn on_pull_ack(
        &mut self,
        core: &mut Core,
        (number, serial): (u32, u32),
        ack: &PullAck<'_>,
        cx: &mut Context<'_>,
    ) {
        let Some((part, mut ids)) = self.pulled.remove(&(number, serial)) else { return };
        let asked = ids.len();
        let mut taken = 0;
        for held in ack.records {
            let id = held.record.id();
            if ids.contains(&id) {
                ids.retain(|wanted| *wanted != id);
                taken += u32::from(matches!(
                    self.take_copy(core, &held, cx.now()).outcome,
                    Outcome::Stored { .. }
                ));
            }
        }
        let large: Vec<Summary> = ack.large.iter().filter(|large| ids.contains(&large.id)).collect();
        let Some(sync) = self.syncs.get_mut(&number) else { return };
        sync.moved += taken;
        let (at, peer) = (sync.at, sync.peer);
        ids.retain(|id| !large.iter().any(|large| large.id == *id));
        // What did not fit is asked for again, as long as something comes.
        if !ids.is_empty() && ids.len() < asked {
            sync.pulls.push_back((part, ids));
        }
        if !large.is_empty() {
            sync.streaming = true;
            self.pull_by_stream(core, (number, at, peer), &large, cx);
        }
    }

    /// A stream has moved what it was to move for a comparison.
    pub(crate) fn on_streamed(
        &mut self,
        core: &mut Core,
        number: u32,
        moved: Option<u32>,
        cx: &mut Context<'_>,
    ) {
        let Some(sync) = self.syncs.get_mut(&number) else { return };
        sync.streaming = false;
        match moved {
            Some(moved) => {
                sync.moved += moved;
                self.drive(core, number, cx);
            }
            None => self.synced(core, number, Ended::Failed, cx),
        }
    }
}
