//! A host of a simulated ring: its machine, a disk that keeps records, and the book that all write their results into.

use super::claims::{Claimed, Claims, claimed};
use crate::simulate::measure::Ledger;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_overlay::chord::{Change, Chord, Command, Config, Event, Failure, Host, Measured, Start, Value};
use throng_overlay::discovery::{self, Source};
use throng_sim::{App, HostIo};
use throng_wire::chord::RingId;

/// The port of every simulated host.
pub const PORT: u16 = 4_000;

/// Results of all hosts, in the order in which they came.
#[derive(Default, Debug)]
pub struct Book {
    /// Measured lookups: number, who asked, the answer, when it came.
    pub lookups: Vec<(u32, u32, Option<Measured>, Instant)>,
    /// Puts: ticket, copies acknowledged or why not, when.
    pub puts: Vec<(u32, Result<u32, Failure>, Instant)>,
    /// Gets: ticket, the newest value or why there is none, when.
    pub gets: Vec<(u32, Result<Option<Value>, Failure>, Instant)>,
    /// Hosts that became members.
    pub joined: u32,
    /// Hosts that took their leave.
    pub left: u32,
    /// What hosts were told of publications and searches.
    pub told: Vec<(u32, discovery::Event)>,
    /// Searches; a target is a root. Empty where searches are judged by what was told.
    pub ledger: Ledger,
    /// The judge of lookups, where one is wanted: to be set before any host is made.
    pub claims: Option<Claims>,
}

impl Book {
    fn note(&mut self, event: &discovery::Event, now: Instant) {
        match event {
            discovery::Event::Found { ticket, item, source: Source::Swarm(at) } => {
                let root = item.root.unwrap_or_default();
                self.ledger.hit(*ticket, &root, super::world::host_of(*at), now);
            }
            discovery::Event::Finished(ticket) | discovery::Event::Refused(ticket, _) => {
                self.ledger.end(*ticket)
            }
            _ => {}
        }
    }
}

/// How a host enters when it starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// It is a member already ([`Chord::bulk`]).
    Member,
    /// The first of a ring.
    First,
    /// Through these.
    Through(Vec<Endpoint>),
}

/// Gets are told from puts by this bit of their tickets.
pub const GET: u32 = 1 << 31;

/// Encoded records in the order of their ids, with the ends of their lives: most hosts of a million have one or none, and a map
/// has room for eleven.
type Disk = Vec<([u8; 32], Box<[u8]>, Instant)>;

/// One host.
pub struct RingHost {
    machine: Chord,
    config: Arc<Config>,
    at: Endpoint,
    entry: Entry,
    starts: u32,
    /// Its clock when the simulation began, in seconds since 1970.
    clock: u64,
    disk: Disk,
    book: Rc<RefCell<Book>>,
    /// What it was last seen to claim, if that is judged.
    claimed: Option<Box<Claimed>>,
}

impl RingHost {
    /// A host with a machine that is a member already.
    pub fn member(machine: Chord, config: Arc<Config>, host: &Host, book: Rc<RefCell<Book>>) -> RingHost {
        RingHost::new((machine, config), host, Entry::Member, book)
    }

    /// A host that joins when it starts.
    pub fn joining(config: Arc<Config>, host: &Host, entry: Entry, book: Rc<RefCell<Book>>) -> RingHost {
        let machine = Chord::new(Arc::clone(&config), host);
        RingHost::new((machine, config), host, entry, book)
    }

    fn new(
        (machine, config): (Chord, Arc<Config>),
        host: &Host,
        entry: Entry,
        book: Rc<RefCell<Book>>,
    ) -> RingHost {
        let at = host.endpoint.expect("simulated hosts know their addresses");
        let claimed = book.borrow().claims.is_some().then(Box::default);
        RingHost {
            machine,
            config,
            at,
            entry,
            starts: 0,
            clock: host.clock,
            disk: Disk::new(),
            book,
            claimed,
        }
    }

    /// Tells the judge of claims that have changed; the simulator asks for the machine after each event.
    fn note_claims(&mut self) {
        let Some(before) = self.claimed.as_mut() else { return };
        if claimed(&self.machine).eq(before.iter().copied()) {
            return;
        }
        let after: Claimed = claimed(&self.machine).collect();
        if let (Some(claims), Some(host)) =
            (self.book.borrow_mut().claims.as_mut(), super::world::host_of(self.at))
        {
            claims.change(host, before, &after);
        }
        **before = after;
    }

    /// Its machine.
    pub fn chord(&self) -> &Chord {
        &self.machine
    }

    /// The keys of the records on its disk.
    pub fn kept(&self) -> impl Iterator<Item = RingId> {
        self.disk.iter().filter_map(|(id, ..)| id.first_chunk().map(|key| RingId(*key)))
    }

    /// Bytes of each record on its disk.
    pub fn record_bytes(&self) -> impl Iterator<Item = usize> {
        self.disk.iter().map(|(_, record, _)| record.len())
    }

    /// Through whom it enters when it starts again.
    pub fn enter_through(&mut self, entry: Entry) {
        self.entry = entry;
    }

    fn persist(&mut self, changes: Vec<Change>, now: Instant) {
        for change in changes {
            match change {
                Change::Write { id, record, remaining } => {
                    self.write(id, record.into(), now + Duration::from_secs(remaining.into()));
                }
                Change::Remove { id } => {
                    if let Ok(at) = self.disk.binary_search_by_key(&id, |(id, ..)| *id) {
                        self.disk.remove(at);
                    }
                }
            }
        }
    }

    fn write(&mut self, id: [u8; 32], record: Box<[u8]>, end: Instant) {
        match self.disk.binary_search_by_key(&id, |(id, ..)| *id) {
            Ok(at) => self.disk[at] = (id, record, end),
            Err(at) => {
                if self.disk.len() == self.disk.capacity() {
                    self.disk.reserve_exact(1 + self.disk.len() / 4);
                }
                self.disk.insert(at, (id, record, end));
            }
        }
    }
}

impl App for RingHost {
    type Machine = Chord;

    fn machine(&mut self) -> &mut Chord {
        self.note_claims();
        &mut self.machine
    }

    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        self.starts += 1;
        let start = match &self.entry {
            Entry::Member if self.starts == 1 => return,
            Entry::Member => Start::Join(Vec::new()),
            Entry::First => Start::New,
            Entry::Through(known) => Start::Join(known.clone()),
        };
        for (_, record, end) in &self.disk {
            let remaining = end.since(io.now()).as_secs() as u32;
            io.command(Command::Restore { record: record.to_vec(), remaining });
        }
        io.command(Command::Start(start));
    }

    fn on_stop(&mut self) {
        let host = Host { clock: self.clock, ..Host::at(self.at, self.starts + 1) };
        self.machine = Chord::new(Arc::clone(&self.config), &host);
        self.note_claims();
    }

    fn on_event(&mut self, event: Event, io: &mut HostIo<'_, Self>) {
        self.note_claims();
        let (now, host) = (io.now(), io.host().0);
        let mut book = self.book.borrow_mut();
        match event {
            Event::Measured { number, measured } => {
                let named = measured.map(|measured| super::world::host_of(measured.owner.endpoint));
                if let Some(claims) = book.claims.as_mut() {
                    claims.answer(number, named);
                }
                book.lookups.push((number, host, measured, now));
            }
            Event::Stored { ticket, copies, .. } => book.puts.push((ticket.0, Ok(copies), now)),
            Event::Got { ticket, values, .. } => {
                book.gets.push((ticket.0, Ok(values.into_iter().next()), now));
            }
            Event::Failed { ticket, failure } if ticket.0 & GET == 0 => {
                book.puts.push((ticket.0, Err(failure), now));
            }
            Event::Failed { ticket, failure } => book.gets.push((ticket.0, Err(failure), now)),
            Event::Joined => book.joined += 1,
            Event::Left => book.left += 1,
            Event::Persist(id, changes) => {
                drop(book);
                self.persist(changes, now);
                io.command(Command::Persisted(id, true));
            }
            Event::Discovery(event) => {
                book.note(&event, now);
                book.told.push((host, event));
            }
            Event::Isolated => {}
        }
    }
}
