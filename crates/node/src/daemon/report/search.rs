//! Searches: `POST /api/v1/search`.

use super::HashReport;
use serde::{Deserialize, Serialize};

/// `POST /api/v1/search`; answered by [`SearchStep`]s, one a line.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchRequest {
    /// All of them must occur.
    pub(crate) words: Vec<String>,
    /// Only these systems; all joined ones if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) systems: Vec<String>,
    /// Hits at most; 100 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u32>,
    /// How long it may take, in seconds. Unless said, it ends when every system has answered, and after 2 at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_seconds: Option<u64>,
}

/// `POST /api/v1/standing`: a search that is asked again and again.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct StandingRequest {
    /// All of them must occur.
    pub(crate) words: Vec<String>,
    /// Only these systems; all joined ones if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) systems: Vec<String>,
}

/// What names it from now on.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct StandingAnswer {
    pub(crate) id: String,
}

/// `GET /api/v1/standing`.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct StandingsReport {
    pub(crate) searches: Vec<StandingReport>,
}

/// A standing search.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct StandingReport {
    pub(crate) id: String,
    pub(crate) words: Vec<String>,
    pub(crate) systems: Vec<String>,
    /// Seconds since 1970.
    pub(crate) created_at: u64,
    /// What it has found so far, the oldest first.
    pub(crate) hits: Vec<StandingHit>,
}

/// A hit of a standing search.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct StandingHit {
    /// What `throng fetch` takes, for a day after it was last found.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) size: u64,
    /// Seconds since 1970 when it was first found.
    pub(crate) found_at: u64,
}

/// One line of the answer to a search.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum SearchStep {
    /// Systems that were asked.
    Asked {
        /// Their names.
        systems: Vec<String>,
    },
    /// A hit, or an earlier one of the same id of which more is known by now.
    Hit {
        /// How it stands.
        hit: Box<HitReport>,
    },
    /// A system has nothing more, or cannot answer.
    SystemDone {
        /// Its name.
        system: String,
        /// Why it could not answer, if it could not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trouble: Option<String>,
    },
    /// Over.
    Done {
        /// How many different hits there were: a source answered for each, or could not be asked.
        hits: usize,
        /// Hits beside these whose sources were asked and did not answer.
        #[serde(default)]
        dead: usize,
        /// Systems that had not answered when the time was over.
        silent: Vec<String>,
        /// Milliseconds from the beginning to the first hit told, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_ms: Option<u64>,
        /// Milliseconds from the beginning to the end.
        #[serde(default)]
        took_ms: u64,
    },
}

/// A hit: content that may be at many places.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub(crate) struct HitReport {
    /// What `throng fetch` takes; known to the node for a day.
    pub(crate) id: String,
    pub(crate) title: String,
    /// Bytes; 0 if nobody said.
    pub(crate) size: u64,
    /// Places that have it.
    pub(crate) sources: usize,
    /// Of those that were asked, how many answered for it.
    pub(crate) live: usize,
    /// Sources that were asked.
    #[serde(default)]
    pub(crate) checked: usize,
    /// Systems it came from.
    pub(crate) systems: Vec<String>,
    /// Whether its publisher's signature was seen and is right.
    pub(crate) verified: bool,
    /// Whether there is a hash that proves what is fetched.
    pub(crate) provable: bool,
    /// The key that signed it, in hex, if it is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) publisher: Option<String>,
    pub(crate) hashes: HashReport,
    /// As a link, if it can be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) magnet: Option<String>,
    /// Ids of hits of the same name and size whose content may be the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) perhaps_same: Vec<String>,
    /// Ids of earlier hits that were found to be this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) replaces: Vec<String>,
    /// What hits are sorted by, the highest first.
    pub(crate) rank: f64,
    /// Whether this node publishes it itself.
    pub(crate) own: bool,
}
