//! Graphs to link servents by, and what of a graph hangs together.

use throng_machine::{Entropy, SplitMix64};

/// The shape of a generated graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Each newcomer links with those that have many links already (Barabási and Albert): few have very many.
    Power,
    /// All have the same number of links.
    Regular,
}

/// The edges of a graph: each names the one who calls first.
pub type Edges = Vec<(u32, u32)>;

/// A graph of so many nodes with a mean degree of about `degree`.
pub fn generate(shape: Shape, nodes: u32, degree: u32, rng: &mut SplitMix64) -> Edges {
    match shape {
        Shape::Power => power(nodes, (degree / 2).max(1), rng),
        Shape::Regular => regular(nodes, degree, rng),
    }
}

fn power(nodes: u32, links: u32, rng: &mut SplitMix64) -> Edges {
    let mut edges = Edges::new();
    // Each end of an edge is in it once, so that drawing from it prefers those with many.
    let mut ends: Vec<u32> = vec![0];
    for node in 1..nodes {
        let mut chosen: Vec<u32> = Vec::new();
        let wanted = links.min(node) as usize;
        while chosen.len() < wanted {
            let other = ends[rng.below(ends.len() as u32) as usize];
            if !chosen.contains(&other) {
                chosen.push(other);
            }
        }
        for other in chosen {
            edges.push((node, other));
            ends.extend([node, other]);
        }
    }
    edges
}

/// Stubs are paired at random; a pair that is a loop or double is drawn again with another, a few that cannot be are
/// left out.
fn regular(nodes: u32, degree: u32, rng: &mut SplitMix64) -> Edges {
    let degree = degree.min(nodes.saturating_sub(1));
    let mut stubs: Vec<u32> = (0..nodes).flat_map(|node| (0..degree).map(move |_| node)).collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut edges = Edges::new();
    while stubs.len() >= 2 {
        let first = stubs.swap_remove(rng.below(stubs.len() as u32) as usize);
        let fitting = (0..50).find_map(|_| {
            let at = rng.below(stubs.len() as u32) as usize;
            let second = stubs[at];
            let fits = second != first && !seen.contains(&(first.min(second), first.max(second)));
            fits.then_some(at)
        });
        if let Some(at) = fitting {
            let second = stubs.swap_remove(at);
            seen.insert((first.min(second), first.max(second)));
            edges.push((first, second));
        }
    }
    edges
}

/// Sets of nodes that hang together.
#[derive(Clone, Debug)]
pub struct Components(Vec<u32>);

impl Components {
    /// All apart.
    pub fn new(nodes: u32) -> Components {
        Components((0..nodes).collect())
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.0[node as usize] != node {
            self.0[node as usize] = self.0[self.0[node as usize] as usize];
            node = self.0[node as usize];
        }
        node
    }

    /// These two are linked.
    pub fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }

    /// Nodes of the largest set, of those for which `counts` holds.
    pub fn largest(&mut self, counts: impl Fn(u32) -> bool) -> u32 {
        let mut sizes = vec![0u32; self.0.len()];
        for node in (0..self.0.len() as u32).filter(|node| counts(*node)) {
            sizes[self.root(node) as usize] += 1;
        }
        sizes.into_iter().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degrees(nodes: u32, edges: &Edges) -> Vec<u32> {
        let mut degrees = vec![0; nodes as usize];
        for (a, b) in edges {
            assert_ne!(a, b);
            degrees[*a as usize] += 1;
            degrees[*b as usize] += 1;
        }
        degrees.sort_unstable();
        degrees
    }

    #[test]
    fn regular_graphs_are_regular_and_power_laws_have_hubs() {
        let mut rng = SplitMix64::new(1);
        let regular = degrees(1_000, &generate(Shape::Regular, 1_000, 6, &mut rng));
        assert!(regular[10] == 6 && regular[999] == 6, "nearly all have six");
        let power = degrees(1_000, &generate(Shape::Power, 1_000, 6, &mut rng));
        assert!(power[0] >= 1 && power[500] < 6 && power[999] > 40, "{} {}", power[500], power[999]);
        assert_eq!(generate(Shape::Regular, 4, 60, &mut rng).len(), 6, "everybody with everybody");
    }

    #[test]
    fn components_are_counted() {
        let mut components = Components::new(6);
        components.join(0, 1);
        components.join(4, 1);
        components.join(2, 3);
        assert_eq!((components.largest(|_| true), components.largest(|node| node != 4)), (3, 2));
    }
}
