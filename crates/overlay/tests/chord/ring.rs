//! A ring in the simulator and what must hold of it.

use std::sync::Arc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_overlay::chord::{Chord, Command, Config, Event, Host, Start, View};
use throng_sim::{App, HostId, HostIo, Network, ProfileId, Sim};
use throng_wire::chord::{Mode, RingId, btw, dist};

/// A host: its machine, and how it begins.
pub(crate) struct Node {
    machine: Chord,
    config: Arc<Config>,
    endpoint: Endpoint,
    contact: Option<Endpoint>,
    founders: Vec<Endpoint>,
    lives: u32,
    pub(crate) events: Vec<Event>,
}

impl App for Node {
    type Machine = Chord;
    fn machine(&mut self) -> &mut Chord {
        &mut self.machine
    }
    fn on_event(&mut self, event: Event, _io: &mut HostIo<'_, Self>) {
        self.events.push(event);
    }
    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        self.lives += 1;
        self.machine = Chord::new(self.config.clone(), &Host::at(self.endpoint, self.lives * 1_000));
        let start = match self.contact {
            _ if !self.founders.is_empty() => Start::Together(self.founders.clone()),
            Some(contact) => Start::Join(vec![contact]),
            None if self.lives == 1 => Start::New,
            None => Start::Join(vec![io.endpoint_of(HostId(1))]),
        };
        io.command(Command::Start(start));
    }
}

/// A LAN: a few milliseconds, a little jitter.
pub(crate) fn lan() -> Network {
    Network { jitter: Duration::from_millis(5), ..Network::default() }
}

fn address(index: u32) -> Endpoint {
    Endpoint::v4([10, 0, ((index + 1) >> 8) as u8, (index + 1) as u8], 6_881)
}

/// A ring under test.
pub(crate) struct Ring {
    pub(crate) sim: Sim<Node>,
}

impl Ring {
    /// `count` hosts: the first begins alone, the others join through it within ten seconds.
    pub(crate) fn new(seed: u64, count: u32, config: Config, network: Network) -> Ring {
        Ring::begin((seed, count), config, network, (Duration::from_secs(10), false))
    }

    /// The same within another time, or all of them `together`.
    pub(crate) fn begin(
        (seed, count): (u64, u32),
        config: Config,
        network: Network,
        (within, together): (Duration, bool),
    ) -> Ring {
        let all = (0..count).map(address).collect();
        let founders: Vec<Endpoint> = if together { all } else { Vec::new() };
        let mut sim = Sim::new(seed, network);
        let config = Arc::new(config);
        for index in 0..count {
            let at = address(index);
            let contact = (index > 0).then(|| address(0));
            let machine = Chord::new(config.clone(), &Host::at(at, 1));
            let (config, founders) = (config.clone(), founders.clone());
            let node =
                Node { machine, config, endpoint: at, contact, founders, lives: 0, events: Vec::new() };
            let delay = within * index / count;
            let host = sim.add_after(delay, node, ProfileId(0));
            assert_eq!(sim.endpoint(host), at);
        }
        Ring { sim }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.sim.run_for(time);
    }

    pub(crate) fn view(&self, host: u32) -> View {
        self.sim.app(HostId(host)).machine.view(0).expect("the first virtual node exists")
    }

    pub(crate) fn machine(&self, host: u32) -> &Chord {
        &self.sim.app(HostId(host)).machine
    }

    /// All virtual nodes of hosts that are up, sorted by id.
    pub(crate) fn views(&self) -> Vec<View> {
        let up = (0..self.sim.host_count()).filter(|host| self.sim.is_up(HostId(*host)));
        let mut all: Vec<View> = up
            .flat_map(|host| {
                let machine = self.machine(host);
                (0..machine.vnode_count()).filter_map(|vnode| machine.view(vnode)).collect::<Vec<_>>()
            })
            .collect();
        all.sort_by_key(|view| view.me.id);
        all
    }

    /// What is not ideal: every list the next min(r, n-1) members in order, every predecessor the previous member.
    pub(crate) fn flaws(&self) -> Vec<String> {
        let views = self.views();
        let mut flaws = Vec::new();
        let n = views.len();
        for (at, view) in views.iter().enumerate() {
            if !matches!(view.mode, Mode::Solo | Mode::Small | Mode::Ring) {
                flaws.push(format!("{} is {:?}", view.me.endpoint, view.mode));
                continue;
            }
            // A head that keeps fewer can fill a list to no more than one beyond its own.
            let least = views.iter().map(|view| usize::from(view.most)).min().unwrap_or(0);
            let r = view.list.len().max(least.min(n - 1)).min(n - 1);
            let ideal: Vec<_> = (1..=r).map(|step| views[(at + step) % n].me).collect();
            if view.list != ideal {
                flaws.push(format!(
                    "{} ({:?}) has {:?}, not {:?}",
                    view.me.endpoint,
                    view.mode,
                    view.list.iter().map(|node| node.endpoint).collect::<Vec<_>>(),
                    ideal.iter().map(|node| node.endpoint).collect::<Vec<_>>()
                ));
            }
            let prdc = views[(at + n - 1) % n].me;
            if n > 1 && view.prdc != Some(prdc) {
                flaws.push(format!(
                    "{} has predecessor {:?}, not {}",
                    view.me.endpoint, view.prdc, prdc.endpoint
                ));
            }
        }
        flaws
    }

    pub(crate) fn assert_ideal(&self) {
        let flaws = self.flaws();
        assert!(
            flaws.is_empty(),
            "at {:?}: {} flaws\n{}",
            self.sim.now(),
            flaws.len(),
            flaws[..flaws.len().min(6)].join("\n")
        );
    }

    /// The ranges of active nodes cover the ring once.
    pub(crate) fn assert_owned(&self) {
        let views = self.views();
        let n = views.len();
        for (at, view) in views.iter().enumerate() {
            let prdc = views[(at + n - 1) % n].me;
            let next = &views[(at + 1) % n];
            assert_eq!(view.claim.low(), Some(prdc.id), "{view:#?}\nits successor {next:#?}");
        }
    }

    /// Pairs of active nodes whose ranges overlap now.
    pub(crate) fn overlaps(&self) -> usize {
        let views = self.views();
        let active: Vec<(RingId, RingId)> =
            views.iter().filter_map(|view| Some((view.claim.low()?, view.me.id))).collect();
        let inside = |(low, high): (RingId, RingId), id| btw(low, id, high);
        let pairs =
            active.iter().enumerate().flat_map(|(at, a)| active[at + 1..].iter().map(move |b| (a, b)));
        pairs.filter(|(a, b)| inside(**a, b.1) || inside(**b, a.1)).count()
    }

    /// Share of the ring that nobody owns, in millionths.
    pub(crate) fn gaps(&self) -> u64 {
        let views = self.views();
        let owned: f64 =
            views.iter().filter_map(|view| Some(dist(view.claim.low()?, view.me.id).fraction())).sum();
        ((1.0 - owned).max(0.0) * 1e6) as u64
    }
}
