//! Reading, as the client (4.4): several of the replica set, fastest first, for what may have changed; the newest valid
//! copy wins, and whoever was seen behind is sent it.

use super::Store;
use super::id::{Locator, Version};
use super::operation::{Operation, Task};
use super::validity;
use super::wish::{MOST, PAGE, Wish, with_get};
use crate::chord::core::Core;
use crate::chord::node::Node;
use crate::chord::publish::Key;
use crate::chord::violation::Violation;
use crate::chord::{Context, Event, Failure, Value, Want};
use crate::discovery::Ticket;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::chord::{Got, Held, Kind, Message, Padding, Provider, Put, PutFlags, Record, Signed};

/// Pages fetched of one holder at most.
const PAGES: u8 = 32;
/// Patience with one replica: the next is asked sooner than this one is given up.
const PATIENCE: (Duration, u8) = (Duration::from_millis(400), 3);

/// For whom is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reader {
    /// The application.
    App(Ticket),
    /// A search, for postings: it takes them page by page.
    Search(Ticket),
    /// A publisher that looks whether his record is still there.
    Audit,
}

/// A read under way.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// For whom.
    pub reader: Reader,
    /// What.
    pub wish: Wish,
    /// The word and shard that a search asks with this read.
    pub word: Option<(Key, u8)>,
    /// A node whose view of the ring is asked for, instead of our own.
    pub via: Option<Node>,
    /// What was found, the newest of each record.
    pub found: BTreeMap<Locator, (Version, Box<[u8]>)>,
    /// What the holders said: shards as a power of two, records that match, seconds it may be kept.
    pub shard_bits: u8,
    /// The most records any holder counted.
    pub count: u32,
    /// Who said what.
    versions: Vec<(Node, BTreeMap<Locator, Version>)>,
    asked: BTreeSet<Endpoint>,
    /// Which providers of many are asked for.
    seed: u32,
    waiting: u8,
    answers: u8,
    pages: u8,
    /// What cannot change and is too large for a datagram is on its way.
    fetching: bool,
    /// Postings the search wants still; it has enough at 0.
    wanted: u32,
    /// Whether a second holder is only asked how many it has, and how many the first had.
    counting: Option<u32>,
}

impl Reading {
    /// A read.
    pub(crate) fn new(reader: Reader, wish: Wish) -> Reading {
        Reading {
            reader,
            wish,
            word: None,
            via: None,
            found: BTreeMap::new(),
            shard_bits: 0,
            count: 0,
            versions: Vec::new(),
            asked: BTreeSet::new(),
            seed: 0,
            waiting: 0,
            answers: 0,
            pages: 0,
            fetching: false,
            wanted: 0,
            counting: None,
        }
    }

    /// A search's read of one shard, of which `wanted` postings are enough.
    pub(crate) fn of_postings(
        ticket: Ticket,
        (word, shard): (Key, u8),
        words: &[String],
        wanted: u32,
    ) -> Option<Reading> {
        let key = word.terms()?.ring_key(shard);
        let reading = Reading::new(Reader::Search(ticket), Wish::Postings { key, words: words.to_vec() });
        Some(Reading { word: Some((word, shard)), wanted, ..reading })
    }

    /// Whether replicas have been asked.
    pub(crate) fn is_asking(&self) -> bool {
        self.waiting > 0
    }

    /// How many answers are needed: one for what cannot change, the read quorum for what can.
    fn needed(&self, core: &Core, set: usize) -> u8 {
        let quorum = match &self.wish {
            Wish::Want(Want::Immutable(_)) | Wish::Own(..) => 1,
            Wish::Want(Want::Providers(_)) => 2,
            Wish::Postings { .. } => 1 + u8::from(self.wanted > 0 && self.answers > 0),
            Wish::Want(Want::Entry { .. } | Want::Mutable { .. }) => core.config.read_quorum,
        };
        // Who finds nothing asks on: not all of the set need hold a range yet (2.10).
        let nothing = self.answers > 0 && self.found.is_empty() && self.pages == 0;
        let asks_on = matches!(&self.wish, Wish::Own(..) | Wish::Want(Want::Providers(_)));
        let quorum = if nothing && asks_on { quorum.max(core.config.read_quorum) } else { quorum };
        quorum.clamp(1, u8::try_from(set).unwrap_or(u8::MAX).max(1))
    }

    /// How many others of the set are asked at once beside those that would be enough: none if it is known how near those
    /// are. Of strangers it is chance, and whoever waits for a value takes what comes first.
    fn spare(&self, core: &Core, needed: &[Node]) -> u8 {
        let value =
            matches!(&self.wish, Wish::Want(Want::Immutable(_) | Want::Entry { .. } | Want::Mutable { .. }));
        let measured = needed.iter().all(|node| core.rtt(node).smoothed().is_some());
        if value && !measured { core.config.read_spare } else { 0 }
    }

    /// How many postings the next page may have: none where only their number is asked for.
    fn page(&self) -> u8 {
        let most = u8::try_from(self.wanted).unwrap_or(u8::MAX).min(PAGE);
        if self.counting.is_some() { 0 } else { most }
    }

    /// What makes a request long enough to be answered without a challenge, which costs a round trip; what nobody waits
    /// for is asked shortly.
    fn padding(&self) -> Padding {
        match (self.reader, self.counting) {
            (Reader::Audit, _) | (_, Some(_)) => Padding::NONE,
            _ => Padding::of(Padding::MOST),
        }
    }

    fn is_enough(&self, needed: u8) -> bool {
        if self.wish.is_fixed() { !self.found.is_empty() } else { self.answers >= needed }
    }
}

impl Store {
    /// The replica set is known: ask as many as needed.
    pub(crate) fn read_first(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        // Fastest first, and what is not measured after what is; the owner wins ties.
        let mut set = std::mem::take(&mut operation.set);
        let owner = set.first().copied();
        let postings =
            matches!(&operation.task, Task::Get(reading) if matches!(reading.wish, Wish::Postings { .. }));
        set.sort_by_key(|node| {
            // Only the owner decides over how many shards a word is spread.
            let first = postings && owner == Some(*node);
            (!first, core.rtt(node).smoothed().unwrap_or(Duration::from_secs(1)))
        });
        operation.set = set;
        let Task::Get(reading) = &mut operation.task else { return };
        reading.asked.clear();
        reading.seed = cx.rng().next_u64() as u32;
        (reading.waiting, reading.answers, reading.fetching) = (0, 0, false);
        let needed = reading.needed(core, operation.set.len());
        let spare = reading.spare(core, &operation.set[..usize::from(needed).min(operation.set.len())]);
        for _ in 0..needed.saturating_add(spare) {
            self.read_next(core, number, cx);
        }
        self.conclude_read(core, number, cx);
    }

    /// Asks one more of the set.
    pub(crate) fn read_next(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let Task::Get(reading) = &mut operation.task else { return };
        let next = operation.set.iter().find(|node| !reading.asked.contains(&node.endpoint)).copied();
        let Some(node) = next.filter(|_| !reading.fetching) else { return };
        reading.asked.insert(node.endpoint);
        reading.waiting += 1;
        self.read_page(core, (number, node, 0), cx);
    }

    fn read_page(&mut self, core: &mut Core, (number, node, cursor): (u32, Node, u32), cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        // What cannot have changed is worth asking a second holder for before the first is given up.
        let hedge = core.rtt(&node).hedge(&core.config).max(Duration::from_millis(50));
        operation.due = Some(cx.now() + hedge.max(core.rto(&node)));
        let Task::Get(reading) = &operation.task else { return };
        let stranger = core.proofs.held(node.endpoint, cx.now()) == 0;
        let padding = if stranger { reading.padding() } else { Padding::NONE };
        let (wish, ask) = (reading.wish.clone(), (cursor, reading.seed, reading.page(), padding));
        let patience = (PATIENCE.0.min(core.rto(&node) * 2), PATIENCE.1);
        let sent =
            with_get(&wish, ask, |get| self.ask(core, (number, node), patience, (&Message::Get(*get), cx)));
        if !sent {
            self.read_failed(core, (number, &node), cx);
        }
    }

    /// A holder answered.
    pub(crate) fn on_got(
        &mut self,
        core: &mut Core,
        (number, from): (u32, &Node),
        got: &Got<'_>,
        cx: &mut Context<'_>,
    ) {
        let Some(Task::Get(reading)) = self.operations.get_mut(&number).map(|operation| &mut operation.task)
        else {
            return;
        };
        let bad = reading.take(from, got);
        for _ in 0..bad {
            core.blame(Violation::BadRecord);
        }
        if let Some(large) = got.large.iter().next().filter(|_| reading.found.is_empty()) {
            if reading.wish.is_fixed() && std::mem::replace(&mut reading.fetching, true) {
                // It comes from another already; this one is asked again if that fails.
                reading.waiting = reading.waiting.saturating_sub(1);
                reading.asked.remove(&from.endpoint);
                return;
            }
            return self.fetch_large(core, (number, *from), &large, cx);
        }
        if let Reader::Search(ticket) = reading.reader {
            return self.on_page(core, (number, from, ticket), (got, bad == 0), cx);
        }
        let limit = reading.wish.limit();
        let more = got.next.filter(|_| reading.pages < PAGES && reading.found.len() < limit && bad == 0);
        if let Some(cursor) = more {
            reading.pages += 1;
            return self.read_page(core, (number, *from, cursor), cx);
        }
        reading.waiting = reading.waiting.saturating_sub(1);
        reading.answers += 1;
        self.conclude_read(core, number, cx);
    }

    /// A page of postings: the search takes them, and the next is asked for while it wants more. Who holds fewer than
    /// another by a fifth has lost some or hides them (4.4): that other is read too.
    fn on_page(
        &mut self,
        core: &mut Core,
        (number, from, ticket): (u32, &Node, Ticket),
        (got, good): (&Got<'_>, bool),
        cx: &mut Context<'_>,
    ) {
        let found = self.operations.get_mut(&number).and_then(Operation::reading).map(Reading::hand_over);
        let wanted = self.on_hits(ticket, found.unwrap_or_default(), cx);
        let Some(reading) = self.operations.get_mut(&number).and_then(Operation::reading) else { return };
        reading.wanted = wanted;
        let next = match reading.counting {
            Some(before) if u64::from(got.count) * 5 > u64::from(before) * 6 => Some(0),
            Some(_) => None,
            // Who has more to tell has told something.
            None => got.next.filter(|_| good && !got.records.is_empty()),
        };
        if let Some(cursor) = next.filter(|_| wanted > 0) {
            reading.counting = None;
            return self.read_page(core, (number, *from, cursor), cx);
        }
        reading.waiting = reading.waiting.saturating_sub(1);
        reading.answers += 1;
        reading.counting = Some(reading.count);
        self.conclude_read(core, number, cx);
    }

    /// A record too large for a datagram has come by stream, or will not.
    pub(crate) fn on_fetched(
        &mut self,
        core: &mut Core,
        number: u32,
        held: Option<Held<'_>>,
        cx: &mut Context<'_>,
    ) {
        let Some(Task::Get(reading)) = self.operations.get_mut(&number).map(|operation| &mut operation.task)
        else {
            return;
        };
        reading.waiting = reading.waiting.saturating_sub(1);
        reading.fetching = false;
        let Some(held) = held else {
            self.read_next(core, number, cx);
            return self.conclude_read(core, number, cx);
        };
        if !reading.believe(&held, &mut BTreeMap::new()) {
            core.blame(Violation::BadRecord);
        }
        reading.answers += 1;
        self.conclude_read(core, number, cx);
    }

    /// A holder is silent or would not: another.
    pub(crate) fn read_failed(&mut self, core: &mut Core, (number, _): (u32, &Node), cx: &mut Context<'_>) {
        let Some(Task::Get(reading)) = self.operations.get_mut(&number).map(|operation| &mut operation.task)
        else {
            return;
        };
        reading.waiting = reading.waiting.saturating_sub(1);
        self.read_next(core, number, cx);
        self.conclude_read(core, number, cx);
    }

    /// Ends a read that has enough, or nobody left to ask.
    fn conclude_read(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let (set, attempts) = (operation.set.len(), operation.attempts);
        let Task::Get(reading) = &mut operation.task else { return };
        let needed = reading.needed(core, set);
        if !reading.is_enough(needed) && reading.waiting > 0 {
            return;
        }
        let asked_all = reading.asked.len() >= set;
        if reading.answers == 0 && reading.found.is_empty() {
            return self.again(core, number, Failure::Unanswered, cx);
        }
        if !reading.is_enough(needed) && !asked_all {
            return self.read_next(core, number, cx);
        }
        // Nothing found with few to ask: perhaps the ring was changing; once more.
        let nothing = reading.found.is_empty() && reading.pages == 0;
        if nothing && reading.answers < needed && attempts < 2 {
            return self.again(core, number, Failure::Unanswered, cx);
        }
        self.read_done(core, number, cx);
    }

    fn read_done(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.remove(&number) else { return };
        let hops = operation.hops;
        let Task::Get(reading) = operation.task else { return };
        self.repair_seen(core, &reading, cx);
        match reading.reader {
            Reader::App(ticket) => {
                cx.emit(Event::Got { ticket, values: values(&reading), hops: u32::from(hops) });
            }
            Reader::Search(ticket) => self.on_postings(core, (ticket, true), *reading, cx),
            Reader::Audit => self.on_audited(core, Audit::of(&reading), cx),
        }
        self.walk(core, cx);
    }

    /// A read came to nothing.
    pub(crate) fn get_failed(
        &mut self,
        core: &mut Core,
        reading: Reading,
        failure: Failure,
        cx: &mut Context<'_>,
    ) {
        match reading.reader {
            Reader::App(ticket) => cx.emit(Event::Failed { ticket, failure }),
            Reader::Search(ticket) => self.on_postings(core, (ticket, false), reading, cx),
            // Nobody answered: that says nothing of the record.
            Reader::Audit => {}
        }
    }

    /// Looks for a record of our own from another node's view of the ring.
    pub(crate) fn audit(&mut self, core: &mut Core, id: &Locator, cx: &mut Context<'_>) {
        let writer = self.signer().public();
        let mut reading = Reading::new(Reader::Audit, Wish::Own(*id, writer));
        let views: Vec<Node> = core
            .vnodes
            .iter()
            .flat_map(|vnode| vnode.fingers.iter().chain(vnode.list.entries()))
            .filter(|entry| entry.is_usable() && core.endpoint != Some(entry.node.endpoint))
            .map(|entry| entry.node)
            .collect();
        if views.is_empty() {
            return;
        }
        let chosen = cx.rng().below(u32::try_from(views.len()).unwrap_or(u32::MAX));
        reading.via = views.get(chosen as usize).copied();
        self.begin(core, id.key, Task::Get(Box::new(reading)));
    }

    /// Sends the newest version to holders that had an older one or none (4.4).
    fn repair_seen(&mut self, core: &mut Core, reading: &Reading, cx: &mut Context<'_>) {
        if !matches!(reading.wish, Wish::Want(Want::Entry { .. } | Want::Mutable { .. })) {
            return;
        }
        let at = core.vnodes.iter().position(|vnode| vnode.is_member()).unwrap_or(0);
        for (node, had) in &reading.versions {
            let behind = reading.found.iter().filter(|(id, (version, _))| had.get(id) < Some(version));
            for (_, (_, body)) in behind.take(4) {
                let Ok(record) = Record::decode(body) else { continue };
                let held = [Held { remaining: super::writing::life(&record), record }];
                let flags = PutFlags::LOCAL.with(PutFlags::REPAIR);
                core.tell(
                    cx,
                    (at, *node),
                    &Message::Put(Put { flags, cas: None, records: (&held[..]).into() }),
                );
            }
        }
    }
}

impl Reading {
    /// What a search is handed; a read of a million postings keeps none of them.
    fn hand_over(&mut self) -> Vec<Box<[u8]>> {
        self.pages = self.pages.saturating_add(1);
        self.versions.clear();
        std::mem::take(&mut self.found).into_values().map(|(_, body)| body).collect()
    }

    /// Takes what an answer holds; returns how many records were not what they say.
    fn take(&mut self, from: &Node, got: &Got<'_>) -> u32 {
        let mut had = BTreeMap::new();
        let bad = got.records.iter().filter(|held| !self.believe(held, &mut had)).count();
        self.shard_bits = self.shard_bits.max(got.shard_bits.min(throng_wire::chord::MAX_SHARD_BITS));
        self.count = self.count.max(got.count);
        match self.versions.iter_mut().find(|(node, _)| node == from) {
            Some((_, before)) => before.extend(had),
            None => self.versions.push((*from, had)),
        }
        u32::try_from(bad).unwrap_or(u32::MAX)
    }

    fn believe(&mut self, held: &Held<'_>, had: &mut BTreeMap<Locator, Version>) -> bool {
        let record = &held.record;
        if !self.wish.admits(record) {
            return false;
        }
        let Ok(candidate) = validity::candidate(record, None, super::quota::Network::UNKNOWN) else {
            return false;
        };
        let (id, version) = (candidate.id, candidate.version);
        let known = self.found.get(&id);
        // The copy of another holder was checked already; the same bytes need no second look.
        if known.is_none_or(|(_, body)| *body != candidate.body) && validity::check(record).is_err() {
            return false;
        }
        had.insert(id, version);
        if known.is_none_or(|(other, _)| *other < version) && self.found.len() < MOST {
            self.found.insert(id, (version, candidate.body));
        }
        true
    }
}

/// What came of looking for a record of our own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audit {
    /// Which.
    pub id: Locator,
    /// Whether anybody has it.
    pub found: bool,
}

impl Audit {
    fn of(reading: &Reading) -> Audit {
        let id = match &reading.wish {
            Wish::Own(id, _) => *id,
            other => Locator::first(other.key()),
        };
        Audit { id, found: reading.found.contains_key(&id) }
    }
}

/// What the application is told: the newest first, nothing that was taken back.
fn values(reading: &Reading) -> Vec<Value> {
    let mut found: Vec<&(Version, Box<[u8]>)> = reading.found.values().collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let living = found.into_iter().filter_map(|(_, body)| Record::decode(body).ok());
    living.filter(|record| !record.is_tombstone()).map(|record| value(&record)).collect()
}

fn value(record: &Record<'_>) -> Value {
    let source = match (record.kind(), Provider::decode(record.value())) {
        (Kind::Provider, Ok(provider)) => provider.addresses.iter().next().map(Endpoint::from),
        _ => None,
    };
    let (seq, writer) = match record {
        Record::Immutable(_) => (0, [0; 32]),
        Record::Signed(Signed { seq, writer, .. }) => (*seq, **writer),
    };
    Value { bytes: record.value().to_vec(), seq, writer, source }
}
