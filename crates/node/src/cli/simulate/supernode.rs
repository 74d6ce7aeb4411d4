//! `throng simulate supernode`

use super::share;
use clap::Args;
use std::path::PathBuf;

/// What the figures mean, below the options.
const FIGURES: &str = "\
Supernodes link to each other; ordinary nodes attach to one each, share files with three words by Zipf's law and one of \
their own, and look for files of others by all four: each is there once, so that nothing but a search that reaches the \
right supernode finds it. With --fail supernodes die at one moment; 30 s later, or when all ordinary nodes have found \
another if that is later, the searches are asked again. The same seed and arguments give the same run, down to the trace hash.

A query is one search; it is `found` if the file that was meant is among the hits, `recall` is the share of these. \
Messages and bytes are those of searches, as the machines count them: between nodes and their supernodes, and between \
supernodes (`queries_per_query` are queries of the latter); `idle_messages_per_second` is what all hosts send while nobody \
asks, searches or not. `share_of_flood` is that over the messages of a flood that reaches every node \
once and has no circles, the least any flood can do. `supernode_messages_per_query` are messages of searches that the \
busiest supernode sent and heard (throng simulate compare sets the other systems beside it). \
`busiest_node_messages` are those sent and received by the host that had most in the whole run. After a failure \
`attach_seconds` is how long those who lost their supernode took to have another, `healed_seconds` the last of them \
(null if some never had: `stranded`, those who knew none that lives); \
`unattached_at_searches` had none when the searches were asked again, those on the way to one with more room too.

Examples: throng simulate supernode --nodes 10000
          throng simulate supernode --nodes 10000 --fail 50% --report supernodes";

#[derive(Args, Debug)]
#[command(after_help = FIGURES)]
pub(crate) struct SimulateSupernodeArgs {
    /// Ordinary nodes
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) nodes: u32,
    /// Supernodes [default: one for a hundred nodes, at least two]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) supernodes: Option<u32>,
    /// Files of each ordinary node
    #[arg(long, value_name = "F", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) files: u32,
    /// All randomness comes from this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Searches; after a failure as many again
    #[arg(long, value_name = "Q", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) queries: u32,
    /// Share of the supernodes that are killed: 0.5 or 50%; at least one if it is not 0
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    pub(crate) fail: f64,
    /// Also keep the figures as DIR/figures.json and DIR/index.html, with how fast files were found
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}
