//! Rings of the shipping machine in the simulator: they form, lose members, part, meet and become whole again.

#[path = "chord/ring.rs"]
mod ring;

use ring::{Ring, lan};
use std::time::Duration;
use throng_overlay::chord::Config;
use throng_sim::{Departure, Incident, Network};
use throng_wire::chord::Mode;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn forced(r: u8) -> Config {
    Config { successors: Some(r), vnodes: 1, ..Config::default() }
}

#[test]
fn one_node_alone_owns_everything() {
    let mut ring = Ring::new(1, 1, Config::default(), Network::default());
    ring.run(s(1));
    let view = ring.view(0);
    assert_eq!(view.mode, Mode::Solo);
    assert_eq!(view.claim.low(), Some(view.me.id));
}

#[test]
fn a_small_ring_knows_all_and_shares_the_range() {
    for n in [2, 3, 5, 8] {
        let mut ring = Ring::new(1, n, Config::default(), lan());
        ring.run(s(60));
        ring.assert_ideal();
        ring.assert_owned();
        assert!((0..n).all(|host| ring.view(host).mode == Mode::Small), "{n}");
    }
}

#[test]
fn a_ring_of_forty_grows_out_of_one_node() {
    let mut ring = Ring::new(2, 40, Config { vnodes: 1, ..Config::default() }, lan());
    ring.run(s(240));
    assert!((0..40).all(|host| ring.view(host).mode == Mode::Ring));
    ring.assert_ideal();
    ring.assert_owned();
}

#[test]
fn two_hundred_join_at_once() {
    let mut ring = Ring::new(3, 200, Config { vnodes: 1, ..Config::default() }, lan());
    ring.run(s(400));
    ring.assert_ideal();
    ring.assert_owned();
}

#[test]
fn a_short_list_survives_crashes_one_after_another() {
    for seed in 1..=5 {
        let mut ring = Ring::new(seed, 24, forced(3), lan());
        ring.run(s(300));
        ring.assert_ideal();
        for host in [3, 9, 14, 20] {
            ring.sim.incident(Incident::Stop(host..host + 1, Departure::Silent));
            ring.run(s(60));
        }
        ring.run(s(120));
        ring.assert_ideal();
        ring.assert_owned();
    }
}

#[test]
fn leaving_moves_ranges_without_a_gap() {
    let mut ring = Ring::new(5, 30, forced(4), lan());
    ring.run(s(300));
    ring.assert_owned();
    for host in 4..12 {
        ring.sim.command(throng_sim::HostId(host), throng_overlay::chord::Command::Leave);
        for _ in 0..20 {
            ring.run(Duration::from_millis(500));
            assert!(ring.gaps() < 100_000, "the range of at most one node is on its way");
            assert_eq!(ring.overlaps(), 0);
        }
        ring.sim.incident(Incident::Stop(host..host + 1, Departure::Exit));
    }
    ring.run(s(60));
    ring.assert_ideal();
    ring.assert_owned();
}

#[test]
fn a_large_ring_shrinks_to_a_small_one_and_to_one_node() {
    let mut ring = Ring::new(6, 12, forced(2), lan());
    ring.run(s(200));
    ring.assert_ideal();
    assert!(ring.views().iter().all(|view| view.mode == Mode::Ring));
    for host in 1..12 {
        ring.sim.incident(Incident::Stop(host..host + 1, Departure::Silent));
        ring.run(s(90));
        println!("{} left: {:?}", 12 - host, ring.views().iter().map(|view| view.mode).collect::<Vec<_>>());
    }
    ring.assert_ideal();
    ring.assert_owned();
    assert_eq!(ring.view(0).mode, Mode::Solo);
}

#[test]
fn half_of_a_ring_dies_at_once() {
    for seed in 1..=3 {
        let mut ring = Ring::new(seed, 100, Config { vnodes: 1, ..Config::default() }, lan());
        ring.run(s(300));
        ring.assert_ideal();
        ring.sim.incident(Incident::Stop(0..50, Departure::Silent));
        for _ in 0..24 {
            ring.run(s(5));
            let detached = ring.views().iter().filter(|view| view.mode == Mode::Detached).count();
            let (gaps, overlaps) = (ring.gaps(), ring.overlaps());
            println!(
                "{seed} {} flaws, gaps {gaps} overlaps {overlaps} detached {detached}",
                ring.flaws().len()
            );
        }
        ring.run(s(60));
        ring.assert_ideal();
        ring.assert_owned();
    }
}

#[test]
fn ten_percent_loss_and_two_hundred_milliseconds_kill_nobody() {
    let network = Network {
        latency: throng_sim::Latency::Constant(Duration::from_millis(200)),
        loss: 0.1,
        ..Network::default()
    };
    let mut ring = Ring::new(7, 50, Config { vnodes: 1, ..Config::default() }, network);
    ring.run(s(600));
    println!("flaws {}", ring.flaws().len());
    let mut worst = 0;
    for _ in 0..60 {
        ring.run(s(10));
        worst = worst.max(ring.overlaps());
    }
    ring.assert_ideal();
}

#[test]
fn a_host_that_returns_at_once_is_a_new_node() {
    let mut ring = Ring::new(8, 30, forced(4), lan());
    ring.run(s(300));
    for host in [3, 8, 17] {
        ring.sim.incident(Incident::Stop(host..host + 1, Departure::Silent));
        ring.sim.incident_after(Duration::from_millis(500), Incident::Start(host..host + 1));
    }
    ring.run(s(120));
    ring.assert_ideal();
    ring.assert_owned();
}

#[test]
fn two_halves_of_a_ring_become_one_again() {
    let mut ring = Ring::new(9, 60, Config { vnodes: 1, ..Config::default() }, lan());
    ring.run(s(300));
    ring.assert_ideal();
    ring.sim.incident(Incident::Partition(vec![0..30, 30..60]));
    ring.run(s(90));
    println!("parted: {}", ring.flaws().len());
    ring.sim.incident(Incident::Heal);
    for _ in 0..30 {
        ring.run(s(20));
        println!("healed: {}", ring.flaws().len());
    }
    ring.assert_ideal();
    ring.assert_owned();
}
