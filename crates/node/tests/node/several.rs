//! Rings of a few nodes: what one stores another reads; who leaves hands over.

use crate::peers::{Peer, join, start};
use crate::program::Place;

const HOMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A ring of so many.
fn ring(place: &Place, nodes: usize) -> Vec<Peer<'_>> {
    let first = join(place, HOMES[0], "new");
    let address = first.address.clone();
    let others = HOMES[1..nodes].iter().map(|home| join(place, home, &address));
    std::iter::once(first).chain(others).collect()
}

#[test]
fn what_one_node_stores_another_reads() {
    let place = Place::new();
    let nodes = ring(&place, 2);
    nodes[0].put("from a", "1");
    nodes[1].put("from b", "2");
    assert_eq!((nodes[1].get("from a").as_str(), nodes[0].get("from b").as_str()), ("1", "2"));
    let neighbour = nodes[0].status()["systems"][0]["nodes"][0]["successors"][0]["address"].clone();
    assert_eq!(neighbour.as_str(), Some(nodes[1].address.as_str()));
}

#[test]
fn all_of_five_find_everything_and_the_last_still_has_it() {
    let place = Place::new();
    let mut nodes = ring(&place, 5);
    let entries: Vec<_> =
        (0..20).map(|number| (format!("key {number}"), format!("value {number}"))).collect();
    for (number, (key, value)) in entries.iter().enumerate() {
        let stored = nodes[number % 5].put(key, value);
        assert!(stored["copies"].as_u64() >= Some(3), "{stored}");
    }
    for (number, (key, value)) in entries.iter().enumerate() {
        assert_eq!(&nodes[(number + 2) % 5].get(key), value);
    }
    while nodes.len() > 1 {
        nodes.remove(0).leave();
        for (key, value) in &entries {
            assert_eq!(&nodes[0].get(key), value, "{} nodes are left", nodes.len());
        }
    }
}

#[test]
fn a_node_that_comes_back_finds_the_ring_again_by_those_it_knew() {
    let place = Place::new();
    let mut nodes = ring(&place, 3);
    nodes[1].put("k", "v");
    // The first node: started with `new`, it must not make a second ring when it comes back.
    let first = nodes.remove(0);
    first.leave();
    let again = join(&place, HOMES[0], "new");
    assert_eq!(again.get("k"), "v");
    assert_eq!(again.status()["systems"][0]["nodes"][0]["successors"].as_array().unwrap().len(), 2);
}

#[test]
fn a_node_that_comes_back_to_nobody_makes_a_ring_of_its_own() {
    let place = Place::new();
    let mut nodes = ring(&place, 2);
    nodes[0].put("k", "v");
    let last = nodes.remove(0);
    last.leave();
    drop(nodes);
    let mut again = start(&place, HOMES[0], &["--chord", "new", "--listen", "127.0.0.1:0"]);
    let told = again.running.event("notice")["notice"].as_str().unwrap().to_owned();
    assert!(told.contains("starting a new ring"), "{told}");
    again.running.event("joined");
    assert_eq!(again.get("k"), "v");
}
