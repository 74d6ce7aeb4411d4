//! The node as a Gnutella servent.

use super::{Standing, Traffic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The node as a servent.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct GnutellaStatus {
    pub(crate) standing: Standing,
    /// `leaf`, `ultrapeer` or `plain`.
    pub(crate) role: String,
    /// Where others can call it, once that is known.
    pub(crate) address: Option<SocketAddr>,
    /// Whether it believes that nobody can call it.
    pub(crate) firewalled: bool,
    pub(crate) links: Vec<GnutellaLink>,
    pub(crate) tables: GnutellaTables,
    /// Files shared, and their size in KiB.
    pub(crate) files: u64,
    pub(crate) kibibytes: u64,
    /// Searches of its own, and those it carries on as an ultrapeer.
    pub(crate) searches: u64,
    pub(crate) searches_for_leaves: u64,
    pub(crate) uploads: u64,
    pub(crate) uploads_waiting: u64,
    pub(crate) traffic: Traffic,
    /// Messages by kind, what became of them, and what peers did wrong.
    pub(crate) counters: BTreeMap<String, u64>,
}

/// One link.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct GnutellaLink {
    /// The other end of the connection.
    pub(crate) address: SocketAddr,
    /// What the other side is.
    pub(crate) role: String,
    /// Its program and version, as it says.
    pub(crate) agent: String,
    /// This node called.
    pub(crate) outgoing: bool,
    pub(crate) deflated_in: bool,
    pub(crate) deflated_out: bool,
    pub(crate) up_seconds: u64,
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
    /// As they came.
    pub(crate) bytes_in: u64,
    /// Before they were deflated.
    pub(crate) bytes_out: u64,
    /// What waits because the link is full.
    pub(crate) waiting_bytes: u64,
    /// Its route table: present entries of how many.
    pub(crate) table_words: Option<u32>,
    pub(crate) table_entries: Option<u32>,
}

/// What it remembers.
#[derive(Clone, Copy, Serialize, Deserialize, Debug)]
pub(crate) struct GnutellaTables {
    /// Queries, and where their hits go.
    pub(crate) queries: u64,
    /// Servents, and where pushes to them go.
    pub(crate) servents: u64,
    /// Servents that can be called.
    pub(crate) known: u64,
}
