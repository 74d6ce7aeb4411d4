//! A node of the supernode network on real sockets: sessions, links and transfers on one port, files of the library
//! shared from where they lie, copies of others fetched range by range.

mod capacity;
mod shared;
#[cfg(test)]
mod tests;

pub use shared::Offering;

use crate::entropy::SystemEntropy;
use crate::fetch::Desk;
use crate::http::{self, Floor};
use crate::net::{Driver, NetConfig, Sockets, Traffic};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use throng_machine::{ContentId, Instant};
use throng_overlay::discovery::{Item, Source, Ticket};
use throng_overlay::http::{self as files, Beside, Both, Transfer};
use throng_overlay::supernode::{Command, Config, Event, Node};
use throng_wire::gnutella::Guid;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::spawn_local;

/// How often a supernode is told again what this machine could give: it grows older, and memory comes and goes.
const CAPACITY_EVERY: Duration = Duration::from_secs(60);

/// What a member tells: of the overlay, and of transfers what concerns the node.
pub type Told = Both<Event, files::Event>;

/// A running node with its transfers; clones are handles on the same one.
#[derive(Clone)]
pub struct Member {
    driver: Driver<Floor<Node>>,
    swarm_port: u16,
}

/// Transfers as they stand.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Load {
    /// Uploads that hold a slot.
    pub uploads: usize,
    /// Who waits for one.
    pub waiting: usize,
    /// Ranges that are being fetched.
    pub fetches: usize,
    /// Files that are served.
    pub shared: usize,
}

impl Member {
    /// Starts on the current `LocalSet`; `swarm_port` is where the node's swarms are reached, 0 for nowhere. The
    /// receiver gets all that single transfers do not take.
    pub fn start(
        config: Config,
        (sockets, net): (Sockets, NetConfig),
        swarm_port: u16,
    ) -> io::Result<(Member, UnboundedReceiver<Told>)> {
        let (tell, told) = unbounded_channel();
        let identity = files::Identity {
            servent: Guid([0; 16]),
            agent: concat!("Throng/", env!("CARGO_PKG_VERSION")).to_owned(),
            user: String::from_utf8_lossy(&config.user).into_owned(),
            address: None,
            supernode: None,
        };
        let node = Node::new(config, &mut SystemEntropy::from_system()?, Instant::EPOCH);
        let machine = Beside::new(node, Transfer::new(files::Config::new(identity)));
        let driver = Driver::start(machine, Floor::new(tell), sockets, net)?;
        let member = Member { driver, swarm_port };
        spawn_local(member.clone().tell_capacity());
        Ok((member, told))
    }

    /// Gives the node a command; not for sharing, which needs a file: [`Member::publish`].
    pub fn command(&self, command: Command) {
        self.driver.command(Both::Overlay(command));
    }

    /// Lets a file be found and fetched; told as a publication of that ticket.
    pub fn publish(&self, ticket: Ticket, file: &Offering) {
        http::share(&self.driver, file.shared(ticket), file.stored());
        self.command(Command::Publish(ticket, file.item.clone(), self.swarm()));
    }

    /// Takes a file back.
    pub fn withdraw(&self, ticket: Ticket, content: ContentId) {
        self.command(Command::Withdraw(ticket));
        http::unshare(&self.driver, content);
    }

    /// Where our swarms are reached, as far as we know.
    fn swarm(&self) -> Option<SocketAddr> {
        let at = self.look(Node::address)?;
        let known = self.swarm_port != 0 && !at.ip().is_unspecified();
        known.then(|| SocketAddr::new(IpAddr::V4(*at.ip()), self.swarm_port))
    }

    /// The way to the bytes of a copy that a search found; `None` if it was not found here.
    pub fn source(&self, item: &Item, found: &Source) -> Option<Desk> {
        let Source::Supernode { .. } = found else { return None };
        let (name, from) = http::source_of(item, found)?;
        Some(http::source(&self.driver, name, from))
    }

    /// Looks at the node.
    pub fn look<R>(&self, look: impl FnOnce(&Node) -> R) -> R {
        self.driver.look(|both, _| look(&both.overlay))
    }

    /// Transfers as they stand.
    pub fn load(&self) -> Load {
        self.driver.look(|both, _| {
            let (uploads, waiting) = both.files.upload_load();
            let (_, fetches, shared) = both.files.load();
            Load { uploads, waiting, fetches, shared }
        })
    }

    /// What the sockets have carried.
    pub fn traffic(&self) -> Traffic {
        self.driver.traffic()
    }

    async fn tell_capacity(self) {
        loop {
            let mebibytes = capacity::mebibytes();
            self.command(Command::Capacity { mebibytes, kilobits: 0 });
            tokio::time::sleep(CAPACITY_EVERY).await;
        }
    }
}
