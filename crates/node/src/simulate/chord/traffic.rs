//! T11 and T14: how long a lookup takes on a network like the paper's test bed, and what a node sends to keep its place.

use super::churn::Poisson;
use super::hops::frozen;
use super::summary::{Lookups, mean, quantile};
use super::world::World;
use crate::simulate::table::Table;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_machine::SplitMix64;
use throng_overlay::chord::{Config, LookupMode, OneHop};
use throng_sim::{Latency, Network};

/// T11: 180 nodes, round trips of 60 ms and a fifth.
pub fn latency(seed: u64, lookups: u32) -> (Table, bool) {
    let mut table = Table::new(
        "T11: milliseconds a lookup, 180 nodes, round trips of 48 to 72 ms, lists of 16",
        "Published (2001, iterative, a test bed of 10 sites): median 180 to 285 ms. Target: recursive, median at most \
         150 ms.",
        &["mode", "median", "mean", "p99", "hops", "unanswered", "holds"],
    );
    let mut holds = true;
    for mode in [LookupMode::Recursive, LookupMode::Iterative] {
        let ms = Duration::from_millis;
        let network =
            Network { latency: Latency::Uniform { min: ms(24), max: ms(36) }, ..Network::default() };
        let mut world = World::new(seed, Config { base: 4, ..frozen() }, network);
        let ring = world.bulk(180, Some(ms(60)), &BTreeSet::new());
        let mut asked = Vec::new();
        for _ in 0..lookups {
            asked.push(world.look(mode));
            world.run(ms(10));
        }
        world.run(Duration::from_secs(20));
        let sums = Lookups::over(&world.book.borrow(), &asked, &ring);
        let good = sums.unanswered + sums.wrong == 0
            && (mode == LookupMode::Iterative || quantile(&sums.millis, 0.5) <= 150.0);
        holds &= good;
        table.row([
            format!("{mode:?}").to_lowercase(),
            format!("{:.0}", quantile(&sums.millis, 0.5)),
            format!("{:.0}", mean(&sums.millis)),
            format!("{:.0}", quantile(&sums.millis, 0.99)),
            format!("{:.2}", mean(&sums.hops)),
            sums.unanswered.to_string(),
            if good { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    (table, holds)
}

/// Bytes and datagrams a node sends each second.
fn rate(world: &World, before: [u64; 2], seconds: f64, nodes: u32) -> [f64; 2] {
    let now = sent(world);
    [0, 1].map(|index| (now[index] - before[index]) as f64 / seconds / f64::from(nodes))
}

fn sent(world: &World) -> [u64; 2] {
    let totals = &world.sim.probe().totals;
    [totals.datagram_bytes + totals.stream_bytes, totals.datagrams_sent]
}

/// T14: a node's maintenance without and with churn, with so many small records a node.
pub fn maintenance(seed: u64, nodes: u32, records: u32) -> (Table, bool) {
    let mut table = Table::new(
        "T14: what a node sends each second to keep its place",
        "Sessions of an hour, five copies of each small record. Published (Cates 2003): less than 2 KB/s a host. Target: \
         at most 2 KB/s with repair, 600 B/s idle, both directions together, headers of UDP and IP not counted.",
        &["", "records a node", "B/s sent", "B/s both ways", "datagrams/s", "holds"],
    );
    let config = Config { vnodes: 1, one_hop: OneHop { on: 0, off: 0 }, ..Config::default() };
    let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) };
    let mut world = World::new(seed, config, Network { latency, ..Network::default() });
    world.bulk(nodes, Some(Duration::from_millis(65)), &BTreeSet::new());
    world.run(Duration::from_secs(60));
    let mut holds = true;
    let mut row = |name: &str, records: u32, [bytes, datagrams]: [f64; 2], most: f64| {
        let good = 2.0 * bytes <= most;
        holds &= good;
        table.row([
            name.to_owned(),
            records.to_string(),
            format!("{bytes:.0}"),
            format!("{:.0}", 2.0 * bytes),
            format!("{datagrams:.1}"),
            if good { "yes" } else { "NO" }.to_owned(),
        ]);
    };
    let before = sent(&world);
    world.run(Duration::from_secs(300));
    row("calm, empty", 0, rate(&world, before, 300.0, nodes), 600.0);
    for number in 0..nodes * records {
        world.put(number, b"a small record");
        world.run(Duration::from_millis(1));
    }
    world.run(Duration::from_secs(120));
    let before = sent(&world);
    world.run(Duration::from_secs(300));
    row("calm, full", records, rate(&world, before, 300.0, nodes), 600.0);
    let mut rng = SplitMix64::new(SplitMix64::mix(seed, 0x7431_3400));
    let mut flows = [0, 1].map(|_| Poisson::new(f64::from(nodes) / 3_600.0));
    let (before, tick) = (sent(&world), Duration::from_millis(100));
    for _ in 0..6_000 {
        for _ in 0..flows[0].due(&mut rng, tick) {
            world.join();
        }
        for _ in 0..flows[1].due(&mut rng, tick) {
            if let Some(host) = world.any() {
                world.crash(host);
            }
        }
        world.run(tick);
    }
    row("sessions of 1 h", records, rate(&world, before, 600.0, nodes), 2_000.0);
    (table, holds)
}
