//! T9: nodes come and go while others look keys up (Table III of the paper).

use super::summary::{Lookups, mean, printed};
use super::world::{Asked, World};
use crate::simulate::plot::{Plot, Shape};
use crate::simulate::table::Table;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};
use throng_overlay::chord::{Config, LookupMode, OneHop, Timers};
use throng_sim::{HostId, Latency, Network};

/// Seconds of lookups at most.
const LONGEST: u32 = 600;

/// How nodes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Going {
    /// They say goodbye.
    Leaving,
    /// Their power fails.
    Crashing,
}

/// One run of Table III.
#[derive(Clone, Debug)]
pub struct Churn {
    /// Nodes at the start.
    pub nodes: u32,
    /// Joins a second, and as many goings.
    pub rate: f64,
    /// How they go.
    pub going: Going,
    /// Lookups.
    pub lookups: u32,
    /// Lookups a second: one as published, unless there are so many that they would take longer than twenty minutes.
    pub per_second: u32,
    /// How the ring is run.
    pub config: Config,
    /// The network.
    pub network: Network,
    /// How much later every hundredth host answers; and by how many seconds clocks are off at most.
    pub impaired: Option<(Duration, u64)>,
    /// All randomness comes from it.
    pub seed: u64,
}

impl Churn {
    /// The table's settings: 1,000 nodes, lists of 20, stabilisation every 15 to 45 s, packets delayed by 50 ms on
    /// average.
    pub fn published(seed: u64, rate: f64, going: Going, lookups: u32) -> Churn {
        let s = Duration::from_secs;
        let config = Config {
            base: 2,
            vnodes: 1,
            successors: Some(20),
            timers: Timers { stabilise: (s(15), s(45)), ..Timers::default() },
            one_hop: OneHop { on: 0, off: 0 },
            ..Config::default()
        };
        let ms = Duration::from_millis;
        let network = Network { latency: Latency::Uniform { min: ms(5), max: ms(95) }, ..Network::default() };
        let per_second = (lookups / LONGEST).max(1);
        let nodes = 1_000;
        Churn { nodes, rate, going, lookups, per_second, config, network, impaired: None, seed }
    }

    /// Runs it: a minute to settle, then lookups while nodes come and go.
    pub fn run(&self) -> Churned {
        let mut world = World::new(self.seed, self.config.clone(), self.network.clone());
        world.judge();
        if let Some((late, skew)) = self.impaired {
            world.impair(late, skew);
        }
        // Nobody has measured a round trip: one that all had measured alike would be taken for certain, and half of the first
        // packets on a network of 10 to 190 ms for lost.
        world.bulk(self.nodes, None, &BTreeSet::new());
        let mut rng = SplitMix64::new(SplitMix64::mix(self.seed, 0x6368_7572));
        let mut flows = [Poisson::new(self.rate), Poisson::new(self.rate)];
        let tick = Duration::from_millis(100);
        let (mut sums, mut open) = (Lookups::default(), Vec::new());
        let (end, mut asked) = (60 + self.lookups / self.per_second.max(1), 0);
        for tenth in 0..u64::from(end) * 10 {
            for _ in 0..flows[0].due(&mut rng, tick) {
                world.join();
            }
            for _ in 0..flows[1].due(&mut rng, tick) {
                self.go(&mut world);
            }
            let due = tenth.checked_sub(600).map_or(0, |since| since * u64::from(self.per_second) / 10 + 1);
            while asked < due.min(self.lookups.into()) {
                open.push(world.ask(LookupMode::Recursive));
                asked += 1;
            }
            world.run(tick);
            judge(&mut world, &mut sums, &mut open);
        }
        world.run(Duration::from_secs(20));
        judge(&mut world, &mut sums, &mut open);
        sums.asked = asked as usize;
        for question in open {
            miss(&world, &mut sums, &question);
        }
        sums.sort();
        let bytes = world.sim.probe().totals.datagram_bytes + world.sim.probe().totals.stream_bytes;
        let bytes = bytes as f64 / world.seconds() / f64::from(self.nodes);
        Churned { lookups: sums, live: world.live().len() as u32, bytes }
    }

    fn go(&self, world: &mut World) {
        let Some(host) = world.any().filter(|_| world.live().len() > 1) else { return };
        match self.going {
            Going::Leaving => world.leave(host),
            Going::Crashing => world.crash(host),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Churned {
    /// The lookups.
    pub lookups: Lookups,
    /// Nodes at the end.
    pub live: u32,
    /// Bytes a node sent each second, lookups included.
    pub bytes: f64,
}

/// Arrivals of a Poisson process.
pub(super) struct Poisson {
    rate: f64,
    left: f64,
}

impl Poisson {
    pub(super) fn new(rate: f64) -> Poisson {
        Poisson { rate, left: 0.0 }
    }

    /// How many arrive within that time.
    pub(super) fn due(&mut self, rng: &mut SplitMix64, time: Duration) -> u32 {
        if self.rate <= 0.0 {
            return 0;
        }
        let mut count = 0;
        self.left -= time.as_secs_f64();
        while self.left <= 0.0 {
            let uniform = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            self.left += -(1.0 - uniform).ln() / self.rate;
            count += 1;
        }
        count
    }
}

/// Takes the answers that have come. The host named must have owned the key, by its own claim and with nobody nearer who
/// owned anything, at some moment between question and answer: ranges are given on while answers are under way.
fn judge(world: &mut World, sums: &mut Lookups, open: &mut Vec<Asked>) {
    let book = std::mem::take(&mut world.book.borrow_mut().lookups);
    for (number, _, measured, _) in book {
        let Some(index) = open.iter().position(|open| open.number == number) else { continue };
        let asked = open.swap_remove(index);
        match measured {
            None => miss(world, sums, &asked),
            Some(measured) => {
                sums.add(&measured);
                let wrong = world.book.borrow().claims.as_ref().is_some_and(|claims| claims.is_wrong(number));
                sums.wrong += usize::from(wrong);
            }
        }
    }
}

/// Counts a lookup that came to nothing; who is switched off waits for no answer.
fn miss(world: &World, sums: &mut Lookups, asked: &Asked) {
    let waits = asked.asker.is_some_and(|asker| world.sim.is_up(HostId(asker)));
    *if waits { &mut sums.unanswered } else { &mut sums.gone } += 1;
}

/// Table III: rate, path, time-outs, failures of 10,000.
const PUBLISHED: [(f64, &str, &str, u32); 8] = [
    (0.05, "3.90 (1,9)", "0.05 (0,2)", 0),
    (0.10, "3.83 (1,9)", "0.11 (0,2)", 0),
    (0.15, "3.84 (1,9)", "0.16 (0,2)", 2),
    (0.20, "3.81 (1,9)", "0.23 (0,3)", 5),
    (0.25, "3.83 (1,9)", "0.30 (0,3)", 6),
    (0.30, "3.91 (1,9)", "0.34 (0,4)", 8),
    (0.35, "3.94 (1,10)", "0.42 (0,4)", 16),
    (0.40, "4.06 (1,10)", "0.46 (0,5)", 15),
];

/// T9 for both ways of going.
pub fn table(seed: u64, lookups: u32, mut progress: impl FnMut(f64, Going)) -> (Table, Vec<Plot>, bool) {
    let mut table = Table::new(
        "T9: nodes come and go (per second, each way) while one key is looked up every second",
        "1,000 nodes, lists of 20, base 2, stabilisation every 15 to 45 s. Nodes contacted and time-outs a lookup, mean \
         (1st, 99th percentile). Published failures are of 10,000 lookups, with voluntary leaves only. Members ask; those \
         that went before they were answered are counted by themselves. More than 1,200 lookups are asked faster than one \
         a second, within ten minutes. Target: none wrong, none unanswered; time-outs at most 0.15 at 0.40.",
        &[
            "rate",
            "goes by",
            "path",
            "published",
            "time-outs",
            "published",
            "wrong",
            "unanswered",
            "asker gone",
            "published",
            "holds",
        ],
    );
    let (mut ours, mut paper, mut holds) = (Vec::new(), Vec::new(), true);
    for (rate, path, timeouts, failures) in PUBLISHED {
        for going in [Going::Leaving, Going::Crashing] {
            progress(rate, going);
            let churned = Churn::published(seed, rate, going, lookups).run();
            let sums = &churned.lookups;
            let good = sums.wrong + sums.unanswered == 0 && (rate < 0.4 || mean(&sums.timeouts) <= 0.15);
            holds &= good;
            table.row([
                format!("{rate:.2}"),
                format!("{going:?}").to_lowercase(),
                printed(&sums.hops),
                path.to_owned(),
                printed(&sums.timeouts),
                timeouts.to_owned(),
                sums.wrong.to_string(),
                sums.unanswered.to_string(),
                sums.gone.to_string(),
                failures.to_string(),
                if good { "yes" } else { "NO" }.to_owned(),
            ]);
            if going == Going::Crashing {
                ours.push((rate, mean(&sums.timeouts)));
            }
        }
        let published = timeouts.split(' ').next().and_then(|mean| mean.parse().ok()).unwrap_or(0.0);
        paper.push((rate, published));
    }
    let plot = Plot {
        title: "Time-outs under churn".into(),
        caption: "Mean number of silent nodes a lookup meets while nodes join and crash.".into(),
        x_label: "joins and crashes a second".into(),
        y_label: "time-outs a lookup".into(),
        x: (0.0, 0.45),
        y: (0.0, 0.6),
        shape: Shape::Lines(vec![
            ("measured, crashes".into(), ours),
            ("published (2003), leaves".into(), paper),
        ]),
        marks: Vec::new(),
    };
    (table, vec![plot], holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lookup_is_wrong_or_lost_while_nodes_come_and_crash() {
        let churn = Churn { nodes: 100, ..Churn::published(1, 0.1, Going::Crashing, 120) };
        let churned = churn.run();
        assert_eq!((churned.lookups.wrong, churned.lookups.unanswered), (0, 0), "{:?}", churned.lookups);
        assert!((80..120).contains(&churned.live), "{}", churned.live);
    }

    #[test]
    fn flows_add_up_to_the_rate() {
        let (mut flows, mut rng) = (Poisson::new(0.4), SplitMix64::new(1));
        let sum: u32 = (0..100_000).map(|_| flows.due(&mut rng, Duration::from_millis(100))).sum();
        assert!((3_800..4_200).contains(&sum), "{sum}");
    }
}
