//! Work on all pieces by all cores, in the order of the disk.

use crate::hashing::PieceHasher;
use crate::storage::{Files, READ_CHUNK, StorageError};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Bytes a thread takes at a time: long enough for a disk to be read in order by several threads.
const BATCH: u64 = 4 << 20;
/// A read ahead for less than this is not worth its call.
const LEAST_AHEAD: u64 = 128 * 1024;

/// How long work is watched and stopped.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Called by any thread after every few hundred KiB with the bytes done and to be done.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// Set it to stop; the work ends within some MiB.
    pub cancel: &'a AtomicBool,
    /// Threads; 0 means one a core.
    pub threads: usize,
}

impl fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("cancel", &self.cancel)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

static NEVER: AtomicBool = AtomicBool::new(false);

impl Default for Control<'_> {
    fn default() -> Self {
        Control { progress: &|_, _| (), cancel: &NEVER, threads: 0 }
    }
}

/// One thread's tools.
pub(super) struct Reader<'a> {
    files: &'a Files,
    control: Control<'a>,
    done: &'a AtomicU64,
    total: u64,
    scratch: Vec<u8>,
}

impl Reader<'_> {
    /// Reads a range of piece space into a hasher.
    pub(super) fn hash(&mut self, range: Range<u64>, hasher: &mut PieceHasher) -> Result<(), StorageError> {
        let mut at = range.start;
        while at < range.end && !self.control.cancel.load(Ordering::Relaxed) {
            let part = &mut self.scratch[..(READ_CHUNK as u64).min(range.end - at) as usize];
            self.files.read(at, part)?;
            hasher.update(part);
            at += part.len() as u64;
            let done = self.done.fetch_add(part.len() as u64, Ordering::Relaxed) + part.len() as u64;
            (self.control.progress)(done, self.total);
        }
        Ok(())
    }
}

/// Runs `work` on each of `pieces` by all threads; the results in the order of the pieces. Ends early with what is
/// done when `work` says `Err` or the control says stop.
pub(super) fn for_each<T: Send, E: Send>(
    files: &Files,
    pieces: &[u32],
    control: Control<'_>,
    work: impl Fn(u32, &mut Reader<'_>) -> Result<T, E> + Sync,
) -> Result<Vec<(u32, T)>, E> {
    let map = files.map();
    let total = pieces.iter().map(|&piece| map.piece_range(piece)).map(|range| range.end - range.start).sum();
    let (next, done, failed) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let step = (BATCH / u64::from(map.layout().piece_length())).max(1) as usize;
    let stopped = || control.cancel.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
    let threads = if control.threads == 0 { crate::hashing::cores() } else { control.threads };
    let threads = threads.min(pieces.len().div_ceil(step)).max(1);
    let run = || {
        let mut reader = Reader { files, control, done: &done, total, scratch: vec![0; READ_CHUNK] };
        let mut results = Vec::new();
        loop {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            let at = |batch: usize| pieces.chunks(step).nth(batch).unwrap_or_default();
            if at(batch).is_empty() || stopped() {
                return Ok(results);
            }
            read_ahead(files, at(batch + threads));
            for &piece in at(batch) {
                if stopped() {
                    break;
                }
                results.push((
                    piece,
                    work(piece, &mut reader).inspect_err(|_| failed.store(true, Ordering::Relaxed))?,
                ));
            }
        }
    };
    let results: Vec<Result<Vec<(u32, T)>, E>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let own = run();
        let joined = others.into_iter().filter_map(|thread| thread.join().ok());
        std::iter::once(own).chain(joined).collect()
    });
    let mut all: Vec<(u32, T)> =
        results.into_iter().collect::<Result<Vec<_>, E>>()?.into_iter().flatten().collect();
    all.sort_unstable_by_key(|(piece, _)| *piece);
    Ok(all)
}

/// Asks the system to read what will be needed soon.
fn read_ahead(files: &Files, pieces: &[u32]) {
    let (Some(&first), Some(&last)) = (pieces.first(), pieces.last()) else { return };
    let (start, end) = (files.map().piece_range(first).start, files.map().piece_range(last).end);
    for span in files.map().spans(start, end - start) {
        if let Some(file) = span.file.filter(|_| span.len >= LEAST_AHEAD) {
            files.read_ahead(file, span.offset, span.len);
        }
    }
}
