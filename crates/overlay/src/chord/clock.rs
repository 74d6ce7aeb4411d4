//! What is due when: every timer of the ring, folded into one deadline.

use super::core::{Core, Life};
use super::lookup::Goal;
use super::node::Node;
use super::notice::Notice;
use super::{Context, Instant};
use throng_machine::Deadline;
use throng_wire::chord::Mode;

impl Core {
    /// A deadline was reached: late timers mean that this host is not well.
    pub(crate) fn on_clock(&mut self, due: Instant, now: Instant) {
        // Things that were to happen "at once" are no measure.
        if due != Instant::EPOCH {
            self.detector.on_clock(due, now);
        }
    }

    /// When the ring wants to act next.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.rpc.deadline()).at(self.detector.deadline());
        if self.life == Life::Running {
            deadline.at(self.next_vnode).at(self.passive.probe_at);
        }
        for vnode in &self.vnodes {
            deadline.at(vnode.deadline());
        }
        deadline.earliest()
    }

    /// Does all that is due.
    pub(crate) fn on_timeout(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        self.decide_due(cx);
        for at in (0..self.vnodes.len()).rev() {
            self.on_vnode_due(cx, at);
        }
        if self.life != Life::Running {
            return;
        }
        if due(self.next_vnode) {
            self.on_next_vnode(cx);
        }
        if due(self.passive.probe_at) {
            self.probe_passive(cx);
        }
    }

    fn on_vnode_due(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.vnodes[at].stabilise_at) {
            match self.vnodes[at].mode {
                Mode::Small | Mode::Solo => self.small_round(cx, at),
                _ => self.stabilise(cx, at),
            }
        }
        if due(self.vnodes[at].heartbeat_at) {
            self.heartbeat(cx, at);
        }
        if due(self.vnodes[at].check_at) {
            self.self_check(cx, at);
        }
        if self.vnodes[at].grant.as_ref().is_some_and(|grant| grant.due <= now) {
            self.on_grant_due(cx, at);
        }
        let Some(rare) = self.vnodes[at].rare.as_deref() else { return };
        let founding = due(rare.founding.as_ref().and_then(|founding| founding.retry_at));
        let joining = due(rare.joining.as_ref().and_then(|joining| joining.retry_at));
        let small = due(rare.small.as_ref().and_then(|small| small.retry_at));
        let (detached, leaving) = (due(rare.detached), rare.leaving.is_some());
        if founding {
            self.ask_founders(cx, at);
        }
        if joining {
            self.try_join(cx, at);
        }
        if small {
            self.drive_small(cx, at);
        }
        if detached {
            self.on_detached_due(cx, at);
        }
        if leaving {
            self.on_leaving_due(cx, at);
        }
    }

    /// Asks others, by lookups, whether our own id leads to us.
    fn self_check(&mut self, cx: &mut Context<'_>, at: usize) {
        let (now, period) = (cx.now(), self.config.timers.self_check);
        let jitter = period.mul_f32(0.5) * cx.rng().below(1_000) / 1_000;
        self.vnodes[at].check_at = Some(now + period.mul_f32(0.75) + jitter);
        if self.vnodes[at].mode != Mode::Ring {
            return;
        }
        let me = self.vnodes[at].node;
        for via in self.relays(cx, at, &me, 2) {
            self.notices.push_back(Notice::Look {
                at,
                key: me.id,
                goal: Goal::Check { at: at as u8 },
                via: Some(via),
            });
        }
    }

    /// No Notify for long: perhaps nobody knows us as successor.
    pub(crate) fn watch_silence(&mut self, cx: &mut Context<'_>, at: usize) {
        let (now, silence) = (cx.now(), self.config.timers.notify_silence);
        let vnode = &mut self.vnodes[at];
        if vnode.mode == Mode::Ring && vnode.notified.age(now).is_some_and(|age| age >= silence) {
            vnode.notified = super::node::Stamp::at(now);
            vnode.check_at = Some(now);
        }
    }

    /// What a self-check came to.
    pub(crate) fn on_checked(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        found: Option<Box<super::lookup::FoundAt>>,
    ) {
        let Some(found) = found else { return };
        let Some(vnode) = self.vnodes.get(at).filter(|vnode| vnode.mode == Mode::Ring) else { return };
        let Some(owner) = Node::of(self.config.id_rule, &found.owner.contact) else { return };
        if owner.id == vnode.node.id {
            return;
        }
        let inactive = !vnode.claim.is_active();
        let (me, listed) = (vnode.node.id, vnode.list.holds(&owner));
        if listed && inactive {
            // A joiner whose range is still its successor's.
            return;
        }
        self.stabilise_now(cx, at);
        if !listed && throng_wire::chord::own(me, owner.id, me) {
            self.encounter(cx, at, &owner);
        }
    }
}
