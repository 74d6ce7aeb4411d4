//! `GET /api/v1/transfers/{id}/detail`: what a person sees who looks at one transfer.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What is asked for only of a transfer that is looked at.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
pub(crate) struct TransferDetail {
    /// Peers of the swarm that are connected.
    pub(crate) peers: Vec<PeerLine>,
    /// Its files; none until it is known what is in it.
    pub(crate) files: Vec<FileLine>,
    /// Pieces that are here, first piece in the high bit, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bitfield: Option<String>,
    /// Bytes; 0 until it is known.
    pub(crate) piece_length: u64,
    /// Tracker URLs, those of one tier together.
    pub(crate) trackers: Vec<Vec<String>>,
    pub(crate) private: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) creator: Option<String>,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<i64>,
}

/// One peer.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct PeerLine {
    pub(crate) address: SocketAddr,
    /// What it calls itself.
    pub(crate) client: String,
    /// How much of it the peer has.
    pub(crate) percent: u32,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    /// Bytes a second.
    pub(crate) download_rate: u64,
    /// Bytes a second.
    pub(crate) upload_rate: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rtt_ms: Option<u64>,
    /// Whether we choke it, and it us.
    pub(crate) choking: (bool, bool),
    /// Whether we want something of it, and it of us.
    pub(crate) interested: (bool, bool),
}

/// One file.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct FileLine {
    /// Below the transfer's folder.
    pub(crate) path: String,
    pub(crate) size: u64,
    /// Bytes that are here.
    pub(crate) done: u64,
    pub(crate) wanted: bool,
}
