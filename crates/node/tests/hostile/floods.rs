//! Messages that are too long, mean nothing, or never end.

use crate::gate::Key;
use crate::peer::Scripted;
use crate::program::noise;
use crate::stage::fetch_beside;
use throng_wire::peer::{self, Message, id};

const PROTOCOL: &str = "broke the protocol and was shut out";
const FLOOD: &str = "sent more than it was asked for and was shut out";

/// Says the same over and over until the other side closes.
fn repeat(bytes: &[u8]) -> impl FnOnce(Scripted, Key) + Send + 'static {
    let bytes = bytes.repeat(100_000_usize.div_ceil(bytes.len()));
    move |mut peer, _key| while peer.write(&bytes) {}
}

fn message(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer::encode(message, &mut bytes);
    bytes
}

#[test]
fn a_message_of_two_gibibytes_is_refused_at_its_length() {
    for id in [id::PIECE, id::BITFIELD, id::EXTENDED, 200] {
        let head = [0x80, 0, 0, 0, id];
        let ending = fetch_beside("v1", move |mut peer, _key| {
            peer.write(&head);
            peer.wait_for_close();
        });
        ending.assert_named(PROTOCOL);
    }
}

#[test]
fn endless_garbage_is_cut_off() {
    fetch_beside("v1", repeat(&noise(100_000, 5))).assert_named(PROTOCOL);
}

#[test]
fn a_flood_of_haves_is_cut_off() {
    fetch_beside("v1", repeat(&message(&Message::Have(3)))).assert_named(FLOOD);
}

#[test]
fn a_flood_of_messages_that_mean_nothing_is_cut_off() {
    fetch_beside("v1", repeat(&[0, 0, 0, 3, 200, 1, 2])).assert_named(FLOOD);
    fetch_beside("v1", repeat(&message(&Message::KeepAlive))).assert_named(FLOOD);
}

#[test]
fn a_flood_of_blocks_nobody_asked_for_is_cut_off() {
    let block = Message::Piece { piece: 0, begin: 0, data: &[7; 16 << 10] };
    fetch_beside("v1", repeat(&message(&block))).assert_named(FLOOD);
}
