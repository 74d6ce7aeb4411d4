//! A ring in the simulator, and what can be done to it.

use super::claims::Claims;
use super::host::{Book, Entry, GET, PORT, RingHost};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_overlay::chord::{Chord, Command, Config, Host, LookupMode, Put, RoundTrips, StableRing, Want};
use throng_overlay::discovery::{self, Item, Query, Ticket};
use throng_sim::{Departure, HostId, Incident, Latency, Network, Profile, ProfileId, Sim};
use throng_wire::chord::RingId;

/// How long values are kept in simulations: longer than any run.
const TTL: Duration = Duration::from_secs(86_400);

/// A lookup that was asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its number in the book.
    pub number: u32,
    /// The key.
    pub key: RingId,
    /// Who asked.
    pub asker: Option<u32>,
}

/// A simulated ring.
pub struct World {
    /// The simulation.
    pub sim: Sim<RingHost>,
    /// All its results.
    pub book: Rc<RefCell<Book>>,
    /// How the ring is run.
    pub config: Arc<Config>,
    /// Randomness of the experiment, apart from that of the hosts.
    pub rng: SplitMix64,
    seed: u64,
    latency: Latency,
    profile: ProfileId,
    /// How some of the hosts are slow.
    slow: Option<ProfileId>,
    /// How far hosts' clocks may be off, in seconds, either way.
    skew: u64,
    /// Hosts that are up, in no particular order.
    live: Vec<u32>,
    numbers: u32,
}

/// The address of a host, as the simulator gives it.
pub fn endpoint(host: u32) -> Endpoint {
    let [_, a, b, c] = (host + 1).to_be_bytes();
    Endpoint::v4([10, a, b, c], PORT)
}

/// The host at an address.
pub fn host_of(at: Endpoint) -> Option<u32> {
    match at.ip() {
        std::net::IpAddr::V4(ip) => (u32::from(ip) & 0x00ff_ffff).checked_sub(1),
        std::net::IpAddr::V6(_) => None,
    }
}

impl World {
    /// No host yet.
    pub fn new(seed: u64, config: Config, network: Network) -> World {
        let latency = network.latency;
        let mut sim = Sim::new(seed, network);
        let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
        World {
            sim,
            book: Rc::default(),
            config: Arc::new(config),
            rng: SplitMix64::new(SplitMix64::mix(seed, 0x7269_6e67)),
            seed,
            latency,
            profile,
            slow: None,
            skew: 0,
            live: Vec::new(),
            numbers: 0,
        }
    }

    /// From now on every hundredth host added answers that much later, and clocks are off by up to `skew` seconds.
    pub fn impair(&mut self, late: Duration, skew: u64) {
        let profile = Profile { port: PORT, access: late / 2, ..Profile::default() };
        self.slow = Some(self.sim.add_profile(profile));
        self.skew = skew;
    }

    fn profile_of(&self, host: u32) -> ProfileId {
        self.slow.filter(|_| host % 100 == 7).unwrap_or(self.profile)
    }

    /// What a new host has for itself.
    fn host(&self, host: u32) -> Host {
        let off = SplitMix64::mix(0x636c_6f63, host.into()).checked_rem(2 * self.skew).unwrap_or(0);
        let clock = if self.skew == 0 { 0 } else { 1_000_000 + off };
        Host { clock, ..Host::at(endpoint(host), 1) }
    }

    /// Adds hosts that are members of a calm ring already; those of `dead` are down, and all still know them.
    pub fn bulk(&mut self, hosts: u32, rtt: Option<Duration>, dead: &BTreeSet<u32>) -> StableRing {
        self.bulk_measured(hosts, rtt.map(RoundTrips::Same), dead)
    }

    /// The same with fingers chosen by how near hosts are.
    pub fn bulk_near(&mut self, hosts: u32, dead: &BTreeSet<u32>) -> StableRing {
        let distance = self.distance();
        let between = move |a, b| match (host_of(a), host_of(b)) {
            (Some(a), Some(b)) => 2 * distance(a, b),
            _ => Duration::ZERO,
        };
        self.bulk_measured(hosts, Some(RoundTrips::Between(Arc::new(between))), dead)
    }

    /// The one-way latency between two hosts.
    pub fn distance(&self) -> impl Fn(u32, u32) -> Duration + use<> {
        let (seed, latency) = (self.seed, self.latency);
        move |a, b| latency.between(seed, a, b)
    }

    fn bulk_measured(&mut self, hosts: u32, rtt: Option<RoundTrips>, dead: &BTreeSet<u32>) -> StableRing {
        let mut ring = StableRing::new(&self.config, (0..hosts).map(endpoint), 1);
        if let Some(rtt) = rtt {
            ring = ring.measured(rtt);
        }
        ring.kill(&dead.iter().map(|host| endpoint(*host)).collect());
        self.sim.reserve(hosts as usize);
        let now = self.sim.now();
        for host in 0..hosts {
            let (own, profile) = (self.host(host), self.profile_of(host));
            let machine = Chord::bulk(Arc::clone(&self.config), &own, &ring, now);
            let app = RingHost::member(machine, Arc::clone(&self.config), &own, Rc::clone(&self.book));
            let added = if dead.contains(&host) {
                self.sim.add_stopped(app, profile)
            } else {
                self.live.push(host);
                self.sim.add(app, profile)
            };
            assert_eq!(self.sim.endpoint(added), endpoint(host), "hosts are numbered in order");
        }
        ring
    }

    /// Has answers to lookups judged by what hosts claim; to be called before there are any.
    pub fn judge(&mut self) {
        self.book.borrow_mut().claims = Some(Claims::default());
    }

    /// Adds a host that joins now, through some that are up.
    pub fn join(&mut self) -> u32 {
        let host = self.sim.host_count();
        let known: Vec<Endpoint> = (0..3).filter_map(|_| self.any()).map(endpoint).collect();
        let entry = if known.is_empty() { Entry::First } else { Entry::Through(known) };
        let own = self.host(host);
        let app = RingHost::joining(Arc::clone(&self.config), &own, entry, Rc::clone(&self.book));
        self.sim.add(app, self.profile_of(host));
        self.live.push(host);
        host
    }

    /// Any host that is up.
    pub fn any(&mut self) -> Option<u32> {
        let index = self.rng.below(self.live.len() as u32) as usize;
        self.live.get(index).copied()
    }

    /// Hosts that are up.
    pub fn live(&self) -> &[u32] {
        &self.live
    }

    /// A host's power fails.
    pub fn crash(&mut self, host: u32) {
        self.live.retain(|live| *live != host);
        self.sim.incident(Incident::Stop(host..host + 1, Departure::Silent));
    }

    /// A host that crashed comes back with its disk, through some that are up.
    pub fn back(&mut self, host: u32) {
        let known: Vec<Endpoint> = (0..3).filter_map(|_| self.any()).map(endpoint).collect();
        self.sim.app_mut(HostId(host)).enter_through(Entry::Through(known));
        self.sim.incident(Incident::Start(host..host + 1));
        self.live.push(host);
    }

    /// Bytes of each record on a host's disk.
    pub fn record_bytes(&self, host: u32) -> impl Iterator<Item = f64> {
        self.sim.app(HostId(host)).record_bytes().map(|bytes| bytes as f64)
    }

    /// Many hosts' power fails at the same moment.
    pub fn crash_all(&mut self, hosts: &BTreeSet<u32>) {
        self.live.retain(|live| !hosts.contains(live));
        for host in hosts {
            self.sim.incident(Incident::Stop(*host..*host + 1, Departure::Silent));
        }
    }

    /// A host says goodbye; it is switched off once it has had time to.
    pub fn leave(&mut self, host: u32) {
        self.live.retain(|live| *live != host);
        self.sim.command(HostId(host), Command::Leave);
        let grace = self.config.timers.hand_over + self.config.timers.linger + Duration::from_secs(5);
        self.sim.incident_after(grace, Incident::Stop(host..host + 1, Departure::Silent));
    }

    /// That share of the hosts that are up, drawn at random.
    pub fn share(&mut self, share: f64) -> BTreeSet<u32> {
        let count = (self.live.len() as f64 * share).round() as usize;
        let mut pool = self.live.clone();
        let mut drawn = BTreeSet::new();
        while drawn.len() < count && !pool.is_empty() {
            let index = self.rng.below(pool.len() as u32) as usize;
            drawn.insert(pool.swap_remove(index));
        }
        drawn
    }

    /// A random key.
    pub fn key(&mut self) -> RingId {
        let mut key = RingId::MIN;
        self.rng.fill(&mut key.0);
        key
    }

    /// A random host looks a random key up; the answer is in the book under the number returned.
    pub fn look(&mut self, mode: LookupMode) -> (u32, RingId) {
        let asked = self.ask(mode);
        (asked.number, asked.key)
    }

    /// The same, with who asked.
    pub fn ask(&mut self, mode: LookupMode) -> Asked {
        let (number, key) = (self.number(), self.key());
        let asker = self.any_member();
        if let Some(claims) = self.book.borrow_mut().claims.as_mut() {
            claims.ask(number, key);
        }
        if let Some(host) = asker {
            self.sim.command(HostId(host), Command::Measure { number, key, mode });
        }
        Asked { number, key, asker }
    }

    /// Any host that is a member: one that is still on its way in can ask nothing.
    fn any_member(&mut self) -> Option<u32> {
        for _ in 0..100 {
            let host = self.any()?;
            if self.sim.app(HostId(host)).chord().is_member() {
                return Some(host);
            }
        }
        None
    }

    /// A random host stores a value under the name of that number.
    pub fn put(&mut self, number: u32, value: &[u8]) {
        let put = Put::Entry { name: name(number), value: value.to_vec(), ttl: TTL };
        if let Some(host) = self.any() {
            self.sim.command(HostId(host), Command::Put(Ticket(number), put));
        }
    }

    /// A random host reads the value under the name of that number.
    pub fn get(&mut self, number: u32) {
        let want = Want::Entry { name: name(number), writer: None };
        if let Some(host) = self.any() {
            self.sim.command(HostId(host), Command::Get(Ticket(number | GET), want));
        }
    }

    /// A host publishes an item; the number names it at that host.
    pub fn publish(&mut self, host: u32, number: u32, item: Item) {
        let command = discovery::Command::Publish(Ticket(number), item);
        self.sim.command(HostId(host), Command::Discovery(command));
    }

    /// A host looks for words; the number names the search at that host.
    pub fn find(&mut self, host: u32, number: u32, query: Query) {
        let command = discovery::Command::Find(Ticket(number), query);
        self.sim.command(HostId(host), Command::Discovery(command));
    }

    /// Numbers that were not used before.
    pub fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Runs for that long.
    pub fn run(&mut self, time: Duration) {
        self.sim.run_for(time);
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.sim.now().since(Instant::EPOCH).as_secs_f64()
    }
}

/// The name of the value of that number.
pub fn name(number: u32) -> Vec<u8> {
    format!("value {number}").into_bytes()
}
