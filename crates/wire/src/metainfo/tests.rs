use proptest::prelude::*;
use sha1::Digest as _;

use super::*;
use crate::bencode::{self, Limits};
use crate::ids::PieceIndex;
use crate::merkle;

const KIB: u64 = 1024;

fn source(path: &str, length: u64) -> SourceFile {
    let path = path.split('/').map(|part| part.as_bytes().to_vec()).collect();
    SourceFile { path, length, ..SourceFile::default() }
}

fn options(format: Format, piece_length: u32) -> Options {
    Options { format, piece_length: Some(piece_length), ..Options::default() }
}

/// File data that depends on the path and the place; padding is zeros.
fn byte(file: &File, at: u64) -> u8 {
    if file.attributes.padding {
        0
    } else {
        (at as u8) ^ file.path.concat().iter().fold(0u8, |a, b| a.wrapping_add(*b))
    }
}

/// Hashes the imagined data as a program would: v1 over the piece space, v2 over the blocks of each file.
fn hash(layout: &Layout, format: Format) -> Hashes {
    let mut hashes = Hashes::default();
    for piece in (0..layout.piece_count()).filter(|_| format.has_v1()) {
        let spans = layout.piece_spans(PieceIndex(piece));
        let data = spans
            .flat_map(|s| (s.offset..s.offset + s.length).map(move |at| byte(&layout.files()[s.file], at)));
        hashes.v1.extend(sha1::Sha1::digest(data.collect::<Vec<u8>>()));
    }
    let files =
        layout.files().iter().enumerate().filter(|(_, file)| format.has_v2() && !file.attributes.padding);
    for (index, file) in files.filter(|(_, file)| file.length > 0) {
        let data: Vec<u8> = (0..file.length).map(|at| byte(file, at)).collect();
        let blocks: Vec<_> = data.chunks(merkle::BLOCK_LEN as usize).map(merkle::leaf).collect();
        let level = merkle::piece_level(layout.piece_length()).unwrap();
        let by_blocks = FileHashes::from_blocks(&blocks, level);
        let pieces: Vec<_> = match by_blocks.layer.as_slice() {
            [] => vec![merkle::root(&blocks, 0)],
            layer => layer.to_vec(),
        };
        assert_eq!(FileHashes::from_pieces(pieces, level), by_blocks);
        hashes.v2.insert(index, by_blocks);
    }
    hashes
}

fn build(files: Vec<SourceFile>, options: Options) -> Metainfo {
    let format = options.format;
    let builder = Builder::folder(b"folder", files, options).unwrap();
    let hashes = hash(builder.layout(), format);
    builder.finish(hashes).unwrap()
}

#[test]
fn a_v1_torrent_is_written_byte_by_byte_as_bep_3_says() {
    let all = Options {
        trackers: vec![vec!["http://a".into(), "http://b".into()], vec!["udp://c:1".into()]],
        web_seeds: vec!["http://w/".into()],
        private: true,
        comment: Some("hi".into()),
        created_by: Some("throng".into()),
        creation_date: Some(1_700_000_000),
        source: Some("S".into()),
        ..options(Format::V1, 16_384)
    };
    let builder =
        Builder::single_file(b"f.txt", SourceFile { length: 3, ..SourceFile::default() }, all).unwrap();
    let torrent = builder.finish(Hashes { v1: vec![b'#'; 20], ..Hashes::default() }).unwrap();
    let expected = "d8:announce8:http://a13:announce-listll8:http://a8:http://bel9:udp://c:1ee7:comment2:hi\
        10:created by6:throng13:creation datei1700000000e4:infod6:lengthi3e4:name5:f.txt12:piece lengthi16384e\
        6:pieces20:####################7:privatei1e6:source1:Se8:url-listl9:http://w/ee";
    assert_eq!(String::from_utf8(torrent.encode()).unwrap(), expected);
    let parsed = Metainfo::parse(expected.as_bytes()).unwrap();
    assert_eq!(parsed, torrent);
    assert!(parsed.info.is_private() && parsed.info.is_single_file());
    assert_eq!(parsed.info.v1_piece_hash(PieceIndex(0)), Some([b'#'; 20]));
    assert_eq!(parsed.info.v1_piece_hash(PieceIndex(1)), None);
}

#[test]
fn a_v2_torrent_is_written_byte_by_byte_as_bep_52_says() {
    let executable = Attributes { executable: true, ..Attributes::default() };
    let files =
        vec![source("b", 0), source("a/x", 0), SourceFile { attributes: executable, ..source("a.txt", 0) }];
    let torrent = build(files, options(Format::V2, 16_384));
    let expected = "d4:infod9:file treed1:ad1:xd0:d6:lengthi0eeee5:a.txtd0:d4:attr1:x6:lengthi0eee\
        1:bd0:d6:lengthi0eeee12:meta versioni2e4:name6:folder12:piece lengthi16384ee12:piece layersdee";
    let text = String::from_utf8(torrent.encode()).unwrap();
    assert_eq!(text, expected);
    assert!(torrent.info.hash_v1().is_none() && torrent.info.hash_v2().is_some());
    assert!(torrent.info.layout().files()[1].attributes.executable);
}

#[test]
fn hybrid_torrents_fill_pieces_and_agree_with_their_v2_halves() {
    let files = || vec![source("c", 40 * KIB), source("a", 100), source("b", 0), source("d/e", 64 * KIB)];
    let hybrid = build(files(), options(Format::Hybrid, 32 * 1024));
    let paths: Vec<_> = hybrid.info.layout().files().iter().map(|file| file.path.concat()).collect();
    assert_eq!(paths, [&b"a"[..], b"b", b".pad32668", b"c", b".pad24576", b"de"]);
    let v2 = build(files(), options(Format::V2, 32 * 1024));
    assert_eq!(hybrid.layers, v2.layers);
    assert_eq!((hybrid.info.layout().piece_count(), v2.info.layout().piece_count()), (5, 5));
    for piece in (0..5).map(PieceIndex) {
        assert_eq!(
            hybrid.info.v2_piece_hash(&hybrid.layers, piece),
            v2.info.v2_piece_hash(&v2.layers, piece)
        );
        assert_eq!(hybrid.info.layout().v2_piece_len(piece), v2.info.layout().piece_len(piece));
    }
    let lengths: Vec<_> = (0..6).map(|piece| v2.info.layout().piece_len(PieceIndex(piece))).collect();
    assert_eq!(lengths, [100, 32_768, 8_192, 32_768, 32_768, 0]);
    assert_eq!(hybrid.info.layout().piece_len(PieceIndex(0)), 32_768);
    assert_eq!(hybrid.info.layout().content_length(), 104 * KIB + 100);
    assert_eq!(hybrid.info.layout().piece_range(3), 1..3);
    assert_eq!(hybrid.info.swarms().count(), 2);
}

#[test]
fn hybrid_halves_that_disagree_are_refused() {
    let torrent = build(vec![source("a", 20_000), source("b", 7)], options(Format::Hybrid, 16_384)).encode();
    assert!(Metainfo::parse(&torrent).is_ok());
    for (from, to) in [
        ("6:lengthi7e4:path", "6:lengthi8e4:path"),
        ("4:pathl1:be", "4:pathl1:ce"),
        ("4:attr1:p", "4:attr1:h"),
    ] {
        let changed = replace(&torrent, from, to);
        assert_eq!(Metainfo::parse(&changed).unwrap_err(), MetainfoError::HybridMismatch, "{from}");
    }
}

fn replace(haystack: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = haystack
        .windows(from.len())
        .rposition(|window| window == from.as_bytes())
        .expect("the pattern occurs");
    [&haystack[..at], to.as_bytes(), &haystack[at + from.len()..]].concat()
}

fn v1_info(body: &str, pieces: usize) -> Vec<u8> {
    format!("d{body}4:name1:n12:piece lengthi16384e6:pieces{}:{}e", pieces, "#".repeat(pieces)).into_bytes()
}

fn info_error(info: &[u8]) -> MetainfoError {
    Info::parse(info).unwrap_err()
}

#[test]
fn bad_torrents_are_refused_by_name() {
    assert_eq!(
        Metainfo::parse(b"<html>").unwrap_err(),
        MetainfoError::Bencode(bencode::Error::UnexpectedByte(0))
    );
    assert_eq!(Metainfo::parse(b"le").unwrap_err(), MetainfoError::NotADict);
    assert_eq!(Metainfo::parse(b"de").unwrap_err(), MetainfoError::NoInfo);
    assert_eq!(Metainfo::parse(b"d4:infolee").unwrap_err(), MetainfoError::NoInfo);
    assert_eq!(info_error(b"de"), MetainfoError::PieceLength);
    assert_eq!(info_error(b"d12:piece lengthi16384ee"), MetainfoError::NoContent);
    assert_eq!(info_error(b"d12:meta versioni3ee"), MetainfoError::UnknownVersion);
    assert_eq!(info_error(b"d12:meta versioni2ee"), MetainfoError::FileTree);
    assert_eq!(info_error(&v1_info("6:lengthi5e", 40)), MetainfoError::PieceCount);
    assert_eq!(info_error(&v1_info("6:lengthi5e", 19)), MetainfoError::PieceCount);
    assert_eq!(info_error(&v1_info("6:lengthi-5e", 20)), MetainfoError::File);
    assert_eq!(info_error(&v1_info("", 20)), MetainfoError::File);
    assert_eq!(info_error(&v1_info("5:filesle", 0)), MetainfoError::NoContent);
    assert_eq!(info_error(&v1_info("5:filesld6:lengthi1eee", 20)), MetainfoError::File);
    assert_eq!(info_error(&v1_info("5:filesld6:lengthi1e4:pathli1eeee", 20)), MetainfoError::File);
    assert_eq!(info_error(&v1_info("6:lengthi9223372036854775807e", 20)), MetainfoError::TooManyPieces);
    let half = "d6:lengthi9223372036854775807e4:pathl1:aee";
    assert_eq!(
        info_error(&v1_info(&format!("5:filesl{half}{half}{half}e"), 20)),
        MetainfoError::TooManyPieces
    );
}

#[test]
fn bad_file_trees_are_refused_by_name() {
    let tree = |tree: &str| {
        let info = format!("d9:file tree{tree}12:meta versioni2e4:name1:n12:piece lengthi16384ee");
        Info::parse(info.as_bytes())
    };
    assert!(tree("d1:ad0:d6:lengthi0eeee").is_ok());
    assert_eq!(tree("le").unwrap_err(), MetainfoError::FileTree);
    assert_eq!(tree("de").unwrap_err(), MetainfoError::NoContent);
    assert_eq!(tree("d0:d6:lengthi0eee").unwrap_err(), MetainfoError::FileTree);
    assert_eq!(tree("d1:ai1ee").unwrap_err(), MetainfoError::FileTree);
    assert_eq!(tree("d1:bd0:d6:lengthi0eee1:ad0:d6:lengthi0eeee").unwrap_err(), MetainfoError::FileTree);
    assert_eq!(tree("d1:ad0:d6:lengthi0eee1:ad0:d6:lengthi0eeee").unwrap_err(), MetainfoError::FileTree);
    assert_eq!(tree("d1:ad0:d6:lengthi0ee1:bdeee").unwrap_err(), MetainfoError::FileTree);
    assert_eq!(tree("d1:ad0:d6:lengthi1eeee").unwrap_err(), MetainfoError::PiecesRoot);
    assert_eq!(tree("d1:ad0:d6:lengthi1e11:pieces root1:xeee").unwrap_err(), MetainfoError::PiecesRoot);
    let info = b"d9:file treed1:ad0:d6:lengthi0eeee12:meta versioni2e4:name1:n12:piece lengthi24576ee";
    assert_eq!(info_error(info), MetainfoError::PieceLength);
}

#[test]
fn ten_million_empty_files_and_many_deep_paths_are_refused_cheaply() {
    let many = v1_info(&format!("5:filesl{}e", "d6:lengthi0e4:pathlee".repeat(600_000)), 0);
    assert_eq!(info_error(&many), MetainfoError::Bencode(bencode::Error::TooManyTokens));
    let room = Limits { bytes: usize::MAX, tokens: usize::MAX, ..Limits::default() };
    let torrent = [b"d4:info", many.as_slice(), b"e"].concat();
    assert_eq!(Metainfo::parse_with(&torrent, room).unwrap_err(), MetainfoError::TooManyFiles);
    // 90 directories of 1,000 bytes each above 20,000 files: 1.8 GB of paths in half a megabyte.
    let leaves: String = (10_000..30_000).map(|name| format!("5:{name}d0:d6:lengthi0eee")).collect();
    let deep = format!("{}d{leaves}e{}", format!("d1000:{}", "x".repeat(1_000)).repeat(90), "e".repeat(90));
    let info = format!("d9:file tree{deep}12:meta versioni2e4:name1:n12:piece lengthi16384ee");
    assert_eq!(info_error(info.as_bytes()), MetainfoError::PathsTooLong);
}

#[test]
fn attributes_links_and_utf_8_names_of_v1_files_are_read() {
    let files = "5:filesl\
        d4:attr2:xh6:lengthi1e4:pathl1:ze10:path.utf-8l1:uee\
        d4:attr1:l4:pathl1:le12:symlink pathl1:d1:tee\
        d4:attr1:l6:lengthi1e4:pathl1:me12:symlink pathl1:teee";
    let info = v1_info(files, 20);
    let info = Info::parse(&info).unwrap();
    let [first, link, data] = info.layout().files() else { panic!("three files") };
    assert_eq!(first.path, [b"u"]);
    assert!(first.attributes.executable && first.attributes.hidden && !first.attributes.padding);
    assert_eq!(link.symlink.as_deref(), Some(&[b"d".to_vec(), b"t".to_vec()][..]));
    assert_eq!((data.symlink.is_none(), data.length, data.offset), (true, 1, 1));
}

#[test]
fn a_lying_piece_layer_is_refused_and_a_missing_one_is_told() {
    let torrent = build(vec![source("a", 100 * KIB), source("b", 10)], options(Format::V2, 16_384));
    let bytes = torrent.encode();
    let parsed = Metainfo::parse(&bytes).unwrap();
    assert_eq!(parsed, torrent);
    assert_eq!(parsed.layers.missing(parsed.info.layout()).count(), 0);
    let mut damaged = bytes.clone();
    let at = damaged.len() - 10;
    damaged[at] ^= 1;
    assert_eq!(Metainfo::parse(&damaged).unwrap_err(), MetainfoError::PieceLayer);
    let bare = Metainfo::new(Info::parse(torrent.info.raw()).unwrap());
    assert_eq!(bare.layers.missing(bare.info.layout()).collect::<Vec<_>>(), [0]);
    assert_eq!(bare.info.v2_piece_hash(&bare.layers, PieceIndex(0)), None);
    assert!(
        bare.info.v2_piece_hash(&bare.layers, PieceIndex(7)).is_some(),
        "a small file is proved by its root"
    );
    let (root, layer) = torrent.layers.iter().next().unwrap();
    let mut layers = PieceLayers::new();
    layers.insert(*root, 100 * KIB, bare.info.layout(), layer).unwrap();
    assert_eq!(layers, torrent.layers);
}

#[test]
fn trackers_and_seeds_take_the_shapes_found_in_the_wild() {
    let info = String::from_utf8(v1_info("6:lengthi5e", 20)).unwrap();
    let torrent =
        format!("d8:announce4:a://13:announce-listl4:b://le5: c://i1ee4:info{info}8:url-list4:w://e");
    let parsed = Metainfo::parse(torrent.as_bytes()).unwrap();
    assert_eq!(parsed.trackers, [["b://"], ["c://"]]);
    assert_eq!(parsed.web_seeds, ["w://"]);
    let torrent = format!("d8:announce4:a://13:announce-listlle0:e4:info{info}e");
    assert_eq!(Metainfo::parse(torrent.as_bytes()).unwrap().trackers, [["a://"]]);
}

#[test]
fn the_info_hash_is_taken_over_the_bytes_as_they_came() {
    // Keys out of order: re-encoding would give another hash.
    let info = "d4:name1:n6:lengthi5e12:piece lengthi16384e6:pieces20:####################e";
    let torrent = format!("d4:info{info}e");
    let parsed = Metainfo::parse(torrent.as_bytes()).unwrap();
    assert_eq!(parsed.info.hash_v1().unwrap(), crate::ids::InfoHashV1::of(info.as_bytes()));
    assert_eq!(parsed.encode(), torrent.as_bytes());
}

#[test]
fn automatic_piece_lengths_give_one_to_two_thousand_pieces() {
    const MIB: u64 = 1 << 20;
    let cases = [
        (0, 16 * KIB),
        (KIB, 16 * KIB),
        (64 * MIB, 64 * KIB),
        (127 * MIB, 64 * KIB),
        (1 << 30, MIB),
        (1 << 40, 16 * MIB),
    ];
    for (total, expected) in cases {
        assert_eq!(u64::from(automatic_piece_length(total)), expected, "{total}");
    }
    assert_eq!(automatic_piece_length(1 << 46), 32 << 20, "2,097,152 pieces are the most");
    assert_eq!(automatic_piece_length(u64::MAX), MAX_PIECE_LENGTH);
}

#[test]
fn unpublishable_files_are_refused_by_name() {
    let folder = |files: Vec<SourceFile>| Builder::folder(b"n", files, Options::default()).map(|_| ());
    assert_eq!(folder(vec![]), Err(BuildError::NoFiles));
    assert_eq!(folder(vec![source("a//b", 1)]), Err(BuildError::Name));
    assert_eq!(folder(vec![source("../b", 1)]), Err(BuildError::Name));
    assert_eq!(folder(vec![source("a", 1), source("b", 1), source("a", 2)]), Err(BuildError::DuplicatePath));
    assert_eq!(
        folder(vec![source("a", 1), source("a/b", 1), source("a.b", 1)]),
        Err(BuildError::DuplicatePath)
    );
    assert_eq!(
        folder(vec![source("a", u64::MAX), source("b", u64::MAX)]),
        Err(MetainfoError::TooManyPieces.into())
    );
    let odd = Builder::folder(b"n", vec![source("a", 1)], options(Format::V2, 1_000));
    assert_eq!(odd.map(|_| ()), Err(MetainfoError::PieceLength.into()));
    let builder = Builder::folder(b"n", vec![source("a", 1)], Options::default()).unwrap();
    assert_eq!(builder.finish(Hashes::default()).unwrap_err(), BuildError::Hashes);
}

fn sources() -> impl Strategy<Value = Vec<SourceFile>> {
    let lengths = prop_oneof![Just(0), 1u64..40_000, Just(16_384), Just(32_768), 60_000u64..140_000];
    let path = proptest::collection::vec("[ab]{1,2}", 1..4).prop_map(|parts| parts.join("/"));
    proptest::collection::btree_map(path, lengths, 1..7)
        .prop_map(|files| files.iter().map(|(path, length)| source(path, *length)).collect())
}

proptest! {
    #[test]
    fn what_is_built_is_read_back_whole(files in sources(), format in 0usize..3) {
        let options = options([Format::V1, Format::V2, Format::Hybrid][format], 32 * 1024);
        let Ok(builder) = Builder::folder(b"n", files, options.clone()) else { return Ok(()) };
        let layout = builder.layout().clone();
        let torrent = builder.finish(hash(&layout, options.format)).unwrap();
        let bytes = torrent.encode();
        prop_assert!(bencode::decode(&bytes).unwrap().is_canonical());
        prop_assert_eq!(&Metainfo::parse(&bytes).unwrap(), &torrent);
        let read = torrent.info.layout();
        prop_assert_eq!((read.total_length(), read.piece_count()), (layout.total_length(), layout.piece_count()));
        // Every byte of every file lies in exactly one piece, in order.
        let mut covered = vec![0u64; read.files().len()];
        for span in (0..read.piece_count()).flat_map(|piece| read.piece_spans(PieceIndex(piece))) {
            prop_assert_eq!(covered[span.file], span.offset);
            covered[span.file] += span.length;
        }
        for (index, file) in read.files().iter().enumerate() {
            prop_assert_eq!(covered[index], file.length);
            let bytes: u64 = read.piece_range(index).map(|piece| u64::from(read.v2_piece_len(PieceIndex(piece)))).sum();
            let padding = file.attributes.padding;
            prop_assert!(options.format == Format::V1 || padding || bytes == file.length);
        }
    }

    #[test]
    fn damaged_torrents_never_panic(files in sources(), format in 0usize..3, damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let options = options([Format::V1, Format::V2, Format::Hybrid][format], 16 * 1024);
        let Ok(builder) = Builder::folder(b"n", files, options.clone()) else { return Ok(()) };
        let hashes = hash(builder.layout(), options.format);
        let mut bytes = builder.finish(hashes).unwrap().encode();
        let length = bytes.len();
        damage.iter().for_each(|(at, byte)| bytes[at % length] = *byte);
        if let Ok(torrent) = Metainfo::parse(&bytes) {
            let layout = torrent.info.layout();
            let _ = (torrent.info.safe_paths(), torrent.encode(), layout.file_spans(damage[0].0 as u64, u64::MAX).count());
            for piece in [0, 1, layout.piece_count(), u32::MAX].map(PieceIndex) {
                let _ = (layout.piece_len(piece), layout.v2_piece_len(piece), layout.piece_spans(piece).count());
                let _ = torrent.info.v2_piece_hash(&torrent.layers, piece);
            }
        }
    }
}
