//! Storage that fails under a running session: it says so, sends nothing wrong, and goes on when the cause is gone.

use super::*;
use crate::storage::tests::Mount;

/// Waits until the torrent is paused for a reason that has all of `words`.
async fn paused(torrent: &TorrentHandle, words: &[&str]) {
    let fits = |snapshot: &Snapshot| match &snapshot.state {
        State::Paused(reason) => {
            assert!(!reason.contains('\n'), "{reason}");
            words.iter().all(|word| reason.contains(word))
        }
        _ => false,
    };
    let snapshot = until(torrent, &format!("a pause that says {words:?}"), fits).await;
    // What the torrent waits for was also told once, where it stays to be read.
    assert!(has_notice(&snapshot, words), "{snapshot:?}");
}

fn has_notice(snapshot: &Snapshot, words: &[&str]) -> bool {
    snapshot.notices.iter().any(|notice| words.iter().all(|word| notice.text.contains(word)))
}

async fn finished(torrent: &TorrentHandle) {
    until(torrent, "the end", |snapshot| snapshot.finished).await;
}

/// A fetch under way, from these peers.
async fn begin(metainfo: &Arc<Metainfo>, dir: &Path, from: &[&Session]) -> (Session, TorrentHandle) {
    let session = Session::start(loopback()).unwrap();
    let peers = from.iter().filter_map(|peer| peer.local_addr()).collect();
    let request = AddRequest { peers, ..AddRequest::new(Source::Metainfo(metainfo.clone()), dir) };
    let torrent = session.add(request).await.unwrap();
    (session, torrent)
}

/// A seed with its torrent.
async fn serve(metainfo: &Arc<Metainfo>, dir: &Path, read_only: bool) -> (Session, TorrentHandle) {
    let session = Session::start(loopback()).unwrap();
    let request = AddRequest { read_only, ..AddRequest::new(Source::Metainfo(metainfo.clone()), dir) };
    let torrent = session.add(request).await.unwrap();
    finished(&torrent).await;
    (session, torrent)
}

#[test]
fn a_full_disk_pauses_a_fetch_until_there_is_room() {
    run(async {
        let Some(small) = Mount::new("size=1m") else { return };
        let from = tempfile::tempdir().unwrap();
        let metainfo = content(from.path(), Format::V1);
        let seed = seed(&metainfo, from.path()).await;
        let (session, torrent) = begin(&metainfo, small.path(), &[&seed]).await;
        // Whichever of the files is written to first, and then another: the reason is that of the last write.
        let files = small.path().join("files/");
        paused(&torrent, &["no room", files.to_str().unwrap(), "free some space"]).await;
        let status = torrent.snapshot().status.unwrap();
        assert!(status.verified < status.wanted);
        small.change("size=64m");
        finished(&torrent).await;
        assert!(tree(small.path()) == tree(from.path()));
        assert!(has_notice(&torrent.snapshot(), &["works again"]));
        session.shutdown().await;
    });
}

#[test]
fn a_folder_that_becomes_read_only_pauses_a_fetch_until_it_may_be_written() {
    run(async {
        let Some(mount) = Mount::new("size=64m") else { return };
        let from = tempfile::tempdir().unwrap();
        let metainfo = content(from.path(), Format::Hybrid);
        let seed = seed(&metainfo, from.path()).await;
        let (session, torrent) = begin(&metainfo, mount.path(), &[]).await;
        until(&torrent, "the check's end", |snapshot| snapshot.state == State::Downloading).await;
        mount.change("ro");
        session.add_peers(&torrent, vec![seed.local_addr().unwrap()]);
        let folder = mount.path().join("files");
        paused(&torrent, &["not allowed", folder.to_str().unwrap(), "change its permissions"]).await;
        mount.change("rw");
        finished(&torrent).await;
        assert!(tree(mount.path()) == tree(from.path()));
        session.shutdown().await;
    });
}

/// Damages the largest file of a seed: it tells of it with `words` though nobody asks for data, sends nothing wrong, and
/// goes on when the file is back.
async fn damaged_and_mended(read_only: bool, damage: impl Fn(&Path), words: &[&str]) {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let metainfo = content(from.path(), Format::V2);
    let file = from.path().join("files/a");
    let whole = tree(from.path());
    let (seed, seeding) = serve(&metainfo, from.path(), read_only).await;
    damage(&file);
    paused(&seeding, &[&[file.to_str().unwrap()], words].concat()).await;
    let (session, torrent) = begin(&metainfo, to.path(), &[&seed]).await;
    let asked = |snapshot: &Snapshot| snapshot.status.as_ref().is_some_and(|status| status.known_peers > 0);
    until(&torrent, "the seed's address", asked).await;
    assert!(!torrent.snapshot().finished);
    std::fs::write(&file, &whole["a"]).unwrap();
    until(&seeding, "the seed's recovery", |snapshot| snapshot.state == State::Seeding).await;
    finished(&torrent).await;
    assert!(tree(to.path()) == whole);
    assert!(!has_notice(&torrent.snapshot(), &["sent wrong data"]));
    session.shutdown().await;
    seed.shutdown().await;
}

#[test]
fn a_file_deleted_under_a_seed_is_told_and_served_when_it_is_back() {
    let damage = |file: &Path| std::fs::remove_file(file).unwrap();
    for read_only in [true, false] {
        run(damaged_and_mended(read_only, damage, &["it is gone", "put it back"]));
    }
}

#[test]
fn a_file_shortened_under_a_seed_is_told_and_served_when_it_is_whole() {
    let damage =
        |file: &Path| std::fs::File::options().write(true).open(file).unwrap().set_len(1_000_000).unwrap();
    for read_only in [true, false] {
        run(damaged_and_mended(read_only, damage, &["shorter than it was", "put it back"]));
    }
}

#[test]
fn a_file_that_comes_back_with_other_bytes_is_not_sent() {
    run(async {
        let (good, bad, to) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(good.path(), Format::V1);
        content(bad.path(), Format::V1);
        let file = bad.path().join("files/a");
        let mut bytes = std::fs::read(&file).unwrap();
        let (bad_seed, seeding) = serve(&metainfo, bad.path(), true).await;
        std::fs::remove_file(&file).unwrap();
        paused(&seeding, &["it is gone"]).await;
        // Two pieces of 64 KiB that follow each other, so that they are read at once.
        bytes[20 << 16] ^= 1;
        bytes[21 << 16] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        until(&seeding, "the seed's recovery", |snapshot| snapshot.state == State::Seeding).await;
        let (session, torrent) = begin(&metainfo, to.path(), &[&bad_seed]).await;
        let left = |snapshot: &Snapshot| {
            snapshot.status.as_ref().is_some_and(|status| status.pieces.0 + 2 == status.pieces.1)
        };
        until(&torrent, "all but two pieces", left).await;
        let told = |snapshot: &Snapshot| has_notice(snapshot, &["is damaged", "not served"]);
        until(&seeding, "the seed's word", told).await;
        let good_seed = seed(&metainfo, good.path()).await;
        session.add_peers(&torrent, vec![good_seed.local_addr().unwrap()]);
        finished(&torrent).await;
        assert!(tree(to.path()) == tree(good.path()));
        assert!(!has_notice(&torrent.snapshot(), &["sent wrong data"]));
        assert_eq!(seeding.snapshot().state, State::Seeding, "the rest is still served");
        session.shutdown().await;
    });
}

#[test]
fn a_damaged_piece_of_a_writable_seed_is_fetched_again() {
    run(async {
        let (good, bad, to) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let metainfo = content(good.path(), Format::Hybrid);
        content(bad.path(), Format::Hybrid);
        write(&bad.path().join("files/b/c"), 99, 70_000);
        let good_seed = seed(&metainfo, good.path()).await;
        let trusting = Session::start(loopback()).unwrap();
        let peers = vec![good_seed.local_addr().unwrap()];
        let source = Source::Metainfo(metainfo.clone());
        let request = AddRequest { skip_check: true, peers, ..AddRequest::new(source, bad.path()) };
        let trusted = trusting.add(request).await.unwrap();
        finished(&trusted).await;
        let (session, torrent) = begin(&metainfo, to.path(), &[&trusting]).await;
        finished(&torrent).await;
        assert!(tree(to.path()) == tree(good.path()));
        until(&trusted, "the repair", |snapshot| {
            snapshot.finished && has_notice(snapshot, &["is damaged", "fetched again"])
        })
        .await;
        assert!(tree(bad.path()) == tree(good.path()));
        session.shutdown().await;
    });
}
