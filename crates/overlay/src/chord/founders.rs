//! A ring that several hosts begin together (section 2.5, the genesis file of servers).
//!
//! Each is told the same addresses and waits until all have answered once; then each is a member of the same small
//! ring, computed from the same table, and owns its range at once: nothing was stored before. Who finds that one of
//! them is a member already joins as anybody does: it was started again, or is the last to know.

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::node::Node;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::{self as wire, Message, Mode, Status};

/// Those who have not answered are asked again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// Founders at most: as many as a small ring may have members.
const MOST: usize = 40;

/// The beginning of a ring.
#[derive(Clone, Default, Debug)]
pub(crate) struct Founding {
    /// Who has answered, with their incarnations.
    pub answered: Vec<Node>,
    /// When to ask the others.
    pub retry_at: Option<Instant>,
}

impl Core {
    /// Begins a ring together with these.
    pub(crate) fn found_together(&mut self, cx: &mut Context<'_>, mut founders: Vec<Endpoint>) {
        founders.sort_unstable();
        founders.dedup();
        founders.retain(|founder| founder.is_dialable() && Some(*founder) != self.endpoint);
        founders.truncate(MOST);
        self.bootstrap = founders;
        let now = cx.now();
        if let Some(vnode) = self.vnodes.first_mut() {
            vnode.rare().founding = Some(Founding { answered: Vec::new(), retry_at: Some(now) });
        }
    }

    /// Asks those who have not answered.
    pub(crate) fn ask_founders(&mut self, cx: &mut Context<'_>, at: usize) {
        let again = cx.now() + AGAIN;
        let Some(founding) = self.founding(at) else { return };
        founding.retry_at = Some(again);
        let answered: Vec<Endpoint> = founding.answered.iter().map(|node| node.endpoint).collect();
        let rule = self.config.id_rule;
        let missing = self.bootstrap.iter().filter(|founder| !answered.contains(founder));
        let missing: Vec<Node> = missing.filter_map(|founder| Node::new(rule, *founder, 0, 0)).collect();
        if missing.is_empty() {
            return self.founded(cx, at);
        }
        for founder in missing {
            let asked = self.rpc.iter().any(|pending| pending.to.endpoint == founder.endpoint);
            if !asked {
                let ping = wire::Ping { claim: wire::Claim::Inactive };
                self.ask(cx, (at, founder), Call::Founder, &Message::Ping(ping));
            }
        }
    }

    fn founding(&mut self, at: usize) -> Option<&mut Founding> {
        self.vnodes.get_mut(at)?.rare.as_mut()?.founding.as_mut()
    }

    /// One of them answers: of no ring yet, like us, or a member.
    pub(crate) fn on_founder(&mut self, cx: &mut Context<'_>, from: &Received, message: &Message<'_>) {
        let at = from.at;
        let Some(founding) = self.founding(at) else { return };
        if !matches!(message, Message::NotMember(wire::NotMember { mode: Mode::Joining })) {
            self.vnodes[at].rare().founding = None;
            return self.begin_join(cx, at);
        }
        founding.answered.retain(|node| node.endpoint != from.from.endpoint);
        founding.answered.push(from.from);
        if self.bootstrap.len() == self.founding(at).map_or(0, |founding| founding.answered.len()) {
            self.founded(cx, at);
        }
    }

    /// All have answered: each is a member, and owns what lies between the one before it and itself.
    fn founded(&mut self, cx: &mut Context<'_>, at: usize) {
        let Some(founding) = self.vnodes[at].rare().founding.take() else { return };
        let now = cx.now();
        self.small_alone(at, now);
        if let Some(small) = self.small(at) {
            for node in founding.answered {
                small.put(node, Status::Live, now);
            }
        }
        let vnode = &mut self.vnodes[at];
        (vnode.mode, vnode.mode_epoch) = (Mode::Small, vnode.mode_epoch.saturating_add(1));
        self.became_member(cx, at);
        self.recompute(cx, at);
        let low = self.vnodes[at].predecessor.as_ref().map(|prdc| prdc.node.id);
        if let Some(low) = low {
            self.activate(at, low);
        }
        self.own_everything(at);
    }
}
