//! Nodes as users of directories: joined several at once, moved when one dies, sent elsewhere, left.

use crate::peers::start;
use crate::program::{Place, Running};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How long a node may take to be let in; machines are shared.
const DEADLINE: Duration = Duration::from_secs(120);

/// A directory and its address.
fn directory(place: &Place, home: &str, more: &[&str]) -> (Running, String) {
    let arguments = [&["directory", "--listen", "127.0.0.1:0"], more].concat();
    let mut server = place.start(home, &arguments);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address)
}

const ALONE: [&str; 4] = ["--listen", "127.0.0.1:0", "--directory-port", "0"];

#[test]
fn a_node_joins_two_directories_at_once_and_goes_on_with_one_when_the_other_dies() {
    let place = Place::new();
    let (one, first) = directory(&place, "one", &[]);
    let (mut two, second) = directory(&place, "two", &[]);
    let arguments = [&["--directory", &first, "--directory", &second, "--directory-nick", "zoe"], &ALONE[..]];
    let mut node = start(&place, "node", &arguments.concat());
    node.running.event("joined");
    let joined = |node: &crate::peers::Peer<'_>, at: &str| {
        let status = node.status();
        let system = status["systems"][0].clone();
        assert_eq!(system["system"], "directory", "{status}");
        let sessions = system["directories"].as_array().unwrap().clone();
        let session = sessions.into_iter().find(|session| session["address"] == at).unwrap();
        (session["online"].as_bool().unwrap(), session["nick"].as_str().unwrap().to_owned())
    };
    // The other may take a moment more.
    let until = Instant::now() + DEADLINE;
    while !(joined(&node, &first).0 && joined(&node, &second).0) {
        assert!(Instant::now() < until, "{}", node.status());
    }
    assert_eq!(joined(&node, &second).1, "zoe");
    drop(one);
    let told = node.running.event("notice")["notice"].as_str().unwrap().to_owned();
    assert!(told.contains(&first) && told.contains("tried again in"), "{told}");
    assert!(!joined(&node, &first).0 && joined(&node, &second).0);
    // The last one goes: the node looks for it, and is there again when it is back.
    two.signal(Signal::INT);
    two.wait();
    node.running
        .event_with("notice", |told| told["notice"].as_str().unwrap().contains("looking for the others"));
    let again = place.start("two", &["directory", "--listen", &second]);
    node.running.event("joined");
    drop(again);
    node.leave();
}

#[test]
fn a_directory_that_sends_its_users_elsewhere_is_asked_about_or_followed() {
    let place = Place::new();
    for follow in [false, true] {
        let (_next, next) = directory(&place, "next", &[]);
        let (old, address) = directory(&place, "old", &["--redirect", &next]);
        let followed: &[&str] = if follow { &["--directory-follow"] } else { &[] };
        let arguments = [&["--directory", address.as_str()][..], &ALONE, followed];
        let mut node = start(&place, "node", &arguments.concat());
        node.running.event("joined");
        old.signal(Signal::INT);
        let told = node.running.event_with("notice", |told| told["notice"].as_str().unwrap().contains(&next));
        let told = told["notice"].as_str().unwrap().to_owned();
        if follow {
            node.running.event("joined");
        } else {
            assert!(told.contains(&format!("--directory {next}")), "{told}");
            let sessions = node.status()["systems"][0]["directories"].clone();
            assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
            assert_eq!(sessions[0]["redirect"], next.as_str());
        }
        node.leave();
    }
}

#[test]
fn what_cannot_be_joined_is_said() {
    let place = Place::new();
    place.run(&["join", "--directory", "127.0.0.1"]).assert_refused(2, &["127.0.0.1"]);
    place
        .run(&["join", "--directory", "127.0.0.1:1", "--directory-port", "many"])
        .assert_refused(2, &["none"]);
    place.run(&["join", "--directory", "127.0.0.1:1", "--directory-nick", "a b"]).assert_refused(2, &["a b"]);
    // Nobody listens at port 1: it is told, tried again, and the node can be left.
    let mut node = start(&place, "node", &[&["--directory", "127.0.0.1:1"], &ALONE[..]].concat());
    let told = node.running.event("notice")["notice"].as_str().unwrap().to_owned();
    assert!(told.contains("127.0.0.1:1: cannot be reached"), "{told}");
    node.leave();
}
