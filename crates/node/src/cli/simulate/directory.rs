//! `throng simulate directory`

use super::share;
use clap::Args;
use std::path::PathBuf;

/// What the figures mean, below the options.
const FIGURES: &str = "\
Users log in, share files with three words by Zipf's law each, and look for files of others by those words. With \
several directories each user is at one; they are linked, and a search that found fewer hits than it may goes round. \
With --fail directories die at one moment: searches are asked at once, and again when all users have found the next \
directory that they know. The same seed and arguments give the same run, down to the trace hash.

A query is one search; it is `found` if the file that was meant is among the hits, `recall` is the share of these. \
Messages are pieces of streams as they were sent, with what users and directories send while nobody asks taken off \
(`idle_messages_per_second` of all hosts). `busiest_node_messages` are those sent and received by the host that had most \
in the whole run, `server_messages_per_query` those of the busiest directory during the searches, both kinds. \
`recall_at_failure` and `recall_after` are those of the searches after a failure, before and after it healed; \
`healed_seconds` is the time until every file could be found again, null if never.

Examples: throng simulate directory --nodes 1000
          throng simulate directory --nodes 1000 --servers 8 --fail 25% --report directories";

#[derive(Args, Debug)]
#[command(after_help = FIGURES)]
pub(crate) struct SimulateDirectoryArgs {
    /// Users
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) nodes: u32,
    /// Directories, linked
    #[arg(long, value_name = "D", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) servers: u32,
    /// Files of each user
    #[arg(long, value_name = "F", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) files: u32,
    /// All randomness comes from this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Searches; after a failure as many again, twice
    #[arg(long, value_name = "Q", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) queries: u32,
    /// Share of the directories that are killed: 0.25 or 25%; at least one if it is not 0
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    pub(crate) fail: f64,
    /// Also keep the figures as DIR/figures.json and DIR/index.html, with the load of the directory against the users
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}
