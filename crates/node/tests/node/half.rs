//! The point of attack that the lecture names: thirty processes, half of the supernodes killed at once.

use crate::peers::{Peer, start};
use crate::program::{Done, Place};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const SUPERNODES: usize = 10;
const ORDINARY: usize = 20;
/// From the killing on, every ordinary node is to be attached again, and to have searched again.
const HEALED: Duration = Duration::from_secs(30);
/// How long the network may take to form: thirty processes start on what cores there are.
const FORMED: Duration = Duration::from_secs(100);

/// A process at an address of its own on this machine.
fn node<'a>(place: &'a Place, number: usize, supernode: &[&str]) -> Peer<'a> {
    let home: &'static str = Box::leak(format!("node{number}").into_boxed_str());
    let listen = format!("127.0.3.{}:0", number + 1);
    let given = supernode.iter().flat_map(|one| ["--supernode", *one]);
    let all: Vec<&str> = ["--listen", listen.as_str()].into_iter().chain(given).collect();
    start(place, home, &all)
}

fn status(peer: &Peer<'_>) -> Value {
    let status = peer.status();
    let systems = status["systems"].as_array().unwrap();
    systems.iter().find(|system| system["system"] == "supernode").unwrap().clone()
}

/// Asks again until it holds.
fn until(what: &str, deadline: Instant, mut holds: impl FnMut() -> bool) {
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
    }
}

/// Whether each of the homes finds a file by that word, all asking at once.
fn all_find(place: &Place, homes: &[String], word: &str) -> bool {
    let find = |home: &String| {
        let search = ["--json", "search", "--in", "supernode", "--timeout", "5s", word];
        let done = Done::of(place.command(home, &search).output().unwrap());
        done.objects().iter().any(|step| step["event"] == "hit" && step["hit"]["own"] == false)
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> = homes.iter().map(|home| scope.spawn(move || find(home))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).filter(|found| !found).count() == 0
    })
}

#[test]
fn when_half_of_the_supernodes_are_killed_every_other_node_is_attached_and_finds_again_within_30_seconds() {
    let place = Place::new();
    let began = Instant::now();
    let first = node(&place, 0, &["serve"]);
    let entry = first.address.clone();
    let mut supernodes = vec![first];
    supernodes.extend((1..SUPERNODES).map(|number| node(&place, number, &["serve", &entry])));
    until("all supernodes are linked", began + FORMED, || {
        supernodes.iter().all(|peer| status(peer)["links"] == SUPERNODES - 1)
    });
    let ordinary: Vec<Peer<'_>> = (0..ORDINARY)
        .map(|number| node(&place, SUPERNODES + number, &[&supernodes[number % SUPERNODES].address]))
        .collect();
    let attached = |peer: &Peer<'_>| status(peer)["supernode"].as_str().map(str::to_owned);
    until("all are attached and know others", began + FORMED, || {
        ordinary.iter().all(|peer| attached(peer).is_some() && status(peer)["known"].as_u64() > Some(6))
    });
    for (number, peer) in ordinary.iter().enumerate().take(2) {
        let path = place
            .write(&format!("lullaby number{number}.ogg"), &crate::program::noise(50_000, number as u64));
        let done = peer.run(&["publish", path.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{done:?}");
    }
    let homes: Vec<String> = (0..ORDINARY).map(|number| format!("node{}", SUPERNODES + number)).collect();
    until("all find", began + FORMED, || all_find(&place, &homes, "lullaby"));

    let killed: BTreeSet<String> =
        supernodes[..SUPERNODES / 2].iter().map(|peer| peer.address.clone()).collect();
    supernodes[..SUPERNODES / 2].iter().for_each(|peer| peer.running.signal(Signal::KILL));
    let deadline = Instant::now() + HEALED;
    until("all are attached to the living", deadline, || {
        ordinary.iter().all(|peer| attached(peer).is_some_and(|at| !killed.contains(&at)))
    });
    until("all find again", deadline, || all_find(&place, &homes, "lullaby"));
}
