//! A seed under siege: connections that say nothing, and peers that ask and do not read.

use crate::peer::Scripted;
use crate::program::{Place, Running};
use crate::stage::{BLOCK, PIECE_LENGTH, file, published};
use std::net::TcpStream;
use throng_wire::metainfo::Metainfo;
use throng_wire::peer::{self, Block, Message};

/// The most memory a seed may ever take.
const MOST_MEMORY: u64 = 64 << 20;
/// Connections one address may have elsewhere than on loopback (`Config::max_per_address`).
const READERS: usize = 4;

/// An honest fetch from the besieged seed; the copy must be right.
fn fetch(place: &Place, address: &str) {
    let arguments = ["fetch", "t.torrent", "-o", "out", "--listen", "127.0.0.1:0", "--peer", address];
    let mut fetch = place.start("home-fetch", &arguments);
    fetch.event("complete");
    assert_eq!(fetch.wait(), 0);
    assert!(std::fs::read(place.path("out/file")).unwrap() == file(), "the copy is wrong");
}

/// Fails if a process ever took more memory than it may.
fn assert_small(process: &Running) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib << 10 < MOST_MEMORY, "the seed took {kib} KiB");
}

#[test]
fn a_thousand_connections_that_say_nothing_do_not_keep_an_honest_one_out() {
    let place = published("v1");
    let (seed, address) = place.seed("t.torrent", ".", &[]);
    let silent: Vec<_> = (0..1_000).map(|_| TcpStream::connect(&address).unwrap()).collect();
    fetch(&place, &address);
    assert_small(&seed);
    drop(silent);
}

/// A caller whom the seed serves, and all there is to ask for, as it is written.
fn served(address: &str, torrent: &Metainfo) -> (Scripted, Vec<u8>) {
    let mut peer = Scripted::call(address, torrent.info.swarms().next().unwrap());
    peer.say(&[Message::HaveNone, Message::Interested]);
    peer.hear(|message| (message == Message::Unchoke).then_some(())).unwrap();
    let mut requests = Vec::new();
    for piece in 0..torrent.info.layout().piece_count() {
        for begin in (0..PIECE_LENGTH as u32).step_by(BLOCK) {
            peer::encode(&Message::Request(Block { piece, begin, length: BLOCK as u32 }), &mut requests);
        }
    }
    (peer, requests)
}

#[test]
fn peers_that_ask_without_reading_cost_little_and_an_honest_one_is_served() {
    let place = published("v1");
    let (seed, address) = place.seed("t.torrent", ".", &[]);
    let torrent = Metainfo::parse(&std::fs::read(place.path("t.torrent")).unwrap()).unwrap();
    // Twice what the seed said it would hold; the sockets' buffers take a part of the answers.
    let readers = (0..READERS).map(|_| {
        let (mut peer, requests) = served(&address, &torrent);
        assert!(peer.write(&requests.repeat(20)));
        peer
    });
    let readers: Vec<_> = readers.collect();
    fetch(&place, &address);
    assert_small(&seed);
    drop(readers);
}

#[test]
fn who_asks_on_and_on_without_reading_is_cut_off() {
    let place = published("v1");
    let (mut seed, address) = place.seed("t.torrent", ".", &[]);
    let torrent = Metainfo::parse(&std::fs::read(place.path("t.torrent")).unwrap()).unwrap();
    let (mut peer, requests) = served(&address, &torrent);
    while peer.write(&requests) {}
    seed.line("the notice", |line| line.contains("was shut out").then_some(()));
    assert_small(&seed);
    fetch(&place, &address);
}
