//! One test for each answer of [`parse_prefix`] and one hostile one for each limit.

use proptest::prelude::*;

use super::super::hashes::tests::request;
use super::super::message::{encode, piece_header};
use super::*;

fn parse(bytes: &[u8]) -> Result<Progress<'_>, PeerWireError> {
    parse_prefix(bytes, &Limits::default())
}

/// The first five bytes of a frame.
fn start(length: u32, id: u8) -> [u8; 5] {
    let [a, b, c, d] = length.to_be_bytes();
    [a, b, c, d, id]
}

fn encoded(message: Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&message, &mut out);
    out
}

#[test]
fn it_asks_first_for_the_length_then_the_id_then_the_rest() {
    let bytes = encoded(Message::Request(Block { piece: 1, begin: 2, length: 3 }));
    for at in 0..4 {
        assert_eq!(parse(&bytes[..at]), Ok(Progress::NeedMore(4)));
    }
    assert_eq!(parse(&bytes[..4]), Ok(Progress::NeedMore(5)));
    for at in 5..17 {
        assert_eq!(parse(&bytes[..at]), Ok(Progress::NeedMore(17)));
    }
    let message = Message::Request(Block { piece: 1, begin: 2, length: 3 });
    assert_eq!(parse(&bytes), Ok(Progress::Message { message, consumed: 17 }));
}

#[test]
fn a_block_is_announced_after_13_bytes_without_its_data() {
    let header = piece_header(7, 0x8000, 0x4000);
    for at in 5..13 {
        assert_eq!(parse(&header[..at]), Ok(Progress::NeedMore(13)));
    }
    assert_eq!(parse(&header), Ok(Progress::PieceHeader { piece: 7, begin: 0x8000, len: 0x4000 }));
}

#[test]
fn a_length_no_message_may_have_is_refused_from_the_prefix_alone() {
    let limit = Limits::default().max_extended;
    assert_eq!(parse(&limit.to_be_bytes()), Ok(Progress::NeedMore(5)));
    for length in [limit + 1, u32::MAX] {
        let error = PeerWireError::FrameTooLong { length, limit };
        assert_eq!(parse(&length.to_be_bytes()), Err(error));
    }
}

#[test]
fn messages_of_one_length_refuse_every_other() {
    for (ids, right) in [
        (&[id::CHOKE, id::UNCHOKE, id::INTERESTED, id::NOT_INTERESTED, id::HAVE_ALL, id::HAVE_NONE][..], 1),
        (&[id::PORT], 3),
        (&[id::HAVE, id::SUGGEST_PIECE, id::ALLOWED_FAST], 5),
        (&[id::REQUEST, id::CANCEL, id::REJECT_REQUEST], 13),
        (&[id::HASH_REQUEST, id::HASH_REJECT], 49),
    ] {
        for &id in ids {
            assert!(parse(&start(right, id)).is_ok());
            for length in [right - 1, right + 1, 1 << 20, u32::MAX] {
                // A length of zero is a keep-alive, whatever follows.
                let expected = Err(PeerWireError::WrongLength { id, length });
                assert!(length == 0 || parse(&start(length, id)) == expected, "{id} {length}");
            }
        }
    }
}

#[test]
fn a_bitfield_has_the_length_of_the_torrent() {
    let limits = Limits { pieces: Some(9), ..Limits::default() };
    assert_eq!(parse_prefix(&start(3, id::BITFIELD), &limits), Ok(Progress::NeedMore(7)));
    for length in [1, 2, 4, u32::MAX] {
        let error = PeerWireError::WrongLength { id: id::BITFIELD, length };
        assert_eq!(parse_prefix(&start(length, id::BITFIELD), &limits), Err(error));
    }
}

#[test]
fn a_bitfield_before_the_metadata_is_bounded_by_the_largest_torrent() {
    let limit = 1 + MAX_PIECES / 8;
    assert!(parse(&start(limit, id::BITFIELD)).is_ok());
    let error = PeerWireError::MessageTooLong { id: id::BITFIELD, length: limit + 1, limit };
    assert_eq!(parse(&start(limit + 1, id::BITFIELD)), Err(error));
}

#[test]
fn a_block_over_the_limit_is_refused_before_its_data() {
    let limit = 128 * 1024 + 9;
    assert!(parse(&start(limit, id::PIECE)).is_ok());
    let error = PeerWireError::MessageTooLong { id: id::PIECE, length: limit + 1, limit };
    assert_eq!(parse(&start(limit + 1, id::PIECE)), Err(error));
    let error = PeerWireError::WrongLength { id: id::PIECE, length: 8 };
    assert_eq!(parse(&start(8, id::PIECE)), Err(error));
    let all = Limits { max_block: u32::MAX, ..Limits::default() };
    assert_eq!(parse_prefix(&start(u32::MAX, id::PIECE), &all), Ok(Progress::NeedMore(13)));
}

#[test]
fn an_extension_message_over_the_limit_is_refused() {
    let limit = 1024 * 1024;
    assert!(parse(&start(limit, id::EXTENDED)).is_ok());
    let error = PeerWireError::MessageTooLong { id: id::EXTENDED, length: limit + 1, limit };
    assert_eq!(parse(&start(limit + 1, id::EXTENDED)), Err(error));
    let error = PeerWireError::WrongLength { id: id::EXTENDED, length: 1 };
    assert_eq!(parse(&start(1, id::EXTENDED)), Err(error));
}

#[test]
fn hashes_over_the_limit_are_refused() {
    let limit = 49 + 32 * (8192 + 49);
    assert!(parse(&start(limit, id::HASHES)).is_ok());
    let error = PeerWireError::MessageTooLong { id: id::HASHES, length: limit + 1, limit };
    assert_eq!(parse(&start(limit + 1, id::HASHES)), Err(error));
    let error = PeerWireError::WrongLength { id: id::HASHES, length: 48 };
    assert_eq!(parse(&start(48, id::HASHES)), Err(error));
}

#[test]
fn hashes_that_are_not_as_many_as_their_fields_say_are_refused() {
    let hashes = [[0; 32]; 4];
    let message = |len| Message::Hashes(Hashes { request: request(0, 0, 2, 1), hashes: &hashes[..len] });
    assert!(parse(&encoded(message(3))).is_ok());
    for len in [0, 2, 4] {
        assert_eq!(parse(&encoded(message(len))), Err(PeerWireError::HashCount));
    }
    let mut odd = encoded(message(3));
    odd.push(0);
    odd[3] += 1;
    assert_eq!(parse(&odd), Err(PeerWireError::HashCount));
    let lying = Message::Hashes(Hashes { request: request(0, 0, 1 << 31, 1), hashes: &hashes });
    assert_eq!(parse(&encoded(lying)), Err(PeerWireError::HashRange));
}

#[test]
fn an_unknown_message_is_skipped_within_its_limit() {
    let mut bytes = start(100, 200).to_vec();
    bytes.resize(104, 0);
    assert_eq!(parse(&bytes), Ok(Progress::Message { message: Message::Unknown { id: 200 }, consumed: 104 }));
    let error = PeerWireError::MessageTooLong { id: 200, length: MAX_UNKNOWN + 1, limit: MAX_UNKNOWN };
    assert_eq!(parse(&start(MAX_UNKNOWN + 1, 200)), Err(error));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_progress_is_made(
        length in 0..300_u32, rest: Vec<u8>, pieces: Option<u32>,
    ) {
        let bytes = [&length.to_be_bytes()[..], &rest].concat();
        match parse_prefix(&bytes, &Limits { pieces, ..Limits::default() }) {
            Ok(Progress::NeedMore(total)) => prop_assert!(total > bytes.len()),
            Ok(Progress::Message { consumed, .. }) => prop_assert!((4..=bytes.len()).contains(&consumed)),
            Ok(Progress::PieceHeader { .. }) => prop_assert!(bytes.len() >= PIECE_HEADER_LEN),
            Err(_) => {}
        }
    }
}
