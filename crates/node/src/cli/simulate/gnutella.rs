//! `throng simulate gnutella`

use super::share;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What the figures mean, below the options.
const FIGURES: &str = "\
Servents link, share titles of three words by Zipf's law each, and look for titles that others share. In mode flood \
all are alike and flood with TTL 7 over the generated graph. In the other two a share of them are ultrapeers, linked \
among each other, and the rest are leaves of up to three: in mode qrp ultrapeers flood each other and route tables keep \
queries from leaves without the words, and from the last hop; in mode dynamic they search link by link until they have \
enough hits. With --fail servents lose their power at one moment: by default the best connected ultrapeers (in mode \
flood: servents). The same seed and arguments give the same run, down to the trace hash.

A query is one search; it is `found` if the title that was meant is among the hits, `recall` is the share of these. \
`messages_per_query` are queries and hits, each counted on every link it is sent over, `bytes_per_query` their bytes; \
pings, pongs and route tables are in `idle_bytes_per_second` of a servent. `duplicates_per_query` are copies of \
queries that came to a servent again. `busiest_node_messages` are all messages sent and received by the servent that \
had most in the whole run. `connected` is the share of the survivors that hang together, at the failure and 30 s after \
it; `recovered` the share of the surviving leaves that have an ultrapeer then; `healed_seconds` the time until all have, \
null if it takes more than 30 s; `recall_after` is that of searches asked then.

Examples: throng simulate gnutella --nodes 10000 --mode flood
          throng simulate gnutella --nodes 10000 --mode dynamic --fail 10% --report overlay";

#[derive(Args, Debug)]
#[command(after_help = FIGURES)]
pub(crate) struct SimulateGnutellaArgs {
    /// Servents
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=4_000_000))]
    pub(crate) nodes: u32,
    /// How queries travel
    #[arg(long, value_enum, default_value_t = GnutellaMode::Dynamic)]
    pub(crate) mode: GnutellaMode,
    /// Share of the servents that are ultrapeers, in modes qrp and dynamic: 0.03 or 3%
    #[arg(long, value_name = "P", default_value = "3%", value_parser = share)]
    pub(crate) ultrapeers: f64,
    /// How links are spread, among all in mode flood, else among ultrapeers
    #[arg(long, value_enum, default_value_t = GnutellaTopology::Regular)]
    pub(crate) topology: GnutellaTopology,
    /// Links of a servent on average [default: 6 in mode flood, else 32 of an ultrapeer with others]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub(crate) degree: Option<u32>,
    /// Files of each servent
    #[arg(long, value_name = "F", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) files: u32,
    /// All randomness comes from this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Searches; after a failure as many again
    #[arg(long, value_name = "Q", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) queries: u32,
    /// Share that is killed at one moment: 0.1 or 10%; at least one if it is not 0
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    pub(crate) fail: f64,
    /// Of whom that share is killed
    #[arg(long, value_enum, default_value_t = GnutellaVictims::Best)]
    pub(crate) victims: GnutellaVictims,
    /// Also keep the figures as DIR/figures.json and DIR/index.html, with the other modes beside this one
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}

/// How queries travel.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GnutellaMode {
    /// All servents alike, TTL 7, as in 2000
    Flood,
    /// Ultrapeers flood each other; route tables decide who else gets a query
    Qrp,
    /// Ultrapeers search link by link until they have enough
    Dynamic,
}

/// How links are spread.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GnutellaTopology {
    /// A few have very many
    Power,
    /// All have as many, with partners at random
    Regular,
}

/// Who is killed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GnutellaVictims {
    /// Any servents
    Random,
    /// The best connected ultrapeers, or in mode flood servents
    Best,
}
