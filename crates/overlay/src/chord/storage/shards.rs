//! Over how many shards the postings of a word are spread (4.6): decided by the holder of shard 0, told in its answers.
//!
//! Of a word at shard 0 only what belongs there under the present number counts. Above an eighth of a full shard twice
//! within ten minutes the number grows until that is not so: a word is spread long before anything has to be refused, and no holder has many
//! more postings than another. Below 15 % of that for three lives of a posting it halves.

use super::Store;
use super::id::Locator;
use super::operation::Task;
use super::placement;
use super::records::{Records, Stored};
use super::writing::{Cause, Writing};
use crate::chord::core::Core;
use std::collections::BTreeMap;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{Kind, MAX_SHARD_BITS, Record, RingId, Signed, Subject, shard_of};

/// A shard is spread when it is fuller than this part of what it may hold. A reader of all asks 2^bits holders, each of
/// which has some hundred datagrams of postings then: what he asks is little beside what he gets.
const PART: u64 = 8;
/// A shard is looked at no more often.
const LOOK: Duration = Duration::from_secs(30);
/// Two looks that find a shard too full lie at least this far apart.
const APART: Duration = Duration::from_secs(60);
/// ... and at most this.
const WITHIN: Duration = Duration::from_secs(600);
/// Three lives of a posting.
const IDLE: Duration = Duration::from_secs(3 * 86_400);
/// Words watched at once.
const MOST: usize = 4_096;

/// One word's state at its shard 0.
#[derive(Clone, Copy, Debug)]
struct Spread {
    bits: u8,
    looked: Instant,
    full_since: Option<Instant>,
    idle_since: Option<Instant>,
}

/// The words whose shard 0 lies here.
#[derive(Clone, Default, Debug)]
pub(crate) struct Shards {
    words: BTreeMap<RingId, Spread>,
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

    /// Looks at a shard 0, unless that was done within half a minute: it costs a look at each of its postings.
    pub(crate) fn look(&mut self, records: &Records, key: RingId, most: u32, now: Instant) {
        let known = self.words.get(&key).copied();
        if known.is_some_and(|spread| now.since(spread.looked) < LOOK) {
            return;
        }
        let (counts, bits) = belonging(records, key, known.map(|spread| spread.bits), now);
        if known.is_none() && counts[0] == 0 {
            return;
        }
        if known.is_none() && self.words.len() >= MOST {
            self.words.pop_first();
        }
        let fresh = Spread { bits, looked: now, full_since: None, idle_since: None };
        let spread = self.words.entry(key).or_insert(fresh);
        spread.looked = now;
        spread.on_counts(&counts, u64::from(most), now);
    }
}

impl Spread {
    fn on_counts(&mut self, counts: &Counts, most: u64, now: Instant) {
        let count = |bits: u8| counts.get(usize::from(bits)).copied().unwrap_or(0);
        let is_full = |bits: u8| count(bits) * PART > most;
        if is_full(self.bits) {
            self.idle_since = None;
            match self.full_since {
                Some(since) if now - since > WITHIN => self.full_since = Some(now),
                Some(since) if now - since >= APART => {
                    // What is here tells how many shards would do; one a minute would take ten for a popular word.
                    self.bits =
                        (self.bits..MAX_SHARD_BITS).find(|bits| !is_full(*bits)).unwrap_or(MAX_SHARD_BITS);
                    self.full_since = None;
                }
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

/// The bits of a content's hash that say its shard, of 2^`bits`.
const fn mask(bits: u8) -> u8 {
    ((1u16 << if bits < MAX_SHARD_BITS { bits } else { MAX_SHARD_BITS }) - 1) as u8
}

impl Store {
    /// Looks at a word's shard 0 after something was posted there.
    pub(crate) fn look_at_shards(&mut self, core: &mut Core, key: RingId, now: Instant) {
        let before = self.shards.bits(key);
        self.shards.look(&self.records, key, core.config.storing.quotas.postings_per_shard, now);
        let bits = self.shards.bits(key);
        if bits != before {
            self.records.spread(key, bits);
        }
        if bits > before && placement::owner_of(core, key).is_some() {
            self.forward_foreign(core, key, bits, now);
        }
    }

    /// Passes what belongs to a new shard on to it; here it stays until its place is needed.
    fn forward_foreign(&mut self, core: &mut Core, key: RingId, bits: u8, now: Instant) {
        let mut moved = Vec::new();
        let all = self.records.at(key, now).filter(|(id, _)| id.kind() == Kind::Posting);
        for (_, stored) in all.filter(|(_, stored)| stored.shard & mask(bits) != 0) {
            let Ok(Record::Signed(signed)) = Record::decode(&stored.body) else { continue };
            let Subject::Posting { terms, content, .. } = signed.subject else { continue };
            if terms.ring_key(0) != key {
                return;
            }
            let subject = Subject::Posting { terms, content, shard_bits: bits };
            let record = Record::Signed(Signed { subject, ..signed });
            let mut body = Vec::new();
            if record.encode(&mut body).is_ok() {
                moved.push((record.ring_key(), body.into()));
            }
        }
        if let Some((first, _)) = moved.first() {
            let first = *first;
            let writing = Writing::new(Cause::Forward, moved, None).forwarded();
            self.begin(core, first, Task::Put(Box::new(writing)));
        }
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
        let most = core.config.storing.quotas.postings_per_shard as usize;
        let count = self.records.count_at(id.key, Kind::Posting).min(most);
        (u32::try_from(count).unwrap_or(u32::MAX), self.shards.bits(id.key))
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
        Spread { bits, looked: Instant::EPOCH, full_since: None, idle_since: None }
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
