//! A node's membership of Gnutella on real sockets: the servent and its transfers on one port, files of the library
//! shared from where they lie, copies of others fetched range by range, hosts browsed.

mod hosts;
mod shared;
#[cfg(test)]
mod tests;

pub use shared::Offering;

use crate::fetch::Desk;
use crate::http::{self, Carrier, Floor};
use crate::net::{Driver, NetConfig, Sockets, Traffic};
use crate::shelf::Stored;
use bytes::Bytes;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint, Instant};
use throng_overlay::discovery::{self, Item, Source, Ticket};
use throng_overlay::gnutella::{Command, Config, Event, Identity, Servent, Status};
use throng_overlay::http::{self as files, Beside, Both, FetchError, Shared, Transfer};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::spawn_local;

/// How often known servents are written down.
const WRITE_DOWN: Duration = Duration::from_secs(300);

/// What the line carries is measured over this.
const MEASURED: Duration = Duration::from_secs(5);

/// What a member tells: of the overlay, and of transfers what concerns the node.
pub type Told = Both<Event, files::Event>;

/// How a member is to be.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// Choices of the servent.
    pub servent: Config,
    /// Who it is.
    pub me: Identity,
    /// Choices of its transfers; who they say they are is filled in.
    pub files: files::Config,
    /// Where known servents are kept over restarts; `None` forgets them.
    pub hosts: Option<PathBuf>,
}

impl MemberConfig {
    /// The defaults for one of that identity.
    pub fn new(me: Identity, servent: Config) -> MemberConfig {
        let who = files::Identity {
            servent: me.servent,
            agent: servent.agent.clone(),
            user: String::new(),
            address: None,
            supernode: None,
        };
        MemberConfig { servent, me, files: files::Config::new(who), hosts: None }
    }
}

/// A running servent with its transfers; clones are handles on the same one.
#[derive(Clone)]
pub struct Member {
    driver: Driver<Floor<Servent>>,
    hosts: Option<PathBuf>,
}

impl Member {
    /// Starts on the current `LocalSet`. The receiver gets all that single transfers do not take.
    pub fn start(
        config: MemberConfig,
        (sockets, net): (Sockets, NetConfig),
    ) -> io::Result<(Member, UnboundedReceiver<Told>)> {
        let (tell, told) = unbounded_channel();
        let mut servent = Servent::new(Arc::new(config.servent), config.me);
        if let Some(path) = &config.hosts {
            servent.restore(&hosts::read(path)?, Instant::EPOCH);
        }
        let machine = Beside::new(servent, Transfer::new(config.files));
        let driver = Driver::start(machine, Floor::new(tell), sockets, net)?;
        let member = Member { driver, hosts: config.hosts };
        spawn_local(member.clone().write_down());
        spawn_local(member.clone().tell_capacity());
        Ok((member, told))
    }

    /// Gives the servent a command; not for sharing, which needs a file: [`Member::publish`].
    pub fn command(&self, command: Command) {
        self.driver.command(Both::Overlay(command));
    }

    /// Lets a file be found and fetched; told as a publication of that ticket.
    pub fn publish(&self, ticket: Ticket, file: &Offering) {
        http::share(&self.driver, file.shared(ticket), file.stored());
        self.command(Command::Discovery(discovery::Command::Publish(ticket, file.item.clone())));
    }

    /// Serves what is here of a file that is being fetched: these parts, in order, which were checked. Nobody finds it
    /// by a search; whoever it is fetched from, and who fetches it from us, is told of it.
    pub fn share_parts(&self, file: &Offering, parts: Vec<Range<u64>>) {
        let number = Ticket(file.content.0);
        let stored = Stored { modified: None, ..file.stored() };
        http::share(&self.driver, Shared { available: Some(parts), ..file.shared(number) }, stored);
    }

    /// There is more of such a file now.
    pub fn set_parts(&self, content: ContentId, parts: Vec<Range<u64>>) {
        self.driver.files(files::Command::SetAvailable(content, Some(parts)));
    }

    /// Serves it no longer.
    pub fn unshare_parts(&self, content: ContentId) {
        http::unshare(&self.driver, content);
    }

    /// Takes a file back.
    pub fn withdraw(&self, ticket: Ticket, content: ContentId) {
        self.command(Command::Discovery(discovery::Command::Withdraw(ticket)));
        http::unshare(&self.driver, content);
    }

    /// The way to the bytes of a copy that a search found; `None` if it was not found here.
    pub fn source(&self, item: &Item, found: &Source) -> Option<Desk> {
        let Source::Gnutella { .. } = found else { return None };
        let (name, from) = http::source_of(item, found)?;
        Some(http::source(&self.driver, name, from))
    }

    /// The tiger tree of a copy with that root, checked up to it: its lowest level, and how many leaves each of its
    /// hashes covers as a power of two.
    ///
    /// # Errors
    /// Those of any fetch; [`FetchError::NoWay`] if the copy was not found here.
    pub async fn tree(
        &self,
        item: &Item,
        found: &Source,
        root: [u8; 24],
    ) -> Result<(Vec<[u8; 24]>, u32), FetchError> {
        let (_, from) = http::source_of(item, found).ok_or(FetchError::NoWay)?;
        http::tree(&self.driver, from, root).await
    }

    /// All that a host shares, as a row of hits.
    ///
    /// # Errors
    /// Those of any fetch.
    pub async fn browse(&self, at: Endpoint) -> Result<Bytes, FetchError> {
        http::browse(&self.driver, at).await
    }

    /// A source of a file of ours delivered verified data (true), or failed: who fetches it from us is told.
    pub fn judge(&self, content: ContentId, at: Endpoint, good: bool) {
        self.driver.files(files::Command::Judge(content, at, good));
    }

    /// The servent as it stands.
    pub fn status(&self) -> Status {
        let now = self.driver.clock().now();
        self.driver.look(|both, _| both.overlay.status(now))
    }

    /// Transfers as they stand.
    pub fn load(&self) -> Load {
        self.driver.look(|both, _| {
            let (uploads, waiting) = both.files.upload_load();
            let (connections, fetches, shared) = both.files.load();
            Load { uploads, waiting, connections, fetches, shared }
        })
    }

    /// Tells the servent what its line has been seen to carry, by which it may be elected.
    async fn tell_capacity(self) {
        let (mut sent, mut best) = (0, 0);
        loop {
            tokio::time::sleep(MEASURED).await;
            let now = self.traffic().bytes_out;
            let rate = (now - sent) / MEASURED.as_secs();
            // What was seen an hour ago counts a little more than half.
            (sent, best) = (now, rate.max(best - best / 1_024));
            self.command(Command::Capacity(u32::try_from(best * 8 / 1_000).unwrap_or(u32::MAX)));
        }
    }

    async fn write_down(self) {
        loop {
            tokio::time::sleep(WRITE_DOWN).await;
            // The next try is soon, and whoever leaves hears of trouble.
            let _ = self.keep_hosts();
        }
    }

    /// Writes known servents down; blocks for the disk, some 50 KiB.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep_hosts(&self) -> io::Result<()> {
        let Some(path) = &self.hosts else { return Ok(()) };
        let now = self.driver.clock().now();
        hosts::write(path, &self.driver.look(|both, _| both.overlay.known(now)))
    }

    /// What others did wrong while files moved.
    pub fn violations(&self) -> files::Violations {
        self.driver.look(|both, _| *both.files.violations())
    }

    /// What the sockets have carried.
    pub fn traffic(&self) -> Traffic {
        self.driver.traffic()
    }
}

/// Transfers as they stand.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Load {
    /// Uploads that hold a slot.
    pub uploads: usize,
    /// Who waits for one.
    pub waiting: usize,
    /// Connections for files.
    pub connections: usize,
    /// Ranges, trees and lists that are being fetched.
    pub fetches: usize,
    /// Files that are served.
    pub shared: usize,
}
