//! The finger table: nodes at growing distances, by which a lookup halves what is left (sections 3.3 and 3.4).
//!
//! A sparse map from slot to one finger and a few alternates. Invariants: sorted by distance; an entry never leaves
//! the interval of its slot, so that the bounds on hops hold whatever is known of round trips; nobody enters who was
//! not heard from its own address; what the successor list covers is not stored twice; no network has more than its
//! share. A slot without a node in its interval stays empty: the finger above it serves.

use super::super::config::Config;
use super::super::list::SuccessorList;
use super::super::node::{Entry, Health, Node, Stamp};
use super::super::packed::Packed;
use super::config::FingerConfig;
use super::prefix::{Prefix, apart};
use super::slot::{Base, Slot};
use std::time::Duration;
use throng_machine::{Entropy, Instant};
use throng_wire::chord::{RingId, dist};

/// Candidates for a finger however short its interval is.
const FEWEST: u8 = 16;

/// Whose table it is and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Frame {
    /// The node's own id.
    pub(crate) me: RingId,
    /// Distance of the last entry of its successor list; zero without one.
    pub(crate) reach: RingId,
    /// Nodes the list has: by how densely they lie it is judged how far so many others reach.
    pub(crate) listed: u8,
    /// The base of the table.
    pub(crate) base: Base,
    /// How fingers are chosen.
    pub(crate) config: FingerConfig,
}

impl Frame {
    /// The frame of a node with this successor list.
    pub(crate) fn of(me: RingId, list: &SuccessorList, config: &Config) -> Frame {
        let reach = list.last().map_or(RingId::MIN, |last| dist(me, last.node.id));
        let listed = u8::try_from(list.len()).unwrap_or(u8::MAX);
        Frame { me, reach, listed, base: Base::of(config.base), config: config.fingers }
    }

    /// The first slot that reaches beyond the list; `None` if the list covers the ring.
    pub(crate) fn first_slot(&self) -> Option<Slot> {
        self.base.slot(self.reach.plus(RingId::power(0)))
    }

    /// How many slots reach beyond the list.
    pub(crate) fn slots(&self) -> usize {
        self.first_slot().map_or(0, |slot| self.base.slots_from(slot))
    }

    /// The key whose owner is the finger of a slot.
    pub(crate) fn key(&self, slot: Slot) -> RingId {
        self.me.plus(self.base.start(slot).max(self.reach.plus(RingId::power(0))))
    }

    /// All slots beyond the list.
    pub(crate) fn all(&self) -> impl Iterator<Item = Slot> {
        std::iter::successors(self.first_slot(), |slot| self.base.after(*slot))
    }

    /// How far from the start of a slot's interval its candidates may lie: as far as so many nodes reach, at most a
    /// quarter of the interval, since a finger beyond the key is of no use, but at least as far as sixteen.
    pub(crate) fn span(&self, slot: Slot) -> RingId {
        let gap = self.reach.fraction() / f64::from(self.listed.max(1));
        let nodes = |count: u8| gap * f64::from(count);
        let end = self.base.after(slot).map_or(1.0, |next| self.base.start(next).fraction());
        let quarter = (end - self.base.start(slot).fraction()) / 4.0;
        let candidates = self.config.candidates;
        RingId::of_fraction(nodes(candidates).min(quarter).max(nodes(candidates.min(FEWEST))))
    }

    /// Whether a node is a candidate for that slot by where it lies.
    pub(crate) fn is_candidate(&self, slot: Slot, id: RingId) -> bool {
        self.slot_of(id) == Some(slot) && dist(self.key(slot), id) < self.span(slot)
    }

    fn slot_of(&self, id: RingId) -> Option<Slot> {
        let distance = dist(self.me, id);
        if distance <= self.reach { None } else { self.base.slot(distance) }
    }
}

/// A node of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Finger {
    /// Who, and what is known of it.
    pub(crate) entry: Entry,
    asked: Stamp,
    primary: bool,
    /// It took the place of another: to be pinged at once.
    unsure: bool,
}

/// What a table knows of a finger besides its entry, as bytes: when it was asked, and [`PRIMARY`] and [`UNSURE`].
type Marks = [u8; 5];
const PRIMARY: u8 = 1;
const UNSURE: u8 = 2;

impl Finger {
    fn unpacked((entry, [a, b, c, d, flags]): (Entry, Marks)) -> Finger {
        let (primary, unsure) = (flags & PRIMARY != 0, flags & UNSURE != 0);
        Finger { entry, asked: Stamp::from_bytes([a, b, c, d]), primary, unsure }
    }

    fn marks(&self) -> Marks {
        let [a, b, c, d] = self.asked.to_bytes();
        let (primary, unsure) = (u8::from(self.primary) * PRIMARY, u8::from(self.unsure) * UNSURE);
        [a, b, c, d, primary | unsure]
    }

    fn silence(&self, now: Instant) -> Duration {
        let age = |stamp: Stamp| stamp.age(now).unwrap_or(Duration::MAX);
        age(self.entry.heard).min(age(self.asked))
    }
}

/// A node's fingers.
#[derive(Clone, Default, Debug)]
pub(crate) struct Fingers {
    frame: Frame,
    /// By distance from the node.
    entries: Packed<Marks>,
    /// The slot refreshed last; slots are refreshed from the farthest to the nearest, then again.
    cursor: Option<Slot>,
    /// Every slot has been looked up once.
    filled: bool,
    /// Nodes known from others only, to be pinged.
    guesses: Vec<Node>,
}

/// Guesses kept at most.
const MOST_GUESSES: usize = 32;

impl Fingers {
    /// Sets whose table it is and what the successor list covers by now; drops what it need not hold any more.
    pub(crate) fn frame(&mut self, frame: Frame) {
        if self.frame == frame {
            return;
        }
        self.frame = frame;
        self.entries.edit(|fingers| {
            fingers.retain(|(entry, _)| dist(frame.me, entry.node.id) > frame.reach);
            fingers.sort_unstable_by_key(|(entry, _)| dist(frame.me, entry.node.id));
        });
        let mut slot = frame.first_slot();
        while let Some(now) = slot {
            self.settle(now);
            slot = frame.base.after(now);
        }
    }

    /// All entries by distance.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().map(|(entry, _)| entry)
    }

    /// All entries by distance, stand-ins among them.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> Vec<Finger> {
        self.fingers().collect()
    }

    fn fingers(&self) -> impl DoubleEndedIterator<Item = Finger> + ExactSizeIterator + Clone {
        self.entries.iter().map(Finger::unpacked)
    }

    fn get(&self, at: usize) -> Finger {
        Finger::unpacked(self.entries.get(at))
    }

    fn set(&mut self, at: usize, finger: &Finger) {
        self.entries.set(at, &finger.entry, finger.marks());
    }

    /// The fingers by distance, without stand-ins.
    pub(crate) fn primaries(&self) -> impl DoubleEndedIterator<Item = Entry> {
        self.fingers().filter(|finger| finger.primary).map(|finger| finger.entry)
    }

    /// The entry of exactly this node.
    pub(crate) fn find(&self, node: &Node) -> Option<Entry> {
        self.entries.position(node).map(|at| self.entries.get(at).0)
    }

    /// The closest entry strictly before `key` that `admit` lets through.
    pub(crate) fn closest_before(
        &self,
        me: RingId,
        key: RingId,
        admit: impl Fn(&Entry) -> bool,
    ) -> Option<Entry> {
        self.closest_warm_before((me, key), admit, |_| true)
    }

    /// The same of fingers, and of stand-ins that are `warm`; of others only if there is none. Fingers are pinged every
    /// 25 s, stand-ins are not: a lookup passed to the closest of all would often end at one long dead.
    pub(crate) fn closest_warm_before(
        &self,
        (me, key): (RingId, RingId),
        admit: impl Fn(&Entry) -> bool,
        warm: impl Fn(&Entry) -> bool,
    ) -> Option<Entry> {
        // The whole ring but `me` lies before `me`.
        let span = dist(me, key);
        let end = match span {
            RingId::MIN => self.entries.len(),
            _ => self.entries.partition_point(|id| dist(me, id) < span),
        };
        let before = || self.fingers().take(end).rev().filter(|finger| admit(&finger.entry));
        let warm = |finger: &Finger| finger.primary || warm(&finger.entry);
        let finger = before().find(warm).or_else(|| before().next());
        finger.map(|finger| finger.entry)
    }

    /// A node proved its address by answering, `sample` after it was asked, or by a token; it enters the table if
    /// its slot has room for it or it is better than who is there.
    pub(crate) fn heard(&mut self, me: RingId, node: &Node, sample: Option<Duration>, now: Instant) {
        self.frame.me = me;
        let Some(slot) = self.frame.slot_of(node.id) else { return };
        let at = self.position(node.id);
        let known = at < self.entries.len() && self.entries.id(at) == node.id;
        if !known {
            if !self.has_room(node) {
                return;
            }
            self.entries.edit(|fingers| fingers.insert(at, (Entry::hearsay(*node), Marks::default())));
        }
        let before = self.get(at).entry.node;
        if node.is_before(&before) {
            return;
        }
        if before != *node {
            self.entries.edit(|fingers| fingers[at].0 = Entry::hearsay(*node));
        }
        let mut finger = self.get(at);
        finger.entry.on_heard(sample, now);
        finger.unsure = false;
        self.set(at, &finger);
        self.settle(slot);
    }

    /// A node known from others only: pinged, and taken in once it answers.
    pub(crate) fn seed(&mut self, me: RingId, node: &Node) {
        self.frame.me = me;
        let fits = self.frame.slot_of(node.id).is_some() && self.entries.position(node).is_none();
        if fits && self.guesses.len() < MOST_GUESSES && !self.guesses.contains(node) {
            self.guesses.push(*node);
        }
    }

    /// A node left several sends unanswered: a stand-in takes its slot.
    pub(crate) fn silent(&mut self, node: &Node) {
        if let Some(at) = self.entries.position(node) {
            let mut finger = self.get(at);
            finger.entry.on_silent();
            self.set(at, &finger);
            self.replace(node.id);
        }
    }

    /// A node was confirmed dead, or is none of the ring: a stand-in takes its slot.
    pub(crate) fn dropped(&mut self, node: &Node) {
        self.guesses.retain(|guess| guess != node);
        if let Some(at) = self.entries.position(node) {
            self.entries.edit(|fingers| fingers.remove(at));
            self.replace(node.id);
        }
    }

    /// Forgets everyone.
    pub(crate) fn clear(&mut self) {
        *self = Fingers::default();
    }

    /// The key to look up next, for the slot refreshed longest ago, the farthest first. `None` if the list covers the
    /// ring. It is where the slot begins, and once every slot was looked up any place from which on its candidates
    /// lie: whoever is there tells who follows it, and in time all are met.
    pub(crate) fn next_refresh(&mut self, rng: &mut dyn Entropy) -> Option<RingId> {
        let frame = self.frame;
        let first = frame.first_slot()?;
        let next = self.cursor.and_then(|cursor| frame.base.before(cursor)).filter(|slot| *slot >= first);
        self.filled |= self.cursor.is_some() && next.is_none();
        self.cursor = Some(next.unwrap_or(frame.base.last()));
        let slot = self.cursor?;
        let beyond = frame.span(slot).fraction() - frame.reach.fraction();
        if !self.filled || frame.config.candidates <= 1 || beyond <= 0.0 {
            return Some(frame.key(slot));
        }
        let share = f64::from(rng.below(1 << 16)) / f64::from(1 << 16);
        Some(frame.key(slot).plus(RingId::of_fraction(beyond * share)))
    }

    /// Whether every slot has been looked up once.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled
    }

    /// Whom to ping: a guess, a stand-in just promoted, or the finger that has been silent longest if that is at
    /// least `every`. It counts as asked from now on.
    pub(crate) fn next_to_warm(&mut self, every: Duration, now: Instant) -> Option<Node> {
        if let Some(guess) = self.guesses.pop() {
            if self.guesses.is_empty() {
                self.guesses = Vec::new();
            }
            return Some(guess);
        }
        let urgent = |finger: &Finger| finger.unsure || (finger.primary && finger.silence(now) >= every);
        let fingers = self.fingers().enumerate().filter(|(_, finger)| urgent(finger));
        let (at, mut finger) = fingers.max_by_key(|(_, finger)| (finger.unsure, finger.silence(now)))?;
        (finger.asked, finger.unsure) = (Stamp::at(now), false);
        self.set(at, &finger);
        Some(finger.entry.node)
    }

    /// When [`Fingers::next_to_warm`] has somebody.
    pub(crate) fn warm_at(&self, every: Duration, now: Instant) -> Option<Instant> {
        if !self.guesses.is_empty() || self.fingers().any(|finger| finger.unsure) {
            return Some(now);
        }
        let fingers = self.fingers().filter(|finger| finger.primary);
        let longest = fingers.map(|finger| finger.silence(now)).max()?;
        Some(now + every.saturating_sub(longest))
    }

    /// Of nodes after one of an interval, those worth a ping: candidates, and unknown.
    pub(crate) fn candidates<'a>(
        &'a self,
        node: &Node,
        nodes: impl IntoIterator<Item = Node> + 'a,
    ) -> impl Iterator<Item = Node> + 'a {
        let (frame, slot) = (&self.frame, self.frame.slot_of(node.id));
        let is_candidate = move |id| slot.is_some_and(|slot| frame.is_candidate(slot, id));
        nodes.into_iter().filter(move |node| is_candidate(node.id) && self.entries.position(node).is_none())
    }

    /// The table of the lecture: finger i, 1 to 160, is the first node known that succeeds us by at least 2^(i-1);
    /// `None` where that is ourselves. `list` is the successor list.
    pub(crate) fn lecture(&self, me: RingId, list: &SuccessorList) -> Vec<Option<Node>> {
        let known = list.entries().chain(self.iter());
        let nodes: Vec<Node> =
            known.filter(|entry| entry.health == Health::Alive).map(|entry| entry.node).collect();
        let mut table = Vec::with_capacity(160);
        let mut at = 0;
        for power in 0..throng_wire::chord::BITS {
            while nodes.get(at).is_some_and(|node| dist(me, node.id) < RingId::power(power)) {
                at += 1;
            }
            table.push(nodes.get(at).copied());
        }
        table
    }

    /// Takes in a table computed from a stable ring: one entry a slot, by distance.
    pub(crate) fn fill(&mut self, frame: Frame, fingers: impl Iterator<Item = Entry>) {
        let finger = |entry| Finger { entry, asked: Stamp::NEVER, primary: true, unsure: false };
        let entries: Vec<(Entry, Marks)> = fingers.map(|entry| (entry, finger(entry).marks())).collect();
        *self = Fingers { frame, entries: Packed::of(&entries), filled: true, ..Fingers::default() };
    }

    fn position(&self, id: RingId) -> usize {
        let (me, distance) = (self.frame.me, dist(self.frame.me, id));
        self.entries.partition_point(|id| dist(me, id) < distance)
    }

    /// The place of a slot's entries.
    fn range(&self, slot: Slot) -> std::ops::Range<usize> {
        let frame = &self.frame;
        let of = |id: RingId| frame.base.slot(dist(frame.me, id));
        let start = self.entries.partition_point(|id| of(id) < Some(slot));
        let len = (start..self.entries.len()).take_while(|at| of(self.entries.id(*at)) == Some(slot)).count();
        start..start + len
    }

    /// Settles the slot of a node that failed; who takes its place is to be pinged.
    fn replace(&mut self, id: RingId) {
        let Some(slot) = self.frame.base.slot(dist(self.frame.me, id)) else { return };
        let primary = |fingers: &Fingers| {
            let mut of_slot = fingers.range(slot).map(|at| (at, fingers.get(at)));
            of_slot.find(|(_, finger)| finger.primary)
        };
        let before = primary(self).map(|(_, finger)| finger.entry.node);
        self.settle(slot);
        if let Some((at, mut finger)) = primary(self)
            && Some(finger.entry.node) != before
        {
            finger.unsure = true;
            self.set(at, &finger);
        }
    }

    /// Chooses the finger of a slot and keeps no more stand-ins than wanted.
    fn settle(&mut self, slot: Slot) {
        let (frame, range) = (self.frame, self.range(slot));
        let mut fingers: Vec<Finger> = range.clone().map(|at| self.get(at)).collect();
        let Some(best) = choose(&frame, &fingers) else { return };
        for (at, finger) in fingers.iter_mut().enumerate() {
            if finger.primary != (at == best) {
                finger.primary = at == best;
                self.set(range.start + at, finger);
            }
        }
        if fingers.len() > 1 + usize::from(frame.config.alternates) {
            let worst = least_wanted(&frame, &fingers);
            self.entries.edit(|fingers| fingers.remove(range.start + worst));
        }
    }

    /// Whether the networks of an address have fewer entries than their share.
    fn has_room(&self, node: &Node) -> bool {
        let frame = &self.frame;
        let Some(prefix) = Prefix::of(node.endpoint) else { return true };
        let others = || self.entries.nodes().filter_map(|node| Prefix::of(node.endpoint));
        let narrow = usize::from(frame.config.per_narrow);
        let wide = (frame.slots() * usize::from(frame.config.per_wide)).div_ceil(100).max(narrow);
        others().filter(|other| other.shares_narrow(prefix)).count() < narrow
            && others().filter(|other| other.shares_wide(prefix)).count() < wide
    }
}

/// Which of a slot's entries, in order of distance, is to be its finger: the present one unless another is better by
/// a margin. `None` of none.
fn choose(frame: &Frame, fingers: &[Finger]) -> Option<usize> {
    let rank = |at: &usize| {
        let entry = &fingers[*at].entry;
        let rtt = entry.rtt().smoothed().unwrap_or(Duration::MAX);
        (!entry.is_usable(), if frame.config.candidates > 1 { rtt } else { Duration::ZERO }, *at)
    };
    let best = (0..fingers.len()).min_by_key(rank)?;
    let Some(present) = fingers.iter().position(|finger| finger.primary) else { return Some(best) };
    let (now, then) = (&fingers[present].entry, &fingers[best].entry);
    let better = match (now.rtt().smoothed(), then.rtt().smoothed()) {
        _ if !now.is_usable() => true,
        _ if frame.config.candidates <= 1 => best < present,
        (Some(now), Some(then)) => then * 5 < now * 4,
        _ => false,
    };
    Some(if better { best } else { present })
}

/// Which stand-in of a slot to drop: one that does not answer, else one in the network of another entry, else the
/// slowest, else the farthest.
fn least_wanted(frame: &Frame, fingers: &[Finger]) -> usize {
    let rank = |at: &usize| {
        let entry = &fingers[*at].entry;
        let endpoint = entry.node.endpoint;
        let crowded = fingers.iter().enumerate().any(|(other, finger)| {
            (other < *at || finger.primary) && other != *at && !apart(finger.entry.node.endpoint, endpoint)
        });
        let rtt = entry.rtt().smoothed().unwrap_or(Duration::MAX);
        (!entry.is_usable(), crowded, if frame.config.candidates > 1 { rtt } else { Duration::ZERO }, *at)
    };
    (0..fingers.len()).filter(|at| !fingers[*at].primary).max_by_key(rank).unwrap_or(0)
}

#[cfg(test)]
#[path = "fingers_tests.rs"]
mod tests;
