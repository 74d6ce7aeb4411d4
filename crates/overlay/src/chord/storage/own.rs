//! Records of our own: commands of the application, and renewal at half their life for as long as we run (4.1, 4.7).
//!
//! What is due within a minute is renewed together, in the order of the ring: one request an owner.

use super::Store;
use super::get::{Reader, Reading};
use super::id::Locator;
use super::operation::Task;
use super::quota::Network;
use super::sign::{Draft, Signer};
use super::validity;
use super::wish::Wish;
use super::writing::{Cause, Item, State, Writing};
use crate::chord::core::Core;
use crate::chord::publish::served_at;
use crate::chord::{Context, Event, Failure, Instant, Put, Want};
use crate::discovery::Ticket;
use std::collections::BTreeMap;
use std::time::Duration;
use throng_wire::chord::{
    Kind, MAX_IMMUTABLE, MAX_NAME, MAX_SALT, MAX_TTL, MAX_VALUE, Outcome, Posting, Provider, PutResult,
    Record, RingId, Signed, Subject, immutable_hash, immutable_key,
};

/// Seconds the values of entries live at least.
const SHORTEST: u64 = 60;
/// Seconds a mutable value lives until it is renewed.
const MUTABLE_TTL: u32 = 86_400;
/// Renewals this close together go together.
const TOGETHER: Duration = Duration::from_secs(60);
/// Records of one renewal at most.
const BATCH: usize = 64;
/// What could not be renewed is tried again after this.
const RETRY: Duration = Duration::from_secs(60);
/// ... and at the latest after this, whatever a holder says.
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

/// A record of ours.
#[derive(Clone, Debug)]
struct Alive {
    body: Box<[u8]>,
    renew_at: Instant,
    under_way: bool,
}

/// All we keep alive.
#[derive(Clone, Default, Debug)]
pub(crate) struct Own {
    records: BTreeMap<Locator, Alive>,
    /// Nothing is to be renewed before this.
    next: Option<Instant>,
}

impl Own {
    /// Whether nothing is kept alive.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// When something is to be renewed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    fn due_at(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// Looks at all, which is done only when something was due.
    fn look_ahead(&mut self) {
        let idle = self.records.values().filter(|alive| !alive.under_way);
        self.next = idle.map(|alive| alive.renew_at).min();
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    fn find(&self, id: &Locator) -> Option<Record<'_>> {
        Record::decode(&self.records.get(id)?.body).ok()
    }

    /// Lets one die.
    pub(crate) fn forget(&mut self, id: &Locator) {
        self.records.remove(id);
    }
}

impl Store {
    /// The key we sign with.
    pub(crate) fn signer(&mut self) -> &Signer {
        let seed = self.key_seed;
        self.signer.get_or_insert_with(|| Signer::new(&seed))
    }

    /// The application stores something.
    pub(crate) fn on_put_command(
        &mut self,
        core: &mut Core,
        (ticket, put): (Ticket, Put),
        cx: &mut Context<'_>,
    ) {
        if !core.vnodes.iter().any(|vnode| vnode.is_member()) {
            return cx.emit(Event::Failed { ticket, failure: Failure::NotJoined });
        }
        let made = match put {
            Put::Immutable { value } => make_immutable(&value).map(|item| (item, None)),
            Put::Entry { name, value, ttl } => {
                let ttl = u32::try_from(ttl.as_secs().clamp(SHORTEST, u64::from(MAX_TTL))).unwrap_or(MAX_TTL);
                self.make_entry(core, &name, (Some(&value), ttl), cx.now()).map(|item| (item, None))
            }
            Put::Remove { name } => self.remove_entry(core, &name, cx.now()).map(|item| (item, None)),
            Put::Mutable { salt, value, cas } => {
                self.make_mutable(&salt, &value, cas).map(|item| (item, cas))
            }
        };
        let Some(((key, body), cas)) = made else {
            return cx.emit(Event::Failed { ticket, failure: Failure::TooLarge });
        };
        let writing = Writing::new(Cause::App(ticket), vec![(key, body)], cas);
        if self.begin(core, key, Task::Put(Box::new(writing))).is_none() {
            cx.emit(Event::Failed { ticket, failure: Failure::Busy });
        }
    }

    /// The application reads something.
    pub(crate) fn on_get_command(
        &mut self,
        core: &mut Core,
        (ticket, want): (Ticket, Want),
        cx: &mut Context<'_>,
    ) {
        if !core.vnodes.iter().any(|vnode| vnode.is_member()) {
            return cx.emit(Event::Failed { ticket, failure: Failure::NotJoined });
        }
        let too_long = match &want {
            Want::Entry { name, .. } => name.is_empty() || name.len() > MAX_NAME,
            Want::Mutable { salt, .. } => salt.len() > MAX_SALT,
            Want::Immutable(_) | Want::Providers(_) => false,
        };
        if too_long {
            return cx.emit(Event::Failed { ticket, failure: Failure::TooLarge });
        }
        let wish = Wish::Want(want);
        let key = wish.key();
        let reading = Reading::new(Reader::App(ticket), wish);
        if self.begin(core, key, Task::Get(Box::new(reading))).is_none() {
            cx.emit(Event::Failed { ticket, failure: Failure::Busy });
        }
    }

    fn make_entry(
        &mut self,
        core: &Core,
        name: &[u8],
        (value, ttl): (Option<&[u8]>, u32),
        now: Instant,
    ) -> Option<(RingId, Box<[u8]>)> {
        if name.is_empty() || name.len() > MAX_NAME || value.is_some_and(|value| value.len() > MAX_VALUE) {
            return None;
        }
        let subject = Subject::Entry { name };
        let id = self.locate(subject);
        let last = self.own.find(&id).map_or(0, |record| record.seq());
        let seq = self.unix_millis(core, now).max(last.saturating_add(1));
        self.sign(&Draft { subject, seq, ttl, value })
    }

    /// A tombstone outlives what it removes: if that was not ours to know, as long as an entry may live.
    fn remove_entry(&mut self, core: &Core, name: &[u8], now: Instant) -> Option<(RingId, Box<[u8]>)> {
        let id = self.locate(Subject::Entry { name });
        let ttl = match self.own.find(&id) {
            Some(Record::Signed(signed)) => signed.ttl,
            _ => MAX_TTL,
        };
        self.make_entry(core, name, (None, ttl), now)
    }

    fn make_mutable(&mut self, salt: &[u8], value: &[u8], cas: Option<u64>) -> Option<(RingId, Box<[u8]>)> {
        if salt.len() > MAX_SALT || value.len() > MAX_VALUE {
            return None;
        }
        let subject = Subject::Mutable { salt };
        let id = self.locate(subject);
        let last = self.own.find(&id).map_or(0, |record| record.seq());
        let seq = cas.unwrap_or(last).checked_add(1)?;
        self.sign(&Draft { subject, seq, ttl: MUTABLE_TTL, value: Some(value) })
    }

    fn locate(&mut self, subject: Subject<'_>) -> Locator {
        let writer = self.signer().public();
        Locator::new(subject.ring_key(&writer), subject.kind(), subject.id(&writer))
    }

    /// Signs a draft; its ring key and bytes.
    pub(crate) fn sign(&mut self, draft: &Draft<'_>) -> Option<(RingId, Box<[u8]>)> {
        let signer = self.signer();
        Some((draft.subject.ring_key(&signer.public()), signer.sign(draft)?))
    }

    /// Milliseconds since 1970, corrected by what others say.
    pub(crate) fn unix_millis(&self, core: &Core, now: Instant) -> u64 {
        let millis = core.clock.saturating_mul(1_000).saturating_add(now.as_micros() / 1_000);
        millis.saturating_add_signed(self.clocks.offset().saturating_mul(1_000))
    }

    /// A version of ours was beaten by one we did not know of: the same value under a larger number, if it is a value
    /// that we alone write and that no `cas` guards.
    pub(crate) fn outnumber(
        &mut self,
        core: &Core,
        item: &Item,
        seq: u64,
        cas: Option<u64>,
    ) -> Option<Box<[u8]>> {
        let Ok(Record::Signed(signed)) = Record::decode(&item.body) else { return None };
        let ahead = seq / 1_000 > core.clock.saturating_add(u64::from(MAX_TTL)) && core.clock > 0;
        if cas.is_some() || seq < signed.seq || (ahead && signed.subject.kind() == Kind::Entry) {
            return None;
        }
        let Signed { subject, ttl, value, .. } = signed;
        let (_, body) = self.sign(&Draft { subject, seq: seq.checked_add(1)?, ttl, value })?;
        Some(body)
    }

    /// A holder says that the date of an entry lies in the future: the same under an earlier one, if by now enough others
    /// have told us the time.
    pub(crate) fn redate(&mut self, core: &Core, item: &Item, now: Instant) -> Option<Box<[u8]>> {
        let Ok(Record::Signed(signed)) = Record::decode(&item.body) else { return None };
        let seconds = core.unix_time(now).saturating_add_signed(self.clocks.guess()?);
        let seq = seconds.saturating_mul(1_000);
        let Signed { subject, ttl, value, .. } = signed;
        if subject.kind() != Kind::Entry || seq >= signed.seq {
            return None;
        }
        Some(self.sign(&Draft { subject, seq, ttl, value })?.1)
    }

    /// From now on a record is renewed at half its life.
    pub(crate) fn keep_alive(&mut self, core: &Core, key: RingId, body: &[u8], cx: &mut Context<'_>) {
        let Ok(record) = Record::decode(body) else { return };
        let Ok(candidate) = validity::candidate(&record, None, Network::UNKNOWN) else { return };
        debug_assert_eq!(candidate.id.key, key);
        let id = candidate.id;
        if self.own.len() >= core.config.storing.own_records as usize && !self.own.records.contains_key(&id) {
            return;
        }
        // Not all at once: what was stored together is spread over a tenth of the time.
        let half = u64::from(candidate.ttl) * 500;
        let early = half / 10 * u64::from(cx.rng().below(1_000)) / 1_000;
        let renew_at = cx.now() + Duration::from_millis(half - early);
        if record.is_tombstone() {
            // It lasts as long as what it removes; renewing it would keep the name busy for ever.
            self.own.forget(&id);
            return;
        }
        self.own.records.insert(id, Alive { body: body.into(), renew_at, under_way: false });
        self.own.due_at(renew_at);
    }

    /// Renews what is due.
    pub(crate) fn renew(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let now = cx.now();
        if self.own.deadline().is_none_or(|due| due > now) {
            return;
        }
        let soon = now + TOGETHER;
        let due: Vec<Locator> = self
            .own
            .records
            .iter()
            .filter(|(_, alive)| !alive.under_way && alive.renew_at <= soon)
            .map(|(id, _)| *id)
            .take(BATCH)
            .collect();
        let (mut items, mut ids) = (Vec::new(), Vec::new());
        for id in due {
            let renewed = self.renewed_body(core, &id, now);
            let Some(mut alive) = self.own.records.remove(&id) else { continue };
            let Some((key, body)) = renewed else { continue };
            let Ok(record) = Record::decode(&body) else { continue };
            let there = Locator::new(key, record.kind(), record.id());
            if there != id {
                self.moved(&id, there);
            }
            (alive.body, alive.under_way) = (body.clone(), true);
            self.own.records.insert(there, alive);
            items.push((key, body));
            ids.push(there);
        }
        self.own.look_ahead();
        let Some((key, _)) = items.first() else { return };
        let key = *key;
        let writing = Writing::new(Cause::Renewal, items, None).renewing();
        if self.begin(core, key, Task::Put(Box::new(writing))).is_none() {
            self.postpone(&ids, now + RETRY);
        }
    }

    /// The record with a new date if it is of a dated kind, as it is otherwise.
    fn renewed_body(&mut self, core: &Core, id: &Locator, now: Instant) -> Option<(RingId, Box<[u8]>)> {
        let body = self.own.records.get(id)?.body.clone();
        let signed = match Record::decode(&body) {
            Ok(Record::Signed(signed)) if matches!(id.kind(), Kind::Provider | Kind::Posting) => signed,
            _ => return Some((id.key, body)),
        };
        let seq = (self.unix_millis(core, now) / 1_000).max(signed.seq.checked_add(1)?);
        let Signed { mut subject, ttl, value, .. } = signed;
        let now_bits = self.shard_bits_now(&subject);
        if let Subject::Posting { shard_bits, .. } = &mut subject {
            *shard_bits = now_bits;
        }
        let value = value.map(|value| readdressed(core, id.kind(), value).unwrap_or_else(|| value.to_vec()));
        self.sign(&Draft { subject, seq, ttl, value: value.as_deref() })
    }

    fn postpone(&mut self, ids: &[Locator], until: Instant) {
        for id in ids {
            if let Some(alive) = self.own.records.get_mut(id) {
                (alive.under_way, alive.renew_at) = (false, until);
                self.own.due_at(until);
            }
        }
    }

    /// Records of our own were stored, or not.
    pub(crate) fn own_put_done(
        &mut self,
        core: &mut Core,
        (cause, items): (Cause, &[Item]),
        cx: &mut Context<'_>,
    ) {
        for item in items {
            let Ok(record) = Record::decode(&item.body) else { continue };
            let id = Locator::new(item.key, record.kind(), record.id());
            match item.state {
                State::Stored(result) => {
                    if self.own.records.contains_key(&id) {
                        self.keep_alive(core, item.key, &item.body, cx);
                        self.slow_down(core, &id, result.count);
                    }
                }
                // Somebody else, with our key, wrote something newer: it is no longer ours to keep alive.
                State::Refused(PutResult { outcome: Outcome::Conflict { .. }, .. }) => self.own.forget(&id),
                State::Refused(PutResult { outcome: Outcome::Refused { retry_after, .. }, .. }) => {
                    let wait = RETRY.max(Duration::from_secs(retry_after.into()).min(LONGEST_RETRY));
                    self.postpone(&[id], cx.now() + wait);
                }
                State::Refused(_) | State::Open(_) => self.postpone(&[id], cx.now() + RETRY),
            }
            self.on_own_put(core, &id, item, cx);
        }
        if cause == Cause::Own {
            self.walked(core, cx);
        }
    }

    /// A record that is about to be stored for the first time: ours to keep alive once it is.
    pub(crate) fn adopt(&mut self, id: Locator, body: &[u8]) {
        let alive = Alive { body: body.into(), renew_at: Instant::EPOCH, under_way: true };
        self.own.records.insert(id, alive);
    }

    /// A record of ours as it was last stored.
    pub(crate) fn own_body(&self, id: &Locator) -> Option<Box<[u8]>> {
        self.own.records.get(id).map(|alive| alive.body.clone())
    }

    /// A record of ours is to die.
    pub(crate) fn forget_own(&mut self, id: &Locator) {
        self.own.forget(id);
    }

    /// Holders that are more than half full are asked half as often (4.6).
    fn slow_down(&mut self, _core: &Core, id: &Locator, _count: u32) {
        if self.holder_load <= 50 {
            return;
        }
        if let Some(alive) = self.own.records.get_mut(id)
            && let Ok(record) = Record::decode(&alive.body)
        {
            // At three quarters of its life instead of half.
            alive.renew_at =
                alive.renew_at + Duration::from_secs(u64::from(super::writing::life(&record)) / 4);
        }
    }
}

/// The value of a provider or posting of ours with the address we have now, if it has another.
fn readdressed(core: &Core, kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
    let source = served_at(core)?;
    let mut changed = Vec::new();
    if kind == Kind::Posting {
        Posting { source, ..Posting::decode(value).ok()? }.encode(&mut changed).ok()?;
    } else {
        let addresses = [source];
        let provider = Provider { addresses: (&addresses[..]).into(), ..Provider::decode(value).ok()? };
        provider.encode(&mut changed).ok()?;
    }
    Some(changed)
}

fn make_immutable(value: &[u8]) -> Option<(RingId, Box<[u8]>)> {
    if value.len() > MAX_IMMUTABLE {
        return None;
    }
    let mut body = Vec::new();
    Record::Immutable(value).encode(&mut body).ok()?;
    Some((immutable_key(&immutable_hash(value)), body.into()))
}
