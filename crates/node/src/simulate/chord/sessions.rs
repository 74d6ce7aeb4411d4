//! T8, T10 and T16: what Table III leaves out: lookups that are not retried, bad networks and clocks, short sessions.

use super::churn::{Churn, Churned, Going};
use super::summary::{mean, printed};
use crate::simulate::table::Table;
use std::time::Duration;
use throng_overlay::chord::{Config, LookupConfig, Timers};

fn failed(churned: &Churned) -> f64 {
    let sums = &churned.lookups;
    (sums.wrong + sums.unanswered) as f64 / (sums.asked - sums.gone).max(1) as f64
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn yes(good: bool) -> String {
    if good { "yes" } else { "NO" }.to_owned()
}

/// T8: 500 nodes that crash, lookups tried once, and as usual.
pub fn retries(seed: u64, lookups: u32, mut progress: impl FnMut(f64)) -> (Table, bool) {
    let mut table = Table::new(
        "T8: 500 nodes join and crash, one lookup a second, with and without retries",
        "Stabilisation every 15 to 45 s. Published (2001, no retries): about 3 % failures at 0.1 a second. Target without \
         retries at most 1 %, with them none.",
        &["rate", "retries", "path", "time-outs", "wrong", "unanswered", "failed", "holds"],
    );
    let mut holds = true;
    for rate in [0.02, 0.05, 0.1] {
        for retried in [false, true] {
            progress(rate);
            let mut churn = Churn { nodes: 500, ..Churn::published(seed, rate, Going::Crashing, lookups) };
            if !retried {
                churn.config.lookup = LookupConfig { tries: 1, reroute: false, ..LookupConfig::default() };
            }
            let churned = churn.run();
            let good = failed(&churned) <= if retried { 0.0 } else { 0.01 };
            holds &= good;
            table.row([
                format!("{rate:.2}"),
                if retried { "on" } else { "off" }.to_owned(),
                printed(&churned.lookups.hops),
                printed(&churned.lookups.timeouts),
                churned.lookups.wrong.to_string(),
                churned.lookups.unanswered.to_string(),
                percent(failed(&churned)),
                yes(good),
            ]);
        }
    }
    (table, holds)
}

/// T10: Table III with loss, slow hosts and wrong clocks.
pub fn impaired(seed: u64, lookups: u32, mut progress: impl FnMut(f64, f64)) -> (Table, bool) {
    let mut table = Table::new(
        "T10: nodes come and crash while packets are lost, 1 % of the hosts answer 2 s late and clocks are 5 min off",
        "As T9. Target: none wrong, at most 1 of 10,000 unanswered with 1 % of the packets lost.",
        &["rate", "lost packets", "path", "time-outs", "wrong", "unanswered", "holds"],
    );
    let mut holds = true;
    for loss in [0.01, 0.05] {
        for rate in [0.05, 0.20, 0.40] {
            progress(loss, rate);
            let mut churn = Churn::published(seed, rate, Going::Crashing, lookups);
            churn.network.loss = loss;
            churn.impaired = Some((Duration::from_secs(2), 300));
            let sums = churn.run().lookups;
            let most = if loss > 0.01 { usize::MAX } else { sums.asked / 10_000 };
            let good = sums.wrong == 0 && sums.unanswered <= most;
            holds &= good;
            table.row([
                format!("{rate:.2}"),
                percent(loss),
                printed(&sums.hops),
                printed(&sums.timeouts),
                sums.wrong.to_string(),
                sums.unanswered.to_string(),
                yes(good),
            ]);
        }
    }
    (table, holds)
}

/// T16: sessions from 1.4 minutes to almost three hours.
pub fn short(seed: u64, lookups: u32, mut progress: impl FnMut(f64)) -> (Table, bool) {
    let mut table = Table::new(
        "T16: 1,000 nodes whose sessions last so long on average, then crash",
        "Default timers. Published (Bamboo): works at 1.4 min with less than 900 B/s a node. Target: at least 99.9 % right \
         at 1.4 min, at most 1,500 B/s sent a node, lookups included.",
        &[
            "session",
            "path",
            "time-outs",
            "wrong",
            "unanswered",
            "asker gone",
            "right",
            "B/s",
            "mean ms",
            "holds",
        ],
    );
    let mut holds = true;
    for minutes in [1.4, 5.0, 30.0, 174.0] {
        progress(minutes);
        let rate = 1_000.0 / (minutes * 60.0);
        let published = Churn::published(seed, rate, Going::Crashing, lookups);
        let config =
            Config { timers: Timers::default(), base: 4, successors: None, ..published.config.clone() };
        let churned = Churn { config, ..published }.run();
        let good = failed(&churned) <= 0.001 && churned.bytes <= 1_500.0;
        holds &= good;
        let sums = &churned.lookups;
        table.row([
            format!("{minutes} min"),
            printed(&sums.hops),
            printed(&sums.timeouts),
            sums.wrong.to_string(),
            sums.unanswered.to_string(),
            sums.gone.to_string(),
            percent(1.0 - failed(&churned)),
            format!("{:.0}", churned.bytes),
            format!("{:.0}", mean(&sums.millis)),
            yes(good),
        ]);
    }
    (table, holds)
}
