//! D of section 2.3: what a Notify does, and the heartbeat of head and predecessor.
//!
//! The predecessor once set is only ever replaced: by a node between it and us, or, when it is confirmed dead, by one
//! that notified us.

use super::Context;
use super::core::{Core, Received};
use super::node::{Entry, Health, Node, Stamp};
use super::notice::Notice;
use super::vnode::Pred;
use throng_wire::chord::{self as wire, Claim, Flags, Message, Mode, btw, dist};

/// Notifies that may wait for news of the predecessor.
const MOST_WAITING: usize = 8;

impl Core {
    /// Somebody believes to be our predecessor.
    pub(crate) fn on_notify(&mut self, cx: &mut Context<'_>, from: &Received, notify: &wire::Notify<'_>) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        let vnode = &self.vnodes[at];
        if !vnode.is_member() || vnode.mode == Mode::Solo || vnode.is_gone() {
            return self.refuse(cx, from);
        }
        // Sent before its goodbye, which has overtaken it.
        let parted = from.header.flags.has(Flags::LEAVING)
            && self.detector.is_dead(&from.from, self.config.timers.dead, cx.now());
        if !parted {
            self.rectify(cx, at, from.from);
            let prdc = self.vnodes[at].predecessor.as_ref();
            if prdc.is_some_and(|prdc| prdc.node == from.from) {
                self.advertised(cx, at, from.from, notify);
            }
            self.hear_claim(cx, &from.from, notify.claim);
        }
        let vnode = &self.vnodes[at];
        let prdc = vnode.predecessor.as_ref().map(|prdc| prdc.node.contact());
        let message = Message::NotifyAck(wire::NotifyAck { prdc, claim: vnode.claim });
        self.reply(cx, from, &message);
    }

    /// The rules of D for a node that has spoken for itself.
    fn rectify(&mut self, cx: &mut Context<'_>, at: usize, node: Node) {
        let vnode = &self.vnodes[at];
        if vnode.mode != Mode::Ring {
            // In a small ring the predecessor follows from the table.
            return;
        }
        let me = vnode.id();
        let Some(prdc) = vnode.predecessor else { return self.set_predecessor(cx, at, node) };
        if prdc.node == node {
            return;
        }
        if prdc.node.is_before(&node) || btw(prdc.node.id, node.id, me) {
            self.set_predecessor(cx, at, node);
            if prdc.health != Health::Dead && !prdc.node.is_before(&node) {
                // It will find the new node between us by itself.
                self.tell(cx, (at, prdc.node), &Message::Nudge(wire::Nudge {}));
            }
        } else if prdc.health == Health::Dead {
            self.set_predecessor(cx, at, node);
        } else if !node.is_before(&prdc.node) {
            let waiting = &mut self.vnodes[at].notifiers;
            if waiting.len() < MOST_WAITING && !waiting.contains(&node) {
                waiting.push(node);
            }
            self.probe(cx, at, &prdc.node);
        }
    }

    /// The predecessor is confirmed dead: the nearest of those that notified us takes its place.
    pub(crate) fn adopt_waiting(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        let me = vnode.id();
        let waiting = std::mem::take(&mut vnode.notifiers);
        if vnode.mode == Mode::Ring
            && let Some(nearest) = waiting.into_iter().min_by_key(|node| dist(node.id, me))
        {
            self.set_predecessor(cx, at, nearest);
        }
    }

    /// The predecessor lives: who notified us meanwhile is not it.
    pub(crate) fn predecessor_lives(&mut self, node: &Node) {
        for vnode in &mut self.vnodes {
            if vnode.predecessor.as_ref().is_some_and(|prdc| prdc.node == *node)
                && !vnode.notifiers.is_empty()
            {
                vnode.notifiers = Vec::new();
            }
        }
    }

    /// Replaces the predecessor; nothing else ever changes it in a large ring.
    pub(crate) fn set_predecessor(&mut self, cx: &mut Context<'_>, at: usize, node: Node) {
        let most = usize::from(self.config.replicas).max(1);
        let vnode = &mut self.vnodes[at];
        let me = vnode.id();
        let mut entry = vnode.list.find(&node).unwrap_or_else(|| Entry::hearsay(node));
        entry.on_heard(None, cx.now());
        vnode.predecessor = Some(entry);
        vnode.notifiers.retain(|waiting| btw(node.id, waiting.id, me));
        vnode.predecessors.retain(|pred| pred.node != node && btw(me, pred.node.id, node.id));
        vnode.predecessors.insert(0, Pred { node, claim: Claim::Inactive });
        vnode.predecessors.truncate(most);
        vnode.known = 0;
        if vnode.grant.as_ref().is_some_and(|grant| grant.epoch == 0 && grant.to != node) {
            // A copy not yet switched is for the wrong node now; the new one is given the range below it.
            vnode.grant = None;
        }
        self.notices.push_back(Notice::ListChanged { at });
    }

    /// What the predecessor tells of itself and those before it.
    fn advertised(&mut self, cx: &mut Context<'_>, at: usize, node: Node, notify: &wire::Notify<'_>) {
        let rule = self.config.id_rule;
        let most = usize::from(self.config.replicas).max(1);
        let now = cx.now();
        let me = self.vnodes[at].node;
        let further: Vec<Pred> = notify
            .plist
            .iter()
            .filter_map(|other| Some(Pred { node: Node::of(rule, &other.contact)?, claim: other.claim }))
            // The list ends where it comes round to us.
            .take_while(|pred| btw(me.id, pred.node.id, node.id))
            .filter(|pred| self.is_welcome(&pred.node, now))
            .collect();
        let mut fresh: Vec<Pred> = vec![Pred { node, claim: notify.claim }];
        for pred in further {
            if fresh.last().is_some_and(|last| btw(me.id, pred.node.id, last.node.id)) {
                fresh.push(pred);
            }
        }
        fresh.truncate(most);
        let vnode = &mut self.vnodes[at];
        vnode.notified = Stamp::at(now);
        let changed = !vnode.predecessors.iter().map(|pred| pred.node).eq(fresh.iter().map(|pred| pred.node));
        vnode.predecessors = fresh;
        vnode.predecessors.shrink_to_fit();
        if changed {
            self.notices.push_back(Notice::ListChanged { at });
        }
    }

    /// Our Notify was taken: the head says whom it has as predecessor.
    pub(crate) fn on_notify_ack(&mut self, cx: &mut Context<'_>, from: &Received, ack: &wire::NotifyAck) {
        self.hear_claim(cx, &from.from, ack.claim);
        let at = from.at;
        let me = self.vnodes[at].node;
        let prdc = ack.prdc.and_then(|prdc| Node::of(self.config.id_rule, &prdc));
        let is_head = self.vnodes[at].head().is_some_and(|head| head.node == from.from);
        if let Some(prdc) = prdc
            && is_head
            && btw(me.id, prdc.id, from.from.id)
            && self.is_welcome(&prdc, cx.now())
        {
            self.stabilise_now(cx, at);
        }
    }

    /// Somebody asks us to stabilise now; at most once a second a sender is heard, for all senders together here.
    pub(crate) fn on_nudge(&mut self, cx: &mut Context<'_>, from: &Received) {
        if !self.is_proved(cx, from) {
            return;
        }
        let second = std::time::Duration::from_secs(1);
        if self.detector.nudge(cx.now(), second) {
            self.stabilise_now(cx, from.at);
        }
    }

    /// Head and predecessor are looked after, unless they were heard a moment ago.
    pub(crate) fn heartbeat(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let period = self.config.timers.heartbeat.mul_f32(self.detector.haste(now));
        let vnode = &mut self.vnodes[at];
        vnode.heartbeat_at = None;
        if vnode.mode == Mode::Solo {
            // Nobody to look after yet; whoever joins makes us a small ring without a word to this timer.
            vnode.heartbeat_at = Some(now + period);
        }
        if !matches!(vnode.mode, Mode::Small | Mode::Ring | Mode::Detached) {
            return;
        }
        // A tenth of the period of grace: who is asked by its neighbour in time is not asked back.
        let fresh = period.mul_f32(0.9);
        let detached = vnode.mode == Mode::Detached;
        let watched: Vec<Node> = vnode
            .list
            .entries()
            .enumerate()
            .filter(|(index, entry)| *index == 0 || entry.health == Health::Suspect || detached)
            .map(|(_, entry)| entry)
            .chain(vnode.predecessor.filter(|prdc| prdc.health != Health::Dead))
            .filter(|entry| !entry.heard.within(fresh, now) && !entry.relay_only)
            .map(|entry| entry.node)
            .collect();
        let below = vnode.bound.map(|bound| bound.node).filter(|bound| vnode.entry(bound).is_none());
        vnode.heartbeat_at = Some(now + period);
        let far = if detached { self.lifelines(cx, at) } else { Vec::new() };
        for node in watched.into_iter().chain(below).chain(far) {
            self.probe(cx, at, &node);
        }
        self.recheck_relayed(cx, at);
        self.review(cx, at);
        self.watch_silence(cx, at);
    }

    /// Detached: some of those elsewhere, old contacts and those we were told of, to see whether anybody answers.
    fn lifelines(&mut self, cx: &mut Context<'_>, at: usize) -> Vec<Node> {
        let mut all = self.candidates(at, cx.now());
        let listed = self.vnodes[at].list.len();
        all.drain(..listed.min(all.len()));
        while all.len() > 4 {
            let drop = cx.rng().below(all.len() as u32) as usize;
            all.swap_remove(drop);
        }
        all
    }

    /// Neighbours that only others reach: ask one of them again whether it lives.
    fn recheck_relayed(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &self.vnodes[at];
        let relayed = vnode.list.head().into_iter().chain(vnode.predecessor);
        let relayed: Vec<Node> = relayed
            .filter(|entry| entry.relay_only && entry.health != Health::Dead)
            .map(|entry| entry.node)
            .collect();
        for node in relayed {
            // A direct answer makes it an ordinary neighbour again; without one, others are asked.
            self.probe(cx, at, &node);
        }
    }

    /// A ping: the claim of who owns what comes with it.
    pub(crate) fn on_ping(&mut self, cx: &mut Context<'_>, from: &Received, ping: &wire::Ping) {
        if self.vnodes[from.at].mode == Mode::Joining || self.vnodes[from.at].is_gone() {
            return self.refuse(cx, from);
        }
        if from.proved {
            self.hear_claim(cx, &from.from, ping.claim);
        }
        let claim = self.vnodes[from.at].claim;
        let clock = self.clock.saturating_mul(1_000).saturating_add(cx.now().as_micros() / 1_000);
        let seen = from.from.endpoint.socket_addr();
        self.reply(cx, from, &Message::Pong(wire::Pong { claim, seen, clock }));
    }
}
