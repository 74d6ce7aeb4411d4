//! Files in the torrent's piece space: one numbering of bytes and pieces for v1, v2 and hybrid torrents.
//!
//! Invariants: offsets ascend, files do not overlap, `piece_count` pieces cover all of them. In v2 every file with
//! data begins at a piece; the gap before it belongs to no file (v2 only) or to a padding file (hybrid).

use std::ops::Range;

use super::{MAX_FILES, MAX_PIECES, MetainfoError};
use crate::ids::PieceIndex;
use crate::merkle::Hash;

/// Marks of a file (BEP 47).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// `p`: zeros that are never stored nor requested.
    pub padding: bool,
    /// `x`: executable.
    pub executable: bool,
    /// `h`: hidden.
    pub hidden: bool,
}

impl Attributes {
    /// Reads the `attr` string; unknown letters are ignored, `l` is told by [`File::symlink`].
    pub fn from_bytes(attr: &[u8]) -> Self {
        let has = |letter| attr.contains(&letter);
        Self { padding: has(b'p'), executable: has(b'x'), hidden: has(b'h') }
    }
}

/// One file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// Raw components below the torrent's folder (of a single-file torrent just its name); a stranger's words.
    pub path: Vec<Vec<u8>>,
    /// Bytes.
    pub length: u64,
    /// First byte in piece space.
    pub offset: u64,
    /// Marks of BEP 47.
    pub attributes: Attributes,
    /// Raw components of the target, from the torrent's folder, if this is a symbolic link (then `length` is 0).
    pub symlink: Option<Vec<Vec<u8>>>,
    /// Root of the file's merkle tree in v2 and hybrid torrents; `None` if it is empty.
    pub pieces_root: Option<Hash>,
}

impl File {
    /// First byte behind the file in piece space.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// A run of bytes within one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSpan {
    /// Index into [`Layout::files`].
    pub file: usize,
    /// First byte within the file.
    pub offset: u64,
    /// Bytes, never 0.
    pub length: u64,
}

/// Consecutive pieces, empty if `start == end`.
pub type PieceRange = Range<u32>;

/// Where every file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    files: Vec<File>,
    piece_length: u32,
    piece_count: u32,
    total_length: u64,
    /// v2 without v1: what lies between files does not exist, so the last piece of each file is short.
    gaps: bool,
}

impl Layout {
    /// Files one behind the other, as v1 and hybrid torrents (with padding files in place) have them.
    pub(super) fn contiguous(files: Vec<File>, piece_length: u32) -> Result<Self, MetainfoError> {
        Self::place(files, piece_length, false)
    }

    /// Every file with data at the start of a piece, as v2 torrents have them.
    pub(super) fn aligned(files: Vec<File>, piece_length: u32) -> Result<Self, MetainfoError> {
        Self::place(files, piece_length, true)
    }

    fn place(mut files: Vec<File>, piece_length: u32, gaps: bool) -> Result<Self, MetainfoError> {
        if files.len() > MAX_FILES {
            return Err(MetainfoError::TooManyFiles);
        }
        if piece_length == 0 || piece_length > super::MAX_PIECE_LENGTH {
            return Err(MetainfoError::PieceLength);
        }
        let piece = u64::from(piece_length);
        let most = piece * u64::from(MAX_PIECES);
        let mut end = 0u64;
        for file in &mut files {
            // `end` stays below 2^50, so rounding up cannot overflow.
            file.offset = if gaps && file.length > 0 { end.next_multiple_of(piece) } else { end };
            end = file.offset.checked_add(file.length).ok_or(MetainfoError::TooManyPieces)?;
            if end > most {
                return Err(MetainfoError::TooManyPieces);
            }
        }
        let piece_count = end.div_ceil(piece) as u32;
        Ok(Self { files, piece_length, piece_count, total_length: end, gaps })
    }

    /// All files, padding files included.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    pub(super) fn files_mut(&mut self) -> &mut [File] {
        &mut self.files
    }

    /// Bytes of a piece, except of a last one.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// Number of pieces.
    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// Length of the piece space in bytes: padding and gaps included.
    pub fn total_length(&self) -> u64 {
        self.total_length
    }

    /// Bytes of all files but padding.
    pub fn content_length(&self) -> u64 {
        self.files.iter().filter(|file| !file.attributes.padding).map(|file| file.length).sum()
    }

    /// First byte of a piece in piece space.
    pub fn piece_offset(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_length)
    }

    /// Bytes of a piece as peers exchange it (0 behind the last): padding files count, gaps of v2 torrents do not.
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        if self.gaps {
            return self.v2_piece_len(piece);
        }
        let left = self.total_length.saturating_sub(self.piece_offset(piece));
        left.min(u64::from(self.piece_length)) as u32
    }

    /// Bytes of a piece that belong to its v2 file: without the padding a hybrid torrent puts behind it.
    pub fn v2_piece_len(&self, piece: PieceIndex) -> u32 {
        let left = self.piece_file(piece).map_or(0, |file| self.files[file].end() - self.piece_offset(piece));
        left.min(u64::from(self.piece_length)) as u32
    }

    /// Bytes of a piece that must be fetched: without the padding behind its file in a hybrid torrent, which is zeros.
    pub fn data_len(&self, piece: PieceIndex) -> u32 {
        let aligned = self.piece_file(piece).filter(|file| self.files[*file].pieces_root.is_some());
        aligned.map_or_else(|| self.piece_len(piece), |_| self.v2_piece_len(piece))
    }

    /// The file that holds the first byte of a piece; in v2 and hybrid torrents the only one with data in it.
    pub fn piece_file(&self, piece: PieceIndex) -> Option<usize> {
        let offset = self.piece_offset(piece);
        let index = self.first_ending_behind(offset);
        self.files
            .get(index)
            .filter(|file| file.offset <= offset && piece.0 < self.piece_count)
            .map(|_| index)
    }

    /// The pieces that hold bytes of a file; empty for an empty file or an index out of range.
    pub fn piece_range(&self, file: usize) -> PieceRange {
        let Some(file) = self.files.get(file) else { return 0..0 };
        let piece = u64::from(self.piece_length);
        let start = (file.offset / piece) as u32;
        if file.length == 0 { start..start } else { start..file.end().div_ceil(piece) as u32 }
    }

    /// The runs within files that `length` bytes from `offset` of piece space cover, in order; empty files, gaps and
    /// what lies behind the end are left out. Allocates nothing.
    pub fn file_spans(&self, offset: u64, length: u64) -> FileSpans<'_> {
        FileSpans {
            files: &self.files,
            next: self.first_ending_behind(offset),
            at: offset,
            end: offset.saturating_add(length),
        }
    }

    /// The runs within files of one piece.
    pub fn piece_spans(&self, piece: PieceIndex) -> FileSpans<'_> {
        self.file_spans(self.piece_offset(piece), u64::from(self.piece_len(piece)))
    }

    fn first_ending_behind(&self, offset: u64) -> usize {
        self.files.partition_point(|file| file.end() <= offset)
    }
}

/// Iterator of [`Layout::file_spans`].
#[derive(Debug, Clone)]
pub struct FileSpans<'a> {
    files: &'a [File],
    next: usize,
    at: u64,
    end: u64,
}

impl Iterator for FileSpans<'_> {
    type Item = FileSpan;

    fn next(&mut self) -> Option<FileSpan> {
        loop {
            let index = self.next;
            let file = self.files.get(index)?;
            let start = self.at.max(file.offset);
            if start >= self.end {
                return None;
            }
            self.next += 1;
            let stop = self.end.min(file.end());
            if stop > start {
                self.at = stop;
                return Some(FileSpan { file: index, offset: start - file.offset, length: stop - start });
            }
        }
    }
}
