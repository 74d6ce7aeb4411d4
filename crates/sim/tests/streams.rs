//! Streams: handshake, order, bandwidth, accounting, file data without bytes, and every way to end.
#![allow(missing_docs, clippy::unwrap_used, clippy::single_range_in_vec_init)]

mod common;

use common::*;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, SplitMix64, StreamEnd, StreamId};
use throng_sim::{Departure, Incident, Nat, Network, Profile};

const SECOND: Duration = Duration::from_secs(1);

fn links(up: u64, down: u64) -> Profile {
    Profile { up: Some(up), down: Some(down), ..Profile::default() }
}

#[test]
fn a_handshake_takes_a_round_trip_and_bytes_half_of_one() {
    let mut sim = hosts(2, Network::default(), Profile::default());
    connect(&mut sim, A, B);
    let ephemeral = sim.endpoint(A).with_port(49_152);
    assert_eq!(sim.app(B).seen, [(20 * MS, Seen::Accepted(S0, ephemeral))]);
    assert_eq!(sim.app(A).seen, [(40 * MS, Seen::Opened(S0))]);
    sim.command(B, Do::Write(S0, b"hello".to_vec()));
    sim.run_for(SECOND);
    assert_eq!(sim.app(A).seen[1], (120 * MS, Seen::Bytes(S0, b"hello".to_vec())));
    assert_eq!(sim.app(B).seen[1], (100 * MS, Seen::Flushed(S0, 5)));
}

#[test]
fn an_attempt_is_refused_in_a_round_trip_if_nobody_listens_and_late_if_nobody_answers() {
    let silent = Profile { listens: false, ..Profile::default() };
    let natted = Profile { nat: Nat::FullCone, ..Profile::default() };
    let mut sim = mixed(&[Profile::default(), silent, natted, Profile::default()], Network::default());
    sim.incident(Incident::Stop(3..4, Departure::Exit));
    for host in 1..4 {
        sim.command(A, Do::Open(sim.endpoint(throng_sim::HostId(host))));
    }
    sim.command(A, Do::Open(Endpoint::v4([192, 0, 2, 1], 6881)));
    sim.command(A, Do::Open(sim.endpoint(A).with_port(1)));
    sim.run_for(60 * SECOND);
    let refused = |id| Seen::Closed(StreamId(id), StreamEnd::Refused);
    let times: Vec<_> = sim.app(A).seen.clone();
    assert_eq!(times[..2], [(40 * MS, refused(0)), (40 * MS, refused(4))]);
    assert!([1, 2, 3].iter().all(|id| times.contains(&(10_000 * MS, refused(*id)))), "{times:?}");
    assert_eq!((sim.stream_count(A), sim.in_use()), (0, [0, 0, 0]));
    assert_eq!(sim.probe().totals.refusals, 5);
}

#[test]
fn a_stream_passes_both_links_at_the_rate_of_the_narrower() {
    for (up, down) in [(1_000_000, 4_000_000), (4_000_000, 1_000_000), (1_000_000, 1_000_000)] {
        let mut sim = hosts(2, Network::default(), links(up, down));
        connect(&mut sim, A, B);
        sim.command(A, Do::Block(S0, Vec::new(), extent(0, 10_000_000)));
        sim.run_for(60 * SECOND);
        assert_eq!(received(&sim, B, S0), 10_000_000);
        let took = sim.app(B).seen.last().unwrap().0 - 100 * MS;
        assert!((10_000 * MS..10_050 * MS).contains(&took), "{up} {down}: {took}");
    }
}

#[test]
fn streams_share_an_uplink_fairly() {
    let mut sim = hosts(5, Network::default(), links(1_000_000, 10_000_000));
    for host in 1..5 {
        connect(&mut sim, A, throng_sim::HostId(host));
    }
    for stream in 0..4 {
        sim.command(A, Do::Block(StreamId(stream), vec![0; 13], extent(0, 1 << 30)));
    }
    sim.run_for(8 * SECOND);
    for host in 1..5 {
        let got = received(&sim, throng_sim::HostId(host), S0);
        assert!((1_930_000..2_000_001).contains(&got), "{got}");
    }
}

#[test]
fn flushed_counts_every_byte_as_it_leaves() {
    let mut sim = hosts(2, Network::default(), links(100_000, 1_000_000));
    connect(&mut sim, A, B);
    sim.command(A, Do::Write(S0, vec![7; 50_000]));
    sim.command(A, Do::Block(S0, vec![1; 13], extent(0, 16_384)));
    sim.run_for(SECOND / 4);
    let early = flushed(&sim, A, S0);
    assert!((10_000..=25_000).contains(&early), "{early} of about 25,000");
    sim.run_for(SECOND);
    assert_eq!(flushed(&sim, A, S0), 50_000 + 13 + 16_384);
    assert_eq!(received(&sim, B, S0), 50_000 + 13 + 16_384);
}

#[test]
fn a_stream_with_a_full_window_under_way_waits() {
    let network = Network { window: 100_000, ..Network::default() };
    let mut sim = mixed(&[links(10_000_000, 1), links(1, 100_000)], network);
    connect(&mut sim, A, B);
    sim.command(A, Do::Block(S0, Vec::new(), extent(0, 1_000_000)));
    sim.run_for(SECOND);
    let ahead = flushed(&sim, A, S0) - received(&sim, B, S0);
    assert!((80_000..120_000).contains(&ahead), "{ahead}");
    sim.run_for(10 * SECOND);
    assert_eq!(received(&sim, B, S0), 1_000_000);
}

/// Writes of every kind and what they must become.
fn random_writes(rng: &mut SplitMix64) -> (Vec<Do>, Vec<u8>) {
    let (mut writes, mut expected, mut offset) = (Vec::new(), Vec::new(), 0);
    for _ in 0..300 {
        let mut head = vec![0; rng.below(40) as usize];
        rng.fill(&mut head);
        head.iter_mut().for_each(|byte| *byte |= 1);
        expected.extend_from_slice(&head);
        if rng.below(2) == 0 {
            let len = rng.below(40_000);
            expected.resize(expected.len() + len as usize, 0);
            writes.push(Do::Block(S0, head, extent(offset, len)));
            offset += u64::from(len);
        } else {
            writes.push(Do::Write(S0, head));
        }
    }
    (writes, expected)
}

#[test]
fn bytes_and_blanks_stay_in_order_whatever_the_network_does() {
    let jitter = Duration::from_millis(90);
    for (fragment, jitter) in [(false, Duration::ZERO), (true, jitter)] {
        let network = Network { fragment, jitter, ..Network::default() };
        let mut sim = hosts(2, network, links(1_000_000, 900_000));
        sim.app_mut(B).machine.place_at = Some(0);
        connect(&mut sim, A, B);
        let (writes, expected) = random_writes(&mut SplitMix64::new(5));
        let end = sim.now() + 60 * SECOND;
        for write in writes {
            sim.command(A, write);
            sim.run_for(Duration::from_millis(3));
        }
        sim.run_while(end, |_| true);
        let mut got = Vec::new();
        for seen in seen(&sim, B) {
            match seen {
                Seen::Bytes(_, bytes) => got.extend_from_slice(&bytes),
                Seen::Blank(_, len) => got.resize(got.len() + len as usize, 0),
                Seen::Placed(_, corrupt) => assert!(!corrupt),
                _ => {}
            }
        }
        assert!(got == expected, "{} of {}", got.len(), expected.len());
        assert_eq!(sim.in_use()[1], 0);
    }
}

#[test]
fn corrupt_blocks_are_marked_where_they_are_placed_and_only_they() {
    for fragment in [false, true] {
        let network = Network { fragment, ..Network::default() };
        let mut sim = hosts(2, network, links(1_000_000, 1_000_000));
        connect(&mut sim, A, B);
        sim.app_mut(A).corrupt = vec![2 << 14, 3 << 14, 7 << 14];
        sim.app_mut(B).machine.place_at = Some(0);
        for block in 0..10 {
            sim.command(A, Do::Block(S0, vec![9; 13], extent(block << 14, 1 << 14)));
        }
        sim.run_for(10 * SECOND);
        let mut corrupt = [0; 10];
        for seen in seen(&sim, B) {
            if let Seen::Placed(extent, true) = seen {
                corrupt[(extent.offset >> 14) as usize] += extent.len;
            }
        }
        assert_eq!(corrupt, [0, 0, 1 << 14, 1 << 14, 0, 0, 0, 1 << 14, 0, 0]);
    }
}

#[test]
fn data_placed_at_another_offset_than_it_was_sent_from_counts_as_corrupt() {
    let mut sim = hosts(2, Network::default(), Profile::default());
    connect(&mut sim, A, B);
    sim.app_mut(B).machine.place_at = Some(16_384);
    sim.command(A, Do::Block(S0, Vec::new(), extent(0, 100)));
    sim.run_for(SECOND);
    assert!(seen(&sim, B).iter().any(|seen| matches!(seen, Seen::Placed(_, true))));
}

#[test]
fn a_block_that_cannot_be_read_breaks_its_stream_at_both_ends() {
    let mut sim = hosts(2, Network::default(), Profile::default());
    connect(&mut sim, A, B);
    sim.app_mut(A).unreadable = vec![77];
    sim.command(A, Do::Block(S0, Vec::new(), extent(77, 100)));
    sim.run_for(SECOND);
    for host in [A, B] {
        assert_eq!(seen(&sim, host).last(), Some(&Seen::Closed(S0, StreamEnd::Broken)));
    }
    assert_eq!(sim.in_use(), [0, 0, 0]);
}

#[test]
fn a_close_lets_everything_written_arrive_first_and_hears_nothing_more() {
    let mut sim = hosts(2, Network::default(), links(1_000_000, 1_000_000));
    connect(&mut sim, A, B);
    sim.command(B, Do::Block(S0, Vec::new(), extent(0, 1 << 24)));
    sim.command(A, Do::Block(S0, b"last words".to_vec(), extent(0, 500_000)));
    sim.command(A, Do::Close(S0));
    let at_close = sim.app(A).seen.len();
    sim.run_for(60 * SECOND);
    assert_eq!(received(&sim, B, S0), 500_010);
    assert_eq!(seen(&sim, B).last(), Some(&Seen::Closed(S0, StreamEnd::Finished)));
    assert_eq!(sim.app(A).seen.len(), at_close);
    assert_eq!(sim.in_use(), [0, 0, 0]);
    sim.command(A, Do::Write(S0, b"too late".to_vec()));
    sim.command(A, Do::Close(S0));
    sim.run_for(SECOND);
}

#[test]
fn both_sides_may_close_at_once_or_before_the_handshake_is_done() {
    let mut sim = hosts(2, Network::default(), Profile::default());
    connect(&mut sim, A, B);
    sim.command(A, Do::Close(S0));
    sim.command(B, Do::Close(S0));
    // Given up before the attempt arrives: the other side never hears of it.
    sim.command(A, Do::Open(sim.endpoint(B)));
    sim.command(A, Do::Close(S1));
    // Given up while the answer is on its way: accepted, then finished.
    sim.command(A, Do::Open(sim.endpoint(B)));
    sim.run_for(Duration::from_millis(30));
    sim.command(A, Do::Close(StreamId(2)));
    sim.run_for(SECOND);
    assert_eq!(
        seen(&sim, B)[1..],
        [Seen::Accepted(S1, sim.endpoint(A).with_port(49_154)), Seen::Closed(S1, StreamEnd::Finished)]
    );
    assert_eq!(sim.in_use(), [0, 0, 0]);
}

#[test]
fn streams_are_cut_at_offsets_that_have_nothing_to_do_with_writes() {
    let network = Network { cut_every: Some(50_000), ..Network::default() };
    let mut offsets = Vec::new();
    for _ in 0..2 {
        let mut sim = hosts(101, network.clone(), links(10_000_000, 10_000_000));
        for host in 1..101 {
            connect(&mut sim, A, throng_sim::HostId(host));
            sim.command(A, Do::Block(StreamId(host - 1), Vec::new(), extent(0, 200_000)));
        }
        sim.run_for(60 * SECOND);
        offsets.push((1..101).map(|host| received(&sim, throng_sim::HostId(host), S0)).collect::<Vec<_>>());
        assert_eq!((sim.probe().totals.breaks, sim.in_use()), (200, [0, 0, 0]));
    }
    assert_eq!(offsets[0], offsets[1]);
    let mean = offsets[0].iter().sum::<u64>() / 100;
    assert!((40_000..60_000).contains(&mean), "{mean}");
    assert!(offsets[0].iter().filter(|offset| *offset % 16_384 != 0).count() > 95);
}

#[test]
fn an_incident_cuts_all_streams_of_a_host() {
    let mut sim = hosts(3, Network::default(), Profile::default());
    connect(&mut sim, A, B);
    connect(&mut sim, A, C);
    sim.incident_after(SECOND, Incident::Cut(1..2));
    sim.run_for(2 * SECOND);
    assert_eq!(seen(&sim, A).last(), Some(&Seen::Closed(S0, StreamEnd::Broken)));
    assert_eq!((sim.stream_count(A), sim.stream_count(B), sim.stream_count(C)), (1, 0, 1));
}
