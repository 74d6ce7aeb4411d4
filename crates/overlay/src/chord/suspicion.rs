//! Whom we suspect and what becomes of it (section 2.7): pings, relays, verdicts.
//!
//! What is remembered of it is in `detector`.

use super::Context;
use super::core::Core;
use super::detector::{Confirming, WINDOW};
use super::maintenance::Call;
use super::node::{Entry, Health, Node};
use super::notice::Notice;
use super::rpc::{Pending, Plan, Purpose};
use super::vnode::{Op, Vnode};
use throng_machine::Instant;
use throng_wire::chord::{self as wire, Message, Mode, Relayed};

/// Neighbours pinged beyond a silent one: five dead in a row of a ring that loses half its nodes is one in thirty.
const BEYOND: usize = 4;
/// Rounds of relays before a suspicion rests until the next heartbeat.
const MOST_ROUNDS: u8 = 3;
/// Suspicions under confirmation at once.
const MOST_CONFIRMING: usize = 64;

impl Core {
    /// Pings a node unless that is under way already.
    pub(crate) fn probe(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        if !self.is_probed(node) {
            self.ping(cx, (at, *node), Call::Probe);
        }
    }

    /// Whether a node is being pinged, or its death confirmed.
    pub(crate) fn is_probed(&self, node: &Node) -> bool {
        let under_way = |pending: &Pending| {
            pending.to == *node && matches!(pending.purpose, Purpose::Ring(Call::Probe | Call::Confirm))
        };
        self.rpc.iter().any(under_way) || self.detector.confirming.iter().any(|each| each.node == *node)
    }

    /// Pings a node.
    pub(crate) fn ping(
        &mut self,
        cx: &mut Context<'_>,
        (at, node): (usize, Node),
        call: Call,
    ) -> Option<u64> {
        let claim = self.vnodes[at].claim;
        self.ask(cx, (at, node), call, &Message::Ping(wire::Ping { claim }))
    }

    /// A request was sent as often as planned without an answer: its target is a suspect.
    pub(crate) fn on_silence(&mut self, cx: &mut Context<'_>, pending: &Pending) {
        let (node, watched) = (pending.to, self.is_watched(pending.at, &pending.to));
        let (way, waited) = (self.rtt(&node).smoothed(), cx.now().since(pending.first));
        // Asked twice on behalf of another, and nobody knows how far it is; or it is farther than was known.
        let behalf = matches!(pending.purpose, Purpose::Ring(Call::OnBehalf(_)));
        let slow = way.map_or(behalf && watched, |way| way > waited);
        // A relay may be waiting itself for the one it was asked about.
        if slow || self.is_relay(pending) {
            return self.probe(cx, pending.at, &node);
        }
        self.notices.push_back(Notice::Silent { node });
        for vnode in &mut self.vnodes {
            vnode.fingers.silent(&node);
            vnode.list.update(&node, Entry::on_silent);
            let prdc = vnode.predecessor.as_mut();
            if let Some(prdc) = prdc.filter(|prdc| prdc.node == node && prdc.health != Health::Dead) {
                prdc.on_silent();
            }
        }
        if watched {
            // Neighbours are spoken to all the time. That fingers and strangers are gone says nothing of our own link.
            if !behalf {
                self.detector.on_failure(cx.now());
            }
            self.confirm(cx, (pending.at, node));
            self.probe_beyond(cx, &node);
        }
    }

    /// Whether a node's death would change anything near us.
    fn is_watched(&self, at: usize, node: &Node) -> bool {
        let near = |vnode: &Vnode| {
            vnode.entry(node).is_some_and(|entry| entry.health != Health::Dead)
                || vnode.bound.is_some_and(|bound| bound.node == *node)
                || vnode.predecessors.iter().any(|pred| pred.node == *node)
                || matches!(vnode.op, Op::AwaitCand { cand, .. } if cand == *node)
        };
        self.vnodes.iter().any(near) || self.small_knows(at, node)
    }

    /// Whether a request asks a node for what another says.
    fn is_relay(&self, pending: &Pending) -> bool {
        let head = |at: usize| match self.vnodes.get(at)?.op {
            Op::AwaitHead { head, .. } => Some(head),
            _ => None,
        };
        match pending.purpose {
            Purpose::Ring(Call::Relay) => true,
            Purpose::Ring(Call::Head) => head(pending.at).is_some_and(|head| head != pending.to),
            _ => false,
        }
    }

    /// Neighbours die together: those beyond a silent head or predecessor are pinged now, not one after the other as
    /// each death is confirmed.
    pub(crate) fn probe_beyond(&mut self, cx: &mut Context<'_>, silent: &Node) {
        let (fresh, now) = (self.config.timers.heartbeat / 2, cx.now());
        for at in 0..self.vnodes.len() {
            let vnode = &self.vnodes[at];
            let is = |entry: Entry| entry.node == *silent;
            let head = vnode.head().is_some_and(is);
            let prdc = vnode.predecessor.is_some_and(is);
            let after = vnode.list.entries().skip(1).take(BEYOND).filter(|_| head);
            let after = after.filter(|entry| !entry.heard.within(fresh, now)).map(|entry| entry.node);
            let before = vnode.predecessors.iter().take(BEYOND + 1).filter(|_| prdc).map(|pred| pred.node);
            let beyond: Vec<Node> = after.chain(before).filter(|node| node != silent).collect();
            for node in beyond {
                self.probe(cx, at, &node);
            }
        }
    }

    /// Asks others whether a suspect lives.
    fn confirm(&mut self, cx: &mut Context<'_>, (at, node): (usize, Node)) {
        // One of our own is never dead, only busy: its suspicion would wait for ever for a verdict.
        let own = self.vnodes.iter().any(|vnode| vnode.node == node);
        if own
            || self.detector.confirming.iter().any(|confirming| confirming.node == node)
            || self.detector.confirming.len() >= MOST_CONFIRMING
        {
            return;
        }
        let (since, until) = (cx.now(), cx.now() + self.config.timers.rto_most);
        let confirming = Confirming { node, at, waiting: 0, silent: 0, rounds: 0, until, since };
        self.detector.confirming.push(confirming);
        self.ask_relays(cx, &node);
    }

    pub(crate) fn ask_relays(&mut self, cx: &mut Context<'_>, node: &Node) {
        let Some(index) = self.detector.confirming.iter().position(|each| each.node == *node) else { return };
        let at = self.detector.confirming[index].at;
        let relays = self.relays(cx, at, node, usize::from(self.config.timers.relays));
        let asked = u8::try_from(relays.len()).unwrap_or(u8::MAX);
        let target = self.rto(node);
        // Twice the slowest relay's way to us and to the suspect.
        let slowest = relays.iter().map(|relay| self.rto(relay)).max().unwrap_or(target);
        let confirming = &mut self.detector.confirming[index];
        confirming.rounds += 1;
        confirming.waiting = asked;
        confirming.until = cx.now() + (slowest + target) * 2;
        let message = Message::PingReq(wire::PingReq { target: node.contact(), state: None });
        for relay in &relays {
            let (purpose, rto) = (Purpose::Ring(Call::Relay), slowest + target);
            self.call_with(cx, Plan { at, to: *relay, purpose, rto, sends: 2 }, &message);
        }
        if relays.is_empty() {
            self.check_detached(cx, at);
            // Nobody to ask: a second round of pings decides, unless we are detached.
            self.ping(cx, (at, *node), Call::Confirm);
            if let Some(confirming) = self.detector.confirming.get_mut(index) {
                confirming.until = cx.now() + WINDOW;
            }
        }
    }

    /// Up to `count` nodes that answer, on hosts of their own, chosen at random; under the rule for the public
    /// network in different /16 as far as there are such.
    pub(crate) fn relays(&self, cx: &mut Context<'_>, at: usize, but: &Node, count: usize) -> Vec<Node> {
        let vnode = &self.vnodes[at];
        let listed = vnode.list.entries().chain(vnode.predecessor);
        let usable = |entry: &Entry| {
            entry.is_usable()
                && entry.node.endpoint != but.endpoint
                && Some(entry.node.endpoint) != self.endpoint
        };
        let mut choice: Vec<Node> =
            listed.chain(vnode.fingers.iter()).filter(usable).map(|entry| entry.node).collect();
        choice.extend(self.small_relays(at, but));
        choice.sort_unstable_by_key(|node| node.endpoint);
        choice.dedup_by_key(|node| node.endpoint);
        // Fisher and Yates, then those of new prefixes first.
        for index in (1..choice.len()).rev() {
            let other = cx.rng().below(index as u32 + 1) as usize;
            choice.swap(index, other);
        }
        let mut prefixes: Vec<u64> = Vec::new();
        let mut seen = |node: &Node| {
            let prefix = prefix16(node);
            let seen = prefixes.contains(&prefix);
            prefixes.push(prefix);
            seen
        };
        choice.sort_by_cached_key(&mut seen);
        choice.truncate(count);
        choice
    }

    /// It lives, but we cannot reach it: it keeps its place and is read through others.
    pub(crate) fn only_relayed(&mut self, node: &Node) {
        for vnode in &mut self.vnodes {
            let relayed = |entry: &mut Entry| (entry.relay_only, entry.health) = (true, Health::Alive);
            vnode.list.update(node, relayed);
            if let Some(prdc) = vnode.predecessor.as_mut().filter(|prdc| prdc.node == *node) {
                relayed(prdc);
            }
        }
        self.predecessor_lives(node);
    }

    /// No relay reached it in time, or all have answered.
    pub(crate) fn decide(&mut self, cx: &mut Context<'_>, node: &Node) {
        let Some(index) = self.detector.confirming.iter().position(|each| each.node == *node) else { return };
        let confirming = self.detector.confirming[index].clone();
        if self.vnodes.get(confirming.at).is_some_and(|vnode| vnode.mode == Mode::Detached) {
            self.detector.confirming.swap_remove(index);
        } else if confirming.silent > 0 {
            self.detector.excuse();
            self.on_dead(cx, node);
        } else if confirming.rounds < MOST_ROUNDS {
            self.ask_relays(cx, node);
        } else {
            // Neither it nor its relays answer: more likely we are the ones cut off. The next heartbeat asks again.
            self.detector.confirming.swap_remove(index);
            self.check_detached(cx, confirming.at);
        }
    }

    /// A second round of pings, for want of relays, went unanswered.
    pub(crate) fn on_confirm_failed(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        let frozen = self.vnodes[at].mode == Mode::Detached || self.detector.factor() > 4;
        if frozen {
            self.detector.confirming.retain(|confirming| confirming.node != *node);
        } else if self.detector.confirming.iter().any(|confirming| confirming.node == *node) {
            self.on_dead(cx, node);
        }
    }

    /// Decides the suspicions whose time is over.
    pub(crate) fn decide_due(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let due: Vec<Node> =
            self.detector.confirming.iter().filter(|each| each.until <= now).map(|each| each.node).collect();
        for node in due {
            self.decide(cx, &node);
        }
    }

    /// A node says it is of no ring. If it only froze, it keeps its place.
    pub(crate) fn on_not_member(&mut self, cx: &mut Context<'_>, at: usize, node: &Node, mode: Mode) {
        // A joiner of a small ring may be asked by those who know it is a member before it knows itself.
        let welcome_under_way = self.small_newcomer(at, node, WINDOW, cx.now());
        if mode == Mode::Joining && !self.small_pending(at, node) && !welcome_under_way {
            self.on_dead(cx, node);
        }
    }

    /// A relay has answered.
    pub(crate) fn on_relay_answer(
        &mut self,
        cx: &mut Context<'_>,
        asked: Instant,
        result: &wire::PingRes<'_>,
    ) {
        let Some(node) = Node::of(self.config.id_rule, &result.target) else { return };
        let of = |each: &Confirming| each.node == node && each.since <= asked;
        let Some(index) = self.detector.confirming.iter().position(of) else { return };
        if !matches!(result.result, Relayed::Silent) {
            self.detector.confirming.swap_remove(index);
            return self.only_relayed(&node);
        }
        let confirming = &mut self.detector.confirming[index];
        confirming.silent = confirming.silent.saturating_add(1);
        confirming.waiting = confirming.waiting.saturating_sub(1);
        if confirming.waiting == 0 {
            self.decide(cx, &node);
        }
    }
}

/// The first two bytes of an IPv4 address, the first four of an IPv6 one.
pub(crate) fn prefix16(node: &Node) -> u64 {
    match node.endpoint.ip() {
        std::net::IpAddr::V4(ip) => u64::from(u32::from(ip) >> 16),
        std::net::IpAddr::V6(ip) => (u128::from(ip) >> 96) as u64 | 1 << 63,
    }
}
