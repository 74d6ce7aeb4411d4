//! `throng simulate swarm`

use super::share;
use crate::units;
use clap::Args;
use std::path::PathBuf;

/// What the figures mean, below the options.
const FIGURES: &str = "\
T* is the least possible time, (size / uplink)(1 + floor(log2 nodes) / pieces). The same seed and arguments give the \
same run, down to the trace hash.

A query is one download: by a downloader that was not killed, from its start until it has the whole file. `found` is \
how many were completed, `recall` their share, `latency_ms` how long they took. Messages are what the simulated \
network carries (pieces of streams as they were sent, and datagrams), bytes include the file's data; both are counted \
where they are sent, summed over all hosts and divided by the queries. `busiest_node_messages` are those sent and \
received by the host that had most. `bytes_per_node` is the growth of this program's memory from before the hosts were \
made until its peak, the simulator's own share included, over all hosts (Linux only). `healed_seconds` is the time \
from the killing until every other downloader had the whole file.

Examples: throng simulate swarm --nodes 1000 --size 64MiB --uplink 4MiB
          throng simulate swarm --fail 30% --hidden 50% --liars 10 --report crowd";

#[derive(Args, Debug)]
#[command(after_help = FIGURES)]
pub(crate) struct SimulateSwarmArgs {
    /// Downloaders, besides the one seed
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) nodes: u32,
    /// All randomness comes from this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Bytes of the file
    #[arg(long, value_name = "N", default_value = "64MiB", value_parser = units::parse_size)]
    pub(crate) size: u64,
    /// Bytes a second each host may send
    #[arg(long, value_name = "N", default_value = "4MiB", value_parser = units::parse_rate)]
    pub(crate) uplink: u64,
    /// Bytes a piece, a power of two from 16KiB to 512MiB [default: the automatic choice]
    #[arg(long, value_name = "N", value_parser = crate::cli::torrent::piece_length)]
    pub(crate) piece_length: Option<u32>,
    /// Connections a host keeps
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) connections: usize,
    /// The seed shows each peer one piece at a time (BEP 16)
    #[arg(long)]
    pub(crate) super_seed: bool,
    /// Share of the downloaders whose power fails at a third of T*, for good: 0.3 or 30%; at least one is spared
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    pub(crate) fail: f64,
    /// Share of the downloaders that are behind NATs and cannot be called: 0.5 or 50%
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    pub(crate) hidden: f64,
    /// Hosts more that say they have everything and send one block in four wrong (T* does not count their uplinks)
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) liars: u32,
    /// Also keep the figures as DIR/figures.json and DIR/index.html, with plots
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}
