//! Who serves which keys: the arcs (low, x] of the Active members.

use super::{Position, RingSnapshot, between};

/// How the arcs of the Active members cover the ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ownership<I> {
    /// Pairs (x, p) where the arc of x reaches back over p, the Active member before it: both serve keys up to p.
    pub overlaps: Vec<(I, I)>,
    /// Arcs (a, b] that nobody serves.
    pub gaps: Vec<(I, I)>,
    /// Members that say they are Active but name no lower bound.
    pub unbounded: Vec<I>,
    /// How many members are Active.
    pub active: usize,
}

impl<I: Position> Ownership<I> {
    /// Whether no key has two owners.
    pub fn is_disjoint(&self) -> bool {
        self.overlaps.is_empty() && self.unbounded.is_empty()
    }

    /// Whether every key has exactly one owner.
    pub fn is_exact(&self) -> bool {
        self.is_disjoint() && self.gaps.is_empty() && self.active > 0
    }
}

/// Overlaps and gaps between each Active member and the Active member before it.
///
/// Arcs end at distinct members, so two of them meet only if one reaches back over the other's end: looking at
/// neighbours finds some overlap whenever there is one.
pub fn owners<I: Position>(snapshot: &RingSnapshot<I>) -> Ownership<I> {
    let active: Vec<_> = snapshot.members().iter().filter(|member| member.active).collect();
    let mut found =
        Ownership { overlaps: Vec::new(), gaps: Vec::new(), unbounded: Vec::new(), active: active.len() };
    for (at, member) in active.iter().enumerate() {
        let before = active[(at + active.len() - 1) % active.len()].me.id;
        let me = member.me.id;
        match member.low {
            None => found.unbounded.push(me),
            Some(low) if low == before => {}
            Some(low) if before != me && between(&low, &before, &me) => found.overlaps.push((me, before)),
            Some(low) => found.gaps.push((before, low)),
        }
    }
    found
}
