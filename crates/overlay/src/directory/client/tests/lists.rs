//! Direct browsing (640 to 642, GETLIST, SENDLIST).

use super::*;
use crate::discovery::{Refusal, Ticket};

const TICKET: Ticket = Ticket(4);

fn browse(bench: &mut Bench) {
    let told = bench.command(Command::BrowseDirectly(TICKET, directory(), b"alice".to_vec()));
    assert_eq!(told, [(640, "alice".into())]);
}

fn listed(events: &[Event]) -> Vec<String> {
    let names = events.iter().filter_map(|event| match event {
        Event::Listed(TICKET, file) => Some(String::from_utf8_lossy(&file.name).into_owned()),
        _ => None,
    });
    names.collect()
}

const LIST: &[u8] =
    b"SENDLIST\nalice\n\"\\srv\\a b.mp3\" NOMD5COMPUTED 129148 128 44100 8\n\"\\srv\\c.mp3\" 0 1 1 1 1\n\n";

#[test]
fn a_list_is_asked_for_without_a_line_end_and_read_in_any_pieces() {
    for size in [1, 7, 50, LIST.len()] {
        let mut bench = Bench::online();
        browse(&mut bench);
        let (stream, to) = called(&bench.hear(641, &format!("alice {} 6701", number_of(1)))).unwrap();
        assert_eq!(to, peer(1));
        assert_eq!(written(&bench.bytes(stream, b"1"), stream), "GETLIST");
        let outs: Vec<Out> = LIST.chunks(size).flat_map(|part| bench.bytes(stream, part)).collect();
        assert!(is_closed(&outs, stream));
        let events = bench.events();
        assert_eq!(listed(&events), ["\\srv\\a b.mp3", "\\srv\\c.mp3"]);
        assert_eq!(events.last(), Some(&Event::Finished(TICKET)));
    }
}

#[test]
fn a_firewalled_user_brings_the_list() {
    for opening in [&b"SENDLIST alice\n"[..], b"SENDLIST\nalice\n"] {
        let mut bench = Bench::online();
        browse(&mut bench);
        assert_eq!(bench.hear(641, "alice 16777343 0"), [], "they will call");
        let (stream, _) = bench.probe.accept(peer(1));
        bench.bytes(stream, &[opening, b"\"x.mp3\" 0 1 1 1 1\n"].concat());
        assert!(is_closed(&bench.bytes(stream, b"\n"), stream));
        let events = bench.events();
        assert_eq!((listed(&events), events.last()), (vec!["x.mp3".into()], Some(&Event::Finished(TICKET))));
    }
    let mut bench = Bench::online();
    let (stream, _) = bench.probe.accept(peer(1));
    assert!(is_closed(&bench.bytes(stream, b"SENDLIST alice\n"), stream), "nobody asked");
}

#[test]
fn refusals_silence_and_early_ends_end_a_browse() {
    let ends: [fn(&mut Bench); 5] = [
        |bench| _ = bench.hear(642, "alice \"alice is not sharing any files.\""),
        |bench| _ = bench.hear(404, "user alice is not a known user"),
        |bench| _ = bench.seconds(61),
        |bench| _ = bench.hear(641, "alice 16777343 22"),
        |bench| _ = bench.close(bench.server),
    ];
    for end in ends {
        let mut bench = Bench::online();
        browse(&mut bench);
        end(&mut bench);
        assert!(bench.events().contains(&Event::Finished(TICKET)));
    }
    let mut probe = Probe::new(Client::new(config()));
    probe.command(Command::BrowseDirectly(TICKET, directory(), b"alice".to_vec()));
    assert_eq!(probe.take_events(), [Event::Refused(TICKET, Refusal::NotJoined)]);
}

#[test]
fn a_cancelled_browse_hangs_up() {
    let mut bench = Bench::online();
    browse(&mut bench);
    let (stream, _) = called(&bench.hear(641, &format!("alice {} 6701", number_of(1)))).unwrap();
    bench.bytes(stream, b"1");
    assert!(is_closed(&bench.probe.command(Command::Cancel(TICKET)), stream));
    assert_eq!(bench.events(), [Event::Finished(TICKET)]);
}

#[test]
fn our_list_is_given_to_who_asks_as_fast_as_it_is_taken() {
    let mut bench = Bench::online();
    for content in 0..2_000 {
        bench.share(content, &format!("{content}.mp3"), 5);
    }
    let (stream, _) = bench.probe.accept(peer(2));
    bench.probe.stream(stream, StreamInput::Flushed(1));
    // GETLIST may be the beginning of GET and a nick LIST: a moment shows.
    assert_eq!(bench.bytes(stream, b"GETLIST"), []);
    let mut outs = bench.probe.advance(Duration::from_millis(400));
    let first = written(&outs, stream);
    assert!(first.starts_with("bob\n\"music\\0.mp3\" 0 5 0 0 0\n") && first.len() < 40_000);
    // TekNap's late line feed does no harm.
    outs.extend(bench.bytes(stream, b"\n"));
    for _ in 0..10 {
        outs.extend(bench.probe.stream(stream, StreamInput::Flushed(32 << 10)));
    }
    let all = written(&outs, stream);
    assert!(all.ends_with("\n\n") && all.matches(".mp3\"").count() == 2_000 && is_closed(&outs, stream));
    // With a line end there is no doubt.
    let (stream, _) = bench.probe.accept(peer(2));
    assert!(written(&bench.bytes(stream, b"GETLIST\n"), stream).starts_with("bob\n"));
}

#[test]
fn who_does_not_want_to_be_listed_is_not() {
    let mut bench = Bench::online_with(Config { browsable: false, ..config() });
    assert_eq!(bench.ask(640, "alice"), []);
    let (stream, _) = bench.probe.accept(peer(2));
    assert_eq!(written(&bench.bytes(stream, b"GETLIST\n"), stream), "INVALID REQUEST");
}

#[test]
fn an_order_to_bring_the_list_is_followed_only_by_who_cannot_be_called() {
    let order = format!("alice {} 6701", number_of(2));
    let mut bench = Bench::online();
    assert_eq!(bench.ask(640, "alice"), [(641, "alice".into())]);
    assert_eq!(bench.hear(640, &order), [], "we have a port");
    let mut bench = Bench::online_with(Config { data_port: 0, ..config() });
    let (stream, to) = called(&bench.hear(640, &order)).unwrap();
    assert_eq!(to, peer(2));
    let outs = bench.bytes(stream, b"1");
    assert_eq!(written(&outs, stream), "SENDLIST bob\n\n");
    let calls = (0..50).filter(|_| called(&bench.hear(640, &order)).is_some()).count();
    assert_eq!(calls, 5, "six a minute");
}
