//! `throng simulate chord`

use super::share;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What the figures mean, below the options.
const FIGURES: &str = "\
Without --table one ring of --nodes hosts is run: it grows by joins (or is computed, with --bulk), values are stored, \
keys are looked up by random hosts, with --fail a share of the hosts dies at one moment before that, with --churn \
hosts come and go meanwhile, and at the end the values are read again. The same seed and arguments give the same run, \
down to the trace hash.

A query is one lookup. `hops` counts every node contacted, the owner included; `timeouts_per_lookup` the silent nodes \
met; `lookups_failed` those answered by nobody or by another than the owner. `messages_per_query` and \
`bytes_per_query` are what lookups cost, the ring's own maintenance taken off; `idle_bytes_per_second` is what that \
costs a host. `values_lost` are values whose put was acknowledged and which cannot be read at the end. \
`healed_seconds` is the time from the failure until every list, predecessor and range was right again.

With --table the rows of the specification's section 6.3 are measured, each beside the published figure: t1 hops for \
2^3 up to --nodes nodes, t3 and t4 how keys and copies spread, t5 to t7 simultaneous failure, t8 to t10 and t16 churn, \
t11 to t14 what lookups and maintenance take, t15 nodes that come back, t17 two rings that become one, t18 and t19 words, \
t20 a ring as large as this machine bears. t5, t12 to t14 and t18 to t20 are measured with --nodes nodes; where the specification asks for more \
than a minute or two of this machine can give, the table says so.

Examples: throng simulate chord --nodes 1000 --lookups 10000
          throng simulate chord --nodes 2000 --fail 30% --values 1000 --report ring
          throng simulate chord --table t1 --nodes 1048576 --table t6 --table t9
          throng simulate chord --bulk --nodes 1000000 --values 100000 --lookups 100000";

#[derive(Args, Debug)]
#[command(after_help = FIGURES)]
pub(crate) struct SimulateChordArgs {
    /// Hosts; with --table t1 the largest ring
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub(crate) nodes: u32,
    /// All randomness comes from this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Hosts that join each second, and as many that leave or crash, while keys are looked up (once a second then)
    #[arg(long, value_name = "R", default_value_t = 0.0, value_parser = rate)]
    pub(crate) churn: f64,
    /// Share of the hosts that die at one moment: 0.3 or 30%
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    pub(crate) fail: f64,
    /// Keys looked up; for tables, in each of their rows
    #[arg(long, value_name = "L", default_value_t = 10_000)]
    pub(crate) lookups: u32,
    /// Values stored at the start and read at the end
    #[arg(long, value_name = "V", default_value_t = 0)]
    pub(crate) values: u32,
    /// Share of the datagrams lost: 0.01 or 1%
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    pub(crate) loss: f64,
    /// Begin with a computed ring instead of growing one by joins
    #[arg(long)]
    pub(crate) bulk: bool,
    /// Virtual nodes of each host
    #[arg(long, value_name = "V", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) vnodes: u8,
    /// Base of the finger tables: 2, 4, 8 or 16
    #[arg(long, value_name = "B", default_value_t = 4, value_parser = base)]
    pub(crate) base: u8,
    /// Length of the successor lists [default: 2 log2 of the estimated size, from 16 to 40]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u8).range(2..=64))]
    pub(crate) successors: Option<u8>,
    /// Copies of each value
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) replicas: u8,
    /// Keep tables of all members while the ring has at most 3,000
    #[arg(long)]
    pub(crate) one_hop: bool,
    /// Measure a row of the specification instead; may be repeated, or `all`
    #[arg(long, value_name = "ROW")]
    pub(crate) table: Vec<RingTable>,
    /// Also keep the figures as DIR/figures.json and DIR/index.html, with plots
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}

/// The rows that can be measured.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum RingTable {
    /// Hops for 2^3 to --nodes nodes, base 2 and 4 (T1, T2)
    T1,
    /// Keys a host, with and without virtual nodes (T3)
    T3,
    /// Stored copies a host (T4)
    T4,
    /// A share of the nodes dies at once: what is lost with one copy and with five (T5)
    T5,
    /// A share of 1,000 nodes dies at once, nothing is repaired (T6)
    T6,
    /// The same with maintenance on (T7)
    T7,
    /// Nodes join and crash, with and without retries (T8)
    T8,
    /// Nodes come and go (T9)
    T9,
    /// The same with loss, slow hosts and wrong clocks (T10)
    T10,
    /// Milliseconds a lookup among 180 nodes (T11)
    T11,
    /// How much longer a lookup takes than the way itself (T12)
    T12,
    /// Milliseconds a put and a get on a network like the Internet, a tenth of the nodes dead (T13)
    T13,
    /// What maintenance costs a node (T14)
    T14,
    /// Nodes that mostly come back: what is lost, and what keeping copies costs (T15)
    T15,
    /// Sessions of 1.4 minutes and more (T16)
    T16,
    /// Two rings become one (T17)
    T17,
    /// A word in all titles, and publishers that flood it (T18)
    T18,
    /// Searches for several words (T19)
    T19,
    /// --nodes nodes on this machine, with puts, lookups and gets (T20)
    T20,
    /// All of these
    All,
}

impl RingTable {
    /// Whether these choices include the row.
    pub(crate) fn wanted(self, chosen: &[RingTable]) -> bool {
        chosen.contains(&self) || chosen.contains(&RingTable::All)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=10_000.0).contains(rate));
    rate.ok_or_else(|| String::from("not a rate; write hosts a second, like 0.4"))
}

fn base(text: &str) -> Result<u8, String> {
    let base = text.parse::<u8>().ok().filter(|base| matches!(base, 2 | 4 | 8 | 16));
    base.ok_or_else(|| String::from("the base is 2, 4, 8 or 16"))
}
