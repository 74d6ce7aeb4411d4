//! Running nodes, and what is asked of them.

use crate::program::{Done, Place, Running, finish};
use serde_json::Value;

/// A running node; killed if the test ends before it.
pub(crate) struct Peer<'a> {
    pub(crate) running: Running,
    pub(crate) address: String,
    pub(crate) api: String,
    home: &'static str,
    place: &'a Place,
}

/// Starts a node and waits until it is in the ring. `chord` is an address or `new`.
pub(crate) fn join<'a>(place: &'a Place, home: &'static str, chord: &str) -> Peer<'a> {
    let mut peer = start(place, home, &["--chord", chord, "--listen", "127.0.0.1:0"]);
    let joined = peer.running.event("joined");
    assert_eq!(joined["system"], "chord");
    assert_eq!(joined["address"].as_str(), Some(peer.address.as_str()));
    assert_eq!(joined["id"].as_str().unwrap().len(), 40);
    peer
}

/// Starts a node and waits until it listens.
pub(crate) fn start<'a>(place: &'a Place, home: &'static str, more: &[&str]) -> Peer<'a> {
    let mut running = place.start(home, &[&["join", "--api", "127.0.0.1:0"], more].concat());
    let listening = running.event("listening");
    let text = |name: &str| listening[name].as_str().unwrap().to_owned();
    Peer { running, address: text("address"), api: text("api"), home, place }
}

impl Peer<'_> {
    /// Runs a command of this node to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, b"")
    }

    /// As [`Peer::run`], with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Done {
        finish(self.place.command(self.home, arguments), input)
    }

    /// Stores, and expects that it is.
    pub(crate) fn put(&self, key: &str, value: &str) -> Value {
        let done = self.run(&["--json", "put", key, value]);
        assert_eq!(done.code, 0, "{done:?}");
        done.objects().remove(0)
    }

    /// The bytes that `get` writes.
    pub(crate) fn get(&self, key: &str) -> String {
        let done = self.run(&["get", key]);
        assert_eq!(done.code, 0, "{done:?}");
        done.stdout
    }

    pub(crate) fn status(&self) -> Value {
        let done = self.run(&["--json", "status"]);
        assert_eq!(done.code, 0, "{done:?}");
        done.objects().remove(0)
    }

    /// Lets it leave; it must end well.
    pub(crate) fn leave(mut self) {
        let done = self.run(&["leave"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(self.running.wait(), 0);
    }
}
