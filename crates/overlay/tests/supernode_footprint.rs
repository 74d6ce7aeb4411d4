//! Bytes of a supernode and of an ordinary node, by a counting allocator; one test, alone in its process. The goals are
//! 16 MiB for a supernode with 150 ordinary nodes of 500 files each, and 512 B for an ordinary node.
#![allow(missing_docs, clippy::unwrap_used)]

use cap::Cap;
use std::alloc::System;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, SplitMix64};
use throng_overlay::supernode::{Command, Config, Event, Node, Role, Server};
use throng_sim::{App, HostId, HostIo, Network, Profile, Sim};

#[path = "../../../bench/src/supernode_load.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a bench's module elsewhere")]
mod supernode_load;
#[path = "../../../bench/src/users.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a library's module elsewhere")]
mod users;

use supernode_load::{Load, Shape};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const PORT: u16 = 1_214;
const ORDINARY: u32 = 1_000;
const SUPERNODES: u32 = 30;
const MOST_SUPERNODE: usize = 16 << 20;
const MOST_ORDINARY: f64 = 512.0;

struct Host(Node);

impl App for Host {
    type Machine = Node;
    fn machine(&mut self) -> &mut Node {
        &mut self.0
    }
    fn on_event(&mut self, _: Event, _: &mut HostIo<'_, Self>) {}
}

fn config(number: u32, role: Role) -> Arc<Config> {
    let at = Ipv4Addr::from(0x0a00_0001 + number);
    let address = (role == Role::Super).then(|| SocketAddrV4::new(at, PORT));
    Config { role, user: b"somebody".to_vec(), port: PORT, address, ..Config::default() }.into()
}

fn host(number: u32, config: &Arc<Config>) -> Host {
    let mut rng = SplitMix64::new(number.into());
    Host(Node::new(Arc::clone(config), &mut rng, throng_machine::Instant::EPOCH))
}

/// Bytes of an attached ordinary node that shares nothing, and how many are attached in fact.
fn ordinary() -> (f64, usize) {
    let mut sim = Sim::new(1, Network::default());
    let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
    let at = |number: u32| Endpoint::v4((0x0a00_0001 + number).to_be_bytes(), PORT);
    // What nodes of one kind have in common is there once.
    let ordinary = config(0, Role::Ordinary);
    for number in 0..SUPERNODES + ORDINARY {
        let is_super = number < SUPERNODES;
        let choices = if is_super { config(number, Role::Super) } else { Arc::clone(&ordinary) };
        sim.add(host(number, &choices), profile);
        let known = if number == 0 { Vec::new() } else { vec![at(number % SUPERNODES.min(number))] };
        sim.command(HostId(number), Command::Join(known));
    }
    sim.run_for(Duration::from_secs(100));
    let attached = |number: &u32| sim.app(HostId(*number)).0.client().supernode().is_some();
    let count = (SUPERNODES..SUPERNODES + ORDINARY).filter(attached).count();
    let (before, mut fresh) = (ALLOCATOR.allocated(), 0);
    for number in SUPERNODES..SUPERNODES + ORDINARY {
        let begin = ALLOCATOR.allocated();
        let new = host(number, &ordinary);
        fresh += ALLOCATOR.allocated() - begin;
        *sim.app_mut(HostId(number)) = new;
    }
    let freed = before + fresh - ALLOCATOR.allocated();
    (freed as f64 / f64::from(ORDINARY) + size_of::<Node>() as f64, count)
}

#[test]
fn a_supernode_and_an_ordinary_node_stay_within_their_bytes() {
    let (bytes, attached) = ordinary();
    println!("an ordinary node: {bytes:.0} B, {} of them itself", size_of::<Node>());
    assert_eq!(attached, ORDINARY as usize);
    assert!(bytes <= MOST_ORDINARY, "{bytes:.0} B an ordinary node");

    let mut load = Load::new(Shape { nodes: 150, files: 500, links: 40, ours: false });
    load.fill();
    load.link();
    let searches = load.searches(600);
    load.serve(&searches);
    let queries = load.queries(600);
    load.serve(&queries);
    drop((searches, queries));
    let (gauges, metrics) = (load.gauges(), load.metrics());
    let server = load.finish();
    let before = ALLOCATOR.allocated();
    drop(server);
    let bytes = before - ALLOCATOR.allocated() + size_of::<Server>();
    println!("a supernode: {bytes} B; {gauges:?}");
    // Some users have two files of one recording, which counts once.
    assert!(gauges.files > 74_000, "{gauges:?}");
    assert_eq!((gauges.members, gauges.links), (150, 40));
    assert!(metrics.hits > 600, "they found something: {metrics:?}");
    assert!(bytes <= MOST_SUPERNODE, "{bytes} B");
}
