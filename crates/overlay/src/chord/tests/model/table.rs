//! The rows of the table in section 2.4, control rows included.

use super::super::explore::{Bounds, Explored, explore, explore_breadth};
use super::{Flaw, Model, Rules};

const SOUND: Rules = Rules { places: 5, r: 2, leaves: false, inserts: false, flaw: Flaw::None };

/// Explores a row whose protocol is broken on purpose: why it breaks, by the fewest steps.
fn control(rules: Rules, members: &[u8], failures: u8) -> String {
    let found = explore_breadth(Model::new(rules, members, failures), CONTROL);
    let (why, steps) = found.breach.expect("a check that cannot fail is a defect");
    eprintln!("{:?}: after {} states, {} steps: {}", rules.flaw, found.states, steps.len(), steps.join(" "));
    why
}

/// Explores a sound row.
fn row(name: &str, rules: Rules, failures: u8, bounds: Bounds) -> Explored {
    let members: Vec<u8> = (0..=rules.r as u8).collect();
    let spread: Vec<u8> = if rules.r == 2 { vec![0, 2, 3] } else { members };
    let found = explore(Model::new(rules, &spread, failures), bounds);
    eprintln!("{name}: {} states, complete {}, {} rounds", found.states, found.complete, found.worst_rounds);
    found.assert_clean(name);
    found
}

const CI: Bounds = Bounds { states: 200_000, progress_every: 97 };
const CONTROL: Bounds = Bounds { states: 1_000_000, progress_every: 0 };
const ALL: Bounds = Bounds { states: 120_000_000, progress_every: 997 };

#[test]
fn one_failure_among_five_keeps_the_invariant() {
    row("5 places, r=2, 1 failure", SOUND, 1, CI);
}

#[test]
fn goodbyes_and_inserts_keep_the_invariant() {
    row("5 places, r=2, 1 failure, leaves, inserts", Rules { leaves: true, inserts: true, ..SOUND }, 1, CI);
}

#[test]
#[ignore = "minutes in a release build: the rows of section 2.4 over the model in full"]
fn the_whole_table_keeps_the_invariant() {
    row("5 places, r=2, 1 failure", SOUND, 1, ALL);
    row("5 places, r=2, 2 failures", SOUND, 2, ALL);
    row("5 places, r=2, 2 failures, leaves", Rules { leaves: true, ..SOUND }, 2, ALL);
    row("5 places, r=3, leaves, inserts", Rules { r: 3, leaves: true, inserts: true, ..SOUND }, 2, ALL);
}

#[test]
fn a_candidate_adopted_unheard_strands_a_member() {
    let why = control(Rules { flaw: Flaw::Unheard, ..SOUND }, &[0, 2, 3, 4], 2);
    assert!(why.contains("Stranded"), "{why}");
}

#[test]
fn a_ring_grown_from_two_members_has_too_few_principals_from_the_start() {
    let why = control(SOUND, &[0, 2], 0);
    assert!(why.contains("FewPrincipals { found: 2, needed: 3 }"), "{why}");
}

#[test]
#[ignore = "minutes in a release build"]
fn a_ring_grown_from_two_members_is_lost() {
    let start = Model::new(Rules { flaw: Flaw::Grown, ..SOUND }, &[0, 2], 2);
    let found = explore(start, ALL);
    eprintln!("grown from two: {} states, {:?}", found.states, found.breach);
    assert!(found.breach.is_some());
}

#[test]
fn one_live_entry_dropped_falsely_costs_a_principal() {
    let why = control(Rules { flaw: Flaw::FalseDrop, ..SOUND }, &[0, 2, 3], 1);
    assert!(why.contains("FewPrincipals { found: 2, needed: 3 }"), "{why}");
}

#[test]
fn an_insert_beyond_the_last_entry_costs_a_principal() {
    let why = control(Rules { inserts: true, flaw: Flaw::InsertBeyond, ..SOUND }, &[0, 2, 3], 1);
    assert!(why.contains("FewPrincipals"), "{why}");
}
