//! Hex snapshots with a legend for every message, and their round trips.

use proptest::prelude::*;

use super::super::frame::{Limits, decode_frame};
use super::super::hashes::tests::request;
use super::*;

/// The bytes of a snapshot: in each line the first word is hex, the others are its legend.
pub(in super::super) fn hex(snapshot: &str) -> Vec<u8> {
    let digits: String = snapshot.lines().filter_map(|line| line.split_whitespace().next()).collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("a snapshot starts its lines with hex")
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &mut out);
    out
}

#[track_caller]
fn check(message: Message<'_>, snapshot: &str) {
    let expected = hex(snapshot);
    assert_eq!(encoded(&message), expected);
    assert_eq!(decode_frame(&expected, &Limits::default()), Ok(Some((message, expected.len()))));
}

const BLOCK: Block = Block { piece: 1, begin: 0x4000, length: 0x4000 };

#[test]
fn messages_without_payload_are_an_id() {
    check(Message::KeepAlive, "00000000 length");
    for (message, id) in [
        (Message::Choke, "00"),
        (Message::Unchoke, "01"),
        (Message::Interested, "02"),
        (Message::NotInterested, "03"),
        (Message::HaveAll, "0e"),
        (Message::HaveNone, "0f"),
        (Message::Unknown { id: 99 }, "63"),
    ] {
        check(message, &format!("00000001 length\n{id} id"));
    }
}

#[test]
fn messages_about_a_piece_carry_its_number() {
    for (message, id) in
        [(Message::Have(258), "04"), (Message::SuggestPiece(258), "0d"), (Message::AllowedFast(258), "11")]
    {
        check(message, &format!("00000005 length\n{id} id\n00000102 piece"));
    }
}

#[test]
fn messages_about_a_block_carry_its_range() {
    let legend = "00000001 piece\n00004000 begin\n00004000 length of the block";
    for (message, id) in [
        (Message::Request(BLOCK), "06"),
        (Message::Cancel(BLOCK), "08"),
        (Message::RejectRequest(BLOCK), "10"),
    ] {
        check(message, &format!("0000000d length\n{id} id\n{legend}"));
    }
}

#[test]
fn a_bitfield_is_its_bytes() {
    check(
        Message::Bitfield(&[0xa0, 0x80]),
        "00000003 length
         05       id
         a080     pieces 0, 2 and 8",
    );
}

#[test]
fn a_block_follows_its_place() {
    check(
        Message::Piece { piece: 1, begin: 0x4000, data: b"data" },
        "0000000d length
         07       id
         00000001 piece
         00004000 begin
         64617461 data",
    );
    assert_eq!(
        piece_header(1, 0x4000, 4).as_slice(),
        &encoded(&Message::Piece { piece: 1, begin: 0x4000, data: b"data" })[..13]
    );
}

#[test]
fn a_port_has_two_bytes() {
    check(
        Message::Port(6881),
        "00000003 length
         09       id
         1ae1     port",
    );
}

#[test]
fn an_extended_message_has_a_second_id() {
    check(
        Message::Extended { id: 3, payload: b"de" },
        "00000004 length
         14       id
         03       extended id
         6465     payload",
    );
}

#[test]
fn messages_about_hashes_have_the_layout_of_bep_52() {
    let root = "11".repeat(32);
    let fields = format!(
        "{root} pieces root
         00000004 base layer
         00000200 index
         00000002 length
         00000001 proof layers"
    );
    let range = request(4, 512, 2, 1);
    check(Message::HashRequest(range), &format!("00000031 length\n15 id\n{fields}"));
    check(Message::HashReject(range), &format!("00000031 length\n17 id\n{fields}"));
    let (a, b, uncle) = ("aa".repeat(32), "bb".repeat(32), "cc".repeat(32));
    check(
        Message::Hashes(Hashes { request: range, hashes: &[[0xaa; 32], [0xbb; 32], [0xcc; 32]] }),
        &format!("00000091 length\n16 id\n{fields}\n{a} hash 512\n{b} hash 513\n{uncle} uncle"),
    );
}

/// What a message is made of, owned so that proptest can hold it.
#[derive(Debug, Clone)]
struct Parts {
    kind: usize,
    numbers: [u32; 3],
    bytes: Vec<u8>,
    range: (u32, u32, u32, u32),
}

fn parts() -> impl Strategy<Value = Parts> {
    // A range that fits the largest tree: base + log2(length) + proofs stay below its height.
    let range = (0..16_u32, 0..8_u32, 0..1000_u32, 0..16_u32)
        .prop_map(|(base, log, at, proofs)| (base, at << log, 1 << log, proofs));
    let bytes = prop::collection::vec(any::<u8>(), 0..600);
    (0..20_usize, any::<[u32; 3]>(), bytes, range).prop_map(|(kind, numbers, bytes, range)| Parts {
        kind,
        numbers,
        bytes,
        range,
    })
}

impl Parts {
    fn message<'a>(&'a self, hashes: &'a [[u8; 32]]) -> Message<'a> {
        let [piece, begin, length] = self.numbers;
        let (block, data) = (Block { piece, begin, length }, self.bytes.as_slice());
        let (base, index, len, proofs) = self.range;
        let request = request(base, index, len, proofs);
        match self.kind {
            0 => Message::KeepAlive,
            1 => Message::Choke,
            2 => Message::Unchoke,
            3 => Message::Interested,
            4 => Message::NotInterested,
            5 => Message::Have(piece),
            6 => Message::Bitfield(data),
            7 => Message::Request(block),
            8 => Message::Piece { piece, begin, data },
            9 => Message::Cancel(block),
            10 => Message::Port(piece as u16),
            11 => Message::SuggestPiece(piece),
            12 => Message::HaveAll,
            13 => Message::HaveNone,
            14 => Message::RejectRequest(block),
            15 => Message::AllowedFast(piece),
            16 => Message::Extended { id: begin as u8, payload: data },
            17 => Message::HashRequest(request),
            18 => Message::Hashes(Hashes { request, hashes }),
            _ => Message::HashReject(request),
        }
    }

    fn hashes(&self) -> Vec<[u8; 32]> {
        let (base, index, len, proofs) = self.range;
        let uncles = request(base, index, len, proofs).uncles().expect("ranges are made to fit");
        (0..len + uncles).map(|i| [i as u8; 32]).collect()
    }
}

proptest! {
    #[test]
    fn every_message_round_trips_whatever_follows_it(parts in parts(), tail: Vec<u8>) {
        let hashes = parts.hashes();
        let message = parts.message(&hashes);
        let mut bytes = encoded(&message);
        let length = bytes.len();
        bytes.extend(tail);
        prop_assert_eq!(decode_frame(&bytes, &Limits::default()), Ok(Some((message, length))));
    }

    #[test]
    fn a_part_of_a_message_is_never_taken_for_the_whole(parts in parts(), cut in 0.0..1.0_f64) {
        let hashes = parts.hashes();
        let bytes = encoded(&parts.message(&hashes));
        let cut = (cut * bytes.len() as f64) as usize;
        prop_assert_eq!(decode_frame(&bytes[..cut], &Limits::default()), Ok(None));
    }
}
