//! What a peer costs, by a counting allocator. One test a process: the allocator counts them all.

use std::alloc::System;
use std::time::Duration;

use cap::Cap;
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_tracker::{Config, Tracker};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::http::AnnounceRequest;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// A tracker with this many torrents and peers, spread at random, all announced over HTTP.
fn filled(torrents: u32, peers: u32) -> Tracker {
    let mut rng = SplitMix64::new(1);
    let mut tracker = Tracker::new(Config::default(), &mut rng, Instant::EPOCH);
    let (mut target, mut body) = (String::new(), Vec::new());
    for number in 0..peers {
        let mut hash = [0; 20];
        hash[..4].copy_from_slice(&rng.below(torrents).to_be_bytes());
        let mut request = AnnounceRequest::new(InfoHash(hash), PeerId([0; 20]), 6881);
        request.num_want = Some(0);
        target.clear();
        target.push_str("/announce?");
        request.write_query(&mut target);
        body.clear();
        let from = Endpoint::v4(number.to_be_bytes(), 1);
        tracker.handle_get(from, target.as_bytes(), Instant::EPOCH, &mut rng, &mut body);
    }
    tracker
}

#[test]
fn a_hundred_thousand_peers_in_ten_thousand_torrents_take_less_than_three_megabytes() {
    let before = ALLOCATOR.allocated();
    let mut tracker = filled(10_000, 100_000);
    let bytes = ALLOCATOR.allocated() - before;
    let gauges = tracker.metrics().v4;
    assert_eq!(gauges.peers, 100_000);
    println!("{} torrents, {} peers: {bytes} bytes", gauges.torrents, gauges.peers);
    assert!(bytes < 3_000_000, "{bytes} bytes");
    tracker.handle_timeout(Instant::EPOCH + Duration::from_secs(100_000));
    assert_eq!(tracker.metrics().v4.peers, 0);
    let left = ALLOCATOR.allocated() - before;
    assert!(left < 200_000, "{left} bytes remain of an empty tracker");
}
