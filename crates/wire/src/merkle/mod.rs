//! Merkle trees of BEP 52: SHA-256 over 16 KiB blocks, padded with zero hashes to a power of two.
//!
//! A *level* counts from the blocks: level 0 holds block hashes, level n the roots of 2ⁿ blocks. The *piece layer* is
//! the level of one hash a piece. What lies behind the end of a file is a zero hash at level 0 and the root of such
//! zeros above it ([`pad`]); trees here never store it.
//!
//! A hash at one level must not pass as one of another, so every check needs the height of the tree, which follows
//! from the file's length and not from what a peer says.

mod proof;
mod tree;

use sha2::{Digest as _, Sha256};

pub use proof::{HashRange, MAX_RANGE};
pub use tree::{Accumulator, Tree};

/// One node of a tree.
pub type Hash = [u8; 32];

/// Bytes below one hash of level 0.
pub const BLOCK_LEN: u32 = 16 * 1024;

/// Greatest height of any tree: a file of 2⁶⁴ bytes has 2⁵⁰ blocks.
pub const MAX_HEIGHT: u32 = 50;

/// Hash of one block of file data; the last block of a file is hashed as short as it is.
pub fn leaf(block: &[u8]) -> Hash {
    Sha256::digest(block).into()
}

/// The node above `left` and `right`.
pub fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut pair = [0; 64];
    pair[..32].copy_from_slice(left);
    pair[32..].copy_from_slice(right);
    Sha256::digest(pair).into()
}

/// The node that stands at `level` for a subtree wholly behind the end of the file (levels above 64 do not occur and
/// give the hash of level 64).
pub fn pad(level: u32) -> Hash {
    (0..level.min(64)).fold([0; 32], |below, _| parent(&below, &below))
}

/// Number of 16 KiB blocks of a file.
pub fn block_count(file_length: u64) -> u64 {
    file_length.div_ceil(u64::from(BLOCK_LEN))
}

/// Height of the tree of a file: level of its root.
pub fn height(file_length: u64) -> u32 {
    levels(block_count(file_length))
}

/// Levels above a row of `count` hashes to its root: the binary logarithm, rounded up.
pub(crate) fn levels(count: u64) -> u32 {
    count.max(1).next_power_of_two().trailing_zeros()
}

/// Level of the piece layer for this piece length, if that is a power of two of at least 16 KiB.
pub fn piece_level(piece_length: u32) -> Option<u32> {
    let valid = piece_length.is_power_of_two() && piece_length >= BLOCK_LEN;
    valid.then(|| piece_length.trailing_zeros() - BLOCK_LEN.trailing_zeros())
}

/// Root over `hashes`, all of `level`; as many pads follow as a power of two needs. No hashes: the pad itself.
pub fn root(hashes: &[Hash], level: u32) -> Hash {
    root_at(hashes, level, level + levels(hashes.len() as u64))
}

/// Root over `hashes` of `level`, padded so that it stands at level `top` (the hash of a last, short piece in a file
/// of several stands as high as the others).
pub fn root_at(hashes: &[Hash], level: u32, top: u32) -> Hash {
    let mut accumulator = Accumulator::new(level);
    hashes.iter().for_each(|hash| accumulator.push(*hash));
    accumulator.root_at(top)
}

/// The piece layer over block hashes: one hash a piece of 2^`piece_level` blocks.
pub fn piece_layer(leaves: &[Hash], piece_level: u32) -> Vec<Hash> {
    let width = 1usize.checked_shl(piece_level).unwrap_or(usize::MAX);
    leaves.chunks(width).map(|piece| root_at(piece, 0, piece_level)).collect()
}

/// The hashes that `bytes` holds one behind the other, without copying; `None` if the last one is cut.
pub fn hashes_in(bytes: &[u8]) -> Option<&[Hash]> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then_some(hashes)
}

#[cfg(test)]
mod tests;
