//! The handle on a running node of the ring.

use super::glue::{Counts, Glue, Told};
use super::records::{Records, RecordsError};
use super::writer::{Done, Job, Writer, wall_clock};
use crate::net::socket::Source;
use crate::net::{Driver, NetConfig, Sockets, Traffic};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use throng_machine::Machine;
use throng_overlay::chord::{Command, Event, Failure, Put, Start, Value, Want};
use throng_overlay::discovery;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

/// Choices for a node of the ring.
#[derive(Clone, Debug)]
pub struct RingConfig {
    /// Where outgoing connections leave from; the system's choice.
    pub source: Source,
    /// The database of the records; `None` keeps them in memory only.
    pub records: Option<PathBuf>,
}

/// Why a node of the ring cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The port cannot be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The records cannot be used.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// What became of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Hosts that have it on their disks.
    pub copies: u32,
    /// Hosts that should.
    pub of: u32,
    /// Its version.
    pub seq: u64,
    /// The handle of an immutable value.
    pub hash: [u8; 32],
}

/// What a get found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Got {
    /// Newest first; empty if there is nothing.
    pub values: Vec<Value>,
    /// Hosts contacted on the way to the owner, the owner included.
    pub hops: u32,
}

/// A running node; clones are handles on the same one.
pub struct Ring<M: Machine<Command = Command, Event = Event> + 'static> {
    driver: Driver<Glue<M>>,
    local_addr: SocketAddr,
    contacts: Vec<SocketAddr>,
}

impl<M: Machine<Command = Command, Event = Event> + 'static> Clone for Ring<M> {
    fn clone(&self) -> Self {
        Ring { driver: self.driver.clone(), local_addr: self.local_addr, contacts: self.contacts.clone() }
    }
}

impl<M: Machine<Command = Command, Event = Event> + 'static> Ring<M> {
    /// Opens the records, makes the machine with the address that `sockets` are bound to, and gives it the records
    /// that have not expired. It joins nothing before [`Ring::begin`]. Within a `LocalSet`; blocks for the disk.
    pub fn start(
        config: &RingConfig,
        sockets: Sockets,
        machine: impl FnOnce(SocketAddr) -> M,
    ) -> Result<(Ring<M>, UnboundedReceiver<Told>), RingError> {
        let local_addr = sockets.local_addr().ok_or(io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        let source = config.source.or_listening(local_addr.ip());
        let net = NetConfig { listen: Some(local_addr), datagrams: true, source, ..NetConfig::default() };
        let (mut records, notice) = match &config.records {
            Some(path) => Records::open(path)?,
            None => (Records::in_memory()?, None),
        };
        let contacts = records.contacts()?;
        let mut restored = Vec::new();
        records.restore(wall_clock(), |record| restored.push(record))?;
        let (done, finished) = unbounded_channel();
        let (tell, told) = unbounded_channel();
        if let Some(notice) = notice {
            let _ = tell.send(Told::Disk(Some(notice.to_string())));
        }
        let glue = Glue::new(Writer::start(records, done)?, tell);
        let driver = Driver::start(machine(local_addr), glue, sockets, net)?;
        spawn_local(report(driver.clone(), finished));
        for one in restored {
            driver.command(Command::Restore { record: one.record, remaining: one.remaining });
        }
        Ok((Ring { driver, local_addr, contacts }, told))
    }

    /// Enters a ring, or makes one.
    pub fn begin(&self, start: Start) {
        self.driver.command(Command::Start(start));
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Whom it knew when it last ran.
    pub fn contacts(&self) -> &[SocketAddr] {
        &self.contacts
    }

    /// Remembers whom it knows, for the next start.
    pub fn keep_contacts(&self, contacts: Vec<SocketAddr>) {
        self.driver.look(|_, glue| glue.writer.ask(Job::Contacts(contacts)));
    }

    /// Stores; returns once the write quorum has it.
    pub async fn put(&self, put: Put) -> Result<Kept, Failure> {
        let answer = self.driver.with_app(|glue, commands| glue.put(put, commands));
        answer.await.unwrap_or(Err(Failure::Unanswered))
    }

    /// Reads.
    pub async fn get(&self, want: Want) -> Result<Got, Failure> {
        let answer = self.driver.with_app(|glue, commands| glue.get(want, commands));
        answer.await.unwrap_or(Err(Failure::Unanswered))
    }

    /// Publish, withdraw, find, cancel; tickets below 2^31. What comes of it is told.
    pub fn discover(&self, command: discovery::Command) {
        self.driver.command(Command::Discovery(command));
    }

    /// Hands over and says goodbye; `Left` is told when it may stop.
    pub fn leave(&self) {
        self.driver.command(Command::Leave);
    }

    /// Looks at the machine.
    pub fn look<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        self.driver.look(|machine, _| look(machine))
    }

    /// What its sockets have carried.
    pub fn traffic(&self) -> Traffic {
        self.driver.traffic()
    }

    /// What was asked here and what came of it.
    pub fn counts(&self) -> Counts {
        self.driver.look(|_, glue| glue.counts)
    }

    /// Why the disk refuses records, in a line for people, while it does.
    pub fn trouble(&self) -> Option<String> {
        self.driver.look(|_, glue| glue.trouble.clone())
    }

    /// Waits until all that was to reach the disk has.
    pub async fn flush(&self) {
        let (reply, flushed) = oneshot::channel();
        self.driver.look(|_, glue| glue.writer.ask(Job::Flush(reply)));
        // Dropped without an answer: the thread has ended, and nothing waits.
        let _ = flushed.await;
    }

    #[cfg(test)]
    pub(super) fn fill_up(&self, full: bool) {
        self.driver.look(|_, glue| glue.writer.ask(Job::FillUp(full)));
    }
}

/// Tells the machine what the disk thread has finished.
async fn report<M>(driver: Driver<Glue<M>>, mut finished: UnboundedReceiver<Done>)
where
    M: Machine<Command = Command, Event = Event> + 'static,
{
    while let Some(done) = finished.recv().await {
        driver.with_app(|glue, commands| glue.on_done(done, commands));
    }
}
