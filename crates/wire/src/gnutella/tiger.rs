//! Tiger trees: leaves of 1 KiB, each hashed with a zero byte before it, nodes with a one (section 11.5).

use tiger::{Digest, Tiger};

/// Bytes a leaf covers.
pub const LEAF: usize = 1_024;

/// A hash of the tree.
pub type Hash = [u8; 24];

/// Hashes a leaf's bytes, at most [`LEAF`] of them.
pub fn leaf(bytes: &[u8]) -> Hash {
    Tiger::new().chain_update([0]).chain_update(bytes).finalize().into()
}

/// Hashes two neighbours.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Tiger::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The level above: a hash without a neighbour goes up unchanged.
pub fn parents(level: &[Hash]) -> Vec<Hash> {
    level.chunks(2).map(|pair| if let [left, right] = pair { node(left, right) } else { pair[0] }).collect()
}

/// The root over a level; of no hash at all, that of the empty file.
pub fn root(level: &[Hash]) -> Hash {
    let mut level = level.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied().unwrap_or_else(|| leaf(&[]))
}

/// Hashes a file from first to last byte, keeping one level of at most so many hashes, for serving and checking.
#[derive(Clone, Debug)]
pub struct TreeHasher {
    leaf: Tiger,
    filled: usize,
    /// Leaves under one kept hash, as a power of two.
    kept_height: u32,
    /// At each height below the kept one, the node that waits for its neighbour.
    waiting: Vec<Option<Hash>>,
    kept: Vec<Hash>,
}

impl TreeHasher {
    /// For a file of so many bytes, whose kept hashes each cover 2^`height` leaves.
    pub fn new(height: u32) -> TreeHasher {
        let kept_height = height.min(40);
        TreeHasher {
            leaf: Tiger::new().chain_update([0]),
            filled: 0,
            kept_height,
            waiting: vec![None; kept_height as usize],
            kept: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(LEAF - self.filled));
            self.leaf.update(now);
            self.filled += now.len();
            if self.filled == LEAF {
                self.end_leaf();
            }
            bytes = later;
        }
    }

    fn end_leaf(&mut self) {
        let leaf = std::mem::replace(&mut self.leaf, Tiger::new().chain_update([0]));
        self.filled = 0;
        let mut hash: Hash = leaf.finalize().into();
        for waiting in &mut self.waiting {
            match waiting.take() {
                Some(left) => hash = node(&left, &hash),
                None => {
                    *waiting = Some(hash);
                    return;
                }
            }
        }
        self.kept.push(hash);
    }

    /// The kept level, from the file's first to its last bytes; one hash for the empty file.
    pub fn finish(mut self) -> Vec<Hash> {
        let empty = self.kept.is_empty() && self.waiting.iter().all(Option::is_none);
        if self.filled > 0 || empty {
            self.end_leaf();
        }
        let mut carried: Option<Hash> = None;
        for waiting in self.waiting {
            carried = match (waiting, carried) {
                (Some(left), Some(right)) => Some(node(&left, &right)),
                (one, other) => one.or(other),
            };
        }
        self.kept.extend(carried);
        self.kept
    }

    /// Leaves under one kept hash, as a power of two.
    pub fn height(&self) -> u32 {
        self.kept_height
    }
}

/// How deep a tree is served for a file of so many bytes, as gtk-gnutella does it: so many levels below the root.
pub fn depth_for(size: u64) -> u32 {
    const STEPS: [(u64, u32); 11] = [
        (256 << 10, 0),
        (512 << 10, 1),
        (1 << 20, 2),
        (2 << 20, 3),
        (4 << 20, 4),
        (8 << 20, 5),
        (16 << 20, 6),
        (32 << 20, 7),
        (64 << 20, 8),
        (256 << 20, 9),
        (1 << 30, 10),
    ];
    STEPS.iter().find(|(below, _)| size < *below).map_or(11, |(_, depth)| *depth)
}

/// Levels above the leaves in a whole tree over so many bytes.
pub fn height_of(size: u64) -> u32 {
    size.div_ceil(LEAF as u64).max(1).next_power_of_two().ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gnutella::base32;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    #[test]
    fn tiger_is_the_original_one() {
        let known: [(&[u8], &str); 3] = [
            (b"", "3293ac630c13f0245f92bbb1766e16167a4e58492dde73f3"),
            (b"abc", "2aab1484e8c158f2bfb8c5ff41b57a525129131c957b5f93"),
            (b"Tiger", "dd00230799f5009fec6debc838bb6a27df2b9d6f110c7937"),
        ];
        known.iter().for_each(|(text, hex)| assert_eq!(HEXLOWER.encode(&Tiger::digest(text)), *hex));
    }

    fn tree(bytes: &[u8]) -> String {
        let mut hasher = TreeHasher::new(0);
        hasher.update(bytes);
        base32(&root(&hasher.finish()))
    }

    #[test]
    fn trees_are_those_of_the_note() {
        assert_eq!(tree(b""), "LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ");
        assert_eq!(tree(&[0]), "VK54ZIEEVTWNAUI5D5RDFIL37LX2IQNSTAXFKSA");
        assert_eq!(tree(b"hello gnutella\n"), "RUXIXXYFJZIL7OIQZQAY5R57W2V2VFUB76SJFWA");
        let sizes = [
            (1_024, "L66Q4YVNAFWVS23X2HJIRA5ZJ7WXR3F26RSASFA"),
            (1_025, "PZMRYHGY6LTBEH63ZWAHDORHSYTLO4LEFUIKHWY"),
            (2_048, "FSINHKGFD6E3PHTXSA5EATMEO7IND3ATJDSH45A"),
            (3_072, "VUGTDEB5E3RVBHJWEPT2LY2O6XHZQFFRGDNZBSQ"),
        ];
        sizes.iter().for_each(|(size, expected)| assert_eq!(tree(&vec![b'A'; *size]), *expected, "{size}"));
    }

    proptest! {
        #[test]
        fn any_kept_level_leads_to_the_same_root(size in 0usize..40_000, height in 0u32..8, step in 1usize..5_000) {
            let bytes: Vec<u8> = (0..size).map(|at| (at * 31 + (at >> 8)) as u8).collect();
            let leaves: Vec<Hash> = bytes.chunks(LEAF).map(leaf).collect();
            let mut hasher = TreeHasher::new(height);
            bytes.chunks(step).for_each(|part| hasher.update(part));
            let kept = hasher.finish();
            prop_assert_eq!(kept.len(), size.div_ceil(LEAF << height).max(1));
            prop_assert_eq!(root(&kept), root(&leaves));
        }
    }
}
