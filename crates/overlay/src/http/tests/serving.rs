//! What a server must say, sentence by sentence of sections 11.1 to 11.5 and 8.

use super::*;

#[test]
fn a_file_is_served_by_hash_by_number_and_by_ft_hash() {
    for path in [
        format!("/uri-res/N2R?{}", Urn::Sha1(sha1(1))),
        format!("/URI-RES/n2r?{}", Urn::Sha1(sha1(1)).to_string().to_lowercase()),
        "/get/1/file%201%20%3Ca%3E.mp3".to_owned(),
        "/get/1/file 1 <a>.mp3".to_owned(),
        format!("/.hash={}", "fe".repeat(20)),
    ] {
        let mut bench = Bench::serving();
        let stream = bench.accept(1);
        let outs =
            bench.text(stream, &format!("GET {path} HTTP/1.1\r\nHost: h\r\nRange: bytes=10-29\r\n\r\n"));
        let reply = replies(&outs, stream).remove(0);
        assert_eq!(
            (reply.code, reply.headers.find("Content-Range")),
            (206, Some("bytes 10-29/100000")),
            "{path}"
        );
        assert_eq!(reply.content_length(), Ok(Some(20)));
        let sent: Vec<_> = outs.iter().filter(|out| matches!(out, Out::WriteExtent(..))).collect();
        assert!(
            matches!(sent[..], [Out::WriteExtent(_, _, extent)] if (extent.content, extent.offset, extent.len) == (ContentId(1), 10, 20))
        );
        bench.flush(stream);
        let to = host(1).with_port(40_000);
        assert_eq!(
            bench.events(),
            [Event::Uploading(ContentId(1), to, 10..30), Event::Uploaded(ContentId(1), to, 10..30)]
        );
    }
}

#[test]
fn the_first_reply_of_a_connection_says_all_and_later_ones_little() {
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    let reply = bench.ask(stream, &get("Range: bytes=0-9\r\n"));
    let tree = file(1, 100_000).tiger.unwrap();
    let expected = [
        ("X-Gnutella-Content-URN", Urn::Sha1(sha1(1)).to_string()),
        ("X-Thex-URI", throng_wire::http::thex_uri(&sha1(1), &tree.root)),
        ("X-Magnet", file(1, 100_000).magnet.unwrap()),
        ("Content-Disposition", "inline; filename*=\"utf-8'en'file%201%20%3Ca%3E.mp3\"".to_owned()),
    ];
    for (name, value) in &expected {
        assert_eq!(reply.headers.find(name), Some(value.as_str()));
    }
    bench.flush(stream);
    let reply = bench.ask(stream, &get("Range: bytes=10-19\r\n"));
    assert!(expected.iter().all(|(name, _)| reply.headers.find(name).is_none()));
    assert!(reply.keeps_alive());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    let three = [get("Range: bytes=0-9\r\n"), get("Range: bytes=50-59\r\n"), get("Range: bytes=20-29\r\n")];
    let mut outs = bench.text(stream, &three.concat());
    assert_eq!(replies(&outs, stream).len(), 1, "the next one waits until the first has left");
    outs.extend(bench.flush(stream));
    let ranges: Vec<String> = replies(&outs, stream)
        .iter()
        .map(|reply| reply.headers.find("Content-Range").unwrap().to_owned())
        .collect();
    assert_eq!(ranges, ["bytes 0-9/100000", "bytes 50-59/100000", "bytes 20-29/100000"]);
}

#[test]
fn requests_cut_anywhere_are_understood() {
    let text = get("Range: bytes=5-5\r\n");
    for cut in 1..text.len() {
        let mut bench = Bench::serving();
        let stream = bench.accept(1);
        let mut outs = bench.text(stream, &text[..cut]);
        outs.extend(bench.text(stream, &text[cut..]));
        assert_eq!(replies(&outs, stream)[0].code, 206, "{cut}");
    }
}

#[test]
fn what_is_not_there_is_not_found_and_the_connection_stays() {
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    for (path, code) in [
        (format!("/uri-res/N2R?{}", Urn::Sha1(sha1(2))), 404),
        ("/get/1/other.mp3".into(), 404),
        ("/get/2/file%201%20%3Ca%3E.mp3".into(), 404),
        ("/get/1/../../etc/passwd".into(), 404),
        ("/../../etc/passwd".into(), 404),
        (format!("/.hash={}", "00".repeat(20)), 404),
        ("/.hash=xyz".into(), 400),
        ("/uri-res/N2R?urn:sha1:short".into(), 400),
        (format!("/uri-res/N2X?{}", Urn::Sha1(sha1(2))), 404),
        (
            format!(
                "/uri-res/N2R?urn:bitprint:{}.{}",
                throng_wire::gnutella::base32(&sha1(1)),
                "A".repeat(39)
            ),
            404,
        ),
    ] {
        let reply = bench.ask(stream, &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((reply.code, reply.content_length()), (code, Ok(Some(0))), "{path}");
    }
    assert_eq!(bench.ask(stream, &get("Range: bytes=0-0\r\n")).code, 206);
}

#[test]
fn requests_that_are_none_of_ours_are_refused() {
    for (text, code, kept) in [
        ("GET / HTTP/1.1\r\n\r\n", 400, true),
        ("GET /x HTTP/1.1\r\nHost: h\r\n\r\nPOST / HTTP/1.1\r\nHost: h\r\n\r\n", 501, false),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 403, false),
        ("HEAD /nothing HTTP/1.0\r\n\r\n", 404, false),
    ] {
        let mut bench = Bench::serving();
        let stream = bench.accept(1);
        let outs = bench.text(stream, text);
        assert_eq!(replies(&outs, stream).last().unwrap().code, code, "{text}");
        assert_eq!(is_closed(&outs, stream), !kept, "{text}");
    }
}

#[test]
fn ranges_are_cut_to_the_file_or_refused() {
    for (range, code, told) in [
        ("bytes=99990-", 206, Some("bytes 99990-99999/100000")),
        ("bytes=-5", 206, Some("bytes 99995-99999/100000")),
        ("bytes=99990-200000", 206, Some("bytes 99990-99999/100000")),
        ("bytes=1-2,5-9", 206, Some("bytes 1-2/100000")),
        ("bytes=100000-", 416, Some("bytes */100000")),
        ("bytes=9-5", 400, None),
        ("lines=1-2", 400, None),
    ] {
        let mut bench = Bench::serving();
        let stream = bench.accept(1);
        let reply = bench.ask(stream, &get(&format!("Range: {range}\r\n")));
        assert_eq!((reply.code, reply.headers.find("Content-Range")), (code, told), "{range}");
    }
}

#[test]
fn a_head_and_an_empty_file_have_no_body() {
    let mut bench = Bench::serving();
    bench.command(Command::Share(Box::new(file(2, 0))));
    let stream = bench.accept(1);
    let head = get("").replacen("GET", "HEAD", 1);
    let outs = bench.text(stream, &head);
    assert_eq!(replies(&outs, stream)[0].content_length(), Ok(Some(100_000)));
    assert!(!outs.iter().any(|out| matches!(out, Out::WriteExtent(..))));
    let empty = format!("GET /uri-res/N2R?{} HTTP/1.1\r\nHost: h\r\n\r\n", Urn::Sha1(sha1(2)));
    let reply = bench.ask(stream, &empty);
    assert_eq!((reply.code, reply.content_length()), (200, Ok(Some(0))));
    assert_eq!(bench.ask(stream, &head).code, 200, "and the connection goes on");
}

#[test]
fn a_partial_file_gives_what_it_has() {
    let mut bench = Bench::serving();
    bench.command(Command::SetAvailable(ContentId(1), Some(vec![0..100, 5_000..6_000])));
    for (range, code, told) in [
        ("bytes=50-500", 206, "bytes 50-99/100000"),
        ("bytes=5000-", 206, "bytes 5000-5999/100000"),
        ("bytes=200-300", 416, ""),
    ] {
        let stream = bench.accept(1);
        let reply = bench.ask(stream, &get(&format!("Range: {range}\r\n")));
        assert_eq!((reply.code, reply.headers.find("Content-Range").unwrap_or("")), (code, told));
        assert_eq!(reply.headers.find("X-Available-Ranges"), Some("bytes 0-99,5000-5999"));
        bench.close(stream);
    }
    bench.command(Command::SetAvailable(ContentId(1), None));
    let stream = bench.accept(1);
    assert_eq!(bench.ask(stream, &get("Range: bytes=200-300\r\n")).code, 206);
}

#[test]
fn a_large_file_leaves_in_chunks_as_fast_as_they_are_taken() {
    let mut bench = Bench::new(Config { chunk: 10_000, ..config(0) });
    bench.command(Command::Share(Box::new(file(1, 100_000))));
    let stream = bench.accept(1);
    let outs = bench.text(stream, &get(""));
    let bytes = |outs: &[Out]| -> u32 {
        outs.iter().map(|out| if let Out::WriteExtent(_, _, extent) = out { extent.len } else { 0 }).sum()
    };
    assert_eq!((replies(&outs, stream)[0].code, bytes(&outs)), (200, 20_000), "two chunks ahead");
    let mut sent = bytes(&outs);
    for _ in 0..100 {
        let outs = bench.probe.stream(stream, StreamInput::Flushed(5_000));
        assert!(bytes(&outs) <= 10_000);
        sent += bytes(&outs);
    }
    assert_eq!(sent, 100_000);
    assert!(matches!(bench.events()[..], [Event::Uploading(..), Event::Uploaded(..)]));
}

#[test]
fn kazaa_programs_get_what_they_need() {
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    let text = format!(
        "GET /.hash={} HTTP/1.0\r\nConnection: Keep-Alive\r\nRange: bytes=0-99\r\n\r\n",
        "fe".repeat(20)
    );
    for _ in 0..2 {
        let reply = bench.ask(stream, &text);
        assert_eq!((reply.code, reply.headers.find("Content-Range")), (206, Some("bytes 0-99/100000")));
        assert_eq!(reply.headers.find("X-KazaaTag"), Some("3==/v7+/v7+/v7+/v7+/v7+/v7+/v4="));
        assert!(
            reply.headers.find("X-Kazaa-IP").is_some() && reply.headers.lists("Connection", "keep-alive")
        );
        bench.flush(stream);
    }
    // Without a range too, mldonkey wants to see one.
    let whole = bench.ask(stream, &text.replace("Range: bytes=0-99\r\n", ""));
    assert_eq!((whole.code, whole.headers.find("Content-Range")), (200, Some("bytes 0-99999/100000")));
}

#[test]
fn the_tree_leads_to_the_root_that_is_told() {
    let mut bench = Bench::new(config(0));
    let shared = file(1, 3_000_000);
    let tree = shared.tiger.clone().unwrap();
    bench.command(Command::Share(Box::new(shared)));
    let stream = bench.accept(1);
    let outs = bench.text(stream, &get("").replacen("N2R", "N2X", 1));
    let bytes = written(&outs, stream);
    let (reply, used) = Reply::parse(&bytes).unwrap().unwrap();
    assert_eq!(reply.headers.find("Content-Type"), Some("application/dime"));
    assert_eq!(reply.content_length(), Ok(Some((bytes.len() - used) as u64)));
    let (level, _) = throng_wire::gnutella::thex::decode(&bytes[used..], 3_000_000, &tree.root).unwrap();
    assert_eq!(level[..], tree.level[..]);
}

#[test]
fn only_proved_sources_are_told_and_never_to_themselves() {
    let mut bench = Bench::serving();
    bench.command(Command::Judge(ContentId(1), host(1), true));
    bench.command(Command::Judge(ContentId(1), host(2), true));
    bench.command(Command::Judge(ContentId(1), host(3), false));
    bench.command(Command::Judge(ContentId(1), Endpoint::v4([127, 0, 0, 1], 6346), true));
    let stream = bench.accept(1);
    let heard = "X-Alt: 100.69.0.1, 127.0.0.1\r\nRange: bytes=0-9\r\n";
    let reply = bench.ask(stream, &get(heard));
    assert_eq!(reply.headers.find("X-Alt"), Some("100.66.0.1"));
    assert_eq!(reply.headers.find("X-NAlt"), Some("100.67.0.1"));
    let told = Alternates { good: vec![host(5)], ..Alternates::default() };
    assert!(bench.events().contains(&Event::Heard(ContentId(1), Box::new(told))));
    let stream = bench.accept(4);
    let reply = bench.ask(stream, &get("Range: bytes=0-9\r\n"));
    assert_eq!(reply.headers.find("X-Alt"), Some("100.66.0.1, 100.65.0.1"), "what was heard is not told");
}

#[test]
fn who_names_itself_is_told_to_others_until_it_says_that_it_has_it_no_longer() {
    let mut bench = Bench::serving();
    let (first, second) = (bench.accept(1), bench.accept(2));
    bench.ask(first, &get("X-Alt: 100.65.0.1:7000\r\nRange: bytes=0-9\r\n"));
    let reply = bench.ask(second, &get("Range: bytes=0-9\r\n"));
    assert_eq!(reply.headers.find("X-Alt"), Some("100.65.0.1:7000"));
    bench.flush(first);
    bench.flush(second);
    bench.ask(first, &get("X-NAlt: 100.65.0.1:7000\r\nRange: bytes=0-9\r\n"));
    let reply = bench.ask(second, &get("Range: bytes=0-9\r\n"));
    assert_eq!(reply.headers.find("X-Alt"), None);
}

#[test]
fn what_is_withdrawn_is_cut_off() {
    let mut bench = Bench::serving();
    let stream = bench.accept(1);
    bench.text(stream, &get(""));
    let outs = bench.command(Command::Unshare(ContentId(1)));
    assert!(is_closed(&outs, stream));
    assert!(matches!(bench.events()[..], [Event::Uploading(..), Event::UploadFailed(..)]));
    let stream = bench.accept(2);
    assert_eq!(bench.ask(stream, &get("")).code, 404);
    assert_eq!(bench.probe.machine.upload_load().0, 0);
}

#[test]
fn idle_and_silent_connections_are_closed() {
    let mut bench = Bench::serving();
    let silent = bench.accept(1);
    assert!(is_closed(&bench.seconds(21), silent));
    let kept = bench.accept(1);
    bench.text(kept, &get("Range: bytes=0-9\r\n"));
    bench.flush(kept);
    assert!(!is_closed(&bench.seconds(59), kept));
    assert!(is_closed(&bench.seconds(2), kept));
    assert_eq!(bench.probe.machine.load().0, 0);
}

#[test]
fn two_files_cannot_have_one_number() {
    let mut bench = Bench::serving();
    let other = Shared { index: 1, ..file(2, 10) };
    bench.command(Command::Share(Box::new(other)));
    assert_eq!(bench.events(), [Event::NotShared(ContentId(2))]);
}
