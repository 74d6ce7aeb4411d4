use std::collections::BTreeSet;
use std::path::{Component, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::metainfo::File;

fn layout(paths: &[&[&str]]) -> Vec<String> {
    let path = |path: &&[&str]| path.iter().map(|part| part.as_bytes().to_vec()).collect();
    let files: Vec<_> = paths.iter().map(|parts| File { path: path(parts), ..File::default() }).collect();
    let paths = safe_layout(b"t", false, &files);
    paths.iter().map(|path| path.to_str().unwrap().replace('\\', "/")).collect()
}

fn name(raw: &str) -> String {
    safe_name(raw.as_bytes()).unwrap()
}

#[test]
fn names_that_climb_out_stay_inside() {
    assert_eq!(layout(&[&["..", "..", "etc", "passwd"]]), ["t/etc/passwd"]);
    assert_eq!(layout(&[&["/etc/passwd"]]), ["t/_etc_passwd"]);
    assert_eq!(layout(&[&["..\\..\\x"]]), ["t/.._.._x"]);
    assert_eq!(
        layout(&[&["C:\\x"], &["a\0b"], &["..", "."], &[]]),
        ["t/C__x", "t/a_b", "t/unnamed", "t/unnamed (2)"]
    );
    let only = [File { path: vec![b"x".to_vec()], ..File::default() }];
    assert_eq!(safe_layout(b"../../x", true, &only), [PathBuf::from(".._.._x")]);
    assert_eq!(safe_layout(b"..", true, &only), [PathBuf::from("unnamed")]);
    assert_eq!(safe_layout(b"", false, &only), [PathBuf::from("unnamed/x")]);
}

#[test]
fn windows_device_names_are_disarmed() {
    for device in ["CON", "nul", "Com1", "lpt9.txt", "aux.tar.gz", "COM¹", "con .txt", "CONIN$"] {
        assert!(name(device).starts_with('_'), "{device}");
    }
    for plain in ["CONSOLE", "COM", "COM10", "nullable.txt", "auxiliary"] {
        assert_eq!(name(plain), plain);
    }
}

#[test]
fn trailing_dots_and_spaces_and_refused_characters_go() {
    assert_eq!(name("a. . "), "a");
    assert_eq!(name("..."), "_");
    assert_eq!(name("a<b>c:d\"e|f?g*h"), "a_b_c_d_e_f_g_h");
    assert_eq!(name("gpj.\u{202e}exe.txt"), "gpj._exe.txt");
    assert_eq!(name("ok\u{7f}\n"), "ok__");
}

#[test]
fn latin_1_is_read_where_utf_8_fails() {
    assert_eq!(safe_name(b"caf\xe9.txt").unwrap(), "café.txt");
    assert_eq!(name("café 日本.txt"), "café 日本.txt");
}

#[test]
fn long_names_keep_their_extension() {
    let long = format!("{}.mkv", "ä".repeat(1_000));
    let short = name(&long);
    assert!(short.len() <= MAX_NAME_LEN && short.ends_with("ä.mkv"), "{short}");
    assert_eq!(name(&".".repeat(1_000)), "_");
}

#[test]
fn equal_names_are_numbered_and_directories_win() {
    let paths =
        layout(&[&["A.txt"], &["a.TXT"], &["a.txt"], &["a (2).txt"], &["dir"], &["DIR", "x"], &["Dir", "X"]]);
    assert_eq!(
        paths,
        ["t/A.txt", "t/a (2).TXT", "t/a (3).txt", "t/a (2) (2).txt", "t/dir (2)", "t/DIR/x", "t/DIR/X (2)"]
    );
}

#[test]
fn a_path_of_ten_thousand_directories_becomes_one_that_can_be_opened() {
    let mut path = vec![vec![b'd'; 200]; 10_000];
    path.push(b"file.txt".to_vec());
    let paths = safe_layout(b"t", false, &[File { path, ..File::default() }]);
    assert!(paths[0].as_os_str().len() <= MAX_PATH_LEN + 2);
    assert!(paths[0].ends_with("file.txt"));
}

#[test]
fn a_hundred_thousand_files_of_one_name_take_no_quadratic_time() {
    let long = |index: usize| vec![format!("{}{index}", "x".repeat(300)).into_bytes()];
    let files: Vec<_> = (0..100_000).map(|index| File { path: long(index), ..File::default() }).collect();
    let paths: BTreeSet<_> = safe_layout(b"t", false, &files).into_iter().collect();
    assert_eq!(paths.len(), files.len());
}

fn raw_names() -> impl Strategy<Value = Vec<u8>> {
    let nasty = [
        "", ".", "..", "a", "A", "a (2)", "a.b", "A.B", "con", "nul.txt", "/", "\\", "a ", "a.", "ß", "SS",
        "ſ",
    ];
    prop_oneof![
        4 => proptest::sample::select(nasty.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
        1 => any::<String>().prop_map(String::into_bytes),
        1 => (240usize..300, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ]
}

proptest! {
    #[test]
    fn every_layout_is_relative_normal_distinct_and_prefix_free(
        root in raw_names(),
        paths in proptest::collection::vec(proptest::collection::vec(raw_names(), 0..5), 1..40),
        pads in any::<u64>(),
    ) {
        let mut files: Vec<_> = paths.into_iter().map(|path| File { path, ..File::default() }).collect();
        files.iter_mut().enumerate().for_each(|(index, file)| file.attributes.padding = pads >> (index % 64) & 7 == 7);
        let paths = safe_layout(&root, false, &files);
        prop_assert_eq!(paths.len(), files.len());
        let mut folded: Vec<Vec<String>> = Vec::new();
        for path in &paths {
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            let text = path.to_str().unwrap();
            let unsafe_left = text.contains(['\\', ':', '\0', '\u{202e}']);
            prop_assert!(!unsafe_left);
            for part in text.split('/') {
                prop_assert!(!part.is_empty() && part.len() <= MAX_NAME_LEN && !part.ends_with(['.', ' ']), "{:?}", part);
                prop_assert_eq!(safe_name(part.as_bytes()), Some(part.to_owned()));
            }
            folded.push(text.split('/').map(fold_case).collect());
        }
        folded.sort();
        for pair in folded.windows(2) {
            prop_assert!(!pair[1].starts_with(&pair[0]), "{:?}", pair);
        }
    }
}
