//! T5: what is lost when a share of the nodes dies at one moment, with and without replicas.

use super::run::{RingFigures, RingPlan};
use crate::simulate::table::Table;
use throng_overlay::chord::{Config, OneHop};

/// One ring: values are stored, a share of its nodes dies, what is left is read.
pub fn lose(seed: u64, (nodes, values): (u32, u32), share: f64, replicas: u8) -> RingFigures {
    let quorum = replicas / 2 + 1;
    let config = Config {
        vnodes: 1,
        replicas,
        write_quorum: quorum,
        read_quorum: quorum,
        one_hop: OneHop { on: 0, off: 0 },
        ..Config::default()
    };
    let (bulk, churn, loss, lookups) = (true, 0.0, 0.0, 1_000);
    RingPlan { nodes, seed, bulk, churn, fail: share, lookups, values, loss, config }.run(|_| ())
}

/// T5 for one and for five copies.
pub fn table(seed: u64, nodes: u32, values: u32, mut progress: impl FnMut(u8, f64)) -> (Table, bool) {
    let mut table = Table::new(
        "T5: a share of the nodes dies at once",
        "Published (2001, no replicas): exactly that share of the lookups fails. Target: with 5 copies about p^5 of the \
         values are lost (3 % at 50 %), with one copy p; no lookup reaches a wrong owner. The 1,000 lookups begin at the \
         moment of the failure. Nothing can be done for values of which no copy is left at that moment.",
        &[
            "copies",
            "died",
            "values",
            "lost",
            "no copy left",
            "share",
            "expected",
            "wrong",
            "unanswered",
            "healed after s",
            "holds",
        ],
    );
    let mut holds = true;
    for replicas in [1, 5] {
        for share in [0.1, 0.3, 0.5] {
            progress(replicas, share);
            let figures = lose(seed, (nodes, values), share, replicas);
            let stored = figures.stored.max(1) as f64;
            let (lost, expected) = (figures.lost as f64 / stored, share.powi(replicas.into()));
            let slack = 4.0 * deviation(nodes, share, replicas) + 1.0 / stored;
            let chance = (lost - expected).abs() <= slack;
            let good = chance && figures.lost == figures.doomed && figures.lookups.wrong == 0;
            holds &= good;
            table.row([
                replicas.to_string(),
                format!("{:.0} %", share * 100.0),
                figures.stored.to_string(),
                figures.lost.to_string(),
                figures.doomed.to_string(),
                format!("{:.3} %", lost * 100.0),
                format!("{:.3} %", expected * 100.0),
                figures.lookups.wrong.to_string(),
                figures.lookups.unanswered.to_string(),
                figures.healed.map_or("never".to_owned(), |seconds| format!("{seconds:.0}")),
                if good { "yes" } else { "NO" }.to_owned(),
            ]);
        }
    }
    (table, holds)
}
/// The standard deviation of the share of keys lost when exactly `share` of the nodes die: what is lost are ranges,
/// exponentially long, and of neighbouring ones the copies lie on almost the same nodes.
fn deviation(nodes: u32, share: f64, copies: u8) -> f64 {
    let (lost, count) = (share.powi(copies.into()), f64::from(copies));
    let together: f64 = (1..copies).map(|by| share.powi(by.into())).sum();
    let random = lost * (2.0 + 2.0 * together - 2.0 * count * lost);
    // As many die in every run.
    let number = (count * lost).powi(2) * (1.0 - share) / share;
    ((random - number) / f64::from(nodes.max(1))).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::{Entropy, SplitMix64};

    /// The share lost by chance alone.
    fn drawn(rng: &mut SplitMix64, nodes: usize, share: f64, copies: usize) -> f64 {
        let mut uniform = || f64::from(rng.below(1 << 30)) / f64::from(1 << 30);
        let arcs: Vec<f64> = (0..nodes).map(|_| -(1.0 - uniform()).ln()).collect();
        let mut order: Vec<(f64, usize)> = (0..nodes).map(|node| (uniform(), node)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut dead = vec![false; nodes];
        order.iter().take((nodes as f64 * share) as usize).for_each(|(_, node)| dead[*node] = true);
        let gone = |at: &usize| (0..copies).all(|by| dead[(at + by) % nodes]);
        (0..nodes).filter(gone).map(|at| arcs[at]).sum::<f64>() / arcs.iter().sum::<f64>()
    }

    #[test]
    fn shares_lost_by_chance_deviate_as_computed() {
        let mut rng = SplitMix64::new(1);
        for (share, copies) in [(0.1, 1), (0.5, 1), (0.3, 5), (0.5, 5)] {
            let runs: Vec<f64> = (0..300).map(|_| drawn(&mut rng, 500, share, copies)).collect();
            let mean = runs.iter().sum::<f64>() / 300.0;
            let spread = (runs.iter().map(|run| (run - mean).powi(2)).sum::<f64>() / 300.0).sqrt();
            let computed = deviation(500, share, copies as u8);
            assert!((0.8..1.25).contains(&(spread / computed)), "{share} {copies}: {spread} {computed}");
        }
    }
}
