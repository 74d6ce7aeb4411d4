//! The captures, replayed with our servent in the place of a recorded one: what gtk-gnutella 1.2.3 really sent.

use super::*;
use crate::discovery::{self, Ticket};
use std::time::Duration;

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/tests/captures/gnutella/", $name, ".txt"))
    };
}

/// A line of a capture that carries bytes.
struct Line {
    from: String,
    to: String,
    bytes: Vec<u8>,
    comment: String,
}

/// Lines of TCP with bytes, in order.
fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(' ')) {
        let Some((head, comment)) = line.split_once(" ; ") else { continue };
        let words: Vec<&str> = head.split_whitespace().collect();
        let name = |word: &str| word.split(':').next().unwrap_or(word).to_owned();
        let digits: Vec<u8> =
            words[4].chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if !bytes.is_empty() && !comment.starts_with("UDP") {
            lines.push(Line { from: name(words[1]), to: name(words[3]), bytes, comment: comment.to_owned() });
        }
    }
    lines
}

/// Where the recorded servents were.
fn place(name: &str) -> Endpoint {
    let number =
        ["ultraA", "leafB", "leafC", "ultraD"].iter().position(|known| *known == name).unwrap() as u8;
    Endpoint::v4([100, 64 + number, 0, number + 1], 6346)
}

#[test]
fn the_recorded_leaf_is_taken_answered_and_found_by_our_ultrapeer() {
    let mut bench = Bench::new(Role::Ultrapeer);
    bench.share(3, "brontosaurus_sample_song.mp3", Some([7; 20]));
    let (stream, _) = bench.probe.accept(place("leafB"));
    let mut outs = Vec::new();
    for line in
        lines(capture!("leaf-link-plain")).iter().filter(|line| line.from == "leafB" && line.to == "ultraA")
    {
        if line.comment.contains("connect-back") {
            continue;
        }
        outs.extend(bench.bytes(stream, &line.bytes));
        assert!(!outs.contains(&Out::Close(stream)), "closed at: {}", line.comment);
    }
    let violations: Vec<_> = bench.probe.machine.violations().iter().collect();
    assert!(violations.is_empty(), "{violations:?}");
    let (block, rest) = first_block(&written(&outs, stream));
    assert_eq!(block.headers.find("X-Dynamic-Querying"), Some("0.1"), "a gtk-gnutella leaf asks for it");
    assert!(block.headers.find("X-Degree").unwrap().parse::<u32>().unwrap() >= 16);
    let outs = [Out::Write(stream, rest)];
    let hits = of_kind(&outs, stream, Kind::QueryHit);
    let Message::QueryHit(hit) = parse(&hits[0]) else { panic!() };
    assert_eq!(hit.records().next().unwrap().sha1(), Some([7; 20]));
    assert_eq!(of_kind(&outs, stream, Kind::Pong).len(), 1);
    let acks = of_kind(&outs, stream, Kind::Vendor);
    assert!(acks.iter().any(|(_, payload)| payload.starts_with(b"LIME\x16\0\x02\0")), "push proxy");
    // Its table was taken: 1-bit patches as well.
    let status = bench.probe.machine.status(bench.probe.now);
    assert_eq!(status.links[0].agent.split('/').next(), Some("gtk-gnutella"));
    assert!(status.links[0].table.is_some_and(|(present, of)| present > 0 && of == 16_384));
}

#[test]
fn our_leaf_reads_what_the_recorded_ultrapeer_said_and_is_told_its_hits() {
    let mut probe = Probe::new(Servent::new(Arc::new(config(Role::Leaf)), identity(1)));
    let outs = probe.command(Command::Discovery(discovery::Command::Join(vec![place("ultraA")])));
    let [Out::Open(stream, _)] = outs[..] else { panic!("{outs:?}") };
    probe.stream(stream, StreamInput::Opened);
    let query = discovery::Query {
        words: vec!["brontosaurus".into(), "song".into()],
        limit: 5,
        timeout: Duration::from_secs(60),
    };
    probe.command(Command::Discovery(discovery::Command::Find(Ticket(1), query)));
    let mut outs = Vec::new();
    for line in
        lines(capture!("leaf-link-plain")).iter().filter(|line| line.from == "ultraA" && line.to == "leafB")
    {
        if line.comment.contains("connect-back") {
            continue;
        }
        let mut bytes = line.bytes.clone();
        if bytes.get(16) == Some(&0x81) && line.comment.contains("HIT") {
            // The hit answers our query instead of the recorded one.
            let sent = rest_of(&outs, stream);
            let asked = of_kind(&[Out::Write(stream, sent)], stream, Kind::Query);
            bytes[..16].copy_from_slice(&asked[0].0.guid.0);
        }
        outs.extend(probe.stream(stream, StreamInput::Bytes(&bytes)));
        assert!(!outs.contains(&Out::Close(stream)), "closed at: {}", line.comment);
    }
    let events = probe.take_events();
    assert!(events.contains(&Event::Discovery(discovery::Event::Joined)));
    let found: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Discovery(discovery::Event::Found { item, source, .. }) => Some((item, source)),
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let (item, source) = found[0];
    assert_eq!((item.title.as_str(), item.size), ("brontosaurus_sample_song.mp3", 3_158_073));
    assert!(item.sha1.is_some_and(|sha1| sha1.starts_with(&[0x3d, 0x14, 0x96])) && item.tiger.is_some());
    assert!(
        matches!(source, discovery::Source::Gnutella { at, index: 3, firewalled: false, .. } if *at == place("ultraA"))
    );
    let sent = [Out::Write(stream, rest_of(&outs, stream))];
    assert!(of_kind(&sent, stream, Kind::Qrp).len() >= 2, "reset and patch");
    assert_eq!(of_kind(&sent, stream, Kind::Query).len(), 1);
}

/// What was sent after the third block.
fn rest_of(outs: &[Out], stream: StreamId) -> Vec<u8> {
    first_block(&written(outs, stream)).1
}

#[test]
fn the_recorded_ultrapeer_links_with_ours_and_is_answered() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (stream, _) = bench.probe.accept(place("ultraD"));
    let mut outs = Vec::new();
    for line in lines(capture!("ultrapeer-link-plain"))
        .iter()
        .filter(|line| line.from == "ultraD" && line.to == "ultraA")
    {
        if line.comment.contains("connect-back") {
            continue;
        }
        outs.extend(bench.bytes(stream, &line.bytes));
        assert!(!outs.contains(&Out::Close(stream)), "closed at: {}", line.comment);
    }
    let sent = [Out::Write(stream, rest_of(&outs, stream))];
    assert!(of_kind(&sent, stream, Kind::Qrp).len() >= 2 && !of_kind(&sent, stream, Kind::Pong).is_empty());
    let known: Vec<_> =
        bench.probe.machine.violations().iter().filter(|(what, _)| *what != Violation::UnaskedHit).collect();
    assert!(known.is_empty(), "{known:?}");
    assert_eq!(bench.probe.machine.links(Role::Ultrapeer), 1);
}

#[test]
fn a_recorded_deflated_stream_is_read_message_by_message_however_it_is_cut() {
    for cut in [1, 7, 1_000] {
        let mut bench = Bench::of(Config { deflate: true, ..config(Role::Ultrapeer) });
        let (stream, _) = bench.call(place("leafC"), &format!("{LEAF}Accept-Encoding: deflate\r\n"));
        for line in lines(capture!("deflate-stream")) {
            for piece in line.bytes.chunks(cut) {
                let outs = bench.bytes(stream, piece);
                assert!(!outs.contains(&Out::Close(stream)), "{}", line.comment);
            }
        }
        let received = bench.probe.machine.metrics().received;
        assert!(received.of(Kind::Qrp) == 2 && received.of(Kind::QueryHit) >= 1, "{received:?}");
    }
}
