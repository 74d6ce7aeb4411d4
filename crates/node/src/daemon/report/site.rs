//! Sites: `POST /api/v1/sites`.

use serde::{Deserialize, Serialize};

/// `POST /api/v1/sites`.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteRequest {
    /// The folder, absolute.
    pub(crate) path: String,
    /// Before the key in its name: small letters, digits and `-`; none unless said.
    #[serde(default)]
    pub(crate) label: String,
}

/// What was published.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct SiteAnswer {
    /// Its host name.
    pub(crate) host: String,
    /// Where this node's gateway shows it.
    pub(crate) url: String,
    /// The publication's id.
    pub(crate) id: String,
    /// Version of the ring's value.
    pub(crate) seq: u64,
    /// Hosts of the ring that keep it, and that should.
    pub(crate) copies: u32,
    pub(crate) of: u32,
}
