//! A node's membership of directories: files of its library shared from where they lie, copies of others fetched range
//! by range.
//!
//! One [`Client`] on its own data port, as its listener speaks first. Bytes of strangers are handed on unverified, to
//! whoever asked for the range; nodes of ours can be asked for a magnet link instead (section 12).

mod copy;
mod floor;
mod link;
mod offering;
mod ranges;
#[cfg(test)]
mod tests;

pub use copy::Copy;
pub use offering::Offering;

use crate::fetch::{Desk, desk};
use crate::net::{Driver, NetConfig, Sockets, Traffic};
use floor::Floor;
use std::io;
use std::net::SocketAddr;
use throng_machine::ContentId;
use throng_overlay::directory::client::{Client, Command, Config, Event, Session, SharedFile, Violations};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::spawn_local;

/// So many files of one name are shared, each in a folder of its own.
const MAX_ALIKE: u32 = 1_000;

/// A running client of directories; clones are handles on the same one.
#[derive(Clone)]
pub struct Member {
    driver: Driver<Floor>,
    turns: link::Turns,
}

/// Transfers as they stand.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Load {
    /// Uploads agreed or under way.
    pub uploads: usize,
    /// Users who wait for one.
    pub waiting: usize,
    /// Downloads under way or waiting.
    pub downloads: usize,
}

impl Member {
    /// Starts on the current `LocalSet`. `data` listens where peers fetch, if they can; `swarm` is where the node's
    /// swarms are reached, for magnet links. The receiver gets all events but those of single transfers.
    pub fn start(
        config: Config,
        (data, net): (Sockets, NetConfig),
        swarm: Option<SocketAddr>,
    ) -> io::Result<(Member, UnboundedReceiver<Event>)> {
        let (tell, told) = unbounded_channel();
        let data_port = data.local_addr().map_or(0, |at| at.port());
        let machine = Client::new(Config { data_port, ..config });
        let driver = Driver::start(machine, Floor::new(tell, swarm), data, net)?;
        Ok((Member { driver, turns: link::Turns::default() }, told))
    }

    /// Gives the machine a command; not for sharing, which needs a file: [`Member::publish`].
    pub fn command(&self, command: Command) {
        self.driver.command(command);
    }

    /// Lets a file be found and fetched.
    pub fn publish(&self, file: Offering) {
        let mut shared = SharedFile::new(file.content, &file.title, file.size);
        // Two files of one name are told apart by a folder.
        for number in 2..MAX_ALIKE {
            if self.driver.look(|client, _| !client.is_shared(&shared.name)) {
                break;
            }
            shared = SharedFile::new(file.content, &format!("{number}/{}", file.title), file.size);
        }
        shared.root = file.root;
        self.driver.with_app(|floor, _| floor.offer(file));
        self.driver.command(Command::Share(shared));
    }

    /// Takes a file back.
    pub fn withdraw(&self, content: ContentId) {
        self.driver.command(Command::Unshare(content));
        self.driver.with_app(|floor, _| floor.take_back(content));
    }

    /// How many directories know of a file, and how many should.
    pub fn told(&self, content: ContentId) -> (u32, u32) {
        self.driver.look(|client, _| client.told(content))
    }

    /// The way to the bytes of a copy; several may be asked at once, of one user too.
    pub fn source(&self, copy: Copy) -> Desk {
        let (desk, orders) = desk(copy.to_string());
        spawn_local(ranges::serve(self.clone(), copy, orders));
        desk
    }

    /// The magnet link of a copy, if its user runs a node of ours and says it within some seconds.
    pub async fn magnet(&self, copy: Copy) -> Option<String> {
        link::ask(self, copy).await
    }

    /// Every directory as it stands.
    pub fn sessions(&self) -> Vec<Session> {
        self.driver.look(|client, _| client.sessions().collect())
    }

    /// Transfers as they stand.
    pub fn load(&self) -> Load {
        self.driver.look(|client, _| {
            let (uploads, waiting) = client.upload_load();
            Load { uploads, waiting, downloads: client.downloads() }
        })
    }

    /// What others did wrong.
    pub fn violations(&self) -> Violations {
        self.driver.look(|client, _| *client.violations())
    }

    /// What the sockets have carried.
    pub fn traffic(&self) -> Traffic {
        self.driver.traffic()
    }
}
