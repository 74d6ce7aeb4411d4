//! `throng torrent …`

use crate::units;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use throng_wire::metainfo::Format;

/// Make, look into and check torrents.
#[derive(Subcommand, Debug)]
pub(crate) enum TorrentCommand {
    /// Hash a file or folder, write its torrent, print its magnet link
    Create(CreateArgs),
    /// Say all that is in a torrent file or magnet link
    Show(ShowArgs),
    /// Check files against their torrent
    Verify(VerifyArgs),
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example: throng torrent create ~/album -o album.torrent --tracker udp://tracker.example:6969"
)]
pub(crate) struct CreateArgs {
    /// The file or folder to publish
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// The torrent file to write; an old one is replaced when the new one is complete
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Which clients can use it: all (hybrid), v1 ones, or v2 ones
    #[arg(long, value_enum, default_value_t = FormatArg::Hybrid)]
    pub(crate) format: FormatArg,
    /// Bytes a piece, a power of two from 16KiB to 512MiB [default: 1,000 to 2,000 pieces, 16KiB to 16MiB each]
    #[arg(long, value_name = "N", value_parser = piece_length)]
    pub(crate) piece_length: Option<u32>,
    /// A tracker's announce URL (http, https or udp); may be repeated, each is a tier of its own
    #[arg(long, value_name = "URL", value_parser = tracker_url)]
    pub(crate) tracker: Vec<String>,
    /// Where a web server has the same files (http or https); may be repeated
    #[arg(long, value_name = "URL", value_parser = web_url)]
    pub(crate) web_seed: Vec<String>,
    /// Peers may come from the trackers only (BEP 27)
    #[arg(long)]
    pub(crate) private: bool,
    /// Free text that everyone can read
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// A mark that makes the info-hash differ from that of others who publish the same
    #[arg(long, value_name = "TEXT")]
    pub(crate) source: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "Example: throng torrent show album.torrent")]
pub(crate) struct ShowArgs {
    /// A torrent file, or a magnet link
    #[arg(value_name = "FILE|MAGNET")]
    pub(crate) torrent: String,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Exits with 0 only if all files are complete and right; else it names what is wrong.\n\n\
                        Example: throng torrent verify album.torrent ~/Downloads"
)]
pub(crate) struct VerifyArgs {
    /// The torrent file
    #[arg(value_name = "FILE")]
    pub(crate) torrent: PathBuf,
    /// The folder that holds the torrent's file or folder (or that folder itself)
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// The halves of a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    /// v1 and v2 in one
    Hybrid,
    /// BEP 3 alone
    V1,
    /// BEP 52 alone
    V2,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Format {
        match format {
            FormatArg::Hybrid => Format::Hybrid,
            FormatArg::V1 => Format::V1,
            FormatArg::V2 => Format::V2,
        }
    }
}

pub(super) fn piece_length(text: &str) -> Result<u32, String> {
    let length = u32::try_from(units::parse_size(text)?).unwrap_or(u32::MAX);
    let good = length.is_power_of_two() && (16 << 10..=512 << 20).contains(&length);
    good.then_some(length).ok_or_else(|| String::from("a piece is a power of two from 16KiB to 512MiB"))
}

fn tracker_url(text: &str) -> Result<String, String> {
    url(text, &["http", "https", "udp"])
}

fn web_url(text: &str) -> Result<String, String> {
    url(text, &["http", "https"])
}

/// As strict as is needed to catch what was mistyped: a scheme we know and a host.
fn url(text: &str, schemes: &[&str]) -> Result<String, String> {
    let sound = text.split_once("://").is_some_and(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        schemes.contains(&scheme.to_ascii_lowercase().as_str()) && !host.is_empty()
    });
    let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let short = text.len() <= throng_wire::metainfo::MAX_URL_LEN;
    let wrong = || format!("not a URL that begins with {}://HOST", schemes.join(":// or "));
    if sound && plain && short { Ok(text.to_owned()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_lengths_and_urls_are_checked_before_any_work() {
        assert_eq!(piece_length("64KiB"), Ok(65_536));
        assert!(["1KiB", "48KiB", "1GiB", "0", "x"].iter().all(|text| piece_length(text).is_err()));
        assert!(tracker_url("udp://[::1]:6969").is_ok() && tracker_url("HTTP://a/announce?k=1").is_ok());
        for wrong in ["", "a.example:80", "ftp://a/", "http://", "http:///x", "http://a b/"] {
            assert!(tracker_url(wrong).is_err(), "{wrong}");
        }
        assert!(web_url("udp://a:1").is_err());
    }
}
