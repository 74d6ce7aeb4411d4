//! Against a plain list, the windows' fairness, and what is given back.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use throng_machine::{Instant, SplitMix64};

use super::*;
use crate::record::V4;

fn keys() -> Keys {
    Keys::new(&mut SplitMix64::new(7))
}

fn at(seconds: u64) -> Tick {
    Tick::of(Instant::EPOCH + Duration::from_secs(seconds))
}

fn record(number: u16, seed: bool, seconds: u64) -> Record<V4> {
    let [a, b] = number.to_be_bytes();
    Record::new(&[10, 0, a, b, 0, 1], seed, at(seconds))
}

fn swarm(leechers: u16, seeds: u16) -> Peers<V4> {
    let mut peers = Peers::new();
    for number in 0..leechers + seeds {
        peers.announce(record(number, number >= leechers, 0), usize::MAX, &keys());
    }
    peers
}

fn pick(peers: &Peers<V4>, want: usize, asker: (Option<usize>, bool), rng: &mut SplitMix64) -> Vec<u16> {
    let mut out = Vec::new();
    peers.pick(want, asker, rng, &mut out);
    assert_eq!(out.len() % 6, 0);
    out.chunks(6).map(|peer| u16::from_be_bytes([peer[2], peer[3]])).collect()
}

fn check(peers: &Peers<V4>, model: &BTreeMap<u16, bool>) {
    assert_eq!(peers.len(), model.len());
    assert_eq!(peers.leechers(), model.values().filter(|seed| !**seed).count());
    assert!(peers.records()[..peers.leechers()].iter().all(|record| !record.is_seed()));
    for (number, seed) in model {
        let at = peers.position(&record(*number, false, 0), &keys()).expect("known");
        assert_eq!(peers.records()[at].is_seed(), *seed);
    }
    if let Peers::Heap(Heap { index: Some(index), .. }) = peers {
        assert_eq!(index.len(), model.len());
    }
}

proptest! {
    #[test]
    fn a_swarm_behaves_as_a_plain_list(ops in proptest::collection::vec((0u8..4, 0u16..150, any::<bool>()), 0..600)) {
        let (mut peers, mut model, keys) = (Peers::<V4>::new(), BTreeMap::new(), keys());
        for (op, number, seed) in ops {
            let peer = record(number, seed, 0);
            if op == 0 {
                let place = peers.position(&peer, &keys);
                prop_assert_eq!(place.is_some(), model.remove(&number).is_some());
                place.into_iter().for_each(|at| peers.remove(at, &keys));
            } else {
                let (change, place) = peers.announce(peer, 140, &keys);
                let expected = match model.get(&number) {
                    Some(was_seed) => Change::Updated { was_seed: *was_seed },
                    None => Change::Added(model.len() < 140),
                };
                prop_assert_eq!(change, expected);
                if change != Change::Added(false) {
                    model.insert(number, seed);
                    prop_assert!(peers.records()[place.unwrap()].is_same_peer(&peer));
                }
            }
            check(&peers, &model);
        }
        peers.expire(at(0), 10, &keys);
        check(&peers, &model);
    }
}

#[test]
fn nobody_is_told_of_himself_or_twice_and_seeds_hear_of_leechers_only() {
    let (peers, mut rng) = (swarm(40, 60), SplitMix64::new(1));
    for number in 0..100 {
        let is_seed = number >= 40;
        let at = peers.position(&record(number, is_seed, 0), &keys());
        for want in [0, 1, 7, 39, 40, 99, 1_000] {
            let mut got = pick(&peers, want, (at, is_seed), &mut rng);
            assert_eq!(got.len(), want.min(if is_seed { 40 } else { 99 }));
            assert!(!got.contains(&number) && (!is_seed || got.iter().all(|peer| *peer < 40)));
            got.sort_unstable();
            got.dedup();
            assert_eq!(got.len(), want.min(if is_seed { 40 } else { 99 }));
        }
    }
}

#[test]
fn every_peer_is_given_about_equally_often() {
    let (peers, mut rng) = (swarm(50, 50), SplitMix64::new(1));
    let mut given = [0u32; 100];
    for _ in 0..10_000 {
        pick(&peers, 10, (Some(3), false), &mut rng)
            .into_iter()
            .for_each(|peer| given[usize::from(peer)] += 1);
    }
    let expected = 10_000 * 10 / 99;
    let fair = |count: u32| count.abs_diff(expected) < expected / 5;
    assert!(given.iter().enumerate().all(|(peer, count)| peer == 3 || fair(*count)), "{given:?}");
}

#[test]
fn those_who_are_gone_are_forgotten_and_their_memory_given_back() {
    let mut peers = swarm(100, 100);
    for number in [5, 150] {
        peers.announce(record(number, number >= 100, 400), usize::MAX, &keys());
    }
    peers.expire(at(400), Tick::units(Duration::from_secs(200)), &keys());
    check(&peers, &BTreeMap::from([(5, false), (150, true)]));
    assert!(matches!(peers, Peers::Inline { .. }));
    let mut peers = swarm(1_000, 0);
    for number in 0..40 {
        peers.announce(record(number, false, 400), usize::MAX, &keys());
    }
    peers.expire(at(400), Tick::units(Duration::from_secs(200)), &keys());
    let Peers::Heap(heap) = &peers else { panic!("inline") };
    assert!(
        heap.records.capacity() <= 84 && heap.index.as_ref().is_some_and(|index| index.capacity() <= 160)
    );
}

#[test]
fn two_peers_need_no_allocation_and_a_third_does() {
    assert!(matches!(swarm(1, 1), Peers::Inline { .. }));
    assert!(matches!(swarm(1, 2), Peers::Heap(_)));
}
