//! Bytes a simulated peer, by a counting allocator; one test, alone in its process.
//!
//! Scale profile: 10 connections and 50 remembered addresses a host. The machine's share is what the allocator gets
//! back when a host's machine is replaced by an empty one; the rest is the simulator's and the application's. The goal
//! is 4 KiB a host; the bounds are what was measured and a quarter more, so that growth is seen.

use cap::Cap;
use std::alloc::System;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use throng_node::simulate::swarm::Crowd;
use throng_node::simulate::swarm_host::{SwarmHost, TrackerBook};
use throng_sim::{App as _, HostId, Sim};
use throng_swarm::{Config, PEER_BYTES, Swarm};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const HOSTS: u32 = 2_000;
const CONNECTIONS: usize = 10;
/// Addresses a host remembers: one answer of a tracker.
const KNOWN_PEERS: usize = 50;
/// Bytes of a machine with one torrent and no peers: 10,579 measured.
const MOST_ALONE: f64 = 4_050.0;
/// Bytes a remembered address: 64 measured.
const MOST_ADDRESS: f64 = 80.0;
/// Bytes of a machine for one more connection: 712 measured.
const MOST_CONNECTION: f64 = 890.0;
/// Bytes of it all for a host with its connections, the simulator included: 26,220 measured.
const MOST_JOINED: f64 = 23_600.0;

/// What was measured of one crowd, in bytes a host but for `connections`.
#[derive(Debug)]
struct Measured {
    /// Connections a host, on average.
    connections: f64,
    /// All there is: machine, application, simulator.
    total: f64,
    /// The machine: its own size and what it holds.
    machine: f64,
}

/// A crowd in which nobody has anything, after everybody has met; at most so many connections and known addresses.
fn idle_crowd(connections: usize, known: usize) -> Measured {
    let crowd = Crowd {
        nodes: HOSTS - 1,
        size: 64 << 20,
        piece_length: Some(256 << 10),
        connections,
        ..Crowd::default()
    };
    let (meta, tracker) = (crowd.metainfo(), Rc::new(RefCell::new(TrackerBook::default())));
    let before = ALLOCATOR.allocated();
    let mut sim: Sim<SwarmHost> = crowd.scenario().prepare(|host| {
        let mut plan = crowd.plan(host, &meta, &tracker);
        plan.seed = false;
        plan.config.max_known_peers = known;
        SwarmHost::new(plan)
    });
    sim.run_for(Duration::from_secs(30));
    let streams: usize = (0..HOSTS).map(|host| sim.stream_count(HostId(host))).sum();
    let full = ALLOCATOR.allocated();
    (0..HOSTS).for_each(|host| empty(&mut sim, host));
    let freed = full - ALLOCATOR.allocated();
    let a_host = |bytes: usize| bytes as f64 / f64::from(HOSTS);
    Measured {
        connections: a_host(streams),
        total: a_host(full - before),
        machine: a_host(freed) + size_of::<Swarm>() as f64,
    }
}

/// Puts a machine that holds next to nothing in the place of a host's own.
fn empty(sim: &mut Sim<SwarmHost>, host: u32) {
    let config = Config { client: String::new(), ..Config::default() };
    *sim.app_mut(HostId(host)).machine() = Swarm::new(config, 0);
}

#[test]
fn an_idle_peer_and_its_connections_stay_within_their_bytes() {
    let bare = idle_crowd(0, 0);
    let alone = idle_crowd(0, KNOWN_PEERS);
    let joined = idle_crowd(CONNECTIONS, KNOWN_PEERS);
    let address = (alone.machine - bare.machine) / KNOWN_PEERS as f64;
    let connection = |of: fn(&Measured) -> f64| (of(&joined) - of(&alone)) / joined.connections;
    let row = |name, machine: f64, total: f64| println!("{name:26} {machine:8.0} {total:12.0}");
    println!("{HOSTS} hosts, {:.1} connections each, 64 MiB in 256 KiB pieces, idle", joined.connections);
    println!("bytes                       machine     all of it");
    row("a host, alone", bare.machine, bare.total);
    row("an address it knows", address, (alone.total - bare.total) / KNOWN_PEERS as f64);
    row("a connection", connection(|m| m.machine), connection(|m| m.total));
    row("a host, joined", joined.machine, joined.total);
    println!("size_of: peer {PEER_BYTES}, swarm {}, host {}", size_of::<Swarm>(), size_of::<SwarmHost>());
    assert!(alone.connections == 0.0 && joined.connections > 9.0, "{joined:?}");
    assert!(bare.machine <= MOST_ALONE, "a machine without peers takes {:.0} B", bare.machine);
    assert!(address <= MOST_ADDRESS, "an address takes {address:.0} B");
    let machine = connection(|m| m.machine);
    assert!(machine <= MOST_CONNECTION, "a connection takes {machine:.0} B");
    assert!(joined.total <= MOST_JOINED, "a host takes {:.0} B", joined.total);
}
