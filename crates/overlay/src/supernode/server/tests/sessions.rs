//! Sessions: what a node is told, who it is for others, and when it is let go.

use super::*;
use throng_wire::fasttrack::NodeList;

#[test]
fn a_node_is_told_of_the_supernode_its_own_address_and_that_its_shares_are_wanted() {
    let mut world = World::new(config());
    let mut node = world.join(7, "bob");
    let heard = world.heard(&mut node);
    // 10.77.0.1:1218, seen now, load 0; then 10.0.0.7; then nothing.
    assert_eq!(
        heard,
        [(0x00, vec![10, 77, 0, 1, 0x04, 0xc2, 0, 0]), (0x2c, vec![10, 0, 0, 7]), (0x03, vec![]),]
    );
}

#[test]
fn the_statistics_that_gift_leaves_at_are_never_sent() {
    let mut world = World::new(config());
    let mut node = world.join(7, "bob");
    world.share(&mut node, "x.mp3", 1);
    world.advance(Duration::from_secs(7_200));
    assert!(world.heard(&mut node).iter().all(|(kind, _)| *kind != 0x09));
}

#[test]
fn pings_names_and_versions_are_answered_and_the_unknown_is_passed_over() {
    let mut world = World::new(config());
    let mut node = world.join(7, "bob");
    assert_eq!(world.ask(&mut node, &Message::NetworkName(b"x")), [(0x1d, b"KaZaA".to_vec())]);
    assert_eq!(world.ask(&mut node, &Message::Version(22)), [(0x26, vec![0, 0, 0, 22])]);
    for kind in [0x15, 0x16, 0x17, 0x1e, 0x1f, 0x20, 0x21, 0x23, 0x2b, 0x7e, 0x99] {
        assert_eq!(world.ask(&mut node, &Message::Other { kind, body: b"anything" }), []);
    }
    assert_eq!(world.probe.machine.violations().total(), 0);
    let mut ping = Vec::new();
    node.channel.put_ping(&mut ping);
    world.bytes(node.stream, &ping);
    assert_eq!(world.heard(&mut node), [(0x52, vec![])]);
}

#[test]
fn a_silent_node_is_pinged_and_then_let_go() {
    let mut world = World::new(config());
    let (mut quiet, mut alive) = (world.join(7, "bob"), world.join(8, "eve"));
    world.heard(&mut alive);
    world.advance(Duration::from_secs(121));
    assert_eq!(world.heard(&mut quiet).last(), Some(&(0x50, vec![])));
    let mut pong = Vec::new();
    alive.channel.put_pong(&mut pong);
    world.bytes(alive.stream, &pong);
    world.advance(Duration::from_secs(121));
    assert!(world.is_closed(quiet.stream) && !world.is_closed(alive.stream));
    assert_eq!(world.probe.machine.gauges().members, 1);
}

#[test]
fn others_are_told_the_address_a_node_comes_from_never_another() {
    let said = |ip: [u8; 4], port| SocketAddrV4::new(Ipv4Addr::from(ip), port);
    for (address, told) in [
        (said([10, 0, 0, 7], 1_214), 1_214),
        (said([0, 0, 0, 0], 1_214), 1_214),
        (said([198, 51, 100, 9], 1_214), 1_214),
        (said([192, 168, 0, 9], 1_214), 0),
        (said([10, 0, 0, 7], 0), 0),
    ] {
        let mut world = World::new(config());
        let (mut owner, mut asker) = (world.join(7, "bob"), world.join(8, "eve"));
        world.say(&mut owner, &Message::NodeInfo(NodeInfo { address, bandwidth: 1, user: b"bob" }));
        world.share(&mut owner, "zebra.mp3", 1);
        let heard = world.search(&mut asker, 1, "zebra");
        let Message::Reply(reply) = Message::parse(0x07, &heard[0].1).unwrap() else { panic!() };
        let hit = reply.hits.iter().next().unwrap().unwrap();
        assert_eq!(hit.at, said([10, 0, 0, 7], told), "{address}");
    }
}

#[test]
fn a_full_supernode_tells_of_others_and_lets_go() {
    let mut world = World::new(Config { slots: 2, most_members: 2, ..config() });
    let first = [world.join(7, "a"), world.join(8, "b")];
    let stream = world.accept(Endpoint::v4([10, 0, 0, 9], 40_000));
    world.bytes(stream, &ClientHello::ours().encode());
    let mut channel = Channel::call(&ServerHello::ours());
    let mut name = Vec::new();
    channel.put_name(&mut name);
    world.bytes(stream, &name);
    assert!(world.is_closed(stream));
    let mut node = Node { stream, channel };
    let bytes = world.raw(stream);
    node.channel.receive(&bytes[8..]);
    node.channel.take_name().unwrap();
    assert_eq!(world.heard(&mut node), [(0x00, NodeList(&[]).0.to_vec())]);
    assert!(first.iter().all(|node| !world.is_closed(node.stream)));
    assert_eq!(world.probe.machine.gauges().members, 2);
}
