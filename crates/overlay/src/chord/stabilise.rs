//! B and C of section 2.3: read the head's state, then, if it knows somebody between, that one's.
//!
//! One read at a time; a candidate is never adopted before it has spoken for itself; a head is only notified after it
//! has answered; what the head says is merged into the list, never put in its place.

use super::Context;
use super::core::Core;
use super::maintenance::Call;
use super::node::{Entry, Node};
use super::notice::Notice;
use super::vnode::Op;
use std::cmp::Reverse;
use std::time::Duration;
use throng_wire::chord::{self as wire, Message, Mode, Relayed, btw};

/// The shortest list that is ever aimed at, unless configured.
const LEAST_LIST: usize = 16;
/// Contested entries pinged a round. While two rings become one lists differ by half of their entries, all of them alive;
/// where many die at once the whole list is asked (`sweep`).
const MOST_CONTESTED: usize = 2;
/// Share of the ordinary pause while lists are short because many died.
const THIN: f32 = 0.2;

impl Core {
    /// B, when its time has come.
    pub(crate) fn stabilise(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        vnode.stabilise_at = None;
        if vnode.mode != Mode::Ring || vnode.is_parting() {
            return;
        }
        if vnode.op != Op::Idle {
            vnode.again = true;
            return;
        }
        let Some(head) = vnode.head() else { return self.mend(cx, at) };
        let known = vnode.known;
        let asked = if head.relay_only {
            self.ask_by_proxy(cx, at, &head.node, known)
        } else {
            let message = Message::GetState(wire::GetState { known, skip: 0 });
            self.ask(cx, (at, head.node), Call::Head, &message)
        };
        match asked {
            Some(txid) => self.vnodes[at].op = Op::AwaitHead { head: head.node, txid },
            None => self.finish(cx, at),
        }
        self.ping_one(cx, at);
    }

    /// The state of a head that only others reach.
    fn ask_by_proxy(&mut self, cx: &mut Context<'_>, at: usize, head: &Node, known: u64) -> Option<u64> {
        let relay = self.relays(cx, at, head, 1).first().copied()?;
        let message = Message::PingReq(wire::PingReq { target: head.contact(), state: Some(known) });
        self.ask(cx, (at, relay), Call::Head, &message)
    }

    /// One further entry a round is looked after, in turn.
    fn ping_one(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        let len = vnode.list.len();
        if len < 2 {
            return;
        }
        vnode.next_ping = if usize::from(vnode.next_ping) + 1 < len { vnode.next_ping + 1 } else { 1 };
        let Some(entry) = vnode.list.get(usize::from(vnode.next_ping)) else { return };
        if !entry.heard.within(self.config.timers.heartbeat, cx.now()) {
            self.probe(cx, at, &entry.node);
        }
    }

    /// Runs B as soon as no read is pending.
    pub(crate) fn stabilise_now(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        if vnode.mode == Mode::Ring && !vnode.is_parting() {
            vnode.again = vnode.op != Op::Idle;
            vnode.stabilise_at = Some(cx.now());
        }
    }

    /// The pending read is over.
    pub(crate) fn finish(&mut self, cx: &mut Context<'_>, at: usize) {
        let pause = self.stabilise_pause(cx);
        let vnode = &mut self.vnodes[at];
        vnode.op = Op::Idle;
        if vnode.mode != Mode::Ring || vnode.is_parting() {
            return;
        }
        let again = std::mem::take(&mut vnode.again);
        let thin = !vnode.wraps && vnode.list.len() + 1 < usize::from(vnode.most);
        let pause = if thin && self.detector.graves().len() > 0 {
            // Many died lately: each round adds one entry to lists that all are too short.
            pause.mul_f32(THIN)
        } else {
            pause
        };
        vnode.stabilise_at = Some(if again { cx.now() } else { cx.now() + pause });
    }

    /// Uniform between the two configured bounds.
    pub(crate) fn stabilise_pause(&self, cx: &mut Context<'_>) -> Duration {
        let (least, most) = self.config.timers.stabilise;
        let spread = u32::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u32::MAX);
        least + Duration::from_millis(u64::from(cx.rng().below(spread.saturating_add(1))))
    }

    /// The head's state has come, by itself or through another (B1), or it is no member (like B2).
    pub(crate) fn on_head_state(
        &mut self,
        cx: &mut Context<'_>,
        (at, txid): (usize, u64),
        message: &Message<'_>,
    ) {
        let Op::AwaitHead { head, txid: asked } = self.vnodes[at].op else { return };
        if asked != txid {
            return;
        }
        let state = match message {
            Message::State(state) => Some(*state),
            Message::PingRes(wire::PingRes { result: Relayed::State(state), .. }) => Some(*state),
            Message::NotMember(refusal) => {
                self.finish(cx, at);
                return self.on_not_member(cx, at, &head, refusal.mode);
            }
            _ => None,
        };
        let is_head = self.vnodes[at].head().is_some_and(|entry| entry.node == head);
        match state {
            Some(state) if is_head => match state.view {
                Some(view) => self.on_head_view(cx, at, &head, (state.digest, &view)),
                None => {
                    // Nothing has changed there, and nothing here since: we are its predecessor still.
                    self.send_notify(cx, at, &head);
                    self.finish(cx, at);
                }
            },
            // B3: late, or of somebody who is head no more.
            _ => {
                self.vnodes[at].again |= !is_head;
                self.finish(cx, at);
            }
        }
    }

    /// B1 proper.
    fn on_head_view(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        head: &Node,
        (digest, view): (u64, &wire::View<'_>),
    ) {
        self.hear_claim(cx, head, view.claim);
        if self.vnodes[at].head().is_none_or(|entry| entry.node != *head)
            || self.vnodes[at].mode != Mode::Ring
        {
            return self.finish(cx, at);
        }
        self.estimate_heard(at, view.n_est);
        self.update_most(at);
        let rule = self.config.id_rule;
        let listed: Vec<Node> = view.list.iter().filter_map(|contact| Node::of(rule, &contact)).collect();
        let me = self.vnodes[at].node;
        self.vnodes[at].wraps =
            listed.contains(&me) && self.vnodes[at].list.len() < usize::from(self.vnodes[at].most);
        let cut = self.cut_beyond(at, head, &listed);
        self.ping_contested(cx, at, (head, &listed));
        let changed = self.adopt(cx, at, (head, &listed)) || cut;
        let prdc = view.prdc.and_then(|prdc| Node::of(rule, &prdc));
        // Whom we hold for dead and the head does not must be heard of again when that time is over.
        let buried = listed.iter().any(|node| *node != me && !self.is_welcome(node, cx.now()));
        self.vnodes[at].known = if prdc == Some(me) && !changed && !buried { digest } else { 0 };
        if let Some(cand) = prdc
            && btw(me.id, cand.id, head.id)
            && self.is_welcome(&cand, cx.now())
        {
            let message = Message::GetState(wire::GetState { known: 0, skip: 0 });
            if let Some(txid) = self.ask(cx, (at, cand), Call::Candidate, &message) {
                self.vnodes[at].op = Op::AwaitCand { head: *head, cand, txid };
                return;
            }
        }
        self.send_notify(cx, at, head);
        self.finish(cx, at);
        self.consider_collapse(cx, at);
    }

    /// What we hold beyond the end of the head's list nobody would ever correct, so a newcomer there would be skipped for
    /// ever; that the head wants a longer list helps nothing where its own head's is short. Says whether anything went. A list
    /// shorter than any should be costs us nothing.
    fn cut_beyond(&mut self, at: usize, head: &Node, listed: &[Node]) -> bool {
        let least = self.config.successors.map_or(LEAST_LIST, usize::from);
        let vnode = &mut self.vnodes[at];
        let me = vnode.id();
        match listed.last() {
            Some(last) if listed.len() >= least && btw(me, head.id, last.id) => {
                let cut = vnode.list.cut_beyond(me, last.id);
                if cut {
                    self.notices.push_back(Notice::ListChanged { at });
                }
                cut
            }
            _ => false,
        }
    }

    /// `list := top(me, {node} + list(node) + list)`; says whether it changed. What a list that reaches round the ring
    /// says of nodes before `node` is left out: nobody becomes head unheard.
    pub(crate) fn adopt(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        (node, listed): (&Node, &[Node]),
    ) -> bool {
        let most = usize::from(self.vnodes[at].most);
        self.adopt_up_to(cx, (at, most), (node, listed))
    }

    /// As [`Core::adopt`], for a list of that length.
    pub(crate) fn adopt_up_to(
        &mut self,
        cx: &mut Context<'_>,
        (at, most): (usize, usize),
        (node, listed): (&Node, &[Node]),
    ) -> bool {
        let now = cx.now();
        let me = self.vnodes[at].id();
        let beyond = listed.iter().copied().filter(|listed| !btw(me, listed.id, node.id));
        let welcome: Vec<Node> = beyond.chain([*node]).filter(|node| self.is_welcome(node, now)).collect();
        let vnode = &mut self.vnodes[at];
        let head = vnode.head().map(|head| head.node);
        let changed = vnode.list.merge(me, welcome, most);
        if changed {
            vnode.known = 0;
            self.notices.push_back(Notice::ListChanged { at });
            self.update_most(at);
            if self.vnodes[at].head().map(|head| head.node) != head {
                self.head_changed(cx, at);
            }
        }
        changed
    }

    /// Entries of ours that the head lacks though its list reaches beyond them: one of us is wrong.
    fn ping_contested(&mut self, cx: &mut Context<'_>, at: usize, (head, listed): (&Node, &[Node])) {
        let (recently, now) = (Duration::from_secs(2), cx.now());
        let mut contested: Vec<Entry> = self.vnodes[at]
            .list
            .entries()
            .filter(|entry| entry.node != *head && !listed.contains(&entry.node))
            .filter(|entry| !entry.heard.within(recently, now))
            .collect();
        // Those not heard for longest; the others have their turn in the next rounds.
        contested.sort_by_key(|entry| Reverse(entry.heard.age(now).unwrap_or(Duration::MAX)));
        for entry in contested.into_iter().take(MOST_CONTESTED) {
            self.probe(cx, at, &entry.node);
        }
    }

    /// The candidate's state has come (C1), or it is no member.
    pub(crate) fn on_candidate_state(
        &mut self,
        cx: &mut Context<'_>,
        (at, txid): (usize, u64),
        message: &Message<'_>,
    ) {
        let Op::AwaitCand { head, cand, txid: asked } = self.vnodes[at].op else { return };
        if asked != txid {
            return;
        }
        let me = self.vnodes[at].id();
        let between = self.vnodes[at].head().is_some_and(|entry| btw(me, cand.id, entry.node.id));
        let view = match message {
            Message::State(wire::State { view: Some(view), .. }) => view,
            _ => {
                // It is alive but of no ring: the head's news is old.
                self.send_notify(cx, at, &head);
                return self.finish(cx, at);
            }
        };
        if !between || self.vnodes[at].mode != Mode::Ring || !matches!(view.mode, Mode::Ring | Mode::Small) {
            return self.finish(cx, at);
        }
        let rule = self.config.id_rule;
        let listed: Vec<Node> = view.list.iter().filter_map(|contact| Node::of(rule, &contact)).collect();
        self.adopt(cx, at, (&cand, &listed));
        self.vnodes[at].list.update(&cand, |entry| entry.on_heard(None, cx.now()));
        self.hear_claim(cx, &cand, view.claim);
        self.send_notify(cx, at, &cand);
        let further = view.prdc.and_then(|prdc| Node::of(rule, &prdc));
        self.vnodes[at].again |= further.is_some_and(|further| btw(me, further.id, cand.id));
        self.finish(cx, at);
    }

    /// The candidate did not answer and its death is not certain: leave it to the next round.
    pub(crate) fn on_candidate_silent(&mut self, cx: &mut Context<'_>, at: usize, txid: u64) {
        if let Op::AwaitCand { head, txid: asked, .. } = self.vnodes[at].op
            && asked == txid
        {
            self.send_notify(cx, at, &head);
            self.finish(cx, at);
        }
    }

    /// The head did not answer; the failure detector decides what that means.
    pub(crate) fn on_head_silent(&mut self, cx: &mut Context<'_>, at: usize, txid: u64) {
        if let Op::AwaitHead { txid: asked, .. } = self.vnodes[at].op
            && asked == txid
        {
            self.finish(cx, at);
        }
    }
}
