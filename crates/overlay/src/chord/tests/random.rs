//! Random schedules of join, leave, crash and return under loss, duplication, reordering, slowness and partition.

use super::run::{Failed, Run, brisk};
use super::schedule::Faults;
use super::support::places;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::time::Duration;
use throng_machine::Endpoint;

/// Something done to the ring from outside; numbers choose among the nodes that qualify.
#[derive(Clone, Copy, Debug)]
enum Act {
    Join(u8),
    Leave(u8),
    Crash(u8),
    Return(u8),
    Slow(u8),
    Swift,
}

/// A run as data.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    r: u8,
    size: u16,
    faults: Faults,
    /// What happens, each after a pause in ms.
    acts: Vec<(u16, Act)>,
}

fn acts() -> impl Strategy<Value = Vec<(u16, Act)>> {
    let act = (any::<u8>(), 0..12u8).prop_map(|(which, kind)| match kind {
        0..4 => Act::Join(which),
        4..6 => Act::Leave(which),
        6..9 => Act::Crash(which),
        9 => Act::Return(which),
        10 => Act::Slow(which),
        _ => Act::Swift,
    });
    prop::collection::vec((0..4_000u16, act), 1..10)
}

/// Rings of any size, which become small and large meanwhile.
fn plans(faults: impl Strategy<Value = Faults>) -> impl Strategy<Value = Plan> {
    (any::<u64>(), 2..4u8, 3..=12u16, faults, acts()).prop_map(|(seed, r, size, faults, acts)| Plan {
        seed,
        r,
        size,
        faults,
        acts,
    })
}

/// Rings that are large from the beginning and never so small that the mode is changed.
fn large_plans(faults: impl Strategy<Value = Faults>) -> impl Strategy<Value = Plan> {
    (any::<u64>(), 2..4u8, 8..=12u16, faults, acts()).prop_map(|(seed, r, size, faults, acts)| Plan {
        seed,
        r,
        size,
        faults,
        acts,
    })
}

/// Carries a plan out.
struct Carried {
    run: Run,
    gone: Vec<Endpoint>,
    leaving: Vec<Endpoint>,
    fresh: Vec<Endpoint>,
}

impl Carried {
    fn start(plan: &Plan) -> Result<Carried, Box<Failed>> {
        let mut fresh = places(plan.size + 6);
        // Which of the places are taken first depends on the seed.
        let turn = usize::try_from(plan.seed % fresh.len() as u64).unwrap_or(0);
        fresh.rotate_left(turn);
        let (even, odd): (Vec<_>, Vec<_>) = fresh.iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let mut fresh: Vec<_> = even.into_iter().chain(odd).map(|(_, at)| *at).collect();
        let first: Vec<_> = fresh.drain(..usize::from(plan.size)).collect();
        let mut run = Run::new(brisk(plan.r), plan.seed);
        run.grow(&first)?;
        // Whoever can be a large ring is one before anything happens to it.
        run.run_for(Duration::from_secs(15))?;
        run.settle(Duration::from_secs(30))?;
        run.schedule.faults = plan.faults;
        Ok(Carried { run, gone: Vec::new(), leaving: Vec::new(), fresh })
    }

    fn staying(&self) -> Vec<Endpoint> {
        self.run.up().into_iter().filter(|at| !self.leaving.contains(at)).collect()
    }

    /// Those whom the ring may lose now.
    fn dispensable(&self, which: u8) -> Option<Endpoint> {
        let can: Vec<_> = self.staying().into_iter().filter(|at| self.run.may_lose(*at)).collect();
        pick(&can, which)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Join(which) => {
                if let (Some(at), Some(via)) = (self.fresh.pop(), pick(&self.staying(), which)) {
                    self.run.join(at, Some(via));
                }
            }
            Act::Leave(which) => {
                if let Some(at) = self.dispensable(which) {
                    self.run.leave(at);
                    self.leaving.push(at);
                }
            }
            Act::Crash(which) => {
                if let Some(at) = self.dispensable(which) {
                    self.run.crash(at);
                    self.gone.push(at);
                }
            }
            Act::Return(which) => {
                if let (Some(at), Some(via)) = (pick(&self.gone, which), pick(&self.staying(), which)) {
                    self.gone.retain(|gone| *gone != at);
                    self.run.join(at, Some(via));
                }
            }
            Act::Slow(which) => {
                let slow = pick(&self.staying(), which).map(|at| (at, Duration::from_millis(300)));
                self.run.schedule.slow.extend(slow);
            }
            Act::Swift => self.run.schedule.slow.clear(),
        }
    }

    /// Those who have left are taken down after a while, as their processes would end.
    fn bury(&mut self) {
        for at in std::mem::take(&mut self.leaving) {
            self.run.bury(at);
        }
    }

    fn finish(mut self) -> Result<Run, Box<Failed>> {
        self.run.schedule.faults = Faults::default();
        self.run.schedule.slow.clear();
        self.run.run_for(Duration::from_secs(10))?;
        self.bury();
        self.run.settle(Duration::from_secs(120))?;
        self.run.run_for(Duration::from_secs(5))?;
        let quiet = self.run.is_quiet();
        if !quiet {
            self.run.settle(Duration::ZERO)?;
        }
        Ok(self.run)
    }
}

fn pick(among: &[Endpoint], which: u8) -> Option<Endpoint> {
    (!among.is_empty()).then(|| among[usize::from(which) % among.len()])
}

fn carry_out(plan: &Plan) -> Result<Run, Box<Failed>> {
    let mut carried = Carried::start(plan)?;
    for (pause, act) in &plan.acts {
        carried.run.run_for(Duration::from_millis(u64::from(*pause)))?;
        carried.act(*act);
    }
    carried.finish()
}

/// The seed, the event and what came before it, as the test's failure tells them.
fn told(plan: &Plan, failed: &Failed) -> String {
    let last: Vec<_> =
        failed.last.iter().rev().take(40).rev().map(|happened| format!("{happened:?}")).collect();
    format!(
        "seed {}, event {} at {:?}: {}\nlast events:\n{}",
        plan.seed,
        failed.event,
        failed.at.since(throng_machine::Instant::EPOCH),
        failed.why,
        last.join("\n")
    )
}

const PERFECT: Faults = Faults { loss: 0, duplicate: 0, reorder: 0 };

/// Up to a twentieth of all datagrams lost, doubled and held back.
fn faulty() -> impl Strategy<Value = Faults> {
    (0..50u32, 0..50u32, 0..50u32).prop_map(|(loss, duplicate, reorder)| Faults { loss, duplicate, reorder })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn a_large_ring_keeps_its_invariant_through_churn(plan in large_plans(Just(PERFECT))) {
        let run = carry_out(&plan);
        prop_assert!(run.is_ok(), "{}", run.err().map_or(String::new(), |failed| told(&plan, &failed)));
    }

    #[test]
    fn a_large_ring_keeps_its_invariant_though_datagrams_are_lost_doubled_and_overtaken(plan in large_plans(faulty())) {
        let run = carry_out(&plan);
        prop_assert!(run.is_ok(), "{}", run.err().map_or(String::new(), |failed| told(&plan, &failed)));
    }

    #[test]
    fn a_ring_of_any_size_keeps_its_invariant_through_churn(plan in plans(Just(PERFECT))) {
        let run = carry_out(&plan);
        prop_assert!(run.is_ok(), "{}", run.err().map_or(String::new(), |failed| told(&plan, &failed)));
    }

    #[test]
    fn a_ring_of_any_size_keeps_its_invariant_though_datagrams_are_lost_doubled_and_overtaken(plan in plans(faulty())) {
        let run = carry_out(&plan);
        prop_assert!(run.is_ok(), "{}", run.err().map_or(String::new(), |failed| told(&plan, &failed)));
    }
}

/// Plans that once failed, kept as they were shrunk.
fn once_failed() -> Vec<Plan> {
    vec![
        // Of two members only one was active, and the other's range had no owner for ever.
        Plan {
            seed: 13349491398076755861,
            r: 2,
            size: 4,
            faults: PERFECT,
            acts: vec![
                (24, Act::Leave(109)),
                (781, Act::Join(83)),
                (1654, Act::Slow(143)),
                (515, Act::Join(78)),
                (2774, Act::Leave(203)),
                (2732, Act::Join(21)),
                (106, Act::Crash(3)),
                (2036, Act::Leave(30)),
                (1227, Act::Leave(0)),
            ],
        },
        // The dead predecessor was never replaced.
        Plan {
            seed: 3158329780118960090,
            r: 2,
            size: 7,
            faults: PERFECT,
            acts: vec![(1512, Act::Return(0)), (1307, Act::Crash(135))],
        },
        Plan {
            seed: 2126041747858509532,
            r: 2,
            size: 6,
            faults: PERFECT,
            acts: vec![
                (748, Act::Swift),
                (482, Act::Join(67)),
                (2894, Act::Join(25)),
                (0, Act::Crash(103)),
                (254, Act::Leave(36)),
            ],
        },
        // A Notify overtaken by its sender's goodbye made the leaver a predecessor again, and it went on stabilising.
        Plan {
            seed: 13777593958805913816,
            r: 2,
            size: 7,
            faults: PERFECT,
            acts: vec![
                (2186, Act::Slow(190)),
                (1576, Act::Join(0)),
                (1613, Act::Join(36)),
                (2405, Act::Leave(172)),
                (3108, Act::Crash(4)),
                (910, Act::Leave(106)),
                (3790, Act::Join(0)),
            ],
        },
    ]
}

#[test]
fn plans_that_once_failed_hold() {
    for plan in once_failed() {
        let run = carry_out(&plan);
        assert!(run.is_ok(), "{}", run.err().map_or(String::new(), |failed| told(&plan, &failed)));
    }
}
