//! The allow-list's file: read at the start, and again when it changes.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::SystemTime;

use throng_tracker::AllowList;

/// Largest file read: about 1.6 million swarms.
const MAX_BYTES: u64 = 64 << 20;

/// A file, and what it was when it was last read.
pub(super) struct Watched {
    path: PathBuf,
    seen: Stamp,
}

/// Time of last change and length; both, since a file can change twice within the clock's grain.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<SystemTime>, u64);

impl Watched {
    /// Reads the file; an unreadable one is an error now, but only a warning later.
    pub(super) fn open(path: PathBuf) -> io::Result<(Self, AllowList)> {
        let (list, seen) = read(&path)?;
        Ok((Self { path, seen }, list))
    }

    /// The new list, if the file has changed. A file that is missing or wrong leaves the old list in force.
    pub(super) fn poll(&mut self) -> Option<AllowList> {
        if stamp(&self.path).is_ok_and(|stamp| stamp == self.seen) {
            return None;
        }
        match read(&self.path) {
            Ok((list, seen)) => {
                tracing::info!(swarms = list.len(), "read the allow-list again");
                self.seen = seen;
                Some(list)
            }
            Err(error) => {
                tracing::warn!("allow-list {} stays as it was: {error}", self.path.display());
                // Not again until it changes again.
                self.seen = stamp(&self.path).unwrap_or(Stamp(None, 0));
                None
            }
        }
    }
}

fn stamp(path: &PathBuf) -> io::Result<Stamp> {
    let metadata = std::fs::metadata(path)?;
    Ok(Stamp(metadata.modified().ok(), metadata.len()))
}

fn read(path: &PathBuf) -> io::Result<(AllowList, Stamp)> {
    // Before reading, so that a change in between is seen as one.
    let seen = stamp(path)?;
    let mut text = String::new();
    let taken = std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if taken as u64 > MAX_BYTES {
        return Err(io::Error::other("larger than 64 MiB"));
    }
    let list = AllowList::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok((list, seen))
}
