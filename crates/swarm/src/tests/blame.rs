//! Wrong data: the liar is found and shut out, nobody else.

use super::*;
use crate::BlockDigests;

fn short(digests: &[u64]) -> BlockDigests {
    BlockDigests::Short(digests.into())
}

#[test]
fn who_sent_all_of_a_wrong_piece_is_shut_out_at_once() {
    let mut bench = Bench::leech(1);
    let (liar, blocks) = bench.unchoked_seed(1);
    for block in blocks {
        bench.deliver(liar, block);
    }
    let outs = bench.probe.command(Command::PieceRejected(C, 0, short(&[1, 2])));
    assert!(outs.contains(&Out::Close(liar)));
    assert_eq!(bench.bans(), [Endpoint::v4([10, 0, 0, 1], 50_000)]);
    let (again, outs) = bench.probe.accept(Endpoint::v4([10, 0, 0, 1], 50_001));
    assert_eq!(outs, [Out::Close(again)]);
}

#[test]
fn of_two_senders_only_the_one_whose_block_differs_from_the_right_copy_is_shut_out() {
    let mut bench = Bench::leech(1);
    let (honest, blocks) = bench.unchoked_seed(1);
    let (liar, _) = bench.unchoked_seed(2);
    bench.deliver(honest, blocks[0]);
    // The liar answers the other block, which the endgame asked of it too.
    let outs = bench.deliver(liar, blocks[1]);
    drop(outs);
    let complete = bench.probe.take_events();
    let complete = complete.iter().any(|event| matches!(event, Event::PieceComplete(..)));
    if !complete {
        bench.deliver(honest, blocks[1]);
        return;
    }
    bench.probe.command(Command::PieceRejected(C, 0, short(&[10, 66])));
    assert_eq!(bench.bans(), [], "nobody is accused on suspicion");
    assert!(bench.probe.machine.compares(C, 0));
    bench.probe.command(Command::PieceVerified(C, 0, Some(short(&[10, 11]))));
    assert_eq!(bench.bans(), [Endpoint::v4([10, 0, 0, 2], 50_000)]);
}

#[test]
fn a_wrong_piece_is_fetched_again_from_others() {
    let mut bench = Bench::leech(1);
    let (liar, blocks) = bench.unchoked_seed(1);
    let (honest, _) = bench.unchoked_seed(2);
    for block in &blocks {
        bench.deliver(liar, *block);
    }
    let outs = bench.probe.command(Command::PieceRejected(C, 0, short(&[1, 2])));
    let mut again = requests(&said(&outs, honest));
    again.sort_unstable();
    assert!(!again.is_empty(), "{outs:?}");
    assert!(bench.probe.take_events().iter().any(|event| matches!(event, Event::DropPiece(C, 0))));
}

#[test]
fn a_liar_is_named_once_however_many_of_its_pieces_are_wrong() {
    let mut bench = Bench::leech(2);
    let (liar, mut blocks) = bench.unchoked_seed(1);
    blocks.sort_unstable();
    for block in blocks {
        bench.deliver(liar, block);
    }
    for piece in 0..2 {
        bench.probe.command(Command::PieceRejected(C, piece, short(&[1, 2])));
    }
    assert_eq!(bench.bans(), [Endpoint::v4([10, 0, 0, 1], 50_000)]);
}
