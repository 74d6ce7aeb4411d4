//! What only an ultrapeer keeps: the words of its leaves and the searches it carries on for them.

use super::dynamic::DynamicQuery;
use super::leaf_index::LeafIndex;
use super::tables::{Table, Wanted};
use std::collections::BTreeMap;
use throng_machine::{Instant, StreamId};
use throng_wire::gnutella::{Guid, QrpTable};

/// The state of an ultrapeer.
#[derive(Debug, Default)]
pub(super) struct Ultrapeer {
    /// At least all words of our leaves; rebuilt now and then, so that those of leaves who left go.
    union: Option<QrpTable>,
    /// Leaves by their words; made with the first query after `union` was.
    index: Option<LeafIndex>,
    /// Searches under way, by the id of the query.
    pub(super) dynamic: BTreeMap<Guid, Box<DynamicQuery>>,
    /// When neighbours are told whom we are linked with.
    pub(super) tell_around: Option<Instant>,
    /// How many ultrapeers there are, once it was reckoned, and as long as nothing changes.
    pub(super) crowd: Option<Option<u32>>,
    /// When the last leaf was there.
    pub(super) leaf_seen: Option<Instant>,
}

impl Ultrapeer {
    /// A leaf's table is another.
    pub(super) fn add(&mut self, leaf: StreamId, table: &Table, bits: u32) {
        table.merge_into(self.union.get_or_insert_with(|| QrpTable::new(bits)));
        if let Some(index) = &mut self.index {
            index.doubt(leaf);
        }
    }

    /// The words of all leaves, made anew.
    pub(super) fn rebuild<'a>(&mut self, tables: impl Iterator<Item = &'a Table>, bits: u32) {
        let mut union = QrpTable::new(bits);
        let mut any = false;
        for table in tables {
            table.merge_into(&mut union);
            any = true;
        }
        self.union = any.then_some(union);
        // Leaves have changed or gone.
        self.index = None;
    }

    /// Whether any leaf may have something; leaves need not be looked at one by one if not.
    pub(super) fn leaves_may_match(&self, wanted: &Wanted) -> bool {
        self.union.as_ref().is_some_and(|union| wanted.may_match(|word| union.contains(word)))
    }

    /// Leaves that have any of the words, ascending; `tables` are those of all.
    pub(super) fn candidates<'a>(
        &mut self,
        wanted: &Wanted,
        tables: impl Iterator<Item = (StreamId, &'a Table)>,
    ) -> Vec<StreamId> {
        if wanted.is_open() {
            return tables.map(|(stream, _)| stream).collect();
        }
        self.index.get_or_insert_with(|| LeafIndex::new(tables)).candidates(wanted)
    }

    pub(super) fn union(&self) -> Option<&QrpTable> {
        self.union.as_ref()
    }
}
