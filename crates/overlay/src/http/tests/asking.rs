//! What a client must do, sentence by sentence of sections 11.2, 11.3 and 11.6.

use super::*;

const SIZE: u64 = 100_000;

fn from_host_1() -> Source {
    source(host(1), &file(1, SIZE))
}

#[test]
fn a_range_is_asked_for_and_placed_where_it_belongs() {
    let mut bench = Bench::new(config(0));
    let (stream, request) = bench.asking(fetch(7, &from_host_1(), 1_000..3_000));
    assert_eq!(Target::parse(&request.path), Ok(Target::Urn(Urn::Sha1(sha1(1)))));
    for (name, value) in [
        ("Host", "100.65.0.1:6346"),
        ("Range", "bytes=1000-2999"),
        ("X-Node", "100.64.0.1:6346"),
        ("X-Queue", "1.0"),
    ] {
        assert_eq!(request.headers.find(name), Some(value));
    }
    let reply = partial(1_000, 2_999, "");
    let head = reply.len() as u32 - 2_000;
    let outs = bench.bytes(stream, &reply[..head as usize + 500]);
    assert_eq!(placed(&outs), [(1_000, 500, head)]);
    let outs = bench.bytes(stream, &reply[head as usize + 500..]);
    assert_eq!(placed(&outs), [(1_500, 1_500, 0)]);
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(7))));
}

#[test]
fn a_reply_cut_anywhere_is_placed_the_same() {
    let reply = partial(0, 99, "X-Thex-URI: x\r\n");
    for cut in 1..reply.len() {
        let mut bench = Bench::new(config(0));
        let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..100));
        let mut outs = bench.bytes(stream, &reply[..cut]);
        outs.extend(bench.bytes(stream, &reply[cut..]));
        let total: u32 = placed(&outs).iter().map(|place| place.1).sum();
        assert_eq!((total, bench.events().last()), (100, Some(&Event::Fetched(FetchId(1)))), "{cut}");
    }
}

#[test]
fn the_connection_is_kept_for_the_next_range_and_one_request_goes_ahead() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..100));
    assert_eq!(bench.command(fetch(2, &from_host_1(), 100..200)), [], "until the first reply nobody knows");
    assert_eq!(bench.command(fetch(3, &from_host_1(), 200..300)), []);
    let reply = partial(0, 99, "");
    let outs = bench.bytes(stream, &reply[..reply.len() - 1]);
    let ahead = requests(&outs, stream);
    assert_eq!(ahead.len(), 1);
    assert_eq!(ahead[0].headers.find("Range"), Some("bytes=100-199"));
    assert_eq!(ahead[0].headers.find("User-Agent"), None, "said already");
    let outs = bench.bytes(stream, &[&reply[reply.len() - 1..], &partial(100, 199, "")[..]].concat());
    assert_eq!(requests(&outs, stream).len(), 1);
    bench.bytes(stream, &partial(200, 299, ""));
    let done = bench.events().into_iter().filter(|event| matches!(event, Event::Fetched(_))).count();
    assert_eq!(done, 3);
    let outs = bench.seconds(30);
    assert_eq!(outs, []);
    let outs = bench.command(fetch(4, &from_host_1(), 300..400));
    assert_eq!((requests(&outs, stream).len(), called(&outs)), (1, None));
}

#[test]
fn who_gives_less_is_asked_for_the_rest() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..1_000));
    bench.command(fetch(2, &from_host_1(), 1_000..1_100));
    let mut outs = bench.bytes(stream, &partial(0, 399, ""));
    outs.extend(bench.bytes(stream, &partial(1_000, 1_099, "")));
    let ranges: Vec<_> = requests(&outs, stream)
        .iter()
        .map(|request| request.headers.find("Range").unwrap().to_owned())
        .collect();
    assert_eq!(ranges, ["bytes=1000-1099", "bytes=400-999"]);
    bench.bytes(stream, &partial(400, 999, ""));
    let done: Vec<_> =
        bench.events().into_iter().filter(|event| matches!(event, Event::Fetched(_))).collect();
    assert_eq!(done, [Event::Fetched(FetchId(2)), Event::Fetched(FetchId(1))]);
}

#[test]
fn what_the_source_says_of_the_file_is_told_once() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10));
    let tree = file(1, SIZE).tiger.unwrap();
    let more = format!(
        "Server: S/1\r\nX-Thex-URI: {}\r\nX-Magnet: magnet:?xt=a\r\nX-Alt: 100.66.0.1:5, 10.0.0.1\r\nX-NAlt: 100.67.0.1\r\n",
        throng_wire::http::thex_uri(&sha1(1), &tree.root)
    );
    bench.bytes(stream, &partial(0, 9, &more));
    let description = Description {
        size: Some(SIZE),
        tiger_root: Some(tree.root),
        magnet: Some("magnet:?xt=a".into()),
        available: None,
        agent: Some("S/1".into()),
    };
    let others = Alternates {
        good: vec![host(2).with_port(5), Endpoint::v4([10, 0, 0, 1], 6346)],
        bad: vec![host(3)],
        firewalled: Vec::new(),
    };
    let events = bench.events();
    assert_eq!(
        events,
        [
            Event::Described(FetchId(1), Box::new(description)),
            Event::Alternates(FetchId(1), Box::new(others)),
            Event::Fetched(FetchId(1))
        ]
    );
}

#[test]
fn who_shares_what_it_fetches_names_itself_once_it_has_some_of_it() {
    let mut bench = Bench::new(config(0));
    let parts = |part: Option<std::ops::Range<u64>>| Some(part.into_iter().collect::<Vec<_>>());
    bench.command(Command::Share(Box::new(Shared { available: parts(None), ..file(1, SIZE) })));
    let (stream, asked) = bench.asking(fetch(1, &from_host_1(), 0..10));
    assert_eq!(asked.headers.find("X-Alt"), None, "it has none of it");
    bench.bytes(stream, &partial(0, 9, ""));
    bench.command(Command::SetAvailable(ContentId(1), parts(Some(0..10))));
    let outs = bench.command(fetch(2, &from_host_1(), 10..20));
    let asked = String::from_utf8_lossy(&written(&outs, stream)).into_owned();
    assert!(asked.contains("X-Alt: 100.64.0.1\r\n"), "{asked}");
}

#[test]
fn refusals_are_told_apart() {
    for (status, error) in [
        ("404 Not Found", FetchError::NotFound),
        ("410 Gone", FetchError::NotFound),
        ("416 Not yet", FetchError::NotAvailable),
        ("403 No", FetchError::Refused(403)),
        ("301 Elsewhere", FetchError::Refused(301)),
        ("429 Banned", FetchError::Refused(429)),
    ] {
        let mut bench = Bench::new(config(0));
        let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10));
        let outs = bench.text(
            stream,
            &format!("HTTP/1.1 {status}\r\nLocation: http://100.66.0.1/\r\nContent-Length: 3\r\n\r\nno!"),
        );
        assert_eq!((called(&outs), is_closed(&outs, stream)), (None, false), "{status}");
        assert!(bench.events().contains(&Event::FetchFailed(FetchId(1), error, 0)), "{status}");
        // And the connection is good for another file.
        let outs = bench.command(fetch(2, &from_host_1(), 0..10));
        assert_eq!(requests(&outs, stream).len(), 1);
    }
}

#[test]
fn a_place_in_the_queue_is_kept_on_the_line() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10));
    let id = "6983f7526311099bc2862896870aff47";
    let busy = format!(
        "HTTP/1.1 503 Queued (slot 3, ETA: 5m)\r\nRetry-After: 60\r\nX-Queued: position=3; ID={id}\r\nContent-Length: 0\r\n\r\n"
    );
    bench.text(stream, &busy);
    let wait = Duration::from_secs(61);
    assert!(bench.events().contains(&Event::FetchQueued(FetchId(1), Some(3), wait)));
    assert_eq!(bench.seconds(60), [], "not too early");
    let outs = bench.seconds(1);
    let again = requests(&outs, stream).remove(0);
    assert_eq!(again.headers.find("X-Queued"), Some(format!("position=0; ID={id}").as_str()));
    bench.bytes(stream, &partial(0, 9, ""));
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
}

#[test]
fn a_place_in_the_queue_is_kept_without_the_line_and_a_call_ends_the_wait() {
    let id = "6983f7526311099bc2862896870aff47";
    let busy = format!(
        "HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nX-Queued: position=1; ID={id}\r\nConnection: close\r\n\r\n"
    );
    for by_call in [true, false] {
        let mut bench = Bench::new(config(0));
        let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10));
        let outs = bench.text(stream, &busy);
        assert!(is_closed(&outs, stream));
        let (stream, outs) = if by_call {
            let stranger = bench.accept(2);
            let outs = bench.text(stranger, &format!("QUEUE {id} 100.65.0.1:6346\r\n"));
            assert!(is_closed(&outs, stranger), "from another address");
            let stream = bench.accept(1);
            (stream, bench.text(stream, &format!("QUEUE {id} 100.65.0.1:6346\r\n")))
        } else {
            let (stream, to) = called(&bench.seconds(62)).expect("a call");
            assert_eq!(to, host(1));
            (stream, bench.open(stream))
        };
        assert!(requests(&outs, stream)[0].headers.find("X-Queued").is_some_and(|value| value.contains(id)));
        bench.bytes(stream, &partial(0, 9, ""));
        assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
    }
}

#[test]
fn a_wait_that_cannot_be_borne_is_a_failure() {
    let mut bench = Bench::new(Config { max_waits: 2, ..config(0) });
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10));
    bench.text(stream, "HTTP/1.1 503 Busy\r\nRetry-After: 100000\r\nContent-Length: 0\r\n\r\n");
    let wait = Duration::from_secs(100_001);
    assert_eq!(bench.events().last(), Some(&Event::FetchFailed(FetchId(1), FetchError::TooBusy(wait), 0)));
    bench.command(fetch(2, &from_host_1(), 0..10));
    for _ in 0..2 {
        bench.text(stream, "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
        bench.seconds(2);
    }
    assert!(matches!(bench.events().last(), Some(Event::FetchFailed(FetchId(2), FetchError::TooBusy(_), 0))));
}

#[test]
fn a_kept_connection_closed_under_a_request_is_made_anew_once() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..10));
    bench.bytes(stream, &partial(0, 9, ""));
    bench.command(fetch(2, &from_host_1(), 10..20));
    let (again, _) = called(&bench.close(stream)).expect("a call");
    bench.open(again);
    bench.events();
    bench.close(again);
    assert_eq!(bench.events(), [Event::FetchFailed(FetchId(2), FetchError::Interrupted, 0)]);
    assert_eq!(bench.probe.machine.load(), (0, 0, 0));
}

#[test]
fn a_lost_connection_says_how_much_came() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..1_000));
    let reply = partial(0, 999, "");
    bench.bytes(stream, &reply[..reply.len() - 300]);
    bench.close(stream);
    assert_eq!(bench.events().last(), Some(&Event::FetchFailed(FetchId(1), FetchError::Interrupted, 700)));
}

#[test]
fn who_does_not_answer_is_given_up() {
    let mut bench = Bench::new(config(0));
    let outs = bench.command(fetch(1, &from_host_1(), 0..10));
    let (stream, _) = called(&outs).unwrap();
    assert!(is_closed(&bench.seconds(20), stream));
    assert_eq!(bench.events(), [Event::FetchFailed(FetchId(1), FetchError::Unreachable, 0)]);
    let (stream, _) = bench.asking(fetch(2, &from_host_1(), 0..10));
    assert!(is_closed(&bench.seconds(60), stream));
    assert_eq!(bench.events(), [Event::FetchFailed(FetchId(2), FetchError::TimedOut, 0)]);
    assert_eq!(bench.probe.machine.load(), (0, 0, 0));
}

#[test]
fn nobody_is_called_more_than_five_times_a_minute() {
    let mut bench = Bench::new(config(0));
    let mut calls = 0;
    for id in 0..20 {
        let outs = bench.command(fetch(id, &from_host_1(), 0..10));
        if let Some((stream, _)) = called(&outs) {
            calls += 1;
            bench.probe.stream(stream, StreamInput::Closed(StreamEnd::Refused));
        }
    }
    assert_eq!(calls, 5);
    assert!(called(&bench.seconds(61)).is_some(), "but later they are");
}

#[test]
fn what_is_cancelled_is_heard_of_no_more() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..1_000));
    bench.command(fetch(2, &from_host_1(), 1_000..2_000));
    // The second is not asked for yet, the first is.
    assert_eq!(bench.command(Command::Cancel(FetchId(2))), []);
    let outs = bench.command(Command::Cancel(FetchId(1)));
    assert!(is_closed(&outs, stream));
    assert_eq!((bench.events(), bench.probe.machine.load()), (vec![], (0, 0, 0)));
    let (stream, _) = bench.asking(fetch(3, &from_host_1(), 0..10));
    let outs = bench.command(Command::Release(SourceId(1)));
    assert!(is_closed(&outs, stream));
    assert_eq!(bench.probe.machine.load(), (0, 0, 0));
}

#[test]
fn an_old_server_that_closes_after_each_reply_is_called_again() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..1_000));
    let outs = bench.bytes(stream, &partial(0, 499, "Connection: close\r\n"));
    assert!(is_closed(&outs, stream));
    let (stream, _) = called(&outs).expect("a call for the rest");
    let outs = bench.open(stream);
    assert_eq!(requests(&outs, stream)[0].headers.find("Range"), Some("bytes=500-999"));
    bench.bytes(stream, &partial(500, 999, ""));
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
}

#[test]
fn all_of_a_small_file_may_come_without_a_range() {
    let mut bench = Bench::new(config(0));
    let small = Source { size: Some(100), ..from_host_1() };
    let (stream, _) = bench.asking(fetch(1, &small, 0..100));
    let body = "x".repeat(100);
    bench.text(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{body}"));
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
}

#[test]
fn the_simulators_blank_bytes_are_counted() {
    let mut bench = Bench::new(config(0));
    let (stream, _) = bench.asking(fetch(1, &from_host_1(), 0..1_000));
    let reply = partial(0, 999, "");
    bench.bytes(stream, &reply[..reply.len() - 1_000]);
    let outs = bench.probe.stream(stream, StreamInput::Blank(1_000));
    assert_eq!(placed(&outs), [(0, 1_000, 0)]);
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
}
