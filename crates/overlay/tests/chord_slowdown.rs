//! A network that suddenly becomes four hundred times slower: answers come after the last of all sends that the old
//! measurements allow for, so what is measured must not stay as it was.

#[allow(dead_code, reason = "shared with the other tests of rings, which use the rest")]
#[path = "chord/ring.rs"]
mod ring;

use ring::Ring;
use std::time::Duration;
use throng_overlay::chord::Config;
use throng_sim::{Incident, Latency, Network, Profile};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_network_that_becomes_slow_costs_nobody_his_place() {
    for seed in 1..=5 {
        let latency = Latency::Constant(Duration::from_micros(500));
        let config = Config { successors: Some(4), vnodes: 1, ..Config::default() };
        let mut ring = Ring::new(seed, 24, config, Network { latency, ..Network::default() });
        ring.run(s(200));
        ring.assert_ideal();
        // Each way passes two access links: 200 ms one way, 10 % lost.
        let slow = Profile { access: Duration::from_millis(100), loss: 0.05, ..Profile::default() };
        let slow = ring.sim.add_profile(slow);
        ring.sim.incident_after(s(0), Incident::Change(0..24, slow));
        ring.run(s(120));
        // Somebody may be under suspicion at any one moment of a network that loses every tenth packet.
        let ideal = (0..12).any(|_| {
            ring.run(s(10));
            ring.flaws().is_empty()
        });
        assert!(ideal, "seed {seed}: {:?}", ring.flaws());
        let status = |host| ring.machine(host).status();
        let sluggish = Duration::from_millis(200);
        for host in 0..24 {
            let successors = status(host).vnodes[0].successors.clone();
            let head = successors[0];
            let measured = head.rtt.smoothed().unwrap_or_default();
            assert!(
                measured > sluggish,
                "seed {seed}, host {host}: {measured:?} is the measure of a better time"
            );
        }
    }
}
