//! The node's part in the network of supernodes.

use super::{Standing, Traffic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The node as an ordinary node or a supernode.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct SupernodeStatus {
    pub(crate) standing: Standing,
    /// `ordinary` or `supernode`.
    pub(crate) role: String,
    /// Where others reach it, as far as it knows.
    pub(crate) address: SocketAddr,
    /// The supernode it is attached to, as an ordinary node.
    pub(crate) supernode: Option<SocketAddr>,
    /// As a supernode: ordinary nodes attached, links to other supernodes, files indexed, bytes of index and digests,
    /// and supernodes in all, as estimated.
    pub(crate) ordinary_nodes: u32,
    pub(crate) links: u32,
    pub(crate) files: u32,
    pub(crate) index_bytes: u64,
    pub(crate) supernodes: u32,
    /// Supernodes it could go to.
    pub(crate) known: usize,
    /// Files of its own that are shared.
    pub(crate) shared: usize,
    pub(crate) transfers: SupernodeTransfers,
    pub(crate) traffic: Traffic,
    /// What others did wrong, and how often.
    pub(crate) counters: BTreeMap<String, u64>,
}

/// Transfers under way.
#[derive(Clone, Copy, Serialize, Deserialize, Debug)]
pub(crate) struct SupernodeTransfers {
    pub(crate) uploads: usize,
    /// Those waiting for one.
    pub(crate) waiting: usize,
    pub(crate) downloads: usize,
}
