//! The application's side of a host.

use crate::config::micros;
use crate::host::{HostId, endpoint, nanos};
use crate::pool::Pool;
use crate::probe::Probe;
use crate::queue::Event;
use crate::world::{Task, World};
use crate::{Departure, config::chance};
use std::collections::VecDeque;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Extent, Instant, Machine};

/// One host: its machine and the application that answers the machine's events.
///
/// All methods but the first two have a default that does nothing.
pub trait App: Sized {
    /// The protocol under test.
    type Machine: Machine;

    /// The host's machine.
    fn machine(&mut self) -> &mut Self::Machine;
    /// The machine says something.
    fn on_event(&mut self, event: <Self::Machine as Machine>::Event, io: &mut HostIo<'_, Self>);
    /// The host starts, for the first time or again.
    fn on_start(&mut self, _io: &mut HostIo<'_, Self>) {}
    /// The host is gone: forget all that its disk would not have kept. Called before a later `on_start`.
    fn on_stop(&mut self) {}
    /// What [`HostIo::tick_after`] asked for.
    fn on_tick(&mut self, _tag: u64, _io: &mut HostIo<'_, Self>) {}
    /// A disk operation ([`HostIo::disk`]) is done, well or not.
    fn on_disk(&mut self, _tag: u64, _ok: bool, _io: &mut HostIo<'_, Self>) {}
    /// The machine says where received file data belongs.
    fn on_place(&mut self, _placed: Placed<'_>, _io: &mut HostIo<'_, Self>) {}
    /// The machine sends stored file data: what the disk makes of it.
    fn on_read(&mut self, _extent: Extent, _io: &mut HostIo<'_, Self>) -> ReadOutcome {
        ReadOutcome::Good
    }
}

/// What became of reading stored file data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadOutcome {
    /// It is sent as it should be.
    Good,
    /// It is sent, but wrong: the receiver's [`Placed`] is marked.
    Corrupt,
    /// It can't be read: the stream breaks.
    Failed,
}

/// Received file data and where the machine says it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Where it belongs in this host's content.
    pub extent: Extent,
    /// Whether it is not what belongs there: marked corrupt by the sender, taken from another offset of its
    /// content, or reaching beyond the input it was said to lie in.
    pub corrupt: bool,
    /// The bytes, if they were real ones.
    pub bytes: Option<&'a [u8]>,
}

/// A command that waits for its time.
pub(crate) struct Later<C> {
    pub host: u32,
    pub life: u16,
    pub command: C,
}

pub(crate) type CommandOf<A> = <<A as App>::Machine as Machine>::Command;

/// What an application may do while it handles something.
pub struct HostIo<'a, A: App> {
    pub(crate) host: u32,
    pub(crate) world: &'a mut World,
    pub(crate) commands: &'a mut VecDeque<CommandOf<A>>,
    pub(crate) later: &'a mut Pool<Option<Later<CommandOf<A>>>>,
}

impl<A: App> HostIo<'_, A> {
    /// This host.
    pub fn host(&self) -> HostId {
        HostId(self.host)
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.world.instant()
    }

    /// This host's address and port.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint_of(HostId(self.host))
    }

    /// A host's address and port; an unknown host has this host's port.
    pub fn endpoint_of(&self, host: HostId) -> Endpoint {
        let known = if (host.0 as usize) < self.world.hosts.len() { host.0 } else { self.host };
        endpoint(host.0, self.world.kind(known).profile.port)
    }

    /// The host's entropy, shared with its machine.
    pub fn rng(&mut self) -> &mut dyn Entropy {
        &mut self.world.hosts[self.host as usize].rng
    }

    /// Gives the machine a command as soon as this callback is done.
    pub fn command(&mut self, command: CommandOf<A>) {
        self.commands.push_back(command);
    }

    /// Gives the machine a command later, if the host is then still up and was not restarted.
    pub fn command_after(&mut self, delay: Duration, command: CommandOf<A>) {
        let life = self.world.slot(self.host).life;
        let index = self.later.insert(Some(Later { host: self.host, life, command }));
        self.world.after(micros(delay), Event::Command(index));
    }

    /// Calls [`App::on_tick`] later, if the host is then still up and was not restarted.
    pub fn tick_after(&mut self, delay: Duration, tag: u64) {
        let task = Task::Tick { host: self.host, life: self.world.slot(self.host).life, tag };
        self.world.task_after(micros(delay), task);
    }

    /// Begins a disk operation of that many bytes; [`App::on_disk`] follows when the disk is through.
    pub fn disk(&mut self, bytes: u64, tag: u64) {
        let host = self.host;
        let (disk, now) = (self.world.kind(host).profile.disk, self.world.now);
        let nic = self.world.nic(host);
        let start = nic.disk_free.max(now.saturating_mul(1_000));
        let transfer = disk.rate.map_or(0, |rate| nanos(bytes, rate));
        nic.disk_free =
            start.saturating_add(transfer).saturating_add(micros(disk.latency).saturating_mul(1_000));
        let delay = nic.disk_free.div_ceil(1_000) - now;
        let slot = &mut self.world.hosts[host as usize];
        let ok = !chance(&mut slot.rng, disk.failures);
        let task = Task::Disk { host, life: slot.life, tag, bytes, ok };
        self.world.task_after(delay, task);
    }

    /// Takes this host off the network as soon as this callback is done.
    pub fn stop(&mut self, departure: Departure) {
        let task = Task::Stop { host: self.host, life: self.world.slot(self.host).life, departure };
        self.world.task_after(0, task);
    }

    /// Records a value in the histogram of that name.
    pub fn record(&mut self, name: &'static str, value: u64) {
        self.world.probe.record(name, value);
    }

    /// The measurements so far.
    pub fn probe(&self) -> &Probe {
        &self.world.probe
    }
}
