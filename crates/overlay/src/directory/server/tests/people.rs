//! Logins, accounts, messages, lists, channels, operators: each rule by name.

use super::*;

#[test]
fn a_login_is_answered_by_mail_motd_and_totals() {
    let mut world = World::new(config());
    let anna = world.connect([10, 0, 0, 1]);
    world.send(anna, 2, "anna pw 6699 \"net 0.1\" 5");
    let version = format!("VERSION throng-directory {}", env!("CARGO_PKG_VERSION"));
    let expected = [
        is(3, "anon@nap.net.test"),
        is(621, &version),
        is(621, "SERVER nap.net.test"),
        is(621, "Welcome."),
        is(214, "1 0 0"),
    ];
    assert_eq!(world.seen(anna), expected);
}

#[test]
fn bad_nicks_speeds_and_ports_are_refused() {
    let mut world = World::new(config());
    for nick in ["bad?nick", "aaaaaaaaaaaaaaaaaaaa", "#a", "operator", "nickserv", "nap.net.test", "a\u{e9}"]
    {
        let stream = world.connect([10, 0, 0, 1]);
        assert_eq!(world.ask(stream, 2, format!("{nick} pw 1 \"c\" 5")), [is(10, "")], "{nick}");
        assert!(world.is_closed(stream));
    }
    for (login, reason) in [("a pw 1 \"c\" 11", "invalid speed"), ("a pw 65536 \"c\" 5", "invalid port")] {
        let stream = world.connect([10, 0, 0, 1]);
        assert_eq!(world.ask(stream, 2, login), [is(0, reason)]);
        assert!(world.is_closed(stream));
    }
}

#[test]
fn a_registered_nick_needs_its_password_even_for_somebody_with_another_ones() {
    let mut world = World::new(config());
    let dave = world.connect([10, 0, 0, 1]);
    assert_eq!(world.ask(dave, 7, "dave"), [is(8, "")]);
    let answer = world.ask(dave, 6, "dave davepw 6704 \"c\" 8 d@net.test");
    assert_eq!(answer[0], is(3, "d@net.test"));
    world.leave(dave);
    assert!(
        world.told.iter().any(|event| matches!(event, Event::AccountSeen { nick, .. } if nick == b"dave"))
    );
    // Somebody else's nick, with a password that is right for nobody or for another nick.
    let other = world.connect([10, 0, 0, 2]);
    assert_eq!(world.ask(other, 7, "DAVE"), [is(9, "")]);
    world.send(other, 2, "Dave wrong 1 \"c\" 5");
    assert_eq!(world.seen(other), [is(0, "Invalid Password")]);
    assert_eq!(world.violations(Violation::WrongPassword), 1);
    // A nick that nobody registered is nobody's secret, and the password with it is not looked at.
    let free = world.connect([10, 0, 0, 2]);
    assert_eq!(world.ask(free, 2, "erin davepw 1 \"c\" 5")[0].0, 3);
    let taken = world.connect([10, 0, 0, 3]);
    assert_eq!(world.ask(taken, 6, "dave x 1 \"c\" 5 x@y"), [is(0, "account registered to another user")]);
    let back = world.connect([10, 0, 0, 4]);
    assert_eq!(world.ask(back, 2, "dave davepw 1 \"c\" 5")[0], is(3, "d@net.test"));
    assert_eq!(world.ask(free, 603, "nosuch"), [is(404, "User is not currently online.")]);
}

#[test]
fn what_is_sent_while_a_password_is_checked_is_done_afterwards() {
    let mut world = World::new(config());
    world.operator("op", Level::User);
    world.answers = false;
    let stream = world.connect([10, 0, 0, 9]);
    let both = [frame(2, "op2 pw 1 \"c\" 5"), frame(214, "")].concat();
    world.bytes(stream, &both);
    assert_eq!(world.seen(stream).last(), Some(&is(214, "2 0 0")), "no account, no wait");
    let stream = world.connect([10, 0, 0, 9]);
    world.bytes(stream, &[frame(2, "OP pw 1 \"c\" 5"), frame(600, "op2")].concat());
    world.send(stream, 600, "op2");
    assert_eq!(world.seen(stream), []);
    let check = world.told.iter().find_map(|event| match event {
        Event::CheckPassword { check, .. } if check.0 > 0 => Some(*check),
        _ => None,
    });
    world.command(Command::PasswordChecked { check: check.unwrap(), right: false });
    assert_eq!(world.seen(stream), [is(0, "Invalid Password")], "and nothing of what followed is done");
    assert!(world.is_closed(stream));
}

#[test]
fn the_same_nick_again_replaces_a_ghost_of_the_same_address_and_nobody_else() {
    let mut world = World::new(config());
    let old = world.user_from("ghost", 1, [10, 0, 0, 1]);
    let new = world.user_from("GHOST", 1, [10, 0, 0, 1]);
    let text = "You were killed by nap.net.test: Someone else is logging in as you, disconnecting.";
    assert_eq!(world.seen(old), [is(748, ""), is(404, text), is(316, "0")]);
    assert!(world.is_closed(old) && !world.is_closed(new));
    let thief = world.connect([10, 0, 0, 2]);
    assert_eq!(world.ask(thief, 2, "ghost pw 1 \"c\" 5"), [is(0, "ghost is already active")]);
    assert!(world.is_closed(thief) && !world.is_closed(new));
    assert_eq!(world.probe.machine.gauges().users, 1);
}

#[test]
fn bans_keep_out_and_throw_out_and_can_be_taken_back() {
    let mut world = World::new(config());
    let anna = world.user_from("anna", 1, [10, 0, 0, 1]);
    let ben = world.user_from("ben", 1, [10, 0, 0, 2]);
    let by_nick = Banned::Nick(b"ANNA".to_vec());
    world.command(Command::Ban { banned: by_nick, reason: b"spam".to_vec() });
    world.command(Command::Ban { banned: Banned::Address([10, 0, 0, 2].into()), reason: b"spam".to_vec() });
    for stream in [anna, ben] {
        assert_eq!(world.seen(stream)[0], is(404, "You are banned from this server: spam"));
        assert!(world.is_closed(stream));
    }
    let again = world.connect([10, 0, 0, 3]);
    assert_eq!(world.ask(again, 2, "Anna pw 1 \"c\" 5"), [is(0, "You are banned from this server: spam")]);
    let from_there = world.connect([10, 0, 0, 2]);
    assert!(world.is_closed(from_there));
    world.command(Command::Unban(Banned::Nick(b"anna".to_vec())));
    world.command(Command::Unban(Banned::Address([10, 0, 0, 2].into())));
    world.user_from("anna", 1, [10, 0, 0, 2]);
}

#[test]
fn a_message_is_cut_at_180_bytes_and_not_heard_by_who_ignores() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    world.send(anna, 205, format!("ben {}", "m".repeat(2_044)));
    assert_eq!(world.seen(ben), [is(205, &format!("anna {}", "m".repeat(176)))]);
    assert_eq!(world.ask(anna, 205, "zoe hi"), [is(404, "User zoe is not currently online.")]);
    assert_eq!(world.ask(ben, 322, "ANNA"), [is(322, "ANNA")]);
    assert_eq!(world.ask(ben, 322, "anna"), [is(325, "anna")]);
    assert_eq!(world.ask(anna, 205, "ben hi"), [is(404, "ben is ignoring you")]);
    assert_eq!(world.ask(anna, 751, "ben"), [is(404, "ben is ignoring you")]);
    assert_eq!(world.ask(ben, 320, ""), [is(321, "anna"), is(320, "")]);
    assert_eq!(world.ask(ben, 323, "anna"), [is(323, "anna")]);
    assert_eq!(world.ask(ben, 323, "anna"), [is(324, "anna")]);
    world.ask(ben, 322, "anna");
    assert_eq!(world.ask(ben, 326, ""), [is(326, "1")]);
    world.send(anna, 205, "BEN again");
    assert_eq!(world.seen(ben), [is(205, "anna again")]);
}

#[test]
fn watched_users_are_told_of_whoever_they_are() {
    let mut world = World::new(config());
    let ben = world.user("ben", 1);
    assert_eq!(world.ask(ben, 207, "zoe"), [is(301, "zoe")]);
    assert_eq!(world.ask(ben, 208, "ZOE"), [], "a repetition is silent");
    assert_eq!(world.ask(ben, 207, "bad nick?"), [is(302, "bad nick?")]);
    let zoe = world.user("Zoe", 1);
    assert_eq!(world.seen(ben), [is(209, "Zoe 5")]);
    world.leave(zoe);
    assert_eq!(world.seen(ben), [is(210, "Zoe")]);
    world.send(ben, 303, "zoe");
    world.user("zoe", 1);
    assert_eq!(world.seen(ben), []);
    world.leave(ben);
    assert_eq!(world.probe.machine.gauges().watched, 0);
}

#[test]
fn whois_tells_operators_more_and_registered_users_when_they_were_here() {
    let mut world = World::new(config());
    let (op, anna) = (world.operator("op", Level::Admin), world.user("anna", 77));
    world.send(anna, 218, "");
    world.send(anna, 220, "");
    world.send(anna, 221, "");
    world.advance(Duration::from_secs(9));
    let plain = "anna \"User\" 9 \" \" \"Active\" 0 1 0 5 \"net 0.1\"";
    assert_eq!(world.ask(anna, 603, "ANNA"), [is(604, plain)]);
    let full = format!("{plain} 1 1 10.0.1.1 40000 77 unknown nap.net.test");
    assert_eq!(world.ask(op, 603, "anna"), [is(604, &full)]);
    world.leave(op);
    assert_eq!(world.ask(anna, 603, "op"), [is(605, "op \"Admin\" 1000000009")]);
}

/// TekNap sends 830 for its command /names and 410 for /topic.
#[test]
fn channels_tell_their_members_and_moderators_set_the_topic() {
    let mut world = World::new(config());
    let (op, ben) = (world.operator("op", Level::Moderator), world.user("ben", 6701));
    world.ask(op, 400, "#test");
    world.ask(ben, 400, "#Test");
    world.seen(op);
    let members = world.ask(ben, 830, "#TEST");
    assert!(matches!(&members[..], [(825, one), (825, other), (830, end)]
        if one.starts_with("#test ben 0 ") && other.starts_with("#test op 0 ") && end.is_empty()));
    assert_eq!(world.ask(ben, 830, "#nosuch"), [is(830, "")]);
    assert_eq!(world.ask(ben, 410, "#test a new topic"), [is(404, "permission denied")]);
    assert_eq!(world.ask(op, 410, "#nosuch x"), [is(404, "no such channel")]);
    assert_eq!(world.ask(op, 410, "#test a \"new\" topic"), [is(410, "#test a 'new' topic")]);
    assert_eq!(world.seen(ben), [is(410, "#test a 'new' topic")]);
    let (long, cut) = (format!("#test {}", "x".repeat(300)), format!("#test {}", "x".repeat(256)));
    assert_eq!(world.ask(op, 410, &long), [is(410, &cut)]);
}

#[test]
fn channels_have_members_limits_and_an_end() {
    let mut world = World::new(Config { max_members: 2, max_channels: 2, ..config() });
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    let zoe = world.user("zoe", 1);
    world.send(anna, 400, "#test");
    world.send(ben, 400, "#TEST");
    world.seen(anna);
    assert_eq!(world.ask(zoe, 400, "#test"), [is(404, "#test: channel is full")]);
    for bad in ["test", "#", "#a b", "#aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(world.ask(zoe, 400, bad), [is(404, &format!("{bad}: invalid channel name"))]);
    }
    world.send(zoe, 400, "#one");
    world.send(zoe, 400, "#two");
    assert_eq!(world.ask(zoe, 400, "#three"), [is(404, "#three: you have joined too many channels")]);
    assert_eq!(world.ask(zoe, 400, "#one"), [is(404, "#one: already joined channel")]);
    assert_eq!(world.ask(zoe, 402, "#test hi"), [is(404, "You are not on channel #test")]);
    assert_eq!(world.ask(anna, 824, "#test waves"), [is(824, "#test anna waves")]);
    world.leave(anna);
    assert_eq!(world.seen(ben).last(), Some(&is(407, "#test anna 0 5")));
    assert_eq!(world.ask(ben, 401, "#test"), [is(401, "#test")]);
    assert_eq!(world.ask(ben, 401, "#test"), [is(404, "You are not on channel #test")]);
    assert_eq!(world.probe.machine.gauges().channels, 2);
}

#[test]
fn only_operators_kill_announce_and_stop() {
    let mut world = World::new(config());
    let (elite, moderator) = (world.operator("elite", Level::Elite), world.operator("mod", Level::Moderator));
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for kind in [610, 627, 628] {
        assert_eq!(world.ask(anna, kind, "ben x"), [is(404, "permission denied")]);
    }
    for kind in [801, 10_100, 10_101, 10_110, 10_111, 10_117] {
        assert_eq!(world.ask(moderator, kind, "x"), [is(404, "permission denied")], "{kind}");
    }
    assert_eq!(world.ask(moderator, 610, "elite"), [is(404, "permission denied")]);
    world.send(moderator, 610, "anna \"bad songs\"");
    assert_eq!(world.seen(anna), [is(404, "You have been killed by mod: bad songs"), is(316, "0")]);
    assert!(world.is_closed(anna) && !world.is_closed(ben));
    world.seen(elite);
    world.send(moderator, 627, "hello operators");
    assert_eq!(world.seen(elite), [is(627, "mod hello operators")]);
    assert_eq!(world.seen(ben), []);
    world.send(elite, 628, "hello all");
    assert_eq!(world.seen(ben), [is(628, "elite hello all")]);
    world.send(elite, 10_110, "");
    world.send(elite, 10_117, "");
    assert!(world.told.contains(&Event::StopRequested { by: b"elite".to_vec() }));
    assert!(world.told.contains(&Event::ReloadRequested { by: b"elite".to_vec() }));
}

#[test]
fn passwords_and_addresses_are_changed_by_registered_users_only() {
    let mut world = World::new(config());
    let (dave, anna) = (world.operator("dave", Level::User), world.user("anna", 1));
    assert_eq!(world.ask(anna, 701, "new"), [is(404, "Your nick is not registered")]);
    assert_eq!(world.ask(dave, 701, "two words"), [is(404, "parameters are unparsable")]);
    assert_eq!(world.ask(dave, 701, "new"), [is(404, "password changed")]);
    assert_eq!(world.ask(dave, 702, "x@y.z"), [is(404, "email address changed")]);
    world.leave(dave);
    let again = world.connect([10, 0, 0, 7]);
    assert_eq!(world.ask(again, 2, "dave pw 1 \"c\" 5"), [is(0, "Invalid Password")]);
    let again = world.connect([10, 0, 0, 7]);
    assert_eq!(world.ask(again, 2, "dave new 1 \"c\" 5")[0], is(3, "x@y.z"));
    assert_eq!(world.ask(again, 11, "dave new"), [is(404, "Unknown command code 11")], "that is for before");
    let asks = world.connect([10, 0, 0, 7]);
    assert_eq!(world.ask(asks, 11, "dave new"), [is(12, "")]);
}

#[test]
fn everybody_is_told_when_the_server_stops_and_where_to_go() {
    let mut world = World::new(config());
    let (dave, anna) = (world.operator("dave", Level::User), world.user("anna", 1));
    let redirect = Some(("b.net.test".to_owned(), 8888));
    world.command(Command::Shutdown { notice: b"Back in a minute.".to_vec(), redirect });
    let expected = [is(404, "Back in a minute."), is(821, "b.net.test 8888"), is(316, "0")];
    for stream in [dave, anna] {
        assert_eq!(world.seen(stream), expected);
        assert!(world.is_closed(stream));
    }
    assert!(world.told.contains(&Event::AccountSeen { nick: b"dave".to_vec(), at: 1_000_000_000 }));
    assert_eq!(world.told.last(), Some(&Event::Closed));
    let late = world.connect([10, 0, 0, 1]);
    assert!(world.is_closed(late));
    assert_eq!(world.probe.machine.poll_timeout(), None);
}

#[test]
fn totals_are_told_to_everybody_once_an_interval() {
    let mut world = World::new(config());
    let users: Vec<StreamId> = (0..70).map(|at| world.user(&format!("u{at}"), 1)).collect();
    users.iter().for_each(|user| _ = world.seen(*user));
    world.advance(Duration::from_secs(60));
    for user in users {
        assert_eq!(world.seen(user), [is(214, "70 0 0")]);
    }
}
