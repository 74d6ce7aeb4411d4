#![allow(dead_code)] // Each test file uses a part.
//! A ring in the simulator whose hosts have disks, and what one can ask of its store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_overlay::chord::{Change, Chord, Command, Config, Event, Failure, Host, Put, Start, Want};
use throng_overlay::discovery::{self, Query, Ticket};
use throng_sim::{App, HostId, HostIo, Network, ProfileId, Sim};
use throng_wire::chord::{Record, RingId, own};

pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn config() -> Config {
    Config { vnodes: 1, ..Config::default() }
}

/// A host: its machine, its disk, and what it was told.
pub(crate) struct Node {
    machine: Chord,
    config: Arc<Config>,
    endpoint: Endpoint,
    contact: Option<Endpoint>,
    lives: u32,
    skew: i64,
    disk: BTreeMap<[u8; 32], (Vec<u8>, u32)>,
    /// What the disk says to what is written: done, failed, or nothing.
    answers: Option<bool>,
    events: Vec<Event>,
}

impl App for Node {
    type Machine = Chord;
    fn machine(&mut self) -> &mut Chord {
        &mut self.machine
    }
    fn on_event(&mut self, event: Event, io: &mut HostIo<'_, Self>) {
        if let Event::Persist(id, changes) = event {
            if self.answers != Some(true) {
                if self.answers == Some(false) {
                    io.command(Command::Persisted(id, false));
                }
                return;
            }
            for change in changes {
                match change {
                    Change::Write { id, record, remaining } => {
                        self.disk.insert(id, (record, remaining));
                    }
                    Change::Remove { id } => {
                        self.disk.remove(&id);
                    }
                }
            }
            io.command(Command::Persisted(id, true));
        } else {
            self.events.push(event);
        }
    }
    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        self.lives += 1;
        let clock = 1_700_000_000u64.saturating_add_signed(self.skew);
        let host = Host { clock, ..Host::at(self.endpoint, self.lives * 1_000) };
        self.machine = Chord::new(self.config.clone(), &host);
        for (record, remaining) in self.disk.values().cloned() {
            io.command(Command::Restore { record, remaining });
        }
        let start = match self.contact {
            Some(contact) => Start::Join(vec![contact]),
            None if self.lives == 1 => Start::New,
            None => Start::Join(vec![io.endpoint_of(HostId(1))]),
        };
        io.command(Command::Start(start));
    }
}

/// A ring under test.
pub(crate) struct Rings {
    pub(crate) sim: Sim<Node>,
    config: Arc<Config>,
    tickets: u32,
    skew: i64,
    noted: BTreeMap<String, String>,
}

impl Rings {
    pub(crate) fn new(seed: u64, count: u32, config: Config) -> Rings {
        Rings::on(seed, count, config, Network { jitter: Duration::from_millis(5), ..Network::default() })
    }

    /// A ring in which every tenth host's clock is so many seconds ahead.
    pub(crate) fn skewed(seed: u64, count: u32, config: Config, skew: i64) -> Rings {
        let mut ring = Rings::new(seed, 0, config);
        ring.skew = skew;
        for index in 0..count {
            ring.add(index, Duration::from_millis(u64::from(index) * 10_000 / u64::from(count)));
        }
        ring
    }

    pub(crate) fn on(seed: u64, count: u32, config: Config, network: Network) -> Rings {
        let mut ring = Rings {
            sim: Sim::new(seed, network),
            config: Arc::new(config),
            tickets: 1_000,
            skew: 0,
            noted: BTreeMap::new(),
        };
        for index in 0..count {
            ring.add(index, Duration::from_millis(u64::from(index) * 10_000 / u64::from(count)));
        }
        ring
    }

    fn add(&mut self, index: u32, delay: Duration) -> u32 {
        let at = Endpoint::v4([10, 0, ((index + 1) >> 8) as u8, (index + 1) as u8], 6_881);
        let contact = (index > 0).then(|| Endpoint::v4([10, 0, 0, 1], 6_881));
        let machine = Chord::new(self.config.clone(), &Host::at(at, 1));
        let (config, disk, events) = (self.config.clone(), BTreeMap::new(), Vec::new());
        let skew = if index % 10 == 3 { self.skew } else { 0 };
        let answers = Some(true);
        let node = Node { machine, config, endpoint: at, contact, lives: 0, skew, disk, answers, events };
        let host = self.sim.add_after(delay, node, ProfileId(0));
        assert_eq!(self.sim.endpoint(host), at);
        index
    }

    pub(crate) fn join_late(&mut self) -> u32 {
        let index = self.sim.host_count();
        self.add(index, Duration::ZERO)
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.sim.run_for(time);
    }

    /// Until the ring is calm.
    pub(crate) fn settle(&mut self) {
        self.run(s(240));
    }

    pub(crate) fn command(&mut self, host: u32, command: Command) {
        self.sim.command(HostId(host), command);
    }

    pub(crate) fn events(&mut self, host: u32) -> Vec<Event> {
        std::mem::take(&mut self.sim.app_mut(HostId(host)).events)
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn wait<T>(&mut self, host: u32, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        for _ in 0..6_000 {
            if let Some(found) = self.sim.app(HostId(host)).events.iter().find_map(&mut pick) {
                return found;
            }
            self.run(Duration::from_millis(10));
        }
        let events = &self.sim.app(HostId(host)).events;
        unreachable!("nothing within a minute of {:?}; told: {events:?}", self.sim.now());
    }

    fn stored(&mut self, host: u32, put: Put) -> Result<(u32, u32, [u8; 32]), Failure> {
        let wanted = self.ticket();
        self.command(host, Command::Put(wanted, put));
        self.wait(host, |event| match event {
            Event::Stored { ticket, copies, of, hash, .. } if *ticket == wanted => {
                Some(Ok((*copies, *of, *hash)))
            }
            Event::Failed { ticket, failure } if *ticket == wanted => Some(Err(failure.clone())),
            _ => None,
        })
    }

    /// Puts, and waits for copies and how many there should be.
    pub(crate) fn put(&mut self, host: u32, put: Put) -> Result<(u32, u32), Failure> {
        self.stored(host, put).map(|(copies, of, _)| (copies, of))
    }

    /// Puts at some host that is up.
    pub(crate) fn put_any(&mut self, n: u32, put: Put) -> Result<(u32, u32), Failure> {
        let host = self.up(n);
        self.put(host, put)
    }

    pub(crate) fn put_hash(&mut self, host: u32, put: Put) -> [u8; 32] {
        self.stored(host, put).expect("it is stored").2
    }

    pub(crate) fn get(&mut self, host: u32, want: Want) -> Result<Vec<Vec<u8>>, Failure> {
        let wanted = self.ticket();
        self.command(host, Command::Get(wanted, want));
        self.wait(host, |event| match event {
            Event::Got { ticket, values, .. } if *ticket == wanted => {
                Some(Ok(values.iter().map(|value| value.bytes.clone()).collect()))
            }
            Event::Failed { ticket, failure } if *ticket == wanted => Some(Err(failure.clone())),
            _ => None,
        })
    }

    /// The nth of the hosts that are up, round and round.
    pub(crate) fn up(&self, n: u32) -> u32 {
        let up: Vec<u32> = (0..self.sim.host_count()).filter(|host| self.sim.is_up(HostId(*host))).collect();
        up[n as usize % up.len()]
    }

    /// So many names, each put by another host.
    pub(crate) fn fill(&mut self, count: u32) {
        for n in 0..count {
            let (name, value) = (format!("name {n}").into_bytes(), format!("value {n}").into_bytes());
            self.put_any(n, Put::Entry { name, value, ttl: s(86_400) }).expect("it is stored");
        }
    }

    /// Gets them all from anywhere.
    pub(crate) fn get_all(&mut self, count: u32) {
        for n in 0..count {
            let host = self.up(n + 3);
            let got = self.get(host, Want::Entry { name: format!("name {n}").into_bytes(), writer: None });
            assert_eq!(got, Ok(vec![format!("value {n}").into_bytes()]), "name {n} at {:?}", self.sim.now());
        }
    }

    pub(crate) fn public_key(&self, host: u32) -> [u8; 32] {
        let seed = Host::at(self.sim.endpoint(HostId(host)), 1).key_seed;
        ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes()
    }

    /// All records on the disk of a host.
    pub(crate) fn on_disk(&self, host: u32) -> impl Iterator<Item = Record<'_>> {
        let bodies = self.sim.app(HostId(host)).disk.values();
        bodies.filter_map(|(body, _)| Record::decode(body).ok())
    }

    /// Ring keys of all records on the disks of hosts that are up, and at how many.
    fn held(&self) -> BTreeMap<RingId, Vec<u32>> {
        let mut held = BTreeMap::<RingId, Vec<u32>>::new();
        for host in (0..self.sim.host_count()).filter(|host| self.sim.is_up(HostId(*host))) {
            for (body, _) in self.sim.app(HostId(host)).disk.values() {
                let key = Record::decode(body).expect("a record").ring_key();
                held.entry(key).or_default().push(host);
            }
        }
        held
    }

    /// Copies of each record.
    pub(crate) fn copies(&self) -> Vec<usize> {
        self.held().values().map(Vec::len).collect()
    }

    /// What a host owns.
    pub(crate) fn range(&self, host: u32) -> (RingId, RingId) {
        let view = self.sim.app(HostId(host)).machine.view(0).expect("a virtual node");
        (view.claim.low().expect("active"), view.me.id)
    }

    /// Who owns each record's key.
    pub(crate) fn owners(&self) -> BTreeMap<RingId, u32> {
        let active = |host: &u32| {
            let view = self.sim.app(HostId(*host)).machine.view(0);
            self.sim.is_up(HostId(*host)) && view.is_some_and(|view| view.claim.is_active())
        };
        let active: Vec<u32> = (0..self.sim.host_count()).filter(active).collect();
        let owner = |key: RingId| {
            let mut owners = active.iter().filter(|host| {
                let (low, me) = self.range(**host);
                own(low, key, me)
            });
            *owners.next().expect("an owner")
        };
        self.held().into_keys().map(|key| (key, owner(key))).collect()
    }

    /// Records that their owner does not hold.
    pub(crate) fn missing_at_owners(&self) -> usize {
        let (held, owners) = (self.held(), self.owners());
        held.iter().filter(|(key, hosts)| !hosts.contains(&owners[key])).count()
    }

    /// A host and those that follow it on the ring.
    pub(crate) fn neighbours(&self, n: u32, count: usize) -> Vec<u32> {
        let up = (0..self.sim.host_count()).filter(|host| self.sim.is_up(HostId(*host)));
        let id = |host: &u32| self.sim.app(HostId(*host)).machine.view(0).expect("a virtual node").me.id;
        let mut ring: Vec<u32> = up.collect();
        ring.sort_by_key(id);
        (0..count).map(|step| ring[(n as usize + step) % ring.len()]).collect()
    }

    pub(crate) fn discover(&mut self, host: u32, command: discovery::Command) -> Vec<discovery::Event> {
        self.events(host);
        self.command(host, Command::Discovery(command));
        self.wait(host, |event| match event {
            Event::Discovery(discovery::Event::Finished(_) | discovery::Event::Refused(..)) => Some(()),
            _ => None,
        });
        let events = self.events(host).into_iter();
        events
            .filter_map(|event| match event {
                Event::Discovery(event) => Some(event),
                _ => None,
            })
            .collect()
    }

    /// What the disk of a host says from now on.
    pub(crate) fn disk(&mut self, host: u32, answers: Option<bool>) {
        self.sim.app_mut(HostId(host)).answers = answers;
    }

    pub(crate) fn status(&self, host: u32) -> throng_overlay::chord::StoreStatus {
        self.sim.app(HostId(host)).machine.store()
    }

    /// This was acknowledged.
    pub(crate) fn note(&mut self, name: String, value: &str) {
        self.noted.insert(name, value.to_owned());
    }

    /// What was acknowledged last under each name is what anybody gets.
    pub(crate) fn get_noted(&mut self) {
        for (n, (name, value)) in (0..).zip(self.noted.clone()) {
            let host = self.up(n + 5);
            match self.get(host, Want::Entry { name: name.clone().into_bytes(), writer: None }) {
                Ok(values) => {
                    let newest = values.first().map(|value| String::from_utf8_lossy(value).into_owned());
                    assert!(
                        newest.as_ref().is_some_and(|newest| *newest >= value),
                        "{name}: {newest:?} instead of {value} at {:?}",
                        self.sim.now()
                    );
                }
                // A host that has only just started may not be a member yet.
                Err(failure) => assert_eq!(failure, Failure::NotJoined, "{name}"),
            }
        }
    }

    /// Titles found, sorted.
    pub(crate) fn find(&mut self, host: u32, words: &str) -> Vec<String> {
        self.find_many(host, words, 20)
    }

    pub(crate) fn find_many(&mut self, host: u32, words: &str, limit: u32) -> Vec<String> {
        let words = words.split(' ').map(String::from).collect();
        let ticket = self.ticket();
        let query = Query { words, limit, timeout: s(30) };
        let found = self.discover(host, discovery::Command::Find(ticket, query)).into_iter();
        let mut titles: Vec<String> = found
            .filter_map(|event| match event {
                discovery::Event::Found { item, .. } => Some(item.title),
                _ => None,
            })
            .collect();
        titles.sort();
        titles
    }
}
