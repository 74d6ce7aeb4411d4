//! Pieces that somebody waits for.

// Runs of one, empty and backwards, are the point here.
#![allow(clippy::single_range_in_vec_init, clippy::reversed_empty_ranges)]

use super::*;

fn prioritise(bench: &mut Bench, runs: &[std::ops::Range<u32>]) {
    bench.probe.command(Command::Prioritise(C, runs.to_vec()));
}

fn pieces(blocks: &[Block]) -> Vec<u32> {
    let mut pieces: Vec<u32> = blocks.iter().map(|block| block.piece).collect();
    pieces.dedup();
    pieces
}

#[test]
fn urgent_pieces_are_asked_for_first_and_in_their_order() {
    let mut bench = Bench::leech(400);
    prioritise(&mut bench, &[200..201, 7..8, 90..91]);
    // The first window has room for four blocks, two pieces.
    let (_, asked) = bench.unchoked_seed(1);
    assert_eq!(pieces(&asked), [200, 7]);
}

#[test]
fn where_a_reader_goes_the_requests_follow() {
    let mut bench = Bench::leech(400);
    prioritise(&mut bench, &[200..300]);
    let (peer, mut asked) = bench.unchoked_seed(1);
    assert!(asked.iter().all(|block| (200..300).contains(&block.piece)), "{asked:?}");
    prioritise(&mut bench, &[20..120]);
    let mut next = Vec::new();
    while next.is_empty() {
        let block = asked.remove(0);
        next = requests(&said(&bench.deliver(peer, block), peer));
    }
    assert_eq!(next[0].piece, 20);
}

#[test]
fn what_one_peer_is_slow_with_an_idle_one_is_asked_too_and_the_first_that_sends_it_counts() {
    let mut bench = Bench::leech(400);
    prioritise(&mut bench, &[33..34]);
    let (slow, asked) = bench.unchoked_seed(1);
    assert_eq!(asked[0].piece, 33);
    let (fast, again) = bench.unchoked_seed(2);
    assert_eq!(again[0], asked[0]);
    let outs = bench.deliver(fast, again[0]);
    assert!(said(&outs, slow).contains(&Message::Cancel(asked[0])));
}

#[test]
fn what_is_not_wanted_here_already_or_beyond_the_end_is_not_urgent() {
    let mut bench = Bench::with(Config::default(), 8, vec![0b0010_0000]);
    bench.probe.command(Command::SetWanted(C, vec![0b0111_0000]));
    prioritise(&mut bench, &[0..3, 7..u32::MAX, 9..9, 5..2]);
    let (_, asked) = bench.unchoked_seed(1);
    assert_eq!(pieces(&asked), [1, 3]);
}

#[test]
fn when_nothing_is_urgent_any_more_the_rarest_is_asked_for_again() {
    let mut bench = Bench::leech(400);
    prioritise(&mut bench, &[200..202]);
    prioritise(&mut bench, &[]);
    let (_, asked) = bench.unchoked_seed(1);
    assert!(!asked.is_empty());
    assert_ne!(pieces(&asked)[..2], [200, 201]);
}
