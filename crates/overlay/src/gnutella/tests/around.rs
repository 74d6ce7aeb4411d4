//! Ultrapeers tell each other whom they are linked with, and search no farther than the network is wide.

use super::*;
use std::time::Duration;
use throng_wire::gnutella::{VendorKind, VendorMessage};

/// The lists sent to a link.
fn lists(outs: &[Out], stream: StreamId) -> Vec<Vec<u8>> {
    let all = of_kind(outs, stream, Kind::Vendor);
    let lists = all.iter().filter_map(|message| match parse(message) {
        Message::Vendor(list) if list.kind == VendorKind::NEIGHBOURS => Some(list.data.to_vec()),
        _ => None,
    });
    lists.collect()
}

fn tell(bench: &mut Bench, stream: StreamId, kind: VendorKind, data: &[u8]) -> Vec<Out> {
    let mut payload = Vec::new();
    VendorMessage { kind, data }.put(&mut payload);
    bench.hear(stream, header(Kind::Vendor, 0, 1, 0), &payload)
}

/// It reads our lists.
fn is_ours(bench: &mut Bench, stream: StreamId) {
    let reads = VendorMessage::support(&[VendorKind::NEIGHBOURS]);
    tell(bench, stream, VendorKind::MESSAGES_SUPPORTED, &reads);
}

/// An ultrapeer with eight others, all of which say that they are linked with the same ones.
fn village(tellers: &[u8]) -> (Bench, Vec<StreamId>) {
    let mut bench = Bench::new(Role::Ultrapeer);
    let streams: Vec<StreamId> = (10..18).map(|number| bench.linked(host(number), ULTRAPEER).0).collect();
    let list: Vec<u8> = (0..32).flat_map(|number| [101, 0, 0, number, 0xca, 0x18, 32]).collect();
    for (number, stream) in (10..).zip(&streams) {
        if tellers.contains(&number) {
            tell(&mut bench, *stream, VendorKind::NEIGHBOURS, &list);
        }
    }
    (bench, streams)
}

/// The TTLs of all that is asked of others when a leaf searches.
fn asked(bench: &mut Bench, others: &[StreamId]) -> Vec<u8> {
    let (leaf, _) = bench.linked(host(2), LEAF);
    let mut outs = bench.hear(leaf, header(Kind::Query, 9, 4, 0), &query("brontosaurus"));
    for _ in 0..180 {
        outs.extend(bench.probe.advance(Duration::from_secs(1)));
    }
    let queries = others.iter().flat_map(|stream| of_kind(&outs, *stream, Kind::Query));
    queries.map(|(header, _)| header.ttl).collect()
}

#[test]
fn those_who_read_it_are_told_once_in_a_while_whom_we_are_linked_with() {
    let mut bench = Bench::new(Role::Ultrapeer);
    let (ours, _) = bench.linked(host(2), &format!("{ULTRAPEER}Node: {}\r\n", host(2)));
    let (stranger, _) = bench.linked(host(3), &format!("{ULTRAPEER}Node: {}\r\n", host(3)));
    let (leaf, _) = bench.linked(host(4), LEAF);
    is_ours(&mut bench, ours);
    is_ours(&mut bench, leaf);
    assert!(lists(&bench.probe.advance(Duration::from_secs(9)), ours).is_empty(), "changes are gathered");
    let outs = bench.probe.advance(Duration::from_secs(1));
    let expected = [[100, 66, 0, 2, 0xca, 0x18, 32], [100, 67, 0, 3, 0xca, 0x18, 32]].concat();
    assert_eq!(lists(&outs, ours), [expected]);
    assert!(lists(&outs, stranger).is_empty() && lists(&outs, leaf).is_empty());
    // It answers no pings, but says something.
    let quiet = bench.probe.advance(Duration::from_secs(5));
    bench.hear(ours, header(Kind::Ping, 5, 1, 0), &[]);
    assert!(lists(&quiet, ours).is_empty(), "nothing changed");
    bench.probe.stream(stranger, StreamInput::Closed(throng_machine::StreamEnd::Broken));
    let outs = bench.probe.advance(Duration::from_secs(10));
    assert_eq!(lists(&outs, ours), [[100, 66, 0, 2, 0xca, 0x18, 32]]);
}

#[test]
fn a_search_goes_no_farther_than_the_network_is_wide() {
    let (mut bench, others) = village(&[10, 11, 12, 13, 14, 15]);
    let near = asked(&mut bench, &others);
    assert!(near.iter().all(|ttl| *ttl <= 2), "32 of them are reached without: {near:?}");
    let (mut bench, others) = village(&[]);
    assert!(asked(&mut bench, &others).contains(&4), "it may be large");
    let (mut bench, others) = village(&[10, 11, 12]);
    assert!(asked(&mut bench, &others).contains(&4), "three of eight do not say it for all");
}

#[test]
fn a_list_of_any_length_is_read_as_far_as_lists_go_and_leaves_tell_none() {
    let (mut bench, others) = village(&[]);
    for length in [0, 1, 6, 8, 7 * 64 + 3, 3_000] {
        tell(&mut bench, others[0], VendorKind::NEIGHBOURS, &vec![0xff; length]);
    }
    let (leaf, _) = bench.linked(host(3), LEAF);
    tell(&mut bench, leaf, VendorKind::NEIGHBOURS, &[0xff; 7 * 64]);
    assert_eq!(bench.probe.machine.neighbours().count(), others.len() + 1, "nobody is let go for that");
    assert!(asked(&mut bench, &others).contains(&4), "one does not say it for all");
}
