//! Files that are served: found by hash or number, never by a path.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use throng_machine::ContentId;
use throng_wire::gnutella::tiger;

/// One level of a file's tiger tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TigerTree {
    /// Its root.
    pub root: tiger::Hash,
    /// The level that is served, at most 2^16 hashes; none if only the root is known.
    pub level: Arc<[tiger::Hash]>,
}

/// A file that is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// Its bytes.
    pub content: ContentId,
    /// Its number in hits.
    pub index: u32,
    /// Its name in hits.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-1 of all of it.
    pub sha1: Option<[u8; 20]>,
    /// Its tree.
    pub tiger: Option<TigerTree>,
    /// Its FTHash.
    pub ft_hash: Option<[u8; 20]>,
    /// Its magnet link, for our own nodes.
    pub magnet: Option<String>,
    /// Which parts can be served, in order; `None` all of it.
    pub available: Option<Vec<Range<u64>>>,
}

impl Shared {
    /// How far the bytes from `first` on go that can be served; `None` if that one cannot.
    pub(super) fn end_of(&self, first: u64) -> Option<u64> {
        match &self.available {
            None => (first < self.size).then_some(self.size),
            Some(parts) => {
                let part = parts.iter().find(|part| part.contains(&first))?;
                Some(part.end.min(self.size))
            }
        }
    }

    /// Whether any of it can be served.
    pub(super) fn has_some(&self) -> bool {
        self.available.as_ref().is_none_or(|parts| !parts.is_empty())
    }

    /// Whether all of it can be served.
    pub(super) fn is_whole(&self) -> bool {
        self.available.is_none()
    }
}

/// Parts of a partial file kept.
const MAX_PARTS: usize = 1_024;

/// All files.
#[derive(Default, Debug)]
pub(super) struct Shares {
    files: BTreeMap<ContentId, Shared>,
    by_index: BTreeMap<u32, ContentId>,
    by_sha1: BTreeMap<[u8; 20], ContentId>,
    by_ft_hash: BTreeMap<[u8; 20], ContentId>,
}

impl Shares {
    /// Adds or replaces a file; false if its number belongs to another or there are too many.
    pub(super) fn insert(&mut self, mut file: Shared, most: usize) -> bool {
        let other = self.by_index.get(&file.index).is_some_and(|content| *content != file.content);
        if other || (self.files.len() >= most && !self.files.contains_key(&file.content)) {
            return false;
        }
        self.remove(file.content);
        if let Some(parts) = &mut file.available {
            parts.truncate(MAX_PARTS);
        }
        self.by_index.insert(file.index, file.content);
        if let Some(sha1) = file.sha1 {
            self.by_sha1.insert(sha1, file.content);
        }
        if let Some(hash) = file.ft_hash {
            self.by_ft_hash.insert(hash, file.content);
        }
        self.files.insert(file.content, file);
        true
    }

    pub(super) fn remove(&mut self, content: ContentId) -> bool {
        let Some(file) = self.files.remove(&content) else { return false };
        self.by_index.remove(&file.index);
        if let Some(sha1) = file.sha1.filter(|sha1| self.by_sha1.get(sha1) == Some(&content)) {
            self.by_sha1.remove(&sha1);
        }
        if let Some(hash) = file.ft_hash.filter(|hash| self.by_ft_hash.get(hash) == Some(&content)) {
            self.by_ft_hash.remove(&hash);
        }
        true
    }

    pub(super) fn set_available(&mut self, content: ContentId, mut parts: Option<Vec<Range<u64>>>) {
        if let Some(file) = self.files.get_mut(&content) {
            if let Some(parts) = &mut parts {
                parts.truncate(MAX_PARTS);
            }
            file.available = parts;
        }
    }

    pub(super) fn by_content(&self, content: ContentId) -> Option<&Shared> {
        self.files.get(&content)
    }

    pub(super) fn by_sha1(&self, sha1: &[u8; 20]) -> Option<&Shared> {
        self.files.get(self.by_sha1.get(sha1)?)
    }

    pub(super) fn by_ft_hash(&self, hash: &[u8; 20]) -> Option<&Shared> {
        self.files.get(self.by_ft_hash.get(hash)?)
    }

    pub(super) fn by_index(&self, index: u32) -> Option<&Shared> {
        self.files.get(self.by_index.get(&index)?)
    }

    /// The files that are whole, by number, behind that one.
    pub(super) fn whole_after(&self, index: Option<u32>) -> impl Iterator<Item = &Shared> {
        let start = index.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let numbers = self.by_index.range((start, std::ops::Bound::Unbounded));
        numbers.filter_map(|(_, content)| self.files.get(content)).filter(|file| file.is_whole())
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }
}
