//! What peers can do wrong; all of it is counted, all of it ends the connection.

use throng_wire::http::HttpError;

/// A breach of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
    /// A head that cannot be read.
    #[error("{0}")]
    Wire(#[from] HttpError),
    /// Speaks when it is not its turn, or more than may be held.
    #[error("out of turn")]
    OutOfTurn,
    /// A reply that does not fit what was asked: other bytes, another size, another file.
    #[error("a reply that does not fit the request")]
    Mismatch,
    /// A call for something nobody asked for.
    #[error("a call nobody asked for")]
    Unasked,
    /// A list or tree that is none.
    #[error("a list or tree that is none")]
    Body,
    /// Hardly a byte a minute.
    #[error("too slow to be meant")]
    TooSlow,
    /// More connections than one address may have.
    #[error("too many connections")]
    Crowd,
    /// Asks for a slot again and again before its time.
    #[error("asked too often")]
    Impatient,
    /// Would have us call somebody else.
    #[error("an address that must not be called")]
    Address,
}

/// How often each happened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Violations {
    /// See [`Violation::Wire`].
    pub wire: u64,
    /// See [`Violation::OutOfTurn`].
    pub out_of_turn: u64,
    /// See [`Violation::Mismatch`].
    pub mismatch: u64,
    /// See [`Violation::Unasked`].
    pub unasked: u64,
    /// See [`Violation::Body`].
    pub body: u64,
    /// See [`Violation::TooSlow`].
    pub too_slow: u64,
    /// See [`Violation::Crowd`].
    pub crowd: u64,
    /// See [`Violation::Impatient`].
    pub impatient: u64,
    /// See [`Violation::Address`].
    pub address: u64,
}

impl Violations {
    /// Counts one.
    pub(super) fn count(&mut self, violation: Violation) {
        let counter = match violation {
            Violation::Wire(_) => &mut self.wire,
            Violation::OutOfTurn => &mut self.out_of_turn,
            Violation::Mismatch => &mut self.mismatch,
            Violation::Unasked => &mut self.unasked,
            Violation::Body => &mut self.body,
            Violation::TooSlow => &mut self.too_slow,
            Violation::Crowd => &mut self.crowd,
            Violation::Impatient => &mut self.impatient,
            Violation::Address => &mut self.address,
        };
        *counter = counter.saturating_add(1);
    }
}
