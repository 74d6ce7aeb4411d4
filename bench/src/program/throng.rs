//! throng itself, by the commands that are its contract: `seed`, `fetch` and `tracker`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Job, Program, Tracker};
use crate::lab::Host;
use crate::process::{Running, Sign};
use crate::torrent::Format;

/// The driver of a built `throng`.
#[derive(Clone, Debug)]
pub struct Throng {
    /// The program file.
    pub program: PathBuf,
}

impl Throng {
    fn command(&self, job: &Job<'_>) -> Command {
        let mut command = job.host.namespace.command(&self.program);
        command.arg("--home").arg(job.scratch.join("home"));
        command
    }

    fn limits(command: &mut Command, job: &Job<'_>) {
        command.args(["--listen", &job.listen().to_string()]);
        if job.upload_limit > 0 {
            command.args(["--upload-limit", &job.upload_limit.to_string()]);
        }
    }
}

impl Program for Throng {
    fn name(&self) -> &'static str {
        "throng"
    }

    fn is_installed(&self) -> bool {
        self.program.is_file()
    }

    fn dials(&self) -> bool {
        true
    }

    fn understands(&self, _format: Format) -> bool {
        true
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        let mut command = self.command(job);
        command.arg("seed").arg(job.source).arg(job.dir);
        Self::limits(&mut command, job);
        Running::start(self.name(), command, &job.log(), Sign::Listening(job.port), Sign::Exit)
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        let mut command = self.command(job);
        command.arg("--json").arg("fetch").arg(job.source).arg("-o").arg(job.dir);
        Self::limits(&mut command, job);
        if job.download_limit > 0 {
            command.args(["--download-limit", &job.download_limit.to_string()]);
        }
        for peer in job.peers {
            command.args(["--peer", &peer.to_string()]);
        }
        let mut complete = Sign::Exit;
        if job.seed_on {
            command.arg("--seed");
            complete = Sign::Text("\"complete\"".to_owned());
        }
        Running::start(self.name(), command, &job.log(), Sign::Listening(job.port), complete)
    }
}

/// The driver of `throng tracker`.
#[derive(Clone, Debug)]
pub struct ThrongTracker {
    /// The program file.
    pub program: PathBuf,
}

impl Tracker for ThrongTracker {
    fn name(&self) -> &'static str {
        "throng tracker"
    }

    fn is_installed(&self) -> bool {
        self.program.is_file()
    }

    fn start(&self, host: &Host, port: u16, _info_hashes: &[String], scratch: &Path) -> Result<Running> {
        let mut command = host.namespace.command(&self.program);
        command.arg("--home").arg(scratch.join("tracker-home")).arg("tracker");
        command.args(["--listen", &format!("{}:{port}", host.address)]);
        let log = scratch.join("tracker.log");
        Running::start(self.name(), command, &log, Sign::Listening(port), Sign::Exit)
    }
}
