//! Pieces on their way: where received bytes are put, and what becomes of whole pieces.
//!
//! A piece is in one of three places: here while it is received, with a worker while it is hashed and written, on the
//! disk. A rejected piece comes back here, so that single blocks can be fetched again; it remembers that it was
//! rejected until it is right, even if its bytes are dropped, since its digests are wanted then.

use super::buffer::{ChunkPool, PieceBuffer};
use super::digest::{PieceHasher, block_digests};
use super::workers::Workers;
use crate::storage::{Storage, StorageError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use throng_machine::{ContentId, Extent};
use throng_swarm::BlockDigests;

/// Settings of an [`Assembly`].
#[derive(Clone, Copy, Debug)]
pub struct AssemblyOptions {
    /// Threads that hash and write; default 0: one a core.
    pub workers: usize,
    /// Bytes of pieces in memory beyond which [`Assembly::is_full`]; default 32 MiB, half of what the whole program
    /// should need.
    pub budget: usize,
}

impl Default for AssemblyOptions {
    fn default() -> Self {
        AssemblyOptions { workers: 0, budget: 32 << 20 }
    }
}

/// What came of a complete piece.
#[derive(Debug)]
pub enum Outcome {
    /// It is right and stored; with the digests of its blocks if it was rejected before.
    Verified(Option<BlockDigests>),
    /// It is wrong. Its bytes are kept until [`Assembly::drop_piece`].
    Rejected(BlockDigests),
    /// It is right but could not be stored; its bytes are gone.
    Failed(StorageError),
}

/// A complete piece was dealt with.
#[derive(Debug)]
pub struct Completion {
    /// The content.
    pub content: ContentId,
    /// The piece.
    pub piece: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// Bytes for a content that is not open, or not within one piece of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bytes that belong nowhere")]
pub struct Misplaced;

/// What a worker hands back.
struct Done {
    completion: Completion,
    buffer: Option<PieceBuffer>,
}

/// Wakes the network thread, once for all that is done since it last looked.
struct Bell {
    rung: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// The table of pieces being received; belongs to one thread.
pub struct Assembly {
    contents: BTreeMap<ContentId, Arc<Storage>>,
    receiving: BTreeMap<(ContentId, u32), PieceBuffer>,
    hashing: BTreeSet<(ContentId, u32)>,
    rejected: BTreeSet<(ContentId, u32)>,
    pool: Arc<ChunkPool>,
    workers: Arc<Workers>,
    bell: Arc<Bell>,
    sender: mpsc::Sender<Done>,
    receiver: mpsc::Receiver<Done>,
}

impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces = (self.receiving.len(), self.hashing.len());
        f.debug_struct("Assembly")
            .field("receiving, hashing", &pieces)
            .field("memory", &self.pool.status())
            .finish()
    }
}

impl Assembly {
    /// Starts the workers. `wake` is called from their threads when [`Assembly::poll`] has something to give.
    pub fn new(
        options: AssemblyOptions,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Assembly> {
        let (sender, receiver) = mpsc::channel();
        Ok(Assembly {
            contents: BTreeMap::new(),
            receiving: BTreeMap::new(),
            hashing: BTreeSet::new(),
            rejected: BTreeSet::new(),
            pool: ChunkPool::new(options.budget),
            workers: Arc::new(Workers::new(options.workers)?),
            bell: Arc::new(Bell { rung: AtomicBool::new(false), wake: Box::new(wake) }),
            sender,
            receiver,
        })
    }

    /// Opens a content for pieces.
    pub fn add(&mut self, content: ContentId, storage: Arc<Storage>) {
        self.contents.insert(content, storage);
    }

    /// Forgets a content and what was received of it; pieces already with a worker are still stored.
    pub fn remove(&mut self, content: ContentId) -> Option<Arc<Storage>> {
        let pieces = (content, 0)..=(content, u32::MAX);
        self.receiving.extract_if(pieces.clone(), |_, _| true).for_each(drop);
        self.hashing.retain(|key| !pieces.contains(key));
        self.rejected.retain(|key| !pieces.contains(key));
        self.contents.remove(&content)
    }

    /// The storage of a content.
    pub fn storage(&self, content: ContentId) -> Option<&Arc<Storage>> {
        self.contents.get(&content)
    }

    /// Threads for other work that must not hold up the network, such as reading from a cold disk.
    pub fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// The memory of pieces.
    pub fn pool(&self) -> &Arc<ChunkPool> {
        &self.pool
    }

    /// Whether no more should be received until some pieces are done.
    pub fn is_full(&self) -> bool {
        self.pool.is_exhausted()
    }

    /// Copies received bytes into their piece; those of a piece that is already whole are ignored.
    pub fn place(&mut self, extent: Extent, bytes: &[u8]) -> Result<(), Misplaced> {
        let storage = self.contents.get(&extent.content).ok_or(Misplaced)?;
        let length = u64::from(storage.metainfo().info.layout().piece_length());
        let piece = u32::try_from(extent.offset / length).map_err(|_| Misplaced)?;
        let key = (extent.content, piece);
        let begin = (extent.offset % length) as usize;
        if let Some(buffer) = self.receiving.get_mut(&key) {
            return if buffer.put(begin, bytes) { Ok(()) } else { Err(Misplaced) };
        }
        if self.hashing.contains(&key) || storage.stored().contains(piece) {
            return Ok(());
        }
        let mut buffer = new_buffer(&self.pool, storage, piece);
        if !buffer.put(begin, bytes) {
            return Err(Misplaced);
        }
        self.receiving.insert(key, buffer);
        Ok(())
    }

    /// Every block of the piece has been placed: it is hashed and, if right, written.
    pub fn complete(&mut self, content: ContentId, piece: u32) -> Result<(), Misplaced> {
        let key = (content, piece);
        let storage =
            self.contents.get(&content).filter(|storage| piece < storage.piece_count()).ok_or(Misplaced)?;
        if !self.hashing.insert(key) {
            return Ok(());
        }
        let buffer = self.receiving.remove(&key).unwrap_or_else(|| new_buffer(&self.pool, storage, piece));
        let job = Job { key, storage: storage.clone(), buffer, digests: self.rejected.contains(&key) };
        let (sender, bell) = (self.sender.clone(), self.bell.clone());
        self.workers.spawn(move || {
            // The receiver is gone only if the network thread is: nobody is left to be told.
            let _ = sender.send(job.run());
            bell.ring();
        });
        Ok(())
    }

    /// The bytes received for a piece are of no more use.
    pub fn drop_piece(&mut self, content: ContentId, piece: u32) {
        self.receiving.remove(&(content, piece));
    }

    /// The next piece that was dealt with; to be called until `None` after a wake.
    pub fn poll(&mut self) -> Option<Completion> {
        loop {
            let done = match self.receiver.try_recv() {
                Ok(done) => done,
                // Silence the bell, then look again: what came in between did not ring.
                Err(_) if self.bell.rung.swap(false, Ordering::SeqCst) => continue,
                Err(_) => return None,
            };
            if let Some(completion) = self.settle(done) {
                return Some(completion);
            }
        }
    }

    /// Pieces with workers.
    pub fn pending(&self) -> usize {
        self.hashing.len()
    }

    /// Waits until the workers are done, as at the end of the program; [`Assembly::poll`] tells what came of it.
    pub fn wait(&self) {
        self.workers.wait();
    }

    fn settle(&mut self, done: Done) -> Option<Completion> {
        let Completion { content, piece, outcome } = &done.completion;
        let key = (*content, *piece);
        // Not there: the content was removed meanwhile.
        if !self.hashing.remove(&key) {
            return None;
        }
        match outcome {
            Outcome::Verified(_) => _ = self.rejected.remove(&key),
            Outcome::Rejected(_) => {
                self.rejected.insert(key);
                self.receiving.extend(done.buffer.map(|buffer| (key, buffer)));
            }
            Outcome::Failed(_) => {}
        }
        Some(done.completion)
    }
}

fn new_buffer(pool: &Arc<ChunkPool>, storage: &Storage, piece: u32) -> PieceBuffer {
    let range = storage.files().map().piece_range(piece);
    PieceBuffer::new(pool, (range.end - range.start) as u32)
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}

struct Job {
    key: (ContentId, u32),
    storage: Arc<Storage>,
    buffer: PieceBuffer,
    digests: bool,
}

impl Job {
    fn run(mut self) -> Done {
        let (content, piece) = self.key;
        self.fill_padding();
        let expected = self.storage.expected(piece);
        let mut hasher = PieceHasher::new(&expected);
        self.buffer.parts().for_each(|part| hasher.update(part));
        let found = hasher.finish();
        if !found.matches(&expected) {
            let outcome = Outcome::Rejected(block_digests(found, self.buffer.parts()));
            return Done { completion: Completion { content, piece, outcome }, buffer: Some(self.buffer) };
        }
        let parts: Vec<&[u8]> = self.buffer.parts().collect();
        let outcome = match self.storage.write_piece(piece, &parts) {
            Err(error) => Outcome::Failed(error),
            Ok(()) => Outcome::Verified(self.digests.then(|| block_digests(found, parts.into_iter()))),
        };
        Done { completion: Completion { content, piece, outcome }, buffer: None }
    }

    /// Padding is never asked for: it is zeros, whatever was in the memory before.
    fn fill_padding(&mut self) {
        let map = self.storage.files().map();
        let range = map.piece_range(self.key.1);
        let mut at = 0;
        for span in map.spans(range.start, range.end - range.start) {
            if span.file.is_none() {
                self.buffer.clear(at as usize, span.len as usize);
            }
            at += span.len;
        }
        self.buffer.fill_holes();
    }
}
