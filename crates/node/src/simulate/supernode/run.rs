//! One run: supernodes link, ordinary nodes attach and share, searches, and what is left when supernodes die.

use super::super::memory;
use super::host::{Asked, Book, NodeHost, PORT, hash_of};
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_overlay::discovery::{Query, Ticket};
use throng_overlay::supernode::{Command, Config, Node, Role};
use throng_sim::{Departure, HostId, Incident, Latency, Network, Profile, Sim};

/// Words of a title, but for the one that makes it the file's own.
const WORDS: usize = 3;
/// Searches asked in one second of virtual time.
const ASKED_A_SECOND: u32 = 50;
/// How long the network may take to form, and to heal.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long links, digests and the estimate of the network's size have to settle once all are attached.
const SETTLING: Duration = Duration::from_secs(90);
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

/// Answers of one phase.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Asked.
    pub asked: u32,
    /// Searches that found what they looked for.
    pub found: u32,
    /// Hits in all.
    pub hits: u64,
    /// Milliseconds until it came, ascending.
    pub millis: Vec<f64>,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct SupernodeFigures {
    /// Seconds until every node was attached and all its files told.
    pub formed: Option<f64>,
    /// Before any failure.
    pub answers: Answers,
    /// What searches cost, the idle cost taken off.
    pub messages_per_query: f64,
    /// Likewise.
    pub bytes_per_query: f64,
    /// Queries that supernodes sent each other, a search.
    pub queries_per_query: f64,
    /// Messages a second of all hosts while nobody asks.
    pub idle_messages: f64,
    /// Most messages of a host.
    pub busiest: u64,
    /// Messages sent and received by the busiest supernode during the searches, a search.
    pub supernode_messages_per_query: f64,
    /// Bytes of the largest catalogue and the digests beside it.
    pub index_bytes: u64,
    /// Links of a supernode on average, and its ordinary nodes at most.
    pub links: f64,
    /// See [`SupernodeFigures::links`].
    pub most_members: u32,
    /// Supernodes as one of them estimates.
    pub estimated: u32,
    /// Supernodes that died.
    pub killed: u32,
    /// Seconds from the failure until every ordinary node was attached again.
    pub healed: Option<f64>,
    /// Seconds until each that lost its supernode was attached again, ascending.
    pub attach: Vec<f64>,
    /// Searches asked once all are attached again.
    pub after: Option<Answers>,
    /// Growth of this program's memory a host.
    pub bytes_per_node: Option<u64>,
    /// Seconds of virtual time.
    pub seconds: f64,
    /// Events.
    pub events: u64,
    /// The trace's hash.
    pub trace: u64,
}

struct World {
    sim: Sim<NodeHost>,
    book: Rc<RefCell<Book>>,
    rng: SplitMix64,
    plan: SupernodePlan,
    titles: Vec<Vec<String>>,
    tickets: u32,
    down: u32,
}

impl SupernodePlan {
    /// Runs it.
    pub fn run(&self, mut told: impl FnMut(&str)) -> SupernodeFigures {
        let before = memory::resident();
        let mut world = World::new(self.clone());
        let mut figures = SupernodeFigures::default();
        told("nodes attach and share");
        figures.formed = world.form();
        told("searches");
        world.measure(&mut figures);
        if self.fail > 0.0 {
            told("supernodes die");
            world.fail(&mut figures);
        }
        let hosts = u64::from(self.nodes + self.supernodes);
        let grown = memory::peak_resident().zip(before).map(|(peak, before)| peak.saturating_sub(before));
        figures.bytes_per_node = grown.map(|bytes| bytes / hosts);
        figures.seconds = world.seconds();
        figures.events = world.sim.probe().totals.events;
        figures.trace = world.sim.trace().hash();
        figures.busiest = (0..world.sim.host_count()).map(|host| world.messages(host)).max().unwrap_or(0);
        figures
    }
}

impl World {
    fn new(plan: SupernodePlan) -> World {
        let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) };
        let mut sim = Sim::new(plan.seed, Network { latency, count_hosts: true, ..Network::default() });
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
            let node = Node::new(config(number, Role::Super), &mut rng, sim.now());
            let added = sim.add(NodeHost::new(node, known, Vec::new(), Rc::clone(&book)), profile);
            assert_eq!(sim.endpoint(added), endpoint(number), "hosts are numbered in order");
        }
        let vocabulary = (plan.nodes * plan.files).max(16) * 4;
        let titles: Vec<Vec<String>> = (0..plan.nodes)
            .map(|node| (0..plan.files).map(|file| title(node, file, vocabulary, &mut rng)).collect())
            .collect();
        for (number, titles) in (plan.supernodes..).zip(&titles) {
            let known = some(&mut rng, plan.supernodes);
            let node = Node::new(config(number, Role::Ordinary), &mut rng, sim.now());
            sim.add(NodeHost::new(node, known, titles.clone(), Rc::clone(&book)), profile);
        }
        World { sim, book, rng, plan, titles, tickets: 0, down: 0 }
    }

    /// Runs until every node is attached and its files told, and then a while; the seconds until the former.
    fn form(&mut self) -> Option<f64> {
        let files = u64::from(self.plan.nodes) * u64::from(self.plan.files);
        let formed = self.settle(files);
        self.sim.run_for(SETTLING);
        formed
    }

    fn settle(&mut self, told: u64) -> Option<f64> {
        let until = self.sim.now() + PATIENCE;
        let (nodes, from, book) =
            (self.plan.nodes as usize, self.plan.supernodes as usize, Rc::clone(&self.book));
        let is_settled = || {
            let book = book.borrow();
            book.told >= told && book.attached[from..].iter().flatten().count() == nodes
        };
        // Looked at ten times a second: counting a million hosts after each event would be the whole run.
        while self.sim.now() < until && !is_settled() {
            self.sim.run_for(Duration::from_millis(100));
        }
        is_settled().then(|| self.seconds())
    }

    fn measure(&mut self, figures: &mut SupernodeFigures) {
        let idle = self.cost();
        self.sim.run_for(IDLE);
        let begin = self.cost();
        let busy: Vec<u64> = (0..self.plan.supernodes).map(|host| self.messages(host)).collect();
        let (from, queries, sent) =
            (self.sim.now(), f64::from(self.plan.queries.max(1)), self.queries_sent());
        figures.answers = self.ask();
        let end = self.cost();
        let share = self.sim.now().since(from).as_secs_f64() / IDLE.as_secs_f64();
        let spent = |idle: u64, begin: u64, end: u64| {
            ((end - begin) as f64 - share * (begin - idle) as f64).max(0.0) / queries
        };
        figures.messages_per_query = spent(idle.0, begin.0, end.0);
        figures.bytes_per_query = spent(idle.1, begin.1, end.1);
        figures.queries_per_query = (self.queries_sent() - sent) as f64 / queries;
        figures.idle_messages = (begin.0 - idle.0) as f64 / IDLE.as_secs_f64();
        let most = busy.iter().zip(0..).map(|(before, host)| self.messages(host) - before).max().unwrap_or(0);
        figures.supernode_messages_per_query = most as f64 / queries;
        let gauges: Vec<_> = self.servers().map(|server| server.gauges()).collect();
        figures.index_bytes = gauges.iter().map(|one| one.index_bytes + one.digest_bytes).max().unwrap_or(0);
        figures.most_members = gauges.iter().map(|one| one.members).max().unwrap_or(0);
        figures.links =
            gauges.iter().map(|one| f64::from(one.links)).sum::<f64>() / gauges.len().max(1) as f64;
        figures.estimated = gauges.first().map_or(0, |one| one.supernodes);
    }

    fn servers(&self) -> impl Iterator<Item = &throng_overlay::supernode::Server> {
        (self.down..self.plan.supernodes).filter_map(|host| self.sim.app(HostId(host)).node().server())
    }

    fn queries_sent(&self) -> u64 {
        self.servers().map(|server| server.metrics().queries_sent).sum()
    }

    fn fail(&mut self, figures: &mut SupernodeFigures) {
        let count = (f64::from(self.plan.supernodes) * self.plan.fail).round() as u32;
        let count = count.clamp(1, self.plan.supernodes);
        (self.down, figures.killed) = (count, count);
        let (at, told) = (self.sim.now(), self.book.borrow().told);
        self.sim.incident(Incident::Stop(0..count, Departure::Reset));
        // Those whom it did not concern have been attached since before.
        self.sim.run_for(Duration::from_secs(1));
        figures.healed = self.settle(told).map(|_| 0.0);
        let from = self.plan.supernodes as usize;
        let again = self.book.borrow().attached[from..].iter().flatten().copied().collect::<Vec<Instant>>();
        let seconds =
            again.into_iter().filter(|since| *since > at).map(|since| since.since(at).as_secs_f64());
        figures.attach = seconds.collect();
        figures.attach.sort_by(f64::total_cmp);
        figures.healed = figures.healed.map(|_| figures.attach.last().copied().unwrap_or(0.0));
        self.sim.run_for(SETTLING);
        figures.after = Some(self.ask());
    }

    /// Random nodes look for files of others; the answers.
    fn ask(&mut self) -> Answers {
        self.book.borrow_mut().asked.clear();
        for number in 0..self.plan.queries {
            if number > 0 && number % ASKED_A_SECOND == 0 {
                self.sim.run_for(Duration::from_secs(1));
            }
            self.ask_one();
        }
        self.sim.run_for(LAST_ANSWERS);
        let mut answers = Answers { asked: self.plan.queries, ..Answers::default() };
        for Asked { at, found, hits, .. } in self.book.borrow().asked.values() {
            answers.hits += u64::from(*hits);
            if let Some(found) = found {
                answers.found += 1;
                answers.millis.push(found.since(*at).as_secs_f64() * 1e3);
            }
        }
        answers.millis.sort_by(f64::total_cmp);
        answers
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
        let asked = Asked { target: hash_of(title), at: self.sim.now(), found: None, hits: 0 };
        self.tickets += 1;
        self.book.borrow_mut().asked.insert(self.tickets, asked);
        let query = Query { words, limit: LIMIT, timeout: LAST_ANSWERS };
        let find = Command::Find(Ticket(self.tickets), query);
        self.sim.command(HostId(self.plan.supernodes + asker), find);
    }

    /// Messages and bytes that left hosts so far.
    fn cost(&self) -> (u64, u64) {
        let hosts = (0..self.sim.host_count()).map(|host| self.sim.probe().host(host));
        hosts.fold((0, 0), |sum, host| (sum.0 + u64::from(host.messages_sent), sum.1 + host.sent))
    }

    fn messages(&self, host: u32) -> u64 {
        let host = self.sim.probe().host(host);
        u64::from(host.messages_sent) + u64::from(host.messages_received)
    }

    fn seconds(&self) -> f64 {
        self.sim.now().since(Instant::EPOCH).as_secs_f64()
    }
}

fn config(number: u32, role: Role) -> Config {
    let at = Ipv4Addr::from(0x0a00_0001 + number);
    let address = (role == Role::Super).then(|| std::net::SocketAddrV4::new(at, PORT));
    let user = format!("user{number}").into_bytes();
    Config { role, user, port: PORT, address, known: 16, ..Config::default() }
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
        assert!(figures.formed.is_some(), "{figures:?}");
        assert_eq!((figures.answers.found, figures.answers.asked), (60, 60), "{figures:?}");
        assert_eq!(figures.killed, 3);
        assert!(figures.healed.is_some_and(|seconds| seconds < 30.0), "{figures:?}");
        assert!(figures.after.is_some_and(|after| after.found >= 59));
    }

    #[test]
    fn the_same_plan_runs_the_same_way() {
        let [a, b] = [(); 2].map(|()| plan(0.0).run(|_| {}));
        assert_eq!((a.trace, a.events), (b.trace, b.events));
    }
}
