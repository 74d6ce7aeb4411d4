//! What a supernode's ordinary nodes have, in short: a Bloom filter over words, hashes and roots.
//!
//! A supernode keeps [`Own`], which counts so that what goes can be taken out, and tells its neighbours which bits
//! changed; of each neighbour it keeps a [`Theirs`]. Both sides must hash alike, so the hash has no secret: who chooses
//! words can make a filter dense, which costs others a question in vain and is bounded by the files a node may share.

use siphasher::sip::SipHasher13;
use std::collections::BTreeSet;
use std::hash::Hasher as _;
use throng_wire::supernode::{DigestPart, MAX_DIGEST_LOG2, MIN_DIGEST_LOG2};

/// Bits a key. With eight bits a key, five give one false answer in fifty, near the best that can be had.
const PROBES: u64 = 5;
/// Keys of the hash: the same everywhere.
const SEED: [u64; 2] = [0x5468_726f_6e67_2053, 0x7570_6572_6e6f_6465];
/// Bytes of a part of a digest as it is told.
const PART: usize = 16 << 10;
/// A count that is never taken back: nobody knows any more how many there were.
const STUCK: u8 = 15;

/// A key of a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(u64);

impl Key {
    /// Of a folded word.
    pub fn word(word: &[u8]) -> Key {
        Key::of(b'w', word)
    }

    /// Of an FTHash.
    pub fn hash(hash: &[u8; 20]) -> Key {
        Key::of(b'h', hash)
    }

    /// Of a pieces root.
    pub fn root(root: &[u8; 32]) -> Key {
        Key::of(b'r', root)
    }

    fn of(kind: u8, bytes: &[u8]) -> Key {
        let mut hasher = SipHasher13::new_with_keys(SEED[0], SEED[1]);
        hasher.write_u8(kind);
        hasher.write(bytes);
        Key(hasher.finish())
    }

    /// Its places in a filter of 2^`log2` bits.
    fn places(self, log2: u8) -> impl Iterator<Item = u32> {
        let (first, step) = (self.0, self.0.rotate_left(32) | 1);
        (0..PROBES).map(move |probe| {
            (first.wrapping_add(probe.wrapping_mul(step)) >> 7) as u32 & ((1u32 << log2) - 1)
        })
    }
}

/// This supernode's own: how often each bit is wanted.
#[derive(Debug)]
pub struct Own {
    log2: u8,
    /// Four bits each, the lower ones first: half a mebibyte at most.
    counts: Vec<u8>,
    set: u32,
    /// Keys that were taken back from counts that are stuck.
    lost: u32,
    changed: BTreeSet<u32>,
    /// So much changed that all of it is to be told.
    is_new: bool,
}

impl Default for Own {
    fn default() -> Own {
        Own::of_size(MIN_DIGEST_LOG2)
    }
}

impl Own {
    /// An empty filter of 2^`log2` bits.
    pub fn of_size(log2: u8) -> Own {
        let counts = vec![0; 1 << (log2 - 1)];
        Own { log2, counts, set: 0, lost: 0, changed: BTreeSet::new(), is_new: true }
    }

    fn bits(&self) -> u32 {
        1 << self.log2
    }

    fn count(&self, place: u32) -> u8 {
        self.counts[place as usize / 2] >> (4 * (place % 2)) & 15
    }

    fn set_count(&mut self, place: u32, count: u8) {
        let (pair, shift) = (&mut self.counts[place as usize / 2], 4 * (place % 2));
        *pair = *pair & !(15 << shift) | count << shift;
    }

    /// Adds a key once.
    pub fn add(&mut self, key: Key) {
        for place in key.places(self.log2) {
            let count = (self.count(place) + 1).min(STUCK);
            self.set_count(place, count);
            if count == 1 {
                self.set += 1;
                self.toggle(place);
            }
        }
    }

    /// Takes a key back that was added.
    pub fn remove(&mut self, key: Key) {
        for place in key.places(self.log2) {
            let count = self.count(place);
            if count == 0 || count == STUCK {
                self.lost = self.lost.saturating_add(1);
                continue;
            }
            self.set_count(place, count - 1);
            if count == 1 {
                self.set -= 1;
                self.toggle(place);
            }
        }
    }

    fn toggle(&mut self, place: u32) {
        if self.is_new {
            return;
        }
        if !self.changed.remove(&place) {
            self.changed.insert(place);
        }
        // From here on the whole is shorter than what changed.
        if self.changed.len() > self.bits() as usize / 12 {
            self.is_new = true;
            self.changed.clear();
        }
    }

    /// A better size, if there is one: at most half of the bits set, at least an eighth. The same size where so much was
    /// taken back from counts that are stuck that all had better be counted anew.
    pub fn better_size(&self) -> Option<u8> {
        let bits = self.bits();
        if self.lost > bits {
            return Some(self.log2);
        }
        if self.set > bits / 2 && self.log2 < MAX_DIGEST_LOG2 {
            return Some(self.log2 + 1);
        }
        (self.set < bits / 16 && self.log2 > MIN_DIGEST_LOG2).then(|| self.log2 - 1)
    }

    /// Whether neighbours know less than all.
    pub fn has_changed(&self) -> bool {
        self.is_new || !self.changed.is_empty()
    }

    /// What changed since the last call, ascending; `None` if all of it is to be told.
    pub fn take_changes(&mut self) -> Option<Vec<u32>> {
        let changed = std::mem::take(&mut self.changed);
        let is_new = std::mem::take(&mut self.is_new);
        (!is_new).then(|| changed.into_iter().collect())
    }

    /// All of it in parts; `tell` is shown each. Parts without a bit are left out but for the first.
    pub fn tell_all(&self, mut tell: impl FnMut(DigestPart<'_>)) {
        let mut bytes = Vec::with_capacity(PART);
        for (number, part) in self.counts.chunks(PART * 4).enumerate() {
            bytes.clear();
            bytes.extend(part.chunks(4).map(|pairs| {
                let bits = pairs.iter().map(|pair| u8::from(pair & 15 > 0) | u8::from(pair >> 4 > 0) << 1);
                bits.zip([0, 2, 4, 6]).fold(0u8, |byte, (two, shift)| byte | two << shift)
            }));
            while bytes.last() == Some(&0) {
                bytes.pop();
            }
            if number == 0 || !bytes.is_empty() {
                tell(DigestPart { log2: self.log2, at: (number * PART) as u32, bytes: &bytes });
            }
        }
    }

    /// Whether a key may be in it.
    pub fn may_have(&self, key: Key) -> bool {
        key.places(self.log2).all(|place| self.count(place) > 0)
    }

    /// Bytes it takes.
    pub fn held(&self) -> usize {
        self.counts.len() + self.changed.len() * 8
    }
}

/// A neighbour's: its bits as it told them.
#[derive(Clone, Debug, Default)]
pub struct Theirs {
    log2: u8,
    bits: Vec<u8>,
}

impl Theirs {
    /// Takes a part; the one at 0 begins anew.
    pub fn take_part(&mut self, part: &DigestPart<'_>) {
        if part.at == 0 {
            self.log2 = part.log2;
            self.bits.clear();
            self.bits.resize(1 << (part.log2 - 3), 0);
        }
        let (from, end) = (part.at as usize, part.at as usize + part.bytes.len());
        if let Some(bytes) = self.bits.get_mut(from..end).filter(|_| part.log2 == self.log2) {
            bytes.copy_from_slice(part.bytes);
        }
    }

    /// Turns a bit; `false` if there is none at that place.
    pub fn toggle(&mut self, place: u32) -> bool {
        let Some(byte) = self.bits.get_mut(place as usize / 8) else { return false };
        *byte ^= 1 << (place % 8);
        true
    }

    /// Whether all keys may be there; a digest that was never told has none.
    pub fn may_have_all(&self, keys: &[Key]) -> bool {
        let has =
            |place: u32| self.bits.get(place as usize / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1);
        !self.bits.is_empty() && keys.iter().all(|key| key.places(self.log2).all(has))
    }

    /// Bytes it takes.
    pub fn held(&self) -> usize {
        self.bits.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u32) -> Key {
        Key::word(&number.to_le_bytes())
    }

    fn told(own: &Own) -> Theirs {
        let mut theirs = Theirs::default();
        own.tell_all(|part| theirs.take_part(&part));
        theirs
    }

    #[test]
    fn one_question_in_fifty_is_asked_in_vain_at_eight_bits_a_key() {
        let mut own = Own::of_size(16);
        (0..8_192).for_each(|number| own.add(key(number)));
        let theirs = told(&own);
        assert!((0..8_192).all(|number| theirs.may_have_all(&[key(number)])));
        let wrong = (100_000..200_000).filter(|number| theirs.may_have_all(&[key(*number)])).count();
        assert!((1_500..3_000).contains(&wrong), "{wrong} of 100,000");
    }

    #[test]
    fn a_filter_too_dense_or_too_thin_asks_for_another_size() {
        let mut own = Own::default();
        assert_eq!(own.better_size(), None, "never below the least");
        (0..200).for_each(|number| own.add(key(number)));
        assert_eq!(own.better_size(), Some(MIN_DIGEST_LOG2 + 1));
        let mut large = Own::of_size(16);
        large.add(key(1));
        assert_eq!(large.better_size(), Some(15));
    }

    #[test]
    fn a_digest_never_told_answers_nothing_and_places_it_lacks_are_refused() {
        let mut theirs = Theirs::default();
        assert!(!theirs.may_have_all(&[key(1)]) && !theirs.may_have_all(&[]));
        assert!(!theirs.toggle(0));
        theirs.take_part(&DigestPart { log2: 10, at: 0, bytes: &[] });
        assert!(theirs.toggle(1_023) && !theirs.toggle(1_024));
        theirs.take_part(&DigestPart { log2: 12, at: 200, bytes: &[1] });
        assert_eq!(theirs.held(), 128, "a part of another size changes nothing");
    }

    #[test]
    fn what_was_counted_too_often_is_counted_anew_when_as_much_was_taken_back() {
        let mut own = Own::default();
        for _ in 0..20 {
            own.add(key(1));
        }
        (0..20).for_each(|_| own.remove(key(1)));
        assert!(own.may_have(key(1)), "nobody knows any more how many there were");
        assert_eq!(own.better_size(), None);
        (0..2_000).for_each(|_| own.remove(key(1)));
        assert_eq!(own.better_size(), Some(MIN_DIGEST_LOG2));
    }

    proptest! {
        /// Whatever comes and goes, what neighbours know by changes is what all of it would tell them.
        #[test]
        fn changes_tell_the_same_as_the_whole(ops in prop::collection::vec((any::<bool>(), 0u32..60, any::<bool>()), 1..200)) {
            let mut own = Own::of_size(10);
            let (mut theirs, mut there) = (told(&own), Vec::new());
            own.take_changes();
            for (adds, number, tells) in ops {
                if adds {
                    own.add(key(number));
                    there.push(number);
                } else if let Some(at) = there.iter().position(|other| *other == number) {
                    there.swap_remove(at);
                    own.remove(key(number));
                }
                if tells {
                    match own.take_changes() {
                        None => theirs = told(&own),
                        Some(places) => places.into_iter().for_each(|place| assert!(theirs.toggle(place))),
                    }
                    prop_assert_eq!(&theirs.bits, &told(&own).bits);
                    prop_assert!(there.iter().all(|number| theirs.may_have_all(&[key(*number)])));
                }
            }
        }
    }
}
