//! Cut off from most of the list (section 2.7): freeze, and believe it only after a while.

use super::Context;
use super::core::Core;
use super::node::{Health, Node};
use super::vnode::Op;
use throng_machine::Endpoint;
use throng_wire::chord::{self as wire, Mode};

impl Core {
    /// More than half of the list unreachable at once and hardly anybody heard: freeze (2.7).
    pub(crate) fn check_detached(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        let suspects = vnode.list.entries().filter(|entry| entry.health != Health::Alive).count();
        let neighbours = vnode.list.entries().chain(vnode.predecessor);
        let window = self.config.timers.heartbeat * 2;
        let heard = neighbours.filter(|entry| entry.heard.within(window, cx.now())).count();
        // As long as some neighbours answer, the others' silence is judged by what relays say.
        let cut_off = suspects * 2 > vnode.list.len() && vnode.list.len() > 2 && heard * 4 < vnode.list.len();
        match vnode.mode {
            Mode::Ring if cut_off => {
                vnode.mode = Mode::Detached;
                vnode.op = Op::Idle;
                vnode.stabilise_at = None;
                vnode.rare().detached = Some(cx.now() + self.config.timers.detached);
                self.detector.confirming.retain(|confirming| confirming.at != at);
            }
            Mode::Detached if !cut_off => self.reattach(cx, at),
            _ => {}
        }
    }

    pub(crate) fn reattach(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        vnode.mode = Mode::Ring;
        vnode.rare().detached = None;
        self.finish(cx, at);
        self.stabilise_now(cx, at);
    }

    /// Detached for long: with others alive believe it and go on without those lost, with none stay frozen.
    pub(crate) fn on_detached_due(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let span = self.config.timers.detached;
        self.check_detached(cx, at);
        if self.vnodes[at].mode != Mode::Detached {
            return;
        }
        let vnode = &self.vnodes[at];
        let all = vnode.list.entries().chain(vnode.predecessor).chain(vnode.fingers.iter());
        let mut alive: Vec<(u64, Option<Endpoint>)> = all
            .filter(|entry| entry.heard.within(span, now) && entry.health == Health::Alive)
            .map(|entry| match self.config.id_rule {
                // On a LAN all share one prefix: two hosts are enough.
                wire::IdRule::Open => (0, Some(entry.node.endpoint)),
                wire::IdRule::Prefix => (super::suspicion::prefix16(&entry.node), None),
            })
            .collect();
        alive.sort_unstable();
        alive.dedup();
        if alive.len() < 2 {
            self.vnodes[at].rare().detached = Some(now + span / 6);
            return;
        }
        let lost: Vec<Node> = vnode
            .list
            .entries()
            .filter(|entry| entry.health != Health::Alive)
            .map(|entry| entry.node)
            .collect();
        self.reattach(cx, at);
        for node in lost {
            self.on_dead(cx, &node);
        }
    }
}
