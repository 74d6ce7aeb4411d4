//! What a network does as a whole.

use super::network::{Net, PORT};
use crate::discovery::Ticket;
use crate::supernode::{Command, Event, Role, Standing};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use throng_sim::{Departure, Incident};

#[test]
fn files_of_every_supernodes_nodes_are_found_from_everywhere() {
    let mut net = Net::tiers(1, 6, 18);
    net.run(10);
    assert_eq!(net.attached(6), 18);
    for host in 6..24 {
        net.publish(host, &format!("zebra song number{host}.mp3"), host as u8);
    }
    net.run(5);
    for host in 6..24 {
        net.find(host, 100, &format!("number{}", 6 + (host + 7) % 18));
        net.find(host, 101, "zebra song");
    }
    net.run(20);
    for host in 6..24 {
        let node = net.host(host);
        assert_eq!(node.found(100).len(), 1, "host {host}");
        assert_eq!(node.found(101).len(), 17, "host {host}: all but its own");
        assert!(node.told.contains(&Event::Finished(Ticket(101))));
    }
    let first = net.host(0).node.server().unwrap();
    assert_eq!(first.gauges().links, 5);
    assert_eq!(first.gauges().supernodes, 6);
    assert_eq!(first.violations().total(), 0);
}

#[test]
fn a_query_reaches_beyond_neighbours_by_helpers() {
    let mut net = Net::new(2);
    for number in 0..24u32 {
        let knows: &[u32] = if number == 0 { &[] } else { &[0] };
        net.add(Role::Super, knows, |config| {
            let ip = Ipv4Addr::from(0x0a00_0001 + number);
            config.address = Some(SocketAddrV4::new(ip, PORT));
            (config.links, config.max_links) = (6, 8);
            (config.gossip_every, config.shuffle_every) = (Duration::from_secs(2), Duration::from_secs(30));
        });
    }
    net.run(120);
    for host in 0..24 {
        net.publish(host, &format!("giraffe number{host}"), host as u8);
    }
    net.run(5);
    for host in 0..24 {
        let server = net.host(host).node.server().unwrap();
        let gauges = server.gauges();
        assert!((4..=8).contains(&gauges.links), "{host}: {gauges:?}");
        assert_eq!(gauges.supernodes, 24, "{host}");
    }
    for host in 0..24 {
        net.find(host, 100, "giraffe");
    }
    net.run(20);
    let found: usize = (0..24).map(|host| net.host(host).found(100).len()).sum();
    assert!(found >= 24 * 23 * 97 / 100, "{found} of {}", 24 * 23);
}

#[test]
fn when_half_of_the_supernodes_die_everybody_is_attached_again_within_half_a_minute() {
    for departure in [Departure::Reset, Departure::Silent] {
        let mut net = Net::tiers(3, 8, 60);
        net.run(60);
        assert_eq!(net.attached(8), 60);
        for host in 8..68 {
            net.publish(host, &format!("zebra number{host}"), host as u8);
        }
        net.run(5);
        net.sim.incident(Incident::Stop(0..4, departure));
        net.run(30);
        assert_eq!(net.attached(8), 60, "{departure:?}");
        net.find(20, 100, "zebra");
        net.run(20);
        assert_eq!(net.host(20).found(100).len(), 50, "as many as it wanted, {departure:?}");
    }
}

#[test]
fn an_ordinary_node_is_promoted_when_there_are_too_many_and_takes_some() {
    let mut net = Net::new(4);
    let quick = |config: &mut crate::supernode::Config| {
        (config.promote_above, config.demote_below, config.slots) = (12, 4, 20);
        (config.least_uptime, config.least_term) = (Duration::from_secs(60), Duration::from_secs(60));
    };
    net.add(Role::Super, &[], |config| {
        quick(config);
        config.address = Some(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), PORT));
    });
    for number in 1..=16 {
        let role = if number == 5 { Role::Either } else { Role::Ordinary };
        net.add(role, &[0], quick);
    }
    net.command(5, Command::Capacity { mebibytes: 64, kilobits: 0 });
    net.publish(5, "zebra of the fifth", 5);
    net.run(90);
    // It tells what it is again once its uptime is enough.
    net.command(5, Command::Capacity { mebibytes: 64, kilobits: 0 });
    net.run(60);
    assert_eq!(net.host(5).node.standing(), Standing::Super);
    assert!(net.host(5).told.contains(&Event::Became(Standing::Super)));
    let loads = [0, 5].map(|host| net.host(host).node.server().unwrap().gauges().members);
    assert_eq!(loads.iter().sum::<u32>(), 15);
    assert!(loads.iter().all(|load| (4..=12).contains(load)), "{loads:?}");
    net.find(7, 100, "zebra fifth");
    net.run(10);
    assert_eq!(net.host(7).found(100).len(), 1, "what it shared is still shared");
    // Most go: of two supernodes one is enough.
    for host in 8..=16 {
        net.command(host, Command::Leave);
    }
    for host in [1, 2, 3] {
        net.command(host, Command::Leave);
    }
    net.run(300);
    assert_eq!(net.host(5).node.standing(), Standing::Ordinary);
    assert_eq!(net.host(5).node.client().supernode(), Some(net.v4(0)));
    net.find(7, 101, "zebra fifth");
    net.run(10);
    assert_eq!(net.host(7).found(101).len(), 1, "and is shared after it too");
}

#[test]
fn a_node_nobody_can_reach_is_never_promoted() {
    let mut net = Net::new(5);
    net.add(Role::Super, &[], |config| {
        (config.promote_above, config.slots) = (3, 20);
        (config.least_uptime, config.least_mebibytes) = (Duration::from_secs(1), 0);
        config.address = Some(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), PORT));
    });
    for _ in 1..=8 {
        // It says another port than it listens on.
        net.add(Role::Either, &[0], |config| config.port = 9);
    }
    net.run(200);
    assert!((1..=8).all(|host| net.host(host).node.standing() == Standing::Ordinary));
    assert_eq!(net.host(0).node.server().unwrap().metrics().promotions, 0);
}
