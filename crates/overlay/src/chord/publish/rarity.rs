//! How rare words are, as far as holders have told us (4.6): by it publishers choose what to be found under, and
//! searchers whom to ask.

use std::collections::BTreeMap;
use throng_wire::chord::{MAX_SHARD_BITS, Term, Terms};

/// Words and pairs remembered at most.
const MOST: usize = 8_192;
/// Postings that a shard of a word which is spread has at least, if nobody said how many.
const SPREAD: u64 = 256;
/// Words and pairs an item is published under at most.
const PLACES: usize = 12;

/// What was last said of a word or pair.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Said {
    /// Postings in a shard.
    pub count: u32,
    /// Shards, as a power of two.
    pub bits: u8,
}

/// All that was said.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rarity {
    said: BTreeMap<String, Said>,
    turn: u64,
}

/// A word or pair by which something is found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key(pub String, pub Option<String>);

impl Key {
    /// As the records have it.
    pub(crate) fn terms(&self) -> Option<Terms<'_>> {
        let first = Term::new(&self.0)?;
        match &self.1 {
            None => Some(Terms::one(first)),
            Some(second) => Terms::pair(first, Term::new(second)?),
        }
    }

    fn name(&self) -> String {
        match &self.1 {
            None => self.0.clone(),
            Some(second) => format!("{}\x1f{second}", self.0),
        }
    }
}

impl Rarity {
    /// Whether nothing was heard of any word.
    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// A holder said how many postings there are.
    pub(crate) fn heard(&mut self, key: &Key, said: Said) {
        let name = key.name();
        if self.said.len() >= MOST && !self.said.contains_key(&name) {
            // A rare word is like one that was never heard of.
            if said.bits == 0 && u64::from(said.count) < SPREAD / 4 {
                return;
            }
            // Some other is forgotten, a different one each time.
            self.turn = self.turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let nth = (self.turn >> 33) as usize % self.said.len();
            if let Some(victim) = self.said.keys().nth(nth).cloned() {
                self.said.remove(&victim);
            }
        }
        self.said.insert(name, said);
    }

    /// What is known of a word or pair.
    pub(crate) fn of(&self, key: &Key) -> Option<Said> {
        self.said.get(&key.name()).copied()
    }

    /// Shards a word is spread over, as a power of two.
    pub(crate) fn bits(&self, key: &Key) -> u8 {
        self.of(key).map_or(0, |said| said.bits.min(MAX_SHARD_BITS))
    }

    /// Postings in all, as far as known; of a pair at most those of the rarer word.
    fn total(&self, key: &Key) -> u64 {
        let of = |key: &Key| {
            let least = |said: Said| if said.bits > 0 { SPREAD } else { 0 };
            self.of(key).map_or(0, |said| u64::from(said.count).max(least(said)) << said.bits)
        };
        match (&key.1, self.of(key)) {
            (Some(second), None) => of(&Key(key.0.clone(), None)).min(of(&Key(second.clone(), None))),
            _ => of(key),
        }
    }

    /// Whether a word is so common that its 256 shards are full: nobody is found by it alone.
    fn is_exhausted(&self, key: &Key) -> bool {
        self.of(key).is_some_and(|said| said.bits >= MAX_SHARD_BITS && said.count > 3_700)
    }

    /// Sorts words by rarity; of those equally rare the longer is likely to be rarer.
    pub(crate) fn sort(&self, keys: &mut [Key]) {
        let length = |key: &Key| key.0.len() + key.1.as_ref().map_or(0, String::len);
        keys.sort_by_cached_key(|key| (self.total(key), std::cmp::Reverse(length(key)), key.clone()));
    }

    /// A shard 0 said over how many its word is spread, and that of those in it only some were meant.
    pub(crate) fn heard_bits(&mut self, key: &Key, bits: u8) {
        let known = self.of(key).unwrap_or_default();
        self.heard(key, Said { bits, ..known });
    }

    /// Under what to publish: each word that can still be found, the rarest first, so that the owner of any word of a
    /// query knows all that has it; of exhausted words their pairs, the rarest of which stand for them.
    pub(crate) fn choose(&self, words: &[String]) -> Vec<Key> {
        let (exhausted, mut keys) = self.by_exhaustion(words);
        let pairs = self.pairs(&exhausted);
        if keys.is_empty() && pairs.is_empty() {
            // There is nothing else to be found by: its holders choose fairly whom they keep.
            keys = exhausted;
        }
        keys.extend(pairs);
        keys.truncate(PLACES);
        keys
    }

    /// Whom to ask for all of these words, the most promising first.
    pub(crate) fn to_ask(&self, words: &[String]) -> Vec<Key> {
        let (exhausted, mut keys) = self.by_exhaustion(words);
        if keys.is_empty() {
            keys.extend(self.pairs(&exhausted));
        }
        keys.extend(exhausted);
        keys
    }

    /// Exhausted words and the others, each the rarest first.
    fn by_exhaustion(&self, words: &[String]) -> (Vec<Key>, Vec<Key>) {
        let mut singles: Vec<Key> = words.iter().map(|word| Key(word.clone(), None)).collect();
        self.sort(&mut singles);
        singles.into_iter().partition(|key| self.is_exhausted(key))
    }

    /// All pairs of some words, the rarest first.
    fn pairs(&self, words: &[Key]) -> Vec<Key> {
        let mut pairs = Vec::new();
        for (index, Key(first, _)) in words.iter().enumerate() {
            for Key(second, _) in &words[index + 1..] {
                let (low, high) = (first.min(second).clone(), first.max(second).clone());
                pairs.push(Key(low, Some(high)));
            }
        }
        self.sort(&mut pairs);
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    fn said(count: u32, bits: u8) -> Said {
        Said { count, bits }
    }

    #[test]
    fn an_item_lies_under_each_of_its_words_the_rarest_first() {
        let mut rarity = Rarity::default();
        rarity.heard(&Key("movie".into(), None), said(500, 3));
        let chosen = rarity.choose(&words("movie night living dead people"));
        assert_eq!(chosen.len(), 5);
        assert_eq!(chosen.last(), Some(&Key("movie".into(), None)));
        assert!(chosen.iter().all(|key| key.1.is_none()));
        assert!(rarity.choose(&[]).is_empty());
    }

    #[test]
    fn exhausted_words_stand_in_pairs_only_and_are_asked_for_last() {
        let mut rarity = Rarity::default();
        let exhausted = ["mkv", "avi", "movie"];
        exhausted.iter().for_each(|word| rarity.heard(&Key((*word).into(), None), said(4_000, 8)));
        let pair = |low: &str, high: &str| Key(low.into(), Some(high.into()));
        assert_eq!(
            rarity.choose(&words("mkv moon avi")),
            [Key("moon".into(), None), pair("avi", "mkv")],
            "by the moon it is found anyway"
        );
        assert_eq!(rarity.to_ask(&words("mkv moon avi"))[0], Key("moon".into(), None));
        assert_eq!(rarity.to_ask(&words("mkv avi"))[0], pair("avi", "mkv"));
        assert_eq!(rarity.choose(&words("mkv")), [Key("mkv".into(), None)], "or by nothing at all");
        let many: Vec<String> = (0..12).map(|n| format!("w{n}")).collect();
        many.iter().for_each(|word| rarity.heard(&Key(word.clone(), None), said(4_000, 8)));
        assert_eq!(rarity.choose(&many).len(), PLACES);
    }

    #[test]
    fn whatever_two_words_of_a_title_are_asked_for_one_of_its_places_is_asked() {
        let mut rarity = Rarity::default();
        let title = words("aa bb cc dd ee");
        for exhausted in 0..32u32 {
            for (bit, word) in (0..).zip(&title) {
                let said = if exhausted >> bit & 1 == 1 { said(4_000, 8) } else { said(9, 0) };
                rarity.heard(&Key(word.clone(), None), said);
            }
            let places = rarity.choose(&title);
            for first in &title {
                for second in title.iter().filter(|second| *second != first) {
                    let asked = &rarity.to_ask(&[first.clone(), second.clone()])[0];
                    assert!(places.contains(asked), "{asked:?} is not among {places:?}");
                }
            }
        }
    }

    #[test]
    fn a_word_that_is_known_to_be_spread_is_not_rare() {
        let mut rarity = Rarity::default();
        rarity.heard(&Key("moon".into(), None), said(200, 0));
        rarity.heard_bits(&Key("common".into(), None), 3);
        assert_eq!(rarity.to_ask(&words("common moon"))[0].0, "moon");
        assert_eq!(rarity.bits(&Key("common".into(), None)), 3);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut rarity = Rarity::default();
        (0..MOST + 100).for_each(|n| rarity.heard(&Key(n.to_string(), None), said(1, 0)));
        assert_eq!(rarity.said.len(), MOST);
    }
}
