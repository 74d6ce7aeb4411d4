//! Words and content keys by number: interned while a document has them, forgotten after.
//!
//! The hash is keyed, as strangers choose the words. A content key is told by 32 bits of its keyed hash: two keys may
//! share a list, and who reads it compares the entries.

use super::pool::Pool;
use super::postings::List;
use super::text::Text;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;

/// One word or content key: 20 bytes, its documents (and its text if that is long) elsewhere.
pub(super) struct Word {
    text: Text,
    pub(super) list: List,
    /// Documents that have it; never zero while it is interned.
    pub(super) docs: u32,
}

/// What to look up.
#[derive(Clone, Copy)]
pub(super) enum Term<'a> {
    /// A folded word.
    Word(&'a [u8]),
    /// A hash of the content, by its print.
    Key(u32),
}

/// All words in use.
pub(super) struct Dictionary {
    table: HashTable<u32>,
    words: Vec<Word>,
    free: Vec<u32>,
    seed: [u64; 2],
    /// Hashes and likely numbers of the words being looked up.
    likely: Vec<(u64, Option<u32>)>,
}

impl Dictionary {
    pub(super) fn new(seed: [u64; 2]) -> Dictionary {
        let (table, words, free, likely) = (HashTable::new(), Vec::new(), Vec::new(), Vec::new());
        Dictionary { table, words, free, seed, likely }
    }

    /// The number of a term, if a document has it.
    pub(super) fn find(&self, term: Term<'_>, pool: &Pool) -> Option<u32> {
        let short = term.short();
        let same = |number: &u32| is_same(&self.words[*number as usize], (term, short), pool);
        self.table.find(self.hash(term), same).copied()
    }

    /// The number of a term, interned if need be; the caller adds a document to it.
    pub(super) fn intern(&mut self, term: Term<'_>, pool: &mut Pool) -> u32 {
        self.intern_hashed(term, self.hash(term), pool)
    }

    /// The numbers of some words, interned if need be, in their order. Of a large dictionary each step of a lookup
    /// waits for memory: taken step by step for all words at once, they wait together.
    pub(super) fn intern_all<'w>(
        &mut self,
        words: impl Iterator<Item = &'w [u8]> + Clone,
        pool: &mut Pool,
        mut found: impl FnMut(u32),
    ) {
        let mut likely = std::mem::take(&mut self.likely);
        likely.clear();
        likely.extend(words.clone().map(|word| (hash(word, self.seed), None)));
        for (hash, number) in &mut likely {
            *number = self.table.find(*hash, |_| true).copied();
        }
        for (text, (hash, number)) in words.zip(&likely) {
            let term = Term::Word(text);
            let is_it = |number: &u32| is_same(&self.words[*number as usize], (term, term.short()), pool);
            found(number.filter(is_it).unwrap_or_else(|| self.intern_hashed(term, *hash, pool)));
        }
        self.likely = likely;
    }

    fn intern_hashed(&mut self, term: Term<'_>, hash: u64, pool: &mut Pool) -> u32 {
        let short = term.short();
        let (words, seed) = (&self.words, self.seed);
        let same = |number: &u32| is_same(&words[*number as usize], (term, short), pool);
        if let Some(number) = self.table.find(hash, same) {
            return *number;
        }
        let text = match term {
            Term::Word(text) => Text::store(text, pool),
            Term::Key(print) => Text::key(print),
        };
        let word = Word { text, list: List::EMPTY, docs: 0 };
        let number = self.free.pop().unwrap_or(self.words.len() as u32);
        match self.words.get_mut(number as usize) {
            Some(old) => *old = word,
            None => push(&mut self.words, word),
        }
        let words = &self.words;
        self.table.insert_unique(hash, number, |number| hash_of(&words[*number as usize], seed, pool));
        number
    }

    /// The word of a number.
    pub(super) fn word(&self, number: u32) -> &Word {
        &self.words[number as usize]
    }

    /// The same, to change its documents.
    pub(super) fn word_mut(&mut self, number: u32) -> &mut Word {
        &mut self.words[number as usize]
    }

    /// Forgets a word whose last document is gone.
    pub(super) fn forget(&mut self, number: u32, pool: &mut Pool) {
        let word = &self.words[number as usize];
        let hash = hash_of(word, self.seed, pool);
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == number) {
            entry.remove();
            word.text.release(pool);
            self.free.push(number);
        }
    }

    /// Words and keys in use.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes held beside the pool.
    pub(super) fn held(&self) -> usize {
        self.words.capacity() * size_of::<Word>() + self.free.capacity() * 4 + self.table.allocation_size()
    }

    /// What a content key is told by.
    pub(super) fn print(&self, key: &[u8]) -> u32 {
        hash(key, self.seed) as u32
    }

    fn hash(&self, term: Term<'_>) -> u64 {
        match term {
            Term::Word(text) => hash(text, self.seed),
            Term::Key(print) => spread(print),
        }
    }
}

/// Appends to a large vector that grows by an eighth.
pub(super) fn push<T>(vec: &mut Vec<T>, value: T) {
    if vec.len() == vec.capacity() {
        vec.reserve_exact((vec.len() / 8).max(4));
    }
    vec.push(value);
}

/// The keyed hash of bytes.
pub(super) fn hash(bytes: &[u8], seed: [u64; 2]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed[0], seed[1]);
    hasher.write(bytes);
    hasher.finish()
}

/// 64 bits from 32, which come back as the lower half: the table looks at the upper.
pub(super) fn spread(half: u32) -> u64 {
    u64::from(half) | u64::from(half.wrapping_mul(0x9e37_79b1)) << 32
}

fn hash_of(word: &Word, seed: [u64; 2], pool: &Pool) -> u64 {
    match word.text.as_key() {
        Some(print) => spread(print),
        None => hash(word.text.bytes(pool), seed),
    }
}

#[inline]
fn is_same(word: &Word, (term, short): (Term<'_>, Option<Text>), pool: &Pool) -> bool {
    match (short, term) {
        (Some(short), _) => word.text == short,
        (None, Term::Word(text)) => word.text.is_long(text, pool),
        (None, Term::Key(_)) => false,
    }
}

impl Term<'_> {
    /// All that tells it, if that is in place.
    #[inline]
    fn short(self) -> Option<Text> {
        match self {
            Term::Word(text) => Text::short(text),
            Term::Key(print) => Some(Text::key(print)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_takes_twenty_bytes_and_its_number_is_used_again() {
        assert_eq!(size_of::<Word>(), 20);
        let (mut pool, mut words) = (Pool::new(), Dictionary::new([1, 2]));
        let (zebra, key) =
            (words.intern(Term::Word(b"zebra"), &mut pool), words.intern(Term::Key(7), &mut pool));
        assert_ne!(zebra, key);
        assert_eq!(words.intern(Term::Word(b"zebra"), &mut pool), zebra);
        assert_eq!(words.find(Term::Key(7), &pool), Some(key));
        words.forget(zebra, &mut pool);
        assert_eq!(words.find(Term::Word(b"zebra"), &pool), None);
        assert_eq!(words.intern(Term::Word(b"okapi"), &mut pool), zebra);
        assert_eq!(words.len(), 2);
    }

    #[test]
    fn ten_thousand_words_are_found_and_forgotten() {
        let (mut pool, mut words) = (Pool::new(), Dictionary::new([3, 4]));
        let text = |number: u32| format!("word{number}").into_bytes();
        let numbers: Vec<u32> =
            (0..10_000).map(|at| words.intern(Term::Word(&text(at)), &mut pool)).collect();
        for (at, number) in numbers.iter().enumerate() {
            assert_eq!(words.find(Term::Word(&text(at as u32)), &pool), Some(*number));
        }
        numbers.iter().for_each(|number| words.forget(*number, &mut pool));
        assert_eq!((words.len(), words.find(Term::Word(b"word7"), &pool)), (0, None));
    }
}
