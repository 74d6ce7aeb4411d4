//! One system on the stage: what the comparison asks of it, and how it is measured.

use super::figures::{Compared, Phase};
use super::workload::{Question, Workload};
use crate::simulate::measure::{Answers, Ledger, Meter, Run, Traffic, messages_of};
use crate::simulate::memory;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_overlay::discovery::Ticket;
use throng_sim::{App, Departure, HostId, Incident, Latency, Network, Sim};

/// Nothing is asked for this long, to know what a network costs by itself.
const IDLE: Duration = Duration::from_secs(60);
/// Users publish what they have within this.
const PUBLISHING: Duration = Duration::from_secs(60);
/// After this what was published can be found where it ever can: route tables, digests and copies have spread.
const SPREADING: Duration = Duration::from_secs(120);
/// Searches a second.
const ASKED_A_SECOND: u32 = 50;
/// A person waits no longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Hits wanted of a search.
pub(super) const LIMIT: u32 = 32;
/// Survivors have this long to repair what they can.
const HEALING: Duration = Duration::from_secs(120);
/// Shares of the users that are dead, one after the other.
const DEATHS: [f64; 3] = [0.1, 0.3, 0.5];

/// The network all systems are compared on: 5 to 60 ms one way, nothing lost.
pub(super) fn network() -> Network {
    let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) };
    Network { latency, count_hosts: true, ..Network::default() }
}

/// A system with its population. User `n` is a host of its own; some systems have hosts beside these.
pub(super) trait Stage {
    /// Its hosts.
    type App: App;

    /// The simulation.
    fn sim(&mut self) -> &mut Sim<Self::App>;
    /// Does something with the searches.
    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T;
    /// The host of a user.
    fn host(&self, user: u32) -> HostId;
    /// Everybody comes, with nothing to share; seconds until all were there, `None` if they never were.
    fn form(&mut self) -> Option<f64>;
    /// A user shares a title from now on; `number` counts his files.
    fn publish(&mut self, user: u32, number: u32, title: (usize, &str));
    /// What names a title in the ledger.
    fn target(&self, title: (usize, &str)) -> Vec<u8>;
    /// A user searches for all these words, the title's.
    fn find(&mut self, user: u32, ticket: Ticket, title: (usize, &str));
}

/// Measures a system: `build` makes it anew for each of two runs, one of which loses its busiest host.
pub(super) fn study<S: Stage>(
    workload: &Workload,
    build: impl Fn() -> S,
    told: &mut dyn FnMut(&str),
) -> Compared {
    let before = memory::resident();
    let mut compared = Compared::default();
    let mut play = Play { stage: build(), workload, dead: BTreeSet::new(), phase: 0 };
    play.begin(&mut compared, told);
    told("searches");
    let busiest = play.search(&mut compared);
    told("users die");
    compared.deaths = DEATHS.iter().map(|share| play.lose(*share)).collect();
    compared.common.run = Run::of(play.stage.sim(), before);
    drop(play);
    told("the busiest host dies");
    let mut play = Play { stage: build(), workload, dead: BTreeSet::new(), phase: 100 };
    play.begin(&mut Compared::default(), &mut |_| ());
    compared.beheaded = play.behead(busiest);
    compared.common.killed = workload.dead(DEATHS[DEATHS.len() - 1]).len() as u32;
    compared.common.at_once = compared.deaths.last().map(|phase| phase.at_once.clone());
    compared.common.after = compared.deaths.last().map(|phase| phase.later.clone());
    compared
}

/// A run.
struct Play<'a, S> {
    stage: S,
    workload: &'a Workload,
    dead: BTreeSet<u32>,
    /// Counts the times that questions are asked, so that each time others are.
    phase: u32,
}

impl<S: Stage> Play<'_, S> {
    /// Everybody comes and publishes.
    fn begin(&mut self, compared: &mut Compared, told: &mut dyn FnMut(&str)) {
        told("users come");
        compared.common.formed = self.stage.form();
        self.stage.sim().run_for(IDLE);
        let idle = Traffic::idle(self.stage.sim(), IDLE);
        told("users publish");
        let (meter, workload) = (Meter::begin(self.stage.sim(), idle), self.workload);
        let step = PUBLISHING / workload.nodes().max(1);
        for (user, titles) in (0u32..).zip(&workload.shares) {
            for (number, title) in (0u32..).zip(titles) {
                self.stage.publish(user, number, (*title, workload.catalogue.title(*title)));
            }
            self.stage.sim().run_for(step);
        }
        self.stage.sim().run_for(SPREADING);
        compared.publish = meter.each(self.stage.sim(), workload.files());
        compared.idle = idle.scaled(1.0 / f64::from(workload.nodes().max(1)));
    }

    /// Searches while all live; the host that had most to do.
    fn search(&mut self, compared: &mut Compared) -> HostId {
        let (start, hosts) = (self.stage.sim().now(), self.stage.sim().host_count());
        let load = |sim: &Sim<S::App>| -> Vec<u64> {
            (0..hosts).map(|host| messages_of(sim, HostId(host))).collect()
        };
        let before = load(self.stage.sim());
        let idle = Traffic::idle(self.stage.sim(), IDLE);
        let begin = load(self.stage.sim());
        let (meter, from) = (Meter::begin(self.stage.sim(), idle), self.stage.sim().now());
        compared.common.answers = self.ask();
        let asked = compared.common.answers.asked.max(1);
        compared.common.charge(meter.each(self.stage.sim(), asked));
        let share = self.stage.sim().now().since(from).as_secs_f64() / from.since(start).as_secs_f64();
        let end = load(self.stage.sim());
        let loads = before.iter().zip(&begin).zip(&end).map(|((before, begin), end)| {
            ((end - begin) as f64 - share * (begin - before) as f64) / f64::from(asked)
        });
        // The first of those that had most, so that a run can be repeated.
        let busiest = (0u32..).zip(loads).fold((0, 0.0), |most, one| if one.1 > most.1 { one } else { most });
        compared.busiest_per_query = busiest.1;
        HostId(busiest.0)
    }

    /// So many die that this share of all is dead.
    fn lose(&mut self, share: f64) -> Phase {
        for user in self.workload.dead(share) {
            if self.dead.insert(*user) {
                let host = self.stage.host(*user);
                self.kill(host);
            }
        }
        self.phases(share)
    }

    fn behead(&mut self, busiest: HostId) -> Phase {
        let user = (0..self.workload.nodes()).find(|user| self.stage.host(*user) == busiest);
        self.dead.extend(user);
        self.kill(busiest);
        self.phases(0.0)
    }

    /// Power fails: nobody is told.
    fn kill(&mut self, host: HostId) {
        self.stage.sim().incident(Incident::Stop(host.0..host.0 + 1, Departure::Silent));
    }

    fn phases(&mut self, share: f64) -> Phase {
        let dead = self.dead.clone();
        self.stage.ledger(|ledger| dead.into_iter().for_each(|user| ledger.bury(user)));
        let at_once = self.ask();
        self.stage.sim().run_for(HEALING);
        Phase { share, at_once, later: self.ask() }
    }

    /// Asks the questions of the next phase; the answers, once all are over or nobody waits any more.
    fn ask(&mut self) -> Answers {
        self.phase += 1;
        for (number, (user, title)) in (0u32..).zip(self.workload.questions(self.phase, &self.dead)) {
            if number > 0 && number.is_multiple_of(ASKED_A_SECOND) {
                self.stage.sim().run_for(Duration::from_secs(1));
            }
            self.ask_one((user, title));
        }
        // Half a second at a time: to look after every event would be the whole run.
        let until = self.stage.sim().now() + PATIENCE;
        while self.stage.sim().now() < until && !self.stage.ledger(|ledger| ledger.are_over()) {
            self.stage.sim().run_for(Duration::from_millis(500));
        }
        self.stage.ledger(Ledger::take)
    }

    fn ask_one(&mut self, (user, title): Question) {
        let title = (title, self.workload.catalogue.title(title));
        let (target, now) = (self.stage.target(title), self.stage.sim().now());
        let ticket = self.stage.ledger(|ledger| ledger.ask(target, now));
        self.stage.find(user, ticket, title);
    }
}
