//! The captures, replayed with our client in the place of the recorded one: what servers and TekNap really sent.

use super::*;
use crate::discovery::Ticket;

/// Lines of a capture that carry bytes: from, to (without ports), bytes, comment.
fn lines(text: &str) -> Vec<(String, String, Vec<u8>, String)> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(' ')) {
        let Some((head, comment)) = line.split_once(" ; ") else { continue };
        let words: Vec<&str> = head.split_whitespace().collect();
        let name = |word: &str| word.split(':').next().unwrap_or(word).to_owned();
        let digits: Vec<u8> =
            words[4].chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if !bytes.is_empty() {
            lines.push((name(words[1]), name(words[3]), bytes, comment.to_owned()));
        }
    }
    lines
}

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/tests/captures/napster/", $name, ".txt"))
    };
}

/// What the server told `nick`, and its searches, browses and downloads, put to our client one by one.
fn replay(text: &str, nick: &str) -> (Bench, Vec<Event>) {
    let loopback = Endpoint::v4([127, 0, 0, 1], 8888);
    let mut probe = Probe::new(Client::new(Config { nick: nick.into(), ..config() }));
    let (server, _) = called(&probe.command(Command::Join(vec![loopback]))).unwrap();
    probe.stream(server, StreamInput::Opened);
    let mut bench = Bench { probe, server };
    let (mut events, mut ticket) = (Vec::new(), 0);
    for (from, to, bytes, comment) in lines(text) {
        if !comment.starts_with("type=") {
            continue;
        }
        let (frame, _) = Frame::split(&bytes, 4_096).unwrap().unwrap();
        let word = |index: usize| {
            let mut fields = throng_wire::napster::Fields::new(frame.data);
            (0..=index).map(|_| fields.next_field()).last().flatten().unwrap_or_default().to_vec()
        };
        if from == "server" && to == nick {
            bench.bytes(bench.server, &bytes);
        } else if from == nick {
            ticket += 1;
            match frame.kind {
                200 => {
                    _ = bench
                        .probe
                        .command(Command::Find(Ticket(ticket), Search::for_words(vec!["replayed".into()])))
                }
                211 => _ = bench.probe.command(Command::Browse(Ticket(ticket), loopback, word(0))),
                203 => {
                    let (id, content) = (DownloadId(ticket), ContentId(ticket));
                    let download = Download {
                        id,
                        server: loopback,
                        nick: word(0),
                        name: word(1),
                        size: None,
                        root: None,
                        content,
                        resume: None,
                        part: None,
                        magnet: false,
                    };
                    bench.probe.command(Command::Download(Box::new(download)));
                }
                _ => {}
            }
        }
        events.extend(bench.events());
    }
    (bench, events)
}

fn count(events: &[Event], fits: fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| fits(event)).count()
}

#[test]
fn a_session_with_opennap_is_understood() {
    let (bench, events) = replay(capture!("teknap-direct-opennap036"), "bob");
    assert_eq!(events[0], Event::LoggedIn(Endpoint::v4([127, 0, 0, 1], 8888), b"bob".to_vec()));
    assert!(count(&events, |event| matches!(event, Event::Motd(..))) >= 3);
    assert!(count(&events, |event| matches!(event, Event::Found(..))) >= 1);
    assert!(count(&events, |event| matches!(event, Event::Listed(..))) >= 2);
    assert!(count(&events, |event| matches!(event, Event::User(..))) >= 1);
    assert_eq!(bench.probe.machine.violations().wire, 0);
}

#[test]
fn raw_sessions_with_both_servers_are_understood_to_the_last_frame() {
    for (text, hits, listed) in
        [(capture!("raw-client-opennap036"), 29, 35), (capture!("raw-client-opennapng"), 44, 18)]
    {
        let (bench, events) = replay(text, "ben");
        assert_eq!(count(&events, |event| matches!(event, Event::Misbehaved(_, Violation::Wire(_)))), 0);
        assert_eq!(count(&events, |event| matches!(event, Event::Found(..))), hits);
        assert_eq!(count(&events, |event| matches!(event, Event::Listed(..))), listed);
        assert!(count(&events, |event| matches!(event, Event::UserCame(..) | Event::UserLeft(..))) >= 2);
        // Each of 22 searches, and the browses.
        assert!(count(&events, |event| matches!(event, Event::Finished(..))) >= 23);
        assert!(bench.probe.machine.is_online(Endpoint::v4([127, 0, 0, 1], 8888)));
    }
}

#[test]
fn the_searches_for_words_of_both_servers_bring_their_hits_and_end() {
    for (text, hits) in [(capture!("search-words-opennap036"), 13), (capture!("search-words-opennapng"), 9)] {
        let (bench, events) = replay(text, "ben");
        assert_eq!(count(&events, |event| matches!(event, Event::Found(..))), hits);
        assert_eq!(count(&events, |event| matches!(event, Event::Finished(..))), 12);
        assert_eq!(*bench.probe.machine.violations(), Violations::default());
    }
}

#[test]
fn a_queue_that_was_full_is_waited_for() {
    for nick in ["pyup", "bob"] {
        let (_, events) = replay(capture!("queue-limit-chat-opennap036"), nick);
        assert!(count(&events, |event| matches!(event, Event::Queued(..))) >= 1, "{nick}");
    }
    let (_, events) = replay(capture!("queue-limit-chat-opennap036"), "bob");
    let gone = |event: &Event| matches!(event, Event::DownloadFailed(_, DownloadError::NotAvailable, _));
    assert!(count(&events, gone) >= 1);
}

/// TekNap's side of a recorded transfer with our client in the other peer's place, segment by segment.
fn transfer(text: &str, them: &str) -> Vec<Vec<u8>> {
    let sent = lines(text)
        .into_iter()
        .filter(|(from, to, _, comment)| from == them && to != "server" && !comment.starts_with("type="));
    sent.map(|(_, _, bytes, _)| bytes).collect()
}

#[test]
fn teknap_s_answer_to_a_get_is_read() {
    let segments = transfer(capture!("teknap-direct-opennap036"), "alice");
    let mut bench = Bench::online();
    let name = b"\\srv\\x.mp3".to_vec();
    let download = Download { name, size: Some(129_148), ..super::downloads::wanted(None) };
    bench.command(Command::Download(Box::new(download)));
    let (stream, _) =
        called(&bench.hear(204, &format!("alice {} 6701 \"\\srv\\x.mp3\" 0 8", number_of(1)))).unwrap();
    let outs: Vec<Out> = segments.iter().flat_map(|segment| bench.bytes(stream, segment)).collect();
    assert!(
        outs.iter().any(|out| matches!(out, Out::Place(extent, 0) if extent.offset == 0 && extent.len == 64))
    );
    assert!(bench.events().contains(&Event::Began(DownloadId(1), 0, 129_148)));
}

#[test]
fn teknap_s_push_is_taken() {
    let segments = transfer(capture!("teknap-push-opennap036"), "alice");
    let name = segments[1].split(|byte| *byte == b'"').nth(1).expect("a name").to_vec();
    let mut bench = Bench::online();
    let download = Download { name: name.clone(), size: Some(337_292), ..super::downloads::wanted(None) };
    bench.command(Command::Download(Box::new(download)));
    let name = String::from_utf8(name).unwrap();
    assert_eq!(bench.ask(204, &format!("alice 16777343 0 \"{name}\" 0 8"))[0].0, 500);
    let (stream, _) = bench.probe.accept(peer(1));
    let outs: Vec<Out> = segments.iter().flat_map(|segment| bench.bytes(stream, segment)).collect();
    assert_eq!(written(&outs, stream), "0");
    assert!(outs.iter().any(|out| matches!(out, Out::Place(extent, 0) if extent.offset == 0)));
}

#[test]
fn teknap_s_get_in_two_segments_is_served() {
    let segments = transfer(capture!("teknap-direct-opennap036"), "bob");
    assert_eq!(segments[0], b"GET");
    let name = segments[1].split(|byte| *byte == b'"').nth(1).expect("a name").to_vec();
    let mut bench = Bench::online();
    let file = SharedFile { name: name.clone(), ..SharedFile::new(ContentId(5), "x", 129_148) };
    bench.command(Command::Share(file));
    let name = String::from_utf8(name).unwrap();
    assert_eq!(bench.ask(607, &format!("bob \"{name}\""))[0].0, 608);
    let (stream, _) = bench.probe.accept(peer(1));
    let outs: Vec<Out> = segments.iter().flat_map(|segment| bench.bytes(stream, segment)).collect();
    let size = |out: &Out| matches!(out, Out::WriteExtent(_, head, extent) if head == b"129148" && extent.offset == 0);
    assert!(outs.iter().any(size), "{outs:?}");
}
