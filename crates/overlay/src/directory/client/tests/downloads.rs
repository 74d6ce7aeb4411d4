//! Fetching files: flows of 4.4 and section 7, quirks P1 to P6, N14, N15.

use super::*;
use bytes::Bytes;
use throng_machine::Extent;
use throng_wire::napster::peer::Refusal;

pub(super) const ID: DownloadId = DownloadId(1);
pub(super) const CONTENT: ContentId = ContentId(9);
pub(super) const NAME: &str = "\\srv\\Zebra Song.mp3";

pub(super) fn wanted(size: Option<u64>) -> Download {
    Download {
        id: ID,
        server: directory(),
        nick: b"alice".to_vec(),
        name: NAME.into(),
        size,
        root: None,
        content: CONTENT,
        resume: None,
        part: None,
        magnet: false,
    }
}

pub(super) fn ready(port: u16, md5: &str) -> String {
    format!("alice {} {port} \"{NAME}\" {md5} 8", number_of(1))
}

/// Asked for, and the uploader's `1` awaited.
pub(super) fn calling(download: Download) -> (Bench, StreamId) {
    let mut bench = Bench::online();
    assert_eq!(bench.command(Command::Download(Box::new(download))), [(203, format!("alice \"{NAME}\""))]);
    let outs = bench.hear(204, &ready(6701, "0"));
    let (stream, to) = called(&outs).expect("the uploader is called");
    assert_eq!(to, peer(1));
    assert_eq!(bench.probe.stream(stream, StreamInput::Opened), [], "not a word before their 1");
    (bench, stream)
}

/// The size awaited.
pub(super) fn asked(download: Download) -> (Bench, StreamId) {
    let (mut bench, stream) = calling(download);
    let outs = bench.bytes(stream, b"1");
    assert_eq!(written(&outs, stream), format!("GETbob \"{NAME}\" 0"));
    assert_eq!(outs.len(), 1, "in one write (P1)");
    (bench, stream)
}

pub(super) fn place(offset: u64, len: u32, at: u32) -> Out {
    Out::Place(Extent { content: CONTENT, offset, len }, at)
}

pub(super) fn failed(events: &[Event]) -> Option<(DownloadError, u64)> {
    events.iter().find_map(|event| match event {
        Event::DownloadFailed(ID, error, had) => Some((*error, *had)),
        _ => None,
    })
}

#[test]
fn a_file_is_fetched_directly_and_counted() {
    let (mut bench, stream) = asked(wanted(Some(12)));
    let outs = bench.bytes(stream, b"12abcde");
    assert_eq!(outs, [Out::Write(bench.server, frame(218, "")), place(0, 5, 2)]);
    let outs = bench.bytes(stream, b"fghijkl");
    assert_eq!(outs, [place(5, 7, 0), Out::Write(bench.server, frame(219, "")), Out::Close(stream)]);
    assert_eq!(bench.events(), [Event::Began(ID, 0, 12), Event::Downloaded(ID)]);
}

#[test]
fn the_data_may_begin_with_digits_and_the_size_come_in_pieces() {
    let (mut bench, stream) = asked(wanted(Some(12)));
    assert_eq!(bench.bytes(stream, b"1"), []);
    let outs = bench.bytes(stream, b"2777");
    assert!(outs.contains(&place(0, 3, 1)));
}

#[test]
fn every_cut_of_size_and_data_places_the_same_bytes() {
    let wire = b"12abcdefghijkl";
    for cut in 1..wire.len() {
        let (mut bench, stream) = asked(wanted(Some(12)));
        let mut placed = Vec::new();
        for part in [&wire[..cut], &wire[cut..]] {
            for out in bench.bytes(stream, part) {
                if let Out::Place(extent, at) = out {
                    assert_eq!(extent.offset, placed.len() as u64);
                    placed.extend_from_slice(&part[at as usize..][..extent.len as usize]);
                }
            }
        }
        assert_eq!(placed, b"abcdefghijkl", "cut at {cut}");
        assert!(bench.events().contains(&Event::Downloaded(ID)));
    }
}

#[test]
fn a_size_that_was_not_told_is_read_to_the_first_other_byte() {
    let (mut bench, stream) = asked(wanted(None));
    assert!(bench.bytes(stream, b"3abc").contains(&place(0, 3, 1)));
    assert!(bench.events().contains(&Event::Downloaded(ID)));
    // An empty file has no other byte.
    let (mut bench, stream) = asked(wanted(None));
    assert_eq!(bench.bytes(stream, b"0"), []);
    bench.seconds(1);
    assert!(bench.events().contains(&Event::Downloaded(ID)));
}

#[test]
fn a_file_of_another_size_is_not_taken_but_for_what_32_bits_lose() {
    let (mut bench, stream) = asked(wanted(Some(50_000)));
    assert!(is_closed(&bench.bytes(stream, b"150000\x9f"), stream));
    assert_eq!(failed(&bench.events()), Some((DownloadError::SizeChanged(150_000), 0)));
    let (mut bench, stream) = asked(wanted(Some(5)));
    bench.bytes(stream, b"4294967301\x9f");
    assert!(bench.events().contains(&Event::Began(ID, 0, (4 << 30) + 5)));
}

#[test]
fn more_bytes_than_promised_are_not_kept() {
    let (mut bench, stream) = asked(wanted(Some(3)));
    let outs = bench.bytes(stream, b"3abcdefgh");
    assert!(outs.contains(&place(0, 3, 1)) && is_closed(&outs, stream));
    assert!(bench.events().contains(&Event::Downloaded(ID)));
    assert_eq!(bench.probe.machine.violations().too_much, 1);
}

#[test]
fn fewer_bytes_than_promised_are_told_and_can_be_gone_on_from() {
    let (mut bench, stream) = asked(wanted(Some(12)));
    bench.bytes(stream, b"12abcde");
    let outs = bench.close(stream);
    assert_eq!(frames(&outs, bench.server), [(219, String::new())]);
    assert_eq!(failed(&bench.events()), Some((DownloadError::Interrupted, 5)));
    assert_eq!(bench.probe.machine.violations().too_few, 1);

    let resume = Resume { offset: 5, tail: Bytes::from_static(b"cde") };
    let (mut bench, stream) = calling(Download { resume: Some(resume), ..wanted(Some(12)) });
    let outs = bench.bytes(stream, b"1");
    assert_eq!(written(&outs, stream), format!("GETbob \"{NAME}\" 2"));
    let outs = bench.bytes(stream, b"12cdefg");
    assert!(outs.contains(&place(5, 2, 5)), "{outs:?}");
    bench.bytes(stream, b"hijkl");
    assert_eq!(bench.events(), [Event::Began(ID, 5, 12), Event::Downloaded(ID)]);
}

/// A part of the file, the uploader's size and data awaited.
fn asked_part(from: u64, to: u64) -> (Bench, StreamId) {
    let (mut bench, stream) = calling(Download { part: Some(Part { from, to }), ..wanted(Some(12)) });
    let outs = bench.bytes(stream, b"1");
    assert_eq!(written(&outs, stream), format!("GETbob \"{NAME}\" {from}"));
    (bench, stream)
}

#[test]
fn a_part_is_fetched_from_its_beginning_and_the_connection_closed_at_its_end() {
    let (mut bench, stream) = asked_part(3, 7);
    assert!(bench.bytes(stream, b"12de").contains(&place(3, 2, 2)));
    let outs = bench.bytes(stream, b"fghij");
    assert_eq!(outs, [place(5, 2, 0), Out::Write(bench.server, frame(219, "")), Out::Close(stream)]);
    assert_eq!(bench.events(), [Event::Began(ID, 3, 12), Event::Downloaded(ID)]);
    assert_eq!(bench.probe.machine.violations().too_much, 0, "what follows a part is no breach");
}

#[test]
fn a_part_that_is_extended_in_time_goes_on_over_the_same_connection() {
    let (mut bench, stream) = asked_part(3, 5);
    bench.bytes(stream, b"12d");
    assert_eq!(bench.command(Command::Extend(ID, 7)), []);
    bench.command(Command::Extend(ID, 4));
    assert_eq!(bench.bytes(stream, b"ef"), [place(4, 2, 0)], "never shorter");
    bench.command(Command::Extend(ID, 500));
    bench.bytes(stream, b"g");
    let outs = bench.bytes(stream, b"hijklmno");
    assert!(outs.contains(&place(7, 5, 0)) && is_closed(&outs, stream), "to the file's end");
    assert!(bench.events().contains(&Event::Downloaded(ID)));
    assert_eq!(bench.probe.machine.violations().too_much, 1, "behind which nothing may come");
}

#[test]
fn a_part_behind_the_end_of_the_file_fails_and_an_empty_one_is_done() {
    let (mut bench, stream) = asked_part(13, 20);
    assert!(is_closed(&bench.bytes(stream, b"12"), stream));
    assert_eq!(failed(&bench.events()), Some((DownloadError::SizeChanged(12), 13)));
    let (mut bench, stream) = asked_part(12, 20);
    assert!(is_closed(&bench.bytes(stream, b"12"), stream));
    assert!(bench.events().contains(&Event::Downloaded(ID)));
}

#[test]
fn a_part_is_pushed_from_its_beginning() {
    let mut bench = Bench::online();
    let part = Some(Part { from: 4, to: 6 });
    bench.command(Command::Download(Box::new(Download { part, ..wanted(Some(12)) })));
    bench.ask(204, &ready(0, "0"));
    let (stream, _) = bench.probe.accept(peer(1));
    let outs = bench.bytes(stream, format!("SENDalice \"{NAME}\" 12").as_bytes());
    assert_eq!(written(&outs, stream), "4");
    let outs = bench.bytes(stream, b"efgh");
    assert!(outs.contains(&place(4, 2, 0)) && is_closed(&outs, stream));
}

#[test]
fn an_uploader_that_ignores_offsets_is_found_out_and_asked_from_the_beginning() {
    let resume = Resume { offset: 5, tail: Bytes::from_static(b"cde") };
    let (mut bench, stream) = calling(Download { resume: Some(resume), ..wanted(Some(12)) });
    bench.bytes(stream, b"1");
    // It sends the whole file (P2).
    let outs = bench.bytes(stream, b"12ab");
    assert!(is_closed(&outs, stream) && !outs.iter().any(|out| matches!(out, Out::Place(..))));
    assert_eq!(frames(&outs, bench.server), [(218, String::new())]);
    assert!(bench.events().contains(&Event::Restarted(ID)));
    let outs = bench.seconds(1);
    assert_eq!(frames(&outs, bench.server), [(203, format!("alice \"{NAME}\""))]);
    let outs = bench.hear(204, &ready(6701, "0"));
    let (stream, _) = called(&outs).expect("again");
    assert_eq!(written(&bench.bytes(stream, b"1"), stream), format!("GETbob \"{NAME}\" 0"));
    assert!(bench.bytes(stream, b"12abcdefghijkl").contains(&place(0, 12, 2)));
    assert!(bench.events().contains(&Event::Downloaded(ID)));
}

#[test]
fn a_copy_is_fetched_once_at_a_time() {
    let (mut bench, _) = asked(wanted(Some(12)));
    let second = DownloadId(2);
    assert_eq!(bench.command(Command::Download(Box::new(Download { id: second, ..wanted(Some(12)) }))), []);
    assert!(bench.events().contains(&Event::DownloadFailed(second, DownloadError::Busy, 0)));
    bench.command(Command::CancelDownload(ID));
    let told = bench.command(Command::Download(Box::new(Download { id: second, ..wanted(Some(12)) })));
    assert_eq!(told, [(203, format!("alice \"{NAME}\""))]);
}

#[test]
fn a_restart_does_not_outlive_the_directory() {
    let resume = Resume { offset: 5, tail: Bytes::from_static(b"cde") };
    let (mut bench, stream) = calling(Download { resume: Some(resume), ..wanted(Some(12)) });
    bench.bytes(stream, b"1");
    bench.probe.command(Command::Leave);
    bench.bytes(stream, b"12ab");
    bench.seconds(10);
    assert_eq!(failed(&bench.events()), Some((DownloadError::NotJoined, 0)));
}

#[test]
fn resuming_without_proof_begins_anew() {
    for (offset, tail) in [(5, &b""[..]), (2, b"abc"), (5_000, &[0; 2_000])] {
        let resume = Resume { offset, tail: Bytes::copy_from_slice(tail) };
        let (mut bench, stream) = calling(Download { resume: Some(resume), ..wanted(Some(12)) });
        assert_eq!(written(&bench.bytes(stream, b"1"), stream), format!("GETbob \"{NAME}\" 0"));
    }
}

#[test]
fn a_full_queue_is_asked_again_and_not_for_ever() {
    let mut bench = Bench::online_with(Config { max_queue_retries: 3, ..config() });
    bench.command(Command::Download(Box::new(wanted(Some(12)))));
    for (limit, wait) in [(3, 60), (0, 120), (3, 60)] {
        assert_eq!(bench.ask(620, &format!("alice \"{NAME}\" 12 {limit}")), []);
        assert_eq!(bench.events(), [Event::Queued(ID, Duration::from_secs(wait))]);
        bench.hear(214, "1 1 1");
        bench.events();
        let outs = bench.seconds(wait);
        assert_eq!(frames(&outs, bench.server), [(203, format!("alice \"{NAME}\""))]);
    }
    bench.hear(620, &format!("alice \"{NAME}\" 12 3"));
    assert_eq!(failed(&bench.events()), Some((DownloadError::QueueFull, 0)));
}

#[test]
fn who_is_gone_or_does_not_share_fails_the_request() {
    for (kind, data) in [
        (206, format!("alice \"{NAME}\"")),
        (404, "User alice is not currently online, or gone".into()),
        (404, "user alice is not a known user".into()),
    ] {
        let mut bench = Bench::online();
        bench.command(Command::Download(Box::new(wanted(Some(12)))));
        bench.hear(kind, &data);
        assert_eq!(failed(&bench.events()), Some((DownloadError::NotAvailable, 0)), "{data}");
    }
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(wanted(Some(12)))));
    bench.seconds(61);
    assert_eq!(failed(&bench.events()), Some((DownloadError::TimedOut, 0)));
}

#[test]
fn refusals_in_words_are_told() {
    for (words, refusal) in [
        ("INVALID REQUEST", Refusal::InvalidRequest),
        ("FILE NOT SHARED", Refusal::FileNotShared),
        ("GO AWAY", Refusal::Other),
    ] {
        let (mut bench, stream) = asked(wanted(Some(12)));
        assert!(is_closed(&bench.bytes(stream, words.as_bytes()), stream));
        assert_eq!(failed(&bench.events()), Some((DownloadError::Refused(refusal), 0)));
    }
}

#[test]
fn a_download_waits_for_the_login_and_survives_the_loss_of_the_server() {
    let mut probe = Probe::new(Client::new(config()));
    let outs = probe.command(Command::Join(vec![directory()]));
    assert_eq!(probe.command(Command::Download(Box::new(wanted(Some(12))))), []);
    let (stream, _) = called(&outs).unwrap();
    probe.stream(stream, StreamInput::Opened);
    let outs = probe.stream(stream, StreamInput::Bytes(&frame(3, "x")));
    assert_eq!(frames(&outs, stream), [(203, format!("alice \"{NAME}\""))]);
    probe.stream(stream, StreamInput::Closed(StreamEnd::Broken));
    let outs = probe.advance(Duration::from_secs(10));
    let (stream, _) = called(&outs).unwrap();
    probe.stream(stream, StreamInput::Opened);
    let outs = probe.stream(stream, StreamInput::Bytes(&frame(3, "x")));
    assert_eq!(frames(&outs, stream), [(203, format!("alice \"{NAME}\""))]);
    probe.take_events();
    probe.command(Command::Leave);
    assert!(failed(&probe.take_events()).is_some_and(|(error, _)| error == DownloadError::NotJoined));
}

#[test]
fn bytes_go_on_coming_when_the_server_dies() {
    let (mut bench, stream) = asked(wanted(Some(12)));
    bench.bytes(stream, b"12abcde");
    bench.close(bench.server);
    assert!(bench.bytes(stream, b"fghijkl").contains(&place(5, 7, 0)));
    assert!(bench.events().contains(&Event::Downloaded(ID)));
}

#[test]
fn a_cancelled_download_hangs_up() {
    let (mut bench, stream) = asked(wanted(Some(12)));
    bench.bytes(stream, b"12abcde");
    let outs = bench.probe.command(Command::CancelDownload(ID));
    assert!(is_closed(&outs, stream));
    assert_eq!(frames(&outs, bench.server), [(219, String::new())]);
    assert_eq!(bench.bytes(stream, b"fghijkl"), []);
}

fn with_magnet() -> (Bench, StreamId) {
    let mut bench = Bench::online();
    let told = bench.command(Command::Download(Box::new(Download { magnet: true, ..wanted(Some(12)) })));
    assert_eq!(told, [(603, "alice".into()), (203, format!("alice \"{NAME}\""))]);
    bench.hear(604, "alice \"User\" 64 \" \" \"Active\" 2 0 0 8 \"Throng/0.1.0\"");
    let (stream, _) = called(&bench.hear(204, &ready(6701, "0"))).unwrap();
    let outs = bench.bytes(stream, b"1");
    assert_eq!(written(&outs, stream), format!("MAGNETbob \"{NAME}\""));
    bench.events();
    (bench, stream)
}

#[test]
fn our_own_nodes_are_asked_for_a_magnet_link() {
    let (mut bench, stream) = with_magnet();
    bench.bytes(stream, b"13 magnet:");
    let outs = bench.bytes(stream, b"?xt=x5");
    assert!(is_closed(&outs, stream));
    assert_eq!(bench.events(), [Event::Magnet(ID, Bytes::from_static(b"magnet:?xt=x5"), peer(1))]);
}

#[test]
fn without_a_link_the_file_itself_is_fetched() {
    let fall_back: [fn(&mut Bench, StreamId) -> Vec<Out>; 4] = [
        |bench, stream| bench.bytes(stream, b"INVALID REQUEST"),
        |bench, stream| bench.bytes(stream, b"99999 "),
        |bench, stream| bench.close(stream),
        |bench, _| bench.seconds(6),
    ];
    for fail in fall_back {
        let (mut bench, stream) = with_magnet();
        let outs = fail(&mut bench, stream);
        assert_eq!(frames(&outs, bench.server), [(203, format!("alice \"{NAME}\""))]);
        let (stream, _) = called(&bench.hear(204, &ready(6701, "0"))).unwrap();
        assert!(written(&bench.bytes(stream, b"1"), stream).starts_with("GETbob"));
    }
}

#[test]
fn strangers_are_not_asked_for_a_link() {
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(Download { magnet: true, ..wanted(Some(12)) })));
    bench.hear(604, "alice \"User\" 64 \" \" \"Active\" 2 0 0 8 \"TekNap-1.3g\"");
    let (stream, _) = called(&bench.hear(204, &ready(6701, "0"))).unwrap();
    assert!(written(&bench.bytes(stream, b"1"), stream).starts_with("GETbob"));
}

#[test]
fn a_name_the_protocol_cannot_express_is_refused_at_once() {
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(Download { name: b"a\"b".to_vec(), ..wanted(None) })));
    assert_eq!(failed(&bench.events()), Some((DownloadError::Unwritable, 0)));
    bench.command(Command::Download(Box::new(Download { server: peer(3), ..wanted(None) })));
    assert_eq!(failed(&bench.events()), Some((DownloadError::NotJoined, 0)));
}
