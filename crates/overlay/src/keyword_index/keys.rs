//! Content keys that one document has, which most have: nine bytes each and no list.
//!
//! A key is told by 32 bits of its keyed hash, as in the dictionary, where a key moves with its second document: so
//! no print is here twice, and copies of one file, however many, make no lookup long.

use super::dictionary::spread;
use hashbrown::HashTable;

#[derive(Clone, Copy)]
struct Key {
    print: u32,
    doc: u32,
}

/// Keys of one document each.
pub(super) struct Keys {
    table: HashTable<Key>,
}

impl Keys {
    pub(super) const fn new() -> Keys {
        Keys { table: HashTable::new() }
    }

    /// The document that has a key of this print.
    pub(super) fn find(&self, print: u32) -> Option<u32> {
        self.table.find(spread(print), |key| key.print == print).map(|key| key.doc)
    }

    /// Notes the first document of a print.
    pub(super) fn add(&mut self, print: u32, doc: u32) {
        self.table.insert_unique(spread(print), Key { print, doc }, |key| spread(key.print));
    }

    /// Forgets a print if this is its document; whether it was.
    pub(super) fn remove(&mut self, print: u32, doc: u32) -> bool {
        let found = self.table.find_entry(spread(print), |key| key.print == print && key.doc == doc);
        found.map(|entry| entry.remove()).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_print_is_forgotten_with_its_own_document_only() {
        let mut keys = Keys::new();
        (0..1_000).for_each(|print| keys.add(print, print + 5));
        assert_eq!((keys.find(7), keys.find(1_000), keys.len()), (Some(12), None, 1_000));
        assert!(!keys.remove(7, 13) && keys.remove(7, 12) && !keys.remove(7, 12));
        assert_eq!((keys.find(7), keys.len()), (None, 999));
    }
}
