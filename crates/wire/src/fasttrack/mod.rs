//! FastTrack (Kazaa) between ordinary node and supernode, as far as it is known.
//!
//! One TCP connection: [`ClientHello`] and [`ServerHello`] in clear, then both directions pass through a [`Cipher`]
//! each, both say the network's name and a zero byte, then come [`Frame`]s that hold [`Message`]s. Files are named by
//! [`FtHash`]. Numbers are big-endian; see `docs/protocols/fasttrack.md`.
//!
//! The cipher is obfuscation, not security: its seeds travel in clear.

mod cipher;
mod error;
mod frame;
mod hash;
mod item;
mod message;
pub(crate) mod number;
mod push;
mod search;
mod session;
mod statistics;
mod tags;
#[cfg(test)]
mod tests;

pub use cipher::Cipher;
pub use error::Error;
pub use frame::{Frame, Framing, MAX_BODY};
pub use hash::{FtHash, FtHasher, KzHasher};
pub use item::{Item, Media, Share};
pub use message::{Message, NodeInfo, NodeList, NodeListEntry};
pub use push::{PushOrder, PushRequest};
pub use search::{Comparison, Hit, Hits, Query, Realm, Reply, Term, Terms};
pub use session::{
    CLIENT_SEED, ClientHello, ENCRYPTION_TYPE, NETWORK_NAME, REQUESTED_TYPE, SERVER_SEED, ServerHello,
    is_known_name, kilobits, speed_code,
};
pub use statistics::Statistics;
pub use tags::{Tag, TagKind, Tags, TagsWriter};
