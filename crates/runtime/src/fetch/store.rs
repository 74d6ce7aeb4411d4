//! The file of a plain download while it grows: `NAME.throng`, beside it what is here of it; under its name when it is
//! complete.

use super::plain::{PlainProof, PlainWish};
use crate::library::{Watch, hash_file};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use throng_wire::paths::safe_name;

/// Pieces of the pass that checks; any length will do.
const PIECE: u32 = 1 << 20;

/// An open file.
pub(super) struct Store {
    file: File,
    path: PathBuf,
    state: PathBuf,
    folder: PathBuf,
    name: String,
    /// What the state begins with: of another file it is not believed.
    mark: [u8; 32],
    have: Vec<usize>,
}

impl Store {
    /// Opens or makes it, and reads what is here of so many blocks.
    pub(super) fn open(wish: &PlainWish, folder: &Path, name: &str, blocks: usize) -> io::Result<Store> {
        std::fs::create_dir_all(folder)?;
        let (path, state) = (beside(folder, name, "throng"), beside(folder, name, "throng-state"));
        let name = safe(name);
        let mark = mark(wish, blocks);
        let have = if path.exists() { read_state(&state, &mark, blocks) } else { Vec::new() };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        file.set_len(wish.size)?;
        Ok(Store { file, path, state, folder: folder.to_owned(), name, mark, have })
    }

    /// Where it lies while it grows.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Blocks that were here.
    pub(super) fn have(&self) -> Vec<usize> {
        self.have.clone()
    }

    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// Notes what is here, once that is on the disk.
    pub(super) fn save(&mut self, here: &[usize]) -> io::Result<()> {
        if here == self.have {
            return Ok(());
        }
        self.file.sync_data()?;
        let mut bytes = self.mark.to_vec();
        here.iter().for_each(|block| bytes.extend((*block as u64).to_le_bytes()));
        let fresh = self.state.with_extension("throng-state-new");
        std::fs::write(&fresh, bytes)?;
        std::fs::rename(fresh, &self.state)?;
        self.have = here.to_vec();
        Ok(())
    }

    /// How the whole is right; `None` if it is wrong.
    pub(super) fn proof(&self, wish: &PlainWish) -> io::Result<Option<PlainProof>> {
        let (done, cancel) = (AtomicU64::new(0), AtomicBool::new(false));
        let (hashes, _) =
            hash_file(&self.path, PIECE, Watch { done: &done, cancel: &cancel }).map_err(io::Error::other)?;
        let wrong = wish.sha1.is_some_and(|sha1| sha1 != hashes.sha1)
            || wish.tiger.is_some_and(|tiger| tiger != hashes.tiger)
            || wish.ft_hash.is_some_and(|ft_hash| ft_hash != hashes.ft_hash);
        let proof = match wish {
            _ if wrong => return Ok(None),
            PlainWish { tiger: Some(_), .. } => PlainProof::TigerTree,
            PlainWish { sha1: Some(_), .. } => PlainProof::Sha1,
            PlainWish { ft_hash: Some(_), .. } => PlainProof::FtHash,
            _ => PlainProof::Unverified,
        };
        Ok(Some(proof))
    }

    /// Gives the file its name; one that is taken gets a number.
    pub(super) fn complete(&self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        let path = self.free_name();
        std::fs::rename(&self.path, &path)?;
        for file in [self.state.clone(), beside(&self.folder, &self.name, "throng-tree")] {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(path)
    }

    fn free_name(&self) -> PathBuf {
        let plain = self.folder.join(&self.name);
        let (stem, ending) = match self.name.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
            _ => (self.name.as_str(), String::new()),
        };
        let numbered = (2..10_000u32).map(|number| self.folder.join(format!("{stem} ({number}){ending}")));
        std::iter::once(plain.clone()).chain(numbered).find(|path| !path.exists()).unwrap_or(plain)
    }
}

fn safe(name: &str) -> String {
    safe_name(name.as_bytes()).unwrap_or_else(|| "file".into())
}

/// A file that belongs to a download of that name.
pub(super) fn beside(folder: &Path, name: &str, ending: &str) -> PathBuf {
    folder.join(format!("{}.{ending}", safe(name)))
}

fn mark(wish: &PlainWish, blocks: usize) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"throng plain download 1");
    hasher.update(wish.size.to_le_bytes());
    hasher.update((blocks as u64).to_le_bytes());
    for hash in [wish.sha1.as_ref().map(<[u8; 20]>::as_slice), wish.tiger.as_ref().map(<[u8; 24]>::as_slice)]
    {
        hasher.update([u8::from(hash.is_some())]);
        hasher.update(hash.unwrap_or_default());
    }
    hasher.finalize().into()
}

/// Nothing if it is of another file, or damaged.
fn read_state(path: &Path, mark: &[u8; 32], blocks: usize) -> Vec<usize> {
    let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
    let Some(rest) = bytes.strip_prefix(mark.as_slice()) else { return Vec::new() };
    let (numbers, _) = rest.as_chunks::<8>();
    let numbers = numbers.iter().filter_map(|bytes| usize::try_from(u64::from_le_bytes(*bytes)).ok());
    numbers.filter(|block| *block < blocks).collect()
}
