//! Hash requests (BEP 52): which hashes a range needs, and what an answer proves.
//!
//! An answer holds `length` hashes of one level and, from the bottom up, the sibling of each ancestor ("uncles").
//! `proof_layers` counts layers from the first above the base; those that follow from the hashes themselves are not
//! sent, so `proof_layers + 1 - log2(length)` uncles are.

use super::{Hash, MAX_HEIGHT, parent};

/// Most hashes asked for at once. BEP 52 wants 512 supported; 8,192 (256 KiB) is what libtorrent accepts.
pub const MAX_RANGE: u32 = 8_192;

/// A well-formed range of hashes of one level, with the depth of proof asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRange {
    level: u32,
    index: u32,
    length: u32,
    proof_layers: u32,
}

impl HashRange {
    /// `None` unless `length` is a power of two from 2 to [`MAX_RANGE`], `index` a multiple of it, and the levels are
    /// within [`MAX_HEIGHT`].
    pub fn new(level: u32, index: u32, length: u32, proof_layers: u32) -> Option<Self> {
        let aligned = length.is_power_of_two() && length >= 2 && index.is_multiple_of(length);
        let bounded = length <= MAX_RANGE
            && level <= MAX_HEIGHT
            && proof_layers <= MAX_HEIGHT
            && index.checked_add(length).is_some();
        (aligned && bounded).then_some(Self { level, index, length, proof_layers })
    }

    /// The range with just the proof that leads to the root of a tree of this `height`; `None` where the range does
    /// not fit below it.
    pub fn to_root(level: u32, index: u32, length: u32, height: u32) -> Option<Self> {
        let layers = height.checked_sub(level)?.checked_sub(1)?;
        let range = Self::new(level, index, length, layers)?;
        (range.reaches().0 == height && range.reaches().1 == 0).then_some(range)
    }

    /// Level of the hashes asked for.
    pub fn level(self) -> u32 {
        self.level
    }

    /// First hash.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Number of hashes.
    pub fn length(self) -> u32 {
        self.length
    }

    /// Layers of proof, counted as on the wire.
    pub fn proof_layers(self) -> u32 {
        self.proof_layers
    }

    /// Uncle hashes that follow the hashes.
    pub fn uncle_count(self) -> u32 {
        (self.proof_layers + 1).saturating_sub(self.length.trailing_zeros())
    }

    /// Hashes in the whole answer.
    pub fn answer_len(self) -> usize {
        (self.length + self.uncle_count()) as usize
    }

    /// Level and index of the ancestor an answer leads to.
    pub fn reaches(self) -> (u32, u64) {
        let up = self.length.trailing_zeros() + self.uncle_count();
        (self.level + up, u64::from(self.index) >> up)
    }

    /// Level and index of each uncle, from the bottom up.
    pub fn uncles(self) -> impl Iterator<Item = (u32, u64)> {
        let own = self.length.trailing_zeros();
        (own..own + self.uncle_count()).map(move |up| (self.level + up, (u64::from(self.index) >> up) ^ 1))
    }

    /// The ancestor (at [`Self::reaches`]) that follows from `answer`; `None` if the number of hashes is wrong.
    pub fn fold(self, answer: &[Hash]) -> Option<Hash> {
        if answer.len() != self.answer_len() {
            return None;
        }
        let (hashes, uncles) = answer.split_at(self.length as usize);
        let mut node = super::root(hashes, 0);
        for (uncle, (_, index)) in uncles.iter().zip(self.uncles()) {
            node = if index & 1 == 0 { parent(uncle, &node) } else { parent(&node, uncle) };
        }
        Some(node)
    }

    /// Whether `answer` belongs to the tree of this `root` and `height` at the place this range names.
    pub fn verify(self, answer: &[Hash], root: &Hash, height: u32) -> bool {
        self.reaches() == (height, 0) && self.fold(answer).as_ref() == Some(root)
    }
}
