//! What describes files: bencoding, torrents, magnet links, paths.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::input::Input;
use throng_wire::bencode::{self as codec, Encoder, Limits, Value};
use throng_wire::ids::PieceIndex;
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::{Attributes, File, Info, Layout, Metainfo};
use throng_wire::paths::{MAX_NAME_LEN, fold_case, safe_layout};

/// Limits near what short inputs reach, so that the fuzzer sees both sides of them.
const SMALL: Limits = Limits { bytes: 4096, depth: 20, tokens: 300 };

/// Decodes, walks every value, and writes the document anew: canonical input gives the same bytes.
pub fn bencode(data: &[u8]) {
    let small = codec::decode_with(data, SMALL);
    if let Ok((document, consumed)) = codec::decode_prefix(data) {
        assert_eq!(document.root().raw(), &data[..consumed]);
        let again = codec::decode(&data[..consumed]).expect("the prefix is a whole document");
        assert_eq!(again.token_count(), document.token_count());
    }
    let Ok(document) = codec::decode(data) else {
        assert!(small.is_err(), "smaller limits accept no more");
        return;
    };
    assert_eq!(document.root().span(), 0..data.len());
    if document.is_canonical() {
        let mut encoder = Encoder::new();
        rewrite(document.root(), &mut encoder);
        assert_eq!(encoder.finish(), data, "canonical bencoding has one form");
    } else {
        visit(document.root(), &mut 10_000);
    }
}

fn rewrite(value: Value<'_, '_>, out: &mut Encoder) {
    if let Some(number) = value.as_int() {
        out.int(number);
    } else if let Some(bytes) = value.as_bytes() {
        out.bytes(bytes);
    } else if let Some(items) = value.as_list() {
        out.begin_list();
        items.for_each(|item| rewrite(item, out));
        out.end();
    } else if let Some(entries) = value.as_dict() {
        out.begin_dict();
        for (key, item) in entries {
            rewrite(item, out.key(key));
        }
        out.end();
    }
}

fn visit(value: Value<'_, '_>, budget: &mut u32) {
    *budget = budget.saturating_sub(1);
    if *budget == 0 {
        return;
    }
    let _ = (value.as_int(), value.as_u64(), value.as_str(), value.raw());
    value.as_list().into_iter().flatten().for_each(|item| visit(item, budget));
    for (key, item) in value.as_dict().into_iter().flatten() {
        assert!(value.get(key).is_some());
        visit(item, budget);
    }
}

/// Reads a .torrent file; what is written from it reads the same.
pub fn metainfo(data: &[u8]) {
    let Ok(torrent) = Metainfo::parse(data) else { return };
    check_info(&torrent.info);
    for file in torrent.layers.missing(torrent.info.layout()) {
        assert!(torrent.info.layout().files()[file].pieces_root.is_some());
    }
    for piece in (0..torrent.info.layout().piece_count()).take(64) {
        let _ = torrent.info.v2_piece_hash(&torrent.layers, PieceIndex(piece));
    }
    let encoded = torrent.encode();
    // Lossy text grows (a bad byte becomes three), so only what was near the limit may be refused now.
    let Ok(again) = Metainfo::parse(&encoded) else {
        assert!(encoded.len() > 3_000_000, "what we write we read");
        return;
    };
    assert_eq!(again, torrent);
    assert_eq!(again.encode(), encoded, "written twice, the same");
}

/// Reads an info dictionary as peers send it.
pub fn info(data: &[u8]) {
    let Ok(info) = Info::parse(data) else { return };
    assert_eq!(info.raw().as_ref(), data);
    check_info(&info);
}

fn check_info(info: &Info) {
    assert!(info.hash_v1().is_some() || info.hash_v2().is_some());
    let layout = info.layout();
    check_layout(layout);
    if let Some(hashes) = info.v1_pieces() {
        assert_eq!(hashes.len(), layout.piece_count() as usize * 20);
    }
    check_paths(&info.safe_paths(), layout.files().len());
}

/// Files ascend, pieces cover them, and the runs of a piece add up to its length where there are no gaps.
fn check_layout(layout: &Layout) {
    let mut end = 0;
    for file in layout.files() {
        assert!(file.offset >= end);
        end = file.end();
    }
    assert_eq!(end, layout.total_length());
    assert!(layout.piece_count() as u64 * u64::from(layout.piece_length()) >= end);
    let count = layout.piece_count();
    for piece in (0..count.min(64)).chain(count.saturating_sub(2)..count).map(PieceIndex) {
        let length = layout.piece_len(piece);
        assert!(length > 0 && length <= layout.piece_length());
        assert!(layout.v2_piece_len(piece) <= layout.piece_length());
        let runs: u64 = layout.piece_spans(piece).take(1000).map(|span| span.length).sum();
        assert!(runs <= u64::from(length));
    }
    for file in 0..layout.files().len().min(1000) {
        let range = layout.piece_range(file);
        assert!(range.start <= range.end && range.end <= count);
    }
    assert_eq!(layout.piece_len(PieceIndex(count)), 0);
}

/// Makes paths of components from the input.
pub fn paths(data: &[u8]) {
    let mut input = Input(data);
    let single = input.one_in(8);
    let name = input.run();
    let mut files = Vec::new();
    while !input.is_empty() && files.len() < 200 {
        let mut path: Vec<Vec<u8>> = Vec::new();
        for _ in 0..input.below(40) {
            // Some components repeated make long ones out of short inputs.
            let (part, times) = (input.run(), if input.one_in(8) { 60 } else { 1 });
            path.push(part.repeat(times));
        }
        let attributes = Attributes { padding: input.one_in(8), ..Attributes::default() };
        files.push(File { path, attributes, ..File::default() });
    }
    check_paths(&safe_layout(name, single, &files), files.len());
}

/// Relative, below one folder, of plain names, and no two the same however a file system folds case.
fn check_paths(paths: &[PathBuf], files: usize) {
    assert_eq!(paths.len(), files);
    let mut taken = BTreeSet::new();
    let mut folders = BTreeSet::new();
    let root = paths.first().and_then(|path| path.components().next());
    for path in paths {
        assert!(path.components().next() == root && path.components().count() <= 34, "{path:?}");
        for part in path.components() {
            let Component::Normal(name) = part else { panic!("{path:?} climbs") };
            let name = name.to_str().expect("names are UTF-8");
            assert!(!name.is_empty() && name.len() <= MAX_NAME_LEN, "{path:?}");
            assert!(
                !name.contains(['\0', '/', '\\', ':']) && !name.chars().any(char::is_control),
                "{path:?}"
            );
        }
        assert!(taken.insert(folded(path)), "{path:?} twice");
        folders.extend(path.ancestors().skip(1).map(folded));
    }
    assert!(taken.is_disjoint(&folders), "a file where a folder is");
}

fn folded(path: &Path) -> String {
    fold_case(&path.to_string_lossy())
}

/// Reads a magnet link; what is written from it reads the same.
pub fn magnet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = text.parse::<throng_wire::magnet::PeerAddress>();
    let Ok(link) = text.parse::<Magnet>() else { return };
    let _ = (link.swarms().count(), link.selects(7));
    let written = link.to_string();
    // Escapes make it longer, at most three times.
    if written.len() <= throng_wire::magnet::MAX_LEN {
        assert_eq!(written.parse::<Magnet>(), Ok(link), "{written}");
    }
}
