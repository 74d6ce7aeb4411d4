//! Flooding: a message goes to every neighbour but the one it came from, and answers go back the way it came.
//!
//! One of the four mechanisms. Gnutella floods queries between servents, supernodes between each other; both use this.
//! It knows nothing of a message but its 16-byte id, the link it came on and how far it may go. [`Flood`] says what is
//! to become of an arrival, [`Routes`] remembers ways back, [`SendQueue`] keeps a slow link from drowning.
//!
//! Invariants: a message is new once within the routes' age; memory is bounded by the configuration, whatever comes;
//! nothing is relayed whose hops and TTL together are beyond the limit.

mod meter;
mod queue;
mod routes;
#[cfg(test)]
mod tests;

pub use meter::{Budget, DuplicateMeter};
pub use queue::{FlowLimits, Importance, Pushed, SendQueue};
pub use routes::{Noted, Origin, RouteLimits, Routes};

use throng_machine::Instant;

/// The id of a message, or of whoever is routed to.
pub type Id = [u8; 16];

/// Names a link of one node. Numbers must never come again, so that a route may outlive its link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// How far a message may still go and has gone, in links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Links it may still go.
    pub ttl: u8,
    /// Links it has gone.
    pub hops: u8,
}

impl Scope {
    /// One link further, if it may go there.
    pub fn relayed(self) -> Option<Scope> {
        let ttl = self.ttl.checked_sub(1).filter(|ttl| *ttl > 0)?;
        Some(Scope { ttl, hops: self.hops.checked_add(1)? })
    }

    /// Hops and TTL together: how far it was meant to go.
    pub fn span(self) -> u16 {
        u16::from(self.ttl) + u16::from(self.hops)
    }

    /// With so much less TTL that the span is at most `most`.
    pub fn trimmed(self, most: u8) -> Scope {
        Scope { ttl: self.ttl.min(most.saturating_sub(self.hops)), ..self }
    }
}

/// What a flood allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FloodLimits {
    /// The span that messages are trimmed to; 4 between ultrapeers, 7 in the old plain network.
    pub span: u8,
    /// A span above this is a violation; 15 as in gtk-gnutella.
    pub most_span: u8,
    /// How long and how many messages are remembered.
    pub routes: RouteLimits,
}

impl Default for FloodLimits {
    fn default() -> FloodLimits {
        FloodLimits { span: 7, most_span: 15, routes: RouteLimits::default() }
    }
}

/// What is to become of a message that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// Seen for the first time: answer it, and relay it if there is a scope to relay it with.
    New(Option<Scope>),
    /// The same as before from the same link but with a higher TTL, as dynamic queries do after a probe: relay it, do
    /// not answer it again.
    Farther(Option<Scope>),
    /// It came on another link before, as happens wherever there are circles: drop it.
    Duplicate,
    /// The same link sent it again: drop it, and count it against the link.
    Repeated,
    /// Our own came back: drop it.
    Own,
    /// Its span is beyond all limits: drop it, and count it against the link.
    TooFar,
}

/// The state of one flooded kind of message.
#[derive(Debug)]
pub struct Flood {
    routes: Routes,
    limits: FloodLimits,
}

impl Flood {
    /// Nothing seen yet; `key` keys the tables' hashes and must not be known to strangers.
    pub fn new(limits: FloodLimits, key: [u64; 2]) -> Flood {
        Flood { routes: Routes::new(limits.routes, key), limits }
    }

    /// A message came.
    pub fn arrive(&mut self, id: &Id, from: LinkId, scope: Scope, now: Instant) -> Arrival {
        if scope.span() > u16::from(self.limits.most_span) {
            return Arrival::TooFar;
        }
        // A TTL of 0 on arrival counts as 1: ours to answer, not to relay.
        let scope = Scope { ttl: scope.ttl.max(1), ..scope }.trimmed(self.limits.span);
        match self.routes.note(id, Origin::Link(from), scope.ttl, now) {
            Noted::New => Arrival::New(scope.relayed()),
            Noted::Farther => Arrival::Farther(scope.relayed()),
            Noted::Known(Origin::Own) => Arrival::Own,
            Noted::Known(Origin::Link(link)) if link == from => Arrival::Repeated,
            Noted::Known(Origin::Link(_)) => Arrival::Duplicate,
        }
    }

    /// A message of our own leaves.
    pub fn begin(&mut self, id: &Id, now: Instant) {
        self.routes.set(id, Origin::Own, now);
    }

    /// Where answers go.
    pub fn way_back(&mut self, id: &Id, now: Instant) -> Option<Origin> {
        self.routes.find(id, now)
    }

    /// How many messages are remembered.
    pub fn remembered(&self) -> usize {
        self.routes.len()
    }
}
