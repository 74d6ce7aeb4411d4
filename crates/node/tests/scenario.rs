//! Crowds of shipping swarm machines in the simulator: what goes wrong in the world, as data.
//!
//! Every scenario runs twice and must give the same trace; a failure prints the seed.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;
use throng_node::simulate::swarm::{Crowd, t_star};
use throng_node::simulate::swarm_host::{HostPlan, SwarmHost, TrackerBook};
use throng_sim::{Departure, Disk, HostId, Incident, Nat, Profile, Scenario, Sim, assert_reproducible};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A small crowd: 4 MiB over 512 KiB/s uplinks.
fn crowd(nodes: u32) -> Crowd {
    Crowd { nodes, size: 4 << 20, uplink: 512 << 10, until: seconds(600), ..Crowd::default() }
}

/// Runs a scenario twice; `change` alters hosts before they start.
fn run(crowd: &Crowd, scenario: &Scenario, change: impl Fn(HostId, &mut HostPlan) + Copy) -> Sim<SwarmHost> {
    let meta = crowd.metainfo();
    assert_reproducible(scenario, || {
        let (meta, tracker) = (meta.clone(), Rc::new(RefCell::new(TrackerBook::default())));
        move |host| {
            let mut plan = crowd.plan(host, &meta, &tracker);
            change(host, &mut plan);
            SwarmHost::new(plan)
        }
    })
}

/// When the last of these hosts had everything; none may be missing.
fn last(sim: &Sim<SwarmHost>, hosts: Range<u32>) -> f64 {
    let all = hosts.map(|host| {
        let host = sim.app(HostId(host));
        assert!(host.finished.is_some(), "a host has {} pieces only", host.stored());
        host.finished.map_or(0.0, |at| at.since(throng_machine::Instant::EPOCH).as_secs_f64())
    });
    all.fold(0.0, f64::max)
}

#[test]
fn a_flash_crowd_of_sixteen_finishes_within_a_quarter_of_the_least_possible_time() {
    let crowd = Crowd { nodes: 16, size: 16 << 20, until: seconds(60), ..Crowd::default() };
    let sim = run(&crowd, &crowd.scenario(), |_, _| ());
    let least = t_star(crowd.size, crowd.uplink, 16, crowd.metainfo().info.layout().piece_count());
    let last = last(&sim, 1..17);
    assert!(last <= 1.25 * least, "{last:.2} s, least {least:.2} s");
    assert_eq!(sim.probe().totals.spins, 0, "a deadline that does not move on would spin a real driver");
}

#[test]
fn liars_are_named_and_everyone_else_gets_the_right_file() {
    let crowd = crowd(12);
    // Three more have everything too, and send one block in four wrong.
    let sim = run(&crowd, &crowd.scenario(), |host, plan| {
        if (1..4).contains(&host.0) {
            (plan.seed, plan.lies) = (true, 0.25);
        }
    });
    last(&sim, 4..13);
    let liars: Vec<_> = (1..4).map(|host| sim.endpoint(HostId(host)).ip()).collect();
    let banned: Vec<_> = (4..13).flat_map(|host| sim.app(HostId(host)).banned.clone()).collect();
    assert!(!banned.is_empty());
    assert!(banned.iter().all(|peer| liars.contains(&peer.ip())), "an honest peer was shut out: {banned:?}");
}

#[test]
fn streams_that_break_at_any_byte_and_arrive_in_any_pieces_lose_nothing() {
    let crowd = crowd(8);
    let mut scenario = crowd.scenario();
    scenario.network.cut_every = Some(300_000);
    scenario.network.fragment = true;
    scenario.network.jitter = Duration::from_millis(30);
    let sim = run(&crowd, &scenario, |_, _| ());
    last(&sim, 1..9);
    assert_eq!(
        (1..9).map(|host| sim.app(HostId(host)).rejected).sum::<u32>(),
        0,
        "nothing was put in a wrong place"
    );
}

#[test]
fn a_disk_that_fails_now_and_then_delays_but_does_not_stop_the_download() {
    let crowd = crowd(6);
    let mut scenario = crowd.scenario();
    scenario.groups[1].profile.disk =
        Disk { latency: Duration::from_millis(20), rate: Some(2 << 20), failures: 0.03 };
    let sim = run(&crowd, &scenario, |_, _| ());
    last(&sim, 1..7);
}

#[test]
fn peers_behind_nats_get_everything_from_those_they_can_call() {
    let crowd = crowd(10);
    let mut scenario = crowd.scenario();
    let mut hidden = scenario.groups[1].clone();
    hidden.profile = Profile { nat: Nat::Symmetric, ..Profile::default() };
    (hidden.count, scenario.groups[1].count) = (6, 4);
    scenario.groups.push(hidden);
    let sim = run(&crowd, &scenario, |_, _| ());
    last(&sim, 1..11);
}

#[test]
fn half_of_the_peers_crash_and_come_back_and_fetch_only_what_they_lacked() {
    let crowd = crowd(10);
    let mut scenario = crowd.scenario();
    scenario.incidents.push((seconds(5), Incident::Stop(1..6, Departure::Silent)));
    scenario.incidents.push((seconds(20), Incident::Start(1..6)));
    let sim = run(&crowd, &scenario, |_, _| ());
    last(&sim, 1..11);
}

#[test]
fn the_crowd_survives_the_seed_once_it_has_a_copy_among_itself() {
    let crowd = crowd(10);
    let mut scenario = crowd.scenario();
    let one_copy = crowd.size as f64 / crowd.uplink as f64 * 1.3;
    scenario.incidents.push((Duration::from_secs_f64(one_copy), Incident::Stop(0..1, Departure::Silent)));
    let sim = run(&crowd, &scenario, |_, _| ());
    last(&sim, 1..11);
}

#[test]
fn a_partition_delays_those_who_are_cut_off_until_it_heals() {
    let crowd = crowd(8);
    let mut scenario = crowd.scenario();
    scenario.incidents.push((seconds(2), Incident::Partition(vec![0..5, 5..9])));
    scenario.incidents.push((seconds(60), Incident::Heal));
    let sim = run(&crowd, &scenario, |_, _| ());
    let (with_seed, without) = (last(&sim, 1..5), last(&sim, 5..9));
    assert!(with_seed < 60.0 && without > 60.0, "{with_seed:.1} s and {without:.1} s");
}
