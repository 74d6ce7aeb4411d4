//! The lecture's example, in numbers: sixteen positions, nodes 3, 8, 10 and 14; then 6 joins and 10 leaves.
//!
//! Position p is the p-th sixteenth of the ring. A host of position p is one whose id begins with that hexadecimal
//! digit, key p is the first id of that sixteenth: a key belongs to the first node at or after it.

use super::run::{Run, brisk};
use super::support::{id_of, place};
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::chord::RingId;

const NODES: [u8; 4] = [3, 8, 10, 14];

fn key(position: u8) -> RingId {
    let mut id = [0; 20];
    id[0] = position << 4;
    RingId(id)
}

fn position(at: &Endpoint) -> u8 {
    id_of(*at).nibble(0)
}

/// For each position the positions of the nodes that say they own it.
fn owners(run: &Run) -> Vec<Vec<u8>> {
    (0..16).map(|p| run.owner_of(key(p)).iter().map(position).collect()).collect()
}

/// Positions owned by each of these nodes.
fn placed(shares: &[(u8, &[u8])]) -> Vec<Vec<u8>> {
    let owner = |p: u8| shares.iter().find(|(_, keys)| keys.contains(&p)).map(|(node, _)| *node);
    (0..16).map(|p| Vec::from_iter(owner(p))).collect()
}

fn six_joins_and_ten_leaves(mut run: Run) {
    let three: &[u8] = &[15, 0, 1, 2, 3];
    let before = placed(&[(3, three), (8, &[4, 5, 6, 7, 8]), (10, &[9, 10]), (14, &[11, 12, 13, 14])]);
    assert_eq!(owners(&run), before);

    run.join(place(6), Some(place(14)));
    run.settle(Duration::from_secs(120)).expect("6 finds its place");
    let with_six =
        placed(&[(3, three), (6, &[4, 5, 6]), (8, &[7, 8]), (10, &[9, 10]), (14, &[11, 12, 13, 14])]);
    assert_eq!(owners(&run), with_six, "4, 5 and 6 move from 8 to 6, nothing else moves");

    run.leave(place(10));
    run.run_for(Duration::from_secs(15)).expect("10 says goodbye");
    run.bury(place(10));
    run.settle(Duration::from_secs(120)).expect("the others close up");
    let without_ten = placed(&[(3, three), (6, &[4, 5, 6]), (8, &[7, 8]), (14, &[9, 10, 11, 12, 13, 14])]);
    assert_eq!(owners(&run), without_ten, "9 and 10 move from 10 to 14, nothing else moves");
}

#[test]
fn keys_of_the_lecture_live_and_move_as_it_draws_them_in_a_small_ring() {
    let mut run = Run::new(brisk(16), 3);
    run.grow(&NODES.map(place)).expect("four nodes find each other");
    six_joins_and_ten_leaves(run);
}

#[test]
fn keys_of_the_lecture_live_and_move_as_it_draws_them_in_a_large_ring() {
    // With lists of two, four members are enough for a ring that none knows whole.
    let mut run = Run::new(brisk(2), 3);
    run.place(&NODES.map(place));
    run.settle(Duration::from_secs(10)).expect("it was placed so");
    six_joins_and_ten_leaves(run);
}
