//! Messages, the hot list, whois, pings, the notices with a meaning.

use super::*;
use throng_wire::napster::Speed;

#[test]
fn the_hot_list_is_told_now_and_at_every_login() {
    let mut bench = Bench::online();
    assert_eq!(bench.command(Command::Watch(b"zoe".to_vec())), [(207, "zoe".into())]);
    assert_eq!(bench.command(Command::Watch(b"zoe".to_vec())), []);
    bench.hear(301, "zoe");
    bench.hear(209, "zoe 5");
    bench.hear(210, "zoe");
    let zoe = b"zoe".to_vec();
    let expected =
        [Event::UserCame(directory(), zoe.clone(), Speed(5)), Event::UserLeft(directory(), zoe.clone())];
    assert_eq!(bench.events(), expected);
    bench.close(bench.server);
    let outs = bench.seconds(10);
    let (stream, _) = called(&outs).unwrap();
    bench.server = stream;
    bench.probe.stream(stream, StreamInput::Opened);
    assert_eq!(bench.ask(3, "x"), [(208, "zoe".into())]);
    assert_eq!(bench.command(Command::Unwatch(zoe)), [(303, "zoe".into())]);
}

#[test]
fn long_messages_go_in_parts_of_180_bytes() {
    let mut bench = Bench::online();
    let long = "é".repeat(150);
    let told = bench.command(Command::Say(directory(), b"alice".to_vec(), long.clone().into_bytes()));
    assert!(told.len() == 2 && told.iter().all(|(kind, data)| *kind == 205 && data.len() <= 180));
    let joined: String = told.iter().map(|(_, data)| data.strip_prefix("alice ").unwrap()).collect();
    assert_eq!(joined, long);
    bench.hear(205, "alice hello there");
    assert_eq!(bench.events(), [Event::Said(directory(), b"alice".to_vec(), b"hello there".to_vec())]);
}

#[test]
fn a_ping_is_answered_with_the_same_words_but_not_for_ever() {
    let mut bench = Bench::online();
    assert_eq!(bench.ask(751, "alice "), [(752, "alice ".into())]);
    assert_eq!(bench.ask(751, "ben some args"), [(752, "ben some args".into())]);
    let answers: usize = (0..5_000).map(|_| bench.ask(751, "mallory").len()).sum();
    assert!(answers < 600, "{answers}");
    assert_eq!(bench.command(Command::Ping(directory(), b"alice".to_vec())), [(751, "alice".into())]);
    bench.hear(752, "alice");
    assert!(bench.events().contains(&Event::Pong(directory(), b"alice".to_vec())));
}

#[test]
fn whois_tells_what_the_server_knows() {
    let mut bench = Bench::online();
    assert_eq!(bench.command(Command::Whois(directory(), b"alice".to_vec())), [(603, "alice".into())]);
    bench.hear(604, "alice \"User\" 64 \" #a \" \"Active Friend\" 2 3 4 8 \"TekNap-1.3g\"");
    bench.hear(605, "dave \"User\" 1795379491");
    bench.hear(404, "user nosuch is not a known user");
    bench.hear(404, "User is not currently online.");
    let events = bench.events();
    let Event::User(_, info) = &events[0] else { panic!("{events:?}") };
    assert_eq!((info.transfers, info.online, info.status.as_slice()), ((3, 4), 64, &b"Active Friend"[..]));
    assert_eq!(events[1], Event::UserAway(directory(), b"dave".to_vec(), Some(1_795_379_491)));
    assert!(events.contains(&Event::UserAway(directory(), b"nosuch".to_vec(), None)));
    assert_eq!(bench.command(Command::AskSpeed(directory(), b"anna".to_vec())), [(600, "anna".into())]);
    bench.hear(601, "anna 5");
    assert_eq!(bench.events(), [Event::UserSpeed(directory(), b"anna".to_vec(), Speed(5))]);
}
