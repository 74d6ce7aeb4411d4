//! Datagrams, NATs, crashes, partitions, disks, timers.
#![allow(missing_docs, clippy::unwrap_used, clippy::single_range_in_vec_init)]

mod common;

use common::*;
use std::time::Duration;
use throng_machine::{Endpoint, Instant, StreamEnd};
use throng_sim::{Churn, Departure, Disk, HostId, Incident, Lasting, Latency, Nat, Network, Profile, Sim};

const SECOND: Duration = Duration::from_secs(1);

fn datagrams(sim: &Sim<Diary>, host: HostId) -> Vec<Vec<u8>> {
    let payload = |seen| if let Seen::Datagram(_, bytes) = seen { Some(bytes) } else { None };
    seen(sim, host).into_iter().filter_map(payload).collect()
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

fn send_numbers(sim: &mut Sim<Diary>, count: u32) -> Vec<u32> {
    for index in 0..count {
        sim.command(A, Do::Send(sim.endpoint(B), index.to_be_bytes().to_vec()));
        sim.run_for(Duration::from_micros(100));
    }
    sim.run_for(10 * SECOND);
    datagrams(sim, B).iter().map(|bytes| number(bytes)).collect()
}

#[test]
fn a_datagram_takes_the_latency_and_what_the_access_links_add() {
    let slow = Profile { access: Duration::from_millis(7), up: Some(1_000), ..Profile::default() };
    let mut sim = mixed(&[slow, Profile::default()], Network::default());
    sim.command(A, Do::Send(sim.endpoint(B), b"are you there?".to_vec()));
    sim.run_for(SECOND);
    let (a, b) = (sim.endpoint(A), sim.endpoint(B));
    assert_eq!(sim.app(B).seen, [(41 * MS, Seen::Datagram(a, b"are you there?".to_vec()))]);
    assert_eq!(sim.app(A).seen, [(68 * MS, Seen::Datagram(b, b"yes".to_vec()))]);
}

#[test]
fn a_clean_network_keeps_datagrams_in_order_and_whole() {
    let mut sim = hosts(2, Network::default(), Profile::default());
    assert_eq!(send_numbers(&mut sim, 1000), (0..1000).collect::<Vec<_>>());
}

#[test]
fn loss_duplication_and_reordering_have_their_shares() {
    let network = |loss, duplicate, reorder| Network { loss, duplicate, reorder, ..Network::default() };
    let lost = send_numbers(&mut hosts(2, network(0.1, 0.0, 0.0), Profile::default()), 10_000);
    assert!((8_850..9_150).contains(&lost.len()), "{}", lost.len());
    assert!(lost.is_sorted());
    let doubled = send_numbers(&mut hosts(2, network(0.0, 0.1, 0.0), Profile::default()), 10_000);
    assert!((10_850..11_150).contains(&doubled.len()), "{}", doubled.len());
    let reordered = send_numbers(&mut hosts(2, network(0.0, 0.0, 0.1), Profile::default()), 10_000);
    let late = reordered.windows(2).filter(|two| two[0] > two[1]).count();
    assert!(reordered.len() == 10_000 && (700..1_100).contains(&late), "{late}");
}

#[test]
fn a_datagram_above_the_mtu_or_to_nowhere_is_lost() {
    let mut sim = hosts(2, Network::default(), Profile::default());
    sim.command(A, Do::Send(sim.endpoint(B), vec![0; 1_473]));
    sim.command(A, Do::Send(sim.endpoint(B).with_port(1), vec![0; 10]));
    sim.command(A, Do::Send(Endpoint::v4([10, 0, 0, 9], 6881), vec![0; 10]));
    sim.command(A, Do::Send(sim.endpoint(B), vec![0; 1_472]));
    sim.run_for(SECOND);
    assert_eq!(datagrams(&sim, B).len(), 1);
    assert_eq!((sim.probe().totals.datagrams_dropped, sim.in_use()), (3, [0, 0, 0]));
}

#[test]
fn datagrams_pass_a_link_at_its_rate_and_are_dropped_when_its_queue_is_full() {
    let narrow = Profile { up: Some(100_000), ..Profile::default() };
    let mut sim = mixed(&[narrow.clone(), Profile::default()], Network::default());
    (0..1_000).for_each(|_| sim.command(A, Do::Send(sim.endpoint(B), vec![0; 1_000])));
    sim.run_for(10 * SECOND);
    assert_eq!(datagrams(&sim, B).len(), 101);
    assert_eq!(sim.app(B).seen.last().unwrap().0, 1_030 * MS);
    let narrow = Profile { down: Some(100_000), ..Profile::default() };
    let mut sim = mixed(&[Profile::default(), narrow], Network::default());
    (0..1_000).for_each(|_| sim.command(A, Do::Send(sim.endpoint(B), vec![0; 1_000])));
    sim.run_for(10 * SECOND);
    assert!((100..=102).contains(&datagrams(&sim, B).len()), "{}", datagrams(&sim, B).len());
}

#[test]
fn a_nat_lets_in_whom_its_type_says() {
    for (nat, answered, other_port_of_peer, stranger) in [
        (Nat::FullCone, true, true, true),
        (Nat::Restricted, true, true, false),
        (Nat::PortRestricted, true, false, false),
        (Nat::Symmetric, true, false, false),
    ] {
        let behind = Profile { nat, ..Profile::default() };
        let symmetric = Profile { nat: Nat::Symmetric, ..Profile::default() };
        // B is open; C is a stranger; D sends from a port nobody has heard of.
        let mut sim = mixed(&[behind, Profile::default(), Profile::default(), symmetric], Network::default());
        let send = |sim: &mut Sim<Diary>, from, to, text: &str| {
            sim.command(from, Do::Send(to, text.as_bytes().to_vec()));
            sim.run_for(SECOND);
        };
        let (public, d) = (sim.endpoint(A), HostId(3));
        send(&mut sim, B, public, "unasked");
        assert!(datagrams(&sim, A).is_empty(), "{nat:?}");
        let (to_b, to_d) = (sim.endpoint(B), sim.endpoint(d));
        send(&mut sim, A, to_b, "hello?");
        assert_eq!(datagrams(&sim, A).len() == 1, answered, "{nat:?}");
        send(&mut sim, A, to_d, "hello, D");
        send(&mut sim, d, public, "from another port");
        assert_eq!(
            datagrams(&sim, A).contains(&b"from another port".to_vec()),
            other_port_of_peer,
            "{nat:?}"
        );
        send(&mut sim, C, public, "stranger");
        assert_eq!(datagrams(&sim, A).contains(&b"stranger".to_vec()), stranger, "{nat:?}");
        sim.run_for(100 * SECOND);
        send(&mut sim, B, public, "after the mapping timed out");
        assert!(!datagrams(&sim, A).contains(&b"after the mapping timed out".to_vec()), "{nat:?}");
    }
}

#[test]
fn peers_learn_of_a_stop_as_its_kind_says() {
    for (departure, end, at) in [
        (Departure::Exit, StreamEnd::Finished, 120 * MS),
        (Departure::Reset, StreamEnd::Broken, 120 * MS),
        (Departure::Silent, StreamEnd::Broken, 30_120 * MS),
    ] {
        let mut sim = hosts(2, Network::default(), Profile { up: Some(1_000_000), ..Profile::default() });
        connect(&mut sim, A, B);
        sim.command(B, Do::Block(S0, Vec::new(), extent(0, 1 << 30)));
        sim.incident(Incident::Stop(1..2, departure));
        sim.run_for(100 * SECOND);
        assert_eq!(sim.app(A).seen.last(), Some(&(at, Seen::Closed(S0, end))));
        assert_eq!((sim.app(B).stops, sim.is_up(B), sim.in_use()), (1, false, [0, 0, 0]));
    }
}

#[test]
fn a_restarted_host_is_a_new_one_at_the_same_address() {
    let mut sim = hosts(2, Network::default(), Profile { up: Some(1_000), ..Profile::default() });
    connect(&mut sim, A, B);
    sim.with(B, |_, io| {
        io.disk(10, 1);
        io.tick_after(SECOND, 2);
        io.command_after(SECOND, Do::Timer(Instant::from_micros(5)));
    });
    sim.command(B, Do::Write(S0, vec![1; 10_000]));
    sim.command(B, Do::Timer(sim.now() + SECOND));
    sim.incident(Incident::Stop(1..2, Departure::Reset));
    sim.incident(Incident::Start(1..2));
    sim.run_for(100 * SECOND);
    assert_eq!(seen(&sim, B).len(), 1, "{:?}", seen(&sim, B));
    assert_eq!(sim.app(B).starts, 2);
    sim.command(A, Do::Open(sim.endpoint(B)));
    sim.run_for(SECOND);
    assert!(matches!(seen(&sim, B)[..], [_, Seen::Accepted(S1, _)]), "{:?}", seen(&sim, B));
}

#[test]
fn a_partition_stops_everything_and_what_was_under_way_goes_on_if_it_heals_in_time() {
    let mut sim = hosts(3, Network::default(), Profile { up: Some(100_000), ..Profile::default() });
    connect(&mut sim, A, B);
    let text: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    sim.command(A, Do::Write(S0, text.clone()));
    sim.run_for(SECOND / 3);
    sim.incident(Incident::Partition(vec![0..1]));
    let before = received(&sim, B, S0);
    sim.command(A, Do::Send(sim.endpoint(B), b"lost".to_vec()));
    sim.command(B, Do::Send(sim.endpoint(C), b"same side".to_vec()));
    sim.command(A, Do::Open(sim.endpoint(C)));
    sim.run_for(11 * SECOND);
    assert_eq!(received(&sim, B, S0), before);
    assert_eq!((datagrams(&sim, B).len(), datagrams(&sim, C).len()), (0, 1));
    assert!(seen(&sim, A).contains(&Seen::Closed(S1, StreamEnd::Refused)));
    sim.incident(Incident::Heal);
    sim.run_for(60 * SECOND);
    let bytes = |seen| if let Seen::Bytes(_, bytes) = seen { bytes } else { Vec::new() };
    assert!(seen(&sim, B).into_iter().flat_map(bytes).eq(text));
    assert_eq!(sim.stream_count(B), 1);
}

#[test]
fn a_long_partition_breaks_the_streams_across_it() {
    let mut sim = hosts(3, Network::default(), Profile::default());
    connect(&mut sim, A, B);
    connect(&mut sim, B, C);
    sim.command(A, Do::Write(S0, vec![1; 1000]));
    sim.incident(Incident::Partition(vec![0..1, 1..3]));
    sim.run_for(40 * SECOND);
    assert_eq!(sim.app(A).seen.last(), Some(&(30_200 * MS, Seen::Closed(S0, StreamEnd::Broken))));
    assert_eq!((sim.stream_count(A), sim.stream_count(B), sim.stream_count(C)), (0, 1, 1));
    assert_eq!(sim.in_use(), [1, 0, 0]);
}

#[test]
fn disk_operations_wait_for_each_other_and_fail_at_their_rate() {
    let disk = Disk { latency: Duration::from_millis(10), rate: Some(1_000_000), failures: 0.0 };
    let mut sim = hosts(1, Network::default(), Profile { disk, ..Profile::default() });
    sim.with(A, |_, io| (0..3).for_each(|tag| io.disk(90_000, tag)));
    sim.run_for(SECOND);
    let done = |at, tag| (at * MS, Seen::Disk(tag, true));
    assert_eq!(sim.app(A).seen, [done(100, 0), done(200, 1), done(300, 2)]);
    let failing = sim.add_profile(Profile { disk: Disk { failures: 0.25, ..disk }, ..Profile::default() });
    sim.incident(Incident::Change(0..1, failing));
    sim.with(A, |_, io| (0..10_000).for_each(|tag| io.disk(0, tag)));
    sim.run_for(200 * SECOND);
    let failed = seen(&sim, A).iter().filter(|seen| matches!(seen, Seen::Disk(_, false))).count();
    assert!((2_300..2_700).contains(&failed), "{failed}");
}

#[test]
fn a_deadline_may_move_and_fires_once() {
    let mut sim = hosts(1, Network::default(), Profile::default());
    for at in [500, 100, 900, 300, 700] {
        sim.command(A, Do::Timer(Instant::from_micros(at)));
    }
    sim.run_for(SECOND);
    assert_eq!(sim.app(A).seen, [(700, Seen::Timeout)]);
    sim.command(A, Do::Timer(Instant::from_micros(1)));
    sim.run_for(SECOND);
    assert_eq!(sim.app(A).seen[1..], [(1_000 * MS, Seen::Timeout)]);
    assert_eq!((sim.probe().totals.timers, sim.probe().totals.spins, sim.pending()), (2, 0, 0));
}

#[test]
fn hosts_come_and_go_as_their_churn_says() {
    let churn = Churn {
        session: Lasting::Exponential { mean: 60 * SECOND },
        absence: Some(Lasting::Fixed(60 * SECOND)),
        departure: Departure::Reset,
    };
    let mut sim = hosts(1_000, Network::default(), Profile { churn: Some(churn), ..Profile::default() });
    sim.run_for(3_600 * SECOND);
    let up = (0..1_000).filter(|host| sim.is_up(HostId(*host))).count();
    assert!((440..560).contains(&up), "{up} of 1,000");
    let starts: u32 = sim.apps().iter().map(|app| app.starts).sum();
    assert!((29_000..32_000).contains(&starts), "{starts}");
}

#[test]
fn one_more_draw_in_one_host_moves_no_other() {
    let run = |draws: u32| {
        let network = Network {
            latency: Latency::Uniform { min: SECOND / 100, max: SECOND / 10 },
            loss: 0.2,
            jitter: SECOND / 50,
            ..Network::default()
        };
        let mut sim = hosts(3, network, Profile::default());
        sim.with(A, |_, io| (0..draws).for_each(|_| assert_ne!(io.rng().next_u64(), 0)));
        (0..draws).for_each(|_| sim.command(A, Do::Send(sim.endpoint(C), b"extra".to_vec())));
        (0..200u8).for_each(|index| sim.command(B, Do::Send(sim.endpoint(C), vec![index])));
        sim.run_for(SECOND);
        let from_b = |(_, seen): &&(u64, Seen)| matches!(seen, Seen::Datagram(_, bytes) if bytes.len() == 1);
        sim.app(C).seen.iter().filter(from_b).cloned().collect::<Vec<_>>()
    };
    assert_eq!(run(0), run(17));
}
