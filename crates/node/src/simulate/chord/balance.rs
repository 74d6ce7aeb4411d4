//! How evenly consistent hashing spreads keys: rows T3 and T4 of the note, by the ids the shipping ring has.

use crate::simulate::table::Table;
use throng_machine::{Endpoint, Entropy, SplitMix64};
use throng_wire::chord::RingId;

/// What is spread over what.
#[derive(Clone, Copy, Debug)]
pub struct Balance {
    /// Hosts; 10,000 in the paper.
    pub hosts: u32,
    /// Keys; 10^6 in the paper.
    pub keys: u32,
    /// Virtual nodes a host.
    pub vnodes: u8,
    /// Copies of each key, on different hosts; 1 counts owned keys.
    pub copies: usize,
    /// All randomness comes from it.
    pub seed: u64,
}

/// Keys a host, over their mean.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// Keys a host on average.
    pub mean: f64,
    /// The 1st percentile over the mean.
    pub p1: f64,
    /// The 99th percentile over the mean.
    pub p99: f64,
    /// The most over the mean.
    pub max: f64,
}

impl Balance {
    /// Places every key, and counts what each host has.
    pub fn run(&self) -> Spread {
        let ring = self.ring();
        let mut counts = vec![0u32; self.hosts as usize];
        let mut rng = SplitMix64::new(SplitMix64::mix(self.seed, 0x6b65_7973));
        for _ in 0..self.keys {
            let mut key = [0; 20];
            rng.fill(&mut key);
            self.place(&ring, RingId(key), &mut counts);
        }
        Spread::of(counts)
    }

    /// Virtual nodes in ring order with their hosts.
    fn ring(&self) -> Vec<(RingId, u32)> {
        // Other addresses for other seeds: 10.0.0.0/8 has room for 1,600 such sets.
        let first = 1 + (self.seed as u32 % 1_000) * self.hosts;
        let nodes = (0..self.hosts).flat_map(|host| (0..self.vnodes).map(move |vnode| (host, vnode)));
        let id = |host: u32, vnode: u8| {
            let [_, b, c, d] = (first + host).to_be_bytes();
            let at = Endpoint::v4([10, b, c, d], 6_881);
            RingId::of(at.socket_addr(), vnode)
        };
        let mut ring: Vec<_> = nodes.map(|(host, vnode)| (id(host, vnode), host)).collect();
        ring.sort_unstable();
        ring
    }

    /// The owner, then those that succeed it on other hosts.
    fn place(&self, ring: &[(RingId, u32)], key: RingId, counts: &mut [u32]) {
        let owner = ring.partition_point(|(id, _)| *id < key);
        let mut chosen: Vec<u32> = Vec::with_capacity(self.copies);
        for step in 0..ring.len() {
            let host = ring[(owner + step) % ring.len()].1;
            if !chosen.contains(&host) {
                chosen.push(host);
                counts[host as usize] += 1;
                if chosen.len() == self.copies {
                    break;
                }
            }
        }
    }
}

impl Spread {
    /// Of counts in any order.
    pub fn of(mut counts: Vec<u32>) -> Spread {
        counts.sort_unstable();
        let mean = counts.iter().map(|count| f64::from(*count)).sum::<f64>() / counts.len().max(1) as f64;
        let at = |share: f64| {
            let index = ((counts.len() as f64 * share).ceil() as usize).saturating_sub(1);
            counts.get(index).map_or(0.0, |count| f64::from(*count) / mean)
        };
        Spread { mean, p1: at(0.01), p99: at(0.99), max: at(1.0) }
    }
}

/// Published p99 and p1 over the mean, by virtual nodes; the rest of the row is the note's own model.
const PUBLISHED: [(u8, &str, &str); 7] = [
    (1, "4.6 (paper), 4.64", "0"),
    (2, "3.30 (model)", "0.07"),
    (5, "2.34 (model)", "0.24"),
    (10, "1.91 (model)", "0.39"),
    (20, "1.6 (paper), 1.65", "0.5"),
    (24, "1.60 (model)", "0.54"),
    (32, "1.52 (model)", "0.58"),
];

/// T3: keys a host with and without virtual nodes.
pub fn owned(seed: u64, hosts: u32, keys: u32) -> Table {
    let mut table = Table::new(
        "T3: keys a host, over the mean",
        "10^4 hosts and 10^6 keys as in the Chord paper of 2003 (figure 9 and its text); target: p99 at most 1.6 at 24 \
         virtual nodes.",
        &["virtual nodes", "p1", "p99", "max", "published p99", "published p1"],
    );
    for (vnodes, p99, p1) in PUBLISHED {
        let spread = Balance { hosts, keys, vnodes, copies: 1, seed }.run();
        table.row([
            vnodes.to_string(),
            format!("{:.2}", spread.p1),
            format!("{:.2}", spread.p99),
            format!("{:.1}", spread.max),
            p99.to_owned(),
            p1.to_owned(),
        ]);
    }
    table
}

/// T4: stored copies a host.
pub fn stored(seed: u64, hosts: u32, keys: u32) -> Table {
    let mut table = Table::new(
        "T4: stored copies a host, over the mean",
        "Five copies of each key on different hosts; target at 8 virtual nodes: p99 at most 1.6, p1 at least 0.5.",
        &["virtual nodes", "p1", "p99", "max", "note's model, p99"],
    );
    for (vnodes, model) in [(1, "2.35"), (4, "1.63"), (8, "1.46"), (20, "1.33")] {
        let spread = Balance { hosts, keys, vnodes, copies: 5, seed }.run();
        let figures = [(spread.p1, 2), (spread.p99, 2), (spread.max, 1)];
        let figures = figures.map(|(value, places)| format!("{value:.places$}"));
        table.row([vec![vnodes.to_string()], figures.to_vec(), vec![model.to_owned()]].concat());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_nodes_even_out_what_hosts_have() {
        let run = |vnodes, copies| Balance { hosts: 1_000, keys: 100_000, vnodes, copies, seed: 1 }.run();
        let (one, twenty) = (run(1, 1), run(20, 1));
        assert!((3.5..6.0).contains(&one.p99) && one.p1 < 0.1, "{one:?}");
        assert!((1.4..1.9).contains(&twenty.p99) && twenty.p1 > 0.4, "{twenty:?}");
        let copies = run(8, 5);
        assert!(copies.p99 <= 1.6 && copies.p1 >= 0.5, "{copies:?}");
        assert_eq!((one.mean, copies.mean), (100.0, 500.0));
    }

    #[test]
    fn a_key_goes_to_the_first_node_at_or_after_it_and_wraps() {
        let id = |byte: u8| RingId([byte; 20]);
        let ring = [(id(3), 0), (id(8), 1), (id(10), 2), (id(14), 0)];
        let place = |key: u8, copies: usize| {
            let mut counts = vec![0; 3];
            let balance = Balance { hosts: 3, keys: 1, vnodes: 1, copies, seed: 1 };
            balance.place(&ring, id(key), &mut counts);
            counts
        };
        assert_eq!((place(8, 1), place(9, 1), place(15, 1)), (vec![0, 1, 0], vec![0, 0, 1], vec![1, 0, 0]));
        assert_eq!(place(11, 2), [1, 1, 0], "the second virtual node of a host is skipped");
    }
}
