//! Making torrents, without I/O: the files give a [`Layout`], whoever reads and hashes them follows it, and the hashes
//! give the torrent.
//!
//! Files are sorted as BEP 52 orders its tree, in v1 too, so that the same folder gives the same torrent everywhere.
//! Hybrid torrents get a padding file wherever the next file with data would not begin at a piece.

use std::collections::BTreeMap;

use super::{
    Attributes, BuildError, File, Info, Layout, MAX_PIECE_LENGTH, MAX_PIECES, Metainfo, MetainfoError,
    PieceLayers,
};
use crate::bencode::Encoder;
use crate::merkle::{self, Hash};

/// Which halves a torrent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// BEP 3 alone.
    V1,
    /// BEP 52 alone.
    V2,
    /// Both, with padding files; every client can use it.
    #[default]
    Hybrid,
}

impl Format {
    /// Whether there are v1 piece hashes.
    pub fn has_v1(self) -> bool {
        self != Self::V2
    }

    /// Whether there is a v2 file tree.
    pub fn has_v2(self) -> bool {
        self != Self::V1
    }
}

/// A file to publish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceFile {
    /// Components below the published folder; ignored for a single file, which has the torrent's name.
    pub path: Vec<Vec<u8>>,
    /// Bytes.
    pub length: u64,
    /// Executable or hidden; `padding` is ignored.
    pub attributes: Attributes,
    /// Target from the published folder, if this is a symbolic link; its length must be 0.
    pub symlink: Option<Vec<Vec<u8>>>,
}

/// What goes into a torrent besides the files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Halves; default hybrid.
    pub format: Format,
    /// Bytes a piece; default [`automatic_piece_length`].
    pub piece_length: Option<u32>,
    /// Tracker tiers.
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// Peers from trackers only (BEP 27).
    pub private: bool,
    /// Free text.
    pub comment: Option<String>,
    /// Name of the program.
    pub created_by: Option<String>,
    /// Seconds since 1970, told by the caller.
    pub creation_date: Option<i64>,
    /// Mark that makes the info-hash differ.
    pub source: Option<String>,
}

/// What hashing one file gave, for v2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHashes {
    /// Root of the file's tree.
    pub root: Hash,
    /// One hash a piece; empty for a file of at most one piece.
    pub layer: Vec<Hash>,
}

impl FileHashes {
    /// From the hashes of a file's pieces: each the [`merkle::root_at`] the piece level over its blocks, except that
    /// a file of at most one piece gives one hash, the [`merkle::root`] over its blocks.
    pub fn from_pieces(pieces: Vec<Hash>, piece_level: u32) -> Self {
        match pieces.as_slice() {
            [only] => Self { root: *only, layer: Vec::new() },
            _ => Self { root: merkle::root(&pieces, piece_level), layer: pieces },
        }
    }

    /// From the hashes of all 16 KiB blocks of a file.
    pub fn from_blocks(blocks: &[Hash], piece_level: u32) -> Self {
        let one_piece = merkle::levels(blocks.len() as u64) <= piece_level;
        let layer = if one_piece { Vec::new() } else { merkle::piece_layer(blocks, piece_level) };
        Self { root: merkle::root(blocks, 0), layer }
    }
}

/// What hashing gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hashes {
    /// SHA-1 of every piece of the layout in order, 20 bytes each, padding hashed as zeros; empty without v1.
    pub v1: Vec<u8>,
    /// By index into the layout's files, one for every file with data that is no padding; empty without v2.
    pub v2: BTreeMap<usize, FileHashes>,
}

/// A torrent that waits for its hashes.
#[derive(Debug, Clone)]
pub struct Builder {
    name: Vec<u8>,
    single_file: bool,
    layout: Layout,
    options: Options,
}

/// A piece length that gives about 1,000 to 2,000 pieces, from 16 KiB to 16 MiB, and more only where 2,097,152 pieces
/// would not reach: small pieces spread faster, many pieces make large torrents.
pub fn automatic_piece_length(total: u64) -> u32 {
    let ideal = 1u64 << (total / 1_024).max(1).ilog2();
    let least = total.div_ceil(u64::from(MAX_PIECES)).checked_next_power_of_two().unwrap_or(u64::MAX);
    let clamped = ideal.clamp(16 * 1024, 16 * 1024 * 1024).max(least);
    clamped.min(u64::from(MAX_PIECE_LENGTH)) as u32
}

impl Builder {
    /// A torrent of one file called `name`.
    pub fn single_file(name: &[u8], file: SourceFile, options: Options) -> Result<Self, BuildError> {
        Self::new(name, true, vec![SourceFile { path: vec![name.to_vec()], ..file }], options)
    }

    /// A torrent of a folder called `name`; the files may come in any order.
    pub fn folder(name: &[u8], files: Vec<SourceFile>, options: Options) -> Result<Self, BuildError> {
        Self::new(name, false, files, options)
    }

    fn new(
        name: &[u8],
        single_file: bool,
        mut files: Vec<SourceFile>,
        options: Options,
    ) -> Result<Self, BuildError> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        check_names(name, &files)?;
        let total = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.length));
        let piece_length = options.piece_length.unwrap_or_else(|| automatic_piece_length(total));
        let level = merkle::piece_level(piece_length).filter(|_| piece_length <= MAX_PIECE_LENGTH);
        if options.format.has_v2() && level.is_none() {
            return Err(MetainfoError::PieceLength.into());
        }
        let files: Vec<File> = files.into_iter().map(into_file).collect();
        let layout = match options.format {
            Format::V1 => Layout::contiguous(files, piece_length)?,
            Format::V2 => Layout::aligned(files, piece_length)?,
            Format::Hybrid => {
                // Checks the sums first, so that the padding computed below cannot overflow.
                Layout::aligned(files.clone(), piece_length)?;
                Layout::contiguous(with_padding(files, piece_length), piece_length)?
            }
        };
        Ok(Self { name: name.to_vec(), single_file, layout, options })
    }

    /// Where the files lie, padding files of hybrid torrents included: what is to be read and hashed.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The torrent, given the hashes of its data. What comes out is what parsing it gives.
    pub fn finish(self, hashes: Hashes) -> Result<Metainfo, BuildError> {
        self.check(&hashes)?;
        let info = Info::parse(&self.info(&hashes))?;
        let mut layers = PieceLayers::new();
        for (index, file) in &hashes.v2 {
            let length = self.layout.files()[*index].length;
            if length > u64::from(self.layout.piece_length()) {
                let layer = file.layer.as_flattened();
                layers.insert(file.root, length, &self.layout, layer).map_err(|_| BuildError::Hashes)?;
            }
        }
        let options = self.options;
        let trackers = options.trackers.into_iter().filter(|tier| !tier.is_empty()).collect();
        Ok(Metainfo {
            layers,
            trackers,
            web_seeds: options.web_seeds,
            comment: options.comment,
            created_by: options.created_by,
            creation_date: options.creation_date,
            ..Metainfo::new(info)
        })
    }

    /// As many hashes as the layout asks for, no more, no less.
    fn check(&self, hashes: &Hashes) -> Result<(), BuildError> {
        let format = self.options.format;
        let pieces = if format.has_v1() { self.layout.piece_count() as usize } else { 0 };
        let expected = |file: &File| format.has_v2() && file.length > 0 && !file.attributes.padding;
        let files =
            self.layout.files().iter().enumerate().filter(|(_, file)| expected(file)).map(|(index, _)| index);
        if hashes.v1.len() == pieces * 20 && files.eq(hashes.v2.keys().copied()) {
            Ok(())
        } else {
            Err(BuildError::Hashes)
        }
    }

    fn info(&self, hashes: &Hashes) -> Vec<u8> {
        let format = self.options.format;
        let files = self.layout.files();
        let mut out = Encoder::new();
        out.begin_dict();
        let single = files.first().filter(|_| self.single_file);
        if let Some(file) = single.filter(|_| format.has_v1()) {
            attributes(&mut out, file);
        }
        if format.has_v2() {
            let own: Vec<_> = files.iter().enumerate().filter(|(_, file)| !file.attributes.padding).collect();
            file_tree(out.key("file tree"), &own, hashes);
        }
        if format.has_v1() {
            match single {
                Some(file) => _ = out.entry_int("length", file.length),
                None => v1_files(out.key("files"), files),
            }
        }
        if format.has_v2() {
            out.entry_int("meta version", 2);
        }
        out.entry_bytes("name", &self.name).entry_int("piece length", self.layout.piece_length());
        if format.has_v1() {
            out.entry_bytes("pieces", &hashes.v1);
        }
        if self.options.private {
            out.entry_int("private", 1);
        }
        self.options.source.iter().for_each(|source| _ = out.entry_bytes("source", source));
        if let Some(file) = single.filter(|_| format.has_v1()) {
            symlink(&mut out, file);
        }
        out.end();
        out.finish()
    }
}

/// Components that name a file everywhere, and no file where another has a directory.
fn check_names(name: &[u8], sorted: &[SourceFile]) -> Result<(), BuildError> {
    let good =
        |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0);
    if sorted.is_empty() {
        return Err(BuildError::NoFiles);
    }
    let sound = |file: &SourceFile| {
        !file.path.is_empty()
            && file.path.iter().all(|part| good(part))
            && (file.symlink.is_none() || file.length == 0)
    };
    if !good(name) || !sorted.iter().all(sound) {
        return Err(BuildError::Name);
    }
    // Sorted, whatever lies below a path follows it at once.
    let clash = sorted.windows(2).any(|pair| pair[1].path.starts_with(&pair[0].path));
    if clash { Err(BuildError::DuplicatePath) } else { Ok(()) }
}

fn into_file(source: SourceFile) -> File {
    let attributes = Attributes { padding: false, ..source.attributes };
    File { path: source.path, length: source.length, attributes, symlink: source.symlink, ..File::default() }
}

/// A padding file before every file with data that would begin within a piece, named as BEP 47 proposes.
fn with_padding(files: Vec<File>, piece_length: u32) -> Vec<File> {
    let piece = u64::from(piece_length);
    let mut padded = Vec::with_capacity(files.len());
    let mut end = 0u64;
    for file in files {
        let missing = end.next_multiple_of(piece) - end;
        if file.length > 0 && missing > 0 {
            let path = vec![b".pad".to_vec(), missing.to_string().into_bytes()];
            let attributes = Attributes { padding: true, ..Attributes::default() };
            padded.push(File { path, length: missing, attributes, ..File::default() });
            end += missing;
        }
        end += file.length;
        padded.push(file);
    }
    padded
}

fn attributes(out: &mut Encoder, file: &File) {
    let marks = [
        (file.attributes.hidden, 'h'),
        (file.symlink.is_some(), 'l'),
        (file.attributes.padding, 'p'),
        (file.attributes.executable, 'x'),
    ];
    let attr: String = marks.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
    if !attr.is_empty() {
        out.entry_bytes("attr", attr);
    }
}

fn components(out: &mut Encoder, parts: &[Vec<u8>]) {
    out.begin_list();
    parts.iter().for_each(|part| _ = out.bytes(part));
    out.end();
}

fn symlink(out: &mut Encoder, file: &File) {
    file.symlink.iter().for_each(|target| components(out.key("symlink path"), target));
}

fn v1_files(out: &mut Encoder, files: &[File]) {
    out.begin_list();
    for file in files {
        out.begin_dict();
        attributes(out, file);
        components(out.entry_int("length", file.length).key("path"), &file.path);
        symlink(out, file);
        out.end();
    }
    out.end();
}

/// The tree of files that are sorted by path: directories are opened and closed where the path before differs.
fn file_tree(out: &mut Encoder, files: &[(usize, &File)], hashes: &Hashes) {
    out.begin_dict();
    let mut open: &[Vec<u8>] = &[];
    for (index, file) in files {
        let Some((name, directory)) = file.path.split_last() else { continue };
        let shared = open.iter().zip(directory).take_while(|(a, b)| a == b).count();
        open[shared..].iter().for_each(|_| _ = out.end());
        directory[shared..].iter().for_each(|part| _ = out.key(part).begin_dict());
        open = directory;
        out.key(name).begin_dict().key("").begin_dict();
        attributes(out, file);
        out.entry_int("length", file.length);
        hashes.v2.get(index).iter().for_each(|hashes| _ = out.entry_bytes("pieces root", hashes.root));
        symlink(out, file);
        out.end().end();
    }
    open.iter().for_each(|_| _ = out.end());
    out.end();
}
