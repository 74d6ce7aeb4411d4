//! This machine and the home, whether a node runs or not.

use super::Findings;
use crate::{text, units};
use rustix::process::{Resource, getrlimit};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Less room than this on the home's disk is told.
const ROOM: u64 = 256 << 20;
/// Open files that a node with a full house of connections needs.
const FILES: u64 = 1_024;
/// A clock before the program was written is wrong: 2025 in seconds since 1970.
const WRITTEN: u64 = 1_735_689_600;

pub(super) fn look(home: &Path, findings: &mut Findings) {
    room(home, findings);
    match getrlimit(Resource::Nofile).current {
        Some(files) if files < FILES => findings.bad(format!(
            "only {files} files may be open at once, connections included; raise it with: ulimit -n 65536"
        )),
        _ => findings.good("enough files and connections may be open at once"),
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if now < WRITTEN {
        findings.bad("the clock is years behind: what others sign looks like the future; set it right");
    }
}

fn room(home: &Path, findings: &mut Findings) {
    let shown = text::path(home);
    let Some(there) = home.ancestors().find(|path| path.exists()) else {
        return findings.bad(format!("there is no way to {shown}; choose another with --home"));
    };
    match rustix::fs::statvfs(there) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let said = format!("{} are free on the disk of {shown}", units::size(free));
            if free < ROOM { findings.bad(format!("only {said}; make room")) } else { findings.good(said) }
        }
        Err(error) => findings.bad(format!("{shown} cannot be used: {error}; choose another with --home")),
    }
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok();
    if !writable {
        findings.bad(format!("{} cannot be written; choose another with --home", text::path(there)));
    }
}
