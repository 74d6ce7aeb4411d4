//! How many ordinary nodes a supernode has, with the choices that are shipped: it steers itself, without an operator.

use super::network::{Net, PORT};
use crate::supernode::{Command, Role, Standing};
use std::net::SocketAddrV4;
use std::time::Duration;

/// Supernodes and how many ordinary nodes each has, the first host among them.
fn loads(net: &Net) -> Vec<(u32, u32)> {
    let hosts = 0..net.sim.host_count();
    hosts.filter_map(|host| Some((host, net.host(host).node.server()?.gauges().members))).collect()
}

/// Nodes from that number on that would be supernodes, and say so once a minute as the runtime does.
fn run_minutes(net: &mut Net, from: u32, minutes: u32) {
    for _ in 0..minutes {
        for host in from..net.sim.host_count() {
            net.command(host, Command::Capacity { mebibytes: 64, kilobits: 0 });
        }
        net.run(60);
    }
}

fn add(net: &mut Net, nodes: u32) {
    for _ in 0..nodes {
        net.add(Role::Either, &[0], |_| {});
    }
}

#[test]
fn a_network_that_grows_and_shrinks_keeps_sixty_to_a_hundred_and_fifty_nodes_a_supernode() {
    let mut net = Net::new(6);
    net.add(Role::Super, &[], |config| {
        config.address = Some(SocketAddrV4::new([10, 0, 0, 1].into(), PORT));
    });
    add(&mut net, 250);
    run_minutes(&mut net, 1, 40);
    let first = loads(&net);
    assert!(first.len() > 1, "others were promoted: {first:?}");
    add(&mut net, 250);
    run_minutes(&mut net, 1, 60);
    let grown = loads(&net);
    assert_eq!(grown.iter().map(|(_, load)| load).sum::<u32>() + grown.len() as u32, 501);
    assert!(grown.iter().all(|(_, load)| (60..=150).contains(load)), "{grown:?}");
    for host in 1..=350 {
        net.command(host, Command::Leave);
    }
    run_minutes(&mut net, 351, 60);
    let shrunk = loads(&net);
    let staying: Vec<u32> =
        shrunk.iter().filter(|(host, _)| *host == 0 || *host > 350).map(|(_, load)| *load).collect();
    assert!(staying.len() <= 3 && staying.iter().sum::<u32>() >= 145, "{shrunk:?}");
    assert!(staying.iter().all(|load| *load <= 150), "{shrunk:?}");
    assert!((351..501).all(|host| {
        let node = &net.host(host).node;
        node.standing() == Standing::Super || node.client().supernode().is_some()
    }));
}

#[test]
fn a_supernode_that_has_no_memory_left_to_give_is_ordinary_again_unless_its_operator_says_so() {
    let mut net = Net::new(7);
    let quick = |config: &mut crate::supernode::Config| {
        (config.promote_above, config.demote_below, config.slots) = (12, 4, 20);
        config.least_uptime = Duration::from_secs(60);
    };
    net.add(Role::Super, &[], |config| {
        quick(config);
        config.address = Some(SocketAddrV4::new([10, 0, 0, 1].into(), PORT));
    });
    for number in 1..=16 {
        net.add(if number == 5 { Role::Either } else { Role::Ordinary }, &[0], quick);
    }
    run_minutes(&mut net, 1, 3);
    assert_eq!(net.host(5).node.standing(), Standing::Super);
    for host in [0, 5] {
        net.command(host, Command::Capacity { mebibytes: 8, kilobits: 0 });
    }
    net.run(40);
    assert_eq!(net.host(5).node.standing(), Standing::Ordinary);
    assert_eq!(net.host(0).node.standing(), Standing::Super, "an operator fixed its role");
    assert_eq!(net.attached(1), 16, "and nobody was lost");
}
