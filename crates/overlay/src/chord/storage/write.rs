//! Writing, at the holder: the owner takes a put, has it copied and answers as the quorum is reached; a replica takes a
//! copy (4.3, steps 3 and 4).

use super::disk::Waiter;
use super::expiry::Clock;
use super::id::Locator;
use super::placement;
use super::shards;
use super::{Call, Store};
use crate::chord::core::{Core, Received};
use crate::chord::rpc::Purpose;
use crate::chord::{Context, Instant};
use throng_machine::StreamId;
use throng_wire::chord::{
    Busy, Held, Limit, Message, NotMine, Outcome, Put, PutAck, PutFlags, PutResult, Record, Refresh,
    RefreshItem, Replicate, Signed,
};

/// Writes under way at once; more are refused.
pub(super) const MOST: usize = 1_024;

/// Where the answer to a write goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// A datagram.
    Datagram(Received),
    /// Records of a stream: the number of the first, and the others' after it.
    Stream(StreamId, u32, Received),
    /// An operation of our own whose key is ours.
    Local(u32, Received),
    /// Many records of an operation of our own whose keys are ours: which is the first.
    Many(u32, u32, Received),
}

/// A put at the owner while copies are made.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    asker: Asker,
    slots: Vec<Slot>,
    /// Copies, ours included, that make it stored.
    need: u8,
    /// Replicas not heard of, and ourselves until the disk has it.
    pub(super) outstanding: u8,
    due: Instant,
}

/// What becomes of one record of a write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) outcome: Outcome,
    /// Where it lies here, if it was taken.
    pub(super) id: Option<Locator>,
    /// Where it would lie.
    pub(super) about: Option<Locator>,
}

impl Write {
    /// When it is answered at the latest.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    fn is_ready(&self) -> bool {
        let enough = |slot: &Slot| match slot.outcome {
            Outcome::Stored { copies, .. } => copies >= self.need,
            _ => true,
        };
        self.outstanding == 0 || self.slots.iter().all(enough)
    }

    /// Where each record that was taken lies here, with its place in the write.
    pub(super) fn taken(&self) -> impl Iterator<Item = (usize, Locator)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.id?)))
    }

    pub(super) fn add_copy(&mut self, index: usize) {
        if let Some(Slot { outcome: Outcome::Stored { copies, .. }, .. }) = self.slots.get_mut(index) {
            *copies = copies.saturating_add(1);
        }
    }
}

impl Store {
    /// Somebody wants records kept.
    pub(crate) fn on_put(&mut self, core: &mut Core, from: &Received, put: &Put<'_>, cx: &mut Context<'_>) {
        if !core.is_proved(cx, from) {
            return;
        }
        let txid = from.header.txid;
        let repeated = |write: &Write| match write.asker {
            Asker::Datagram(other) => other.header.txid == txid && other.from == from.from,
            Asker::Stream(..) | Asker::Local(..) | Asker::Many(..) => false,
        };
        if self.writes.values().any(repeated) {
            return;
        }
        if self.writes.len() >= MOST || self.disk.is_busy() {
            return core.reply(cx, from, &Message::Busy(Busy { retry_after: 10 }));
        }
        let records: Vec<Held<'_>> = put.records.to_vec();
        let nobody = |held: &Held<'_>| placement::owner_of(core, held.record.ring_key()).is_none();
        if !put.flags.has(PutFlags::LOCAL) && records.iter().all(nobody) {
            return self.refuse_foreign(core, from, cx);
        }
        let cas = put.cas.filter(|_| records.len() == 1);
        let how = How { flags: put.flags, cas };
        let records: Vec<Option<Held<'_>>> = records.into_iter().map(Some).collect();
        self.write(core, Asker::Datagram(*from), (&records, how), cx);
    }

    /// A publisher renews records whose bodies we may have (4.7).
    pub(crate) fn on_refresh(
        &mut self,
        core: &mut Core,
        from: &Received,
        refresh: &Refresh<'_>,
        cx: &mut Context<'_>,
    ) {
        if !core.is_proved(cx, from) {
            return;
        }
        if self.writes.len() >= MOST || self.disk.is_busy() {
            return core.reply(cx, from, &Message::Busy(Busy { retry_after: 10 }));
        }
        let items = refresh.items.to_vec();
        if items.iter().all(|item| placement::owner_of(core, item.key).is_none()) {
            return self.refuse_foreign(core, from, cx);
        }
        let bodies: Vec<Option<Box<[u8]>>> = items.iter().map(|item| self.renewed(item, cx.now())).collect();
        let records: Vec<Option<Held<'_>>> = bodies
            .iter()
            .map(|body| {
                let record = Record::decode(body.as_deref()?).ok()?;
                Some(Held { remaining: super::writing::life(&record), record })
            })
            .collect();
        let how = How { flags: PutFlags::default(), cas: None };
        self.write(core, Asker::Datagram(*from), (&records, how), cx);
    }

    /// The record held, with the version and signature of a refresh; none if we lack the body.
    fn renewed(&self, item: &RefreshItem<'_>, now: Instant) -> Option<Box<[u8]>> {
        let mut all = self.records.at(item.key, now);
        let (_, stored) = all.find(|(id, stored)| id.is_of(&item.id) && stored.version.hash == item.hash)?;
        let record = match Record::decode(&stored.body).ok()? {
            Record::Signed(signed) => {
                Record::Signed(Signed { seq: item.seq, ttl: item.ttl, signature: item.signature, ..signed })
            }
            immutable @ Record::Immutable(_) => immutable,
        };
        let mut body = Vec::new();
        record.encode(&mut body).ok()?;
        Some(body.into())
    }

    /// Says that a key is not ours, and whose it may be.
    pub(crate) fn refuse_foreign(&mut self, core: &mut Core, from: &Received, cx: &mut Context<'_>) {
        let Some(vnode) = core.vnodes.get(from.at) else { return };
        let prdc = vnode.predecessor.as_ref().map(|entry| entry.node.contact());
        let refusal = NotMine { claim: vnode.claim, prdc };
        core.reply(cx, from, &Message::NotMine(refusal));
    }

    /// Takes what it can of some records, has them copied, and answers at once or later.
    pub(crate) fn write(
        &mut self,
        core: &mut Core,
        asker: Asker,
        (records, how): (&[Option<Held<'_>>], How),
        cx: &mut Context<'_>,
    ) {
        let from = asker.received();
        // Copies are marked as the original is.
        let records: Vec<_> = records.iter().map(|held| held.map(|held| self.marked(held))).collect();
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let admitted =
            core.endpoint == Some(from.from.endpoint) || self.admits(core, &asker, count, cx.now());
        // What is not admitted costs no look at a signature.
        if admitted && count > 1 {
            self.verified.check_together(records.iter().flatten(), cx.rng());
        }
        let mut slots = Vec::with_capacity(records.len());
        for held in &records {
            slots.push(match held {
                Some(held) if admitted => self.take_put(core, &from, held, how, cx.now()),
                Some(_) => Slot::refused(Limit::Rate, 1),
                None => Slot { outcome: Outcome::NeedBody, id: None, about: None },
            });
        }
        let mut keys = records.iter().flatten().map(|held| held.record.ring_key());
        let Some(at) = keys.find_map(|key| placement::owner_of(core, key)) else {
            return self.finish_local(core, asker, &slots, cx);
        };
        if how.flags.has(PutFlags::LOCAL) || slots.iter().all(|slot| slot.id.is_none()) {
            return self.finish_local(core, asker, &slots, cx);
        }
        self.replicate(core, at, (asker, slots, &records), cx);
    }

    /// Whether a source may have so much written now.
    fn admits(&mut self, core: &Core, asker: &Asker, count: u32, now: Instant) -> bool {
        let (source, storing) = (asker.received().from.endpoint, &core.config.storing);
        match asker {
            Asker::Stream(..) => {
                self.puts.admit_spare(source, count, (storing.puts, storing.spare_puts), now)
            }
            _ => self.puts.admit(source, count, storing.puts, now),
        }
    }

    fn marked<'a>(&self, held: Held<'a>) -> Held<'a> {
        let bits = self.shard_bits(held.record.ring_key());
        Held { record: shards::marked(&held.record, bits).unwrap_or(held.record), ..held }
    }

    /// Answers without copying: nothing was taken, or the client writes to the others himself.
    fn finish_local(&mut self, core: &mut Core, asker: Asker, slots: &[Slot], cx: &mut Context<'_>) {
        let results: Vec<PutResult> = slots
            .iter()
            .map(|slot| self.result(core, *slot, |_| Outcome::Stored { copies: 1, of: 1, durable: false }))
            .collect();
        if slots.iter().all(|slot| slot.id.is_none()) {
            return self.answer(core, &asker, &results, cx);
        }
        self.disk.wait(match asker {
            Asker::Datagram(from) => Waiter::Answer(Box::new((from, results))),
            Asker::Stream(stream, first, _) => Waiter::Frames(stream, first, results),
            Asker::Local(..) | Asker::Many(..) => return self.answer(core, &asker, &results, cx),
        });
    }

    fn replicate(
        &mut self,
        core: &mut Core,
        at: usize,
        (asker, slots, records): (Asker, Vec<Slot>, &[Option<Held<'_>>]),
        cx: &mut Context<'_>,
    ) {
        let others = placement::replicas(core, at);
        self.outdate_others(core, at, &others, cx);
        let of = u8::try_from(others.len() + 1).unwrap_or(u8::MAX);
        let need = core.config.write_quorum.clamp(1, of.max(1));
        let due = cx.now() + core.config.storing.write_wait;
        let number = self.number();
        let taken: Vec<Held<'_>> = records
            .iter()
            .zip(&slots)
            .filter(|(_, slot)| slot.id.is_some())
            .filter_map(|(held, _)| *held)
            .collect();
        let claim = core.vnodes.get(at).map(|vnode| vnode.claim).unwrap_or_default();
        let mut write = Write { asker, slots, need, outstanding: 1, due };
        for slot in &mut write.slots {
            if let Outcome::Stored { of: all, .. } = &mut slot.outcome {
                *all = of;
            }
        }
        if taken.len() > 1 && !matches!(asker, Asker::Datagram(_)) {
            return self.replicate_many(core, (at, number, others), write, cx);
        }
        for node in others {
            let message = Replicate { claim, flags: PutFlags::default(), records: (&taken).into() };
            let call = Purpose::Storage(Call::Copied(number));
            if core.call(cx, (at, node), call, &Message::Replicate(message)).is_some() {
                write.outstanding += 1;
            } else if let Some(held) = taken.first() {
                // Too large for a datagram: by stream.
                write.outstanding += u8::from(self.copy_large(core, (at, node), (number, held), cx));
            }
        }
        self.writes.insert(number, write);
        self.disk.wait(Waiter::Write(number));
    }

    /// Our disk has our copy of a write.
    pub(crate) fn on_own_copy(&mut self, core: &mut Core, number: u32, done: bool, cx: &mut Context<'_>) {
        let Some(write) = self.writes.get_mut(&number) else { return };
        write.outstanding = write.outstanding.saturating_sub(1);
        if done {
            (0..write.slots.len()).for_each(|index| write.add_copy(index));
        }
        self.conclude(core, number, false, cx);
    }

    /// A replica has answered, or will not.
    pub(crate) fn on_copied(
        &mut self,
        core: &mut Core,
        number: u32,
        ack: Option<&[PutResult]>,
        cx: &mut Context<'_>,
    ) {
        let Some(write) = self.writes.get_mut(&number) else { return };
        write.outstanding = write.outstanding.saturating_sub(1);
        let taken: Vec<usize> = (0..write.slots.len()).filter(|at| write.slots[*at].id.is_some()).collect();
        for (index, result) in taken.into_iter().zip(ack.unwrap_or_default()) {
            if matches!(result.outcome, Outcome::Stored { .. }) {
                write.add_copy(index);
            }
        }
        self.conclude(core, number, false, cx);
    }

    /// Answers a write that is ready, or whose time is over.
    pub(crate) fn conclude(&mut self, core: &mut Core, number: u32, overdue: bool, cx: &mut Context<'_>) {
        let Some(write) = self.writes.get(&number) else { return };
        if !overdue && !write.is_ready() {
            return;
        }
        let Some(write) = self.writes.remove(&number) else { return };
        let results: Vec<PutResult> =
            write.slots.iter().map(|slot| self.result(core, *slot, |outcome| outcome)).collect();
        self.answer(core, &write.asker, &results, cx);
    }

    fn answer(&mut self, core: &mut Core, asker: &Asker, results: &[PutResult], cx: &mut Context<'_>) {
        match asker {
            Asker::Datagram(from) => self.acknowledge(core, from, results, None, cx),
            Asker::Stream(stream, first, _) => self.acknowledge_frames(*stream, *first, results, cx),
            Asker::Many(number, first, _) => self.on_many_put(core, (*number, *first), results, cx),
            Asker::Local(number, _) => self.on_large_put(core, *number, results.first().copied(), cx),
        }
    }

    /// Sends a `PutAck`.
    pub(crate) fn acknowledge(
        &mut self,
        core: &mut Core,
        from: &Received,
        results: &[PutResult],
        stored: Option<Held<'_>>,
        cx: &mut Context<'_>,
    ) {
        let clock = core.unix_time(cx.now());
        let (load, offset) = (self.load(core), self.clocks.offset());
        let ack = PutAck { load, clock, offset, results: results.into(), stored };
        core.reply(cx, from, &Message::PutAck(ack));
    }

    pub(super) fn result(&self, core: &Core, slot: Slot, kept: impl Fn(Outcome) -> Outcome) -> PutResult {
        let (count, shard_bits) = slot.about.map_or((0, 0), |id| self.shard_report(core, &id));
        let outcome = if slot.id.is_some() { kept(slot.outcome) } else { slot.outcome };
        PutResult { outcome, count, shard_bits }
    }

    /// The two clocks: the calendar's corrected by what others say.
    pub(crate) fn clock(&self, core: &Core, now: Instant) -> Clock {
        Clock { now, unix: core.unix_time(now).saturating_add_signed(self.clocks.offset()) }
    }

    /// How full the store is, 0 to 100.
    pub(crate) fn load(&self, core: &Core) -> u8 {
        let quotas = &core.config.storing.quotas;
        let bytes = self.records.usage().bytes() * 100 / quotas.bytes.max(1);
        let records = self.records.len() as u64 * 100 / u64::from(quotas.records.max(1));
        u8::try_from(bytes.max(records).min(100)).unwrap_or(100)
    }
}

/// How records are to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// Of the put.
    pub flags: PutFlags,
    /// The version expected.
    pub cas: Option<u64>,
}

impl Asker {
    fn received(&self) -> Received {
        match self {
            Asker::Datagram(from)
            | Asker::Stream(_, _, from)
            | Asker::Local(_, from)
            | Asker::Many(_, _, from) => *from,
        }
    }
}

impl Slot {
    pub(super) fn refused(limit: Limit, retry_after: u32) -> Slot {
        Slot { outcome: Outcome::Refused { limit, retry_after }, id: None, about: None }
    }

    pub(super) fn bare(self) -> PutResult {
        PutResult { outcome: self.outcome, count: 0, shard_bits: 0 }
    }
}
