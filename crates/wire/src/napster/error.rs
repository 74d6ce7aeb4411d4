//! What can be wrong with bytes of the Napster protocol, or with what is to be written in it.

use thiserror::Error;

/// Why bytes were refused, or could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NapsterError {
    /// More data in one frame than may be; the servers close the connection (N7).
    #[error("frame of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// Bytes of data.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A field is missing; the servers answer `parameters are unparsable`.
    #[error("a field is missing")]
    MissingField,
    /// A field that must be a number is none.
    #[error("a field is not a number")]
    NotANumber,
    /// A number outside of what its field may hold: a port over 65,535.
    #[error("a number is out of its range")]
    OutOfRange,
    /// A field holds bytes the protocol has no way to express: a quote, a NUL, a line end, or nothing at all.
    #[error("a field cannot be written")]
    Unwritable,
    /// A peer opened a transfer with words that mean nothing (section 7).
    #[error("not the opening of a transfer")]
    NotAnOpening,
    /// A peer's text is longer than any it may send.
    #[error("a peer's text is over its limit")]
    PeerTextTooLong,
    /// A peer answered in words: `INVALID REQUEST`, `FILE NOT SHARED` and others (7.2).
    #[error("the peer refused the request")]
    PeerRefused,
    /// A link between servers was compressed badly, or inflates beyond all measure.
    #[error("a compressed link cannot be read")]
    Inflate,
}
