//! Peers that take requests and do not answer: others send what they owe.

use crate::gate::Key;
use crate::peer::Scripted;
use crate::stage::{BLOCK, fetch_beside, truth};
use throng_wire::peer::{Message, piece_header};

/// Seconds after which a silent peer is given up (`Config::snub_timeout`).
const SNUB: f64 = 20.0;

/// Claims the first two pieces, takes requests, and never answers.
fn stall(mut peer: Scripted, key: Key) {
    peer.say(&[Message::Bitfield(&[0xc0, 0]), Message::Unchoke]);
    peer.request().unwrap();
    drop(key);
    peer.wait_for_close();
}

/// Sends half a block and no more.
fn stall_within_a_block(mut peer: Scripted, key: Key) {
    peer.say(&[Message::HaveAll, Message::Unchoke]);
    let block = peer.request().unwrap();
    let head = piece_header(block.piece, block.begin, block.length);
    peer.write(&[&head[..], &truth(block)[..BLOCK / 2]].concat());
    drop(key);
    peer.wait_for_close();
}

#[test]
fn what_a_silent_peer_owes_is_asked_of_others_long_before_it_is_given_up() {
    let ending = fetch_beside("v1", stall);
    ending.assert_nobody_named();
    assert!(ending.seconds() < SNUB, "{} s", ending.seconds());
}

#[test]
fn a_block_that_stops_in_its_middle_is_fetched_from_another() {
    let ending = fetch_beside("v1", stall_within_a_block);
    ending.assert_nobody_named();
    // It is given up at the first look after the time-out.
    assert!(ending.seconds() < 2.0 * SNUB, "{} s", ending.seconds());
}
