//! One message, one answer: handshakes, pings, vendor messages, pushes.

use super::*;
use std::time::Duration;
use throng_wire::gnutella::ggep::Block as Ggep;
use throng_wire::gnutella::{Push, VendorKind, VendorMessage};

fn vendor(kind: VendorKind, data: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    VendorMessage { kind, data }.put(&mut payload);
    payload
}

#[test]
fn roles_take_whom_they_should_and_refuse_the_others_with_a_word() {
    let answers = [
        (Role::Ultrapeer, LEAF, "200 OK"),
        (Role::Ultrapeer, ULTRAPEER, "200 OK"),
        (Role::Ultrapeer, PLAIN, "403 Normal nodes refused"),
        (Role::Leaf, ULTRAPEER, "200 OK"),
        (Role::Leaf, LEAF, "503 Shielded leaf node"),
        (Role::Leaf, PLAIN, "503 Shielded leaf node"),
        (Role::Plain, PLAIN, "200 OK"),
        (Role::Plain, LEAF, "403 Neither leaf nor ultrapeer here"),
        (
            Role::Ultrapeer,
            "X-Ultrapeer: False\r\nX-Query-Routing: 0.3\r\n",
            "406 Query Routing protocol not supported",
        ),
        (Role::Ultrapeer, "X-Ultrapeer: False\r\nAccept: text/html\r\n", "406 Protocol not acceptable"),
    ];
    for (role, headers, expected) in answers {
        let (stream, outs) = Bench::new(role).call(host(2), headers);
        let answer = text(&outs, stream);
        assert!(answer.starts_with(&format!("GNUTELLA/0.6 {expected}\r\n")), "{role:?}: {answer}");
        assert_eq!(outs.contains(&Out::Close(stream)), !expected.starts_with("200"));
    }
}

#[test]
fn who_is_full_names_others_to_try() {
    let limits = Limits { leaves: 1, ..Limits::default() };
    let mut bench = Bench::of(Config { limits, ..config(Role::Ultrapeer) });
    bench.linked(host(2), &format!("{ULTRAPEER}Node: {}\r\n", host(2)));
    bench.linked(host(3), LEAF);
    let (stream, outs) = bench.call(host(4), LEAF);
    let answer = text(&outs, stream);
    assert!(
        answer.starts_with("GNUTELLA/0.6 503 Full")
            && answer.contains(&format!("X-Try-Ultrapeers: {}", host(2)))
    );
}

#[test]
fn not_all_who_ask_are_told_of_the_same_servents() {
    let limits = Limits { leaves: 0, ..Limits::default() };
    let mut bench = Bench::of(Config { limits, ..config(Role::Ultrapeer) });
    for number in 2..32 {
        bench.linked(host(number), &format!("{ULTRAPEER}Node: {}\r\n", host(number)));
    }
    let mut told = std::collections::BTreeMap::new();
    for number in 40..140 {
        let (stream, outs) = bench.call(host(number), LEAF);
        let answer = text(&outs, stream);
        let (_, list) = answer.split_once("X-Try-Ultrapeers: ").unwrap();
        let names: Vec<_> = list.trim().split(',').map(str::to_owned).collect();
        assert_eq!(names.len(), 10);
        names.into_iter().for_each(|name| *told.entry(name).or_insert(0) += 1);
    }
    let counts: Vec<u32> = told.into_values().collect();
    assert!(counts.len() == 30 && counts.iter().all(|count| (10..70).contains(count)), "{counts:?}");
}

#[test]
fn a_call_that_is_refused_is_followed_by_one_to_whom_the_refusal_named() {
    let mut probe = Probe::new(Servent::new(Arc::new(config(Role::Leaf)), identity(1)));
    let outs = probe.command(Command::Discovery(crate::discovery::Command::Join(vec![host(2)])));
    let [Out::Open(stream, to)] = outs[..] else { panic!("{outs:?}") };
    assert_eq!(to, host(2));
    let outs = probe.stream(stream, StreamInput::Opened);
    let hello = text(&outs, stream);
    assert!(hello.starts_with("GNUTELLA CONNECT/0.6\r\n") && hello.contains("X-Ultrapeer: False"));
    let refusal = format!("GNUTELLA/0.6 503 Full\r\nX-Try-Ultrapeers: {}, 127.0.0.1:80\r\n\r\n", host(3));
    let outs = probe.stream(stream, StreamInput::Bytes(refusal.as_bytes()));
    assert!(outs.contains(&Out::Close(stream)));
    let called: Vec<_> =
        outs.iter().filter_map(|out| if let Out::Open(_, to) = out { Some(*to) } else { None }).collect();
    assert_eq!(called, [host(3)], "and nobody on our own machine");
}

#[test]
fn a_servent_of_2000_is_answered_as_then_by_a_plain_one() {
    let mut bench = Bench::new(Role::Plain);
    bench.share(1, "brontosaurus song.ogg", None);
    let (stream, _) = bench.probe.accept(host(2));
    let asked = message(header(Kind::Query, 9, 7, 0), &query("brontosaurus"));
    let outs = bench.bytes(stream, &[b"GNUTELLA CONNECT/0.4\n\n", &asked[..]].concat());
    let bytes = written(&outs, stream);
    let rest = bytes.strip_prefix(b"GNUTELLA OK\n\n").unwrap();
    let mut kinds = Vec::new();
    let mut at = 0;
    while let Some((header, _, used)) = frame(&rest[at..]).unwrap() {
        kinds.push(header.kind);
        at += used;
    }
    assert_eq!(kinds, [Kind::Ping, Kind::QueryHit]);
    let mut ultrapeer = Bench::new(Role::Ultrapeer);
    let (stream, _) = ultrapeer.probe.accept(host(2));
    let outs = ultrapeer.bytes(stream, b"GNUTELLA CONNECT/0.4\n\n");
    assert_eq!(outs, [Out::Close(stream)]);
}

#[test]
fn a_ping_of_one_hop_is_answered_at_once_and_a_silent_link_is_pinged_and_let_go() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.linked(host(2), ULTRAPEER);
    let outs = bench.hear(stream, header(Kind::Ping, 9, 1, 0), &[]);
    let pongs = of_kind(&outs, stream, Kind::Pong);
    assert_eq!((pongs.len(), pongs[0].0.guid, pongs[0].0.ttl), (1, Guid([9; 16]), 1));
    let Message::Pong(pong) = parse(&pongs[0]) else { panic!() };
    assert_eq!((pong.address, pong.kibibytes), (identity(1).listen, 8));
    assert_eq!(pong.ultrapeer().unwrap().leaves, 200);
    let outs = bench.probe.advance(Duration::from_secs(11));
    assert_eq!(of_kind(&outs, stream, Kind::Ping).len(), 1);
    let outs = bench.probe.advance(Duration::from_secs(15));
    assert_eq!(bye(&outs, stream), Some(406));
    assert!(bench.probe.take_events().iter().any(|event| matches!(event, Event::Unlinked { .. })));
}

#[test]
fn one_who_asks_for_others_is_still_told_that_we_live() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (leaf, _) = bench.linked(host(2), LEAF);
    for ttl in [4, 1, 1, 1] {
        let outs = bench.hear(leaf, header(Kind::Ping, 9, ttl, 0), &[]);
        assert_eq!(of_kind(&outs, leaf, Kind::Pong).len(), 1, "TTL {ttl}");
    }
}

#[test]
fn pongs_are_kept_and_told_to_others_who_ask() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.linked(host(2), ULTRAPEER);
    let (other, _) = bench.linked(host(3), ULTRAPEER);
    let up = b"\xc3\x82UP\x43\x02\x10\x10";
    let mut payload = Vec::new();
    let at = identity(9).listen;
    throng_wire::gnutella::Pong { address: at, files: 5, kibibytes: 64, ggep: Ggep::take(up).unwrap().0 }
        .put(&mut payload);
    bench.hear(stream, header(Kind::Pong, 7, 3, 2), &payload);
    let outs = bench.hear(other, header(Kind::Ping, 8, 4, 0), &[]);
    let pongs = of_kind(&outs, other, Kind::Pong);
    assert_eq!(pongs.len(), 2, "its own and the one it heard");
    assert_eq!((pongs[1].0.hops, pongs[1].0.guid), (3, Guid([8; 16])));
    for _ in 0..5 {
        bench.hear(other, header(Kind::Ping, 8, 4, 0), &[]);
    }
    assert!(
        of_kind(&bench.hear(other, header(Kind::Ping, 8, 4, 0), &[]), other, Kind::Pong).is_empty(),
        "too often"
    );
}

#[test]
fn a_leaf_gets_a_push_proxy_and_is_called_back_through_it() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (leaf, first) = bench.linked(host(2), LEAF);
    assert!(of_kind(&first, leaf, Kind::Vendor).len() >= 2, "it says what it reads");
    let asks = Header { guid: identity(2).servent, ..header(Kind::Vendor, 0, 1, 0) };
    let outs = bench.hear(leaf, asks, &vendor(VendorKind::PUSH_PROXY, &[]));
    let acks = of_kind(&outs, leaf, Kind::Vendor);
    let Message::Vendor(ack) = parse(&acks[0]) else { panic!() };
    assert_eq!((ack.kind, ack.data), (VendorKind::PUSH_PROXY_ACK, &[100, 65, 0, 1, 0xca, 0x18][..]));
    let (other, _) = bench.linked(host(3), ULTRAPEER);
    let mut push = Vec::new();
    let requester = SocketAddrV4::new(Ipv4Addr::new(100, 80, 0, 1), 6346);
    Push { servent: identity(2).servent, index: 3, requester, ggep: Ggep::default() }.put(&mut push);
    let outs = bench.hear(other, header(Kind::Push, 5, 3, 1), &push);
    let passed = of_kind(&outs, leaf, Kind::Push);
    assert_eq!((passed.len(), passed[0].0.hops, &passed[0].1), (1, 2, &push));
    let outs =
        bench.hear(leaf, header(Kind::Vendor, 0, 1, 0), &vendor(VendorKind::CONNECT_BACK, &[0xca, 0x18]));
    let [Out::Open(probe, to)] = outs[..] else { panic!("{outs:?}") };
    assert_eq!(to, host(2));
    assert_eq!(
        bench.probe.stream(probe, StreamInput::Opened),
        [Out::Write(probe, b"\n\n".to_vec()), Out::Close(probe)]
    );
}

#[test]
fn a_servent_asked_to_change_its_role_says_so_and_calls_again() {
    let mut bench = Bench::new(Role::Leaf);
    let (stream, _) = bench.linked(host(2), &format!("{ULTRAPEER}Node: {}\r\n", host(2)));
    let outs = bench.probe.command(Command::Become(Role::Ultrapeer));
    assert_eq!(bye(&outs, stream), Some(203));
    assert!(bench.probe.take_events().contains(&Event::RoleChanged(Role::Ultrapeer)));
    assert!(outs.iter().any(|out| matches!(out, Out::Open(_, to) if *to == host(2))), "{outs:?}");
}

#[test]
fn leaving_says_goodbye_to_everybody() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (leaf, _) = bench.linked(host(2), LEAF);
    let (other, _) = bench.linked(host(3), ULTRAPEER);
    let outs = bench.probe.command(Command::Discovery(crate::discovery::Command::Leave));
    assert_eq!((bye(&outs, leaf), bye(&outs, other)), (Some(200), Some(200)));
    assert!(bench.probe.take_events().contains(&Event::Discovery(crate::discovery::Event::Left)));
    let (stream, outs) = bench.probe.accept(host(4));
    assert_eq!(outs, [Out::Close(stream)]);
}

/// The payloads of searches' ends that a stream was told of.
fn overs(outs: &[Out], stream: StreamId) -> Vec<(Guid, Vec<u8>)> {
    let all = of_kind(outs, stream, Kind::Vendor);
    let over = all.iter().filter_map(|message| match parse(message) {
        Message::Vendor(over) if over.kind == VendorKind::QUERY_OVER => {
            Some((message.0.guid, over.data.to_vec()))
        }
        _ => None,
    });
    over.collect()
}

#[test]
fn a_leaf_is_told_when_everybody_was_asked_if_it_knows_what_that_means() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (leaf, _) = bench.linked(host(2), LEAF);
    let (simple, _) = bench.linked(host(3), LEAF);
    let reads = VendorMessage::support(&[VendorKind::QUERY_OVER]);
    bench.hear(leaf, header(Kind::Vendor, 0, 1, 0), &vendor(VendorKind::MESSAGES_SUPPORTED, &reads));
    let (other, _) = bench.linked(host(4), ULTRAPEER);
    bench.hear(leaf, header(Kind::Query, 8, 4, 0), &query("brontosaurus"));
    bench.hear(simple, header(Kind::Query, 9, 4, 0), &query("velociraptor"));
    let outs = bench.probe.advance(Duration::from_secs(1));
    let asked = of_kind(&outs, other, Kind::Query);
    assert_eq!(asked.len(), 2, "its only ultrapeer is asked");
    let wait = Duration::from_millis(2_400) * u32::from(asked[0].0.ttl);
    assert!(overs(&bench.probe.advance(wait - Duration::from_secs(2)), leaf).is_empty(), "too early");
    let outs = bench.probe.advance(Duration::from_secs(3));
    assert_eq!(overs(&outs, leaf), [(Guid([8; 16]), vec![0, 0])]);
    assert!(overs(&outs, simple).is_empty());
}

#[test]
fn a_search_of_a_leaf_ends_when_all_its_ultrapeers_say_that_they_are_done() {
    let mut bench = Bench::new(Role::Leaf);
    let ups = [2, 3, 4].map(|number| bench.linked(host(number), ULTRAPEER).0);
    let find = crate::discovery::Query {
        words: vec!["brontosaurus".into()],
        limit: 10,
        timeout: Duration::from_secs(100),
    };
    let ticket = crate::discovery::Ticket(5);
    let outs = bench.probe.command(Command::Discovery(crate::discovery::Command::Find(ticket, find)));
    let guid = of_kind(&outs, ups[0], Kind::Query)[0].0.guid;
    let over = Header { guid, ..header(Kind::Vendor, 0, 1, 0) };
    let finished = |bench: &mut Bench| {
        let end = Event::Discovery(crate::discovery::Event::Finished(ticket));
        bench.probe.take_events().contains(&end)
    };
    let stranger = Header { guid: Guid([7; 16]), ..over };
    bench.hear(ups[0], over, &vendor(VendorKind::QUERY_OVER, &[0, 0]));
    bench.hear(ups[1], stranger, &vendor(VendorKind::QUERY_OVER, &[0, 0]));
    bench.hear(ups[0], over, &vendor(VendorKind::QUERY_OVER, &[0, 0]));
    assert!(!finished(&mut bench), "one of three");
    bench.hear(ups[1], over, &vendor(VendorKind::QUERY_OVER, &[0, 0]));
    bench.probe.stream(ups[2], StreamInput::Closed(throng_machine::StreamEnd::Broken));
    assert!(finished(&mut bench), "the third is gone");
}

#[test]
fn a_host_cache_is_asked_only_if_one_is_named_and_only_where_nobody_is_known() {
    let mut bench = Bench::new(Role::Leaf);
    let sends = |outs: &[Out]| -> Vec<(Endpoint, Vec<u8>)> {
        let sent = outs.iter().filter_map(|out| match out {
            Out::Send(to, bytes) => Some((*to, bytes.clone())),
            _ => None,
        });
        sent.collect()
    };
    assert!(sends(&bench.probe.advance(Duration::from_secs(300))).is_empty(), "nobody named one");
    let outs = bench.probe.command(Command::HostCaches(vec![host(9)]));
    let [(to, asked)] = &sends(&outs)[..] else { panic!("{outs:?}") };
    assert_eq!(*to, host(9));
    // The cache is one of ours; it has some links to tell of.
    let mut cache = Bench::new(Role::Ultrapeer);
    for number in 20..26 {
        cache.linked(host(number), &format!("{ULTRAPEER}Node: {}\r\n", host(number)));
    }
    let answer = sends(&cache.probe.datagram(host(1), asked));
    let [(_, pong)] = &answer[..] else { panic!("{answer:?}") };
    assert!(pong.len() <= asked.len(), "no more bytes than were sent");
    let forged = bench.probe.datagram(host(8), pong);
    assert!(forged.is_empty(), "from somebody who was not asked");
    let outs = bench.probe.datagram(host(9), pong);
    let called = outs.iter().filter(|out| matches!(out, Out::Open(..))).count();
    assert!(called >= 3, "{outs:?}");
    assert!(bench.probe.datagram(host(9), pong).is_empty(), "an answer counts once");
}

#[test]
fn a_query_with_the_minimum_speed_of_zero_is_answered_and_asked_on_with_flags_that_others_take() {
    let mut bench = Bench::new(Role::Ultrapeer);
    bench.share(1, "brontosaurus song.ogg", Some([7; 20]));
    let (leaf, _) = bench.linked(host(2), LEAF);
    let (other, _) = bench.linked(host(3), ULTRAPEER);
    let old = [&[0, 0][..], b"brontosaurus", &[0]].concat();
    let outs = bench.hear(leaf, header(Kind::Query, 9, 4, 0), &old);
    assert_eq!(of_kind(&outs, leaf, Kind::QueryHit).len(), 1);
    let outs = bench.probe.advance(Duration::from_secs(1));
    let asked = of_kind(&outs, other, Kind::Query);
    assert_eq!(asked[0].1[..2], [0x80, 0]);
}

#[test]
fn a_deflated_link_is_flushed_at_once_when_it_was_quiet_and_else_with_what_follows() {
    let mut bench = Bench::of(Config { deflate: true, ..config(Role::Ultrapeer) });
    let (stream, _) = bench.call(host(2), &format!("{ULTRAPEER}Accept-Encoding: deflate\r\n"));
    bench.bytes(stream, b"GNUTELLA/0.6 200 OK\r\n\r\n");
    bench.probe.advance(Duration::from_secs(1));
    let ping = |bench: &mut Bench, number| {
        written(&bench.hear(stream, header(Kind::Ping, number, 1, 0), &[]), stream).len()
    };
    assert!(ping(&mut bench, 1) > 0, "it was quiet");
    assert_eq!((ping(&mut bench, 2), ping(&mut bench, 3)), (0, 0), "these wait");
    let outs = bench.probe.advance(Duration::from_millis(50));
    assert!(!written(&outs, stream).is_empty(), "and go together");
}
