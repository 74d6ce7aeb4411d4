//! `throng simulate compare`

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What the figures mean, below the options.
const FIGURES: &str = "\
The same users share the same files, popular by Zipf's law, ask the same questions and die in the same order, in every \
system, on a network of 5 to 60 ms one way. Questions are for all three words of a title that somebody else who lives \
shares; an answer counts only if it names somebody who lives. Nobody waits longer than a minute.

The directory and the tracker are hosts beside the users; supernodes (one of a hundred) and ultrapeers (three of a \
hundred) are users. BitTorrent finds nothing by words: its row is for those who know the info-hash already and ask the \
tracker who has it. The ring is computed, not grown, with one virtual node a host.

Messages are datagrams and pieces of streams as they were sent, with what is sent while nobody asks taken off \
(`idle_messages_per_second` of each user). `busiest_messages_per_query` are those sent and received by the host that had \
most during the searches. `publish_messages` and `publish_bytes` are what each file cost until it could be found. \
`recall_at_once` is that of searches asked when 10, 30 and 50 % of the users have lost power, `recall_later` two minutes \
after; `beheaded` the same when only the busiest host has: the directory, the tracker, the busiest supernode.

Examples: throng simulate compare --nodes 1000
          throng simulate compare --nodes 10000 --report comparison";

#[derive(Args, Debug)]
#[command(after_help = FIGURES)]
pub(crate) struct SimulateCompareArgs {
    /// Users
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(4..=1_000_000))]
    pub(crate) nodes: u32,
    /// Files of each user
    #[arg(long, value_name = "F", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) files: u32,
    /// All randomness comes from this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Searches of each phase: one before anybody dies, two after each failure
    #[arg(long, value_name = "Q", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) queries: u32,
    /// Only this system; may be repeated
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub(crate) only: Vec<ComparedSystem>,
    /// Also keep the figures as DIR/figures.json and DIR/index.html, with plots
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}

/// What is compared.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ComparedSystem {
    /// Napster: one directory
    Directory,
    /// Gnutella of 2000: everybody floods
    Flood,
    /// Gnutella since: ultrapeers, route tables, dynamic queries
    Dynamic,
    /// FastTrack: supernodes
    Supernode,
    /// The ring
    Chord,
    /// A tracker, for those who know the info-hash
    Bittorrent,
}
