//! Nodes as Gnutella servents: an ultrapeer and its leaves, and one that comes back to those it knew.

use crate::peers::{Peer, start};
use crate::program::{Place, noise};
use serde_json::Value;

fn servent<'a>(place: &'a Place, home: &'static str, gnutella: &[&str]) -> Peer<'a> {
    let given = gnutella.iter().flat_map(|one| ["--gnutella", *one]);
    let all: Vec<&str> = ["--listen", "127.0.0.1:0"].into_iter().chain(given).collect();
    let mut peer = start(place, home, &all);
    // The swarms are joined as well, always.
    while peer.running.event("joined")["system"] != "gnutella" {}
    peer
}

fn status(peer: &Peer<'_>) -> Value {
    let status = peer.status();
    let systems = status["systems"].as_array().unwrap();
    systems.iter().find(|system| system["system"] == "gnutella").unwrap().clone()
}

#[test]
fn a_leaf_links_with_an_ultrapeer_and_finds_it_again_when_it_comes_back() {
    let place = Place::new();
    let ultrapeer = servent(&place, "a", &["ultrapeer"]);
    let leaf = servent(&place, "b", &[&ultrapeer.address]);
    let seen = status(&leaf);
    assert_eq!((seen["system"].as_str(), seen["role"].as_str()), (Some("gnutella"), Some("leaf")));
    let link = &seen["links"][0];
    assert_eq!(link["address"].as_str(), Some(ultrapeer.address.as_str()), "{seen}");
    assert_eq!((link["role"].as_str(), link["outgoing"].as_bool()), (Some("ultrapeer"), Some(true)));
    assert!(link["agent"].as_str().is_some_and(|agent| agent.starts_with("Throng/")));
    assert_eq!(status(&ultrapeer)["links"][0]["role"], "leaf");
    let shown = leaf.run(&["status"]);
    assert!(shown.code == 0 && shown.stdout.contains("gnutella: joined, leaf"), "{shown:?}");
    leaf.leave();
    // It is told of nobody, and finds the one it knew.
    let again = servent(&place, "b", &["leaf"]);
    assert_eq!(status(&again)["links"][0]["address"].as_str(), Some(ultrapeer.address.as_str()));
}

#[test]
fn plain_servents_link_with_their_own_kind_and_a_role_is_given_once() {
    let place = Place::new();
    let first = servent(&place, "a", &["plain"]);
    let other = servent(&place, "b", &["plain", &first.address]);
    assert_eq!(status(&other)["links"][0]["role"], "plain");
    let done = other.run(&["join", "--gnutella", "plain", "--gnutella", "ultrapeer"]);
    assert_eq!(done.code, 2, "{done:?}");
}

#[test]
fn all_that_a_servent_shares_is_listed_for_who_asks_it() {
    let place = Place::new();
    let servent = servent(&place, "a", &["ultrapeer"]);
    let path = place.write("zebra lullaby.ogg", &noise(70_000, 1));
    let done = servent.run(&["publish", path.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    let done = place.run(&["browse", &servent.address]);
    assert!(done.code == 0 && done.stdout.contains("zebra lullaby.ogg  urn:sha1:"), "{done:?}");
    let done = place.run(&["--json", "browse", &servent.address]);
    let files = done.objects();
    assert_eq!((files.len(), files[0]["bytes"].as_u64()), (1, Some(70_000)), "{done:?}");
    assert!(files[0]["magnet"].as_str().is_some_and(|link| link.contains("xt=urn:sha1:")), "{done:?}");
    servent.leave();
    place.run(&["browse", "127.0.0.1:1"]).assert_refused(1, &["127.0.0.1:1"]);
}
