//! The known bugs of other implementations that section 7.4 lists, one test each, on the shipping machine.

use super::run::{Run, brisk};
use super::support::places;
use crate::chord::Chord;
use crate::chord::invariant::{Phase, owners, principals};
use crate::chord::node::{Entry, Health};
use std::time::Duration;
use throng_machine::Endpoint;

fn grown(r: u8, count: u16, seed: u64) -> (Run, Vec<Endpoint>) {
    let nodes = places(count);
    let mut run = Run::new(brisk(r), seed);
    let grown = run.grow(&nodes);
    assert!(grown.is_ok(), "seed {seed}: {}", grown.err().map_or(String::new(), |failed| failed.why));
    // Three quiet rounds, then a small ring of enough members becomes a large one.
    passed(&mut run, Duration::from_secs(15));
    let phases = run.snapshot().members().iter().all(|member| member.phase == Phase::Ring);
    assert_eq!(phases, count >= 2 * (u16::from(r) + 1), "large enough, and so large");
    (run, nodes)
}

fn settled(run: &mut Run, what: &str) {
    let settled = run.settle(Duration::from_secs(120));
    assert!(settled.is_ok(), "{what}: {}", settled.err().map_or(String::new(), |failed| failed.why));
}

fn passed(run: &mut Run, time: Duration) {
    let passed = run.run_for(time);
    assert!(passed.is_ok(), "{}", passed.err().map_or(String::new(), |failed| failed.why));
}

#[test]
fn a_ring_grown_from_one_node_is_in_mode_ring_only_once_all_are_principals() {
    let (run, nodes) = grown(2, 7, 1);
    let snapshot = run.snapshot();
    assert_eq!(principals(&snapshot).len(), nodes.len());
}

#[test]
fn consecutive_deaths_of_less_than_r_do_not_break_the_ring() {
    for r in 2..5u8 {
        let (mut run, nodes) = grown(r, 12, 2);
        run.sound = true;
        for at in &nodes[3..usize::from(3 + r - 1)] {
            run.crash(*at);
        }
        settled(&mut run, "the survivors close the gap");
        assert_eq!(run.up().len(), 12 - usize::from(r - 1));
    }
}

#[test]
fn a_node_whose_successors_all_die_finds_the_ring_again_and_never_owns_it_all() {
    let (mut run, nodes) = grown(2, 10, 3);
    run.sound = false;
    for at in [4, 5] {
        run.crash(nodes[at]);
    }
    let end = run.schedule.now + Duration::from_secs(60);
    while run.step(end).expect("shape and steps hold in any case") {
        for member in run.snapshot().members() {
            assert_ne!(member.low, Some(member.me.id), "one of many says it owns everything");
        }
    }
    settled(&mut run, "the gap of r nodes closes");
}

#[test]
fn the_last_node_standing_notices_and_owns_everything() {
    let (mut run, nodes) = grown(2, 8, 4);
    run.sound = false;
    for at in &nodes[1..] {
        run.sound = false;
        run.crash(*at);
        settled(&mut run, "the rest close up");
        // A ring of r or fewer becomes a small one within a round.
        passed(&mut run, Duration::from_secs(10));
    }
    let snapshot = run.snapshot();
    assert_eq!(snapshot.members().len(), 1);
    assert_eq!(snapshot.members()[0].phase, Phase::Solo);
    assert!(owners(&snapshot).is_exact());
}

#[test]
fn eight_nodes_leave_one_after_another_down_to_one() {
    let (mut run, nodes) = grown(2, 8, 5);
    run.sound = false;
    for at in &nodes[..7] {
        run.sound = false;
        run.leave(*at);
        passed(&mut run, Duration::from_secs(10));
        run.bury(*at);
        settled(&mut run, "the rest close up");
    }
    assert_eq!(run.snapshot().members()[0].phase, Phase::Solo);
}

#[test]
fn an_owner_and_its_predecessor_that_die_together_leave_no_keys_without_owner() {
    for first in 0..8 {
        let (mut run, nodes) = grown(3, 8, 6);
        run.crash(nodes[first]);
        run.crash(nodes[(first + 1) % 8]);
        settled(&mut run, "O4 and O5 find who owns the range");
    }
}

#[test]
fn a_joiner_that_dies_before_it_is_active_leaves_no_keys_without_owner() {
    for pause in (0..3_000).step_by(100) {
        let (mut run, nodes) = grown(2, 7, 7);
        let joiner = places(8).into_iter().find(|at| !nodes.contains(at)).expect("one more");
        run.join(joiner, Some(nodes[0]));
        passed(&mut run, Duration::from_millis(pause));
        run.crash(joiner);
        settled(&mut run, "the range returns to who gave it");
    }
}

#[test]
fn several_joiners_behind_one_another_all_become_active() {
    let (mut run, nodes) = grown(2, 7, 8);
    let joiners: Vec<_> = places(16).into_iter().filter(|at| !nodes.contains(at)).collect();
    for at in &joiners {
        run.join(*at, Some(nodes[0]));
    }
    settled(&mut run, "every joiner is given its range, the one behind after the one before (O6)");
    assert!(run.snapshot().members().iter().all(|member| member.active));
}

#[test]
fn all_stabilising_at_once_do_not_wait_for_each_other() {
    let (mut run, _) = grown(2, 8, 9);
    for at in run.up() {
        run.schedule.net.call(at, |machine, cx| machine.poke(cx, |core, cx| core.stabilise_now(cx, 0)));
    }
    passed(&mut run, Duration::from_secs(5));
    assert!(run.is_quiet());
}

#[test]
fn a_node_that_comes_back_takes_its_place_and_range_again() {
    for away in [100, 1_000, 5_000, 20_000] {
        let (mut run, nodes) = grown(2, 8, 10);
        run.crash(nodes[3]);
        passed(&mut run, Duration::from_millis(away));
        run.join(nodes[3], Some(nodes[0]));
        settled(&mut run, "the new life of the node replaces the old");
        assert_eq!(run.up().len(), 8);
    }
}

#[test]
fn two_halves_parted_for_a_while_become_one_ring_again() {
    for (count, seed) in [(8u16, 11), (12, 12)] {
        let (mut run, nodes) = grown(2, count, seed);
        run.sound = false;
        let (even, odd): (Vec<_>, Vec<_>) = nodes.iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let side = |half: Vec<(usize, &Endpoint)>| half.into_iter().map(|(_, at)| *at).collect::<Vec<_>>();
        run.schedule.cut(&side(even), &side(odd));
        passed(&mut run, Duration::from_secs(60));
        run.schedule.blocked.clear();
        settled(&mut run, "both rings become one");
    }
}

/// Kinds of the datagrams that give ownership on.
const SWITCH: u8 = 0x0f;
const SWITCH_ACK: u8 = 0x10;

#[test]
fn ownership_reaches_a_joiner_though_its_switch_or_the_acknowledgement_is_lost() {
    // Once the joiner says that it is Active no further acknowledgement is waited for.
    for (kind, lost) in [(SWITCH, 1), (SWITCH, 5), (SWITCH_ACK, 1)] {
        let (mut run, nodes) = grown(2, 7, 13);
        let joiner = places(8).into_iter().find(|at| !nodes.contains(at)).expect("one more");
        run.schedule.lose.insert(kind, lost);
        run.join(joiner, Some(nodes[0]));
        settled(&mut run, "the switch is repeated");
        assert_eq!(run.longest_overlap, Duration::ZERO, "never two owners");
        assert_eq!(run.schedule.lose[&kind], 0, "the fault did happen");
    }
}

#[test]
fn an_owner_that_dies_between_giving_up_and_telling_leaves_no_keys_without_owner() {
    for (kind, which) in [(SWITCH, 0), (SWITCH, 1), (SWITCH_ACK, 0), (SWITCH_ACK, 1)] {
        let (mut run, nodes) = grown(3, 8, 14);
        let joiner = places(9).into_iter().find(|at| !nodes.contains(at)).expect("one more");
        run.schedule.lose.insert(kind, u32::MAX);
        run.join(joiner, Some(nodes[0]));
        let end = run.schedule.now + Duration::from_secs(30);
        let giver = loop {
            assert!(run.step(end).expect("sound"), "somebody gives");
            let giver = nodes.iter().find(|at| gave(&run, **at));
            if let Some(giver) = giver {
                break *giver;
            }
        };
        run.schedule.lose.clear();
        run.crash(if which == 0 { giver } else { joiner });
        settled(&mut run, "the rest of the ring finds who owns the range");
    }
}

/// Whether a node has narrowed its range for another that has not acknowledged.
fn gave(run: &Run, at: Endpoint) -> bool {
    let view = run.schedule.net.nodes.get(&at).and_then(|node| node.machine.view(0));
    view.is_some_and(|view| matches!(view.grant, Some((_, _, true))))
}

/// Asks another about a suspect.
const PING_REQ: u8 = 0x03;

#[test]
fn relays_that_wait_for_the_suspect_themselves_are_not_suspected() {
    let (mut run, nodes) = grown(3, 10, 15);
    run.schedule.lose.insert(PING_REQ, u32::MAX);
    let dead = nodes[4];
    run.crash(dead);
    let end = run.schedule.now + Duration::from_secs(8);
    let mut suspected = false;
    while run.step(end).expect("sound") {
        for node in run.schedule.net.nodes.values() {
            let vnode = &node.machine.core().vnodes[0];
            for entry in vnode.list.entries().chain(vnode.predecessor) {
                let suspect = entry.health == Health::Suspect;
                assert!(!suspect || entry.node.endpoint == dead, "{} lives", entry.node.endpoint);
                suspected |= suspect;
            }
        }
    }
    assert!(suspected, "the dead one is");
    assert!(run.schedule.lose[&PING_REQ] < u32::MAX, "relays were asked");
}

#[test]
fn a_head_that_was_reached_through_others_is_notified_as_soon_as_it_answers() {
    let (mut run, nodes) = grown(3, 10, 16);
    let [at, between, head] = nodes[..3] else { panic!("ten") };
    run.sound = false;
    run.schedule.cut(&[at], &[head]);
    passed(&mut run, Duration::from_secs(30));
    run.crash(between);
    let entry = |run: &Run| run.schedule.net.nodes[&at].machine.core().vnodes[0].head().expect("not alone");
    let end = run.schedule.now + Duration::from_secs(30);
    while entry(&run).node.endpoint != head && run.step(end).expect("shape and steps hold") {}
    assert!(entry(&run).relay_only, "only others reach it");
    run.schedule.blocked.clear();
    let end = run.schedule.now + Duration::from_secs(30);
    while entry(&run).relay_only && run.step(end).expect("shape and steps hold") {}
    // Its state is read, then it is notified: three ways of at most 40 ms.
    passed(&mut run, Duration::from_millis(150));
    let before = run.schedule.net.nodes[&head].machine.core().vnodes[0].predecessor;
    assert_eq!(before.map(|entry| entry.node.endpoint), Some(at));
}

#[test]
fn who_answers_later_than_strangers_wait_is_measured_and_keeps_its_place() {
    let nodes = places(10);
    let (mut run, slow) = (Run::new(brisk(3), 17), nodes[4]);
    // Nobody has measured anybody: the first guess is 250 ms, and three sends take 1.75 s.
    run.schedule.slow.insert(slow, Duration::from_secs(2));
    run.place(&nodes);
    for at in &nodes {
        run.schedule.net.call(*at, |machine, cx| {
            machine.poke(cx, |core, _| {
                let vnode = &mut core.vnodes[0];
                let stranger = |entry: &mut Entry| *entry = Entry::hearsay(entry.node);
                vnode.list.update_all(stranger);
                vnode.predecessor.as_mut().map(stranger);
            });
        });
    }
    let end = run.schedule.now + Duration::from_secs(60);
    while run.step(end).expect("sound") {
        let dead = |node: &std::rc::Rc<super::net::Node<Chord>>| {
            node.machine.core().detector.graves().any(|dead| dead.endpoint == slow)
        };
        assert!(!run.schedule.net.nodes.values().any(dead), "it lives");
    }
    let late = run.schedule.net.nodes.values().filter_map(|node| {
        let vnode = &node.machine.core().vnodes[0];
        vnode.list.entries().find(|entry| entry.node.endpoint == slow)?.rtt().smoothed()
    });
    assert!(late.clone().count() >= 3 && late.max() > Some(Duration::from_secs(1)), "measured");
}
