//! `throng simulate …`

use crate::units;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What can be simulated.
#[derive(Subcommand, Debug)]
pub(crate) enum SimulateCommand {
    /// One seed and many downloaders that all begin at once
    Swarm(SimulateSwarmArgs),
}

#[derive(Args, Debug)]
#[command(
    after_help = "T* is the least possible time, (size / uplink)(1 + floor(log2 nodes) / pieces). The same seed and \
                        arguments give the same run, down to the trace hash.\n\n\
                        Example: throng simulate swarm --nodes 1000 --size 64MiB --uplink 4MiB"
)]
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
    #[arg(long, value_name = "N", value_parser = super::torrent::piece_length)]
    pub(crate) piece_length: Option<u32>,
    /// Connections a host keeps
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) connections: usize,
    /// The seed shows each peer one piece at a time (BEP 16)
    #[arg(long)]
    pub(crate) super_seed: bool,
    /// Also keep the figures as DIR/figures.json
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}
