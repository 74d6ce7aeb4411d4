//! What servers and peers can do wrong; all of it is counted, some of it ends the connection.

use throng_wire::napster::NapsterError;

/// A breach of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
    /// Bytes that cannot be read.
    #[error("{0}")]
    Wire(#[from] NapsterError),
    /// A server sent what only an old client's owner would obey: run a program, compress.
    #[error("a command no client may obey")]
    Forbidden,
    /// Hits or files nobody asked for, or far more than were asked for.
    #[error("answers nobody asked for")]
    Unasked,
    /// An address we must not be made to call.
    #[error("an address that must not be called")]
    Address,
    /// A peer spoke before its turn, or not as its role does.
    #[error("out of turn")]
    OutOfTurn,
    /// More bytes than the size said.
    #[error("more bytes than promised")]
    TooMuch,
    /// Fewer bytes than the size said.
    #[error("fewer bytes than promised")]
    TooFew,
    /// Hardly a byte a minute.
    #[error("too slow to be meant")]
    TooSlow,
    /// A file of ours that was not agreed, or is not shared.
    #[error("a file that was not agreed")]
    NotAgreed,
    /// More connections than one address may have.
    #[error("too many connections")]
    Crowd,
    /// A magnet link's answer that is none.
    #[error("no magnet link")]
    Magnet,
}

/// How often each happened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Violations {
    /// See [`Violation::Wire`].
    pub wire: u64,
    /// See [`Violation::Forbidden`].
    pub forbidden: u64,
    /// See [`Violation::Unasked`].
    pub unasked: u64,
    /// See [`Violation::Address`].
    pub address: u64,
    /// See [`Violation::OutOfTurn`].
    pub out_of_turn: u64,
    /// See [`Violation::TooMuch`].
    pub too_much: u64,
    /// See [`Violation::TooFew`].
    pub too_few: u64,
    /// See [`Violation::TooSlow`].
    pub too_slow: u64,
    /// See [`Violation::NotAgreed`].
    pub not_agreed: u64,
    /// See [`Violation::Crowd`].
    pub crowd: u64,
    /// See [`Violation::Magnet`].
    pub magnet: u64,
}

impl Violations {
    /// Counts one.
    pub(super) fn count(&mut self, violation: Violation) {
        let counter = match violation {
            Violation::Wire(_) => &mut self.wire,
            Violation::Forbidden => &mut self.forbidden,
            Violation::Unasked => &mut self.unasked,
            Violation::Address => &mut self.address,
            Violation::OutOfTurn => &mut self.out_of_turn,
            Violation::TooMuch => &mut self.too_much,
            Violation::TooFew => &mut self.too_few,
            Violation::TooSlow => &mut self.too_slow,
            Violation::NotAgreed => &mut self.not_agreed,
            Violation::Crowd => &mut self.crowd,
            Violation::Magnet => &mut self.magnet,
        };
        *counter = counter.saturating_add(1);
    }
}
