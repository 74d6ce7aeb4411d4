//! A bounded cache of open files, shared by all contents, so that 10,000 files work under a limit of 1,024.
//!
//! An evicted file stays open for those who are just using it and is closed when the last of them is done.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Default number of files kept open: far below the usual limit of 1,024 descriptors, which sockets need too.
pub const DEFAULT_OPEN_FILES: usize = 128;

/// A storage within the cache.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Owner(u32);

#[derive(Debug)]
struct Entry {
    file: Arc<File>,
    writable: bool,
    used: u64,
}

#[derive(Default, Debug)]
struct Table {
    entries: BTreeMap<(Owner, usize), Entry>,
    clock: u64,
}

/// Open files, the least recently used of which is closed when there are too many.
#[derive(Debug)]
pub struct HandleCache {
    table: Mutex<Table>,
    limit: usize,
    owners: AtomicU32,
}

impl Default for HandleCache {
    fn default() -> Self {
        HandleCache::new(DEFAULT_OPEN_FILES)
    }
}

impl HandleCache {
    /// Keeps at most `limit` files open (at least one).
    pub fn new(limit: usize) -> HandleCache {
        HandleCache { table: Mutex::default(), limit: limit.max(1), owners: AtomicU32::new(0) }
    }

    /// How many files are open now.
    pub fn open_files(&self) -> usize {
        self.lock().entries.len()
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner(self.owners.fetch_add(1, Ordering::Relaxed))
    }

    /// The open file, if there is one that allows the use.
    pub(crate) fn find(&self, owner: Owner, file: usize, write: bool) -> Option<Arc<File>> {
        let mut table = self.lock();
        table.clock += 1;
        let clock = table.clock;
        let entry = table.entries.get_mut(&(owner, file)).filter(|entry| entry.writable || !write)?;
        entry.used = clock;
        Some(entry.file.clone())
    }

    /// Keeps a file; one opened by another thread meanwhile gives way.
    pub(crate) fn keep(&self, owner: Owner, file: usize, opened: Arc<File>, writable: bool) {
        let mut table = self.lock();
        table.clock += 1;
        let used = table.clock;
        let old = table.entries.insert((owner, file), Entry { file: opened, writable, used });
        let evicted = (table.entries.len() > self.limit).then(|| table.evict());
        // Closing may wait for the disk (network file systems): not under the lock.
        drop(table);
        drop((old, evicted));
    }

    /// The open files of a storage.
    pub(crate) fn of(&self, owner: Owner) -> Vec<(usize, Arc<File>)> {
        let table = self.lock();
        let entries = table.entries.range((owner, 0)..=(owner, usize::MAX));
        entries.map(|((_, file), entry)| (*file, entry.file.clone())).collect()
    }

    /// Closes one file.
    pub(crate) fn forget(&self, owner: Owner, file: usize) {
        let old = self.lock().entries.remove(&(owner, file));
        drop(old);
    }

    /// Closes all files of a storage.
    pub(crate) fn forget_all(&self, owner: Owner) {
        let mut table = self.lock();
        let mut old = table.entries.split_off(&(owner, 0));
        let mut others = old.split_off(&(Owner(owner.0.wrapping_add(1)), 0));
        table.entries.append(&mut others);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn evict(&mut self) -> Option<Entry> {
        let oldest = *self.entries.iter().min_by_key(|(_, entry)| entry.used)?.0;
        self.entries.remove(&oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_file_is_closed_first() {
        let cache = HandleCache::new(2);
        let file = || Arc::new(tempfile::tempfile().unwrap());
        let (a, b) = (cache.owner(), cache.owner());
        cache.keep(a, 0, file(), true);
        cache.keep(b, 0, file(), false);
        assert!(cache.find(a, 0, true).is_some());
        assert!(cache.find(b, 0, true).is_none(), "a file opened to read is not written");
        cache.keep(a, 1, file(), true);
        assert!(cache.find(a, 0, false).is_some() && cache.find(b, 0, false).is_none());
        cache.keep(b, 7, file(), true);
        cache.forget_all(a);
        assert!(cache.find(b, 7, true).is_some());
        assert_eq!(cache.open_files(), 1);
    }
}
