//! Clients that mean harm, or are broken: the server stays, and its memory is bounded.

use super::*;
use throng_machine::Entropy as _;

#[test]
fn what_comes_before_a_login_must_be_one() {
    for kind in [0, 3, 100, 200, 203, 205, 610, 10_011, 10_015, 10_018, 65_535] {
        let mut world = World::new(config());
        let stream = world.connect([10, 0, 0, 1]);
        assert_eq!(world.ask(stream, kind, "x y z 1 2 3"), [is(0, "invalid command")], "{kind}");
        assert!(world.is_closed(stream));
    }
    let mut world = World::new(config());
    let stream = world.connect([10, 0, 0, 1]);
    for kind in [4, 11, 14, 300, 920] {
        assert_eq!(
            world.ask(stream, kind, if kind == 11 { "" } else { "62" }).len(),
            usize::from(kind == 11)
        );
        if kind == 11 {
            return assert!(world.is_closed(stream), "a question without a nick is no question");
        }
    }
}

#[test]
fn a_login_in_single_bytes_and_three_commands_in_one_write_are_the_same() {
    let mut world = World::new(config());
    let anna = world.connect([10, 0, 0, 1]);
    for byte in frame(2, "anna pw 6699 \"net 0.1\" 5\0") {
        world.bytes(anna, &[byte]);
    }
    assert_eq!(world.seen(anna)[0], is(3, "anon@nap.net.test"));
    let three = [frame(600, "anna"), frame(214, ""), frame(600, "anna")].concat();
    world.bytes(anna, &three);
    assert_eq!(world.seen(anna), [is(601, "anna 5"), is(214, "1 0 0"), is(601, "anna 5")]);
}

#[test]
fn who_does_not_read_is_not_listened_to_and_then_closed() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for number in 0..500 {
        world.send(anna, 100, format!("\"C:\\{}{number}\" 0 5 128 44100 9", "n".repeat(200)));
    }
    world.reads = false;
    world.seen(ben);
    // A hundred lists of 140 kB: the second waits until the first has left.
    for _ in 0..100 {
        world.send(ben, 211, "anna");
    }
    let sent = world.raw(ben).len();
    assert!(sent < 300_000, "{sent}");
    assert!(!world.is_closed(ben), "patience while little waits");
    let outs = world.probe.stream(ben, StreamInput::Flushed(sent as u32));
    assert!(outs.len() == 1, "it goes on where it stood");
    // What others tell counts too.
    for _ in 0..100 {
        world.send(anna, 205, "ben hello");
    }
    assert!(world.is_closed(ben));
    assert_eq!(world.violations(Violation::SlowReader), 1);
}

#[test]
fn input_that_must_wait_is_kept_up_to_a_limit() {
    let mut world = World::new(config());
    world.operator("dave", Level::User);
    world.answers = false;
    let stream = world.connect([10, 0, 0, 9]);
    world.send(stream, 2, "dave x 1 \"c\" 5");
    for _ in 0..60 {
        world.send(stream, 205, "m".repeat(2_000));
    }
    assert!(world.is_closed(stream));
    assert_eq!(world.violations(Violation::Flood), 1);
}

#[test]
fn a_flood_of_messages_is_the_end() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for _ in 0..7_000 {
        world.send(anna, 205, "ben hello");
    }
    assert!(world.is_closed(anna) && !world.is_closed(ben));
    assert_eq!(world.violations(Violation::Flood), 1);
    assert_eq!(world.seen(ben).len(), 6_000);
}

#[test]
fn who_shares_many_files_one_a_message_is_no_flood_but_who_shares_one_again_and_again_is() {
    let mut world = World::new(config());
    let anna = world.user("anna", 1);
    for number in 0..9_000 {
        world.send(anna, 100, format!("\"d\\{number}.mp3\" 0 5 128 44100 9"));
    }
    assert!(!world.is_closed(anna));
    for _ in 0..7_000 {
        world.send(anna, 100, "\"d\\1.mp3\" 0 5 128 44100 9");
    }
    assert!(world.is_closed(anna));
    assert_eq!(world.violations(Violation::Flood), 1);
}

#[test]
fn much_at_once_behind_a_part_of_a_frame_is_no_flood() {
    let mut world = World::new(config());
    let anna = world.user("anna", 1);
    let mut all = Vec::new();
    for number in 0..3_000 {
        let data = format!("\"d\\{number}.mp3\" 0 5 128 44100 9");
        all.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        all.extend([100, 0]);
        all.extend(data.as_bytes());
    }
    let (first, rest) = all.split_at(10);
    world.bytes(anna, first);
    assert!(rest.len() > 80_000);
    world.bytes(anna, rest);
    assert!(!world.is_closed(anna));
    assert_eq!(world.violations(Violation::Flood), 0);
}

#[test]
fn texts_cannot_forge_fields_or_frames() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    world.send(anna, 205, b"ben \x05\x00\xd6\x001 1 1");
    world.send(anna, 205, "ben \"quoted\" \r\n\t text");
    let seen = world.seen(ben);
    assert!(seen.iter().all(|seen| seen.0 == 205 && seen.1.starts_with("anna ")), "{seen:?}");
    let login = world.connect([10, 0, 0, 9]);
    world.send(login, 2, b"zoe pw 1 \"cli\r\nent\" 5");
    world.seen(login);
    // A client's name that cannot be written makes no broken answer.
    assert_eq!(world.ask(ben, 603, "zoe"), []);
    assert!(world.probe.machine.metrics().unwritable > 0);
}

#[test]
fn nothing_is_left_of_those_who_leave() {
    let mut world = World::new(config());
    let empty = world.probe.machine.gauges();
    for round in 0..20 {
        let streams: Vec<StreamId> = (0..10).map(|at| world.user(&format!("u{round}x{at}"), 1)).collect();
        for (at, stream) in streams.iter().enumerate() {
            world.send(
                *stream,
                100,
                format!("\"C:\\{round} {at}.mp3\" 62837da508c5b15b6465453833176ef4 5 1 1 1"),
            );
            world.send(*stream, 400, format!("#c{}", at % 3));
            world.send(*stream, 207, "u0x0");
            world.send(*stream, 322, "u0x1");
        }
        streams.into_iter().for_each(|stream| world.leave(stream));
        let left = Gauges { index_bytes: 0, ..world.probe.machine.gauges() };
        assert_eq!(left, Gauges { index_bytes: 0, ..empty });
    }
}

#[test]
fn any_bytes_at_all_are_survived() {
    let mut rng = throng_machine::SplitMix64::new(5);
    let mut world = World::new(config());
    let mut streams = Vec::new();
    for round in 0..3_000_u32 {
        if round % 10 == 0 {
            streams.push(world.user(&format!("n{round}"), (round % 3) as u16));
        }
        let kinds =
            [2, 6, 100, 102, 200, 203, 205, 211, 215, 400, 402, 500, 603, 608, 619, 640, 751, 870, 10_300];
        let kind = kinds[rng.below(kinds.len() as u32) as usize];
        let words =
            ["n0", "\"", "C:\\a b", " ", "-1", "99999999999999999999", "\0", "#x", "MAX_RESULTS", "FILENAME"];
        let data: String =
            (0..rng.below(9)).map(|_| words[rng.below(10) as usize].to_owned() + " ").collect();
        let stream = streams[rng.below(streams.len() as u32) as usize];
        if !world.is_closed(stream) {
            world.send(stream, kind, data);
        }
    }
    assert!(world.probe.machine.gauges().users > 0);
}
