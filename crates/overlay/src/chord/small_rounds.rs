//! The rounds of a small ring, and how it becomes a large one (section 2.5).

use super::Context;
use super::core::Core;
use super::node::{Node, Stamp};
use super::notice::Notice;
use super::small::{Row, Small};
use std::time::Duration;
use throng_wire::chord::{Mode, Status};

impl Core {
    /// One round of a small ring: exchange tables with the head, notify it, see whether the ring is large.
    pub(crate) fn small_round(&mut self, cx: &mut Context<'_>, at: usize) {
        let (now, pause) = (cx.now(), self.stabilise_pause(cx));
        self.vnodes[at].stabilise_at = Some(now + pause);
        if let Some(small) = self.small(at) {
            small.forget_old(now);
            small.calm = small.calm.saturating_add(1);
        }
        self.probe_stale_joiners(cx, at);
        let Some(head) = self.vnodes[at].head().map(|head| head.node) else { return };
        let me = self.vnodes[at].node;
        self.send_rows(cx, (at, head), (0, me));
        self.send_notify(cx, at, &head);
        self.ping_next_member(cx, at);
        self.consider_growth(cx, at);
    }

    pub(crate) fn probe_stale_joiners(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let Some(small) = self.small_ref(at) else { return };
        let stale =
            |row: &&Row| row.status == Status::Pending && !row.since.within(Duration::from_secs(30), now);
        let stale: Vec<Node> = small.rows.iter().filter(stale).map(|row| row.node).collect();
        for node in stale {
            self.probe(cx, at, &node);
        }
    }

    pub(crate) fn ping_next_member(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        let len = vnode.list.len();
        if len > 1 {
            vnode.next_ping = if usize::from(vnode.next_ping) + 1 < len { vnode.next_ping + 1 } else { 1 };
            let next = vnode.list.get(usize::from(vnode.next_ping)).map(|entry| entry.node);
            if let Some(node) = next {
                self.probe(cx, at, &node);
            }
        }
    }

    /// Small to large: all know all, so all are principals whatever the order of switching.
    pub(crate) fn consider_growth(&mut self, cx: &mut Context<'_>, at: usize) {
        let most = usize::from(self.vnodes[at].most);
        let Some(small) = self.small_ref(at) else { return };
        if small.calm >= 3 && small.live().count() + 1 >= 2 * (most + 1) {
            let epoch = self.vnodes[at].mode_epoch.saturating_add(1);
            self.grow(cx, at, epoch);
        }
    }

    /// Becomes a member of a large ring, keeping list and predecessor as computed.
    pub(crate) fn grow(&mut self, cx: &mut Context<'_>, at: usize, epoch: u32) {
        let small = self.vnodes[at].rare.as_mut().and_then(|rare| rare.small.take());
        let vnode = &mut self.vnodes[at];
        vnode.mode = Mode::Ring;
        vnode.mode_epoch = epoch;
        vnode.wraps = false;
        vnode.known = 0;
        let me = vnode.id();
        let listed: Vec<Node> = vnode.list.nodes().collect();
        for node in small.iter().flat_map(Small::live).filter(|node| !listed.contains(node)) {
            vnode.fingers.seed(me, &node);
        }
        vnode.since = Stamp::at(cx.now());
        self.notices.push_back(Notice::Member { at });
        self.stabilise_now(cx, at);
    }
}
