//! Serving files: 607 to 619, 501, GET, SEND, MAGNET; N13 and P1 to P4.

use super::*;
use bytes::Bytes;
use throng_machine::Extent;

const NAME: &str = "music\\song.mp3";

fn sharing() -> Bench {
    let mut bench = Bench::online();
    bench.share(5, "song.mp3", 12);
    bench
}

fn request(nick: &str) -> String {
    format!("{nick} \"{NAME}\"")
}

fn get(bench: &mut Bench, nick: &str, offset: &str) -> (StreamId, Vec<Out>) {
    let (stream, outs) = bench.probe.accept(peer(2));
    assert_eq!(outs, [Out::Write(stream, b"1".to_vec())]);
    bench.probe.stream(stream, StreamInput::Flushed(1));
    let outs = bench.bytes(stream, format!("GET{nick} \"{NAME}\" {offset}").as_bytes());
    (stream, outs)
}

fn extent(offset: u64, len: u32) -> Extent {
    Extent { content: ContentId(5), offset, len }
}

#[test]
fn an_agreed_file_is_served_with_its_size_before_it() {
    let mut bench = sharing();
    assert_eq!(bench.ask(607, &request("alice")), [(608, request("alice"))]);
    let (stream, outs) = get(&mut bench, "alice", "0");
    let expected =
        [Out::Write(bench.server, frame(220, "")), Out::WriteExtent(stream, b"12".to_vec(), extent(0, 12))];
    assert_eq!(outs, expected);
    let outs = bench.probe.stream(stream, StreamInput::Flushed(14));
    assert_eq!(outs, [Out::Write(bench.server, frame(221, "")), Out::Close(stream)]);
    let alice = b"alice".to_vec();
    assert_eq!(
        bench.events(),
        [Event::Uploading(ContentId(5), alice.clone()), Event::Uploaded(ContentId(5), alice)]
    );
}

#[test]
fn the_asker_s_spelling_is_answered_and_case_ignored() {
    let mut bench = sharing();
    assert_eq!(bench.ask(607, "alice \"MUSIC\\Song.MP3\" 8"), [(608, "alice \"MUSIC\\Song.MP3\"".into())]);
    let (stream, outs) = get(&mut bench, "Alice", "0");
    assert!(outs.iter().any(|out| matches!(out, Out::WriteExtent(to, ..) if *to == stream)));
}

#[test]
fn a_get_may_come_in_pieces_and_from_an_offset() {
    let mut bench = sharing();
    bench.hear(607, &request("alice"));
    let (stream, _) = bench.probe.accept(peer(2));
    for part in ["G", "ETali", "ce \"music\\so", "ng.mp3\" "] {
        assert_eq!(bench.bytes(stream, part.as_bytes()), [], "{part}");
    }
    assert_eq!(bench.bytes(stream, b"1"), [], "perhaps 10");
    assert_eq!(bench.bytes(stream, b"0"), []);
    let outs = bench.probe.advance(Duration::from_millis(400));
    assert!(outs.contains(&Out::WriteExtent(stream, b"12".to_vec(), extent(10, 2))), "{outs:?}");
}

#[test]
fn an_offset_at_the_end_brings_the_size_alone_and_one_beyond_a_refusal() {
    let mut bench = sharing();
    bench.hear(607, &request("alice"));
    let (stream, _) = get(&mut bench, "alice", "12\n");
    let outs = bench.probe.stream(stream, StreamInput::Flushed(2));
    assert!(is_closed(&outs, stream));
    bench.hear(607, &request("alice"));
    let (stream, outs) = get(&mut bench, "alice", "13\n");
    assert_eq!(written(&outs, stream), "INVALID REQUEST");
}

#[test]
fn what_was_not_agreed_or_is_not_shared_is_not_served() {
    let mut bench = sharing();
    let (stream, outs) = get(&mut bench, "alice", "0");
    assert_eq!(written(&outs, stream), "INVALID REQUEST");
    assert!(is_closed(&outs, stream));
    // Agreed with another.
    bench.hear(607, &request("carol"));
    let (stream, outs) = get(&mut bench, "alice", "0");
    assert_eq!(written(&outs, stream), "INVALID REQUEST");
    // G passes on any name (N13).
    assert_eq!(bench.ask(607, "alice \"C:\\secret.txt\""), []);
    let (stream, _) = bench.probe.accept(peer(2));
    let outs = bench.bytes(stream, b"GETalice \"C:\\secret.txt\" 0");
    assert_eq!(written(&outs, stream), "FILE NOT SHARED");
    assert_eq!(bench.probe.machine.violations().not_agreed, 4);
}

#[test]
fn a_large_file_goes_in_chunks_as_they_leave() {
    let mut bench = Bench::online_with(Config { chunk: 1_000, ..config() });
    bench.share(5, "song.mp3", 3_500);
    bench.hear(607, &request("alice"));
    let (stream, outs) = get(&mut bench, "alice", "0");
    let mut sent: Vec<(u64, u32)> = Vec::new();
    let mut take = |outs: &[Out]| {
        let all = outs.iter().filter_map(|out| match out {
            Out::WriteExtent(_, _, extent) => Some((extent.offset, extent.len)),
            _ => None,
        });
        sent.extend(all);
    };
    take(&outs);
    for _ in 0..3 {
        take(&bench.probe.stream(stream, StreamInput::Flushed(1_001)));
    }
    let outs = bench.probe.stream(stream, StreamInput::Flushed(501));
    assert!(is_closed(&outs, stream));
    assert_eq!(sent, [(0, 1_000), (1_000, 1_000), (2_000, 1_000), (3_000, 500)]);
}

#[test]
fn slots_are_counted_and_the_queue_is_fair() {
    let mut bench = Bench::online_with(Config { upload_slots: 1, ..config() });
    bench.share(5, "song.mp3", 12);
    assert_eq!(bench.ask(607, &request("alice")), [(608, request("alice"))]);
    assert_eq!(bench.ask(607, &request("alice")), [(608, request("alice"))], "again: still agreed");
    assert_eq!(bench.ask(607, &request("ben")), [(619, format!("{} 1", request("ben")))]);
    assert_eq!(bench.ask(607, &request("carol")), [(619, format!("{} 1", request("carol")))]);
    let (stream, _) = get(&mut bench, "alice", "0");
    bench.probe.stream(stream, StreamInput::Flushed(14));
    // The slot is free, but it is ben's turn.
    assert_eq!(bench.ask(607, &request("carol")), [(619, format!("{} 1", request("carol")))]);
    assert_eq!(bench.ask(607, &request("ben")), [(608, request("ben"))]);
    // Ben never comes; his slot goes to the next.
    bench.seconds(91);
    assert_eq!(bench.ask(607, &request("carol")), [(608, request("carol"))]);
    assert_eq!(bench.probe.machine.upload_load(), (1, 0));
}

#[test]
fn who_asks_again_while_it_runs_has_given_the_connection_up() {
    let mut bench = Bench::online_with(Config { upload_slots: 1, ..config() });
    bench.share(5, "song.mp3", 12);
    bench.hear(607, &request("alice"));
    let (stream, _) = get(&mut bench, "alice", "0");
    bench.hear(607, &request("ben"));
    let outs = bench.hear(607, &request("alice"));
    assert!(is_closed(&outs, stream));
    let told = frames(&outs, bench.server);
    assert_eq!(told, [(221, String::new()), (608, request("alice"))], "the slot stays hers");
    assert!(bench.events().contains(&Event::UploadFailed(ContentId(5), b"alice".to_vec())));
    let (stream, mut outs) = get(&mut bench, "alice", "5");
    outs.extend(bench.seconds(1));
    assert!(outs.contains(&Out::WriteExtent(stream, b"12".to_vec(), extent(5, 7))), "{outs:?}");
}

#[test]
fn calls_that_were_welcome_do_not_count() {
    let mut bench = Bench::online_with(Config { data_port: 0, ..config() });
    bench.share(5, "song.mp3", 12);
    for _ in 0..20 {
        bench.hear(607, &request("alice"));
        let outs = bench.hear(501, &format!("alice {} 6701 \"{NAME}\" 0 8", number_of(2)));
        let (stream, _) = called(&outs).expect("never too often");
        let outs = bench.bytes(stream, b"1");
        bench.probe.stream(stream, StreamInput::Flushed(written(&outs, stream).len() as u32));
        bench.bytes(stream, b"0");
        bench.probe.stream(stream, StreamInput::Flushed(12));
        bench.events();
    }
}

#[test]
fn who_stops_asking_loses_the_place() {
    let mut bench = Bench::online_with(Config {
        upload_slots: 1,
        accepted_timeout: Duration::from_secs(131),
        ..config()
    });
    bench.share(5, "song.mp3", 12);
    bench.hear(607, &request("alice"));
    bench.hear(607, &request("ben"));
    bench.hear(214, "1 1 1");
    bench.seconds(131);
    assert_eq!(bench.ask(607, &request("carol")), [(608, request("carol"))]);
}

#[test]
fn one_nick_has_so_many_slots() {
    let mut bench = Bench::online();
    for content in 0..3 {
        bench.share(content, &format!("{content}.mp3"), 12);
    }
    let answers: Vec<u16> =
        (0..3).map(|content| bench.ask(607, &format!("alice \"music\\{content}.mp3\""))[0].0).collect();
    assert_eq!(answers, [608, 608, 619]);
}

#[test]
fn a_push_is_made_only_to_whom_a_file_was_promised() {
    let mut bench = Bench::online_with(Config { data_port: 0, ..config() });
    bench.share(5, "song.mp3", 12);
    let order = format!("alice {} 6701 \"{NAME}\" 0 8", number_of(2));
    assert_eq!(bench.hear(501, &order), [], "nobody asked us");
    assert_eq!(bench.probe.machine.violations().not_agreed, 1);
    bench.hear(607, &request("alice"));
    let (stream, to) = called(&bench.hear(501, &order)).expect("the downloader is called");
    assert_eq!(to, peer(2));
    assert_eq!(called(&bench.hear(501, &order)), None, "once");
    assert_eq!(bench.probe.stream(stream, StreamInput::Opened), []);
    let outs = bench.bytes(stream, b"1");
    assert_eq!(written(&outs, stream), format!("SENDbob \"{NAME}\" 12"));
    bench.probe.stream(stream, StreamInput::Flushed(written(&outs, stream).len() as u32));
    let outs = bench.bytes(stream, b"0");
    assert!(outs.contains(&Out::WriteExtent(stream, Vec::new(), extent(0, 12))), "no size before the data");
    let outs = bench.probe.stream(stream, StreamInput::Flushed(12));
    assert!(is_closed(&outs, stream));
    assert!(bench.events().contains(&Event::Uploaded(ContentId(5), b"alice".to_vec())));
}

#[test]
fn a_pushed_file_may_be_wanted_from_an_offset_or_not_at_all() {
    for (answer, expected) in
        [("5", Some(extent(5, 7))), ("12", None), ("13", None), ("FILE NOT REQUESTED", None)]
    {
        let mut bench = sharing();
        bench.hear(607, &request("alice"));
        let (stream, _) =
            called(&bench.hear(501, &format!("alice {} 6701 \"{NAME}\" 0", number_of(2)))).unwrap();
        bench.bytes(stream, b"1");
        bench.probe.stream(stream, StreamInput::Flushed(1_000));
        let mut outs = bench.bytes(stream, answer.as_bytes());
        outs.extend(bench.seconds(1));
        let sent = outs.iter().find_map(|out| match out {
            Out::WriteExtent(_, _, extent) => Some(*extent),
            _ => None,
        });
        assert_eq!(sent, expected, "{answer}");
        assert!(expected.is_some() || is_closed(&outs, stream), "{answer}");
    }
}

#[test]
fn a_server_cannot_make_us_call_a_victim_again_and_again() {
    let mut bench = Bench::online_with(Config { upload_slots: 1_000, slots_per_nick: 1_000, ..config() });
    bench.share(5, "song.mp3", 12);
    let mut calls = 0;
    for nick in 0..100 {
        bench.hear(607, &request(&format!("n{nick}")));
        let outs = bench.hear(501, &format!("n{nick} {} 80 \"{NAME}\" 0 8", number_of(66)));
        if let Some((stream, _)) = called(&outs) {
            calls += 1;
            // The victim speaks first, or hears nothing.
            let outs = bench.bytes(stream, b"HTTP/1.1 400 Bad Request");
            assert!(is_closed(&outs, stream) && written(&outs, stream).is_empty());
        }
    }
    assert_eq!(calls, 6);
    // Nor ourselves.
    bench.hear(607, &request("m"));
    assert_eq!(called(&bench.hear(501, &format!("m 16777343 22 \"{NAME}\" 0 8"))), None);
}

#[test]
fn a_downloader_that_closes_when_it_has_all_is_served() {
    let mut bench = sharing();
    bench.hear(607, &request("alice"));
    let (stream, _) = get(&mut bench, "alice", "0");
    // TekNap closes before we know that all has left (P3).
    bench.close(stream);
    assert!(bench.events().contains(&Event::Uploaded(ContentId(5), b"alice".to_vec())));
    bench.hear(607, &request("alice"));
    let (stream, _) = get(&mut bench, "alice", "0");
    bench.probe.stream(stream, StreamInput::Closed(StreamEnd::Broken));
    assert!(bench.events().contains(&Event::UploadFailed(ContentId(5), b"alice".to_vec())));
}

#[test]
fn a_file_taken_back_is_served_no_further() {
    let mut bench = sharing();
    bench.hear(607, &request("alice"));
    let (stream, _) = get(&mut bench, "alice", "0");
    let outs = bench.probe.command(Command::Unshare(ContentId(5)));
    assert!(is_closed(&outs, stream));
    assert!(bench.events().contains(&Event::UploadFailed(ContentId(5), b"alice".to_vec())));
    assert_eq!(bench.ask(607, &request("alice")), []);
}

#[test]
fn a_magnet_link_is_asked_of_the_application() {
    let mut bench = sharing();
    bench.hear(607, &request("alice"));
    let ask = format!("MAGNETalice \"{NAME}\"");
    let (stream, _) = bench.probe.accept(peer(2));
    assert_eq!(bench.bytes(stream, ask.as_bytes()), []);
    assert_eq!(bench.events(), [Event::MagnetWanted(stream, ContentId(5))]);
    // None: a GET may follow.
    let outs = bench.probe.command(Command::Magnet(stream, None));
    assert!(written(&outs, stream) == "INVALID REQUEST" && is_closed(&outs, stream));
    let (stream, _) = bench.probe.accept(peer(2));
    bench.bytes(stream, ask.as_bytes());
    let outs = bench.probe.command(Command::Magnet(stream, Some(Bytes::from_static(b"magnet:?x"))));
    assert!(written(&outs, stream) == "9 magnet:?x" && is_closed(&outs, stream));
    assert_eq!(bench.probe.machine.upload_load(), (0, 0), "the slot is free");
    let (stream, _) = bench.probe.accept(peer(2));
    assert_eq!(written(&bench.bytes(stream, ask.as_bytes()), stream), "INVALID REQUEST");
}

#[test]
fn an_application_that_never_answers_costs_no_slot_for_ever() {
    let mut bench = sharing();
    bench.hear(607, &request("alice"));
    let (stream, _) = called(&bench.hear(501, &format!("alice {} 6701 \"{NAME}\" 0", number_of(2)))).unwrap();
    bench.bytes(stream, b"1");
    bench.bytes(stream, format!("MAGNETalice \"{NAME}\"").as_bytes());
    assert!(bench.events().contains(&Event::MagnetWanted(stream, ContentId(5))));
    bench.seconds(200);
    assert_eq!(bench.probe.machine.upload_load(), (0, 0));
}
