//! One ring as a person asks for it: it forms, keys are looked up, values stored, nodes come and go or die at once.

use super::balance::Spread;
use super::churn::Poisson;
use super::host::Book;
use super::summary::{Lookups, mean};
use super::world::{World, name};
use crate::simulate::measure::Run;
use crate::simulate::memory;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};
use throng_overlay::chord::invariant::{Member, Peer, Phase, ideal_at};
use throng_overlay::chord::{Config, LookupMode, Node, View};
use throng_sim::{HostId, Latency, Network};
use throng_wire::chord::{Mode, RingId, entry_key};

/// What is simulated.
#[derive(Clone, Debug)]
pub struct RingPlan {
    /// Hosts.
    pub nodes: u32,
    /// All randomness comes from it.
    pub seed: u64,
    /// Whether the ring is computed instead of grown by joins.
    pub bulk: bool,
    /// Joins a second, and as many goings, half of them leaves and half crashes, while keys are looked up.
    pub churn: f64,
    /// Share of the hosts that die at one moment, after the values are stored.
    pub fail: f64,
    /// Keys looked up, from random hosts.
    pub lookups: u32,
    /// Values stored, and read at the end.
    pub values: u32,
    /// Share of datagrams lost.
    pub loss: f64,
    /// How the ring is run.
    pub config: Config,
}

/// What is told of a run under way.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// Hosts that are members so far.
    Joining(u32),
    /// The ring forms.
    Settling,
    /// Values stored so far.
    Storing(u32),
    /// Keys looked up so far.
    Looking(u32),
    /// The survivors repair the ring.
    Healing,
    /// Values read so far.
    Reading(u32),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct RingFigures {
    /// Virtual seconds until every list, predecessor and range was right; `None` if that never was.
    pub formed: Option<f64>,
    /// What was still wrong when it was given up.
    pub trouble: Option<String>,
    /// The lookups.
    pub lookups: Lookups,
    /// Datagrams a lookup, maintenance taken off.
    pub messages_per_lookup: f64,
    /// Bytes a lookup, maintenance taken off.
    pub bytes_per_lookup: f64,
    /// Bytes a second that a host sends while nothing is asked.
    pub idle_bytes: f64,
    /// Values whose put was acknowledged.
    pub stored: usize,
    /// Of them, those that were not read again, or wrongly.
    pub lost: usize,
    /// Of the acknowledged, those of which no copy was left at the moment of the failure.
    pub doomed: usize,
    /// Puts that were refused or not answered.
    pub unstored: usize,
    /// How keys spread over hosts.
    pub spread: Option<Spread>,
    /// Hosts that died at one moment.
    pub killed: usize,
    /// Virtual seconds from then until the ring was right again.
    pub healed: Option<f64>,
    /// What it took.
    pub run: Run,
}

/// The shortest length that lists aim at by themselves.
const LEAST_LIST: usize = 16;

/// Datagrams and bytes so far.
type Traffic = [f64; 2];

impl RingPlan {
    /// Runs it; `progress` is told now and then.
    pub fn run(&self, mut progress: impl FnMut(Stage)) -> RingFigures {
        let before = memory::resident();
        let network = Network {
            latency: Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) },
            loss: self.loss,
            count_hosts: true,
            ..Network::default()
        };
        let mut world = World::new(self.seed, self.config.clone(), network);
        let mut figures =
            RingFigures { formed: self.form(&mut world, &mut progress), ..RingFigures::default() };
        if figures.formed.is_none() {
            figures.trouble = trouble(&world);
        }
        let stored = self.store(&mut world, &mut figures, &mut progress);
        let idle = self.idle(&mut world);
        figures.idle_bytes = idle[1] / f64::from(self.nodes);
        if self.fail > 0.0 {
            let dead = world.share(self.fail);
            figures.killed = dead.len();
            world.crash_all(&dead);
            figures.doomed = doomed(&world, &stored);
        }
        self.look(&mut world, idle, &mut figures, &mut progress);
        if self.fail > 0.0 {
            progress(Stage::Healing);
            figures.healed = settle(&mut world, 900.0);
            if figures.healed.is_none() {
                figures.trouble = trouble(&world);
            }
        }
        self.read(&mut world, &stored, &mut figures, &mut progress);
        if figures.trouble.is_none() && self.churn <= 0.0 {
            figures.trouble = trouble(&world);
        }
        self.count(&world, before, &mut figures);
        figures
    }

    fn form(&self, world: &mut World, progress: &mut impl FnMut(Stage)) -> Option<f64> {
        if self.bulk {
            world.bulk(self.nodes, None, &BTreeSet::new());
            world.run(Duration::from_secs(1));
            return trouble(world).is_none().then_some(0.0);
        }
        let mut joined = 0.0;
        while (world.sim.host_count()) < self.nodes {
            // Five in a hundred a second, ten at least: a crowd, but no flash.
            joined += (f64::from(world.sim.host_count()) * 0.05).max(10.0) / 10.0;
            while world.sim.host_count() < self.nodes.min(joined as u32) {
                world.join();
            }
            world.run(Duration::from_millis(100));
            progress(Stage::Joining(world.sim.host_count()));
        }
        progress(Stage::Settling);
        settle(world, 1_800.0).map(|_| world.seconds())
    }

    /// Stores the values; those acknowledged are returned.
    fn store(
        &self,
        world: &mut World,
        figures: &mut RingFigures,
        progress: &mut impl FnMut(Stage),
    ) -> Vec<u32> {
        let gap = self.gap();
        for number in 0..self.values {
            world.put(number, &value(number));
            world.run(gap);
            progress(Stage::Storing(number));
        }
        wait(world, |book| book.puts.len() >= self.values as usize);
        let puts = std::mem::take(&mut world.book.borrow_mut().puts);
        let good: Vec<u32> =
            puts.iter().filter(|(_, copies, _)| copies.is_ok()).map(|(number, ..)| *number).collect();
        figures.stored = good.len();
        figures.unstored = self.values as usize - good.len();
        good
    }

    /// Traffic a second while nothing is asked.
    fn idle(&self, world: &mut World) -> Traffic {
        let seconds = if self.nodes > 20_000 { 3.0 } else { 30.0 };
        let before = traffic(world);
        world.run(Duration::from_secs_f64(seconds));
        let after = traffic(world);
        [0, 1].map(|index| (after[index] - before[index]) / seconds)
    }

    fn look(
        &self,
        world: &mut World,
        idle: Traffic,
        figures: &mut RingFigures,
        progress: &mut impl FnMut(Stage),
    ) {
        let (before, start) = (traffic(world), world.seconds());
        let mut rng = SplitMix64::new(SplitMix64::mix(self.seed, 0x6c6f_6f6b));
        let mut flows = [Poisson::new(self.churn), Poisson::new(self.churn)];
        // Under churn once a second as in the paper, else as fast as a hundredth of the hosts can be asked.
        let every = if self.churn > 0.0 { 1.0 } else { (10.0 / f64::from(self.nodes)).clamp(5e-6, 0.01) };
        let every = Duration::from_secs_f64(every);
        let mut asked: Vec<(u32, RingId)> = Vec::new();
        for number in 0..self.lookups {
            for _ in 0..flows[0].due(&mut rng, every) {
                world.join();
            }
            for _ in 0..flows[1].due(&mut rng, every) {
                let Some(host) = world.any().filter(|_| world.live().len() > 1) else { continue };
                if rng.below(2) == 0 { world.leave(host) } else { world.crash(host) }
            }
            asked.push(world.look(LookupMode::Recursive));
            world.run(every);
            progress(Stage::Looking(number));
        }
        wait(world, |book| book.lookups.len() >= asked.len());
        let (after, time) = (traffic(world), world.seconds() - start);
        let each = |index: usize| {
            ((after[index] - before[index] - idle[index] * time) / f64::from(self.lookups.max(1))).max(0.0)
        };
        figures.messages_per_lookup = each(0);
        figures.bytes_per_lookup = each(1);
        let owners = (self.churn <= 0.0).then(|| Owners::of(world));
        figures.lookups = Lookups::of(&world.book.borrow(), &asked, |key| owners.as_ref()?.of_key(key));
    }

    fn read(
        &self,
        world: &mut World,
        stored: &[u32],
        figures: &mut RingFigures,
        progress: &mut impl FnMut(Stage),
    ) {
        let gap = self.gap();
        for (done, number) in (0..).zip(stored) {
            world.get(*number);
            world.run(gap);
            progress(Stage::Reading(done));
        }
        wait(world, |book| book.gets.len() >= stored.len());
        let book = world.book.borrow();
        let right = book.gets.iter().filter(|(ticket, got, _)| {
            let expected = value(ticket & !super::host::GET);
            matches!(got, Ok(Some(got)) if got.bytes == expected)
        });
        figures.lost = stored.len() - right.count().min(stored.len());
    }

    /// Between two puts or gets: as many a second as a tenth of the hosts, but no fewer than ten.
    fn gap(&self) -> Duration {
        Duration::from_micros((10_000_000 / u64::from(self.nodes.max(1))).clamp(5, 100_000))
    }

    fn count(&self, world: &World, before: Option<u64>, figures: &mut RingFigures) {
        figures.run = Run::of(&world.sim, before);
        figures.spread = Some(spread(world, self.seed));
    }
}

/// Of the values stored, those that no host which is up has on its disk.
pub(super) fn doomed(world: &World, stored: &[u32]) -> usize {
    let kept: BTreeSet<RingId> =
        world.live().iter().flat_map(|host| world.sim.app(HostId(*host)).kept()).collect();
    stored.iter().filter(|number| !kept.contains(&entry_key(&name(**number)))).count()
}

/// Runs until all is answered, or 50 s have passed: no operation is given longer.
fn wait(world: &mut World, done: impl Fn(&Book) -> bool) {
    for _ in 0..500 {
        if done(&world.book.borrow()) {
            return;
        }
        world.run(Duration::from_millis(100));
    }
}

fn value(number: u32) -> Vec<u8> {
    format!("the value of {number}").into_bytes()
}

fn traffic(world: &World) -> Traffic {
    let totals = &world.sim.probe().totals;
    [totals.datagrams_sent as f64, (totals.datagram_bytes + totals.stream_bytes) as f64]
}

/// What is not as it should be with a member, a list, a predecessor or a range; `None` if all is right.
pub fn trouble(world: &World) -> Option<String> {
    let members = members(world);
    let order: Vec<Peer<RingId>> = members.iter().map(|(node, ..)| peer(node)).collect();
    // One view at a time: those of a million would take more memory than the machines.
    members.iter().enumerate().find_map(|(at, (_, host, vnode))| {
        let member = member(&world.sim.app(HostId(*host)).chord().view(*vnode)?);
        let before = order[(at + order.len() - 1) % order.len()].id;
        match ideal_at(&order, at, &member) {
            Err(breach) => Some(format!("{breach:?}")),
            Ok(()) if !member.active => Some(format!("{} owns nothing ({:?})", member.me.id, member.phase)),
            // All lower ends meet the member before: the ranges are disjoint and cover the ring.
            Ok(()) => {
                (member.low != Some(before)).then(|| format!("{} owns too much or too little", member.me.id))
            }
        }
    })
}

/// The virtual nodes of all hosts that are up, by id, with their hosts and their places there.
fn members(world: &World) -> Vec<(Node, u32, usize)> {
    let of_host = |host: &u32| {
        let (host, chord) = (*host, world.sim.app(HostId(*host)).chord());
        (0..chord.vnode_count()).filter_map(move |vnode| Some((chord.node(vnode)?, host, vnode)))
    };
    let mut members: Vec<_> = world.live().iter().flat_map(of_host).collect();
    members.sort_unstable_by_key(|(node, ..)| node.id);
    members
}

fn peer(node: &Node) -> Peer<RingId> {
    Peer { id: node.id, incarnation: node.incarnation }
}

/// A virtual node as the invariants see it.
fn member(view: &View) -> Member<RingId> {
    let phase = match view.mode {
        Mode::Solo => Phase::Solo,
        Mode::Small => Phase::Small,
        Mode::Ring => Phase::Ring,
        _ => Phase::Joining,
    };
    Member {
        me: peer(&view.me),
        phase,
        // Lengths aimed at differ by the estimates of size: a list can be one longer than its head's, no more.
        r: usize::from(view.most).min(view.list.len().max(LEAST_LIST)),
        list: view.list.iter().map(peer).collect(),
        prdc: view.prdc.as_ref().map(peer),
        active: view.claim.is_active(),
        low: view.claim.low(),
    }
}

/// Runs until the ring is right; the seconds it took, `None` if it was not within that many.
pub fn settle(world: &mut World, within: f64) -> Option<f64> {
    let start = world.seconds();
    let step = Duration::from_secs(if world.live().len() > 20_000 { 10 } else { 1 });
    while trouble(world).is_some() {
        if world.seconds() - start > within {
            return None;
        }
        world.run(step);
    }
    Some(world.seconds() - start)
}

/// Who owns what, by the ids of the members that are up.
struct Owners(Vec<RingId>);

impl Owners {
    fn of(world: &World) -> Owners {
        Owners(members(world).iter().map(|(node, ..)| node.id).collect())
    }

    fn of_key(&self, key: RingId) -> Option<RingId> {
        let place = self.0.partition_point(|id| *id < key);
        self.0.get(place).or(self.0.first()).copied()
    }
}

/// Spreads a hundred keys a host by the ids that are up, fewer in the largest rings.
fn spread(world: &World, seed: u64) -> Spread {
    let mut ring: Vec<(RingId, u32)> = Vec::new();
    for (index, host) in (0u32..).zip(world.live()) {
        let chord = world.sim.app(HostId(*host)).chord();
        ring.extend((0..chord.vnode_count()).filter_map(|vnode| Some((chord.node(vnode)?.id, index))));
    }
    ring.sort_unstable();
    let mut counts = vec![0u32; world.live().len()];
    let mut rng = SplitMix64::new(SplitMix64::mix(seed, 0x7370_7264));
    let hosts = world.live().len() as u64;
    for _ in 0..(hosts * 100).min(10_000_000.max(hosts * 10)) {
        let mut key = RingId::MIN;
        rng.fill(&mut key.0);
        let place = ring.partition_point(|(id, _)| *id < key);
        if let Some((_, host)) = ring.get(place).or(ring.first()) {
            counts[*host as usize] += 1;
        }
    }
    Spread::of(counts)
}

impl RingFigures {
    /// Time-outs a lookup.
    pub fn timeouts(&self) -> f64 {
        mean(&self.lookups.timeouts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_overlay::chord::OneHop;

    fn plan() -> RingPlan {
        let config = Config { vnodes: 1, one_hop: OneHop { on: 0, off: 0 }, ..Config::default() };
        RingPlan {
            nodes: 60,
            seed: 1,
            bulk: false,
            churn: 0.0,
            fail: 0.0,
            lookups: 200,
            values: 0,
            loss: 0.0,
            config,
        }
    }

    #[test]
    fn a_ring_grown_by_joins_becomes_right_and_answers_rightly() {
        let figures = plan().run(|_| ());
        assert!(figures.formed.is_some_and(|seconds| seconds < 300.0), "{:?}", figures.formed);
        assert_eq!((figures.lookups.unanswered, figures.lookups.wrong), (0, 0));
        assert_eq!(figures.run.trace, plan().run(|_| ()).run.trace, "the same seed gives the same run");
    }

    /// Lists of neighbours differ in length there, as their estimates of the size do.
    #[test]
    fn a_ring_of_three_thousand_grown_by_joins_has_no_gap_at_the_ends_of_lists() {
        let figures = RingPlan { nodes: 3_000, ..plan() }.run(|_| ());
        assert!(figures.formed.is_some_and(|seconds| seconds < 600.0), "{:?}", figures.trouble);
    }

    #[test]
    fn a_ring_that_loses_a_third_heals_and_names_no_wrong_owner_meanwhile() {
        let figures = RingPlan { fail: 0.33, ..plan() }.run(|_| ());
        assert_eq!(figures.killed, 20);
        assert!(figures.healed.is_some_and(|seconds| seconds < 120.0), "{:?}", figures.healed);
        assert_eq!(figures.lookups.wrong, 0);
        // A range whose owners die together is taken over step by step; a lookup waits 16 s.
        assert!(figures.lookups.unanswered <= 20, "{} of 200", figures.lookups.unanswered);
    }
}
