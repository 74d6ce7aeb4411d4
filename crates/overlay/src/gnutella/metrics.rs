//! What a servent counts.

use throng_wire::gnutella::Kind;

/// Kinds of messages counted apart.
pub const KINDS: [Kind; 9] = [
    Kind::Ping,
    Kind::Pong,
    Kind::Query,
    Kind::QueryHit,
    Kind::Push,
    Kind::Qrp,
    Kind::Vendor,
    Kind::Bye,
    Kind::Other(0),
];

/// Messages by kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ByKind(pub [u64; KINDS.len()]);

impl ByKind {
    pub(super) fn count(&mut self, kind: Kind) {
        self.0[place(kind)] += 1;
    }

    /// How many of that kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[place(kind)]
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

fn place(kind: Kind) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len() - 1)
}

/// Counters of a servent; they only grow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Metrics {
    /// Messages that came on links.
    pub received: ByKind,
    /// Messages given to links.
    pub sent: ByKind,
    /// Bytes of messages that came, inflated.
    pub bytes_in: u64,
    /// Bytes of messages given to links, before they are deflated.
    pub bytes_out: u64,
    /// Of those, bytes of queries and hits.
    pub search_bytes: u64,
    /// Messages given up because a link was full.
    pub dropped: u64,
    /// Copies of queries that had come before.
    pub duplicates: u64,
    /// Queries that found files of ours.
    pub answered: u64,
    /// Hits passed on.
    pub hits_routed: u64,
    /// Hits and pushes whose way back is gone.
    pub no_route: u64,
    /// Dynamic queries begun.
    pub dynamic: u64,
    /// Handshakes we were refused in.
    pub refused: u64,
    /// Datagrams that came and were sent.
    pub datagrams: [u64; 2],
}
