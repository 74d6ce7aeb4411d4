//! The texts of peers: whole, cut at every length, refused.

use proptest::prelude::*;

use super::*;
use crate::napster::{NapsterError, Share};

fn encoded(opening: Opening<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    opening.encode(&mut out).unwrap();
    out
}

#[test]
fn openings_are_the_texts_of_the_note() {
    let name = b"\\srv\\Zebra Song.mp3";
    for (opening, text) in [
        (Opening::Get { nick: b"bob", name, offset: 0 }, &b"GETbob \"\\srv\\Zebra Song.mp3\" 0"[..]),
        (Opening::Send { nick: b"al", name, size: 337_292 }, b"SENDal \"\\srv\\Zebra Song.mp3\" 337292"),
        (Opening::Magnet { nick: b"bob", name }, b"MAGNETbob \"\\srv\\Zebra Song.mp3\""),
        (Opening::GetList, b"GETLIST"),
        (Opening::SendList { nick: b"al" }, b"SENDLIST al\n"),
    ] {
        assert_eq!(encoded(opening), text);
        let (Ok(Parsed::Complete(read, length)) | Ok(Parsed::Open(read, length))) = Opening::parse(text)
        else {
            panic!("{text:?}");
        };
        assert_eq!((read, length), (opening, text.len()));
    }
}

#[test]
fn only_a_number_that_may_go_on_leaves_an_opening_open() {
    for (text, open) in [
        ("GETbob \"x\" 0", false),
        ("GETbob \"x\" 1", true),
        ("GETbob \"x\" 10\n", false),
        ("SENDbob \"x\" 50000", true),
        ("GETLIST", true),
        ("GETLIST\n", false),
        ("GETLIST\r\n", false),
        ("MAGNETbob \"x\"", false),
        ("GETbob x.mp3 0", false),
        ("GETLIST \"x\" 0", false),
        ("SENDLIST \"x\" 5", true),
        ("SENDLIST\nalice\n", false),
        ("SENDLIST alice\r\n", false),
    ] {
        let parsed = Opening::parse(text.as_bytes()).unwrap();
        assert_eq!(matches!(parsed, Parsed::Open(_, length) if length == text.len()), open, "{text}");
        assert_ne!(parsed, Parsed::Incomplete, "{text}");
    }
    let of_list = Opening::Get { nick: b"LIST", name: b"x", offset: 0 };
    assert_eq!(Opening::parse(b"GETLIST \"x\" 0"), Ok(Parsed::Complete(of_list, 13)));
    let of_list = Opening::Send { nick: b"LIST", name: b"x", size: 5 };
    assert_eq!(Opening::parse(b"SENDLIST \"x\" 5"), Ok(Parsed::Open(of_list, 14)));
    let teknap = Opening::SendList { nick: b"alice" };
    assert_eq!(Opening::parse(b"SENDLIST\nalice\n\"a\" 0"), Ok(Parsed::Complete(teknap, 15)));
}

#[test]
fn what_no_peer_says_is_refused_at_once() {
    for text in ["X", "1", "get", "GETbob \"x\" y", "SENT", "\0", "GETbob \"x\" 99999999999999999999"] {
        assert_eq!(Opening::parse(text.as_bytes()), Err(NapsterError::NotAnOpening), "{text}");
    }
    let endless = [&b"GET"[..], &[b'a'; MAX_OPENING]].concat();
    assert_eq!(Opening::parse(&endless), Err(NapsterError::PeerTextTooLong));
    assert!(Opening::Get { nick: b"a b", name: b"x", offset: 0 }.encode(&mut Vec::new()).is_err());
    assert!(Opening::Get { nick: b"a", name: b"x\"", offset: 0 }.encode(&mut Vec::new()).is_err());
}

#[test]
fn a_size_ends_where_the_promise_says_even_before_a_digit() {
    let size = |size, length| Ok(Parsed::Complete(SizeAnswer::Size(size), length));
    assert_eq!(parse_size(b"12914877777", Some(129_148)), size(129_148, 6));
    assert_eq!(parse_size(b"150000\x9f", Some(50_000)), size(150_000, 6));
    assert_eq!(parse_size(b"150000\x9f", None), size(150_000, 6));
    for cut in 0..5 {
        assert_eq!(parse_size(&b"50000"[..cut], Some(50_000)), Ok(Parsed::Incomplete));
    }
    assert_eq!(parse_size(b"7", Some(50_000)), Ok(Parsed::Open(SizeAnswer::Size(7), 1)));
    assert_eq!(parse_size(b"99999999999999999999", None), Err(NapsterError::OutOfRange));
}

#[test]
fn refusals_are_known_by_their_words() {
    for (text, refusal) in [
        ("INVALID REQUEST", Refusal::InvalidRequest),
        ("FILE NOT FOUND", Refusal::FileNotFound),
        ("FILE NOT SHARED", Refusal::FileNotShared),
        ("FILE NOT REQUESTED", Refusal::FileNotRequested),
    ] {
        assert_eq!(refusal.text(), text.as_bytes());
        let whole = Ok(Parsed::Complete(SizeAnswer::Refused(refusal), text.len()));
        assert_eq!(parse_size(text.as_bytes(), Some(5)), whole);
        for cut in 1..text.len() {
            assert_eq!(parse_size(&text.as_bytes()[..cut], Some(5)), Ok(Parsed::Incomplete), "{text} {cut}");
        }
        let whole = Ok(Parsed::Complete(OffsetAnswer::Refused(refusal), text.len()));
        assert_eq!(parse_offset(text.as_bytes(), 5), whole);
    }
    assert_eq!(parse_size(b"NO WAY", None), Ok(Parsed::Complete(SizeAnswer::Refused(Refusal::Other), 6)));
}

#[test]
fn an_offset_is_whole_where_another_digit_would_lead_beyond_the_file() {
    let offset = OffsetAnswer::Offset;
    assert_eq!(parse_offset(b"0", 337_292), Ok(Parsed::Complete(offset(0), 1)));
    assert_eq!(parse_offset(b"1000", 337_292), Ok(Parsed::Open(offset(1_000), 4)));
    assert_eq!(parse_offset(b"100000", 337_292), Ok(Parsed::Complete(offset(100_000), 6)));
    assert_eq!(parse_offset(b"1000\n", 337_292), Ok(Parsed::Complete(offset(1_000), 4)));
    assert_eq!(parse_offset(b"", 5), Ok(Parsed::Incomplete));
    let magnet = OffsetAnswer::Magnet { nick: b"bob", name: b"x" };
    assert_eq!(parse_offset(b"MAGNETbob \"x\"", 5), Ok(Parsed::Complete(magnet, 13)));
    assert_eq!(parse_offset(b"MAGNETbob", 5), Ok(Parsed::Incomplete));
}

#[test]
fn a_list_is_a_nick_lines_and_an_empty_line() {
    let share = Share { name: b"a b", md5: b"0", size: 5, bitrate: 1, frequency: 2, duration: 3 };
    let mut text = Vec::new();
    write_list_start(b"alice", &mut text).unwrap();
    share.write_line(&mut text).unwrap();
    write_list_end(&mut text);
    assert_eq!(text, b"alice\n\"a b\" 0 5 1 2 3\n\n");
    let text = [b"SENDLIST\n", text.as_slice()].concat();
    let (mut state, mut at, mut read) = (ListState::default(), 0, Vec::new());
    while let Some((line, length)) = state.next_line(&text[at..]).unwrap() {
        at += length;
        read.push(line);
    }
    assert_eq!(read, [ListLine::Skipped, ListLine::Nick(b"alice"), ListLine::File(share), ListLine::End]);
    assert_eq!(state.next_line(&[b'x'; MAX_LINE]), Err(NapsterError::PeerTextTooLong));
    assert_eq!(state.next_line(b"\"half\" 0\n"), Ok(Some((ListLine::Skipped, 9))));
}

#[test]
fn a_magnet_answer_is_a_length_and_a_link() {
    let mut out = Vec::new();
    write_magnet_answer(b"magnet:?x", &mut out).unwrap();
    assert_eq!(out, b"9 magnet:?x");
    for cut in 0..out.len() {
        assert_eq!(parse_magnet_answer(&out[..cut]), Ok(Parsed::Incomplete));
    }
    assert_eq!(parse_magnet_answer(&out), Ok(Parsed::Complete(&b"magnet:?x"[..], 11)));
    assert_eq!(parse_magnet_answer(b"8193 "), Err(NapsterError::PeerTextTooLong));
    assert_eq!(parse_magnet_answer(b"INVALID REQUEST"), Err(NapsterError::PeerRefused));
    assert_eq!(parse_magnet_answer(b"129148\xff"), Err(NapsterError::PeerTextTooLong));
    assert!(write_magnet_answer(&[b'x'; MAX_MAGNET + 1], &mut out).is_err());
}

proptest! {
    #[test]
    fn openings_round_trip_and_no_prefix_is_whole(nick in "[!#-~]{1,19}", name in "[ !#-~é]{0,200}", number: u64, send: bool) {
        let (nick, name) = (nick.as_bytes(), name.as_bytes());
        let opening = if send {
            Opening::Send { nick, name, size: number }
        } else {
            Opening::Get { nick, name, offset: number }
        };
        let text = encoded(opening);
        let parsed = Opening::parse(&text).unwrap();
        let same = matches!(parsed, Parsed::Complete(read, length) | Parsed::Open(read, length) if read == opening && length == text.len());
        // SENDLIST and a nick that begins with LIST look alike.
        prop_assert!(same || nick.starts_with(b"LIST"), "{parsed:?}");
        let number_at = text.len() - number.to_string().len();
        for cut in 0..number_at {
            let cut = Opening::parse(&text[..cut]);
            prop_assert!(cut == Ok(Parsed::Incomplete) || nick.starts_with(b"LIST"), "{cut:?}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), size: u64) {
        _ = Opening::parse(&bytes);
        _ = parse_size(&bytes, Some(size));
        _ = parse_size(&bytes, None);
        _ = parse_offset(&bytes, size);
        _ = parse_magnet_answer(&bytes);
        _ = ListState::Files.next_line(&bytes);
    }
}
