//! What a peer can do wrong, and what follows.

use crate::BanReason;
use throng_wire::peer::PeerWireError;

/// A breach of the protocol; the connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Violation {
    /// A message that cannot be read.
    #[error("{0}")]
    Wire(#[from] PeerWireError),
    /// A piece the torrent does not have.
    #[error("piece number out of range")]
    NoSuchPiece,
    /// A bitfield after other messages, or with spare bits set.
    #[error("bad bitfield")]
    Bitfield,
    /// Blocks nobody asked for, for longer than an accident takes.
    #[error("blocks that were not asked for")]
    Unasked,
    /// More messages a second than any honest peer sends.
    #[error("a flood of messages")]
    Flood,
    /// A message of an extension that cannot be read.
    #[error("bad extension message")]
    Extension,
    /// Nothing wrong, but not of use: another torrent, ourselves, somebody shut out.
    #[error("not of use")]
    NotOfUse,
    /// A second connection to a peer.
    #[error("connected already")]
    Duplicate,
}

impl Violation {
    /// Whether the address is shut out, and why.
    pub(crate) fn ban(self) -> Option<BanReason> {
        match self {
            Violation::Wire(_) | Violation::NoSuchPiece | Violation::Bitfield | Violation::Extension => {
                Some(BanReason::Protocol)
            }
            Violation::Unasked | Violation::Flood => Some(BanReason::Flood),
            Violation::NotOfUse | Violation::Duplicate => None,
        }
    }
}
