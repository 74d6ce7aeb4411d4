//! A publication as the rest of the program sees it.

use crate::storage::FileMap;
use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::Metainfo;

/// Digits of an id.
const ID: usize = 8;

/// One published path.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Names it; of its path, so that it stays when the content changes.
    pub id: String,
    /// As it was published.
    pub path: PathBuf,
    /// What it is found by.
    pub title: String,
    /// More words.
    pub tags: Vec<String>,
    /// Seconds since 1970 when it first was.
    pub created: u64,
    /// Grows with each version.
    pub sequence: u64,
    /// Whether it was fetched rather than published.
    pub fetched: bool,
    /// Its torrent.
    pub metainfo: Arc<Metainfo>,
    /// The folder that `map` starts from.
    pub root: PathBuf,
    /// Where each file of the torrent lies.
    pub map: FileMap,
    /// Its files with data, in the order of the torrent.
    pub files: Vec<SharedFile>,
}

/// One file of a publication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedFile {
    /// Its number in the torrent.
    pub index: usize,
    /// Where it lies.
    pub path: PathBuf,
    /// Its name for strangers: that of the file, without folders.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 of its last change when it was hashed.
    pub modified: i64,
    /// Root of its BEP 52 tree.
    pub root: Option<[u8; 32]>,
    /// SHA-1 of the whole.
    pub sha1: [u8; 20],
    /// Root of its tiger tree.
    pub tiger: [u8; 24],
    /// The level of it that Gnutella serves for the size.
    pub tiger_level: Arc<[[u8; 24]]>,
    /// FTHash.
    pub ft_hash: [u8; 20],
}

impl Publication {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Its link: the swarm, and of a single file the hashes other networks know it by.
    pub fn magnet(&self) -> Magnet {
        let info = &self.metainfo.info;
        let only = self.files.first().filter(|_| info.is_single_file());
        Magnet {
            v1: info.hash_v1(),
            v2: info.hash_v2(),
            sha1: only.map(|file| file.sha1),
            tiger_tree: only.map(|file| file.tiger),
            name: Some(self.title.clone()),
            length: Some(self.size()),
            trackers: self.metainfo.trackers.iter().flatten().cloned().collect(),
            web_seeds: self.metainfo.web_seeds.clone(),
            ..Magnet::default()
        }
    }
}

/// The id of what is published from a path.
pub(super) fn id_of(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    let mut text = BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
    text.truncate(ID);
    text
}
