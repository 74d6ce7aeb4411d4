//! One home, one running node: a lock of the operating system's on a file, gone with the process however it ends.

use super::address::NodeAddress;
use super::{file, unusable};
use crate::failure::{Failure, Outcome};
use crate::text;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const FILE: &str = "node.lock";
/// Commands that wait for a node's end look at the lock for a moment; a node that starts just then tries again.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the lock is tried.
const LOOK: Duration = Duration::from_millis(15);

/// The lock, held until dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn take(folder: &Path) -> Outcome<Lock> {
        let path = folder.join(FILE);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(|error| unusable(&path, &error))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => return Err(taken(folder)),
                Err(TryLockError::Error(error)) => return Err(unusable(&path, &error)),
            }
        }
        let own = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        own.map_err(|error| unusable(&path, &error))?;
        Ok(Lock(file))
    }

    /// Nobody's any more.
    pub(super) fn clear(&self) {
        // Who reads it finds the lock free anyway.
        let _ = self.0.set_len(0);
    }
}

/// Who has it, as far as can be known.
fn taken(folder: &Path) -> Failure {
    let home = text::path(folder);
    if let Ok(Some(address)) = NodeAddress::read(folder) {
        let NodeAddress { pid, api, .. } = address;
        return Failure::failed(format_args!(
            "a node already runs on {home} (process {pid}, API http://{api}); end it with: throng leave"
        ));
    }
    let pid = file::read(&folder.join(FILE), 32).ok().flatten().unwrap_or_default();
    let who = match String::from_utf8_lossy(&pid).trim().parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    };
    Failure::failed(format_args!("{who} is just starting or ending a node on {home}; try again in a moment"))
}

pub(super) fn wait_free(folder: &Path, within: Duration) -> bool {
    let Ok(file) = File::open(folder.join(FILE)) else { return true };
    let deadline = Instant::now() + within;
    loop {
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => return false,
            // The lock goes with the file handle.
            _ => return true,
        }
    }
}
