//! Lookups in rings that grew through the protocol: small and large, calm and losing members, with and without the table
//! of all.

#[path = "chord/ring.rs"]
#[allow(dead_code)]
mod ring;

use ring::{Ring, lan};
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};
use throng_overlay::chord::{Command, Config, Event, FingerConfig, LookupMode, Measured, OneHop, Timers};
use throng_sim::{Departure, HostId, Incident};
use throng_wire::chord::{Mode, RingId};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// No table of all, fingers at the starts of their intervals as the lecture has them.
fn plain() -> Config {
    Config {
        vnodes: 1,
        fingers: FingerConfig { candidates: 1, ..FingerConfig::default() },
        one_hop: OneHop { on: 0, off: 0 },
        ..Config::default()
    }
}

/// What lookups of random keys from random hosts that are up come to.
#[derive(Default, Debug)]
struct Outcome {
    right: u32,
    wrong: u32,
    unanswered: u32,
    hops: u32,
    timeouts: u32,
}

fn owner(ring: &Ring, key: RingId) -> RingId {
    let views = ring.views();
    let at = views.partition_point(|view| view.me.id < key) % views.len();
    views[at].me.id
}

fn answers(ring: &Ring, host: u32) -> impl Iterator<Item = (u32, Option<Measured>)> {
    let events = &ring.sim.app(HostId(host)).events;
    events.iter().filter_map(|event| match event {
        Event::Measured { number, measured } => Some((*number, *measured)),
        _ => None,
    })
}

/// Asks, ten a second, and judges each answer by the membership when it was asked or is answered.
fn look(ring: &mut Ring, count: u32, mode: LookupMode, seed: u64) -> Outcome {
    let (mut rng, mut outcome) = (SplitMix64::new(seed), Outcome::default());
    let mut asked = Vec::new();
    for number in 0..count {
        let mut key = RingId::MIN;
        rng.fill(&mut key.0);
        let host = loop {
            let host = rng.below(ring.sim.host_count());
            if ring.sim.is_up(HostId(host)) {
                break host;
            }
        };
        asked.push((host, number, owner(ring, key)));
        ring.sim.command(HostId(host), Command::Measure { number, key, mode });
        ring.run(Duration::from_millis(100));
    }
    ring.run(s(9));
    for (host, number, owner) in asked {
        let answer = answers(ring, host).find(|(of, _)| *of == number).and_then(|(_, measured)| measured);
        match answer {
            Some(measured) if measured.owner.id == owner => {
                outcome.right += 1;
                outcome.hops += u32::from(measured.hops);
                outcome.timeouts += u32::from(measured.timeouts);
            }
            Some(_) => outcome.wrong += 1,
            None => outcome.unanswered += 1,
        }
    }
    (0..ring.sim.host_count()).for_each(|host| ring.sim.app_mut(HostId(host)).events.clear());
    outcome
}

#[test]
fn every_lookup_is_right_in_rings_of_one_to_forty_nodes() {
    for count in [1, 2, 3, 5, 8, 13, 21, 40] {
        let mut ring = Ring::new(u64::from(count), count, plain(), lan());
        ring.run(s(200));
        for mode in [LookupMode::Recursive, LookupMode::Iterative] {
            let outcome = look(&mut ring, 60, mode, 1);
            assert_eq!(outcome.right, 60, "{count} nodes, {mode:?}: {outcome:?}");
        }
    }
}

#[test]
fn at_rest_every_finger_is_that_of_the_lecture() {
    let mut ring = Ring::new(4, 120, plain(), lan());
    ring.run(s(900));
    ring.assert_ideal();
    ring.assert_owned();
    let views = ring.views();
    for host in 0..120 {
        let status = ring.machine(host).status();
        let node = &status.vnodes[0];
        assert_eq!(node.mode, Mode::Ring);
        let mut covered = 0;
        for row in &node.finger_table {
            for i in row.first..=row.last {
                let start = node.me.id.add_pow(u32::from(i) - 1);
                let at = views.partition_point(|view| view.me.id < start) % views.len();
                assert_eq!(row.node, views[at].me, "finger {i} of host {host}");
                covered += 1;
            }
        }
        // Rows left out are the node itself: more than half the ring without anybody else is not among 120.
        assert_eq!(covered, 160);
    }
    let outcome = look(&mut ring, 200, LookupMode::Recursive, 2);
    assert_eq!((outcome.right, outcome.timeouts), (200, 0), "{outcome:?}");
}

#[test]
fn lookups_go_round_those_that_crash_and_are_right_again_once_their_ranges_are_taken_over() {
    let mut ring = Ring::new(5, 64, plain(), lan());
    ring.run(s(300));
    ring.sim.incident(Incident::Stop(20..36, Departure::Silent));
    let during = look(&mut ring, 100, LookupMode::Recursive, 3);
    assert_eq!(during.wrong, 0, "{during:?}");
    assert!(during.unanswered <= 10, "{during:?}");
    ring.run(s(60));
    let after = look(&mut ring, 200, LookupMode::Recursive, 4);
    assert_eq!(after.right, 200, "{after:?}");
    assert!(after.timeouts <= 10, "{after:?}");
}

#[test]
fn the_table_of_all_follows_who_comes_and_goes() {
    let timers = Timers { stabilise: (s(3), s(6)), table_digest: s(10), ..Timers::default() };
    let config = Config { one_hop: OneHop { on: 160, off: 220 }, timers, successors: Some(12), ..plain() };
    let mut ring = Ring::new(6, 90, config, lan());
    ring.run(s(300));
    let all = |ring: &Ring, length: usize| {
        let up = (0..ring.sim.host_count()).filter(|host| ring.sim.is_up(HostId(*host)));
        let wrong: Vec<usize> =
            up.map(|host| ring.machine(host).table_len()).filter(|len| *len != length).collect();
        assert!(wrong.is_empty(), "tables of {wrong:?}, not {length}");
    };
    all(&ring, 90);
    let outcome = look(&mut ring, 100, LookupMode::Recursive, 5);
    assert_eq!(outcome.right, 100);
    assert!(outcome.hops <= 100, "{outcome:?}");
    ring.sim.incident(Incident::Stop(40..50, Departure::Silent));
    ring.run(s(120));
    all(&ring, 80);
    ring.sim.incident(Incident::Start(40..50));
    ring.run(s(90));
    all(&ring, 90);
}

#[test]
fn the_table_of_all_comes_when_the_ring_is_small_enough_and_goes_when_it_has_grown() {
    let timers = Timers { stabilise: (s(3), s(6)), finger_refresh: s(10), ..Timers::default() };
    let config = Config { one_hop: OneHop { on: 55, off: 65 }, timers, successors: Some(12), ..plain() };
    let mut ring = Ring::new(7, 110, config, lan());
    // The size is estimated: a node among close neighbours may be wrong by half.
    let on = |ring: &Ring| {
        let up: Vec<u32> = (0..110).filter(|host| ring.sim.is_up(HostId(*host))).collect();
        let on = up.iter().filter(|host| ring.machine(**host).table_len() > 0).count();
        on * 100 / up.len()
    };
    ring.run(s(300));
    assert!(on(&ring) <= 10, "{}", on(&ring));
    (0..7).for_each(|step| {
        ring.sim.incident(Incident::Stop(40 + step * 10..50 + step * 10, Departure::Silent));
        ring.run(s(30));
    });
    ring.run(s(200));
    assert!(on(&ring) >= 90, "{}", on(&ring));
    ring.sim.incident(Incident::Start(40..110));
    ring.run(s(300));
    assert!(on(&ring) <= 10, "{}", on(&ring));
    let outcome = look(&mut ring, 100, LookupMode::Recursive, 6);
    assert_eq!(outcome.right, 100, "{outcome:?}");
}
