//! Halves of a ring on a bad network: 10 % of all packets lost, 200 ms one way.

#[allow(dead_code, reason = "shared with the other tests of rings, which use the rest")]
#[path = "chord/ring.rs"]
mod ring;

use ring::Ring;
use std::time::Duration;
use throng_overlay::chord::Config;
use throng_sim::{Incident, Latency, Network};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn halves_on_a_bad_network_become_one_ring_again() {
    for seed in 1..=5 {
        let latency = Latency::Constant(Duration::from_millis(200));
        let network = Network { latency, loss: 0.1, ..Network::default() };
        let mut ring = Ring::new(seed, 50, Config { vnodes: 1, ..Config::default() }, network);
        ring.run(s(400));
        ring.sim.incident(Incident::Partition(vec![0..25, 25..50]));
        ring.run(s(60));
        ring.sim.incident(Incident::Heal);
        let healed = (0..120).any(|_| {
            ring.run(s(5));
            ring.flaws().is_empty()
        });
        assert!(healed, "seed {seed}: not one ring 40 stabilisation periods after: {:?}", ring.flaws());
    }
}
