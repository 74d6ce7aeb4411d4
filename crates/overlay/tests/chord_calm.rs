//! How many datagrams it takes until a ring that begins is calm: what the protocol asks for, and nothing that goes on by
//! itself.

#[path = "chord/ring.rs"]
#[allow(dead_code, reason = "tests share it")]
mod ring;

use ring::Ring;
use std::time::Duration;
use throng_overlay::chord::Config;
use throng_sim::{Latency, Network};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Datagrams that each node sends a second in a small ring that is calm: head and predecessor are pinged every 5 s, and
/// pinged back (0.8); a round every 10 to 20 s exchanges tables with the head, notifies it and pings one more (0.4); a
/// comparison with a neighbour every 300 s. Half as much again for chance.
const CALM: f64 = 2.0;

/// Datagrams of `nodes` that begin, until they know each other.
///
/// Taking in one that `k` know: it asks and is answered; its contact asks all `k`, and each other that joins at that time;
/// it is welcomed and tells all `k`. Everybody's neighbours change, so that ranges are given on and each compares its
/// own with four replicas. With a challenge for each pair at first, 4 datagrams an exchange: 4k for the contact's, 4k for
/// the news, 8k for comparisons, and 40 for what concerns only the joiner. All together at most 16 n^2 + 40 n.
fn to_begin(nodes: f64) -> f64 {
    16.0 * nodes * nodes + 40.0 * nodes
}

/// What was sent in the first 40 s and in the minute after, at a latency of that many microseconds.
fn sent(nodes: u32, micros: u64, how: (Duration, bool), seed: u64) -> (f64, f64) {
    let network = Network { latency: Latency::Constant(Duration::from_micros(micros)), ..Network::default() };
    let mut ring = Ring::begin((seed, nodes), Config::default(), network, how);
    ring.run(s(40));
    let begun = ring.sim.probe().totals.datagrams_sent;
    ring.run(s(60));
    ring.assert_ideal();
    ring.assert_owned();
    (begun as f64, (ring.sim.probe().totals.datagrams_sent - begun) as f64)
}

fn is_bounded(name: &str, how: (Duration, bool)) {
    for nodes in [4u32, 10, 16] {
        for (seed, micros) in [(1, 50), (2, 50), (3, 1_000), (4, 40_000)] {
            let (begun, calm) = sent(nodes, micros, how, seed);
            let n = f64::from(nodes);
            println!("{name}: {nodes} nodes, {micros} us: {begun} to begin, {calm} in a calm minute");
            assert!(begun <= to_begin(n) + 40.0 * CALM * n, "{name}: {nodes} nodes sent {begun} in 40 s");
            assert!(calm <= 60.0 * CALM * n, "{name}: {nodes} nodes sent {calm} in a minute");
        }
    }
}

#[test]
fn nodes_that_join_one_after_another_are_calm_soon() {
    is_bounded("one after another", (s(20), false));
}

#[test]
fn nodes_that_join_at_once_are_calm_soon() {
    is_bounded("at once", (Duration::ZERO, false));
}

#[test]
fn nodes_that_begin_together_are_calm_soon() {
    is_bounded("together", (s(5), true));
}
