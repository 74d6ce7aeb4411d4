//! One node, a ring of its own: what it stores, how it is stopped, what it has when it comes back.

use crate::peers::{join, start};
use crate::program::Place;
use rustix::process::Signal;

#[test]
fn a_value_is_stored_and_read_back_to_the_byte() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let stored = node.put("motd", "hello, ring");
    assert_eq!((stored["event"].as_str(), stored["copies"].as_u64()), (Some("stored"), Some(1)));
    assert_eq!(node.get("motd"), "hello, ring");
    let done = node.run(&["put", "motd", "another"]);
    assert!(done.code == 0 && done.stdout.starts_with("stored motd, version "), "{done:?}");
    assert_eq!(node.get("motd"), "another");
    let piped = node.run_with(&["put", "piped", "-"], b"two\nlines\n");
    assert_eq!((piped.code, node.get("piped").as_str()), (0, "two\nlines\n"), "{piped:?}");
}

#[test]
fn with_json_a_value_comes_with_its_version_writer_and_hops() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    node.put("k", "v");
    let value = node.run(&["--json", "get", "k"]).objects().remove(0);
    assert_eq!(
        (value["event"].as_str(), value["key"].as_str(), value["value"].as_str()),
        (Some("value"), Some("k"), Some("v"))
    );
    assert!(value["seq"].is_u64() && value["hops"].is_u64(), "{value}");
    assert_eq!(value["writer"], node.status()["key"]);
    let raw = node.run_with(&["put", "raw", "-"], &[0xff, 0, 1]);
    assert_eq!(raw.code, 0, "{raw:?}");
    let value = node.run(&["--json", "get", "raw"]).objects().remove(0);
    assert_eq!(value["value_base64"], "/wAB");
}

#[test]
fn what_is_not_there_or_cannot_be_is_said_in_one_line() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    node.run(&["get", "nothing"]).assert_refused(1, &["no value for nothing"]);
    node.run(&["put", "", "v"]).assert_refused(1, &["key is empty"]);
    node.run(&["put", "k", &"x".repeat(1_001)]).assert_refused(1, &["at most 1,000 bytes", "1001"]);
    node.run(&["put", &"k".repeat(256), "v"]).assert_refused(1, &["at most 255 bytes"]);
    node.run(&["get", "k", "--writer", "xyz"]).assert_refused(1, &["64 hexadecimal digits"]);
    node.run(&["put", "k"]).assert_refused(2, &["VALUE"]);
    node.run(&["put", "k", "v", "--ttl", "soon"]).assert_refused(2, &["like 90s"]);
}

#[test]
fn what_was_removed_is_gone() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    node.put("k", "v");
    let removed = node.run(&["put", "k", "--remove"]);
    assert!(removed.code == 0 && removed.stdout.starts_with("removed k"), "{removed:?}");
    node.run(&["get", "k"]).assert_refused(1, &["no value for k"]);
}

#[test]
fn a_killed_node_comes_back_with_all_it_acknowledged() {
    let place = Place::new();
    let mut node = join(&place, "a", "new");
    for number in 0..20 {
        node.put(&format!("k{number}"), &format!("v{number}"));
    }
    let (key, incarnation) = (node.status()["key"].clone(), node.status()["incarnation"].as_u64());
    node.running.signal(Signal::KILL);
    node.running.wait();
    node.run(&["status"]).assert_refused(1, &["no node is running", "throng join"]);
    let address = node.address.clone();
    let mut again = start(&place, "a", &["--chord", "new", "--listen", &address]);
    again.running.event("joined");
    for number in 0..20 {
        assert_eq!(again.get(&format!("k{number}")), format!("v{number}"));
    }
    assert_eq!(again.status()["key"], key);
    assert!(again.status()["incarnation"].as_u64() > incarnation);
}

#[test]
fn leaving_ends_the_node_well_and_a_signal_lets_it_leave_too() {
    let place = Place::new();
    join(&place, "a", "new").leave();
    let mut node = join(&place, "a", "new");
    node.running.signal(Signal::TERM);
    node.running.event("leaving");
    node.running.event("left");
    assert_eq!(node.running.wait(), 130);
    node.run(&["leave"]).assert_refused(1, &["no node is running"]);
    node.run(&["get", "k"]).assert_refused(1, &["no node is running"]);
    node.run(&["put", "k", "v"]).assert_refused(1, &["no node is running"]);
}

#[test]
fn the_status_shows_the_ring_and_can_be_watched() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let status = node.status();
    let ring = &status["systems"][0];
    assert_eq!((ring["system"].as_str(), ring["standing"].as_str()), (Some("chord"), Some("joined")));
    assert_eq!((ring["mode"].as_str(), ring["nodes"][0]["active"].as_bool()), (Some("solo"), Some(true)));
    assert_eq!(ring["address"].as_str(), Some(node.address.as_str()));
    let shown = node.run(&["status"]).stdout;
    assert!(shown.contains("chord: joined, mode solo") && shown.contains("owns all keys"), "{shown}");
    let mut watch = place.start("a", &["status", "--watch"]);
    watch.event("status");
    watch.event("status");
    node.leave();
    assert_eq!(watch.wait(), 1);
}
