//! A small ring meets a stranger, or a member that is in a large one already (section 2.5).

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::node::Node;
use throng_wire::chord::{self as wire, List, Message, Mode, Status};

impl Core {
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
    pub(crate) fn join_larger(&mut self, cx: &mut Context<'_>, at: usize, contact: &Node) {
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
    pub(crate) fn join_small(&mut self, cx: &mut Context<'_>, at: usize, contact: &Node) {
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
