//! Digests by which two holders find where their copies of a range differ (2.10).
//!
//! A range's records form a tree with sixteen branches a level, one for each hexadecimal digit of the ring key. A
//! node of at most 64 records is a leaf: SHA-256, cut to 128 bits, over their ids and versions in order. A larger one
//! is the hash of its children's. The shape follows from the records alone, so equal stores have equal roots, and
//! nothing of it is kept: a range is hashed when it is asked for.

use super::id::{Locator, Version};
use super::records::Records;
use sha2::{Digest as _, Sha256};
use throng_machine::Instant;
use throng_wire::chord::{Prefix, RingId, own};

/// Records in a leaf at most.
pub(crate) const LEAF: usize = 64;

/// A subtree in a few bytes; of nothing, all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Summary {
    /// Records in it.
    pub count: u32,
    /// Half a SHA-256.
    pub hash: [u8; 16],
}

/// A record and its version: what a leaf is made of.
pub(crate) type Header = (Locator, Version);

/// The records of `(low, high]` whose keys begin with `prefix`, in the order of their ids.
pub(crate) fn headers(
    records: &Records,
    range: (RingId, RingId),
    prefix: Prefix,
    now: Instant,
) -> Vec<Header> {
    let all = records.between(prefix.first(), prefix.last(), now);
    let inside = all.filter(|(id, _)| own(range.0, id.key, range.1));
    inside.map(|(id, stored)| (*id, stored.version)).collect()
}

/// The digest of some headers, sorted, that agree in their first `depth` digits.
pub(crate) fn summary(headers: &[Header], depth: u8) -> Summary {
    if headers.is_empty() {
        return Summary::default();
    }
    let mut hasher = Sha256::new();
    if headers.len() <= LEAF || depth >= Prefix::MAX_LEVEL {
        for (id, version) in headers {
            hasher.update(id.to_bytes());
            hasher.update(version.seq.to_be_bytes());
            hasher.update(version.hash);
        }
    } else {
        for child in children(headers, depth) {
            hasher.update(child.hash);
        }
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize()[..16]);
    Summary { count: u32::try_from(headers.len()).unwrap_or(u32::MAX), hash }
}

/// The digests of the sixteen subtrees below `depth`.
pub(crate) fn children(headers: &[Header], depth: u8) -> [Summary; 16] {
    let mut found = [Summary::default(); 16];
    for group in headers.chunk_by(|a, b| a.0.key.nibble(depth) == b.0.key.nibble(depth)) {
        if let Some((first, _)) = group.first() {
            found[usize::from(first.key.nibble(depth))] = summary(group, depth + 1);
        }
    }
    found
}
