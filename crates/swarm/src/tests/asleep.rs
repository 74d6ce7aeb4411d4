//! Torrents that are known and not open.

use super::*;
use std::time::Duration;

/// A machine that awaits calls for a torrent of eight pieces and has none open.
fn asleep() -> Bench {
    let meta = metainfo(8);
    let mut probe = Probe::new(Swarm::new(Config::default(), 1));
    probe.command(Command::Await(vec![meta.info.swarms().next().unwrap().0]));
    Bench { probe, meta }
}

fn calls(bench: &mut Bench) -> Vec<[u8; 20]> {
    let called = |event| match event {
        Event::Called(hash) => Some(hash),
        _ => None,
    };
    bench.probe.take_events().into_iter().filter_map(called).collect()
}

fn call(bench: &mut Bench, id: u8) -> (StreamId, Vec<Out>) {
    let greeting = bench.greeting(id, Reserved::default());
    let (stream, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, id], 50_000));
    let outs = bench.bytes(stream, &greeting);
    (stream, outs)
}

fn wake(bench: &mut Bench) -> Vec<Out> {
    let torrent = add(&bench.meta, vec![0xff]);
    bench.probe.command(Command::Add(Box::new(torrent)))
}

#[test]
fn who_calls_for_a_sleeping_torrent_is_served_once_it_is_open() {
    let mut bench = asleep();
    let (one, outs) = call(&mut bench, 1);
    assert_eq!(outs, []);
    let (two, outs) = call(&mut bench, 2);
    assert_eq!(outs, []);
    assert_eq!(calls(&mut bench), [bench.hash().0; 2]);
    // One says more before it hears from us.
    let mut more = Vec::new();
    peer::encode(&Message::Interested, &mut more);
    assert_eq!(bench.bytes(one, &more), []);
    let mut outs = wake(&mut bench);
    assert_eq!(said(&outs, one)[..2], [Message::KeepAlive, Message::Bitfield(&[0xff])]);
    assert_eq!(said(&outs, two), [Message::KeepAlive, Message::Bitfield(&[0xff])]);
    outs.extend(bench.probe.advance(Duration::from_secs(20)));
    assert!(said(&outs, one).contains(&Message::Unchoke), "what it said first was heard");
}

#[test]
fn a_call_cut_at_any_byte_is_kept() {
    for cut in 1..68 {
        let mut bench = asleep();
        let greeting = bench.greeting(1, Reserved::default());
        let (stream, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, 1], 50_000));
        bench.bytes(stream, &greeting[..cut]);
        bench.bytes(stream, &greeting[cut..]);
        let outs = wake(&mut bench);
        assert_eq!(said(&outs, stream), [Message::KeepAlive, Message::Bitfield(&[0xff])], "cut at {cut}");
    }
}

#[test]
fn a_caller_waits_for_a_bounded_time_with_bounded_words() {
    let mut bench = asleep();
    let (patient, _) = call(&mut bench, 1);
    let (talker, _) = call(&mut bench, 2);
    assert_eq!(bench.bytes(talker, &[0; 4 << 10]), [Out::Close(talker)]);
    assert_eq!(bench.probe.advance(Duration::from_secs(11)), [Out::Close(patient)]);
    let (gone, _) = call(&mut bench, 3);
    bench.probe.stream(gone, StreamInput::Closed(throng_machine::StreamEnd::Broken));
    assert_eq!(wake(&mut bench), [], "nobody waits any more");
}

#[test]
fn what_is_forgotten_is_unknown_again() {
    let mut bench = asleep();
    let hash = bench.hash().0;
    bench.probe.command(Command::Forget(vec![hash]));
    let (stream, outs) = call(&mut bench, 1);
    assert_eq!(outs, [Out::Close(stream)]);
    assert!(calls(&mut bench).is_empty());
}

#[test]
fn a_torrent_falls_asleep_when_nobody_is_there_and_tells_no_tracker() {
    let meta = metainfo(8);
    let mut torrent = add(&meta, vec![0xff]);
    torrent.trackers = vec![vec!["http://127.0.0.1:1/announce".into()]];
    let mut probe = Probe::new(Swarm::new(Config::default(), 1));
    probe.command(Command::Add(Box::new(torrent)));
    let mut bench = Bench { probe, meta };
    let (stream, _) = bench.join(1);
    assert!(!bench.probe.machine.is_idle(C));
    bench.probe.command(Command::Sleep(C));
    assert!(bench.probe.machine.status(C, bench.probe.now).is_some(), "a peer is there");
    bench.probe.stream(stream, StreamInput::Closed(throng_machine::StreamEnd::Broken));
    assert!(bench.probe.machine.is_idle(C));
    bench.probe.take_events();
    bench.probe.command(Command::Sleep(C));
    assert!(bench.probe.machine.status(C, bench.probe.now).is_none());
    assert!(bench.probe.take_events().is_empty());
    assert_eq!(bench.probe.advance(Duration::from_secs(3_600)), []);
    let (stream, _) = call(&mut bench, 2);
    assert_eq!(calls(&mut bench), [bench.hash().0]);
    assert!(said(&wake(&mut bench), stream).contains(&Message::Bitfield(&[0xff])));
}
