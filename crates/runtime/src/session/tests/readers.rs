//! Files read while they are fetched.

use super::*;

async fn read_all(reader: &mut FileReader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(part) = reader.next().await.unwrap() {
        all.extend_from_slice(&part);
    }
    all
}

/// A slow seed, so that the order in which pieces come can be seen.
async fn slow_seed(metainfo: &Arc<Metainfo>, dir: &Path, upload: u64) -> Session {
    let mut config = loopback();
    config.swarm.upload_limit = Some(upload);
    let session = Session::start(config).unwrap();
    let request = AddRequest { read_only: true, ..AddRequest::new(Source::Metainfo(metainfo.clone()), dir) };
    session.add(request).await.unwrap().wait_finished().await.unwrap();
    session
}

#[test]
fn what_a_reader_waits_for_comes_before_all_else() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V1);
        let seed = slow_seed(&metainfo, from.path(), 1 << 20).await;
        let session = Session::start(loopback()).unwrap();
        let torrent =
            session.add(AddRequest::new(Source::Metainfo(metainfo.clone()), to.path())).await.unwrap();
        let storage = session.storage(&torrent).await.unwrap();
        let whole = std::fs::read(from.path().join("files/a")).unwrap();
        // The end of a file of 46 pieces: it is here while most of the rest is not. The seed is told of only once the
        // reader waits, so that nothing else can have come before.
        let mut reader = session.read(&torrent, &storage, 0, 2_900_000..u64::MAX).unwrap();
        let told = async { session.add_peers(&torrent, vec![seed.local_addr().unwrap()]) };
        let (last, ()) = tokio::join!(read_all(&mut reader), told);
        assert!(last == whole[2_900_000..]);
        let here = storage.stored().count();
        assert!(
            here < 30,
            "{here} of {} pieces came before those that were waited for",
            storage.piece_count()
        );
        drop(reader);
        let mut reader = session.read(&torrent, &storage, 0, 0..u64::MAX).unwrap();
        assert!(read_all(&mut reader).await == whole);
    });
}

#[test]
fn a_reader_of_what_is_here_waits_for_nothing_and_ends_where_the_file_does() {
    run(async {
        let at = tempfile::tempdir().unwrap();
        let metainfo = content(at.path(), Format::V2);
        let session = Session::start(loopback()).unwrap();
        let request =
            AddRequest { read_only: true, ..AddRequest::new(Source::Metainfo(metainfo), at.path()) };
        let mut torrent = session.add(request).await.unwrap();
        torrent.wait_finished().await.unwrap();
        let storage = session.storage(&torrent).await.unwrap();
        for (file, name) in ["a", "b/c", "b/d", "e"].into_iter().enumerate() {
            let whole = std::fs::read(at.path().join("files").join(name)).unwrap();
            let mut reader = session.read(&torrent, &storage, file, 0..u64::MAX).unwrap();
            assert!(read_all(&mut reader).await == whole, "{name}");
        }
        let mut beyond = session.read(&torrent, &storage, 0, 9_000_000..9_000_001).unwrap();
        assert_eq!(beyond.next().await, Ok(None));
        assert!(session.read(&torrent, &storage, 4, 0..1).is_none());
    });
}

#[test]
fn who_waits_for_what_can_no_longer_come_is_told() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V1);
        let session = Session::start(loopback()).unwrap();
        let torrent = session.add(AddRequest::new(Source::Metainfo(metainfo), to.path())).await.unwrap();
        let storage = session.storage(&torrent).await.unwrap();
        let mut reader = session.read(&torrent, &storage, 0, 0..10).unwrap();
        session.remove(&torrent);
        assert!(reader.next().await.unwrap_err().contains("removed"));
    });
}

#[test]
fn what_is_verified_again_and_damaged_is_fetched_again() {
    run(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(from.path(), Format::V1);
        let seed = seed(&metainfo, from.path()).await;
        let (session, torrent) = fetch(Source::Metainfo(metainfo), to.path(), &seed).await;
        session.verify(&torrent);
        let told =
            |snapshot: &Snapshot, words: &str| snapshot.notices.iter().any(|it| it.text.contains(words));
        until(&torrent, "a good end", |snapshot| told(snapshot, "all that is stored is right")).await;
        // One byte, in place: the size stays.
        let path = to.path().join("files/a");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[1_000_000] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        session.verify(&torrent);
        session.add_peers(&torrent, vec![seed.local_addr().unwrap()]);
        until(&torrent, "the damage to be told", |snapshot| told(snapshot, "one piece was damaged")).await;
        until(&torrent, "the end", |snapshot| snapshot.finished && snapshot.state == State::Seeding).await;
        assert!(tree(to.path()) == tree(from.path()));
    });
}
