//! Plain downloads from several sources at once, honest and lying, over restarts.

use super::*;
use crate::library::{Watch, hash_file};
use bytes::Bytes;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long anything may take; generous, since machines are shared.
const DEADLINE: Duration = Duration::from_secs(60);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// A file of so many bytes, and all that is known of it.
fn content(size: usize) -> (Vec<u8>, PlainWish) {
    let bytes: Vec<u8> = (0..size).map(|at| (at * 7 + at / 251 + at / 65_521) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), &bytes).unwrap();
    let (done, cancel) = (AtomicU64::new(0), AtomicBool::new(false));
    let (hashes, _) =
        hash_file(&dir.path().join("f"), 1 << 20, Watch { done: &done, cancel: &cancel }).unwrap();
    let wish = PlainWish {
        size: size as u64,
        sha1: Some(hashes.sha1),
        tiger: Some(hashes.tiger),
        tiger_level: hashes.tiger_level,
        ft_hash: Some(hashes.ft_hash),
    };
    (bytes, wish)
}

/// A source in memory.
#[derive(Clone)]
struct Copy {
    name: &'static str,
    bytes: Arc<Vec<u8>>,
    /// Bytes it gives before it breaks; it is then gone.
    left: Arc<AtomicU64>,
    asked: Arc<Mutex<Vec<Range<u64>>>>,
}

impl Copy {
    fn new(name: &'static str, bytes: &[u8]) -> Copy {
        let (left, asked) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::default());
        Copy { name, bytes: Arc::new(bytes.to_vec()), left, asked }
    }

    fn limited(self, bytes: u64) -> Copy {
        self.left.store(bytes, Ordering::SeqCst);
        self
    }

    fn boxed(&self) -> Box<dyn RangeSource> {
        Box::new(self.clone())
    }
}

impl RangeSource for Copy {
    fn name(&self) -> String {
        self.name.into()
    }

    fn fetch(&mut self, range: Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_> {
        self.asked.lock().unwrap().push(range.clone());
        let part = self.bytes[range.start as usize..range.end as usize].to_vec();
        let left = self.left.clone();
        Box::pin(async move {
            for chunk in part.chunks(16 << 10) {
                let before = left.load(Ordering::SeqCst);
                if before < chunk.len() as u64 {
                    return Err(RangeError::Gone("it went home".into()));
                }
                left.store(before - chunk.len() as u64, Ordering::SeqCst);
                let sent = into.send(Bytes::copy_from_slice(chunk)).await;
                sent.map_err(|_| RangeError::Broken("nobody wants the rest".into()))?;
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }
}

async fn until(download: &PlainDownload, wanted: impl Fn(&PlainSnapshot) -> bool) -> PlainSnapshot {
    let mut snapshots = download.snapshots();
    let found = tokio::time::timeout(DEADLINE, snapshots.wait_for(|snapshot| wanted(snapshot))).await;
    found.unwrap_or_else(|_| panic!("{:?}", download.snapshot())).unwrap().clone()
}

async fn complete(download: &PlainDownload) -> PlainSnapshot {
    until(download, |snapshot| matches!(snapshot.state, PlainState::Complete(..) | PlainState::Failed(_)))
        .await
}

fn is_complete(snapshot: &PlainSnapshot, proof: PlainProof, path: &Path) -> bool {
    snapshot.state == PlainState::Complete(proof, path.to_owned())
}

#[test]
fn several_sources_share_one_download_and_its_tree_proves_it() {
    run(async {
        let (bytes, wish) = content(6_000_001);
        let dir = tempfile::tempdir().unwrap();
        let download = PlainDownload::start(wish, dir.path(), "moon.ogg", true).unwrap();
        let copies = ["a", "b", "c"].map(|name| Copy::new(name, &bytes));
        copies.iter().for_each(|copy| download.add_source(copy.boxed()));
        let end = complete(&download).await;
        let path = dir.path().join("moon.ogg");
        assert!(is_complete(&end, PlainProof::TigerTree, &path), "{end:?}");
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert!(end.sources.iter().filter(|source| source.downloaded > 0).count() >= 2, "{end:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    });
}

#[test]
fn with_a_tree_a_liar_is_named_at_its_first_wrong_block() {
    run(async {
        let (bytes, wish) = content(6_000_000);
        let dir = tempfile::tempdir().unwrap();
        let mut wrong = bytes.clone();
        wrong.iter_mut().step_by(10_000).for_each(|byte| *byte ^= 1);
        let download = PlainDownload::start(wish, dir.path(), "f", true).unwrap();
        download.add_source(Copy::new("liar", &wrong).boxed());
        until(&download, |snapshot| snapshot.sources.iter().any(|source| source.dropped)).await;
        download.add_source(Copy::new("honest", &bytes).boxed());
        let end = complete(&download).await;
        assert!(is_complete(&end, PlainProof::TigerTree, &dir.path().join("f")), "{end:?}");
        assert!(end.notices.iter().any(|line| line.contains("liar sent wrong data")), "{end:?}");
        assert!(std::fs::read(dir.path().join("f")).unwrap() == bytes);
    });
}

#[test]
fn with_a_sha_1_alone_the_liar_is_found_in_the_end() {
    run(async {
        let (bytes, wish) = content(5_000_000);
        let wish = PlainWish { tiger: None, tiger_level: Vec::new(), ft_hash: None, ..wish };
        let dir = tempfile::tempdir().unwrap();
        let mut wrong = bytes.clone();
        wrong.iter_mut().step_by(100_000).for_each(|byte| *byte ^= 1);
        let download = PlainDownload::start(wish, dir.path(), "f", true).unwrap();
        download.add_source(Copy::new("liar", &wrong).boxed());
        download.add_source(Copy::new("honest", &bytes).boxed());
        let end = complete(&download).await;
        assert!(is_complete(&end, PlainProof::Sha1, &dir.path().join("f")), "{end:?}");
        assert!(std::fs::read(dir.path().join("f")).unwrap() == bytes);
        let dropped: Vec<_> =
            end.sources.iter().filter(|source| source.dropped).map(|source| &source.name).collect();
        assert_eq!(dropped, ["liar"], "{end:?}");
    });
}

#[test]
fn a_source_that_goes_leaves_the_rest_to_others_and_nothing_is_fetched_twice() {
    run(async {
        let (bytes, wish) = content(4_000_000);
        let dir = tempfile::tempdir().unwrap();
        let download = PlainDownload::start(wish, dir.path(), "f", true).unwrap();
        download.add_source(Copy::new("brief", &bytes).limited(1_500_000).boxed());
        until(&download, |snapshot| snapshot.sources.iter().any(|source| source.dropped)).await;
        download.add_source(Copy::new("steady", &bytes).boxed());
        let end = complete(&download).await;
        assert!(is_complete(&end, PlainProof::TigerTree, &dir.path().join("f")), "{end:?}");
        assert!(end.downloaded < 4_600_000, "{end:?}");
    });
}

#[test]
fn a_download_goes_on_after_a_restart_where_it_was() {
    run(async {
        let (bytes, wish) = content(6_000_000);
        let dir = tempfile::tempdir().unwrap();
        let download = PlainDownload::start(wish.clone(), dir.path(), "f", true).unwrap();
        download.add_source(Copy::new("brief", &bytes).limited(3_000_000).boxed());
        let before = until(&download, |snapshot| snapshot.sources.iter().any(|source| source.dropped)).await;
        assert!(before.done >= 2_000_000, "{before:?}");
        download.run(false);
        until(&download, |snapshot| snapshot.state == PlainState::Paused).await;
        drop(download);
        let again = PlainDownload::start(wish, dir.path(), "f", true).unwrap();
        let copy = Copy::new("steady", &bytes);
        again.add_source(copy.boxed());
        let end = complete(&again).await;
        assert!(is_complete(&end, PlainProof::TigerTree, &dir.path().join("f")), "{end:?}");
        assert!(end.downloaded <= 6_000_000 - before.done, "{} and {}", end.downloaded, before.done);
        assert!(std::fs::read(dir.path().join("f")).unwrap() == bytes);
    });
}

#[test]
fn what_nothing_can_prove_is_said_to_be_unverified_and_overwrites_nothing() {
    run(async {
        let (bytes, _) = content(100_000);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.ogg"), "mine").unwrap();
        let wish = PlainWish { size: 100_000, ..PlainWish::default() };
        let download = PlainDownload::start(wish, dir.path(), "../x.ogg", true).unwrap();
        download.add_source(Copy::new("any", &bytes).boxed());
        let end = complete(&download).await;
        let PlainState::Complete(PlainProof::Unverified, path) = end.state else { panic!("{end:?}") };
        assert_eq!(path.parent(), Some(dir.path()));
        assert_eq!(std::fs::read(dir.path().join("x.ogg")).unwrap(), b"mine");
        assert!(std::fs::read(path).unwrap() == bytes);
    });
}

/// A source that has parts, and says which with each answer.
#[derive(Clone)]
struct Partial {
    copy: Copy,
    parts: Arc<Mutex<Vec<Range<u64>>>>,
    /// It has been asked.
    asked: bool,
}

impl RangeSource for Partial {
    fn name(&self) -> String {
        self.copy.name()
    }

    fn said(&self) -> Said {
        let parts = self.asked.then(|| self.parts.lock().unwrap().clone());
        Said { parts, others: vec![([192, 0, 2, 7], 6_346).into()] }
    }

    fn fetch(&mut self, range: Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_> {
        self.asked = true;
        let has =
            self.parts.lock().unwrap().iter().any(|part| part.start <= range.start && range.end <= part.end);
        if has { self.copy.fetch(range, into) } else { Box::pin(async { Err(RangeError::NotThere) }) }
    }
}

#[test]
fn a_source_that_has_parts_is_asked_for_these_and_what_was_checked_is_told() {
    run(async {
        let (bytes, wish) = content(6_000_000);
        let dir = tempfile::tempdir().unwrap();
        let download = PlainDownload::start(wish.clone(), dir.path(), "f", true).unwrap();
        let parts = Arc::new(Mutex::new(std::iter::once(2_000_000..5_000_000).collect()));
        let partial = Partial { copy: Copy::new("partial", &bytes), parts: parts.clone(), asked: false };
        download.add_source(Box::new(partial));
        let block = wish.size.div_ceil(wish.tiger_level.len() as u64).next_power_of_two();
        let whole = 2_000_000u64.div_ceil(block) * block..5_000_000 / block * block;
        let known = until(&download, |snapshot| snapshot.checked == [whole.clone()]).await;
        assert!(known.sources.iter().all(|source| !source.dropped), "{known:?}");
        assert_eq!(known.others[0].to_string(), "192.0.2.7:6346");
        assert!(
            std::fs::read(&known.path).unwrap()[whole.start as usize..][..1_000]
                == bytes[whole.start as usize..][..1_000]
        );
        // A restart that nobody tells the tree goes on in the same blocks.
        download.run(false);
        until(&download, |snapshot| snapshot.state == PlainState::Paused).await;
        drop(download);
        let mute = PlainWish { tiger_level: Vec::new(), ..wish };
        let again = PlainDownload::start(mute, dir.path(), "f", true).unwrap();
        let before = until(&again, |snapshot| snapshot.done > 0).await;
        assert_eq!(before.checked, [whole]);
        again.add_source(Copy::new("steady", &bytes).boxed());
        let end = complete(&again).await;
        assert!(is_complete(&end, PlainProof::TigerTree, &dir.path().join("f")), "{end:?}");
        assert!(end.downloaded < 4_000_000, "{end:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    });
}
