//! A ring whose halves are so small that each knows all of its own: they must find each other again all the same.

#[allow(dead_code, reason = "shared with the other tests of rings, which use the rest")]
#[path = "chord/ring.rs"]
mod ring;

use ring::{Ring, lan};
use std::time::Duration;
use throng_overlay::chord::Config;
use throng_sim::{Departure, Incident};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Cuts the ring in two for a minute and waits for it to be one again.
fn cut_and_heal(ring: &mut Ring, hosts: u32) {
    ring.sim.incident(Incident::Partition(vec![0..hosts / 2, hosts / 2..hosts]));
    ring.run(s(60));
    ring.sim.incident(Incident::Heal);
    let healed = (0..120).find(|_| {
        ring.run(s(5));
        ring.flaws().is_empty()
    });
    let modes: Vec<_> = ring.views().iter().map(|view| (view.mode, view.list.len())).collect();
    assert!(healed.is_some(), "not one ring 40 stabilisation periods after the partition: {modes:?}");
    println!("one ring after {} s", (healed.unwrap_or(0) + 1) * 5);
    ring.assert_owned();
}

#[test]
fn halves_of_a_small_ring_become_one_again() {
    for seed in 1..=5 {
        let mut ring = Ring::new(seed, 30, Config { vnodes: 1, ..Config::default() }, lan());
        ring.run(s(60));
        ring.assert_ideal();
        cut_and_heal(&mut ring, 30);
    }
}

#[test]
fn halves_of_a_ring_that_shrank_become_one_again() {
    for seed in 1..=5 {
        let mut ring = Ring::new(seed, 50, Config { vnodes: 1, ..Config::default() }, lan());
        ring.run(s(300));
        ring.assert_ideal();
        ring.sim.incident(Incident::Stop(30..50, Departure::Silent));
        ring.run(s(120));
        ring.assert_ideal();
        cut_and_heal(&mut ring, 30);
    }
}
