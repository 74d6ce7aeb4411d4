//! Homes of nodes: one each, of this version, whole.

use crate::peers::{join, start};
use crate::program::{Done, Place};

#[test]
fn two_nodes_on_one_home_are_one_too_many() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let second = node.run(&["join", "--chord", "new", "--listen", "127.0.0.1:0"]);
    second.assert_refused(
        1,
        &["already runs", &node.running.child.id().to_string(), &node.api, "throng leave"],
    );
    assert_eq!(node.status()["systems"][0]["standing"], "joined");
}

#[test]
fn a_home_of_a_newer_version_is_left_untouched() {
    let place = Place::new();
    let layout = place.write("a/home.json", br#"{"schema":99,"written_by":"9.0.0"}"#);
    let done = Done::of(place.command("a", &["join", "--chord", "new"]).output().unwrap());
    done.assert_refused(1, &["newer throng (9.0.0)", "untouched"]);
    assert_eq!(place.names("a"), ["home.json"]);
    assert_eq!(std::fs::read(layout).unwrap(), br#"{"schema":99,"written_by":"9.0.0"}"#);
}

#[test]
fn a_damaged_database_is_set_aside_and_told_and_the_node_starts() {
    let place = Place::new();
    place.write("a/ring.sqlite", &[0x5a; 20_000]);
    let mut node = start(&place, "a", &["--chord", "new", "--listen", "127.0.0.1:0"]);
    let told = node.running.event("notice")["notice"].as_str().unwrap().to_owned();
    assert!(told.contains("damaged") && told.contains("set aside"), "{told}");
    node.put("k", "v");
    assert_eq!(node.get("k"), "v");
    assert_eq!(std::fs::read(place.path("a/ring.sqlite.damaged-1")).unwrap(), [0x5a; 20_000]);
    assert_eq!(node.status()["notices"][0].as_str().map(|line| line.contains("damaged")), Some(true));
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let place = Place::new();
    place.run(&["join"]).assert_refused(2, &["--chord new", "--chord ADDR"]);
    place.run(&["join", "--chord", "new", "--chord", "127.0.0.1:1"]).assert_refused(2, &["alone"]);
    place.run(&["join", "--chord", "nowhere"]).assert_refused(2, &["HOST:PORT"]);
    place.run(&["join", "--chord", "no-such-host.invalid:1"]).assert_refused(1, &["no-such-host.invalid"]);
    place.run(&["status"]).assert_refused(1, &["no node is running", "throng join"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let taken = place.run(&["join", "--chord", "new", "--listen", &node.address]);
    taken.assert_refused(1, &[&node.address, "the port is in use"]);
    let taken = place.run(&["join", "--chord", "new", "--listen", "127.0.0.1:0", "--api", &node.api]);
    taken.assert_refused(1, &[&node.api, "for the API", "the port is in use"]);
}
