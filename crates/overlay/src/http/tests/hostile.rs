//! Peers that mean ill: endless heads, lies about lengths, other files, bad trees, a byte a minute, crowds.

use super::*;

const SIZE: u64 = 100_000;

fn from_host_1() -> Source {
    source(host(1), &file(1, SIZE))
}

/// What becomes of a fetch of bytes 0 to 99 that is answered so.
fn answered(head: &str) -> (Vec<Event>, Vec<Out>, Violations) {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..100));
    let outs = bench.text(stream, &format!("{head}\r\n\r\n{}", "x".repeat(1_000)));
    assert!(is_closed(&outs, stream), "{head}");
    let events = bench.events();
    assert_eq!(bench.probe.machine.load(), (0, 0, 0));
    (events, outs, *bench.probe.machine.violations())
}

#[test]
fn lies_about_lengths_place_nothing() {
    for head in [
        "HTTP/1.1 206 P\r\nContent-Range: bytes 0-999/100000\r\nContent-Length: 1000",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 1-99/100000\r\nContent-Length: 99",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 0-99/100000\r\nContent-Length: 1000",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 0-99/100000\r\nContent-Length: 100\r\nContent-Length: 99",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 99-0/100000\r\nContent-Length: 100",
        "HTTP/1.1 206 P\r\nContent-Length: 100",
        "HTTP/1.1 206 P\r\nContent-Range: nonsense\r\nContent-Length: 100",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615",
        "HTTP/1.1 200 OK\r\nConnection: close",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 0-99/100000\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 0-99/100000\r\nContent-Encoding: deflate",
    ] {
        let (events, outs, violations) = answered(head);
        assert_eq!(placed(&outs), [], "{head}");
        assert!(
            events.iter().any(|event| matches!(
                event,
                Event::FetchFailed(_, FetchError::Violation | FetchError::AnotherFile, 0)
            )),
            "{head}: {events:?}"
        );
        assert!(violations.mismatch == 1 || head.contains("1844"), "{head}");
    }
}

#[test]
fn another_file_under_the_name_is_refused() {
    let other = Urn::Sha1(sha1(2));
    for head in [
        "HTTP/1.1 206 P\r\nContent-Range: bytes 0-99/99999\r\nContent-Length: 100".to_owned(),
        format!("HTTP/1.1 206 P\r\nContent-Range: bytes 0-99/100000\r\nX-Gnutella-Content-URN: {other}"),
    ] {
        let (events, outs, _) = answered(&head);
        assert_eq!(placed(&outs), []);
        assert!(events.contains(&Event::FetchFailed(FetchId(1), FetchError::AnotherFile, 0)), "{head}");
    }
}

#[test]
fn replies_that_are_none_end_the_connection() {
    for bytes in
        [b"SSH-2.0-x\r\n\r\n".to_vec(), vec![b'a'; 40_000], b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_vec()]
    {
        let mut bench = Bench::new(config(0));
        let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..100));
        let outs = bench.bytes(stream, &bytes);
        assert!(is_closed(&outs, stream));
        assert!(bench.events().contains(&Event::FetchFailed(FetchId(1), FetchError::Violation, 0)));
        assert_eq!(bench.probe.machine.violations().wire, 1);
    }
}

#[test]
fn heads_without_end_are_cut_short() {
    for endless in [vec![b'a'; 100], b"X: y\r\n".repeat(20), b"\r\n".to_vec()] {
        let mut bench = Bench::serving();
        let stream = bench.accept(1);
        let mut outs = bench.text(stream, "GET / HTTP/1.1\r\nA: ");
        let mut fed = 0;
        while !is_closed(&outs, stream) {
            outs = bench.bytes(stream, &endless);
            fed += endless.len();
            if endless == b"\r\n" {
                // An end: answered, and all that follows is passed over until it is too much.
                break;
            }
            assert!(fed <= 40_000);
        }
    }
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    let outs = bench.bytes(stream, &vec![b'\n'; 20_000]);
    assert!(is_closed(&outs, stream), "a call that says nothing");
}

#[test]
fn a_flood_of_requests_that_nobody_reads_is_not_answered() {
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    let flood = "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n".repeat(500);
    let (mut answers, mut closed) = (0, false);
    for _ in 0..100 {
        let outs = bench.text(stream, &flood);
        answers += written(&outs, stream).len();
        closed |= is_closed(&outs, stream);
    }
    assert!(closed && answers < 100_000, "{answers} bytes of answers");
}

#[test]
fn a_downloader_that_takes_a_byte_a_minute_loses_the_slot() {
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    bench.text(stream, &get(""));
    let mut outs = Vec::new();
    for _ in 0..3 {
        outs.extend(bench.seconds(59));
        outs.extend(bench.probe.stream(stream, StreamInput::Flushed(1)));
    }
    assert!(is_closed(&outs, stream));
    assert_eq!(bench.probe.machine.upload_load().0, 0);
    assert_eq!(bench.probe.machine.violations().too_slow, 1);
}

#[test]
fn an_uploader_of_a_byte_a_minute_is_left() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10_000));
    let reply = partial(0, 9_999, "");
    let start = reply.len() - 10_000;
    let mut outs = bench.bytes(stream, &reply[..start]);
    for at in 0..4 {
        outs.extend(bench.seconds(50));
        outs.extend(bench.bytes(stream, &reply[start + at..=start + at]));
    }
    assert!(is_closed(&outs, stream));
    assert!(
        bench.events().iter().any(|event| matches!(event, Event::FetchFailed(_, FetchError::TimedOut, _)))
    );
}

#[test]
fn a_crowd_from_one_address_is_kept_out() {
    let mut bench = Bench::serving();
    for _ in 0..8 {
        bench.accept(1);
    }
    let (stream, outs) = bench.probe.accept(host(1));
    assert!(is_closed(&outs, stream));
    assert_eq!(bench.probe.machine.violations().crowd, 1);
    bench.accept(2);
}

#[test]
fn trees_that_are_none_are_refused() {
    let shared = file(1, 1_000_000);
    let tree = shared.tiger.clone().unwrap();
    let good = throng_wire::gnutella::thex::encode(shared.size, &tree.level, &"0".repeat(36));
    let mut wrong = good.clone();
    *wrong.last_mut().unwrap() ^= 1;
    for (body, fails) in
        [(good.clone(), false), (wrong, true), (good[..200].to_vec(), true), (Vec::new(), true)]
    {
        let mut bench = Bench::new(config(0));
        let command = FetchTree {
            id: FetchId(1),
            source: SourceId(1),
            from: source(host(1), &shared),
            root: tree.root,
        };
        let (stream, request) = bench.asking(Command::FetchTree(Box::new(command)));
        assert!(request.path.starts_with("/uri-res/N2X?"));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        bench.bytes(stream, &[head.as_bytes(), &body].concat());
        let failed = Event::FetchFailed(FetchId(1), FetchError::BadTree, 0);
        let came = Event::TreeFetched(
            FetchId(1),
            tree.level.to_vec(),
            height_of(shared.size) - depth_for(shared.size),
        );
        assert_eq!(bench.events(), [if fails { failed } else { came }]);
    }
    let mut bench = Bench::new(config(0));
    let command =
        FetchTree { id: FetchId(1), source: SourceId(1), from: source(host(1), &shared), root: tree.root };
    let (stream, _) = bench.asking(Command::FetchTree(Box::new(command)));
    let outs = bench.text(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    assert!(is_closed(&outs, stream), "too large before a byte of it came");
}

#[test]
fn bytes_nobody_asked_for_end_the_connection() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10));
    bench.bytes(stream, &partial(0, 9, ""));
    let outs = bench.bytes(stream, &partial(0, 9, ""));
    assert!(is_closed(&outs, stream) && placed(&outs).is_empty());
    assert_eq!(bench.probe.machine.violations().out_of_turn, 1);
}

#[test]
fn a_list_of_chunks_without_end_is_bounded() {
    let mut bench = Bench::new(Config { max_list: 10_000, max_tree: 10_000, ..config(0) });
    let (stream, _) = bench.asking(Command::Browse(FetchId(1), SourceId(1), host(1)));
    bench.text(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1_024));
    let closed = (0..20).any(|_| is_closed(&bench.text(stream, &chunk), stream));
    assert!(closed && bench.probe.machine.violations().body == 1);
    assert!(bench.events().contains(&Event::FetchFailed(FetchId(1), FetchError::Violation, 0)));
}

#[test]
fn more_fetches_than_there_is_room_for_are_refused() {
    let mut bench = Bench::new(Config { max_fetches: 10, ..config(0) });
    for id in 0..20 {
        bench.command(fetch(id, &from_host_1(), 0..10));
    }
    let refused = bench
        .events()
        .iter()
        .filter(|event| matches!(event, Event::FetchFailed(_, FetchError::Busy, 0)))
        .count();
    assert_eq!(refused, 10);
    for broken in [fetch(50, &from_host_1(), 10..10), fetch(51, &from_host_1(), 0..SIZE + 1)] {
        bench.command(broken);
        assert!(matches!(bench.events()[..], [Event::FetchFailed(_, FetchError::Busy, 0)]));
    }
}
