//! Deciding which saved pieces to believe after a restart, and which to look at.
//!
//! After an end in order a file must be as it was saved, to the nanosecond. After any other end a file that was still
//! being written may have changed after the last checkpoint, but not much later than that and never backwards; a file
//! that was complete must be as it was. Whatever does not fit is checked piece by piece, unless it is a hole.

use super::database::{Progress, Resume, ResumeError, SavedFile};
use crate::storage::{AtomicBitmap, Stamp, Storage};
use std::collections::BTreeMap;

/// How long after the last checkpoint our own writes may have happened. Checkpoints are seconds apart; a slow disk may
/// delay one, and beyond this the file is checked again.
const LATEST_WRITE: i64 = 120 * 1_000_000_000;

/// What is known when a torrent begins again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Restored {
    /// How many pieces are believed; [`Storage::stored`] has them.
    pub believed: u32,
    /// Pieces that have data but are not vouched for: check them ([`crate::create::check`]).
    pub recheck: Vec<u32>,
    /// Files that changed or vanished since they were saved, by index.
    pub changed: Vec<usize>,
}

impl Resume {
    /// Sets which pieces of `storage` are stored, from what was saved under this name, and notes that the torrent is in
    /// use. A torrent never seen gives those pieces to check that have data. Until [`Resume::finish`] is called, an
    /// end counts as a crash.
    pub fn restore(&mut self, info_hash: &[u8], storage: &Storage) -> Result<Restored, ResumeError> {
        let progress = self.progress(info_hash)?.unwrap_or_default();
        let restored = believe(storage, &progress);
        storage.note_sizes();
        self.begin(info_hash, storage)?;
        Ok(restored)
    }
}

fn believe(storage: &Storage, progress: &Progress) -> Restored {
    let saved = AtomicBitmap::new(storage.piece_count());
    saved.insert_bytes(&progress.pieces);
    let stamps: BTreeMap<usize, Stamp> =
        progress.files.iter().map(|&SavedFile { file, stamp }| (file, stamp)).collect();
    let changed = changed_files(storage, progress, &saved, &stamps);
    let mut restored = Restored::default();
    for piece in 0..storage.piece_count() {
        if saved.contains(piece) && !touches(storage, piece, &changed) {
            storage.confirm(piece);
            restored.believed += 1;
        } else if !storage.stored().contains(piece) && has_data(storage, piece) {
            restored.recheck.push(piece);
        }
    }
    restored.changed = changed;
    restored
}

/// Files with saved pieces that are not what they were.
fn changed_files(
    storage: &Storage,
    progress: &Progress,
    saved: &AtomicBitmap,
    stamps: &BTreeMap<usize, Stamp>,
) -> Vec<usize> {
    let pieces = |file| storage.metainfo().info.layout().piece_range(file);
    let latest = progress.saved_at.saturating_add(LATEST_WRITE);
    let unchanged = |file: usize| {
        let (Some(now), Some(then)) = (storage.files().stamp(file), stamps.get(&file)) else { return false };
        let complete = pieces(file).all(|piece| saved.contains(piece));
        match progress.clean || complete {
            true => now == *then,
            false => now.size >= then.size && (then.modified..=latest).contains(&now.modified),
        }
    };
    let relevant = |file: &usize| pieces(*file).any(|piece| saved.contains(piece));
    let stored = storage.files().map().stored().map(|(file, _)| file);
    stored.filter(relevant).filter(|&file| !unchanged(file)).collect()
}

fn touches(storage: &Storage, piece: u32, sorted_files: &[usize]) -> bool {
    let map = storage.files().map();
    let range = map.piece_range(piece);
    let mut files = map.spans(range.start, range.end - range.start).filter_map(|span| span.file);
    files.any(|file| sorted_files.binary_search(&file).is_ok())
}

/// Whether any byte of the piece was ever written.
fn has_data(storage: &Storage, piece: u32) -> bool {
    let map = storage.files().map();
    let range = map.piece_range(piece);
    let mut spans = map.spans(range.start, range.end - range.start);
    spans.any(|span| span.file.is_some_and(|file| storage.files().has_data(file, span.offset, span.len)))
}
