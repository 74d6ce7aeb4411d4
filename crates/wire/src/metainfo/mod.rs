//! Torrent files: BEP 3 (v1), BEP 52 (v2 and hybrid), with 12 (tracker tiers), 17 and 19 (web seeds), 27 (private),
//! 47 (padding and attributes).
//!
//! [`Metainfo`] is a .torrent file, [`Info`] its info dictionary (which magnets fetch from peers, BEP 9), [`Layout`]
//! where the files lie in the torrent's piece space, the same for every version. Names stay raw bytes here; the module
//! [`crate::paths`] makes them safe. The info dictionary is kept as it came, and its hashes are taken over those bytes.
//!
//! The input is copied once, into the shared buffer that `Info` keeps and its piece hashes point into.

mod build;
mod error;
mod info;
mod layers;
mod layout;
mod torrent;
mod v1;
mod v2;

pub use build::{Builder, FileHashes, Format, Hashes, Options, SourceFile, automatic_piece_length};
pub use error::{BuildError, MetainfoError};
pub use info::{Info, MAX_INFO_LEN};
pub use layers::PieceLayers;
pub use layout::{Attributes, File, FileSpan, FileSpans, Layout, PieceRange};
pub use torrent::{MAX_URL_LEN, MAX_URLS, Metainfo};

/// Most pieces of a torrent, as in libtorrent: bounds bitfields at 256 KiB and v1 hashes at 40 MiB.
pub const MAX_PIECES: u32 = 2_097_152;

/// Longest piece, 512 MiB: what other clients accept, and it fits in `u32` with room.
pub const MAX_PIECE_LENGTH: u32 = 512 * 1024 * 1024;

/// Most files of a torrent, padding included: what 3 million bencoded values can hold, rounded up.
pub const MAX_FILES: usize = 524_288;

/// Memory all paths of a torrent may take, counting 32 bytes a component besides its name: a v2 tree repeats a long
/// directory name for every file below it, so a small input could otherwise grow without bound.
pub const MAX_PATH_MEMORY: usize = 128 * 1024 * 1024;

#[cfg(test)]
mod tests;
