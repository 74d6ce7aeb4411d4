//! The store of a ring in the simulator: what is put is got, copies follow joins, leaves, crashes and returns.

#[path = "chord/store.rs"]
mod store;

use std::time::Duration;
use store::{Rings, config, s};
use throng_overlay::chord::{Command, Event, Failure, Put, Want};
use throng_overlay::discovery::{self, Item, Query, Ticket};
use throng_sim::{Departure, HostId, Incident};

fn entry(name: &str, value: &str) -> Put {
    Put::Entry { name: name.into(), value: value.into(), ttl: Duration::from_secs(86_400) }
}

fn wanted(name: &str) -> Want {
    Want::Entry { name: name.into(), writer: None }
}

#[test]
fn one_node_stores_for_itself() {
    let mut ring = Rings::new(1, 1, config());
    ring.run(s(5));
    assert_eq!(ring.put(0, entry("name", "value")), Ok((1, 1)));
    assert_eq!(ring.get(0, wanted("name")), Ok(vec![b"value".to_vec()]));
    assert_eq!(ring.get(0, wanted("other")), Ok(vec![]));
}

#[test]
fn before_a_ring_is_joined_nothing_can_be_done() {
    let mut ring = Rings::new(1, 2, config());
    ring.sim.incident(Incident::Partition(vec![0..1, 1..2]));
    ring.run(s(20));
    assert_eq!(ring.put(1, entry("name", "value")), Err(Failure::NotJoined));
    assert_eq!(ring.get(1, wanted("name")), Err(Failure::NotJoined));
}

#[test]
fn what_one_puts_all_get_and_five_hosts_hold() {
    let mut ring = Rings::new(2, 24, config());
    ring.settle();
    for n in 0..20 {
        let (copies, of) = ring.put(n, entry(&format!("name {n}"), &format!("value {n}"))).unwrap();
        assert!(copies >= 3 && of == 5, "{copies} of {of}");
    }
    for n in 0..20 {
        let got = ring.get((n + 7) % 24, wanted(&format!("name {n}"))).unwrap();
        assert_eq!(got, [format!("value {n}").into_bytes()]);
    }
    ring.run(s(30));
    assert_eq!(ring.copies(), vec![5; 20]);
}

#[test]
fn every_kind_comes_back_and_the_newest_first() {
    let mut ring = Rings::new(3, 16, config());
    ring.settle();
    // Two writers of one name, each with two versions.
    for (host, value) in [(1, "a"), (2, "b"), (1, "c"), (2, "d")] {
        ring.put(host, entry("shared", value)).unwrap();
        ring.run(s(1));
    }
    assert_eq!(ring.get(5, wanted("shared")), Ok(vec![b"d".to_vec(), b"c".to_vec()]));
    for size in [0, 1_000, 20_000, 64 * 1024] {
        let value: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let hash = ring.put_hash(4, Put::Immutable { value: value.clone() });
        assert_eq!(ring.get(9, Want::Immutable(hash)), Ok(vec![value.clone()]), "{size} bytes");
        assert_eq!(ring.get(4, Want::Immutable(hash)), Ok(vec![value]), "{size} bytes");
    }
    let key = ring.public_key(6);
    let mutable = |value: &str, cas| Put::Mutable { salt: b"s".to_vec(), value: value.into(), cas };
    ring.put(6, mutable("one", None)).unwrap();
    ring.put(6, mutable("two", Some(1))).unwrap();
    assert_eq!(ring.put(6, mutable("three", Some(1))), Err(Failure::Conflict { seq: 2 }));
    assert_eq!(ring.get(1, Want::Mutable { key, salt: b"s".to_vec() }), Ok(vec![b"two".to_vec()]));
    ring.put(1, Put::Remove { name: b"shared".to_vec() }).unwrap();
    assert_eq!(ring.get(5, wanted("shared")), Ok(vec![b"d".to_vec()]));
    assert!(matches!(ring.put(1, Put::Immutable { value: vec![0; 65_537] }), Err(Failure::TooLarge)));
    // The largest entry does not fit a datagram.
    let name = "n".repeat(255);
    ring.put(3, entry(&name, &"v".repeat(1_000))).unwrap();
    assert_eq!(ring.get(8, wanted(&name)), Ok(vec!["v".repeat(1_000).into_bytes()]));
}

#[test]
fn a_join_moves_the_keys_after_the_predecessor_up_to_the_joiner_and_a_leave_moves_them_back() {
    let mut ring = Rings::new(4, 20, config());
    ring.settle();
    ring.fill(200);
    ring.run(s(60));
    let before = ring.owners();
    let joiner = ring.join_late();
    ring.run(s(180));
    let after = ring.owners();
    let (low, me) = ring.range(joiner);
    for (key, owner) in &before {
        let theirs = throng_wire::chord::own(low, *key, me);
        assert_eq!(after[key], if theirs { joiner } else { *owner }, "{key}");
    }
    assert_eq!(ring.missing_at_owners(), 0);
    ring.sim.command(HostId(joiner), Command::Leave);
    ring.run(s(120));
    ring.sim.incident(Incident::Stop(joiner..joiner + 1, Departure::Silent));
    assert_eq!(ring.owners(), before);
    assert_eq!(ring.missing_at_owners(), 0);
    ring.get_all(200);
}

#[test]
fn nothing_acknowledged_is_lost_while_fewer_than_r_neighbours_die_at_once() {
    for seed in 1..=3 {
        let mut ring = Rings::new(seed, 40, config());
        ring.settle();
        ring.fill(150);
        ring.run(s(30));
        // Four neighbours at a time, three times, with time to repair between.
        for round in 0..3 {
            for host in ring.neighbours(round * 7 + 3, 4) {
                ring.sim.incident(Incident::Stop(host..host + 1, Departure::Silent));
            }
            ring.run(s(150));
        }
        ring.get_all(150);
        ring.run(s(300));
        assert_eq!(ring.missing_at_owners(), 0, "seed {seed}");
        assert!(ring.copies().iter().all(|copies| *copies >= 5), "{:?}", ring.copies());
    }
}

#[test]
fn a_node_that_comes_back_learns_what_it_missed() {
    let mut ring = Rings::new(6, 12, config());
    ring.settle();
    ring.fill(60);
    ring.sim.incident(Incident::Stop(5..6, Departure::Silent));
    ring.run(s(60));
    for n in 0..60 {
        ring.put_any(n, entry(&format!("name {n}"), "newer")).unwrap();
    }
    ring.sim.incident(Incident::Start(5..6));
    ring.run(s(200));
    for n in 0..60 {
        let got = ring.get(5, wanted(&format!("name {n}"))).unwrap();
        assert_eq!(got.first().map(Vec::as_slice), Some(&b"newer"[..]), "name {n}");
    }
    assert_eq!(ring.missing_at_owners(), 0);
}

#[test]
fn what_is_published_is_found_by_its_words_and_withdrawn_it_is_not() {
    let mut ring = Rings::new(7, 20, config());
    ring.settle();
    let item = |n: u8, title: &str| Item {
        title: title.into(),
        size: u64::from(n),
        root: Some([n; 32]),
        ..Item::default()
    };
    let titles = ["Night of the Living Dead 1968", "Living Planet", "Night Train", "Blue Planet Night"];
    for (n, title) in (0u8..).zip(titles) {
        let ticket = Ticket(u32::from(n));
        let publish = discovery::Command::Publish(ticket, item(n + 1, title));
        ring.command(u32::from(n) + 2, Command::Discovery(publish));
    }
    ring.run(s(20));
    for n in 0..4u32 {
        let told = ring.events(n + 2).into_iter().find_map(|event| match event {
            Event::Discovery(discovery::Event::Published { at, of, .. }) => Some((at, of)),
            _ => None,
        });
        let (at, of) = told.expect("told of its publication");
        let words = [4, 2, 2, 3][n as usize];
        assert_eq!((at, of), (1 + words, 1 + words), "who has it, and each word that is not a stop-word");
    }
    assert_eq!(ring.find(15, "night living"), [titles[0]]);
    assert_eq!(ring.find(16, "NIGHT"), [titles[3], titles[2], titles[0]]);
    assert_eq!(ring.find(17, "planet -the- living"), [titles[1]]);
    assert_eq!(ring.find(18, "nowhere"), Vec::<String>::new());
    ring.command(2, Command::Discovery(discovery::Command::Withdraw(Ticket(0))));
    ring.run(s(20));
    assert_eq!(ring.find(15, "night living"), Vec::<String>::new());
    let refused = ring.discover(
        3,
        discovery::Command::Find(Ticket(900), Query { words: vec!["the".into()], limit: 5, timeout: s(5) }),
    );
    assert_eq!(refused, [discovery::Event::Refused(Ticket(900), discovery::Refusal::EmptyQuery)]);
}
