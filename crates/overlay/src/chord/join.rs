//! Entering: the first node of a ring, the way into one (2.3 A), isolation and detachment (2.7), further virtual nodes.
//!
//! The place of a joiner is found by redirects, each to a node nearer before it; the last one's whole list becomes the
//! joiner's. A joiner is a member at once and owns nothing until a Switch reaches it.

use super::Context;
use super::core::{Core, Life, Received};
use super::maintenance::Call;
use super::node::{Entry, Health, Node, Stamp};
use super::notice::Notice;
use super::small::Small;
use super::vnode::{Joining, Op, Pred, Rare, Vnode};
use super::{Event, Start};
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::{self as wire, Message, Mode, btw};

/// Pause after a way that led nowhere.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// How long a small ring may take to let us in before another contact is asked.
const SMALL_PATIENCE: Duration = Duration::from_secs(5);
/// Contacts given by the application that are kept.
pub(crate) const MOST_BOOTSTRAP: usize = 64;

impl Core {
    /// The application wants to be in a ring.
    pub(crate) fn start(&mut self, cx: &mut Context<'_>, start: Start) {
        // Those who were to let us in may be gone for good: then a ring of our own is better than none.
        let outside = |vnode: &Vnode| vnode.mode == Mode::Joining && vnode.since == Stamp::NEVER;
        let given_up = start == Start::New && self.vnodes.first().is_some_and(outside);
        if !given_up && !matches!(self.life, Life::Idle | Life::Left) {
            return;
        }
        self.life = Life::Running;
        match start {
            Start::New => self.found_ring(cx),
            Start::Together(founders) => self.found_together(cx, founders),
            Start::Join(contacts) => {
                self.bootstrap = contacts;
                self.bootstrap.truncate(MOST_BOOTSTRAP);
                self.bootstrap.retain(|contact| contact.is_dialable() && Some(*contact) != self.endpoint);
                if self.vnodes.is_empty() { self.ask_address(cx) } else { self.begin_join(cx, 0) }
            }
        }
    }

    /// Alone: owner of everything.
    fn found_ring(&mut self, cx: &mut Context<'_>) {
        if let Some(vnode) = self.vnodes.first_mut() {
            vnode.mode = Mode::Solo;
            vnode.mode_epoch = vnode.mode_epoch.saturating_add(1);
            self.small_alone(0, cx.now());
            self.became_member(cx, 0);
            // Whoever was of another ring before has its neighbours still: the empty table takes them away.
            self.recompute(cx, 0);
            self.own_everything(0);
        }
    }

    /// Begins the way into a ring, or begins it anew.
    pub(crate) fn begin_join(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        vnode.mode = Mode::Joining;
        vnode.stabilise_at = None;
        vnode.heartbeat_at = None;
        let joining = vnode.rare().joining.get_or_insert_default();
        joining.redirects = 0;
        joining.retry_at = Some(cx.now());
    }

    /// Asks the next candidate to let us in.
    pub(crate) fn try_join(&mut self, cx: &mut Context<'_>, at: usize) {
        let Some(joining) = self.joining(at) else { return };
        joining.retry_at = None;
        if joining.asked.is_some() {
            return;
        }
        let next = joining.next;
        joining.next = next.wrapping_add(1);
        let candidates = self.candidates(at, cx.now());
        let Some(candidate) = candidates.get(next % candidates.len().max(1)).copied() else {
            return self.retry_join(at, cx.now() + PAUSE);
        };
        self.join_through(cx, at, candidate);
    }

    fn joining(&mut self, at: usize) -> Option<&mut Joining> {
        self.vnodes[at].rare.as_mut()?.joining.as_mut()
    }

    fn retry_join(&mut self, at: usize, when: Instant) {
        if let Some(joining) = self.joining(at) {
            (joining.redirects, joining.asked, joining.retry_at) = (0, None, Some(when));
        }
    }

    /// Whoever may know a ring: what is left of lists and fingers, own other nodes, old contacts, what we were told.
    pub(crate) fn candidates(&self, at: usize, now: Instant) -> Vec<Node> {
        let rule = self.config.id_rule;
        let vnode = &self.vnodes[at];
        let own =
            self.vnodes.iter().filter(|other| other.is_member() && other.mode != Mode::Solo).map(|o| o.node);
        let known = vnode.list.nodes().chain(vnode.fingers.iter().map(|entry| entry.node));
        let prdc = vnode.predecessor.filter(|prdc| prdc.health != Health::Dead).map(|prdc| prdc.node);
        let told = self.bootstrap.iter().filter_map(|endpoint| Node::new(rule, *endpoint, 0, 0));
        let passive = self.passive.contacts.iter().map(|contact| contact.node);
        let small =
            vnode.rare.as_ref().and_then(|rare| rare.small.as_ref()).into_iter().flat_map(Small::names);
        let mut all: Vec<Node> =
            own.chain(known).chain(prdc).chain(small).chain(told).chain(passive).collect();
        all.retain(|node| node.id != vnode.node.id && self.is_welcome(node, now));
        let mut seen: Vec<(Endpoint, u8)> = Vec::new();
        all.retain(|node| {
            let name = (node.endpoint, node.vnode);
            let fresh = !seen.contains(&name);
            seen.push(name);
            fresh
        });
        all
    }

    fn join_through(&mut self, cx: &mut Context<'_>, at: usize, candidate: Node) {
        let redirects = self.joining(at).map_or(0, |joining| joining.redirects);
        let message = Message::JoinRead(wire::JoinRead { skip: 0, redirects });
        let asked = self.ask(cx, (at, candidate), Call::Join, &message);
        match asked {
            Some(_) => {
                if let Some(joining) = self.joining(at) {
                    joining.asked = asked;
                }
            }
            None => self.retry_join(at, cx.now() + PAUSE),
        }
    }

    /// One contact could not help: on to the next, with a pause after every third.
    pub(crate) fn join_failed(&mut self, cx: &mut Context<'_>, at: usize) {
        if self.vnodes[at].mode != Mode::Joining {
            return;
        }
        let Some(joining) = self.joining(at) else { return };
        joining.failures = joining.failures.saturating_add(1);
        let pause = if joining.failures % 3 == 0 { PAUSE } else { PAUSE / 4 };
        self.retry_join(at, cx.now() + pause);
    }

    /// Somebody answered our JoinRead.
    pub(crate) fn on_join_answer(&mut self, cx: &mut Context<'_>, from: &Received, message: &Message<'_>) {
        let at = from.at;
        if let Message::SmallAck(ack) = message {
            // A small ring has begun to take us in, or calls us dead.
            self.merge_rows(cx, at, &ack.table);
            return self.retry_join(at, cx.now() + SMALL_PATIENCE);
        }
        if self.vnodes[at].mode != Mode::Joining {
            return;
        }
        match message {
            Message::JoinOk(ok) => self.on_join_ok(cx, from, &ok.view),
            Message::Redirect(redirect) => self.on_redirect(cx, at, &redirect.contact),
            Message::Busy(busy) => {
                let wait = Duration::from_millis(u64::from(busy.retry_after)).min(PAUSE * 10);
                let jitter = PAUSE * cx.rng().below(1_000) / 1_000;
                self.retry_join(at, cx.now() + wait + jitter);
            }
            _ => self.join_failed(cx, at),
        }
    }

    fn on_redirect(&mut self, cx: &mut Context<'_>, at: usize, contact: &wire::Contact) {
        let most = 2 * self.vnodes[at].most;
        let next = self.stranger(contact).or_else(|| {
            // Another virtual node of this host may be the predecessor.
            let node = Node::of(self.config.id_rule, contact)?;
            (node.id != self.vnodes[at].id()).then_some(node)
        });
        if let Some(next) = &next {
            // Worth knowing if the way breaks off.
            let most = usize::from(self.config.limits.passive);
            self.passive.add(*next, most, cx.now(), self.config.timers.probe);
        }
        let Some(joining) = self.joining(at) else { return };
        joining.asked = None;
        joining.redirects = joining.redirects.saturating_add(1);
        match next {
            Some(next) if joining.redirects <= most => self.join_through(cx, at, next),
            _ => self.retry_join(at, cx.now() + PAUSE),
        }
    }

    /// The read of A: its whole list becomes ours.
    fn on_join_ok(&mut self, cx: &mut Context<'_>, from: &Received, view: &wire::View<'_>) {
        let (at, rule, now) = (from.at, self.config.id_rule, cx.now());
        let listed: Vec<Node> = view.list.iter().filter_map(|contact| Node::of(rule, &contact)).collect();
        let me = self.vnodes[at].id();
        let follows =
            listed.iter().find(|node| node.id != me).is_some_and(|head| btw(from.from.id, me, head.id));
        if view.mode != Mode::Ring || !follows {
            return self.join_failed(cx, at);
        }
        let welcome: Vec<Node> = listed.into_iter().filter(|node| self.is_welcome(node, now)).collect();
        let vnode = &mut self.vnodes[at];
        vnode.most = vnode.most.max(view.r.min(64));
        if let Some(forced) = self.config.successors {
            vnode.most = forced.max(1);
        }
        let most = usize::from(vnode.most);
        vnode.list.replace(me, welcome, most);
        let mut prdc = Entry::hearsay(from.from);
        prdc.on_heard(from.sample, now);
        vnode.predecessor = Some(prdc);
        vnode.predecessors = vec![Pred { node: from.from, claim: view.claim }];
        vnode.mode = Mode::Ring;
        vnode.mode_epoch = vnode.mode_epoch.max(view.mode_epoch);
        vnode.rare().small = None;
        self.estimate_heard(at, view.n_est);
        if self.vnodes[at].list.is_empty() {
            return self.isolate(cx, at);
        }
        self.became_member(cx, at);
        self.stabilise_now(cx, at);
    }

    /// A virtual node is of a ring now.
    pub(crate) fn became_member(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let first = !self.vnodes.iter().any(|vnode| vnode.since != Stamp::NEVER);
        let pause = self.stabilise_pause(cx);
        let (heartbeat, check) = (self.config.timers.heartbeat, self.config.timers.self_check);
        let vnode = &mut self.vnodes[at];
        if let Some(rare) = vnode.rare.as_mut() {
            rare.joining = None;
        }
        vnode.since = Stamp::at(now);
        vnode.notified = Stamp::at(now);
        vnode.op = Op::Idle;
        vnode.stabilise_at = Some(now + pause);
        vnode.heartbeat_at = Some(now + heartbeat);
        vnode.check_at = Some(now + check + pause);
        vnode.ready = false;
        self.notices.push_back(Notice::Member { at });
        self.notices.push_back(Notice::CatchUp { at });
        self.notices.push_back(Notice::ListChanged { at });
        if at == 0 {
            self.next_vnode = Some(now + self.config.timers.vnode_after);
            self.arm_passive(cx);
        }
        if first {
            cx.emit(Event::Joined);
        }
    }

    /// The head is another one: what it knows of us is not what the last one knew.
    pub(crate) fn head_changed(&mut self, _cx: &mut Context<'_>, at: usize) {
        self.vnodes[at].known = 0;
        self.vnodes[at].wraps = false;
    }

    /// The list is empty: keep the data, own nothing, find the ring again, as a new incarnation.
    pub(crate) fn isolate(&mut self, cx: &mut Context<'_>, at: usize) {
        if self.life != Life::Running {
            return;
        }
        let vnode = &mut self.vnodes[at];
        vnode.node.incarnation = vnode.node.incarnation.saturating_add(1);
        vnode.op = Op::Idle;
        vnode.again = false;
        vnode.known = 0;
        vnode.wraps = false;
        vnode.check_at = None;
        if let Some(rare) = vnode.rare.as_mut() {
            **rare = Rare::default();
        }
        self.deactivate(at);
        self.notices.push_back(Notice::Gone { at });
        self.begin_join(cx, at);
        if at == 0 {
            self.next_vnode = None;
            cx.emit(Event::Isolated);
        }
    }
}
