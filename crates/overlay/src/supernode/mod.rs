//! Supernodes: FastTrack (Kazaa) between ordinary nodes and supernodes, our own protocol between supernodes.
//!
//! Ordinary nodes ([`client`]) hand their file lists to a supernode ([`server`]); supernodes answer for all their
//! ordinary nodes from an index and flood only among themselves, and there only where a [`digest`] says that an answer
//! is possible. A [`Node`] is either, and may change. Notes: docs/protocols/fasttrack.md and docs/protocols/supernode.md.
//!
//! FastTrack's addresses are IPv4; so is this network.

mod catalogue;
mod channel;
pub mod client;
mod command;
mod config;
pub mod digest;
mod hit;
mod magnet;
mod node;
mod packed;
mod query;
mod seldom;
pub mod server;
mod share;
pub mod size;
#[cfg(test)]
mod tests;
mod violation;

pub use catalogue::{Catalogue, Found};
pub use client::Client;
pub use command::{Command, Event, Standing};
pub use config::{Config, Rate, Role};
pub use hit::FoundFile;
pub use node::Node;
pub use query::Prepared;
pub use server::Server;
pub use violation::{Violation, Violations};

use std::net::{IpAddr, SocketAddrV4};
use throng_machine::Endpoint;

/// An address as FastTrack can say it.
pub(crate) fn v4(at: Endpoint) -> Option<SocketAddrV4> {
    match at.ip() {
        IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, at.port())),
        IpAddr::V6(_) => None,
    }
}

/// An address as machines say it.
pub(crate) fn endpoint(at: SocketAddrV4) -> Endpoint {
    Endpoint::new((*at.ip()).into(), at.port())
}

/// What handlers are given.
pub(crate) type Cx<'a> = throng_machine::Context<'a, Event>;
