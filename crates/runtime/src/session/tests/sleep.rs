//! Torrents that sleep until somebody connects for them.

use super::*;

/// A session that tells of calls.
fn listening() -> (Session, mpsc::UnboundedReceiver<[u8; 20]>) {
    let (calls, called) = mpsc::unbounded_channel();
    (Session::start(SessionConfig { calls: Some(calls), ..loopback() }).unwrap(), called)
}

fn seeding(metainfo: &Arc<Metainfo>, dir: &Path) -> AddRequest {
    AddRequest { read_only: true, ..AddRequest::new(Source::Metainfo(metainfo.clone()), dir) }
}

fn swarms(metainfo: &Metainfo) -> Vec<[u8; 20]> {
    metainfo.info.swarms().map(|swarm| swarm.0).collect()
}

#[test]
fn what_sleeps_is_served_when_somebody_connects_for_it() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::Hybrid);
        let (seed, mut called) = listening();
        let mut torrent = seed.add(seeding(&metainfo, from.path())).await.unwrap();
        torrent.wait_finished().await.unwrap();
        assert!(torrent.idle().is_some_and(|trackers| trackers.next.is_none()));
        assert!(seed.sleep(&torrent).await);
        assert!(!seed.sleep(&torrent).await, "it sleeps already");
        assert!(seed.storage(&torrent).await.is_none());
        let opens = async {
            let swarm = called.recv().await.unwrap();
            assert!(swarms(&metainfo).contains(&swarm));
            seed.add(seeding(&metainfo, from.path())).await.unwrap()
        };
        let (_opened, (_session, fetched)) =
            tokio::join!(opens, fetch(Source::Metainfo(metainfo.clone()), to.path(), &seed));
        assert!(fetched.snapshot().finished);
        assert!(tree(to.path()) == tree(from.path()));
    });
}

#[test]
fn a_torrent_with_a_peer_does_not_sleep() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V2);
        let (seed, _called) = listening();
        let torrent = seed.add(seeding(&metainfo, from.path())).await.unwrap();
        // It wants nothing that is there, so that the connection stays.
        let session = Session::start(loopback()).unwrap();
        let request = AddRequest {
            peers: vec![seed.local_addr().unwrap()],
            options: throng_swarm::TorrentOptions { upload_only: true, ..Default::default() },
            ..AddRequest::new(Source::Metainfo(metainfo), to.path())
        };
        let _other = session.add(request).await.unwrap();
        let peers = |snapshot: &Snapshot| snapshot.status.as_ref().is_some_and(|status| status.peers.0 > 0);
        until(&torrent, "a peer", peers).await;
        assert!(!seed.sleep(&torrent).await);
        assert!(seed.storage(&torrent).await.is_some());
    });
}

#[test]
fn what_was_never_open_can_be_listened_for() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V1);
        let (seed, mut called) = listening();
        seed.listen_for(swarms(&metainfo));
        let session = Session::start(loopback()).unwrap();
        let peers = vec![seed.local_addr().unwrap()];
        let request = AddRequest { peers, ..AddRequest::new(Source::Metainfo(metainfo.clone()), to.path()) };
        let mut torrent = session.add(request).await.unwrap();
        assert_eq!(called.recv().await, swarms(&metainfo).first().copied());
        seed.add(seeding(&metainfo, from.path())).await.unwrap();
        torrent.wait_finished().await.unwrap();
    });
}
