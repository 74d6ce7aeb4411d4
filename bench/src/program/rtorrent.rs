//! rtorrent, as a daemon without a terminal, told by its settings file what to load.

use anyhow::Result;

use super::{Job, Program, find_in_path};
use crate::process::{Running, Sign};
use crate::torrent::Format;

/// The driver of rtorrent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rtorrent;

impl Rtorrent {
    fn settings(job: &Job<'_>) -> Result<String> {
        let (script, _marker) = job.completion_hook()?;
        let scratch = job.scratch.display();
        std::fs::create_dir_all(job.scratch.join("session"))?;
        let mut lines = vec![
            "system.daemon.set = true".to_owned(),
            format!("session.path.set = {scratch}/session"),
            format!("directory.default.set = {}", job.dir.display()),
            format!("network.bind_address.set = {}", job.host.address),
            format!("network.port_range.set = {0}-{0}", job.port),
            "network.port_random.set = no".to_owned(),
            "dht.mode.set = off".to_owned(),
            "trackers.use_udp.set = yes".to_owned(),
            "protocol.encryption.set = allow_incoming".to_owned(),
            "pieces.hash.on_completion.set = no".to_owned(),
            format!("throttle.global_up.max_rate.set_kb = {}", job.upload_limit / 1024),
            format!("throttle.global_down.max_rate.set_kb = {}", job.download_limit / 1024),
            format!("log.open_file = \"messages\", \"{scratch}/messages\""),
            "log.add_output = \"info\", \"messages\"".to_owned(),
            format!(
                "method.set_key = event.download.finished, throng, \"execute.nothrow={}\"",
                script.display()
            ),
            // A complete torrent was never "finished"; its hash check ends with this event.
            format!(
                "method.set_key = event.download.hash_done, throng, \"branch=d.complete=,\\\"execute.nothrow={}\\\"\"",
                script.display()
            ),
        ];
        // Torrents can be loaded only once the settings are read.
        lines.push(format!("schedule2 = load, 0, 0, ((load.start, \"{}\"))", job.source));
        Ok(lines.join("\n") + "\n")
    }

    fn start(self, job: &Job<'_>, seed: bool) -> Result<Running> {
        let settings = job.scratch.join("rtorrent.rc");
        std::fs::write(&settings, Self::settings(job)?)?;
        let mut command = job.host.namespace.command("rtorrent");
        command.env("HOME", job.scratch).arg("-n").arg("-o").arg(format!("import={}", settings.display()));
        let marker = job.scratch.join("complete");
        let ready = if seed { Sign::File(marker.clone()) } else { Sign::Listening(job.port) };
        Running::start(self.name(), command, &job.log(), ready, Sign::File(marker))
    }
}

impl Program for Rtorrent {
    fn name(&self) -> &'static str {
        "rtorrent"
    }

    fn is_installed(&self) -> bool {
        find_in_path("rtorrent").is_some()
    }

    fn dials(&self) -> bool {
        false
    }

    /// 0.9.8 fetches nothing of a hybrid torrent, by file or by magnet link.
    fn understands(&self, format: Format) -> bool {
        format == Format::V1
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, true)
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, false)
    }
}
