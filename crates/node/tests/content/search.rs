//! Searching all systems at once.

use crate::peers::join;
use crate::program::Place;
use crate::world::{bytes, file, find, ok, publish, text};

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
    node.run(&["search", "surely-nobody-has-this", "--timeout", "2s"])
        .assert_refused(1, &["nothing was found"]);
    node.run(&["search", "?!"]).assert_refused(1, &["no word to search for"]);
    node.run(&["search", "x", "--in", "altavista"]).assert_refused(1, &["altavista", "chord"]);
    place.run(&["search", "x"]).assert_refused(1, &["no node is running"]);
}
