//! Dynamic querying (section 8): an ultrapeer searches link by link until enough answers have come.
//!
//! Only hits that answer the query count, a few of each servent, so that spam does not end a search. First a few
//! ultrapeers whose table matches are probed, then one link after the other is asked with the TTL that is expected to
//! bring what is missing.

use super::command::Search;
use super::config::Config;
use super::link::{Live, Supports};
use super::machine::{Cx, Servent};
use super::search::Wish;
use super::tables::Wanted;
use bytes::Bytes;
use std::collections::BTreeMap;
use throng_machine::{Instant, StreamId};
use throng_wire::gnutella::{Guid, Header, Kind, Query, QueryFlags, QueryHit, VendorKind};

/// Ultrapeers asked at most for one query; 200,000 as in the proposal of 2003.
const HORIZON: u32 = 200_000;
/// Where it is known how many ultrapeers there are, so many times that: whoever is reached at random twice as often as
/// there are some leaves one of seven out, three ultrapeers that search for one leaf one of four hundred. For itself an
/// ultrapeer searches alone.
const ROUNDS: (u32, u32) = (2, 5);
/// Ultrapeers with a matching table that are probed first.
const PROBES: usize = 6;
/// Results of one servent that count.
const OF_ONE: u8 = 10;
/// Servents whose results are told apart; a query that reaches more has enough.
const MOST_SERVENTS: usize = 1_024;
/// A leaf is asked how many hits it kept after so many more asked ultrapeers and new results.
const STATUS_AFTER: (usize, u32) = (3, 20);
/// A leaf has about three ultrapeers that search for it.
const SHARE: u32 = 3;
/// Send queues are compared in steps of this many bytes.
const BACKLOG_STEP: u32 = 2_048;
/// A search that has asked everybody looks so often whether there are new links.
const LINGER: std::time::Duration = std::time::Duration::from_secs(10);
/// Results needed by a search by hash: any of them is the file.
const BY_HASH: u32 = 10;

/// The first byte of flags that are valid and say nothing else.
const VALID: u8 = 0x80;

/// For whom a query is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asker {
    Own,
    Leaf(StreamId),
}

/// A search that is carried on step by step.
#[derive(Debug)]
pub(super) struct DynamicQuery {
    asker: Asker,
    payload: Bytes,
    wanted: Wanted,
    wish: Wish,
    most_ttl: u8,
    enough: u32,
    results: u32,
    /// Ultrapeers expected to have been asked, and at most to be.
    horizon: u32,
    most: u32,
    /// It is known how many there are.
    bounded: bool,
    /// Links asked, with the TTL they got.
    asked: BTreeMap<StreamId, u8>,
    servents: BTreeMap<Guid, u8>,
    next: Instant,
    ends: Instant,
    guidance: Guidance,
    /// Whoever asked was told that nobody is left to be asked.
    told: bool,
}

/// What a leaf says that it kept.
#[derive(Clone, Copy, Default, Debug)]
struct Guidance {
    /// It answers questions.
    willing: bool,
    asked_at: (usize, u32),
    /// What it kept, and our results when it said so.
    kept: Option<(u32, u32)>,
}

impl DynamicQuery {
    /// Counts the records of a hit that answer the query, and all of them.
    pub(super) fn count(&mut self, hit: &QueryHit<'_>) -> (u32, u32) {
        let (mut fits, mut all) = (0, 0);
        for record in hit.records() {
            all += 1;
            fits += u32::from(self.wish.fits(&record));
        }
        let is_known = self.servents.contains_key(&hit.servent);
        if is_known || self.servents.len() < MOST_SERVENTS {
            let count = self.servents.entry(hit.servent).or_default();
            let new = fits.min(u32::from(OF_ONE.saturating_sub(*count)));
            *count += new as u8;
            self.results += new;
        }
        (fits, all)
    }

    /// Results that count towards enough: what the leaf kept, if it says so.
    fn counted(&self) -> u32 {
        match self.guidance.kept {
            Some((kept, then)) => kept / SHARE + self.results.saturating_sub(then),
            None => self.results,
        }
    }

    /// How many more ultrapeers have to be asked for what is missing.
    fn needed(&self) -> u32 {
        let (results, missing) = (self.counted(), self.enough.saturating_sub(self.counted()));
        let left = self.most.saturating_sub(self.horizon);
        if results == 0 {
            return left;
        }
        let needed = u64::from(missing) * u64::from(self.horizon.max(1)) / u64::from(results);
        u32::try_from(needed).unwrap_or(u32::MAX).clamp(1, left.max(1))
    }

    /// Whether a link may still be asked: never, or only probed and willing to take the query again.
    fn may_ask(&self, stream: StreamId, live: &Live) -> bool {
        live.floods()
            && match self.asked.get(&stream) {
                None => true,
                Some(ttl) => *ttl == 1 && live.greeting.probes && self.most_ttl > 1,
            }
    }
}

/// Ultrapeers expected to be reached through a link whose peer has so many links, less what is reached twice.
fn reach(degree: u8, ttl: u8) -> u32 {
    let fan = f64::from(degree.saturating_sub(1).max(1));
    let all: f64 = (0..ttl).map(|hop| fan.powi(i32::from(hop))).sum();
    (all * 0.8f64.powi(i32::from(ttl) - 1)).round() as u32
}

impl Servent {
    /// A leaf asks: we search for it.
    pub(super) fn search_for_leaf(
        &mut self,
        stream: StreamId,
        header: &Header,
        payload: &[u8],
        query: &Query<'_>,
        cx: &mut Cx<'_>,
    ) {
        let ttl = header.ttl.clamp(1, self.config.max_ttl);
        let limit = query.flags.most_hits().map_or(self.config.wanted.1, u32::from);
        let mut payload = payload.to_vec();
        if let Some(first) = payload.first_mut().filter(|_| query.flags.0 == 0) {
            // Others drop a query that says no more than a minimum speed of zero.
            *first |= VALID;
        }
        self.begin_dynamic(Asker::Leaf(stream), (header.guid, ttl), &payload, limit, cx);
    }

    /// Begins: our leaves and a few likely ultrapeers at once.
    pub(super) fn begin_dynamic(
        &mut self,
        asker: Asker,
        (guid, most_ttl): (Guid, u8),
        payload: &[u8],
        limit: u32,
        cx: &mut Cx<'_>,
    ) {
        let Ok(query) = Query::parse(payload) else { return };
        let (config, now, crowd) = (self.config.clone(), cx.now(), self.crowd());
        let Some(ultrapeer) = &mut self.ultrapeer else { return };
        if ultrapeer.dynamic.len() >= config.limits.dynamic {
            self.metrics.dropped += 1;
            return;
        }
        let wanted = Wanted::of(&query);
        let dynamic = DynamicQuery {
            asker,
            payload: Bytes::copy_from_slice(payload),
            wanted: wanted.clone(),
            wish: Wish::of(&query),
            most_ttl,
            enough: enough(asker, &query, limit, &config),
            results: 0,
            horizon: 0,
            most: most_asked(asker, crowd),
            bounded: crowd.is_some(),
            asked: BTreeMap::new(),
            servents: BTreeMap::new(),
            next: now,
            ends: now + config.timing.dynamic_life,
            guidance: Guidance { willing: query.flags.has(QueryFlags::GUIDED), ..Guidance::default() },
            told: false,
        };
        ultrapeer.dynamic.insert(guid, Box::new(dynamic));
        self.metrics.dynamic += 1;
        let from = match asker {
            Asker::Own => StreamId(u32::MAX),
            Asker::Leaf(stream) => stream,
        };
        let hops = 0;
        let header = Header { guid, kind: Kind::Query, ttl: 2, hops, length: 0 };
        let leaves = self.relay_to_leaves(from, &header, payload, &wanted, cx);
        self.probe(guid, leaves > 0, cx);
    }

    /// One hop to a few ultrapeers that may well have it. Time for their answers, and those of leaves, comes before
    /// anything else.
    fn probe(&mut self, guid: Guid, leaves: bool, cx: &mut Cx<'_>) {
        let Some(dynamic) = self.dynamic(guid) else { return };
        let wanted = dynamic.wanted.clone();
        let mut likely = self.streams(|live| {
            live.floods() && live.greeting.probes && live.table.is_some() && live.table_allows(&wanted)
        });
        // Which of many is a matter of luck, lest the same few be asked for everything.
        let start = cx.rng().below(likely.len().max(1) as u32) as usize;
        likely.rotate_left(start);
        likely.truncate(PROBES);
        for stream in &likely {
            self.ask_link(guid, *stream, 1, cx);
        }
        let waits = leaves || !likely.is_empty();
        let wait = if waits { self.config.timing.dynamic_probe } else { std::time::Duration::ZERO };
        let next = cx.now() + wait;
        if let Some(dynamic) = self.dynamic(guid) {
            dynamic.next = next;
        }
        self.wake_by(next);
    }

    fn dynamic(&mut self, guid: Guid) -> Option<&mut DynamicQuery> {
        self.ultrapeer.as_mut()?.dynamic.get_mut(&guid).map(|dynamic| &mut **dynamic)
    }

    fn ask_link(&mut self, guid: Guid, stream: StreamId, ttl: u8, cx: &mut Cx<'_>) {
        let Some(degree) = self.live(stream).map(|live| live.greeting.degree) else { return };
        let Some(dynamic) = self.dynamic(guid) else { return };
        let before = dynamic.asked.insert(stream, ttl).map_or(0, |before| reach(degree, before));
        dynamic.horizon = dynamic.horizon.saturating_add(reach(degree, ttl).saturating_sub(before));
        let hops = match dynamic.asker {
            Asker::Own => 0,
            Asker::Leaf(_) => 1,
        };
        let payload = dynamic.payload.clone();
        self.send_all(&[stream], Header { guid, kind: Kind::Query, ttl, hops, length: 0 }, &payload, cx);
    }

    /// The next step of every search that is due.
    pub(super) fn tick_dynamic(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(ultrapeer) = &self.ultrapeer else { return };
        let due: Vec<Guid> =
            ultrapeer.dynamic.iter().filter(|(_, one)| one.next <= now).map(|(guid, _)| *guid).collect();
        for guid in due {
            self.step(guid, cx);
        }
        let next = self.ultrapeer.as_ref().and_then(|up| up.dynamic.values().map(|one| one.next).min());
        if let Some(next) = next {
            self.wake_by(next);
        }
    }

    fn step(&mut self, guid: Guid, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(dynamic) = self.dynamic(guid) else { return };
        let asker = dynamic.asker;
        let over =
            dynamic.counted() >= dynamic.enough || dynamic.horizon >= dynamic.most || now >= dynamic.ends;
        let gone = matches!(asker, Asker::Leaf(stream) if self.live(stream).is_none());
        if gone {
            self.end_dynamic(guid);
            return;
        }
        let Some((stream, ttl)) = (if over { None } else { self.choose(guid) }) else {
            self.conclude(guid, over, cx);
            return;
        };
        self.ask_link(guid, stream, ttl, cx);
        self.ask_leaf(guid, cx);
        let wait = self.config.timing.dynamic_per_hop * u32::from(ttl);
        if let Some(dynamic) = self.dynamic(guid) {
            dynamic.next = now + wait;
        }
    }

    /// It has enough, or nobody is left to be asked and the last have had their time: who asked is told. An asker that
    /// is not content with that has the search go on where links may come meanwhile.
    fn conclude(&mut self, guid: Guid, over: bool, cx: &mut Cx<'_>) {
        let now = cx.now();
        let alone = !self.links.iter().any(|link| link.live().is_some());
        let Some(dynamic) = self.dynamic(guid) else { return };
        let (asker, results, ends) = (dynamic.asker, dynamic.results, dynamic.ends);
        let first = !std::mem::replace(&mut dynamic.told, true);
        dynamic.next = (now + LINGER).min(ends);
        match asker {
            // Whoever has no link yet will have some.
            Asker::Own if !over && alone && now < ends => {}
            Asker::Own => self.finish(guid, cx),
            Asker::Leaf(stream) if first => self.tell_over(stream, guid, results, cx),
            Asker::Leaf(_) => {}
        }
        if over || now >= ends {
            self.end_dynamic(guid);
        }
    }

    /// Tells a leaf that its search is over, if it knows what that means.
    fn tell_over(&mut self, stream: StreamId, guid: Guid, results: u32, cx: &mut Cx<'_>) {
        if self.live(stream).is_some_and(|live| live.supports.has(Supports::OVER)) {
            let results = u16::try_from(results).unwrap_or(u16::MAX).to_le_bytes();
            self.send_vendor(stream, (VendorKind::QUERY_OVER, guid), &results, cx);
        }
    }

    /// The link to ask next and the TTL: short queues first, then matching tables.
    fn choose(&mut self, guid: Guid) -> Option<(StreamId, u8)> {
        let dynamic = self.ultrapeer.as_ref()?.dynamic.get(&guid)?;
        let mut open: Vec<_> = self
            .links
            .iter()
            .filter_map(|link| link.live().map(|live| (link.stream, live)))
            .filter(|(stream, live)| dynamic.may_ask(*stream, live))
            .map(|(stream, live)| {
                let fits = live.table_allows(&dynamic.wanted);
                ((live.queue.backlog() / BACKLOG_STEP, !fits, stream), live)
            })
            .collect();
        open.sort_by_key(|(key, _)| *key);
        let left = open.len() as u32;
        let ((_, misses, stream), live) = open.first()?;
        let most = dynamic.most_ttl.min(live.greeting.max_ttl).max(1);
        // Where nobody knows how far it is to the end all links are to bring their share.
        let needed = dynamic.needed() / if dynamic.bounded { 1 } else { left.max(1) };
        let fitting = (1..=most).rev().find(|ttl| reach(live.greeting.degree, *ttl) <= needed);
        let ttl = fitting.unwrap_or(1);
        // With TTL 1 one without the words has nothing; one that was probed needs more than before.
        let ttl = if *misses || dynamic.asked.contains_key(stream) { ttl.max(2).min(most) } else { ttl };
        Some((*stream, ttl))
    }

    /// Asks the leaf how many hits it kept, now and then.
    fn ask_leaf(&mut self, guid: Guid, cx: &mut Cx<'_>) {
        let Some(dynamic) = self.dynamic(guid) else { return };
        let Asker::Leaf(stream) = dynamic.asker else { return };
        let (asked, results) = dynamic.guidance.asked_at;
        let now = (dynamic.asked.len(), dynamic.results);
        let due = now.0 >= asked + STATUS_AFTER.0 && now.1 >= results + STATUS_AFTER.1;
        if !dynamic.guidance.willing || !due {
            return;
        }
        dynamic.guidance.asked_at = now;
        if self.live(stream).is_some_and(|live| live.supports.has(Supports::STATUS_REQUEST)) {
            self.send_vendor(stream, (VendorKind::QUERY_STATUS_REQUEST, guid), &[], cx);
        }
    }

    /// A leaf says how many hits it kept, or that it wants no more.
    pub(super) fn on_query_status(&mut self, stream: StreamId, guid: Guid, kept: u16) {
        let Some(dynamic) = self.dynamic(guid) else { return };
        if dynamic.asker != Asker::Leaf(stream) {
            return;
        }
        if kept == u16::MAX {
            self.end_dynamic(guid);
        } else {
            dynamic.guidance.kept = Some((kept.into(), dynamic.results));
        }
    }

    pub(super) fn end_dynamic(&mut self, guid: Guid) {
        if let Some(ultrapeer) = &mut self.ultrapeer {
            ultrapeer.dynamic.remove(&guid);
        }
    }
}

/// How many ultrapeers are asked at most, if there are so many.
fn most_asked(asker: Asker, crowd: Option<u32>) -> u32 {
    let rounds = match asker {
        Asker::Leaf(_) => ROUNDS.0,
        Asker::Own => ROUNDS.1,
    };
    crowd.map_or(HORIZON, |crowd| crowd.saturating_mul(rounds).min(HORIZON))
}

/// How many results end a search.
fn enough(asker: Asker, query: &Query<'_>, limit: u32, config: &Config) -> u32 {
    let most = match asker {
        Asker::Own => config.wanted.0,
        Asker::Leaf(_) => config.wanted.1,
    };
    let by_hash = query.words().is_none();
    limit.clamp(1, if by_hash { BY_HASH.min(most) } else { most })
}

impl Search {
    /// A search for words.
    pub fn words(words: &[String], limit: u32, timeout: std::time::Duration) -> Search {
        Search { words: words.join(" "), sha1: None, limit, timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reach_of_a_link_is_that_of_the_note() {
        let of = |degree, most| (1..=most).map(|ttl| reach(degree, ttl)).collect::<Vec<_>>();
        assert_eq!(of(32, 4), [1, 26, 636, 15_761]);
        assert!(reach(0, 4) < 10 && reach(1, 255) < 10);
    }
}
