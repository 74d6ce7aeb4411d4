//! `throng publish`, `withdraw` and `search`.

use super::Address;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Debug)]
#[command(
    after_help = "Each PATH is hashed once for all systems, seeded, and announced through every joined system; then its \
                        magnet link is printed and, for each system, how far it got. The node remembers it, looks after \
                        changes, and renews what expires as long as it runs. Exits with 1 if any path could not be \
                        published.\n\nExample: throng publish ~/films/moon.mp4 --title 'A Trip to the Moon' --tag 1902\n\
                        Example: throng publish --site ~/homepage"
)]
pub(crate) struct PublishArgs {
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Publish one folder as a web site under a name of this node's own; every node's gateway shows it, and the newest
    /// version replaces the older for all
    #[arg(long, conflicts_with_all = ["title", "tag"])]
    pub(crate) site: bool,
    /// With --site: a word before the name, for more than one site: small letters, digits and -
    #[arg(long, value_name = "WORD", requires = "site", default_value = "", hide_default_value = true)]
    pub(crate) label: String,
    /// What it is found by [default: its name]
    #[arg(long, value_name = "T")]
    pub(crate) title: Option<String>,
    /// One more word it is found by; may be repeated
    #[arg(long, value_name = "T")]
    pub(crate) tag: Vec<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "Example: throng withdraw k3v5qzta\nExample: throng withdraw ~/films/moon.mp4")]
pub(crate) struct WithdrawArgs {
    /// What `throng publish` printed, or the path that was published
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Hits are printed as they come, the best of each moment first: their id (for throng fetch, known for a \
                        day), size, sources, systems, and whether the publisher's signature was seen. Exits with 1 if \
                        there is none.\n\nExample: throng search trip moon --in gnutella --timeout 5s"
)]
pub(crate) struct SearchArgs {
    /// Words that must all occur
    #[arg(value_name = "WORDS", required_unless_present_any = ["list_standing", "end_standing"])]
    pub(crate) words: Vec<String>,
    /// Let the node ask again every quarter of an hour, and tell each new hit as a notice (`throng status` shows these)
    #[arg(long, conflicts_with_all = ["list_standing", "end_standing"])]
    pub(crate) standing: bool,
    /// Show the standing searches and what they have found
    #[arg(long, conflicts_with_all = ["words", "end_standing"])]
    pub(crate) list_standing: bool,
    /// End a standing search
    #[arg(long, value_name = "ID", conflicts_with = "words")]
    pub(crate) end_standing: Option<String>,
    /// Ask only this system: chord, directory, gnutella or supernode; may be repeated [default: all that are joined]
    #[arg(long = "in", value_name = "SYSTEM")]
    pub(crate) systems: Vec<String>,
    /// Most hits
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub(crate) limit: u32,
    /// How long to wait for systems, like 5s or 1m [default: until all have answered, 2s at most]
    #[arg(long, value_name = "S", value_parser = super::node::duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Prints size, name and SHA-1 of each file; with --json also a magnet link. Asks by HTTP, so that the servent \
                        must be callable and let its files be listed; no node is needed, and nothing is joined.\n\n\
                        Example: throng browse 192.0.2.7:6346"
)]
pub(crate) struct BrowseArgs {
    /// Where the servent listens: IP:PORT, [v6]:PORT or HOST:PORT
    #[arg(value_name = "ADDR")]
    pub(crate) servent: Address,
}
