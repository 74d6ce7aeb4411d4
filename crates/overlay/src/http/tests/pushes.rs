//! Calls instead of being called: GIV, GIVE, push proxies (11.8, 11.9; 9 of FastTrack's).

use super::*;
use throng_machine::Machine as _;

fn behind_a_wall(push: PushBy) -> Source {
    Source { address: None, push: Some(push), ..source(host(1), &file(1, 100_000)) }
}

/// The number with which a call was wanted.
fn wanted(bench: &mut Bench, by: &PushBy) -> u32 {
    match &bench.events()[..] {
        [Event::PushWanted(FetchId(1), way, number)] if way == by => *number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_source_that_calls_is_asked_on_that_connection() {
    let mut bench = Bench::new(config(0));
    assert_eq!(bench.command(fetch(1, &behind_a_wall(by_servent(1)), 0..10)), []);
    wanted(&mut bench, &by_servent(1));
    let stranger = bench.accept(2);
    let outs = bench.text(stranger, &format!("GIV 0:{}/file\n\n", servent(2).hex()));
    assert!(is_closed(&outs, stranger) && bench.probe.machine.violations().unasked == 1);
    bench.events();
    let stream = bench.accept(1);
    let giv = format!("GIV 7:{}/any name\n", servent(1).hex());
    let outs = bench.text(stream, &giv);
    assert_eq!(requests(&outs, stream)[0].headers.find("Range"), Some("bytes=0-9"));
    assert_eq!(bench.text(stream, "\n"), [], "the second line end may come late");
    bench.bytes(stream, &partial(0, 9, ""));
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
    // The second call for the same push is not needed.
    let second = bench.accept(1);
    assert!(is_closed(&bench.text(second, &giv), second));
}

#[test]
fn a_fasttrack_source_says_the_number_that_we_chose() {
    let mut bench = Bench::new(config(0));
    bench.command(fetch(1, &behind_a_wall(by_number()), 0..10));
    let number = wanted(&mut bench, &by_number());
    let wrong = bench.accept(2);
    assert!(is_closed(&bench.text(wrong, &format!("GIVE {}\r\n", number ^ 1)), wrong));
    let stream = bench.accept(1);
    let outs = bench.text(stream, &format!("GIVE {number}\r\n"));
    assert_eq!(requests(&outs, stream).len(), 1);
}

#[test]
fn a_source_that_does_not_call_is_asked_twice_and_given_up() {
    let mut bench = Bench::new(config(0));
    bench.command(fetch(1, &behind_a_wall(by_servent(1)), 0..10));
    wanted(&mut bench, &by_servent(1));
    bench.seconds(60);
    wanted(&mut bench, &by_servent(1));
    bench.seconds(60);
    assert_eq!(bench.events(), [Event::FetchFailed(FetchId(1), FetchError::NotPushed, 0)]);
    assert_eq!(bench.probe.machine.load(), (0, 0, 0));
}

#[test]
fn a_source_that_cannot_be_called_is_asked_to_call() {
    let mut bench = Bench::new(config(0));
    let both = Source { address: Some(host(1)), ..behind_a_wall(by_servent(1)) };
    let (stream, _) = called(&bench.command(fetch(1, &both, 0..10))).unwrap();
    bench.probe.stream(stream, StreamInput::Closed(StreamEnd::Refused));
    wanted(&mut bench, &by_servent(1));
    bench.command(Command::Cancel(FetchId(1)));
    assert_eq!((bench.probe.machine.load(), bench.probe.machine.poll_timeout()), ((0, 0, 0), None));
}

#[test]
fn we_call_with_a_file_and_serve_it() {
    let mut bench = Bench::serving();
    let outs = bench.command(Command::CallWith(host(3), 5));
    let (stream, to) = called(&outs).unwrap();
    assert_eq!((to, bench.command(Command::CallWith(host(3), 5))), (host(3), vec![]), "pushed by two ways");
    let outs = bench.open(stream);
    let said = written(&outs, stream);
    assert_eq!(said, format!("GIV 5:{}/file\n\n", servent(0).hex().to_lowercase()).into_bytes());
    let reply = bench.ask(stream, &get("Range: bytes=0-9\r\n"));
    assert_eq!((reply.code, reply.headers.find("X-Host")), (206, Some("100.64.0.1:6346")));
    let outs = bench.command(Command::CallWithNumber(host(4), 4_253_679_545));
    let (stream, _) = called(&outs).unwrap();
    let outs = bench.open(stream);
    assert_eq!(written(&outs, stream), b"GIVE 4253679545\r\n");
}

#[test]
fn pushes_call_nobody_without_bound() {
    let mut bench = Bench::serving();
    let mut calls = 0;
    for _ in 0..50 {
        if let Some((stream, _)) = called(&bench.command(Command::CallWith(host(3), 5))) {
            calls += 1;
            bench.probe.stream(stream, StreamInput::Closed(StreamEnd::Refused));
        }
    }
    assert_eq!((calls, bench.events()), (5, vec![]));
    for to in [Endpoint::v4([224, 0, 0, 1], 80), host(4).with_port(0)] {
        assert_eq!(bench.command(Command::CallWith(to, 5)), []);
    }
}

#[test]
fn a_push_is_passed_on_for_who_asks_for_themselves() {
    let asks =
        format!("GET /gnutella/push-proxy?ServerId={}&file=3 HTTP/1.1\r\nHost: h\r\n", servent(9).base32());
    for passed in [true, false] {
        let mut bench = Bench::serving();
        let stream = bench.accept(1);
        assert_eq!(bench.text(stream, &format!("{asks}X-Node: 100.65.0.1:6399\r\n\r\n")), []);
        let wanted = Event::PushProxyAsked(stream, servent(9), 3, host(1).with_port(6399));
        assert_eq!(bench.events(), [wanted]);
        let outs = bench.command(Command::PushPassed(stream, passed));
        assert_eq!(replies(&outs, stream)[0].code, if passed { 202 } else { 410 });
        assert!(is_closed(&outs, stream));
    }
    for (more, code) in [("", 400), ("X-Node: 100.66.0.1:6399\r\n", 403), ("X-Node: 100.65.0.1:0\r\n", 400)] {
        let mut bench = Bench::serving();
        let stream = bench.accept(1);
        let outs = bench.text(stream, &format!("{asks}{more}\r\n"));
        assert_eq!((replies(&outs, stream)[0].code, is_closed(&outs, stream)), (code, true), "{more}");
        assert!(!bench.events().iter().any(|event| matches!(event, Event::PushProxyAsked(..))));
    }
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    bench.text(stream, &format!("{asks}X-Node: 100.65.0.1:6399\r\n\r\n"));
    let outs = bench.seconds(20);
    assert_eq!((replies(&outs, stream)[0].code, is_closed(&outs, stream)), (410, true), "nobody knows");
}
