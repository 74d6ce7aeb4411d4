//! One run: servents link, search, die, and search again.

use super::super::catalogue::Catalogue;
use super::super::measure::{Answers, Ledger, Run, Traffic, seconds};
use super::super::memory;
use super::graph::{Components, generate};
use super::host::{GnutellaHost, PORT, number};
use super::plan::{Configs, GnutellaFigures, GnutellaPlan, Mode, Victims};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_overlay::discovery::{self, Query};
use throng_overlay::gnutella::{Command, Identity, Role, Servent, SharedFile};
use throng_sim::{Departure, HostId, Incident, Latency, Network, Profile, Sim};
use throng_wire::gnutella::{Guid, Kind};

/// Servents arrive within this time.
const ARRIVALS: Duration = Duration::from_secs(20);
/// How long the network may take to form, and to heal.
const PATIENCE: Duration = Duration::from_secs(300);
/// Route tables spread within this: a leaf's to its ultrapeer, then the ultrapeer's to others.
const TABLES: Duration = Duration::from_secs(80);
/// A search is over after this at the latest; dynamic queries take their time.
const SEARCH: Duration = Duration::from_secs(240);
/// Between two searches.
const PAUSE: Duration = Duration::from_millis(500);
/// The goal of healing: whoever survives searches again within this.
const HEALED: Duration = Duration::from_secs(30);
/// Enough hits of one search.
const LIMIT: u32 = 50;
/// Titles for each servent, so that many are rare.
const TITLES_A_NODE: u32 = 3;

/// Sums over all servents.
#[derive(Clone, Copy, Default)]
struct Cost {
    queries: u64,
    hits: u64,
    bytes: u64,
    duplicates: u64,
}

/// Servents, and what they are to do.
pub(in crate::simulate) struct World {
    pub(in crate::simulate) sim: Sim<GnutellaHost>,
    pub(in crate::simulate) ledger: Rc<RefCell<Ledger>>,
    rng: SplitMix64,
    plan: GnutellaPlan,
    catalogue: Catalogue,
    /// Titles of each servent.
    shares: Vec<Vec<usize>>,
    ultrapeers: u32,
}

impl GnutellaPlan {
    /// Runs it.
    pub fn run(&self, mut told: impl FnMut(&str)) -> GnutellaFigures {
        let before = memory::resident();
        let mut world = World::new(self.clone());
        let mut figures = GnutellaFigures { ultrapeers: world.ultrapeers, ..GnutellaFigures::default() };
        told("servents link and share");
        figures.common.formed = world.form();
        figures.degree = world.mean_degree();
        told("searches");
        world.measure(&mut figures);
        if self.fail > 0.0 {
            told("servents die");
            world.fail(&mut figures);
        }
        figures.common.run = Run { busiest: world.busiest(), ..Run::of(&world.sim, before) };
        figures
    }
}

impl World {
    fn new(plan: GnutellaPlan) -> World {
        let latency = Latency::Uniform { min: Duration::from_millis(20), max: Duration::from_millis(120) };
        World::on(plan, Network { latency, ..Network::default() })
    }

    /// On that network.
    pub(in crate::simulate) fn on(plan: GnutellaPlan, network: Network) -> World {
        let mut sim = Sim::new(plan.seed, network);
        sim.reserve(plan.nodes as usize);
        let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
        let mut rng = SplitMix64::new(SplitMix64::mix(plan.seed, 0x676e_7574));
        let ledger: Rc<RefCell<Ledger>> = Rc::default();
        let ultrapeers = plan.ultrapeer_count();
        let catalogue = Catalogue::new(plan.nodes.saturating_mul(TITLES_A_NODE), &mut rng);
        let configs = Configs::new(&plan);
        let mut shares = Vec::new();
        for number in 0..plan.nodes {
            let config = configs.of(number, ultrapeers, &mut rng);
            let servent = Servent::new(config, identity(number, plan.seed));
            sim.add(GnutellaHost::new(servent, Rc::clone(&ledger)), profile);
            shares.push((0..plan.files).map(|_| catalogue.draw(&mut rng)).collect());
        }
        World { sim, ledger, rng, plan, catalogue, shares, ultrapeers }
    }

    /// Everybody comes and links; the seconds it took, and then waits for route tables.
    pub(in crate::simulate) fn form(&mut self) -> Option<f64> {
        self.share();
        match self.plan.mode {
            Mode::Flood => self.link_graph(),
            _ => self.link_tiers(),
        }
        let until = self.sim.now() + PATIENCE;
        let formed = self.until_linked(until);
        if self.plan.mode != Mode::Flood {
            self.sim.run_for(TABLES);
        }
        formed
    }

    /// Everybody shares what it has; the same file is one in memory.
    fn share(&mut self) {
        let mut files: BTreeMap<usize, Arc<SharedFile>> = BTreeMap::new();
        for (host, titles) in (0..).zip(&self.shares) {
            for (index, title) in (0..).zip(titles) {
                let file = files.entry(*title).or_insert_with(|| {
                    let name = self.catalogue.title(*title).to_owned();
                    Arc::new(SharedFile { name, size: 4 << 20, ..SharedFile::default() })
                });
                self.sim.command(HostId(host), Command::Share(index, Arc::clone(file)));
            }
        }
    }

    /// Plain servents: exactly the edges of a graph.
    fn link_graph(&mut self) {
        let edges = generate(self.plan.shape, self.plan.nodes, self.plan.degree(), &mut self.rng);
        let mut known: Vec<Vec<u32>> = vec![Vec::new(); self.plan.nodes as usize];
        for (caller, called) in &edges {
            known[*caller as usize].push(*called);
            known[*called as usize].push(*caller);
        }
        for (host, known) in (0..).zip(&known) {
            let entries = known.iter().map(|other| endpoint(*other)).collect();
            self.join(host, entries);
        }
        for (caller, called) in edges {
            self.sim.command(HostId(caller), Command::Link(endpoint(called)));
        }
    }

    /// Ultrapeers first, then leaves, a few at a time; each knows some ultrapeers that came before.
    fn link_tiers(&mut self) {
        let step = ARRIVALS / self.plan.nodes.div_ceil(50).max(1);
        for host in 0..self.plan.nodes {
            let before = host.min(self.ultrapeers);
            let count = if host < self.ultrapeers { self.plan.degree() } else { 8 };
            let mut known: Vec<u32> = Vec::new();
            for _ in 0..count.min(before) * 2 {
                let other = self.rng.below(before);
                if known.len() < count as usize && !known.contains(&other) {
                    known.push(other);
                }
            }
            self.join(host, known.into_iter().map(endpoint).collect());
            if host % 50 == 49 {
                self.sim.run_for(step);
            }
        }
    }

    fn join(&mut self, host: u32, entries: Vec<Endpoint>) {
        self.sim.command(HostId(host), Command::Discovery(discovery::Command::Join(entries)));
    }

    /// Runs until everybody that is up has a link that lets it search; the seconds since the start.
    fn until_linked(&mut self, until: Instant) -> Option<f64> {
        while self.sim.now() < until {
            self.sim.run_for(Duration::from_secs(1));
            if self.up().all(|host| self.is_linked(host)) {
                return Some(seconds(&self.sim));
            }
        }
        None
    }

    fn up(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.plan.nodes).filter(|host| self.sim.is_up(HostId(*host)))
    }

    fn servent(&self, host: u32) -> &Servent {
        self.sim.app(HostId(host)).servent()
    }

    /// A leaf needs an ultrapeer, an ultrapeer or plain servent one of its kind; a single ultrapeer nobody.
    fn is_linked(&self, host: u32) -> bool {
        let role = if self.ultrapeers == 0 { Role::Plain } else { Role::Ultrapeer };
        self.ultrapeers == 1 && host == 0 || self.servent(host).links(role) > 0
    }

    fn mean_degree(&self) -> f64 {
        let (role, of) = match self.plan.mode {
            Mode::Flood => (Role::Plain, self.plan.nodes),
            _ => (Role::Ultrapeer, self.ultrapeers),
        };
        let links: usize = (0..of).map(|host| self.servent(host).links(role)).sum();
        links as f64 / f64::from(of.max(1))
    }

    fn measure(&mut self, figures: &mut GnutellaFigures) {
        let idle_from = self.bytes();
        self.sim.run_for(Duration::from_secs(60));
        figures.idle_bytes = (self.bytes() - idle_from) as f64 / 60.0 / f64::from(self.plan.nodes);
        let before = self.cost();
        figures.common.answers = self.ask();
        let after = self.cost();
        let a_query = |before: u64, after: u64| (after - before) as f64 / f64::from(self.plan.queries.max(1));
        figures.queries_per_query = a_query(before.queries, after.queries);
        figures.common.charge(Traffic {
            messages: a_query(before.queries + before.hits, after.queries + after.hits),
            bytes: a_query(before.bytes, after.bytes),
        });
        figures.duplicates_per_query = a_query(before.duplicates, after.duplicates);
    }

    fn fail(&mut self, figures: &mut GnutellaFigures) {
        let victims = self.victims();
        figures.common.killed = victims.len() as u32;
        let from = self.sim.now();
        for host in victims {
            self.sim.incident(Incident::Stop(host..host + 1, Departure::Silent));
        }
        let at_once = self.connected();
        // Others hear nothing of it: they have to notice.
        let healed = self.until_healed(from + HEALED);
        self.sim.run_for((from + HEALED) - self.sim.now());
        figures.connected = Some((at_once, self.connected()));
        if self.ultrapeers > 0 {
            let leaves = || self.up().filter(|host| *host >= self.ultrapeers);
            let linked = leaves().filter(|host| self.has_living_ultrapeer(*host)).count();
            figures.recovered = Some(linked as f64 / leaves().count().max(1) as f64);
        }
        figures.common.after = Some(self.ask());
        figures.common.healed = healed.map(|at| (at - from).as_secs_f64());
    }

    /// Runs until every survivor is linked with one who lives, at most until then.
    fn until_healed(&mut self, until: Instant) -> Option<Instant> {
        while self.sim.now() < until {
            if self.up().all(|host| self.has_living_ultrapeer(host)) {
                return Some(self.sim.now());
            }
            self.sim.run_for(Duration::from_millis(500));
        }
        None
    }

    /// Whether it is linked with one that lives and can search for it.
    fn has_living_ultrapeer(&self, host: u32) -> bool {
        let role = if self.ultrapeers == 0 { Role::Plain } else { Role::Ultrapeer };
        let mut others = self.servent(host).neighbours().filter(|(_, of)| *of == role);
        others.any(|(at, _)| number(at).is_some_and(|other| self.sim.is_up(HostId(other))))
    }

    fn victims(&mut self) -> Vec<u32> {
        let (of, role) = match (self.plan.victims, self.ultrapeers) {
            (Victims::Best, 1..) => (self.ultrapeers, Role::Ultrapeer),
            (_, 1..) => (self.plan.nodes, Role::Ultrapeer),
            _ => (self.plan.nodes, Role::Plain),
        };
        let count = ((f64::from(of) * self.plan.fail).round() as usize).max(1);
        let mut hosts: Vec<u32> = (0..of).collect();
        match self.plan.victims {
            Victims::Best => hosts.sort_by_key(|host| {
                let servent = self.servent(*host);
                std::cmp::Reverse(servent.links(role) + servent.links(Role::Leaf))
            }),
            Victims::Random => {
                for at in (1..hosts.len()).rev() {
                    hosts.swap(at, self.rng.below(at as u32 + 1) as usize);
                }
            }
        }
        hosts.truncate(count);
        hosts
    }

    /// Share of those that are up that hang together.
    fn connected(&self) -> f64 {
        let mut components = Components::new(self.plan.nodes);
        for host in self.up() {
            for (at, _) in self.servent(host).neighbours() {
                if let Some(other) = number(at).filter(|other| self.sim.is_up(HostId(*other))) {
                    components.join(host, other);
                }
            }
        }
        let up = self.up().count().max(1);
        f64::from(components.largest(|host| self.sim.is_up(HostId(host)))) / up as f64
    }

    /// Random servents look for files of others that live; the answers.
    fn ask(&mut self) -> Answers {
        let living: Vec<u32> = self.up().collect();
        for _ in 0..self.plan.queries {
            self.ask_one(&living);
            self.sim.run_for(PAUSE);
        }
        let (until, ledger) = (self.sim.now() + SEARCH, Rc::clone(&self.ledger));
        self.sim.run_while(until, |_| !ledger.borrow().are_over());
        self.ledger.borrow_mut().take()
    }

    fn ask_one(&mut self, living: &[u32]) {
        let asker = living[self.rng.below(living.len() as u32) as usize];
        let title = loop {
            let owner = living[self.rng.below(living.len() as u32) as usize];
            let shares = &self.shares[owner as usize];
            let title = shares[self.rng.below(shares.len() as u32) as usize];
            // What it has itself it does not look for.
            if owner != asker && !self.shares[asker as usize].contains(&title) {
                break title;
            }
        };
        let target = self.catalogue.title(title);
        let words = target.split(' ').map(str::to_owned).collect();
        let ticket = self.ledger.borrow_mut().ask(target, self.sim.now());
        let find = discovery::Command::Find(ticket, Query { words, limit: LIMIT, timeout: SEARCH });
        self.sim.command(HostId(asker), Command::Discovery(find));
    }

    fn cost(&self) -> Cost {
        self.sim.apps().iter().fold(Cost::default(), |sum, host| {
            let metrics = host.servent().metrics();
            Cost {
                queries: sum.queries + metrics.sent.of(Kind::Query),
                hits: sum.hits + metrics.sent.of(Kind::QueryHit),
                bytes: sum.bytes + metrics.search_bytes,
                duplicates: sum.duplicates + metrics.duplicates,
            }
        })
    }

    fn bytes(&self) -> u64 {
        self.sim.apps().iter().map(|host| host.servent().metrics().bytes_out).sum()
    }

    fn busiest(&self) -> u64 {
        let both = |host: &GnutellaHost| {
            let metrics = host.servent().metrics();
            metrics.sent.total() + metrics.received.total()
        };
        self.sim.apps().iter().map(both).max().unwrap_or(0)
    }
}

fn identity(number: u32, seed: u64) -> Identity {
    let (first, second) = (SplitMix64::mix(seed, number.into()), SplitMix64::mix(number.into(), seed));
    let mut id = [0; 16];
    id[..8].copy_from_slice(&first.to_le_bytes());
    id[8..].copy_from_slice(&second.to_le_bytes());
    let listen = SocketAddrV4::new(Ipv4Addr::from(0x0a00_0000 + number + 1), PORT);
    Identity { servent: Guid::marked(id), listen, key: [second, first] }
}

fn endpoint(host: u32) -> Endpoint {
    Endpoint::new(Ipv4Addr::from(0x0a00_0000 + host + 1).into(), PORT)
}

#[cfg(test)]
mod tests {
    use super::super::graph::Shape;
    use super::*;

    fn plan(mode: Mode) -> GnutellaPlan {
        GnutellaPlan {
            nodes: 200,
            mode,
            ultrapeers: 0.1,
            shape: Shape::Regular,
            degree: (mode != Mode::Flood).then_some(10),
            files: 5,
            seed: 1,
            queries: 20,
            fail: 0.0,
            victims: Victims::Best,
        }
    }

    #[test]
    fn all_modes_find_nearly_everything_and_each_with_fewer_messages_than_the_one_before() {
        let [flood, tables, dynamic] =
            [Mode::Flood, Mode::Tables, Mode::Dynamic].map(|mode| plan(mode).run(|_| {}));
        for figures in [&flood, &tables, &dynamic] {
            assert!(
                figures.common.formed.is_some() && figures.common.answers.recall() >= 0.95,
                "{figures:?}"
            );
        }
        let cost = [&flood, &tables, &dynamic].map(|figures| figures.common.messages_per_query);
        assert!(cost[0] > 2.0 * cost[1] && cost[1] > cost[2], "{cost:?}");
    }

    #[test]
    fn surviving_leaves_search_again_within_thirty_seconds() {
        let figures = GnutellaPlan { fail: 0.1, ..plan(Mode::Dynamic) }.run(|_| {});
        assert_eq!((figures.common.killed, figures.recovered), (2, Some(1.0)), "{figures:?}");
        assert!(figures.common.healed.is_some_and(|healed| healed <= 30.0), "{figures:?}");
        assert!(figures.common.after.as_ref().is_some_and(|after| after.recall() >= 0.9), "{figures:?}");
    }

    #[test]
    fn the_same_plan_runs_the_same_way() {
        let small = GnutellaPlan { nodes: 60, queries: 5, fail: 0.2, ..plan(Mode::Dynamic) };
        let [a, b] = [(); 2].map(|()| small.run(|_| {}));
        assert_eq!((a.common.run.trace, a.common.run.events), (b.common.run.trace, b.common.run.events));
        let other = GnutellaPlan { seed: 2, ..small }.run(|_| {});
        assert_ne!(a.common.run.trace, other.common.run.trace);
    }
}
