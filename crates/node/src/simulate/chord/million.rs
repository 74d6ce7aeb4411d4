//! T20: a million nodes, with puts and gets, on one machine; and the same trace for the same seed.

use super::run::{RingFigures, RingPlan, Stage};
use crate::simulate::memory;
use crate::simulate::table::Table;
use std::time::Instant;
use throng_overlay::chord::{Config, OneHop};

/// What a ring of that size may take: 8 GiB and ten minutes at a million.
const MOST_BYTES: u64 = 8 << 30;
const MOST_SECONDS: f64 = 600.0;
/// The ring that is run twice.
const TWICE: u32 = 2_000;

fn plan(seed: u64, nodes: u32) -> RingPlan {
    let config = Config { vnodes: 1, one_hop: OneHop { on: 0, off: 0 }, ..Config::default() };
    let (churn, fail, loss) = (0.0, 0.0, 0.0);
    RingPlan { nodes, seed, bulk: true, churn, fail, lookups: 0, values: nodes / 10, loss, config }
}

/// T20 for a ring of that size: a tenth as many puts and gets.
pub fn table(seed: u64, nodes: u32, progress: impl FnMut(Stage)) -> (Table, bool) {
    let twice: Vec<RingFigures> = (0..2).map(|_| plan(seed, TWICE.min(nodes)).run(|_| ())).collect();
    let same = twice[0].run.trace == twice[1].run.trace && twice[0].run.events == twice[1].run.events;
    let begun = Instant::now();
    let figures = plan(seed, nodes).run(progress);
    let seconds = begun.elapsed().as_secs_f64();
    let peak = memory::peak_resident();
    let missing = figures.lost + figures.unstored;
    let right = figures.trouble.is_none() && missing == 0;
    let cheap = peak.is_none_or(|peak| peak <= MOST_BYTES) && seconds <= MOST_SECONDS;
    let holds = same && right && cheap;
    let mut table = Table::new(
        "T20: a large ring on one machine, a tenth as many puts and gets as nodes",
        "A ring computed, not grown. Published (2014, a distributed simulator): about 10^7 Kademlia peers on 16 machines. \
         Target at 10^6 nodes: at most 8 GiB and 10 minutes, nothing lost, every list, predecessor and range right at the \
         end; the same trace for the same seed (checked with a ring of 2,000, run twice).",
        &[
            "nodes",
            "puts",
            "lost or not stored",
            "ring",
            "virtual s",
            "events",
            "wall s",
            "peak MiB",
            "B a node",
            "same trace",
            "holds",
        ],
    );
    table.row([
        nodes.to_string(),
        figures.stored.to_string(),
        missing.to_string(),
        figures.trouble.clone().unwrap_or_else(|| "right".to_owned()),
        format!("{:.0}", figures.run.seconds),
        figures.run.events.to_string(),
        format!("{seconds:.0}"),
        peak.map_or("unknown".to_owned(), |peak| (peak >> 20).to_string()),
        figures.run.bytes_per_node.map_or("unknown".to_owned(), |bytes| bytes.to_string()),
        if same { "yes" } else { "NO" }.to_owned(),
        if holds { "yes" } else { "NO" }.to_owned(),
    ]);
    (table, holds)
}
