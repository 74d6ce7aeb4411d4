//! What a node is asked by its application and what it tells; the same in both roles.

use super::hit::FoundFile;
use super::violation::Violation;
use crate::discovery::{Item, Query, Ticket};
use std::net::SocketAddrV4;
use throng_machine::Endpoint;

/// What a node may be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Supernodes to attach to, or to link to.
    Join(Vec<Endpoint>),
    /// Say goodbye; a supernode sends its nodes elsewhere first.
    Leave,
    /// A file of this node, and where its swarm is served, if it is.
    Publish(Ticket, Item, Option<std::net::SocketAddr>),
    /// It is not shared any more.
    Withdraw(Ticket),
    /// A search of this node.
    Find(Ticket, Query),
    /// For that content.
    FindContent(Ticket, Item),
    /// Stop looking.
    Cancel(Ticket),
    /// Make that user, of that supernode, call us.
    Push {
        /// Said by who calls.
        id: u32,
        /// The user's address as the hit named it.
        target: SocketAddrV4,
        /// The user's supernode as the hit named it.
        supernode: SocketAddrV4,
        /// The user.
        user: Vec<u8>,
    },
    /// The ring knows a supernode whose ordinary nodes have what a search looks for.
    RingFound(Ticket, Endpoint),
    /// The ring knows no more.
    RingFinished(Ticket),
    /// What this machine could give as a supernode: MiB of memory, kbit/s as far as known.
    Capacity {
        /// MiB of memory.
        mebibytes: u32,
        /// kbit/s; 0 for unknown.
        kilobits: u32,
    },
}

/// What a node tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It can be found and can search: attached to that supernode, or one itself.
    Joined(Option<SocketAddrV4>),
    /// Its supernode is gone; it looks for another.
    Lost(SocketAddrV4),
    /// None of the supernodes it knows takes it.
    Isolated,
    /// It became a supernode, or an ordinary node again.
    Became(Standing),
    /// A file can be found.
    Published(Ticket),
    /// A hit.
    Found(Ticket, Box<FoundFile>),
    /// A search is over.
    Finished(Ticket),
    /// A search for nothing, or too many.
    Refused(Ticket, crate::discovery::Refusal),
    /// Somebody wants this node to call.
    CallAsked {
        /// To be said in the call.
        id: u32,
        /// Where.
        to: SocketAddrV4,
    },
    /// To be published in the ring, under this ticket.
    RingPublish(Ticket, Item),
    /// Not to be found in the ring any more.
    RingWithdraw(Ticket),
    /// To be looked for in the ring.
    RingFind(Ticket, Query),
    /// The ring need not look any more.
    RingCancel(Ticket),
    /// Somebody does what no honest node does.
    Violation {
        /// From where.
        from: Endpoint,
        /// What.
        violation: Violation,
    },
    /// After [`Command::Leave`]: everybody was told.
    Left,
}

/// What a node is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Attached to a supernode, or looking for one.
    Ordinary,
    /// A supernode.
    Super,
}
