//! Nodes as supernodes and ordinary nodes: what a flood misses is found by the ring.

use crate::peers::{Peer, start};
use crate::program::Place;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A node at an address of its own on this machine, in the network of supernodes.
fn node<'a>(place: &'a Place, home: &'static str, at: &str, systems: &[&str]) -> Peer<'a> {
    let mut peer = start(place, home, &[&["--listen", at], systems].concat());
    peer.running.event_with("joined", |told| told["system"] == "supernode");
    peer
}

fn status(peer: &Peer<'_>) -> Value {
    let status = peer.status();
    let systems = status["systems"].as_array().unwrap();
    systems.iter().find(|system| system["system"] == "supernode").unwrap().clone()
}

/// Publishes a file; returns its bytes.
fn publish(place: &Place, peer: &Peer<'_>, name: &str) -> Vec<u8> {
    let bytes = crate::program::noise(300_000, 7);
    let path = place.write(name, &bytes);
    let done = peer.run(&["publish", path.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    bytes
}

/// The hits of one search in the network of supernodes, each as it was told last.
fn search(peer: &Peer<'_>, word: &str) -> Vec<Value> {
    let done = peer.run(&["--json", "search", "--in", "supernode", "--timeout", "15s", word]);
    let told =
        done.objects().into_iter().filter(|step| step["event"] == "hit").map(|step| step["hit"].clone());
    let hits: BTreeMap<String, Value> = told.map(|hit| (hit["id"].to_string(), hit)).collect();
    hits.into_values().collect()
}

/// Asks again until it holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "it never was so: {what}");
    }
}

#[test]
fn what_supernodes_that_do_not_know_each_other_have_is_found_by_their_ring() {
    let place = Place::new();
    let one = node(&place, "one", "127.0.1.1:0", &["--supernode", "serve", "--chord", "new"]);
    let two = node(&place, "two", "127.0.1.2:0", &["--supernode", "serve", "--chord", &one.address]);
    let alice = node(&place, "alice", "127.0.1.3:0", &["--supernode", &one.address]);
    let bob = node(&place, "bob", "127.0.1.4:0", &["--supernode", &two.address]);
    until("the ring has both", || {
        let ring = two.status()["systems"][0].clone();
        ring["nodes"][0]["successors"].as_array().is_some_and(|all| !all.is_empty())
    });
    let bytes = publish(&place, &alice, "zebra lullaby.ogg");
    until("alice's supernode has it", || status(&one)["files"] == 1);
    assert_eq!((status(&one)["links"].as_u64(), status(&two)["links"].as_u64()), (Some(0), Some(0)));
    let mut hits = Vec::new();
    until("bob finds it", || {
        hits = search(&bob, "lullaby");
        !hits.is_empty()
    });
    assert_eq!(
        (hits[0]["size"].as_u64(), hits[0]["systems"][0].as_str()),
        (Some(300_000), Some("supernode"))
    );
    // A person at the other supernode finds it too, with a source that has it.
    let found = search(&two, "lullaby");
    assert!(found.iter().any(|hit| hit["systems"][0] == "supernode"), "{found:?}");
    let id = hits[0]["id"].as_str().unwrap();
    let done = bob.run(&["fetch", id, "-o", place.path("got").to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(std::fs::read(place.path("got/zebra lullaby.ogg")).unwrap() == bytes);
    // Who was found by the ring becomes a neighbour: the next flood does not miss it.
    until("they are linked", || status(&two)["links"] == 1);
}

#[test]
fn a_supernode_whose_ring_never_answers_searches_as_one_without() {
    let place = Place::new();
    // Nobody listens at port 1.
    let one = node(&place, "one", "127.0.1.1:0", &["--supernode", "serve", "--chord", "127.0.1.1:1"]);
    let alice = node(&place, "alice", "127.0.1.2:0", &["--supernode", &one.address]);
    let bob = node(&place, "bob", "127.0.1.3:0", &["--supernode", &one.address]);
    publish(&place, &alice, "zebra lullaby.ogg");
    until("bob finds it", || search(&bob, "lullaby").len() == 1);
    let asked = Instant::now();
    assert_eq!(search(&bob, "giraffe").len(), 0);
    assert!(asked.elapsed() < Duration::from_secs(5), "nobody waits for such a ring");
}
