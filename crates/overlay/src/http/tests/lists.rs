//! Lists of all files, as hits and as a page (11.7).

use super::*;
use throng_wire::gnutella::{Kind, Message, frame};

/// A host with so many files.
fn with_files(count: u32) -> Bench {
    let mut bench = Bench::new(config(1));
    for content in 0..count {
        bench.command(Command::Share(Box::new(Shared { tiger: None, ..file(content, 10) })));
    }
    let partial = Shared { available: only(0..5), ..file(count, 10) };
    bench.command(Command::Share(Box::new(partial)));
    bench
}

/// Asks host 1 for its list and hands the bytes to host 0.
fn browsed(mut server: Bench, config: Config) -> Vec<Event> {
    let mut client = Bench::new(config);
    let (asks, request) = client.asking(Command::Browse(FetchId(1), SourceId(1), host(1)));
    let stream = server.accept(0);
    let mut text = Vec::new();
    request.encode(&mut text);
    let mut outs = server.bytes(stream, &text);
    outs.extend(server.flush(stream));
    for part in written(&outs, stream).chunks(1_000) {
        client.bytes(asks, part);
    }
    client.events()
}

#[test]
fn a_list_of_hits_comes_over_whole() {
    for count in [0, 1, 64, 65, 1_000] {
        let events = browsed(with_files(count), config(0));
        let Some(Event::Browsed(FetchId(1), bytes)) = events.last() else { panic!("{events:?}") };
        let (mut rest, mut names) = (&bytes[..], Vec::new());
        while let Some((header, payload, used)) = frame(rest).unwrap() {
            assert_eq!((header.kind, header.ttl, header.hops), (Kind::QueryHit, 1, 0));
            let Ok(Message::QueryHit(hit)) = Message::parse(&header, payload) else { panic!("a hit") };
            assert_eq!((hit.servent, hit.address.to_string()), (servent(1), host(1).to_string()));
            names.extend(hit.records().map(|record| (record.index, record.sha1())));
            rest = &rest[used..];
        }
        assert!(rest.is_empty());
        let expected: Vec<_> = (0..count).map(|index| (index, Some(sha1(index)))).collect();
        assert_eq!(names, expected, "what is partial is not told");
    }
}

#[test]
fn a_page_names_each_file_and_nothing_in_a_name_is_a_tag() {
    let mut bench = with_files(2);
    for (version, chunked) in [("1.1", true), ("1.0", false)] {
        let stream = bench.accept(1);
        let outs =
            bench.text(stream, &format!("GET / HTTP/{version}\r\nHost: h\r\nAccept: text/html\r\n\r\n"));
        let page = String::from_utf8(written(&outs, stream)).unwrap();
        assert!(page.contains("file 1 &lt;a&gt;.mp3</a>") && page.contains("</html>"), "{page}");
        assert_eq!((page.ends_with("0\r\n\r\n"), is_closed(&outs, stream)), (chunked, !chunked));
    }
}

#[test]
fn a_list_is_made_only_as_fast_as_it_is_read() {
    let mut bench = with_files(10_000);
    let stream = bench.accept(1);
    let outs = bench.text(stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let ahead = written(&outs, stream).len();
    assert!(ahead < 100_000, "{ahead}");
    assert!(written(&bench.flush(stream), stream).len() > 500_000);
}

#[test]
fn who_does_not_want_to_be_browsed_is_not() {
    let mut server = with_files(3);
    server.command(Command::SetServing(4, false));
    let events = browsed(server, config(0));
    assert_eq!(events, [Event::FetchFailed(FetchId(1), FetchError::Refused(403), 0)]);
}
