//! The simulation as its user sees it.

use crate::app::{CommandOf, HostIo, Later};
use crate::config::{Network, Profile, micros};
use crate::host::{HostId, MOST_HOSTS, ProfileId, endpoint};
use crate::pool::Pool;
use crate::probe::Probe;
use crate::queue::Event;
use crate::trace::Trace;
use crate::world::{Task, World};
use crate::{App, Incident};
use std::collections::VecDeque;
use std::time::Duration;
use throng_machine::{Endpoint, Instant, Machine, Outbox};

/// A simulation: hosts, the network between them, and virtual time, on one thread.
///
/// Whatever is done to it from outside happens at the present virtual time, at once. Methods that look at one host
/// panic if it was never added.
pub struct Sim<A: App> {
    pub(crate) world: World,
    pub(crate) apps: Vec<A>,
    pub(crate) outbox: Outbox,
    pub(crate) events: Vec<<A::Machine as Machine>::Event>,
    pub(crate) commands: VecDeque<CommandOf<A>>,
    pub(crate) later: Pool<Option<Later<CommandOf<A>>>>,
}

impl<A: App> Sim<A> {
    /// An empty network. Profile 0 exists: no NAT, no limits.
    pub fn new(seed: u64, network: Network) -> Sim<A> {
        let mut world = World::new(seed, network);
        world.add_profile(Profile::default());
        let (outbox, events, commands) = (Outbox::new(), Vec::new(), VecDeque::new());
        Sim { world, apps: Vec::new(), outbox, events, commands, later: Pool::new() }
    }

    /// Makes room for that many more hosts, so that growing does not double the memory.
    pub fn reserve(&mut self, hosts: usize) {
        self.apps.reserve_exact(hosts);
        self.world.hosts.reserve_exact(hosts);
        self.world.profiles.reserve_exact(hosts);
    }

    /// A new kind of host.
    ///
    /// # Panics
    /// Above 65,535 kinds.
    pub fn add_profile(&mut self, profile: Profile) -> ProfileId {
        assert!(self.world.kinds.len() <= usize::from(u16::MAX), "a profile's number has 16 bits");
        ProfileId(self.world.add_profile(profile))
    }

    /// A new host, up at once.
    pub fn add(&mut self, app: A, profile: ProfileId) -> HostId {
        let host = self.add_stopped(app, profile);
        self.start(host.0);
        host
    }

    /// A new host that starts after `delay`.
    pub fn add_after(&mut self, delay: Duration, app: A, profile: ProfileId) -> HostId {
        let host = self.add_stopped(app, profile);
        self.world.after(micros(delay), Event::Start(host.0));
        host
    }

    /// A new host that is down.
    ///
    /// # Panics
    /// Above 16,777,215 hosts, and for a profile that does not exist.
    pub fn add_stopped(&mut self, app: A, profile: ProfileId) -> HostId {
        assert!(self.apps.len() < MOST_HOSTS as usize, "hosts have the addresses of 10.0.0.0/8");
        assert!(usize::from(profile.0) < self.world.kinds.len(), "the profile exists");
        self.apps.push(app);
        HostId(self.world.add_host(profile.0))
    }

    /// How many hosts there are, up or not.
    pub fn host_count(&self) -> u32 {
        self.apps.len() as u32
    }

    /// Whether a host is up.
    pub fn is_up(&self, host: HostId) -> bool {
        self.world.hosts.get(host.0 as usize).is_some_and(|slot| slot.up)
    }

    /// How many streams a host has, as its machine knows them.
    pub fn stream_count(&self, host: HostId) -> usize {
        self.world.slot(host.0).nic.as_ref().map_or(0, |nic| nic.stream_count())
    }

    /// A host's address and port.
    pub fn endpoint(&self, host: HostId) -> Endpoint {
        endpoint(host.0, self.world.kind(host.0).profile.port)
    }

    /// A host's application.
    pub fn app(&self, host: HostId) -> &A {
        &self.apps[host.0 as usize]
    }

    /// A host's application; its machine is best spoken to by [`Sim::command`].
    pub fn app_mut(&mut self, host: HostId) -> &mut A {
        &mut self.apps[host.0 as usize]
    }

    /// All applications, in the order of their hosts.
    pub fn apps(&self) -> &[A] {
        &self.apps
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.world.instant()
    }

    /// The measurements so far.
    pub fn probe(&self) -> &Probe {
        &self.world.probe
    }

    /// The hash of all that happened so far.
    pub fn trace(&self) -> &Trace {
        &self.world.trace
    }

    /// How many events wait.
    pub fn pending(&self) -> usize {
        self.world.queue.len()
    }

    /// What is under way or held: connections, chunks, datagrams; all zero when everything has ended.
    pub fn in_use(&self) -> [usize; 3] {
        [self.world.conns.used(), self.world.chunks.used(), self.world.packets.used()]
    }

    /// Gives a host's machine a command now; nothing happens if the host is down.
    pub fn command(&mut self, host: HostId, command: CommandOf<A>) {
        if self.is_up(host) {
            self.commands.push_back(command);
            self.settle(host.0, None);
            self.finish(host.0);
        }
    }

    /// Lets the application act on its host now, as in a callback; nothing happens if the host is down.
    pub fn with(&mut self, host: HostId, act: impl FnOnce(&mut A, &mut HostIo<'_, A>)) {
        if self.is_up(host) {
            self.visit(host.0, act);
        }
    }

    /// Something happens now.
    pub fn incident(&mut self, incident: Incident) {
        self.on_incident(incident);
    }

    /// Something happens after `delay`.
    pub fn incident_after(&mut self, delay: Duration, incident: Incident) {
        self.world.task_after(micros(delay), Task::Incident(incident));
    }

    /// Handles one event, unless the next lies after `until`; says whether it did.
    pub fn step(&mut self, until: Instant) -> bool {
        let Some((time, event)) = self.world.queue.pop(until.as_micros()) else { return false };
        self.world.now = time;
        self.world.probe.totals.events += 1;
        self.dispatch(event);
        true
    }

    /// Runs for that long, then stands at the end of it.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now() + time;
        self.run_while(until, |_| true);
        self.world.now = self.world.now.max(until.as_micros());
    }

    /// Runs while `going` holds, looked at after each event, at most until `until`; says whether it still held.
    pub fn run_while(&mut self, until: Instant, mut going: impl FnMut(&Sim<A>) -> bool) -> bool {
        while going(self) {
            if !self.step(until) {
                return true;
            }
        }
        false
    }

    /// Runs until nothing is left to happen, or until `until`; says whether nothing was left.
    pub fn run_to_end(&mut self, until: Instant) -> bool {
        while self.step(until) {}
        self.pending() == 0
    }
}
