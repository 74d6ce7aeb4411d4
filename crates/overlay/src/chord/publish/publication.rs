//! Publishing and withdrawing (4.6, 4.7).

use super::item::{content_id, posting_value};
use super::rarity::{Key, Said};
use super::{Publishing, terms};
use crate::chord::core::Core;
use crate::chord::storage::{
    Audit, Cause, Draft, Item as Stored, Locator, State, Store, Task, Writing, resharded,
};
use crate::chord::{Context, Event};
use crate::discovery::{self, Item, Ticket};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{
    MAX_SHARD_BITS, Provider, ProviderFlags, Record, RingId, Signed, Subject, Terms, shard_of,
};

/// Seconds a provider record lives; renewed at half.
const PROVIDER_TTL: u32 = 4 * 3_600;
/// Seconds a posting lives; renewed at half.
const POSTING_TTL: u32 = 86_400;
/// Records stored by one walk along the ring: of a large library all that one owner has.
const BATCH: usize = 2_048;
/// Walks at once.
const WALKS: u32 = 16;
/// ... and while this many records wait; short walks go one datagram at a time and would keep the long ones waiting.
const RUSH: (usize, u32) = (1_024, 24);
/// A record of ours is looked for this long after it was stored (section 5, row 8).
const AUDIT_AFTER: Duration = Duration::from_secs(30);

/// A record of ours, encoded, and where it lies.
type Made = (Locator, Box<[u8]>);

/// One publication.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// How each of its records stands: not yet tried, stored, or not.
    parts: BTreeMap<Locator, Option<bool>>,
    told: Option<(u32, u32)>,
}

impl Store {
    /// Makes an item findable.
    pub(crate) fn publish(&mut self, core: &mut Core, ticket: Ticket, item: &Item, cx: &mut Context<'_>) {
        let taken_back = self.take_back(core, ticket, cx);
        let content = content_id(item);
        // Later than any tombstone of its words: one that was on its way must not remove what is new.
        let seq = (self.unix_millis(core, cx.now()) / 1_000).max(taken_back.saturating_add(1));
        let mut records = Vec::new();
        records.extend(self.provider(core, (&content, item.info_hash), seq));
        if let Some(value) = served_at(core).and_then(|source| posting_value(item, source)) {
            let keys = self.publishing.rarity.choose(&terms::index_terms(&item.title));
            self.postings(&keys, (&content, &value), (seq, &mut records));
        }
        let mut parts = BTreeMap::new();
        for (id, body) in records {
            parts.insert(id, None);
            self.publishing.parts.insert(id, ticket);
            self.adopt(id, &body);
            self.publishing.backlog.insert(id, body);
        }
        self.publishing.published.insert(ticket, Publication { parts, told: None });
        self.walk(core, cx);
    }

    fn provider(
        &mut self,
        core: &Core,
        (content, info_hash): (&[u8; 32], Option<[u8; 20]>),
        seq: u64,
    ) -> Option<(Locator, Box<[u8]>)> {
        let addresses = [served_at(core)?];
        let mut value = Vec::new();
        let flags = ProviderFlags::COMPLETE;
        Provider { flags, addresses: (&addresses[..]).into(), info_hash }.encode(&mut value).ok()?;
        let subject = Subject::Provider { content };
        self.signed(&Draft { subject, seq, ttl: PROVIDER_TTL, value: Some(&value) })
    }

    /// The item under each of its words; one signature holds for all.
    fn postings(
        &mut self,
        keys: &[Key],
        (content, value): (&[u8; 32], &[u8]),
        (seq, into): (u64, &mut Vec<Made>),
    ) {
        let mut signed_once: Option<Box<[u8]>> = None;
        for key in keys {
            let shard_bits = self.publishing.rarity.bits(key);
            let Some(terms) = key.terms() else { continue };
            let subject = Subject::Posting { terms, content, shard_bits };
            let signed = match signed_once.as_deref().map(Record::decode) {
                Some(Ok(Record::Signed(signed))) => resigned(&Signed { subject, ..signed }),
                _ => self.signed(&Draft { subject, seq, ttl: POSTING_TTL, value: Some(value) }),
            };
            signed_once = signed_once.or_else(|| signed.as_ref().map(|(_, body)| body.clone()));
            into.extend(signed);
        }
    }

    fn signed(&mut self, draft: &Draft<'_>) -> Option<(Locator, Box<[u8]>)> {
        let (key, body) = self.sign(draft)?;
        let record = Record::decode(&body).ok()?;
        Some((Locator::new(key, record.kind(), record.id()), body))
    }

    /// Takes a publication back: its records are replaced by tombstones.
    pub(crate) fn withdraw(&mut self, core: &mut Core, ticket: Ticket, cx: &mut Context<'_>) {
        self.take_back(core, ticket, cx);
        self.walk(core, cx);
    }

    /// The same; the last sequence number of a tombstone, 0 if there was nothing to take back.
    fn take_back(&mut self, core: &Core, ticket: Ticket, cx: &mut Context<'_>) -> u64 {
        let Some(publication) = self.publishing.published.remove(&ticket) else { return 0 };
        let mut last = 0;
        for id in publication.parts.into_keys() {
            self.publishing.parts.remove(&id);
            let tried = self.publishing.backlog.remove(&id).is_none();
            let Some(body) = self.own_body(&id) else { continue };
            self.forget_own(&id);
            let Ok(Record::Signed(Signed { subject, seq, ttl, .. })) = Record::decode(&body) else {
                continue;
            };
            let now = (self.unix_millis(core, cx.now()) / 1_000).max(seq.saturating_add(1));
            last = last.max(now);
            let tombstone = self.signed(&Draft { subject, seq: now, ttl, value: None });
            if let Some((id, body)) = tombstone.filter(|_| tried) {
                self.publishing.backlog.insert(id, body);
            }
        }
        last
    }

    /// Stores what waits, in the order of the ring: neighbours on the ring share an owner, and so a datagram.
    pub(crate) fn walk(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        // Too much under way: the end of any operation goes on with it.
        while self.may_begin(core) && self.publishing.may_walk() {
            let batch = self.publishing.next_batch();
            let Some((first, _)) = batch.first() else { return };
            let first = *first;
            let task = Task::Put(Box::new(Writing::new(Cause::Own, batch, None)));
            if self.begin(core, first, task).is_none() {
                return;
            }
            self.publishing.storing += 1;
        }
        let _ = cx;
    }

    /// A record of ours was stored or not.
    pub(crate) fn on_own_put(&mut self, core: &mut Core, id: &Locator, item: &Stored, cx: &mut Context<'_>) {
        if let State::Stored(result) | State::Refused(result) = item.state
            && result.count > 0
        {
            self.learn(&item.body, Said { count: result.count, bits: result.shard_bits.min(MAX_SHARD_BITS) });
        }
        let stored = match item.state {
            State::Stored(_) => {
                let later = cx.now() + AUDIT_AFTER;
                // A sample: looking for each would double the cost of publishing.
                if cx.rng().below(16) == 0 && self.publishing.audits.len() < 64 {
                    self.publishing.audits.entry(later).or_default().push(*id);
                }
                true
            }
            _ => false,
        };
        let Some(ticket) = self.publishing.parts.get(id).copied() else { return };
        let Some(publication) = self.publishing.published.get_mut(&ticket) else { return };
        publication.parts.insert(*id, Some(stored));
        publication.tell(ticket, cx);
        let _ = core;
    }

    /// One walk is over.
    pub(crate) fn walked(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        self.publishing.storing = self.publishing.storing.saturating_sub(1);
        self.walk(core, cx);
    }

    /// The owner of a word's shard 0 said how common it is; owners of its other shards do not know.
    fn learn(&mut self, body: &[u8], said: Said) {
        let Ok(record @ Record::Signed(Signed { subject: Subject::Posting { terms, .. }, .. })) =
            Record::decode(body)
        else {
            return;
        };
        if record.ring_key() == terms.ring_key(0) {
            self.publishing.rarity.heard(&key_of(terms), said);
        }
    }

    /// Where a posting of ours belongs by now; its shard may have changed since it was stored.
    pub(crate) fn shard_bits_now(&self, subject: &Subject<'_>) -> u8 {
        match subject {
            Subject::Posting { terms, .. } => self.publishing.rarity.bits(&key_of(*terms)),
            _ => 0,
        }
    }

    /// A renewed posting lies elsewhere from now on.
    pub(crate) fn moved(&mut self, from: &Locator, to: Locator) {
        let Some(ticket) = self.publishing.parts.remove(from) else { return };
        self.publishing.parts.insert(to, ticket);
        if let Some(publication) = self.publishing.published.get_mut(&ticket) {
            let state = publication.parts.remove(from).flatten();
            publication.parts.insert(to, state);
        }
    }

    /// A posting was stored here: perhaps its word needs more shards, or it belongs to another already, to which it is
    /// passed on once.
    pub(crate) fn on_posted(&mut self, core: &mut Core, record: &Record<'_>, forwarded: bool, now: Instant) {
        let Record::Signed(signed) = record else { return };
        let Subject::Posting { terms, content, shard_bits } = signed.subject else { return };
        let first = terms.ring_key(0);
        if record.ring_key() != first {
            return;
        }
        self.count_posting(first);
        self.look_at_shards(core, first, now);
        let bits = self.shard_bits(first);
        if forwarded || bits == shard_bits || shard_of(content, bits) == 0 {
            return;
        }
        if let Some((key, body)) = resharded(record, bits) {
            let writing = Writing::forward(first, key, vec![body]);
            self.begin(core, key, Task::Put(Box::new(writing)));
        }
    }

    /// Looks for records of ours from elsewhere in the ring.
    pub(crate) fn audit_due(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        while let Some(entry) = self.publishing.audits.first_entry() {
            if *entry.key() > cx.now() {
                return;
            }
            for id in entry.remove() {
                self.audit(core, &id, cx);
            }
        }
    }

    /// What an audit came to.
    pub(crate) fn on_audited(&mut self, core: &mut Core, audit: Audit, cx: &mut Context<'_>) {
        if audit.found {
            return;
        }
        let Some(body) = self.own_body(&audit.id) else { return };
        self.publishing.alarms += 1;
        self.publishing.backlog.insert(audit.id, body);
        self.walk(core, cx);
    }
}

impl Publishing {
    /// Whether something waits, and few enough are under way.
    fn may_walk(&self) -> bool {
        let most = if self.backlog.len() >= RUSH.0 { RUSH.1 } else { WALKS };
        self.storing < most && !self.backlog.is_empty()
    }

    /// The next records clockwise from where the walk is.
    fn next_batch(&mut self) -> Vec<(RingId, Box<[u8]>)> {
        let from = Locator::first(self.walk.unwrap_or(RingId::MIN));
        let mut ids: Vec<Locator> = self.backlog.range(from..).take(BATCH).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            ids = self.backlog.keys().take(BATCH).copied().collect();
        }
        self.walk = ids.last().map(|id| id.key.plus(RingId::power(0)));
        ids.iter().filter_map(|id| self.backlog.remove_entry(id)).map(|(id, body)| (id.key, body)).collect()
    }
}

impl Publication {
    /// Says how many of its places have it, once all were tried, and whenever that changes.
    fn tell(&mut self, ticket: Ticket, cx: &mut Context<'_>) {
        if self.parts.values().any(Option::is_none) {
            return;
        }
        let at =
            u32::try_from(self.parts.values().filter(|state| **state == Some(true)).count()).unwrap_or(0);
        let of = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        if self.told != Some((at, of)) {
            self.told = Some((at, of));
            cx.emit(Event::Discovery(discovery::Event::Published { ticket, at, of }));
        }
    }
}

/// Where this host's files are fetched.
pub(crate) fn served_at(core: &Core) -> Option<SocketAddr> {
    let endpoint = core.endpoint?;
    let port = core.config.storing.service_port.unwrap_or(endpoint.port());
    Some(endpoint.with_port(port).socket_addr())
}

/// A posting with the signature it has, under another word.
fn resigned(signed: &Signed<'_>) -> Option<(Locator, Box<[u8]>)> {
    let record = Record::Signed(*signed);
    let mut body = Vec::new();
    record.encode(&mut body).ok()?;
    Some((Locator::new(record.ring_key(), record.kind(), record.id()), body.into()))
}

fn key_of(terms: Terms<'_>) -> Key {
    Key(terms.first().as_str().to_owned(), terms.second().map(|term| term.as_str().to_owned()))
}
