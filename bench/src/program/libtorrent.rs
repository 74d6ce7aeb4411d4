//! libtorrent (libtorrent-rasterbar), by its Python module and `drivers/libtorrent_peer.py`.

use std::process::{Command, Stdio};

use anyhow::Result;

use super::{Job, Program};
use crate::process::{Running, Sign};
use crate::torrent::Format;

/// The driver of libtorrent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Libtorrent;

impl Libtorrent {
    fn start(self, job: &Job<'_>, seed: bool) -> Result<Running> {
        let mut command = job.host.namespace.command("python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/drivers/libtorrent_peer.py"));
        command.arg(job.source).arg(job.dir);
        command.args(["--listen", &job.listen().to_string()]);
        command.args(["--upload-limit", &job.upload_limit.to_string()]);
        command.args(["--download-limit", &job.download_limit.to_string()]);
        for peer in job.peers {
            command.args(["--peer", &peer.to_string()]);
        }
        if seed {
            command.arg("--seed");
        }
        if job.hold {
            command.arg("--hold");
        }
        let ready = if job.hold { "@loaded" } else { "@ready" };
        let complete = Sign::Text("@complete".to_owned());
        Running::start(self.name(), command, &job.log(), Sign::Text(ready.to_owned()), complete)
    }
}

impl Program for Libtorrent {
    fn name(&self) -> &'static str {
        "libtorrent"
    }

    fn is_installed(&self) -> bool {
        let mut command = Command::new("python3");
        command.args(["-c", "import libtorrent"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn dials(&self) -> bool {
        true
    }

    fn understands(&self, _format: Format) -> bool {
        true
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, true)
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, false)
    }
}
