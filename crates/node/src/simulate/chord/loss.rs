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
            // Four standard deviations of the expected number; copies of one range die together, so twice that.
            let slack = 8.0 * (expected * (1.0 - expected) / stored).sqrt() + 1.0 / stored;
            let good = (lost - expected).abs() <= slack && figures.lookups.wrong == 0;
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
