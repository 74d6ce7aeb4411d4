//! Joining a small ring: synchronous, to a fixpoint (section 2.5), and the way back from a large ring to a small one.
//!
//! A joiner is a member when every name its contact knows has acknowledged it with its own table, joiners under way
//! included: of two concurrent joins one must ask the other's joiner before it completes.

use super::Context;
use super::core::{Core, Life, Received};
use super::maintenance::Call;
use super::node::{Node, Stamp};
use super::rpc::{Pending, Purpose};
use super::small::{Adding, Collapsing};
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
const GIVE_UP: Duration = Duration::from_secs(30);

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

    fn is_asked(&self, at: usize, to: &Node, call: Call) -> bool {
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
    fn welcome(&mut self, cx: &mut Context<'_>, at: usize, to: &Node) {
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
                self.peek(cx, at, &from.from)
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

    /// Whether we see the whole ring too and would have it small at that epoch.
    fn agrees(&self, at: usize, epoch: u32) -> bool {
        let vnode = &self.vnodes[at];
        vnode.wraps
            && vnode.list.len() < usize::from(vnode.most)
            && epoch > vnode.mode_epoch
            && self.vnodes.len() == 1
    }

    /// The head's list reaches round to us: the ring is so small that it should be a small one.
    pub(crate) fn consider_collapse(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        let busy = vnode.rare.as_ref().is_some_and(|rare| rare.collapse.is_some());
        let epoch = vnode.mode_epoch.saturating_add(1);
        if vnode.mode != Mode::Ring || busy || !self.agrees(at, epoch) || self.life != Life::Running {
            return;
        }
        let names = self.all_known(at);
        let until = cx.now() + GIVE_UP;
        self.vnodes[at].rare().collapse = Some(Collapsing { names, agreed: Vec::new(), until });
        self.drive_collapse(cx, at);
    }

    fn all_known(&self, at: usize) -> Vec<Node> {
        let vnode = &self.vnodes[at];
        let prdc = vnode.predecessor.as_ref().filter(|prdc| prdc.health != super::node::Health::Dead);
        let mut names: Vec<Node> = vnode.list.nodes().chain(prdc.map(|prdc| &prdc.node)).copied().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn drive_collapse(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let collapse = self.vnodes[at].rare.as_ref().and_then(|rare| rare.collapse.clone());
        let Some(collapse) = collapse else { return };
        let epoch = self.vnodes[at].mode_epoch.saturating_add(1);
        if self.vnodes[at].mode != Mode::Ring || collapse.until <= now {
            self.vnodes[at].rare().collapse = None;
            return;
        }
        let missing: Vec<Node> =
            collapse.names.iter().copied().filter(|name| !collapse.agreed.contains(name)).collect();
        if missing.is_empty() {
            return self.collapsed(cx, at, epoch);
        }
        let rows = self.rows_of_all(at);
        let table = List::new(&rows);
        let message = Message::Collapse(wire::Collapse { epoch, page: wire::Page::ONLY, table });
        for to in missing {
            if !self.is_asked(at, &to, Call::Collapse) {
                self.ask(cx, (at, to), Call::Collapse, &message);
            }
        }
    }

    fn rows_of_all(&self, at: usize) -> Vec<wire::Row> {
        let me = self.vnodes[at].node;
        let all = self.all_known(at).into_iter().chain([me]);
        all.map(|node| wire::Row { contact: node.contact(), status: Status::Live }).take(80).collect()
    }

    /// Somebody sees the whole ring and wants it small.
    pub(crate) fn on_collapse(
        &mut self,
        cx: &mut Context<'_>,
        from: &Received,
        collapse: &wire::Collapse<'_>,
    ) {
        if !self.is_proved(cx, from) {
            return;
        }
        let at = from.at;
        let small = matches!(self.vnodes[at].mode, Mode::Solo | Mode::Small);
        if !small && self.vnodes[at].mode != Mode::Ring {
            return self.refuse(cx, from);
        }
        let agree = small && self.vnodes[at].mode_epoch >= collapse.epoch || self.agrees(at, collapse.epoch);
        let rows = if small { self.small_rows(at) } else { self.rows_of_all(at) };
        let table = List::fitting(&rows, 1_100).unwrap_or_default();
        let (epoch, page) = (collapse.epoch, wire::Page::ONLY);
        self.reply(cx, from, &Message::CollapseAck(wire::CollapseAck { agree, epoch, page, table }));
    }

    /// One answer to our wish for a small ring.
    pub(crate) fn on_collapse_ack(&mut self, cx: &mut Context<'_>, from: &Received, message: &Message<'_>) {
        let (at, rule) = (from.at, self.config.id_rule);
        let me = self.vnodes[at].id();
        let most = usize::from(self.vnodes[at].most);
        let Some(collapse) = self.vnodes[at].rare.as_mut().and_then(|rare| rare.collapse.as_mut()) else {
            return;
        };
        match message {
            Message::CollapseAck(ack) if ack.agree => {
                let live = ack.table.iter().filter(|row| row.status == Status::Live);
                for node in live.filter_map(|row| Node::of(rule, &row.contact)) {
                    if node.id != me && !collapse.names.contains(&node) {
                        collapse.names.push(node);
                    }
                }
                collapse.agreed.push(from.from);
                if collapse.names.len() >= most {
                    // More than the whole ring may have: somebody saw others.
                    self.vnodes[at].rare().collapse = None;
                    return;
                }
                self.drive_collapse(cx, at);
            }
            _ => self.vnodes[at].rare().collapse = None,
        }
    }

    /// All agreed.
    fn collapsed(&mut self, cx: &mut Context<'_>, at: usize, epoch: u32) {
        let names = self.vnodes[at].rare().collapse.take().map(|collapse| collapse.names).unwrap_or_default();
        self.shrink(cx, at, epoch);
        let now = cx.now();
        if let Some(small) = self.small(at) {
            for name in &names {
                small.put(*name, Status::Live, now);
            }
        }
        self.recompute(cx, at);
        for name in &names {
            self.welcome(cx, at, name);
        }
    }

    /// Becomes a member of a small ring whose table is filled next.
    fn shrink(&mut self, cx: &mut Context<'_>, at: usize, epoch: u32) {
        let now = cx.now();
        let pause = self.stabilise_pause(cx);
        let known = self.all_known(at);
        let vnode = &mut self.vnodes[at];
        vnode.mode = Mode::Small;
        vnode.mode_epoch = epoch;
        vnode.op = super::vnode::Op::Idle;
        vnode.again = false;
        vnode.stabilise_at = Some(now + pause);
        vnode.rare().collapse = None;
        self.small_alone(at, now);
        if let Some(small) = self.small(at) {
            for node in known {
                small.put(node, Status::Live, now);
            }
        }
    }

    /// A member of our small ring says that it is in a large one, or a stranger is looked at.
    pub(crate) fn peek(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        if !self.is_asked(at, node, Call::Peek) {
            self.ask(cx, (at, *node), Call::Peek, &Message::GetState(wire::GetState { known: 0, skip: 0 }));
        }
    }

    /// What a member in another mode, or a stranger, turns out to be.
    pub(crate) fn on_peeked(&mut self, cx: &mut Context<'_>, from: &Received, view: &wire::View<'_>) {
        let at = from.at;
        let most = usize::from(self.vnodes[at].most);
        if !matches!(self.vnodes[at].mode, Mode::Solo | Mode::Small) {
            return;
        }
        let Some(small) = self.small(at) else { return };
        let live: Vec<Node> = small.live().collect();
        let ours = live.contains(&from.from);
        match view.mode {
            Mode::Ring if ours && view.mode_epoch > self.vnodes[at].mode_epoch && live.len() > most => {
                self.grow(cx, at, view.mode_epoch);
            }
            Mode::Ring if ours && view.mode_epoch <= self.vnodes[at].mode_epoch => {
                // It has not heard that the ring is small.
                self.welcome(cx, at, &from.from);
            }
            Mode::Ring => self.join_larger(cx, at, &from.from),
            Mode::Solo | Mode::Small if !ours => self.join_small(cx, at, &from.from),
            _ => {}
        }
    }

    /// A small ring met a large one: each member joins it, keeping its data.
    fn join_larger(&mut self, cx: &mut Context<'_>, at: usize, contact: &Node) {
        let most = usize::from(self.config.limits.passive);
        let names: Vec<Node> = self.small(at).map(|small| small.live().collect()).unwrap_or_default();
        for node in names.iter().chain([contact]) {
            self.passive.add(*node, most, cx.now(), self.config.timers.probe);
        }
        if let Some(rare) = self.vnodes[at].rare.as_mut() {
            rare.small = None;
        }
        let vnode = &mut self.vnodes[at];
        vnode.node.incarnation = vnode.node.incarnation.saturating_add(1);
        vnode.list = super::SuccessorList::default();
        self.deactivate(at);
        self.begin_join(cx, at);
        if let Some(rare) = self.vnodes[at].rare.as_mut()
            && let Some(joining) = rare.joining.as_mut()
        {
            joining.retry_at = None;
        }
        let message = Message::JoinRead(wire::JoinRead { skip: 0, redirects: 0 });
        let asked = self.ask(cx, (at, *contact), Call::Join, &message);
        if let Some(joining) = self.vnodes[at].rare().joining.as_mut() {
            joining.asked = asked;
        }
    }

    /// Two small rings meet: the other's member takes us in, and with us all we know.
    fn join_small(&mut self, cx: &mut Context<'_>, at: usize, contact: &Node) {
        let message = Message::JoinRead(wire::JoinRead { skip: 0, redirects: 0 });
        self.ask(cx, (at, *contact), Call::Join, &message);
    }

    /// We are going: every member is told.
    pub(crate) fn small_farewell(&mut self, cx: &mut Context<'_>, at: usize) {
        let me = self.vnodes[at].node;
        let names: Vec<Node> = self.small(at).map(|small| small.names().collect()).unwrap_or_default();
        let rows = [wire::Row { contact: me.contact(), status: Status::Dead }];
        let table = List::new(&rows);
        let message =
            Message::SmallAdd(wire::SmallAdd { joiner: me.contact(), page: wire::Page::ONLY, table });
        for to in names {
            self.ask(cx, (at, to), Call::SmallAdd(0), &message);
        }
    }
}
