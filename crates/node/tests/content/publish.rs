//! Publishing and taking back.

use crate::peers::{join, start};
use crate::program::Place;
use crate::world::{file, find, ok, publish, text};

#[test]
fn a_file_is_published_in_every_joined_system_and_its_link_printed() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let path = file(&place, "films/moon.ogg", 300_000);
    let (publication, steps) = publish(&node, &[&path, "--title", "A Trip to the Moon", "--tag", "1902"]);
    let magnet = text(&publication, "magnet");
    for part in ["urn:btih:", "urn:btmh:1220", "urn:sha1:", "urn:tree:tiger:", "dn=A%20Trip", "xl=300000"] {
        assert!(magnet.contains(part), "{part} is not in {magnet}");
    }
    let words = |system: &str| {
        let told = steps.iter().rev().find(|step| step["event"] == "spread" && step["system"] == system);
        told.unwrap_or_else(|| panic!("{steps:?}"))["spread"]["words"].as_str().unwrap().to_owned()
    };
    let chord = words("chord");
    let stored: Vec<u32> = chord.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(stored.len() == 2 && stored[0] == stored[1] && stored[0] > 1, "{chord}");
    assert_eq!(words("bittorrent"), "seeding, without a tracker");
    assert_eq!(steps.last().unwrap()["event"], "done");
    let shown = ok(node.run(&["publish", &path])).stdout;
    assert!(shown.contains("magnet:?xt=") && shown.contains("  chord: stored in"), "{shown}");
}

#[test]
fn what_cannot_be_published_is_said_in_one_line_and_the_rest_is() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let path = file(&place, "there.ogg", 1_000);
    let done = node.run(&["publish", "not-there.ogg", &path]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("not-there.ogg") && done.stdout.contains("published there.ogg"), "{done:?}");
    node.run(&["withdraw", "nothing"]).assert_refused(1, &["nothing published is called nothing"]);
    place.run(&["publish", &path]).assert_refused(1, &["no node is running"]);
}

#[test]
fn a_publication_is_there_after_a_restart_and_gone_when_it_was_withdrawn() {
    let place = Place::new();
    let mut node = join(&place, "a", "new");
    let other = join(&place, "b", &node.address);
    let path = file(&place, "shared/northern lights.ogg", 200_000);
    let (publication, _) = publish(&node, &[&path]);
    let id = text(&publication, "id").to_owned();
    find(&other, &["northern"], |hit| hit["size"] == 200_000);
    node.running.signal(rustix::process::Signal::KILL);
    node.running.wait();
    let address = node.address.clone();
    let mut node = start(&place, "a", &["--chord", &other.address, "--listen", &address]);
    node.running.event("joined");
    find(&other, &["northern"], |hit| hit["live"].as_u64() > Some(0));
    let done = ok(node.run(&["withdraw", &id[..5]]));
    assert!(done.stdout.contains("northern lights.ogg"), "{done:?}");
    assert!(place.path("shared/northern lights.ogg").exists());
    node.run(&["withdraw", &id]).assert_refused(1, &["nothing published"]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while other.run(&["search", "northern", "--timeout", "3s"]).code == 0 {
        assert!(std::time::Instant::now() < until, "it is still found");
    }
}
