//! The files of a library. Few are looked through one by one, as a leaf in a simulation of a million has a handful and
//! an index takes some KiB for itself; many have a keyword index. Both find the same.

use super::command::SharedFile;
use super::library::searchable;
use crate::keyword_index::{
    self, Attributes, DEFAULT_WORK, DocId, Entry, KeywordIndex, Kind, Order, OwnerId, Words,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All files have one owner: us.
const OWNER: OwnerId = OwnerId(0);

/// Files up to this many are looked through one by one; more have an index, which takes some KiB for itself.
const FEW: usize = 16;

/// Files by number, found by words and hashes.
#[derive(Default)]
pub(super) struct Files {
    /// Ascending by number.
    files: Vec<(u32, Arc<SharedFile>)>,
    index: Option<Box<Indexed>>,
    bytes: u64,
}

/// The files in a keyword index.
struct Indexed {
    documents: BTreeMap<DocId, u32>,
    of: BTreeMap<u32, DocId>,
    index: KeywordIndex,
}

impl Indexed {
    fn new(key: [u64; 2]) -> Indexed {
        let (documents, of) = (BTreeMap::new(), BTreeMap::new());
        Indexed { documents, of, index: KeywordIndex::new(key) }
    }

    fn insert(&mut self, at: u32, file: &SharedFile) -> bool {
        let name = searchable(&file.name);
        let attributes = Attributes { kind: Kind::Other, size: file.size, ..Attributes::default() };
        let hash = file.sha1.unwrap_or_default();
        let key = if file.sha1.is_some() { &hash[..] } else { &[] };
        let entry = Entry { name: name.as_bytes(), key, attributes };
        let Ok(doc) = self.index.insert(OWNER, &entry) else { return false };
        self.documents.insert(doc, at);
        self.of.insert(at, doc);
        true
    }

    fn remove(&mut self, at: u32) {
        if let Some(doc) = self.of.remove(&at) {
            self.index.remove(doc);
            self.documents.remove(&doc);
        }
    }

    /// Files with this SHA-1.
    fn by_hash(&mut self, sha1: &[u8; 20], most: u32) -> Vec<u32> {
        let mut found = Vec::new();
        self.index.search_key(sha1, DEFAULT_WORK, &mut |hit| {
            found.push(hit.doc);
            found.len() < most as usize
        });
        self.numbers(&found)
    }

    /// Files with all the words, from a random place on.
    fn by_words(&mut self, words: &Words, most: u32, random: u32) -> Vec<u32> {
        let start = DocId(random % self.index.end().max(1));
        let question = keyword_index::Query {
            limit: most,
            order: Order::From(start),
            ..keyword_index::Query::new(words)
        };
        let mut found = Vec::new();
        self.index.search(&question, &mut |hit| found.push(hit.doc));
        self.numbers(&found)
    }

    fn numbers(&self, found: &[DocId]) -> Vec<u32> {
        found.iter().filter_map(|doc| self.documents.get(doc).copied()).collect()
    }
}

impl Files {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &SharedFile)> {
        self.files.iter().map(|(at, file)| (*at, &**file))
    }

    pub(super) fn file(&self, at: u32) -> Option<&SharedFile> {
        self.files.get(self.place(at).ok()?).map(|(_, file)| &**file)
    }

    /// Takes a file out; false if there is none.
    pub(super) fn remove(&mut self, at: u32) -> bool {
        let Ok(place) = self.place(at) else { return false };
        let (_, file) = self.files.remove(place);
        if let Some(index) = &mut self.index {
            index.remove(at);
        }
        self.bytes -= file.size;
        true
    }

    fn place(&self, at: u32) -> Result<usize, usize> {
        self.files.binary_search_by_key(&at, |(at, _)| *at)
    }

    /// Adds a file under a number that is free; false if it cannot be found by its name.
    pub(super) fn add(&mut self, at: u32, file: Arc<SharedFile>, key: [u64; 2]) -> bool {
        if self.index.is_none() && self.files.len() >= FEW {
            let mut indexed = Box::new(Indexed::new(key));
            self.files.iter().for_each(|(at, file)| _ = indexed.insert(*at, file));
            self.index = Some(indexed);
        }
        if self.index.as_mut().is_some_and(|index| !index.insert(at, &file)) {
            return false;
        }
        if self.files.len() < FEW {
            self.files.reserve_exact(1);
        }
        let place = self.place(at).unwrap_or_else(|place| place);
        self.bytes += file.size;
        self.files.insert(place, (at, file));
        true
    }

    /// Files with this SHA-1, at most so many.
    pub(super) fn by_hash(&mut self, sha1: &[u8; 20], most: u32) -> Vec<u32> {
        match &mut self.index {
            Some(index) => index.by_hash(sha1, most),
            None => {
                let same = self.files.iter().filter(|(_, file)| file.sha1.as_ref() == Some(sha1));
                same.map(|(at, _)| *at).take(most as usize).collect()
            }
        }
    }

    /// Files with all the words, at most so many, from a random place on.
    pub(super) fn by_words(&mut self, words: &Words, most: u32, random: u32) -> Vec<u32> {
        match &mut self.index {
            Some(index) => index.by_words(words, most, random),
            None if words.is_empty() => Vec::new(),
            None => {
                let (before, behind) = self.files.split_at(random as usize % self.files.len().max(1));
                let fits = behind.iter().chain(before).filter(|(_, file)| {
                    let has = Words::of(searchable(&file.name).as_bytes());
                    words.iter().all(|word| has.iter().any(|known| known == word))
                });
                fits.map(|(at, _)| *at).take(most as usize).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of files with these words, ascending.
    fn found(files: &mut Files, words: &str, random: u32) -> Vec<u32> {
        let mut found = files.by_words(&Words::of(words.as_bytes()), 64, random);
        found.sort_unstable();
        found
    }

    #[test]
    fn few_files_are_found_as_many_are() {
        let names =
            ["Red Caf\u{e9} song.ogg", "red green", "green_song (live)", "don't red", "red red 2001", ""];
        let fill = |others: u32| {
            let mut files = Files::default();
            for (at, name) in (0..).zip(names) {
                let sha1 = Some([at as u8; 20]);
                let file = SharedFile { name: name.into(), size: 7, sha1, ..SharedFile::default() };
                assert!(files.add(at, Arc::new(file), [1, 2]));
            }
            for at in 0..others {
                let name = format!("other{at}");
                assert!(files.add(100 + at, Arc::new(SharedFile { name, ..SharedFile::default() }), [1, 2]));
            }
            files
        };
        let (mut few, mut many) = (fill(0), fill(40));
        assert!(few.index.is_none() && many.index.is_some());
        for words in [
            "red",
            "RED green",
            "cafe",
            "song",
            "red blue",
            "re",
            "2001 red",
            "don t",
            "live",
            "",
            "ogg caf\u{e9}",
        ] {
            for random in 0..7 {
                assert_eq!(found(&mut few, words, random), found(&mut many, words, random), "{words}");
            }
        }
        assert_eq!(found(&mut few, "red", 3), [0, 1, 3, 4]);
        assert_eq!((few.by_hash(&[2; 20], 9), many.by_hash(&[2; 20], 9)), (vec![2], vec![2]));
        for files in [&mut few, &mut many] {
            assert!(files.remove(1) && !files.remove(1));
            assert_eq!((found(files, "red", 0), files.bytes()), (vec![0, 3, 4], 35));
        }
    }
}
