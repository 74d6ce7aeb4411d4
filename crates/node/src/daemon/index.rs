//! Which of very many things go by a hash: of each hash four bytes and the id, so that whoever finds one looks whether it
//! is. Twelve bytes a hash, where most of what a node has is looked for by nobody.

use std::collections::BTreeSet;
use throng_runtime::library::Id;

/// Ids by hashes.
#[derive(Default)]
pub(super) struct Index(BTreeSet<(u32, Id)>);

impl Index {
    pub(super) fn insert<'a>(&mut self, id: Id, hashes: impl Iterator<Item = &'a [u8]>) {
        self.0.extend(hashes.map(|hash| (start(hash), id)));
    }

    /// Many at once, which leaves less room unused.
    pub(super) fn append(&mut self, many: BTreeSet<(u32, Id)>) {
        let mut many = many;
        self.0.append(&mut many);
    }

    pub(super) fn remove<'a>(&mut self, id: Id, hashes: impl Iterator<Item = &'a [u8]>) {
        hashes.for_each(|hash| _ = self.0.remove(&(start(hash), id)));
    }

    /// Those that may go by a hash.
    pub(super) fn perhaps(&self, hash: &[u8]) -> impl Iterator<Item = Id> + use<'_> {
        let of = start(hash);
        self.0.range((of, Id::FIRST)..).take_while(move |(start, _)| *start == of).map(|(_, id)| *id)
    }
}

/// The first bytes of a hash.
pub(super) fn start(hash: &[u8]) -> u32 {
    hash.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::read(text).unwrap()
    }

    #[test]
    fn all_that_go_by_a_hash_are_found_until_they_are_gone() {
        let mut index = Index::default();
        let hashes = |first: u8| [vec![first; 20], vec![9; 32]];
        for (name, first) in [("aaaaaaaa", 1), ("bbbbbbbb", 2)] {
            index.insert(id(name), hashes(first).iter().map(Vec::as_slice));
        }
        index.append([(start(&[3; 4]), id("cccccccc"))].into());
        let of = |index: &Index, first: u8| index.perhaps(&[first; 20]).collect::<Vec<_>>();
        assert_eq!(of(&index, 9), [id("aaaaaaaa"), id("bbbbbbbb")]);
        assert_eq!((of(&index, 1), of(&index, 3)), (vec![id("aaaaaaaa")], vec![id("cccccccc")]));
        index.remove(id("aaaaaaaa"), hashes(1).iter().map(Vec::as_slice));
        assert_eq!((of(&index, 1), of(&index, 9)), (vec![], vec![id("bbbbbbbb")]));
    }
}
