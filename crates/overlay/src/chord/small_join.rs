//! Joining a small ring: synchronous, to a fixpoint (section 2.5), and the way back from a large ring to a small one.
//!
//! A joiner is a member when every name its contact knows has acknowledged it with its own table, joiners under way
//! included: of two concurrent joins one must ask the other's joiner before it completes.

use super::Context;
use super::core::{Core, Life, Received};
use super::maintenance::Call;
use super::node::{Node, Stamp};
use super::rpc::{Pending, Purpose};
use super::small::Adding;
use super::violation::Violation;
use std::time::Duration;
use throng_wire::chord::{self as wire, List, Message, Mode, Status};

/// Joins one contact brings to their end at once.
const MOST_ADDING: usize = 32;
/// Those who have not answered are asked again after this.
const RETRY: Duration = Duration::from_secs(1);
/// A joiner that was not heard for this wants in no more: it asks every five seconds.
const WANTED: Duration = Duration::from_secs(12);
/// A join or collapse that is not over by then is given up.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(30);

impl Core {
    /// A JoinRead reached a small ring: it is acknowledged at once, the SmallWelcome follows when all know the joiner.
    pub(crate) fn small_join(&mut self, cx: &mut Context<'_>, from: &Received) {
        let (at, joiner, now) = (from.at, from.from, cx.now());
        if self.life != Life::Running || self.small(at).is_none() {
            return self.refuse(cx, from);
        }
        let rows = self.small_rows(at);
        let table = List::fitting(&rows, 1_150).unwrap_or_default();
        let in_progress = Message::SmallAck(wire::SmallAck { page: wire::Page::ONLY, table });
        let known = self.small(at).and_then(|small| small.row(&joiner).copied());
        match known.map(|row| row.status) {
            // All members know it already.
            Some(Status::Live) => {
                self.reply(cx, from, &in_progress);
                return self.welcome(cx, at, &joiner);
            }
            // It sees in our table that it is called dead, and comes again under a higher incarnation.
            Some(Status::Dead) => return self.reply(cx, from, &in_progress),
            _ => {}
        }
        let enough = 2 * (usize::from(self.vnodes[at].most) + 1);
        let Some(small) = self.small(at) else { return };
        if known.is_none() && small.names().count() + 1 >= enough.max(8) {
            // It is about to be a large ring, which takes in any number at once: come again, you know us now.
            return self.reply(cx, from, &in_progress);
        }
        if let Some(adding) = small.adding.iter_mut().find(|adding| adding.joiner == joiner) {
            adding.heard = Stamp::at(now);
            self.reply(cx, from, &in_progress);
            return self.drive_small(cx, at);
        }
        small.put(joiner, Status::Pending, now);
        if small.adding.len() >= MOST_ADDING || small.row(&joiner).is_none() {
            return self.reply(cx, from, &Message::Busy(wire::Busy { retry_after: 20 }));
        }
        small.next_tag = small.next_tag.checked_add(1).unwrap_or(1);
        let tag = small.next_tag;
        let (acked, heard) = (Vec::new(), Stamp::at(now));
        small.adding.push(Adding { tag, joiner, acked, heard, until: now + GIVE_UP });
        self.reply(cx, from, &in_progress);
        self.drive_small(cx, at);
    }

    /// Asks every name that has not acknowledged a join; ends the joins that all have acknowledged.
    pub(crate) fn drive_small(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        self.drive_collapse(cx, at);
        let Some(small) = self.small(at) else { return };
        small.retry_at = None;
        // Who does not come again has gone: it is not made a member because the last of the others has agreed.
        small.adding.retain(|adding| adding.until > now && adding.heard.within(WANTED, now));
        let names: Vec<Node> = small.names().collect();
        let adding = small.adding.clone();
        for adding in &adding {
            let missing: Vec<Node> =
                names.iter().copied().filter(|name| !adding.acked.contains(name)).collect();
            if missing.is_empty() {
                self.complete(cx, at, adding.tag);
            }
            for to in missing {
                if !self.is_asked(at, &to, Call::SmallAdd(adding.tag)) {
                    self.send_rows(cx, (at, to), (adding.tag, adding.joiner));
                }
            }
        }
        if let Some(small) = self.small(at) {
            small.retry_at = (!small.adding.is_empty()).then_some(now + RETRY);
        }
    }

    pub(crate) fn is_asked(&self, at: usize, to: &Node, call: Call) -> bool {
        let same = |pending: &Pending| {
            pending.at == at && pending.to == *to && pending.purpose == Purpose::Ring(call)
        };
        self.rpc.iter().any(same)
    }

    /// Everybody knows the joiner: it is a member.
    fn complete(&mut self, cx: &mut Context<'_>, at: usize, tag: u8) {
        let now = cx.now();
        let Some(small) = self.small(at) else { return };
        let Some(index) = small.adding.iter().position(|adding| adding.tag == tag) else { return };
        let joiner = small.adding.swap_remove(index).joiner;
        small.put(joiner, Status::Live, now);
        self.recompute(cx, at);
        self.welcome(cx, at, &joiner);
    }

    /// Tells a node that it is a member; repeated until acknowledged.
    pub(crate) fn welcome(&mut self, cx: &mut Context<'_>, at: usize, to: &Node) {
        if self.is_asked(at, to, Call::SmallWelcome) {
            return;
        }
        let rows = self.small_rows(at);
        let table = List::fitting(&rows, 1_150).unwrap_or_default();
        let epoch = self.vnodes[at].mode_epoch;
        let message = Message::SmallWelcome(wire::SmallWelcome { epoch, page: wire::Page::ONLY, table });
        self.ask(cx, (at, *to), Call::SmallWelcome, &message);
    }

    /// Somebody joins, or a member has news.
    pub(crate) fn on_small_add(&mut self, cx: &mut Context<'_>, from: &Received, add: &wire::SmallAdd<'_>) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        if !matches!(self.vnodes[at].mode, Mode::Solo | Mode::Small | Mode::Joining)
            || self.life != Life::Running
        {
            return self.refuse(cx, from);
        }
        if self.vnodes[at].mode == Mode::Joining
            && self.vnodes[at].rare.as_ref().is_none_or(|r| r.joining.is_none())
        {
            return self.refuse(cx, from);
        }
        self.merge_rows(cx, at, &add.table);
        let joiner = Node::of(self.config.id_rule, &add.joiner);
        if let Some(joiner) = joiner.filter(|joiner| joiner.id != self.vnodes[at].id())
            && let Some(small) = self.small(at)
        {
            small.put(joiner, Status::Pending, cx.now());
        }
        let rows = self.small_rows(at);
        let table = List::fitting(&rows, 1_150).unwrap_or_default();
        self.reply(cx, from, &Message::SmallAck(wire::SmallAck { page: wire::Page::ONLY, table }));
    }

    /// A member or joiner has acknowledged a join, or news, with its own table.
    pub(crate) fn on_small_ack(
        &mut self,
        cx: &mut Context<'_>,
        (from, tag): (&Received, u8),
        message: &Message<'_>,
    ) {
        let at = from.at;
        match message {
            Message::SmallAck(ack) => {
                self.merge_rows(cx, at, &ack.table);
                let Some(small) = self.small(at) else { return };
                let adding = small.adding.iter_mut().find(|adding| tag != 0 && adding.tag == tag);
                if let Some(adding) = adding.filter(|adding| !adding.acked.contains(&from.from)) {
                    adding.acked.push(from.from);
                    self.drive_small(cx, at);
                }
            }
            Message::NotMember(wire::NotMember { mode: Mode::Ring | Mode::Detached }) => {
                // What it is told then it may refuse again, as fast as packets travel.
                let now = cx.now();
                let idle = self.small(at).filter(|small| !small.peeked.within(RETRY, now));
                if let Some(small) = idle {
                    small.peeked = Stamp::at(now);
                    self.peek(cx, at, &from.from);
                }
            }
            Message::NotMember(refusal) => self.on_not_member(cx, at, &from.from, refusal.mode),
            _ => {}
        }
    }

    /// We are a member, or all have agreed that the ring is small again.
    pub(crate) fn on_small_welcome(
        &mut self,
        cx: &mut Context<'_>,
        from: &Received,
        welcome: &wire::SmallWelcome<'_>,
    ) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        let joining = self.vnodes[at].rare.as_ref().is_some_and(|rare| rare.joining.is_some());
        match self.vnodes[at].mode {
            Mode::Joining if joining => {}
            Mode::Solo | Mode::Small => {}
            Mode::Ring if self.agrees(at, welcome.epoch) => self.shrink(cx, at, welcome.epoch),
            _ => {
                self.blame(Violation::Impossible);
                return self.refuse(cx, from);
            }
        }
        let was_joining = self.vnodes[at].mode == Mode::Joining;
        if was_joining {
            self.vnodes[at].mode = Mode::Small;
        }
        self.vnodes[at].mode_epoch = self.vnodes[at].mode_epoch.max(welcome.epoch);
        self.merge_rows(cx, at, &welcome.table);
        if let Some(small) = self.small(at) {
            // It has spoken to us itself: it lives.
            small.put(from.from, Status::Live, cx.now());
        }
        let table = List::default();
        self.reply(cx, from, &Message::SmallAck(wire::SmallAck { page: wire::Page::ONLY, table }));
        self.recompute(cx, at);
        if was_joining {
            self.became_member(cx, at);
            self.small_news(cx, at);
            if let Some(head) = self.vnodes[at].head().map(|head| head.node) {
                self.send_notify(cx, at, &head);
            }
        }
    }
}
