//! B and C of section 2.3: read the head's state, then, if it knows somebody between, that one's.
//!
//! One read at a time; a candidate is never adopted before it has spoken for itself; a head is only notified after it
//! has answered; what the head says is merged into the list, never put in its place.

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::node::Node;
use super::notice::Notice;
use super::rpc::Purpose;
use super::vnode::{Op, Pred};
use std::time::Duration;
use throng_wire::chord::{self as wire, List, Message, Mode, Relayed, btw, ring_size};

/// Bytes of contacts in a view at most, so that a view always fits a datagram.
const LIST_BYTES: usize = 800;
/// The shortest list that is ever aimed at, unless configured.
const LEAST_LIST: usize = 16;
/// Share of the ordinary pause while lists are short because many died.
const THIN: f32 = 0.2;
/// Bytes of neighbours in a view or a Notify at most.
const PLIST_BYTES: usize = 300;

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
        let Some(head) = vnode.head().copied() else { return self.mend(cx, at) };
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
        let entry = vnode.list.entries()[usize::from(vnode.next_ping)];
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
        let cut = listed.len() >= usize::from(view.r) && self.cut_beyond(at, head, &listed);
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

    /// The head's list is as long as it wants it: what we hold beyond its end nobody would ever correct, so a newcomer
    /// there would be skipped for ever. Says whether anything went. A list shorter than any should be costs us nothing.
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
        let recently = Duration::from_secs(2);
        let contested: Vec<Node> = self.vnodes[at]
            .list
            .entries()
            .iter()
            .filter(|entry| entry.node != *head && !listed.contains(&entry.node))
            .filter(|entry| !entry.heard.within(recently, cx.now()))
            .map(|entry| entry.node)
            .collect();
        for node in contested {
            self.probe(cx, at, &node);
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
        if let Some(entry) = self.vnodes[at].list.find_mut(&cand) {
            entry.on_heard(None, cx.now());
        }
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

    /// Somebody asks for our view.
    pub(crate) fn on_get_state(&mut self, cx: &mut Context<'_>, from: &Received, request: &wire::GetState) {
        if !self.is_proved(cx, from) {
            return;
        }
        if !self.vnodes[from.at].is_member() || self.vnodes[from.at].is_gone() {
            return self.refuse(cx, from);
        }
        self.with_view(from.at, |core, digest, view| {
            let view = (digest != request.known).then_some(*view);
            core.reply(cx, from, &Message::State(wire::State { digest, view }));
        });
    }

    /// We are no member: say so.
    pub(crate) fn refuse(&mut self, cx: &mut Context<'_>, from: &Received) {
        let vnode = &self.vnodes[from.at];
        // Who has said goodbye is of no ring, though it still forwards.
        let mode = if vnode.is_gone() { Mode::Joining } else { vnode.mode };
        self.reply(cx, from, &Message::NotMember(wire::NotMember { mode }));
    }

    /// Builds the view of a virtual node and its digest.
    pub(crate) fn with_view(&mut self, at: usize, act: impl FnOnce(&mut Core, u64, &wire::View<'_>)) {
        let vnode = &self.vnodes[at];
        let contacts: Vec<wire::Contact> = vnode.list.nodes().map(Node::contact).collect();
        let plist: Vec<wire::Neighbour> = vnode.predecessors.iter().map(Pred::neighbour).collect();
        let list = List::fitting(&contacts, LIST_BYTES).unwrap_or_default();
        let view = wire::View {
            prdc: vnode.predecessor.as_ref().map(|prdc| prdc.node.contact()),
            claim: vnode.claim,
            mode: vnode.mode,
            mode_epoch: vnode.mode_epoch,
            r: vnode.most,
            n_est: self.own_estimate(at),
            plist: List::fitting(&plist, PLIST_BYTES).unwrap_or_default(),
            skip: 0,
            total: u8::try_from(contacts.len()).unwrap_or(u8::MAX),
            list,
        };
        // The estimate moves with every list; what else changes is what the asker needs to know.
        let digest = digest(&wire::View { n_est: 0, ..view });
        act(self, digest, &view);
    }

    /// Notifies a node that has answered us: we may be its predecessor.
    pub(crate) fn send_notify(&mut self, cx: &mut Context<'_>, at: usize, to: &Node) {
        let vnode = &self.vnodes[at];
        if !matches!(vnode.mode, Mode::Ring | Mode::Small)
            || vnode.is_parting()
            || vnode.entry(to).is_some_and(|entry| entry.relay_only)
        {
            return;
        }
        let under_way = |pending: &super::rpc::Pending| {
            pending.purpose == Purpose::Ring(Call::Notify) && pending.at == at && pending.to == *to
        };
        if self.rpc.iter().any(under_way) {
            return;
        }
        let plist: Vec<wire::Neighbour> = vnode.predecessors.iter().map(Pred::neighbour).collect();
        let plist = List::fitting(&plist, PLIST_BYTES).unwrap_or_default();
        let message = Message::Notify(wire::Notify { claim: vnode.claim, plist });
        self.ask(cx, (at, *to), Call::Notify, &message);
    }

    /// Nodes in the ring, from the distance of our last successor.
    pub(crate) fn own_estimate(&self, at: usize) -> u64 {
        let vnode = &self.vnodes[at];
        let count = vnode.list.len();
        match vnode.list.last() {
            Some(last) if !vnode.wraps && vnode.mode == Mode::Ring => {
                let span = throng_wire::chord::dist(vnode.id(), last.node.id);
                (ring_size(count, span).min(1e15) as u64).max(count as u64)
            }
            _ => self.small_count(at).unwrap_or(count + 1) as u64,
        }
    }

    /// Nodes in the ring: the median of our estimate and the last few others'.
    pub(crate) fn estimate(&self, at: usize) -> f64 {
        let own = self.own_estimate(at).max(1) as f64;
        let heard = self.vnodes[at].estimates.iter().filter(|estimate| **estimate > 0);
        let mut all: Vec<f64> = heard.map(|eighths| f64::from(*eighths - 1) / 8.0).collect();
        all.push(own.log2());
        all.sort_by(f64::total_cmp);
        all[all.len() / 2].exp2()
    }

    /// A neighbour's estimate; several are kept so that no single one decides.
    pub(crate) fn estimate_heard(&mut self, at: usize, n_est: u64) {
        let eighths = ((n_est.max(1) as f64).log2() * 8.0) as u8;
        let estimates = &mut self.vnodes[at].estimates;
        estimates.rotate_right(1);
        estimates[0] = eighths.saturating_add(1);
    }

    /// r = 2 log2 n within 16 to 40, or as configured; more while the list spans too few hosts.
    pub(crate) fn update_most(&mut self, at: usize) {
        let wanted = match self.config.successors {
            Some(forced) => forced.max(1),
            None => {
                // It shrinks later than it grew, so that a ring near a power of two does not waver.
                let (bits, length) =
                    (self.estimate(at).log2(), |bits: f64| (2.0 * bits.ceil()).clamp(16.0, 40.0) as u8);
                self.vnodes[at].most.clamp(length(bits), length(bits + 0.5))
            }
        };
        let vnode = &mut self.vnodes[at];
        let full = vnode.list.len() >= usize::from(wanted);
        let few =
            full && vnode.list.hosts() < 4 && self.config.vnodes > 1 && self.config.successors.is_none();
        let most = if few { vnode.most.max(wanted).saturating_add(8).min(64) } else { wanted };
        if most != vnode.most {
            vnode.most = most;
            // An unchanged head has more to tell.
            vnode.known = 0;
        }
    }
}

/// A hash of a view by which an unchanged one is told from a changed one; never 0.
fn digest(view: &wire::View<'_>) -> u64 {
    use std::hash::Hasher as _;
    use throng_wire::chord::Wire as _;
    let mut bytes = Vec::with_capacity(1_024);
    // What does not fit the wire was cut before; a view that has no encoding at all is never sent.
    let _ = view.write(&mut bytes);
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(&bytes);
    hasher.finish().max(1)
}
