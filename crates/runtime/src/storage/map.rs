//! Which file holds which bytes of a content, and where that file lies on this machine.
//!
//! Offsets are those of piece space (`piece * piece_length + begin`, see [`throng_wire::metainfo::Layout`]). Padding
//! files and the gaps of v2 content have no place on the disk: they read as zeros and are never written.
//!
//! Invariant: every path is relative, and all its components are plain names.

use super::beneath;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use throng_wire::ids::PieceIndex;
use throng_wire::metainfo::{File, Layout, Metainfo};
use throng_wire::paths;

/// A part of an extent that lies in one file, or in none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Index into the layout's files; `None` for padding and gaps.
    pub file: Option<usize>,
    /// First byte within the file.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// A path that leads elsewhere than to a file of the content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a file name is not safe to use")]
pub struct UnsafePath;

/// The files of a content with their places beneath a download folder.
#[derive(Clone, Debug)]
pub struct FileMap {
    layout: Layout,
    paths: Vec<Box<Path>>,
}

impl FileMap {
    /// The places a torrent's files have: made safe, a single file under its name, several under the torrent's.
    pub fn of(metainfo: &Metainfo) -> FileMap {
        let info = &metainfo.info;
        let paths = paths::safe_layout(info.name(), info.is_single_file(), info.layout().files());
        FileMap {
            layout: info.layout().clone(),
            paths: paths.into_iter().map(PathBuf::into_boxed_path).collect(),
        }
    }

    /// The same, but files that lie under the torrent's very names are used where they are: a folder published from
    /// here may have names that would not be safe everywhere.
    pub(crate) fn found(metainfo: &Metainfo, root: &OwnedFd) -> FileMap {
        let mut map = FileMap::of(metainfo);
        let info = &metainfo.info;
        for (index, file) in
            info.layout().files().iter().enumerate().filter(|(_, file)| !file.attributes.padding)
        {
            let folder = (!info.is_single_file()).then_some(info.name());
            let parts: Vec<&[u8]> = folder.into_iter().chain(file.path.iter().map(Vec::as_slice)).collect();
            if !parts.iter().all(|part| is_plain(part)) {
                continue;
            }
            let own: PathBuf = parts.iter().map(|part| OsStr::from_bytes(part)).collect();
            let there =
                |own: &Path| beneath::stat(root, own).is_ok_and(|stat| stat.st_size as u64 == file.length);
            if *own != *map.paths[index] && there(&own) {
                map.paths[index] = own.into_boxed_path();
            }
        }
        map
    }

    /// Files where they already are: one path for each file of the layout (those of padding are not used).
    pub fn with_paths(layout: Layout, paths: Vec<Vec<OsString>>) -> Result<FileMap, UnsafePath> {
        let plain =
            |parts: &Vec<OsString>| !parts.is_empty() && parts.iter().all(|part| is_plain(part.as_bytes()));
        let pad = |index: usize| layout.files()[index].attributes.padding;
        if paths.len() != layout.files().len()
            || !paths.iter().enumerate().all(|(index, parts)| pad(index) || plain(parts))
        {
            return Err(UnsafePath);
        }
        let paths = paths.iter().map(|parts| parts.iter().collect::<PathBuf>().into_boxed_path()).collect();
        Ok(FileMap { layout, paths })
    }

    /// Where the files lie in piece space.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The path of a file beneath the download folder.
    pub fn path(&self, file: usize) -> &Path {
        self.paths.get(file).map_or(Path::new(""), AsRef::as_ref)
    }

    /// The files that stand on the disk, empty ones included, padding and links not.
    pub fn stored(&self) -> impl Iterator<Item = (usize, &File)> {
        let stands = |(_, file): &(usize, &File)| !file.attributes.padding && file.symlink.is_none();
        self.layout.files().iter().enumerate().filter(stands)
    }

    /// The bytes of piece space that peers exchange as this piece; empty behind the last.
    pub fn piece_range(&self, piece: u32) -> Range<u64> {
        let start = self.layout.piece_offset(PieceIndex(piece));
        start..start + u64::from(self.layout.piece_len(PieceIndex(piece)))
    }

    /// The parts of `len` bytes from `offset`: padding, gaps and what lies behind the last file are in no file.
    pub fn spans(&self, offset: u64, len: u64) -> impl Iterator<Item = Span> {
        let end = offset.saturating_add(len);
        let mut files = self.layout.file_spans(offset, end - offset).peekable();
        let mut at = offset;
        std::iter::from_fn(move || {
            let start = files.peek().map_or(end, |span| self.layout.files()[span.file].offset + span.offset);
            let span = if start > at {
                Span { file: None, offset: 0, len: start - at }
            } else {
                let span = files.next()?;
                let file = &self.layout.files()[span.file];
                let stored = !file.attributes.padding && file.symlink.is_none();
                Span { file: stored.then_some(span.file), offset: span.offset, len: span.length }
            };
            at += span.len;
            Some(span)
        })
    }
}

/// Whether a component names a file in its folder and nothing else.
fn is_plain(part: &[u8]) -> bool {
    !matches!(part, b"" | b"." | b"..") && !part.iter().any(|byte| matches!(byte, b'/' | 0))
}
