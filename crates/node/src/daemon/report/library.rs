//! What is published: `POST /api/v1/publish`, `POST /api/v1/withdraw`, `GET /api/v1/library`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `POST /api/v1/publish`; answered by [`PublishStep`]s, one a line.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishRequest {
    /// Files and folders on the node's machine, absolute.
    pub(crate) paths: Vec<String>,
    /// What each is found by; its name unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// More words it is found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
}

/// One line of the answer to a publish request.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum PublishStep {
    /// Files are being hashed.
    Hashing {
        /// As it was asked for.
        path: String,
        /// Bytes.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// It is in the library, seeded, and being announced.
    Published {
        /// How it stands now.
        publication: Box<PublicationReport>,
    },
    /// How far one system is with it.
    Spread {
        /// Which publication.
        id: String,
        /// The system's name.
        system: String,
        /// How far.
        spread: Spread,
    },
    /// It cannot be published.
    Failed {
        /// As it was asked for.
        path: String,
        /// One line for people.
        error: String,
    },
    /// Every path was dealt with, and every system has said how far it is or was waited for long enough.
    Done {
        /// Paths that failed.
        failed: usize,
    },
}

/// How far a system is with a publication: in `at` of `of` places.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
pub(crate) struct Spread {
    /// Places where it can be found.
    pub(crate) at: u64,
    /// Places where it should be.
    pub(crate) of: u64,
    /// Files it has taken, and how many there are.
    pub(crate) files: (u64, u64),
    /// In words, like `searchable on 2 of 2`.
    pub(crate) words: String,
}

/// `GET /api/v1/library`.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct LibraryReport {
    /// Publications, the newest first: as many as were asked for.
    pub(crate) publications: Vec<PublicationReport>,
    /// How many there are.
    #[serde(default)]
    pub(crate) total: usize,
    /// Where the next part begins, if there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    /// Files that are being hashed now, if any.
    pub(crate) hashing: Vec<Hashing>,
}

/// A path being hashed.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Hashing {
    /// Which.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) done: u64,
    /// Bytes in all.
    pub(crate) total: u64,
}

/// One publication.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct PublicationReport {
    /// Names it in `throng withdraw`.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) tags: Vec<String>,
    /// Where it lies.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Files.
    pub(crate) files: usize,
    pub(crate) magnet: String,
    pub(crate) hashes: HashReport,
    /// The ed25519 key that signed it, in hex.
    pub(crate) publisher: String,
    /// Grows with each version.
    pub(crate) sequence: u64,
    /// Seconds since 1970.
    pub(crate) published_at: u64,
    /// How far each system is with it, by the system's name. Renewed by the node as long as it runs.
    pub(crate) systems: BTreeMap<String, Spread>,
    /// Why it cannot be served now, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// Whether it was fetched here rather than published.
    pub(crate) fetched: bool,
    /// Bytes sent of it to others, over BitTorrent.
    pub(crate) uploaded: u64,
}

/// What a file or swarm is named by, each in hex.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
pub(crate) struct HashReport {
    /// Root of the file's BEP 52 tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) info_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) info_hash_v2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tiger: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ft_hash: Option<String>,
}

/// `POST /api/v1/withdraw`.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawRequest {
    /// A publication's id, or its path.
    pub(crate) id: String,
}

/// What was withdrawn; the files stay.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct WithdrawAnswer {
    pub(crate) id: String,
    pub(crate) title: String,
}
