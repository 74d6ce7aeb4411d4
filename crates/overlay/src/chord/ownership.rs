//! Who owns which keys (section 2.9): O1 to O6. An Active node x owns (low(x), x]; inactive nodes own nothing.
//!
//! A range is copied, then switched, and deleted much later by the store. The giver narrows its own claim before it
//! says so: a grant never makes two owners. Only direct contact moves ownership, never hearsay.

use super::Context;
use super::core::Core;
use super::maintenance::Call;
use super::node::{Health, Node};
use super::notice::Notice;
use super::vnode::Pred;
use throng_wire::chord::{self as wire, Claim, Message, Mode, RingId, btw};

/// Predecessors read by one walk at least, so that it comes round every ring that founders begin.
const MOST_READS: u8 = 48;

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
        let going = !own && reads < MOST_READS.max(2 * self.vnodes[at].most);
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
        } else if back.is_some_and(|back| back.id == me) {
            self.sole_owner(cx, at);
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

    /// The walk came round to us, and everybody on it said itself that it owns nothing: we own everything, and give to each
    /// its part. Should an owner have been passed over after all, its first word makes us yield (O3).
    fn sole_owner(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        vnode.rare().walk = None;
        (vnode.bound, vnode.grant) = (None, None);
        let me = vnode.id();
        self.claim_from(at, me);
        self.review(cx, at);
    }

    /// Changes the lower end of what an Active node owns.
    pub(crate) fn claim_from(&mut self, at: usize, low: RingId) {
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
