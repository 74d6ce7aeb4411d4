//! rqbit (`rqbit download`, both ways). Its output folder is the torrent's own folder, so the driver names it.

use std::path::PathBuf;

use anyhow::Result;

use super::{Job, Program, find_in_path};
use crate::process::{Running, Sign};
use crate::torrent::Format;

/// The driver of rqbit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rqbit;

impl Rqbit {
    fn start(self, job: &Job<'_>, ready: Sign) -> Result<Running> {
        let mut command = job.host.namespace.command("rqbit");
        command.env("HOME", job.scratch).env("NO_COLOR", "1").args(["-v", "info"]);
        command.args(["--disable-dht", "--disable-dht-persistence", "--disable-lsd"]);
        command.args(["--disable-upnp-port-forward", "--ipv4-only"]);
        command.args(["--listen-ip", &job.host.address.to_string(), "--listen-port", &job.port.to_string()]);
        if job.upload_limit > 0 {
            command.args(["--ratelimit-upload", &job.upload_limit.to_string()]);
        }
        if job.download_limit > 0 {
            command.args(["--ratelimit-download", &job.download_limit.to_string()]);
        }
        command.args(["download", "--overwrite", "--disable-http-api"]).arg("-o").arg(Self::output(job));
        if !job.peers.is_empty() {
            let peers: Vec<String> = job.peers.iter().map(ToString::to_string).collect();
            command.args(["--initial-peers", &peers.join(",")]);
        }
        command.arg(job.source);
        Running::start(
            self.name(),
            command,
            &job.log(),
            ready,
            Sign::Text("torrent finished downloading".to_owned()),
        )
    }

    fn output(job: &Job<'_>) -> PathBuf {
        job.dir.to_owned()
    }
}

impl Program for Rqbit {
    fn name(&self) -> &'static str {
        "rqbit"
    }

    fn is_installed(&self) -> bool {
        find_in_path("rqbit").is_some()
    }

    fn dials(&self) -> bool {
        true
    }

    fn understands(&self, format: Format) -> bool {
        format != Format::V2
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, Sign::Text("Initial check results".to_owned()))
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, Sign::Listening(job.port))
    }
}
