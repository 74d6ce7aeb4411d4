//! Torrents of real folders, and what checking says of damaged ones.

use super::*;
use crate::storage::{Options as StorageOptions, Storage};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::{TempDir, tempdir};
use throng_wire::metainfo::{Format, Metainfo, Options};

fn folder() -> TempDir {
    let dir = tempdir().unwrap();
    let root = dir.path().join("stuff");
    std::fs::create_dir_all(root.join("sub/.hidden")).unwrap();
    let file = |path: &str, len: usize| {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 13 + i / 256 + len) as u8).collect();
        std::fs::write(root.join(path), bytes).unwrap();
    };
    file("a", 100_000);
    file("sub/.hidden/b", 70_000);
    file("sub/empty", 0);
    file("tool", 20_000);
    std::fs::set_permissions(root.join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn make(dir: &TempDir, format: Format) -> Created {
    let options = Options { format, piece_length: Some(32_768), ..Options::default() };
    create(Source::scan(&dir.path().join("stuff")).unwrap(), options, Control::default()).unwrap()
}

fn open(metainfo: &Metainfo, dir: &Path) -> Storage {
    let options = StorageOptions { read_only: true, ..StorageOptions::default() };
    Storage::open(Arc::new(metainfo.clone()), dir, options).unwrap()
}

#[test]
fn a_folder_becomes_a_torrent_that_verifies_in_every_format() {
    let dir = folder();
    for format in [Format::V1, Format::V2, Format::Hybrid] {
        let created = make(&dir, format);
        let parsed = Metainfo::parse(&created.metainfo.encode()).unwrap();
        assert_eq!(parsed, created.metainfo);
        let report = verify(&open(&parsed, dir.path()), Control::default());
        assert!(report.is_ok() && report.pieces > 0, "{format:?} {report:?}");
        let tool = parsed.info.layout().files().iter().find(|file| file.path == [b"tool"]).unwrap();
        assert!(tool.attributes.executable);
    }
}

#[test]
fn one_thread_and_many_give_the_same_torrent() {
    let dir = folder();
    let options = || Options { format: Format::Hybrid, piece_length: Some(16_384), ..Options::default() };
    let with = |threads| {
        let control = Control { threads, ..Control::default() };
        create(Source::scan(&dir.path().join("stuff")).unwrap(), options(), control).unwrap().metainfo
    };
    assert_eq!(with(1), with(5));
}

#[test]
fn a_single_file_keeps_the_name_it_was_given() {
    let dir = folder();
    symlink("stuff/a", dir.path().join("alias")).unwrap();
    for (path, name) in [("stuff/a", "a"), ("alias", "alias")] {
        let source = Source::scan(&dir.path().join(path)).unwrap();
        let created = create(source, Options::default(), Control::default()).unwrap();
        assert_eq!(created.metainfo.info.name(), name.as_bytes());
        assert!(created.metainfo.info.is_single_file());
    }
}

#[test]
fn links_within_are_published_as_links_and_others_are_left_out() {
    let dir = folder();
    let root = dir.path().join("stuff");
    symlink("../tool", root.join("sub/inner")).unwrap();
    for (name, target) in
        [("out", "../../etc/passwd"), ("abs", "/etc/passwd"), ("loop", "loop"), ("dir", "sub")]
    {
        symlink(target, root.join(name)).unwrap();
    }
    let created = make(&dir, Format::V1);
    let mut skipped: Vec<_> =
        created.skipped.iter().map(|skipped| skipped.path.file_name().unwrap()).collect();
    skipped.sort();
    assert_eq!(skipped, ["abs", "dir", "loop", "out"]);
    let files = created.metainfo.info.layout().files();
    let link = files.iter().find(|file| file.symlink.is_some()).unwrap();
    assert_eq!(
        (link.path.concat(), link.symlink.clone().unwrap()),
        (b"subinner".to_vec(), vec![b"tool".to_vec()])
    );
}

#[test]
fn damage_is_named_file_by_file() {
    let dir = folder();
    let metainfo = make(&dir, Format::V1).metainfo;
    let root = dir.path().join("stuff");
    std::fs::remove_file(root.join("sub/empty")).unwrap();
    let mut bytes = std::fs::read(root.join("a")).unwrap();
    bytes[40_000] ^= 1;
    std::fs::write(root.join("a"), bytes).unwrap();
    std::fs::File::options().append(true).open(root.join("tool")).unwrap().set_len(20_001).unwrap();
    let report = verify(&open(&metainfo, dir.path()), Control::default());
    assert_eq!(report.missing, [root.join("sub/empty")]);
    assert_eq!(report.wrong_size, [(root.join("tool"), 20_000, 20_001)]);
    assert_eq!((report.bad_pieces.as_slice(), report.affected.as_slice()), (&[1][..], &[root.join("a")][..]));
}

#[test]
fn nothing_stored_is_all_bad_and_no_error() {
    let dir = folder();
    let metainfo = make(&dir, Format::Hybrid).metainfo;
    let report = verify(&open(&metainfo, tempdir().unwrap().path()), Control::default());
    assert_eq!((report.bad_pieces.len() as u32, report.missing.len()), (report.pieces, 4));
}

#[test]
fn names_other_programs_cannot_take_are_found_where_they_are() {
    let dir = tempdir().unwrap();
    let root = dir.path().join("what?");
    std::fs::create_dir(&root).unwrap();
    for name in ["a:b", "AUX", "aux", "dot."] {
        std::fs::write(root.join(name), name.repeat(100)).unwrap();
    }
    let created = create(Source::scan(&root).unwrap(), Options::default(), Control::default()).unwrap();
    let report = verify(&open(&created.metainfo, dir.path()), Control::default());
    assert!(report.is_ok(), "{report:?}");
}

#[test]
fn files_that_change_meanwhile_are_noticed() {
    for change in ["grow", "shrink", "touch", "delete"] {
        let dir = folder();
        let source = Source::scan(&dir.path().join("stuff")).unwrap();
        let path = dir.path().join("stuff/a");
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        match change {
            "grow" => file.set_len(100_001).unwrap(),
            "shrink" => file.set_len(99_999).unwrap(),
            "touch" => file.set_modified(std::time::UNIX_EPOCH).unwrap(),
            _ => std::fs::remove_file(&path).unwrap(),
        }
        let error = create(source, Options::default(), Control::default()).unwrap_err();
        assert!(matches!(&error, CreateError::Changed(changed) if *changed == path), "{change}: {error}");
    }
}

#[test]
fn progress_reaches_the_end_and_cancelling_ends_it() {
    let dir = folder();
    let (seen, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let progress = |done: u64, all: u64| {
        seen.fetch_max(done, Ordering::SeqCst);
        total.store(all, Ordering::SeqCst);
    };
    let stop = AtomicBool::new(false);
    let scan = || Source::scan(&dir.path().join("stuff")).unwrap();
    let control = Control { progress: &progress, cancel: &stop, threads: 2 };
    create(scan(), Options::default(), control).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), total.load(Ordering::SeqCst));
    let cancel = |_, _| stop.store(true, Ordering::SeqCst);
    let control = Control { progress: &cancel, cancel: &stop, threads: 1 };
    assert!(matches!(create(scan(), Options::default(), control), Err(CreateError::Cancelled)));
}

#[test]
fn what_cannot_be_published_is_said_in_one_line() {
    let dir = tempdir().unwrap();
    let error = |path: &Path| {
        let made =
            Source::scan(path).and_then(|source| create(source, Options::default(), Control::default()));
        made.unwrap_err().to_string()
    };
    assert!(error(&dir.path().join("none")).contains("No such file"));
    assert_eq!(error(dir.path()), "nothing to publish: no files");
    assert!(error(Path::new("/dev/null")).contains("neither a file nor a folder"));
    use std::os::unix::ffi::OsStrExt;
    std::fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
    assert!(error(dir.path()).contains("not valid UTF-8"));
}
