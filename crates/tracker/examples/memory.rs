//! Prints what one million peers in 100,000 torrents cost, by allocator and as the process sees it.
//!
//! `cargo run --release -p throng-tracker --example memory [PEERS [TORRENTS]]`

use std::alloc::System;

use cap::Cap;
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_tracker::{Config, Tracker};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::AnnounceEvent;
use throng_wire::tracker::udp::{AnnounceRequest, ConnectRequest, Options, Response};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u32>().expect("a number"));
    let peers = numbers.next().unwrap_or(1_000_000);
    let torrents = numbers.next().unwrap_or(100_000);
    let before = ALLOCATOR.allocated();
    let mut rng = SplitMix64::new(1);
    let mut tracker = Tracker::new(Config::default(), &mut rng, Instant::EPOCH);
    let mut out = Vec::new();
    for number in 0..peers {
        let from = Endpoint::v4(number.to_be_bytes(), 6881);
        let mut hash = [0; 20];
        hash[..4].copy_from_slice(&rng.below(torrents).to_be_bytes());
        out.clear();
        let connect = ConnectRequest { transaction_id: 0 }.encode();
        tracker.handle_datagram(from, &connect, Instant::EPOCH, &mut rng, &mut out);
        let Ok(Response::Connect(granted)) = Response::parse(&out) else { continue };
        let request = AnnounceRequest {
            connection_id: granted.connection_id,
            transaction_id: 0,
            info_hash: InfoHash(hash),
            peer_id: PeerId([0; 20]),
            downloaded: 0,
            left: u64::from(number % 2),
            uploaded: 0,
            event: AnnounceEvent::Started,
            ip: 0,
            key: 0,
            num_want: Some(0),
            port: 6881,
            options: Options(&[]),
        };
        let mut datagram = Vec::with_capacity(98);
        request.encode(&mut datagram);
        out.clear();
        tracker.handle_datagram(from, &datagram, Instant::EPOCH, &mut rng, &mut out);
    }
    let gauges = tracker.metrics().v4;
    let bytes = ALLOCATOR.allocated() - before - out.capacity();
    println!("{} peers in {} torrents", gauges.peers, gauges.torrents);
    println!("allocated: {bytes} bytes, {:.1} a peer", bytes as f64 / gauges.peers.max(1) as f64);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmRSS")).for_each(|line| println!("{line}"));
    }
}
