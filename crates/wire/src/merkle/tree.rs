//! Building: a running root in constant memory, and a kept tree for answering peers.

use super::{Hash, HashRange, levels, pad, parent};

/// A root computed while hashes arrive, in memory for one hash a level.
#[derive(Debug, Clone)]
pub struct Accumulator {
    base: u32,
    count: u64,
    /// As in a binary counter: entry n is the root of a full subtree where bit n of `count` is set.
    full: Vec<Hash>,
}

impl Accumulator {
    /// For hashes that stand at level `base`.
    pub fn new(base: u32) -> Self {
        Self { base, count: 0, full: Vec::new() }
    }

    /// Hashes taken so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes the next hash.
    pub fn push(&mut self, hash: Hash) {
        let mut node = hash;
        let carries = self.count.trailing_ones() as usize;
        for below in self.full.iter().take(carries) {
            node = parent(below, &node);
        }
        match self.full.get_mut(carries) {
            Some(entry) => *entry = node,
            None => self.full.push(node),
        }
        self.count += 1;
    }

    /// Root at the lowest level that spans all hashes taken.
    pub fn root(&self) -> Hash {
        self.root_at(self.base + levels(self.count))
    }

    /// Root at level `top`, padded; a level too low to span all hashes is raised to the lowest that does.
    pub fn root_at(&self, top: u32) -> Hash {
        let top = top.max(self.base + levels(self.count));
        let (mut node, mut padding) = (None, pad(self.base));
        for level in 0..=top - self.base {
            let full =
                (self.count.checked_shr(level).unwrap_or(0) & 1 == 1).then(|| self.full[level as usize]);
            if level == top - self.base {
                return full.or(node).unwrap_or(padding);
            }
            node = match (full, node) {
                (Some(left), right) => Some(parent(&left, &right.unwrap_or(padding))),
                (None, Some(left)) => Some(parent(&left, &padding)),
                (None, None) => None,
            };
            padding = parent(&padding, &padding);
        }
        padding
    }
}

/// All nodes above one row of hashes: twice the memory of the row, any proof without hashing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    base: u32,
    /// From the row given up to the root; pads on the right are not stored.
    rows: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over `row`, whose hashes stand at level `base`, up to the lowest level that spans it.
    pub fn new(row: &[Hash], base: u32) -> Self {
        Self::with_top(row, base, base)
    }

    /// The tree over `row` up to level `top`, or higher where the row needs it (the blocks of a last, short piece).
    pub fn with_top(row: &[Hash], base: u32, top: u32) -> Self {
        let top = top.max(base + levels(row.len() as u64));
        let (mut rows, mut padding) = (vec![row.to_vec()], pad(base));
        for below in 0..(top - base) as usize {
            let above = rows[below].chunks(2).map(|pair| parent(&pair[0], pair.get(1).unwrap_or(&padding)));
            let above = above.collect();
            padding = parent(&padding, &padding);
            rows.push(above);
        }
        Self { base, rows }
    }

    /// Level of the row it was built from.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// Level of the root.
    pub fn top(&self) -> u32 {
        self.base + self.rows.len() as u32 - 1
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.node(self.top(), 0).unwrap_or_else(|| pad(self.top()))
    }

    /// The nodes of `level` without pads; empty outside the tree.
    pub fn row(&self, level: u32) -> &[Hash] {
        let row = level.checked_sub(self.base).and_then(|row| self.rows.get(row as usize));
        row.map_or(&[], Vec::as_slice)
    }

    /// One node; behind the end of the file its pad; `None` outside the tree.
    pub fn node(&self, level: u32, index: u64) -> Option<Hash> {
        if level < self.base || level > self.top() || index >> (self.top() - level) != 0 {
            return None;
        }
        let stored = usize::try_from(index).ok().and_then(|index| self.row(level).get(index));
        Some(stored.copied().unwrap_or_else(|| pad(level)))
    }

    /// The answer to a hash request: the hashes asked for, then the uncles from the bottom up. `None` where the range
    /// is not wholly in this tree or begins behind the end of the file.
    pub fn prove(&self, range: HashRange) -> Option<Vec<Hash>> {
        let mut hashes = self.span(range)?;
        for (level, index) in range.uncles() {
            hashes.push(self.node(level, index)?);
        }
        Some(hashes)
    }

    /// The same for a range below this tree's row: `piece` is the tree of the one piece it lies in (built with
    /// [`Tree::with_top`] up to this tree's base), number `piece_index`. The upper uncles come from this tree.
    pub fn prove_below(&self, piece: &Tree, piece_index: u32, range: HashRange) -> Option<Vec<Hash>> {
        let width = 1u32.checked_shl(self.base.checked_sub(range.level())?)?;
        let first = piece_index.checked_mul(width)?;
        if piece.top() != self.base || range.length() > width {
            return None;
        }
        let inside = HashRange::new(range.level(), range.index().checked_sub(first)?, range.length(), 0)?;
        let mut hashes = piece.span(inside)?;
        for (level, index) in range.uncles() {
            hashes.push(if level < self.base {
                piece.node(level, index - (u64::from(first) >> (level - range.level())))?
            } else {
                self.node(level, index)?
            });
        }
        Some(hashes)
    }

    fn span(&self, range: HashRange) -> Option<Vec<Hash>> {
        let (first, length) = (u64::from(range.index()), u64::from(range.length()));
        if first >= self.row(range.level()).len() as u64 {
            return None;
        }
        (first..first + length).map(|index| self.node(range.level(), index)).collect()
    }
}
