//! What gtk-gnutella and mldonkey really sent: their requests are served, their replies are taken.

use super::*;

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../../../wire/tests/captures/", $name, ".txt"))
    };
}

/// Sender and bytes of each data line.
fn lines(capture: &str) -> impl Iterator<Item = (&str, Vec<u8>)> {
    capture.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (head, _) = line.split_once(" ; ").unwrap_or((line, ""));
        let words: Vec<&str> = head.split_whitespace().collect();
        let hex = words.last().filter(|hex| **hex != "-" && words.len() == 5)?;
        let digits: Option<Vec<u8>> =
            hex.bytes().map(|digit| (digit as char).to_digit(16).map(|d| d as u8)).collect();
        Some((words[1], digits?.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
    })
}

/// A file as large as the one that was recorded, under its hash.
fn shared(hash: &str, size: u64) -> Shared {
    let sha1 = Urn::parse(format!("urn:sha1:{hash}").as_bytes()).unwrap().sha1();
    Shared { sha1, tiger: None, ft_hash: Some(ft_hash()), ..Shared { size, ..file(3, 10) } }
}

fn ft_hash() -> [u8; 20] {
    let Ok(Target::FtHash(hash)) = Target::parse("/.hash=bffaf5d21f373443b7a3a7722bbbf2d715d92199") else {
        panic!("a hash")
    };
    hash
}

#[test]
fn gtk_gnutellas_ranges_are_served_as_its_own_kind_served_them() {
    let mut bench = Bench::new(config(0));
    bench.command(Command::Share(Box::new(shared("HUKJNK3CJK5KOAENCWVAMLOHXYDV2AMA", 3_158_073))));
    let stream = bench.accept(1);
    let mut count = 0;
    for (from, bytes) in lines(capture!("gnutella/http-download-ranges")) {
        if from != "leafB:39749" || !bytes.starts_with(b"GET ") {
            continue;
        }
        let outs = bench.bytes(stream, &bytes);
        let reply = replies(&outs, stream).remove(0);
        let asked = Request::parse(&bytes)
            .unwrap()
            .unwrap()
            .0
            .headers
            .find("Range")
            .unwrap()
            .replace("bytes=", "bytes ");
        assert_eq!(
            (reply.code, reply.headers.find("Content-Range")),
            (206, Some(format!("{asked}/3158073").as_str()))
        );
        bench.flush(stream);
        count += 1;
    }
    assert_eq!(count, 5);
    assert_eq!(*bench.probe.machine.violations(), Violations::default());
}

#[test]
fn mldonkeys_ranges_are_served_on_one_connection() {
    let mut bench = Bench::new(config(0));
    bench.command(Command::Share(Box::new(shared("HUKJNK3CJK5KOAENCWVAMLOHXYDV2AMA", 5_242_979))));
    let stream = bench.accept(1);
    let mut count = 0;
    for (_, bytes) in
        lines(capture!("fasttrack/mldonkey-http-download")).filter(|line| line.1.starts_with(b"GET "))
    {
        let reply = {
            let outs = bench.bytes(stream, &bytes);
            assert!(!is_closed(&outs, stream));
            replies(&outs, stream).remove(0)
        };
        assert!(reply.code == 206 && reply.headers.find("Content-Range").is_some());
        bench.flush(stream);
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn gtk_gnutellas_replies_are_taken_and_its_cap_is_met_by_asking_on() {
    let whole = shared("HUKJNK3CJK5KOAENCWVAMLOHXYDV2AMA", 3_158_073);
    let recorded: Vec<Vec<u8>> = lines(capture!("gnutella/http-download-ranges"))
        .filter(|(from, bytes)| *from == "ultraA:6346" && bytes.starts_with(b"HTTP/1.1 206"))
        .map(|line| line.1)
        .collect();
    let mut bench = Bench::new(config(0));
    // As it was: 1 MiB asked for, 512 KiB given.
    let (stream, _) = bench.asking(fetch(1, &source(host(1), &whole), 0..1 << 20));
    bench.bytes(stream, &recorded[0]);
    let outs = bench.bytes(stream, &vec![7; 524_288]);
    assert_eq!(requests(&outs, stream)[0].headers.find("Range"), Some("bytes=524288-1048575"));
    // Its id for our place is said again.
    let said = requests(&outs, stream)[0].headers.find("X-Queued").map(str::to_owned);
    assert_eq!(said.as_deref(), Some("position=0; ID=6983f7526311099bc2862896870aff47"));
    let last = recorded.iter().find(|reply| String::from_utf8_lossy(reply).contains("bytes 524288-1048575/"));
    bench.bytes(stream, last.unwrap());
    bench.bytes(stream, &vec![7; 524_288]);
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
}

#[test]
fn gtk_gnutellas_probed_replies_are_understood() {
    let whole = shared("HUKJNK3CJK5KOAENCWVAMLOHXYDV2AMA", 3_158_073);
    let mut outcomes = Vec::new();
    for (_, reply) in lines(capture!("gnutella/http-probes")).filter(|line| line.1.starts_with(b"HTTP/")) {
        let mut bench = Bench::new(config(0));
        let (stream, _) = bench.asking(fetch(1, &source(host(1), &whole), 0..16));
        bench.bytes(stream, &reply);
        bench.bytes(stream, &[7; 16]);
        let events = bench.events();
        let over = |event: &&Event| matches!(event, Event::Fetched(_) | Event::FetchFailed(..));
        outcomes.push(match events.iter().find(over) {
            Some(Event::Fetched(_)) => "fetched",
            Some(Event::FetchFailed(_, FetchError::NotFound, _)) => "not found",
            // Other bytes than 0 to 15: a whole head, the last byte, 512 KiB.
            Some(Event::FetchFailed(_, FetchError::Violation, _)) => "violation",
            other => panic!("{other:?}"),
        });
    }
    let count = |what: &str| outcomes.iter().filter(|outcome| **outcome == what).count();
    assert_eq!((count("fetched"), count("not found"), count("violation")), (5, 2, 3));
}

#[test]
fn gtk_gnutellas_giv_and_queue_are_answered() {
    let servent = Guid::from_hex(b"ebb73102dcdecc7b66c5dc8512472af5").unwrap();
    let wall = Source {
        address: None,
        push: Some(PushBy::Servent { servent, index: 0, proxies: Vec::new() }),
        ..source(host(1), &shared("GO3DOP65ELBMOALTG6LEG7ARJKZLOKOU", 1_500_000))
    };
    let recorded: Vec<Vec<u8>> = lines(capture!("gnutella/push-giv")).map(|line| line.1).collect();
    let giv = recorded.iter().find(|bytes| bytes.starts_with(b"GIV ")).unwrap();
    let mut bench = Bench::new(config(0));
    bench.command(fetch(1, &wall, 0..524_288));
    let (first, second) = (bench.accept(1), bench.accept(1));
    let outs = bench.bytes(first, giv);
    assert_eq!(requests(&outs, first).len(), 1);
    assert!(is_closed(&bench.bytes(second, giv), second), "it calls twice");
    bench.bytes(first, recorded.iter().find(|bytes| bytes.starts_with(b"HTTP/1.1 206")).unwrap());
    bench.bytes(first, &vec![7; 524_288]);
    assert_eq!(bench.events().last(), Some(&Event::Fetched(FetchId(1))));
    // QUEUE after all is over: nobody waits.
    let queue = lines(capture!("gnutella/http-download-ranges"))
        .find(|line| line.1.starts_with(b"QUEUE "))
        .unwrap()
        .1;
    let late = bench.accept(1);
    assert!(is_closed(&bench.bytes(late, &queue), late));
}

#[test]
fn gtk_gnutellas_push_proxy_requests_are_passed_on() {
    let mut bench = Bench::serving();
    let mut passed = 0;
    for (_, bytes) in lines(capture!("gnutella/push-proxy-http")).filter(|line| line.1.starts_with(b"GET ")) {
        // The recorded client's address.
        let (stream, _) = bench.probe.accept(Endpoint::v4([100, 66, 0, 3], 40_000));
        bench.bytes(stream, &bytes);
        passed += bench.events().iter().filter(|event| matches!(event, Event::PushProxyAsked(..))).count();
        bench.command(Command::PushPassed(stream, true));
    }
    assert_eq!(passed, 3, "not those without an address, or with that of another");
}
