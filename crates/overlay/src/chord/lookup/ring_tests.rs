//! Lookups over whole rings on the simulator, tables computed from the true membership.

use super::super::bulk::{RoundTrips, StableRing};
use super::super::config::{Config, Host, OneHop, Timers};
use super::super::{
    Chord, Command, Event, FingerConfig, LookupConfig, LookupCounts, LookupMode, Measured, Snapshots,
};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_sim::{App, Departure, HostId, HostIo, Incident, Network, Profile, Sim};
use throng_wire::chord::RingId;

const PORT: u16 = 4000;

struct Member {
    machine: Chord,
    measured: Vec<(u32, Option<Measured>)>,
}

impl App for Member {
    type Machine = Chord;
    fn machine(&mut self) -> &mut Chord {
        &mut self.machine
    }
    fn on_event(&mut self, event: Event, _: &mut HostIo<'_, Self>) {
        if let Event::Measured { number, measured } = event {
            self.measured.push((number, measured));
        }
    }
}

/// A ring whose tables nobody mends, so that what lookups do is all that happens.
fn frozen() -> Config {
    let never = Duration::from_secs(100_000);
    let timers = Timers {
        stabilise: (never, never),
        heartbeat: never,
        finger_refresh: never,
        finger_ping: never,
        self_check: never,
        notify_silence: never,
        ..Timers::default()
    };
    let fingers = FingerConfig { candidates: 1, alternates: 0, ..FingerConfig::default() };
    let one_hop = OneHop { on: 0, off: 0 };
    Config { base: 2, vnodes: 1, successors: Some(16), timers, fingers, one_hop, ..Config::default() }
}

struct World {
    sim: Sim<Member>,
    ring: StableRing,
    hosts: u32,
    dead: Vec<u32>,
    rng: SplitMix64,
    asked: Vec<(u32, u32, RingId)>,
}

fn endpoint(host: u32) -> Endpoint {
    let [_, a, b, c] = (host + 1).to_be_bytes();
    Endpoint::v4([10, a, b, c], PORT)
}

impl World {
    fn new(hosts: u32, config: Config, network: Network) -> World {
        World::after(hosts, &[], config, network)
    }

    /// A ring in which these hosts have just died.
    fn after(hosts: u32, dead: &[u32], config: Config, network: Network) -> World {
        let config = Arc::new(config);
        let mut ring = StableRing::new(&config, (0..hosts).map(endpoint), 1)
            .measured(RoundTrips::Same(Duration::from_millis(40)));
        ring.kill(&dead.iter().map(|host| endpoint(*host)).collect());
        let mut sim = Sim::new(7, network);
        let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
        for host in 0..hosts {
            let machine =
                Chord::bulk(Arc::clone(&config), &Host::at(endpoint(host), 1), &ring, Instant::EPOCH);
            let added = sim.add(Member { machine, measured: Vec::new() }, profile);
            assert_eq!(sim.endpoint(added), endpoint(host));
        }
        dead.iter().for_each(|host| sim.incident(Incident::Stop(*host..*host + 1, Departure::Silent)));
        World { sim, ring, hosts, dead: dead.to_vec(), rng: SplitMix64::new(11), asked: Vec::new() }
    }

    /// Looks random keys up from random members that are up, a hundred each second.
    fn look(&mut self, lookups: u32, mode: LookupMode) {
        for number in 0..lookups {
            let mut key = RingId::MIN;
            self.rng.fill(&mut key.0);
            let host = loop {
                let host = self.rng.below(self.hosts);
                if !self.dead.contains(&host) {
                    break host;
                }
            };
            self.sim.command(HostId(host), Command::Measure { number, key, mode });
            self.sim.run_for(Duration::from_millis(10));
            self.asked.push((host, number, key));
        }
        self.sim.run_for(Duration::from_secs(10));
    }

    /// Of all lookups asked: those answered, their mean hops and time-outs; every answer must name the true owner.
    fn results(&self) -> Results {
        let mut results = Results::default();
        for (host, number, key) in &self.asked {
            let mut answers = self.sim.app(HostId(*host)).measured.iter().filter(|(of, _)| of == number);
            let (_, measured) = answers.next().unwrap_or(&(0, None));
            assert!(answers.next().is_none(), "one answer a lookup");
            let Some(measured) = measured else {
                results.unanswered += 1;
                continue;
            };
            assert_eq!(Some(&measured.owner), self.ring.owner(*key), "a wrong owner");
            results.answered += 1;
            results.hops += f64::from(measured.hops);
            results.timeouts += f64::from(measured.timeouts);
            results.longest = results.longest.max(measured.took);
        }
        results.hops /= f64::from(results.answered.max(1));
        results.timeouts /= f64::from(results.answered.max(1));
        results
    }

    fn counts(&self) -> LookupCounts {
        (0..self.hosts).map(|host| self.sim.app(HostId(host)).machine.lookups()).fold(
            LookupCounts::default(),
            |sum, one| LookupCounts {
                dropped: sum.dropped + one.dropped,
                duplicates: sum.duplicates + one.duplicates,
                walked: sum.walked + one.walked,
                retried: sum.retried + one.retried,
                ..sum
            },
        )
    }
}

#[derive(Clone, Default, Debug)]
struct Results {
    answered: u32,
    unanswered: u32,
    hops: f64,
    timeouts: f64,
    longest: Duration,
}

#[test]
fn every_lookup_finds_the_owner_in_rings_of_any_small_size() {
    for hosts in [1, 2, 3, 4, 5, 8, 13, 21, 34, 64] {
        for mode in [LookupMode::Recursive, LookupMode::Iterative] {
            let mut world = World::new(hosts, frozen(), Network::default());
            world.look(40, mode);
            let results = world.results();
            assert_eq!((results.answered, results.timeouts), (40, 0.0), "{hosts} hosts, {mode:?}");
        }
    }
}

#[test]
fn mean_hops_at_256_nodes_are_half_the_logarithm_beyond_the_list_plus_one() {
    for mode in [LookupMode::Recursive, LookupMode::Iterative] {
        let mut world = World::new(256, frozen(), Network::default());
        world.look(2_000, mode);
        let results = world.results();
        assert_eq!((results.answered, results.unanswered), (2_000, 0));
        assert!((results.hops - 3.0).abs() < 0.1, "{mode:?}: {results:?}");
        assert_eq!(results.timeouts, 0.0);
    }
}

#[test]
fn a_hundred_nodes_of_eight_virtual_ones_each_take_no_more_hops() {
    let mut world = World::new(100, Config { vnodes: 8, base: 4, ..frozen() }, Network::default());
    world.look(1_000, LookupMode::Recursive);
    let results = world.results();
    assert_eq!(results.answered, 1_000);
    assert!(results.hops < 3.0, "{results:?}");
}

#[test]
fn lost_packets_delay_lookups_and_lose_none() {
    for seed in 1..=5 {
        let network = Network { loss: 0.05, ..Network::default() };
        let mut world = World::new(128, frozen(), network);
        world.rng = SplitMix64::new(seed);
        world.look(1_000, LookupMode::Recursive);
        let results = world.results();
        assert_eq!(results.unanswered, 0, "seed {seed}: {results:?}");
        assert!(results.longest < Duration::from_secs(8));
    }
}

/// The publication's Table II: this share dies at once, nothing is mended, 20 successors, base 2.
fn table_two(percent: u32, seed: u64, lookups: u32) -> (Results, LookupCounts) {
    let mut rng = SplitMix64::new(seed);
    let mut hosts: Vec<u32> = (0..1_000).collect();
    let dead: Vec<u32> =
        (0..percent * 10).map(|_| hosts.swap_remove(rng.below(hosts.len() as u32) as usize)).collect();
    let lookup = LookupConfig { ping_silent: false, ..LookupConfig::default() };
    let config = Config { successors: Some(20), lookup, ..frozen() };
    let mut world = World::after(1_000, &dead, config, Network::default());
    world.look(lookups, LookupMode::Recursive);
    (world.results(), world.counts())
}

#[test]
fn when_a_share_of_a_thousand_nodes_dies_at_once_the_rest_still_find_each_other() {
    // Published: nodes contacted but for the owner, and time-outs.
    for (percent, path, timeouts) in [(0, 3.84, 0.0), (10, 4.03, 0.60), (30, 4.44, 2.02), (50, 5.09, 5.10)] {
        let (results, counts) = table_two(percent, 3, 1_000);
        assert_eq!(results.unanswered, 0, "{percent}: {results:?} {counts:?}");
        assert!(
            results.hops - 1.0 <= path && results.timeouts <= timeouts,
            "{percent}: {results:?} {counts:?}"
        );
    }
}

#[test]
fn with_a_table_of_all_every_lookup_takes_one_hop() {
    let one_hop = OneHop { on: 3_000, off: 4_096 };
    let timers = Timers { table_digest: Duration::from_secs(5), ..Timers::default() };
    let mut world = World::new(300, Config { one_hop, timers, ..frozen() }, Network::default());
    let snapshots = Arc::new(Snapshots::default());
    (0..300).for_each(|host| world.sim.app_mut(HostId(host)).machine.share_tables(&snapshots));
    world.sim.run_for(Duration::from_secs(120));
    let lengths: Vec<usize> = (0..300).map(|host| world.sim.app(HostId(host)).machine.table_len()).collect();
    assert!(lengths.iter().all(|length| *length == 300), "{lengths:?}");
    world.look(1_000, LookupMode::Recursive);
    let results = world.results();
    assert_eq!(results.unanswered, 0);
    assert!(results.hops <= 1.0, "{results:?}");
}
