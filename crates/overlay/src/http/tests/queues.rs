//! Slots and queues (11.6): active, passive, called back.

use super::*;
use throng_wire::http::{QueueId, Queued};

/// One slot, held by host 1.
fn taken() -> (Bench, StreamId) {
    let mut bench = Bench::new(Config { upload_slots: 1, ..config(0) });
    bench.command(Command::Share(Box::new(file(1, 100_000))));
    bench.command(Command::Share(Box::new(file(2, 8_000))));
    let first = bench.accept(1);
    assert_eq!(bench.ask(first, &get("X-Queue: 1.0\r\n")).code, 200);
    (bench, first)
}

fn place(reply: &Reply) -> Queued {
    Queued::parse(reply.headers.find("X-Queued").expect("a place"))
}

#[test]
fn who_finds_no_slot_waits_on_the_line_and_is_served_in_turn() {
    let (mut bench, first) = taken();
    let (second, third) = (bench.accept(2), bench.accept(3));
    let reply = bench.ask(second, &get("X-Queue: 1.0\r\n"));
    assert_eq!((reply.code, reply.retry_after(), reply.keeps_alive()), (503, Some(30), true));
    let two = place(&reply);
    assert_eq!((two.position, two.length), (Some(1), Some(1)));
    let three = place(&bench.ask(third, &get("X-Queue: 1.0\r\n")));
    assert_eq!((three.position, three.length), (Some(2), Some(2)));
    assert_ne!(two.id, three.id);
    // The first is done and goes: the slot belongs to the second, though the third asks first.
    bench.flush(first);
    bench.close(first);
    bench.seconds(40);
    let again = format!("X-Queue: 1.0\r\nX-Queued: position=2; ID={}\r\n", three.id.unwrap());
    assert_eq!(place(&bench.ask(third, &get(&again))).position, Some(2));
    let again = format!("X-Queue: 1.0\r\nX-Queued: position=1; ID={}\r\n", two.id.unwrap());
    let reply = bench.ask(second, &get(&again));
    assert_eq!((reply.code, place(&reply).id), (200, two.id));
    assert_eq!(bench.probe.machine.upload_load(), (1, 1));
}

#[test]
fn who_cannot_wait_on_the_line_is_sent_away_with_a_time() {
    let (mut bench, _) = taken();
    let stream = bench.accept(2);
    let outs = bench.text(stream, &get(""));
    let reply = &replies(&outs, stream)[0];
    assert!(reply.code == 503 && reply.headers.find("X-Queued").is_none() && is_closed(&outs, stream));
    let stream = bench.accept(3);
    let reply = bench.ask(stream, &get("X-Queue: 0.1\r\n"));
    assert!(reply.headers.find("X-Queue").is_some_and(|value| value.starts_with("position=2,")));
}

#[test]
fn small_files_need_no_slot() {
    let (mut bench, _) = taken();
    let stream = bench.accept(2);
    let small = format!("GET /uri-res/N2R?{} HTTP/1.1\r\nHost: h\r\n\r\n", Urn::Sha1(sha1(2)));
    assert_eq!(bench.ask(stream, &small).code, 200);
}

#[test]
fn whose_turn_it_is_is_called_at_the_address_they_came_from() {
    let (mut bench, first) = taken();
    for (number, node) in [(2, "100.69.0.1:6346"), (3, "100.67.0.1:7000")] {
        let stream = bench.accept(number);
        let outs =
            bench.text(stream, &get(&format!("X-Node: {node}\r\nX-Queue: 1.0\r\nConnection: close\r\n")));
        assert!(is_closed(&outs, stream));
    }
    bench.command(Command::SetServing(2, true));
    bench.flush(first);
    let outs = bench.close(first);
    // The second named somebody else's address, and is not called.
    let (stream, to) = called(&outs).expect("a call");
    assert_eq!(to, host(3).with_port(7_000));
    let outs = bench.open(stream);
    let said = String::from_utf8(written(&outs, stream)).unwrap();
    assert!(said.starts_with("QUEUE ") && said.ends_with(" 100.64.0.1:6346\r\n"), "{said}");
    let id = QueueId::parse(&said[6..38]).unwrap();
    let reply = bench.ask(stream, &get(&format!("X-Queue: 1.0\r\nX-Queued: ID={id}\r\n")));
    assert_eq!((reply.code, reply.headers.find("X-Host")), (200, Some("100.64.0.1:6346")));
}

#[test]
fn who_does_not_come_loses_the_place() {
    let (mut bench, first) = taken();
    let second = bench.accept(2);
    bench.ask(second, &get("X-Queue: 1.0\r\n"));
    bench.close(second);
    bench.flush(first);
    bench.close(first);
    let third = bench.accept(3);
    assert_eq!(bench.ask(third, &get("X-Queue: 1.0\r\n")).code, 503);
    bench.seconds(91);
    let third = bench.accept(3);
    assert_eq!(bench.ask(third, &get("X-Queue: 1.0\r\n")).code, 200);
}

#[test]
fn who_asks_all_the_time_loses_the_place() {
    let (mut bench, _) = taken();
    let mut codes = Vec::new();
    for _ in 0..5 {
        let stream = bench.accept(2);
        codes.push(bench.ask(stream, &get("X-Queue: 1.0\r\n")).code);
        bench.close(stream);
    }
    assert_eq!(codes, [503, 503, 503, 503, 429]);
    assert_eq!(bench.probe.machine.violations().impatient, 1);
}

#[test]
fn who_is_cut_off_is_first_again_for_a_while() {
    let (mut bench, first) = taken();
    let second = bench.accept(2);
    bench.ask(second, &get("X-Queue: 1.0\r\n"));
    bench.close(first);
    bench.seconds(31);
    assert_eq!(bench.ask(second, &get("X-Queue: 1.0\r\n")).code, 503);
    let first = bench.accept(1);
    assert_eq!(bench.ask(first, &get("X-Queue: 1.0\r\n")).code, 200);
}

#[test]
fn one_address_gets_two_slots_and_no_more() {
    let mut bench = Bench::serving();
    let codes: Vec<u16> = (0..3)
        .map(|_| {
            let stream = bench.accept(1);
            bench.ask(stream, &get("")).code
        })
        .collect();
    assert_eq!(codes, [200, 200, 503]);
}

#[test]
fn an_idle_connection_gives_its_slot_to_who_waits() {
    let (mut bench, first) = taken();
    let second = bench.accept(2);
    bench.ask(second, &get("X-Queue: 1.0\r\n"));
    bench.flush(first);
    assert!(is_closed(&bench.seconds(16), first));
    bench.seconds(20);
    assert_eq!(bench.ask(second, &get("X-Queue: 1.0\r\n")).code, 200);
}

#[test]
fn the_queue_is_bounded() {
    let (mut bench, _) = taken();
    for number in 0..300u32 {
        let from = Endpoint::v4([100, 70, (number >> 8) as u8, number as u8], 40_000);
        let (stream, _) = bench.probe.accept(from);
        let outs = bench.text(stream, &get("X-Queue: 1.0\r\n"));
        assert_eq!(replies(&outs, stream)[0].code, 503);
        let lines = bench.probe.machine.load().0;
        assert!(lines <= 34, "{lines} connections wait");
    }
    assert_eq!(bench.probe.machine.upload_load(), (1, 128));
}
