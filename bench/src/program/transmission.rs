//! Transmission, by `transmission-daemon` with a watched folder that holds the one torrent; a magnet link is added by
//! remote control, since 3.00 does not watch for those. It cannot be given a peer and refuses 127.0.0.0/8. It declares
//! its interest, and lets its peers download, at the next turn of a clock of ten seconds.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Job, Program, find_in_path};
use crate::process::{Running, Sign};
use crate::torrent::Format;

/// Where its remote control listens, on its host's own address.
const RPC_PORT: u16 = 9091;
/// How long it may take until it answers there.
const RPC_DEADLINE: Duration = Duration::from_secs(30);
const TOKEN: &str = "X-Transmission-Session-Id";

/// The driver of Transmission.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transmission;

impl Transmission {
    /// Adds the job's magnet link by remote control, which asks for a token it hands out in its first refusal.
    fn add(job: &Job<'_>) -> Result<()> {
        let to = SocketAddrV4::new(job.host.address, RPC_PORT);
        let body = json!({"method": "torrent-add", "arguments": {"filename": job.source}}).to_string();
        let post = |token: &str| {
            let length = body.len();
            let head = format!("POST /transmission/rpc HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
            let rest = format!("{TOKEN}: {token}\r\nContent-Length: {length}\r\n\r\n{body}");
            job.host.http(to, &(head + &rest)).map(|answer| String::from_utf8_lossy(&answer).into_owned())
        };
        let refusal = post("none")?;
        let line = refusal.lines().find_map(|line| line.strip_prefix(TOKEN)?.strip_prefix(": "));
        let answer = post(line.context("no token")?.trim())?;
        ensure!(answer.contains("\"result\":\"success\""), "refused: {answer}");
        Ok(())
    }

    fn start(self, job: &Job<'_>, seed: bool) -> Result<Running> {
        let (script, marker) = job.completion_hook()?;
        let watched = job.scratch.join("watched");
        std::fs::create_dir_all(&watched)?;
        let magnet = job.source.starts_with("magnet:");
        if !magnet {
            std::fs::copy(job.source, watched.join("one.torrent"))?;
        }
        let settings = json!({
            "bind-address-ipv4": job.host.address.to_string(),
            "peer-port": job.port,
            "download-dir": job.dir,
            "incomplete-dir-enabled": false,
            "rename-partial-files": false,
            "watch-dir": watched,
            "watch-dir-enabled": true,
            "script-torrent-done-enabled": true,
            "script-torrent-done-filename": script,
            "rpc-enabled": magnet,
            "rpc-bind-address": job.host.address.to_string(),
            "rpc-port": RPC_PORT,
            "rpc-whitelist-enabled": false,
            "rpc-host-whitelist-enabled": false,
            "dht-enabled": false,
            "lpd-enabled": false,
            "utp-enabled": false,
            "port-forwarding-enabled": false,
            "encryption": 0,
            "speed-limit-up-enabled": job.upload_limit > 0,
            "speed-limit-up": job.upload_limit / 1000,
            "speed-limit-down-enabled": job.download_limit > 0,
            "speed-limit-down": job.download_limit / 1000,
        });
        std::fs::write(job.scratch.join("settings.json"), settings.to_string())?;
        let mut command = job.host.namespace.command("transmission-daemon");
        command.env("HOME", job.scratch).args(["--foreground", "--log-info", "-g"]).arg(job.scratch);
        // The hook also runs when data that was there already has been verified.
        let ready = if seed { Sign::File(marker.clone()) } else { Sign::Listening(job.port) };
        let running = Running::start(self.name(), command, &job.log(), ready, Sign::File(marker))?;
        let deadline = running.started() + RPC_DEADLINE;
        while magnet && Self::add(job).is_err() {
            ensure!(
                Instant::now() < deadline,
                "{} took no magnet link\n{}",
                self.name(),
                running.last_words()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }
}

impl Program for Transmission {
    fn name(&self) -> &'static str {
        "transmission"
    }

    fn is_installed(&self) -> bool {
        find_in_path("transmission-daemon").is_some()
    }

    fn dials(&self) -> bool {
        false
    }

    /// 3.00 does not trade hybrid torrents: `transmission-show` cannot parse one, the daemon takes it but fetches nothing.
    fn understands(&self, format: Format) -> bool {
        format == Format::V1
    }

    /// 3.00 opens a file only to write a block of it.
    fn makes_empty_files(&self) -> bool {
        false
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, true)
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        self.start(job, false)
    }
}
