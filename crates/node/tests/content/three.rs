//! Three nodes as users of two directories, all of them processes: one can be called, one only pushes, one looks for
//! their files; a directory is killed, the other goes on; the one that is left stops and comes back on its port.

use crate::directory::{directory, member};
use crate::peers::Peer;
use crate::program::{Place, Running};
use crate::world::{bytes, file, find, ok, publish, text};
use rustix::process::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the network may take for any one step; machines are shared.
const DEADLINE: Duration = Duration::from_secs(120);
/// Slow enough that a swarm leaves most for the way through the directory, however late that begins.
const SLOW: [&str; 2] = ["--upload-limit", "20KiB"];

/// Waits until a node is let in, or out, at so many directories.
fn is_online_at(node: &Peer<'_>, count: usize) {
    let until = Instant::now() + DEADLINE;
    loop {
        let status = node.status();
        let sessions = status["systems"][0]["directories"].as_array().unwrap();
        let online = sessions.iter().filter(|session| session["online"] == true).count();
        if online == count {
            return;
        }
        assert!(Instant::now() < until, "not online at {count} directories: {status}");
    }
}

/// Searches for a file, fetches it and compares it; the last step that was told.
fn fetches(node: &Peer<'_>, place: &Place, name: &str, size: usize) -> Value {
    let word = name.split('.').next().unwrap();
    let hit = find(node, &[word], |hit| hit["provable"] == true);
    let to = place.path(&format!("fetched-{name}"));
    let done = ok(node.run(&["--json", "fetch", text(&hit, "id"), "-o", to.to_str().unwrap()]));
    assert!(std::fs::read(to.join(name)).unwrap() == bytes(name, size), "{name} differs");
    done.objects().into_iter().find(|step| step["event"] == "complete").unwrap()
}

/// Fails unless a part of a download came from outside its swarm.
fn came_beside_the_swarm(end: &Value) {
    let sources = end["sources"].as_array().unwrap();
    assert!(sources.iter().any(|source| source["downloaded"].as_u64() > Some(0)), "{end}");
}

/// Ends a directory by a signal that it cannot or can hear.
fn end(mut server: Running, signal: Signal) {
    server.signal(signal);
    server.wait();
}

#[test]
fn three_nodes_publish_search_fetch_and_push_while_directories_die_and_return() {
    let place = Place::new();
    let ((one, first), (two, second)) = (directory(&place, "one"), directory(&place, "two"));
    let both = ["--directory", &second];
    let open = member(&place, "open", &first, &[&both[..], &SLOW].concat());
    let shut = member(&place, "shut", &first, &[&both[..], &SLOW, &["--directory-port", "none"]].concat());
    let asker = member(&place, "asker", &first, &both);
    [&open, &shut, &asker].into_iter().for_each(|node| is_online_at(node, 2));
    // Directly.
    publish(&open, &[&file(&place, "granite.ogg", 3_000_000)]);
    came_beside_the_swarm(&fetches(&asker, &place, "granite.ogg", 3_000_000));
    // The uploader cannot be called: it pushes.
    publish(&shut, &[&file(&place, "basalt.ogg", 3_000_000)]);
    came_beside_the_swarm(&fetches(&asker, &place, "basalt.ogg", 3_000_000));
    // One directory dies without a word: what was shared is found at the other, and what is published then too.
    end(one, Signal::KILL);
    [&open, &shut, &asker].into_iter().for_each(|node| is_online_at(node, 1));
    fetches(&shut, &place, "granite.ogg", 3_000_000);
    publish(&shut, &[&file(&place, "gneiss.ogg", 100_000)]);
    fetches(&open, &place, "gneiss.ogg", 100_000);
    // The other stops, and the next one on its port knows nothing until its users are back.
    end(two, Signal::TERM);
    [&open, &shut, &asker].into_iter().for_each(|node| is_online_at(node, 0));
    let _again = place.start("again", &["directory", "--listen", &second]);
    [&open, &shut, &asker].into_iter().for_each(|node| is_online_at(node, 1));
    fetches(&asker, &place, "gneiss.ogg", 100_000);
    [open, shut, asker].into_iter().for_each(Peer::leave);
}
