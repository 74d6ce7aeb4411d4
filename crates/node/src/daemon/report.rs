//! What the node tells of itself and answers, as the JSON of its API. Commands read what the node wrote, so each type
//! goes both ways; what a later version adds is ignored by an earlier one.

mod detail;
mod directory;
mod gnutella;
mod library;
mod page;
mod search;
mod site;
mod supernode;
mod transfer;

pub(crate) use self::directory::{DirectorySession, DirectoryStatus, DirectoryTransfers};
pub(crate) use self::gnutella::{GnutellaLink, GnutellaStatus, GnutellaTables};
pub(crate) use self::supernode::{SupernodeStatus, SupernodeTransfers};
pub(crate) use self::{detail::*, library::*, page::*, search::*, site::*, transfer::*};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A node as a whole.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct NodeStatus {
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// Where its API listens.
    pub(crate) api: SocketAddr,
    /// The public key that signs what it publishes, in hex.
    pub(crate) key: String,
    /// The number of this start.
    pub(crate) incarnation: u32,
    pub(crate) uptime_seconds: u64,
    /// Whether it is about to stop.
    pub(crate) leaving: bool,
    /// Lines a person may want to act on.
    pub(crate) notices: Vec<String>,
    pub(crate) systems: Vec<SystemStatus>,
}

/// One joined system.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "system", rename_all = "kebab-case")]
pub(crate) enum SystemStatus {
    /// The ring.
    Chord(Box<RingStatus>),
    /// Napster's central directories.
    Directory(Box<DirectoryStatus>),
    /// FastTrack's supernodes and their ordinary nodes.
    Supernode(Box<SupernodeStatus>),
    /// The swarms.
    Bittorrent(Box<BitTorrentStatus>),
    /// Gnutella's flooded network.
    Gnutella(Box<GnutellaStatus>),
    /// One this version of the command does not know.
    #[serde(other)]
    Unknown,
}

/// How far a node is in a system.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    /// Nobody has let it in yet.
    Joining,
    /// It takes part.
    Joined,
    /// It took part and has lost everyone.
    Isolated,
    /// It hands over.
    Leaving,
    /// It has handed over.
    Left,
}

/// The node's part in swarms.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct BitTorrentStatus {
    pub(crate) standing: Standing,
    /// Where others reach it.
    pub(crate) address: SocketAddr,
    /// Torrents, and how many of them are complete here.
    pub(crate) torrents: usize,
    pub(crate) complete: usize,
    /// Peers connected, over all torrents.
    pub(crate) peers: usize,
    /// Payload in this run.
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    /// Bytes a second.
    pub(crate) download_rate: u64,
    pub(crate) upload_rate: u64,
    /// Trackers that fail, and what went wrong.
    pub(crate) trackers_failing: BTreeMap<String, String>,
}

impl BitTorrentStatus {
    /// Without any torrent.
    pub(crate) fn new(address: SocketAddr) -> BitTorrentStatus {
        BitTorrentStatus {
            standing: Standing::Joined,
            address,
            torrents: 0,
            complete: 0,
            peers: 0,
            downloaded: 0,
            uploaded: 0,
            download_rate: 0,
            upload_rate: 0,
            trackers_failing: BTreeMap::new(),
        }
    }
}

/// The node's part in the ring.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct RingStatus {
    pub(crate) standing: Standing,
    /// `solo`, `small` or `ring`.
    pub(crate) mode: String,
    /// Where others reach it.
    pub(crate) address: SocketAddr,
    /// How many nodes it believes the ring to have.
    pub(crate) estimated_nodes: u64,
    /// Its places on the ring.
    pub(crate) nodes: Vec<Place>,
    pub(crate) traffic: Traffic,
    /// All the machine counts: lookups, messages by kind, what was refused and why.
    pub(crate) counters: BTreeMap<String, u64>,
    /// Why the disk refuses records, while it does.
    pub(crate) disk: Option<String>,
}

/// One place on the ring, a virtual node.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Place {
    /// 160 bits in hex.
    pub(crate) id: String,
    pub(crate) index: u8,
    /// Whether it owns the keys between its predecessor and itself.
    pub(crate) active: bool,
    pub(crate) predecessor: Option<Neighbour>,
    pub(crate) successors: Vec<Neighbour>,
    pub(crate) fingers: Vec<Finger>,
}

/// Another node of the ring.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Neighbour {
    pub(crate) id: String,
    pub(crate) index: u8,
    pub(crate) address: SocketAddr,
}

/// Rows `i` to `through` of the finger table, which name the same node: the first that succeeds this one by 2^(i-1).
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Finger {
    pub(crate) i: u32,
    pub(crate) through: u32,
    /// This node's id + 2^(i-1), in hex.
    pub(crate) start: String,
    pub(crate) node: Neighbour,
}

/// What the sockets of a system have carried.
#[derive(Clone, Copy, Serialize, Deserialize, Debug)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) datagrams_in: u64,
    pub(crate) datagrams_out: u64,
}

/// Bytes in JSON: as text where they are UTF-8, in base64 otherwise; exactly one of the two is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Bytes {
    /// As they are.
    Text(String),
    /// In base64, with padding.
    Base64(String),
}

impl Bytes {
    pub(crate) fn of(bytes: &[u8]) -> Bytes {
        match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text.to_owned()),
            Err(_) => Bytes::Base64(BASE64.encode(bytes)),
        }
    }

    /// `None` if the base64 is wrong.
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Bytes::Text(text) => Some(text.into_bytes()),
            Bytes::Base64(text) => BASE64.decode(text.as_bytes()).ok(),
        }
    }
}

/// `POST /api/v1/put`: one name of the ring as a database.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutRequest {
    pub(crate) key: Bytes,
    /// Absent: what this node wrote under the key is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Bytes>,
    /// How long it is kept, in seconds; a day unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_seconds: Option<u64>,
}

/// What became of a put.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct PutAnswer {
    /// Hosts that have it on their disks.
    pub(crate) copies: u32,
    /// Hosts that should.
    pub(crate) of: u32,
    /// Its version.
    pub(crate) seq: u64,
}

/// `POST /api/v1/get`.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetRequest {
    pub(crate) key: Bytes,
    /// Only what the holder of this ed25519 key wrote, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) writer: Option<String>,
}

/// What a get found; newest first, never empty.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct GetAnswer {
    pub(crate) values: Vec<StoredValue>,
    /// Hosts contacted on the way to the owner, the owner included.
    pub(crate) hops: u32,
}

/// One value.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct StoredValue {
    pub(crate) value: Bytes,
    pub(crate) seq: u64,
    /// The ed25519 key that signed it, in hex.
    pub(crate) writer: String,
}

/// Why something was not done.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct ErrorAnswer {
    /// One line for people.
    pub(crate) error: String,
}

/// One line of the answer to `POST /api/v1/leave`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum LeaveStep {
    /// The systems it takes its leave of.
    Leaving { systems: Vec<String> },
    /// One has let it go.
    Left { system: String },
    /// The end; those that had not let it go when the time was over.
    Stopped { abandoned: Vec<String> },
}
