//! T18 and T19: words that everybody publishes, and searches for several words.

use super::summary::{mean, quantile};
use super::world::{World, endpoint};
use crate::simulate::table::Table;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};
use throng_overlay::chord::{Config, OneHop};
use throng_overlay::discovery::{Event, Item, Query};
use throng_sim::{HostId, Latency, Network};
use throng_wire::chord::{RingId, Term, Terms};

fn ring(seed: u64, nodes: u32) -> World {
    let config = Config { vnodes: 1, one_hop: OneHop { on: 0, off: 0 }, ..Config::default() };
    let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) };
    let mut world = World::new(seed, config, Network { latency, ..Network::default() });
    world.bulk(nodes, Some(Duration::from_millis(65)), &BTreeSet::new());
    world.run(Duration::from_secs(5));
    world
}

fn item(number: u32, title: String) -> Item {
    let mut root = [0; 32];
    root[..4].copy_from_slice(&number.to_be_bytes());
    root[31] = 1;
    Item { title, size: 1_000, root: Some(root), ..Item::default() }
}

fn number_of(item: &Item) -> Option<u32> {
    item.root.map(|[a, b, c, d, ..]| u32::from_be_bytes([a, b, c, d]))
}

/// One search, to its end: which items were found, milliseconds until the first, bytes that went over the network, and
/// how many owners of words and shards were asked.
struct Searched {
    found: BTreeSet<u32>,
    first: Option<f64>,
    bytes: f64,
    asked: u64,
}

/// What is asked for at once: a page that a person reads, or everything there is.
#[derive(Clone, Copy)]
enum Wanted {
    Page,
    All,
}

impl Wanted {
    fn query(self, words: Vec<String>) -> Query {
        let (limit, seconds) = match self {
            Wanted::Page => (PAGE, 20),
            Wanted::All => (10_000_000, 7_200),
        };
        Query { words, limit, timeout: Duration::from_secs(seconds) }
    }
}

/// Items of a page.
const PAGE: u32 = 20;

fn search(world: &mut World, number: u32, query: Query, idle: f64) -> Searched {
    let host = world.any().unwrap_or(0);
    world.book.borrow_mut().told.clear();
    let asked = |world: &World| world.sim.app(HostId(host)).chord().store().words_asked;
    let (start, before, asked_before) =
        (world.seconds(), world.sim.probe().totals.datagram_bytes, asked(world));
    world.find(host, number, query);
    let (mut found, mut first, mut over) = (BTreeSet::new(), None, false);
    while !over {
        world.run(Duration::from_millis(10));
        for (_, event) in std::mem::take(&mut world.book.borrow_mut().told) {
            match event {
                Event::Found { item, .. } => {
                    first.get_or_insert((world.seconds() - start) * 1_000.0);
                    found.extend(number_of(&item));
                }
                Event::Finished(_) | Event::Refused(..) => over = true,
                _ => {}
            }
        }
    }
    let took = world.seconds() - start;
    let bytes = (world.sim.probe().totals.datagram_bytes - before) as f64 - idle * took;
    Searched { found, first, bytes, asked: asked(world).saturating_sub(asked_before) }
}

/// Bytes a second that the ring sends while nothing is asked.
fn idle(world: &mut World) -> f64 {
    let before = world.sim.probe().totals.datagram_bytes;
    world.run(Duration::from_secs(30));
    (world.sim.probe().totals.datagram_bytes - before) as f64 / 30.0
}

/// T18: one word of all titles, honest publishers and a few that flood it.
pub fn common(seed: u64, nodes: u32, each: u32) -> (Table, bool) {
    let mut world = ring(seed, nodes);
    // Where its shards lie follows from the word: another for each seed.
    let word = format!("common{seed}");
    let floods = (nodes / 100).max(1);
    for host in 0..nodes {
        for turn in 0..if host < floods { 1_000 } else { each } {
            let number = host * 1_000 + turn;
            world.publish(host, number, item(number, format!("{word} rare{number}")));
        }
        world.run(Duration::from_millis(200));
    }
    world.run(Duration::from_secs(120));
    let honest: BTreeSet<u32> =
        (floods..nodes).flat_map(|host| (0..each).map(move |turn| host * 1_000 + turn)).collect();
    let idle = idle(&mut world);
    let all = search(&mut world, 0, Wanted::All.query(vec![word.clone()]), idle);
    let mut rare = 0;
    let mut rng = SplitMix64::new(SplitMix64::mix(seed, 0x7261_7265));
    for turn in 0..100 {
        let host = floods + rng.below(nodes - floods);
        let number = host * 1_000 + rng.below(each);
        let hit = search(&mut world, 1 + turn, Wanted::Page.query(vec![format!("rare{number}")]), idle);
        rare += usize::from(hit.found.contains(&number));
    }
    let held = Held::of(&world, nodes, &word);
    let (loads, placed) = (ascending(held.loads()), ascending(held.placed(&world)));
    let recall = all.found.intersection(&honest).count() as f64 / honest.len().max(1) as f64;
    let skew_of = |loads: &[f64]| quantile(loads, 0.99) / mean(loads);
    let (skew, least) = (skew_of(&loads), skew_of(&placed));
    let holds = recall >= 0.99 && rare == 100 && skew <= 3.0;
    let mut table = Table::new(
        "T18: one word in all titles, and publishers that flood it",
        "Each flooder publishes 1,000 items. Published (KAD): 50,000 a keyword, then refused. Target: all honest items \
         found by the common word by who asks on for all, rare words unaffected, p99 of postings a holder of the word at \
         most 3 times the mean. 10^6 postings are what the row asks for. As placed: the same had each shard's postings \
         lain with its owner and the next four alone; more than that is what moved too late, or not away.",
        &[
            "publishers",
            "flooders",
            "honest items",
            "found by the word",
            "shards asked",
            "rare words found",
            "holders",
            "p99 load/mean",
            "as placed",
            "holds",
        ],
    );
    table.row([
        nodes.to_string(),
        floods.to_string(),
        honest.len().to_string(),
        format!("{:.2} %", recall * 100.0),
        all.asked.to_string(),
        format!("{rare} of 100"),
        loads.len().to_string(),
        format!("{skew:.2}"),
        format!("{least:.2}"),
        if holds { "yes" } else { "NO" }.to_owned(),
    ]);
    (table, holds)
}

/// Copies of a word's postings, by shard and host.
struct Held(BTreeMap<RingId, BTreeMap<u32, u32>>);

impl Held {
    fn of(world: &World, nodes: u32, word: &str) -> Held {
        let term = Term::new(word).map(Terms::one);
        let keys = (0..=u8::MAX).filter_map(|shard| Some(term?.ring_key(shard)));
        let mut shards: BTreeMap<RingId, BTreeMap<u32, u32>> =
            keys.map(|key| (key, BTreeMap::new())).collect();
        for host in 0..nodes {
            for key in world.sim.app(HostId(host)).kept() {
                if let Some(hosts) = shards.get_mut(&key) {
                    *hosts.entry(host).or_default() += 1;
                }
            }
        }
        Held(shards)
    }

    /// On each host that has any.
    fn loads(&self) -> BTreeMap<u32, u32> {
        let mut loads = BTreeMap::new();
        for (host, count) in self.0.values().flatten() {
            *loads.entry(*host).or_default() += count;
        }
        loads
    }

    /// The same had each shard's lain with its owner and those that follow it, as many as it has copies, and nowhere else.
    fn placed(&self, world: &World) -> BTreeMap<u32, u32> {
        let id = |host: &u32| RingId::of(endpoint(*host).socket_addr(), 0);
        let mut ring: Vec<(RingId, u32)> = world.live().iter().map(|host| (id(host), *host)).collect();
        ring.sort_unstable();
        let mut loads = BTreeMap::new();
        for (key, hosts) in &self.0 {
            let count = hosts.values().max().copied().unwrap_or(0);
            let owner = ring.partition_point(|(id, _)| id < key);
            let copies = usize::from(world.config.replicas).min(ring.len());
            for (_, host) in ring.iter().cycle().skip(owner).take(copies).filter(|_| count > 0) {
                *loads.entry(*host).or_default() += count;
            }
        }
        loads
    }
}

fn ascending(loads: BTreeMap<u32, u32>) -> Vec<f64> {
    let mut loads: Vec<f64> = loads.into_values().map(f64::from).collect();
    loads.sort_by(f64::total_cmp);
    loads
}

/// A word by its rank: the first is as common as Zipf's law has it.
fn word(rng: &mut SplitMix64, weights: &[f64]) -> usize {
    let at = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * weights.last().copied().unwrap_or(1.0);
    weights.partition_point(|sum| *sum <= at).min(weights.len() - 1)
}

/// Titles of five words each, drawn by Zipf's law.
fn titles(rng: &mut SplitMix64, count: u32, vocabulary: u32) -> Vec<Vec<usize>> {
    let mut sum = 0.0;
    let weights: Vec<f64> = (1..=vocabulary)
        .map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        })
        .collect();
    let title = |rng: &mut SplitMix64| -> BTreeSet<usize> { (0..5).map(|_| word(rng, &weights)).collect() };
    (0..count).map(|_| title(rng).into_iter().collect()).collect()
}

/// T19: searches for two or three words of titles drawn by Zipf's law.
pub fn several(seed: u64, (nodes, files): (u32, u32), queries: u32) -> (Table, bool) {
    let mut rng = SplitMix64::new(SplitMix64::mix(seed, 0x7a69_7066));
    let titles = titles(&mut rng, files, files / 4 + 100);
    let mut world = ring(seed, nodes);
    let name = |word: &usize| format!("word{word}");
    for (number, title) in (0..).zip(&titles) {
        let words: Vec<String> = title.iter().map(name).collect();
        world.publish(number % nodes, number, item(number, words.join(" ")));
        world.run(Duration::from_millis(10));
    }
    world.run(Duration::from_secs(120));
    let idle = idle(&mut world);
    let (mut all, mut page) = (Answers::default(), Answers::default());
    for turn in 0..queries {
        let of = &titles[rng.below(files) as usize];
        let count = (2 + rng.below(2) as usize).min(of.len());
        let wanted: Vec<usize> = of.iter().copied().take(count).collect();
        let matching: BTreeSet<u32> = (0..)
            .zip(&titles)
            .filter(|(_, title)| wanted.iter().all(|word| title.contains(word)))
            .map(|(number, _)| number)
            .collect();
        let words: Vec<String> = wanted.iter().map(name).collect();
        page.add(&matching, &search(&mut world, 2 * turn, Wanted::Page.query(words.clone()), idle), PAGE);
        all.add(&matching, &search(&mut world, 2 * turn + 1, Wanted::All.query(words), idle), u32::MAX);
    }
    let holds = page.holds(Some(6_000.0)) && all.holds(None);
    let mut table = Table::new(
        "T19: searches for two or three words",
        "Titles of five words drawn by Zipf's law; searches for the commonest two or three of a title. Published (Reynolds \
         and Vahdat, simulated): less than 1 s and about 1 kB a query. Target: at least 99 % of the matching files found \
         by who asks on for all, of a page of 20 all that exist; by the median query one owner of a word asked, and at \
         most 6 kB sent for the page, lookups included.",
        &[
            "nodes", "files", "wanted", "queries", "recall", "hits", "owners", "median B", "p99 B",
            "B a hit", "first ms", "p99 ms", "holds",
        ],
    );
    for (name, answers, limit) in [("a page", &mut page, Some(6_000.0)), ("all", &mut all, None)] {
        answers.row(&mut table, (nodes, files, name), limit);
    }
    (table, holds)
}

/// What came of searches, each for that many items at most.
#[derive(Default)]
struct Answers {
    recalls: Vec<f64>,
    hits: Vec<f64>,
    bytes: Vec<f64>,
    owners: Vec<f64>,
    millis: Vec<f64>,
}

impl Answers {
    fn add(&mut self, matching: &BTreeSet<u32>, hits: &Searched, limit: u32) {
        let right = hits.found.intersection(matching).count();
        self.recalls.push(right as f64 / matching.len().min(limit as usize).max(1) as f64);
        self.hits.push(right as f64);
        self.bytes.push(hits.bytes);
        self.owners.push(hits.asked as f64);
        self.millis.extend(hits.first);
        for list in [&mut self.hits, &mut self.bytes, &mut self.owners, &mut self.millis] {
            list.sort_by(f64::total_cmp);
        }
    }

    /// In a ring so large that what it sends besides hides a search, nothing was measured and nothing holds.
    fn holds(&self, most: Option<f64>) -> bool {
        let bytes = quantile(&self.bytes, 0.5);
        let few = |most| bytes > 0.0 && bytes <= most && quantile(&self.owners, 0.5) <= 1.0;
        mean(&self.recalls) >= 0.99 && most.is_none_or(few)
    }

    fn row(&self, table: &mut Table, (nodes, files, wanted): (u32, u32, &str), most: Option<f64>) {
        table.row([
            nodes.to_string(),
            files.to_string(),
            wanted.to_owned(),
            self.recalls.len().to_string(),
            format!("{:.2} %", mean(&self.recalls) * 100.0),
            format!("{:.0}", quantile(&self.hits, 0.5)),
            format!("{:.0}", quantile(&self.owners, 0.5)),
            format!("{:.0}", quantile(&self.bytes, 0.5)),
            format!("{:.0}", quantile(&self.bytes, 0.99)),
            format!("{:.0}", self.bytes.iter().sum::<f64>() / self.hits.iter().sum::<f64>().max(1.0)),
            format!("{:.0}", quantile(&self.millis, 0.5)),
            format!("{:.0}", quantile(&self.millis, 0.99)),
            if self.holds(most) { "yes" } else { "NO" }.to_owned(),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_for_several_words_find_what_was_published() {
        let (table, _) = several(1, (60, 120), 20);
        for row in &table.rows {
            assert_eq!(row[4], "100.00 %", "{}", table.text());
        }
    }

    #[test]
    fn all_that_have_one_word_are_found_though_some_publishers_flood_it() {
        let (table, _) = common(1, 100, 8);
        assert_eq!((&*table.rows[0][3], &*table.rows[0][5]), ("100.00 %", "100 of 100"), "{}", table.text());
    }
}
