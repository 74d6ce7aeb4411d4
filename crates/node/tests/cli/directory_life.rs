//! `throng directory` as a service: stopped and started again at once, and full of users who do nothing.

use crate::napster::{Raw, start};
use crate::program::{Place, Running};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use throng_bench::napster::connect;

/// Within this the next server has the port.
const SECOND: Duration = Duration::from_secs(1);
const NAME: &str = "C:\\MP3\\Zebra Song.mp3";

/// Users of a server: one shares, one looks for it until it is found.
fn share_and_find(at: &str) -> (Raw, Raw) {
    let (mut alice, mut bob) = (Raw::login(at, "alice", 6701), Raw::login(at, "bob", 6702));
    alice.until(214);
    bob.until(214);
    alice.send(100, &format!("\"{NAME}\" 0 129148 128 44100 8"));
    // Answered after what came before it; a user who asks until the file is there would be thrown out as a flood.
    alice.find("zebra");
    assert_eq!(bob.find("zebra"), [NAME]);
    (alice, bob)
}

/// Stops a server and starts the next at once, on the same port and home; it, and how long the port was nobody's.
fn restart(place: &Place, server: &mut Running, at: &str) -> (Running, Duration) {
    let begin = Instant::now();
    server.signal(Signal::TERM);
    let mut next = place.start("home", &["directory", "--listen", at]);
    next.event("listening");
    let took = begin.elapsed();
    assert_eq!(server.wait(), 130);
    (next, took)
}

#[test]
fn a_stopped_directory_tells_its_users_and_the_next_has_its_port_within_a_second() {
    let place = Place::new();
    let (mut server, at) = start(&place, "home", &[]);
    // What a busy machine may be late for once it is in time for at another time.
    let mut took: Vec<Duration> = Vec::new();
    while took.last().is_none_or(|took| *took > SECOND) {
        assert!(took.len() < 8, "the port was nobody's for {took:?}");
        let (mut alice, _bob) = share_and_find(&at);
        let (next, time) = restart(&place, &mut server, &at);
        took.push(time);
        server = next;
        let said = alice.until(316);
        assert!(said.iter().any(|(kind, text)| *kind == 404 && text.contains("moment")), "{said:?}");
        assert_eq!(alice.frame(), None, "the old server has closed");
    }
    // Whoever comes back shares again, and is found.
    share_and_find(&at);
}

/// Bytes of a process in memory.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1_024
}

#[test]
#[cfg(target_os = "linux")]
fn two_thousand_idle_users_from_as_many_addresses_take_a_few_megabytes() {
    const IDLE: u32 = 2_000;
    let ours = throng_runtime::directory::server::raise_open_files(u64::from(IDLE) + 500);
    assert!(ours > u64::from(IDLE) + 100, "only {ours} files may be open here");
    let place = Place::new();
    let (server, at) = start(&place, "home", &[]);
    // What is made with the first users is not theirs.
    let _warm: Vec<Raw> = (0..50).map(|number| Raw::login(&at, &format!("warm{number}"), 0)).collect();
    let (mut alice, mut bob) = share_and_find(&at);
    let before = resident(server.child.id());
    let to: SocketAddr = at.parse().unwrap();
    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut user = Raw::on(connect(to, number).unwrap(), &format!("idle{number}"), 0);
        user.until(214);
        idle.push(user);
    }
    let each = resident(server.child.id()).saturating_sub(before) / u64::from(IDLE);
    println!("an idle user takes {each} bytes of the program");
    // 100,000 in 2 GiB are 21,474 each, of which the system's sockets take some 4 KiB.
    assert!(each < 6_000, "{each} bytes an idle user");
    // They hold up nobody, and are still there.
    assert_eq!(bob.find("zebra"), [NAME]);
    alice.send(205, "idle1999 hello");
    assert_eq!(idle[1_999].until(205).pop().unwrap().1, "alice hello");
}
