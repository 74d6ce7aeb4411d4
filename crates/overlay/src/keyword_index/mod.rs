//! The keyword index: who has files whose names have these words.
//!
//! One of the four mechanisms: the directory is an index and little else; supernodes, Gnutella nodes and the ring keep
//! one too. It knows documents (an owner, a name, numbers, a content key), is searched by whole words and numbers,
//! and forgets an owner's thousands of documents in one sweep. Memory is what it is built for: see `documents` for
//! how entries are packed, `ranges` for posting lists, `dictionary` and `text` for words, `keys` for content keys of
//! one document, `pool` for where the bytes lie.
//!
//! Invariants: a word is known exactly while a document has it; an answer equals a plain scan's unless it says that it
//! is partial; no search takes more steps than its cap.

mod dictionary;
mod documents;
mod entry;
mod keys;
mod pool;
mod postings;
mod query;
mod ranges;
mod search;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use entry::{Attributes, Entry, Kind, MAX_KEY, MAX_NAME};
pub use query::{Answer, Bounds, DEFAULT_WORK, Filters, Hit, Order, Query};
pub use words::{MAX_WORD, MAX_WORDS, Words};

use dictionary::{Dictionary, Term};
use documents::{Documents, OwnerReader, Visit};
use keys::Keys;
use pool::Pool;
use postings::{Cursor, Postings};
use ranges::Run;
use std::ops::ControlFlow;

/// A document, while it is in the index; ids are used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DocId(pub u32);

/// Words that wait for their lists; 16 KiB. More of them find more neighbours and sort slower, and a search that
/// comes first writes them all, which takes less than a millisecond.
const MAX_PENDING: usize = 2_048;

/// Lists that are read from memory together before they are written, one after the other.
const TOGETHER: usize = 32;

/// Who has documents: a number the application chooses, small ones, as owners are kept in a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerId(pub u32);

/// Why a document cannot be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Its name is longer than [`MAX_NAME`].
    #[error("the name is too long")]
    NameTooLong,
    /// Its key is longer than [`MAX_KEY`].
    #[error("the content key is too long")]
    KeyTooLong,
    /// Two thousand million documents are there.
    #[error("the index is full")]
    Full,
}

/// What an index holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Documents.
    pub documents: u32,
    /// Different words and content keys.
    pub words: usize,
    /// Bytes, free places included.
    pub bytes: usize,
}

/// An index of documents by words, numbers and content.
pub struct KeywordIndex {
    pool: Pool,
    dictionary: Dictionary,
    keys: Keys,
    postings: Postings,
    documents: Documents,
    recent: Recent,
    /// Words of documents that are not in their lists yet: `word << 32 | document`.
    pending: Vec<u64>,
    words: Words,
    found: Vec<u64>,
}

/// The words of the name added last, for the next one's folder is likely the same.
#[derive(Default)]
struct Recent {
    name: Vec<u8>,
    /// Numbers, and where the word ends in the name.
    words: Vec<(u32, u32)>,
}

impl KeywordIndex {
    /// An empty index; `seed` keys its hashes, so it must not be known to those who choose words.
    pub fn new(seed: [u64; 2]) -> KeywordIndex {
        KeywordIndex {
            pool: Pool::new(),
            dictionary: Dictionary::new(seed),
            keys: Keys::new(),
            postings: Postings::new(),
            documents: Documents::new(seed),
            recent: Recent::default(),
            pending: Vec::new(),
            words: Words::new(),
            found: Vec::new(),
        }
    }

    /// Adds a document; whether the owner has one of that name is the caller's to ask, by [`KeywordIndex::find`].
    pub fn insert(&mut self, owner: OwnerId, entry: &Entry<'_>) -> Result<DocId, Refusal> {
        if entry.name.len() > MAX_NAME {
            return Err(Refusal::NameTooLong);
        }
        if entry.key.len() > MAX_KEY {
            return Err(Refusal::KeyTooLong);
        }
        let doc = self.documents.insert(owner, entry, &mut self.pool).ok_or(Refusal::Full)?;
        self.intern(entry, doc);
        if self.pending.len() > MAX_PENDING {
            self.flush();
        }
        Ok(doc)
    }

    /// Removes a document; false if there is none of that id.
    pub fn remove(&mut self, doc: DocId) -> bool {
        self.settle();
        let mut visit = Visit::new(&self.documents, &self.pool, Vec::new());
        let Some(entry) = visit.entry(doc) else { return false };
        let mut found = std::mem::take(&mut self.found);
        let mut terms = Terms { dictionary: &self.dictionary, keys: &mut self.keys, pool: &self.pool };
        terms.collect(&mut self.words, (doc, &entry), &mut found);
        self.strike_all(&mut found);
        self.found = found;
        self.documents.remove(doc, &mut self.pool);
        true
    }

    /// Removes all documents of an owner and forgets its speed; returns how many there were.
    pub fn remove_owner(&mut self, owner: OwnerId) -> u32 {
        self.settle();
        let mut reader = OwnerReader::default();
        loop {
            let mut found = std::mem::take(&mut self.found);
            let (words, pool) = (&mut self.words, &self.pool);
            let mut terms = Terms { dictionary: &self.dictionary, keys: &mut self.keys, pool };
            let more = self.documents.read_owner(owner, &mut reader, pool, &mut |doc, entry| {
                terms.collect(words, (doc, entry), &mut found);
            });
            self.strike_all(&mut found);
            self.found = found;
            if !more {
                return self.documents.remove_owner(owner, &mut self.pool);
            }
        }
    }

    /// An owner's document of that name, without regard to ASCII case; reads two bytes a document of the owner's.
    pub fn find(&self, owner: OwnerId, name: &[u8]) -> Option<DocId> {
        self.documents.find(owner, name, &self.pool)
    }

    /// Sets what [`Filters::speed`] goes by.
    pub fn set_speed(&mut self, owner: OwnerId, speed: u32) {
        self.documents.set_speed(owner, speed);
    }

    /// How many documents an owner has.
    pub fn count(&self, owner: OwnerId) -> u32 {
        self.documents.count(owner)
    }

    /// Shows a document to `read`; `None` if there is none of that id.
    pub fn with<T>(&self, doc: DocId, read: impl FnOnce(&Hit<'_>) -> T) -> Option<T> {
        let owner = self.documents.owner_of(doc)?;
        let mut visit = Visit::new(&self.documents, &self.pool, Vec::new());
        let entry = visit.entry(doc)?;
        Some(read(&Hit { doc, owner, entry }))
    }

    /// Shows an owner's documents in the order they came (nearly) until `read` returns false.
    pub fn browse(&self, owner: OwnerId, mut read: impl FnMut(&Hit<'_>) -> bool) {
        let mut visit = Visit::new(&self.documents, &self.pool, Vec::new());
        for doc in self.documents.of_owner(owner) {
            let Some(entry) = visit.entry(doc) else { return };
            if !read(&Hit { doc, owner, entry }) {
                return;
            }
        }
    }

    /// Shows `found` the documents that a query asks for; see [`Answer`] for whether there may be more.
    pub fn search(&mut self, query: &Query<'_>, found: &mut dyn FnMut(&Hit<'_>)) -> Answer {
        self.search_until(query, &mut |hit| {
            found(hit);
            ControlFlow::Continue(())
        })
    }

    /// The same, until `found` breaks: then the answer is full.
    pub fn search_until(
        &mut self,
        query: &Query<'_>,
        found: &mut dyn FnMut(&Hit<'_>) -> ControlFlow<()>,
    ) -> Answer {
        self.flush();
        search::run(self, query, found)
    }

    /// Shows the documents whose content key is this until `found` returns false or `work` steps are done.
    pub fn search_key(&mut self, key: &[u8], work: u32, found: &mut dyn FnMut(&Hit<'_>) -> bool) -> Answer {
        self.flush();
        let print = self.dictionary.print(key);
        let mut answer = Answer::default();
        let mut visit = Visit::new(&self.documents, &self.pool, Vec::new());
        let mut show = |doc: DocId, visit: &mut Visit<'_>, answer: &mut Answer| {
            let Some(owner) = self.documents.owner_of(doc) else { return true };
            let Some(entry) = visit.entry(doc).filter(|entry| entry.key == key) else { return true };
            answer.hits += 1;
            answer.full = !found(&Hit { doc, owner, entry });
            !answer.full
        };
        if let Some(doc) = self.keys.find(print) {
            answer.work = 1;
            show(DocId(doc), &mut visit, &mut answer);
            return answer;
        }
        let Some(number) = self.dictionary.find(Term::Key(print), &self.pool) else { return answer };
        let mut cursor = self.cursor(number);
        let mut at = 0;
        while let Some(run) = cursor.seek(at) {
            at = run.start.max(at);
            answer.work = cursor.work + visit.work;
            answer.partial = answer.work > work;
            if answer.partial || !show(DocId(at), &mut visit, &mut answer) {
                break;
            }
            at += 1;
        }
        answer
    }

    /// In how many documents a word occurs, folded as [`Words`] folds.
    pub fn frequency(&mut self, word: &[u8]) -> u32 {
        self.flush();
        self.find_word(word).map_or(0, |number| self.dictionary.word(number).docs)
    }

    /// No document's id is this or larger.
    pub fn end(&self) -> u32 {
        self.documents.end()
    }

    /// What the index holds and takes.
    pub fn size(&self) -> Size {
        let (documents, words) = (self.documents.len(), self.dictionary.len() + self.keys.len());
        let parts = [self.pool.held(), self.dictionary.held(), self.keys.held(), self.postings.held()];
        let bytes = parts.iter().sum::<usize>() + self.documents.held();
        Size { documents, words, bytes }
    }

    /// Interns the words and the key of a new document; they wait in `pending`.
    fn intern(&mut self, entry: &Entry<'_>, doc: DocId) {
        let (from, recent) = (self.recent.keep(entry.name), &mut self.recent.words);
        self.words.clear();
        self.words.add(&entry.name[from as usize..]);
        if recent.len() + self.words.len() > MAX_WORDS {
            // Only the last ones count, so begin at the beginning.
            recent.clear();
            self.words.clear();
            self.words.add(entry.name);
        }
        let from = if recent.is_empty() { 0 } else { from };
        let known = recent.len();
        self.dictionary.intern_all(self.words.iter(), &mut self.pool, |number| recent.push((number, 0)));
        for ((_, end), own) in recent[known..].iter_mut().zip(self.words.ends()) {
            *end = own.saturating_add(from);
        }
        self.pending.extend(recent.iter().map(|(number, _)| pair(*number, doc)));
        if recent.len() >= MAX_WORDS {
            // There may be more in front.
            self.recent.name.clear();
        }
        if !entry.key.is_empty() {
            self.intern_key(self.dictionary.print(entry.key), doc);
        }
    }

    /// A key's first document is noted alone; with the second it becomes a term with a list.
    fn intern_key(&mut self, print: u32, doc: DocId) {
        if let Some(number) = self.dictionary.find(Term::Key(print), &self.pool) {
            return self.pending.push(pair(number, doc));
        }
        let Some(first) = self.keys.find(print) else { return self.keys.add(print, doc.0) };
        self.keys.remove(print, first);
        let number = self.dictionary.intern(Term::Key(print), &mut self.pool);
        self.pending.extend([pair(number, DocId(first)), pair(number, doc)]);
    }

    /// Writes what is pending to the lists.
    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.sort_unstable();
        self.pending.dedup();
        for some in self.pending.chunks(TOGETHER) {
            let number = |pair: &u64| self.dictionary.word((pair >> 32) as u32).list;
            self.postings.touch(some.iter().map(number), &self.pool);
            for run in some.chunk_by(|one, next| one + 1 == *next) {
                if let (Some(first), Some(last)) = (run.first(), run.last()) {
                    let word = self.dictionary.word_mut((first >> 32) as u32);
                    let new = Run { start: *first as u32, end: *last as u32 };
                    word.docs += self.postings.insert(&mut word.list, new, &mut self.pool);
                }
            }
        }
        self.pending.clear();
    }

    /// Before words may be forgotten: nothing is pending, no number is remembered.
    fn settle(&mut self) {
        self.flush();
        self.recent.words.clear();
        self.recent.name.clear();
    }

    /// Takes documents from a word's list, and the word from the dictionary with its last one.
    fn strike(&mut self, number: u32, lo: u32, hi: u32) {
        let word = self.dictionary.word_mut(number);
        let removed = self.postings.remove(&mut word.list, lo, hi, &mut self.pool);
        word.docs -= removed;
        if removed > 0 && word.docs == 0 {
            self.dictionary.forget(number, &mut self.pool);
        }
    }

    /// Takes pairs of word and document from the lists and empties them, all documents of one owner who goes, or one
    /// document: what lies between two in one block or two neighbouring ones goes too.
    fn strike_all(&mut self, found: &mut Vec<u64>) {
        found.sort_unstable();
        let stretches = found.chunk_by(|one, next| {
            one >> 32 == next >> 32 && documents::are_near(DocId(*one as u32), DocId(*next as u32))
        });
        for stretch in stretches {
            if let (Some(first), Some(last)) = (stretch.first(), stretch.last()) {
                self.strike((first >> 32) as u32, *first as u32, *last as u32);
            }
        }
        found.clear();
    }

    fn find_word(&self, word: &[u8]) -> Option<u32> {
        self.dictionary.find(Term::Word(word), &self.pool)
    }

    fn cursor(&self, number: u32) -> Cursor<'_> {
        self.postings.cursor(self.dictionary.word(number).list, &self.pool)
    }
}

const fn pair(number: u32, doc: DocId) -> u64 {
    (number as u64) << 32 | doc.0 as u64
}

/// Where the terms of entries that go are looked up.
struct Terms<'a> {
    dictionary: &'a Dictionary,
    keys: &'a mut Keys,
    pool: &'a Pool,
}

impl Terms<'_> {
    /// Appends a pair for each term of an entry that has a list, and forgets a key that is the entry's alone.
    fn collect(&mut self, words: &mut Words, (doc, entry): (DocId, &Entry<'_>), found: &mut Vec<u64>) {
        words.clear();
        words.add(entry.name);
        let print = Some(entry.key).filter(|key| !key.is_empty()).map(|key| self.dictionary.print(key));
        let key = print.filter(|print| !self.keys.remove(*print, doc.0)).map(Term::Key);
        let terms = words.iter().map(Term::Word).chain(key);
        let numbers = terms.filter_map(|term| self.dictionary.find(term, self.pool));
        found.extend(numbers.map(|number| pair(number, doc)));
    }
}

impl Recent {
    /// Keeps the words that `name` has in common at its beginning; where to read on.
    fn keep(&mut self, name: &[u8]) -> u32 {
        let shared = self.name.iter().zip(name).take_while(|(a, b)| a == b).count();
        // A word ends where what parts it from the next is the same too, and is no apostrophe.
        let is_whole = |end: u32| (end as usize) < shared && name.get(end as usize) != Some(&b'\'');
        let common = self.words.iter().take_while(|(_, end)| is_whole(*end)).count();
        self.words.truncate(common);
        self.name.truncate(shared);
        self.name.extend_from_slice(&name[shared..]);
        // Bytes beyond ASCII decide how all of a name is read.
        if !name.is_ascii() {
            self.words.clear();
            self.name.clear();
        }
        self.words.last().map_or(0, |(_, end)| *end)
    }
}
