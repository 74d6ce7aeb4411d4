//! One run of a ring in time, judged after every event.
//!
//! Judging looks again only at the node an event touched: the predicates are pure functions of what nodes believe.
//! While the assumption of section 2.1 holds (`sound`), the invariant must; what breaks the assumption on purpose
//! (partitions, too many deaths) clears it until the ring is ideal again.

use super::net::Node;
use super::schedule::{Happened, Schedule};
use super::support::{id_of, join, machine, member_of, snapshot, tell};
use super::world::{node_at, place_in_ring};
use crate::chord::core::Life;
use crate::chord::invariant::{Member, Phase, RingSnapshot, ideal, inv, owners, ring, shape, step};
use crate::chord::{Chord, Command, Config, Timers};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::RingId;

/// Events told when something is breached.
const TOLD: usize = 200;

/// Times of a tenth of the defaults but for the round trips, so that runs are short.
pub(super) fn brisk(r: u8) -> Config {
    let Timers { stabilise: (least, most), .. } = Timers::default();
    let tenth = |time: Duration| time / 10;
    let usual = Timers::default();
    let timers = Timers {
        stabilise: (tenth(least), tenth(most)),
        heartbeat: tenth(usual.heartbeat),
        dead: tenth(usual.dead),
        probe: tenth(usual.probe),
        probe_most: tenth(usual.probe_most),
        self_check: tenth(usual.self_check),
        notify_silence: tenth(usual.notify_silence),
        copy: tenth(usual.copy),
        hand_over: tenth(usual.hand_over),
        detached: tenth(usual.detached),
        finger_refresh: usual.finger_refresh * 10,
        finger_ping: usual.finger_ping * 10,
        ..usual
    };
    Config { timers, ..super::support::config(r) }
}

/// A breach, and how to see it again.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    /// What is wrong.
    pub why: String,
    /// After how many events, and when.
    pub event: u64,
    pub at: Instant,
    /// The last events.
    pub last: Vec<Happened>,
}

/// A ring in time.
pub(super) struct Run {
    pub schedule: Schedule<Chord>,
    pub config: Arc<Config>,
    /// Whether the assumption holds, so that the invariant must.
    pub sound: bool,
    /// The longest that two nodes owned one key.
    pub longest_overlap: Duration,
    overlap_since: Option<Instant>,
    members: BTreeMap<Endpoint, Member<RingId>>,
    last: VecDeque<Happened>,
    incarnations: BTreeMap<Endpoint, u32>,
}

impl Run {
    pub(super) fn new(config: Config, seed: u64) -> Run {
        Run {
            schedule: Schedule::new(seed),
            config: Arc::new(config),
            sound: true,
            longest_overlap: Duration::ZERO,
            overlap_since: None,
            members: BTreeMap::new(),
            last: VecDeque::new(),
            incarnations: BTreeMap::new(),
        }
    }

    /// A node comes up, a life later than before, and joins by `via` or begins a ring.
    pub(super) fn join(&mut self, at: Endpoint, via: Option<Endpoint>) {
        let incarnation = self.incarnations.entry(at).or_insert(0);
        *incarnation += 1;
        let life = *incarnation;
        // Whoever else is up may be asked when the first does not answer.
        let others = self.up().into_iter().filter(|other| Some(*other) != via && *other != at);
        let contacts = via.into_iter().chain(others.filter(|_| via.is_some())).collect();
        join(&mut self.schedule, &self.config, (at, life), contacts);
    }

    /// An ideal ring in mode Ring of these, sorted by id, however few.
    pub(super) fn place(&mut self, nodes: &[Endpoint]) {
        let members: Vec<_> = nodes.iter().filter_map(|at| node_at(*at, 1)).collect();
        for (turn, at) in nodes.iter().enumerate() {
            self.incarnations.insert(*at, 1);
            self.schedule.add(*at, machine(&self.config, *at, 1));
            self.schedule.net.call(*at, |machine, cx| {
                place_in_ring(machine, cx, &members, turn);
                machine.poke(cx, |core, cx| core.stabilise_now(cx, 0));
            });
            let machine = self.schedule.net.nodes.get(at).and_then(|node| member_of(&node.machine));
            self.members.extend(machine.map(|member| (*at, member)));
        }
    }

    /// A node is told to leave; it stays up until it is gone.
    pub(super) fn leave(&mut self, at: Endpoint) {
        self.schedule.command(at, Command::Leave);
        self.members.remove(&at);
    }

    /// A node vanishes.
    pub(super) fn crash(&mut self, at: Endpoint) {
        self.schedule.crash(at);
        self.members.remove(&at);
    }

    /// Nodes that are up.
    pub(super) fn up(&self) -> Vec<Endpoint> {
        self.schedule.net.nodes.keys().copied().collect()
    }

    /// What the members believe.
    pub(super) fn snapshot(&self) -> RingSnapshot<RingId> {
        RingSnapshot::new(self.members.values().cloned(), Vec::new())
    }

    /// Whether losing this node keeps to the assumption: all else live on as the invariant wants, answers under way
    /// included.
    pub(super) fn may_lose(&self, at: Endpoint) -> bool {
        let mut net = self.schedule.net.clone();
        net.crash(at);
        let left = self.schedule.under_way().filter(|datagram| datagram.to != at);
        let without = snapshot(&net, left);
        let alone = without
            .members()
            .iter()
            .any(|member| member.phase != Phase::Solo && without.first_live(&member.list).is_none());
        !alone && !without.members().is_empty() && inv(&without).is_ok()
    }

    /// Handles one event and judges what it changed.
    pub(super) fn step(&mut self, until: Instant) -> Result<bool, Box<Failed>> {
        let Some(happened) = self.schedule.step(until) else { return Ok(false) };
        let (Happened::Delivered(_, touched, _) | Happened::Fired(touched)) = happened;
        if self.schedule.spins > 100 {
            let vnode = self.schedule.net.nodes.get(&touched).map(|node| &node.machine.core().vnodes[0]);
            return Err(self.failed(format!("{touched} spins, its deadline stays in the past: {vnode:?}")));
        }
        if self.last.len() == TOLD {
            self.last.pop_front();
        }
        self.last.push_back(happened);
        let now = self.schedule.net.nodes.get(&touched).and_then(|node| member_of(&node.machine));
        if now.as_ref() == self.members.get(&touched) {
            return Ok(true);
        }
        let before = self.snapshot();
        match now {
            Some(now) => self.members.insert(touched, now),
            None => self.members.remove(&touched),
        };
        self.judge(&before).map_err(|why| self.failed(why))?;
        Ok(true)
    }

    fn judge(&mut self, before: &RingSnapshot<RingId>) -> Result<(), String> {
        let after = self.snapshot();
        shape(&after)
            .and_then(|()| step(before, &after))
            .map_err(|breach| format!("{breach} in {}", tell(&after)))?;
        self.watch_owners(&after);
        if self.sound {
            let in_ring = after.members().iter().all(|member| member.phase == Phase::Ring);
            let checked = inv(&after).and_then(|()| if in_ring { ring(&after).map(|_| ()) } else { Ok(()) });
            checked.map_err(|breach| format!("{breach} in {}", tell(&after)))?;
        }
        Ok(())
    }

    fn watch_owners(&mut self, after: &RingSnapshot<RingId>) {
        let now = self.schedule.now;
        if owners(after).is_disjoint() {
            self.overlap_since = None;
            return;
        }
        let since = *self.overlap_since.get_or_insert(now);
        self.longest_overlap = self.longest_overlap.max(now.since(since));
    }

    /// Lets time pass.
    pub(super) fn run_for(&mut self, time: Duration) -> Result<(), Box<Failed>> {
        let until = self.schedule.now + time;
        while self.step(until)? {}
        Ok(())
    }

    /// Whether everyone who is up is a member, every pointer is right and every key has one owner.
    pub(super) fn is_quiet(&self) -> bool {
        let snapshot = self.snapshot();
        snapshot.members().len() == self.staying()
            && ideal(&snapshot).is_ok()
            && (snapshot.members().len() == 1 || ring(&snapshot).is_ok())
            && owners(&snapshot).is_exact()
            && snapshot.members().iter().all(|member| member.active)
    }

    /// How many nodes are up and not leaving.
    fn staying(&self) -> usize {
        let running = |node: &&std::rc::Rc<Node<Chord>>| node.machine.core().life == Life::Running;
        self.schedule.net.nodes.values().filter(running).count()
    }

    /// Runs until all is as it should be; fails if that takes longer than `patience`. Answers how long it took.
    pub(super) fn settle(&mut self, patience: Duration) -> Result<Duration, Box<Failed>> {
        let (start, end) = (self.schedule.now, self.schedule.now + patience);
        while !self.is_quiet() {
            if !self.step(end)? {
                let snapshot = self.snapshot();
                let why = format!(
                    "not quiet after {patience:?}: {:?}, {:?}, {} of {} members, in {}",
                    ideal(&snapshot),
                    owners(&snapshot),
                    snapshot.members().len(),
                    self.staying(),
                    tell(&snapshot),
                );
                return Err(self.failed(why));
            }
        }
        self.sound = true;
        Ok(self.schedule.now.since(start))
    }

    /// Forgets nodes that have left.
    pub(super) fn bury(&mut self, at: Endpoint) {
        self.crash(at);
    }

    fn failed(&self, why: String) -> Box<Failed> {
        let last = self.last.iter().cloned().collect();
        Box::new(Failed { why, event: self.schedule.events, at: self.schedule.now, last })
    }

    /// Grows a ring of these by joins, one after another, and waits until it is quiet.
    pub(super) fn grow(&mut self, nodes: &[Endpoint]) -> Result<(), Box<Failed>> {
        for (turn, at) in nodes.iter().enumerate() {
            self.join(*at, (turn > 0).then(|| nodes[0]));
            self.settle(Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// Who owns a key, by what the nodes themselves say.
    pub(super) fn owner_of(&self, key: RingId) -> Vec<Endpoint> {
        let serves = |member: &Member<RingId>| {
            let low = member.low?;
            throng_wire::chord::own(low, key, member.me.id).then_some(member.me.id)
        };
        let ids: Vec<_> = self.members.values().filter_map(serves).collect();
        self.up().into_iter().filter(|at| ids.contains(&id_of(*at))).collect()
    }
}
