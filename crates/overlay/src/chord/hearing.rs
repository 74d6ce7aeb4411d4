//! What hearing from a node, or its death, means for all tables of this host.
//!
//! Only proof counts: a valid token, or the answer to a request of ours. A node heard is alive; a lower incarnation of
//! the same id is dead. A node confirmed dead leaves every list (2.3 E) but stays as predecessor, marked.

use super::Context;
use super::core::{Core, Received};
use super::node::{Health, Node};
use super::notice::Notice;
use super::vnode::{Op, Pred, Vnode};
use throng_machine::Instant;
use throng_wire::chord::{Claim, Flags, Mode, btw};

impl Core {
    /// A message with proof of its source. `false` if a later incarnation of the sender is known: it is a ghost.
    pub(crate) fn heard(&mut self, cx: &mut Context<'_>, from: &Received) -> bool {
        let (node, now) = (from.from, cx.now());
        if self.knows_later(&node) {
            return false;
        }
        self.supersede(cx, &node);
        if from.header.flags.has(Flags::LEAF) || from.header.flags.has(Flags::LEAVING) {
            return true;
        }
        self.detector.revive(&node);
        let reached = |vnode: &Vnode| vnode.head().is_some_and(|head| head.node == node && head.relay_only);
        for at in 0..self.vnodes.len() {
            if from.sample.is_some() && reached(&self.vnodes[at]) {
                // Nothing was said to it through others; who we are is due.
                self.stabilise_now(cx, at);
            }
            let vnode = &mut self.vnodes[at];
            let known = vnode.list.update(&node, |entry| entry.on_heard(from.sample, now));
            if let Some(entry) = vnode.predecessor.as_mut().filter(|entry| entry.node == node) {
                entry.on_heard(from.sample, now);
            }
            if !known && vnode.mode == Mode::Ring && vnode.node.id != node.id {
                vnode.fingers.heard(vnode.node.id, &node, from.sample, now);
            }
        }
        true
    }

    fn knows_later(&self, node: &Node) -> bool {
        self.vnodes.iter().any(|vnode| {
            let prdc = vnode.predecessor.map(|entry| entry.node);
            vnode.list.nodes().chain(prdc).any(|known| node.is_before(&known))
        })
    }

    /// Earlier runs of a node that has just been heard are dead.
    fn supersede(&mut self, cx: &mut Context<'_>, node: &Node) {
        let mut old: Vec<Node> = Vec::new();
        for vnode in &self.vnodes {
            let prdc = vnode.predecessor.as_ref().filter(|entry| entry.health != Health::Dead);
            let known = vnode.list.nodes().chain(prdc.map(|entry| entry.node));
            let bound = vnode.bound.map(|bound| bound.node);
            old.extend(known.chain(bound).filter(|known| known.is_before(node)));
        }
        old.dedup();
        for node in old {
            self.on_dead(cx, &node);
        }
    }

    /// A node said what it owns.
    pub(crate) fn hear_claim(&mut self, cx: &mut Context<'_>, node: &Node, claim: Claim) {
        for at in 0..self.vnodes.len() {
            let vnode = &mut self.vnodes[at];
            for pred in &mut vnode.predecessors {
                if pred.node == *node {
                    pred.claim = claim;
                }
            }
            if let Some(bound) = vnode.bound.as_mut().filter(|bound| bound.node == *node)
                && claim.is_active()
            {
                bound.claim = claim;
            }
            if !vnode.is_member() {
                continue;
            }
            if claim.is_active() {
                self.yield_to(cx, at, &Pred { node: *node, claim });
            }
            if self.vnodes[at].predecessor.as_ref().is_some_and(|prdc| prdc.node == *node) {
                self.review(cx, at);
            }
        }
    }

    /// A node was confirmed dead, has left, or is of no ring any more (E, B2, C2, O4).
    pub(crate) fn on_dead(&mut self, cx: &mut Context<'_>, node: &Node) {
        if self.vnodes.iter().any(|vnode| vnode.node == *node) {
            return;
        }
        let now = cx.now();
        self.detector.bury(node, usize::from(self.config.limits.dead), self.config.timers.dead, now);
        let involved = self.vnodes.iter().any(|vnode| vnode.entry(node).is_some());
        if involved {
            let most = usize::from(self.config.limits.passive);
            self.passive.add(*node, most, now, self.config.timers.probe);
            self.arm_passive(cx);
        }
        for at in 0..self.vnodes.len() {
            self.lost(cx, at, node);
        }
        self.notices.push_back(Notice::Dead { node: *node });
    }

    fn lost(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        let vnode = &mut self.vnodes[at];
        vnode.fingers.dropped(node);
        vnode.notifiers.retain(|notifier| notifier != node);
        let was_head = vnode.head().is_some_and(|head| head.node == *node);
        let was_listed = vnode.list.remove(node);
        let before = vnode.predecessors.len();
        vnode.bridge(node);
        vnode.predecessors.retain(|pred| pred.node != *node);
        let was_pred = before != vnode.predecessors.len();
        let mut was_prdc = false;
        if let Some(prdc) = vnode.predecessor.as_mut().filter(|prdc| prdc.node == *node) {
            prdc.health = Health::Dead;
            was_prdc = true;
        }
        if was_listed {
            vnode.known = 0;
        }
        if vnode.grant.as_ref().is_some_and(|grant| grant.to == *node) {
            vnode.grant = None;
        }
        self.small_lost(cx, at, node);
        self.take_over(cx, at, node);
        if was_prdc {
            self.adopt_waiting(cx, at);
        }
        if was_listed || was_pred || was_prdc {
            self.notices.push_back(Notice::ListChanged { at });
        }
        self.op_lost(cx, at, node);
        if was_listed && self.vnodes[at].mode == Mode::Ring {
            self.update_most(at);
            self.sweep(cx, at);
            if self.vnodes[at].list.is_empty() {
                self.mend(cx, at);
            } else if was_head {
                self.tell_of_death(cx, at, node);
                self.stabilise_now(cx, at);
            }
        }
    }

    /// Deaths come together: after the second within ten seconds everybody in the list is asked, once.
    fn sweep(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        if !self.detector.deaths_pile_up(now) {
            return;
        }
        let fresh = self.config.timers.heartbeat;
        let entries = self.vnodes[at].list.entries();
        let silent: Vec<Node> =
            entries.filter(|entry| !entry.heard.within(fresh, now)).map(|entry| entry.node).collect();
        for node in silent {
            self.probe(cx, at, &node);
        }
    }

    /// What the death of a node does to the pending read: B2 and C2.
    fn op_lost(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        match self.vnodes[at].op {
            Op::AwaitHead { head, txid } if head == *node => {
                self.rpc.take(txid);
                self.finish(cx, at);
            }
            Op::AwaitCand { head, txid, .. } if head == *node => {
                self.rpc.take(txid);
                self.finish(cx, at);
            }
            Op::AwaitCand { cand, txid, head } if cand == *node => {
                self.rpc.take(txid);
                self.send_notify(cx, at, &head);
                self.finish(cx, at);
            }
            _ => {}
        }
    }

    /// Whether a node known from others may enter a list: not one of ours, not confirmed dead.
    pub(crate) fn is_welcome(&self, node: &Node, now: Instant) -> bool {
        !self.detector.is_dead(node, self.config.timers.dead, now)
            && !self.vnodes.iter().any(|vnode| node.is_before(&vnode.node))
    }

    /// F: inserts a node that answered us, if it lies before the last entry.
    pub(crate) fn insert(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) -> bool {
        let vnode = &mut self.vnodes[at];
        let me = vnode.id();
        if vnode.mode != Mode::Ring || vnode.list.holds(node) || !vnode.list.spans(me, node.id) {
            return false;
        }
        let head = vnode.head().map(|head| head.node);
        let most = usize::from(vnode.most);
        if !vnode.list.merge(me, [*node], most) {
            return false;
        }
        vnode.list.update(node, |entry| entry.on_heard(None, cx.now()));
        vnode.known = 0;
        self.notices.push_back(Notice::ListChanged { at });
        if head.is_some_and(|head| btw(me, node.id, head.id)) {
            self.head_changed(cx, at);
            self.send_notify(cx, at, node);
            self.stabilise_now(cx, at);
        }
        true
    }
}
