//! The ring as a system of the node: how it is entered, how it stands, whom to ask after a restart.

use super::describe;
use super::report::{Standing, SystemStatus};
use super::system::{Database, LocalWork, News, System, Teller};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_overlay::chord::{Chord, Failure, Put, Start, Want};
use throng_overlay::discovery::{self, Ticket};
use throng_runtime::net::Sockets;
use throng_runtime::ring::{Got, Kept, Ring, RingConfig, RingError, Told};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

/// The system's name.
pub(crate) const NAME: &str = "chord";
/// How often those we know are written down for the next start.
const CONTACTS_EVERY: Duration = Duration::from_secs(30);
/// How long those we knew may take to answer before `new` makes a ring of our own.
const REJOIN: Duration = Duration::from_secs(15);
/// After so long without an answer a person is told.
const SILENCE: Duration = Duration::from_secs(15);

/// Tickets of another system's publications and searches have this bit, and none above it: the ring's own puts and gets
/// have that.
pub(crate) const GUESTS: u32 = 1 << 30;

/// How the ring is entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// As the first node, unless those it knew in an earlier run still answer.
    New,
    /// Through any of these.
    Through(Vec<SocketAddr>),
    /// Together with these, ourselves among them.
    Together(Vec<SocketAddr>),
}

/// A node of the ring.
pub(crate) struct RingSystem {
    ring: Ring<Chord>,
    standing: Rc<Cell<Standing>>,
    /// Another system of this node that publishes and looks here.
    guest: RefCell<Option<UnboundedSender<discovery::Event>>>,
}

impl RingSystem {
    /// Restores and begins to enter.
    pub(crate) fn start(
        config: &RingConfig,
        sockets: Sockets,
        entry: Entry,
        (machine, teller): (impl FnOnce(SocketAddr) -> Chord, Teller),
    ) -> Result<Rc<RingSystem>, RingError> {
        let (ring, told) = Ring::start(config, sockets, machine)?;
        let standing = Rc::new(Cell::new(Standing::Joining));
        let system = Rc::new(RingSystem { ring, standing, guest: RefCell::default() });
        spawn_local(Rc::clone(&system).listen(told, teller.clone()));
        spawn_local(Rc::clone(&system).enter(entry, teller));
        spawn_local(Rc::clone(&system).remember());
        Ok(system)
    }

    /// Lets one other system publish, withdraw, find and cancel by [`System::command`], under tickets that have
    /// [`GUESTS`]; what comes of it is told to it, and when the ring is entered.
    pub(crate) fn invite(&self) -> UnboundedReceiver<discovery::Event> {
        let (guest, told) = unbounded_channel();
        self.guest.replace(Some(guest));
        told
    }

    /// Tells the guest what is its; `true` if it is nobody else's.
    fn tell_guest(&self, event: &discovery::Event) -> bool {
        let ticket = match event {
            discovery::Event::Joined | discovery::Event::Left => None,
            discovery::Event::Published { ticket, .. }
            | discovery::Event::Found { ticket, .. }
            | discovery::Event::Finished(ticket)
            | discovery::Event::Refused(ticket, _) => Some(*ticket),
        };
        let is_its = ticket.is_some_and(|Ticket(number)| number & GUESTS != 0);
        if let Some(guest) = self.guest.borrow().as_ref().filter(|_| is_its || ticket.is_none()) {
            // It may have gone at the end of the program.
            let _ = guest.send(event.clone());
        }
        is_its
    }

    async fn enter(self: Rc<Self>, entry: Entry, teller: Teller) {
        let known = self.ring.contacts().iter().copied();
        let endpoints = |of: &mut dyn Iterator<Item = SocketAddr>| of.map(Endpoint::from).collect::<Vec<_>>();
        match entry {
            Entry::New if self.ring.contacts().is_empty() => self.ring.begin(Start::New),
            Entry::New => {
                self.ring.begin(Start::Join(endpoints(&mut known.into_iter())));
                tokio::time::sleep(REJOIN).await;
                if self.standing.get() == Standing::Joining {
                    teller.tell(News::Notice("none of those it knew answers; starting a new ring".into()));
                    self.ring.begin(Start::New);
                }
            }
            Entry::Together(founders) => {
                self.ring.begin(Start::Together(endpoints(&mut founders.iter().copied())));
                self.await_others("not all founders have answered yet; still waiting", &teller).await;
            }
            Entry::Through(given) => {
                let all = given.iter().copied().chain(known);
                self.ring.begin(Start::Join(endpoints(&mut all.into_iter())));
                let asked = given.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
                let line = format!(
                    "no answer from {asked} yet; check the address and that it is in a ring; still trying"
                );
                self.await_others(&line, &teller).await;
            }
        }
    }

    /// Tells a person from time to time that it is not this node's fault.
    async fn await_others(&self, line: &str, teller: &Teller) {
        while self.standing.get() == Standing::Joining {
            tokio::time::sleep(SILENCE).await;
            if self.standing.get() == Standing::Joining {
                teller.tell(News::Notice(line.to_owned()));
            }
        }
    }

    async fn listen(self: Rc<Self>, mut told: UnboundedReceiver<Told>, teller: Teller) {
        while let Some(told) = told.recv().await {
            match told {
                Told::Isolated => {
                    self.standing.set(Standing::Isolated);
                    teller.tell(News::Isolated);
                }
                Told::Disk(Some(line)) => teller.tell(News::Notice(line)),
                Told::Disk(None) => teller.tell(News::Notice("the disk takes records again".into())),
                Told::Discovery(event) if self.tell_guest(&event) => {}
                Told::Discovery(event) => {
                    match event {
                        discovery::Event::Joined => self.standing.set(Standing::Joined),
                        discovery::Event::Left => self.standing.set(Standing::Left),
                        _ => {}
                    }
                    teller.tell(News::Discovery(event));
                }
            }
        }
    }

    /// Writes down whom it knows, now and then.
    async fn remember(self: Rc<Self>) {
        let mut last = self.ring.contacts().to_vec();
        loop {
            tokio::time::sleep(CONTACTS_EVERY).await;
            self.write_down(&mut last);
        }
    }

    fn write_down(&self, last: &mut Vec<SocketAddr>) {
        let mut known: Vec<_> =
            self.ring.look(Chord::acquaintances).iter().map(Endpoint::socket_addr).collect();
        known.sort_unstable();
        known.dedup();
        // Alone, it had better ask those it knew before.
        if !known.is_empty() && known != *last {
            self.ring.keep_contacts(known.clone());
            *last = known;
        }
    }
}

impl System for RingSystem {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> SystemStatus {
        SystemStatus::Chord(Box::new(describe::ring(&self.ring, self.standing.get())))
    }

    fn command(&self, command: discovery::Command) {
        match command {
            discovery::Command::Leave => {
                self.write_down(&mut Vec::new());
                self.standing.set(Standing::Leaving);
                self.ring.leave();
            }
            command => self.ring.discover(command),
        }
    }

    fn publish_folder(&self, ticket: discovery::Ticket, folder: &discovery::Item) {
        self.command(discovery::Command::Publish(ticket, folder.clone()));
    }

    fn database(&self) -> Option<&dyn Database> {
        Some(self)
    }

    fn close(&self) -> LocalWork<()> {
        let ring = self.ring.clone();
        Box::pin(async move { ring.flush().await })
    }
}

impl Database for RingSystem {
    fn put(&self, put: Put) -> LocalWork<Result<Kept, Failure>> {
        let ring = self.ring.clone();
        Box::pin(async move { ring.put(put).await })
    }

    fn get(&self, want: Want) -> LocalWork<Result<Got, Failure>> {
        let ring = self.ring.clone();
        Box::pin(async move { ring.get(want).await })
    }
}
