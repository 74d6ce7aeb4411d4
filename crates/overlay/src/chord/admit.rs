//! Others who want into our ring (2.3 A): let in, sent on, or refused.

use super::Context;
use super::core::{Core, Life, Received};
use super::node::Entry;
use throng_wire::chord::{self as wire, List, Message, Mode, btw};

impl Core {
    /// Somebody wants in behind us.
    pub(crate) fn on_join_read(&mut self, cx: &mut Context<'_>, from: &Received, request: &wire::JoinRead) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        let leaving =
            self.life != Life::Running || self.vnodes[at].rare.as_ref().is_some_and(|r| r.leaving.is_some());
        match self.vnodes[at].mode {
            Mode::Joining | Mode::Detached => self.refuse(cx, from),
            _ if leaving => self.send_on(cx, from),
            Mode::Solo | Mode::Small => self.small_join(cx, from),
            Mode::Ring => self.ring_join(cx, from, request),
        }
    }

    /// We are going: others stay.
    pub(crate) fn send_on(&mut self, cx: &mut Context<'_>, from: &Received) {
        let stays = self.vnodes[from.at].list.entries().find(|e| e.is_usable() && e.node.id != from.from.id);
        match stays.map(|entry| entry.node.contact()) {
            Some(contact) => self.reply(cx, from, &Message::Redirect(wire::Redirect { contact })),
            None => self.refuse(cx, from),
        }
    }

    pub(crate) fn ring_join(&mut self, cx: &mut Context<'_>, from: &Received, request: &wire::JoinRead) {
        let (at, joiner) = (from.at, from.from.id);
        if request.redirects == 0 && !self.guard.admits_join(&self.config, &from.from, cx.now()) {
            self.blame(super::Violation::TooMany);
            return self.reply(cx, from, &Message::Busy(wire::Busy { retry_after: 100 }));
        }
        let vnode = &self.vnodes[at];
        let me = vnode.id();
        let others: Vec<wire::Contact> =
            vnode.list.nodes().filter(|node| node.id != joiner).map(|node| node.contact()).collect();
        let head = vnode.list.nodes().find(|node| node.id != joiner);
        let Some(head) = head else { return self.refuse(cx, from) };
        if btw(me, joiner, head.id) {
            return self.with_view(at, |core, digest, view| {
                let total = u8::try_from(others.len()).unwrap_or(u8::MAX);
                let view =
                    wire::View { list: List::fitting(&others, 800).unwrap_or_default(), total, ..*view };
                core.reply(cx, from, &Message::JoinOk(wire::JoinOk { digest, view }));
            });
        }
        let usable = |entry: &Entry| entry.is_usable() && entry.node.id != joiner;
        let listed = vnode.list.closest_before(me, joiner, usable);
        let finger = vnode.fingers.closest_before(me, joiner, usable);
        let nearest = match (listed, finger) {
            (Some(listed), Some(finger)) if btw(listed.node.id, finger.node.id, joiner) => Some(finger),
            (listed, finger) => listed.or(finger),
        };
        match nearest {
            Some(entry) => {
                let contact = entry.node.contact();
                self.reply(cx, from, &Message::Redirect(wire::Redirect { contact }));
            }
            // Every entry before the joiner is a suspect: the head will be replaced or heard again soon.
            None => self.reply(cx, from, &Message::Busy(wire::Busy { retry_after: 10 })),
        }
    }
}
