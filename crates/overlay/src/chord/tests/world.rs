//! The shipping machine as a world to explore: five or six hosts, every order of their messages.
//!
//! Clocks stand still, so nothing is ever sent twice and nobody is suspected; death is learnt by a step
//! ([`Step::Confirm`]), in any order, as the failure detector would report it, and stabilisation begins by a step.
//! Messages that decide nothing about the ring (pings, acknowledgements, challenges, lookups) arrive at once. The
//! fingerprint covers what nodes believe ([`View`]) and what flies, but not tokens, round trips or times.

use super::explore::World;
use super::fingerprint128;
use super::net::{Flying, Net};
use super::support::{config, id_of, machine, snapshot, tell};
use crate::chord::core::Life;
use crate::chord::invariant::{Phase, RingSnapshot, inv, owners, ring, shape};
use crate::chord::rpc::Purpose;
use crate::chord::vnode::Pred;
use crate::chord::{Chord, Command, Config, Entry, Node, PendingRead, Start, View};
use facts::{Fate, canonical, facts, fate, pending, table};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Endpoint, Instant, Machine};
use throng_wire::chord::{Claim, Datagram, IdRule, Mode, RingId};

mod facts;
mod progress;
mod steps;

/// Where all clocks stand.
const NOON: Instant = Instant::from_micros(1_000_000_000);

/// What may still be done to the ring.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Budget {
    /// Nodes that may vanish.
    pub crashes: u8,
    /// Nodes that may say goodbye.
    pub leaves: u8,
    /// Vanished nodes that may come back, a life later.
    pub returns: u8,
    /// Live entries that may be dropped falsely.
    pub false_drops: u8,
    /// Datagrams that may arrive twice.
    pub duplicates: u8,
}

/// What a world does beyond churn and stabilisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Also {
    /// Ownership is given on (the store has copied as soon as it is asked to) and judged.
    pub owners: bool,
    /// Any node that lives may be inserted (F).
    pub inserts: bool,
    /// Joiners ask any member first, not only the one that sends them on in most ways.
    pub joins_anywhere: bool,
    /// Broken on purpose: an insert may lie beyond the last entry.
    pub insert_beyond: bool,
    /// Broken on purpose: a candidate is taken for head without being heard.
    pub unheard: bool,
}

#[derive(Clone)]
pub(super) struct RingWorld {
    pub net: Net<Chord>,
    config: Arc<Config>,
    /// All hosts, in the order of their ids: steps name them by their place here.
    hosts: Rc<[Endpoint]>,
    /// The life each is in; 0 if it has not joined.
    lives: Vec<u32>,
    budget: Budget,
    also: Also,
}

/// One thing that may happen; hosts by their number.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Step {
    Deliver(usize, String),
    Twice(usize, String),
    Stabilise(usize),
    Insert(usize, usize),
    Copied(usize),
    Retry(usize),
    Confirm(usize, Node, String),
    Join(usize, usize),
    Return(usize, usize),
    Crash(usize),
    Leave(usize),
    Gone(usize),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Deliver(_, what) => write!(f, "{what}"),
            Step::Twice(_, what) => write!(f, "{what}, which stays under way"),
            Step::Stabilise(t) => write!(f, "{t} stabilises"),
            Step::Insert(t, x) => write!(f, "{t} inserts {x}"),
            Step::Copied(t) => write!(f, "{t} has copied"),
            Step::Retry(j) => write!(f, "{j} tries again"),
            Step::Confirm(t, _, x) => write!(f, "{t} learns that {x} is dead"),
            Step::Join(j, m) => write!(f, "{j} joins by {m}"),
            Step::Return(j, m) => write!(f, "{j} comes back by {m}"),
            Step::Crash(x) => write!(f, "{x} dies"),
            Step::Leave(x) => write!(f, "{x} leaves"),
            Step::Gone(x) => write!(f, "{x} is gone"),
        }
    }
}

impl RingWorld {
    /// An ideal ring in mode Ring of those `hosts` whose numbers are in `members`; the others may join.
    pub(super) fn new(
        r: u8,
        (hosts, members): (&[Endpoint], &[usize]),
        budget: Budget,
        also: Also,
    ) -> RingWorld {
        let config = Arc::new(config(r));
        let mut net = Net::new();
        let nodes: Vec<Node> = members.iter().filter_map(|at| node_at(hosts[*at], 1)).collect();
        let mut lives = vec![0; hosts.len()];
        for (turn, number) in members.iter().enumerate() {
            let at = hosts[*number];
            lives[*number] = 1;
            net.add(at, machine(&config, at, 1), NOON, 7);
            net.call(at, |machine, cx| place_in_ring(machine, cx, &nodes, turn));
        }
        let mut world = RingWorld { net, config, hosts: hosts.into(), lives, budget, also };
        world.introduce();
        world
    }

    /// A small ring of the hosts with these numbers, grown by joins one after another; the others may join by any.
    pub(super) fn small(r: u8, (hosts, members): (&[Endpoint], &[usize]), budget: Budget) -> RingWorld {
        let config = Arc::new(config(r));
        let lives = vec![0; hosts.len()];
        let also = Also { joins_anywhere: true, ..Also::default() };
        let mut world = RingWorld { net: Net::new(), config, hosts: hosts.into(), lives, budget, also };
        let first = members[0];
        world.lives[first] = 1;
        world.net.add(hosts[first], machine(&world.config, hosts[first], 1), NOON, 7);
        world.net.command(hosts[first], Command::Start(Start::New));
        world.drain();
        for number in &members[1..] {
            world.start(*number, first);
            world.drain();
            world.exhaust();
        }
        world
    }

    /// Every host has shown every other that its address is its own, so that nobody need be challenged.
    fn introduce(&mut self) {
        let hosts = Rc::clone(&self.hosts);
        for (at, other) in hosts.iter().flat_map(|at| hosts.iter().map(move |other| (*at, *other))) {
            let mut token = 0;
            self.net.call(other, |machine, cx| {
                machine.poke(cx, |core, cx| {
                    let now = cx.now();
                    token = core.proofs.token(at, now, cx.rng());
                });
            });
            self.net.call(at, |machine, cx| {
                machine.poke(cx, |core, cx| core.proofs.hold(other, token, cx.now()));
            });
        }
    }

    fn number(&self, at: Endpoint) -> usize {
        self.hosts.iter().position(|host| *host == at).unwrap_or(usize::MAX)
    }

    fn view(&self, number: usize) -> Option<View> {
        self.net.nodes.get(&self.hosts[number])?.machine.view(0)
    }

    /// Whether this life of a node goes on.
    fn is_alive(&self, node: &Node) -> bool {
        // A contact known by its address only has incarnation 0; a machine may take a higher one by itself.
        let number = self.number(node.endpoint);
        let this = |view: View| node.incarnation == 0 || view.me == *node;
        !self.is_leaving(number) && number < self.hosts.len() && self.view(number).is_some_and(this)
    }

    fn snapshot(&self) -> RingSnapshot<RingId> {
        snapshot(&self.net, self.net.flying.iter())
    }

    /// Whether losing this host keeps to the assumption of section 2.1.
    fn may_lose(&self, number: usize) -> bool {
        let mut without = self.net.clone();
        without.crash(self.hosts[number]);
        let left = snapshot(&without, without.flying.iter());
        !left.members().is_empty() && inv(&left).is_ok()
    }

    /// Those a node deals with that are dead, and that it does not know to be.
    fn unknown_dead(&self, view: &View) -> Vec<Node> {
        let prdc = view.prdc.filter(|_| !view.prdc_dead);
        let op = match view.op {
            PendingRead::Idle => None,
            PendingRead::AwaitHead(node) | PendingRead::AwaitCand(_, node) | PendingRead::AwaitJoin(node) => {
                Some(node)
            }
        };
        let asked = self.net.nodes.get(&view.me.endpoint).map(|node| node.machine.core().rpc.iter());
        let asked = asked.into_iter().flatten().map(|pending| pending.to);
        let known = view.list.iter().copied().chain(prdc).chain(op).chain(view.bound);
        let mut dead: Vec<Node> =
            known.chain(asked).filter(|node| !self.is_alive(node)).filter(|node| *node != view.me).collect();
        dead.sort();
        dead.dedup();
        dead
    }

    fn is_leaving(&self, number: usize) -> bool {
        let node = self.hosts.get(number).and_then(|at| self.net.nodes.get(at));
        node.is_some_and(|node| node.machine.core().life != Life::Running)
    }

    fn name(&self, node: &Node) -> String {
        format!("{}.{}", self.number(node.endpoint), node.incarnation)
    }

    fn what(&self, flying: &Flying) -> String {
        let kind = Datagram::decode(&flying.bytes).map_or("?", |datagram| datagram.message.name());
        format!("{} -> {}: {kind}", self.number(flying.from), self.number(flying.to))
    }

    /// Messages that decide nothing arrive at once; advice to hurry is lost; what is due now is done now.
    fn drain(&mut self) {
        for _ in 0..1_000 {
            if let Some(at) = self.net.flying.iter().position(|flying| fate(flying) != Fate::Chosen) {
                let flying = self.net.flying.remove(at);
                if fate(&flying) == Fate::Arrives {
                    self.net.deliver(&flying);
                }
            } else if let Some(at) = self.due() {
                self.net.fire(at);
            } else {
                break;
            }
        }
        let nodes = &self.net.nodes;
        self.net.flying.retain(|flying| nodes.contains_key(&flying.to));
        self.net.flying.sort_by_cached_key(canonical);
        self.net.told.clear();
    }

    /// A node with something to do at once.
    fn due(&self) -> Option<Endpoint> {
        let due =
            |node: &super::net::Node<Chord>| node.machine.poll_timeout().is_some_and(|due| due <= node.now);
        self.net.nodes.iter().find(|(_, node)| due(node)).map(|(at, _)| *at)
    }

    fn start(&mut self, number: usize, contact: usize) {
        // Higher than whatever it took in earlier lives.
        self.lives[number] += 10;
        let at = self.hosts[number];
        self.net.add(at, machine(&self.config, at, self.lives[number]), NOON, 7);
        self.introduce();
        self.net.command(at, Command::Start(Start::Join(vec![self.hosts[contact]])));
    }

    /// The store has copied what a grant needs.
    fn copied(&mut self, number: usize) {
        let Some((to, _, false)) = self.view(number).and_then(|view| view.grant) else { return };
        self.net.call(self.hosts[number], |machine, cx| {
            machine.poke(cx, |core, _| core.copied(0, &to, [0; 16]));
            machine.handle_timeout(cx);
        });
    }

    fn confirm(&mut self, number: usize, node: &Node) {
        if self.is_alive(node) {
            self.budget.false_drops = self.budget.false_drops.saturating_sub(1);
        }
        self.net.call(self.hosts[number], |machine, cx| {
            machine.poke(cx, |core, cx| {
                core.on_dead(cx, node);
                let asked = core.rpc.iter().filter(|pending| pending.to == *node);
                let asked: Vec<u64> = asked.map(|pending| pending.txid).collect();
                for txid in asked {
                    let Some(pending) = core.rpc.take(txid) else { continue };
                    if let Purpose::Ring(call) = pending.purpose {
                        core.on_failure(cx, call, &pending);
                    }
                }
            });
        });
    }
}

impl World for RingWorld {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (at, flying) in self.net.flying.iter().enumerate() {
            // Two that cannot be told apart lead to the same.
            if at > 0 && canonical(&self.net.flying[at - 1]) == canonical(flying) {
                continue;
            }
            steps.push(Step::Deliver(at, self.what(flying)));
            if self.budget.duplicates > 0 {
                steps.push(Step::Twice(at, self.what(flying)));
            }
        }
        (0..self.hosts.len()).for_each(|number| self.steps_of(number, &mut steps));
        steps
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Deliver(at, _) => {
                let flying = self.net.flying.remove(*at);
                self.net.deliver(&flying);
            }
            Step::Twice(at, _) => {
                self.budget.duplicates -= 1;
                let flying = self.net.flying[*at].clone();
                self.net.deliver(&flying);
            }
            Step::Stabilise(t) => self.net.call(self.hosts[*t], |machine, cx| {
                machine.poke(cx, |core, cx| core.stabilise_now(cx, 0));
                machine.handle_timeout(cx);
            }),
            Step::Confirm(t, node, _) => self.confirm(*t, node),
            Step::Insert(t, x) => self.insert(*t, *x),
            Step::Copied(t) => self.copied(*t),
            Step::Retry(j) => drop(self.net.fire(self.hosts[*j])),
            Step::Join(j, m) => self.start(*j, *m),
            Step::Return(j, m) => {
                self.budget.returns -= 1;
                self.start(*j, *m);
            }
            Step::Crash(x) => {
                self.budget.crashes -= 1;
                self.net.crash(self.hosts[*x]);
            }
            Step::Leave(x) => {
                self.budget.leaves -= 1;
                self.net.command(self.hosts[*x], Command::Leave);
            }
            Step::Gone(x) => self.net.crash(self.hosts[*x]),
        }
        self.drain();
        if self.also.unheard {
            self.believe();
            self.drain();
        }
    }

    fn fingerprint(&self) -> u128 {
        let views: Vec<_> =
            (0..self.hosts.len()).map(|number| self.view(number).map(|view| facts(&view))).collect();
        let asked: Vec<_> = self.net.nodes.values().map(|node| pending(&node.machine)).collect();
        let tables: Vec<_> = self.net.nodes.values().map(|node| table(&node.machine)).collect();
        let flying: Vec<_> =
            self.net.flying.iter().map(|flying| (canonical(flying), self.is_awaited(flying))).collect();
        fingerprint128(&(views, asked, tables, flying, &self.lives, self.budget))
    }

    fn check(&self) -> Result<(), String> {
        let now = self.snapshot();
        let large = now.members().iter().all(|member| member.phase == Phase::Ring);
        let one = || if large { ring(&now).map(|_| ()) } else { Ok(()) };
        let checked = inv(&now).and_then(|()| shape(&now)).and_then(|()| one());
        checked.map_err(|breach| format!("{breach} in {}", tell(&now)))?;
        self.check_acquaintance()?;
        if self.also.owners && !owners(&now).is_disjoint() {
            return Err(format!("{:?} in {}", owners(&now), tell(&now)));
        }
        Ok(())
    }

    fn check_progress(&self) -> Result<u32, String> {
        Ok(self.fair_rounds(false)?.max(self.fair_rounds(true)?))
    }
}

impl RingWorld {
    /// Whether the answer's receiver still waits for it.
    fn is_awaited(&self, flying: &Flying) -> bool {
        let Ok(datagram) = Datagram::decode(&flying.bytes) else { return false };
        let waits = |at: &Endpoint| {
            let node = self.net.nodes.get(at);
            node.is_some_and(|node| node.machine.core().rpc.find(datagram.header.txid).is_some())
        };
        waits(&flying.to) || waits(&flying.from)
    }
}

/// A node of the first virtual node at a host.
pub(super) fn node_at(at: Endpoint, incarnation: u32) -> Option<Node> {
    Node::new(IdRule::Open, at, 0, incarnation)
}

/// Makes a fresh machine the member `turn` of an ideal ring in mode Ring.
pub(super) fn place_in_ring(
    machine: &mut Chord,
    cx: &mut crate::chord::Context<'_>,
    nodes: &[Node],
    turn: usize,
) {
    let count = nodes.len();
    let before = nodes[(turn + count - 1) % count];
    machine.poke(cx, |core, cx| {
        core.life = Life::Running;
        let vnode = &mut core.vnodes[0];
        vnode.mode = Mode::Ring;
        vnode.mode_epoch = 1;
        let (me, most) = (vnode.id(), usize::from(vnode.most));
        vnode.list.merge(me, nodes.iter().copied(), most);
        vnode.list.update_all(|entry| entry.on_heard(Some(Duration::from_millis(1)), cx.now()));
        let mut entry = Entry::hearsay(before);
        entry.on_heard(Some(Duration::from_millis(1)), cx.now());
        vnode.predecessor = Some(entry);
        vnode.epoch = 1;
        vnode.claim = Claim::Active { low: before.id, epoch: 1 };
        let low = nodes[(turn + count - 2) % count].id;
        let pred = Pred { node: before, claim: Claim::Active { low, epoch: 1 } };
        (vnode.bound, vnode.predecessors) = (Some(pred), vec![pred]);
    });
}

/// Five or six hosts whose ids interleave: consecutive ports, sorted by id.
pub(super) fn hosts(count: u16) -> Vec<Endpoint> {
    let hosts = super::support::places(count);
    debug_assert!(hosts.is_sorted_by_key(|at| id_of(*at)));
    hosts
}
