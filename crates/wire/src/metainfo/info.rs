//! The info dictionary: what the info-hashes name.

use std::path::PathBuf;

use bytes::Bytes;

use super::layers::has_layer;
use super::{Layout, MAX_PIECE_LENGTH, MetainfoError, PieceLayers, v1, v2};
use crate::bencode::{self, Limits, Value};
use crate::ids::{InfoHash, InfoHashV1, InfoHashV2, PieceIndex};
use crate::merkle::{self, Hash};
use crate::paths;

/// Longest info dictionary taken from peers, 30 MiB (libtorrent's limit).
pub const MAX_INFO_LEN: usize = 30 * 1024 * 1024;

/// A checked info dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    name: Vec<u8>,
    layout: Layout,
    single_file: bool,
    private: bool,
    source: Option<Vec<u8>>,
    /// v1 piece hashes, 20 bytes each, a slice of `raw`.
    pieces: Option<Bytes>,
    hash_v1: Option<InfoHashV1>,
    hash_v2: Option<InfoHashV2>,
    raw: Bytes,
}

impl Info {
    /// Reads the bytes of one info dictionary, at most [`MAX_INFO_LEN`].
    pub fn parse(info: &[u8]) -> Result<Self, MetainfoError> {
        let limits = Limits { bytes: MAX_INFO_LEN, ..Limits::default() };
        let document = bencode::decode_with(info, limits)?;
        Self::from_value(document.root())
    }

    pub(super) fn from_value(info: Value<'_, '_>) -> Result<Self, MetainfoError> {
        info.as_dict().ok_or(MetainfoError::NoInfo)?;
        let name = preferred(info, b"name.utf-8", b"name").unwrap_or_default().to_vec();
        let tree = file_tree(info)?;
        let pieces = info.get(b"pieces").filter(|pieces| pieces.as_bytes().is_some());
        let piece_length = piece_length(info, tree.is_some())?;
        let (layout, single_file) = match (pieces, tree) {
            (None, None) => return Err(MetainfoError::NoContent),
            (Some(_), None) => {
                (Layout::contiguous(v1::files(info, &name)?, piece_length)?, !v1::is_multi_file(info))
            }
            (None, Some(tree)) => {
                let files = v2::files(tree)?;
                let single = matches!(files.as_slice(), [only] if only.path == [&name[..]]);
                (Layout::aligned(files, piece_length)?, single)
            }
            (Some(_), Some(tree)) => {
                let contiguous = Layout::contiguous(v1::files(info, &name)?, piece_length)?;
                (
                    hybrid(contiguous, Layout::aligned(v2::files(tree)?, piece_length)?)?,
                    !v1::is_multi_file(info),
                )
            }
        };
        let raw = Bytes::copy_from_slice(info.raw());
        let pieces = pieces.map(|pieces| piece_hashes(info, pieces, &raw, &layout)).transpose()?;
        Ok(Self {
            single_file,
            private: info.get(b"private").and_then(Value::as_int) == Some(1),
            source: info.get(b"source").and_then(Value::as_bytes).map(<[u8]>::to_vec),
            hash_v1: pieces.is_some().then(|| InfoHashV1::of(&raw)),
            hash_v2: tree.is_some().then(|| InfoHashV2::of(&raw)),
            name,
            layout,
            pieces,
            raw,
        })
    }

    /// Suggested name of the file or folder: a stranger's word, see [`crate::paths`].
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Where the files lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether the torrent is one file without a folder around it.
    pub fn is_single_file(&self) -> bool {
        self.single_file
    }

    /// A safe relative path for each file of the layout, folder included: see [`paths::safe_layout`].
    pub fn safe_paths(&self) -> Vec<PathBuf> {
        paths::safe_layout(&self.name, self.single_file, self.layout.files())
    }

    /// Whether peers may come from its trackers only (BEP 27).
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// The `source` private trackers put in to make the info-hash their own.
    pub fn source(&self) -> Option<&[u8]> {
        self.source.as_deref()
    }

    /// The dictionary as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// SHA-1 of [`Self::raw`], if the torrent has a v1 half.
    pub fn hash_v1(&self) -> Option<InfoHashV1> {
        self.hash_v1
    }

    /// SHA-256 of [`Self::raw`], if the torrent has a v2 half.
    pub fn hash_v2(&self) -> Option<InfoHashV2> {
        self.hash_v2
    }

    /// The names of its swarms: v1 first, then v2 truncated.
    pub fn swarms(&self) -> impl Iterator<Item = InfoHash> {
        self.hash_v1.map(InfoHash::from).into_iter().chain(self.hash_v2.map(InfoHash::from))
    }

    /// All v1 piece hashes, 20 bytes each.
    pub fn v1_pieces(&self) -> Option<&Bytes> {
        self.pieces.as_ref()
    }

    /// SHA-1 of a piece (padding included), if the torrent has a v1 half.
    pub fn v1_piece_hash(&self, piece: PieceIndex) -> Option<[u8; 20]> {
        let (hashes, _) = self.pieces.as_ref()?.as_chunks::<20>();
        hashes.get(piece.as_usize()).copied()
    }

    /// Merkle root of the blocks of a piece and the level it stands at: the block hashes give it by
    /// [`merkle::root_at`]. From the layers, or of a file no longer than a piece its pieces root.
    pub fn v2_piece_hash(&self, layers: &PieceLayers, piece: PieceIndex) -> Option<(Hash, u32)> {
        let file = &self.layout.files()[self.layout.piece_file(piece)?];
        let root = file.pieces_root?;
        if !has_layer(file.length, &self.layout) {
            return Some((root, merkle::height(file.length)));
        }
        let first = file.offset / u64::from(self.layout.piece_length());
        let index = usize::try_from(u64::from(piece.0).checked_sub(first)?).ok()?;
        let hash = *layers.layer(&root)?.get(index)?;
        Some((hash, merkle::piece_level(self.layout.piece_length())?))
    }
}

/// The string under the first key that has one which is not empty.
fn preferred<'a>(dict: Value<'_, 'a>, first: &[u8], second: &[u8]) -> Option<&'a [u8]> {
    let text = |key| dict.get(key).and_then(Value::as_bytes).filter(|text: &&[u8]| !text.is_empty());
    text(first).or_else(|| text(second))
}

/// The v2 file tree, if `meta version` says that there is one.
fn file_tree<'d, 'a>(info: Value<'d, 'a>) -> Result<Option<Value<'d, 'a>>, MetainfoError> {
    match info.get(b"meta version").map(Value::as_int) {
        None | Some(Some(1)) => Ok(None),
        Some(Some(2)) => info.get(b"file tree").ok_or(MetainfoError::FileTree).map(Some),
        Some(_) => Err(MetainfoError::UnknownVersion),
    }
}

fn piece_length(info: Value<'_, '_>, v2: bool) -> Result<u32, MetainfoError> {
    let length =
        info.get(b"piece length").and_then(Value::as_u64).and_then(|length| u32::try_from(length).ok());
    let fits = |length: &u32| {
        *length > 0 && *length <= MAX_PIECE_LENGTH && (!v2 || merkle::piece_level(*length).is_some())
    };
    length.filter(fits).ok_or(MetainfoError::PieceLength)
}

/// The v1 hashes as a slice of the kept dictionary, if they are as many as there are pieces.
fn piece_hashes(
    info: Value<'_, '_>,
    pieces: Value<'_, '_>,
    raw: &Bytes,
    layout: &Layout,
) -> Result<Bytes, MetainfoError> {
    let length = pieces.as_bytes().map_or(0, <[u8]>::len);
    if length as u64 != u64::from(layout.piece_count()) * 20 {
        return Err(MetainfoError::PieceCount);
    }
    let end = pieces.span().end - info.span().start;
    Ok(raw.slice(end - length..end))
}

/// The v1 layout with the roots of the v2 one, if both name the same bytes: the same files at the same offsets once
/// padding is left out, and padding only where a piece must be filled (at the very end it may be there or not).
fn hybrid(mut contiguous: Layout, aligned: Layout) -> Result<Layout, MetainfoError> {
    if contiguous.piece_count() != aligned.piece_count() {
        return Err(MetainfoError::HybridMismatch);
    }
    let mut v2 = aligned.files().iter();
    for file in contiguous.files_mut().iter_mut().filter(|file| !file.attributes.padding) {
        let twin = v2.next().ok_or(MetainfoError::HybridMismatch)?;
        // An empty file takes no bytes, so on which side of the padding it stands makes no difference.
        let same_place = file.offset == twin.offset || file.length == 0;
        if file.path != twin.path || file.length != twin.length || !same_place {
            return Err(MetainfoError::HybridMismatch);
        }
        file.pieces_root = twin.pieces_root;
    }
    if v2.next().is_some() { Err(MetainfoError::HybridMismatch) } else { Ok(contiguous) }
}
