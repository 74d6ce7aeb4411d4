//! Checking what is stored against a torrent.

use super::parallel::{Control, for_each};
use crate::hashing::PieceHasher;
use crate::storage::{Storage, StorageError};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// What came of checking some pieces.
#[derive(Debug, Default)]
pub struct Checked {
    /// Pieces that are right.
    pub good: Vec<u32>,
    /// Pieces that are missing, wrong or unreadable.
    pub bad: Vec<u32>,
    /// Whether it was cancelled before all were checked.
    pub cancelled: bool,
}

/// What is wrong with stored data; nothing at all if [`Report::is_ok`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Files that are not there.
    pub missing: Vec<PathBuf>,
    /// Files of another size: path, size wanted, size found.
    pub wrong_size: Vec<(PathBuf, u64, u64)>,
    /// Pieces whose data does not match.
    pub bad_pieces: Vec<u32>,
    /// Files with bytes in bad pieces.
    pub affected: Vec<PathBuf>,
    /// Pieces in all.
    pub pieces: u32,
    /// Whether it was cancelled before all were checked.
    pub cancelled: bool,
}

impl Report {
    /// Whether the data is complete and right.
    pub fn is_ok(&self) -> bool {
        let Report { missing, wrong_size, bad_pieces, cancelled, .. } = self;
        missing.is_empty() && wrong_size.is_empty() && bad_pieces.is_empty() && !cancelled
    }
}

/// Reads and hashes `pieces` and notes in the storage which are there.
pub fn check(storage: &Storage, pieces: &[u32], control: Control<'_>) -> Checked {
    let files = storage.files();
    let verdict =
        |piece: u32, reader: &mut super::parallel::Reader<'_>| -> Result<Option<bool>, StorageError> {
            let expected = storage.expected(piece);
            let mut hasher = PieceHasher::new(&expected);
            if reader.hash(files.map().piece_range(piece), &mut hasher).is_err() {
                return Ok(Some(false));
            }
            // Cancelled in its middle, it says nothing.
            let whole = !control.cancel.load(Ordering::Relaxed);
            Ok(whole.then(|| hasher.finish().matches(&expected)))
        };
    let results = for_each(files, pieces, control, verdict).unwrap_or_default();
    let mut checked = Checked { cancelled: control.cancel.load(Ordering::Relaxed), ..Checked::default() };
    for (piece, verdict) in results {
        match verdict {
            Some(true) => {
                // What was read may be in memory alone, written by a process that was killed: save it before it counts.
                let range = files.map().piece_range(piece);
                let spans = files.map().spans(range.start, range.end - range.start);
                files.mark_dirty(&spans.filter_map(|span| span.file).collect::<Vec<_>>());
                storage.confirm(piece);
                checked.good.push(piece);
            }
            Some(false) => {
                storage.lose(piece);
                checked.bad.push(piece);
            }
            None => {}
        }
    }
    storage.note_sizes();
    checked
}

/// Checks everything, and names the files that are not as they should be.
pub fn verify(storage: &Storage, control: Control<'_>) -> Report {
    let pieces: Vec<u32> = (0..storage.piece_count()).collect();
    let checked = check(storage, &pieces, control);
    let files = storage.files();
    let mut report = Report {
        bad_pieces: checked.bad,
        pieces: storage.piece_count(),
        cancelled: checked.cancelled,
        ..Report::default()
    };
    for (index, file) in files.map().stored() {
        match files.stamp(index) {
            None => report.missing.push(files.path(index)),
            Some(stamp) if stamp.size != file.length => {
                report.wrong_size.push((files.path(index), file.length, stamp.size));
            }
            Some(_) => {}
        }
    }
    let mut affected = BTreeSet::new();
    for &piece in &report.bad_pieces {
        let range = files.map().piece_range(piece);
        affected.extend(files.map().spans(range.start, range.end - range.start).filter_map(|span| span.file));
    }
    report.affected = affected.into_iter().map(|file| files.path(file)).collect();
    report
}
