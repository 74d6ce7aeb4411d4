//! News of a death goes back along the ring (2.7): whoever has lost its head tells its predecessor, which has that node in
//! its list as well and tells its own. So a dead node leaves all lists within seconds, not an entry a round, and lookups
//! that end at a list do not end at the dead.
//!
//! It is hearsay: whoever hears it pings the node and goes through all of suspicion and confirmation itself. It is heard
//! of nodes in one's own list only, and of one node once while it is looked into: a lie costs the pings of r nodes.

use super::Context;
use super::core::{Core, Received};
use super::node::Node;
use std::time::Duration;
use throng_wire::chord::{Change, Events, List, Message, Mode};

/// Lists shorter than this are looked after by heartbeats and rounds alone.
const SHORT: usize = 8;
/// Deaths of one message that are looked into.
const MOST: usize = 4;
/// Who was heard so lately is not looked into.
const LATELY: Duration = Duration::from_secs(2);

impl Core {
    /// The head of a virtual node of ours was confirmed dead.
    pub(crate) fn tell_of_death(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        let most = self.vnodes[at].most;
        self.pass_rumour(cx, at, (node, most));
    }

    fn pass_rumour(&mut self, cx: &mut Context<'_>, at: usize, (node, ttl): (&Node, u8)) {
        let vnode = &self.vnodes[at];
        let prdc = vnode.predecessor.as_ref().filter(|prdc| prdc.is_usable()).map(|prdc| prdc.node);
        if ttl == 0 || vnode.mode != Mode::Ring || vnode.list.len() < SHORT {
            return;
        }
        if let Some(prdc) = prdc.filter(|prdc| prdc != node) {
            let changes = [Change { contact: node.contact(), alive: false, ttl }];
            self.tell(cx, (at, prdc), &Message::Events(Events { changes: List::new(&changes) }));
        }
    }

    /// Somebody in our list says who has died.
    pub(crate) fn on_rumour(&mut self, cx: &mut Context<'_>, from: &Received, events: &Events<'_>) {
        let at = from.at;
        let trusted = self.vnodes.get(at).is_some_and(|vnode| vnode.list.holds(&from.from));
        if !from.proved || !trusted {
            return;
        }
        let dead = events.changes.iter().filter(|change| !change.alive).take(MOST);
        let named: Vec<(Node, u8)> = dead
            .filter_map(|change| Some((Node::of(self.config.id_rule, &change.contact)?, change.ttl)))
            .collect();
        for (node, ttl) in named {
            let most = self.vnodes[at].most;
            let entry = self.vnodes[at].list.find(&node);
            let silent = entry.is_some_and(|entry| !entry.heard.within(LATELY, cx.now()));
            if silent && !self.is_probed(&node) {
                self.probe(cx, at, &node);
                self.pass_rumour(cx, at, (&node, ttl.min(most).saturating_sub(1)));
            }
        }
    }
}
