//! Over how many shards the postings of a word are spread (4.6): decided by the holder of shard 0, told in its answers.
//!
//! Of a word at shard 0 only what belongs there under the present number counts. Above an eighth of a full shard twice
//! within ten minutes, or above half of it at once, the number grows until neither is so: a word is spread long before
//! anything has to be refused. Below 15 % of an eighth for three lives of a posting it halves.
//!
//! What belongs elsewhere is passed on. Some time after it is stored there it is dropped here and by the replicas, so that
//! no holder has many more postings than another; at once it would go from under those who read it page by page.

use super::id::Locator;
use super::operation::Task;
use super::placement;
use super::records::{Records, Stored};
use super::serve::held;
use super::writing::{Cause, Item, State, Writing};
use super::{Call, Store};
use crate::chord::Context;
use crate::chord::core::{Core, Received};
use crate::chord::rpc::Purpose;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{
    Held, Kind, List, MAX_PAYLOAD, MAX_SHARD_BITS, Message, Outcome, PutFlags, PutResult, Record, Replicate,
    RingId, Signed, Subject, own, shard_of,
};

/// A shard is spread when it is fuller than this part of what it may hold. A reader of all asks 2^bits holders, each of
/// which has some hundred datagrams of postings then: what he asks is little beside what he gets.
const PART: u64 = 8;
/// A word that many post at once gets room for so many times what is there.
const HEADROOM: u64 = 16;
/// A shard is looked at no more often, unless it is more than half full.
const LOOK: Duration = Duration::from_secs(30);
/// Two looks that find a shard too full lie at least this far apart.
const APART: Duration = Duration::from_secs(60);
/// ... and at most this.
const WITHIN: Duration = Duration::from_secs(600);
/// Three lives of a posting.
const IDLE: Duration = Duration::from_secs(3 * 86_400);
/// What was passed on lies here so long: a reader of a full shard takes a minute, and a publisher looks for what he has
/// stored after half of one.
const LINGER: Duration = Duration::from_secs(120);
/// So many passed on are remembered, 2 MiB; of those forgotten each is passed on once more.
const MOST_PASSED: usize = 32_768;
/// Bytes of a copy that are not records.
const OVERHEAD: usize = 48;
/// Words watched at once.
const MOST: usize = 4_096;

/// One word's state at its shard 0.
#[derive(Clone, Copy, Debug)]
struct Spread {
    bits: u8,
    looked: Instant,
    /// Postings that belonged here at the last look, and those that came since.
    count: u64,
    full_since: Option<Instant>,
    idle_since: Option<Instant>,
}

/// A posting that lies where it belongs by now, and here until then.
#[derive(Clone, Copy, Debug)]
struct Passed {
    until: Instant,
    id: Locator,
    seq: u64,
}

/// The words whose shard 0 lies here.
#[derive(Clone, Default, Debug)]
pub(crate) struct Shards {
    words: BTreeMap<RingId, Spread>,
    /// What was passed on, the oldest first.
    passed: VecDeque<Passed>,
}

impl Shards {
    /// Whether no word of ours was ever looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The number of shards, as a power of two, that `key` is to be told to have.
    pub(crate) fn bits(&self, key: RingId) -> u8 {
        self.words.get(&key).map_or(0, |spread| spread.bits)
    }

    /// When something that was passed on is to be dropped.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.passed.front().map(|passed| passed.until)
    }

    /// The next that is to be dropped.
    fn take_passed(&mut self, now: Instant) -> Option<Passed> {
        let is_due = self.passed.front().is_some_and(|passed| passed.until <= now);
        if is_due { self.passed.pop_front() } else { None }
    }

    /// One more posting has come to a shard 0.
    pub(crate) fn posted(&mut self, key: RingId) {
        if let Some(spread) = self.words.get_mut(&key) {
            spread.count += 1;
        }
    }

    /// Looks at a shard 0 and says so, unless that was done within half a minute and it is not filling up: it costs a
    /// look at each of its postings.
    pub(crate) fn look(&mut self, records: &Records, key: RingId, most: u32, now: Instant) -> bool {
        let known = self.words.get(&key).copied();
        let is_idle = |spread: Spread| now.since(spread.looked) < LOOK && !spread.is_rushed(most.into());
        if known.is_some_and(is_idle) {
            return false;
        }
        let (counts, bits) = belonging(records, key, known.map(|spread| spread.bits), now);
        if known.is_none() && counts[0] == 0 {
            return false;
        }
        if known.is_none() && self.words.len() >= MOST {
            self.words.pop_first();
        }
        let fresh = Spread { bits, looked: now, count: 0, full_since: None, idle_since: None };
        let spread = self.words.entry(key).or_insert(fresh);
        spread.looked = now;
        spread.on_counts(&counts, u64::from(most), now);
        true
    }
}

impl Spread {
    /// Whether it is more than half full, and more shards would help.
    fn is_rushed(&self, most: u64) -> bool {
        self.count * 2 > most && self.bits < MAX_SHARD_BITS
    }

    fn on_counts(&mut self, counts: &Counts, most: u64, now: Instant) {
        self.weigh(counts, most, now);
        self.count = counts.get(usize::from(self.bits)).copied().unwrap_or(0);
    }

    fn weigh(&mut self, counts: &Counts, most: u64, now: Instant) {
        let count = |bits: u8| counts.get(usize::from(bits)).copied().unwrap_or(0);
        let is_full = |bits: u8| count(bits) * PART > most;
        if is_full(self.bits) {
            self.idle_since = None;
            let rushed = count(self.bits) * 2 > most;
            match self.full_since {
                Some(since) if now - since >= APART && now - since <= WITHIN => self.grow(is_full),
                // It would be full before a second look, and what comes so fast goes on coming.
                _ if rushed => self.grow(|bits| count(bits) * PART * HEADROOM > most),
                Some(since) if now - since > WITHIN => self.full_since = Some(now),
                Some(_) => {}
                None => self.full_since = Some(now),
            }
            return;
        }
        if count(self.bits) * PART * 100 >= most * 15 || self.bits == 0 {
            self.idle_since = None;
        } else if *self.idle_since.get_or_insert(now) + IDLE <= now {
            self.bits -= 1;
            self.idle_since = None;
        }
    }

    /// What is here tells how many shards would do; one at a time would take ten looks for a popular word.
    fn grow(&mut self, is_full: impl Fn(u8) -> bool) {
        self.bits = (self.bits..MAX_SHARD_BITS).find(|bits| !is_full(*bits)).unwrap_or(MAX_SHARD_BITS);
        self.full_since = None;
    }
}

/// Postings of a key that belong to its shard 0, for each number of shards as a power of two.
type Counts = [u64; MAX_SHARD_BITS as usize + 1];

/// How many postings of a key belong to its shard 0, and, unless `bits` are known, the largest number of shards that any of them is
/// marked with: all a new holder has to go by. The holder before it marked them, each with its own number as it came.
fn belonging(records: &Records, key: RingId, bits: Option<u8>, now: Instant) -> (Counts, u8) {
    let all = || records.at(key, now).filter(|(id, _)| id.kind() == Kind::Posting).map(|(_, stored)| stored);
    let marked = |stored: &Stored| match Record::decode(&stored.body) {
        Ok(Record::Signed(Signed { subject: Subject::Posting { shard_bits, .. }, .. })) => shard_bits,
        _ => 0,
    };
    let bits = bits.unwrap_or_else(|| all().map(marked).max().unwrap_or(0).min(MAX_SHARD_BITS));
    let mut counts = [0; MAX_SHARD_BITS as usize + 1];
    for stored in all() {
        for (bits, count) in (0..).zip(&mut counts) {
            *count += u64::from(stored.shard & mask(bits) == 0);
        }
    }
    (counts, bits)
}

/// A posting for shard 0 marked with the number of shards its word has; none if it is marked so, or belongs to another.
/// The mark is not signed: it is the holder's, and what publishers believe counts for nothing.
pub(crate) fn marked<'a>(record: &Record<'a>, bits: u8) -> Option<Record<'a>> {
    let Record::Signed(signed) = record else { return None };
    let Subject::Posting { terms, content, shard_bits } = signed.subject else { return None };
    let here = shard_of(content, bits) == 0 && shard_of(content, shard_bits) == 0;
    let subject = Subject::Posting { terms, content, shard_bits: bits };
    (here && shard_bits != bits).then_some(Record::Signed(Signed { subject, ..*signed }))
}

/// A posting as it lies at the shard that it belongs to among 2^`bits`, with the key of that.
pub(crate) fn resharded(record: &Record<'_>, bits: u8) -> Option<(RingId, Box<[u8]>)> {
    let Record::Signed(signed) = record else { return None };
    let Subject::Posting { terms, content, .. } = signed.subject else { return None };
    let moved =
        Record::Signed(Signed { subject: Subject::Posting { terms, content, shard_bits: bits }, ..*signed });
    let mut body = Vec::new();
    moved.encode(&mut body).ok()?;
    Some((moved.ring_key(), body.into()))
}

/// Whether a key is that of the first shard of a posting's word.
fn is_first_shard(record: &Record<'_>, key: RingId) -> bool {
    match record {
        Record::Signed(Signed { subject: Subject::Posting { terms, .. }, .. }) => terms.ring_key(0) == key,
        _ => false,
    }
}

/// The bits of a content's hash that say its shard, of 2^`bits`.
const fn mask(bits: u8) -> u8 {
    ((1u16 << if bits < MAX_SHARD_BITS { bits } else { MAX_SHARD_BITS }) - 1) as u8
}

impl Store {
    /// One more posting has come to a word's shard 0.
    pub(crate) fn count_posting(&mut self, key: RingId) {
        self.shards.posted(key);
    }

    /// Looks at a word's shard 0 after something was posted there; passes on what does not belong there.
    pub(crate) fn look_at_shards(&mut self, core: &mut Core, key: RingId, now: Instant) {
        let before = self.shards.bits(key);
        if !self.shards.look(&self.records, key, core.config.storing.quotas.postings_per_shard, now) {
            return;
        }
        let bits = self.shards.bits(key);
        if bits != before {
            self.records.spread(key, bits);
        }
        if bits > 0 && placement::owner_of(core, key).is_some() {
            self.forward_foreign(core, key, bits, now);
        }
    }

    /// Passes what belongs to other shards on to them, each shard's by itself; what cannot be begun, or fails, is tried
    /// at a later look.
    fn forward_foreign(&mut self, core: &mut Core, home: RingId, bits: u8, now: Instant) {
        let under_way = self.forwarding(home);
        let passed: BTreeMap<Locator, u64> = self.shards.passed.iter().map(|one| (one.id, one.seq)).collect();
        let mut by_shard: BTreeMap<RingId, Vec<Box<[u8]>>> = BTreeMap::new();
        let all = self.records.at(home, now).filter(|(id, _)| id.kind() == Kind::Posting);
        let foreign = all.filter(|(_, stored)| stored.shard & mask(bits) != 0);
        for (_, stored) in foreign.filter(|(id, stored)| passed.get(id) != Some(&stored.version.seq)) {
            let Ok(record) = Record::decode(&stored.body) else { continue };
            if !is_first_shard(&record, home) {
                return;
            }
            let moved = resharded(&record, bits).filter(|(key, _)| !under_way.contains(key));
            if let Some((key, body)) = moved {
                by_shard.entry(key).or_default().push(body);
            }
        }
        for (key, bodies) in by_shard {
            let writing = Writing::forward(home, key, bodies);
            if self.begin(core, key, Task::Put(Box::new(writing))).is_none() {
                return;
            }
        }
    }

    /// The shards to which postings of a word are being passed on.
    fn forwarding(&self, home: RingId) -> BTreeSet<RingId> {
        let shard = |task: &Task| match task {
            Task::Put(writing) if writing.cause == Cause::Forward(home) => {
                writing.items.first().map(|item| item.key)
            }
            _ => None,
        };
        self.operations.values().filter_map(|operation| shard(&operation.task)).collect()
    }

    /// Postings of a word whose shard 0 lies here were passed on: those stored where they belong need not stay.
    pub(crate) fn passed_on(&mut self, home: RingId, items: &[Item], now: Instant) {
        for item in items.iter().filter(|item| matches!(item.state, State::Stored(_))) {
            let Ok(record) = Record::decode(&item.body) else { continue };
            let id = Locator::new(home, Kind::Posting, record.id());
            if self.shards.passed.len() >= MOST_PASSED {
                self.shards.passed.pop_front();
            }
            self.shards.passed.push_back(Passed { until: now + LINGER, id, seq: record.seq() });
        }
    }

    /// Drops what was passed on some time ago, and tells the replicas to.
    pub(crate) fn drop_passed(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let mut dropped: BTreeMap<RingId, Vec<Stored>> = BTreeMap::new();
        while let Some(Passed { id, seq, .. }) = self.shards.take_passed(cx.now()) {
            let mask = mask(self.shards.bits(id.key));
            // A newer version that came meanwhile is passed on by itself; and there may be fewer shards again.
            let same = |stored: &&Stored| stored.version.seq <= seq && stored.shard & mask != 0;
            let owned = placement::owner_of(core, id.key).is_some();
            if let Some(stored) = self.records.find(&id, cx.now()).filter(|_| owned).filter(same).cloned() {
                self.records.remove(&id);
                dropped.entry(id.key).or_default().push(stored);
            }
        }
        for (home, gone) in dropped {
            self.tell_moved(core, home, &gone, cx);
        }
    }

    fn tell_moved(&self, core: &mut Core, home: RingId, gone: &[Stored], cx: &mut Context<'_>) {
        let Some(at) = placement::owner_of(core, home) else { return };
        let claim = core.vnodes.get(at).map(|vnode| vnode.claim).unwrap_or_default();
        let all: Vec<Held<'_>> = gone.iter().filter_map(|stored| held(stored, cx.now())).collect();
        let mut rest = &all[..];
        while let Ok(records) = List::fitting(rest, MAX_PAYLOAD - OVERHEAD)
            && !records.is_empty()
        {
            rest = &rest[records.len()..];
            let message = Message::Replicate(Replicate { claim, flags: PutFlags::MOVED, records });
            for node in placement::replicas(core, at) {
                core.call(cx, (at, node), Purpose::Storage(Call::Moved), &message);
            }
        }
    }

    /// The owner of a word's shard 0 says that postings lie where they belong by now: our copies are dropped, if it is a
    /// neighbour and owns the key.
    pub(crate) fn on_moved(
        &mut self,
        core: &mut Core,
        from: &Received,
        copies: &Replicate<'_>,
        cx: &mut Context<'_>,
    ) {
        let neighbour = placement::is_neighbour(core, from.from.endpoint);
        let low = copies.claim.low().filter(|_| neighbour);
        let mut results = Vec::with_capacity(copies.records.len());
        for Held { record, .. } in copies.records {
            let key = record.ring_key();
            let owned = low.is_some_and(|low| own(low, key, from.from.id));
            let id = Locator::new(key, record.kind(), record.id());
            let known = |stored: &Stored| stored.version.seq <= record.seq() && id.kind() == Kind::Posting;
            let dropped = owned && self.records.find(&id, cx.now()).is_some_and(known);
            let outcome = if dropped {
                self.records.remove(&id);
                Outcome::Stored { copies: 1, of: 1, durable: core.config.storing.durable }
            } else {
                Outcome::NotMine
            };
            results.push(PutResult { outcome, count: 0, shard_bits: 0 });
        }
        self.acknowledge(core, from, &results, None, cx);
    }

    /// The number of shards, as a power of two, of the word whose shard 0 lies at `key`.
    pub(crate) fn shard_bits(&self, key: RingId) -> u8 {
        self.shards.bits(key)
    }

    /// What an acknowledgement says of a record's key: how many are there, over how many shards they are spread.
    pub(crate) fn shard_report(&self, core: &Core, id: &Locator) -> (u32, u8) {
        if id.kind() != Kind::Posting {
            return (0, 0);
        }
        let most = core.config.storing.quotas.postings_per_shard;
        (self.records.postings_at(id.key).min(most), self.shards.bits(id.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_wire::chord::{Term, Terms};

    fn after(spread: &mut Spread, counts: &[(u64, u64)]) -> u8 {
        for (seconds, count) in counts {
            // Evenly spread contents: of `count` in the present shard half belong to the first of twice as many.
            let halved = |bits: u8| count << spread.bits >> bits;
            let counts: Counts = std::array::from_fn(|bits| halved(bits as u8));
            spread.on_counts(&counts, 4_096, Instant::EPOCH + Duration::from_secs(*seconds));
        }
        spread.bits
    }

    fn spread(bits: u8) -> Spread {
        Spread { bits, looked: Instant::EPOCH, count: 0, full_since: None, idle_since: None }
    }

    #[test]
    fn a_word_gets_more_shards_when_one_is_too_full_twice_in_ten_minutes() {
        assert_eq!(after(&mut spread(0), &[(0, 513), (59, 600)]), 0, "one look is not two");
        assert_eq!(after(&mut spread(0), &[(0, 512), (60, 512)]), 0, "an eighth is not more than an eighth");
        assert_eq!(after(&mut spread(0), &[(0, 513), (60, 600)]), 1);
        assert_eq!(after(&mut spread(0), &[(0, 513), (60, 1_026)]), 2, "as many as it takes");
        assert_eq!(after(&mut spread(0), &[(0, 513), (60, 4_096)]), 3);
        assert_eq!(after(&mut spread(0), &[(0, 513), (700, 600)]), 0, "too far apart");
        assert_eq!(after(&mut spread(8), &[(0, 4_000), (60, 4_000)]), 8, "256 are the most");
    }

    #[test]
    fn a_word_that_many_post_at_once_gets_room_before_its_shard_is_full() {
        assert_eq!(after(&mut spread(0), &[(0, 2_048)]), 0, "half is not more than half");
        assert_eq!(after(&mut spread(0), &[(0, 2_049)]), 6, "for sixteen times as many");
        assert_eq!(after(&mut spread(0), &[(0, 513), (30, 2_049)]), 6);
        assert_eq!(after(&mut spread(7), &[(0, 4_096)]), 8, "256 are the most");
        let mut shards = Shards::default();
        let key = RingId::hash(b"shard 0");
        shards.words.insert(key, Spread { count: 2_047, ..spread(0) });
        shards.posted(key);
        assert!(!shards.words[&key].is_rushed(4_096));
        shards.posted(key);
        assert!(shards.words[&key].is_rushed(4_096), "it is looked at though half a minute is not over");
    }

    #[test]
    fn a_shard_halves_after_three_lives_below_fifteen_percent() {
        assert_eq!(after(&mut spread(2), &[(0, 70), (259_199, 70)]), 2);
        assert_eq!(after(&mut spread(2), &[(0, 70), (259_200, 70)]), 1);
        assert_eq!(after(&mut spread(2), &[(0, 70), (100, 80), (259_200, 70)]), 2, "it was busy between");
    }

    #[test]
    fn what_lies_at_shard_0_is_marked_with_the_number_of_shards_and_keeps_its_place() {
        let terms = Terms::one(Term::new("moon").unwrap());
        let mut here = 0;
        for n in 0..32u8 {
            let content = [n; 32];
            let subject = Subject::Posting { terms, content: &content, shard_bits: 0 };
            let (writer, signature) = ([1; 32], [2; 64]);
            let signed =
                Signed { subject, writer: &writer, seq: 1, ttl: 60, value: None, signature: &signature };
            let record = Record::Signed(signed);
            match marked(&record, 2) {
                Some(marked) => {
                    here += 1;
                    assert_eq!((marked.ring_key(), marked.id()), (record.ring_key(), record.id()));
                    assert!(super::marked(&marked, 2).is_none(), "it is marked so already");
                }
                None => assert_ne!(shard_of(&content, 2), 0),
            }
            assert!(marked(&record, 0).is_none());
        }
        assert!((1..31).contains(&here));
    }
}
