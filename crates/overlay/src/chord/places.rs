//! Our own address, if it is not known, and further virtual nodes.

use super::Context;
use super::core::{Core, Life};
use super::join::PAUSE;
use super::maintenance::Call;
use super::node::Node;
use super::vnode::Vnode;
use throng_wire::chord::{self as wire, Message, Mode};

impl Core {
    /// Our own address is not known: the first of those we were told of that answers says how it sees us.
    pub(crate) fn ask_address(&mut self, cx: &mut Context<'_>) {
        let claim = wire::Claim::Inactive;
        let rule = self.config.id_rule;
        let told: Vec<Node> = self.bootstrap.iter().filter_map(|to| Node::new(rule, *to, 0, 0)).collect();
        for to in told.into_iter().take(3) {
            self.ask(cx, (0, to), Call::Address, &Message::Ping(wire::Ping { claim }));
        }
        self.next_vnode = Some(cx.now() + PAUSE * 2);
    }

    /// How a peer sees us: before we are anybody that decides who we are.
    pub(crate) fn on_address(&mut self, cx: &mut Context<'_>, seen: std::net::SocketAddr) {
        if self.vnodes.is_empty() && self.life == Life::Running {
            self.settle_at(seen.into());
            self.next_vnode = None;
            if !self.vnodes.is_empty() {
                self.begin_join(cx, 0);
            }
        }
    }

    /// Further virtual nodes join one at a time, once the ring is large enough; they leave when it is small again.
    pub(crate) fn on_next_vnode(&mut self, cx: &mut Context<'_>) {
        if self.vnodes.is_empty() {
            return self.ask_address(cx);
        }
        let (now, wanted) = (cx.now(), self.config.vnodes.clamp(1, self.config.id_rule.vnodes()));
        self.next_vnode = Some(now + self.config.timers.vnode_every);
        let (Some(first), Some(endpoint)) = (self.vnodes.first(), self.endpoint) else { return };
        let size = self.estimate(0);
        if first.mode != Mode::Ring || wanted == 1 {
            return;
        }
        let settled = first.since.age(now).is_some_and(|age| age >= self.config.timers.vnode_after);
        let busy = self.vnodes.iter().any(|vnode| !vnode.is_member());
        let enough = size >= 32.0 && first.list.hosts() >= usize::from(first.most).min(first.list.len());
        if settled && enough && !busy && self.vnodes.len() < usize::from(wanted) && self.life == Life::Running
        {
            let index = self.vnodes.len() as u8;
            let incarnation = first.node.incarnation.max(self.incarnation);
            let node = Node::new(self.config.id_rule, endpoint, index, incarnation);
            let most = self.config.successors.unwrap_or(16);
            if let Some(node) = node {
                self.vnodes.push(Vnode::new(node, most));
                let at = self.vnodes.len() - 1;
                self.begin_join(cx, at);
            }
        } else if size < 20.0 && self.vnodes.len() > 1 {
            let last = self.vnodes.len() - 1;
            self.leave_vnode(cx, last);
        }
    }
}
