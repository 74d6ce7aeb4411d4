//! What every overlay can be asked and what it tells: join, leave, publish, search.

use std::time::Duration;
use throng_machine::Endpoint;

/// Names a search or publication of the application within one overlay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u32);

/// What is published, searched for and found: a file known by its hashes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Item {
    /// The name it is found by.
    pub title: String,
    /// Bytes.
    pub size: u64,
    /// Root of the file's BEP 52 tree: its one identity in every overlay.
    pub root: Option<[u8; 32]>,
    /// The swarm it can be fetched from.
    pub info_hash: Option<[u8; 20]>,
    /// SHA-1 of the whole file, as Gnutella names it.
    pub sha1: Option<[u8; 20]>,
}

/// What the application may ask of any overlay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Enter the overlay through any of these.
    Join(Vec<Endpoint>),
    /// Hand over what is held, say goodbye.
    Leave,
    /// Make an item findable until it is withdrawn.
    Publish(Ticket, Item),
    /// Take it back.
    Withdraw(Ticket),
    /// Look for words, until that many hits or that much time.
    Find(Ticket, Query),
    /// Stop looking.
    Cancel(Ticket),
}

/// A search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// All of them must occur.
    pub words: Vec<String>,
    /// Enough.
    pub limit: u32,
    /// Long enough.
    pub timeout: Duration,
}

/// What any overlay tells the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The overlay is entered.
    Joined,
    /// The overlay is left.
    Left,
    /// An item can be found by others: stored or announced at that many of so many places.
    Published {
        /// The publication.
        ticket: Ticket,
        /// Places that have it.
        at: u32,
        /// Places that should.
        of: u32,
    },
    /// A hit.
    Found {
        /// The search.
        ticket: Ticket,
        /// What was found.
        item: Item,
        /// Who has it.
        source: Endpoint,
    },
    /// A search is over.
    Finished(Ticket),
    /// Something asked cannot be done; the search or publication is over.
    Refused(Ticket, Refusal),
}

/// Why something cannot be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The overlay has not been joined.
    NotJoined,
    /// Too many at once.
    Busy,
    /// The query has no word that can be searched for.
    EmptyQuery,
}
