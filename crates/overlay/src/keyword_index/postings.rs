//! Posting lists: one encoded set for most words, a directory of encoded chunks for frequent ones.
//!
//! A chunk of a directory holds documents from its `first` up to the next chunk's; splitting and dropping chunks keeps
//! an edit to one chunk of about [`CHUNK`] bytes however frequent the word is. New documents mostly have the largest
//! ids, so a directory knows where its last run ends: appending reads no more than that run, and fills chunks.

use super::pool::{Piece, Pool};
use super::ranges::{self, Edit, Run, Tail, Walk};

/// A chunk longer than this is cut in two; bytes. Edits and seeks read half of that on average.
const CHUNK: usize = 128;

/// Marks a [`Piece`] that names a directory.
const DIRECTORY: u8 = u8::MAX;

/// The documents of one word: an encoded set, or the number of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct List(Piece);

impl List {
    pub(super) const EMPTY: List = List(Piece::EMPTY);

    const fn directory(self) -> Option<usize> {
        if self.0.class == DIRECTORY { Some(self.0.slot as usize) } else { None }
    }
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// No document of this chunk is smaller.
    first: u32,
    piece: Piece,
}

/// The chunks of a frequent word; never empty while a list names it.
#[derive(Default)]
struct Directory {
    chunks: Vec<Chunk>,
    /// The end of the last chunk, unless an edit there made it unknown.
    tail: Option<Tail>,
}

/// Directories of the frequent words.
pub(super) struct Postings {
    directories: Vec<Directory>,
    free: Vec<u32>,
}

impl Postings {
    pub(super) const fn new() -> Postings {
        Postings { directories: Vec::new(), free: Vec::new() }
    }

    /// Reads the ends of lists that will be added to, and nothing else: what memory has of them comes for all at
    /// once, where adding waits for it list by list.
    pub(super) fn touch(&self, lists: impl Iterator<Item = List>, pool: &Pool) {
        let mut read = 0_usize;
        for list in lists {
            let last = match list.directory() {
                Some(number) => self.directories[number].chunks.last().map(|chunk| chunk.piece),
                None => Some(list.0),
            };
            let end = last.and_then(|piece| pool.bytes(piece).last().copied());
            read = read.wrapping_add(end.unwrap_or(0).into());
        }
        std::hint::black_box(read);
    }

    /// Adds neighbouring documents and says how many were not there.
    pub(super) fn insert(&mut self, list: &mut List, new: Run, pool: &mut Pool) -> u32 {
        let Some(number) = list.directory() else {
            let changed = insert_into(&mut list.0, new, pool);
            if usize::from(list.0.len) > CHUNK {
                self.promote(list, pool);
            }
            return changed;
        };
        let directory = &mut self.directories[number];
        if directory.append(new, pool) { new.count() } else { directory.insert(new, pool) }
    }

    /// Removes `lo..=hi` and says how many documents that were.
    pub(super) fn remove(&mut self, list: &mut List, lo: u32, hi: u32, pool: &mut Pool) -> u32 {
        let Some(number) = list.directory() else { return remove_from(&mut list.0, lo, hi, pool) };
        let Directory { chunks, tail } = &mut self.directories[number];
        if chunks.last().is_some_and(|last| last.first <= hi) {
            *tail = None;
        }
        let mut at = chunks.partition_point(|chunk| chunk.first <= lo).max(1) - 1;
        let mut removed = 0;
        while chunks.get(at).is_some_and(|chunk| chunk.first <= hi) {
            removed += remove_from(&mut chunks[at].piece, lo, hi, pool);
            if chunks[at].piece.is_empty() && chunks.len() > 1 {
                chunks.remove(at);
            } else {
                at += 1;
            }
        }
        if let [only] = chunks.as_slice() {
            list.0 = only.piece;
            self.directories[number] = Directory::default();
            self.free.push(number as u32);
        }
        removed
    }

    /// Reads a list from its beginning.
    pub(super) fn cursor<'a>(&'a self, list: List, pool: &'a Pool) -> Cursor<'a> {
        let chunks = list.directory().map_or(&[][..], |number| self.directories[number].chunks.as_slice());
        let first = chunks.first().map_or(list.0, |chunk| chunk.piece);
        Cursor { chunks, pool, at: 0, walk: Walk::new(pool.bytes(first)), run: None, work: 0 }
    }

    /// Bytes held by directories.
    pub(super) fn held(&self) -> usize {
        let chunks = self.directories.iter().map(|directory| directory.chunks.capacity());
        chunks.sum::<usize>() * size_of::<Chunk>() + self.directories.capacity() * size_of::<Directory>()
    }

    fn promote(&mut self, list: &mut List, pool: &mut Pool) {
        let mut directory = Directory { chunks: Vec::with_capacity(2), tail: None };
        directory.chunks.push(Chunk { first: 0, piece: list.0 });
        directory.split(0, pool);
        let number = self.free.pop().unwrap_or_else(|| {
            self.directories.push(Directory::default());
            (self.directories.len() - 1) as u32
        });
        self.directories[number as usize] = directory;
        list.0 = Piece { slot: number, len: 1, class: DIRECTORY };
    }
}

impl Directory {
    /// Adds documents behind all others; false if they are not, and nothing is done.
    fn append(&mut self, new: Run, pool: &mut Pool) -> bool {
        let Some(last) = self.chunks.last_mut().filter(|last| last.first < new.start) else { return false };
        let tail = self.tail.get_or_insert_with(|| Tail::of(pool.bytes(last.piece)));
        let length = usize::from(last.piece.len);
        let Some(edit) = tail.append(length, new) else { return false };
        if length + edit.with().len() <= CHUNK || edit.cut.start < length {
            pool.splice(&mut last.piece, edit.cut.clone(), edit.with());
            return true;
        }
        let (edit, new_tail) = Tail::begin(new);
        let piece = pool.store(edit.with());
        *tail = new_tail;
        self.push(self.chunks.len(), Chunk { first: new.start, piece });
        true
    }

    /// Adds documents wherever they belong and says how many were not there.
    fn insert(&mut self, new: Run, pool: &mut Pool) -> u32 {
        let chunks = &mut self.chunks;
        let mut at = chunks.partition_point(|chunk| chunk.first <= new.start).max(1) - 1;
        chunks[at].first = chunks[at].first.min(new.start);
        let (mut rest, mut changed) = (Some(new), 0);
        while let Some(new) = rest {
            // Documents from the next chunk's first on are that chunk's.
            let border = self.chunks.get(at + 1).map(|next| next.first).filter(|first| *first <= new.end);
            let here = Run { end: border.map_or(new.end, |first| first - 1), ..new };
            changed += insert_into(&mut self.chunks[at].piece, here, pool);
            if at + 1 == self.chunks.len() {
                self.tail = None;
            }
            if usize::from(self.chunks[at].piece.len) > CHUNK && self.split(at, pool) {
                at += 1;
            }
            rest = border.map(|start| Run { start, ..new });
            at += 1;
        }
        changed
    }

    /// Cuts a chunk in two; false if it is one run.
    fn split(&mut self, at: usize, pool: &mut Pool) -> bool {
        let bytes = pool.bytes(self.chunks[at].piece);
        let Some((middle, head)) = ranges::halve(bytes) else { return false };
        let first = Walk::new(head.with()).next().map_or(0, |run| run.start);
        let mut tail = [0; CHUNK * 2];
        let (rest, start) = (&bytes[head.cut.end..], head.with());
        let len = start.len() + rest.len();
        tail[..start.len()].copy_from_slice(start);
        tail[start.len()..len].copy_from_slice(rest);
        let end = bytes.len();
        pool.splice(&mut self.chunks[at].piece, middle..end, &[]);
        let piece = pool.store(&tail[..len]);
        self.push(at + 1, Chunk { first, piece });
        true
    }

    fn push(&mut self, at: usize, chunk: Chunk) {
        if self.chunks.len() == self.chunks.capacity() {
            self.chunks.reserve_exact((self.chunks.len() / 8).max(2));
        }
        self.chunks.insert(at, chunk);
    }
}

fn insert_into(piece: &mut Piece, new: Run, pool: &mut Pool) -> u32 {
    ranges::insert(pool.bytes(*piece), new).map_or(0, |edit: Edit| {
        pool.splice(piece, edit.cut.clone(), edit.with());
        edit.changed
    })
}

fn remove_from(piece: &mut Piece, lo: u32, hi: u32, pool: &mut Pool) -> u32 {
    ranges::remove(pool.bytes(*piece), lo, hi).map_or(0, |edit: Edit| {
        pool.splice(piece, edit.cut.clone(), edit.with());
        edit.changed
    })
}

/// Reads a list forwards and counts what that costs.
pub(super) struct Cursor<'a> {
    chunks: &'a [Chunk],
    pool: &'a Pool,
    at: usize,
    walk: Walk<'a>,
    run: Option<Run>,
    /// Runs read and chunks looked for.
    pub(super) work: u32,
}

impl Cursor<'_> {
    /// The first run that ends at `doc` or behind it; `doc` never falls from call to call.
    #[inline]
    pub(super) fn seek(&mut self, doc: u32) -> Option<Run> {
        if let Some(run) = self.run.filter(|run| run.end >= doc) {
            return Some(run);
        }
        if self.chunks.get(self.at + 1).is_some_and(|next| next.first <= doc) {
            self.skip_to(doc);
        }
        loop {
            for run in self.walk.by_ref() {
                self.work += 1;
                if run.end >= doc {
                    self.run = Some(run);
                    return self.run;
                }
            }
            self.at += 1;
            let Some(chunk) = self.chunks.get(self.at) else {
                self.run = None;
                return None;
            };
            self.walk = Walk::new(self.pool.bytes(chunk.piece));
        }
    }

    fn skip_to(&mut self, doc: u32) {
        // Most skips are short: look near before far.
        let ahead = &self.chunks[self.at + 1..];
        let mut width = 1;
        while ahead.get(width).is_some_and(|chunk| chunk.first <= doc) {
            width *= 2;
        }
        let near = &ahead[width / 2..ahead.len().min(width)];
        self.at += width / 2 + near.partition_point(|chunk| chunk.first <= doc);
        self.walk = Walk::new(self.pool.bytes(self.chunks[self.at].piece));
        self.work += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn all(postings: &Postings, list: List, pool: &Pool) -> Vec<u32> {
        let mut cursor = postings.cursor(list, pool);
        let (mut at, mut docs) = (0, Vec::new());
        while let Some(run) = cursor.seek(at) {
            docs.extend(run.start..=run.end);
            at = run.end + 1;
        }
        docs
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn lists_do_what_sets_do(
            ops in prop::collection::vec((0..=12u8, 0..100_000u32, 0..8_000u32), 1..1_500),
            seeks in prop::collection::btree_set(0..110_000u32, 1..60),
        ) {
            let (mut pool, mut postings) = (Pool::new(), Postings::new());
            let (mut list, mut set) = (List::EMPTY, BTreeSet::new());
            for (op, doc, width) in ops {
                // Half of the edits are behind all others: touching, apart, one or many.
                let behind = set.last().map_or(0, |last| last + 1 + width / 8 % 3);
                let doc = if op > 6 { behind } else { doc };
                let op = if op == 12 { 1 } else { op };
                if op > 0 {
                    let end = if op == 1 { doc + width / 16 } else { doc };
                    let before = set.len();
                    set.extend(doc..=end);
                    let added = postings.insert(&mut list, Run { start: doc, end }, &mut pool);
                    prop_assert_eq!(added as usize, set.len() - before);
                } else {
                    let before = set.len();
                    set.retain(|other| !(doc..=doc + width).contains(other));
                    let removed = postings.remove(&mut list, doc, doc + width, &mut pool);
                    prop_assert_eq!(removed as usize, before - set.len());
                }
            }
            prop_assert_eq!(all(&postings, list, &pool), set.iter().copied().collect::<Vec<_>>());
            let mut cursor = postings.cursor(list, &pool);
            for doc in seeks {
                let found = cursor.seek(doc).map(|run| run.start.max(doc));
                prop_assert_eq!(found, set.range(doc..).next().copied());
            }
            postings.remove(&mut list, 0, u32::MAX, &mut pool);
            prop_assert!(all(&postings, list, &pool).is_empty());
            prop_assert!(list.0.is_empty(), "an empty list holds nothing");
        }
    }

    #[test]
    fn documents_that_come_in_order_fill_their_chunks() {
        let (mut pool, mut postings, mut list) = (Pool::new(), Postings::new(), List::EMPTY);
        let docs: Vec<u32> = (0..50_000).map(|at| at * 5 + at % 3).collect();
        for doc in &docs {
            assert_eq!(postings.insert(&mut list, Run { start: *doc, end: *doc }, &mut pool), 1);
        }
        assert_eq!(all(&postings, list, &pool), docs);
        let chunks = &postings.directories[list.directory().unwrap()].chunks;
        // A byte each, four more for the first of a chunk.
        assert!(chunks.len() <= 50_000 / (CHUNK - 5) + 2, "{}", chunks.len());
        for doc in &docs {
            assert_eq!(postings.insert(&mut list, Run { start: *doc, end: *doc }, &mut pool), 0);
        }
    }
}
