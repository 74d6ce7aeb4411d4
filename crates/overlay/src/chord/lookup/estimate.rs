//! How many nodes there are, judged by how densely they lie, and what follows from it (sections 1.4, 3.2 and 5).

use throng_wire::chord::RingId;

/// The shortest successor list a node keeps unless its ring is smaller or a test forces it.
pub(crate) const SHORTEST_LIST: usize = 16;
/// The longest: with 40 no list empties when half of 2^20 nodes die at once.
pub(crate) const LONGEST_LIST: usize = 40;
/// More hops than any honest lookup takes.
pub(crate) const HIGHEST_TTL: u8 = 64;
/// Nodes after the key whose spacing is tested.
pub(crate) const SPACED: usize = 8;
/// Eight nodes of an honest ring span between these multiples of the expected arc, but for 0.2 %.
const SPACING: (f64, f64) = (0.25, 2.5);
/// Below this size the estimate says little and lists reach round the ring.
const SMALLEST_TESTED: f64 = 64.0;

/// The length of the successor list for a ring of that size: twice the logarithm, 16 to 40.
pub(crate) fn list_length(nodes: f64) -> usize {
    (2 * bits(nodes) as usize).clamp(SHORTEST_LIST, LONGEST_LIST)
}

/// Hops a lookup may take in a ring of that size.
pub(crate) fn ttl(nodes: f64) -> u8 {
    bits(nodes).saturating_mul(2).saturating_add(16).min(HIGHEST_TTL)
}

/// log2, rounded up, at most 160.
fn bits(nodes: f64) -> u8 {
    nodes.max(1.0).log2().ceil().min(160.0) as u8
}

/// Whether the nodes after a key lie as densely as nodes do elsewhere: `span` reaches from the key to the last of
/// `count` nodes (the owner is the first). Too sparse: a set of colluders hides the others. Too dense: chosen ids.
/// `slack` widens the limits, for a number of nodes that is not sure.
pub(crate) fn plausible_spacing(count: usize, span: RingId, (nodes, slack): (f64, f64)) -> bool {
    if count < SPACED || nodes < SMALLEST_TESTED {
        return true;
    }
    let ratio = span.fraction() * nodes / count as f64;
    (SPACING.0 / slack..=SPACING.1 * slack).contains(&ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::{Entropy, SplitMix64};

    #[test]
    fn the_list_has_twice_the_logarithm_between_16_and_40() {
        for (nodes, length) in
            [(1.0, 16), (256.0, 16), (257.0, 18), (1000.0, 20), (1_048_576.0, 40), (1e9, 40)]
        {
            assert_eq!(list_length(nodes), length, "{nodes}");
        }
        assert_eq!((ttl(1.0), ttl(1024.0), ttl(1e30)), (16, 36, 64));
    }

    /// Spans of eight nodes among random ids, of which `seen` of each hundred are visible.
    fn failures(seen: u32) -> u32 {
        let (mut rng, nodes) = (SplitMix64::new(7), 1u32 << 14);
        let visible = (0..nodes).map(|number| (number % 100, rng.next_u64())).filter(|(of, _)| *of < seen);
        let mut ids: Vec<u64> = visible.map(|(_, id)| id).collect();
        ids.sort_unstable();
        let fails = |_: &u32| {
            let key = rng.next_u64();
            let first = ids.partition_point(|id| *id < key);
            let last = ids[(first + SPACED - 1) % ids.len()];
            let mut span = RingId::MIN;
            span.0[..8].copy_from_slice(&last.wrapping_sub(key).to_be_bytes());
            !plausible_spacing(SPACED, span, (f64::from(nodes), 1.0))
        };
        (0..10_000).filter(fails).count() as u32
    }

    #[test]
    fn honest_sets_pass_and_sparse_sets_of_colluders_fail() {
        let honest = failures(100);
        assert!(honest <= 60, "{honest} of 10,000 honest sets failed; 0.2 % are expected");
        let colluding = failures(25);
        assert!(colluding >= 8_200, "{colluding} of 10,000 sets of 25 % colluders failed; 87 % are expected");
    }
}
