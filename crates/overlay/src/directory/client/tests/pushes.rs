//! Who calls whom: pushes, dead data ports, and addresses that are not called.

use super::downloads::*;
use super::*;

#[test]
fn a_firewalled_uploader_is_asked_to_push() {
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(wanted(Some(12)))));
    assert_eq!(bench.ask(204, &ready(0, "0")), [(500, format!("alice \"{NAME}\""))]);
    assert_eq!(bench.ask(204, &ready(0, "0")), [], "asked once");
    let (stream, outs) = bench.probe.accept(peer(1));
    assert_eq!(outs, [Out::Write(stream, b"1".to_vec())], "alone (P4)");
    assert_eq!(bench.bytes(stream, b"SEND"), []);
    // Case is ignored, and the known size needs no waiting for more digits.
    let outs = bench.bytes(stream, b"Alice \"\\SRV\\zebra song.mp3\" 12");
    assert_eq!(written(&outs, stream), "0");
    let outs = bench.bytes(stream, b"abcdefghijkl");
    assert!(outs.contains(&place(0, 12, 0)) && is_closed(&outs, stream));
    assert_eq!(bench.events(), [Event::Began(ID, 0, 12), Event::Downloaded(ID)]);
}

#[test]
fn a_pushed_file_of_unknown_size_waits_for_the_last_digit() {
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(wanted(None))));
    bench.hear(204, &ready(0, "0"));
    let (stream, _) = bench.probe.accept(peer(1));
    assert_eq!(bench.bytes(stream, format!("SENDalice \"{NAME}\" 1").as_bytes()), []);
    assert_eq!(bench.bytes(stream, b"2"), []);
    let outs = bench.probe.advance(Duration::from_millis(400));
    assert_eq!(written(&outs, stream), "0");
    assert!(bench.events().contains(&Event::Began(ID, 0, 12)));
}

#[test]
fn a_push_nobody_asked_for_is_refused() {
    let mut bench = Bench::online();
    let (stream, _) = bench.probe.accept(peer(1));
    let outs = bench.bytes(stream, format!("SENDalice \"{NAME}\" 0").as_bytes());
    assert_eq!(written(&outs, stream), "FILE NOT REQUESTED");
    assert!(is_closed(&outs, stream));
    assert_eq!(bench.probe.machine.violations().not_agreed, 1);
}

#[test]
fn two_firewalled_sides_cannot_meet() {
    for (port, md5, ours) in [(6701, "firewallerror", 6702), (0, "firewallerror", 6702), (0, "0", 0)] {
        let mut bench = Bench::online_with(Config { data_port: ours, ..config() });
        bench.command(Command::Download(Box::new(wanted(Some(12)))));
        assert_eq!(bench.hear(204, &ready(port, md5)), []);
        assert_eq!(failed(&bench.events()), Some((DownloadError::BothFirewalled, 0)));
    }
}

#[test]
fn a_user_who_is_not_firewalled_after_all_is_asked_once_more() {
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(wanted(Some(12)))));
    bench.hear(204, &ready(0, "0"));
    assert_eq!(bench.ask(404, "alice is not firewalled"), [(203, format!("alice \"{NAME}\""))]);
    bench.hear(204, &ready(0, "0"));
    assert_eq!(bench.ask(404, "alice is not firewalled"), [], "not for ever");
    bench.seconds(61);
    assert_eq!(failed(&bench.events()).expect("over").0, DownloadError::TimedOut);
}

#[test]
fn a_dead_data_port_is_reported_to_its_owner() {
    let (mut bench, stream) = calling(wanted(Some(12)));
    let outs = bench.probe.stream(stream, StreamInput::Closed(StreamEnd::Refused));
    assert_eq!(frames(&outs, bench.server), [(626, "alice".into())]);
    assert_eq!(failed(&bench.events()), Some((DownloadError::Unreachable, 0)));
}

#[test]
fn a_push_that_ends_after_the_greeting_has_failed() {
    // Stock TekNap connects, reads the 1 and closes (P5).
    let mut bench = Bench::online();
    bench.command(Command::Download(Box::new(wanted(Some(12)))));
    bench.hear(204, &ready(0, "0"));
    let (stream, _) = bench.probe.accept(peer(1));
    bench.close(stream);
    assert_eq!(bench.seconds(61).len(), 0, "not tried for ever");
    assert_eq!(failed(&bench.events()), Some((DownloadError::TimedOut, 0)));
}

#[test]
fn addresses_nearer_than_the_server_are_not_called() {
    let cases = [
        ([127, 0, 0, 1], [10, 0, 0, 1], false),
        ([127, 9, 9, 9], [8, 8, 8, 8], false),
        ([127, 0, 0, 1], [127, 0, 0, 1], true),
        ([10, 0, 0, 5], [10, 0, 0, 1], true),
        ([10, 0, 0, 5], [8, 8, 8, 8], false),
        ([192, 168, 1, 1], [8, 8, 8, 8], false),
        ([169, 254, 1, 1], [10, 0, 0, 1], false),
        ([0, 0, 0, 0], [127, 0, 0, 1], false),
        ([224, 0, 0, 1], [8, 8, 8, 8], false),
        ([9, 9, 9, 9], [8, 8, 8, 8], true),
        ([9, 9, 9, 9], [10, 0, 0, 1], true),
    ];
    for (ip, server, allowed) in cases {
        let at = Endpoint::v4(server, 8888);
        let mut probe = Probe::new(Client::new(config()));
        let (stream, _) = called(&probe.command(Command::Join(vec![at]))).unwrap();
        probe.stream(stream, StreamInput::Opened);
        probe.stream(stream, StreamInput::Bytes(&frame(3, "x")));
        probe.command(Command::Download(Box::new(Download { server: at, ..wanted(Some(12)) })));
        let data = format!("alice {} 6701 \"{NAME}\" 0 8", u32::from_le_bytes(ip));
        let outs = probe.stream(stream, StreamInput::Bytes(&frame(204, &data)));
        assert_eq!(called(&outs).is_some(), allowed, "{ip:?} from {server:?}");
        if !allowed {
            assert_eq!(failed(&probe.take_events()), Some((DownloadError::BadAddress, 0)));
            assert_eq!(probe.machine.violations().address, 1);
        }
    }
}

#[test]
fn nobody_is_called_on_a_hit_or_an_answer_that_was_not_asked_for() {
    let mut bench = Bench::online();
    bench.command(Command::Find(crate::discovery::Ticket(1), Search::for_words(vec!["x".into()])));
    assert_eq!(bench.hear(201, &format!("\"x\" 0 5 1 2 3 mallory {} 8", number_of(7))), []);
    assert_eq!(bench.hear(204, &ready(6701, "0")), []);
    assert_eq!(bench.hear(641, &format!("mallory {} 25", number_of(7))), []);
}
