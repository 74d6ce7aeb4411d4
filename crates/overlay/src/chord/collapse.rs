//! From a large ring back to a small one, once everybody sees all of it (section 2.5).

use super::Context;
use super::core::{Core, Life, Received};
use super::maintenance::Call;
use super::node::Node;
use super::small::Collapsing;
use super::small_join::GIVE_UP;
use throng_wire::chord::{self as wire, List, Message, Mode, Status};

impl Core {
    /// Whether we see the whole ring too and would have it small at that epoch.
    pub(crate) fn agrees(&self, at: usize, epoch: u32) -> bool {
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

    pub(crate) fn all_known(&self, at: usize) -> Vec<Node> {
        let vnode = &self.vnodes[at];
        let prdc = vnode.predecessor.as_ref().filter(|prdc| prdc.health != super::node::Health::Dead);
        let mut names: Vec<Node> = vnode.list.nodes().chain(prdc.map(|prdc| prdc.node)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(crate) fn drive_collapse(&mut self, cx: &mut Context<'_>, at: usize) {
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

    pub(crate) fn rows_of_all(&self, at: usize) -> Vec<wire::Row> {
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
    pub(crate) fn collapsed(&mut self, cx: &mut Context<'_>, at: usize, epoch: u32) {
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
    pub(crate) fn shrink(&mut self, cx: &mut Context<'_>, at: usize, epoch: u32) {
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
}
