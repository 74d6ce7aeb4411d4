//! T1 and T2: the length of the way to an owner, for rings of 2^3 to 2^20 nodes.

use super::summary::{Lookups, mean, quantile};
use super::world::World;
use crate::simulate::plot::{Plot, Shape};
use crate::simulate::table::Table;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_overlay::chord::{Config, FingerConfig, LookupMode, OneHop, Timers};
use throng_sim::{Latency, Network};

/// One ring measured.
#[derive(Clone, Debug)]
pub struct Hops {
    /// Nodes.
    pub nodes: u32,
    /// What came of the lookups.
    pub lookups: Lookups,
    /// Events handled.
    pub events: u64,
}

/// A configuration whose tables nobody mends, so that what lookups do is all that happens.
pub fn frozen() -> Config {
    let never = Duration::from_secs(1_000_000);
    let timers = Timers {
        stabilise: (never, never),
        heartbeat: never,
        finger_refresh: never,
        finger_ping: never,
        self_check: never,
        notify_silence: never,
        probe: never,
        repair: never,
        ..Timers::default()
    };
    let fingers = FingerConfig { candidates: 1, ..FingerConfig::default() };
    let one_hop = OneHop { on: 0, off: 0 };
    Config { base: 2, vnodes: 1, successors: Some(16), timers, fingers, one_hop, ..Config::default() }
}

/// One ring of that size, converged, and so many lookups from random members to random keys.
pub fn measure(seed: u64, nodes: u32, lookups: u32, config: Config) -> Hops {
    let latency = Duration::from_millis(20);
    let network = Network { latency: Latency::Constant(latency), ..Network::default() };
    let mut world = World::new(seed, config, network);
    let ring = world.bulk(nodes, Some(2 * latency), &BTreeSet::new());
    let mut asked = Vec::new();
    for _ in 0..lookups {
        asked.push(world.look(LookupMode::Recursive));
        world.run(Duration::from_millis(1));
    }
    world.run(Duration::from_secs(20));
    let lookups = Lookups::over(&world.book.borrow(), &asked, &ring);
    Hops { nodes, lookups, events: world.sim.probe().totals.events }
}

/// Half the binary logarithm: the figure of the paper.
fn half_log(nodes: u32) -> f64 {
    0.5 * f64::from(nodes).log2()
}

/// T1 and T2 for every power of two up to `most`, told as they are done.
pub fn table(seed: u64, most: u32, lookups: u32, mut progress: impl FnMut(u32)) -> (Table, Vec<Plot>, bool) {
    let mut table = Table::new(
        "T1, T2: nodes contacted on the way to an owner, the owner included",
        "Converged rings, successor lists of 16, random members and keys. Published (Chord 2001 and 2003, N up to \
         2^14): about half log2 N. Target with base 2: mean at most that and 0.1; with base 4 at most 7.2 at 2^20.",
        &[
            "nodes",
            "half log2 N",
            "base 2 mean",
            "p1",
            "p99",
            "holds",
            "base 4 mean",
            "p1",
            "p99",
            "wrong or lost",
        ],
    );
    let (mut two, mut four, mut paper, mut holds) = (Vec::new(), Vec::new(), Vec::new(), true);
    for power in 3..=most.max(8).ilog2() {
        let nodes = 1 << power;
        progress(nodes);
        let base2 = measure(seed, nodes, lookups, frozen());
        let base4 = measure(seed, nodes, lookups, Config { base: 4, ..frozen() });
        let means = [&base2, &base4].map(|ring| mean(&ring.lookups.hops));
        let bad =
            [&base2, &base4].map(|ring| ring.lookups.wrong + ring.lookups.unanswered).iter().sum::<usize>();
        let good = means[0] <= half_log(nodes) + 0.1 && bad == 0 && (power < 20 || means[1] <= 7.2);
        holds &= good;
        let ends =
            |ring: &Hops| [0.01, 0.99].map(|share| format!("{:.0}", quantile(&ring.lookups.hops, share)));
        let mut row =
            vec![format!("2^{power}"), format!("{:.1}", half_log(nodes)), format!("{:.2}", means[0])];
        row.extend(ends(&base2));
        row.extend([if good { "yes" } else { "NO" }.to_owned(), format!("{:.2}", means[1])]);
        row.extend(ends(&base4));
        row.push(bad.to_string());
        table.row(row);
        let x = f64::from(power);
        two.push((x, means[0]));
        four.push((x, means[1]));
        paper.push((x, half_log(nodes)));
    }
    let end = f64::from(most.max(8).ilog2());
    let plot = Plot {
        title: "Hops against nodes".into(),
        caption: "Mean number of nodes contacted, the owner included.".into(),
        x_label: "log2 of the number of nodes".into(),
        y_label: "hops".into(),
        x: (3.0, end),
        y: (0.0, half_log(most) + 1.0),
        shape: Shape::Lines(vec![
            ("base 2".into(), two),
            ("base 4".into(), four),
            ("half log2 N, published".into(), paper),
        ]),
        marks: Vec::new(),
    };
    (table, vec![plot], holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_stay_below_half_the_logarithm_and_every_answer_is_right() {
        let (table, _, holds) = table(1, 256, 1_000, |_| ());
        assert!(holds, "{}", table.text());
        assert_eq!(table.rows.len(), 6);
    }
}
