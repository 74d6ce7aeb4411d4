//! T17: two rings of one network find each other and become one.

use super::run::{settle, trouble};
use super::world::World;
use crate::simulate::table::Table;
use std::time::Duration;
use throng_overlay::chord::{Config, OneHop};
use throng_sim::{Incident, Latency, Network};

/// Sizes of the two parts.
const SIZES: [(u32, u32); 3] = [(500, 500), (20, 1_000), (1_000, 20)];
/// Values stored before the cut.
const VALUES: u32 = 200;
/// How long the parts are cut off from each other.
const CUT: Duration = Duration::from_secs(600);

/// What came of one merge.
#[derive(Clone, Copy, Debug)]
pub struct Merged {
    /// Whether each part was a ring of its own before the cut was mended.
    pub parted: bool,
    /// Seconds from mending until one ring was right.
    pub seconds: Option<f64>,
    /// Datagrams a node in that time, maintenance included.
    pub messages: f64,
    /// The same less what as many calm nodes of the young ring sent in that time, before the cut.
    pub more: f64,
    /// The same less what the same ring, at the same age, sends in that time if it is never cut: self-checks and pings of
    /// fingers begin only minutes after a ring is computed.
    pub beyond: f64,
    /// Values acknowledged before.
    pub stored: usize,
    /// Of them, not read after.
    pub lost: usize,
}

/// A ring with some values; also those acknowledged, and how many datagrams a node sends each second.
fn ring(seed: u64, all: u32, values: u32) -> (World, Vec<u32>, f64) {
    let config = Config { vnodes: 1, one_hop: OneHop { on: 0, off: 0 }, ..Config::default() };
    let network = Network { latency: Latency::Constant(Duration::from_millis(25)), ..Network::default() };
    let mut world = World::new(seed, config, network);
    world.bulk(all, Some(Duration::from_millis(50)), &std::collections::BTreeSet::new());
    world.run(Duration::from_secs(30));
    for number in 0..values {
        world.put(number, format!("v{number}").as_bytes());
        world.run(Duration::from_millis(20));
    }
    world.run(Duration::from_secs(20));
    let puts = std::mem::take(&mut world.book.borrow_mut().puts);
    let stored: Vec<u32> =
        puts.iter().filter(|(_, copies, _)| copies.is_ok()).map(|(number, ..)| *number).collect();
    let calm = calm(&mut world, Duration::from_secs(60)) / f64::from(all);
    (world, stored, calm)
}

/// One ring is cut in two, for ten minutes, and mended.
pub fn merge(seed: u64, (first, second): (u32, u32), values: u32, cut: Duration) -> Merged {
    let all = first + second;
    let (mut world, stored, calm) = ring(seed, all, values);
    world.sim.incident(Incident::Partition(vec![0..first, first..all]));
    world.run(cut);
    let parted = trouble(&world).is_some();
    world.sim.incident(Incident::Heal);
    let before = world.sim.probe().totals.datagrams_sent;
    let seconds = settle(&mut world, 3_600.0);
    let sent = world.sim.probe().totals.datagrams_sent - before;
    // A minute for records to find their way.
    world.run(Duration::from_secs(60));
    for number in &stored {
        world.get(*number);
        world.run(Duration::from_millis(20));
    }
    world.run(Duration::from_secs(20));
    let book = world.book.borrow();
    let messages = sent as f64 / f64::from(all);
    let time = seconds.unwrap_or(0.0);
    let more = (messages - calm * time).max(0.0);
    let beyond = messages - uncut(seed, all, values, (cut, time));
    let right = book.gets.iter().filter(|(_, got, _)| matches!(got, Ok(Some(_)))).count();
    Merged { parted, seconds, messages, more, beyond, stored: stored.len(), lost: stored.len() - right }
}

/// Datagrams a node of the same ring in the same seconds if nothing happens.
fn uncut(seed: u64, all: u32, values: u32, (cut, seconds): (Duration, f64)) -> f64 {
    let (mut world, ..) = ring(seed, all, values);
    world.run(cut);
    calm(&mut world, Duration::from_secs_f64(seconds.max(1.0))) * seconds / f64::from(all)
}

/// Datagrams a second while nothing happens.
fn calm(world: &mut World, time: Duration) -> f64 {
    let before = world.sim.probe().totals.datagrams_sent;
    world.run(time);
    (world.sim.probe().totals.datagrams_sent - before) as f64 / time.as_secs_f64()
}

/// T17 for each pair of sizes.
pub fn table(seed: u64, mut progress: impl FnMut(&str)) -> (Table, bool) {
    let mut table = Table::new(
        "T17: two rings become one",
        "One ring is cut in two for ten minutes and mended. Plain stabilisation needs time proportional to N (published). \
         Target: right within 40 stabilisation periods (600 s), at most 40 messages a node more than a calm ring sends in \
         that time (the model of the specification has no maintenance), no acknowledged value lost. What calm nodes send is \
         measured in the minute before the cut, when a computed ring has not begun its self-checks: the column after it \
         has what the merge itself takes.",
        &[
            "nodes",
            "seconds",
            "periods of 15 s",
            "messages a node",
            "for the merge",
            "beyond a ring never cut",
            "values",
            "lost",
            "holds",
        ],
    );
    let mut holds = true;
    for sizes in SIZES {
        let name = format!("{} + {}", sizes.0, sizes.1);
        progress(&name);
        let merged = merge(seed, sizes, VALUES, CUT);
        let good = merged.parted
            && merged.seconds.is_some_and(|seconds| seconds <= 600.0)
            && merged.lost == 0
            && merged.more <= 40.0;
        holds &= good;
        table.row([
            name,
            merged.seconds.map_or("never".to_owned(), |seconds| format!("{seconds:.0}")),
            merged.seconds.map_or("-".to_owned(), |seconds| format!("{:.0}", seconds / 15.0)),
            format!("{:.0}", merged.messages),
            format!("{:.0}", merged.more),
            format!("{:.0}", merged.beyond),
            merged.stored.to_string(),
            merged.lost.to_string(),
            if good { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    (table, holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_halves_of_a_ring_become_one_again() {
        let merged = merge(1, (40, 40), 0, Duration::from_secs(300));
        assert!(merged.parted);
        assert!(merged.seconds.is_some_and(|seconds| seconds <= 600.0), "{merged:?}");
    }
}
