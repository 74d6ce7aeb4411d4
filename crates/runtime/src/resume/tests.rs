//! Ends in order and otherwise. A kill is a storage dropped without [`Resume::finish`]: what was written is in the
//! files, what was committed is in the database, nothing else.

use super::*;
use crate::create::{Control, check};
use crate::storage::tests::{open, torrent, write};
use crate::storage::{FileMap, Storage};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::{TempDir, tempdir};
use throng_wire::metainfo::{Format, Metainfo};

const HASH: &[u8] = &[7; 20];
const FILES: [(&str, u64); 3] = [("a", 100_000), ("b", 50_000), ("c", 300_000)];

struct Run {
    home: TempDir,
    metainfo: Arc<Metainfo>,
    data: Vec<u8>,
}

impl Run {
    fn new() -> Run {
        let (metainfo, data) = torrent(Format::V1, 32_768, &FILES);
        Run { home: tempdir().unwrap(), metainfo, data }
    }

    fn database(&self) -> Resume {
        let opened = Resume::open(&self.home.path().join("state.sqlite")).unwrap();
        assert!(opened.notice.is_none(), "{:?}", opened.notice);
        opened.resume
    }

    fn folder(&self) -> std::path::PathBuf {
        self.home.path().join("downloads")
    }

    /// Begins as the program does.
    fn begin(&self) -> (Resume, Storage, Restored) {
        let mut resume = self.database();
        let info_hash = HASH.to_vec();
        let metainfo = self.metainfo.encode();
        resume.save(&Saved { info_hash, metainfo, folder: self.folder(), options: b"x".to_vec() }).unwrap();
        let storage = open(&self.metainfo, &self.folder());
        let restored = resume.restore(HASH, &storage).unwrap();
        (resume, storage, restored)
    }

    fn write(&self, storage: &Storage, pieces: std::ops::Range<u32>) {
        pieces.for_each(|piece| write(storage, &self.data, piece).unwrap());
    }

    fn file(&self, name: &str) -> std::fs::File {
        std::fs::File::options().write(true).open(self.folder().join("N").join(name)).unwrap()
    }
}

#[test]
fn after_an_end_in_order_nothing_is_checked() {
    let run = Run::new();
    let (mut resume, storage, restored) = run.begin();
    assert_eq!(restored, Restored::default());
    run.write(&storage, 0..9);
    resume.finish(HASH, &storage).unwrap();
    drop((resume, storage));
    let (resume, storage, restored) = run.begin();
    assert_eq!(restored, Restored { believed: 9, ..Restored::default() });
    assert!(storage.stored().contains(8) && !storage.stored().contains(9));
    let saved = resume.torrents().unwrap();
    assert_eq!((saved.len(), &saved[0].folder, &saved[0].options[..]), (1, &run.folder(), &b"x"[..]));
    assert_eq!(Metainfo::parse(&saved[0].metainfo).unwrap(), *run.metainfo);
}

#[test]
fn after_a_kill_saved_pieces_are_believed_and_only_later_ones_checked() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..6);
    resume.checkpoint(HASH, &storage).unwrap();
    run.write(&storage, 6..8);
    drop((resume, storage));
    let (mut resume, storage, restored) = run.begin();
    assert_eq!(restored, Restored { believed: 6, recheck: vec![6, 7], changed: vec![] });
    let checked = check(&storage, &restored.recheck, Control::default());
    assert_eq!((checked.good.as_slice(), checked.bad.is_empty()), (&[6, 7][..], true));
    resume.checkpoint(HASH, &storage).unwrap();
    drop((resume, storage));
    assert_eq!(run.begin().2.believed, 8);
}

#[test]
fn a_kill_before_the_first_checkpoint_loses_nothing_that_is_whole() {
    let run = Run::new();
    let (resume, storage, _) = run.begin();
    run.write(&storage, 2..4);
    drop((resume, storage));
    let (_, storage, restored) = run.begin();
    assert!(restored.recheck.iter().all(|piece| (1..=4).contains(piece)), "holes are not read: {restored:?}");
    let checked = check(&storage, &restored.recheck, Control::default());
    assert_eq!(checked.good, [2, 3]);
}

#[test]
fn a_complete_file_that_changed_is_checked_again() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..storage.piece_count());
    resume.finish(HASH, &storage).unwrap();
    drop((resume, storage));
    run.file("b").set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
    let (_, storage, restored) = run.begin();
    assert_eq!(restored.changed, [1]);
    assert_eq!(restored.recheck, [3, 4]);
    assert!(!storage.stored().contains(3) && storage.stored().contains(5));
}

#[test]
fn a_truncated_file_is_checked_again_and_its_holes_are_not() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..8);
    resume.checkpoint(HASH, &storage).unwrap();
    drop((resume, storage));
    run.file("c").set_len(40_000).unwrap();
    let (_, storage, restored) = run.begin();
    assert_eq!(restored.changed, [2]);
    let checked = check(&storage, &restored.recheck, Control::default());
    assert_eq!(checked.good, [4]);
    assert_eq!(checked.bad, [5], "the piece the cut goes through; what lies behind it is not read");
}

#[test]
fn a_file_changed_long_after_the_kill_is_checked_again() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..6);
    resume.checkpoint(HASH, &storage).unwrap();
    let seconds = storage.files().stamp(2).unwrap().modified / 1_000_000_000 + 3_600;
    drop((resume, storage));
    run.file("c")
        .set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds as u64))
        .unwrap();
    let restored = run.begin().2;
    assert_eq!((restored.changed, restored.recheck), (vec![2], vec![4, 5]));
}

#[test]
fn a_deleted_file_is_fetched_again() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..storage.piece_count());
    resume.finish(HASH, &storage).unwrap();
    drop((resume, storage));
    std::fs::remove_file(run.folder().join("N/b")).unwrap();
    let (_, storage, restored) = run.begin();
    assert_eq!(restored.changed, [1]);
    assert!(!storage.stored().contains(3));
    // Writing makes it anew.
    run.write(&storage, 3..5);
}

#[test]
fn trust_is_not_remembered_as_knowledge() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..3);
    storage.believe(9);
    resume.finish(HASH, &storage).unwrap();
    assert_eq!(run.begin().2.believed, 3);
}

#[test]
fn another_folder_begins_anew_and_a_removed_torrent_is_forgotten() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..3);
    resume.finish(HASH, &storage).unwrap();
    let elsewhere = tempdir().unwrap();
    let saved = Saved { info_hash: HASH.to_vec(), folder: elsewhere.path().to_owned(), ..Saved::default() };
    resume.save(&saved).unwrap();
    let moved =
        Storage::with_map(run.metainfo.clone(), FileMap::of(&run.metainfo), elsewhere.path(), <_>::default());
    assert_eq!(resume.restore(HASH, &moved.unwrap()).unwrap(), Restored::default());
    resume.remove(HASH).unwrap();
    assert!(resume.torrents().unwrap().is_empty());
}

#[test]
fn several_processes_share_one_database() {
    let run = Run::new();
    let (mut resume, storage, _) = run.begin();
    run.write(&storage, 0..3);
    let mut other = run.database();
    let saved = Saved { info_hash: vec![8; 20], folder: "/x".into(), ..Saved::default() };
    other.save(&saved).unwrap();
    resume.checkpoint(HASH, &storage).unwrap();
    assert_eq!((other.torrents().unwrap().len(), resume.torrents().unwrap().len()), (2, 2));
}

#[test]
fn a_damaged_database_is_set_aside_and_a_new_one_made() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("state.sqlite");
    for (round, content) in
        [&b"this is no database, whatever its name says"[..], &[0xff; 9_000]].iter().enumerate()
    {
        std::fs::write(&path, content).unwrap();
        let mut opened = Resume::open(&path).unwrap();
        assert!(matches!(opened.notice, Some(ResumeError::Damaged(_))), "{:?}", opened.notice);
        assert!(opened.notice.unwrap().to_string().contains("set aside"));
        opened.resume.save(&Saved { info_hash: HASH.to_vec(), ..Saved::default() }).unwrap();
        let aside = dir.path().join(format!("state.sqlite.damaged-{}", round + 1));
        assert_eq!(std::fs::read(aside).unwrap(), *content);
        drop(opened.resume);
        assert_eq!(Resume::open(&path).unwrap().resume.torrents().unwrap().len(), 1);
    }
}

#[test]
fn a_locked_database_is_left_alone_and_nothing_is_remembered_for_now() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("state.sqlite");
    // Another program, in the middle of making the tables of a new database.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE t (x)").unwrap();
    let opened = Resume::open_waiting(&path, Duration::ZERO).unwrap();
    assert!(matches!(opened.notice, Some(ResumeError::Locked(_))), "{:?}", opened.notice);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(dir.path().read_dir().unwrap().count(), 1, "not set aside");
    assert!(Resume::open(&path).unwrap().notice.is_none());
}

#[test]
fn a_database_that_cannot_be_made_is_not_fatal() {
    let opened = Resume::open(Path::new("/proc/nowhere/state.sqlite")).unwrap();
    let text = opened.notice.unwrap().to_string();
    assert!(text.contains("progress is not remembered") && !text.contains('\n'), "{text}");
    assert!(opened.resume.torrents().unwrap().is_empty());
}
