//! The captures replayed: every recorded head is read and written the same, every path and header value understood.

use super::*;
use crate::gnutella::{Guid, Urn, thex};
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use std::net::SocketAddrV4;

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../tests/captures/", $name, ".txt"))
    };
}

/// The bytes of each data line, and its comment.
fn lines(capture: &str) -> impl Iterator<Item = (Vec<u8>, &str)> {
    capture.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (head, comment) = line.split_once(" ; ").unwrap_or((line, ""));
        let hex = head.split_whitespace().last().filter(|hex| *hex != "-")?;
        Some((HEXLOWER.decode(hex.as_bytes()).ok()?, comment))
    })
}

const CAPTURES: [&str; 7] = [
    capture!("gnutella/http-probes"),
    capture!("gnutella/http-download-ranges"),
    capture!("gnutella/push-giv"),
    capture!("gnutella/push-proxy-http"),
    capture!("gnutella/browse-host"),
    capture!("fasttrack/mldonkey-http-download"),
    capture!("fasttrack/mldonkey-http-upload-dead"),
];

fn requests() -> Vec<Request> {
    let all = CAPTURES.iter().flat_map(|capture| lines(capture));
    let found = all.filter(|(bytes, _)| bytes.starts_with(b"GET ") || bytes.starts_with(b"HEAD "));
    found.map(|(bytes, _)| Request::parse(&bytes).unwrap().unwrap().0).collect()
}

fn replies() -> Vec<Reply> {
    let all = CAPTURES.iter().flat_map(|capture| lines(capture));
    let found = all.filter(|(bytes, _)| bytes.starts_with(b"HTTP/"));
    found.map(|(bytes, _)| Reply::parse(&bytes).unwrap().unwrap().0).collect()
}

#[test]
fn every_recorded_head_is_read_and_written_the_same() {
    let (mut requests, mut replies) = (0, 0);
    for (bytes, comment) in CAPTURES.iter().flat_map(|capture| lines(capture)) {
        let mut again = Vec::new();
        if bytes.starts_with(b"GET ") || bytes.starts_with(b"HEAD ") {
            let (request, used) = Request::parse(&bytes).unwrap().unwrap();
            request.encode(&mut again);
            assert_eq!(used, bytes.len(), "{comment}");
            requests += 1;
        } else if bytes.starts_with(b"HTTP/") {
            let (reply, used) = Reply::parse(&bytes).unwrap().unwrap();
            reply.encode(&mut again);
            assert!(used <= bytes.len(), "{comment}");
            again.extend_from_slice(&bytes[used..]);
            replies += 1;
        } else {
            continue;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(":  ", ": ");
        assert_eq!(text(&again), text(&bytes), "{comment}");
    }
    assert!(requests >= 30 && replies >= 28, "{requests} requests, {replies} replies");
}

#[test]
fn every_recorded_path_names_something_and_is_written_the_same() {
    let mut kinds = [0; 7];
    for request in requests() {
        let target = match Target::parse(&request.path) {
            Ok(target) => target,
            Err(error) => {
                assert!(error == TargetError::Malformed && request.path.contains("ServerID"), "{error}");
                continue;
            }
        };
        let kind = match &target {
            Target::Urn(Urn::Sha1(_)) => 0,
            Target::Urn(_) => 1,
            Target::Tree(_) => 2,
            Target::Indexed { index: 3, .. } => 3,
            Target::FtHash(_) => 4,
            Target::List => 5,
            Target::PushProxy { .. } => 6,
            Target::Indexed { .. } => panic!("{}", request.path),
        };
        kinds[kind] += 1;
        let again = target.to_string();
        assert_eq!(Target::parse(&again), Ok(target));
        assert!(kind == 6 || again == request.path, "{again}");
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}

#[test]
fn recorded_header_values_are_understood() {
    for reply in replies() {
        assert!(reply.content_length().is_ok());
        let length = reply.content_length().unwrap();
        if let Some(value) = reply.headers.find("Content-Range") {
            let range = ContentRange::parse(value).unwrap();
            assert_eq!((range.to_string(), Some(range.len())), (value.to_owned(), length));
        }
        if let Some(value) = reply.headers.find("X-Thex-URI") {
            let (path, root) = parse_thex_uri(value).unwrap();
            let Ok(Target::Tree(Urn::Sha1(sha1))) = Target::parse(path) else { panic!("{path}") };
            assert_eq!(thex_uri(&sha1, &root), value);
        }
        if let Some(value) = reply.headers.find("X-Queued") {
            let queued = Queued::parse(value);
            assert_eq!((queued.to_string(), queued.position), (value.to_owned(), None));
        }
        if let Some(value) = reply.headers.find("X-KazaaTag") {
            assert_eq!(parse_tag(value).unwrap().0, 3);
        }
    }
    let alternates: Vec<_> =
        requests().iter().filter_map(|request| request.headers.find("X-Alt").map(parse_locations)).collect();
    assert!(alternates.len() >= 5 && alternates.iter().all(|found| found.len() == 1));
    assert_eq!(alternates[0][0].to_string(), "100.65.0.2:6346");
    assert_eq!(write_locations(&alternates[0]), "100.65.0.2");
}

#[test]
fn recorded_calls_of_uploaders_are_understood() {
    let all: Vec<Vec<u8>> = CAPTURES.iter().flat_map(|capture| lines(capture)).map(|line| line.0).collect();
    let giv = all.iter().find(|bytes| bytes.starts_with(b"GIV ")).unwrap();
    let servent = Guid::from_hex(b"ebb73102dcdecc7b66c5dc8512472af5").unwrap();
    let opening = Opening::Giv { index: 0, servent, name: b"file" };
    // One byte is left: the second line feed, which is passed over before a reply.
    assert_eq!(Opening::parse(giv), Ok(Some((opening, giv.len() - 1))));
    let queue = all.iter().find(|bytes| bytes.starts_with(b"QUEUE ")).unwrap();
    let id = QueueId::parse("6983f7526311099bc2862896870aff47").unwrap();
    let opening = Opening::Queue { id, at: Some("100.64.0.1:6346".parse().unwrap()) };
    assert_eq!(Opening::parse(queue), Ok(Some((opening, queue.len()))));
    for bytes in [giv, queue] {
        let mut again = Vec::new();
        Opening::parse(bytes).unwrap().unwrap().0.encode(&mut again);
        assert_eq!(&again, bytes);
    }
    assert_eq!(Opening::parse(b"GIVE 4253679545\r\n"), Ok(Some((Opening::Give(4_253_679_545), 17))));
    for (bytes, spoken) in [
        (&b"GE"[..], None),
        (b"GET /", Some(true)),
        (b"GIV", None),
        (b"GIVE 1", Some(true)),
        (b"GNUTELLA", Some(false)),
        (b"", None),
        (b"\x13Bit", Some(false)),
    ] {
        assert_eq!(Opening::is_spoken(bytes), spoken);
    }
}

#[test]
fn mldonkeys_requests_are_read() {
    let first = requests().into_iter().find(|request| request.path.starts_with("/.hash=")).unwrap();
    // HTTP/1.0 with Keep-Alive said twice.
    assert_eq!((first.minor, first.keeps_alive(), first.has_body()), (0, true, false));
    let range = parse_range(first.headers.find("range").unwrap());
    assert_eq!(range, Some(ByteRange::From(4_194_384, Some(4_456_527))));
    let spaces = b"GET /get/7/two words and HTTP/ too.mp3 HTTP/1.1\r\nHost: a\r\n\r\n";
    let (request, _) = Request::parse(spaces).unwrap().unwrap();
    let named = Target::Indexed { index: 7, name: b"two words and HTTP/ too.mp3".to_vec() };
    assert_eq!(Target::parse(&request.path), Ok(named));
    let old = "/get/7/two%20words.mp3/";
    let named = Target::Indexed { index: 7, name: b"two words.mp3".to_vec() };
    assert_eq!(Target::parse(old), Ok(named));
}

#[test]
fn a_recorded_listing_comes_out_of_its_chunks() {
    let parts: Vec<Vec<u8>> = lines(capture!("gnutella/browse-host")).map(|line| line.0).collect();
    let start = parts.iter().position(|bytes| bytes == b"293\r\n").unwrap();
    let body = parts[start..start + 3].concat();
    for step in [1, 2, 7, body.len()] {
        let (mut chunks, mut out) = (Chunks::default(), Vec::new());
        let mut ended = false;
        for mut part in body.chunks(step) {
            while let Chunk::Data(data) = chunks.next(&mut part).unwrap() {
                out.extend_from_slice(data);
            }
            ended = chunks.next(&mut part) == Ok(Chunk::End);
        }
        assert!(ended && out == parts[start + 1], "{step}");
    }
    for broken in ["x\r\n", "5\r\nabcdefg\r\n", "\r\n", "ffffffffffffffffff\r\n", &"1".repeat(100)] {
        let (mut chunks, mut bytes) = (Chunks::default(), broken.as_bytes());
        let outcome = std::iter::repeat_with(|| chunks.next(&mut bytes)).take(3).find(Result::is_err);
        assert!(outcome.is_some(), "{broken}");
    }
}

#[test]
fn a_recorded_tree_is_read() {
    let root = replies().iter().find_map(|reply| {
        parse_thex_uri(reply.headers.find("X-Thex-URI")?)
            .filter(|_| reply.headers.find("Content-Range").is_some_and(|range| range.ends_with("/3158073")))
            .map(|(_, root)| root)
    });
    let body: Vec<u8> = lines(capture!("gnutella/thex-body")).flat_map(|line| line.0).collect();
    let start = body.windows(2).position(|two| two == [0x0c, 0x10]).unwrap();
    let (level, _) = thex::decode(&body[start..], 3_158_073, &root.unwrap()).unwrap();
    assert_eq!(level.len(), 13);
}

#[test]
fn heads_without_end_or_with_a_thousand_lines_are_refused() {
    let endless = [b"GET /".to_vec(), vec![b'a'; MAX_HEAD]].concat();
    assert_eq!(Request::parse(&endless), Err(HttpError::TooLong));
    let many = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(1_000));
    assert_eq!(Request::parse(many.as_bytes()), Err(HttpError::TooLong));
    assert_eq!(Reply::parse(&vec![b'\n'; MAX_HEAD]), Err(HttpError::TooLong));
    for broken in
        ["GNUTELLA CONNECT/0.6\r\n\r\n", "GET /\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n"]
    {
        assert_eq!(Request::parse(broken.as_bytes()), Err(HttpError::NotHttp), "{broken}");
    }
    for broken in ["HTTP/1.1 twenty OK\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n"] {
        assert_eq!(Reply::parse(broken.as_bytes()), Err(HttpError::NotHttp), "{broken}");
    }
    assert_eq!(Reply::parse(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), Err(HttpError::Malformed));
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let reply =
        |lines: &str| Reply::parse(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes()).unwrap().unwrap().0;
    assert_eq!(reply("Content-Length: 5\r\nContent-Length: 5\r\n").content_length(), Ok(Some(5)));
    let broken = reply("Content-Length: 5\r\nContent-Length: 6\r\n");
    assert_eq!(broken.content_length(), Err(HttpError::Malformed));
    assert_eq!(reply("Content-Length: -5\r\n").content_length(), Err(HttpError::Malformed));
    for value in
        ["bytes 5-4/10", "bytes 0-10/10", "bytes 0-/10", "0-1/2", "bytes", "bytes 0-18446744073709551615/*"]
    {
        assert_eq!(ContentRange::parse(value), None, "{value}");
    }
}

#[test]
fn paths_that_climb_name_nothing() {
    for path in [
        "/../../etc/passwd",
        "/get/../../etc/passwd",
        "/etc/passwd",
        "/get/7",
        "/uri-res/N2Q?urn:sha1:A",
        "*",
        "",
    ] {
        assert!(Target::parse(path).is_err(), "{path}");
    }
    // Only a name: it is compared with that of the file, and opens nothing.
    let named = Target::Indexed { index: 7, name: b"../../etc/passwd".to_vec() };
    assert_eq!(Target::parse("/get/7/..%2f../etc/passwd"), Ok(named));
}

#[test]
fn lists_of_locations_are_bounded_and_skip_what_is_none() {
    let found = parse_locations("tls=8, 1.2.3.4, 5.6.7.8:99, nonsense, [::1]:5, 9.9.9.9:70000");
    assert_eq!(write_locations(&found), "1.2.3.4, 5.6.7.8:99");
    assert_eq!(parse_locations(&"1.2.3.4,".repeat(1_000)).len(), 32);
    let old = "http://1.2.3.4:99/uri-res/N2R?urn:sha1:A 2003-01-01T00:00Z";
    assert_eq!(parse_old_location(old), Some("1.2.3.4:99".parse::<SocketAddrV4>().unwrap()));
    let value = "ebb73102dcdecc7b66c5dc8512472af5;1.2.3.4:5;6.7.8.9:10";
    let found = parse_firewalled(&format!("{value}, 00000000000000000000000000000000;1.1.1.1:1, x"));
    assert_eq!((found.len(), found[0].proxies.len()), (1, 2));
    assert_eq!(write_firewalled(&found), value);
}

#[test]
fn places_in_queues_are_read_in_any_order() {
    let queued =
        Queued::parse("id=6983F7526311099BC2862896870AFF47;Position=3; lifetime=90s; length=x; eta=12");
    let id = QueueId::parse("6983f7526311099bc2862896870aff47");
    assert_eq!(queued, Queued { id, position: Some(3), length: None, lifetime: Some(90), eta: Some(12) });
    assert_eq!(Queued::parse(&queued.to_string()), queued);
    let old = OldQueue::parse("position=2,length=5,limit=4,pollMin=45,pollMax=120");
    assert_eq!(old, Some(OldQueue { position: 2, poll_min: 45, poll_max: 120 }));
    assert_eq!((OldQueue::parse("1.1"), OldQueue::parse("0.1")), (None, None));
}

#[test]
fn ranges_of_partial_files_survive() {
    let ranges = [0..100, 200..300];
    assert_eq!(write_available(&ranges), "bytes 0-99,200-299");
    assert_eq!(parse_available("bytes 0-99, 200-299"), ranges);
    assert_eq!(parse_available("bytes=5-4,7-7,x,9-9,0-18446744073709551615"), [7..8, 9..10]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for start in [&b""[..], b"GET /get/1/", b"GET / HTTP/1.1\r\nRange: ", b"HTTP/1.1 206 x\r\nContent-Range: bytes "] {
            let whole = [start, &bytes[..], b"\r\n\r\n"].concat();
            if let Ok(Some((request, _))) = Request::parse(&whole) {
                let _ = Target::parse(&request.path);
            }
            if let Ok(Some((reply, _))) = Reply::parse(&whole) {
                let _ = (reply.content_length(), reply.headers.find("Content-Range").map(ContentRange::parse));
            }
            let _ = Opening::parse(&whole);
        }
    }

    #[test]
    fn any_name_survives_escaping(name in ".{0,40}") {
        prop_assume!(!name.ends_with('/'));
        let target = Target::Indexed { index: 4, name: name.clone().into_bytes() };
        let path = format!("/get/4/{}", escape(&name));
        prop_assert!(path.is_ascii() && !path.contains(' '));
        prop_assert_eq!(Target::parse(&path), Ok(target.clone()));
        prop_assert_eq!(Target::parse(&target.to_string()), Ok(target));
    }
}
