//! Downloads: `POST /api/v1/fetch`, `GET /api/v1/transfers`, `GET /api/v1/transfers/{id}`,
//! `GET /api/v1/transfers/{id}/watch`, `POST /api/v1/transfers/{id}/{pause,resume,remove}`.

use serde::{Deserialize, Serialize};

/// `POST /api/v1/fetch`.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct FetchRequest {
    /// What to fetch: a hit's id or a magnet link; or see `torrent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The bytes of a .torrent file in base64, instead of `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) torrent: Option<String>,
    /// The folder to put the files in, on the node's machine, absolute; that of `--downloads` if empty.
    #[serde(default)]
    pub(crate) output: String,
    /// Patterns of the files that are wanted; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) only: Vec<String>,
    /// Peers to ask at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) peers: Vec<std::net::SocketAddr>,
}

/// What became of a fetch request.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct FetchAnswer {
    /// The transfer; an older one if it was being fetched already.
    pub(crate) id: String,
    /// Its name, as far as known.
    pub(crate) name: String,
    /// Whether it was being fetched already.
    #[serde(default)]
    pub(crate) known: bool,
}

/// `GET /api/v1/transfers`.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct TransfersReport {
    /// The newest first: as many as were asked for.
    pub(crate) transfers: Vec<TransferReport>,
    /// How many there are.
    #[serde(default)]
    pub(crate) total: usize,
    /// Where the next part begins, if there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// What a transfer is doing.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TransferState {
    /// Files are opened.
    Opening,
    /// What is there is checked.
    Checking,
    /// What is in it is asked of peers.
    Metadata,
    /// Its bytes are coming, or are waited for.
    Downloading,
    /// All is here, and served.
    Complete,
    /// It waits; see `reason`.
    Paused,
    /// It cannot go on; see `reason`.
    Failed,
}

/// How its bytes are known to be right.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Proof {
    /// Each piece, by a torrent.
    Pieces,
    /// Each block, by a tiger tree.
    TigerTree,
    /// The whole file, at the end, by SHA-1.
    Sha1,
    /// Parts of it, by the weak FTHash.
    FtHash,
    /// Not at all: nothing is known that could prove it.
    Unverified,
}

/// One transfer.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct TransferReport {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: TransferState,
    /// Why it waits or failed, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) proof: Proof,
    /// Bytes wanted that are here and right (of a check: that were looked at).
    pub(crate) done: u64,
    /// Bytes wanted; 0 until it is known.
    pub(crate) size: u64,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    /// Bytes that came and were wrong, or not needed.
    pub(crate) wasted: u64,
    /// Bytes a second.
    pub(crate) download_rate: u64,
    /// Bytes a second.
    pub(crate) upload_rate: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) eta_seconds: Option<u64>,
    /// Pieces that are here, and in all.
    pub(crate) pieces: (u32, u32),
    /// Peers of the swarm that are connected.
    pub(crate) peers: usize,
    /// Sources outside the swarm.
    pub(crate) sources: Vec<SourceLine>,
    /// The folder its files are put in.
    pub(crate) folder: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) magnet: Option<String>,
    /// Seconds since 1970.
    pub(crate) started_at: u64,
    /// The last things a person should know.
    pub(crate) notices: Vec<String>,
}

/// A source outside the swarm.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct SourceLine {
    /// What it is, like `web seed http://…` or `gnutella 192.0.2.1:6346`.
    pub(crate) name: String,
    pub(crate) downloaded: u64,
    /// Bytes a second.
    pub(crate) download_rate: u64,
    /// Why nothing comes from it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// It is not asked any more.
    pub(crate) dropped: bool,
}
