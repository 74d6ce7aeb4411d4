//! Who owns which keys (section 2.9): O1 to O6. An Active node x owns (low(x), x]; inactive nodes own nothing.
//!
//! A range is copied, then switched, and deleted much later by the store. The giver narrows its own claim before it
//! says so: a grant never makes two owners. Only direct contact moves ownership, never hearsay.

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::node::{Health, Node};
use super::notice::Notice;
use super::violation::Violation;
use super::vnode::{Grant, Pred};
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{self as wire, Claim, Message, Mode, RingId, btw, own};

/// A Switch that was not acknowledged is repeated after this.
const REPEAT: Duration = Duration::from_secs(1);

impl Core {
    /// Looks at the predecessor and what it owns, and does what O2, O3 or O5 demand.
    pub(crate) fn review(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &self.vnodes[at];
        let (me, Some(low)) = (vnode.id(), vnode.claim.low()) else { return };
        let Some(prdc) = vnode.predecessor.filter(|prdc| prdc.health != Health::Dead) else { return };
        let claim = vnode.predecessors.iter().find(|pred| pred.node == prdc.node).map(|pred| pred.claim);
        if prdc.node.id == me {
            return;
        }
        if prdc.node.id == low {
            // It was given its range, or it is another run of the one that owned it and owns nothing yet.
            let idle = vnode.grant.is_none() && claim == Some(Claim::Inactive) && prdc.is_usable();
            if idle {
                self.walk_from(cx, at, &prdc.node);
            }
            return;
        }
        if !btw(low, prdc.node.id, me) {
            return self.repair_orphan(cx, at, &prdc.node);
        }
        match claim {
            Some(claim @ Claim::Active { .. }) => self.yield_to(cx, at, &Pred { node: prdc.node, claim }),
            // Only one that has notified us is known to be inactive; others may not have spoken yet.
            Some(Claim::Inactive) if prdc.health == Health::Alive && !prdc.relay_only => {
                self.grant(cx, at, prdc.node, low);
            }
            _ => {}
        }
    }

    /// O3: an Active node's own id always beats its successor's older claim.
    pub(crate) fn yield_to(&mut self, _cx: &mut Context<'_>, at: usize, node: &Pred) {
        let vnode = &mut self.vnodes[at];
        let me = vnode.id();
        let Some(low) = vnode.claim.low() else { return };
        if node.node.id == low {
            vnode.bound = Some(*node);
            return;
        }
        if !btw(low, node.node.id, me) {
            return;
        }
        if vnode.grant.as_ref().is_some_and(|grant| !btw(node.node.id, grant.to.id, me)) {
            vnode.grant = None;
        }
        vnode.bound = Some(*node);
        self.claim_from(at, node.node.id);
    }

    /// O2: the predecessor is a joiner; copy to it what lies before it, then switch.
    fn grant(&mut self, cx: &mut Context<'_>, at: usize, to: Node, low: RingId) {
        let due = cx.now() + self.config.timers.copy;
        let vnode = &mut self.vnodes[at];
        if vnode.grant.as_ref().is_some_and(|grant| grant.to == to || grant.epoch != 0) {
            return;
        }
        vnode.grant = Some(Box::new(Grant { to, low, epoch: 0, due, txid: None, digest: [0; 16] }));
        self.notices.push_back(Notice::Copy { at, to, low, high: to.id });
    }

    /// The store has copied what a grant needs, or has nothing to copy; `digest` is the root of the range's tree.
    pub(crate) fn copied(&mut self, at: usize, to: &Node, digest: [u8; 16]) {
        let ready = |grant: &&mut Box<Grant>| grant.to == *to && grant.epoch == 0;
        if let Some(grant) = self.vnodes.get_mut(at).and_then(|vnode| vnode.grant.as_mut()).filter(ready) {
            (grant.due, grant.digest) = (Instant::EPOCH, digest);
        }
    }

    /// A grant's time has come: switch, or repeat the switch.
    pub(crate) fn on_grant_due(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &self.vnodes[at];
        let Some(grant) = vnode.grant.as_deref().copied() else { return };
        if grant.due > cx.now() {
            return;
        }
        if grant.epoch != 0 {
            return self.send_switch(cx, at);
        }
        let me = vnode.id();
        let still = vnode.predecessor.as_ref().is_some_and(|prdc| prdc.node == grant.to && prdc.is_usable());
        let low = vnode.claim.low().filter(|low| *low == grant.low && btw(*low, grant.to.id, me));
        if !still || low.is_none() {
            self.vnodes[at].grant = None;
            return self.review(cx, at);
        }
        // First our own claim shrinks, then the other is told.
        let below = self.vnodes[at].bound.filter(|bound| bound.node.id == grant.low);
        let lower = below.map_or(0, |bound| match bound.claim {
            Claim::Active { epoch, .. } => epoch,
            Claim::Inactive => 0,
        });
        let claim = Claim::Active { low: grant.low, epoch: lower };
        self.vnodes[at].bound = Some(Pred { node: grant.to, claim });
        self.claim_from(at, grant.to.id);
        let epoch = self.vnodes[at].epoch;
        if let Some(grant) = self.vnodes[at].grant.as_mut() {
            grant.epoch = epoch;
        }
        self.send_switch(cx, at);
    }

    fn send_switch(&mut self, cx: &mut Context<'_>, at: usize) {
        let Some(grant) = self.vnodes[at].grant.as_deref().copied() else { return };
        if let Some(txid) = grant.txid.filter(|txid| self.rpc.find(*txid).is_some()) {
            // One is on its way already.
            return self.keep_switch(at, Some(txid), cx.now() + REPEAT);
        }
        let Grant { to, low, epoch, digest, .. } = grant;
        let message = Message::Switch(wire::Switch { low, high: to.id, epoch, digest });
        let txid = self.ask(cx, (at, to), Call::Switch, &message);
        self.keep_switch(at, txid, cx.now() + REPEAT);
    }

    /// A Switch went unanswered; it is repeated while the joiner is not confirmed dead.
    pub(crate) fn switch_unanswered(&mut self, at: usize, txid: u64) {
        let matching = |grant: &&mut Box<Grant>| grant.txid == Some(txid);
        if let Some(grant) = self.vnodes[at].grant.as_mut().filter(matching) {
            grant.txid = None;
        }
    }

    fn keep_switch(&mut self, at: usize, txid: Option<u64>, due: Instant) {
        if let Some(grant) = self.vnodes[at].grant.as_mut() {
            (grant.txid, grant.due) = (txid, due);
        }
    }

    /// A key asked of us lies in a range we gave away and which was not acknowledged yet (3.2, step 2): the Switch is
    /// repeated; returns who owns the key now.
    pub(crate) fn granted(&mut self, cx: &mut Context<'_>, at: usize, key: RingId) -> Option<Node> {
        let grant = self.vnodes[at].grant.as_deref().copied().filter(|grant| grant.epoch != 0)?;
        own(grant.low, key, grant.to.id).then(|| {
            self.send_switch(cx, at);
            grant.to
        })
    }

    /// O1: ownership reaches us. Only from a member of our own list, for a range ending at us, once.
    pub(crate) fn on_switch(&mut self, cx: &mut Context<'_>, from: &Received, switch: &wire::Switch) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        let vnode = &mut self.vnodes[at];
        if !vnode.is_member() {
            return self.refuse(cx, from);
        }
        let me = vnode.id();
        let ack = Message::SwitchAck(wire::SwitchAck { epoch: switch.epoch });
        let spans = switch.high == me && btw(switch.low, me, from.from.id);
        if !spans {
            return self.blame(Violation::Impossible);
        }
        let last = vnode.rare.as_ref().and_then(|rare| rare.switched);
        if last.is_some_and(|(giver, epoch)| giver == from.from && switch.epoch <= epoch) {
            // Our acknowledgement was lost; an older one than the last is not taken again.
            return self.reply(cx, from, &ack);
        }
        if vnode.claim.is_active() {
            // We own a range already, perhaps part of this one given on; what is said is old.
            return self.reply(cx, from, &ack);
        }
        if vnode.list.find(&from.from).is_none() && !self.small_knows(at, &from.from) {
            // Others have come between us: it shall have its range back, and give it to the nearest.
            self.blame(Violation::NotYours);
            return self.refuse(cx, from);
        }
        let vnode = &mut self.vnodes[at];
        if !vnode.ready {
            // Returned from the dead: first we learn what we missed. The giver asks again.
            return;
        }
        vnode.rare().switched = Some((from.from, switch.epoch));
        let bound = vnode.predecessors.iter().find(|pred| pred.node.id == switch.low).copied();
        vnode.bound = bound;
        self.activate(at, switch.low);
        self.reply(cx, from, &ack);
        self.review(cx, at);
    }

    /// The joiner has what we gave it.
    pub(crate) fn on_switch_ack(&mut self, cx: &mut Context<'_>, from: &Received, epoch: u32) {
        let vnode = &mut self.vnodes[from.at];
        let matching = |grant: &&Grant| grant.to == from.from && grant.epoch == epoch && epoch != 0;
        if vnode.grant.as_deref().filter(matching).is_some()
            && let Some(grant) = vnode.grant.take()
        {
            let claim = Claim::Active { low: grant.low, epoch: 0 };
            let known = vnode.predecessors.iter_mut().find(|pred| pred.node == grant.to);
            if let Some(pred) = known.filter(|pred| !pred.claim.is_active()) {
                pred.claim = claim;
            }
            self.review(cx, from.at);
        }
    }

    /// The joiner does not take what we gave it, because others are between us by now: it is ours again.
    pub(crate) fn on_switch_refused(&mut self, cx: &mut Context<'_>, at: usize, from: &Node) {
        let vnode = &mut self.vnodes[at];
        let refused = |grant: &&Grant| grant.to == *from && grant.epoch != 0;
        let Some(low) = vnode.grant.as_deref().filter(refused).map(|grant| grant.low) else { return };
        vnode.grant = None;
        if vnode.claim.low() == Some(from.id) {
            vnode.bound = vnode.predecessors.iter().find(|pred| pred.node.id == low).copied();
            self.claim_from(at, low);
        }
        self.review(cx, at);
    }

    /// O4: the node at our lower end is dead or has left; what it owned is ours, at once.
    pub(crate) fn take_over(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        let mut gone = *node;
        // Whoever stood below it may be dead as well.
        for _ in 0..16 {
            let vnode = &mut self.vnodes[at];
            let me = vnode.id();
            let Some(bound) = vnode.bound.filter(|bound| bound.node == gone) else { return };
            let (Some(low), Some(lower)) = (vnode.claim.low(), bound.claim.low()) else { return };
            // One of many never owns everything on the word of the dead: O5 finds out who lives.
            let whole = lower == me && vnode.mode != Mode::Ring;
            if low != gone.id || !(whole || btw(me, lower, low)) {
                return;
            }
            vnode.bound = vnode.predecessors.iter().find(|pred| pred.node.id == lower).copied();
            let next = vnode.bound.map(|bound| bound.node);
            self.claim_from(at, lower);
            let kept = self.config.timers.dead;
            match next {
                Some(next) if self.detector.is_dead(&next, kept, cx.now()) => gone = next,
                Some(next) => {
                    // Neighbours die together: is the one below it alive?
                    if self.vnodes[at].predecessor.as_ref().is_none_or(|prdc| prdc.node != next) {
                        self.probe(cx, at, &next);
                    }
                    return;
                }
                None => return,
            }
        }
    }

    /// O5: nobody owns what lies between the predecessor and our lower end, or somebody does whom we do not see.
    fn repair_orphan(&mut self, cx: &mut Context<'_>, at: usize, prdc: &Node) {
        match self.vnodes[at].bound.map(|bound| bound.node) {
            // It answers, or its death is confirmed and O4 follows.
            Some(bound) if !self.detector.is_dead(&bound, self.config.timers.dead, cx.now()) => {
                self.probe(cx, at, &bound);
            }
            _ => self.walk_from(cx, at, prdc),
        }
    }

    /// Reads predecessors, beginning with ours, until one is Active.
    fn walk_from(&mut self, cx: &mut Context<'_>, at: usize, prdc: &Node) {
        let rare = self.vnodes[at].rare();
        if rare.walk.is_none() {
            rare.walk = Some(0);
            self.walk_to(cx, at, prdc);
        }
    }

    fn walk_to(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        let reads = self.vnodes[at].rare.as_ref().and_then(|rare| rare.walk).unwrap_or(0);
        let own = *node == self.vnodes[at].node;
        let message = Message::GetState(wire::GetState { known: 0, skip: 0 });
        let going = !own && reads < 2 * self.vnodes[at].most;
        if !going || self.ask(cx, (at, *node), Call::Walk, &message).is_none() {
            self.vnodes[at].rare().walk = None;
            return;
        }
        self.vnodes[at].rare().walk = Some(reads + 1);
    }

    /// A predecessor further back was read: is it Active?
    pub(crate) fn on_walked(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        node: &Node,
        view: Option<&wire::View<'_>>,
    ) {
        let vnode = &mut self.vnodes[at];
        if vnode.rare.as_ref().is_none_or(|rare| rare.walk.is_none()) {
            return;
        }
        let (me, low) = (vnode.id(), vnode.claim.low());
        let prdc = vnode.predecessor.as_ref().map(|prdc| prdc.node);
        let (Some(view), Some(low), Some(prdc)) = (view, low, prdc) else {
            vnode.rare().walk = None;
            return;
        };
        let orphaned = btw(prdc.id, low, me) || prdc.id == low;
        let back = view.prdc.and_then(|back| Node::of(self.config.id_rule, &back));
        if !orphaned {
            self.vnodes[at].rare().walk = None;
        } else if view.claim.is_active() {
            self.walked_to_owner(cx, at, Pred { node: *node, claim: view.claim });
        } else if let Some(back) = back.filter(|back| btw(me, back.id, node.id)) {
            self.walk_to(cx, at, &back);
        } else {
            self.vnodes[at].rare().walk = None;
        }
    }

    /// The first Active node going back was read: what lies between it and our old lower end has no owner and is ours.
    fn walked_to_owner(&mut self, cx: &mut Context<'_>, at: usize, owner: Pred) {
        let vnode = &mut self.vnodes[at];
        vnode.rare().walk = None;
        // Its own word, younger than its last Notify; with the older one the next review would read it again, at once
        // and for ever.
        if let Some(known) = vnode.predecessors.iter_mut().find(|pred| pred.node == owner.node) {
            known.claim = owner.claim;
        }
        vnode.bound = Some(owner);
        if vnode.claim.low() != Some(owner.node.id) {
            self.claim_from(at, owner.node.id);
        }
        self.review(cx, at);
    }

    /// Changes the lower end of what an Active node owns.
    fn claim_from(&mut self, at: usize, low: RingId) {
        let vnode = &mut self.vnodes[at];
        vnode.epoch = vnode.epoch.saturating_add(1);
        vnode.claim = Claim::Active { low, epoch: vnode.epoch };
        vnode.known = 0;
        self.notices.push_back(Notice::RangeChanged { at });
    }

    /// Becomes Active.
    pub(crate) fn activate(&mut self, at: usize, low: RingId) {
        self.claim_from(at, low);
        self.vnodes[at].ready = true;
        self.notices.push_back(Notice::Active { at });
    }

    /// Owns nothing from now on.
    pub(crate) fn deactivate(&mut self, at: usize) {
        let vnode = &mut self.vnodes[at];
        let was = vnode.claim.is_active();
        vnode.claim = Claim::Inactive;
        vnode.bound = None;
        vnode.grant = None;
        if let Some(rare) = vnode.rare.as_mut() {
            rare.walk = None;
        }
        if was {
            self.notices.push_back(Notice::RangeChanged { at });
        }
    }

    /// The store knows what a returning node missed.
    pub(crate) fn caught_up(&mut self, at: usize) {
        if let Some(vnode) = self.vnodes.get_mut(at) {
            vnode.ready = true;
        }
    }

    /// Whether a virtual node is the last that could own anything: alone, it owns everything.
    pub(crate) fn own_everything(&mut self, at: usize) {
        let vnode = &self.vnodes[at];
        let me = vnode.id();
        if vnode.mode == Mode::Solo && vnode.claim.low() != Some(me) {
            self.vnodes[at].grant = None;
            self.vnodes[at].bound = None;
            if self.vnodes[at].claim.is_active() { self.claim_from(at, me) } else { self.activate(at, me) }
        }
    }
}
