//! Servents of a simulated network, and what tests do with them.

use super::*;
use crate::discovery::{self, Ticket};
use std::time::Duration;
use throng_machine::{Instant, SplitMix64};
use throng_sim::{App, HostId, HostIo, Network, Profile, ProfileId, Sim};

/// The port of every simulated servent.
pub(super) const PORT: u16 = 6_346;

/// A servent and what it said.
pub(super) struct Host {
    pub(super) servent: Servent,
    pub(super) events: Vec<(Instant, Event)>,
}

impl App for Host {
    type Machine = Servent;

    fn machine(&mut self) -> &mut Servent {
        &mut self.servent
    }

    fn on_event(&mut self, event: Event, io: &mut HostIo<'_, Self>) {
        self.events.push((io.now(), event));
    }
}

/// A network of servents.
pub(super) struct Net {
    pub(super) sim: Sim<Host>,
    profile: ProfileId,
}

impl Net {
    pub(super) fn new(seed: u64) -> Net {
        let mut sim = Sim::new(seed, Network { fragment: true, ..Network::default() });
        let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
        Net { sim, profile }
    }

    /// One more servent, which enters through these.
    pub(super) fn add(&mut self, config: &Arc<Config>, through: &[HostId]) -> HostId {
        let number = self.sim.host_count();
        let [_, a, b, c] = (number + 1).to_be_bytes();
        let listen = SocketAddrV4::new(Ipv4Addr::new(10, a, b, c), PORT);
        let servent =
            Guid::marked(SplitMix64::mix(7, number.into()).to_le_bytes().repeat(2).try_into().unwrap());
        let me = Identity { servent, listen, key: [number.into(), 1] };
        let host = Host { servent: Servent::new(Arc::clone(config), me), events: Vec::new() };
        let id = self.sim.add(host, self.profile);
        let entries = through.iter().map(|host| self.sim.endpoint(*host)).collect();
        self.sim.command(id, Command::Discovery(discovery::Command::Join(entries)));
        id
    }

    pub(super) fn run(&mut self, seconds: u64) {
        self.sim.run_for(Duration::from_secs(seconds));
    }

    pub(super) fn share(&mut self, host: HostId, name: &str) {
        let mut sha1 = [0; 20];
        name.bytes().zip(&mut sha1).for_each(|(byte, place)| *place = byte);
        let swarm = Some(([name.len() as u8; 32], [0; 32]));
        let file =
            SharedFile { name: name.into(), size: 9, sha1: Some(sha1), swarm, ..SharedFile::default() };
        let index = name.len() as u32;
        self.sim.command(host, Command::Share(index, Arc::new(file)));
    }

    pub(super) fn search(&mut self, host: HostId, ticket: u32, words: &str) {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let query = discovery::Query { words, limit: 100, timeout: Duration::from_secs(120) };
        self.sim.command(host, Command::Discovery(discovery::Command::Find(Ticket(ticket), query)));
    }

    /// Titles found by a search, in the order they came.
    pub(super) fn found(&self, host: HostId, ticket: u32) -> Vec<String> {
        let found = self.sim.app(host).events.iter().filter_map(|(_, event)| match event {
            Event::Discovery(discovery::Event::Found {
                ticket: of,
                item,
                source: discovery::Source::Gnutella { .. },
            }) if of.0 == ticket => Some(item.title.clone()),
            _ => None,
        });
        found.collect()
    }

    pub(super) fn servent(&self, host: HostId) -> &Servent {
        &self.sim.app(host).servent
    }

    /// How many of a kind of message were sent in the whole network.
    pub(super) fn sent(&self, kind: Kind) -> u64 {
        self.sim.apps().iter().map(|host| host.servent.metrics().sent.of(kind)).sum()
    }
}
