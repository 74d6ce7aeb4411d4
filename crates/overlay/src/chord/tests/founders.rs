//! Rings that several hosts begin together.

use super::run::{Failed, Run, brisk};
use super::schedule::Faults;
use super::support::{machine, places};
use crate::chord::{Command, Start};
use std::time::Duration;
use throng_machine::Endpoint;

fn founded(count: u16, faults: Faults, seed: u64) -> Result<Run, Box<Failed>> {
    let all = places(count);
    let mut run = Run::new(brisk(3), seed);
    run.schedule.faults = faults;
    for (turn, at) in all.iter().enumerate() {
        begin(&mut run, *at, &all);
        run.run_for(Duration::from_millis(300 * turn as u64))?;
    }
    run.settle(Duration::from_secs(60))?;
    Ok(run)
}

fn begin(run: &mut Run, at: Endpoint, all: &[Endpoint]) {
    let fresh = machine(&run.config, at, 1);
    run.schedule.add(at, fresh);
    run.schedule.command(at, Command::Start(Start::Together(all.to_vec())));
}

#[test]
fn founders_are_one_ring_once_all_have_answered_and_every_key_has_one_owner() {
    for count in [2, 5, 9] {
        founded(count, Faults::default(), 1).unwrap_or_else(|failed| panic!("{count}: {}", failed.why));
    }
}

#[test]
fn founders_agree_though_datagrams_are_lost() {
    for seed in 1..=20 {
        let faults = Faults { loss: 100, duplicate: 20, reorder: 20 };
        founded(5, faults, seed).unwrap_or_else(|failed| panic!("seed {seed}: {}", failed.why));
    }
}

#[test]
fn no_founder_is_a_member_before_the_last_has_answered() {
    let all = places(4);
    let mut run = Run::new(brisk(3), 1);
    for at in &all[..3] {
        begin(&mut run, *at, &all);
    }
    run.run_for(Duration::from_secs(20)).expect("nothing happens");
    assert!(run.snapshot().members().iter().all(|member| !member.active));
    begin(&mut run, all[3], &all);
    run.settle(Duration::from_secs(30)).unwrap_or_else(|failed| panic!("{}", failed.why));
    assert_eq!(run.snapshot().members().len(), 4);
}

#[test]
fn a_founder_that_is_started_again_joins_the_ring_there_is() {
    let mut run = founded(5, Faults::default(), 1).unwrap_or_else(|failed| panic!("{}", failed.why));
    let all = places(5);
    run.crash(all[2]);
    run.settle(Duration::from_secs(60)).unwrap_or_else(|failed| panic!("{}", failed.why));
    let again = machine(&run.config, all[2], 2);
    run.schedule.add(all[2], again);
    run.schedule.command(all[2], Command::Start(Start::Together(all.clone())));
    run.settle(Duration::from_secs(60)).unwrap_or_else(|failed| panic!("{}", failed.why));
    assert_eq!(run.snapshot().members().len(), 5);
}
