//! From files to a torrent: one pass over the data, all cores.

use super::parallel::{Control, for_each};
use super::{CreateError, Skipped, Source};
use crate::hashing::{Found, PieceHasher};
use crate::storage::{Class, FileMap, Files, Options as StorageOptions, StorageError};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use throng_wire::ids::PieceIndex;
use throng_wire::merkle::{self, Hash};
use throng_wire::metainfo::{BuildError, Builder, FileHashes, Format, Hashes, Layout, Metainfo, Options};

/// A torrent that was made.
#[derive(Clone, Debug)]
pub struct Created {
    /// The torrent; [`Metainfo::encode`] gives the file.
    pub metainfo: Metainfo,
    /// What is not in it.
    pub skipped: Vec<Skipped>,
}

/// Hashes the files of `source` and makes a torrent of them.
pub fn create(source: Source, options: Options, control: Control<'_>) -> Result<Created, CreateError> {
    let format = options.format;
    let builder = builder(&source, options)?;
    let layout = builder.layout();
    let places = source.places(layout.files().iter().map(|file| file.path.clone()));
    let unnamed = |_| CreateError::Build(BuildError::Name);
    let map = FileMap::with_paths(layout.clone(), places).map_err(unnamed)?;
    let read_only = StorageOptions { read_only: true, ..StorageOptions::default() };
    let files = Files::open(map, &source.root, read_only)?;
    let pieces: Vec<u32> = (0..layout.piece_count()).collect();
    let found = for_each(&files, &pieces, control, |piece, reader| {
        let v2_len = if format.has_v2() { layout.v2_piece_len(PieceIndex(piece)) } else { 0 };
        let mut hasher = PieceHasher::with(format.has_v1(), v2_len);
        reader.hash(files.map().piece_range(piece), &mut hasher)?;
        Ok(PieceHashes::of(layout, piece, &hasher.finish()))
    });
    let found = found.map_err(changed)?;
    if control.cancel.load(Ordering::Relaxed) {
        return Err(CreateError::Cancelled);
    }
    check_unchanged(&source, &files)?;
    let hashes = assemble(layout, format, found.into_iter().map(|(_, hashes)| hashes));
    Ok(Created { metainfo: builder.finish(hashes)?, skipped: source.skipped })
}

pub(crate) fn builder(source: &Source, options: Options) -> Result<Builder, BuildError> {
    let name = source.name.as_bytes();
    match source.files.as_slice() {
        [file] if source.single_file => Builder::single_file(name, file.clone(), options),
        files => Builder::folder(name, files.to_vec(), options),
    }
}

/// A file that became shorter or vanished has changed.
fn changed(error: StorageError) -> CreateError {
    match error.class {
        Class::Missing | Class::Shortened => CreateError::Changed(error.path),
        _ => CreateError::Storage(error),
    }
}

fn check_unchanged(source: &Source, files: &Files) -> Result<(), CreateError> {
    for (index, file) in files.map().stored() {
        let path = if source.single_file { &source.files[0].path } else { &file.path };
        if files.stamp(index) != source.stamps.get(path).copied() {
            return Err(CreateError::Changed(files.path(index)));
        }
    }
    Ok(())
}

/// The hashes of one piece that go into a torrent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PieceHashes {
    v1: Option<[u8; 20]>,
    /// The file it belongs to and its root there.
    v2: Option<(usize, Hash)>,
}

impl PieceHashes {
    pub(crate) fn of(layout: &Layout, piece: u32, found: &Found) -> PieceHashes {
        let file = layout.piece_file(PieceIndex(piece)).filter(|_| !found.leaves.is_empty());
        let root = |file: usize| {
            // A file no longer than a piece is a tree of its own; in others all pieces stand equally high.
            let whole = layout.files()[file].length <= u64::from(layout.piece_length());
            let level = merkle::piece_level(layout.piece_length()).filter(|_| !whole).unwrap_or(0);
            (file, merkle::root_at(&found.leaves, 0, level))
        };
        PieceHashes { v1: found.v1, v2: file.map(root) }
    }
}

/// The hashes of all pieces in order, as the builder wants them.
pub(crate) fn assemble(layout: &Layout, format: Format, pieces: impl Iterator<Item = PieceHashes>) -> Hashes {
    let mut hashes = Hashes::default();
    let mut files: BTreeMap<usize, Vec<Hash>> = BTreeMap::new();
    for piece in pieces {
        hashes.v1.extend(piece.v1.iter().flatten());
        if let Some((file, root)) = piece.v2 {
            files.entry(file).or_default().push(root);
        }
    }
    let level = merkle::piece_level(layout.piece_length()).filter(|_| format.has_v2()).unwrap_or(0);
    hashes.v2 =
        files.into_iter().map(|(file, pieces)| (file, FileHashes::from_pieces(pieces, level))).collect();
    hashes
}
