//! What can be wrong with a message.

/// Why bytes are no Gnutella message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// It ends before its fields do.
    #[error("the message is cut off")]
    Truncated,
    /// A payload over 64 KiB: the stream is broken.
    #[error("the message says it is larger than any message may be")]
    TooLarge,
    /// A text without its end.
    #[error("a text does not end")]
    Unterminated,
    /// A field has a value it cannot have.
    #[error("a field has a value it cannot have")]
    Value,
}
