//! The home folder of a node: whose turn it is, who the node is, and how its commands reach it.
//!
//! | file | holds |
//! | --- | --- |
//! | `home.json` | the version of this layout; a newer one is refused before anything is touched |
//! | `node.lock` | locked while a node runs; its process id |
//! | `node.json` | where the API of the running node is, and its token; mode 0600 |
//! | `node.key` | the seed of the node's ed25519 key in hex, made once; mode 0600 |
//! | `incarnation` | the number of the last start, never going back |
//! | `ring.sqlite` | what the ring keeps |
//! | `library.sqlite` | what is published, hashes of files, transfers, hits of the last day |
//! | `resume.sqlite` | which pieces of which torrent are on the disk |
//!
//! Every file is replaced as a whole (written beside, synced, renamed), so that none is ever half of one.

mod address;
mod file;
mod identity;
mod lock;
#[cfg(test)]
mod tests;

pub(crate) use address::NodeAddress;
pub(crate) use identity::Identity;

use crate::failure::{Failure, Outcome};
use crate::text;
use lock::Lock;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Raised when files of the home change their meaning.
const SCHEMA: u32 = 1;

/// A home that this process has to itself until it is dropped.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    lock: Lock,
}

#[derive(Serialize, Deserialize, Debug)]
struct Layout {
    schema: u32,
    written_by: String,
}

impl Home {
    /// Takes the folder, which is made if needed. Refused if a node runs there, or if a newer version wrote it.
    pub(crate) fn take(folder: &Path) -> Outcome<Home> {
        check_layout(folder)?;
        file::private_folder(folder).map_err(|error| unusable(folder, &error))?;
        let lock = Lock::take(folder)?;
        // Whoever held it before us may have been newer.
        check_layout(folder)?;
        let home = Home { folder: folder.to_owned(), lock };
        let layout = Layout { schema: SCHEMA, written_by: env!("CARGO_PKG_VERSION").to_owned() };
        home.write("home.json", &json(&layout))?;
        // Left by a node that was killed; nobody answers there.
        address::forget(folder);
        Ok(home)
    }

    /// Tells commands where the API is.
    pub(crate) fn announce(&self, address: &NodeAddress) -> Outcome {
        self.write(address::FILE, &json(address))
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The node's key and the number of this start; `now` in seconds since 1970.
    pub(crate) fn identity(&self, now: u64) -> Outcome<Identity> {
        identity::load(&self.folder, now)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Outcome {
        file::replace(&self.folder, name, bytes).map_err(|error| unusable(&self.folder.join(name), &error))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Before the lock is given back: the next node writes its own.
        address::forget(&self.folder);
        self.lock.clear();
    }
}

/// Waits until no node holds the folder; false if one still does when the time is over.
pub(crate) fn wait_free(folder: &Path, within: Duration) -> bool {
    lock::wait_free(folder, within)
}

fn check_layout(folder: &Path) -> Outcome {
    let path = folder.join("home.json");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(&path, &error)),
    };
    let layout: Layout = serde_json::from_slice(&bytes).map_err(|_| {
        let path = text::path(&path);
        Failure::failed(format_args!("{path} is damaged; remove that one file if the folder is throng's"))
    })?;
    if layout.schema <= SCHEMA {
        return Ok(());
    }
    let (folder, by) = (text::path(folder), text::line(&layout.written_by));
    Err(Failure::failed(format_args!(
        "{folder} was written by a newer throng ({by}) and is left untouched; use that version, or another --home"
    )))
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format_args!("cannot use {}: {error}; choose another with --home", text::path(path)))
}

/// As a line of JSON.
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
