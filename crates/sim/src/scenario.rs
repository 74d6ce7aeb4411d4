//! Scenarios as data, and the proof that they repeat.

use crate::{App, Arrivals, HostId, Incident, Network, Profile, Sim};
use std::time::Duration;
use throng_machine::{Instant, SplitMix64};

/// Hosts of one kind.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// How many.
    pub count: u32,
    /// What they are like.
    pub profile: Profile,
    /// When they start.
    pub arrivals: Arrivals,
}

/// A whole run but for what the hosts are: from the same data the same happens.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// Names it in messages.
    pub name: String,
    /// The line that replays it; `{seed}` stands for the seed.
    pub replay: String,
    /// All randomness comes from it.
    pub seed: u64,
    /// The network.
    pub network: Network,
    /// The hosts: numbered in this order; profiles in this order from number 1.
    pub groups: Vec<Group>,
    /// What happens when.
    pub incidents: Vec<(Duration, Incident)>,
    /// When it ends.
    pub until: Duration,
}

impl Scenario {
    /// A scenario without hosts on a default network that ends after an hour.
    pub fn new(name: &str, seed: u64) -> Scenario {
        Scenario {
            name: name.to_owned(),
            replay: format!("cargo test {name} (seed {{seed}})"),
            seed,
            network: Network::default(),
            groups: Vec::new(),
            incidents: Vec::new(),
            until: Duration::from_secs(3_600),
        }
    }

    /// A simulation with all hosts made by `build`, at time zero.
    pub fn prepare<A: App>(&self, mut build: impl FnMut(HostId) -> A) -> Sim<A> {
        let mut sim = Sim::new(self.seed, self.network.clone());
        sim.reserve(self.groups.iter().map(|group| group.count as usize).sum());
        for (number, group) in (0u64..).zip(&self.groups) {
            let profile = sim.add_profile(group.profile.clone());
            // Arrivals draw from a stream of their own, so that a new group moves no host of another.
            let mut rng = SplitMix64::new(SplitMix64::mix(!self.seed, number));
            for at in group.arrivals.times(group.count, &mut rng) {
                let app = build(HostId(sim.host_count()));
                sim.add_after(at, app, profile);
            }
        }
        for (at, incident) in &self.incidents {
            sim.incident_after(*at, incident.clone());
        }
        sim
    }

    /// Runs it to its end.
    pub fn run<A: App>(&self, build: impl FnMut(HostId) -> A) -> Sim<A> {
        let mut sim = self.prepare(build);
        sim.run_for(self.until);
        sim
    }

    /// The line that replays it.
    pub fn replay_line(&self) -> String {
        self.replay.replace("{seed}", &self.seed.to_string())
    }
}

/// Runs a scenario until `until` twice, each time with applications from a fresh `setup`, and returns the second run.
///
/// # Panics
/// If the two runs differ, with the seed, the virtual time at which they parted, and the line that replays it.
pub fn assert_reproducible<A: App, B: FnMut(HostId) -> A>(
    scenario: &Scenario,
    mut setup: impl FnMut() -> B,
) -> Sim<A> {
    let first = scenario.run(setup()).trace().clone();
    let second = scenario.run(setup());
    let parted = first.parted_before(second.trace()).unwrap_or(second.now().as_micros());
    assert!(
        first == *second.trace(),
        "scenario `{}` is not reproducible: seed {}, parted before {:?}, hashes {:016x} and {:016x}\nreplay: {}",
        scenario.name,
        scenario.seed,
        Instant::from_micros(parted).since(Instant::EPOCH),
        first.hash(),
        second.trace().hash(),
        scenario.replay_line(),
    );
    second
}
