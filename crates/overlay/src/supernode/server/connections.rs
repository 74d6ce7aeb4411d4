//! Connections of all kinds, by stream and by number.

use super::super::channel::Channel;
use super::LOCAL;
use crate::flood::{Budget, LinkId};
use crate::keyword_index::OwnerId;
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::{Endpoint, Instant, StreamId};
use throng_wire::supernode::{Candidate, Guid};

/// A connection's number; used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct ConnId(pub(super) u32);

impl ConnId {
    /// Its number in the catalogue.
    pub(super) const fn owner(self) -> OwnerId {
        OwnerId(self.0 + 1)
    }

    /// Whose files they are, if not this node's own.
    pub(super) fn of_owner(owner: OwnerId) -> Option<ConnId> {
        (owner != LOCAL).then(|| ConnId(owner.0 - 1))
    }
}

/// What a connection is.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nobody has said anything, or not enough.
    Fresh,
    /// The network's name is awaited.
    Naming(Box<Channel>),
    /// An ordinary node.
    Member(Box<Member>),
    /// We called, and await the other's preamble.
    Calling(Box<Call>),
    /// Another supernode.
    Link(LinkId),
    /// All was said; the other side is to close.
    Closing,
}

/// What we called somebody for.
#[derive(Debug)]
pub(super) enum Call {
    /// A link.
    Link,
    /// To see whether it is there: an ordinary node that would be a supernode, or a supernode that called us.
    Probe(Probe),
    /// To say this one thing.
    Errand(Vec<u8>),
    /// To ask this one thing, which answers come to.
    Ask(Ask),
}

/// A question to a supernode that the ring named.
#[derive(Debug)]
pub(super) struct Ask {
    /// The search it is for.
    pub(super) guid: Guid,
    /// The frame to be said.
    pub(super) words: Vec<u8>,
}

/// A call back.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) nonce: u64,
    /// Who must answer.
    pub(super) instance: u64,
    pub(super) whom: Probed,
    /// When the answer came, and how many bytes since: how fast it sends.
    pub(super) answered: Option<Instant>,
    pub(super) bytes: u32,
}

/// Who is called back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Probed {
    /// The other side of a link.
    Link(LinkId),
    /// An ordinary node.
    Member(ConnId, StreamId),
}

/// An ordinary node.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) channel: Channel,
    pub(super) user: Vec<u8>,
    /// Where others are told it serves files; port 0 if it can be pushed only.
    pub(super) at: SocketAddrV4,
    pub(super) bandwidth: u8,
    /// It was told that it shares too much.
    pub(super) is_full: bool,
    pub(super) searches: BTreeMap<u16, Guid>,
    pub(super) search_budget: Budget,
    pub(super) message_budget: Budget,
    /// It has been pinged and has not answered.
    pub(super) pinged: bool,
    /// When it is told of others again, and how long after that once more.
    pub(super) list_due: (Instant, Duration),
    /// Since when it has been attached.
    pub(super) since: Instant,
    /// What it said of itself, if it is one of ours.
    pub(super) ours: Option<Ours>,
}

/// An ordinary node of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ours {
    pub(super) said: Candidate,
    /// Its measured kbit/s; `None` while it has not been reached.
    pub(super) kilobits: Option<u32>,
    /// When it was last called back.
    pub(super) probed: Option<Instant>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: StreamId,
    pub(super) from: Endpoint,
    pub(super) outgoing: bool,
    pub(super) phase: Phase,
    /// Input before it is known what it is, or of a link that is no whole frame.
    pub(super) input: Vec<u8>,
    /// Bytes written that have not left.
    pub(super) queued: u32,
    pub(super) heard: Instant,
}

/// All connections.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<u32>,
    streams: HashTable<u32>,
    count: u32,
}

impl Connections {
    pub(super) const fn len(&self) -> u32 {
        self.count
    }

    pub(super) fn add(&mut self, stream: StreamId, from: Endpoint, outgoing: bool, phase: Phase) -> ConnId {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        let heard = Instant::EPOCH;
        let connection = Connection { stream, from, outgoing, phase, input: Vec::new(), queued: 0, heard };
        self.slots[number as usize] = Some(connection);
        let slots = &self.slots;
        let rehash = |number: &u32| slots[*number as usize].as_ref().map_or(0, |slot| hash(slot.stream));
        self.streams.insert_unique(hash(stream), number, rehash);
        self.count += 1;
        ConnId(number)
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        let connection = self.slots.get_mut(conn.0 as usize)?.take()?;
        if let Ok(entry) = self.streams.find_entry(hash(connection.stream), |number| *number == conn.0) {
            entry.remove();
        }
        self.free.push(conn.0);
        self.count -= 1;
        Some(connection)
    }

    pub(super) fn by_stream(&self, stream: StreamId) -> Option<ConnId> {
        let same =
            |number: &u32| self.slots[*number as usize].as_ref().is_some_and(|slot| slot.stream == stream);
        self.streams.find(hash(stream), same).copied().map(ConnId)
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.slots.get(conn.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slots.get_mut(conn.0 as usize)?.as_mut()
    }

    /// Whether the number is still that stream's.
    pub(super) fn is(&self, conn: ConnId, stream: StreamId) -> bool {
        self.get(conn).is_some_and(|connection| connection.stream == stream)
    }

    pub(super) fn member(&self, conn: ConnId) -> Option<&Member> {
        match &self.get(conn)?.phase {
            Phase::Member(member) => Some(member),
            _ => None,
        }
    }

    pub(super) fn member_mut(&mut self, conn: ConnId) -> Option<&mut Member> {
        match &mut self.get_mut(conn)?.phase {
            Phase::Member(member) => Some(member),
            _ => None,
        }
    }

    /// All ordinary nodes.
    pub(super) fn members(&self) -> impl Iterator<Item = (ConnId, &Member)> {
        (0u32..).zip(&self.slots).filter_map(|(number, slot)| match &slot.as_ref()?.phase {
            Phase::Member(member) => Some((ConnId(number), &**member)),
            _ => None,
        })
    }

    /// How many links are being made.
    pub(super) fn calling_links(&self) -> usize {
        let is_link = |phase: &Phase| matches!(phase, Phase::Calling(call) if matches!(**call, Call::Link));
        self.slots.iter().flatten().filter(|slot| is_link(&slot.phase)).count()
    }

    /// How many candidates are being called back.
    pub(super) fn probing(&self) -> usize {
        let is_probe =
            |phase: &Phase| matches!(phase, Phase::Calling(call) if matches!(**call, Call::Probe(_)));
        self.slots.iter().flatten().filter(|slot| is_probe(&slot.phase)).count()
    }

    /// Whether we are calling somebody there.
    pub(super) fn is_calling(&self, at: Endpoint) -> bool {
        let is_it = |slot: &&Connection| slot.from == at && matches!(slot.phase, Phase::Calling(_));
        self.slots.iter().flatten().any(|slot| is_it(&slot))
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = ConnId> {
        (0u32..).zip(&self.slots).filter(|(_, slot)| slot.is_some()).map(|(number, _)| ConnId(number))
    }
}

/// The driver chooses stream ids, so nobody can make them collide.
fn hash(stream: StreamId) -> u64 {
    u64::from(stream.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
