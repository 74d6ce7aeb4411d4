//! Everything but the machines: time, the queue, hosts as the network sees them, what is under way.

use crate::config::{Network, Profile, link, micros};
use crate::datagram::Packet;
use crate::host::{Kind, Nic, Slot, host_at};
use crate::payload::Chunk;
use crate::pool::Pool;
use crate::probe::Probe;
use crate::queue::{Event, Queue};
use crate::stream::Conn;
use crate::trace::Trace;
use crate::{Departure, Incident};
use std::collections::BTreeMap;
use throng_machine::{Endpoint, Instant, SplitMix64};

/// Something rare that is to happen.
#[derive(Debug)]
pub(crate) enum Task {
    Tick { host: u32, life: u16, tag: u64 },
    Disk { host: u32, life: u16, tag: u64, bytes: u64, ok: bool },
    Stop { host: u32, life: u16, departure: Departure },
    Incident(Incident),
}

/// The network and its hosts, without their machines.
pub(crate) struct World {
    pub now: u64,
    pub seed: u64,
    pub network: Network,
    pub jitter: u64,
    pub queue: Queue,
    pub hosts: Vec<Slot>,
    /// The hosts' profiles, apart from the slots: a sender asks for its target's.
    pub profiles: Vec<u16>,
    pub kinds: Vec<Kind>,
    pub conns: Pool<Conn>,
    pub chunks: Pool<Chunk>,
    pub packets: Pool<Packet>,
    /// Chunks that wait for a partition to heal, by the end that sent them.
    pub parked: BTreeMap<u32, Vec<u32>>,
    pub tasks: Pool<Option<Task>>,
    /// Partition group of each host; empty while there is no partition.
    pub groups: Vec<u16>,
    pub probe: Probe,
    pub trace: Trace,
}

impl World {
    pub(crate) fn new(seed: u64, network: Network) -> World {
        World {
            now: 0,
            seed,
            jitter: micros(network.jitter),
            network,
            queue: Queue::new(),
            hosts: Vec::new(),
            profiles: Vec::new(),
            kinds: Vec::new(),
            conns: Pool::new(),
            chunks: Pool::new(),
            packets: Pool::new(),
            parked: BTreeMap::new(),
            tasks: Pool::new(),
            groups: Vec::new(),
            probe: Probe::default(),
            trace: Trace::new(),
        }
    }

    pub(crate) fn add_profile(&mut self, profile: Profile) -> u16 {
        let access = micros(profile.access);
        self.kinds.push(Kind { profile, access });
        self.kinds.len() as u16 - 1
    }

    pub(crate) fn add_host(&mut self, profile: u16) -> u32 {
        let host = self.hosts.len() as u32;
        let rng = SplitMix64::new(SplitMix64::mix(self.seed, u64::from(host)));
        self.profiles.push(profile);
        self.hosts.push(Slot { timer: None, nic: None, rng, next_stream: 0, packets: 0, life: 0, up: false });
        if !self.groups.is_empty() {
            self.groups.push(0);
        }
        if self.network.count_hosts {
            self.probe.hosts.push(crate::HostCounters::default());
        }
        host
    }

    pub(crate) fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.queue.push(self.now.saturating_add(delay), event);
    }

    pub(crate) fn task_after(&mut self, delay: u64, task: Task) {
        let task = self.tasks.insert(Some(task));
        self.after(delay, Event::Task(task));
    }

    pub(crate) fn slot(&self, host: u32) -> &Slot {
        &self.hosts[host as usize]
    }

    pub(crate) fn kind(&self, host: u32) -> &Kind {
        &self.kinds[usize::from(self.profiles[host as usize])]
    }

    pub(crate) fn nic(&mut self, host: u32) -> &mut Nic {
        self.hosts[host as usize].nic.get_or_insert_default()
    }

    /// The existing host at an address.
    pub(crate) fn resolve(&self, to: Endpoint) -> Option<u32> {
        host_at(to).filter(|host| (*host as usize) < self.hosts.len())
    }

    /// One-way latency between two hosts in µs.
    pub(crate) fn latency(&self, a: u32, b: u32) -> u64 {
        self.network.latency.micros(self.seed, a, b) + self.kind(a).access + self.kind(b).access
    }

    /// A generator for one packet of a link.
    pub(crate) fn draw(&self, from: u32, to: u32, packet: u64) -> SplitMix64 {
        SplitMix64::new(SplitMix64::mix(SplitMix64::mix(self.seed, link(from, to)), packet))
    }

    /// Whether no partition lies between two hosts.
    pub(crate) fn can_talk(&self, a: u32, b: u32) -> bool {
        self.groups.is_empty() || self.groups[a as usize] == self.groups[b as usize]
    }
}
