//! The network of supernodes (FastTrack) as a system of the node: attached to a supernode, or one itself.

mod describe;
mod in_ring;

use super::report::{Standing, SystemStatus};
use super::ring::RingSystem;
use super::system::{Database, LocalWork, News, Offer, System, Teller};
use in_ring::InRing;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint};
use throng_overlay::discovery::{self, Item, Refusal, Source, Ticket};
use throng_overlay::http::Both;
use throng_overlay::supernode::{self as net, Command, Config, Event, FoundFile, Node};
use throng_runtime::fetch::RangeSource;
use throng_runtime::net::{NetConfig, Sockets};
use throng_runtime::supernode::{Member, Offering, Told};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;

/// The system's name.
pub(crate) const NAME: &str = "supernode";
/// How often those we know are written down for the next start.
const CONTACTS_EVERY: Duration = Duration::from_secs(60);
/// So many of them are kept.
const MAX_CONTACTS: usize = 64;

/// What a member is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) sockets: (Sockets, NetConfig),
    /// Where the node listens: sessions, links, transfers and swarms.
    pub(crate) address: SocketAddr,
    /// Supernodes given by the person.
    pub(crate) through: Vec<SocketAddr>,
    /// Where those we knew are kept.
    pub(crate) contacts: PathBuf,
    /// The node's ring, if it is in one.
    pub(crate) ring: Option<Rc<RingSystem>>,
}

/// The node's part in the network of supernodes.
pub(crate) struct SupernodeSystem {
    member: Member,
    address: SocketAddr,
    teller: Teller,
    standing: Cell<Standing>,
    published: RefCell<BTreeMap<Ticket, ContentId>>,
    contacts: PathBuf,
    in_ring: InRing,
}

impl SupernodeSystem {
    /// Begins to join.
    pub(crate) fn start(parts: Parts, teller: Teller) -> io::Result<Rc<SupernodeSystem>> {
        let Parts { config, sockets, address, through, contacts, ring } = parts;
        let (member, told) = Member::start(config, sockets, address.port())?;
        let system = Rc::new(SupernodeSystem {
            member,
            address,
            teller,
            standing: Cell::new(Standing::Joining),
            published: RefCell::default(),
            contacts,
            in_ring: InRing::new(ring),
        });
        let known = std::fs::read_to_string(&system.contacts).unwrap_or_default();
        let known = known.lines().take(MAX_CONTACTS).filter_map(|line| line.parse::<SocketAddr>().ok());
        let all: Vec<Endpoint> = through.into_iter().chain(known).map(Endpoint::from).collect();
        spawn_local(Rc::clone(&system).listen(told));
        spawn_local(Rc::clone(&system).remember());
        spawn_local(Rc::clone(&system).hear_ring());
        system.member.command(Command::Join(all));
        Ok(system)
    }

    async fn listen(self: Rc<Self>, mut told: UnboundedReceiver<Told>) {
        while let Some(told) = told.recv().await {
            if let Both::Overlay(event) = told {
                self.on_event(event);
            }
        }
    }

    async fn hear_ring(self: Rc<Self>) {
        let Some(mut told) = self.in_ring.told() else { return };
        while let Some(event) = told.recv().await {
            self.in_ring.on_told(event).into_iter().for_each(|command| self.member.command(command));
        }
    }

    fn on_event(&self, event: Event) {
        match event {
            Event::Joined(_) => {
                let before = self.standing.replace(Standing::Joined);
                if before == Standing::Joining {
                    self.tell(discovery::Event::Joined);
                }
            }
            // It looks for another by itself, and most often has it in a second.
            Event::Lost(_) => {}
            Event::Isolated if self.standing.replace(Standing::Isolated) == Standing::Joined => {
                self.teller.tell(News::Isolated);
            }
            Event::Isolated => {}
            Event::Became(net::Standing::Super) => {
                self.notice("a supernode asked this node to become one: it answers for ordinary nodes now");
            }
            Event::Became(net::Standing::Ordinary) => {
                self.notice("this node is not needed as a supernode any more, and is an ordinary node again");
            }
            Event::Published(ticket) => self.tell(discovery::Event::Published { ticket, at: 1, of: 1 }),
            Event::Found(ticket, file) => self.on_found(ticket, &file),
            Event::Finished(ticket) => self.tell(discovery::Event::Finished(ticket)),
            Event::Refused(ticket, refusal) => self.tell(discovery::Event::Refused(ticket, refusal)),
            Event::Left => {
                self.standing.set(Standing::Left);
                self.tell(discovery::Event::Left);
            }
            // Violations are counted; calls are the transfers'.
            Event::Violation { .. } | Event::CallAsked { .. } => {}
            wish @ (Event::RingPublish(..)
            | Event::RingWithdraw(_)
            | Event::RingFind(..)
            | Event::RingCancel(_)) => {
                self.in_ring.on_wish(wish).into_iter().for_each(|command| self.member.command(command));
            }
        }
    }

    /// A copy that can be fetched as FastTrack does, and from its owner's swarm if it is one of ours.
    fn on_found(&self, ticket: Ticket, file: &FoundFile) {
        let source = file.source();
        self.tell(discovery::Event::Found { ticket, item: file.item.clone(), source });
        if let Some(at) = file.swarm.filter(|_| file.item.info_hash.is_some()) {
            let source = Source::Swarm(at.into());
            self.tell(discovery::Event::Found { ticket, item: file.item.clone(), source });
        }
    }

    fn tell(&self, event: discovery::Event) {
        self.teller.tell(News::Discovery(event));
    }

    fn notice(&self, line: &str) {
        self.teller.tell(News::Notice(line.into()));
    }

    /// Writes down whom it knows, now and then.
    async fn remember(self: Rc<Self>) {
        loop {
            tokio::time::sleep(CONTACTS_EVERY).await;
            self.write_down();
        }
    }

    fn write_down(&self) {
        let known = self.member.look(Node::acquaintances);
        if !known.is_empty() {
            let lines: Vec<String> = known.iter().take(MAX_CONTACTS).map(ToString::to_string).collect();
            // Without it the addresses that were given still lead in.
            let _ = std::fs::write(&self.contacts, lines.join("\n"));
        }
    }
}

impl System for SupernodeSystem {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> SystemStatus {
        SystemStatus::Supernode(Box::new(describe::status(self)))
    }

    fn command(&self, command: discovery::Command) {
        match command {
            discovery::Command::Join(addresses) => self.member.command(Command::Join(addresses)),
            discovery::Command::Leave => {
                self.write_down();
                self.standing.set(Standing::Leaving);
                self.member.command(Command::Leave);
            }
            // Without its file nothing could be served.
            discovery::Command::Publish(ticket, _) => {
                self.tell(discovery::Event::Refused(ticket, Refusal::NotJoined));
            }
            discovery::Command::Withdraw(ticket) => {
                if let Some(content) = self.published.borrow_mut().remove(&ticket) {
                    self.member.withdraw(ticket, content);
                }
            }
            discovery::Command::Find(ticket, query) => self.member.command(Command::Find(ticket, query)),
            discovery::Command::Cancel(ticket) => self.member.command(Command::Cancel(ticket)),
        }
    }

    fn publish(&self, ticket: Ticket, file: &Rc<Offer>) {
        let Offer { item, path, modified, content, .. } = &**file;
        self.published.borrow_mut().insert(ticket, *content);
        let (item, path, magnet) = (item.clone(), path.clone(), file.magnet());
        let offering = Offering { content: *content, item, path, modified: *modified, magnet };
        self.member.publish(ticket, &offering);
    }

    fn source(&self, item: &Item, source: &Source) -> Option<Box<dyn RangeSource>> {
        Some(Box::new(self.member.source(item, source)?))
    }

    fn database(&self) -> Option<&dyn Database> {
        None
    }

    fn close(&self) -> LocalWork<()> {
        self.write_down();
        Box::pin(async {})
    }
}
