//! One search and one fetch over all systems together.

use crate::peers::{Peer, start};
use crate::program::{Place, Running};
use crate::world::{bytes, file, ok, publish, text};
use serde_json::Value;
use std::collections::BTreeMap;

const ALL: [&str; 4] = ["chord", "directory", "gnutella", "supernode"];

fn directory(place: &Place) -> (Running, String) {
    let mut server = place.start("directory", &["directory", "--listen", "127.0.0.1:0"]);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address)
}

/// A node that has joined every system.
fn member<'a>(place: &'a Place, home: &'static str, directory: &str, others: [&str; 3]) -> Peer<'a> {
    let [chord, gnutella, supernode] = others;
    let own = ["--listen", "127.0.0.1:0", "--directory-port", "0", "--directory", directory];
    let rest = ["--chord", chord, "--gnutella", gnutella, "--supernode", supernode];
    let mut node = start(place, home, &[&own[..], &rest[..]].concat());
    for _ in ALL {
        node.running.event("joined");
    }
    node
}

/// What the last steps of one search say of each hit.
fn search(peer: &Peer<'_>, words: &[&str]) -> BTreeMap<String, Value> {
    let done = ok(peer.run(&[&["--json", "search"], words].concat()));
    let mut hits = BTreeMap::new();
    for hit in
        done.objects().into_iter().filter(|step| step["event"] == "hit").map(|step| step["hit"].clone())
    {
        for old in hit["replaces"].as_array().into_iter().flatten() {
            hits.remove(old.as_str().unwrap());
        }
        hits.insert(text(&hit, "id").to_owned(), hit);
    }
    hits
}

#[test]
fn three_files_found_by_four_systems_are_three_signed_hits_and_fetched_at_once() {
    let place = Place::new();
    let (_server, address) = directory(&place);
    let one = member(&place, "a", &address, ["new", "ultrapeer", "serve"]);
    let at = one.address.clone();
    let two = member(&place, "b", &address, [&at, &at, &at]);
    let three = member(&place, "c", &address, [&at, &at, &at]);
    let names = ["first cantata.ogg", "second cantata.ogg", "third cantata.ogg"];
    let paths = names.map(|name| file(&place, name, 90_000));
    let (_, steps) = publish(&two, &paths.each_ref().map(String::as_str));
    let last = |system: &str| {
        let mut told = steps.iter().rev().filter(|step| step["event"] == "spread");
        told.find(|step| step["system"] == system).unwrap()["spread"].clone()
    };
    // A leaf of the only ultrapeer there is has no more to wait for.
    assert_eq!(last("gnutella")["words"], "searchable on 1 of 1");
    let hits = search(&three, &["cantata"]);
    assert_eq!(hits.len(), 3, "{hits:?}");
    for hit in hits.values() {
        assert_eq!(hit["systems"].as_array().unwrap().len(), ALL.len(), "{hit}");
        assert_eq!(hit["verified"], true, "{hit}");
    }
    let to = place.path("fetched");
    let ids: Vec<&str> = hits.keys().map(String::as_str).collect();
    let done = ok(three.run(&[&["fetch", "-o", to.to_str().unwrap()], ids.as_slice()].concat()));
    assert_eq!(done.stdout.matches("every piece checked").count(), 3, "{done:?}");
    for name in names {
        assert!(std::fs::read(to.join(name)).unwrap() == bytes(name, 90_000), "{name}");
    }
    // One that is not there does not keep the others.
    let done = three.run(&["fetch", ids[0], "abcdefgh"]);
    assert!(done.code == 1 && done.stdout.contains("every piece checked"), "{done:?}");
    assert!(done.stderr.contains("abcdefgh is no hit"), "{done:?}");
    place.run(&["fetch", "a.torrent", "b.torrent"]).assert_refused(2, &["only a node"]);
}
