//! Moving files between peers by HTTP, as Gnutella and FastTrack do (docs/protocols/http.md): both sides, one machine.
//!
//! [`Transfer`] stands inside a servent's machine, or alone. It serves what is shared: by hash, by number, trees, lists,
//! ranges, partial files, with slots and a queue. And it fetches: one range of one file from one source a command, on a
//! connection kept for the next range, waiting its turn in queues, by push where the source cannot be called. It never
//! chooses between sources. Bytes of files move by [`throng_machine::Extent`]; what is not shared cannot be named.
//!
//! Invariants: a file is named by its content alone, never by a path; every wait has an end; what is held for one peer
//! is bounded; nobody is called on a stranger's word but whom the peer itself could be.

mod beside;
mod client;
mod command;
mod config;
mod connection;
mod event;
mod machine;
mod mesh;
mod server;
mod shares;
#[cfg(test)]
mod tests;

mod violation;

pub use beside::{Beside, Both, Host};
pub use command::{Command, Fetch, FetchId, FetchTree, PushBy, Source, SourceId};
pub use config::{Config, Identity};
pub use event::{Description, Event, FetchError};
pub use machine::Transfer;
pub use mesh::Alternates;
pub use shares::{Shared, TigerTree};
pub use violation::{Violation, Violations};
