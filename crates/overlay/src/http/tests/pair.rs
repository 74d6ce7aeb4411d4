//! Two and three hosts: files really move, directly and by push, over connections that break, in queues.

use super::world::World;
use super::*;

const SIZE: u64 = 100_003;
const COPY: ContentId = ContentId(900);

fn expected(range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|at| byte(ContentId(1), at)).collect()
}

/// Fetches what is missing, range by range, as a scheduler would, until all is there.
fn fetch_all(world: &mut World, who: usize, from: &Source) {
    let (mut at, mut tries) = (0, 0);
    while at < SIZE {
        let end = (at + 30_000).min(SIZE);
        tries += 1;
        assert!(tries < 200, "no progress");
        world.command(who, fetch(tries, from, at..end));
        for _ in 0..200 {
            let over = world.hosts[who].heard.iter().find_map(|event| match event {
                Event::Fetched(_) => Some(end - at),
                Event::FetchFailed(_, _, had) => Some(*had),
                _ => None,
            });
            if let Some(had) = over {
                at += had;
                break;
            }
            world.pass(1);
        }
        world.events(who);
    }
}

#[test]
fn a_file_is_fetched_in_segments_of_any_size() {
    for segment in [1, 3, 100, 1_460, 1 << 20] {
        let mut world = World::new(&[true, true], segment);
        world.command(0, Command::Share(Box::new(file(1, SIZE))));
        let from = source(host(0), &file(1, SIZE));
        fetch_all(&mut world, 1, &from);
        assert!(world.hosts[1].stored[&COPY] == expected(0..SIZE), "segments of {segment}");
        for host in &world.hosts {
            assert_eq!(*host.probe.machine.violations(), Violations::default());
        }
        world.pass(70);
        assert!(world.hosts.iter().all(|host| host.probe.machine.load().0 == 0), "idle connections end");
        assert_eq!(world.hosts[0].probe.machine.upload_load(), (0, 0));
    }
}

#[test]
fn a_host_that_cannot_be_called_calls() {
    for push in [by_servent(0), by_number()] {
        let mut world = World::new(&[false, true], 1_460);
        world.command(0, Command::Share(Box::new(file(1, SIZE))));
        let from = Source { address: Some(host(0)), push: Some(push), ..source(host(0), &file(1, SIZE)) };
        fetch_all(&mut world, 1, &from);
        assert!(world.hosts[1].stored[&COPY] == expected(0..SIZE));
    }
}

#[test]
fn connections_that_break_again_and_again_only_slow_it_down() {
    for limit in [5_000, 20_011, 90_000] {
        for reachable in [true, false] {
            let mut world = World::new(&[reachable, true], 1_000);
            world.breaks_after = Some(limit);
            world.command(0, Command::Share(Box::new(file(1, SIZE))));
            let push = Some(by_servent(0));
            let from = Source { push, ..source(host(0), &file(1, SIZE)) };
            fetch_all(&mut world, 1, &from);
            assert!(world.hosts[1].stored[&COPY] == expected(0..SIZE), "broken after {limit}");
        }
    }
}

#[test]
fn three_who_want_one_slot_are_served_one_after_the_other() {
    let mut world = World::new(&[true, true, true, true], 1_460);
    world.command(0, Command::SetServing(1, true));
    world.command(0, Command::Share(Box::new(file(1, SIZE))));
    let from = source(host(0), &file(1, SIZE));
    for who in 1..4 {
        world.command(who, fetch(1, &from, 0..SIZE));
    }
    let queued = (1..4)
        .filter(|who| world.hosts[*who].heard.iter().any(|event| matches!(event, Event::FetchQueued(..))));
    assert_eq!(queued.count(), 2);
    world.pass(200);
    for who in 1..4 {
        assert!(world.hosts[who].heard.contains(&Event::Fetched(FetchId(1))), "host {who}");
        assert!(world.hosts[who].stored[&COPY] == expected(0..SIZE));
    }
    let most = world.events(0).iter().filter(|event| matches!(event, Event::Uploaded(..))).count();
    assert_eq!(most, 3);
}

#[test]
fn a_partial_file_is_passed_on_as_far_as_it_goes() {
    let mut world = World::new(&[true, true, true], 1_460);
    world.command(0, Command::Share(Box::new(file(1, SIZE))));
    world.command(1, fetch(1, &source(host(0), &file(1, SIZE)), 0..50_000));
    assert!(world.events(1).contains(&Event::Fetched(FetchId(1))));
    let partial = Shared { available: only(0..50_000), ..file(1, SIZE) };
    world.command(1, Command::Share(Box::new(partial)));
    let from = source(host(1), &file(1, SIZE));
    world.command(2, fetch(1, &from, 40_000..60_000));
    let events = world.events(2);
    assert!(events.contains(&Event::FetchFailed(FetchId(1), FetchError::NotAvailable, 10_000)), "{events:?}");
    let available = events.iter().find_map(|event| match event {
        Event::Described(_, said) => said.available.clone(),
        _ => None,
    });
    assert_eq!(available, only(0..50_000));
    assert!(world.hosts[2].stored[&COPY][40_000..] == expected(40_000..50_000));
}

#[test]
fn a_tree_is_fetched_and_proves_every_block() {
    let mut world = World::new(&[true, true], 700);
    let shared = file(1, 1_000_000);
    let tree = shared.tiger.clone().unwrap();
    world.command(0, Command::Share(Box::new(shared.clone())));
    let fetch =
        FetchTree { id: FetchId(9), source: SourceId(1), from: source(host(0), &shared), root: tree.root };
    world.command(1, Command::FetchTree(Box::new(fetch)));
    let height = height_of(1_000_000) - depth_for(1_000_000);
    assert_eq!(world.events(1), [Event::TreeFetched(FetchId(9), tree.level.to_vec(), height)]);
}
