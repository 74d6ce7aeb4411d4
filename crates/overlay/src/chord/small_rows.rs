//! Rows of a small ring's table, as they are told and taken in (section 2.5).
//!
//! Rows merge by incarnation, then by the later status; whoever is called dead takes a higher incarnation.

use super::Context;
use super::core::Core;
use super::maintenance::Call;
use super::node::{Node, Stamp};
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{self as wire, List, Message, Mode, Status};

/// An incarnation so many seconds ahead of our clock is no start time.
const MOST_AHEAD: u32 = 86_400;
/// We take a higher incarnation at most this often.
const REFUTED: Duration = Duration::from_secs(1);

impl Core {
    /// Our rows as they are sent: the living first, of the dead what fits.
    pub(crate) fn small_rows(&self, at: usize) -> Vec<wire::Row> {
        let vnode = &self.vnodes[at];
        let status = if vnode.is_member() { Status::Live } else { Status::Pending };
        let mut rows = vec![wire::Row { contact: vnode.node.contact(), status }];
        let Some(small) = self.small_ref(at) else { return rows };
        let named = |dead: bool| small.rows.iter().filter(move |row| (row.status == Status::Dead) == dead);
        rows.extend(
            named(false)
                .chain(named(true))
                .map(|row| wire::Row { contact: row.node.contact(), status: row.status }),
        );
        rows
    }

    /// Merges rows of another's table and acts on what they change.
    pub(crate) fn merge_rows(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        rows: &List<'_, wire::Row>,
    ) -> Merged {
        let (rule, now) = (self.config.id_rule, cx.now());
        let (me, latest) = (self.vnodes[at].node, self.latest_incarnation(now));
        let mut merged = Merged::default();
        if matches!(self.vnodes[at].mode, Mode::Ring | Mode::Detached) {
            // An answer from the days when the ring was small: a large one has no table.
            return merged;
        }
        if self.vnodes[at].rare.as_ref().is_none_or(|rare| rare.small.is_none()) {
            self.small_alone(at, now);
        }
        let own: Vec<Node> = self.vnodes.iter().map(|vnode| vnode.node).collect();
        let kept = self.config.timers.dead;
        let dead: Vec<Node> =
            self.detector.graves().filter(|node| self.detector.is_dead(node, kept, now)).copied().collect();
        let Some(small) = self.small(at) else { return merged };
        for row in rows.iter() {
            let named = Node::of(rule, &row.contact).filter(|node| node.incarnation <= latest);
            let Some(node) = named else { continue };
            if node.id == me.id {
                let dead = node.incarnation == me.incarnation && row.status == Status::Dead;
                if dead || node.incarnation > me.incarnation {
                    merged.accused = merged.accused.max(Some(node.incarnation));
                }
                continue;
            }
            if own.iter().any(|own| own.id == node.id) {
                continue;
            }
            let lived = small.row(&node).is_some_and(|row| row.status != Status::Dead);
            // Who was confirmed dead a moment ago does not come back on hearsay; if it lives it refutes that itself.
            let status = if dead.contains(&node) { Status::Dead } else { row.status };
            if small.put(node, status, now) {
                merged.changed = true;
                if lived && status == Status::Dead {
                    merged.dead.push(node);
                }
            }
        }
        if let Some(higher) = merged.accused {
            self.refute(cx, at, higher);
        }
        for node in &merged.dead {
            self.on_dead(cx, node);
        }
        if merged.changed {
            self.recompute(cx, at);
        }
        merged
    }

    /// The highest incarnation anybody can have by now: they are start times, and clocks differ by a day at most.
    pub(crate) fn latest_incarnation(&self, now: Instant) -> u32 {
        let clock = u32::try_from(self.unix_time(now)).unwrap_or(u32::MAX);
        clock.max(self.incarnation).saturating_add(MOST_AHEAD)
    }

    /// We are called dead: live on under a higher incarnation, and say so. However often that is said, one second is
    /// one incarnation, as if we had been started again; and what nobody would believe was not taken in at all.
    pub(crate) fn refute(&mut self, cx: &mut Context<'_>, at: usize, accused: u32) {
        let now = cx.now();
        let Some(small) = self.small(at).filter(|small| !small.refuted.within(REFUTED, now)) else { return };
        small.refuted = Stamp::at(now);
        let vnode = &mut self.vnodes[at];
        vnode.node.incarnation = accused.saturating_add(1);
        if vnode.is_member() {
            self.small_news(cx, at);
        }
    }

    /// A member was confirmed dead: everybody is told.
    pub(crate) fn small_lost(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        let now = cx.now();
        if let Some(collapse) = self.vnodes[at].rare.as_mut().and_then(|rare| rare.collapse.as_mut()) {
            collapse.names.retain(|name| name != node);
        }
        let Some(small) = self.small(at) else { return };
        small.adding.retain(|adding| adding.joiner != *node);
        if small.names().any(|name| name == *node) && small.put(*node, Status::Dead, now) {
            self.recompute(cx, at);
            self.small_news(cx, at);
            self.drive_small(cx, at);
        }
    }

    /// Tells all members what our table says now.
    pub(crate) fn small_news(&mut self, cx: &mut Context<'_>, at: usize) {
        if !self.vnodes[at].is_member() {
            return;
        }
        let Some(small) = self.small_ref(at) else { return };
        let names: Vec<Node> = small.names().collect();
        let joiner = self.vnodes[at].node;
        for to in names {
            self.send_rows(cx, (at, to), (0, joiner));
        }
    }

    /// Sends our table in a SmallAdd for a joiner, or, with tag 0, as news of our own.
    pub(crate) fn send_rows(&mut self, cx: &mut Context<'_>, to: (usize, Node), (tag, joiner): (u8, Node)) {
        let rows = self.small_rows(to.0);
        let table = List::fitting(&rows, 1_150).unwrap_or_default();
        let message =
            Message::SmallAdd(wire::SmallAdd { joiner: joiner.contact(), page: wire::Page::ONLY, table });
        self.ask(cx, to, Call::SmallAdd(tag), &message);
    }
}

/// What merging rows changed.
#[derive(Clone, Default, Debug)]
pub(crate) struct Merged {
    /// Anything at all.
    pub changed: bool,
    /// Those said to be dead that we took for living.
    pub dead: Vec<Node>,
    /// We are called dead, or by a higher incarnation than ours.
    pub accused: Option<u32>,
}
