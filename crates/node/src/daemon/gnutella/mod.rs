//! Gnutella as a system of the node: entered through given or known servents, told what the library has, asked for
//! words, left.

mod describe;

use super::report::{Standing, SystemStatus};
use super::system::{Database, LocalWork, News, Offer, System, Teller};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint};
use throng_overlay::discovery::{self, Item, Source, Ticket};
use throng_overlay::gnutella::{Command, Event, Role};
use throng_overlay::http::Both;
use throng_runtime::fetch::RangeSource;
use throng_runtime::gnutella::{Member, MemberConfig, Offering, Told};
use throng_runtime::net::{NetConfig, Sockets};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;

/// The system's name.
pub(crate) const NAME: &str = "gnutella";
/// After so long without a link a person is told.
const SILENCE: Duration = Duration::from_secs(15);

/// How the network is entered.
pub(crate) struct Ways {
    /// Servents.
    pub(crate) through: Vec<SocketAddr>,
    /// UDP host caches, asked for servents where none is known that can be called.
    pub(crate) caches: Vec<SocketAddr>,
}

/// The node as a servent.
pub(crate) struct GnutellaSystem {
    member: Member,
    standing: Cell<Standing>,
    published: RefCell<BTreeMap<Ticket, ContentId>>,
    teller: Teller,
}

impl GnutellaSystem {
    /// Begins to enter through these, and through those known from earlier runs.
    pub(crate) fn start(
        config: MemberConfig,
        sockets: (Sockets, NetConfig),
        ways: Ways,
        teller: Teller,
    ) -> io::Result<Rc<GnutellaSystem>> {
        let (member, told) = Member::start(config, sockets)?;
        let system = Rc::new(GnutellaSystem {
            member,
            standing: Cell::new(Standing::Joining),
            published: RefCell::default(),
            teller,
        });
        let Ways { mut through, caches } = ways;
        let entries: Vec<Endpoint> = through.iter().copied().map(Endpoint::from).collect();
        system.discover(discovery::Command::Join(entries));
        if !caches.is_empty() {
            let caches = caches.iter().copied().map(Endpoint::from).collect();
            system.member.command(Command::HostCaches(caches));
        }
        through.extend(caches);
        spawn_local(Rc::clone(&system).listen(told));
        spawn_local(Rc::clone(&system).tell_silence(through));
        Ok(system)
    }

    fn discover(&self, command: discovery::Command) {
        self.member.command(Command::Discovery(command));
    }

    async fn listen(self: Rc<Self>, mut told: UnboundedReceiver<Told>) {
        while let Some(told) = told.recv().await {
            match told {
                Both::Overlay(event) => self.on_event(event),
                // Uploads are counted in the status.
                Both::Files(_) => {}
            }
        }
    }

    fn on_event(&self, event: Event) {
        match event {
            Event::Discovery(event) => {
                match event {
                    discovery::Event::Joined => self.standing.set(Standing::Joined),
                    discovery::Event::Left => self.standing.set(Standing::Left),
                    _ => {}
                }
                self.teller.tell(News::Discovery(event));
            }
            Event::Isolated => {
                self.standing.set(Standing::Isolated);
                self.teller.tell(News::Isolated);
            }
            Event::RoleChanged(role) => {
                self.teller.tell(News::Notice(format!("now {}", describe::role_in_words(role))));
            }
            // What goes on at the links is in the status.
            Event::PushWanted { .. }
            | Event::Linked { .. }
            | Event::Unlinked { .. }
            | Event::Misbehaved(..) => {}
        }
    }

    /// Tells a person when nobody answers.
    async fn tell_silence(self: Rc<Self>, through: Vec<SocketAddr>) {
        while self.standing.get() == Standing::Joining {
            tokio::time::sleep(SILENCE).await;
            if self.standing.get() == Standing::Joining {
                let asked = through.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
                let whom = if asked.is_empty() { "servents known from before".into() } else { asked };
                let refused = self.member.status().metrics.refused;
                let line = match refused {
                    0 => format!(
                        "no answer from {whom} yet; check the address and that a servent listens there"
                    ),
                    _ => format!("{whom} let nobody in so far (refused {refused} times); still trying"),
                };
                self.teller.tell(News::Notice(line));
            }
        }
    }

    fn withdraw(&self, ticket: Ticket) {
        if let Some(content) = self.published.borrow_mut().remove(&ticket) {
            self.member.withdraw(ticket, content);
        }
    }
}

impl System for GnutellaSystem {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> SystemStatus {
        SystemStatus::Gnutella(Box::new(describe::status(&self.member, self.standing.get())))
    }

    fn command(&self, command: discovery::Command) {
        match command {
            discovery::Command::Leave => {
                self.standing.set(Standing::Leaving);
                if let Err(error) = self.member.keep_hosts() {
                    self.teller.tell(News::Notice(format!("cannot write down known servents: {error}")));
                }
                self.discover(discovery::Command::Leave);
            }
            discovery::Command::Withdraw(ticket) => self.withdraw(ticket),
            // Without its file nothing could be served.
            discovery::Command::Publish(ticket, _) => {
                let refused = discovery::Event::Refused(ticket, discovery::Refusal::NotJoined);
                self.teller.tell(News::Discovery(refused));
            }
            command => self.discover(command),
        }
    }

    fn publish(&self, ticket: Ticket, file: &Rc<Offer>) {
        self.published.borrow_mut().insert(ticket, file.content);
        self.member.publish(ticket, &offering(file));
    }

    fn tree(&self, item: &Item, source: &Source) -> LocalWork<Option<Vec<[u8; 24]>>> {
        let (member, item, source) = (self.member.clone(), item.clone(), source.clone());
        Box::pin(async move {
            let (level, _) = member.tree(&item, &source, item.tiger?).await.ok()?;
            Some(level)
        })
    }

    fn share_parts(&self, file: &Rc<Offer>, parts: Vec<Range<u64>>) {
        self.member.share_parts(&offering(file), parts);
    }

    fn set_parts(&self, content: ContentId, parts: Vec<Range<u64>>) {
        self.member.set_parts(content, parts);
    }

    fn unshare_parts(&self, content: ContentId) {
        self.member.unshare_parts(content);
    }

    fn ends_searches(&self) -> bool {
        false
    }

    fn source(&self, item: &Item, source: &Source) -> Option<Box<dyn RangeSource>> {
        match source {
            Source::Gnutella { .. } => Some(Box::new(self.member.source(item, source)?)),
            _ => None,
        }
    }

    fn database(&self) -> Option<&dyn Database> {
        None
    }

    /// Known servents were written down when it left.
    fn close(&self) -> LocalWork<()> {
        Box::pin(async {})
    }
}

fn offering(file: &Offer) -> Offering {
    let magnet = file.magnet();
    let Offer { item, path, modified, tiger_level, content } = file.clone();
    Offering { content, item, tiger_level, path, modified, magnet }
}

/// The role's name in the status.
pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Plain => "plain",
        Role::Leaf => "leaf",
        Role::Ultrapeer => "ultrapeer",
    }
}
