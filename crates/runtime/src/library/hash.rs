//! Every hash that any system needs, in one pass over a file.
//!
//! Two threads share a large file: one makes the hashes that torrents need (v1 pieces, v2 tree), the other those that
//! name whole files (SHA-1, tiger tree, FTHash). Of a small one a second thread costs more than it saves.

use crate::create::CreateError;
use crate::storage::Stamp;
use sha1::{Digest as _, Sha1};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use throng_wire::fasttrack::FtHasher;
use throng_wire::gnutella::tiger::{self, TreeHasher};
use throng_wire::merkle::{self, Hash};

/// Bytes read at once; whole 16 KiB blocks.
const CHUNK: usize = 1 << 20;
/// Chunks between the two threads of a large file.
const AHEAD: usize = 4;
/// From here on a file is large.
const LARGE: u64 = 8 << 20;
/// Zeros that fill a last piece.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// All hashes of one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileHashes {
    /// Bytes.
    pub size: u64,
    /// SHA-1 of the whole.
    pub sha1: [u8; 20],
    /// Root of the tiger tree.
    pub tiger: [u8; 24],
    /// The level of it that Gnutella serves for the size.
    pub tiger_level: Vec<[u8; 24]>,
    /// FTHash.
    pub ft_hash: [u8; 20],
    /// Root of the BEP 52 tree; `None` for the empty file.
    pub root: Option<Hash>,
    /// Bytes a piece, for what follows.
    pub piece_length: u32,
    /// v1 hashes of its pieces as if it began one; the last filled up with zeros, as padding does.
    pub v1: Vec<[u8; 20]>,
    /// The last of them without zeros, as the end of a torrent is.
    pub v1_end: [u8; 20],
    /// v2 hashes of its pieces; of a file of one piece its root.
    pub v2: Vec<Hash>,
}

/// What a file was when it was hashed: any difference means that it may have changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileStamp {
    /// Size and time of change.
    pub stamp: Stamp,
    /// Its number in the file system.
    pub inode: u64,
}

impl FileStamp {
    /// As it is now; nothing if it cannot be looked at.
    pub fn of(path: &Path) -> Option<FileStamp> {
        let metadata = path.metadata().ok()?;
        let modified = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Some(FileStamp { stamp: Stamp { size: metadata.len(), modified }, inode: metadata.ino() })
    }
}

/// How hashing is watched and stopped.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// Bytes hashed so far are added here.
    pub done: &'a AtomicU64,
    /// Set it to stop.
    pub cancel: &'a AtomicBool,
}

/// Hashes a file for torrents with pieces of that length; refused if it changes meanwhile.
pub fn hash_file(
    path: &Path,
    piece_length: u32,
    watch: Watch<'_>,
) -> Result<(FileHashes, FileStamp), CreateError> {
    let look = |source| CreateError::Look { path: path.to_owned(), source };
    let before = FileStamp::of(path).ok_or_else(|| CreateError::Changed(path.to_owned()))?;
    let file = File::open(path).map_err(look)?;
    let size = before.stamp.size;
    let (read, torrent, whole) = match size < LARGE {
        true => alone(file, size, piece_length, watch),
        false => by_two(file, size, piece_length, watch),
    }
    .map_err(look)?;
    if watch.cancel.load(Ordering::Relaxed) {
        return Err(CreateError::Cancelled);
    }
    if read != size || FileStamp::of(path) != Some(before) {
        return Err(CreateError::Changed(path.to_owned()));
    }
    Ok((together(size, piece_length, torrent, whole), before))
}

type Hashed = (u64, ForTorrents, ForWhole);

fn alone(file: File, size: u64, piece_length: u32, watch: Watch<'_>) -> std::io::Result<Hashed> {
    let (mut torrent, mut whole) = (ForTorrents::new(piece_length), ForWhole::new(size));
    let read = read_all(file, size, watch, |chunk| {
        torrent.update(&chunk);
        whole.update(&chunk);
        Some(chunk)
    })?;
    Ok((read, torrent, whole))
}

fn by_two(file: File, size: u64, piece_length: u32, watch: Watch<'_>) -> std::io::Result<Hashed> {
    let mut torrent = ForTorrents::new(piece_length);
    let (send, receive) = sync_channel::<Vec<u8>>(AHEAD);
    let (back, used) = sync_channel::<Vec<u8>>(AHEAD + 2);
    let (read, whole) = std::thread::scope(|scope| {
        let other = scope.spawn(move || {
            let mut whole = ForWhole::new(size);
            for chunk in receive {
                whole.update(&chunk);
                // The reader may have ended.
                let _ = back.try_send(chunk);
            }
            whole
        });
        let read = read_all(file, size, watch, |chunk| {
            torrent.update(&chunk);
            // It ends only with the sender.
            let _ = send.send(chunk);
            used.try_recv().ok()
        });
        drop(send);
        (read, other.join().unwrap_or_else(|_| ForWhole::new(size)))
    });
    Ok((read?, torrent, whole))
}

/// Reads to the end, or one byte beyond `size`; returns how much there was. `take` gives a buffer back if it has one.
fn read_all(
    mut file: File,
    size: u64,
    watch: Watch<'_>,
    mut take: impl FnMut(Vec<u8>) -> Option<Vec<u8>>,
) -> std::io::Result<u64> {
    let (mut total, mut spare) = (0u64, None);
    while !watch.cancel.load(Ordering::Relaxed) {
        let mut chunk: Vec<u8> = spare.take().unwrap_or_default();
        chunk.clear();
        let room = (CHUNK as u64).min(size.saturating_sub(total).saturating_add(1));
        let count = file.by_ref().take(room).read_to_end(&mut chunk)?;
        if count == 0 || total + count as u64 > size {
            return Ok(total + count as u64);
        }
        total += count as u64;
        watch.done.fetch_add(count as u64, Ordering::Relaxed);
        spare = take(chunk);
    }
    Ok(total)
}

/// What torrents need.
struct ForTorrents {
    piece_length: usize,
    sha1: Sha1,
    filled: usize,
    v1: Vec<[u8; 20]>,
    leaves: Vec<Hash>,
    pieces: Vec<Hash>,
    block: Vec<u8>,
}

impl ForTorrents {
    fn new(piece_length: u32) -> ForTorrents {
        let (v1, leaves, pieces, block) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        ForTorrents {
            piece_length: piece_length as usize,
            sha1: Sha1::new(),
            filled: 0,
            v1,
            leaves,
            pieces,
            block,
        }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.piece_length - self.filled));
            self.sha1.update(now);
            self.blocks(now);
            self.filled += now.len();
            if self.filled == self.piece_length {
                self.filled = 0;
                self.v1.push(self.sha1.finalize_reset().into());
                self.pieces.push(merkle::root_at(&self.leaves, 0, self.level()));
                self.leaves.clear();
            }
            bytes = later;
        }
    }

    fn level(&self) -> u32 {
        merkle::piece_level(self.piece_length as u32).unwrap_or(0)
    }

    fn blocks(&mut self, mut bytes: &[u8]) {
        let block = merkle::BLOCK_LEN as usize;
        if !self.block.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(block - self.block.len()));
            self.block.extend_from_slice(now);
            if self.block.len() == block {
                self.leaves.push(merkle::leaf(&self.block));
                self.block.clear();
            }
            bytes = later;
        }
        let mut whole = bytes.chunks_exact(block);
        self.leaves.extend(whole.by_ref().map(merkle::leaf));
        self.block.extend_from_slice(whole.remainder());
    }

    /// v1 with the last piece filled up, that piece without, and v2.
    fn finish(mut self, size: u64) -> (Vec<[u8; 20]>, [u8; 20], Vec<Hash>) {
        if !self.block.is_empty() {
            self.leaves.push(merkle::leaf(&self.block));
        }
        let level = if size <= self.piece_length as u64 { 0 } else { self.level() };
        let mut end = self.v1.last().copied().unwrap_or_default();
        if self.filled > 0 {
            end = self.sha1.clone().finalize().into();
            let mut missing = self.piece_length - self.filled;
            while missing > 0 {
                let zeros = &ZEROS[..missing.min(ZEROS.len())];
                self.sha1.update(zeros);
                missing -= zeros.len();
            }
            self.v1.push(self.sha1.finalize().into());
            self.pieces.push(merkle::root_at(&self.leaves, 0, level));
        }
        (self.v1, end, self.pieces)
    }
}

/// What names whole files.
struct ForWhole {
    sha1: Sha1,
    tiger: TreeHasher,
    ft: FtHasher,
}

impl ForWhole {
    fn new(size: u64) -> ForWhole {
        let height = tiger::height_of(size).saturating_sub(tiger::depth_for(size));
        ForWhole { sha1: Sha1::new(), tiger: TreeHasher::new(height), ft: FtHasher::new(size) }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.tiger.update(bytes);
        self.ft.update(bytes);
    }
}

fn together(size: u64, piece_length: u32, torrent: ForTorrents, whole: ForWhole) -> FileHashes {
    let (v1, v1_end, v2) = torrent.finish(size);
    let level = merkle::piece_level(piece_length).unwrap_or(0);
    let root = match v2.as_slice() {
        [] => None,
        [only] => Some(*only),
        pieces => Some(merkle::root(pieces, level)),
    };
    let tiger_level = whole.tiger.finish();
    FileHashes {
        size,
        sha1: whole.sha1.finalize().into(),
        tiger: tiger::root(&tiger_level),
        tiger_level,
        ft_hash: whole.ft.finish().0,
        root,
        piece_length,
        v1,
        v1_end,
        v2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create::{Control, Source, create};
    use throng_wire::metainfo::{Format, Options};

    fn hash(path: &Path, piece_length: u32) -> FileHashes {
        let (done, cancel) = (AtomicU64::new(0), AtomicBool::new(false));
        let (hashes, stamp) = hash_file(path, piece_length, Watch { done: &done, cancel: &cancel }).unwrap();
        assert_eq!((done.into_inner(), stamp.stamp.size), (hashes.size, hashes.size));
        hashes
    }

    #[test]
    fn one_pass_gives_what_each_system_would_compute() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for size in [0usize, 1, 16_384, 32_768, 32_769, 100_000, 9_000_001] {
            let bytes: Vec<u8> = (0..size).map(|at| (at * 13 + at / 509) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let hashes = hash(&path, 32_768);
            assert_eq!(hashes.sha1, <[u8; 20]>::from(Sha1::digest(&bytes)), "{size}");
            let leaves: Vec<_> = bytes.chunks(tiger::LEAF).map(tiger::leaf).collect();
            assert_eq!(hashes.tiger, tiger::root(&leaves), "{size}");
            let mut ft = FtHasher::new(size as u64);
            ft.update(&bytes);
            assert_eq!(hashes.ft_hash, ft.finish().0, "{size}");
            let options =
                Options { format: Format::Hybrid, piece_length: Some(32_768), ..Options::default() };
            if size > 0 {
                let created = create(Source::scan(&path).unwrap(), options, Control::default()).unwrap();
                let file = &created.metainfo.info.layout().files()[0];
                assert_eq!(file.pieces_root, hashes.root, "{size}");
            }
        }
    }

    #[test]
    fn hashing_that_is_stopped_says_so() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), [1; 1000]).unwrap();
        let (done, cancel) = (AtomicU64::new(0), AtomicBool::new(true));
        let stopped = hash_file(&dir.path().join("f"), 32_768, Watch { done: &done, cancel: &cancel });
        assert!(matches!(stopped, Err(CreateError::Cancelled)));
    }
}
