//! Sources outside BitTorrent: web seeds honest, broken and lying, and sources handed in.

use super::*;
use crate::fetch::{RangeError, RangeSource, Ranging};
use crate::web::testing::{Manner, WebServer};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Fetches with these web seeds, and peers if any.
async fn from_web(
    metainfo: &Metainfo,
    seeds: Vec<String>,
    dir: &Path,
    peers: Vec<SocketAddr>,
) -> TorrentHandle {
    let mut metainfo = metainfo.clone();
    metainfo.web_seeds = seeds;
    let session = Session::start(loopback()).unwrap();
    let request = AddRequest { peers, ..AddRequest::new(Source::Metainfo(Arc::new(metainfo)), dir) };
    let mut torrent = session.add(request).await.unwrap();
    tokio::time::timeout(DEADLINE, torrent.wait_finished()).await.expect("it does not finish").unwrap();
    // The last look at what the sources did.
    until(&torrent, "the end", |snapshot| snapshot.finished).await;
    session.shutdown().await;
    torrent
}

fn dropped(torrent: &TorrentHandle) -> Vec<String> {
    let sources = torrent.snapshot().sources;
    sources.iter().filter(|source| source.dropped).map(|source| source.name.clone()).collect()
}

#[test]
fn a_web_seed_alone_is_enough_in_every_format() {
    for format in [Format::V1, Format::V2, Format::Hybrid] {
        run(async {
            let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let metainfo = content(from.path(), format);
            let server = WebServer::start(from.path(), Manner::Honest);
            from_web(&metainfo, vec![server.url("")], to.path(), Vec::new()).await;
            assert!(tree(to.path()) == tree(from.path()), "{format:?}");
            // Long ranges: one for each file and run, not one for each piece.
            assert!(server.asked().len() < 12, "{:?}", server.asked());
        });
    }
}

#[test]
fn a_lying_web_seed_is_named_and_an_honest_one_finishes() {
    for format in [Format::V1, Format::Hybrid] {
        run(async {
            let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let metainfo = content(from.path(), format);
            let honest = WebServer::start(from.path(), Manner::Honest);
            let liar = WebServer::start(from.path(), Manner::Liar);
            let seeds = vec![liar.url(""), honest.url("")];
            let torrent = from_web(&metainfo, seeds, to.path(), Vec::new()).await;
            assert!(tree(to.path()) == tree(from.path()));
            assert_eq!(dropped(&torrent), [format!("web seed {}", liar.url(""))]);
            let notices = torrent.snapshot().notices;
            assert!(notices.iter().any(|notice| notice.text.contains("sent wrong data")), "{notices:?}");
        });
    }
}

#[test]
fn broken_absent_and_busy_web_seeds_hold_nothing_up() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = Arc::new(content(from.path(), Format::Hybrid));
        let breaking = WebServer::start(from.path(), Manner::BreaksAfter(200_000));
        let absent = WebServer::start(to.path(), Manner::Status(404));
        let busy = WebServer::start(from.path(), Manner::Status(503));
        let seeds = vec![absent.url(""), busy.url(""), breaking.url("")];
        let torrent = from_web(&metainfo, seeds, to.path(), Vec::new()).await;
        assert!(tree(to.path()) == tree(from.path()));
        assert_eq!(dropped(&torrent), [format!("web seed {}", absent.url(""))]);
    });
}

#[test]
fn peers_and_web_seeds_share_one_download() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::Hybrid);
        let seed = seed(&metainfo, from.path()).await;
        let stalled = WebServer::start(from.path(), Manner::Stalls);
        let peers = vec![seed.local_addr().unwrap()];
        from_web(&metainfo, vec![stalled.url("")], to.path(), peers).await;
        assert!(tree(to.path()) == tree(from.path()));
        seed.shutdown().await;
    });
}

/// One file from memory.
struct InMemory(Vec<u8>);

impl RangeSource for InMemory {
    fn name(&self) -> String {
        "a copy in memory".into()
    }

    fn fetch(&mut self, range: std::ops::Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_> {
        let part = Bytes::copy_from_slice(&self.0[range.start as usize..range.end as usize]);
        Box::pin(async move { into.send(part).await.map_err(|_| RangeError::Broken("gone".into())) })
    }
}

#[test]
fn a_source_of_one_file_sends_that_file_and_peers_the_others() {
    for format in [Format::V1, Format::V2] {
        run(async {
            let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let metainfo = content(from.path(), format);
            let session = Session::start(loopback()).unwrap();
            let torrent =
                session.add(AddRequest::new(Source::Metainfo(metainfo.clone()), to.path())).await.unwrap();
            let copy = || Box::new(InMemory(std::fs::read(from.path().join("files/a")).unwrap()));
            // The same source twice is one.
            session.add_source(&torrent, FileOf::Length(3_000_001), copy());
            session.add_source(&torrent, FileOf::Length(3_000_001), copy());
            session.add_source(&torrent, FileOf::Length(17), copy());
            let most = |snapshot: &Snapshot| {
                let status = snapshot.status.as_ref();
                status.is_some_and(|status| status.verified >= 3_000_001 / (64 << 10) * (64 << 10))
            };
            let snapshot = until(&torrent, "one file", most).await;
            assert_eq!(snapshot.sources.len(), 1);
            assert!(!snapshot.finished, "{format:?}");
            let seed = seed(&metainfo, from.path()).await;
            session.add_peers(&torrent, vec![seed.local_addr().unwrap()]);
            until(&torrent, "the rest", |snapshot| snapshot.finished).await;
            assert!(tree(to.path()) == tree(from.path()));
            session.shutdown().await;
            seed.shutdown().await;
        });
    }
}

#[test]
fn killing_all_sources_of_one_kind_in_the_middle_stops_nothing() {
    for kill_peers in [true, false] {
        run(async {
            let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let metainfo = content(from.path(), Format::Hybrid);
            // Slow enough to be killed in the middle.
            let swarm =
                throng_swarm::Config { upload_limit: Some(1 << 20), ..throng_swarm::Config::default() };
            let seed = Session::start(SessionConfig { swarm, ..loopback() }).unwrap();
            let request = AddRequest {
                read_only: true,
                ..AddRequest::new(Source::Metainfo(metainfo.clone()), from.path())
            };
            seed.add(request).await.unwrap().wait_finished().await.unwrap();
            let server = WebServer::start(from.path(), Manner::Slow);
            let mut with_web = (*metainfo).clone();
            with_web.web_seeds = vec![server.url("")];
            let session = Session::start(loopback()).unwrap();
            let peers = vec![seed.local_addr().unwrap()];
            let request =
                AddRequest { peers, ..AddRequest::new(Source::Metainfo(Arc::new(with_web)), to.path()) };
            let torrent = session.add(request).await.unwrap();
            let both = |snapshot: &Snapshot| {
                let web: u64 = snapshot.sources.iter().map(|source| source.downloaded).sum();
                web > 0 && snapshot.status.as_ref().is_some_and(|status| status.downloaded > web)
            };
            let middle = until(&torrent, "both kinds", both).await;
            assert!(!middle.finished);
            if kill_peers {
                seed.shutdown().await;
            } else {
                drop(server);
            }
            until(&torrent, "the end", |snapshot| snapshot.finished).await;
            assert!(tree(to.path()) == tree(from.path()));
            session.shutdown().await;
            seed.shutdown().await;
        });
    }
}
