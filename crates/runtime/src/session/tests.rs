//! Whole sessions against each other on loopback, with real files.

use super::*;
use crate::create::{Control, Source as Files, create};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use throng_machine::{Entropy, SplitMix64};
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::{Format, Metainfo, Options};

mod readers;
mod sleep;
mod sources;
mod trackers;
mod trouble;

/// How long anything may take; generous, since machines are shared.
const DEADLINE: Duration = Duration::from_secs(120);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn loopback() -> SessionConfig {
    SessionConfig { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..SessionConfig::default() }
}

fn write(path: &Path, seed: u64, len: usize) {
    let mut bytes = vec![0; len];
    SplitMix64::new(seed).fill(&mut bytes);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A folder of files of awkward sizes, and its torrent.
fn content(at: &Path, format: Format) -> Arc<Metainfo> {
    let folder = at.join("files");
    for (seed, (name, len)) in
        [("a", 3_000_001), ("b/c", 70_000), ("b/d", 1), ("e", 0)].into_iter().enumerate()
    {
        write(&folder.join(name), seed as u64, len);
    }
    let options = Options { format, piece_length: Some(64 << 10), ..Options::default() };
    let created = create(Files::scan(&folder).unwrap(), options, Control::default()).unwrap();
    Arc::new(created.metainfo)
}

fn tree(at: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = ["a", "b/c", "b/d", "e"];
    names
        .iter()
        .filter_map(|name| Some((name.to_string(), std::fs::read(at.join("files").join(name)).ok()?)))
        .collect()
}

/// Waits until a torrent is as wanted.
async fn until(torrent: &TorrentHandle, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut snapshots = torrent.snapshots();
    let found = tokio::time::timeout(DEADLINE, snapshots.wait_for(|snapshot| wanted(snapshot))).await;
    match found {
        Ok(snapshot) => snapshot.unwrap().clone(),
        Err(_) => panic!("waiting for {what}: {:?}", torrent.snapshot()),
    }
}

async fn seed(metainfo: &Arc<Metainfo>, dir: &Path) -> Session {
    let session = Session::start(loopback()).unwrap();
    let request = AddRequest { read_only: true, ..AddRequest::new(Source::Metainfo(metainfo.clone()), dir) };
    session.add(request).await.unwrap().wait_finished().await.unwrap();
    session
}

async fn fetch(source: Source, dir: &Path, from: &Session) -> (Session, TorrentHandle) {
    let session = Session::start(loopback()).unwrap();
    let peers = vec![from.local_addr().unwrap()];
    let mut torrent = session.add(AddRequest { peers, ..AddRequest::new(source, dir) }).await.unwrap();
    torrent.wait_finished().await.unwrap();
    (session, torrent)
}

async fn crosses(format: Format, by_magnet: bool) {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let metainfo = content(from.path(), format);
    let seed = seed(&metainfo, from.path()).await;
    let (v1, v2) = (metainfo.info.hash_v1(), metainfo.info.hash_v2());
    let source = match by_magnet {
        true => Source::Magnet(Magnet { v1, v2, ..Magnet::default() }),
        false => Source::Metainfo(metainfo),
    };
    let (session, torrent) = fetch(source, to.path(), &seed).await;
    assert!(tree(to.path()) == tree(from.path()));
    assert_eq!(torrent.snapshot().state, State::Seeding);
    assert_eq!(torrent.snapshot().name, "files");
    session.shutdown().await;
    seed.shutdown().await;
}

#[test]
fn a_v1_torrent_crosses_from_seed_to_fetch() {
    run(crosses(Format::V1, false));
}

#[test]
fn a_v2_torrent_crosses_from_seed_to_fetch() {
    run(crosses(Format::V2, false));
}

#[test]
fn a_hybrid_torrent_crosses_from_seed_to_fetch() {
    run(crosses(Format::Hybrid, false));
}

#[test]
fn magnet_links_fetch_the_metadata_first() {
    run(crosses(Format::V1, true));
    run(crosses(Format::V2, true));
    run(crosses(Format::Hybrid, true));
}

#[test]
fn only_wanted_files_are_fetched() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V2);
        let seed = seed(&metainfo, from.path()).await;
        let session = Session::start(loopback()).unwrap();
        let request = AddRequest {
            peers: vec![seed.local_addr().unwrap()],
            only: Some(Arc::new(|_, path| path.ends_with("c"))),
            ..AddRequest::new(Source::Metainfo(metainfo), to.path())
        };
        session.add(request).await.unwrap().wait_finished().await.unwrap();
        let (sent, got) = (tree(from.path()), tree(to.path()));
        assert!(got["b/c"] == sent["b/c"]);
        assert!(!got.contains_key("a"));
    });
}

#[test]
fn what_is_already_there_is_not_fetched_again() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V1);
        content(to.path(), Format::V1);
        write(&to.path().join("files/b/d"), 99, 1);
        let seed = seed(&metainfo, from.path()).await;
        let (_session, torrent) = fetch(Source::Metainfo(metainfo), to.path(), &seed).await;
        assert!(tree(to.path()) == tree(from.path()));
        let status = torrent.snapshot().status.unwrap();
        assert!(status.downloaded <= 2 * (64 << 10), "{} bytes fetched", status.downloaded);
    });
}

#[test]
fn a_session_goes_on_where_the_last_one_ended() {
    run(async {
        let (from, to, home) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V1);
        let seed = seed(&metainfo, from.path()).await;
        let remembering = || SessionConfig { home: Some(home.path().to_owned()), ..loopback() };
        let request =
            |peers| AddRequest { peers, ..AddRequest::new(Source::Metainfo(metainfo.clone()), to.path()) };
        let session = Session::start(remembering()).unwrap();
        let peers = vec![seed.local_addr().unwrap()];
        session.add(request(peers)).await.unwrap().wait_finished().await.unwrap();
        session.shutdown().await;
        let session = Session::start(remembering()).unwrap();
        let mut torrent = session.add(request(Vec::new())).await.unwrap();
        let mut checked = 0;
        let mut snapshots = torrent.snapshots();
        while !snapshots.borrow_and_update().finished {
            if let State::Checking { done, .. } = snapshots.borrow().state {
                checked = done;
            }
            snapshots.changed().await.unwrap();
        }
        torrent.wait_finished().await.unwrap();
        assert_eq!(checked, 0);
    });
}

#[test]
fn trusted_data_is_verified_before_it_leaves() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V1);
        let good = seed(&metainfo, from.path()).await;
        let bad = tempfile::tempdir().unwrap();
        content(bad.path(), Format::V1);
        write(&bad.path().join("files/b/c"), 99, 70_000);
        let session = Session::start(loopback()).unwrap();
        let trusting = AddRequest {
            read_only: true,
            skip_check: true,
            ..AddRequest::new(Source::Metainfo(metainfo.clone()), bad.path())
        };
        let trusting = session.add(trusting).await.unwrap();
        let fetcher = Session::start(loopback()).unwrap();
        let peers = vec![session.local_addr().unwrap(), good.local_addr().unwrap()];
        let request = AddRequest { peers, ..AddRequest::new(Source::Metainfo(metainfo), to.path()) };
        fetcher.add(request).await.unwrap().wait_finished().await.unwrap();
        assert!(tree(to.path()) == tree(from.path()));
        drop(trusting);
    });
}

#[test]
fn a_folder_that_cannot_be_used_is_told_in_one_line() {
    run(async {
        let at = tempfile::tempdir().unwrap();
        let metainfo = content(at.path(), Format::V1);
        std::fs::write(at.path().join("file"), b"").unwrap();
        let session = Session::start(loopback()).unwrap();
        let request = AddRequest::new(Source::Metainfo(metainfo), at.path().join("file"));
        let error = session.add(request).await.unwrap_err();
        assert!(error.contains("file") && !error.contains('\n'), "{error}");
    });
}

#[test]
fn a_port_in_use_is_told_at_the_start() {
    let first = Session::start(loopback()).unwrap();
    let taken = SessionConfig { listen: first.local_addr(), ..SessionConfig::default() };
    assert_eq!(Session::start(taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn an_ended_session_answers_at_once() {
    run(async {
        let at = tempfile::tempdir().unwrap();
        let metainfo = content(at.path(), Format::V1);
        let session = seed(&metainfo, at.path()).await;
        session.shutdown().await;
        session.shutdown().await;
        let request = AddRequest::new(Source::Metainfo(metainfo), at.path());
        assert_eq!(session.add(request).await.unwrap_err(), "the session has ended");
    });
}
