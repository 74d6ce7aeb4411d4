//! Whole networks in the simulator; each runs twice and must go the same way.

use super::net::Net;
use super::*;
use std::time::Duration;
use throng_sim::{Departure, HostId, Incident};

/// Runs twice; the traces must be the same.
fn twice<R: PartialEq + std::fmt::Debug>(run: impl Fn() -> (Net, R)) -> (Net, R) {
    let ((one, first), (other, second)) = (run(), run());
    assert_eq!(first, second);
    assert_eq!(one.sim.trace().hash(), other.sim.trace().hash(), "the same seed went another way");
    assert_eq!(one.sim.probe().totals.spins, 0, "a deadline that does not move");
    (one, first)
}

fn shared(config: Config) -> Arc<Config> {
    Arc::new(config)
}

#[test]
fn plain_peers_flood_a_line_of_them_and_answers_come_back() {
    let (net, found) = twice(|| {
        let mut net = Net::new(1);
        let limits = Limits { plain: 1, ..Limits::default() };
        let config = shared(Config { limits, ..config(Role::Plain) });
        let mut line = vec![net.add(&config, &[])];
        for _ in 0..8 {
            let last = *line.last().unwrap();
            line.push(net.add(&config, &[last]));
            net.run(1);
        }
        net.share(line[7], "brontosaurus song.ogg");
        net.share(line[8], "brontosaurus poem.txt");
        net.run(1);
        net.search(line[0], 1, "brontosaurus");
        net.run(5);
        let found = net.found(line[0], 1);
        (net, found)
    });
    assert_eq!(found, ["brontosaurus song.ogg"], "seven hops and no further");
    assert!(net.sent(Kind::Query) >= 7);
}

/// Some ultrapeers, all linked, each with leaves of two ultrapeers.
fn two_tier(net: &mut Net, config: &Config, (ultrapeers, leaves): (u32, u32)) -> Vec<HostId> {
    let up = shared(Config { role: RoleChoice::Fixed(Role::Ultrapeer), ..config.clone() });
    let leaf = shared(Config { role: RoleChoice::Fixed(Role::Leaf), ..config.clone() });
    let mut hosts = vec![net.add(&up, &[])];
    for _ in 1..ultrapeers {
        hosts.push(net.add(&up, &[hosts[0]]));
        net.run(1);
    }
    for number in 0..leaves {
        let first = hosts[(number % ultrapeers) as usize];
        hosts.push(net.add(&leaf, &[first]));
    }
    net.run(70);
    hosts
}

#[test]
fn leaves_find_each_others_files_by_words_and_by_hash_through_deflated_links() {
    let (net, (words, hash)) = twice(|| {
        let mut net = Net::new(2);
        let config = Config { deflate: true, ..Config::default() };
        let hosts = two_tier(&mut net, &config, (4, 12));
        let (asking, sharing) = (hosts[4], hosts[15]);
        net.share(sharing, "Brontosaurus Café song.ogg");
        net.run(10);
        net.search(asking, 1, "cafe brontosaurus");
        net.run(30);
        let sha1 = *b"Brontosaurus Caf\xc3\xa9 s";
        let search = Search {
            words: String::new(),
            sha1: Some(sha1[..20].try_into().unwrap()),
            limit: 5,
            timeout: Duration::from_secs(100),
        };
        net.sim.command(asking, Command::Search(crate::discovery::Ticket(2), search));
        net.run(60);
        let found = (net.found(asking, 1), net.found(asking, 2));
        (net, found)
    });
    assert_eq!(words, ["Brontosaurus Café song.ogg"]);
    assert_eq!(hash, ["Brontosaurus Café song.ogg"]);
    let status = net.servent(HostId(0)).status(net.sim.now());
    assert!(status.links.iter().any(|link| link.deflated == (true, true)));
    let swarm = net.sim.app(HostId(4)).events.iter().find_map(|(_, event)| match event {
        Event::Discovery(crate::discovery::Event::Found { item, source, .. }) => {
            Some((item.clone(), source.clone()))
        }
        _ => None,
    });
    let (item, source) = swarm.unwrap();
    assert!(item.root.is_some() && item.info_hash_v2.is_some() && item.sha1.is_some());
    assert_eq!(source, crate::discovery::Source::Swarm(net.sim.endpoint(HostId(15))));
}

#[test]
fn links_of_leaves_stay_as_long_as_both_ends_live() {
    let (net, gone) = twice(|| {
        let mut net = Net::new(6);
        let hosts = two_tier(&mut net, &Config::default(), (3, 6));
        net.run(300);
        let gone = hosts.iter().flat_map(|host| &net.sim.app(*host).events);
        let gone = gone.filter(|(_, event)| matches!(event, Event::Unlinked { .. })).count();
        (net, gone)
    });
    assert_eq!(gone, 0);
    assert_eq!(net.servent(HostId(5)).links(Role::Ultrapeer), 3);
}

#[test]
fn queries_reach_only_leaves_whose_words_match_and_few_ultrapeers() {
    let (net, counted) = twice(|| {
        let mut net = Net::new(3);
        let config = Config { deflate: false, ..Config::default() };
        let hosts = two_tier(&mut net, &config, (6, 30));
        for (number, leaf) in hosts[6..].iter().enumerate() {
            net.share(*leaf, &format!("file number{number} velociraptor"));
        }
        net.run(80);
        let before = net.sent(Kind::Query);
        net.search(hosts[6], 1, "number17");
        net.run(60);
        let after = net.sent(Kind::Query) - before;
        let found = net.found(hosts[6], 1).len();
        (net, (found, after))
    });
    assert_eq!(counted.0, 1);
    assert!(counted.1 < 60, "{} queries in a network of {}", counted.1, net.sim.host_count());
    let queried =
        net.sim.apps()[6..].iter().filter(|host| host.servent.metrics().received.of(Kind::Query) > 0);
    assert!(queried.count() <= 2, "only the leaf that has it is asked");
}

#[test]
fn the_table_of_an_ultrapeer_has_no_more_entries_than_its_leaves_have_words() {
    let (net, _) = twice(|| {
        let mut net = Net::new(5);
        let hosts = two_tier(&mut net, &Config::default(), (2, 20));
        for (number, leaf) in hosts[2..].iter().enumerate() {
            net.share(*leaf, &format!("shared words number{number}"));
        }
        net.run(20);
        (net, ())
    });
    let links = net.servent(HostId(1)).status(net.sim.now()).links;
    let table = links.iter().find(|link| link.role == Role::Ultrapeer).and_then(|link| link.table);
    // Words and hashes, less those that meet in an entry.
    let (count, entries) = table.unwrap();
    assert!(count > 30 && count <= 2 + 20 + 20 && entries > 4_000, "{count} of {entries}");
}

#[test]
fn a_leaf_whose_ultrapeers_die_searches_again_within_thirty_seconds() {
    let (_, found) = twice(|| {
        let mut net = Net::new(4);
        let config = Config { deflate: false, ..Config::default() };
        let hosts = two_tier(&mut net, &config, (8, 16));
        let (asking, sharing) = (hosts[8], hosts[20]);
        net.share(sharing, "brontosaurus song.ogg");
        net.run(70);
        // All ultrapeers of the leaf lose their power at once.
        let linked: Vec<Endpoint> =
            net.servent(asking).status(net.sim.now()).links.iter().map(|link| link.peer).collect();
        let dead: Vec<HostId> =
            hosts[..8].iter().copied().filter(|up| linked.contains(&net.sim.endpoint(*up))).collect();
        assert!(dead.len() == 3, "{dead:?}");
        for up in dead {
            net.sim.incident(Incident::Stop(up.0..up.0 + 1, Departure::Silent));
        }
        net.run(30);
        assert!(net.servent(asking).links(Role::Ultrapeer) >= 1);
        net.search(asking, 1, "brontosaurus");
        net.run(60);
        let found = net.found(asking, 1).len();
        (net, found)
    });
    assert!(found >= 1);
}

#[test]
fn two_that_call_each_other_at_once_end_up_with_one_link() {
    let (net, links) = twice(|| {
        let mut net = Net::new(5);
        let config = shared(config(Role::Plain));
        let (one, other) = (net.add(&config, &[]), net.add(&config, &[]));
        for (caller, called) in [(one, other), (other, one)] {
            let to = net.sim.endpoint(called);
            net.sim.command(caller, Command::Link(to));
        }
        net.run(20);
        let links = (net.servent(one).links(Role::Plain), net.servent(other).links(Role::Plain));
        (net, links)
    });
    assert_eq!(links, (1, 1));
    assert!(net.sent(Kind::Ping) > 0);
}

#[test]
fn every_leaf_has_an_ultrapeer_again_soon_after_the_best_connected_half_of_them_died() {
    let (_, (stranded, seconds)) = twice(|| {
        let mut net = Net::new(8);
        let config = Config { deflate: false, ..Config::default() };
        let hosts = two_tier(&mut net, &config, (16, 96));
        let (ups, leaves) = hosts.split_at(16);
        let mut best = ups.to_vec();
        best.sort_by_key(|up| {
            let servent = net.servent(*up);
            std::cmp::Reverse(servent.links(Role::Ultrapeer) + servent.links(Role::Leaf))
        });
        for up in &best[..8] {
            net.sim.incident(Incident::Stop(up.0..up.0 + 1, Departure::Silent));
        }
        let living: Vec<Endpoint> = best[8..].iter().map(|up| net.sim.endpoint(*up)).collect();
        let stranded = |net: &Net| {
            let cut_off =
                |leaf: &&HostId| !net.servent(**leaf).neighbours().any(|(at, _)| living.contains(&at));
            leaves.iter().filter(cut_off).count()
        };
        let (before, mut seconds) = (stranded(&net), 0);
        while stranded(&net) > 0 && seconds < 60 {
            net.run(1);
            seconds += 1;
        }
        (net, (before, seconds))
    });
    assert!(stranded >= 4, "{stranded} had nobody left");
    assert!(seconds <= 20, "{seconds} s");
}
