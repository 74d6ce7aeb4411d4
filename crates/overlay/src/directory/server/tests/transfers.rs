//! Who may fetch what from whom, and to whom anybody is sent: each rule by name.

use super::*;

/// Anna (reachable) and Fire (firewalled) each share a file; Ben (reachable) and Gate (firewalled) want it.
fn stage() -> (World, [StreamId; 4]) {
    let mut world = World::new(config());
    let anna = world.user_from("anna", 6_701, [10, 0, 0, 1]);
    let fire = world.user_from("fire", 0, [10, 0, 0, 2]);
    let ben = world.user_from("ben", 6_702, [10, 0, 0, 3]);
    let gate = world.user_from("gate", 0, [10, 0, 0, 4]);
    world.send(anna, 100, "\"C:\\Song.mp3\" 0 5000 128 44100 10");
    world.send(fire, 100, "\"C:\\Tune.mp3\" 0 6000 128 44100 10");
    (world, [anna, fire, ben, gate])
}

const ZEROS: &str = "00000000000000000000000000000000";

#[test]
fn a_reachable_uploader_is_asked_and_then_named() {
    let (mut world, [anna, _, ben, _]) = stage();
    assert_eq!(world.ask(ben, 203, "anna \"c:\\song.MP3\""), []);
    assert_eq!(world.seen(anna), [is(607, "ben \"C:\\Song.mp3\"")], "in the sharer's spelling");
    world.send(anna, 608, "ben \"C:\\Song.mp3\"");
    // 10.0.0.1 read as a little-endian number.
    assert_eq!(world.seen(ben), [is(204, &format!("anna 16777226 6701 \"C:\\Song.mp3\" {ZEROS} 5"))]);
}

#[test]
fn a_firewalled_uploader_is_asked_only_for_a_push_and_told_the_downloaders_own_address() {
    let (mut world, [_, fire, ben, _]) = stage();
    let port_zero = is(204, &format!("fire 33554442 0 \"C:\\Tune.mp3\" {ZEROS} 5"));
    assert_eq!(world.ask(ben, 203, "fire \"C:\\Tune.mp3\""), [port_zero]);
    assert_eq!(world.seen(fire), []);
    assert_eq!(world.ask(ben, 500, "fire \"C:\\Tune.mp3\""), []);
    assert_eq!(world.seen(fire), [is(607, "ben \"C:\\Tune.mp3\"")]);
    let order = is(501, &format!("ben 50331658 6702 \"C:\\Tune.mp3\" {ZEROS} 5"));
    assert_eq!(world.ask(fire, 608, "ben \"C:\\Tune.mp3\""), [order]);
}

#[test]
fn when_both_are_firewalled_nobody_is_bothered() {
    let (mut world, [_, fire, _, gate]) = stage();
    let error = is(204, "fire 33554442 0 \"C:\\Tune.mp3\" firewallerror 5");
    assert_eq!(world.ask(gate, 500, "fire \"C:\\Tune.mp3\""), std::slice::from_ref(&error));
    assert_eq!(world.seen(fire), []);
    // An uploader who agrees all the same is not sent to port 0.
    assert_eq!(world.ask(fire, 608, "gate \"C:\\Tune.mp3\""), []);
    assert_eq!(world.seen(gate), [error]);
}

#[test]
fn nobody_can_be_pushed_to_a_third_partys_address() {
    let (mut world, [_, fire, ben, _]) = stage();
    // Whatever a login or a request says, the address is the connection's: only the port is theirs.
    for data in ["fire \"C:\\Tune.mp3\" 167772161 80", "fire \"C:\\Tune.mp3\" 10.9.9.9 80"] {
        world.send(ben, 500, data);
        world.send(fire, 608, "ben \"C:\\Tune.mp3\" 167772161 80");
        let orders = world.seen(fire);
        let order = orders.iter().find(|seen| seen.0 == 501).unwrap();
        assert!(order.1.starts_with("ben 50331658 6702 "), "{order:?}");
    }
    // Nor can an uploader name somebody else's file, or a user who is not there.
    assert_eq!(world.ask(fire, 608, "ben \"C:\\Song.mp3\""), [is(404, "Not sharing that file")]);
    assert_eq!(world.ask(fire, 608, "zoe \"C:\\Tune.mp3\""), [is(404, "User zoe is not currently online.")]);
    // A user who came by IPv6 has no address the protocol could tell: nobody is sent anywhere.
    let six = Endpoint::new("2001:db8::1".parse().unwrap(), 40_000);
    let (stream, _) = world.probe.accept(six);
    world.send(stream, 2, "sixy pw 6699 \"c\" 5");
    world.send(stream, 703, "6699");
    assert_eq!(world.ask(stream, 500, "fire \"C:\\Tune.mp3\"")[0].1.split(' ').nth(4), Some("firewallerror"));
}

#[test]
fn what_is_not_shared_or_not_there_is_not_available() {
    let (mut world, [anna, fire, ben, _]) = stage();
    assert_eq!(world.ask(ben, 203, "anna \"C:\\nope.mp3\""), [is(206, "anna \"C:\\nope.mp3\"")]);
    assert_eq!(world.ask(ben, 203, "zoe \"C:\\Song.mp3\""), [is(206, "zoe \"C:\\Song.mp3\"")]);
    assert_eq!(world.ask(ben, 203, "anna"), [is(404, "parameters are unparsable")]);
    assert_eq!(world.ask(ben, 500, "fire \"C:\\nope.mp3\""), [is(206, "fire \"C:\\nope.mp3\"")]);
    assert_eq!(world.ask(ben, 500, "anna \"C:\\Song.mp3\""), [is(404, "anna is not firewalled")]);
    world.send(anna, 322, "ben");
    assert_eq!(world.ask(ben, 203, "anna \"C:\\Song.mp3\""), [is(404, "anna is ignoring you")]);
    assert_eq!(world.seen(fire), []);
}

#[test]
fn queue_limits_and_unreachable_ports_are_passed_on() {
    let (mut world, [anna, _, ben, _]) = stage();
    world.send(anna, 619, "ben \"C:\\song.mp3\" 3");
    assert_eq!(world.seen(ben), [is(620, "anna \"C:\\Song.mp3\" 5000 3")]);
    world.send(anna, 619, "ben \"C:\\song.mp3\" 0");
    assert_eq!(world.seen(ben), [is(620, "anna \"C:\\Song.mp3\" 5000 0")]);
    world.seen(anna);
    assert_eq!(world.ask(anna, 619, "ben \"C:\\nope.mp3\" 0"), [is(404, "Not sharing that file")]);
    world.send(ben, 626, "anna");
    assert_eq!(world.seen(anna), [is(626, "ben")]);
}

#[test]
fn direct_browsing_is_arranged_with_the_askers_own_address() {
    let (mut world, [anna, fire, ben, gate]) = stage();
    assert_eq!(world.ask(ben, 640, "anna"), []);
    assert_eq!(world.seen(anna), [is(640, "ben")]);
    world.send(anna, 641, "ben");
    assert_eq!(world.seen(ben), [is(641, "anna 16777226 6701")]);
    world.send(ben, 640, "fire");
    assert_eq!(world.seen(fire), [is(640, "ben 50331658 6702")]);
    let text = "fire \"Both you and fire are firewalled; you cannot browse each other.\"";
    assert_eq!(world.ask(gate, 640, "fire"), [is(642, text)]);
    assert_eq!(world.ask(anna, 640, "ben"), [is(642, "ben \"ben is not sharing any files.\"")]);
    assert_eq!(world.ask(anna, 640, "zoe"), [is(404, "User is not currently online.")]);
}
