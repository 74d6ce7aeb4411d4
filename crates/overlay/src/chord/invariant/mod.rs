//! What must hold of a ring as a whole, as predicates over a snapshot (`docs/protocols/chord.md`, section 2.4).
//!
//! Pure functions: the explorer and the random schedules of the tests ask them after every event, and the simulator
//! asks them of a million nodes, so every one is O(N r) over members sorted once. They need nothing of an identifier
//! but its order: circular comparison is order and wrapping ([`between`]).
//!
//! [`inv`] is inductive while failures keep to the assumption (no member is left without a live successor, nor the
//! ring with fewer than r+1 principals); [`ring`] follows from it; [`ideal`] is what a quiet ring reaches; [`owners`]
//! is about who serves which keys.

mod ownership;
mod snapshot;
#[cfg(test)]
mod tests;

pub use ownership::{Ownership, owners};
pub use snapshot::{Answer, Member, Peer, Phase, RingSnapshot};

use std::fmt;

/// What an identifier must offer.
pub trait Position: Copy + Ord + fmt::Debug {}
impl<I: Copy + Ord + fmt::Debug> Position for I {}

/// Why a predicate does not hold; the first reason found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Breach<I> {
    /// No entry of its list is a live member: it can't be repaired from within.
    Stranded(Peer<I>),
    /// It would be left without a live successor by an answer still under way to it.
    StrandedByAnswer(Peer<I>),
    /// Too few members that no list skips.
    FewPrincipals {
        /// How many there are.
        found: usize,
        /// How many there must be: r+1.
        needed: usize,
    },
    /// First live successors form several cycles.
    Rings(usize),
    /// The one cycle leaves out or turns back: between these neighbours lies another of its members.
    Disordered(Peer<I>, Peer<I>),
    /// A list names its own holder.
    SelfInList(Peer<I>),
    /// A list is out of order, names one identifier twice, or is longer than r.
    Misshapen(Peer<I>),
    /// A list is not the next min(r, n-1) live members.
    NotIdealList(Peer<I>),
    /// A predecessor is not the live member before.
    NotIdealPredecessor(Peer<I>),
    /// A predecessor that was set is set no more.
    PredecessorCleared(Peer<I>),
}

impl<I: fmt::Debug> fmt::Display for Breach<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whether `x` lies strictly after `a` and strictly before `b` going clockwise; if a = b, whether x is not a.
pub fn between<I: Ord>(a: &I, x: &I, b: &I) -> bool {
    match a.cmp(b) {
        std::cmp::Ordering::Less => a < x && x < b,
        std::cmp::Ordering::Equal => x != a,
        std::cmp::Ordering::Greater => x > a || x < b,
    }
}

/// The members that no list of another, and no answer under way, skips between two neighbouring entries.
pub fn principals<I: Position>(snapshot: &RingSnapshot<I>) -> Vec<Peer<I>> {
    let mut skips = Skips::of(snapshot);
    for member in snapshot.members() {
        skips.walk(member.me, &member.list);
    }
    for answer in snapshot.answers() {
        skips.walk(answer.from, &answer.list);
    }
    skips.unskipped()
}

/// The inductive invariant: every member has a live successor, now and after each answer under way to it; and once
/// all are in mode Ring, at least r+1 members are principals.
pub fn inv<I: Position>(snapshot: &RingSnapshot<I>) -> Result<(), Breach<I>> {
    let in_ring = |member: &&Member<I>| member.phase == Phase::Ring;
    for member in snapshot.members().iter().filter(in_ring) {
        if snapshot.first_live(&member.list).is_none() {
            return Err(Breach::Stranded(member.me));
        }
    }
    for answer in snapshot.answers() {
        if snapshot.first_live(&answer.result).is_none() {
            return Err(Breach::StrandedByAnswer(answer.to));
        }
    }
    let members = snapshot.members();
    if members.is_empty() || !members.iter().all(|member| member.phase == Phase::Ring) {
        return Ok(());
    }
    let needed = members.iter().map(|member| member.r).max().unwrap_or(0) + 1;
    let found = principals(snapshot).len();
    if found < needed { Err(Breach::FewPrincipals { found, needed }) } else { Ok(()) }
}

/// One ordered ring that everyone leads into, following first live entries; answers its members in order.
pub fn ring<I: Position>(snapshot: &RingSnapshot<I>) -> Result<Vec<Peer<I>>, Breach<I>> {
    let members = snapshot.members();
    let mut next = Vec::with_capacity(members.len());
    for (at, member) in members.iter().enumerate() {
        match snapshot.first_live(&member.list) {
            Some(to) => next.push(to),
            None if member.phase == Phase::Solo => next.push(at),
            None => return Err(Breach::Stranded(member.me)),
        }
    }
    let cycles = cycles(&next);
    let [start] = cycles[..] else {
        return if cycles.is_empty() { Ok(Vec::new()) } else { Err(Breach::Rings(cycles.len())) };
    };
    in_order(members, &next, start)
}

/// Every list is the next min(r, n-1) live members in order, every predecessor the live member before.
pub fn ideal<I: Position>(snapshot: &RingSnapshot<I>) -> Result<(), Breach<I>> {
    let order: Vec<Peer<I>> = snapshot.members().iter().map(|member| member.me).collect();
    snapshot.members().iter().enumerate().try_for_each(|(at, member)| ideal_at(&order, at, member))
}

/// What [`ideal`] asks of one member, the one at that place of all live members in order: a million need not be held
/// as a snapshot at once.
pub fn ideal_at<I: Position>(order: &[Peer<I>], at: usize, member: &Member<I>) -> Result<(), Breach<I>> {
    let count = order.len();
    let wanted = (1..=member.r.min(count - 1)).map(|step| order[(at + step) % count]);
    if !member.list.iter().copied().eq(wanted) {
        return Err(Breach::NotIdealList(member.me));
    }
    let before = order[(at + count - 1) % count];
    if count > 1 && member.prdc != Some(before) {
        return Err(Breach::NotIdealPredecessor(member.me));
    }
    Ok(())
}

/// Every list is sorted clockwise from its holder, without duplicates, without the holder, no longer than r.
pub fn shape<I: Position>(snapshot: &RingSnapshot<I>) -> Result<(), Breach<I>> {
    for member in snapshot.members() {
        let me = member.me.id;
        if member.list.iter().any(|entry| entry.id == me) {
            return Err(Breach::SelfInList(member.me));
        }
        let sorted = member.list.windows(2).all(|pair| between(&me, &pair[0].id, &pair[1].id));
        if !sorted || member.list.len() > member.r {
            return Err(Breach::Misshapen(member.me));
        }
    }
    Ok(())
}

/// What holds of one step of time: a predecessor once set is replaced, never cleared, while its holder stays a member.
pub fn step<I: Position>(before: &RingSnapshot<I>, after: &RingSnapshot<I>) -> Result<(), Breach<I>> {
    for member in
        before.members().iter().filter(|member| member.phase == Phase::Ring && member.prdc.is_some())
    {
        let now = after.find(member.me).map(|at| &after.members()[at]);
        if now.is_some_and(|now| now.phase == Phase::Ring && now.prdc.is_none()) {
            return Err(Breach::PredecessorCleared(member.me));
        }
    }
    Ok(())
}

/// Counts for each member, by a difference array over the sorted members, how many lists skip it.
struct Skips<'a, I> {
    snapshot: &'a RingSnapshot<I>,
    edges: Vec<i64>,
}

impl<'a, I: Position> Skips<'a, I> {
    fn of(snapshot: &'a RingSnapshot<I>) -> Self {
        Skips { snapshot, edges: vec![0; snapshot.members().len() + 1] }
    }

    /// Counts what lies between neighbours of `holder` followed by `list`, and whom it knows by an older life.
    fn walk(&mut self, holder: Peer<I>, list: &[Peer<I>]) {
        let (_, mut after) = self.snapshot.locate(holder.id, 0);
        let mut from = holder.id;
        for entry in list {
            let (first, end) = self.snapshot.locate(entry.id, after);
            if from < entry.id {
                self.mark(after, first);
            } else {
                self.mark(after, self.edges.len() - 1);
                self.mark(0, first);
            }
            if end > first && self.snapshot.members()[first].me != *entry {
                self.mark(first, end);
            }
            (from, after) = (entry.id, end);
        }
    }

    fn mark(&mut self, first: usize, end: usize) {
        if first < end {
            self.edges[first] += 1;
            self.edges[end] -= 1;
        }
    }

    fn unskipped(&self) -> Vec<Peer<I>> {
        let mut skipped_by = 0;
        let members = self.snapshot.members().iter().zip(&self.edges);
        members
            .filter_map(|(member, edge)| {
                skipped_by += edge;
                (skipped_by == 0 && member.phase == Phase::Ring).then_some(member.me)
            })
            .collect()
    }
}

/// One member of each cycle that following `next` ends in.
fn cycles(next: &[usize]) -> Vec<usize> {
    let mut seen_in = vec![usize::MAX; next.len()];
    let mut found = Vec::new();
    for start in 0..next.len() {
        let mut at = start;
        while seen_in[at] == usize::MAX {
            seen_in[at] = start;
            at = next[at];
        }
        if seen_in[at] == start {
            found.push(at);
        }
    }
    found
}

/// The members of the cycle through `start` from the smallest on, if each lies clockwise after the one before.
fn in_order<I: Position>(
    members: &[Member<I>],
    next: &[usize],
    start: usize,
) -> Result<Vec<Peer<I>>, Breach<I>> {
    let mut cycle = vec![start];
    while let Some(&last) = cycle.last()
        && next[last] != start
    {
        cycle.push(next[last]);
    }
    let smallest = cycle.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(turn, _)| turn);
    cycle.rotate_left(smallest);
    match cycle.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(Breach::Disordered(members[pair[0]].me, members[pair[1]].me)),
        None => Ok(cycle.into_iter().map(|at| members[at].me).collect()),
    }
}
