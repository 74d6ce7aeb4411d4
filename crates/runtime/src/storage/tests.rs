//! Storage against a real file system; what needs a small or read-only one mounts it, which takes root.

use super::*;
use crate::create::PieceHashes;
use crate::create::assemble;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use tempfile::{TempDir, tempdir};
use throng_wire::metainfo::{Attributes, Builder, Format, Options as TorrentOptions, SourceFile};

/// A torrent called `N` and the bytes of its piece space, which differ everywhere; padding is zeros.
pub(crate) fn torrent(format: Format, piece_length: u32, files: &[(&str, u64)]) -> (Arc<Metainfo>, Vec<u8>) {
    let source = |(path, length): &(&str, u64)| SourceFile {
        path: path.split('/').map(|part| part.as_bytes().to_vec()).collect(),
        length: *length,
        ..SourceFile::default()
    };
    torrent_of(format, piece_length, files.iter().map(source).collect())
}

fn torrent_of(format: Format, piece_length: u32, files: Vec<SourceFile>) -> (Arc<Metainfo>, Vec<u8>) {
    let options = TorrentOptions { format, piece_length: Some(piece_length), ..TorrentOptions::default() };
    let builder = Builder::folder(b"N", files, options).unwrap();
    let layout = builder.layout();
    let mut data = vec![0; layout.total_length() as usize];
    for file in layout.files().iter().filter(|file| !file.attributes.padding) {
        let bytes = &mut data[file.offset as usize..file.end() as usize];
        bytes
            .iter_mut()
            .enumerate()
            .for_each(|(i, byte)| *byte = (i as u64 * 31 + file.offset + i as u64 / 256) as u8);
    }
    let pieces = (0..layout.piece_count()).map(|piece| {
        let start = layout.piece_offset(PieceIndex(piece)) as usize;
        let v2_len = if format.has_v2() { layout.v2_piece_len(PieceIndex(piece)) } else { 0 };
        let mut hasher = PieceHasher::with(format.has_v1(), v2_len);
        hasher.update(&data[start..start + layout.piece_len(PieceIndex(piece)) as usize]);
        PieceHashes::of(layout, piece, &hasher.finish())
    });
    let hashes = assemble(layout, format, pieces);
    (Arc::new(builder.finish(hashes).unwrap()), data)
}

pub(crate) fn open(metainfo: &Arc<Metainfo>, dir: &Path) -> Storage {
    Storage::open(metainfo.clone(), dir, Options::default()).unwrap()
}

/// Writes a piece of `data` as a downloader would.
pub(crate) fn write(storage: &Storage, data: &[u8], piece: u32) -> Result<(), StorageError> {
    let range = storage.files().map().piece_range(piece);
    storage.write_piece(piece, &[&data[range.start as usize..range.end as usize]])
}

pub(crate) fn write_all(storage: &Storage, data: &[u8]) {
    (0..storage.piece_count()).for_each(|piece| write(storage, data, piece).unwrap());
}

fn all(storage: &Storage) -> Vec<u8> {
    let mut buf = vec![1; storage.metainfo().info.layout().total_length() as usize];
    storage.read(0, &mut buf).unwrap();
    buf
}

const FILES: [(&str, u64); 5] =
    [("a", 100_000), ("dir/b", 1), ("dir/deep/c", 40_000), ("e", 0), ("z", 65_536)];

#[test]
fn what_is_written_is_read_in_every_format_and_padding_stays_off_the_disk() {
    for format in [Format::V1, Format::V2, Format::Hybrid] {
        let dir = tempdir().unwrap();
        let (metainfo, data) = torrent(format, 32_768, &FILES);
        let storage = open(&metainfo, dir.path());
        write_all(&storage, &data);
        storage.prepare().unwrap();
        assert!(all(&storage) == data, "{format:?}");
        for (path, length) in FILES {
            assert_eq!(
                dir.path().join("N").join(path).metadata().unwrap().len(),
                length,
                "{format:?} {path}"
            );
        }
        assert!(!dir.path().join("N/.pad").exists());
        assert!(
            (0..storage.piece_count()).all(|piece| storage.verify_piece(piece, &mut [0; 5_000]).unwrap())
        );
        let mut cached = vec![0; 30_000];
        assert!(storage.read_cached(90_000, &mut cached) && cached == data[90_000..120_000]);
    }
}

#[test]
fn parts_of_any_size_land_where_one_write_would_put_them() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::V1, 1 << 20, &FILES);
    let storage = open(&metainfo, dir.path());
    let parts: Vec<&[u8]> = data.chunks(97).collect();
    assert!(parts.len() > 1_024, "more than one call of the kernel");
    storage.write_piece(0, &parts).unwrap();
    assert!(all(&storage) == data);
}

#[test]
fn ten_thousand_files_need_few_descriptors() {
    let dir = tempdir().unwrap();
    let names: Vec<String> = (0..10_000).map(|index| format!("{}/{index}", index % 100)).collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 64)).collect();
    let (metainfo, data) = torrent(Format::V1, 16_384, &files);
    let handles = Arc::new(HandleCache::new(64));
    let options = Options { handles: handles.clone(), ..Options::default() };
    let storage = Storage::open(metainfo, dir.path(), options).unwrap();
    write_all(&storage, &data);
    assert!(all(&storage) == data);
    assert_eq!(handles.open_files(), 64);
    drop(storage);
    assert_eq!(handles.open_files(), 0);
}

#[test]
fn one_file_is_found_for_sendfile_and_two_are_not() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::V1, 32_768, &FILES);
    let storage = open(&metainfo, dir.path());
    write_all(&storage, &data);
    let (file, offset) = storage.locate(100_001 + 10, 1_000).unwrap().unwrap();
    let mut bytes = [0; 1_000];
    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, offset).unwrap();
    assert_eq!((offset, &bytes[..]), (10, &data[100_011..101_011]));
    assert!(storage.locate(99_999, 2).unwrap().is_none());
    assert!(storage.locate(data.len() as u64 - 1, 2).unwrap().is_none());
}

#[test]
fn trusted_pieces_are_verified_before_they_are_first_read() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::Hybrid, 32_768, &FILES);
    write_all(&open(&metainfo, dir.path()), &data);
    let mut wrong = std::fs::read(dir.path().join("N/a")).unwrap();
    wrong[40_000] ^= 1;
    std::fs::write(dir.path().join("N/a"), wrong).unwrap();
    let trust = Options { trust: true, ..Options::default() };
    let storage = Storage::open(metainfo, dir.path(), trust).unwrap();
    assert_eq!(storage.stored().count(), storage.piece_count());
    let mut block = vec![0; 16_384];
    assert!(!storage.read_cached(0, &mut block) && storage.locate(0, 100).unwrap().is_none());
    storage.read(0, &mut block).unwrap();
    assert!(storage.read_cached(0, &mut block) && storage.locate(0, 100).unwrap().is_some());
    let error = storage.read(50_000, &mut block[..100]).unwrap_err();
    assert_eq!((error.class, error.path), (Class::Damaged, dir.path().join("N/a")));
    assert!(!storage.stored().contains(1) && storage.stored().contains(2));
    // A read that was asked for before that was known gets no wrong bytes either.
    assert!(
        !storage.read_cached(50_000, &mut block[..100]) && storage.locate(50_000, 100).unwrap().is_none()
    );
    assert_eq!(storage.read(50_000, &mut block[..100]).unwrap_err().class, Class::Damaged);
}

#[test]
fn a_file_lost_while_it_is_only_read_is_noticed_and_suspect_when_it_is_back() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::V2, 32_768, &[("a", 200_000)]);
    write_all(&open(&metainfo, dir.path()), &data);
    // Trusted: nothing is known of the file's size but what the torrent says.
    let trust = Options { trust: true, read_only: true, ..Options::default() };
    let storage = Storage::open(metainfo, dir.path(), trust).unwrap();
    storage.read(0, &mut [0; 100]).unwrap();
    storage.look().unwrap();
    let path = dir.path().join("N/a");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(storage.look().unwrap_err().class, Class::Missing);
    assert_eq!(storage.read(0, &mut [0; 100]).unwrap_err().class, Class::Missing);
    assert_eq!(storage.probe().unwrap_err().class, Class::Missing);
    std::fs::write(&path, &data[..100_000]).unwrap();
    assert_eq!(storage.probe().unwrap_err().class, Class::Shortened);
    std::fs::write(&path, vec![9; data.len()]).unwrap();
    storage.probe().unwrap();
    assert_eq!(storage.read(0, &mut [0; 100]).unwrap_err().class, Class::Damaged);
}

#[test]
fn a_deleted_file_stops_writing_and_goes_on_when_it_is_back() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::V1, 32_768, &[("a", 200_000)]);
    let storage = open(&metainfo, dir.path());
    (0..3).for_each(|piece| write(&storage, &data, piece).unwrap());
    let (path, away) = (dir.path().join("N/a"), dir.path().join("away"));
    std::fs::copy(&path, &away).unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = write(&storage, &data, 3).unwrap_err();
    assert_eq!(error.class, Class::Missing);
    let text =
        format!("cannot write {}: it is gone; put it back, or start again to fetch it anew", path.display());
    assert_eq!(error.to_string(), text);
    assert!(!path.exists(), "nothing is made in its place");
    assert_eq!(storage.probe().unwrap_err().class, Class::Missing);
    std::fs::rename(&away, &path).unwrap();
    storage.probe().unwrap();
    assert!(storage.is_suspect(0), "who knows what came back");
    (3..storage.piece_count()).for_each(|piece| write(&storage, &data, piece).unwrap());
    assert!(all(&storage) == data);
}

#[test]
fn what_a_shortened_file_lost_can_be_given_up_and_fetched_again() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::V1, 32_768, &[("a", 200_000), ("b", 50_000)]);
    let storage = open(&metainfo, dir.path());
    (0..6).for_each(|piece| write(&storage, &data, piece).unwrap());
    let file = std::fs::File::options().write(true).open(dir.path().join("N/a")).unwrap();
    file.set_len(70_000).unwrap();
    assert_eq!(write(&storage, &data, 6).unwrap_err().class, Class::Shortened);
    assert_eq!(storage.read(100_000, &mut [0; 10]).unwrap_err().class, Class::Shortened);
    assert_eq!(storage.give_up_lost(), [2, 3, 4, 5]);
    storage.probe().unwrap();
    write_all(&storage, &data);
    assert!(all(&storage) == data);
}

#[test]
fn links_are_made_only_to_files_of_the_content() {
    let (dir, outside) = (tempdir().unwrap(), tempdir().unwrap());
    let path = |text: &str| text.split('/').map(|part| part.as_bytes().to_vec()).collect::<Vec<_>>();
    let link = |from: &str, to: &str| SourceFile {
        path: path(from),
        symlink: Some(path(to)),
        ..SourceFile::default()
    };
    let file = |from: &str, executable| SourceFile {
        path: path(from),
        length: 10,
        attributes: Attributes { executable, ..Attributes::default() },
        symlink: None,
    };
    let files =
        vec![file("bin/run", true), file("f", false), link("x/y/inner", "bin/run"), link("out", "nothing")];
    let (metainfo, data) = torrent_of(Format::V1, 16_384, files);
    let storage = open(&metainfo, dir.path());
    write_all(&storage, &data);
    for _ in 0..2 {
        assert_eq!(storage.prepare().unwrap().skipped_links, [dir.path().join("N/out")]);
    }
    let inner = dir.path().join("N/x/y/inner");
    assert_eq!(inner.read_link().unwrap(), PathBuf::from("../../bin/run"));
    assert_eq!(std::fs::read(inner).unwrap(), data[..10]);
    let mode = |path: &str| dir.path().join(path).metadata().unwrap().permissions().mode() & 0o100;
    assert_eq!((mode("N/bin/run"), mode("N/f")), (0o100, 0));
    // A link somebody else put in a folder's place is not followed.
    std::fs::remove_dir_all(dir.path().join("N/bin")).unwrap();
    symlink(outside.path(), dir.path().join("N/bin")).unwrap();
    let storage = open(&metainfo, dir.path());
    assert_eq!(write(&storage, &data, 0).unwrap_err().class, Class::Denied);
    assert_eq!(outside.path().read_dir().unwrap().count(), 0);
}

#[test]
fn reserving_space_gives_the_whole_length_and_sparse_files_grow() {
    let (metainfo, data) = torrent(Format::V1, 32_768, &[("a", 1_000_000)]);
    for (preallocate, size) in [(true, 1_000_000), (false, 32_768)] {
        let dir = tempdir().unwrap();
        let options = Options { preallocate, ..Options::default() };
        let storage = Storage::open(metainfo.clone(), dir.path(), options).unwrap();
        write(&storage, &data, 0).unwrap();
        assert_eq!(dir.path().join("N/a").metadata().unwrap().len(), size);
    }
}

#[test]
fn a_file_that_is_too_long_is_cut_when_it_is_written() {
    let dir = tempdir().unwrap();
    std::fs::create_dir(dir.path().join("N")).unwrap();
    std::fs::write(dir.path().join("N/a"), vec![9; 5_000]).unwrap();
    let (metainfo, data) = torrent(Format::V1, 16_384, &[("a", 1_000)]);
    let storage = open(&metainfo, dir.path());
    write_all(&storage, &data);
    assert_eq!(std::fs::read(dir.path().join("N/a")).unwrap(), data);
}

#[test]
fn reading_only_makes_nothing() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::V1, 16_384, &[("a", 1_000)]);
    let options = Options { read_only: true, ..Options::default() };
    let missing = Storage::open(metainfo.clone(), &dir.path().join("no"), options.clone()).unwrap_err();
    assert_eq!(missing.class, Class::Missing);
    let storage = Storage::open(metainfo, dir.path(), options).unwrap();
    assert_eq!(write(&storage, &data, 0).unwrap_err().class, Class::Denied);
    assert_eq!(storage.read(0, &mut [0; 10]).unwrap_err().class, Class::Missing);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[test]
fn leaf_hashes_lead_to_the_piece_hash() {
    let dir = tempdir().unwrap();
    let (metainfo, data) = torrent(Format::V2, 65_536, &FILES);
    let storage = open(&metainfo, dir.path());
    write_all(&storage, &data);
    for piece in 0..storage.piece_count() {
        let (root, level) = storage.expected(piece).v2.unwrap();
        let leaves = storage.leaf_hashes(piece).unwrap();
        assert_eq!(throng_wire::merkle::root_at(&leaves, 0, level), root);
    }
}

/// A file system of its own, unmounted when dropped; `None` (said aloud) where that is not allowed.
pub(crate) struct Mount(TempDir);

impl Mount {
    pub(crate) fn new(options: &str) -> Option<Mount> {
        let dir = tempdir().unwrap();
        let mount = Mount::run("mount", &["-t", "tmpfs", "-o", options, "tmpfs"], dir.path());
        if !mount {
            assert!(std::env::var_os("CI").is_none(), "CI must be able to mount");
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("skipped: {test} cannot mount a tmpfs (needs root)");
        }
        mount.then_some(Mount(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Changes its options.
    pub(crate) fn change(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Mount::run("mount", &["-o", &options], self.0.path()), "{options}");
    }

    fn run(program: &str, arguments: &[&str], dir: &Path) -> bool {
        Command::new(program).args(arguments).arg(dir).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Mount::run("umount", &["-l"], self.0.path());
    }
}

#[test]
fn a_full_disk_is_said_so_and_goes_on_when_there_is_room() {
    let Some(mount) = Mount::new("size=24m") else { return };
    let ballast = mount.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 20 << 20]).unwrap();
    let (metainfo, data) = torrent(Format::V1, 1 << 20, &[("a", 8 << 20)]);
    let storage = open(&metainfo, mount.0.path());
    let errors: Vec<StorageError> = (0..8).filter_map(|piece| write(&storage, &data, piece).err()).collect();
    assert!(!errors.is_empty() && errors.iter().all(|error| error.class == Class::Full));
    assert!(errors[0].to_string().contains("free some space"), "{}", errors[0]);
    let stored: BTreeSet<u32> = (0..8).filter(|&piece| storage.stored().contains(piece)).collect();
    assert_eq!(stored.len() + errors.len(), 8);
    assert!(stored.iter().all(|&piece| storage.verify_piece(piece, &mut [0; 4096]).unwrap()));
    assert_eq!(storage.probe().unwrap_err().class, Class::Full);
    std::fs::remove_file(&ballast).unwrap();
    storage.probe().unwrap();
    write_all(&storage, &data);
    assert!(all(&storage) == data);
}

#[test]
fn a_read_only_folder_is_said_so_at_once() {
    let Some(mount) = Mount::new("ro") else { return };
    let (metainfo, _) = torrent(Format::V1, 16_384, &[("a", 1_000)]);
    for path in [mount.0.path().to_owned(), mount.0.path().join("new")] {
        let error = Storage::open(metainfo.clone(), &path, Options::default()).unwrap_err();
        assert_eq!(error.class, Class::Denied);
        assert!(error.to_string().contains("change its permissions"), "{error}");
    }
    Storage::open(metainfo, mount.0.path(), Options { read_only: true, ..Options::default() }).unwrap();
}

#[test]
fn a_file_in_the_place_of_the_folder_is_said_so() {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "").unwrap();
    let (metainfo, _) = torrent(Format::V1, 16_384, &[("a", 1_000)]);
    let error = Storage::open(metainfo, &dir.path().join("f"), Options::default()).unwrap_err();
    assert!(!error.to_string().contains('\n') && error.to_string().contains("/f"), "{error}");
}
