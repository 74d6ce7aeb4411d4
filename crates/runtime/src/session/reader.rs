//! Reading a file of a torrent while it is fetched: what the reader waits for, and some of what follows, is fetched first.

use super::{Session, State, TorrentHandle};
use crate::storage::Storage;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use throng_machine::ContentId;

/// So many bytes ahead of a reader are urgent: some seconds of a film, and more than a fast peer has under way.
const AHEAD: u64 = 8 << 20;
/// The longest part given at once.
const PART: u64 = 256 << 10;
/// Readers of one torrent; the oldest of more are not hurried for.
const MAX_READERS: usize = 32;

/// What the readers of all torrents wait for, the latest reader's first.
#[derive(Default)]
pub(super) struct Readers {
    runs: Mutex<BTreeMap<ContentId, BTreeMap<u64, Range<u32>>>>,
    next: std::sync::atomic::AtomicU64,
}

impl Readers {
    /// A reader waits for these pieces, or for none any more; what all readers of the torrent wait for.
    fn note(&self, content: ContentId, reader: u64, run: Option<Range<u32>>) -> Vec<Range<u32>> {
        let mut all = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(content).or_default();
        match run {
            Some(run) => _ = own.insert(reader, run),
            None => _ = own.remove(&reader),
        }
        let runs: Vec<_> = own.values().rev().take(MAX_READERS).cloned().collect();
        if own.is_empty() {
            all.remove(&content);
        }
        runs
    }
}

/// Reads a part of one file, in order. Dropped, it hurries nobody any more.
pub struct FileReader {
    session: Session,
    torrent: TorrentHandle,
    storage: Arc<Storage>,
    number: u64,
    /// What is left to be read, in the piece space.
    space: Range<u64>,
    urgent: Range<u32>,
}

impl Session {
    /// Reads `range` of a file of a torrent whose storage is open; what lies beyond the file's end is left out. `None` if
    /// there is no such file.
    pub fn read(
        &self,
        torrent: &TorrentHandle,
        storage: &Arc<Storage>,
        file: usize,
        range: Range<u64>,
    ) -> Option<FileReader> {
        let found = storage.metainfo().info.layout().files().get(file)?;
        let bound = |at: u64| found.offset + at.min(found.length);
        Some(FileReader {
            session: self.clone(),
            torrent: torrent.clone(),
            storage: storage.clone(),
            number: self.readers.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            space: bound(range.start)..bound(range.end),
            urgent: 0..0,
        })
    }
}

impl FileReader {
    /// The next part, at most 256 KiB, as soon as it is here; `None` at the end. Fails with one line for people if it
    /// can no longer come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        if self.space.is_empty() {
            return Ok(None);
        }
        let piece_length = u64::from(self.storage.metainfo().info.layout().piece_length());
        let piece = (self.space.start / piece_length) as u32;
        self.hurry(piece, piece_length);
        self.until_stored(piece).await?;
        let end = ((u64::from(piece) + 1) * piece_length).min(self.space.end);
        let part = self.space.start..end.min(self.space.start + PART);
        let (storage, at, len) = (self.storage.clone(), part.start, (part.end - part.start) as usize);
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; len];
            storage.read(at, &mut bytes).map(|()| Bytes::from(bytes))
        });
        let bytes = read.await.map_err(|_| String::from("the program is ending"))?;
        self.space.start = part.end;
        bytes.map(Some).map_err(|error| error.to_string())
    }

    /// Moves what is urgent along; once it has moved by a piece.
    fn hurry(&mut self, piece: u32, piece_length: u64) {
        let last = (self.space.end.min(self.space.start + AHEAD) - 1) / piece_length;
        let urgent = piece..last as u32 + 1;
        if urgent != self.urgent {
            self.urgent = urgent.clone();
            self.tell(Some(urgent));
        }
    }

    fn tell(&self, urgent: Option<Range<u32>>) {
        let runs = self.session.readers.note(self.torrent.content, self.number, urgent);
        self.session.prioritise(&self.torrent, runs);
    }

    async fn until_stored(&self, piece: u32) -> Result<(), String> {
        let mut snapshots = self.torrent.snapshots();
        tokio::select! {
            biased;
            () = self.storage.until_stored(piece) => Ok(()),
            over = snapshots.wait_for(|snapshot| matches!(snapshot.state, State::Failed(_))) => Err(match over {
                Ok(snapshot) => match &snapshot.state {
                    State::Failed(reason) => reason.clone(),
                    _ => String::new(),
                },
                Err(_) => String::from("the torrent was removed, or the session has ended"),
            }),
        }
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        if !self.urgent.is_empty() {
            self.tell(None);
        }
    }
}
