//! What nodes send that no honest node would.

use super::*;

#[test]
fn a_stream_cut_at_every_offset_leaves_nothing_behind() {
    let mut whole = ClientHello::ours().encode().to_vec();
    let mut channel = Channel::call(&ServerHello::ours());
    channel.put_name(&mut whole);
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, b"zebra.mp3");
    let item = FastItem { hash: FtHash([1; 20]), file_id: 0, size: 1, tags: tags.tags() };
    assert!(channel.put(&Message::Share(Share { media: Media::Audio, item }), &mut whole));
    for cut in 0..whole.len() {
        let mut world = World::new(config());
        let stream = world.accept(Endpoint::v4([10, 0, 0, 7], 1));
        world.bytes(stream, &whole[..cut]);
        world.stream(stream, StreamInput::Closed(StreamEnd::Broken));
        let gauges = world.probe.machine.gauges();
        assert_eq!((gauges.connections, gauges.members, gauges.files), (0, 0, 0), "cut at {cut}");
    }
}

#[test]
fn a_wrong_cipher_a_wrong_name_and_a_length_that_lies_end_the_connection() {
    for bad in
        [&[0xff; 40][..], b"bytes that are no name of a network, whatever the cipher", &[0x77; 12 + 40]]
    {
        let mut world = World::new(config());
        let stream = world.accept(Endpoint::v4([10, 0, 0, 7], 1));
        world.bytes(stream, &ClientHello::ours().encode());
        world.bytes(stream, bad);
        assert!(world.is_closed(stream));
        assert_eq!(world.violations(Violation::Unreadable), 1);
    }
    let mut world = World::new(config());
    let mut node = world.join(7, "bob");
    world.say(&mut node, &Message::Other { kind: 0x22, body: &[0; 60_000] });
    assert!(world.is_closed(node.stream), "far longer than any message of a node");
}

#[test]
fn what_does_not_greet_in_time_is_let_go() {
    let mut world = World::new(config());
    let silent = world.accept(Endpoint::v4([10, 0, 0, 7], 1));
    let slow = world.accept(Endpoint::v4([10, 0, 0, 8], 1));
    world.bytes(slow, &ClientHello::ours().encode());
    world.advance(Duration::from_secs(16));
    assert!(world.is_closed(silent) && world.is_closed(slow));
    assert_eq!(world.violations(Violation::TooSlow), 2);
}

#[test]
fn a_crowd_from_one_address_is_refused() {
    let mut world = World::new(Config { max_per_address: 3, ..config() });
    let streams: Vec<StreamId> =
        (0..5).map(|port| world.accept(Endpoint::v4([10, 0, 0, 7], 1 + port))).collect();
    assert_eq!(streams.iter().filter(|stream| world.is_closed(**stream)).count(), 2);
    world.stream(streams[0], StreamInput::Closed(StreamEnd::Finished));
    let next = world.accept(Endpoint::v4([10, 0, 0, 7], 9));
    assert!(!world.is_closed(next));
}

#[test]
fn a_node_that_shares_ten_million_files_is_heard_for_as_many_as_it_may() {
    let mut world = World::new(Config { max_files: 50, ..config() });
    let mut node = world.join(7, "bob");
    for number in 0..200u8 {
        world.share(&mut node, &format!("zebra {number}.mp3"), number);
    }
    assert_eq!(world.probe.machine.gauges().files, 50);
    assert_eq!(world.violations(Violation::TooManyFiles), 1);
    assert!(!world.is_closed(node.stream));
}

#[test]
fn a_flood_of_messages_ends_the_connection() {
    let mut world = World::new(config());
    let mut node = world.join(7, "bob");
    for _ in 0..23_000 {
        if world.is_closed(node.stream) {
            break;
        }
        world.say(&mut node, &Message::SendShares);
    }
    assert!(world.is_closed(node.stream));
    assert_eq!(world.violations(Violation::Flood), 1);
}

#[test]
fn a_storm_of_queries_is_answered_with_their_ends() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.share(&mut bob, "zebra.mp3", 1);
    let mut found = 0;
    for id in 0..200 {
        let heard = world.search(&mut eve, id, "zebra");
        assert_eq!(heard.last(), Some(&(0x08, id.to_be_bytes().to_vec())));
        found += usize::from(heard.len() > 1);
    }
    assert_eq!(found, 40, "its burst");
    assert_eq!(world.violations(Violation::QueryStorm), 160);
}

#[test]
fn who_does_not_read_gets_no_more_hits_and_is_let_go() {
    let mut world = World::new(Config { max_queue: 4_000, ..config() });
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    for number in 0..100u8 {
        world.share(&mut bob, &format!("zebra {number}.mp3"), number);
    }
    world.reads = false;
    for id in 0..2_000 {
        if world.is_closed(eve.stream) {
            break;
        }
        let mut into = Vec::new();
        let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: b"zebra" };
        let terms = Query::write_terms(&[term], &mut into);
        world
            .say(&mut eve, &Message::Search(Query { max_results: 100, id, realm: Realm::EVERYTHING, terms }));
    }
    assert!(world.is_closed(eve.stream));
    assert!(world.raw(eve.stream).len() < 4 * 4_000 + 12_000, "what waits is bounded");
    assert_eq!(world.violations(Violation::SlowReader), 1);
}

#[test]
fn an_ordinary_node_that_speaks_as_a_supernode_is_not_believed() {
    let mut world = World::new(config());
    let mut node = world.join(7, "bob");
    let before = world.probe.machine.gauges();
    for kind in [0x00, 0x01, 0x07, 0x08, 0x09, 0x0a, 0x24 | 0xc000, 0x2c, 0x8006] {
        assert_eq!(world.ask(&mut node, &Message::Other { kind, body: &[0; 64] }), []);
    }
    assert_eq!(world.violations(Violation::NotItsRole), 9);
    assert_eq!(world.probe.machine.gauges(), before);
    assert!(!world.is_closed(node.stream));
}

#[test]
fn whatever_type_a_node_asks_for_this_supernodes_choice_counts() {
    for wanted in [0x00, 0x01, 0x29, 0x80, 0xbb, 0x1ff] {
        let mut world = World::new(config());
        let stream = world.accept(Endpoint::v4([10, 0, 0, 7], 1));
        let mut hello = ClientHello::ours();
        hello.hidden_type ^= 0x29 ^ wanted;
        world.bytes(stream, &hello.encode());
        let answer = world.raw(stream);
        assert_eq!(answer[..8], ServerHello::ours().encode(), "{wanted:x}");
        let mut channel = Channel::call(&ServerHello::ours());
        channel.receive(&answer[8..]);
        assert_eq!(channel.take_name().unwrap().unwrap(), b"KaZaA");
    }
}

#[test]
fn tags_of_unknown_kind_are_kept_and_those_whose_length_lies_end_the_connection() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, b"zebra.mp3");
    for kind in [0x36, 0x3f, 0x40, 0x7f, 0x80, 0x1_0003, 0x0fff_ffff] {
        tags.text(TagKind(kind), b"\xff\x00whatever");
    }
    let item = FastItem { hash: FtHash([1; 20]), file_id: 99, size: 5, tags: tags.tags() };
    world.say(&mut bob, &Message::Share(Share { media: Media::Audio, item }));
    let heard = world.search(&mut eve, 1, "zebra");
    let Message::Reply(reply) = Message::parse(0x07, &heard[0].1).unwrap() else { panic!() };
    assert_eq!(reply.hits.iter().next().unwrap().unwrap().item, item);
    let mut body = Vec::new();
    Message::Share(Share { media: Media::Audio, item }).put(&mut body);
    for (cut, lies) in [(1, None), (9, None), (0, Some(0xff)), (0, Some(0x7f))] {
        let mut world = World::new(config());
        let mut node = world.join(9, "mallory");
        let mut bad = body[..body.len() - cut].to_vec();
        if let Some(length) = lies {
            // The first tag's length: behind media, hash, file id, size and count.
            let name = bad.windows(9).position(|part| part == b"zebra.mp3").unwrap();
            bad[name - 1] = length;
        }
        world.say(&mut node, &Message::Other { kind: 0x22, body: &bad });
        assert!(world.is_closed(node.stream), "{cut} {lies:?}");
        assert_eq!((world.violations(Violation::Unreadable), world.probe.machine.gauges().files), (1, 0));
    }
}
