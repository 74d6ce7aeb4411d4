//! `throng seed`, `throng fetch` and `throng tracker`.

use super::{Address, ListenAddress};
use crate::units;
use clap::Args;
use globset::{Glob, GlobBuilder};
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(
    after_help = "Checks the files first, unless they are unchanged since they were last checked; ends with \
                        exit code 130 when interrupted (a second Ctrl-C does not wait for goodbyes).\n\n\
                        Example: throng seed album.torrent ~/music --upload-limit 2MiB"
)]
pub(crate) struct SeedArgs {
    /// The torrent file
    #[arg(value_name = "FILE")]
    pub(crate) torrent: PathBuf,
    /// The folder that holds the torrent's file or folder (or that folder itself)
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    /// Take the files for good at once; each piece is checked before it is first sent
    #[arg(long)]
    pub(crate) skip_check: bool,
    /// Show each peer one piece at a time while nobody else has all, so that fewer bytes leave before others do (BEP 16)
    #[arg(long)]
    pub(crate) super_seed: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Ends when the files are complete and checked, or seeds on with --seed. Started again, it goes \
                        on where it was.\n\nExample: throng fetch album.torrent -o ~/music --only '*.flac'"
)]
pub(crate) struct FetchArgs {
    /// A torrent file, its http or https URL, a magnet link, or (where a node runs) the id of a hit; where a node runs
    /// several may be given, it fetches them at once
    #[arg(value_name = "SOURCE", required = true, num_args = 1..)]
    pub(crate) sources: Vec<String>,
    /// The folder to put the files in; made if it is not there
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    /// A peer to ask: IP:PORT, [v6]:PORT or HOST:PORT; may be repeated
    #[arg(long, value_name = "ADDR")]
    pub(crate) peer: Vec<Address>,
    /// Most bytes a second to receive, like 500000, 512KiB or 4MiB; 0 is no limit [default: no limit]
    #[arg(long, value_name = "N", value_parser = units::parse_rate)]
    pub(crate) download_limit: Option<u64>,
    /// Fetch only files whose path below the torrent's folder, or whose name, matches this pattern (* ? [a-z] {a,b}, and
    /// ** across folders); may be repeated
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub(crate) only: Vec<Glob>,
    /// Go on to serve when the files are complete, until interrupted
    #[arg(long)]
    pub(crate) seed: bool,
}

/// What seeding and fetching have in common.
#[derive(Args, Debug)]
pub(crate) struct NetworkArgs {
    /// Where peers can reach us: IP:PORT, [v6]:PORT or HOST:PORT; port 0 takes any [default: [::]:6881, or any port if
    /// that is taken]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<ListenAddress>,
    /// Most bytes a second to send, like 500000, 512KiB or 4MiB; 0 is no limit [default: no limit]
    #[arg(long, value_name = "N", value_parser = units::parse_rate)]
    pub(crate) upload_limit: Option<u64>,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Answers announces and scrapes over HTTP (/announce, /scrape; counters at /metrics) and UDP. Ends \
                        with exit code 130 when interrupted.\n\nExample: throng tracker --listen 0.0.0.0:6969"
)]
pub(crate) struct TrackerArgs {
    /// Where to listen, TCP and UDP: IP:PORT, [v6]:PORT or HOST:PORT; port 0 takes any
    #[arg(long, value_name = "ADDR", default_value = "[::]:6969")]
    pub(crate) listen: ListenAddress,
    /// Serve only the info-hashes in this file, one a line (40 hexadecimal digits, or 64 for v2); read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) allow: Option<PathBuf>,
}

/// A pattern whose `*` stays within a folder.
fn glob(text: &str) -> Result<Glob, String> {
    GlobBuilder::new(text).literal_separator(true).build().map_err(|error| error.kind().to_string())
}
