//! What can be wrong with a datagram, a record or a frame of the ring.

use thiserror::Error;

/// Why bytes are not a message, or a message cannot be bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Error {
    /// It ends before its content does.
    #[error("truncated")]
    Truncated,
    /// Bytes follow the content.
    #[error("bytes after the end")]
    Trailing,
    /// More than a datagram, record or frame may have.
    #[error("too large")]
    TooLarge,
    /// A list longer than its kind allows.
    #[error("too many entries")]
    TooMany,
    /// Not a datagram or stream of the ring.
    #[error("not of the ring")]
    Magic,
    /// A version of the protocol that is not spoken.
    #[error("version {0} is not spoken")]
    Version(u8),
    /// A message, frame or record of a kind that is not known.
    #[error("unknown kind {0}")]
    Kind(u8),
    /// An address nobody can have, or one not in its shortest form.
    #[error("impossible address")]
    Address,
    /// An index no virtual node may have.
    #[error("virtual node {0} is out of range")]
    Vnode(u8),
    /// A code outside its table, or a value with two encodings in the longer of them.
    #[error("value out of range")]
    Value,
    /// A name, term, title or tag that is too long, too short or no text.
    #[error("impossible name")]
    Name,
}
