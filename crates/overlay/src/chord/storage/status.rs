//! What a person is shown of the store: every limit and every loss is a counter (section 5).

use super::Store;
use super::records::Counters;

/// The store in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StoreStatus {
    /// Records held, copies of others' and tombstones included.
    pub records: usize,
    /// Bytes of them, with what each costs besides.
    pub bytes: u64,
    /// Publishers with a record here.
    pub publishers: usize,
    /// Records of our own that are kept alive.
    pub own: usize,
    /// Operations of ours under way.
    pub operations: usize,
    /// Comparisons with neighbours under way.
    pub comparisons: usize,
    /// What became of what was offered.
    pub counters: Counters,
    /// Copies deleted because others keep them.
    pub deleted: u64,
    /// Batches that did not reach the disk.
    pub disk_failures: u64,
    /// Records of our own that were looked for elsewhere and not found.
    pub audit_alarms: u64,
    /// Owners of words that searches of ours asked.
    pub words_asked: u64,
}

impl Store {
    /// The store in numbers.
    pub(crate) fn status(&self) -> StoreStatus {
        StoreStatus {
            records: self.records.len(),
            bytes: self.records.usage().bytes(),
            publishers: self.records.usage().publishers(),
            own: self.own.len(),
            operations: self.operations.len(),
            comparisons: self.syncs.len(),
            counters: self.records.counters,
            deleted: self.deleted,
            disk_failures: self.disk.failed,
            audit_alarms: self.publishing.alarms,
            words_asked: self.publishing.asked,
        }
    }
}
