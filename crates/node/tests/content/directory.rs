//! Publishing, searching and fetching through directories, alone and beside the ring.

use crate::peers::{Peer, start};
use crate::program::{Place, Running};
use crate::world::{bytes, file, find, ok, publish, text};

pub(crate) fn directory(place: &Place, home: &str) -> (Running, String) {
    let mut server = place.start(home, &["directory", "--listen", "127.0.0.1:0"]);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address)
}

/// A node of the directory, and of more if that is said.
pub(crate) fn member<'a>(place: &'a Place, home: &'static str, directory: &str, more: &[&str]) -> Peer<'a> {
    let port: &[&str] = if more.contains(&"--directory-port") { &[] } else { &["--directory-port", "0"] };
    let own = ["--listen", "127.0.0.1:0", "--directory", directory];
    let mut node = start(place, home, &[&own, port, more].concat());
    for _ in 0..=more.iter().filter(|argument| **argument == "--chord").count() {
        node.running.event("joined");
    }
    node
}

#[test]
fn a_file_is_found_and_fetched_through_a_directory_alone() {
    let place = Place::new();
    let (_server, address) = directory(&place, "directory");
    let one = member(&place, "a", &address, &[]);
    let two = member(&place, "b", &address, &[]);
    let path = file(&place, "granite.ogg", 400_000);
    let (_, steps) = publish(&one, &[&path]);
    let told = steps.iter().rev().find(|step| step["event"] == "spread" && step["system"] == "directory");
    assert_eq!(told.unwrap()["spread"]["words"], "searchable on 1 of 1");
    // The index has no hash of it; its holder says what it is.
    let hit = find(&two, &["granite"], |hit| hit["provable"] == true);
    assert_eq!(hit["systems"][0], "directory");
    let to = place.path("fetched");
    let done = ok(two.run(&["fetch", text(&hit, "id"), "-o", to.to_str().unwrap()]));
    assert!(done.stdout.contains("every piece checked"), "{done:?}");
    assert!(std::fs::read(to.join("granite.ogg")).unwrap() == bytes("granite.ogg", 400_000));
}

#[test]
fn what_the_ring_and_a_directory_find_is_one_hit_and_one_download() {
    let place = Place::new();
    let (_server, address) = directory(&place, "directory");
    // A slow swarm leaves something for the directory's way to do.
    let one = member(&place, "a", &address, &["--chord", "new", "--upload-limit", "500KiB"]);
    let two = member(&place, "b", &address, &["--chord", &one.address]);
    let path = file(&place, "basalt.ogg", 6_000_000);
    publish(&one, &[&path]);
    let hit = find(&two, &["basalt"], |hit| hit["systems"].as_array().unwrap().len() == 2);
    let to = place.path("fetched");
    let done = ok(two.run(&["--json", "fetch", text(&hit, "id"), "-o", to.to_str().unwrap()]));
    let end = done.objects().into_iter().find(|step| step["event"] == "complete").unwrap();
    let sources = end["sources"].as_array().unwrap();
    assert!(sources.iter().any(|source| source["downloaded"].as_u64() > Some(0)), "{end}");
    assert!(std::fs::read(to.join("basalt.ogg")).unwrap() == bytes("basalt.ogg", 6_000_000));
}
