//! Over how many shards the postings of a word are spread (4.6): decided by the holder of shard 0, told in its answers.
//!
//! Of a word at shard 0 only what belongs there under the present number counts. Above three quarters of a full shard
//! twice within ten minutes the number doubles; below 15 % for three lives of a posting it halves.

use super::Store;
use super::id::Locator;
use super::operation::Task;
use super::placement;
use super::records::Records;
use super::writing::{Cause, Writing};
use crate::chord::core::Core;
use std::collections::BTreeMap;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{Kind, MAX_SHARD_BITS, Record, RingId, Signed, Subject};

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
        let (count, believed) = belonging(records, key, known.map(|spread| spread.bits), now);
        if known.is_none() && count == 0 {
            return;
        }
        if known.is_none() && self.words.len() >= MOST {
            self.words.pop_first();
        }
        let fresh = Spread { bits: believed, looked: now, full_since: None, idle_since: None };
        let spread = self.words.entry(key).or_insert(fresh);
        spread.looked = now;
        spread.on_count(count, u64::from(most), now);
    }
}

impl Spread {
    fn on_count(&mut self, count: u64, most: u64, now: Instant) {
        if count * 4 > most * 3 {
            self.idle_since = None;
            match self.full_since {
                Some(since) if now - since > WITHIN => self.full_since = Some(now),
                Some(since) if now - since >= APART => {
                    self.bits = (self.bits + 1).min(MAX_SHARD_BITS);
                    self.full_since = None;
                }
                Some(_) => {}
                None => self.full_since = Some(now),
            }
            return;
        }
        if count * 100 >= most * 15 || self.bits == 0 {
            self.idle_since = None;
        } else if *self.idle_since.get_or_insert(now) + IDLE <= now {
            self.bits -= 1;
            self.idle_since = None;
        }
    }
}

/// How many postings of a key belong to its shard 0 of 2^`bits`, and the number of shards most of their publishers
/// believe in: all a new holder has to go by.
fn belonging(records: &Records, key: RingId, bits: Option<u8>, now: Instant) -> (u64, u8) {
    let all = || records.at(key, now).filter(|(id, _)| id.kind() == Kind::Posting).map(|(_, stored)| stored);
    let mut believed = [0u64; MAX_SHARD_BITS as usize + 1];
    if bits.is_none() {
        for stored in all() {
            if let Ok(Record::Signed(Signed { subject: Subject::Posting { shard_bits, .. }, .. })) =
                Record::decode(&stored.body)
            {
                believed[usize::from(shard_bits.min(MAX_SHARD_BITS))] += 1;
            }
        }
    }
    let half = believed.iter().sum::<u64>() / 2;
    let mut seen = 0;
    let median = believed.iter().position(|count| {
        seen += count;
        seen > half
    });
    let median = u8::try_from(median.unwrap_or(0)).unwrap_or(0);
    let mask = mask(bits.unwrap_or(median));
    (all().filter(|stored| stored.shard & mask == 0).count() as u64, median)
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

    fn after(spread: &mut Spread, counts: &[(u64, u64)]) -> u8 {
        for (seconds, count) in counts {
            spread.on_count(*count, 4_096, Instant::EPOCH + Duration::from_secs(*seconds));
        }
        spread.bits
    }

    fn spread(bits: u8) -> Spread {
        Spread { bits, looked: Instant::EPOCH, full_since: None, idle_since: None }
    }

    #[test]
    fn a_shard_doubles_when_it_is_too_full_twice_in_ten_minutes() {
        assert_eq!(after(&mut spread(0), &[(0, 3_073), (59, 3_100)]), 0, "one look is not two");
        assert_eq!(after(&mut spread(0), &[(0, 3_073), (60, 3_100)]), 1);
        assert_eq!(after(&mut spread(0), &[(0, 3_073), (700, 3_100)]), 0, "too far apart");
        assert_eq!(after(&mut spread(8), &[(0, 4_000), (60, 4_000)]), 8, "256 are the most");
    }

    #[test]
    fn a_shard_halves_after_three_lives_below_fifteen_percent() {
        assert_eq!(after(&mut spread(2), &[(0, 600), (259_199, 600)]), 2);
        assert_eq!(after(&mut spread(2), &[(0, 600), (259_200, 600)]), 1);
        assert_eq!(after(&mut spread(2), &[(0, 600), (100, 700), (259_200, 600)]), 2, "it was busy between");
    }
}
