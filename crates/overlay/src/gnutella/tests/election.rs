//! Who becomes an ultrapeer and who steps down, each condition for itself.

use super::*;
use std::time::Duration;
use throng_wire::gnutella::ggep::{Block as Ggep, Writer};
use throng_wire::gnutella::{Pong, VendorKind, VendorMessage};

/// What a leaf that may be elected has shown.
#[derive(Clone, Copy)]
struct Shown {
    called: bool,
    kilobits: u32,
    /// Room for leaves as its ultrapeer tells it.
    room: u8,
    seconds: u64,
}

const FIT: Shown = Shown { called: true, kilobits: 1_000, room: 5, seconds: 660 };

fn elected() -> Bench {
    Bench::of(Config { role: RoleChoice::Elected, deflate: false, ..Config::default() })
}

/// An ultrapeer that says how much room for leaves it has.
fn pong_of(number: u8, room: u8) -> Vec<u8> {
    let mut ggep = Writer::default();
    ggep.put(b"UP", &[2, room, 3]);
    let (ggep, mut payload) = (ggep.finish(), Vec::new());
    let (block, _) = Ggep::take(&ggep).unwrap();
    Pong { address: identity(number).listen, files: 0, kibibytes: 8, ggep: block }.put(&mut payload);
    payload
}

/// Time passes while an ultrapeer goes on telling of its room; new ones come if links end.
fn live(bench: &mut Bench, seconds: u64, room: u8) {
    for _ in 0..seconds / 5 {
        bench.probe.advance(Duration::from_secs(5));
        if bench.probe.machine.links.is_empty() {
            let up = bench.probe.command(Command::Link(host(2)));
            answer_calls(bench, &up);
        }
        let all: Vec<StreamId> = bench.probe.machine.links.iter().map(|link| link.stream).collect();
        for stream in all {
            bench.probe.stream(stream, StreamInput::Flushed(1 << 20));
            bench.hear(stream, header(Kind::Pong, 9, 1, 0), &pong_of(2, room));
        }
    }
}

/// Whom it calls takes it, as an ultrapeer.
fn answer_calls(bench: &mut Bench, outs: &[Out]) {
    let called = outs.iter().find_map(|out| match out {
        Out::Open(stream, _) => Some(*stream),
        _ => None,
    });
    let Some(stream) = called else { return };
    bench.probe.stream(stream, StreamInput::Opened);
    bench.bytes(stream, format!("GNUTELLA/0.6 200 OK\r\n{ULTRAPEER}\r\n").as_bytes());
}

/// What becomes of a leaf that has shown this.
fn role_after(shown: Shown) -> Role {
    let mut bench = elected();
    let outs = bench.probe.command(Command::Link(host(2)));
    answer_calls(&mut bench, &outs);
    if shown.called {
        bench.probe.command(Command::Reachable);
    }
    bench.probe.command(Command::Capacity(shown.kilobits));
    assert_eq!(bench.probe.machine.role(), Role::Leaf);
    live(&mut bench, shown.seconds, shown.room);
    bench.probe.machine.role()
}

#[test]
fn a_leaf_is_elected_if_it_is_called_stays_carries_enough_and_is_needed_and_only_then() {
    assert_eq!(role_after(FIT), Role::Ultrapeer);
    assert_eq!(role_after(Shown { called: false, ..FIT }), Role::Leaf, "nobody has called it");
    assert_eq!(role_after(Shown { kilobits: 100, ..FIT }), Role::Leaf, "its line is narrow");
    assert_eq!(role_after(Shown { room: 100, ..FIT }), Role::Leaf, "others have room");
    assert_eq!(role_after(Shown { seconds: 590, ..FIT }), Role::Leaf, "it has not stayed");
}

#[test]
fn one_that_was_refused_for_want_of_room_is_needed() {
    let mut bench = elected();
    let outs = bench.probe.command(Command::Link(host(2)));
    answer_calls(&mut bench, &outs);
    bench.probe.command(Command::Reachable);
    bench.probe.command(Command::Capacity(1_000));
    live(&mut bench, 650, 100);
    let outs = bench.probe.command(Command::Link(host(3)));
    let [Out::Open(stream, _)] = outs[..] else { panic!("{outs:?}") };
    bench.probe.stream(stream, StreamInput::Opened);
    bench.bytes(stream, b"GNUTELLA/0.6 503 Full\r\n\r\n");
    live(&mut bench, 60, 100);
    assert_eq!(bench.probe.machine.role(), Role::Ultrapeer);
}

/// One that has just been elected.
fn ultrapeer() -> Bench {
    let mut bench = elected();
    let outs = bench.probe.command(Command::Link(host(2)));
    answer_calls(&mut bench, &outs);
    bench.probe.command(Command::Reachable);
    bench.probe.command(Command::Capacity(1_000));
    live(&mut bench, 660, 5);
    assert_eq!(bench.probe.machine.role(), Role::Ultrapeer);
    bench
}

#[test]
fn an_ultrapeer_without_leaves_steps_down_and_waits_twice_as_long_the_next_time() {
    let mut bench = ultrapeer();
    // Somebody calls now and then, so that it knows that it can be called.
    for _ in 0..12 {
        live(&mut bench, 310, 5);
        bench.probe.command(Command::Reachable);
    }
    assert_eq!(bench.probe.machine.role(), Role::Leaf);
    bench.probe.take_events();
    live(&mut bench, 660, 5);
    assert_eq!(bench.probe.machine.role(), Role::Leaf);
    live(&mut bench, 600, 5);
    assert_eq!(bench.probe.machine.role(), Role::Ultrapeer);
}

#[test]
fn an_ultrapeer_that_nobody_can_call_any_more_asks_and_steps_down() {
    let mut bench = ultrapeer();
    let stream = bench.probe.machine.links[0].stream;
    let mut list = Vec::new();
    let data = VendorMessage::support(&[VendorKind::CONNECT_BACK]);
    VendorMessage { kind: VendorKind::MESSAGES_SUPPORTED, data: &data }.put(&mut list);
    bench.hear(stream, header(Kind::Vendor, 0, 1, 0), &list);
    bench.probe.command(Command::Reachable);
    live(&mut bench, 1_700, 5);
    assert_eq!(bench.probe.machine.role(), Role::Ultrapeer);
    live(&mut bench, 200, 5);
    assert_eq!(bench.probe.machine.role(), Role::Leaf);
}

#[test]
fn an_ultrapeer_whose_links_stand_steps_down() {
    let mut bench = ultrapeer();
    let (asking, _) = bench.linked(host(4), ULTRAPEER);
    bench.linked(host(5), ULTRAPEER);
    let text = "brontosaurus ".repeat(18);
    // What is relayed to the other links leaves none of them.
    for number in 0..500u16 {
        let mut guid = [7; 16];
        guid[..2].copy_from_slice(&number.to_le_bytes());
        let asked = Header { guid: Guid(guid), ..header(Kind::Query, 0, 3, 1) };
        bench.hear(asking, asked, &query(&text));
    }
    // Everybody lives and says so; only what we send does not leave.
    let wait = |bench: &mut Bench, times: u32| {
        for _ in 0..times {
            bench.probe.advance(Duration::from_secs(5));
            let all: Vec<StreamId> = bench.probe.machine.links.iter().map(|link| link.stream).collect();
            for stream in all {
                bench.hear(stream, header(Kind::Other(0x55), 9, 1, 0), &[]);
            }
        }
    };
    wait(&mut bench, 3);
    assert_eq!(bench.probe.machine.role(), Role::Ultrapeer, "not at once");
    wait(&mut bench, 2);
    assert_eq!(bench.probe.machine.role(), Role::Leaf);
}
