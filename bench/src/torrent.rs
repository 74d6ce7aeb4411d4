//! Torrents for the programs to trade in, made by libtorrent (`drivers/make_torrent.py`) and not by throng.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Which of BEP 3 and BEP 52 the torrent follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// BEP 3 alone.
    V1,
    /// Both in one file.
    Hybrid,
    /// BEP 52 alone.
    V2,
}

/// A torrent on disk.
#[derive(Clone, Debug)]
pub struct Torrent {
    /// The .torrent file.
    pub file: PathBuf,
    /// Magnet link with the same trackers.
    pub magnet: String,
    /// The 20-byte info-hashes (v2's cut to 20) by which trackers know it, in hex.
    pub info_hashes: Vec<String>,
    /// Number of pieces.
    pub pieces: u64,
}

/// Makes `out` for the file or folder `content`; `tracker` is its announce URL, if any.
pub fn make(
    content: &Path,
    out: &Path,
    format: Format,
    piece_length: u64,
    tracker: Option<&str>,
) -> Result<Torrent> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers/make_torrent.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(content).arg(out);
    command.args([
        "--format",
        match format {
            Format::V1 => "v1",
            Format::Hybrid => "hybrid",
            Format::V2 => "v2",
        },
    ]);
    command.args(["--piece-length", &piece_length.to_string()]);
    if let Some(url) = tracker {
        command.args(["--tracker", url]);
    }
    let output = command.output().context("python3 could not be started")?;
    ensure!(output.status.success(), "no torrent made: {}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let info_hashes = said["info_hashes"].as_array().context("no info-hashes")?;
    Ok(Torrent {
        file: out.to_owned(),
        magnet: said["magnet"].as_str().context("no magnet link")?.to_owned(),
        info_hashes: info_hashes.iter().filter_map(|hash| hash.as_str().map(str::to_owned)).collect(),
        pieces: said["pieces"].as_u64().context("no piece count")?,
    })
}
