//! Gnutella 0.6 (docs/protocols/gnutella.md): a servent as plain peer, leaf or ultrapeer.
//!
//! [`Servent`] keeps links, floods queries between them or searches step by step, routes hits and pushes back, and
//! answers from its library. Files themselves move over HTTP, which is another machine's work (`overlay::http`); both
//! share a port and a driver.
//!
//! Invariants: what a link or an address may cost is bounded before anything is kept of it; nobody is called on a
//! stranger's word nearer to us than the stranger; no datagram is answered with more bytes than it had, unless its
//! sender's address is proved; a link that breaks the protocol is told why when it is closed.

mod around;
mod bootstrap;
mod coding;
mod command;
mod config;
mod connect;
mod control;
mod dynamic;
mod election;
mod files;
mod guards;
mod handshake;
mod hit;
mod host;
mod input;
mod leaf_index;
mod library;
mod link;
mod machine;
mod metrics;
mod pack;
mod pongs;
mod push;
mod query;
mod routing;
mod search;
mod send;
mod status;
mod tables;
#[cfg(test)]
mod tests;
mod udp;
mod ultrapeer;
mod vendor;
mod violation;

pub use command::{Command, Event, Search, SharedFile};
pub use config::{Config, Identity, Limits, Role, RoleChoice, Timing};
pub use machine::Servent;
pub use metrics::{ByKind, KINDS, Metrics};
pub use status::{LinkStatus, Status};
pub use violation::{Violation, Violations};
