//! T15: nodes go and mostly come back with their disks: what keeping copies costs beside an oracle that knows who returns.

use super::summary::mean;
use super::world::World;
use crate::simulate::table::Table;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};
use throng_overlay::chord::{Config, OneHop};
use throng_sim::{Latency, Network};

/// Of those that go, so many of a hundred come back.
const RETURNING: u32 = 80;
/// Bytes of a value.
const VALUE: usize = 800;

/// A trace: how many nodes, and how long they stay and are away on average.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// Nodes.
    pub nodes: u32,
    /// Values stored at the start.
    pub values: u32,
    /// A session's mean length; exponential.
    pub stay: Duration,
    /// How long those that return are away, on average; exponential.
    pub away: Duration,
    /// How long it goes on.
    pub long: Duration,
}

/// What came of a trace.
#[derive(Clone, Debug, Default)]
struct Kept {
    stored: usize,
    lost: usize,
    /// Values of which no disk of a host that is up had a copy at the end.
    doomed: usize,
    /// Bytes sent, all in all.
    bytes: u64,
    /// Goings, and of them those for good.
    gone: [u32; 2],
    /// Mean bytes of a record on a disk.
    record: f64,
}

/// Goings and returns in the order of their times, all drawn from one seed so that runs with and without values see the same.
struct Sessions {
    rng: SplitMix64,
    trace: Trace,
    /// By second of the trace.
    due: BTreeMap<u64, Vec<Change>>,
}

/// What happens to a host.
#[derive(Clone, Copy)]
enum Change {
    Goes(u32),
    Returns(u32),
    /// Somebody new, in place of one that went for good.
    Arrives,
}

impl Sessions {
    fn new(seed: u64, trace: Trace) -> Sessions {
        let rng = SplitMix64::new(SplitMix64::mix(seed, 0x7431_3500));
        let mut sessions = Sessions { rng, trace, due: BTreeMap::new() };
        (0..trace.nodes).for_each(|host| sessions.later(0, trace.stay, Change::Goes(host)));
        sessions
    }

    fn later(&mut self, now: u64, mean: Duration, change: Change) {
        let uniform = (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let wait = (-(1.0 - uniform).ln() * mean.as_secs_f64()).ceil() as u64;
        self.due.entry(now + wait.max(1)).or_default().push(change);
    }

    /// Lets happen what is due; counts goings, and those for good.
    fn pass(&mut self, second: u64, world: &mut World, gone: &mut [u32; 2]) {
        let (stay, away) = (self.trace.stay, self.trace.away);
        for change in self.due.remove(&second).unwrap_or_default() {
            match change {
                Change::Goes(host) => {
                    world.crash(host);
                    let returns = self.rng.below(100) < RETURNING;
                    *gone = [gone[0] + 1, gone[1] + u32::from(!returns)];
                    self.later(second, away, if returns { Change::Returns(host) } else { Change::Arrives });
                }
                Change::Returns(host) => {
                    world.back(host);
                    self.later(second, stay, Change::Goes(host));
                }
                Change::Arrives => {
                    let host = world.join();
                    self.later(second, stay, Change::Goes(host));
                }
            }
        }
    }
}

/// Stores values, lets the trace pass, and reads what is left once nobody goes any more.
fn keep(seed: u64, trace: Trace, progress: &mut impl FnMut(u64)) -> Kept {
    let config = Config { vnodes: 1, one_hop: OneHop { on: 0, off: 0 }, ..Config::default() };
    let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) };
    let mut world = World::new(seed, config, Network { latency, ..Network::default() });
    world.bulk(trace.nodes, None, &BTreeSet::new());
    world.run(Duration::from_secs(60));
    for number in 0..trace.values {
        world.put(number, &[number as u8; VALUE]);
        world.run(Duration::from_millis(10));
    }
    // The same moment with and without values.
    let settled = Duration::from_secs(300).max(Duration::from_millis(10) * trace.values);
    world.run(settled.saturating_sub(Duration::from_millis(10) * trace.values));
    let mut kept = Kept::default();
    let acknowledged: Vec<u32> =
        world.book.borrow().puts.iter().filter(|put| put.1.is_ok()).map(|(number, ..)| *number).collect();
    kept.stored = acknowledged.len();
    let records: Vec<f64> = world.live().iter().flat_map(|host| world.record_bytes(*host)).collect();
    kept.record = mean(&records);
    let mut sessions = Sessions::new(seed, trace);
    for second in 1..=trace.long.as_secs() {
        sessions.pass(second, &mut world, &mut kept.gone);
        world.run(Duration::from_secs(1));
        if second % 60 == 0 {
            progress(second / 60);
        }
    }
    let totals = &world.sim.probe().totals;
    kept.bytes = totals.datagram_bytes + totals.stream_bytes;
    kept.doomed = super::run::doomed(&world, &acknowledged);
    world.run(Duration::from_secs(120));
    for number in &acknowledged {
        world.get(*number);
        world.run(Duration::from_millis(10));
    }
    world.run(Duration::from_secs(20));
    let book = world.book.borrow();
    let read = book.gets.iter().filter(|got| matches!(&got.1, Ok(Some(value)) if value.bytes.len() == VALUE));
    kept.lost = kept.stored - read.count().min(kept.stored);
    kept
}

/// T15 for that many nodes.
pub fn table(seed: u64, trace: Trace, mut progress: impl FnMut(u64)) -> (Table, bool) {
    let mut table = Table::new(
        "T15: nodes crash, four of five come back with their disks",
        "Exponential sessions, the same goings with and without values; what values cost is the difference of all bytes sent. An \
         oracle that knows who returns sends every value to five nodes once, and again what was on disks that never come \
         back. Published (Carbonite 2006, PlanetLab): 1.44 times the oracle. Target: nothing lost, at most 1.6 times.",
        &[
            "nodes",
            "values",
            "sessions",
            "away",
            "hours",
            "went",
            "for good",
            "lost",
            "no copy left",
            "MB sent",
            "oracle MB",
            "times",
            "holds",
        ],
    );
    let full = keep(seed, trace, &mut progress);
    let empty = keep(seed, Trace { values: 0, ..trace }, &mut progress);
    let nodes = f64::from(trace.nodes);
    let copies = 5.0 * full.stored as f64 * full.record;
    let oracle = copies * (1.0 + f64::from(full.gone[1]) / nodes);
    let spent = full.bytes.saturating_sub(empty.bytes) as f64;
    let good = full.lost == 0 && full.stored == trace.values as usize && spent <= 1.6 * oracle;
    let minutes = |time: Duration| format!("{} min", time.as_secs() / 60);
    table.row([
        trace.nodes.to_string(),
        full.stored.to_string(),
        minutes(trace.stay),
        minutes(trace.away),
        format!("{:.1}", trace.long.as_secs_f64() / 3_600.0),
        full.gone[0].to_string(),
        full.gone[1].to_string(),
        full.lost.to_string(),
        full.doomed.to_string(),
        format!("{:.1}", spent / 1e6),
        format!("{:.1}", oracle / 1e6),
        format!("{:.2}", spent / oracle.max(1.0)),
        if good { "yes" } else { "NO" }.to_owned(),
    ]);
    (table, good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outlive_nodes_that_come_back_and_some_that_do_not() {
        let s = Duration::from_secs;
        let trace = Trace { nodes: 40, values: 40, stay: s(1_800), away: s(300), long: s(1_200) };
        let kept = keep(1, trace, &mut |_| ());
        assert_eq!((kept.stored, kept.lost), (40, 0), "{kept:?}");
        assert!(kept.gone[0] > kept.gone[1] && kept.gone[1] > 0, "{kept:?}");
    }
}
