//! A simulated host: one node, what it shares, and what it tells the run.

use crate::simulate::measure::Ledger;
use std::cell::RefCell;
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{Endpoint, Instant, SplitMix64};
use throng_overlay::discovery::{Item, Ticket};
use throng_overlay::supernode::{Command, Event, Node};
use throng_sim::{App, HostIo};

/// The port of every simulated host.
pub const PORT: u16 = 1_214;
/// Hosts come within this time, so that the first seconds are not one burst.
const ARRIVALS: Duration = Duration::from_secs(20);

/// What all hosts write their results into.
#[derive(Default, Debug)]
pub struct Book {
    /// Searches; a target is the FTHash of a file.
    pub ledger: Ledger,
    /// Since when each ordinary node has been attached, by host number.
    pub attached: Vec<Option<Instant>>,
    /// Files told to supernodes since the start.
    pub told: u64,
    /// Who lost its supernode in a failure.
    pub bereft: Bereft,
}

/// Ordinary nodes that lost their supernode in a failure, and when each first had another. One that is sent on to a
/// supernode with more room later has long been searching again, and of a hundred thousand somebody always is.
#[derive(Default, Debug)]
pub struct Bereft {
    /// When it happened; before that nothing is counted.
    pub at: Option<Instant>,
    waiting: HashSet<usize>,
    /// Seconds each of them was without, in the order of their return.
    pub returned: Vec<f64>,
}

impl Bereft {
    /// By then everybody concerned has heard of the failure: connections are reset.
    pub const HEARD: Duration = Duration::from_secs(1);

    /// How many wait.
    pub fn waiting(&self) -> u32 {
        self.waiting.len() as u32
    }

    fn lost(&mut self, host: usize, now: Instant) {
        if self.at.is_some_and(|at| now.since(at) <= Self::HEARD) {
            self.waiting.insert(host);
        }
    }

    fn joined(&mut self, host: usize, now: Instant) {
        if let Some(at) = self.at.filter(|_| self.waiting.remove(&host)) {
            self.returned.push(now.since(at).as_secs_f64());
        }
    }
}

/// One host.
pub struct NodeHost {
    node: Node,
    /// The addresses it begins with.
    known: Vec<Endpoint>,
    titles: Vec<String>,
    book: Rc<RefCell<Book>>,
}

impl NodeHost {
    /// A host of a node that knows others and shares files.
    pub fn new(node: Node, known: Vec<Endpoint>, titles: Vec<String>, book: Rc<RefCell<Book>>) -> NodeHost {
        NodeHost { node, known, titles, book }
    }

    /// Its node.
    pub fn node(&self) -> &Node {
        &self.node
    }
}

/// Where the first host is; each is one address further.
const FIRST: u32 = 0x0a00_0001;

/// Where a host is.
pub fn address(host: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(FIRST + host), PORT)
}

/// The host at an address.
fn number_of(at: SocketAddrV4) -> Option<u32> {
    u32::from(*at.ip()).checked_sub(FIRST)
}

/// The FTHash that a file of that title has in a simulation.
pub fn hash_of(title: &str) -> [u8; 20] {
    use throng_machine::Entropy as _;
    let seed = title.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut hash = [0; 20];
    SplitMix64::new(seed).fill(&mut hash);
    hash
}

impl App for NodeHost {
    type Machine = Node;

    fn machine(&mut self) -> &mut Node {
        &mut self.node
    }

    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        for (number, title) in (0u32..).zip(std::mem::take(&mut self.titles)) {
            let ft_hash = Some(hash_of(&title));
            let item = Item { title, size: 4 << 20, ft_hash, ..Item::default() };
            io.command(Command::Publish(Ticket(number), item, None));
        }
        let delay = match self.node.server() {
            Some(_) => Duration::ZERO,
            None => Duration::from_micros(u64::from(io.rng().below(ARRIVALS.as_micros() as u32))),
        };
        io.command_after(delay, Command::Join(std::mem::take(&mut self.known)));
    }

    fn on_event(&mut self, event: Event, io: &mut HostIo<'_, Self>) {
        let (host, now) = (io.host().0 as usize, io.now());
        let mut book = self.book.borrow_mut();
        match event {
            Event::Joined(Some(_)) if self.node.server().is_none() => {
                book.attached[host] = Some(now);
                book.bereft.joined(host, now);
            }
            Event::Lost(_) => {
                book.attached[host] = None;
                book.bereft.lost(host, now);
            }
            Event::Published(_) => book.told += 1,
            Event::Found(ticket, file) => {
                let hash = file.item.ft_hash.unwrap_or_default();
                book.ledger.hit(ticket, &hash, number_of(file.at), now);
            }
            Event::Finished(ticket) | Event::Refused(ticket, _) => book.ledger.end(ticket),
            _ => {}
        }
    }
}
