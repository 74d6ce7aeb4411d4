//! What the application asks of a servent and is told.

use super::config::Role;
use super::violation::Violation;
use crate::discovery::{self, Ticket};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::gnutella::{ByeCode, Guid};

/// A file that is shared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SharedFile {
    /// The name it is found by.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-1 of it all; others hardly take a hit without.
    pub sha1: Option<[u8; 20]>,
    /// Root of its tiger tree.
    pub tiger: Option<[u8; 24]>,
    /// Root of its BEP 52 tree, and the v2 info-hash of a torrent with it: our own extension of hits (section 16).
    pub swarm: Option<([u8; 32], [u8; 32])>,
}

/// A search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// Words, all of which must occur; may be empty in a search by hash.
    pub words: String,
    /// Only the file with this SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// Enough.
    pub limit: u32,
    /// Long enough.
    pub timeout: Duration,
}

/// What the application may ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// What every overlay is asked. `Publish` shares under the ticket's number as the file's index.
    Discovery(discovery::Command),
    /// Search; told as the shared vocabulary does.
    Search(Ticket, Search),
    /// Link with this servent, whoever else we are linked with, if it takes us.
    Link(Endpoint),
    /// Share a file under an index.
    Share(u32, Arc<SharedFile>),
    /// No longer share it.
    Unshare(u32),
    /// Where there is nobody to be called, ask these for others by datagram; none are asked but for them.
    HostCaches(Vec<Endpoint>),
    /// Whether all upload slots are taken, for hits.
    Busy(bool),
    /// Whether a file was ever uploaded whole, for hits.
    Uploaded,
    /// Somebody unknown to us connected to our port: we can be reached.
    Reachable,
    /// The line has carried so much upwards, in kbit/s: measured, the best of late.
    Capacity(u32),
    /// Take another role.
    Become(Role),
    /// Ask a servent to connect to us and serve a file: along the way of its hits, and by its push proxies (UDP).
    Push {
        /// Its id.
        servent: Guid,
        /// The file's index there.
        index: u32,
        /// Its push proxies as the hit named them.
        proxies: Vec<Endpoint>,
    },
}

/// What the application is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// What every overlay tells.
    Discovery(discovery::Event),
    /// Somebody asks us to connect and serve a file (`GIV`). Bounded for each requester.
    PushWanted {
        /// Where to connect to.
        requester: Endpoint,
        /// The file's index, said again in GIV.
        index: u32,
    },
    /// A link is up.
    Linked {
        /// With whom.
        peer: Endpoint,
        /// What it is.
        role: Role,
    },
    /// A link is gone.
    Unlinked {
        /// With whom.
        peer: Endpoint,
        /// What was said, by them or by us.
        said: Option<ByeCode>,
    },
    /// A peer broke the protocol.
    Misbehaved(Endpoint, Violation),
    /// The role is another one.
    RoleChanged(Role),
    /// It has lost every link.
    Isolated,
}
