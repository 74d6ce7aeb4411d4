//! The node's membership of directories.

use super::{Standing, Traffic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The node as a user of directories.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct DirectoryStatus {
    pub(crate) standing: Standing,
    /// Where peers fetch; absent if nobody can call this node.
    pub(crate) data_port: Option<u16>,
    pub(crate) directories: Vec<DirectorySession>,
    /// Files that are to be shared.
    pub(crate) files: u64,
    pub(crate) transfers: DirectoryTransfers,
    pub(crate) traffic: Traffic,
    /// What others did wrong, and how often.
    pub(crate) counters: BTreeMap<String, u64>,
}

/// One directory.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct DirectorySession {
    /// As it was given.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) online: bool,
    /// This node's name there.
    pub(crate) nick: String,
    /// Files it was told of.
    pub(crate) files_shared: u32,
    /// All users there, and what they share, as it says.
    pub(crate) users: Option<u64>,
    pub(crate) files: Option<u64>,
    pub(crate) gigabytes: Option<u64>,
    /// Why it is not joined, in one line.
    pub(crate) trouble: Option<String>,
    /// Where it wants its users to go.
    pub(crate) redirect: Option<String>,
}

/// Transfers under way.
#[derive(Clone, Copy, Serialize, Deserialize, Debug)]
pub(crate) struct DirectoryTransfers {
    pub(crate) uploads: usize,
    /// Users waiting for one.
    pub(crate) waiting: usize,
    pub(crate) downloads: usize,
}
