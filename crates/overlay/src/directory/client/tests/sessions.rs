//! Login, registration, refusals, coming back.

use super::*;

fn logged_out(events: &[Event]) -> Option<(LogoutReason, Option<Duration>)> {
    events.iter().rev().find_map(|event| match event {
        Event::LoggedOut(_, reason, wait) => Some((*reason, *wait)),
        _ => None,
    })
}

#[test]
fn the_first_frame_is_a_login_of_five_fields() {
    let (bench, outs) = Bench::connected(config());
    let client = concat!("Throng/", env!("CARGO_PKG_VERSION"));
    assert_eq!(frames(&outs, bench.server), [(2, format!("bob pw 6702 \"{client}\" 0"))]);
}

#[test]
fn a_nick_is_registered_where_it_is_free_and_used_where_it_is_ours() {
    let config = Config { register: Some(b"b@x".to_vec()), ..config() };
    let client = concat!("Throng/", env!("CARGO_PKG_VERSION"));
    for (answer, expected) in
        [(8, (6, format!("bob pw 6702 \"{client}\" 0 b@x"))), (9, (2, format!("bob pw 6702 \"{client}\" 0")))]
    {
        let (mut bench, outs) = Bench::connected(config.clone());
        assert_eq!(frames(&outs, bench.server), [(7, "bob".into())]);
        assert_eq!(bench.ask(answer, ""), [expected]);
        bench.hear(3, "b@x");
        assert_eq!(bench.events(), [Event::LoggedIn(directory(), b"bob".to_vec())]);
    }
}

#[test]
fn a_login_byte_by_byte_is_heard_like_one_in_a_segment() {
    let (mut bench, _) = Bench::connected(config());
    let all =
        [frame(3, "a@b"), frame(621, "VERSION opennap 0.36"), frame(621, ""), frame(214, "2 5 1")].concat();
    all.iter().for_each(|byte| _ = bench.bytes(bench.server, &[*byte]));
    let events = bench.events();
    let expected = [
        Event::LoggedIn(directory(), b"bob".to_vec()),
        Event::Motd(directory(), text("VERSION opennap 0.36")),
        Event::Motd(directory(), Vec::new()),
        Event::Totals(directory(), 2, 5, 1),
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_taken_nick_gets_digits_at_once() {
    for refusal in ["ben is already active", "Invalid Password", "Nick registered to another user"] {
        let (mut bench, _) = Bench::connected(config());
        let outs = bench.hear(0, refusal);
        assert!(is_closed(&outs, bench.server));
        let events = bench.events();
        assert_eq!(events[0], Event::Notice(directory(), text(refusal)));
        let Some((LogoutReason::Refused, Some(wait))) = logged_out(&events) else { panic!("{events:?}") };
        assert!(wait < Duration::from_secs(10));
        let outs = bench.seconds(10);
        let (stream, _) = called(&outs).expect("another attempt");
        let outs = bench.probe.stream(stream, StreamInput::Opened);
        let [(2, login)] = &frames(&outs, stream)[..] else { panic!("a login") };
        let nick = login.split(' ').next().unwrap();
        assert!(nick.starts_with("bob") && nick.len() > 3 && nick.len() <= 19, "{nick}");
    }
}

#[test]
fn a_nick_the_server_will_not_have_is_replaced() {
    let (mut bench, _) = Bench::connected(config());
    bench.hear(10, "Invalid nick: bob");
    let outs = bench.seconds(10);
    let (stream, _) = called(&outs).expect("another attempt");
    let outs = bench.probe.stream(stream, StreamInput::Opened);
    assert!(frames(&outs, stream)[0].1.starts_with("throng"));
    // One that no server would have is not even tried.
    let (bench, outs) = Bench::connected(Config { nick: b"bad nick".to_vec(), ..config() });
    assert!(frames(&outs, bench.server)[0].1.starts_with("throng"));
}

#[test]
fn g_is_left_alone_until_it_forgets_our_last_session() {
    let (mut bench, _) = Bench::connected(config());
    bench.hear(0, "Connecting too fast");
    let (reason, wait) = logged_out(&bench.events()).expect("refused");
    assert!(reason == LogoutReason::Ghost && wait == Some(Duration::from_secs(460)));
    assert_eq!(bench.seconds(459), []);
    assert!(called(&bench.seconds(2)).is_some());
}

#[test]
fn a_nick_that_logs_in_elsewhere_is_left_to_it() {
    let mut bench = Bench::online();
    bench.hear(748, "");
    bench.hear(404, "You were killed by nap.net.test: Someone else is logging in as you, disconnecting.");
    bench.hear(316, "0");
    bench.close(bench.server);
    assert_eq!(logged_out(&bench.events()).expect("gone").0, LogoutReason::Replaced);
    let outs = bench.seconds(10);
    let (stream, _) = called(&outs).expect("another attempt");
    let outs = bench.probe.stream(stream, StreamInput::Opened);
    assert!(
        !frames(&outs, stream)[0].1.starts_with("bob "),
        "two of one nick would throw each other out for ever"
    );
}

#[test]
fn waits_double_up_to_ten_minutes() {
    let mut probe = Probe::new(Client::new(config()));
    let mut outs = probe.command(Command::Join(vec![directory()]));
    let mut waits = Vec::new();
    for _ in 0..12 {
        let (stream, _) = called(&outs).expect("an attempt");
        probe.stream(stream, StreamInput::Closed(StreamEnd::Refused));
        let (reason, wait) = logged_out(&probe.take_events()).expect("failed");
        assert_eq!(reason, LogoutReason::Unreachable);
        waits.push(wait.expect("again").as_secs());
        outs = probe.advance(wait.expect("again") + Duration::from_secs(1));
    }
    assert!(
        waits[0] < 8 && waits[3] >= 40 && waits.windows(2).take(6).all(|pair| pair[0] < pair[1]),
        "{waits:?}"
    );
    assert!(waits.iter().all(|wait| *wait <= 750) && waits[11] >= 600, "{waits:?}");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let mut probe = Probe::new(Client::new(config()));
    probe.command(Command::Join(vec![directory()]));
    probe.advance(Duration::from_secs(31));
    assert_eq!(logged_out(&probe.take_events()).expect("no connection").0, LogoutReason::Unreachable);
    let (mut bench, _) = Bench::connected(config());
    bench.seconds(31);
    assert_eq!(logged_out(&bench.events()).expect("no answer").0, LogoutReason::Silent);
}

#[test]
fn a_silent_server_is_asked_and_then_left() {
    let mut bench = Bench::online();
    let outs = bench.seconds(151);
    assert_eq!(frames(&outs, bench.server), [(214, String::new())]);
    bench.hear(214, "1 1 1");
    let outs = bench.seconds(151);
    assert_eq!(frames(&outs, bench.server).len(), 1, "it answered: asked again");
    bench.events();
    bench.seconds(150);
    assert_eq!(logged_out(&bench.events()).expect("silent").0, LogoutReason::Silent);
}

#[test]
fn nothing_may_make_us_run_a_program_or_inflate() {
    let mut bench = Bench::online();
    let outs = bench.hear(5, "http://x/upgrade.exe");
    assert!(is_closed(&outs, bench.server));
    assert_eq!(bench.probe.machine.violations().forbidden, 1);
    // A zlib level we did not ask for.
    let (mut bench, _) = Bench::connected(config());
    assert!(is_closed(&bench.hear(3, "\"anon@ng.net.test\" 1"), bench.server));
}

#[test]
fn a_redirection_is_told_and_not_obeyed() {
    let mut bench = Bench::online();
    assert_eq!(bench.hear(821, "evil.example 8888"), []);
    assert_eq!(bench.events(), [Event::Redirected(directory(), b"evil.example".to_vec(), 8888)]);
}

#[test]
fn nothing_is_said_before_the_login_is_done() {
    let mut probe = Probe::new(Client::new(config()));
    let outs = probe.command(Command::Join(vec![directory()]));
    let (stream, _) = called(&outs).unwrap();
    let say =
        |probe: &mut Probe<Client>| probe.command(Command::Say(directory(), b"a".to_vec(), b"hi".to_vec()));
    assert_eq!(say(&mut probe), []);
    probe.stream(stream, StreamInput::Opened);
    assert_eq!(say(&mut probe), []);
    probe.stream(stream, StreamInput::Bytes(&frame(3, "x")));
    assert_eq!(say(&mut probe).len(), 1);
}

#[test]
fn port_and_speed_change_on_every_server() {
    let mut bench = Bench::online();
    assert_eq!(bench.command(Command::SetPort(0)), [(703, "0".into())]);
    assert_eq!(bench.command(Command::SetSpeed(throng_wire::napster::Speed(9))), [(700, "9".into())]);
}

#[test]
fn leaving_closes_and_stays_away() {
    let mut bench = Bench::online();
    let outs = bench.probe.command(Command::Leave);
    assert!(is_closed(&outs, bench.server));
    assert_eq!(bench.events(), [Event::LoggedOut(directory(), LogoutReason::Asked, None)]);
    assert_eq!(bench.seconds(100_000), []);
    assert_eq!(bench.probe.machine.poll_timeout(), None);
}

use throng_machine::Machine;

#[test]
fn a_client_is_at_several_directories_at_once() {
    let mut probe = Probe::new(Client::new(config()));
    let all: Vec<Endpoint> = (1..40).map(|host| Endpoint::v4([10, 0, 0, host], 8888)).collect();
    let outs = probe.command(Command::Join(all));
    assert_eq!(outs.iter().filter(|out| matches!(out, Out::Open(..))).count(), 16, "as many as configured");
    for out in &outs {
        let Out::Open(stream, _) = out else { continue };
        probe.stream(*stream, StreamInput::Opened);
        probe.stream(*stream, StreamInput::Bytes(&frame(3, "x")));
    }
    let logins = probe.take_events().iter().filter(|event| matches!(event, Event::LoggedIn(..))).count();
    assert_eq!(logins, 16);
    let outs = probe.command(Command::Find(crate::discovery::Ticket(1), Search::for_words(vec!["x".into()])));
    assert_eq!(outs.len(), 16, "each is searched");
}
