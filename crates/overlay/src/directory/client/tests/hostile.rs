//! Servers and peers that mean ill: endless frames, wrong sizes, a byte a minute, crowds.

use super::downloads::wanted;
use super::*;

#[test]
fn a_frame_over_the_limit_ends_the_session_before_it_is_held() {
    let mut bench = Bench::online();
    let outs = bench.bytes(bench.server, &[0x01, 0x08]);
    assert!(is_closed(&outs, bench.server));
    assert!(matches!(
        bench.events()[..],
        [Event::Misbehaved(_, Violation::Wire(_)), Event::LoggedOut(_, LogoutReason::Violation, _)]
    ));
}

#[test]
fn endless_answers_nobody_asked_for_end_the_session() {
    for (kind, data) in [
        (201, "\"x\" 0 5 1 2 3 mallory 16777343 8"),
        (212, "mallory \"x\" 0 5 1 2 3"),
        (216, "mallory 16777343 1 \"x\" 0 5 8"),
        (204, "half"),
    ] {
        let mut bench = Bench::online();
        let flood = frame(kind, data).repeat(3_000);
        let outs: Vec<Out> = flood.chunks(1_000).flat_map(|part| bench.bytes(bench.server, part)).collect();
        assert!(is_closed(&outs, bench.server), "{kind}");
        let told = bench
            .events()
            .iter()
            .filter(|event| matches!(event, Event::Found(..) | Event::Listed(..)))
            .count();
        assert_eq!(told, 0);
    }
}

#[test]
fn a_search_is_answered_by_so_many_hits_and_no_more() {
    let mut bench = Bench::online();
    let search = Search { limit: 10, ..Search::for_words(vec!["x".into()]) };
    bench.command(Command::Find(crate::discovery::Ticket(1), search));
    for _ in 0..500 {
        bench.hear(201, "\"x\" 0 5 1 2 3 mallory 16777343 8");
    }
    assert_eq!(bench.events().len(), 10);
}

#[test]
fn an_uploader_of_a_byte_a_minute_is_left() {
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(wanted(Some(1_000_000)))));
    let ready = format!("alice {} 6701 \"\\srv\\Zebra Song.mp3\" 0 8", number_of(1));
    let (stream, _) = called(&bench.hear(204, &ready)).unwrap();
    bench.bytes(stream, b"1");
    bench.bytes(stream, b"1000000x");
    let mut outs = Vec::new();
    for _ in 0..3 {
        outs.extend(bench.seconds(50));
        outs.extend(bench.bytes(stream, b"y"));
    }
    assert!(is_closed(&outs, stream));
    assert!(
        bench
            .events()
            .iter()
            .any(|event| matches!(event, Event::DownloadFailed(_, DownloadError::TimedOut, _)))
    );
    assert_eq!(bench.probe.machine.violations().too_slow, 1);
}

#[test]
fn a_downloader_that_takes_a_byte_a_minute_loses_the_slot() {
    let mut bench = Bench::online();
    bench.share(5, "song.mp3", 1_000_000);
    bench.hear(607, "mallory \"music\\song.mp3\"");
    let (stream, _) = bench.probe.accept(peer(2));
    bench.bytes(stream, b"GETmallory \"music\\song.mp3\" 0");
    let mut outs = Vec::new();
    for _ in 0..3 {
        outs.extend(bench.seconds(50));
        outs.extend(bench.probe.stream(stream, StreamInput::Flushed(1)));
    }
    assert!(is_closed(&outs, stream));
    assert_eq!(bench.probe.machine.upload_load(), (0, 0));
}

#[test]
fn a_caller_who_says_nothing_half_or_nonsense_is_left() {
    let mut bench = Bench::online();
    for said in [&b""[..], b"G", b"GETa \"", b"GETLIS"] {
        let (stream, _) = bench.probe.accept(peer(2));
        bench.bytes(stream, said);
        let outs = bench.seconds(21);
        assert!(is_closed(&outs, stream), "{said:?}");
    }
    for said in [&b"HELO\r\n"[..], b"\x13BitTorrent protocol", &[b'G'; 5_000], &[0; 100]] {
        let (stream, _) = bench.probe.accept(peer(2));
        assert!(is_closed(&bench.bytes(stream, said), stream));
    }
    let (stream, _) = bench.probe.accept(peer(2));
    let mut outs = bench.bytes(stream, b"GETa \"");
    for _ in 0..5_000 {
        outs.extend(bench.bytes(stream, b"a"));
    }
    assert!(is_closed(&outs, stream), "an endless name");
}

#[test]
fn a_crowd_from_one_address_is_turned_away() {
    let mut bench = Bench::online();
    let open = (0..50).filter(|_| {
        let (stream, outs) = bench.probe.accept(peer(2));
        !is_closed(&outs, stream)
    });
    assert_eq!(open.count(), 8);
    let mut all = 8;
    for host in 10..250 {
        for _ in 0..8 {
            let (stream, outs) = bench.probe.accept(peer(host));
            all += usize::from(!is_closed(&outs, stream));
        }
    }
    assert_eq!(all, 256);
}

#[test]
fn a_list_without_end_is_cut_off() {
    let mut bench = Bench::online_with(Config { max_listed: 100, ..config() });
    bench.command(Command::BrowseDirectly(crate::discovery::Ticket(1), directory(), b"m".to_vec()));
    let (stream, _) = called(&bench.hear(641, &format!("m {} 6701", number_of(1)))).unwrap();
    bench.bytes(stream, b"1");
    let mut outs = bench.bytes(stream, b"m\n");
    for _ in 0..200 {
        outs.extend(bench.bytes(stream, b"\"x.mp3\" 0 1 1 1 1\n"));
    }
    assert!(is_closed(&outs, stream));
    let listed = bench.events().iter().filter(|event| matches!(event, Event::Listed(..))).count();
    assert_eq!(listed, 100);

    let mut bench = Bench::online();
    bench.command(Command::BrowseDirectly(crate::discovery::Ticket(1), directory(), b"m".to_vec()));
    let (stream, _) = called(&bench.hear(641, &format!("m {} 6701", number_of(1)))).unwrap();
    bench.bytes(stream, b"1");
    assert!(is_closed(&bench.bytes(stream, &[b'x'; 5_000]), stream), "a line without end");
}

#[test]
fn a_peer_that_talks_while_it_is_served_is_left() {
    let mut bench = Bench::online();
    bench.share(5, "song.mp3", 1_000_000);
    bench.hear(607, "m \"music\\song.mp3\"");
    let (stream, _) = bench.probe.accept(peer(2));
    bench.bytes(stream, b"GETm \"music\\song.mp3\" 0");
    assert!(is_closed(&bench.bytes(stream, b"GET"), stream));
    assert_eq!(bench.probe.machine.violations().out_of_turn, 1);
}

#[test]
fn a_spurious_timeout_does_nothing() {
    use throng_machine::Machine;
    let mut bench = Bench::online();
    for _ in 0..3 {
        assert_eq!(bench.probe.call(|machine, cx| machine.handle_timeout(cx)), []);
    }
}
