//! Peers that break the protocol, stall or flood.

use super::*;
use std::time::Duration;

#[test]
fn a_message_longer_than_its_limit_closes_the_connection_before_it_is_read() {
    let mut bench = Bench::leech(8);
    let (stream, _) = bench.join(1);
    let outs = bench.bytes(stream, &[0x7f, 0xff, 0xff, 0xff, 20]);
    assert_eq!(outs, [Out::Close(stream)]);
    assert_eq!(bench.bans().len(), 1);
}

#[test]
fn a_bitfield_that_does_not_fit_and_a_piece_that_does_not_exist_close_the_connection() {
    for message in [Message::Bitfield(&[0xff, 0x80]), Message::Have(8)] {
        let mut bench = Bench::leech(8);
        let (stream, _) = bench.join(1);
        assert!(bench.say_raw(stream, &message).contains(&Out::Close(stream)), "{message:?}");
    }
}

#[test]
fn a_flood_of_messages_closes_the_connection_and_a_busy_honest_peer_is_kept() {
    let mut bench = Bench::leech(8);
    let (stream, _) = bench.join(1);
    let mut flood = Vec::new();
    for _ in 0..30_000 {
        peer::encode(&Message::Have(1), &mut flood);
    }
    assert!(bench.bytes(stream, &flood).contains(&Out::Close(stream)));
    let (honest, _) = bench.join(2);
    for _ in 0..5 {
        assert!(!bench.bytes(honest, &flood[..9 * 10_000]).contains(&Out::Close(honest)));
        bench.probe.advance(Duration::from_secs(1));
    }
}

#[test]
fn data_nobody_asked_for_is_discarded_and_too_much_of_it_closes_the_connection() {
    let mut bench = Bench::leech(8);
    let (stream, _) = bench.join(1);
    let mut closed = false;
    for _ in 0..3_000 {
        let outs = bench.deliver(stream, Block { piece: 0, begin: 0, length: BLOCK });
        assert!(!outs.iter().any(|out| matches!(out, Out::Place(..))));
        closed |= outs.contains(&Out::Close(stream));
        if closed {
            break;
        }
    }
    assert!(closed);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let mut bench = Bench::leech(8);
    let (silent, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, 1], 50_000));
    assert!(bench.probe.advance(Duration::from_secs(11)).contains(&Out::Close(silent)));
    let (half, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, 2], 50_000));
    let greeting = bench.greeting(2, Reserved::default());
    bench.bytes(half, &greeting[..60]);
    assert!(bench.probe.advance(Duration::from_secs(12)).contains(&Out::Close(half)));
    let (idle, _) = bench.join(3);
    assert!(bench.probe.advance(Duration::from_secs(130)).contains(&Out::Close(idle)));
}

#[test]
fn one_address_gets_few_connections_and_loopback_as_many_as_it_likes() {
    let mut bench = Bench::leech(8);
    let accepted = |bench: &mut Bench, ip: [u8; 4]| {
        let open = (0..50u16).filter(|port| {
            let (stream, outs) = bench.probe.accept(Endpoint::v4(ip, 50_000 + port));
            !outs.contains(&Out::Close(stream))
        });
        open.count()
    };
    assert_eq!(accepted(&mut bench, [10, 0, 0, 1]), Config::default().max_per_address);
    assert_eq!(accepted(&mut bench, [127, 0, 0, 1]), 50);
}

#[test]
fn requests_beyond_the_limit_are_refused_by_name() {
    let config = Config { max_requests_per_peer: 10, max_unflushed: 0, ..Config::default() };
    let mut bench = Bench::seed(config);
    let (stream, _) = bench.join(1);
    bench.say(stream, &Message::Interested);
    let refused = (0..50).filter(|index| {
        let block = Block { piece: index % 8, begin: 0, length: 100 + index };
        bench.say(stream, &Message::Request(block)).contains(&Message::RejectRequest(block))
    });
    assert!(refused.count() >= 35);
}

#[test]
fn a_request_that_reaches_beyond_its_piece_is_refused() {
    let mut bench = Bench::seed(Config::default());
    let (stream, _) = bench.join(1);
    bench.say(stream, &Message::Interested);
    for (begin, length) in [(2 * BLOCK, 1), (u32::MAX, u32::MAX), (0, 0), (BLOCK, 2 * BLOCK), (0, 1 << 30)] {
        let block = Block { piece: 0, begin, length };
        assert_eq!(bench.say(stream, &Message::Request(block)), [Message::RejectRequest(block)]);
    }
}

#[test]
fn a_fast_peer_may_ask_as_often_as_it_is_served() {
    let mut bench = Bench::seed(Config::default());
    let (stream, _) = bench.join(1);
    bench.say(stream, &Message::Interested);
    for index in 0..100_000u32 {
        let block = Block { piece: index % 8, begin: 0, length: BLOCK };
        let outs = bench.say_raw(stream, &Message::Request(block));
        assert!(matches!(outs[..], [Out::WriteExtent(..)]), "request {index}: {outs:?}");
        bench.probe.stream(stream, StreamInput::Flushed(BLOCK + 13));
    }
}

#[test]
fn a_peer_that_asks_on_and_on_without_reading_the_answers_is_closed() {
    let mut bench = Bench::seed(Config { max_unflushed: 0, ..Config::default() });
    let (stream, _) = bench.join(1);
    let refused = Block { piece: 99, begin: 0, length: BLOCK };
    let closed = (0..1_000_000u32).any(|index| {
        if index % 10_000 == 0 {
            bench.probe.advance(Duration::from_secs(1));
        }
        bench.say_raw(stream, &Message::Request(refused)).contains(&Out::Close(stream))
    });
    assert!(closed);
}

#[test]
fn garbage_from_loopback_before_a_handshake_shuts_out_nobody_else() {
    let mut bench = Bench::leech(8);
    let (garbage, _) = bench.probe.accept(Endpoint::v4([127, 0, 0, 1], 50_000));
    assert!(bench.bytes(garbage, &[0; 68]).contains(&Out::Close(garbage)));
    let (head_only, _) = bench.probe.accept(Endpoint::v4([127, 0, 0, 1], 50_001));
    let mut greeting = bench.greeting(0, Reserved::FAST);
    greeting.extend([0x7f, 0xff, 0xff, 0xff, 20]);
    assert!(bench.bytes(head_only, &greeting).contains(&Out::Close(head_only)));
    let (_, messages) = bench.join(1);
    assert!(!messages.is_empty());
}

#[test]
fn a_block_that_stops_in_its_middle_is_asked_of_another() {
    let mut bench = Bench::leech(1);
    let (staller, blocks) = bench.unchoked_seed(1);
    let Block { piece, begin, length } = blocks[0];
    let half = [&peer::piece_header(piece, begin, length)[..], &[0; 1_000]].concat();
    bench.bytes(staller, &half);
    let (honest, _) = bench.unchoked_seed(2);
    // The endgame takes from the staller all else it owes.
    bench.deliver(honest, blocks[1]);
    let asked_again = (0..25).any(|_| {
        let outs = bench.probe.advance(Duration::from_secs(1));
        requests(&said(&outs, honest)).contains(&blocks[0])
    });
    assert!(asked_again);
}
