//! Wrong data: the copy is right all the same, and the liar is named, not its neighbour.

use crate::gate::Key;
use crate::peer::Scripted;
use crate::stage::{BLOCK, Ending, PIECE_LENGTH, fetch_beside, truth};
use throng_wire::peer::{Block, Message};

const WRONG_DATA: &str = "sent wrong data and was shut out";

/// Damages as little as can be.
fn flip(data: &mut [u8]) {
    data[100] ^= 1;
}

/// Answers every request with other bytes until it is shut out.
fn lie_about_everything(mut peer: Scripted, _key: Key) {
    peer.say(&[Message::HaveAll, Message::Unchoke]);
    while let Some(block) = peer.request() {
        let length = block.length as usize;
        peer.send(block, vec![0xbd; length], |_| ());
    }
}

/// Sends half a piece, one block of it wrong, and leaves the rest to the honest seed.
fn poison_one_block(mut peer: Scripted, key: Key) {
    peer.say(&[Message::HaveAll, Message::Unchoke]);
    let mut piece = None;
    for _ in 0..4 {
        let block = peer.request().unwrap();
        assert_eq!(*piece.get_or_insert(block.piece), block.piece, "a piece begun is finished first");
        let is_second = block.begin as usize == BLOCK;
        peer.send(block, truth(block), |data| {
            if is_second {
                flip(data)
            }
        });
    }
    peer.say(&[Message::Choke]);
    drop(key);
    refuse(peer);
}

/// Refuses all requests, for blocks and for hashes.
fn refuse(mut peer: Scripted) {
    enum Wish {
        Block(Block),
        Hashes(throng_wire::peer::HashRequest),
    }
    let wish = |message: Message<'_>| match message {
        Message::Request(block) => Some(Wish::Block(block)),
        Message::HashRequest(request) => Some(Wish::Hashes(request)),
        _ => None,
    };
    while let Some(wish) = peer.hear(wish) {
        peer.say(&[match wish {
            Wish::Block(block) => Message::RejectRequest(block),
            Wish::Hashes(request) => Message::HashReject(request),
        }]);
    }
}

/// Sends a piece with one wrong block, and hangs up when asked for the hashes that would prove it.
fn poison_and_hang_up(mut peer: Scripted, _key: Key) {
    peer.say(&[Message::HaveAll, Message::Unchoke]);
    let mut first = None;
    let wish = |message: Message<'_>| match message {
        Message::Request(block) => Some(Some(block)),
        Message::HashRequest(_) => Some(None),
        _ => None,
    };
    while let Some(Some(block)) = peer.hear(wish) {
        let is_first = *first.get_or_insert(block) == block;
        peer.send(block, truth(block), |data| {
            if is_first {
                flip(data)
            }
        });
    }
}

#[test]
fn who_lies_about_whole_pieces_is_named() {
    fetch_beside("v1", lie_about_everything).assert_named(WRONG_DATA);
}

#[test]
fn a_liar_that_never_proves_what_it_sent_is_named_without() {
    fetch_beside("v2", lie_about_everything).assert_named(WRONG_DATA);
}

fn poisoned(format: &str) -> Ending {
    let ending = fetch_beside(format, poison_one_block);
    ending.assert_named(WRONG_DATA);
    ending
}

#[test]
fn of_two_senders_of_a_bad_piece_v1_names_the_one_whose_block_was_wrong() {
    let excess = poisoned("v1").excess();
    assert!(
        excess >= PIECE_LENGTH,
        "the piece was fetched again to compare copies, yet {excess} bytes more came"
    );
}

#[test]
fn v2_catches_the_poisoned_block_itself_and_fetches_only_that_again() {
    for format in ["v2", "hybrid"] {
        let excess = poisoned(format).excess();
        assert!((BLOCK..PIECE_LENGTH).contains(&excess), "{format}: {excess} bytes more than the file");
    }
}

#[test]
fn a_liar_that_hangs_up_when_asked_for_proof_is_named_and_holds_nothing_up() {
    let ending = fetch_beside("v2", poison_and_hang_up);
    ending.assert_named(WRONG_DATA);
    assert!(ending.seconds() < 12.0, "{} s", ending.seconds());
}
