//! One driver for each real program: how it is told to seed or to fetch one torrent and nothing else.
//!
//! All of them are configured alike: distributed hash tables, local discovery and port mapping off, encryption not
//! asked for, bound to the address of their host, seeding on after completion until they are stopped.

mod aria2;
mod libtorrent;
mod opentracker;
mod qbittorrent;
mod rqbit;
mod rtorrent;
mod throng;
mod transmission;

use std::net::SocketAddrV4;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use aria2::Aria2;
pub use libtorrent::Libtorrent;
pub use opentracker::Opentracker;
pub use qbittorrent::Qbittorrent;
pub use rqbit::Rqbit;
pub use rtorrent::Rtorrent;
pub use throng::{Throng, ThrongTracker};
pub use transmission::Transmission;

use crate::lab::Host;
use crate::process::Running;
use crate::torrent::Format;

/// What a program is to seed or fetch, and where.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// Where it runs; it listens on this host's address.
    pub host: &'a Host,
    /// The TCP port it listens on.
    pub port: u16,
    /// A .torrent file or a magnet link.
    pub source: &'a str,
    /// The folder that holds or gets the torrent's file or folder.
    pub dir: &'a Path,
    /// An existing folder for its settings, session and log.
    pub scratch: &'a Path,
    /// Peers to dial; only for programs that can (`Program::dials`).
    pub peers: &'a [SocketAddrV4],
    /// Bytes a second; 0 is no limit.
    pub upload_limit: u64,
    /// Bytes a second; 0 is no limit.
    pub download_limit: u64,
    /// Whether to go on seeding after completion, or only to fetch, if the program knows the difference.
    pub seed_on: bool,
    /// Whether to wait for a line on standard input where the driver can (libtorrent).
    pub hold: bool,
}

impl<'a> Job<'a> {
    /// A job without peers, limits or a hold.
    pub fn new(host: &'a Host, port: u16, source: &'a str, dir: &'a Path, scratch: &'a Path) -> Self {
        Job {
            host,
            port,
            source,
            dir,
            scratch,
            peers: &[],
            upload_limit: 0,
            download_limit: 0,
            seed_on: true,
            hold: false,
        }
    }

    /// The address it listens on.
    pub fn listen(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.host.address, self.port)
    }

    fn log(&self) -> PathBuf {
        self.scratch.join("log")
    }

    /// The path of a script that makes a file when it runs, and the path of that file.
    fn completion_hook(&self) -> Result<(PathBuf, PathBuf)> {
        let (script, marker) = (self.scratch.join("complete.sh"), self.scratch.join("complete"));
        std::fs::write(&script, format!("#!/bin/sh\n: > '{}'\n", marker.display()))?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
        Ok((script, marker))
    }
}

/// A program that trades in torrents.
pub trait Program: Send + Sync {
    /// Its name in tables and reports.
    fn name(&self) -> &'static str;

    /// Whether it is installed.
    fn is_installed(&self) -> bool;

    /// Whether it can be given the address of a peer; if not, it needs a tracker.
    fn dials(&self) -> bool;

    /// Whether it understands torrents of this format.
    fn understands(&self, format: Format) -> bool;

    /// Whether it makes the empty files of a torrent.
    fn makes_empty_files(&self) -> bool {
        true
    }

    /// Starts serving complete data; `Running::wait_ready` holds once it can upload.
    fn start_seed(&self, job: &Job<'_>) -> Result<Running>;

    /// Starts fetching; what the folder already holds is checked and kept. `Running::wait_complete` holds once all
    /// data is there.
    fn start_fetch(&self, job: &Job<'_>) -> Result<Running>;
}

/// A tracker that serves the torrents of one test.
pub trait Tracker: Send + Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Whether it is installed.
    fn is_installed(&self) -> bool;

    /// Starts it on `host`, HTTP and UDP on `port`, for these info-hashes (hex).
    fn start(&self, host: &Host, port: u16, info_hashes: &[String], scratch: &Path) -> Result<Running>;
}

/// Peers that the tracker at `to` counts in a swarm: (complete, incomplete), by an HTTP scrape (BEP 48).
pub fn scrape(host: &Host, to: SocketAddrV4, info_hash: &str) -> Result<(u64, u64)> {
    let escaped: String = info_hash
        .as_bytes()
        .chunks(2)
        .flat_map(|pair| ['%', char::from(pair[0]), char::from(pair[1])])
        .collect();
    let answer = host.http_get(to, &format!("/scrape?info_hash={escaped}"))?;
    let number = |key: &[u8]| {
        let at = answer.windows(key.len()).position(|window| window == key)?;
        let digits = answer[at + key.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        Some(digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
    };
    let complete = number(b"8:completei").context("the scrape has no count of seeds")?;
    Ok((complete, number(b"10:incompletei").context("the scrape has no count of downloaders")?))
}

/// The first file of this name in `PATH`, or in `/usr/sbin`.
pub fn find_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(PathBuf::from("/usr/sbin"));
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}
