//! Time over a [`Net`]: datagrams take time, get lost, doubled and overtaken; nodes are slow; groups are cut off.

use super::net::{Flying, Net};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant, Machine, SplitMix64};

/// What the network does to datagrams; shares of 1,000.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Faults {
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub duplicate: u32,
    /// Held back by up to 2 s, overtaken by others.
    pub reorder: u32,
}

/// What happened last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Happened {
    /// A datagram reached a node: from, to, what.
    Delivered(Endpoint, Endpoint, &'static str),
    /// A timer fired.
    Fired(Endpoint),
}

/// A network in time.
pub(super) struct Schedule<M: Machine> {
    pub net: Net<M>,
    pub now: Instant,
    pub faults: Faults,
    /// One-way latency: least and most.
    pub latency: (Duration, Duration),
    /// Pairs between which nothing passes, in this direction.
    pub blocked: BTreeSet<(Endpoint, Endpoint)>,
    /// Nodes that handle everything so much later.
    pub slow: BTreeMap<Endpoint, Duration>,
    /// Kinds of datagrams of which the next so many are lost.
    pub lose: BTreeMap<u8, u32>,
    /// Events handled so far.
    pub events: u64,
    /// How often in a row the deadline of the node called lay in the past still.
    pub spins: u32,
    rng: SplitMix64,
    /// Datagrams up to this number have been given their fate.
    queue: BTreeSet<Flying>,
}

impl<M: Machine + Clone> Schedule<M> {
    pub(super) fn new(seed: u64) -> Self {
        Schedule {
            net: Net::new(),
            now: Instant::EPOCH,
            faults: Faults::default(),
            latency: (Duration::from_millis(10), Duration::from_millis(40)),
            blocked: BTreeSet::new(),
            slow: BTreeMap::new(),
            lose: BTreeMap::new(),
            events: 0,
            spins: 0,
            rng: SplitMix64::new(seed),
            queue: BTreeSet::new(),
        }
    }

    /// A node comes up now.
    pub(super) fn add(&mut self, at: Endpoint, machine: M) {
        let seed = self.rng.next_u64();
        self.net.add(at, machine, self.now, seed);
    }

    /// A node vanishes now.
    pub(super) fn crash(&mut self, at: Endpoint) {
        self.net.crash(at);
        self.queue.retain(|datagram| datagram.to != at);
    }

    /// A node is given a command now.
    pub(super) fn command(&mut self, at: Endpoint, command: M::Command) {
        self.net.set_clock(at, self.now);
        self.net.command(at, command);
        self.take_up();
    }

    /// What is under way.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &Flying> {
        self.queue.iter()
    }

    /// Splits the nodes: nothing passes between those of `side` and all others.
    pub(super) fn cut(&mut self, side: &[Endpoint], others: &[Endpoint]) {
        for a in side {
            self.blocked.extend(others.iter().flat_map(|b| [(*a, *b), (*b, *a)]));
        }
    }

    /// Handles the next event unless it lies after `until`.
    pub(super) fn step(&mut self, until: Instant) -> Option<Happened> {
        let timer = self.next_timer();
        let arrival = self.queue.first().map(|datagram| datagram.due);
        let next = [timer.map(|(due, _)| due), arrival].into_iter().flatten().min()?;
        if next > until {
            self.now = self.now.max(until);
            return None;
        }
        self.now = self.now.max(next);
        self.events += 1;
        let happened = match timer.filter(|(due, _)| arrival.is_none_or(|arrival| *due < arrival)) {
            Some((_, at)) => {
                self.net.set_clock(at, self.now);
                self.net.fire(at);
                self.watch_spin(at);
                Happened::Fired(at)
            }
            None => {
                let datagram = self.queue.pop_first()?;
                self.net.set_clock(datagram.to, self.now);
                self.net.deliver(&datagram);
                let decoded = throng_wire::chord::Datagram::decode(&datagram.bytes);
                let kind = decoded.map_or("?", |datagram| datagram.message.name());
                Happened::Delivered(datagram.from, datagram.to, kind)
            }
        };
        self.take_up();
        Some(happened)
    }

    /// A deadline that stays in the past would keep a driver busy for ever.
    fn watch_spin(&mut self, at: Endpoint) {
        let node = self.net.nodes.get(&at);
        let stays = node.and_then(|node| node.machine.poll_timeout()).is_some_and(|due| due <= self.now);
        self.spins = if stays { self.spins + 1 } else { 0 };
    }

    fn next_timer(&self) -> Option<(Instant, Endpoint)> {
        let due = |(at, node): (&Endpoint, &std::rc::Rc<super::net::Node<M>>)| {
            let deadline = node.machine.poll_timeout()?;
            // Late by so much, and no more however many datagrams come meanwhile.
            Some(((deadline + self.slow.get(at).copied().unwrap_or_default()).max(node.now), *at))
        };
        self.net.nodes.iter().filter_map(due).min()
    }

    /// Decides the fate of what was sent by the last call.
    fn take_up(&mut self) {
        for datagram in std::mem::take(&mut self.net.flying) {
            let up = self.net.nodes.contains_key(&datagram.to);
            let chosen = datagram.bytes.get(3).and_then(|kind| self.lose.get_mut(kind));
            let chosen = chosen.filter(|left| **left > 0).map(|left| *left -= 1).is_some();
            let lost = self.chance(self.faults.loss) || chosen;
            if !up || lost || self.blocked.contains(&(datagram.from, datagram.to)) {
                continue;
            }
            let copies = 1 + u32::from(self.chance(self.faults.duplicate));
            for copy in 0..copies {
                let mut datagram = datagram.clone();
                datagram.due = self.now + self.delay(datagram.to);
                datagram.sequence = datagram.sequence * 2 + u64::from(copy);
                self.queue.insert(datagram);
            }
        }
    }

    fn delay(&mut self, to: Endpoint) -> Duration {
        let (least, most) = self.latency;
        let spread = u32::try_from((most - least).as_micros()).unwrap_or(u32::MAX);
        let held = if self.chance(self.faults.reorder) { self.rng.below(2_000_000) } else { 0 };
        let micros = u64::from(self.rng.below(spread)) + u64::from(held);
        least + Duration::from_micros(micros) + self.slow.get(&to).copied().unwrap_or_default()
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.below(1_000) < per_mille
    }
}
