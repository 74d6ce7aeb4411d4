//! Directories as a system of the node: joined all at once, told what the library has, asked for words, left.
//!
//! Each `--directory` is a [`Place`] with the addresses its name leads to: where one does not answer, the next is
//! joined. A directory that sends its users elsewhere is asked about first, unless the person said to follow.

mod describe;
mod heads;
mod news;
mod pings;
mod places;
mod published;

pub(crate) use places::Place;

use super::report::{Standing, SystemStatus};
use super::system::{Database, LocalWork, Magnet, News, Offer, System, Teller};
use heads::Heads;
use pings::Pings;
use places::Places;
use published::Published;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;
use throng_overlay::directory::client::{Command, Config};
use throng_overlay::discovery::{self, Item, Source, Ticket};
use throng_runtime::directory::member::{Copy, Member, Offering};
use throng_runtime::fetch::RangeSource;
use throng_runtime::net::{NetConfig, Sockets};
use tokio::task::spawn_local;

/// What is published together is looked at together.
const SOON: Duration = Duration::from_millis(20);

/// The system's name.
pub(crate) const NAME: &str = "directory";

/// What a member is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    /// Where peers fetch, if they can.
    pub(crate) data: (Sockets, NetConfig),
    /// Where the node's swarms are reached.
    pub(crate) swarm: SocketAddr,
    pub(crate) places: Vec<Place>,
    /// Whether a directory may send this node elsewhere unasked.
    pub(crate) follow: bool,
}

/// The node's membership of directories.
pub(crate) struct DirectorySystem {
    me: Weak<DirectorySystem>,
    /// What was published is soon looked at.
    telling: Cell<bool>,
    member: Member,
    data_port: Option<u16>,
    follow: bool,
    teller: Teller,
    standing: Cell<Standing>,
    places: RefCell<Places>,
    published: RefCell<Published>,
    heads: RefCell<Heads>,
    pings: Rc<Pings>,
    /// Whether a person knows that peers cannot reach us.
    unreachable: Cell<bool>,
}

impl DirectorySystem {
    /// Begins to join.
    pub(crate) fn start(parts: Parts, teller: Teller) -> io::Result<Rc<DirectorySystem>> {
        let Parts { config, data, swarm, places, follow } = parts;
        let data_port = data.0.local_addr().map(|at| at.port());
        let (member, told) = Member::start(config, data, Some(swarm))?;
        let places = Places::new(places);
        let first = places.first_addresses();
        let system = Rc::new_cyclic(|me| DirectorySystem {
            me: me.clone(),
            telling: Cell::new(false),
            member,
            data_port,
            follow,
            teller,
            standing: Cell::new(Standing::Joining),
            places: RefCell::new(places),
            published: RefCell::default(),
            heads: RefCell::default(),
            pings: Rc::default(),
            unreachable: Cell::new(false),
        });
        system.member.command(Command::Join(first.into_iter().map(Into::into).collect()));
        spawn_local(Rc::clone(&system).listen(told));
        Ok(system)
    }

    fn tell(&self, event: discovery::Event) {
        self.teller.tell(News::Discovery(event));
    }

    fn notice(&self, line: String) {
        self.teller.tell(News::Notice(line));
    }

    /// Tells how far publications have got.
    fn tell_published(&self) {
        let news = self.published.borrow_mut().progress(|content| self.member.told(content));
        news.into_iter().for_each(|event| self.tell(event));
    }

    fn withdraw(&self, ticket: Ticket) {
        if let Some(content) = self.published.borrow_mut().remove(ticket) {
            self.member.withdraw(content);
        }
    }

    fn leave(&self) {
        self.standing.set(Standing::Leaving);
        self.member.command(Command::Leave);
        self.left_if_alone();
    }

    /// Tells once that no directory is left.
    fn left_if_alone(&self) {
        if self.standing.get() == Standing::Leaving && self.member.sessions().is_empty() {
            self.standing.set(Standing::Left);
            self.tell(discovery::Event::Left);
        }
    }

    fn share(&self, ticket: Ticket, file: &Offer) {
        let Offer { item, path, modified, content, .. } = file;
        let offering = Offering {
            content: *content,
            title: item.title.clone(),
            size: item.size,
            root: item.root.and_then(|root| root.first_chunk().copied()),
            path: path.clone(),
            modified: *modified,
            magnet: file.magnet(),
        };
        self.published.borrow_mut().add(ticket, *content);
        self.member.publish(offering);
        self.tell_published_soon();
    }

    /// The same for all that is being published now: looking at each after each would take the square of their number.
    fn tell_published_soon(&self) {
        let Some(me) = self.me.upgrade().filter(|_| !self.telling.replace(true)) else { return };
        spawn_local(async move {
            tokio::time::sleep(SOON).await;
            me.telling.set(false);
            me.tell_published();
        });
    }
}

impl System for DirectorySystem {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> SystemStatus {
        SystemStatus::Directory(Box::new(describe::status(self)))
    }

    fn command(&self, command: discovery::Command) {
        match command {
            discovery::Command::Leave => self.leave(),
            discovery::Command::Withdraw(ticket) => self.withdraw(ticket),
            // Without its file nothing could be served.
            discovery::Command::Publish(ticket, _) => {
                self.tell(discovery::Event::Refused(ticket, discovery::Refusal::NotJoined));
            }
            command => self.member.command(command.into()),
        }
    }

    fn publish(&self, ticket: Ticket, file: &Rc<Offer>) {
        self.share(ticket, file);
    }

    fn source(&self, item: &Item, source: &Source) -> Option<Box<dyn RangeSource>> {
        Some(Box::new(self.member.source(copy(source, item.size)?)))
    }

    fn magnet(&self, source: &Source) -> LocalWork<Option<Magnet>> {
        let (copy, member) = (copy(source, 0), self.member.clone());
        let root_begins = self.heads.borrow().of(source);
        Box::pin(async move {
            let link = member.magnet(copy?).await?;
            Some(Magnet { link, root_begins })
        })
    }

    /// A user's program answers a ping by itself, wherever it can be reached at all.
    fn check(&self, source: &Source) -> LocalWork<Option<bool>> {
        let Some(Copy { server, nick, .. }) = copy(source, 0) else { return Box::pin(async { None }) };
        let (is_to_ask, answered) = Pings::wait(&self.pings, server, nick.clone());
        if is_to_ask {
            self.member.command(Command::Ping(server, nick));
        }
        Box::pin(answered)
    }

    fn database(&self) -> Option<&dyn Database> {
        None
    }

    /// Nothing is kept but what the library keeps.
    fn close(&self) -> LocalWork<()> {
        Box::pin(async {})
    }
}

/// The copy that a hit of ours named.
fn copy(source: &Source, size: u64) -> Option<Copy> {
    match source {
        Source::Directory { server, nick, name } => {
            Some(Copy { server: *server, nick: nick.clone(), name: name.clone(), size })
        }
        _ => None,
    }
}
