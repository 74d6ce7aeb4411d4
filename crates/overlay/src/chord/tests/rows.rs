//! The table of section 2.4 over the shipping machine, its control rows included.
//!
//! Each row explores every order of the messages of five or six hosts, to the end or to the budget of states; CI
//! takes the small ones, the ignored test the large ones.

use super::explore::{Bounds, Explored, World as _, explore, explore_breadth};
use super::world::{Also, Budget, RingWorld, Step, hosts};

const NONE: Budget = Budget { crashes: 0, leaves: 0, returns: 0, false_drops: 0, duplicates: 0 };
const LISTS: Also =
    Also { owners: false, inserts: false, joins_anywhere: false, insert_beyond: false, unheard: false };

/// Members that leave gaps for the joiners: with r = 2 three of them, with r = 3 four.
fn ring(r: u8, count: u16, budget: Budget, also: Also) -> RingWorld {
    let members: Vec<usize> = if r == 2 { vec![0, 2, 3] } else { (0..=usize::from(r)).collect() };
    RingWorld::new(r, (&hosts(count), &members), budget, also)
}

fn row(name: &str, start: RingWorld, states: usize) -> Explored {
    let found = explore(start, Bounds { states, progress_every: 101 });
    let Explored { states, complete, deepest, worst_rounds, .. } = &found;
    eprintln!("{name}: {states} states, complete {complete}, deepest {deepest}, {worst_rounds} rounds");
    found.assert_clean(name);
    found
}

/// A row whose protocol is broken on purpose: why it breaks, by the fewest steps.
fn control(name: &str, start: RingWorld) -> String {
    let found = explore_breadth(start, Bounds { states: 200_000, progress_every: 0 });
    let (why, steps) = found.breach.expect("a check that cannot fail is a defect");
    eprintln!("{name}: after {} states, {} steps:\n  {}", found.states, steps.len(), steps.join("\n  "));
    why
}

/// States a row may take in CI.
const FEW: usize = 8_000;

#[test]
fn one_join_is_sound_in_every_order() {
    let members = [0, 1, 3, 4];
    let start = RingWorld::new(2, (&hosts(5), &members), NONE, LISTS);
    row("4 members, r=2, 1 join", start, FEW);
}

#[test]
fn joins_and_a_crash_are_sound_in_every_order() {
    row("5 hosts, r=2, 1 crash", ring(2, 5, Budget { crashes: 1, ..NONE }, LISTS), FEW);
}

#[test]
fn goodbyes_are_sound_in_every_order() {
    row("5 hosts, r=2, 1 leave", ring(2, 5, Budget { leaves: 1, ..NONE }, LISTS), FEW);
}

#[test]
fn inserts_are_sound_in_every_order() {
    let also = Also { inserts: true, ..LISTS };
    row("5 hosts, r=2, 1 crash, inserts", ring(2, 5, Budget { crashes: 1, ..NONE }, also), FEW);
}

#[test]
fn coming_back_with_a_higher_incarnation_is_sound_in_every_order() {
    let budget = Budget { crashes: 1, returns: 1, ..NONE };
    let start = RingWorld::new(2, (&hosts(4), &[0, 1, 2, 3]), budget, LISTS);
    row("4 members, r=2, 1 crash, 1 return", start, FEW);
}

#[test]
fn datagrams_that_arrive_twice_do_no_harm() {
    let budget = Budget { crashes: 1, duplicates: 1, ..NONE };
    row("5 hosts, r=2, 1 crash, 1 duplicate", ring(2, 5, budget, LISTS), FEW);
}

#[test]
fn no_key_has_two_owners_while_ranges_are_given_on() {
    let also = Also { owners: true, ..LISTS };
    let start = RingWorld::new(2, (&hosts(5), &[0, 1, 3]), NONE, also);
    row("5 hosts, r=2, joins, owners", start, FEW);
}

#[test]
#[ignore = "the whole table: hours"]
fn the_whole_table_is_sound() {
    let states = 3_000_000;
    let (churn, farewell) = (Budget { crashes: 2, ..NONE }, Budget { crashes: 1, leaves: 1, ..NONE });
    let inserts = Also { inserts: true, ..LISTS };
    row("5 hosts, r=2, 2 crashes", ring(2, 5, churn, LISTS), states);
    row("5 hosts, r=2, 1 crash, 1 leave", ring(2, 5, farewell, LISTS), states);
    row("5 hosts, r=2, 1 crash, 1 leave, inserts", ring(2, 5, farewell, inserts), states);
    row("5 hosts, r=3, 2 crashes, inserts", ring(3, 5, churn, inserts), states);
    row("6 hosts, r=3, 1 crash, 1 leave", ring(3, 6, farewell, LISTS), states);
}

#[test]
fn control_a_candidate_adopted_unheard_strands_a_member() {
    let also = Also { unheard: true, ..LISTS };
    let budget = Budget { crashes: 2, ..NONE };
    let mut start = RingWorld::new(2, (&hosts(5), &[0, 2, 3, 4]), budget, also);
    // 1 has joined and notified 2; 0 has not looked at its head since.
    start.apply(&Step::Join(1, 0));
    start.exhaust();
    let why = control("unheard", start);
    assert!(why.contains("Stranded"), "{why}");
}

#[test]
fn control_two_members_are_too_few() {
    let start = RingWorld::new(2, (&hosts(5), &[0, 2]), NONE, LISTS);
    let why = control("grown from two", start);
    assert!(why.contains("FewPrincipals"), "{why}");
}

#[test]
fn control_one_live_entry_dropped_falsely_costs_a_principal() {
    let why = control("false drop", ring(2, 5, Budget { false_drops: 1, ..NONE }, LISTS));
    assert!(why.contains("FewPrincipals"), "{why}");
}

#[test]
fn control_an_insert_beyond_the_last_entry_costs_a_principal() {
    let also = Also { inserts: true, insert_beyond: true, ..LISTS };
    let why = control("insert beyond", ring(2, 5, Budget { crashes: 1, ..NONE }, also));
    assert!(why.contains("FewPrincipals"), "{why}");
}

/// Concurrent joins into a small ring, by every contact and in every order of delivery.
fn small(members: usize, joiners: usize, budget: Budget, states: usize) -> Explored {
    let all = hosts((members + joiners) as u16);
    // Every other host by id is inside, as far as they go: joiners come between members.
    let (even, odd): (Vec<_>, Vec<_>) = (0..all.len()).partition(|at| at % 2 == 0);
    let inside: Vec<usize> = even.into_iter().chain(odd).take(members).collect();
    let start = RingWorld::small(8, (&all, &inside), budget);
    row(&format!("{joiners} joins into {members}, {budget:?}"), start, states)
}

#[test]
fn two_joins_at_once_into_small_rings_of_one_to_three_know_each_other() {
    (1..=3).for_each(|members| drop(small(members, 2, NONE, FEW / 2)));
}

#[test]
fn three_joins_at_once_into_small_rings_of_one_to_three_know_each_other() {
    (1..=3).for_each(|members| drop(small(members, 3, NONE, FEW / 2)));
}
