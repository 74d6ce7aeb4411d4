//! Publishing real folders: what is on the shelf, what a restart finds, and what happens to what changes.

use super::*;
use std::os::unix::ffi::OsStrExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long anything may take; generous, since machines are shared.
const DEADLINE: Duration = Duration::from_secs(60);

struct Bench {
    dir: tempfile::TempDir,
    library: Library,
    told: UnboundedReceiver<Told>,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("stuff/sub")).unwrap();
        let bench = Bench::open(dir);
        bench.write("stuff/a", 50_000);
        bench.write("stuff/sub/b", 20_000);
        bench.write("stuff/empty", 0);
        bench
    }

    fn open(dir: tempfile::TempDir) -> Bench {
        let (tell, told) = unbounded_channel();
        let (library, notice) =
            Library::open(Some(&dir.path().join("library.sqlite")), Vec::new(), tell).unwrap();
        assert_eq!(notice, None);
        library.begin();
        Bench { dir, library, told }
    }

    /// The same after a restart.
    fn again(self) -> Bench {
        self.library.close();
        Bench::open(self.dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, size: usize) {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 11 + at / 97 + size) as u8).collect();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn next<T>(&mut self, wanted: impl Fn(Told) -> Option<T>) -> T {
        let until = std::time::Instant::now() + DEADLINE;
        loop {
            match self.told.try_recv() {
                Ok(told) => {
                    if let Some(found) = wanted(told) {
                        return found;
                    }
                }
                Err(_) => {
                    assert!(std::time::Instant::now() < until, "nothing was told");
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    fn shelved(&mut self) -> (Arc<Publication>, Vec<String>) {
        self.next(|told| match told {
            Told::Shelved { publication, skipped, .. } => Some((publication, skipped)),
            Told::Restored(mut all) => Some((all.pop()?, Vec::new())),
            Told::Failed { error, .. } => panic!("{error}"),
            _ => None,
        })
    }

    fn publish(&mut self, name: &str) -> Arc<Publication> {
        self.library.publish(1, Wish { path: self.path(name), ..Wish::default() });
        self.shelved().0
    }
}

#[test]
fn a_folder_becomes_one_torrent_and_a_list_of_files_with_all_hashes() {
    let mut bench = Bench::new();
    let publication = bench.publish("stuff");
    let names: Vec<_> = publication.files.iter().map(|file| (file.name(), file.size)).collect();
    assert_eq!(names, [("a".to_owned(), 50_000), ("b".to_owned(), 20_000)]);
    assert!(publication.files.iter().all(|file| file.root.is_some()));
    let levels = bench.library.tiger_levels(&publication.files);
    assert!(levels.len() == 2 && levels.iter().all(|level| !level.is_empty()));
    let Torrent { metainfo, map } = bench.library.torrent(publication.id).unwrap();
    let options = crate::storage::Options { read_only: true, ..Default::default() };
    let storage = crate::storage::Storage::with_map(metainfo, map, publication.root(), options).unwrap();
    let report = crate::create::verify(&storage, crate::create::Control::default());
    assert!(report.is_ok() && report.pieces > 0, "{report:?}");
    let magnet = publication.magnet();
    assert!(magnet.v1.is_some() && magnet.v2.is_some() && magnet.sha1.is_none());
}

#[test]
fn a_single_file_is_known_by_every_hash_in_its_link() {
    let mut bench = Bench::new();
    let publication = bench.publish("stuff/a");
    let magnet = publication.magnet();
    assert_eq!(magnet.sha1, Some(publication.files[0].sha1));
    assert_eq!((magnet.name.as_deref(), magnet.length), (Some("a"), Some(50_000)));
    assert_eq!(bench.library.withdraw(&publication.id).unwrap().id, publication.id);
    assert!(bench.library.publications().is_empty());
    assert!(bench.library.withdraw(&publication.id).is_none());
}

#[test]
fn a_restart_finds_what_was_published_and_reads_nothing_again() {
    let mut bench = Bench::new();
    bench
        .library
        .publish(7, Wish { path: bench.path("stuff"), title: Some("Things".into()), tags: vec!["x".into()] });
    let (before, _) = bench.shelved();
    let before_torrent = bench.library.torrent(before.id).unwrap().metainfo.encode();
    // Were it read, hashing would fail.
    let locked = bench.path("stuff/a");
    let mut bench = bench.again();
    let (after, _) = bench.shelved();
    assert_eq!((after.id, after.title(), &after.tags), (before.id, before.title(), &before.tags));
    let torrent = |bench: &Bench| bench.library.torrent(after.id).unwrap().metainfo.encode();
    assert_eq!(torrent(&bench), before_torrent);
    assert_eq!(after.files, before.files);
    assert_eq!(after.sequence, before.sequence);
    assert!(locked.exists());
}

#[test]
fn what_changes_becomes_the_next_version_and_only_that_is_hashed() {
    let mut bench = Bench::new();
    let before = bench.publish("stuff");
    bench.write("stuff/new", 5_000);
    let (after, _) = bench.shelved();
    assert_eq!(after.id, before.id);
    assert!(after.sequence > before.sequence);
    assert_eq!(after.files.iter().map(SharedFile::name).collect::<Vec<_>>(), ["a", "new", "b"]);
    assert_eq!(after.files[0], before.files[0]);
}

#[test]
fn a_folder_that_vanishes_is_told_once_and_served_when_it_is_back() {
    let mut bench = Bench::new();
    let publication = bench.publish("stuff");
    std::fs::rename(bench.path("stuff"), bench.path("away")).unwrap();
    let trouble = |told| match told {
        Told::Trouble { id, reason } => Some((id, reason)),
        _ => None,
    };
    let (id, reason) = bench.next(trouble);
    assert_eq!(id, publication.id);
    assert!(
        reason.as_ref().is_some_and(|reason| reason.contains("stuff") && !reason.contains('\n')),
        "{reason:?}"
    );
    std::fs::rename(bench.path("away"), bench.path("stuff")).unwrap();
    assert_eq!(bench.next(trouble), (id, None));
}

#[test]
fn names_that_are_not_utf_8_and_loops_of_links_are_left_out_and_told() {
    let mut bench = Bench::new();
    std::fs::write(bench.path("stuff").join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
    std::os::unix::fs::symlink("loop", bench.path("stuff/loop")).unwrap();
    std::os::unix::fs::symlink("..", bench.path("stuff/sub/up")).unwrap();
    bench.library.publish(1, Wish { path: bench.path("stuff"), ..Wish::default() });
    let (publication, skipped) = bench.shelved();
    assert_eq!(publication.files.len(), 2);
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(skipped.iter().any(|line| line.contains("UTF-8")));
}

#[test]
fn a_path_that_is_not_there_is_told_in_one_line() {
    let mut bench = Bench::new();
    bench.library.publish(3, Wish { path: bench.path("nothing"), ..Wish::default() });
    let error = bench.next(|told| match told {
        Told::Failed { job: 3, error, .. } => Some(error),
        _ => None,
    });
    assert!(error.contains("nothing") && !error.contains('\n'), "{error}");
}

#[test]
fn a_damaged_database_is_set_aside_and_a_newer_one_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("library.sqlite");
    std::fs::write(&path, vec![7; 10_000]).unwrap();
    let (tell, _told) = unbounded_channel();
    let (_, notice) = Library::open(Some(&path), Vec::new(), tell.clone()).unwrap();
    assert!(notice.is_some_and(|notice| notice.contains("damaged")));
    assert!(dir.path().join("library.sqlite.damaged-1").exists());
    let newer = dir.path().join("newer.sqlite");
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(Library::open(Some(&newer), Vec::new(), tell), Err(LibraryError::Newer(_))));
}

#[test]
fn two_paths_never_share_an_id() {
    let mut bench = Bench::new();
    let other = bench.publish("stuff/sub/b");
    // As if its digits were those of another path.
    let taken = super::Id::choices(&bench.path("stuff/a"))[0];
    let file = bench.dir.path().join("library.sqlite");
    let database = rusqlite::Connection::open(file).unwrap();
    database.execute("UPDATE publications SET id = ?1 WHERE id = ?2", [&*taken, &*other.id]).unwrap();
    let publication = bench.publish("stuff/a");
    assert!(publication.id != taken && publication.title() == "a");
    let again = bench.publish("stuff/a");
    assert_eq!((again.id, again.sequence > publication.sequence), (publication.id, true));
    let mut bench = bench.again();
    let restored = bench.next(|told| if let Told::Restored(all) = told { Some(all) } else { None });
    let paths: Vec<_> = restored.iter().map(|it| it.path.to_path_buf()).collect();
    assert!(
        paths.contains(&bench.path("stuff/a")) && paths.contains(&bench.path("stuff/sub/b")),
        "{paths:?}"
    );
}

#[test]
fn what_the_application_keeps_is_there_until_its_time_is_over() {
    let bench = Bench::new();
    bench.library.keep("hit", "a", b"1", Duration::from_secs(1_000));
    bench.library.keep("hit", "b", b"2", Duration::from_secs(1_000));
    bench.library.keep("other", "a", b"3", Duration::from_secs(1_000));
    bench.library.drop_kept("hit", "b");
    assert_eq!(bench.library.kept("hit"), [("a".to_owned(), b"1".to_vec())]);
}
