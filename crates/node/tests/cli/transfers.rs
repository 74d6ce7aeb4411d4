//! Files from one process to others, as people do it.

use crate::program::{Place, assert_same, noise};
use rustix::process::Signal;
use std::fs;

const HERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn fetch(place: &Place, home: &str, source: &str, to: &str, more: &[&str]) -> serde_json::Value {
    let mut fetch = place.start(home, &[&["fetch", source, "-o", to], &HERE[..], more].concat());
    let complete = fetch.event("complete");
    assert_eq!(fetch.wait(), 0);
    complete
}

#[test]
fn every_format_is_fetched_by_torrent_and_by_magnet() {
    let place = Place::new();
    place.write("folder/big.bin", &noise(3_000_000, 1));
    place.write("folder/sub/small.txt", b"hello");
    place.write("folder/sub/empty", b"");
    place.write("single.iso", &noise(1_000_000, 2));
    for format in ["v1", "v2", "hybrid"] {
        for path in ["folder", "single.iso"] {
            let torrent = format!("{path}-{format}.torrent");
            let magnet = place.publish(path, &torrent, &["--format", format]);
            let (mut seed, address) = place.seed(&torrent, ".", &[]);
            for (source, to) in [(&torrent, "by-torrent"), (&magnet, "by-magnet")] {
                let to = format!("{to}-{path}-{format}");
                fetch(&place, &format!("home-{to}"), source, &to, &["--peer", &address]);
                if path == "folder" {
                    assert_same(&place.path("folder"), &place.path(&to).join("folder"));
                } else {
                    assert_eq!(place.names(&to), ["single.iso"]);
                }
                assert_eq!(place.run(&["torrent", "verify", &torrent, &to]).code, 0);
            }
            seed.signal(Signal::INT);
            assert_eq!(seed.wait(), 130);
        }
    }
}

#[test]
fn peers_find_each_other_through_our_tracker() {
    let place = Place::new();
    place.write("file", &noise(500_000, 3));
    let mut tracker = place.start("home", &["tracker", "--listen", "127.0.0.1:0"]);
    let listening = tracker.event("listening");
    for (scheme, torrent) in [("http", "http.torrent"), ("udp", "udp.torrent")] {
        place.publish("file", torrent, &["--tracker", listening[scheme].as_str().unwrap()]);
        let (_seed, _) = place.seed(torrent, ".", &[]);
        fetch(&place, &format!("home-{scheme}"), torrent, scheme, &[]);
        assert_eq!(fs::read(place.path(scheme).join("file")).unwrap(), noise(500_000, 3));
    }
    tracker.signal(Signal::TERM);
    assert_eq!(tracker.wait(), 130);
}

#[test]
fn a_fetch_killed_in_its_middle_goes_on_where_it_was() {
    const LENGTH: usize = 12 << 20;
    let place = Place::new();
    place.write("file", &noise(LENGTH, 4));
    place.publish("file", "t.torrent", &[]);
    let (_slow, address) = place.seed("t.torrent", ".", &["--upload-limit", "4MiB"]);
    let mut first = place
        .start("home-fetch", &[&["fetch", "t.torrent", "-o", "out", "--peer", &address], &HERE[..]].concat());
    let had = first.event_with("progress", |progress| progress["verified"].as_u64() > Some(4 << 20));
    first.signal(Signal::KILL);
    first.wait();
    let had = had["verified"].as_u64().unwrap();
    let complete = fetch(&place, "home-fetch", "t.torrent", "out", &["--peer", &address]);
    let again = complete["downloaded"].as_u64().unwrap();
    // Only what was in flight is fetched twice: every piece that was said to be there is.
    assert!(again <= LENGTH as u64 - had, "{again} bytes fetched again though {had} were there");
    assert_eq!(fs::read(place.path("out/file")).unwrap(), noise(LENGTH, 4));
}

#[test]
fn a_fetch_whose_last_peer_went_away_says_so() {
    let place = Place::new();
    place.write("file", &noise(8 << 20, 11));
    place.publish("file", "t.torrent", &[]);
    let (slow, address) = place.seed("t.torrent", ".", &["--upload-limit", "1MiB"]);
    let mut fetch = place
        .start("home-fetch", &[&["fetch", "t.torrent", "-o", "out", "--peer", &address], &HERE[..]].concat());
    fetch.event_with("progress", |progress| progress["verified"].as_u64() > Some(0));
    drop(slow);
    assert_eq!(fetch.event("no_peers")["known"], 1);
    fetch.signal(Signal::TERM);
    assert_eq!(fetch.wait(), 130);
}

#[test]
fn an_interrupted_fetch_says_goodbye_and_a_finished_one_needs_nobody() {
    let place = Place::new();
    place.write("file", &noise(500_000, 5));
    place.publish("file", "t.torrent", &[]);
    let mut alone = place.start("home-fetch", &[&["fetch", "t.torrent", "-o", "out"], &HERE[..]].concat());
    alone.event("listening");
    alone.signal(Signal::INT);
    assert_eq!(alone.wait(), 130);
    let (seed, address) = place.seed("t.torrent", ".", &[]);
    fetch(&place, "home-fetch", "t.torrent", "out", &["--peer", &address]);
    drop(seed);
    let complete = fetch(&place, "home-fetch", "t.torrent", "out", &[]);
    assert_eq!(complete["downloaded"], 0);
}

#[test]
fn ten_thousand_small_files_arrive() {
    let place = Place::new();
    for number in 0..10_000u32 {
        place.write(&format!("many/{}/{number}.txt", number % 100), number.to_string().as_bytes());
    }
    place.publish("many", "many.torrent", &["--format", "v1"]);
    let (_seed, address) = place.seed("many.torrent", ".", &[]);
    fetch(&place, "home-fetch", "many.torrent", "out", &["--peer", &address]);
    assert_same(&place.path("many"), &place.path("out/many"));
}

#[test]
fn odd_names_arrive_under_safe_ones_and_can_be_seeded_from_there() {
    let place = Place::new();
    for name in ["odd/what?", "odd/new\nline", "odd/con", "odd/plain"] {
        place.write(name, name.as_bytes());
    }
    place.publish("odd", "odd.torrent", &[]);
    let (first, address) = place.seed("odd.torrent", ".", &[]);
    fetch(&place, "home-a", "odd.torrent", "a", &["--peer", &address]);
    assert_eq!(place.names("a/odd"), ["_con", "new_line", "plain", "what_"]);
    drop(first);
    let (_second, address) = place.seed("odd.torrent", "a", &[]);
    fetch(&place, "home-b", "odd.torrent", "b", &["--peer", &address]);
    assert_same(&place.path("a/odd"), &place.path("b/odd"));
}

#[test]
fn a_torrent_is_fetched_by_its_url() {
    let place = Place::new();
    place.write("file", &noise(200_000, 10));
    place.publish("file", "t.torrent", &[]);
    let (_seed, address) = place.seed("t.torrent", ".", &[]);
    let torrent = fs::read(place.path("t.torrent")).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", torrent.len());
    let url = crate::program::serve([head.as_bytes(), &torrent].concat());
    fetch(&place, "home-fetch", &format!("{url}/t.torrent"), "out", &["--peer", &address]);
    assert_eq!(fs::read(place.path("out/file")).unwrap(), noise(200_000, 10));
    let page = crate::program::serve(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    place.run(&["fetch", &page, "-o", "none"]).assert_refused(1, &[&page, "404"]);
    assert!(!place.path("none").exists());
}

#[test]
fn only_files_that_match_are_fetched() {
    let place = Place::new();
    place.write("album/one.flac", &noise(200_000, 6));
    place.write("album/cover/front.png", &noise(200_000, 7));
    place.write("album/notes.txt", &noise(200_000, 8));
    place.publish("album", "t.torrent", &[]);
    let (_seed, address) = place.seed("t.torrent", ".", &[]);
    let only = ["--only", "*.flac", "--only", "cover/*", "--peer", address.as_str()];
    fetch(&place, "home-fetch", "t.torrent", "out", &only);
    assert_eq!(place.names("out/album"), ["cover", "one.flac"]);
    let done = place.run(&[&["fetch", "t.torrent", "-o", "none", "--only", "*.mp3"], &HERE[..]].concat());
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("no file of the torrent matches"), "{done:?}");
}

#[test]
fn the_demo_ends_well_and_leaves_nothing() {
    let place = Place::new();
    place.write("shared/a", &noise(400_000, 9));
    place.write("shared/b/c", b"c");
    fs::create_dir(place.path("tmp")).unwrap();
    let output = place
        .command("home", &["--json", "demo", "shared"])
        .env("TMPDIR", place.path("tmp"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["ok"]), (&"demo".into(), &true.into()));
    assert_eq!(text.lines().filter(|line| line.contains("\"complete\"")).count(), 3);
    assert!(place.names("tmp").is_empty());
}
