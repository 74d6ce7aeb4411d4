//! What is in a file or folder that is to be published.
//!
//! Hidden files are published like others. Symbolic links to files within the folder are published as links (BEP 47);
//! all others, and what is neither file nor folder, are left out and reported: a link may lead to what its owner did
//! not mean to publish.

use super::CreateError;
use crate::storage::Stamp;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use throng_wire::metainfo::{Attributes, SourceFile};

/// Something that is not published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// Where it is.
    pub path: PathBuf,
    /// Why, for people.
    pub reason: &'static str,
}

/// The files of a torrent to be.
#[derive(Clone, Debug)]
pub struct Source {
    /// The torrent's name.
    pub name: String,
    /// Whether it is one file, without a folder around it.
    pub single_file: bool,
    /// The folder the paths start from.
    pub root: PathBuf,
    /// The files, in no certain order.
    pub files: Vec<SourceFile>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// Size and time of change of each file when it was found, by path.
    pub(super) stamps: BTreeMap<Vec<Vec<u8>>, Stamp>,
}

type Parts = Vec<Vec<u8>>;

impl Source {
    /// Looks at `path`: a file, or a folder with all below it.
    pub fn scan(path: &Path) -> Result<Source, CreateError> {
        Source::look(path, false)
    }

    /// The same, but what cannot be looked at or named below a folder is left out and reported.
    pub fn scan_what_can_be(path: &Path) -> Result<Source, CreateError> {
        Source::look(path, true)
    }

    fn look(path: &Path, lenient: bool) -> Result<Source, CreateError> {
        let look = |source| CreateError::Look { path: path.to_owned(), source };
        let real = path.canonicalize().map_err(look)?;
        let nameless = || CreateError::NotAFile(path.to_owned());
        // The name the person used, unless that is `.` or the like.
        let named = path.components().next_back().filter(|part| matches!(part, Component::Normal(_)));
        let name = named.map(|part| part.as_os_str()).or(real.file_name()).ok_or_else(nameless)?;
        let name = name.to_str().ok_or_else(|| CreateError::Name(path.to_owned()))?.to_owned();
        let metadata = real.metadata().map_err(look)?;
        let mut source = Source {
            name,
            single_file: metadata.is_file(),
            root: real.clone(),
            files: Vec::new(),
            skipped: Vec::new(),
            stamps: BTreeMap::new(),
        };
        if metadata.is_dir() {
            source.scan_folder(lenient)?;
        } else if metadata.is_file() {
            let file = real.file_name().ok_or_else(nameless)?;
            source.push(vec![file.as_bytes().to_vec()], &metadata);
            source.root.pop();
        } else {
            return Err(nameless());
        }
        Ok(source)
    }

    /// The place of each of `paths` (as the torrent has them) beneath [`Source::root`].
    pub(crate) fn places(&self, paths: impl Iterator<Item = Parts>) -> Vec<Vec<OsString>> {
        let own = self.files.first().filter(|_| self.single_file).map(|file| file.path.clone());
        paths.map(|path| own.clone().unwrap_or(path).into_iter().map(OsString::from_vec).collect()).collect()
    }

    fn scan_folder(&mut self, lenient: bool) -> Result<(), CreateError> {
        let mut folders: Vec<Parts> = vec![Vec::new()];
        let mut links = Vec::new();
        while let Some(folder) = folders.pop() {
            let place = self.place(&folder);
            let look = |source| CreateError::Look { path: place.clone(), source };
            let entries = match place.read_dir() {
                // The folder itself must be there.
                Err(_) if lenient && !folder.is_empty() => {
                    self.skipped.push(Skipped { path: place, reason: "it cannot be read" });
                    continue;
                }
                entries => entries.map_err(look)?,
            };
            for entry in entries {
                let entry = entry.map_err(look)?;
                let path = entry.path();
                let name = match entry.file_name().into_string() {
                    Ok(name) => name,
                    Err(_) if lenient => {
                        self.skipped.push(Skipped { path, reason: "its name is not valid UTF-8" });
                        continue;
                    }
                    Err(_) => return Err(CreateError::Name(path)),
                };
                let metadata =
                    entry.metadata().map_err(|source| CreateError::Look { path: path.clone(), source })?;
                let parts = [folder.as_slice(), &[name.into_bytes()]].concat();
                match metadata.file_type() {
                    kind if kind.is_dir() => folders.push(parts),
                    kind if kind.is_file() => self.push(parts, &metadata),
                    kind if kind.is_symlink() => links.push(parts),
                    _ => self.skipped.push(Skipped { path, reason: "neither a file nor a folder" }),
                }
            }
        }
        links.into_iter().for_each(|link| self.push_link(link));
        Ok(())
    }

    fn place(&self, parts: &[Vec<u8>]) -> PathBuf {
        let names = parts.iter().map(|part| OsString::from_vec(part.clone()));
        self.root.join(names.collect::<PathBuf>())
    }

    fn push(&mut self, path: Parts, metadata: &Metadata) {
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let attributes = Attributes { executable, ..Attributes::default() };
        self.stamps.insert(path.clone(), stamp(metadata));
        self.files.push(SourceFile { path, length: metadata.len(), attributes, symlink: None });
    }

    fn push_link(&mut self, path: Parts) {
        match self.target(&path).filter(|target| self.stamps.contains_key(target)) {
            Some(target) => {
                let symlink = Some(target);
                self.files.push(SourceFile { path, length: 0, attributes: Attributes::default(), symlink });
            }
            None => self.skipped.push(Skipped {
                path: self.place(&path),
                reason: "a symbolic link that leads to no file of the folder",
            }),
        }
    }

    /// Where a link leads within the folder, by its text alone.
    fn target(&self, link: &[Vec<u8>]) -> Option<Parts> {
        let text = self.place(link).read_link().ok()?;
        let (mut at, rest) = match text.strip_prefix(&self.root) {
            Ok(below) => (Vec::new(), below),
            Err(_) => (link.split_last()?.1.to_vec(), text.as_path()),
        };
        for part in rest.components() {
            match part {
                Component::Normal(name) => at.push(name.as_bytes().to_vec()),
                Component::ParentDir => _ = at.pop()?,
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(at)
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    let modified = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    Stamp { size: metadata.len(), modified }
}
