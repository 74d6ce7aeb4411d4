//! What peers may try, and what becomes of it: every line of "bad input" of the plan, counted and bounded.

use super::*;
use std::io::Write as _;
use std::time::Duration;
use throng_wire::gnutella::ggep::Block as Ggep;
use throng_wire::gnutella::{
    HitBuilder, HitFlags, Push, QrpTable, RecordBuilder, hash_of, reset, table_patches,
};

/// A hit of somebody.
fn hit(servent: u8, name: &str) -> Vec<u8> {
    let builder = HitBuilder {
        address: identity(servent).listen,
        speed: 100,
        vendor: *b"TEST",
        flags: HitFlags::default(),
        ggep: Vec::new(),
        servent: Guid::marked([servent; 16]),
    };
    let record = RecordBuilder { index: 1, size: 9, name: name.into(), ..RecordBuilder::default() };
    let mut payload = Vec::new();
    builder.put(&[record], true, &mut payload);
    payload
}

/// A leaf with these words in its table.
fn leaf_with(bench: &mut Bench, number: u8, words: &[&str]) -> StreamId {
    let (stream, _) = bench.linked(host(number), LEAF);
    let mut table = QrpTable::new(13);
    words.iter().for_each(|word| table.insert(hash_of(word)));
    let mut payload = Vec::new();
    reset(&table).put(&mut payload);
    bench.hear(stream, header(Kind::Qrp, 1, 1, 0), &payload);
    for patch in table_patches(None, &table) {
        bench.hear(stream, header(Kind::Qrp, 2, 1, 0), &patch);
    }
    stream
}

#[test]
fn a_handshake_without_end_or_with_a_thousand_headers_is_refused_and_one_that_stalls_is_given_up() {
    let mut bench = Bench::new(Role::Ultrapeer);
    for endless in ["X: ".to_owned() + &"a".repeat(3_000), "A: b\r\n".repeat(1_000)] {
        let (stream, outs) = bench.call(host(2), &endless);
        assert!(text(&outs, stream).starts_with("GNUTELLA/0.6 413") && outs.contains(&Out::Close(stream)));
    }
    assert_eq!(bench.violations(Violation::Handshake), 2);
    let (stream, _) = bench.probe.accept(host(3));
    bench.bytes(stream, b"GNUTELLA CONNECT/0.6\r\nUser-");
    let outs = bench.probe.advance(Duration::from_secs(31));
    assert!(outs.contains(&Out::Close(stream)));
}

#[test]
fn one_address_may_not_take_all_places_nor_call_again_and_again() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let mut refused = 0;
    for attempt in 0..40 {
        let (stream, outs) = bench.call(host(2).with_port(1_000 + attempt), LEAF);
        let answer = text(&outs, stream);
        refused += u32::from(!answer.starts_with("GNUTELLA/0.6 200"));
    }
    assert!(refused >= 32, "{refused}");
    assert!(bench.violations(Violation::Crowd) >= 30);
}

#[test]
fn a_payload_over_the_limit_ends_the_link_before_it_comes() {
    let mut bench = Bench::new(Role::Ultrapeer);
    for length in [65_537u32, 0x8000_0004, 41_000] {
        let (stream, _) = bench.linked(host(2), LEAF);
        let mut bytes = header(Kind::Ping, 9, 1, 0).encode();
        bytes[19..].copy_from_slice(&length.to_le_bytes());
        let mut all = bytes.to_vec();
        all.resize(bytes.len() + 41_000, 0);
        let outs = bench.bytes(stream, &all);
        assert_eq!(bye(&outs, stream), Some(400), "{length}");
    }
    let (stream, _) = bench.linked(host(2), LEAF);
    let outs = bench.hear(stream, header(Kind::Query, 9, 1, 0), &query(&"a".repeat(1_500)));
    assert_eq!(bye(&outs, stream), Some(400));
}

#[test]
fn ttl_and_hops_beyond_the_limit_are_dropped_and_after_ten_end_the_link() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.linked(host(2), ULTRAPEER);
    let (other, _) = bench.linked(host(3), ULTRAPEER);
    for number in 0..11 {
        let outs = bench.hear(stream, header(Kind::Query, number, 200, 100), &query("brontosaurus"));
        assert!(messages(&outs, other).is_empty());
        assert_eq!(bye(&outs, stream), (number == 10).then_some(403));
    }
    assert_eq!(bench.violations(Violation::TooFar), 11);
}

#[test]
fn a_query_is_answered_and_relayed_once_whatever_comes_again() {
    let mut bench = Bench::new(Role::Plain);
    bench.share(1, "brontosaurus song.ogg", Some([7; 20]));
    let (stream, _) = bench.linked(host(2), PLAIN);
    let (other, _) = bench.linked(host(3), PLAIN);
    let first = bench.hear(stream, header(Kind::Query, 9, 7, 0), &query("brontosaurus"));
    assert_eq!(of_kind(&first, stream, Kind::QueryHit).len(), 1);
    assert_eq!(of_kind(&first, other, Kind::Query).len(), 1);
    // An id that collides with one that came before is the same message to everybody.
    let outs = bench.hear(other, header(Kind::Query, 9, 7, 0), &query("something else"));
    assert!(outs.is_empty());
    let mut ended = None;
    for number in 0..20 {
        let outs = bench.hear(stream, header(Kind::Query, 9, 7, 0), &query("brontosaurus"));
        assert!(of_kind(&outs, stream, Kind::QueryHit).is_empty() && messages(&outs, other).is_empty());
        ended = ended.or(bye(&outs, stream).map(|code| (number, code)));
    }
    assert_eq!(ended, Some((4, 401)), "one that sends everything twice is let go");
}

#[test]
fn a_zlib_bomb_ends_the_link_before_it_takes_memory() {
    let mut bench = Bench::of(Config { deflate: true, ..config(Role::Ultrapeer) });
    let (stream, _) = bench.call(host(2), &format!("{LEAF}Accept-Encoding: deflate\r\n"));
    bench.bytes(stream, b"GNUTELLA/0.6 200 OK\r\nContent-Encoding: deflate\r\n\r\n");
    let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let ping = header(Kind::Other(0x77), 9, 1, 0).encode();
    (0..3_000_000).for_each(|_| bomb.write_all(&ping).unwrap());
    let outs = bench.bytes(stream, &bomb.finish().unwrap());
    assert_eq!(bye(&outs, stream), Some(400));
    assert_eq!(bench.violations(Violation::Deflated), 1);
    assert!(bench.probe.machine.metrics().received.total() < 100_000);
}

#[test]
fn hits_for_queries_nobody_asked_are_dropped_counted_and_in_number_end_the_link() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.linked(host(2), ULTRAPEER);
    let (other, _) = bench.linked(host(3), ULTRAPEER);
    let mut ended = None;
    for number in 0..502u32 {
        let mut guid = [1; 16];
        guid[..4].copy_from_slice(&number.to_le_bytes());
        let unasked = Header { guid: Guid(guid), ..header(Kind::QueryHit, 0, 3, 0) };
        let outs = bench.hear(stream, unasked, &hit(4, "brontosaurus"));
        assert!(messages(&outs, other).is_empty());
        ended = ended.or(bye(&outs, stream).map(|code| (number, code)));
    }
    assert_eq!(ended, Some((500, 415)));
}

#[test]
fn a_search_is_not_ended_by_spam_and_spam_is_not_told() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.linked(host(2), ULTRAPEER);
    let search = Search::words(&["brontosaurus".into()], 10, Duration::from_secs(60));
    bench.probe.command(Command::Search(crate::discovery::Ticket(1), search));
    let outs = bench.probe.advance(Duration::from_secs(4));
    let asked = of_kind(&outs, stream, Kind::Query);
    let guid = asked[0].0.guid;
    let answer = Header { guid, ..header(Kind::QueryHit, 0, 3, 0) };
    for number in 0..50 {
        bench.hear(stream, answer, &hit(10 + number, "buy this now.wmv"));
    }
    assert!(bench.violations(Violation::Spam) >= 50);
    let told = |events: &[Event]| {
        events
            .iter()
            .filter(|event| matches!(event, Event::Discovery(crate::discovery::Event::Found { .. })))
            .count()
    };
    assert_eq!(told(&bench.probe.take_events()), 0);
    bench.hear(stream, answer, &hit(4, "Brontosaurus sings.ogg"));
    bench.hear(stream, answer, &hit(4, "Brontosaurus sings.ogg"));
    assert_eq!(told(&bench.probe.take_events()), 1, "the same file of the same servent is told once");
}

#[test]
fn a_push_makes_us_call_nobody_nearer_than_who_told_it_and_nobody_often() {
    let mut bench = Bench::new(Role::Leaf);
    let (stream, _) = bench.linked(host(2), ULTRAPEER);
    let push = |to: [u8; 4]| {
        let requester = SocketAddrV4::new(to.into(), 6346);
        let mut payload = Vec::new();
        let servent = identity(1).servent;
        Push { servent, index: 3, requester, ggep: Ggep::default() }.put(&mut payload);
        payload
    };
    let wanted = |bench: &mut Bench, number: u8, to: [u8; 4]| {
        bench.hear(stream, header(Kind::Push, number, 2, 1), &push(to));
        bench.probe.take_events().iter().filter(|event| matches!(event, Event::PushWanted { .. })).count()
    };
    for (number, near) in [[127, 0, 0, 1], [169, 254, 1, 1], [0, 0, 0, 0]].into_iter().enumerate() {
        assert_eq!(wanted(&mut bench, number as u8, near), 0, "{near:?}");
    }
    let calls: usize = (10..60).map(|number| wanted(&mut bench, number, [100, 99, 0, 1])).sum();
    assert_eq!(calls, 5, "one address, many pushes");
    assert_eq!(wanted(&mut bench, 100, [100, 99, 0, 2]), 1);
    assert_eq!(wanted(&mut bench, 100, [100, 99, 0, 3]), 0, "a copy of the same push");
}

#[test]
fn route_tables_that_overflow_or_lack_a_reset_end_the_link() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0xaa; 10 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let reset = [&[0, 0, 32, 0, 0, 7][..]];
    let bad: [Vec<Vec<u8>>; 5] = [
        vec![vec![0, 5, 0, 0, 0, 7]],
        vec![vec![0, 0, 0, 0, 0x80, 7]],
        vec![vec![1, 1, 1, 0, 4, 9, 9, 9]],
        vec![reset[0].to_vec(), [&[1, 1, 1, 1, 4][..], &bomb].concat()],
        vec![reset[0].to_vec(), vec![1, 2, 2, 0, 4, 9]],
    ];
    for (number, messages) in bad.iter().enumerate() {
        let (stream, _) = bench.linked(host(2 + number as u8), LEAF);
        let outs: Vec<Out> = messages
            .iter()
            .flat_map(|payload| bench.hear(stream, header(Kind::Qrp, 1, 1, 0), payload))
            .collect();
        assert_eq!(bye(&outs, stream), Some(413), "{number}");
    }
}

#[test]
fn a_storm_of_queries_from_one_leaf_costs_a_bounded_number_and_then_the_link() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.linked(host(2), LEAF);
    let (other, _) = bench.linked(host(3), ULTRAPEER);
    let (mut relayed, mut ended) = (0, false);
    for number in 0..3_000u32 {
        let mut guid = [1; 16];
        guid[..4].copy_from_slice(&number.to_le_bytes());
        let asked = Header { guid: Guid(guid), ..header(Kind::Query, 0, 4, 0) };
        let outs = bench.hear(stream, asked, &query("brontosaurus"));
        relayed += of_kind(&outs, other, Kind::Query).len();
        ended |= bye(&outs, stream) == Some(402);
    }
    assert!(relayed <= 60 && ended, "{relayed}");
}

#[test]
fn queries_for_everything_are_neither_answered_nor_relayed() {
    let mut bench = Bench::new(Role::Plain);
    bench.share(1, "a song of the brontosaurus.mp3", Some([7; 20]));
    let (stream, _) = bench.linked(host(2), PLAIN);
    let (other, _) = bench.linked(host(3), PLAIN);
    for (number, greedy) in ["a", ".mp3", "", "mp3 a", "*", "of"].iter().enumerate() {
        let outs = bench.hear(stream, header(Kind::Query, number as u8, 7, 0), &query(greedy));
        assert!(messages(&outs, stream).is_empty() && messages(&outs, other).is_empty(), "{greedy}");
    }
    assert_eq!(bench.violations(Violation::ImproperQuery), 6);
    let outs = bench.hear(stream, header(Kind::Query, 99, 7, 0), &query("song mp3"));
    assert_eq!(of_kind(&outs, stream, Kind::QueryHit).len(), 1);
}

#[test]
fn a_ggep_chain_without_an_end_is_skipped() {
    let mut bench = Bench::new(Role::Plain);
    bench.share(1, "brontosaurus song.ogg", Some([7; 20]));
    let (stream, _) = bench.linked(host(2), PLAIN);
    let endless = [query("brontosaurus"), vec![0xc3], [2, b'X', b'Y', 0x40].repeat(40)].concat();
    let outs = bench.hear(stream, header(Kind::Query, 9, 7, 0), &endless);
    assert_eq!(of_kind(&outs, stream, Kind::QueryHit).len(), 1);
}

#[test]
fn a_leaf_that_relays_is_let_go() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.linked(host(2), LEAF);
    let outs = bench.hear(stream, header(Kind::Query, 9, 3, 1), &query("brontosaurus"));
    assert_eq!(bye(&outs, stream), Some(414));
}

#[test]
fn two_servents_cannot_have_one_id_and_nobody_is_linked_with_itself() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let with_id = |number: u8| format!("{LEAF}GUID: {}\r\n", identity(number).servent.hex());
    let (_, _) = bench.linked(host(2), &with_id(2));
    for id in [2, 1] {
        let (stream, outs) = bench.call(host(3), &with_id(id));
        assert!(text(&outs, stream).starts_with("GNUTELLA/0.6 409"), "{id}");
    }
    // Nor take another's by asking us to be its push proxy.
    let (stream, _) = bench.linked(host(4), LEAF);
    let steal = Header { guid: identity(2).servent, ..header(Kind::Vendor, 0, 1, 0) };
    let outs = bench.hear(stream, steal, b"LIME\x15\0\x01\0");
    assert_eq!(bye(&outs, stream), Some(415));
}

#[test]
fn no_datagram_is_answered_with_more_bytes_than_it_had_unless_its_address_is_proved() {
    let mut bench = Bench::new(Role::Ultrapeer);
    bench.share(1, "brontosaurus song.ogg", Some([7; 20]));
    let plain = message(header(Kind::Ping, 9, 1, 0), &[]);
    let with_key = message(header(Kind::Ping, 9, 1, 0), b"\xc3\x82QK\x40");
    let asked = message(header(Kind::Query, 9, 1, 0), &query("brontosaurus"));
    for datagram in [&plain, &with_key, &asked] {
        assert!(bench.probe.datagram(host(5), datagram).is_empty());
    }
    assert_eq!(bench.violations(Violation::Unproved), 3);
    // Padded as far as the answer is long it gets a key, and the key gets hits.
    let padding = [&b"\xc3\x02QK\x40\x81X\x70"[..], &[b'x'; 48]].concat();
    let padded = message(header(Kind::Ping, 9, 1, 0), &padding);
    let outs = bench.probe.datagram(host(5), &padded);
    let [Out::Send(to, pong)] = &outs[..] else { panic!("{outs:?}") };
    assert!(*to == host(5) && pong.len() <= padded.len());
    let (header_, payload, _) = frame(pong).unwrap().unwrap();
    let Message::Pong(pong) = Message::parse(&header_, payload).unwrap() else { panic!() };
    let key = pong.ggep.find(b"QK").unwrap().into_owned();
    let proved = [query("brontosaurus"), b"\xc3\x82QK\x48".to_vec(), key.clone()].concat();
    let outs = bench.probe.datagram(host(5), &message(header(Kind::Query, 8, 1, 0), &proved));
    assert!(matches!(&outs[..], [Out::Send(to, bytes)] if *to == host(5) && bytes[16] == 0x81));
    assert!(bench.probe.datagram(host(6), &message(header(Kind::Query, 8, 1, 0), &proved)).is_empty());
    // One who is linked is there.
    let (_, _) = bench.linked(host(7), LEAF);
    assert_eq!(bench.probe.datagram(host(7), &plain).len(), 1);
}

#[test]
fn a_link_that_takes_nothing_is_relieved_and_at_last_let_go() {
    let mut bench = Bench::new(Role::Plain);
    let (stream, _) = bench.linked(host(2), PLAIN);
    let (slow, _) = bench.linked(host(3), PLAIN);
    let mut written = 0;
    for number in 0..4_000u32 {
        let mut guid = [1; 16];
        guid[..4].copy_from_slice(&number.to_le_bytes());
        let asked = Header { guid: Guid(guid), ..header(Kind::Query, 0, 7, 0) };
        let outs = bench.hear(stream, asked, &query(&format!("brontosaurus {}", "x".repeat(100))));
        written += messages(&outs, slow).len();
    }
    assert!(written < 400, "{written} messages went to one that reads none");
    let status = bench.probe.machine.status(bench.probe.now);
    let waiting = status.links.iter().map(|link| link.waiting).max().unwrap();
    assert!(waiting <= 98_304 && status.metrics.dropped > 2_000, "{waiting} {}", status.metrics.dropped);
    let mut outs = Vec::new();
    for _ in 0..20 {
        // It still says something, so that it is not taken for dead.
        outs.extend(bench.probe.advance(Duration::from_secs(10)));
        outs.extend(bench.hear(slow, header(Kind::Other(0x55), 9, 1, 0), &[]));
    }
    assert_eq!(bye(&outs, slow), Some(405));
}

#[test]
fn a_leafs_searches_are_asked_for_it_and_spam_does_not_reach_it() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let leaf = leaf_with(&mut bench, 2, &[]);
    let sharing = leaf_with(&mut bench, 3, &["brontosaurus"]);
    let other = leaf_with(&mut bench, 4, &["velociraptor"]);
    let outs = bench.hear(leaf, header(Kind::Query, 9, 4, 0), &query("brontosaurus"));
    assert_eq!(of_kind(&outs, sharing, Kind::Query).len(), 1);
    assert!(of_kind(&outs, other, Kind::Query).is_empty());
    let answer = header(Kind::QueryHit, 9, 3, 0);
    let outs = bench.hear(sharing, answer, &hit(3, "brontosaurus.ogg"));
    assert_eq!(of_kind(&outs, leaf, Kind::QueryHit).len(), 1);
    let outs = bench.hear(sharing, answer, &hit(3, "something else"));
    assert!(of_kind(&outs, leaf, Kind::QueryHit).is_empty());
}
