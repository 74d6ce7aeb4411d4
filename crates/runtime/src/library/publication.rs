//! A publication as the rest of the program sees it.

use crate::storage::FileMap;
use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use throng_wire::ids::{InfoHash, InfoHashV1, InfoHashV2};
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::Metainfo;

/// Digits of an id.
const DIGITS: usize = 8;

/// The id of a publication: eight digits, made of its path, so that it stays when the content changes. Held in many places
/// for each of very many, so it has no memory of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; DIGITS]);

/// One published path. Of most that a node has nobody asks for any; so what can be told from something else is not held.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Names it.
    pub id: Id,
    /// As it was published.
    pub path: Arc<Path>,
    /// What it is found by, if not by its name.
    pub(super) title: Option<Box<str>>,
    /// More words.
    pub tags: Box<[String]>,
    /// Seconds since 1970 when it first was.
    pub created: u64,
    /// Grows with each version.
    pub sequence: u64,
    /// Whether it was fetched rather than published.
    pub fetched: bool,
    /// Its swarms. The torrent itself is in the library's database, see [`super::Library::torrent`]: in memory it would be
    /// most of what an idle publication takes.
    pub v1: Option<InfoHashV1>,
    /// The other.
    pub v2: Option<InfoHashV2>,
    /// Whether it is one file, and no folder.
    pub is_single_file: bool,
    /// Files of the torrent but padding, empty ones included.
    pub parts: u32,
    /// Trackers and web seeds of the torrent, if it has any.
    pub links: Option<Arc<Links>>,
    /// The folder that the torrent's paths start from, if not the one the path is in.
    pub(super) root: Option<Box<Path>>,
    /// Its files with data, in the order of the torrent.
    pub files: Box<[SharedFile]>,
}

/// Where a torrent says that it can be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Links {
    /// In tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
}

/// The torrent of a publication.
#[derive(Clone, Debug)]
pub struct Torrent {
    /// It.
    pub metainfo: Arc<Metainfo>,
    /// Where each of its files lies beneath the publication's root.
    pub map: FileMap,
}

impl SharedFile {
    /// Its name for strangers: that of the file, without folders.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

pub(super) fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

impl Links {
    pub(super) fn of(metainfo: &Metainfo) -> Option<Links> {
        let (trackers, web_seeds) = (metainfo.trackers.clone(), metainfo.web_seeds.clone());
        (!trackers.is_empty() || !web_seeds.is_empty()).then_some(Links { trackers, web_seeds })
    }
}

/// One file of a publication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedFile {
    /// Where it lies; of a publication that is one file, that one's own path.
    pub path: Arc<Path>,
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
    /// FTHash.
    pub ft_hash: [u8; 20],
}

impl Publication {
    /// What it is found by.
    pub fn title(&self) -> &str {
        self.title.as_deref().or_else(|| name_of(&self.path)).unwrap_or_default()
    }

    /// The folder that the torrent's paths start from.
    pub fn root(&self) -> &Path {
        self.root.as_deref().or_else(|| self.path.parent()).unwrap_or(&self.path)
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Its swarms' names on the wire: the v1 info-hash, the truncated v2 one.
    pub fn swarms(&self) -> impl Iterator<Item = InfoHash> {
        self.v1.map(InfoHash::from).into_iter().chain(self.v2.map(InfoHash::from))
    }

    /// Its link: the swarm, and of a single file the hashes other networks know it by.
    pub fn magnet(&self) -> Magnet {
        let only = self.files.first().filter(|_| self.is_single_file);
        let (trackers, web_seeds) = match &self.links {
            Some(links) => (links.trackers.iter().flatten().cloned().collect(), links.web_seeds.clone()),
            None => (Vec::new(), Vec::new()),
        };
        Magnet {
            v1: self.v1,
            v2: self.v2,
            sha1: only.map(|file| file.sha1),
            tiger_tree: only.map(|file| file.tiger),
            name: Some(self.title().to_owned()),
            length: Some(self.size()),
            trackers,
            web_seeds,
            ..Magnet::default()
        }
    }
}

impl Id {
    /// Before all others.
    pub const FIRST: Id = Id([0; DIGITS]);

    /// Ids for what is published from a path: the first, and those to take instead where another path has it, as happens
    /// once in two hundred times to one of 100,000.
    pub(super) fn choices(path: &Path) -> Vec<Id> {
        let text = BASE32_NOPAD.encode(&Sha256::digest(path.as_os_str().as_bytes())).to_ascii_lowercase();
        text.as_bytes().as_chunks().0.iter().map(|digits| Id(*digits)).collect()
    }

    /// One that was written; `None` if it cannot be one.
    pub fn read(text: &str) -> Option<Id> {
        text.as_bytes().try_into().ok().map(Id).filter(|id| id.0.iter().all(u8::is_ascii_alphanumeric))
    }
}

impl Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
