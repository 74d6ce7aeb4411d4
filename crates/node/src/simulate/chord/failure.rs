//! T6 and T7: a share of a thousand nodes dies at one moment (Table II of the paper).

use super::hops::frozen;
use super::summary::{Lookups, mean, printed, quantile};
use super::world::World;
use crate::simulate::plot::{Plot, Shape};
use crate::simulate::table::Table;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};
use throng_overlay::chord::{Config, LookupConfig, LookupMode, OneHop, StableRing};
use throng_sim::{Latency, Network};

/// Path and time-outs of Table II, by share.
const PUBLISHED: [(f64, f64, f64, &str, &str); 6] = [
    (0.0, 3.84, 0.0, "3.84 (2,5)", "0.0 (0,0)"),
    (0.1, 4.03, 0.60, "4.03 (2,6)", "0.60 (0,2)"),
    (0.2, 4.22, 1.17, "4.22 (2,6)", "1.17 (0,3)"),
    (0.3, 4.44, 2.02, "4.44 (2,6)", "2.02 (0,5)"),
    (0.4, 4.69, 3.23, "4.69 (2,7)", "3.23 (0,8)"),
    (0.5, 5.09, 5.10, "5.09 (3,8)", "5.10 (0,11)"),
];

/// One-way latency of these runs.
const LATENCY: Duration = Duration::from_millis(25);

/// A ring of which a share has just died.
pub struct Failed {
    /// The ring.
    pub world: World,
    /// Who owns what now.
    pub ring: StableRing,
}

/// Lookups that teach nobody anything: a silent hop is neither pinged, which would take it out of the tables, nor passed
/// over by the next lookup.
fn forgetful() -> LookupConfig {
    LookupConfig { ping_silent: false, doubt: Duration::ZERO, ..LookupConfig::default() }
}

/// Builds it; nobody has noticed yet.
pub fn fail(seed: u64, nodes: u32, share: f64, config: Config) -> Failed {
    let network = Network { latency: Latency::Constant(LATENCY), ..Network::default() };
    let mut world = World::new(seed, config, network);
    let mut rng = SplitMix64::new(SplitMix64::mix(seed, 0x6b69_6c6c));
    let dead: BTreeSet<u32> = (0..nodes)
        .filter(|_| f64::from(rng.below(1_000_000)) < share * 1e6)
        .take(nodes as usize - 1)
        .collect();
    let ring = world.bulk(nodes, Some(2 * LATENCY), &dead);
    Failed { world, ring }
}

impl Failed {
    /// So many lookups, one every `every`.
    pub fn look(&mut self, lookups: u32, every: Duration) -> Lookups {
        let mut asked = Vec::new();
        for _ in 0..lookups {
            asked.push(self.world.look(LookupMode::Recursive));
            self.world.run(every);
        }
        self.world.run(Duration::from_secs(20));
        Lookups::over(&self.world.book.borrow(), &asked, &self.ring)
    }
}

/// T6: tables stay as they are.
pub fn table(seed: u64, lookups: u32, mut progress: impl FnMut(f64)) -> (Table, Vec<Plot>, bool) {
    let mut table = Table::new(
        "T6: a share of 1,000 nodes dies at once, nothing is repaired",
        "Successor lists of 20, base 2; nodes contacted, the owner included, and time-outs a lookup, mean (1st, 99th \
         percentile); the paper counts up to the predecessor. Target: all succeed, path and time-outs at most as \
         published, the slowest lookup at p = 0.5 within 1 s on average.",
        &[
            "died",
            "path",
            "published",
            "time-outs",
            "published",
            "mean ms",
            "p99 ms",
            "lost",
            "wrong",
            "holds",
        ],
    );
    let (mut ours, mut paper, mut holds) = (Vec::new(), Vec::new(), true);
    for (share, path, timeouts, path_text, timeouts_text) in PUBLISHED {
        progress(share);
        let config = Config { successors: Some(20), lookup: forgetful(), ..frozen() };
        let sums = fail(seed, 1_000, share, config).look(lookups, Duration::from_millis(10));
        let means = [mean(&sums.hops), mean(&sums.timeouts)];
        let good = sums.unanswered + sums.wrong == 0
            && means[0] <= path
            && means[1] <= timeouts.max(0.005)
            && mean(&sums.millis) <= 1_000.0;
        holds &= good;
        table.row([
            format!("{:.0} %", share * 100.0),
            printed(&sums.hops),
            path_text.to_owned(),
            printed(&sums.timeouts),
            timeouts_text.to_owned(),
            format!("{:.0}", mean(&sums.millis)),
            format!("{:.0}", quantile(&sums.millis, 0.99)),
            sums.unanswered.to_string(),
            sums.wrong.to_string(),
            if good { "yes" } else { "NO" }.to_owned(),
        ]);
        ours.push((share * 100.0, means[1]));
        paper.push((share * 100.0, timeouts));
    }
    let plot = Plot {
        title: "Time-outs after a simultaneous failure".into(),
        caption: "Mean number of silent nodes a lookup meets; 1,000 nodes, nothing repaired.".into(),
        x_label: "% of nodes that died".into(),
        y_label: "time-outs a lookup".into(),
        x: (0.0, 50.0),
        y: (0.0, 6.0),
        shape: Shape::Lines(vec![("measured".into(), ours), ("published (2003)".into(), paper)]),
        marks: Vec::new(),
    };
    (table, vec![plot], holds)
}

/// T7: the same with maintenance on: seconds until lookups hardly meet a silent node.
pub fn healing(seed: u64, mut progress: impl FnMut(f64)) -> (Table, bool) {
    let mut table = Table::new(
        "T7: the same with maintenance on",
        "Seconds until less than 0.05 time-outs a lookup, in windows of 10 s of 200 lookups; target at most 60 s at \
         p = 0.5. Lost and wrong count from the moment of the failure on.",
        &["died", "healed after s", "time-outs in each window", "lost", "wrong", "holds"],
    );
    let mut holds = true;
    for (share, ..) in PUBLISHED.iter().skip(1) {
        progress(*share);
        let one_hop = OneHop { on: 0, off: 0 };
        let config = Config { base: 2, vnodes: 1, successors: Some(20), one_hop, ..Config::default() };
        let mut failed = fail(seed, 1_000, *share, config);
        let (healed, windows, [lost, wrong]) = watch(&mut failed);
        let good = healed.is_some_and(|seconds| seconds <= 60.0) && lost == 0;
        holds &= good;
        table.row([
            format!("{:.0} %", share * 100.0),
            healed.map_or("never".to_owned(), |seconds| format!("{seconds:.0}")),
            windows.iter().map(|mean| format!("{mean:.2}")).collect::<Vec<_>>().join(" "),
            lost.to_string(),
            wrong.to_string(),
            if good { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    (table, holds)
}

/// Windows of 10 s for two minutes.
fn watch(failed: &mut Failed) -> (Option<f64>, Vec<f64>, [usize; 2]) {
    let (mut healed, mut windows, mut bad) = (None, Vec::new(), [0, 0]);
    for window in 0..12 {
        let mut asked = Vec::new();
        for _ in 0..200 {
            asked.push(failed.world.look(LookupMode::Recursive));
            failed.world.run(Duration::from_millis(50));
        }
        failed.world.run(Duration::from_secs(8));
        let sums = Lookups::over(&failed.world.book.borrow(), &asked, &failed.ring);
        bad = [bad[0] + sums.unanswered, bad[1] + sums.wrong];
        let timeouts = mean(&sums.timeouts);
        windows.push(timeouts);
        if timeouts < 0.05 && healed.is_none() {
            healed = Some(f64::from(window) * 18.0 + 10.0);
        } else if timeouts >= 0.05 {
            healed = None;
        }
        if healed.is_some() && window >= 3 {
            break;
        }
    }
    (healed, windows, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_ring_may_die_and_the_rest_finds_every_owner() {
        let config = Config { successors: Some(20), ..frozen() };
        let sums = fail(3, 500, 0.5, config).look(500, Duration::from_millis(10));
        assert_eq!((sums.unanswered, sums.wrong), (0, 0));
        assert!(mean(&sums.timeouts) < 5.10 && mean(&sums.hops) < 5.09, "{}", printed(&sums.timeouts));
    }
}
