//! One link: what the other side is, what it has said it can do, and what it may cost.
//!
//! A leaf has few links and a simulation a million leaves, so that what not every link needs is boxed.

use super::around::Named;
use super::coding::{Deflater, Inflater};
use super::config::Role;
use super::tables::{Received, Table, Wanted};
use super::violation::Violation;
use crate::flood::{Budget, DuplicateMeter, SendQueue};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use throng_machine::{Endpoint, Instant, StreamId};
use throng_wire::gnutella::Guid;

/// A stream of ours and how far it is.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: StreamId,
    /// The other end of the connection, not where it listens unless we called it.
    pub(super) peer: Endpoint,
    /// Pings in a row that were not answered.
    pub(super) unanswered: u8,
    /// It needs nothing before; reckoned anew when that has come.
    pub(super) due: Instant,
    pub(super) phase: Phase,
}

/// How far a link is.
#[derive(Debug)]
pub(super) enum Phase {
    Shaking(Box<Shaking>),
    /// What the other side is stands beside the rest, so that links are counted without looking at each.
    Up(Role, Box<Live>),
}

/// A handshake under way.
#[derive(Debug)]
pub(super) struct Shaking {
    /// We called.
    pub(super) outgoing: bool,
    /// What came and is no whole block yet.
    pub(super) input: Vec<u8>,
    /// When it is over.
    pub(super) deadline: Instant,
    /// What the caller said, once we have accepted it.
    pub(super) greeting: Option<Greeting>,
}

/// What the headers of a handshake say of the other side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Greeting {
    /// What it is.
    pub(super) role: Role,
    /// Its name and version, for people.
    pub(super) agent: Box<str>,
    /// Where it says it listens.
    pub(super) listen: Option<SocketAddrV4>,
    /// Its id.
    pub(super) guid: Option<Guid>,
    /// How many ultrapeers it aims to be linked with.
    pub(super) degree: u8,
    /// The largest TTL it gives to queries of others.
    pub(super) max_ttl: u8,
    /// It reads deflated data.
    pub(super) inflates: bool,
    /// What it sends is deflated.
    pub(super) deflates: bool,
    /// It searches step by step.
    pub(super) dynamic: bool,
    /// It takes the same query again with a higher TTL.
    pub(super) probes: bool,
    /// It sends and takes route tables between ultrapeers.
    pub(super) tables: bool,
    /// It reads vendor messages.
    pub(super) vendor: bool,
    /// It reads goodbyes.
    pub(super) bye: bool,
}

/// Vendor messages the other side listed as bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Supports(pub(super) u8);

impl Supports {
    pub(super) const PUSH_PROXY: Supports = Supports(1);
    pub(super) const CONNECT_BACK: Supports = Supports(2);
    pub(super) const UDP_CONNECT_BACK: Supports = Supports(4);
    pub(super) const STATUS_REQUEST: Supports = Supports(8);
    pub(super) const STATUS: Supports = Supports(16);
    pub(super) const OVER: Supports = Supports(32);
    pub(super) const NEIGHBOURS: Supports = Supports(64);

    pub(super) fn has(self, other: Supports) -> bool {
        self.0 & other.0 != 0
    }
}

/// A link that carries messages.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) greeting: Greeting,
    /// We called.
    pub(super) outgoing: bool,
    pub(super) since: Instant,
    /// A message that is not whole yet.
    pub(super) input: Vec<u8>,
    pub(super) queue: SendQueue,
    /// When something came last, and when we sent something last.
    pub(super) heard: Instant,
    pub(super) spoke: Instant,
    /// When a ping was last sent that has to be answered.
    pub(super) pinged: Instant,
    /// When something last left, or nothing had to.
    pub(super) drained: Instant,
    pub(super) queries: Budget,
    pub(super) pushes: Budget,
    pub(super) pings: Budget,
    pub(super) alive: Budget,
    pub(super) duplicates: DuplicateMeter,
    /// Its route table.
    pub(super) table: Option<Box<Received>>,
    /// Which version of our route table it has; zero for none.
    pub(super) told_table: u32,
    pub(super) supports: Supports,
    /// It wants no queries that have gone so far.
    pub(super) most_hops: u8,
    /// It gets our route table.
    pub(super) takes_tables: bool,
    /// A leaf whose push proxy we are, or an ultrapeer that is ours.
    pub(super) proxy: bool,
    /// Messages and bytes that came and were sent.
    pub(super) messages: [u32; 2],
    pub(super) bytes: [u64; 2],
    rare: Option<Box<Rare>>,
}

/// What no link of a leaf has as long as all is well.
#[derive(Default, Debug)]
pub(super) struct Rare {
    pub(super) inflater: Option<Box<Inflater>>,
    pub(super) deflater: Option<Box<Deflater>>,
    /// When what was deflated was last let go out.
    pub(super) flushed: Option<Instant>,
    /// An ultrapeer's neighbours, if it says.
    pub(super) around: Option<Box<[Named]>>,
    /// Faults that are spared up to a number.
    faults: BTreeMap<Violation, u32>,
}

impl Link {
    pub(super) fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Up(_, live) => Some(live),
            Phase::Shaking(_) => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.phase {
            Phase::Up(_, live) => Some(live),
            Phase::Shaking(_) => None,
        }
    }

    /// What the other side is, once the link is up.
    pub(super) fn role(&self) -> Option<Role> {
        match self.phase {
            Phase::Up(role, _) => Some(role),
            Phase::Shaking(_) => None,
        }
    }

    /// The route table of a leaf, if it has sent one.
    pub(super) fn leaf_table(&self) -> Option<&Table> {
        self.live().filter(|_| self.role() == Some(Role::Leaf))?.table.as_ref()?.table.as_ref()
    }

    /// Where the other side can be called, as far as it is known.
    pub(super) fn address(&self) -> Endpoint {
        let Some(live) = self.live() else { return self.peer };
        match live.greeting.listen {
            _ if live.outgoing => self.peer,
            Some(listen) => self.peer.with_port(listen.port()),
            None => self.peer,
        }
    }
}

impl Live {
    pub(super) fn new(greeting: Greeting, outgoing: bool, now: Instant) -> Live {
        Live {
            greeting,
            outgoing,
            since: now,
            input: Vec::new(),
            queue: SendQueue::default(),
            heard: now,
            spoke: now,
            pinged: now,
            drained: now,
            queries: Budget::default(),
            pushes: Budget::default(),
            pings: Budget::default(),
            alive: Budget::default(),
            duplicates: DuplicateMeter::default(),
            table: None,
            told_table: 0,
            supports: Supports::default(),
            most_hops: u8::MAX,
            takes_tables: false,
            proxy: false,
            messages: [0; 2],
            bytes: [0; 2],
            rare: None,
        }
    }

    /// What few links have, if it has any of it.
    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether what comes is deflated, and what is sent.
    pub(super) fn deflated(&self) -> (bool, bool) {
        self.rare().map_or((false, false), |rare| (rare.inflater.is_some(), rare.deflater.is_some()))
    }

    /// What deflates, where that is done.
    pub(super) fn deflater(&mut self) -> Option<&mut Deflater> {
        self.rare.as_mut()?.deflater.as_deref_mut()
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.greeting.role == Role::Leaf
    }

    pub(super) fn is_ultrapeer(&self) -> bool {
        self.greeting.role == Role::Ultrapeer
    }

    /// Whether much was deflated that has not been let go out.
    pub(super) fn is_full(&self) -> bool {
        let deflater = self.rare().and_then(|rare| rare.deflater.as_ref());
        deflater.is_some_and(|deflater| deflater.is_full())
    }

    /// Whether a flooded query goes to it.
    pub(super) fn floods(&self) -> bool {
        !self.is_leaf()
    }

    /// Whether its table lets a query through; one that sent none gets everything.
    pub(super) fn table_allows(&self, wanted: &Wanted) -> bool {
        let table = self.table.as_ref().and_then(|received| received.table.as_ref());
        table.is_none_or(|table| wanted.may_match(|word| table.contains(word)))
    }

    /// Counts a fault; says whether it was one too many.
    pub(super) fn fault(&mut self, violation: Violation) -> bool {
        let spared = violation.spared();
        if spared == 0 {
            return true;
        }
        let count = self.rare_mut().faults.entry(violation).or_default();
        *count += 1;
        *count > spared
    }
}
