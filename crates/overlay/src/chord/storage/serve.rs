//! Reading, at the holder (4.4, 4.6): what is there under a key, filtered where it lies, in pages of one datagram.

use super::id::Locator;
use super::placement;
use super::records::Stored;
use super::validity::words_of;
use super::{Call, Store};
use crate::chord::Context;
use crate::chord::core::{Core, Received};
use crate::chord::rpc::Purpose;
use std::collections::BTreeMap;
use throng_machine::Instant;
use throng_wire::chord::{
    Busy, Claim, Datagram, Get, Got, Held, Kind, List, MAX_PAYLOAD, Message, PostingFilter, Record, RingId,
    Selector, Signed, Subject, Summary,
};

/// Bytes of an answer that are not records, at most.
const OVERHEAD: usize = 64;
/// Bytes of the largest record that goes by datagram, whatever the message; larger ones go by stream.
pub(crate) const INLINE: usize = MAX_PAYLOAD - 100;
/// Records of one answer at most, whatever is asked for.
const MOST: u8 = 50;
/// Postings of one item told at most, each of another publisher.
const COPIES: u8 = 4;
/// An answer to an address not proved is at most this many times the request.
const FACTOR: usize = 3;
/// Reads passed to the holder before us at most at once.
const MOST_THROUGH: usize = 256;

impl Store {
    /// Somebody reads.
    pub(crate) fn on_get(&mut self, core: &mut Core, from: &Received, get: &Get<'_>, cx: &mut Context<'_>) {
        let (now, source) = (cx.now(), from.from.endpoint);
        let own = core.endpoint == Some(source);
        if !own && !self.gets.admit(source, 1, core.config.storing.gets, now) {
            return core.reply(cx, from, &Message::Busy(Busy { retry_after: 10 }));
        }
        let reads = self.heat.read(get.key, now);
        if !own && reads > core.config.storing.scorching {
            return core.reply(cx, from, &Message::Busy(Busy { retry_after: 100 }));
        }
        if get.kinds.has(Kind::Posting) {
            self.look_at_shards(core, get.key, now);
        }
        let owner = placement::owner_of(core, get.key);
        if owner.is_none() && !placement::keeps(core, get.key) {
            return self.refuse_foreign(core, from, cx);
        }
        let meant = self.meant(get, now);
        if meant.is_empty()
            && let Some(at) = owner.filter(|at| self.may_lie_behind(*at, cx.now()))
            && (!core.is_proved(cx, from) || self.read_through(core, at, from, get, cx))
        {
            return;
        }
        let claim = core.vnodes.get(owner.unwrap_or(from.at)).map(|vnode| vnode.claim).unwrap_or_default();
        let hot = reads > core.config.storing.hot;
        self.answer_get(core, (from, get), (claim, hot, &meant), cx);
    }

    fn answer_get(
        &self,
        core: &mut Core,
        (from, get): (&Received, &Get<'_>),
        (claim, hot, meant): (Claim, bool, &[Locator]),
        cx: &mut Context<'_>,
    ) {
        let now = cx.now();
        let start = usize::try_from(get.cursor).unwrap_or(usize::MAX).min(meant.len());
        let wanted = usize::from(get.limit.min(MOST));
        let page: Vec<(&Locator, &Stored)> = meant[start..]
            .iter()
            .take(wanted)
            .filter_map(|id| self.records.find(id, now).map(|stored| (id, stored)))
            .collect();
        let small: Vec<Held<'_>> = page
            .iter()
            .filter(|(_, stored)| stored.body.len() <= INLINE)
            .filter_map(|(_, stored)| held(stored, now))
            .collect();
        let large: Vec<Summary> =
            page.iter().filter(|(_, stored)| stored.body.len() > INLINE).filter_map(summary).collect();
        let Ok(records) = List::fitting(&small, MAX_PAYLOAD - OVERHEAD - large.len() * 80) else { return };
        let done = start + if records.len() < small.len() { records.len() } else { page.len().max(1) };
        let least = page.iter().map(|(_, stored)| stored.remaining(now)).min().unwrap_or(0);
        let got = Got {
            claim,
            count: u32::try_from(meant.len()).unwrap_or(u32::MAX),
            load: self.load(core),
            shard_bits: self.shards.bits(get.key),
            cache: if hot { u16::try_from((least / 4).min(60)).unwrap_or(0) } else { 0 },
            next: u32::try_from(done).ok().filter(|_| done < meant.len() && wanted > 0),
            records,
            large: (&large).into(),
        };
        let message = Message::Got(got);
        if from.proved || size(from, &message) <= FACTOR * size(from, &Message::Get(*get)) {
            core.reply(cx, from, &message);
        } else {
            core.is_proved(cx, from);
        }
    }

    /// The records a read means, in the order in which they are told.
    fn meant(&self, get: &Get<'_>, now: Instant) -> Vec<Locator> {
        let all = self.records.at(get.key, now).filter(|(id, _)| get.kinds.has(id.kind()));
        match get.selector {
            Selector::None => all.map(|(id, _)| *id).collect(),
            Selector::All => newest_first(all),
            Selector::By(writer) => newest_first(all.filter(|(_, stored)| is_by(stored, writer))),
            Selector::Newer { id, seq } => all
                .filter(|(at, stored)| at.is_of(&id) && stored.version.seq > seq)
                .map(|(at, _)| *at)
                .collect(),
            Selector::Sample(seed) => sample(all.filter(|(_, stored)| !stored.tombstone), seed),
            Selector::Postings(filter) => {
                distinct(all.filter(|(_, stored)| !stored.tombstone && matches(stored, &filter)))
            }
        }
    }

    /// Whether our range came to us so lately that the node it came from may have what we lack.
    fn may_lie_behind(&self, at: usize, now: Instant) -> bool {
        let until = self.upkeep.get(at).and_then(|upkeep| upkeep.read_through);
        until.is_some_and(|until| until > now)
    }

    /// A range that came to us lately may still lack records: ask the node it came from (2.9 O2).
    fn read_through(
        &mut self,
        core: &mut Core,
        at: usize,
        from: &Received,
        get: &Get<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.through.len() >= MOST_THROUGH {
            return false;
        }
        let Some(head) = core.vnodes.get(at).and_then(|vnode| vnode.head()).map(|entry| entry.node) else {
            return false;
        };
        if head.endpoint == from.from.endpoint || core.endpoint == Some(head.endpoint) {
            return false;
        }
        let number = self.number();
        let purpose = Purpose::Storage(Call::Through(number));
        let asked = core.call(cx, (at, head), purpose, &Message::Get(*get)).is_some();
        if asked {
            self.through.insert(number, *from);
        }
        asked
    }

    /// What the holder before us had, or that it had nothing.
    pub(crate) fn on_through(
        &mut self,
        core: &mut Core,
        number: u32,
        got: Option<&Got<'_>>,
        cx: &mut Context<'_>,
    ) {
        let Some(from) = self.through.remove(&number) else { return };
        let claim = core.vnodes.get(from.at).map(|vnode| vnode.claim).unwrap_or_default();
        let nothing = Got {
            claim,
            count: 0,
            load: self.load(core),
            shard_bits: 0,
            cache: 0,
            next: None,
            records: List::default(),
            large: List::default(),
        };
        // What is passed on is kept too, if it is what it says.
        for held in got.into_iter().flat_map(|got| got.records) {
            self.take_copy(core, &held, cx.now());
        }
        let answer = got.map_or(nothing, |got| Got { claim, cache: 0, ..*got });
        core.reply(cx, &from, &Message::Got(answer));
    }
}

/// A record as it travels.
pub(crate) fn held(stored: &Stored, now: Instant) -> Option<Held<'_>> {
    let record = Record::decode(&stored.body).ok()?;
    Some(Held { remaining: stored.remaining(now), record })
}

/// A record without its body.
pub(crate) fn summary((id, stored): &(&Locator, &Stored)) -> Option<Summary> {
    let record = Record::decode(&stored.body).ok()?;
    Some(Summary { key: id.key, id: record.id(), seq: stored.version.seq, hash: stored.version.hash })
}

fn size(from: &Received, message: &Message<'_>) -> usize {
    let mut bytes = Vec::new();
    match (Datagram { header: from.header, message: *message }).encode(&mut bytes) {
        Ok(()) => bytes.len(),
        Err(_) => usize::MAX / FACTOR,
    }
}

fn newest_first<'a>(all: impl Iterator<Item = (&'a Locator, &'a Stored)>) -> Vec<Locator> {
    let mut found: Vec<_> = all.map(|(id, stored)| (std::cmp::Reverse(stored.version), *id)).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id)| id).collect()
}

fn is_by(stored: &Stored, writer: &[u8; 32]) -> bool {
    Record::decode(&stored.body).is_ok_and(|record| record.writer() == Some(writer))
}

/// All, beginning at a place that the seed decides: different readers get different ones of many.
fn sample<'a>(all: impl Iterator<Item = (&'a Locator, &'a Stored)>, seed: u32) -> Vec<Locator> {
    let mut found: Vec<Locator> = all.map(|(id, _)| *id).collect();
    if !found.is_empty() {
        let middle = usize::try_from(seed).unwrap_or(0) % found.len();
        found.rotate_left(middle);
    }
    found
}

/// The newest posting of each item, newest first; then the second newest of each, and so on: what is wanted first is as
/// many items as can be, and then more places to get them from.
fn distinct<'a>(all: impl Iterator<Item = (&'a Locator, &'a Stored)>) -> Vec<Locator> {
    let mut found: Vec<_> =
        all.map(|(id, stored)| (std::cmp::Reverse(stored.version), *id, stored.content)).collect();
    found.sort_unstable();
    let mut copies = BTreeMap::<u64, u8>::new();
    let mut ranked: Vec<(u8, Locator)> = Vec::with_capacity(found.len());
    for (_, id, content) in found {
        let copy = copies.entry(content).or_default();
        if *copy < COPIES {
            ranked.push((*copy, id));
            *copy += 1;
        }
    }
    ranked.sort_by_key(|(copy, _)| *copy);
    ranked.into_iter().map(|(_, id)| id).collect()
}

/// Whether a posting has all words asked for, and the size and medium.
fn matches(stored: &Stored, filter: &PostingFilter<'_>) -> bool {
    let Ok(Record::Signed(Signed { subject: Subject::Posting { .. }, value: Some(value), .. })) =
        Record::decode(&stored.body)
    else {
        return false;
    };
    let Ok(posting) = throng_wire::chord::Posting::decode(value) else { return false };
    let fits = (filter.min_size..=filter.max_size).contains(&posting.size)
        && (filter.medium == 0 || filter.medium == posting.medium);
    // In plain ASCII a word that is not even a substring is no word: most postings end here, cheaply.
    let plain = posting.title.is_ascii() && posting.tags.is_ascii();
    let may =
        |term: &str| !plain || contains_plain(posting.title, term) || contains_plain(posting.tags, term);
    if !fits || !filter.terms.iter().all(|term| may(term.as_str())) {
        return false;
    }
    let words = words_of(&posting);
    filter.terms.iter().all(|term| words.iter().any(|word| word == term.as_str()))
}

fn contains_plain(text: &str, term: &str) -> bool {
    text.as_bytes().windows(term.len().max(1)).any(|window| window.eq_ignore_ascii_case(term.as_bytes()))
}

/// The ring position just before another: where a range of one key begins.
pub(crate) fn before(key: RingId) -> RingId {
    key.minus(RingId::power(0))
}
