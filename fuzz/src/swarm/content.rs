//! Small torrents of every kind, with their data.

use std::sync::{Arc, LazyLock};
use throng_wire::ids::PieceIndex;
use throng_wire::merkle::{self, Hash, Tree};
use throng_wire::metainfo::{Builder, FileHashes, Format, Hashes, Info, Metainfo, Options, SourceFile};

/// 16 KiB, the block of the protocol.
pub const BLOCK: u32 = 16 << 10;

/// A torrent and all of its data, padding and gaps included.
pub struct Content {
    pub meta: Arc<Metainfo>,
    pub data: Vec<u8>,
}

/// v1 one file; v2 with a gap; hybrid; v1 many small pieces; v2 of one block a piece.
pub static CONTENTS: LazyLock<[Content; 5]> = LazyLock::new(|| {
    [
        make(Format::V1, 2 * BLOCK, &[100_000]),
        make(Format::V2, 4 * BLOCK, &[150_000, 40_000]),
        make(Format::Hybrid, 2 * BLOCK, &[70_001, 0, 33_000]),
        make(Format::V1, BLOCK / 2, &[60_000, 7, 20_000]),
        make(Format::V2, BLOCK, &[90_000]),
    ]
});

fn make(format: Format, piece_length: u32, lengths: &[u64]) -> Content {
    let file = |(index, length): (usize, &u64)| SourceFile {
        path: vec![format!("f{index}").into_bytes()],
        length: *length,
        ..SourceFile::default()
    };
    let files = lengths.iter().enumerate().map(file).collect();
    let options = Options { format, piece_length: Some(piece_length), ..Options::default() };
    let builder = Builder::folder(b"fuzz", files, options).expect("a good folder");
    let layout = builder.layout();
    let mut data = vec![0; layout.total_length() as usize];
    for file in layout.files().iter().filter(|file| !file.attributes.padding) {
        for at in file.offset..file.end() {
            data[at as usize] = (at * 31 + (at >> 14) * 7) as u8;
        }
    }
    let mut hashes = Hashes::default();
    if format.has_v1() {
        // SHA-1 of the info-hash type serves for pieces too.
        let pieces = data.chunks(piece_length as usize);
        hashes.v1 = pieces.flat_map(|piece| throng_wire::ids::InfoHashV1::of(piece).0).collect();
    }
    if format.has_v2() {
        let level = merkle::piece_level(piece_length).expect("a power of two");
        for (index, file) in layout.files().iter().enumerate() {
            if file.length > 0 && !file.attributes.padding {
                let data = &data[file.offset as usize..file.end() as usize];
                hashes.v2.insert(index, FileHashes::from_blocks(&leaves(data), level));
            }
        }
    }
    Content { meta: Arc::new(builder.finish(hashes).expect("the hashes fit")), data }
}

/// The leaf hashes of a run of data that begins at a block.
pub fn leaves(data: &[u8]) -> Vec<Hash> {
    data.chunks(BLOCK as usize).map(merkle::leaf).collect()
}

impl Content {
    pub fn pieces(&self) -> u32 {
        self.meta.info.layout().piece_count()
    }

    /// Where a piece lies in the data, v2 pieces without what is behind their file.
    pub fn range(&self, piece: u32) -> std::ops::Range<usize> {
        let layout = self.meta.info.layout();
        let start = layout.piece_offset(PieceIndex(piece)) as usize;
        start..start + layout.piece_len(PieceIndex(piece)) as usize
    }

    /// The part of a piece that its leaf hashes cover.
    pub fn leaf_range(&self, piece: u32) -> std::ops::Range<usize> {
        let start = self.range(piece).start;
        start..start + self.meta.info.layout().v2_piece_len(PieceIndex(piece)) as usize
    }

    pub fn is_v2(&self) -> bool {
        self.meta.info.hash_v2().is_some()
    }

    /// The whole tree of the file with this root.
    pub fn tree(&self, root: &Hash) -> Option<Tree> {
        let file =
            self.meta.info.layout().files().iter().find(|file| file.pieces_root.as_ref() == Some(root))?;
        Some(Tree::new(&leaves(&self.data[file.offset as usize..file.end() as usize]), 0))
    }

    /// What a magnet link leads to: the torrent without its layers.
    pub fn bare(&self) -> Arc<Metainfo> {
        Arc::new(Metainfo::new(Info::parse(self.meta.info.raw()).expect("it was parsed before")))
    }
}
