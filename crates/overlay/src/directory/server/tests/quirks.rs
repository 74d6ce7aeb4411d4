//! Quirks of servers and clients of the time that the captures do not show, and what ours does about them.

use super::*;

#[test]
fn the_eighth_field_of_a_login_compresses_nothing_and_crashes_nobody() {
    for level in ["0", "1", "9", "10", "-1", "x", "\"a b\"", "99999999999999999999"] {
        let mut world = World::new(config());
        let stream = world.connect([10, 0, 0, 1]);
        // G compresses what follows, and dies of 0 (N5).
        let seen = world.ask(stream, 2, format!("anna pw 1 \"c\" 5 5201 0 {level}"));
        assert_eq!(seen[0], is(3, "anon@nap.net.test"), "{level}");
        assert_eq!(world.ask(stream, 600, "anna"), [is(601, "anna 5")]);
    }
}

#[test]
fn a_client_s_name_is_cut_and_need_not_be_quoted() {
    let mut world = World::new(config());
    let anna = world.connect([10, 0, 0, 1]);
    world.ask(anna, 2, format!("anna pw 1 {} 5", "c".repeat(40)));
    let whois = world.ask(anna, 603, "anna");
    assert!(whois[0].1.ends_with(&format!(" \"{}\"", "c".repeat(32))), "{whois:?}");
}

#[test]
fn users_of_the_server_s_own_machine_are_shown_at_its_public_address() {
    let public = Some([192, 0, 2, 7].into());
    for (loopback_as, shown) in [(None, "16777343"), (public, "117571776")] {
        let mut world = World::new(Config { loopback_as, ..config() });
        let anna = world.user_from("anna", 6_701, [127, 0, 0, 1]);
        let ben = world.user_from("ben", 1, [10, 0, 0, 2]);
        world.send(anna, 100, "\"C:\\zebra.mp3\" 0 5000 128 44100 10");
        let hit = world.ask(ben, 200, "FILENAME CONTAINS zebra");
        assert!(hit[0].1.ends_with(&format!(" anna {shown} 5")), "{hit:?}");
        world.send(anna, 608, "ben \"C:\\zebra.mp3\"");
        let told = world.seen(ben);
        assert!(told[0].1.starts_with(&format!("anna {shown} 6701 ")), "{told:?}");
    }
}

#[test]
fn a_frame_s_header_and_data_leave_in_one_write() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    world.send(anna, 100, "\"C:\\zebra.mp3\" 0 5000 128 44100 10");
    // TekNap misreads a header that comes in pieces (T7).
    for (kind, data) in [(200, "FILENAME CONTAINS zebra"), (211, "anna"), (603, "anna"), (203, "anna \"x\"")]
    {
        let outs = world.probe.stream(ben, StreamInput::Bytes(&frame(kind, data)));
        assert!(!outs.is_empty());
        for out in outs {
            let Out::Write(_, bytes) = out else { panic!("{kind} is answered by {out:?}") };
            let mut rest = &bytes[..];
            while let Some((_, length)) = Frame::split(rest, MAX_DATA).unwrap() {
                rest = &rest[length..];
            }
            assert!(rest.is_empty(), "{kind} leaves a part of a frame for the next write");
        }
    }
}

#[test]
fn half_a_header_is_no_frame_and_nothing_at_all_is_one() {
    let mut world = World::new(config());
    let anna = world.user("anna", 1);
    world.bytes(anna, &[0, 0]);
    assert_eq!(world.seen(anna), []);
    world.bytes(anna, &[0xd6, 0]);
    assert_eq!(world.seen(anna), [is(214, "1 0 0")], "no data is a frame of no data");
    // A length that no frame may have is refused before the type is there.
    world.bytes(anna, &[0xff, 0xff]);
    assert!(world.is_closed(anna));
    assert_eq!(world.violations(Violation::FrameTooLong), 1);
}
