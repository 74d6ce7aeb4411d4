//! Going (2.3 G): hand over, say goodbye to head and predecessor, stay silent but forwarding for a while, stop.

use super::Context;
use super::Event;
use super::core::{Core, Life, Received};
use super::maintenance::Call;
use super::node::Node;
use super::notice::Notice;
use super::violation::Violation;
use super::vnode::{LeaveStage, Leaving};
use throng_wire::chord::{self as wire, List, Message, Mode};

impl Core {
    /// The application wants to be gone.
    pub(crate) fn leave(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        self.life = Life::Leaving;
        self.next_vnode = None;
        self.passive.probe_at = None;
        for at in 0..self.vnodes.len() {
            self.leave_vnode(cx, at);
        }
        self.left(cx);
    }

    /// One virtual node goes.
    pub(crate) fn leave_vnode(&mut self, cx: &mut Context<'_>, at: usize) {
        let until = cx.now() + self.config.timers.hand_over;
        let vnode = &mut self.vnodes[at];
        if vnode.rare.as_ref().is_some_and(|rare| rare.leaving.is_some()) {
            return;
        }
        let wanted_in = vnode.mode == Mode::Joining
            && vnode.rare.as_mut().is_some_and(|rare| rare.joining.take().is_some());
        if wanted_in {
            // A small ring that is taking us in need not.
            self.small_farewell(cx, at);
        }
        let vnode = &mut self.vnodes[at];
        if let Some(rare) = vnode.rare.as_mut() {
            rare.joining = None;
        }
        let alone = !vnode.is_member() || vnode.list.is_empty();
        let stage = if alone { LeaveStage::Gone } else { LeaveStage::HandOver };
        vnode.rare().leaving = Some(Leaving { stage, until, acks: 0 });
        if alone {
            self.stop(at);
        } else {
            self.notices.push_back(Notice::HandOver { at });
        }
    }

    /// The store has pushed what a leaving node must not take along.
    pub(crate) fn handed_over(&mut self, at: usize) {
        let leaving = self.vnodes.get_mut(at).and_then(|vnode| vnode.rare.as_mut()?.leaving.as_mut());
        if let Some(leaving) = leaving.filter(|leaving| leaving.stage == LeaveStage::HandOver) {
            leaving.until = throng_machine::Instant::EPOCH;
        }
    }

    /// A stage of the goodbye is over.
    pub(crate) fn on_leaving_due(&mut self, cx: &mut Context<'_>, at: usize) {
        let leaving = self.vnodes[at].rare.as_ref().and_then(|rare| rare.leaving);
        let Some(leaving) = leaving.filter(|leaving| leaving.until <= cx.now()) else { return };
        match leaving.stage {
            LeaveStage::HandOver => self.farewell(cx, at),
            LeaveStage::Farewell => self.linger(cx, at),
            LeaveStage::Linger => {
                self.stop(at);
                if self.life == Life::Leaving {
                    self.left(cx);
                } else {
                    // A further virtual node, always the last.
                    self.vnodes.truncate(at.max(1));
                    let left = self.vnodes.len();
                    self.detector.confirming.retain(|confirming| confirming.at < left);
                }
            }
            LeaveStage::Gone => {}
        }
    }

    /// Tells head and predecessor; from now on we own nothing, the head does.
    fn farewell(&mut self, cx: &mut Context<'_>, at: usize) {
        let until = cx.now() + self.config.timers.leave;
        let vnode = &self.vnodes[at];
        let (claim, head) = (vnode.claim, vnode.head().map(|head| head.node));
        let prdc = vnode.predecessor.as_ref().map(|prdc| prdc.node);
        let contacts: Vec<wire::Contact> = vnode.list.nodes().map(|node| node.contact()).collect();
        let list = List::fitting(&contacts, 800).unwrap_or_default();
        let message = Message::Leave(wire::Leave { prdc: prdc.map(|prdc| prdc.contact()), claim, list });
        let mut told: Vec<Node> = head.into_iter().chain(prdc).collect();
        told.dedup();
        self.deactivate(at);
        let mut acks = 0;
        for to in told {
            acks += u8::from(self.ask(cx, (at, to), Call::Leave, &message).is_some());
        }
        self.small_farewell(cx, at);
        let stage = LeaveStage::Farewell;
        self.vnodes[at].rare().leaving = Some(Leaving { stage, until, acks });
    }

    fn linger(&mut self, cx: &mut Context<'_>, at: usize) {
        let until = cx.now() + self.config.timers.linger;
        let stage = LeaveStage::Linger;
        let vnode = &mut self.vnodes[at];
        vnode.stabilise_at = None;
        vnode.heartbeat_at = None;
        vnode.check_at = None;
        vnode.rare().leaving = Some(Leaving { stage, until, acks: 0 });
    }

    fn stop(&mut self, at: usize) {
        let vnode = &mut self.vnodes[at];
        vnode.mode = Mode::Joining;
        vnode.stabilise_at = None;
        vnode.heartbeat_at = None;
        vnode.check_at = None;
        let until = throng_machine::Instant::EPOCH;
        let rare = vnode.rare();
        rare.small = None;
        rare.joining = None;
        rare.founding = None;
        rare.detached = None;
        rare.leaving = Some(Leaving { stage: LeaveStage::Gone, until, acks: 0 });
        self.deactivate(at);
        self.notices.push_back(Notice::Gone { at });
    }

    /// All virtual nodes are gone: tell the application, once.
    fn left(&mut self, cx: &mut Context<'_>) {
        let gone = |vnode: &super::vnode::Vnode| {
            let leaving = vnode.rare.as_ref().and_then(|rare| rare.leaving);
            leaving.is_some_and(|leaving| leaving.stage == LeaveStage::Gone)
        };
        if self.life == Life::Leaving && self.vnodes.iter().all(gone) {
            self.life = Life::Left;
            cx.emit(Event::Left);
        }
    }

    /// A goodbye of ours was acknowledged, or will not be.
    pub(crate) fn on_leave_answered(&mut self, cx: &mut Context<'_>, at: usize) {
        let leaving = self.vnodes[at].rare.as_mut().and_then(|rare| rare.leaving.as_mut());
        let Some(leaving) = leaving.filter(|leaving| leaving.stage == LeaveStage::Farewell) else { return };
        leaving.acks = leaving.acks.saturating_sub(1);
        if leaving.acks == 0 {
            self.linger(cx, at);
        }
    }

    /// A neighbour goes: accepted only from its own address, proved.
    pub(crate) fn on_leave(&mut self, cx: &mut Context<'_>, from: &Received, leave: &wire::Leave<'_>) {
        if !self.is_proved(cx, from) {
            return;
        }
        let (at, leaver, now) = (from.at, from.from, cx.now());
        self.reply(cx, from, &Message::LeaveAck(wire::LeaveAck {}));
        let vnode = &self.vnodes[at];
        let is_head = vnode.head().is_some_and(|head| head.node == leaver);
        let is_prdc = vnode.predecessor.as_ref().is_some_and(|prdc| prdc.node == leaver);
        let known = vnode.entry(&leaver).is_some() || vnode.bound.is_some_and(|bound| bound.node == leaver);
        if !known || !vnode.is_member() {
            // Heard twice, or no neighbour of ours.
            return self.blame(Violation::NotYours);
        }
        let rule = self.config.id_rule;
        if is_head && self.vnodes[at].mode == Mode::Ring {
            let listed: Vec<Node> =
                leave.list.iter().filter_map(|contact| Node::of(rule, &contact)).collect();
            // Its list takes its place before it goes itself, so that ours is never empty for a moment.
            let room = usize::from(self.vnodes[at].most) + 1;
            self.adopt_up_to(cx, (at, room), (&leaver, &listed));
        }
        self.hear_claim(cx, &leaver, leave.claim);
        self.on_dead(cx, &leaver);
        let prdc =
            leave.prdc.and_then(|prdc| Node::of(rule, &prdc)).filter(|prdc| self.is_welcome(prdc, now));
        let replaced = self.vnodes[at].predecessor.as_ref().is_none_or(|prdc| prdc.node == leaver);
        if let Some(prdc) = prdc.filter(|prdc| is_prdc && replaced && prdc.id != self.vnodes[at].id())
            && self.vnodes[at].mode == Mode::Ring
        {
            self.set_predecessor(cx, at, prdc);
            if let Some(entry) = self.vnodes[at].predecessor.as_mut() {
                // Known from the one that left only: it is asked at once.
                *entry = super::node::Entry::hearsay(prdc);
            }
            self.probe(cx, at, &prdc);
        }
        if is_head {
            self.stabilise_now(cx, at);
        }
    }
}
