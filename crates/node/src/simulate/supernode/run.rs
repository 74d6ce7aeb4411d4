//! One run: supernodes link, ordinary nodes attach and share, searches, and what is left when supernodes die.

use super::super::measure::{Answers, Figures, Run, Traffic, seconds};
use super::super::memory;
use super::host::{Bereft, Book, NodeHost, PORT, address, hash_of};
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, SplitMix64};
use throng_overlay::discovery::Query;
use throng_overlay::supernode::server::Metrics;
use throng_overlay::supernode::{Command, Config, Node, Role, Server};
use throng_sim::{Departure, HostId, Incident, Latency, Network, Profile, Sim};

/// Words of a title, but for the one that makes it the file's own.
const WORDS: usize = 3;
/// Searches asked in one second of virtual time.
const ASKED_A_SECOND: u32 = 50;
/// How long the network may take to form, and to heal.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long links, digests and the estimate of the network's size have to settle once all are attached.
const SETTLING: Duration = Duration::from_secs(90);
/// So long after supernodes died everybody is to search again.
const HEALED: Duration = Duration::from_secs(30);
/// Long enough for every search to be over.
const LAST_ANSWERS: Duration = Duration::from_secs(8);
/// Over this time the cost of doing nothing is measured.
const IDLE: Duration = Duration::from_secs(20);
/// Supernodes that each host begins with.
const KNOWN: usize = 8;
/// Hits wanted of a search, as a person would.
const LIMIT: u32 = 32;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct SupernodePlan {
    /// Ordinary nodes.
    pub nodes: u32,
    /// Supernodes.
    pub supernodes: u32,
    /// Files of an ordinary node.
    pub files: u32,
    /// All randomness comes from it.
    pub seed: u64,
    /// Searches; as many again after a failure.
    pub queries: u32,
    /// Share of the supernodes that die at once.
    pub fail: f64,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct SupernodeFigures {
    /// What all scenarios tell. Messages and bytes are those of searches, as the machines count them.
    pub common: Figures,
    /// Queries that supernodes sent each other, a search.
    pub queries_per_query: f64,
    /// Messages a second of all hosts while nobody asks.
    pub idle_messages: f64,
    /// Messages of searches sent and heard by the supernode that had most, a search.
    pub supernode_messages_per_query: f64,
    /// Bytes of the largest catalogue and the digests beside it.
    pub index_bytes: u64,
    /// Links of a supernode on average, and its ordinary nodes at most.
    pub links: f64,
    /// See [`SupernodeFigures::links`].
    pub most_members: u32,
    /// Supernodes as one of them estimates.
    pub estimated: u32,
    /// Seconds until each that lost its supernode was attached again, ascending.
    pub attach: Vec<f64>,
    /// Of those the ones that had none until the end of patience.
    pub stranded: u32,
    /// Ordinary nodes without a supernode when the searches after the failure begin, those under way to another too.
    pub unattached: u32,
}

/// Supernodes and ordinary nodes, and what they are to do.
pub(in crate::simulate) struct World {
    pub(in crate::simulate) sim: Sim<NodeHost>,
    pub(in crate::simulate) book: Rc<RefCell<Book>>,
    rng: SplitMix64,
    plan: SupernodePlan,
    titles: Vec<Vec<String>>,
    down: u32,
}

impl SupernodePlan {
    /// Runs it.
    pub fn run(&self, mut told: impl FnMut(&str)) -> SupernodeFigures {
        let before = memory::resident();
        let mut world = World::new(self.clone());
        let mut figures = SupernodeFigures::default();
        told("nodes attach and share");
        figures.common.formed = world.form();
        told("searches");
        world.measure(&mut figures);
        if self.fail > 0.0 {
            told("supernodes die");
            world.fail(&mut figures);
        }
        figures.common.run = Run::of(&world.sim, before);
        figures
    }
}

impl World {
    fn new(plan: SupernodePlan) -> World {
        let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) };
        World::on(plan, Network { latency, count_hosts: true, ..Network::default() })
    }

    /// On that network.
    pub(in crate::simulate) fn on(plan: SupernodePlan, network: Network) -> World {
        let mut sim = Sim::new(plan.seed, network);
        let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
        let mut rng = SplitMix64::new(SplitMix64::mix(plan.seed, 0x7375_7065));
        let hosts = (plan.nodes + plan.supernodes) as usize;
        let book: Rc<RefCell<Book>> = Rc::default();
        book.borrow_mut().attached = vec![None; hosts];
        sim.reserve(hosts);
        let some = |rng: &mut SplitMix64, below: u32| -> Vec<Endpoint> {
            (0..KNOWN).map(|_| endpoint(rng.below(below.max(1)))).collect()
        };
        for number in 0..plan.supernodes {
            let known = if number == 0 { Vec::new() } else { some(&mut rng, number) };
            let node = Node::new(config(Some(number)), &mut rng, sim.now());
            let added = sim.add(NodeHost::new(node, known, Vec::new(), Rc::clone(&book)), profile);
            assert_eq!(sim.endpoint(added), endpoint(number), "hosts are numbered in order");
        }
        let vocabulary = (plan.nodes * plan.files).max(16) * 4;
        let titles: Vec<Vec<String>> = (0..plan.nodes)
            .map(|node| (0..plan.files).map(|file| title(node, file, vocabulary, &mut rng)).collect())
            .collect();
        // The choices of ordinary nodes are the same, and there once.
        let ordinary = Arc::new(config(None));
        for titles in &titles {
            let known = some(&mut rng, plan.supernodes);
            let node = Node::new(Arc::clone(&ordinary), &mut rng, sim.now());
            sim.add(NodeHost::new(node, known, titles.clone(), Rc::clone(&book)), profile);
        }
        World { sim, book, rng, plan, titles, down: 0 }
    }

    /// Runs until every node is attached and its files told, and then a while; the seconds until the former.
    pub(in crate::simulate) fn form(&mut self) -> Option<f64> {
        let files = u64::from(self.plan.nodes) * u64::from(self.plan.files);
        let formed = self.settle(files);
        self.sim.run_for(SETTLING);
        formed
    }

    fn settle(&mut self, told: u64) -> Option<f64> {
        let until = self.sim.now() + PATIENCE;
        let is_settled =
            |world: &World| world.book.borrow().told >= told && world.attached() == world.plan.nodes;
        // Looked at ten times a second: counting a million hosts after each event would be the whole run.
        while self.sim.now() < until && !is_settled(self) {
            self.sim.run_for(Duration::from_millis(100));
        }
        is_settled(self).then(|| seconds(&self.sim))
    }

    /// Ordinary nodes that have a supernode at this moment.
    fn attached(&self) -> u32 {
        self.book.borrow().attached[self.plan.supernodes as usize..].iter().flatten().count() as u32
    }

    fn measure(&mut self, figures: &mut SupernodeFigures) {
        let idle = Traffic::idle(&mut self.sim, IDLE);
        let before: Vec<Metrics> = self.servers().map(Server::metrics).collect();
        figures.common.answers = self.ask();
        let after: Vec<Metrics> = self.servers().map(Server::metrics).collect();
        let queries = f64::from(self.plan.queries.max(1));
        let all = || before.iter().zip(&after);
        let spent = |of: fn(&Metrics) -> u64| {
            all().map(|(before, after)| of(after) - of(before)).sum::<u64>() as f64 / queries
        };
        let (messages, bytes) = (spent(|one| one.search_messages), spent(|one| one.search_bytes));
        figures.common.charge(Traffic { messages, bytes });
        figures.queries_per_query = spent(|one| one.queries_sent);
        figures.idle_messages = idle.messages;
        let most = all().map(|(before, after)| handled(after) - handled(before)).max().unwrap_or(0);
        figures.supernode_messages_per_query = most as f64 / queries;
        let gauges: Vec<_> = self.servers().map(|server| server.gauges()).collect();
        figures.index_bytes = gauges.iter().map(|one| one.index_bytes + one.digest_bytes).max().unwrap_or(0);
        figures.most_members = gauges.iter().map(|one| one.members).max().unwrap_or(0);
        figures.links =
            gauges.iter().map(|one| f64::from(one.links)).sum::<f64>() / gauges.len().max(1) as f64;
        figures.estimated = gauges.first().map_or(0, |one| one.supernodes);
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        (self.down..self.plan.supernodes).filter_map(|host| self.sim.app(HostId(host)).node().server())
    }

    fn fail(&mut self, figures: &mut SupernodeFigures) {
        let count = (f64::from(self.plan.supernodes) * self.plan.fail).round() as u32;
        let count = count.clamp(1, self.plan.supernodes);
        (self.down, figures.common.killed) = (count, count);
        let at = self.sim.now();
        self.book.borrow_mut().bereft.at = Some(at);
        self.sim.incident(Incident::Stop(0..count, Departure::Reset));
        self.sim.run_for(Bereft::HEARD);
        while self.sim.now().since(at) < PATIENCE && self.book.borrow().bereft.waiting() > 0 {
            self.sim.run_for(Duration::from_millis(100));
        }
        {
            let bereft = &self.book.borrow().bereft;
            figures.attach.clone_from(&bereft.returned);
            let last = figures.attach.iter().copied().fold(0.0, f64::max);
            figures.common.healed = (bereft.waiting() == 0).then_some(last);
            figures.stranded = bereft.waiting();
        }
        figures.attach.sort_by(f64::total_cmp);
        let left = HEALED.saturating_sub(self.sim.now().since(at));
        self.sim.run_for(left);
        figures.unattached = self.plan.nodes - self.attached();
        figures.common.after = Some(self.ask());
    }

    /// Random nodes look for files of others; the answers.
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

    /// A file is looked for by its words; of many files with these the one meant may not be among the first hits, so
    /// that a word of its own is asked for too.
    fn ask_one(&mut self) {
        let asker = self.rng.below(self.plan.nodes);
        // Own files never match.
        let owner = (asker + 1 + self.rng.below(self.plan.nodes - 1)) % self.plan.nodes;
        let file = self.rng.below(self.plan.files) as usize;
        let title = &self.titles[owner as usize][file];
        let words = title.trim_end_matches(".mp3").split(' ').map(str::to_owned).collect();
        let ticket = self.book.borrow_mut().ledger.ask(hash_of(title), self.sim.now());
        let query = Query { words, limit: LIMIT, timeout: LAST_ANSWERS };
        let find = Command::Find(ticket, query);
        self.sim.command(HostId(self.plan.supernodes + asker), find);
    }
}

/// The choices of the supernode of that number, or of all ordinary nodes.
fn config(supernode: Option<u32>) -> Config {
    let role = if supernode.is_some() { Role::Super } else { Role::Ordinary };
    Config {
        role,
        user: b"somebody".to_vec(),
        port: PORT,
        address: supernode.map(address),
        ..Config::default()
    }
}

/// Messages of searches that a supernode sent and heard.
fn handled(metrics: &Metrics) -> u64 {
    metrics.search_messages + metrics.queries + metrics.replies
}

/// Words by Zipf's law: the rank's logarithm is uniform. The last makes the name the file's own.
fn title(node: u32, file: u32, vocabulary: u32, rng: &mut SplitMix64) -> String {
    let mut words: Vec<String> = Vec::new();
    while words.len() < WORDS {
        let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let word = format!("word{}", f64::from(vocabulary).powf(share) as u32);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    format!("{} no{node}x{file}.mp3", words.join(" "))
}

fn endpoint(host: u32) -> Endpoint {
    Endpoint::new(Ipv4Addr::from(0x0a00_0001 + host).into(), PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(fail: f64) -> SupernodePlan {
        SupernodePlan { nodes: 120, supernodes: 6, files: 3, seed: 1, queries: 60, fail }
    }

    #[test]
    fn everything_is_found_and_again_when_half_of_the_supernodes_are_dead() {
        let figures = plan(0.5).run(|_| {});
        assert!(figures.common.formed.is_some(), "{figures:?}");
        assert_eq!((figures.common.answers.found, figures.common.answers.asked), (60, 60), "{figures:?}");
        assert_eq!(figures.common.killed, 3);
        assert!(figures.common.healed.is_some_and(|seconds| seconds < 30.0), "{figures:?}");
        assert!(figures.common.after.is_some_and(|after| after.found >= 59));
    }

    #[test]
    fn the_same_plan_runs_the_same_way() {
        let [a, b] = [(); 2].map(|()| plan(0.0).run(|_| {}));
        assert_eq!((a.common.run.trace, a.common.run.events), (b.common.run.trace, b.common.run.events));
    }
}
