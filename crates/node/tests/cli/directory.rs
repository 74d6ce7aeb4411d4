//! `throng directory`: users by frames on loopback, two linked servers, bans from beside.

use crate::napster::{DEADLINE, Raw, start};
use crate::program::Place;
use rustix::process::Signal;
use std::time::Instant;

#[test]
fn users_share_search_and_agree_on_a_transfer() {
    let place = Place::new();
    place.write("motd.txt", b"Welcome.\nBe kind.\n");
    let (mut server, at) = start(&place, "home", &["--motd", "motd.txt", "--name", "hub"]);
    let mut alice = Raw::login(&at, "alice", 6701);
    let greeting = alice.until(214);
    for line in ["SERVER hub", "Welcome.", "Be kind."] {
        assert!(greeting.contains(&(621, line.into())), "{greeting:?}");
    }
    let name = "C:\\MP3\\Zebra Song.mp3";
    alice.send(100, &format!("\"{name}\" 0 129148 128 44100 8"));
    let mut bob = Raw::login(&at, "bob", 6702);
    bob.until(214);
    // Answered after what came before it; whoever asks until the file is there is thrown out as a flood.
    alice.find("zebra");
    assert_eq!(bob.find("zebra song"), [name]);
    assert!(bob.find("zebra missing").is_empty());
    bob.send(203, &format!("alice \"{name}\""));
    assert_eq!(alice.until(607).pop().unwrap().1, format!("bob \"{name}\""));
    alice.send(608, &format!("bob \"{name}\""));
    // 127.0.0.1 as the protocol writes it.
    assert!(bob.until(204).pop().unwrap().1.starts_with(&format!("alice 16777343 6701 \"{name}\"")));
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 130);
    assert!(bob.until(316).iter().any(|(kind, _)| *kind == 404));
}

#[test]
fn linked_directories_find_each_others_files_and_one_outlives_the_other() {
    let place = Place::new();
    let (mut west, at_west) = start(&place, "west", &["--name", "west", "--link", "east=127.0.0.1,w,e"]);
    let link = format!("west={at_west},e,w");
    let (mut east, at_east) = start(&place, "east", &["--name", "east", "--link", &link]);
    assert_eq!(east.event("linked")["server"], "west");
    assert_eq!(west.event("linked")["server"], "east");
    let mut alice = Raw::login(&at_west, "alice", 6701);
    alice.until(214);
    alice.send(100, "\"C:\\MP3\\Far Okapi.mp3\" 0 129148 128 44100 8");
    let mut bob = Raw::login(&at_east, "bob", 6702);
    bob.until(214);
    bob.send(100, "\"C:\\MP3\\Near Okapi.mp3\" 0 129148 128 44100 8");
    alice.find("okapi");
    bob.find("okapi");
    let mut carol = Raw::login(&at_east, "carol", 6703);
    carol.until(214);
    let begin = Instant::now();
    let mut found = Vec::new();
    while found.len() < 2 {
        assert!(begin.elapsed() < DEADLINE, "only {found:?}");
        found = carol.find("okapi");
    }
    found.sort();
    assert_eq!(found, ["C:\\MP3\\Far Okapi.mp3", "C:\\MP3\\Near Okapi.mp3"]);
    west.signal(Signal::KILL);
    west.wait();
    east.event("unlinked");
    assert_eq!(carol.find("okapi"), ["C:\\MP3\\Near Okapi.mp3"]);
}

#[test]
fn bans_are_made_from_beside_and_taken_back() {
    let place = Place::new();
    let (_server, at) = start(&place, "home", &[]);
    let mut eve = Raw::login(&at, "eve", 0);
    eve.until(214);
    assert_eq!(place.run(&["directory", "--ban", "Eve", "--reason", "spam"]).code, 0);
    assert!(eve.until(316).iter().any(|(_, text)| text.contains("spam")));
    assert!(Raw::login(&at, "eve", 0).frame().unwrap().1.contains("spam"));
    assert_eq!(place.run(&["directory", "--unban", "eve"]).code, 0);
    let begin = Instant::now();
    while Raw::login(&at, "eve", 0).frame().unwrap().0 != 3 {
        assert!(begin.elapsed() < DEADLINE, "the ban is not taken back");
    }
    place.run(&["directory", "--unban", "eve"]).assert_refused(1, &["no such ban"]);
    place.run(&["directory", "--level", "nobody=admin"]).assert_refused(1, &["nobody", "registered"]);
}

#[test]
fn what_cannot_be_served_is_said_in_one_line() {
    let place = Place::new();
    let (_server, at) = start(&place, "home", &[]);
    place.run(&["directory", "--listen", &at]).assert_refused(1, &["in use"]);
    place.run(&["directory", "--motd", "nowhere.txt"]).assert_refused(1, &["nowhere.txt"]);
    place.run(&["directory", "--link", "west"]).assert_refused(2, &["NAME=HOST:PORT"]);
    place.run(&["directory", "--name", "two words"]).assert_refused(2, &["one word"]);
    place.run(&["directory", "--level", "dave=king"]).assert_refused(2, &["NICK=LEVEL"]);
}

#[test]
fn a_simulated_cluster_outlives_a_directory() {
    let place = Place::new();
    let arguments = [
        "--json",
        "simulate",
        "directory",
        "--nodes",
        "40",
        "--servers",
        "4",
        "--queries",
        "50",
        "--fail",
        "25%",
    ];
    let figures = place.run(&arguments).objects().pop().unwrap();
    assert_eq!((&figures["system"], &figures["killed"]), (&"directory".into(), &1.into()));
    assert_eq!(figures["recall"], 1.0, "{figures}");
    assert_eq!(figures["recall_after"], 1.0, "{figures}");
    assert!(figures["healed_seconds"].as_f64() > Some(0.0), "{figures}");
    assert!(figures["messages_per_query"].as_f64() > Some(1.0), "{figures}");
}
