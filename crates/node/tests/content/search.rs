//! Searching all systems at once.

use crate::peers::{Peer, join, start};
use crate::program::{Done, Place, Running};
use crate::world::{bytes, file, find, ok, publish, text};
use serde_json::Value;

/// What a search that was not told how long ends with.
fn end_of(done: &Done) -> Value {
    let end = done.objects().into_iter().find(|step| step["event"] == "done");
    end.unwrap_or_else(|| panic!("{done:?}"))
}

/// A node of all systems; `more` says through whom.
fn everywhere<'a>(place: &'a Place, home: &'static str, more: &[&str]) -> Peer<'a> {
    let own = ["--listen", "127.0.0.1:0", "--directory-port", "0"];
    let mut node = start(place, home, &[&own, more].concat());
    for _ in 0..4 {
        node.running.event("joined");
    }
    node
}

fn directory(place: &Place) -> (Running, String) {
    let mut server = place.start("directory", &["directory", "--listen", "127.0.0.1:0"]);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address)
}

/// Milliseconds within which a search of all systems is over; on a machine that does other things too.
const COMPLETE: u64 = 3_000;

#[test]
fn what_one_publishes_another_finds_signed_and_with_a_source_that_answers() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let other = join(&place, "b", &node.address);
    let path = file(&place, "lighthouse.ogg", 100_000);
    publish(&node, &[&path, "--title", "The Lighthouse"]);
    let hit = find(&other, &["lighthouse"], |hit| hit["verified"] == true && hit["live"].as_u64() > Some(0));
    assert_eq!(text(&hit, "title"), "The Lighthouse");
    assert_eq!(hit["publisher"], node.status()["key"]);
    assert_eq!((hit["size"].as_u64(), hit["own"].as_bool()), (Some(100_000), Some(false)));
    assert_eq!(hit["systems"][0], "chord");
    let own = find(&node, &["lighthouse"], |_| true);
    assert_eq!(own["own"], true);
    let shown = ok(other.run(&["search", "lighthouse"])).stdout;
    assert!(shown.contains(text(&hit, "id")) && shown.contains("verified"), "{shown}");
}

#[test]
fn the_same_content_of_two_publishers_is_one_hit() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let other = join(&place, "b", &node.address);
    let content = bytes("x", 50_000);
    let paths = ["one/harbour.ogg", "two/harbour.ogg"].map(|name| place.write(name, &content));
    publish(&node, &[paths[0].to_str().unwrap()]);
    publish(&other, &[paths[1].to_str().unwrap()]);
    let third = join(&place, "c", &node.address);
    let hit = find(&third, &["harbour"], |hit| hit["sources"] == 2);
    assert_eq!(hit["size"], 50_000);
}

#[test]
fn a_search_for_nothing_or_in_no_such_system_is_refused_in_one_line() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    node.run(&["search", "surely-nobody-has-this"]).assert_refused(1, &["nothing was found"]);
    node.run(&["search", "?!"]).assert_refused(1, &["no word to search for"]);
    node.run(&["search", "x", "--in", "altavista"]).assert_refused(1, &["altavista", "chord"]);
    place.run(&["search", "x"]).assert_refused(1, &["no node is running"]);
}

#[test]
fn a_search_of_all_systems_ends_by_itself_even_when_one_of_them_is_gone() {
    let place = Place::new();
    let (server, hub) = directory(&place);
    let first = ["--chord", "new", "--gnutella", "ultrapeer", "--supernode", "serve", "--directory", &hub];
    let one = everywhere(&place, "a", &first);
    let at = one.address.clone();
    let through = ["--chord", &at, "--gnutella", &at, "--supernode", &at, "--directory", &hub];
    let two = everywhere(&place, "b", &through);
    let path = file(&place, "quartz.ogg", 50_000);
    publish(&one, &[&path]);
    find(&two, &["quartz"], |hit| hit["systems"].as_array().unwrap().len() == 4);
    let timed = || {
        let done = two.run(&["--json", "search", "quartz"]);
        assert_eq!(done.code, 0, "{done:?}");
        let end = end_of(&done);
        let live = done.objects().iter().any(|step| step["hit"]["live"].as_u64() > Some(0));
        assert!(live, "no source answered: {done:?}");
        assert!(
            end["took_ms"].as_u64() <= Some(COMPLETE) && end["first_ms"].as_u64() <= end["took_ms"].as_u64(),
            "{end}"
        );
        end
    };
    let end = timed();
    assert_eq!(end["silent"].as_array().map(Vec::len), Some(0), "{end}");
    drop(server);
    timed();
}

#[test]
fn a_hit_that_nobody_answers_for_does_not_count() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let other = join(&place, "b", &node.address);
    let gone = join(&place, "c", &node.address);
    let path = file(&place, "feldspar.ogg", 20_000);
    publish(&gone, &[&path]);
    find(&other, &["feldspar"], |hit| hit["live"].as_u64() > Some(0));
    // Killed: it withdraws nothing.
    drop(gone);
    let done = other.run(&["--json", "search", "feldspar"]);
    let end = end_of(&done);
    assert_eq!((done.code, end["hits"].as_u64(), end["dead"].as_u64()), (1, Some(0), Some(1)), "{done:?}");
    let shown = other.run(&["search", "feldspar"]);
    assert!(shown.stdout.contains("none answers"), "{shown:?}");
}

#[test]
fn what_is_tagged_is_found_by_its_tags() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let other = join(&place, "b", &node.address);
    let path = file(&place, "reel.mp4", 30_000);
    publish(&node, &[&path, "--title", "A Trip", "--tag", "Méliès", "--tag", "trip"]);
    let hit = find(&other, &["méliès"], |hit| hit["verified"] == true);
    assert_eq!(text(&hit, "title"), "A Trip");
}

#[test]
fn a_standing_search_tells_what_is_new_once_and_outlives_the_node() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let mut other = join(&place, "b", &node.address);
    let path = file(&place, "obsidian.ogg", 30_000);
    publish(&node, &[&path]);
    let hit = find(&other, &["obsidian"], |_| true);
    let set = ok(other.run(&["--json", "search", "--standing", "obsidian"])).objects().remove(0);
    let told = other.running.event("notice");
    assert!(text(&told, "notice").contains(text(&hit, "id")), "{told}");
    other.leave();
    let again = join(&place, "b", &node.address);
    let all = ok(again.run(&["--json", "search", "--list-standing"])).objects().remove(0);
    assert_eq!((&all["id"], &all["hits"][0]["id"]), (&set["id"], &hit["id"]), "{all}");
    ok(again.run(&["search", "--end-standing", text(&set, "id")]));
    assert!(ok(again.run(&["--json", "search", "--list-standing"])).objects().is_empty());
    again.run(&["search", "--end-standing", "nothing"]).assert_refused(1, &["no standing search"]);
}
