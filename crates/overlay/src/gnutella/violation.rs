//! What peers can do wrong; all of it is counted, some of it ends the link with a goodbye that says why.

use std::collections::BTreeMap;
use throng_wire::gnutella::{ByeCode, Error, HandshakeError, QrpError};

/// A breach of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Violation {
    /// A handshake without end, with a thousand headers, or that is none.
    #[error("bad handshake")]
    Handshake,
    /// More handshakes than one address may begin.
    #[error("too many connections from one address")]
    Crowd,
    /// A message that cannot be read, or a payload over 64 KiB.
    #[error("bad message")]
    Message,
    /// A deflated link whose data is broken, ends, or inflates beyond all measure.
    #[error("bad deflated data")]
    Deflated,
    /// Hops and TTL together beyond the limit.
    #[error("TTL and hops beyond the limit")]
    TooFar,
    /// The same message again on the same link.
    #[error("too many duplicates")]
    Repeated,
    /// A leaf that relays.
    #[error("leaf node relayed")]
    LeafRelayed,
    /// A message that never travels further than one link, and did.
    #[error("a link's own message was relayed")]
    NotLocal,
    /// More queries than a link may send.
    #[error("too many queries")]
    QueryStorm,
    /// A query that nearly every file answers, or without valid flags or text.
    #[error("improper queries")]
    ImproperQuery,
    /// Hits for a query nobody asked.
    #[error("hits nobody asked for")]
    UnaskedHit,
    /// A hit that does not answer its query, or is broken inside.
    #[error("spam among the hits")]
    Spam,
    /// A push to an address it must not make us call, or more pushes than one may send.
    #[error("bad push")]
    Push,
    /// A route table that is wrong.
    #[error("bad route table")]
    Table,
    /// A vendor message that is broken or out of place.
    #[error("bad vendor message")]
    Vendor,
    /// A query, hit or offer by UDP without the key or token it needs.
    #[error("unproved datagram")]
    Unproved,
    /// Two servents with one id.
    #[error("somebody else's id")]
    Identity,
}

impl Violation {
    /// The code of the goodbye.
    pub(super) fn bye(self) -> ByeCode {
        match self {
            Violation::TooFar => ByeCode::HIGH_TTL,
            Violation::Repeated => ByeCode::DUPLICATES,
            Violation::LeafRelayed => ByeCode::LEAF_RELAYED,
            Violation::QueryStorm | Violation::ImproperQuery => ByeCode::BAD_QUERIES,
            Violation::Table => ByeCode::BAD_TABLE,
            Violation::UnaskedHit | Violation::Spam | Violation::Push | Violation::Identity => ByeCode(415),
            _ => ByeCode::BAD_MESSAGE,
        }
    }

    /// How many of these a link may commit; those that are no accident end it at once.
    pub(super) fn spared(self) -> u32 {
        match self {
            Violation::TooFar => 10,
            Violation::ImproperQuery => 50,
            Violation::QueryStorm => 2_000,
            Violation::UnaskedHit => 500,
            Violation::Spam | Violation::Push => 100,
            Violation::Vendor | Violation::Message | Violation::NotLocal => 20,
            _ => 0,
        }
    }
}

impl From<Error> for Violation {
    fn from(_: Error) -> Violation {
        Violation::Message
    }
}

impl From<HandshakeError> for Violation {
    fn from(_: HandshakeError) -> Violation {
        Violation::Handshake
    }
}

impl From<QrpError> for Violation {
    fn from(_: QrpError) -> Violation {
        Violation::Table
    }
}

/// How often each happened.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Violations(BTreeMap<Violation, u64>);

impl Violations {
    pub(super) fn count(&mut self, violation: Violation) {
        *self.0.entry(violation).or_default() += 1;
    }

    /// How often that one happened.
    pub fn of(&self, violation: Violation) -> u64 {
        self.0.get(&violation).copied().unwrap_or_default()
    }

    /// All that happened.
    pub fn iter(&self) -> impl Iterator<Item = (Violation, u64)> + '_ {
        self.0.iter().map(|(violation, count)| (*violation, *count))
    }
}
