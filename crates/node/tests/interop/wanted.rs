//! What a test needs of the machine, and how many tests may use it at once.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

use throng_bench::program::{Program, Tracker};

/// Tests that may run programs at the same time: enough to hide timers, few enough for two cores.
const AT_ONCE: usize = 8;

static RUNNING: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

/// A test's turn; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn;

impl Turn {
    /// Waits until fewer than [`AT_ONCE`] tests are running.
    pub(crate) fn wait() -> Self {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        while *running >= AT_ONCE {
            running = FREE.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREE.notify_one();
    }
}

/// Whether all of these are there; if not, says which is not, or fails where nothing may be missing (`CI=true` or
/// `THRONG_INTEROP=required`). With `THRONG_INTEROP=off` nothing is.
pub(crate) fn installed(programs: &[&dyn Program], tracker: &dyn Tracker) -> bool {
    let word = std::env::var("THRONG_INTEROP").unwrap_or_default();
    if word == "off" {
        eprintln!("skipped: THRONG_INTEROP=off");
        return false;
    }
    let mut missing: Vec<&str> =
        programs.iter().filter(|program| !program.is_installed()).map(|program| program.name()).collect();
    if !tracker.is_installed() {
        missing.push(tracker.name());
    }
    if !rustix::process::geteuid().is_root() {
        missing.push("root (for network namespaces)");
    }
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var("CI").is_ok_and(|word| word == "true") || word == "required";
    assert!(!required, "missing: {}", missing.join(", "));
    eprintln!("skipped, missing: {}", missing.join(", "));
    false
}

/// The program a variable names; `None`, said aloud, if it is not set.
pub(crate) fn program(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).or_else(|| {
        eprintln!("skipped: {variable} names no program");
        None
    })?;
    assert!(path.is_file(), "{variable} is {}, which is no program", path.display());
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: network namespaces need root");
        return None;
    }
    Some(path)
}
