//! A scripted server linked to ours: ours in the place of a server of the captures, and false neighbours.

use super::links::{NAMES, address};
use super::*;
use throng_wire::napster::{Deflater, Inflater, link_proof};

/// A scripted neighbour of a server of ours.
struct Neighbour {
    stream: StreamId,
    deflater: Deflater,
    inflater: Inflater,
}

impl Neighbour {
    /// Calls as hubA and proves itself.
    fn link(world: &mut World, name: &str, password: &[u8], from: [u8; 4]) -> Option<Neighbour> {
        let stream = world.connect(from);
        let nonce = b"B9E3EB2D26B6E251";
        world.send(stream, 10_010, [name.as_bytes(), b" ", nonce, b" 0"].concat());
        let answer = world.raw(stream);
        let (hello, length) = Frame::split(&answer, MAX_DATA).unwrap()?;
        assert_eq!(hello.kind, 10_010);
        let theirs = hello.data.split(|byte| *byte == b' ').nth(1).unwrap();
        let (proof, _) = Frame::split(&answer[length..], MAX_DATA).unwrap()?;
        assert_eq!(proof.data, link_proof(nonce, theirs, b"pwB"));
        world.send(stream, 10_011, link_proof(theirs, nonce, password));
        let (deflater, inflater) = (Deflater::new(0), Inflater::new());
        Some(Neighbour { stream, deflater, inflater })
    }

    fn send(&mut self, world: &mut World, kind: u16, data: impl AsRef<[u8]>) {
        let mut out = Vec::new();
        self.deflater.deflate(&frame(kind, data), &mut out).unwrap();
        world.bytes(self.stream, &out);
    }

    fn seen(&mut self, world: &mut World) -> Vec<Seen> {
        let mut out = Vec::new();
        let bytes = world.raw(self.stream);
        assert_eq!(self.inflater.inflate(&bytes, &mut out, 1 << 20), Ok(bytes.len()));
        let (mut at, mut seen) = (0, Vec::new());
        while let Some((frame, length)) = Frame::split(&out[at..], MAX_DATA).unwrap() {
            seen.push((frame.kind, latin(frame.data)));
            at += length;
        }
        seen
    }
}

/// hubB of the captures with ben and fire, who share their songs.
fn hub_b() -> (World, StreamId, StreamId) {
    let peer = Peer {
        name: NAMES[0].into(),
        send_password: "pwB".into(),
        expect_password: "pwA".into(),
        addresses: vec![IpAddr::from(address(0))],
        dial: None,
    };
    let mut world = World::new(Config { name: NAMES[1].into(), peers: vec![peer], ..config() });
    let fire = world.user_from("fire", 0, [10, 99, 0, 2]);
    let ben = world.user_from("ben", 6_702, [10, 99, 0, 2]);
    world.send(ben, 100, "\"C:\\B\\Remote Ocelot Song.mp3\" 0 5000000 128 44100 180");
    world.send(fire, 100, "\"C:\\F\\Fire Ocelot Song.mp3\" 0 5000000 128 44100 180");
    (world, ben, fire)
}

/// Frames of a link in a form in which equal meaning is equal text.
fn plain(kind: u16, text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(' ').collect();
    match kind {
        // G's habits: the time, the end of the state, the lecture about browsing, and twice the same total.
        10_023 | 10_262 | 10_263 | 205 | 10_012 => None,
        // Password, time and connecting port are each one's own.
        2 => Some(format!(
            "2 {} {} {} {:?}",
            words[0],
            words[2],
            words[words.len() - 2],
            words.get(words.len() - 3)
        )),
        // Only G tells the address in a 213.
        10_018 if text.contains('\u{d5}') => Some(format!("10018 {} 213", words[1])),
        _ => Some(format!("{kind} {text}")),
    }
}

/// The frames one side of a captured link sent, in order.
fn captured(text: &str) -> Vec<(bool, u16, String)> {
    let (mut from_a, mut frames) = (true, Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("#             frame ") {
            let hex = rest.split_whitespace().next().unwrap();
            let bytes: Vec<u8> = (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
                .collect();
            frames.push((from_a, u16::from_le_bytes([bytes[2], bytes[3]]), latin(&bytes[4..])));
        } else if line.contains(" -> ") {
            from_a = line.split_whitespace().nth(1).unwrap().starts_with("hubA");
        }
    }
    frames
}

#[test]
fn in_the_place_of_hub_b_of_the_captures_ours_says_what_hub_b_said() {
    for text in [
        include_str!("../../../../../wire/tests/captures/napster/server-link-opennap036.txt"),
        include_str!("../../../../../wire/tests/captures/napster/server-link-opennapng.txt"),
    ] {
        let (mut world, ben, fire) = hub_b();
        let mut hub_a = Neighbour::link(&mut world, NAMES[0], b"pwA", address(0)).unwrap();
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for (from_a, kind, data) in captured(text) {
            if !from_a {
                theirs.extend(plain(kind, &data));
                continue;
            }
            let bytes: Vec<u8> = data.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect();
            hub_a.send(&mut world, kind, bytes);
            // What ben and fire did then.
            for (who, name) in [(ben, "ben"), (fire, "fire")] {
                for (kind, text) in world.seen(who) {
                    let song = text.split('"').nth(1).unwrap_or("").to_owned();
                    match kind {
                        751 => world.send(who, 752, &text),
                        607 => world.send(who, 608, format!("anna \"{song}\"")),
                        501 => assert!(text.starts_with("anna 16802570 6701 "), "{name} {text}"),
                        _ => {}
                    }
                }
            }
        }
        // At the end of A's capture everybody left.
        if text.contains("0.36 servers") {
            world.leave(ben);
            world.leave(fire);
        } else {
            theirs.retain(|line| !line.starts_with("10000"));
        }
        ours.extend(hub_a.seen(&mut world).iter().filter_map(|(kind, data)| plain(*kind, data)));
        // Both echo the level of a user they know; it is for the user's own server to say.
        theirs.retain(|line| !line.starts_with("606"));
        theirs.sort();
        ours.sort();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_false_server_is_not_linked() {
    let cases = [
        ("hubX.net.test", &b"pwA"[..], address(0)),
        (NAMES[0], b"pwA", [10, 99, 0, 9]),
        (NAMES[1], b"pwA", address(0)),
    ];
    for (name, password, from) in cases {
        let (mut world, ..) = hub_b();
        assert!(Neighbour::link(&mut world, name, password, from).is_none(), "{name} {from:?}");
        assert_eq!(world.violations(Violation::FalseServer), 1);
    }
    let (mut world, ..) = hub_b();
    let wrong = Neighbour::link(&mut world, NAMES[0], b"pwX", address(0)).unwrap();
    assert!(world.is_closed(wrong.stream));
    assert_eq!(world.probe.machine.gauges().links, 0);
    // Who says nothing more is waited for a minute.
    let stream = world.connect(address(0));
    world.send(stream, 10_010, "hubA.net.test 0123456789ABCDEF 0");
    world.advance(Duration::from_secs(60));
    assert!(world.is_closed(stream));
}

#[test]
fn a_linked_server_speaks_only_for_its_own_users() {
    let (mut world, ben, fire) = hub_b();
    let mut hub_a = Neighbour::link(&mut world, NAMES[0], b"pwA", address(0)).unwrap();
    hub_a.send(&mut world, 2, "anna pw 6701 \"net 0.1\" 5 unknown 1000000000 16802570 hubA.net.test 36720");
    world.seen(ben);
    world.seen(fire);
    let zeros = "00000000000000000000000000000000";
    let wrapped = |nick: &str, kind: u16, data: &str| {
        [format!(":hubA.net.test {nick} ").as_bytes(), &frame(kind, data)].concat()
    };
    let false_words: Vec<(u16, Vec<u8>)> = vec![
        // A user of ours leaves, shares, speaks, is operator; a user of a server that is not there.
        (10_000, b"ben".to_vec()),
        (10_012, b"ben 5000 5".to_vec()),
        (205, b":ben fire hello".to_vec()),
        (700, b":ben 9".to_vec()),
        (2, b"zoe pw 1 \"c\" 5 unknown 1 1 hubX.net.test 1".to_vec()),
        (610, b":hubB.net.test ben \"no\"".to_vec()),
        (610, b":anna ben \"anna is no operator\"".to_vec()),
        (10_020, b":hubA.net.test hubB.net.test \"no\"".to_vec()),
        // Ben is to call a third party, for a push, a download, a list; or to run a program, or to go elsewhere.
        (
            10_018,
            wrapped("fire", 501, &format!("anna 151587081 80 \"C:\\F\\Fire Ocelot Song.mp3\" {zeros} 5")),
        ),
        (
            10_018,
            wrapped("fire", 501, &format!("ben 151587081 80 \"C:\\F\\Fire Ocelot Song.mp3\" {zeros} 5")),
        ),
        (10_018, wrapped("ben", 204, &format!("anna 151587081 80 \"C:\\x.mp3\" {zeros} 5"))),
        (10_018, wrapped("ben", 204, &format!("nobody 16802570 80 \"C:\\x.mp3\" {zeros} 5"))),
        (10_018, wrapped("fire", 640, "anna 151587081 80")),
        (10_018, wrapped("ben", 641, "anna 151587081 80")),
        (10_018, wrapped("ben", 5, "http://evil.test/run.exe")),
        (10_018, wrapped("ben", 821, "evil.test 80")),
        (10_018, wrapped("ben", 748, "")),
        (10_018, b":hubA.net.test ben \xff\xff\x01".to_vec()),
    ];
    for (number, (kind, data)) in false_words.iter().enumerate() {
        hub_a.send(&mut world, *kind, data);
        assert_eq!(world.violations(Violation::FalseOrigin), number as u64 + 1, "{kind} {}", latin(data));
        assert_eq!(world.seen(ben), []);
        assert_eq!(world.seen(fire), []);
    }
    assert_eq!(world.probe.machine.gauges().users, 3);
    // The same about its own user is fine.
    hub_a.send(
        &mut world,
        10_018,
        wrapped("fire", 501, &format!("anna 16802570 6701 \"C:\\F\\x.mp3\" {zeros} 5")),
    );
    assert_eq!(world.seen(fire)[0].0, 501);
}

#[test]
fn a_link_that_makes_a_circle_or_cannot_be_read_is_ended() {
    for (kind, data) in [
        (10_019, "hubX.net.test 1 hubY.net.test 2 1"),
        (10_019, "hubA.net.test 1 hubB.net.test 2 1"),
        (10_019, "hubA.net.test 1 hubA.net.test 2 1"),
    ] {
        let (mut world, ..) = hub_b();
        let mut hub_a = Neighbour::link(&mut world, NAMES[0], b"pwA", address(0)).unwrap();
        hub_a.send(&mut world, kind, data);
        assert!(world.is_closed(hub_a.stream), "{data}");
    }
    let (mut world, ..) = hub_b();
    let hub_a = Neighbour::link(&mut world, NAMES[0], b"pwA", address(0)).unwrap();
    world.bytes(hub_a.stream, b"this is no zlib stream");
    assert!(world.is_closed(hub_a.stream));
    // A stream that inflates without end.
    let mut hub_a = Neighbour::link(&mut world, NAMES[0], b"pwA", address(0)).unwrap();
    hub_a.deflater = Deflater::new(9);
    let mut bomb = Vec::new();
    hub_a.deflater.deflate(&frame(10_263, "").repeat(20 << 20), &mut bomb).unwrap();
    world.bytes(hub_a.stream, &bomb);
    assert!(world.is_closed(hub_a.stream));
    assert_eq!(world.violations(Violation::BadLink), 2);
}
