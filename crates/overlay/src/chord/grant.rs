//! O1 and O2 of section 2.9: a range is copied to a joiner, then switched; the giver narrows its own claim first.

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::node::Node;
use super::notice::Notice;
use super::violation::Violation;
use super::vnode::{Grant, Pred};
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{self as wire, Claim, Message, Mode, RingId, btw, own};

/// A Switch that was not acknowledged is repeated after this.
const REPEAT: Duration = Duration::from_secs(1);

impl Core {
    /// O2: the predecessor is a joiner; copy to it what lies before it, then switch.
    pub(crate) fn grant(&mut self, cx: &mut Context<'_>, at: usize, to: Node, low: RingId) {
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
        self.tell_head(cx, at);
        self.send_switch(cx, at);
    }

    /// We gave part of our range away: our successor learns it at once. Should we die before it heard, it would take over
    /// what is the joiner's by now (O4), and two would own it until they hear of each other.
    fn tell_head(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &self.vnodes[at];
        if let Some(head) = vnode.head().filter(|_| vnode.mode == Mode::Ring) {
            self.ping(cx, (at, head.node), Call::Probe);
        }
    }

    pub(crate) fn send_switch(&mut self, cx: &mut Context<'_>, at: usize) {
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

    pub(crate) fn keep_switch(&mut self, at: usize, txid: Option<u64>, due: Instant) {
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
        if !vnode.list.holds(&from.from) && !self.small_knows(at, &from.from) {
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
        // It may not know us yet, or not know yet that it is a member. Given the range again at once it would refuse it
        // again, as fast as packets travel; by the next look at the neighbours somebody will have told it.
        let (soon, vnode) = (cx.now() + REPEAT, &mut self.vnodes[at]);
        vnode.heartbeat_at = Some(vnode.heartbeat_at.map_or(soon, |due| due.min(soon)));
    }
}
