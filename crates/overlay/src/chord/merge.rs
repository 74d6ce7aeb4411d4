//! Two rings become one (section 2.8): old contacts are probed, strangers met, and hints spread the news.
//!
//! Nobody enters a list unheard: whoever is named in a Meet is pinged first. One merge is handled once a node, by its
//! epoch, and at most one every 10 s.

use super::Context;
use super::core::{Core, Received};
use super::lookup::{FoundAt, Goal};
use super::maintenance::Call;
use super::node::Node;
use super::notice::Notice;
use super::violation::Violation;
use std::hash::Hasher as _;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{self as wire, List, Message, Mode, RingId};

/// A node does one merge action in this time.
const EVERY: Duration = Duration::from_secs(10);
/// Epochs remembered.
const MOST_EPOCHS: usize = 16;
/// Strangers pinged for one Meet, the nearest: who becomes head tells the others. With 24 each of 1,000 nodes pinged six.
const MOST_MET: usize = 4;
/// Fingers a hint is passed to, besides the head. With three, half of all hints met a node that had just had one.
const FAN_OUT: usize = 2;
/// Nodes of the other ring a hint is passed to: each is a stranger, who challenges first.
const FAR_OUT: usize = 1;
/// Periods of probing without one after two rings have met here, or were seen to be one: a merge is over by then.
const REST: u32 = 5;

/// What is known of merges under way.
#[derive(Clone, Default, Debug)]
pub(crate) struct Merging {
    /// Epochs handled, and how far their hints may still go.
    pub epochs: Vec<(u64, u8)>,
    /// When we last acted.
    pub last: Option<Instant>,
}

impl Core {
    /// Old contacts are asked from time to time, once there are any.
    pub(crate) fn arm_passive(&mut self, cx: &mut Context<'_>) {
        let member = self.vnodes.iter().any(|vnode| vnode.is_member());
        if member && !self.passive.contacts.is_empty() && self.passive.probe_at.is_none() {
            let period = self.config.timers.probe;
            let jitter = period * cx.rng().below(1_000) / 1_000;
            self.passive.probe_at = Some(cx.now() + period / 2 + jitter);
        }
    }

    /// Asks one old contact where our place is in its ring.
    pub(crate) fn probe_passive(&mut self, cx: &mut Context<'_>) {
        let (now, kept, most) = (cx.now(), self.config.timers.passive, self.config.timers.probe_most);
        self.passive.probe_at = None;
        (self.passive.asked, self.passive.put_off) = (None, false);
        self.passive.contacts.retain(|contact| now.since(contact.since) < kept);
        self.arm_passive(cx);
        let due = self.passive.contacts.iter_mut().filter(|contact| contact.not_before <= now);
        let Some(contact) = due.min_by_key(|contact| contact.not_before) else { return };
        // Doubled now; an answer sets it back.
        contact.not_before = now + contact.backoff;
        contact.backoff = (contact.backoff * 2).min(most);
        let node = contact.node;
        match self.vnodes.first().map(|vnode| vnode.mode) {
            Some(Mode::Ring) => {
                self.passive.asked = Some(node);
                self.look_through(0, node, 0);
            }
            Some(Mode::Small | Mode::Solo) if !self.small_knows(0, &node) => {
                // Who was called dead has another incarnation by now.
                self.peek(cx, 0, &Node { incarnation: 0, ..node });
            }
            Some(Mode::Detached) => self.probe(cx, 0, &node),
            _ => {}
        }
    }

    /// Two rings have met here, or another's view leads back to us: hardly anything is to be learnt for some time.
    fn rest(&mut self, cx: &mut Context<'_>) {
        let period = self.config.timers.probe * REST;
        let jitter = period / 2 * cx.rng().below(1_000) / 1_000;
        self.passive.put_off(cx.now() + period * 3 / 4 + jitter);
    }

    fn look_through(&mut self, at: usize, via: Node, epoch: u64) {
        let key = self.vnodes[at].id();
        let goal = Goal::Probe { at: at as u8, epoch };
        self.notices.push_back(Notice::Look { at, key, goal, via: Some(via) });
    }

    /// Who sits at our place in a stranger's ring.
    pub(crate) fn on_probed(
        &mut self,
        cx: &mut Context<'_>,
        (at, epoch): (usize, u64),
        found: Option<Box<FoundAt>>,
    ) {
        let Some(found) = found else { return };
        let Some(vnode) = self.vnodes.get(at).filter(|vnode| vnode.mode == Mode::Ring) else { return };
        let Some(owner) = Node::of(self.config.id_rule, &found.owner.contact) else { return };
        if owner.id == vnode.node.id {
            // One ring: whoever was asked is of it.
            if let Some(asked) = self.passive.asked.take_if(|_| epoch == 0) {
                self.passive.forget(&asked);
            }
            return self.rest(cx);
        }
        if vnode.list.holds(&owner) {
            // Our own ring, and a range that is not ours yet.
            return self.stabilise_now(cx, at);
        }
        let message = Message::GetState(wire::GetState { known: 0, skip: 0 });
        self.ask(cx, (at, owner), Call::Foreign(epoch), &message);
    }

    /// The state of the owner of our place in another ring: meet it.
    pub(crate) fn on_foreign(
        &mut self,
        cx: &mut Context<'_>,
        (from, epoch): (&Received, u64),
        view: &wire::View<'_>,
    ) {
        let at = from.at;
        let vnode = &self.vnodes[at];
        if vnode.mode != Mode::Ring || view.mode != Mode::Ring || vnode.list.holds(&from.from) {
            return;
        }
        let rule = self.config.id_rule;
        let listed: Vec<Node> = view.list.iter().filter_map(|contact| Node::of(rule, &contact)).collect();
        let epoch = if epoch == 0 { self.merge_epoch(at, &listed, cx.now()) } else { epoch };
        let ttl = self.remember_epoch(at, epoch);
        let prdc = vnode_prdc(self, at);
        self.insert(cx, at, &from.from);
        self.meet_all(cx, at, &listed);
        let contacts: Vec<wire::Contact> = self.vnodes[at].list.nodes().map(|node| node.contact()).collect();
        let list = List::fitting(&contacts, 1_000).unwrap_or_default();
        let message = Message::Meet(wire::Meet { epoch, prdc: prdc.map(|prdc| prdc.contact()), list });
        self.ask(cx, (at, from.from), Call::Meet(epoch), &message);
        if let Some(ttl) = ttl {
            self.spread(cx, at, (epoch, ttl), (&from.from, &listed));
        }
    }

    /// hash(two smallest ids seen, the current ten minutes): neighbours that meet the same ring name it alike.
    fn merge_epoch(&self, at: usize, listed: &[Node], now: Instant) -> u64 {
        let vnode = &self.vnodes[at];
        let all = vnode.list.nodes().chain(listed.iter().copied()).map(|node| node.id).chain([vnode.id()]);
        let mut ids: Vec<RingId> = all.collect();
        ids.sort_unstable();
        let mut hasher = siphasher::sip::SipHasher13::new();
        for id in ids.iter().take(2) {
            hasher.write(&id.0);
        }
        hasher.write_u64(self.unix_time(now) / 600);
        hasher.finish().max(1)
    }

    /// How far hints of a merge may go; `None` if they were passed on already.
    fn remember_epoch(&mut self, at: usize, epoch: u64) -> Option<u8> {
        let fresh = (self.estimate(at).log2().ceil().clamp(0.0, 40.0) as u8).saturating_add(2);
        match self.merging.epochs.iter_mut().find(|(known, _)| *known == epoch) {
            // Told by a hint, which says how far it may still go; from now on it is passed on.
            Some((_, ttl)) => Some(std::mem::take(ttl)).filter(|ttl| *ttl > 0),
            None => {
                self.note_epoch(epoch, 0);
                Some(fresh)
            }
        }
    }

    fn note_epoch(&mut self, epoch: u64, ttl: u8) {
        if self.merging.epochs.len() >= MOST_EPOCHS {
            self.merging.epochs.remove(0);
        }
        self.merging.epochs.push((epoch, ttl));
    }

    /// Tells others of both rings about each other.
    fn spread(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        (epoch, ttl): (u64, u8),
        (other, listed): (&Node, &[Node]),
    ) {
        let me = self.vnodes[at].node;
        let mut ours = self.random_fingers(cx, at, FAN_OUT);
        ours.extend(self.vnodes[at].head().map(|head| head.node).filter(|head| head != other));
        let hint =
            |contact: &Node| Message::MergeHint(wire::MergeHint { epoch, contact: contact.contact(), ttl });
        for to in ours.iter().filter(|to| *to != other) {
            self.tell(cx, (at, *to), &hint(other));
        }
        let mut theirs: Vec<Node> = listed.iter().copied().filter(|node| node.id != me.id).collect();
        while theirs.len() > FAR_OUT {
            let drop = cx.rng().below(theirs.len() as u32) as usize;
            theirs.swap_remove(drop);
        }
        for to in theirs {
            self.tell(cx, (at, to), &hint(&me));
        }
    }

    fn random_fingers(&self, cx: &mut Context<'_>, at: usize, count: usize) -> Vec<Node> {
        let vnode = &self.vnodes[at];
        let mut choice: Vec<Node> = vnode.fingers.iter().map(|entry| entry.node).collect();
        if choice.is_empty() {
            choice = vnode.list.nodes().skip(1).collect();
        }
        while choice.len() > count {
            let drop = cx.rng().below(choice.len() as u32) as usize;
            choice.swap_remove(drop);
        }
        choice
    }

    /// Pings those of a stranger's list that would lie within our own span.
    fn meet_all(&mut self, cx: &mut Context<'_>, at: usize, listed: &[Node]) {
        let now = cx.now();
        let vnode = &self.vnodes[at];
        let me = vnode.id();
        let fits = |node: &&Node| node.id != me && vnode.list.spans(me, node.id) && !vnode.list.holds(node);
        let fitting: Vec<Node> = listed
            .iter()
            .filter(fits)
            .filter(|node| self.is_welcome(node, now))
            .take(MOST_MET)
            .copied()
            .collect();
        for node in fitting {
            self.encounter(cx, at, &node);
        }
    }

    /// Pings a node that is to enter our list if it answers.
    pub(crate) fn encounter(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        self.ping(cx, (at, *node), Call::Encounter);
    }

    /// Somebody of another ring, or of a part of ours that we had lost, shows its stretch of it.
    pub(crate) fn on_meet(&mut self, cx: &mut Context<'_>, from: &Received, meet: &wire::Meet<'_>) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        if self.vnodes[at].mode != Mode::Ring {
            return self.refuse(cx, from);
        }
        let prdc = vnode_prdc(self, at).map(|prdc| prdc.contact());
        let contacts: Vec<wire::Contact> = self.vnodes[at].list.nodes().map(|node| node.contact()).collect();
        let list = List::fitting(&contacts, 1_000).unwrap_or_default();
        self.reply(cx, from, &Message::MeetAck(wire::MeetAck { epoch: meet.epoch, prdc, list }));
        if !self.may_merge(cx.now()) {
            return self.blame(Violation::TooMany);
        }
        self.insert(cx, at, &from.from);
        self.met(cx, at, &meet.list, meet.prdc);
        self.rest(cx);
    }

    /// The other's answer to our Meet.
    pub(crate) fn on_meet_ack(&mut self, cx: &mut Context<'_>, from: &Received, ack: &wire::MeetAck<'_>) {
        self.met(cx, from.at, &ack.list, ack.prdc);
        self.rest(cx);
    }

    fn met(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        list: &List<'_, wire::Contact>,
        prdc: Option<wire::Contact>,
    ) {
        if self.vnodes[at].mode != Mode::Ring {
            return;
        }
        let rule = self.config.id_rule;
        let listed: Vec<Node> =
            list.iter().chain(prdc).filter_map(|contact| Node::of(rule, &contact)).collect();
        // Predecessors need no word from us: a head that takes a new one nudges the old (D of section 2.3).
        self.meet_all(cx, at, &listed);
    }

    fn may_merge(&mut self, now: Instant) -> bool {
        let free = self.merging.last.is_none_or(|last| now.since(last) >= EVERY / 10);
        if free {
            self.merging.last = Some(now);
        }
        free
    }

    /// There may be another ring: look at it once a merge, through the contact that is named.
    pub(crate) fn on_merge_hint(&mut self, cx: &mut Context<'_>, from: &Received, hint: &wire::MergeHint) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        let known = self.merging.epochs.iter().any(|(epoch, _)| *epoch == hint.epoch);
        if self.vnodes[at].mode != Mode::Ring || known {
            return;
        }
        if self.merging.last.is_some_and(|last| cx.now().since(last) < EVERY) {
            return self.blame(Violation::TooMany);
        }
        let Some(contact) = self.stranger(&hint.contact).filter(|node| node.endpoint.is_dialable()) else {
            return;
        };
        self.merging.last = Some(cx.now());
        self.note_epoch(hint.epoch, hint.ttl.min(42).saturating_sub(1));
        self.look_through(at, contact, hint.epoch);
    }
}

fn vnode_prdc(core: &Core, at: usize) -> Option<Node> {
    core.vnodes[at].predecessor.as_ref().map(|prdc| prdc.node)
}
