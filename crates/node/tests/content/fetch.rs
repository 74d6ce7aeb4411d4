//! Fetching in the node.

use crate::peers::{join, start};
use crate::program::Place;
use crate::world::{bytes, file, find, ok, publish, text};
use rustix::process::Signal;

#[test]
fn a_hit_is_fetched_by_its_id_and_shared_onward() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let other = join(&place, "b", &node.address);
    let path = file(&place, "meadow.ogg", 3_000_000);
    publish(&node, &[&path]);
    let hit = find(&other, &["meadow"], |_| true);
    let to = place.path("fetched");
    let done = ok(other.run(&["fetch", text(&hit, "id"), "-o", to.to_str().unwrap()]));
    assert!(done.stdout.contains("every piece checked"), "{done:?}");
    assert!(std::fs::read(to.join("meadow.ogg")).unwrap() == bytes("meadow.ogg", 3_000_000));
    // The first publisher goes; a third finds it at the second.
    let third = join(&place, "c", &other.address);
    find(&third, &["meadow"], |hit| hit["sources"] == 2);
    node.leave();
    let hit = find(&third, &["meadow"], |hit| hit["live"].as_u64() > Some(0));
    let to = place.path("again");
    ok(third.run(&["fetch", text(&hit, "id"), "-o", to.to_str().unwrap()]));
    assert!(std::fs::read(to.join("meadow.ogg")).unwrap() == bytes("meadow.ogg", 3_000_000));
}

#[test]
fn a_link_alone_is_enough_where_the_ring_knows_who_has_it() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let other = join(&place, "b", &node.address);
    file(&place, "songs/one.ogg", 200_000);
    file(&place, "songs/two.txt", 1_000);
    let (publication, _) =
        publish(&node, &[place.path("songs").to_str().unwrap(), "--title", "Songs of the Sea"]);
    let to = place.path("fetched");
    let link = text(&publication, "magnet");
    ok(other.run(&["fetch", link, "-o", to.to_str().unwrap(), "--only", "*.ogg"]));
    assert!(std::fs::read(to.join("songs/one.ogg")).unwrap() == bytes("songs/one.ogg", 200_000));
    assert!(!to.join("songs/two.txt").exists());
}

#[test]
fn a_transfer_goes_on_after_the_node_was_killed() {
    let place = Place::new();
    let node = start(&place, "a", &["--chord", "new", "--listen", "127.0.0.1:0", "--upload-limit", "2MiB"]);
    let path = file(&place, "long.ogg", 12_000_000);
    let (publication, _) = publish(&node, &[&path]);
    let link = format!("{}&x.pe={}", text(&publication, "magnet"), node.address);
    let mut other = join(&place, "b", &node.address);
    let to = place.path("fetched");
    let mut fetch = place.start("b", &["fetch", &link, "-o", to.to_str().unwrap()]);
    // A third of it is there, and noted, when the node dies.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while fetch.event("progress")["done"].as_u64() < Some(4_000_000) {
        assert!(std::time::Instant::now() < until);
    }
    other.running.signal(Signal::KILL);
    other.running.wait();
    assert_eq!(fetch.wait(), 1);
    let address = other.address.clone();
    let mut again = start(&place, "b", &["--chord", &node.address, "--listen", &address]);
    again.running.event("fetched");
    assert!(std::fs::read(to.join("long.ogg")).unwrap() == bytes("long.ogg", 12_000_000));
}

#[test]
fn what_was_fetched_before_a_restart_rests_and_is_served_when_somebody_asks() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let path = file(&place, "still water.ogg", 300_000);
    let (publication, _) = publish(&node, &[&path]);
    let mut other = join(&place, "b", &node.address);
    let link = text(&publication, "magnet").to_owned();
    let first = format!("{link}&x.pe={}", node.address);
    ok(other.run(&["fetch", &first, "-o", place.path("fetched").to_str().unwrap()]));
    find(&other, &["still", "water"], |hit| hit["sources"] == 2);
    node.leave();
    other.running.signal(Signal::KILL);
    other.running.wait();
    let address = other.address.clone();
    let mut again = start(&place, "b", &["--chord", "new", "--listen", &address]);
    again.running.event("joined");
    let status = again.status();
    let systems = status["systems"].as_array().unwrap();
    let swarms = systems.iter().find(|system| system["system"] == "bittorrent").unwrap();
    assert_eq!((&swarms["torrents"], &swarms["complete"]), (&1.into(), &1.into()), "{swarms}");
    let second = format!("{link}&x.pe={}", again.address);
    for folder in ["once", "twice"] {
        let to = place.path(folder);
        let fetched = place.run(&["fetch", &second, "-o", to.to_str().unwrap()]);
        assert_eq!(fetched.code, 0, "{fetched:?}");
        assert!(std::fs::read(to.join("still water.ogg")).unwrap() == bytes("still water.ogg", 300_000));
    }
}

#[test]
fn what_is_no_hit_no_file_and_no_link_is_refused_in_one_line() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    node.run(&["fetch", "abcdefgh"]).assert_refused(1, &["abcdefgh", "no hit"]);
    node.run(&["fetch", "magnet:?xt=urn:btih:xyz"]).assert_refused(1, &["magnet link"]);
    let path = file(&place, "own.ogg", 1_000);
    let (publication, _) = publish(&node, &[&path]);
    node.run(&["fetch", text(&publication, "magnet")]).assert_refused(1, &["here already", "own.ogg"]);
}
