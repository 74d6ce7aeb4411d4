//! `node.json`: where the running node's API is, and the token that opens it.

use super::{file, unusable};
use crate::failure::{Failure, Outcome};
use crate::text;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;

pub(super) const FILE: &str = "node.json";
/// Far more than it ever holds.
const LIMIT: u64 = 64 << 10;

/// Where a running node is reached.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct NodeAddress {
    /// Its process.
    pub(crate) pid: u32,
    /// Where its API listens; never an unspecified address.
    pub(crate) api: SocketAddr,
    /// What opens the API, new at every start.
    pub(crate) token: String,
    /// Which version it is.
    pub(crate) version: String,
}

/// The token does not get into logs.
impl std::fmt::Debug for NodeAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeAddress").field("pid", &self.pid).field("api", &self.api).finish_non_exhaustive()
    }
}

impl NodeAddress {
    /// The link that opens its page. What follows the `#` stays in the browser, which takes it out of the address.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/#token={}", self.api, self.token)
    }

    /// Of the node that runs there, or ran there until it was killed; `None` if there is none.
    pub(crate) fn read(folder: &Path) -> Outcome<Option<NodeAddress>> {
        let path = folder.join(FILE);
        let bytes = file::read(&path, LIMIT).map_err(|error| unusable(&path, &error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let address = serde_json::from_slice(&bytes).map_err(|_| {
            let path = text::path(&path);
            Failure::failed(format_args!(
                "{path} is damaged; end the node (its process is in node.lock) and start it again"
            ))
        })?;
        Ok(Some(address))
    }
}

/// Removes it.
pub(super) fn forget(folder: &Path) {
    // If it cannot be removed, those who read it find nobody there.
    let _ = std::fs::remove_file(folder.join(FILE));
}
