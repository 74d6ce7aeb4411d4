//! A member whose whole successor list has died finds the first node after the gap (2.7, isolation).
//!
//! It stays a member while it looks: its predecessors have the same dead in their lists and only it besides, so if it
//! gave up its place they would be without a successor too, one after another round the whole ring. Whoever is known
//! is read, the nearest after us first; each names its predecessors, until nobody nearer is left. Only when nobody
//! answers at all is the place given up, and the ring entered anew as another incarnation.

use super::Context;
use super::core::Core;
use super::maintenance::Call;
use super::node::Node;
use super::vnode::Op;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{self as wire, Message, Mode, dist};

/// Nodes considered at most.
const MOST_POOL: usize = 96;
/// Looked for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The search for a successor.
#[derive(Clone, Debug)]
pub(crate) struct Mending {
    /// Everybody heard of, and whether it was asked.
    pub pool: Vec<(Node, bool)>,
    /// The nearest that answered, with its list.
    pub best: Option<(Node, Vec<Node>)>,
    /// Given up then.
    pub until: Instant,
}

impl Core {
    /// The list is empty: look for a successor.
    pub(crate) fn mend(&mut self, cx: &mut Context<'_>, at: usize) {
        if self.life != super::core::Life::Running || self.vnodes[at].mode != Mode::Ring {
            return;
        }
        let until = cx.now() + PATIENCE;
        let known = self.candidates(at, cx.now());
        let vnode = &mut self.vnodes[at];
        let preds = vnode.predecessors.iter().map(|pred| pred.node);
        let mut pool: Vec<(Node, bool)> = known.into_iter().chain(preds).map(|node| (node, false)).collect();
        pool.dedup_by_key(|(node, _)| *node);
        vnode.op = Op::Idle;
        vnode.again = false;
        vnode.wraps = false;
        vnode.known = 0;
        vnode.stabilise_at = None;
        let rare = vnode.rare();
        if rare.mending.is_none() {
            rare.mending = Some(Mending { pool, best: None, until });
            self.mend_on(cx, at);
        }
    }

    /// Reads the nearest node not yet read; done when the nearest of all has answered.
    fn mend_on(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let me = self.vnodes[at].node;
        let kept = self.config.timers.dead;
        let Some(rare) = self.vnodes[at].rare.as_mut() else { return };
        let Some(mending) = rare.mending.as_mut() else { return };
        let reach = mending.best.as_ref().map(|(best, _)| dist(me.id, best.id));
        let detector = &self.detector;
        let nearer = |(node, asked): &&mut (Node, bool)| {
            !*asked
                && node.id != me.id
                && reach.is_none_or(|reach| dist(me.id, node.id) < reach)
                && !detector.is_dead(node, kept, now)
        };
        let next = mending.pool.iter_mut().filter(nearer).min_by_key(|(node, _)| dist(me.id, node.id));
        let gone = now >= mending.until;
        match next {
            Some((node, asked)) if !gone => {
                *asked = true;
                let node = *node;
                let message = Message::GetState(wire::GetState { known: 0, skip: 0 });
                if self.ask(cx, (at, node), Call::Mend, &message).is_none() {
                    self.mended(cx, at);
                }
            }
            _ => self.mended(cx, at),
        }
    }

    /// One of them answered, or did not.
    pub(crate) fn on_mend_answer(
        &mut self,
        cx: &mut Context<'_>,
        (at, node): (usize, Node),
        view: Option<&wire::View<'_>>,
    ) {
        let rule = self.config.id_rule;
        let me = self.vnodes[at].id();
        let Some(mending) = self.vnodes[at].rare.as_mut().and_then(|rare| rare.mending.as_mut()) else {
            return;
        };
        if let Some(view) = view.filter(|view| matches!(view.mode, Mode::Ring | Mode::Small)) {
            let listed: Vec<Node> = view.list.iter().filter_map(|contact| Node::of(rule, &contact)).collect();
            let plist = view.plist.iter().map(|other| other.contact).chain(view.prdc);
            let named: Vec<Node> = plist.filter_map(|contact| Node::of(rule, &contact)).collect();
            for named in named.iter().chain(&listed).filter(|named| named.id != me) {
                let known = mending.pool.iter().any(|(node, _)| node == named);
                if !known && mending.pool.len() < MOST_POOL {
                    mending.pool.push((*named, false));
                }
            }
            let nearer = mending.best.as_ref().is_none_or(|(best, _)| dist(me, node.id) < dist(me, best.id));
            if nearer {
                mending.best = Some((node, listed));
            }
        }
        self.mend_on(cx, at);
    }

    /// Nobody nearer is left: the best becomes the head.
    fn mended(&mut self, cx: &mut Context<'_>, at: usize) {
        let mending = self.vnodes[at].rare.as_mut().and_then(|rare| rare.mending.take());
        let Some(mending) = mending else { return };
        if !self.vnodes[at].list.is_empty() {
            // Somebody was found or notified us meanwhile.
            return self.stabilise_now(cx, at);
        }
        match mending.best {
            Some((best, listed)) => {
                self.adopt(cx, at, (&best, &listed));
                self.vnodes[at].list.update(&best, |entry| entry.on_heard(None, cx.now()));
                if self.vnodes[at].list.is_empty() {
                    return self.isolate(cx, at);
                }
                self.send_notify(cx, at, &best);
                self.stabilise_now(cx, at);
            }
            None => self.isolate(cx, at),
        }
    }
}
