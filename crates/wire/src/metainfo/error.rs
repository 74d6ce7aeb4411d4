//! Why a torrent cannot be read or made.

use crate::bencode;

/// Why bytes are not an acceptable torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// Not bencoded, or beyond its limits.
    #[error(transparent)]
    Bencode(#[from] bencode::Error),
    /// The outermost value is no dictionary.
    #[error("not a torrent: no dictionary")]
    NotADict,
    /// There is no info dictionary.
    #[error("not a torrent: no info dictionary")]
    NoInfo,
    /// A `meta version` other than 1 and 2.
    #[error("torrent: unknown meta version")]
    UnknownVersion,
    /// Neither `pieces` (v1) nor `file tree` (v2) with what belongs to it.
    #[error("torrent: neither v1 pieces nor a v2 file tree")]
    NoContent,
    /// The piece length is missing, zero, above 512 MiB, or for v2 not a power of two of at least 16 KiB.
    #[error("torrent: bad piece length")]
    PieceLength,
    /// The v1 `pieces` string is no multiple of 20, or does not fit the total length.
    #[error("torrent: piece hashes do not match the total length")]
    PieceCount,
    /// More than 2,097,152 pieces.
    #[error("torrent: too many pieces")]
    TooManyPieces,
    /// More files than 524,288.
    #[error("torrent: too many files")]
    TooManyFiles,
    /// The paths together are longer than allowed.
    #[error("torrent: file paths are too long")]
    PathsTooLong,
    /// A file entry of the wrong shape, or with a missing or negative length.
    #[error("torrent: malformed file entry")]
    File,
    /// A v2 file tree of the wrong shape, or with names unsorted or twice.
    #[error("torrent: malformed v2 file tree")]
    FileTree,
    /// A v2 file with data but without a 32-byte pieces root.
    #[error("torrent: v2 file without pieces root")]
    PiecesRoot,
    /// The v1 and v2 halves of a hybrid torrent name different files.
    #[error("torrent: v1 and v2 files disagree")]
    HybridMismatch,
    /// A piece layer whose hashes do not lead to its pieces root.
    #[error("torrent: piece layer does not match its pieces root")]
    PieceLayer,
}

/// Why a torrent cannot be made of the given files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// There is no file.
    #[error("nothing to publish: no files")]
    NoFiles,
    /// A name that is empty, `.` or `..`, or contains `/` or NUL.
    #[error("a file name cannot be published")]
    Name,
    /// Two files at one path, or a file where another has a directory.
    #[error("two files have the same path")]
    DuplicatePath,
    /// The hashes given do not fit the layout.
    #[error("hashes do not match the files")]
    Hashes,
    /// The torrent would be refused when read: too many files or pieces, or a bad piece length.
    #[error(transparent)]
    Metainfo(#[from] MetainfoError),
}
