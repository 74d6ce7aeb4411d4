//! How rare words are, as far as holders have told us (4.6): by it publishers choose what to be found under, and
//! searchers whom to ask.

use std::collections::BTreeMap;
use throng_wire::chord::{MAX_SHARD_BITS, Term, Terms};

/// Words and pairs remembered at most.
const MOST: usize = 8_192;

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
        let of = |key: &Key| self.of(key).map_or(0, |said| u64::from(said.count) << said.bits);
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

    /// Under what to publish: the four rarest words, and the three rarest pairs of them.
    pub(crate) fn choose(&self, words: &[String]) -> Vec<Key> {
        let mut singles: Vec<Key> = words.iter().map(|word| Key(word.clone(), None)).collect();
        self.sort(&mut singles);
        singles.truncate(4);
        let mut pairs = Vec::new();
        for (index, first) in singles.iter().enumerate() {
            for second in &singles[index + 1..] {
                let (low, high) =
                    (first.0.clone().min(second.0.clone()), first.0.clone().max(second.0.clone()));
                pairs.push(Key(low, Some(high)));
            }
        }
        self.sort(&mut pairs);
        pairs.truncate(3);
        singles.retain(|key| !self.is_exhausted(key));
        singles.extend(pairs);
        singles
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
    fn at_most_seven_are_chosen_and_the_common_word_is_not_among_them() {
        let mut rarity = Rarity::default();
        rarity.heard(&Key("movie".into(), None), said(4_000, 3));
        let chosen = rarity.choose(&words("movie night of living dead people"));
        assert_eq!(chosen.len(), 7);
        assert_eq!(chosen.iter().filter(|key| key.1.is_none()).count(), 4);
        assert!(chosen.iter().all(|key| key.0 != "movie" && key.1.as_deref() != Some("movie")));
    }

    #[test]
    fn an_exhausted_word_stands_in_pairs_only() {
        let mut rarity = Rarity::default();
        rarity.heard(&Key("mkv".into(), None), said(4_000, 8));
        let chosen = rarity.choose(&words("mkv moon"));
        assert_eq!(chosen, [Key("moon".into(), None), Key("mkv".into(), Some("moon".into()))]);
    }

    #[test]
    fn one_word_has_no_pairs_and_pairs_are_in_order() {
        let rarity = Rarity::default();
        assert_eq!(rarity.choose(&words("moon")), [Key("moon".into(), None)]);
        assert!(
            rarity.choose(&words("b a c")).iter().all(|key| key.1.as_ref().is_none_or(|high| key.0 < *high))
        );
        assert!(rarity.choose(&[]).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut rarity = Rarity::default();
        (0..MOST + 100).for_each(|n| rarity.heard(&Key(n.to_string(), None), said(1, 0)));
        assert_eq!(rarity.said.len(), MOST);
    }
}
