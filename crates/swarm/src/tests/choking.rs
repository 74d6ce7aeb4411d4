//! Whom we serve, and how.

use super::*;
use std::time::Duration;

fn unchoked(outs: &[Out], stream: StreamId) -> bool {
    said(outs, stream).contains(&Message::Unchoke)
}

#[test]
fn an_interested_peer_is_served_at_once_and_a_seed_never_chokes_before_it_unchokes() {
    let mut bench = Bench::seed(Config::default());
    let (stream, greeting) = bench.join(1);
    assert!(!greeting.contains(&Message::Choke));
    assert_eq!(bench.say(stream, &Message::Interested)[0], Message::Unchoke);
    let block = Block { piece: 3, begin: 0, length: BLOCK };
    let outs = bench.say_raw(stream, &Message::Request(block));
    let [Out::WriteExtent(_, head, extent)] = &outs[..] else { panic!("{outs:?}") };
    assert_eq!(head[..], peer::piece_header(3, 0, BLOCK));
    assert_eq!((extent.offset, extent.len), (u64::from(6 * BLOCK), BLOCK));
}

#[test]
fn a_choked_peer_is_refused_by_name_but_may_fetch_its_allowed_pieces() {
    let mut bench = Bench::seed(Config { upload_slots: Some(0), ..Config::default() });
    let (stream, greeting) = bench.join(1);
    let allowed: Vec<u32> = greeting
        .iter()
        .filter_map(|message| match message {
            Message::AllowedFast(piece) => Some(*piece),
            _ => None,
        })
        .collect();
    assert_eq!(allowed.len(), 8);
    let block = Block { piece: allowed[0], begin: 0, length: BLOCK };
    assert!(matches!(bench.say_raw(stream, &Message::Request(block))[..], [Out::WriteExtent(..)]));
    let missing = Block { piece: 8, begin: 0, length: BLOCK };
    assert_eq!(bench.say(stream, &Message::Request(missing)), [Message::RejectRequest(missing)]);
}

#[test]
fn a_seed_gives_everyone_a_turn() {
    let mut bench = Bench::seed(Config { upload_slots: Some(2), ..Config::default() });
    let streams: Vec<StreamId> = (1..=6).map(|id| bench.join(id).0).collect();
    for stream in &streams {
        bench.say(*stream, &Message::Interested);
    }
    let mut served: std::collections::BTreeSet<StreamId> = streams[..2].iter().copied().collect();
    for _ in 0..40 {
        let outs = bench.probe.advance(Duration::from_secs(10));
        for stream in &streams {
            bench.say(*stream, &Message::KeepAlive);
            if unchoked(&outs, *stream) {
                served.insert(*stream);
            }
        }
    }
    assert_eq!(served.len(), 6);
}

#[test]
fn a_downloader_serves_those_who_serve_it() {
    let mut bench = Bench::with(
        Config { upload_slots: Some(2), ..Config::default() },
        64,
        vec![0xff, 0, 0, 0, 0, 0, 0, 0],
    );
    let (giver, mut blocks) = bench.unchoked_seed(9);
    bench.say(giver, &Message::Interested);
    let takers: Vec<StreamId> = (1..=4).map(|id| bench.join(id).0).collect();
    for taker in &takers {
        bench.say(*taker, &Message::Interested);
    }
    let mut choked_giver = false;
    for _ in 0..60 {
        let mut next = Vec::new();
        for block in std::mem::take(&mut blocks) {
            let outs = bench.deliver(giver, block);
            next.extend(requests(&said(&outs, giver)));
            let complete: Vec<u32> = bench
                .probe
                .take_events()
                .into_iter()
                .filter_map(|event| match event {
                    Event::PieceComplete(_, piece) => Some(piece),
                    _ => None,
                })
                .collect();
            for piece in complete {
                let outs = bench.probe.command(Command::PieceVerified(C, piece, None));
                next.extend(requests(&said(&outs, giver)));
            }
        }
        let outs = bench.probe.advance(Duration::from_secs(1));
        next.extend(requests(&said(&outs, giver)));
        choked_giver |= said(&outs, giver).contains(&Message::Choke);
        blocks = next;
    }
    assert!(!choked_giver, "the one that gives keeps its slot");
}

#[test]
fn an_upload_limit_holds_and_is_shared_in_turn() {
    let mut bench = Bench::seed(Config { upload_limit: Some(160 << 10), ..Config::default() });
    let streams: Vec<StreamId> = (1..=2).map(|id| bench.join(id).0).collect();
    for stream in &streams {
        bench.say(*stream, &Message::Interested);
    }
    let mut sent = [0u64; 2];
    let mut count = |outs: &[Out]| {
        for out in outs {
            if let Out::WriteExtent(stream, _, extent) = out {
                sent[streams.iter().position(|of| of == stream).unwrap()] += u64::from(extent.len);
            }
        }
    };
    for _ in 0..100 {
        for stream in &streams {
            for piece in 0..2 {
                count(&bench.say_raw(*stream, &Message::Request(Block { piece, begin: 0, length: BLOCK })));
            }
            bench.probe.stream(*stream, StreamInput::Flushed(1 << 20));
        }
        count(&bench.probe.advance(Duration::from_millis(100)));
    }
    let total = sent[0] + sent[1];
    assert!((1_500 << 10..1_700 << 10).contains(&total), "{total}");
    assert!(sent[0].abs_diff(sent[1]) <= u64::from(2 * BLOCK), "{sent:?}");
}

#[test]
fn a_peer_that_does_not_read_is_handed_no_more_than_its_share() {
    let config = Config { max_unflushed: 64 << 10, ..Config::default() };
    let mut bench = Bench::seed(config);
    let (stream, _) = bench.join(1);
    bench.say(stream, &Message::Interested);
    let mut sent = 0;
    for _ in 0..100 {
        let outs = bench.say_raw(stream, &Message::Request(Block { piece: 0, begin: 0, length: BLOCK }));
        sent += outs.iter().filter(|out| matches!(out, Out::WriteExtent(..))).count();
    }
    assert!(sent <= 5, "{sent} blocks");
    let outs = bench.probe.stream(stream, StreamInput::Flushed(64 << 10));
    assert!(!outs.is_empty());
}

#[test]
fn a_cancelled_request_is_not_served() {
    let mut bench = Bench::seed(Config { upload_limit: Some(0), ..Config::default() });
    let (stream, _) = bench.join(1);
    bench.say(stream, &Message::Interested);
    let block = Block { piece: 0, begin: 0, length: BLOCK };
    for _ in 0..4 {
        bench.say(stream, &Message::Request(block));
    }
    let rejected = bench.say(stream, &Message::Cancel(block));
    assert_eq!(rejected, [Message::RejectRequest(block)]);
}

#[test]
fn a_super_seed_shows_pieces_one_by_one_and_the_next_when_another_peer_has_it() {
    let meta = metainfo(8);
    let mut probe = Probe::new(Swarm::new(Config::default(), 1));
    let mut torrent = add(&meta, vec![0xff]);
    torrent.options.super_seed = true;
    probe.command(Command::Add(Box::new(torrent)));
    let mut bench = Bench { probe, meta };
    let shown = |messages: &[Message<'_>]| -> Vec<u32> {
        messages
            .iter()
            .filter_map(|message| match message {
                Message::Have(piece) => Some(*piece),
                _ => None,
            })
            .collect()
    };
    let (first, greeting) = bench.join(1);
    assert_eq!(greeting[0], Message::HaveNone);
    let to_first = shown(&greeting);
    assert_eq!(to_first.len(), 2);
    let (second, greeting) = bench.join(2);
    assert!(shown(&greeting).iter().all(|piece| !to_first.contains(piece)), "different pieces to each");
    assert_eq!(shown(&bench.say(first, &Message::Have(to_first[0]))), [0; 0]);
    let outs = bench.say_raw(second, &Message::Have(to_first[0]));
    assert_eq!(shown(&said(&outs, first)).len(), 1, "passed on: the next is shown");
}

#[test]
fn a_seed_suggests_different_pieces_to_the_peers_of_a_crowd() {
    let mut bench = Bench::seed(Config::default());
    let (first, _) = bench.join(1);
    bench.say(first, &Message::Interested);
    let mut suggested = Vec::new();
    for id in 2..=4 {
        let (stream, _) = bench.join(id);
        suggested.extend(bench.say(stream, &Message::Interested).iter().filter_map(
            |message| match message {
                Message::SuggestPiece(piece) => Some(*piece),
                _ => None,
            },
        ));
    }
    let distinct: std::collections::BTreeSet<u32> = suggested.iter().copied().collect();
    assert_eq!((suggested.len(), distinct.len()), (6, 6));
}
