//! File data on the disk: one [`Storage`] a content.
//!
//! Reads and writes are positioned and vectored, whole pieces where possible; no memory maps. Paths are opened beneath
//! the download folder without following links (module `beneath`). Every failure is one line for people and a [`Class`] for
//! the session, which pauses, asks [`Storage::probe`] from time to time, and goes on when the cause is gone.
//!
//! A piece is in [`Storage::stored`] only after all of it was written; pieces that are believed but were not verified
//! in this run are *suspect* and verified before their first byte leaves ([`Storage::read`]).

pub(crate) mod beneath;
mod bitmap;
mod error;
mod files;
mod handles;
mod map;
mod recovery;
#[cfg(test)]
pub(crate) mod tests;

pub use bitmap::AtomicBitmap;
pub use error::{Action, Class, StorageError};
pub use files::{Files, Options, Stamp};
pub use handles::{DEFAULT_OPEN_FILES, HandleCache};
pub use map::{FileMap, Span, UnsafePath};
pub use recovery::Prepared;

use crate::hashing::{Expected, PieceHasher};
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use throng_wire::ids::PieceIndex;
use throng_wire::merkle::Hash;
use throng_wire::metainfo::{Metainfo, MetainfoError, PieceLayers};
use tokio::sync::Notify;

/// Bytes read at once where a piece is read to be hashed: fits a core's second-level cache beside other things.
pub(crate) const READ_CHUNK: usize = 256 * 1024;

/// The stored data of one content, with what its pieces should be.
#[derive(Debug)]
pub struct Storage {
    files: Files,
    metainfo: Arc<Metainfo>,
    /// Piece layers fetched from peers after the metainfo came (BEP 52).
    layers: RwLock<PieceLayers>,
    stored: AtomicBitmap,
    /// Wakes those who wait for a piece.
    news: Notify,
    suspect: AtomicBitmap,
    /// The last failure, so that it is known what to try.
    failure: Mutex<Option<recovery::Failure>>,
}

impl Storage {
    /// Opens a content beneath the folder `root`; no file is touched yet. With [`Options::trust`] all pieces count as
    /// stored and are verified when first read.
    pub fn open(metainfo: Arc<Metainfo>, root: &Path, options: Options) -> Result<Storage, StorageError> {
        let map = match beneath::open_root(root) {
            Ok(folder) => FileMap::found(&metainfo, &folder),
            // To be made, or to be complained of below.
            Err(_) => FileMap::of(&metainfo),
        };
        Storage::with_map(metainfo, map, root, options)
    }

    /// The same for files that have other names than the torrent gives them.
    pub fn with_map(
        metainfo: Arc<Metainfo>,
        map: FileMap,
        root: &Path,
        options: Options,
    ) -> Result<Storage, StorageError> {
        let pieces = metainfo.info.layout().piece_count();
        let trust = options.trust;
        let storage = Storage {
            files: Files::open(map, root, options)?,
            layers: RwLock::new(metainfo.layers.clone()),
            metainfo,
            stored: AtomicBitmap::new(pieces),
            news: Notify::new(),
            suspect: AtomicBitmap::new(pieces),
            failure: Mutex::new(None),
        };
        if trust {
            (0..pieces).for_each(|piece| storage.believe(piece));
        }
        Ok(storage)
    }

    /// The files themselves.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The torrent.
    pub fn metainfo(&self) -> &Arc<Metainfo> {
        &self.metainfo
    }

    /// The torrent with the piece layers that peers sent.
    pub fn whole_metainfo(&self) -> Arc<Metainfo> {
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner).clone();
        Arc::new(Metainfo { layers, ..(*self.metainfo).clone() })
    }

    /// The pieces that are stored.
    pub fn stored(&self) -> &AtomicBitmap {
        &self.stored
    }

    /// How many pieces there are.
    pub fn piece_count(&self) -> u32 {
        self.metainfo.info.layout().piece_count()
    }

    /// Takes the layer of a file, fetched from peers; refused if it does not lead to the root.
    pub fn insert_layer(&self, root: Hash, layer: &[Hash]) -> Result<(), MetainfoError> {
        let layout = self.metainfo.info.layout();
        let file = layout.files().iter().find(|file| file.pieces_root == Some(root));
        let length = file.ok_or(MetainfoError::PieceLayer)?.length;
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        layers.insert(root, length, layout, layer.as_flattened())
    }

    /// What a piece should hash to.
    pub fn expected(&self, piece: u32) -> Expected {
        let (info, index) = (&self.metainfo.info, PieceIndex(piece));
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        let has_v2 = info.hash_v2().is_some();
        Expected {
            v1: info.v1_piece_hash(index),
            v2: info.v2_piece_hash(&layers, index).filter(|_| has_v2),
            v2_len: if has_v2 { info.layout().v2_piece_len(index) } else { 0 },
        }
    }

    /// Fills `buf` from `offset` of the piece space; waits for the disk, so call it off the network thread. Suspect
    /// pieces are verified first ([`Class::Damaged`] if one is not right; it is then no longer stored).
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), StorageError> {
        for piece in self.pieces_in(offset, buf.len()) {
            self.settle(piece)?;
        }
        self.files.read(offset, buf).inspect_err(|error| self.remember(error))
    }

    /// Fills `buf` if that needs neither the disk nor a verification; `false` means: use [`Storage::read`].
    pub fn read_cached(&self, offset: u64, buf: &mut [u8]) -> bool {
        !self.any_suspect(offset, buf.len()) && self.files.read_cached(offset, buf)
    }

    /// File and offset for `sendfile`, if the bytes lie in one file and are verified; `None` means: read them.
    pub fn locate(&self, offset: u64, len: u32) -> Result<Option<(Arc<File>, u64)>, StorageError> {
        if self.any_suspect(offset, len as usize) {
            return Ok(None);
        }
        self.files.locate(offset, u64::from(len))
    }

    /// Writes a whole piece that was found right, given in parts, and counts it as stored.
    pub fn write_piece(&self, piece: u32, parts: &[&[u8]]) -> Result<(), StorageError> {
        let offset = self.files.map().piece_range(piece).start;
        self.files.write(offset, parts).inspect_err(|error| self.remember(error))?;
        self.suspect.remove(piece);
        self.stored.insert(piece);
        self.news.notify_waiters();
        Ok(())
    }

    /// Counts a piece as stored on somebody's word; it is verified when first read.
    pub fn believe(&self, piece: u32) {
        self.suspect.insert(piece);
        self.stored.insert(piece);
    }

    /// Counts a piece as stored because it was verified.
    pub fn confirm(&self, piece: u32) {
        self.stored.insert(piece);
        self.suspect.remove(piece);
        self.news.notify_waiters();
    }

    /// Waits until a piece is stored.
    pub async fn until_stored(&self, piece: u32) {
        loop {
            let mut news = pin!(self.news.notified());
            // Before looking, so that none comes between.
            news.as_mut().enable();
            if self.stored.contains(piece) {
                return;
            }
            news.await;
        }
    }

    /// Counts a piece as not stored.
    pub fn lose(&self, piece: u32) {
        self.stored.remove(piece);
        self.suspect.remove(piece);
    }

    /// Whether a piece is to be verified before it is read.
    pub fn is_suspect(&self, piece: u32) -> bool {
        self.suspect.contains(piece)
    }

    /// Reads a piece from the disk and compares it with its hashes; `scratch` is memory to read into.
    pub fn verify_piece(&self, piece: u32, scratch: &mut [u8]) -> Result<bool, StorageError> {
        let expected = self.expected(piece);
        let range = self.files.map().piece_range(piece);
        let mut hasher = PieceHasher::new(&expected);
        let (mut at, step) = (range.start, scratch.len().max(1) as u64);
        while at < range.end {
            let part = &mut scratch[..step.min(range.end - at) as usize];
            self.files.read(at, part)?;
            hasher.update(part);
            at += part.len() as u64;
        }
        Ok(hasher.finish().matches(&expected))
    }

    /// The SHA-256 hashes of a stored piece's 16 KiB blocks (BEP 52); empty in v1 content.
    pub fn leaf_hashes(&self, piece: u32) -> Result<Vec<Hash>, StorageError> {
        let start = self.files.map().piece_range(piece).start;
        let length = u64::from(self.expected(piece).v2_len);
        let mut leaves = Vec::new();
        let mut block = [0; throng_wire::merkle::BLOCK_LEN as usize];
        let mut at = 0;
        while at < length {
            let part = &mut block[..(length - at).min(u64::from(throng_wire::merkle::BLOCK_LEN)) as usize];
            self.read(start + at, part)?;
            leaves.push(throng_wire::merkle::leaf(part));
            at += part.len() as u64;
        }
        Ok(leaves)
    }

    fn settle(&self, piece: u32) -> Result<(), StorageError> {
        if !self.suspect.contains(piece) {
            return Ok(());
        }
        let verified = self.verify_piece(piece, &mut vec![0; READ_CHUNK]);
        if verified.inspect_err(|error| self.remember(error))? {
            self.suspect.remove(piece);
            return Ok(());
        }
        // Still suspect: a read that was asked for before the piece was found out must not get past this.
        self.stored.remove(piece);
        let file =
            self.files.map().spans(self.files.map().piece_range(piece).start, 1).find_map(|span| span.file);
        Err(StorageError::of(Class::Damaged, Action::Read, &self.files.path(file.unwrap_or(0))))
    }

    /// The pieces with bytes in a run of the piece space; none beyond the last.
    pub(crate) fn pieces_in(&self, offset: u64, len: usize) -> RangeInclusive<u32> {
        let piece = u64::from(self.metainfo.info.layout().piece_length());
        let last = offset.saturating_add((len as u64).saturating_sub(1)) / piece;
        let bound = |piece: u64| u32::try_from(piece).unwrap_or(u32::MAX).min(self.piece_count());
        bound(offset / piece)..=bound(last)
    }

    fn any_suspect(&self, offset: u64, len: usize) -> bool {
        self.pieces_in(offset, len).any(|piece| self.suspect.contains(piece))
    }
}
