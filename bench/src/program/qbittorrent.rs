//! qBittorrent without its window (`qbittorrent-nox`), asked over its web interface how far it is.

use std::net::SocketAddrV4;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Job, Program, find_in_path};
use crate::lab::Host;
use crate::process::{Running, Sign};
use crate::torrent::Format;

/// Where each instance's web interface listens, on its host's own address.
const WEB_PORT: u16 = 8080;

/// The driver of qBittorrent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Qbittorrent;

impl Qbittorrent {
    fn settings(job: &Job<'_>) -> String {
        let address = job.host.address;
        let lines = [
            "[LegalNotice]".to_owned(),
            "Accepted=true".to_owned(),
            "[BitTorrent]".to_owned(),
            format!("Session\\Port={}", job.port),
            "Session\\Interface=eth0".to_owned(),
            "Session\\InterfaceName=eth0".to_owned(),
            format!("Session\\InterfaceAddress={address}"),
            format!("Session\\DefaultSavePath={}", job.dir.display()),
            "Session\\DHTEnabled=false".to_owned(),
            "Session\\LSDEnabled=false".to_owned(),
            "Session\\QueueingSystemEnabled=false".to_owned(),
            "Session\\BTProtocol=TCP".to_owned(),
            "Session\\MultiConnectionsPerIp=true".to_owned(),
            "Session\\IgnoreLimitsOnLAN=false".to_owned(),
            format!("Session\\GlobalUPSpeedLimit={}", job.upload_limit / 1024),
            format!("Session\\GlobalDLSpeedLimit={}", job.download_limit / 1024),
            "[Network]".to_owned(),
            "PortForwardingEnabled=false".to_owned(),
            "[Preferences]".to_owned(),
            format!("WebUI\\Address={address}"),
            format!("WebUI\\Port={WEB_PORT}"),
            "WebUI\\UseUPnP=false".to_owned(),
            "WebUI\\HostHeaderValidation=false".to_owned(),
            // Only programs of the lab can reach it.
            "WebUI\\AuthSubnetWhitelistEnabled=true".to_owned(),
            "WebUI\\AuthSubnetWhitelist=10.77.0.0/24".to_owned(),
        ];
        lines.join("\n") + "\n"
    }

    /// State and progress (0 to 1) of the only torrent.
    fn ask(host: &Host) -> Result<(String, f64)> {
        let to = SocketAddrV4::new(host.address, WEB_PORT);
        let answer = host.http_get(to, "/api/v2/torrents/info")?;
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no body")?;
        let text = String::from_utf8_lossy(&answer[body..]).into_owned();
        let (from, to) = (text.find('[').context("no list")?, text.rfind(']').context("no list")?);
        let list: Value = serde_json::from_str(&text[from..=to])?;
        let torrent = list.get(0).context("no torrent yet")?;
        let state = torrent["state"].as_str().context("no state")?;
        Ok((state.to_owned(), torrent["progress"].as_f64().context("no progress")?))
    }

    fn start(self, job: &Job<'_>) -> Result<Running> {
        let config = job.scratch.join("qBittorrent/config");
        std::fs::create_dir_all(&config)?;
        std::fs::write(config.join("qBittorrent.conf"), Self::settings(job))?;
        let mut command = job.host.namespace.command("qbittorrent-nox");
        command.env("HOME", job.scratch).arg(format!("--profile={}", job.scratch.display()));
        command.arg(format!("--save-path={}", job.dir.display())).arg("--skip-dialog=true").arg(job.source);
        let (first, second) = (job.host.clone(), job.host.clone());
        let seeding = |host: &Host| {
            Self::ask(host)
                .map(|(state, done)| done >= 1.0 && (state.ends_with("UP") || state == "uploading"))
        };
        let ready = Sign::Ask(Box::new(move || seeding(&first)));
        let complete = Sign::Ask(Box::new(move || seeding(&second)));
        Running::start(self.name(), command, &job.log(), ready, complete)
    }
}

impl Program for Qbittorrent {
    fn name(&self) -> &'static str {
        "qbittorrent"
    }

    fn is_installed(&self) -> bool {
        find_in_path("qbittorrent-nox").is_some()
    }

    fn dials(&self) -> bool {
        false
    }

    fn understands(&self, _format: Format) -> bool {
        true
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job)
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job)
    }
}
