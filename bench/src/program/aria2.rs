//! aria2 (`aria2c`). It cannot be given a peer, so it always needs a tracker; completion is told by its hook, because
//! its exit waits for the next turn of a one-second clock.

use std::process::Command;

use anyhow::Result;

use super::{Job, Program, find_in_path};
use crate::process::{Running, Sign};
use crate::torrent::Format;

/// The driver of aria2.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aria2;

impl Aria2 {
    fn command(job: &Job<'_>) -> Command {
        let mut command = job.host.namespace.command("aria2c");
        command.arg("--no-conf").arg(format!("--dir={}", job.dir.display()));
        command.arg(format!("--interface={}", job.host.address));
        command.arg(format!("--listen-port={}", job.port));
        command.arg(format!("--max-overall-upload-limit={}", job.upload_limit));
        command.arg(format!("--max-overall-download-limit={}", job.download_limit));
        command.args(["--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"]);
        command.args(["--disable-ipv6=true", "--file-allocation=none", "--seed-ratio=0.0"]);
        command.args(["--summary-interval=0", "--console-log-level=notice", "--show-console-readout=false"]);
        command
    }
}

impl Program for Aria2 {
    fn name(&self) -> &'static str {
        "aria2"
    }

    fn is_installed(&self) -> bool {
        find_in_path("aria2c").is_some()
    }

    fn dials(&self) -> bool {
        false
    }

    /// It hashes a re-encoded info dictionary and loses the empty keys of a file tree, so of a hybrid torrent it has
    /// another info-hash than everyone else.
    fn understands(&self, format: Format) -> bool {
        format == Format::V1
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        let mut command = Self::command(job);
        command.args(["--bt-seed-unverified=true", "--allow-overwrite=true"]).arg(job.source);
        let ready = Sign::Listening(job.port);
        Running::start(self.name(), command, &job.log(), ready, Sign::Exit)
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        let (script, marker) = job.completion_hook()?;
        let mut command = Self::command(job);
        command.args(["--check-integrity=true", "--allow-overwrite=true", "--bt-hash-check-seed=true"]);
        command.arg(format!("--on-bt-download-complete={}", script.display())).arg(job.source);
        Running::start(self.name(), command, &job.log(), Sign::Listening(job.port), Sign::File(marker))
    }
}
