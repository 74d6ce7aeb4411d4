//! What can be wrong with what a node sends.

/// Why bytes are no FastTrack message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// It ends before its fields do.
    #[error("the message is cut off")]
    Truncated,
    /// Neither a ping, a pong nor a message: the streams are out of step.
    #[error("the byte at the start of a frame is none that begins one")]
    OutOfStep,
    /// A variable-length number of more than 64 bits or not in its shortest form.
    #[error("a number is too long")]
    Number,
    /// A field says more bytes or parts follow than there are.
    #[error("a length says more than there is")]
    Length,
    /// A field has a value it cannot have.
    #[error("a field has a value it cannot have")]
    Value,
}
