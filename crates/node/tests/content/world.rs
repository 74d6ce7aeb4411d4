//! Files to publish, and what commands say of them.

use crate::peers::Peer;
use crate::program::{Done, Place};
use serde_json::Value;

/// So many bytes that depend on the name.
pub(crate) fn bytes(name: &str, size: usize) -> Vec<u8> {
    let mut state =
        name.bytes().fold(1u64, |state, byte| state.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..size).map(|_| next()).collect()
}

/// Writes a file and returns its path.
pub(crate) fn file(place: &Place, name: &str, size: usize) -> String {
    place.write(name, &bytes(name, size)).to_str().unwrap().to_owned()
}

/// Publishes, and expects that it works; what was told of the publication, and all steps.
pub(crate) fn publish(peer: &Peer<'_>, arguments: &[&str]) -> (Value, Vec<Value>) {
    let done = peer.run(&[&["--json", "publish"], arguments].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let steps = done.objects();
    let published =
        steps.iter().find(|step| step["event"] == "published").unwrap_or_else(|| panic!("{steps:?}"));
    (published["publication"].clone(), steps)
}

/// Searches until there is a hit that is as wanted: what was published spreads in its own time.
pub(crate) fn find(peer: &Peer<'_>, words: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let done = peer.run(&[&["--json", "search", "--timeout", "5s"], words].concat());
        // The last that was told of each hit counts.
        let hits = done.objects().into_iter().rev().filter(|step| step["event"] == "hit");
        if let Some(step) = hits.into_iter().find(|step| wanted(&step["hit"])) {
            return step["hit"].clone();
        }
        assert!(std::time::Instant::now() < until, "nothing as wanted: {done:?}");
    }
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// What is published by a node.
pub(crate) fn ok(done: Done) -> Done {
    assert_eq!(done.code, 0, "{done:?}");
    done
}
