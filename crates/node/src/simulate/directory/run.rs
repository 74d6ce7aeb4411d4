//! One run: directories and users, searches, and what is left when directories die.

use super::super::measure::{Answers, Figures, Meter, Run, Traffic, messages_of, seconds};
use super::super::memory;
use super::host::{Book, DirectoryHost, PORT, Plan, nick};
use super::machine::Command;
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, SplitMix64};
use throng_overlay::directory::client::{self, Client, Search};
use throng_overlay::directory::server::{self, Peer, Server};
use throng_sim::{Departure, HostId, Incident, Latency, Network, Profile, Sim};

/// Words of a title.
const WORDS: usize = 3;
/// Searches asked in one second of virtual time.
const ASKED_A_SECOND: u32 = 50;
/// How long the network may take to form, and to heal.
const PATIENCE: Duration = Duration::from_secs(900);
/// Long enough for every search to be over.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Over this time the cost of doing nothing is measured: one statistics interval.
const IDLE: Duration = Duration::from_secs(60);

/// What is simulated.
#[derive(Clone, Debug)]
pub struct DirectoryPlan {
    /// Users.
    pub nodes: u32,
    /// Directories, linked.
    pub servers: u32,
    /// Files a user.
    pub files: u32,
    /// All randomness comes from it.
    pub seed: u64,
    /// Searches; as many again after a failure.
    pub queries: u32,
    /// Share of the directories that die.
    pub fail: f64,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct DirectoryFigures {
    /// What all scenarios tell; the idle cost is taken off.
    pub common: Figures,
    /// Messages a second of all hosts while nobody asks.
    pub idle_messages: f64,
    /// Messages sent and received by the busiest directory during the searches, a search.
    pub server_messages_per_query: f64,
    /// Bytes of the largest index.
    pub index_bytes: u64,
}

/// Directories and users, and what they are to do.
pub(in crate::simulate) struct World {
    pub(in crate::simulate) sim: Sim<DirectoryHost>,
    pub(in crate::simulate) book: Rc<RefCell<Book>>,
    rng: SplitMix64,
    plan: DirectoryPlan,
    titles: Vec<Vec<String>>,
    down: u32,
}

impl DirectoryPlan {
    /// Runs it.
    pub fn run(&self, mut told: impl FnMut(&str)) -> DirectoryFigures {
        let before = memory::resident();
        let mut world = World::new(self.clone());
        let mut figures = DirectoryFigures::default();
        told("users log in and share");
        figures.common.formed = world.settle();
        told("searches");
        world.measure(&mut figures);
        if self.fail > 0.0 {
            told("directories die");
            world.fail(&mut figures);
        }
        figures.common.run = Run::of(&world.sim, before);
        figures
    }
}

impl World {
    fn new(plan: DirectoryPlan) -> World {
        let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) };
        World::on(plan, Network { latency, count_hosts: true, ..Network::default() })
    }

    /// On that network.
    pub(in crate::simulate) fn on(plan: DirectoryPlan, network: Network) -> World {
        let mut sim = Sim::new(plan.seed, network);
        let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
        let mut rng = SplitMix64::new(SplitMix64::mix(plan.seed, 0x6469_7265));
        let book: Rc<RefCell<Book>> = Rc::default();
        for number in 0..plan.servers {
            let server = Server::new(server_config(number, plan.servers), &mut rng, sim.now());
            let added = sim.add(DirectoryHost::server(server, Rc::clone(&book)), profile);
            assert_eq!(sim.endpoint(added), endpoint(number), "hosts are numbered in order");
        }
        let vocabulary = (plan.nodes * plan.files).max(16) * 4;
        let titles: Vec<Vec<String>> = (0..plan.nodes)
            .map(|user| (0..plan.files).map(|file| title(user, file, vocabulary, &mut rng)).collect())
            .collect();
        for (user, titles) in titles.iter().enumerate() {
            let first = user as u32 % plan.servers;
            let known = (0..plan.servers).map(|step| endpoint((first + step) % plan.servers)).collect();
            let config = client::Config {
                nick: nick(user as u32).into_bytes(),
                data_port: PORT,
                ..client::Config::default()
            };
            let host = DirectoryHost::client(
                Client::new(config),
                Plan { known, titles: titles.clone() },
                Rc::clone(&book),
            );
            sim.add(host, profile);
        }
        World { sim, book, rng, plan, titles, down: 0 }
    }

    /// Runs until every user's files are told and all living directories are linked; the seconds since the start.
    fn settle(&mut self) -> Option<f64> {
        let until = self.sim.now() + PATIENCE;
        let (nodes, down) = (self.plan.nodes as usize, self.down);
        let (living, book) = (down..self.plan.servers, Rc::clone(&self.book));
        let is_settled = |sim: &Sim<DirectoryHost>| {
            // Asked after each event: all users are gone through only when the directories know them all.
            let mut servers = living.clone().filter_map(|host| sim.app(HostId(host)).as_server());
            !living.is_empty()
                && servers.all(|server| server.gauges().users as usize == nodes)
                && book.borrow().home.values().filter(|at| **at >= endpoint(down)).count() == nodes
        };
        self.sim.run_while(until, |sim| !is_settled(sim));
        is_settled(&self.sim).then(|| seconds(&self.sim))
    }

    /// Runs until the directories know every user, whatever they share; the seconds since the start.
    pub(in crate::simulate) fn until_logged_in(&mut self) -> Option<f64> {
        let (until, plan) = (self.sim.now() + PATIENCE, self.plan.clone());
        let is_settled = |sim: &Sim<DirectoryHost>| {
            let mut servers = (0..plan.servers).filter_map(|host| sim.app(HostId(host)).as_server());
            servers.all(|server| server.gauges().users == plan.nodes)
        };
        self.sim.run_while(until, |sim| !is_settled(sim));
        is_settled(&self.sim).then(|| seconds(&self.sim))
    }

    fn measure(&mut self, figures: &mut DirectoryFigures) {
        // Directories tell statistics from their first minute's end on.
        self.sim.run_for(IDLE);
        let idle = Traffic::idle(&mut self.sim, IDLE);
        let busy: Vec<u64> = (0..self.plan.servers).map(|host| self.messages(host)).collect();
        let meter = Meter::begin(&self.sim, idle);
        figures.common.answers = self.ask();
        figures.common.charge(meter.each(&self.sim, self.plan.queries));
        figures.idle_messages = idle.messages;
        let most = busy.iter().zip(0..).map(|(before, host)| self.messages(host) - before).max().unwrap_or(0);
        figures.server_messages_per_query = most as f64 / f64::from(self.plan.queries.max(1));
        let indexes = (0..self.plan.servers).filter_map(|host| self.sim.app(HostId(host)).as_server());
        figures.index_bytes = indexes.map(|server| server.gauges().index_bytes).max().unwrap_or(0);
    }

    fn fail(&mut self, figures: &mut DirectoryFigures) {
        let count = (f64::from(self.plan.servers) * self.plan.fail).round() as u32;
        let count = count.clamp(1, self.plan.servers);
        self.down = count;
        figures.common.killed = count;
        let from = seconds(&self.sim);
        self.sim.incident(Incident::Stop(0..count, Departure::Reset));
        figures.common.at_once = Some(self.ask());
        figures.common.healed = self.settle().map(|at| at - from);
        figures.common.after = Some(self.ask());
    }

    /// Random users look for files of others; the answers.
    fn ask(&mut self) -> Answers {
        for number in 0..self.plan.queries {
            if number > 0 && number % ASKED_A_SECOND == 0 {
                self.sim.run_for(Duration::from_secs(1));
            }
            self.ask_one();
        }
        self.sim.run_for(LAST_ANSWERS);
        self.book.borrow_mut().ledger.take()
    }

    fn ask_one(&mut self) {
        let asker = self.rng.below(self.plan.nodes);
        // Own files never match.
        let owner = (asker + 1 + self.rng.below(self.plan.nodes - 1)) % self.plan.nodes;
        let file = self.rng.below(self.plan.files) as usize;
        let title = &self.titles[owner as usize][file];
        let words = title.split(' ').take(WORDS).map(str::to_owned).collect();
        let target = format!("Throng\\{title}").into_bytes();
        let ticket = self.book.borrow_mut().ledger.ask(target, self.sim.now());
        let find = client::Command::Find(ticket, Search::for_words(words));
        self.sim.command(HostId(self.plan.servers + asker), Command::Client(find));
    }

    fn messages(&self, host: u32) -> u64 {
        messages_of(&self.sim, HostId(host))
    }
}

fn name(number: u32) -> String {
    format!("directory{number}.example")
}

/// Each names all others and calls those before it: when one dies, those it linked find each other again.
fn server_config(number: u32, count: u32) -> server::Config {
    let peer = |other: u32| Peer {
        name: name(other),
        send_password: "secret".into(),
        expect_password: "secret".into(),
        addresses: vec![endpoint(other).ip()],
        dial: (other < number).then(|| endpoint(other)),
    };
    let peers = (0..count).filter(|other| *other != number).map(peer).collect();
    server::Config { name: name(number), port: PORT, peers, ..server::Config::default() }
}

/// Words by Zipf's law: the rank's logarithm is uniform. The number at the end makes the name the file's own.
fn title(user: u32, file: u32, vocabulary: u32, rng: &mut SplitMix64) -> String {
    let mut words: Vec<String> = Vec::new();
    while words.len() < WORDS {
        let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let word = format!("word{}", f64::from(vocabulary).powf(share) as u32);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    format!("{} no{user}x{file}.mp3", words.join(" "))
}

fn endpoint(host: u32) -> Endpoint {
    Endpoint::new(Ipv4Addr::from(0x0a00_0000 + host + 1).into(), PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(servers: u32, fail: f64) -> DirectoryPlan {
        DirectoryPlan { nodes: 60, servers, files: 4, seed: 1, queries: 100, fail }
    }

    #[test]
    fn one_directory_finds_everything_until_it_dies() {
        let figures = plan(1, 1.0).run(|_| {});
        assert!(figures.common.formed.is_some());
        assert_eq!((figures.common.answers.found, figures.common.answers.asked), (100, 100));
        assert_eq!((figures.common.killed, figures.common.healed), (1, None));
        assert_eq!(figures.common.after.map(|after| after.found), Some(0));
    }

    #[test]
    fn linked_directories_find_each_others_files_and_outlive_one_of_them() {
        let figures = plan(4, 0.25).run(|_| {});
        assert!(figures.common.formed.is_some(), "{figures:?}");
        assert_eq!(figures.common.answers.found, 100, "{figures:?}");
        assert!(figures.common.healed.is_some(), "{figures:?}");
        assert_eq!(figures.common.after.map(|after| after.found), Some(100));
    }

    #[test]
    fn the_same_plan_runs_the_same_way() {
        let [a, b] = [(); 2].map(|()| plan(2, 0.5).run(|_| {}));
        assert_eq!((a.common.run.trace, a.common.run.events), (b.common.run.trace, b.common.run.events));
        let other = DirectoryPlan { seed: 2, ..plan(2, 0.5) }.run(|_| {});
        assert_ne!(a.common.run.trace, other.common.run.trace);
    }
}
