//! Hashing one piece while its bytes pass by, in one pass for v1 (SHA-1 of the piece, BEP 3), v2 (SHA-256 of each
//! 16 KiB block, then a tree, BEP 52) and both.
//!
//! The `sha1` and `sha2` crates choose SHA-NI or ARMv8 instructions at run time; the measurement in
//! `examples/pipeline.rs` shows whether they do.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use throng_swarm::BlockDigests;
use throng_wire::merkle::{self, BLOCK_LEN, Hash};

/// What a piece should hash to; a hash that is not known is not compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Expected {
    /// SHA-1 of all its bytes.
    pub v1: Option<[u8; 20]>,
    /// Root over its blocks and the level at which it stands.
    pub v2: Option<(Hash, u32)>,
    /// Bytes that v2 counts: without padding. Zero in v1 content.
    pub v2_len: u32,
}

/// What a piece does hash to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// SHA-1 of all its bytes, if it was wanted.
    pub v1: Option<[u8; 20]>,
    /// SHA-256 of each 16 KiB block; empty in v1 content.
    pub leaves: Vec<Hash>,
}

impl Found {
    /// Whether all hashes that are known agree, and at least one is known.
    pub fn matches(&self, expected: &Expected) -> bool {
        let v1 = expected.v1.map(|hash| self.v1 == Some(hash));
        let v2 = expected.v2.map(|(root, level)| merkle::root_at(&self.leaves, 0, level) == root);
        v1.or(v2).is_some() && v1 != Some(false) && v2 != Some(false)
    }
}

/// Hashes the bytes of one piece, given in any portions.
#[derive(Debug)]
pub struct PieceHasher {
    sha1: Option<Sha1>,
    block: Sha256,
    /// Bytes in the current block.
    filled: u32,
    /// Bytes v2 still counts.
    left: u32,
    leaves: Vec<Hash>,
}

impl PieceHasher {
    /// Computes only what can be compared; leaves always where there is a v2 half.
    pub fn new(expected: &Expected) -> PieceHasher {
        PieceHasher::with(expected.v1.is_some(), expected.v2_len)
    }

    /// For making torrents: SHA-1 if `v1`, leaves of the first `v2_len` bytes.
    pub fn with(v1: bool, v2_len: u32) -> PieceHasher {
        PieceHasher {
            sha1: v1.then(Sha1::new),
            block: Sha256::new(),
            filled: 0,
            left: v2_len,
            leaves: Vec::with_capacity(v2_len.div_ceil(BLOCK_LEN) as usize),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // Portion by portion, so that the second hash finds the bytes in the first-level cache.
        for block in bytes.chunks(BLOCK_LEN as usize) {
            if let Some(sha1) = &mut self.sha1 {
                sha1.update(block);
            }
            self.update_leaves(block);
        }
    }

    fn update_leaves(&mut self, bytes: &[u8]) {
        let mut rest = &bytes[..bytes.len().min(self.left as usize)];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min((BLOCK_LEN - self.filled) as usize));
            self.block.update(part);
            self.filled += part.len() as u32;
            self.left -= part.len() as u32;
            if self.filled == BLOCK_LEN || self.left == 0 {
                self.leaves.push(self.block.finalize_reset().into());
                self.filled = 0;
            }
            rest = after;
        }
    }

    /// The hashes.
    pub fn finish(self) -> Found {
        Found { v1: self.sha1.map(|sha1| sha1.finalize().into()), leaves: self.leaves }
    }
}

/// Digests of a piece's blocks, so that the swarm finds who sent a wrong one: the leaves in v2 content, otherwise the
/// first 64 bits of each block's SHA-1.
pub fn block_digests<'a>(found: Found, parts: impl Iterator<Item = &'a [u8]>) -> BlockDigests {
    if !found.leaves.is_empty() {
        return BlockDigests::Leaves(found.leaves.into_boxed_slice());
    }
    // Parts are whole numbers of blocks, but for the last.
    let blocks = parts.flat_map(|part| part.chunks(BLOCK_LEN as usize));
    BlockDigests::Short(blocks.map(short_digest).collect())
}

fn short_digest(block: &[u8]) -> u64 {
    let digest: [u8; 20] = Sha1::digest(block).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    #[test]
    fn both_hashes_are_the_same_however_the_bytes_are_cut() {
        let data = bytes(100_000);
        let v2_len = 70_000;
        let expected = Found {
            v1: Some(Sha1::digest(&data).into()),
            leaves: data[..v2_len].chunks(BLOCK_LEN as usize).map(merkle::leaf).collect(),
        };
        for step in [1_000, 16_384, 65_536, 100_000, 16_383] {
            let mut hasher = PieceHasher::with(true, v2_len as u32);
            data.chunks(step).for_each(|part| hasher.update(part));
            assert_eq!(hasher.finish(), expected, "step {step}");
        }
    }

    #[test]
    fn a_piece_is_right_only_if_every_known_hash_agrees() {
        let data = bytes(40_000);
        let mut hasher = PieceHasher::with(true, 40_000);
        hasher.update(&data);
        let found = hasher.finish();
        let root = merkle::root_at(&found.leaves, 0, 2);
        let right = Expected { v1: found.v1, v2: Some((root, 2)), v2_len: 40_000 };
        assert!(found.matches(&right));
        assert!(found.matches(&Expected { v1: None, ..right }));
        assert!(!found.matches(&Expected { v1: Some([0; 20]), ..right }));
        assert!(!found.matches(&Expected { v2: Some(([0; 32], 2)), ..right }));
        assert!(!found.matches(&Expected { v1: None, v2: None, v2_len: 0 }), "nothing known proves nothing");
    }

    #[test]
    fn block_digests_differ_only_where_blocks_differ() {
        let good = bytes(50_000);
        let mut bad = good.clone();
        bad[20_000] ^= 1;
        let digests = |data: &[u8]| block_digests(Found::default(), data.chunks(32_768));
        let (BlockDigests::Short(good), BlockDigests::Short(bad)) = (digests(&good), digests(&bad)) else {
            panic!("v1 content has short digests")
        };
        let differ: Vec<bool> = good.iter().zip(&bad).map(|(a, b)| a != b).collect();
        assert_eq!(differ, [false, true, false, false]);
    }
}
