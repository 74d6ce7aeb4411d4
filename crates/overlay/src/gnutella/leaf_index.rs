//! Which leaves may have something of what a query asks for, without looking at the table of each.
//!
//! The entries of all tables of one size, each with its leaf, in order. Tables with very many entries are left out, so
//! that a leaf takes no more than 16 KiB here; such a leaf is looked at with every query. Whoever is named has one of
//! the words; whether it has enough of them its own table says.

use super::tables::{Table, Wanted};
use std::collections::BTreeMap;
use throng_machine::StreamId;

/// Entries of a table above which its leaf is not in the index; a leaf with 600 files of three words has fewer.
const MOST_ENTRIES: usize = 2_048;

/// Leaves by the entries of their tables.
#[derive(Debug, Default)]
pub(super) struct LeafIndex {
    /// By the size of the tables as a power of two: entries and whose they are, ascending.
    sizes: BTreeMap<u32, Vec<(u32, StreamId)>>,
    /// Leaves with more entries than are kept here, and those whose tables are others by now.
    rest: Vec<StreamId>,
}

impl LeafIndex {
    pub(super) fn new<'a>(tables: impl Iterator<Item = (StreamId, &'a Table)>) -> LeafIndex {
        let mut index = LeafIndex::default();
        for (stream, table) in tables {
            let Some(bits) = table.bits_of_few(MOST_ENTRIES) else {
                index.rest.push(stream);
                continue;
            };
            let rows = index.sizes.entry(bits).or_default();
            table.for_each_of_few(|entry| rows.push((entry, stream)));
        }
        for rows in index.sizes.values_mut() {
            rows.sort_unstable();
            rows.shrink_to_fit();
        }
        index
    }

    /// A leaf's table is another. It is looked at with every query from now on: were the index made anew, whoever
    /// changes its table all the time would have us do so.
    pub(super) fn doubt(&mut self, leaf: StreamId) {
        if !self.rest.contains(&leaf) {
            self.rest.push(leaf);
        }
    }

    /// Leaves that have any of the words or hashes, and those that are not known here, ascending.
    pub(super) fn candidates(&self, wanted: &Wanted) -> Vec<StreamId> {
        let mut found = self.rest.clone();
        for (bits, rows) in &self.sizes {
            for word in wanted.hashes() {
                let entry = word.entry(*bits);
                let from = rows.partition_point(|(known, _)| *known < entry);
                let same = rows.iter().skip(from).take_while(|(known, _)| *known == entry);
                found.extend(same.map(|(_, stream)| *stream));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use throng_wire::gnutella::{Extensions, QrpTable, Query, QueryFlags, hash_of};

    fn table(bits: u32, words: impl Iterator<Item = String>) -> Table {
        let mut table = QrpTable::new(bits);
        words.for_each(|word| table.insert(hash_of(&word)));
        Table::new(&table)
    }

    proptest! {
        #[test]
        fn every_leaf_that_may_match_is_named_whatever_the_size_of_its_table(
            leaves in prop::collection::vec((3..18u32, prop::collection::vec(0..60u32, 0..30)), 0..12),
            asked in prop::collection::vec(0..60u32, 1..5),
        ) {
            let mut tables: Vec<_> = (0..).zip(&leaves)
                .map(|(at, (bits, words))| (StreamId(at), table(*bits, words.iter().map(|w| format!("word{w}")))))
                .collect();
            tables.push((StreamId(90), table(17, (0..5_000).map(|number| format!("word{number}")))));
            let index = LeafIndex::new(tables.iter().map(|(stream, table)| (*stream, table)));
            let text = asked.iter().map(|word| format!("word{word}")).collect::<Vec<_>>().join(" ");
            let query = Query { flags: QueryFlags::VALID, text: text.as_bytes(), extensions: Extensions(b"") };
            let wanted = Wanted::of(&query);
            let named = index.candidates(&wanted);
            prop_assert!(named.is_sorted() && named.contains(&StreamId(90)));
            for (stream, table) in &tables {
                let may = wanted.may_match(|word| table.contains(word));
                prop_assert!(!may || named.contains(stream), "{stream:?}");
            }
        }
    }

    #[test]
    fn leaves_without_any_of_the_words_are_not_named() {
        let tables: Vec<_> =
            (0..50).map(|at| (StreamId(at), table(17, [format!("own{at}")].into_iter()))).collect();
        let mut index = LeafIndex::new(tables.iter().map(|(stream, table)| (*stream, table)));
        let query = Query { flags: QueryFlags::VALID, text: b"own7 own8 else", extensions: Extensions(b"") };
        assert_eq!(index.candidates(&Wanted::of(&query)), [StreamId(7), StreamId(8)]);
        [5, 7, 5].into_iter().for_each(|leaf| index.doubt(StreamId(leaf)));
        assert_eq!(
            index.candidates(&Wanted::of(&query)),
            [5, 7, 8].map(StreamId),
            "its table is another by now"
        );
    }
}
