//! A simulated network of nodes and what they tell.

use crate::discovery::{Item, Query, Ticket};
use crate::supernode::{Command, Config, Event, FoundFile, Node, Role};
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::{Endpoint, SplitMix64};
use throng_sim::{App, HostId, HostIo, Network, Profile, ProfileId, Sim};

pub(super) const PORT: u16 = 1_214;

/// A node and all that it told.
pub(super) struct Host {
    pub(super) node: Node,
    pub(super) told: Vec<Event>,
    join: Vec<Endpoint>,
}

impl App for Host {
    type Machine = Node;

    fn machine(&mut self) -> &mut Node {
        &mut self.node
    }

    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        let delay = Duration::from_millis(u64::from(io.rng().below(2_000)));
        io.command_after(delay, Command::Join(self.join.clone()));
    }

    fn on_event(&mut self, event: Event, _: &mut HostIo<'_, Self>) {
        self.told.push(event);
    }
}

impl Host {
    pub(super) fn found(&self, ticket: u32) -> Vec<&FoundFile> {
        let hit = |event: &'_ Event| matches!(event, Event::Found(at, _) if *at == Ticket(ticket));
        let hits = self.told.iter().filter(|event| hit(event));
        hits.filter_map(|event| if let Event::Found(_, file) = event { Some(&**file) } else { None })
            .collect()
    }
}

/// A network with so many supernodes, then so many ordinary nodes, each of whom knows one supernode.
pub(super) struct Net {
    pub(super) sim: Sim<Host>,
    rng: SplitMix64,
}

impl Net {
    pub(super) fn new(seed: u64) -> Net {
        let mut sim = Sim::new(seed, Network::default());
        sim.add_profile(Profile { port: PORT, ..Profile::default() });
        Net { sim, rng: SplitMix64::new(seed ^ 0x5555) }
    }

    pub(super) fn at(&self, host: u32) -> Endpoint {
        self.sim.endpoint(HostId(host))
    }

    pub(super) fn v4(&self, host: u32) -> SocketAddrV4 {
        crate::supernode::v4(self.at(host)).unwrap()
    }

    /// Adds a node that knows some others.
    pub(super) fn add(&mut self, role: Role, knows: &[u32], change: impl FnOnce(&mut Config)) -> u32 {
        let number = self.sim.host_count();
        let mut config =
            Config { role, user: format!("user{number}").into_bytes(), port: PORT, ..Config::default() };
        change(&mut config);
        let node = Node::new(config, &mut self.rng, self.sim.now());
        let join = knows.iter().map(|host| self.at(*host)).collect();
        let host = Host { node, told: Vec::new(), join };
        self.sim.add(host, ProfileId(1));
        number
    }

    /// Supernodes that know the first, then ordinary nodes dealt out among them.
    pub(super) fn tiers(seed: u64, supernodes: u32, ordinary: u32) -> Net {
        let mut net = Net::new(seed);
        for number in 0..supernodes {
            let knows: &[u32] = if number == 0 { &[] } else { &[0] };
            net.add(Role::Super, knows, |config| {
                // Simulated addresses: host 0 is 10.0.0.1.
                let at = throng_machine::Endpoint::v4((0x0a00_0001 + number).to_be_bytes(), PORT);
                config.address = crate::supernode::v4(at);
            });
        }
        for number in 0..ordinary {
            net.add(Role::Ordinary, &[number % supernodes], |_| {});
        }
        net
    }

    pub(super) fn run(&mut self, seconds: u64) {
        self.sim.run_for(Duration::from_secs(seconds));
    }

    pub(super) fn command(&mut self, host: u32, command: Command) {
        self.sim.command(HostId(host), command);
    }

    pub(super) fn publish(&mut self, host: u32, title: &str, hash: u8) {
        let item = Item {
            title: title.into(),
            size: 1 << 20,
            ft_hash: Some([hash; 20]),
            root: Some([hash; 32]),
            ..Item::default()
        };
        self.command(host, Command::Publish(Ticket(u32::from(hash)), item, None));
    }

    pub(super) fn find(&mut self, host: u32, ticket: u32, words: &str) {
        let words = words.split(' ').map(str::to_owned).collect();
        let query = Query { words, limit: 50, timeout: Duration::from_secs(30) };
        self.command(host, Command::Find(Ticket(ticket), query));
    }

    pub(super) fn host(&self, host: u32) -> &Host {
        self.sim.app(HostId(host))
    }

    pub(super) fn attached(&self, from: u32) -> usize {
        let is = |host: &u32| self.host(*host).node.client().supernode().is_some();
        (from..self.sim.host_count()).filter(is).count()
    }
}
