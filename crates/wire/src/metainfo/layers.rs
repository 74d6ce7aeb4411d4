//! Piece layers (BEP 52): for each file longer than a piece, the hashes of its pieces, outside the info dictionary.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Layout, MetainfoError};
use crate::bencode::Value;
use crate::merkle::{self, Hash};

/// Piece hashes by pieces root; every layer in here was checked against its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PieceLayers(BTreeMap<Hash, Bytes>);

impl PieceLayers {
    /// No layers, as after a magnet's metadata arrived: they are asked of peers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the `piece layers` dictionary; roots that no file has are left out, missing ones are no error.
    pub(super) fn parse(dict: Value<'_, '_>, layout: &Layout) -> Result<Self, MetainfoError> {
        let entries = dict.as_dict().ok_or(MetainfoError::PieceLayer)?;
        let found: BTreeMap<&[u8], &[u8]> =
            entries.filter_map(|(root, layer)| Some((root, layer.as_bytes()?))).collect();
        let mut layers = Self::new();
        for file in layout.files() {
            let Some(root) = file.pieces_root.filter(|_| has_layer(file.length, layout)) else { continue };
            if let Some(layer) = found.get(root.as_slice()) {
                layers.check_and_insert(root, file.length, layout.piece_length(), layer)?;
            }
        }
        Ok(layers)
    }

    fn check_and_insert(
        &mut self,
        root: Hash,
        length: u64,
        piece: u32,
        layer: &[u8],
    ) -> Result<(), MetainfoError> {
        // Files may share a root; the number of pieces is compared each time, the tree is computed once.
        let known = self.0.contains_key(&root);
        let hashes = merkle::hashes_in(layer).filter(|hashes| {
            hashes.len() as u64 == length.div_ceil(u64::from(piece))
                && (known || leads_to(&root, hashes, piece))
        });
        hashes.ok_or(MetainfoError::PieceLayer)?;
        if !known {
            self.0.insert(root, Bytes::copy_from_slice(layer));
        }
        Ok(())
    }

    /// Takes a layer received from peers for a file of this root and `length`; refused if it does not lead to the
    /// root.
    pub fn insert(
        &mut self,
        root: Hash,
        length: u64,
        layout: &Layout,
        layer: &[u8],
    ) -> Result<(), MetainfoError> {
        self.check_and_insert(root, length, layout.piece_length(), layer)
    }

    /// The piece hashes of the file with this root.
    pub fn layer(&self, root: &Hash) -> Option<&[Hash]> {
        self.0.get(root).and_then(|layer| merkle::hashes_in(layer))
    }

    /// All layers by root, ascending; each a string of 32-byte hashes.
    pub fn iter(&self) -> impl Iterator<Item = (&Hash, &Bytes)> {
        self.0.iter()
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Files whose layer is still to be fetched.
    pub fn missing<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = usize> + 'a {
        layout.files().iter().enumerate().filter_map(|(index, file)| {
            let root = file.pieces_root.filter(|_| has_layer(file.length, layout))?;
            (!self.0.contains_key(&root)).then_some(index)
        })
    }
}

/// Only files longer than one piece have a layer; the others are proved by their root.
pub(super) fn has_layer(length: u64, layout: &Layout) -> bool {
    length > u64::from(layout.piece_length())
}

fn leads_to(root: &Hash, hashes: &[Hash], piece: u32) -> bool {
    merkle::piece_level(piece).is_some_and(|level| merkle::root(hashes, level) == *root)
}
