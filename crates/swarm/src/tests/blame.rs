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
    // The endgame asks the liar for one block too; it is the first to answer.
    let (liar, doubled) = bench.unchoked_seed(2);
    let (lie, truth) = if doubled[0] == blocks[0] { (blocks[0], blocks[1]) } else { (blocks[1], blocks[0]) };
    bench.deliver(honest, truth);
    bench.deliver(liar, lie);
    let events = bench.probe.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::PieceComplete(C, 0))));
    let mut came = [10, 11];
    came[(lie.begin / BLOCK) as usize] = 66;
    bench.probe.command(Command::PieceRejected(C, 0, short(&came)));
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
