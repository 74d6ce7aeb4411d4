//! Sessions with trackers: ours is told of the end, one that says nothing holds nobody up.

use super::*;
use crate::tracker::{TrackerConfig, TrackerServer};
use std::net::{TcpListener, UdpSocket};

#[test]
fn a_session_that_ends_leaves_its_trackers() {
    for scheme in ["udp", "http"] {
        run(async {
            let at = tempfile::tempdir().unwrap();
            let metainfo = content(at.path(), Format::V1);
            let listen = SocketAddr::from(([127, 0, 0, 1], 0));
            let tracker = TrackerServer::start(TrackerConfig { listen, ..TrackerConfig::default() }).unwrap();
            let peers = || tracker.metrics().v4.peers;
            let session = Session::start(loopback()).unwrap();
            let request = AddRequest {
                read_only: true,
                trackers: vec![format!("{scheme}://{}/announce", tracker.local_addr())],
                ..AddRequest::new(Source::Metainfo(metainfo), at.path())
            };
            let torrent = session.add(request).await.unwrap();
            until(&torrent, "the first announce", |_| peers() == 1).await;
            tokio::time::timeout(DEADLINE, session.shutdown()).await.unwrap();
            assert_eq!(peers(), 0, "{scheme}");
        });
    }
}

#[test]
fn a_tracker_that_never_answers_holds_up_neither_the_fetch_nor_the_end() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V2);
        let seed = seed(&metainfo, from.path()).await;
        // Connections and datagrams wait in the sockets' queues for ever.
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let trackers = vec![
            format!("http://{}/announce", tcp.local_addr().unwrap()),
            format!("udp://{}/announce", udp.local_addr().unwrap()),
        ];
        let session = Session::start(loopback()).unwrap();
        let peers = vec![seed.local_addr().unwrap()];
        let request =
            AddRequest { peers, trackers, ..AddRequest::new(Source::Metainfo(metainfo), to.path()) };
        let torrent = session.add(request).await.unwrap();
        let last = until(&torrent, "the end", |snapshot| snapshot.finished).await;
        assert!(tree(to.path()) == tree(from.path()));
        // The fetch did not wait for the tracker to be given up.
        assert!(last.status.unwrap().tracker_errors.is_empty());
        tokio::time::timeout(DEADLINE, session.shutdown()).await.unwrap();
    });
}
