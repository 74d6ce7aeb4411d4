//! What may happen next in a world.

use super::{RingWorld, Step};
use crate::chord::tests::support::id_of;
use crate::chord::{PendingRead, View};
use throng_wire::chord::{Mode, btw};

impl RingWorld {
    pub(super) fn steps_of(&self, number: usize, steps: &mut Vec<Step>) {
        let Some(view) = self.view(number) else { return self.entries(number, steps) };
        if self.is_leaving(number) {
            // Its process ends when nothing it has to say is under way any more.
            let at = self.hosts[number];
            let talks = self.net.flying.iter().any(|flying| flying.from == at);
            steps.extend((!talks).then_some(Step::Gone(number)));
            return;
        }
        if view.mode == Mode::Ring && view.op == PendingRead::Idle {
            steps.push(Step::Stabilise(number));
        }
        if view.mode == Mode::Joining && view.op == PendingRead::Idle {
            steps.push(Step::Retry(number));
        }
        if self.also.owners && matches!(view.grant, Some((_, _, false))) {
            steps.push(Step::Copied(number));
        }
        if view.mode == Mode::Ring {
            self.inserts_of(number, &view, steps);
        }
        let dead = self.unknown_dead(&view);
        steps.extend(dead.iter().map(|node| Step::Confirm(number, *node, self.name(node))));
        if self.budget.false_drops > 0 {
            let live = view.list.iter().filter(|node| self.is_alive(node));
            steps.extend(live.map(|node| Step::Confirm(number, *node, self.name(node))));
        }
        let (crash, leave) = (self.budget.crashes > 0, self.budget.leaves > 0);
        if view.mode == Mode::Ring && (crash || leave) && self.may_lose(number) {
            steps.extend(crash.then_some(Step::Crash(number)));
            steps.extend(leave.then_some(Step::Leave(number)));
        }
    }

    pub(super) fn inserts_of(&self, number: usize, view: &View, steps: &mut Vec<Step>) {
        if !self.also.inserts {
            return;
        }
        let last = view.list.last().map(|last| last.id);
        for (other, at) in self.hosts.iter().enumerate().filter(|(other, _)| *other != number) {
            let Some(node) = self.view(other).filter(|other| other.mode == Mode::Ring) else { continue };
            let inside = last.is_some_and(|last| btw(view.me.id, id_of(*at), last));
            if !view.list.contains(&node.me)
                && !view.dead.contains(&node.me)
                && (inside || self.also.insert_beyond)
            {
                steps.push(Step::Insert(number, other));
            }
        }
    }

    pub(super) fn insert(&mut self, number: usize, other: usize) {
        let Some(node) = self.view(other).map(|view| view.me) else { return };
        let beyond = self.also.insert_beyond;
        self.net.call(self.hosts[number], |machine, cx| {
            machine.poke(cx, |core, cx| {
                let inserted = core.insert(cx, 0, &node);
                if !inserted && beyond {
                    let vnode = &mut core.vnodes[0];
                    let (me, most) = (vnode.id(), usize::from(vnode.most));
                    vnode.list.merge(me, [node], most);
                }
            });
        });
    }

    /// The 2001 protocol: whoever the head names is taken at its word.
    pub(super) fn believe(&mut self) {
        for number in 0..self.hosts.len() {
            let Some(PendingRead::AwaitCand(_, cand)) = self.view(number).map(|view| view.op) else {
                continue;
            };
            self.net.call(self.hosts[number], |machine, cx| {
                machine.poke(cx, |core, cx| {
                    core.adopt(cx, 0, (&cand, &[]));
                    core.send_notify(cx, 0, &cand);
                    core.finish(cx, 0);
                });
            });
        }
    }

    /// How a host that is down may come up.
    pub(super) fn entries(&self, number: usize, steps: &mut Vec<Step>) {
        let is_member = |m: &usize| self.view(*m).is_some_and(|view| !matches!(view.mode, Mode::Joining));
        let members = (0..self.hosts.len()).filter(is_member);
        // In a large ring it is sent on to its place: asking the first member is asking all.
        for contact in members.take(if self.also.joins_anywhere { self.hosts.len() } else { 1 }) {
            match self.lives[number] {
                0 => steps.push(Step::Join(number, contact)),
                _ if self.budget.returns > 0 => steps.push(Step::Return(number, contact)),
                _ => {}
            }
        }
    }
}
