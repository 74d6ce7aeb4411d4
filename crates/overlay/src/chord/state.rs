//! What we tell of ourselves: views, notifications, refusals.

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::node::Node;
use super::rpc::Purpose;
use super::vnode::Pred;
use throng_wire::chord::{self as wire, List, Message, Mode};

/// Bytes of contacts in a view at most, so that a view always fits a datagram.
const LIST_BYTES: usize = 800;
/// Bytes of neighbours in a view or a Notify at most.
const PLIST_BYTES: usize = 300;

impl Core {
    /// Somebody asks for our view.
    pub(crate) fn on_get_state(&mut self, cx: &mut Context<'_>, from: &Received, request: &wire::GetState) {
        if !self.is_proved(cx, from) {
            return;
        }
        if !self.vnodes[from.at].is_member() || self.vnodes[from.at].is_gone() {
            return self.refuse(cx, from);
        }
        self.with_view(from.at, |core, digest, view| {
            let view = (digest != request.known).then_some(*view);
            core.reply(cx, from, &Message::State(wire::State { digest, view }));
        });
    }

    /// We are no member: say so.
    pub(crate) fn refuse(&mut self, cx: &mut Context<'_>, from: &Received) {
        let vnode = &self.vnodes[from.at];
        // Who has said goodbye is of no ring, though it still forwards.
        let mode = if vnode.is_gone() { Mode::Joining } else { vnode.mode };
        self.reply(cx, from, &Message::NotMember(wire::NotMember { mode }));
    }

    /// Builds the view of a virtual node and its digest.
    pub(crate) fn with_view(&mut self, at: usize, act: impl FnOnce(&mut Core, u64, &wire::View<'_>)) {
        let vnode = &self.vnodes[at];
        let contacts: Vec<wire::Contact> = vnode.list.nodes().map(|node| node.contact()).collect();
        let plist: Vec<wire::Neighbour> = vnode.predecessors.iter().map(Pred::neighbour).collect();
        let list = List::fitting(&contacts, LIST_BYTES).unwrap_or_default();
        let view = wire::View {
            prdc: vnode.predecessor.as_ref().map(|prdc| prdc.node.contact()),
            claim: vnode.claim,
            mode: vnode.mode,
            mode_epoch: vnode.mode_epoch,
            r: vnode.most,
            n_est: self.own_estimate(at),
            plist: List::fitting(&plist, PLIST_BYTES).unwrap_or_default(),
            skip: 0,
            total: u8::try_from(contacts.len()).unwrap_or(u8::MAX),
            list,
        };
        // The estimate moves with every list; what else changes is what the asker needs to know.
        let digest = digest(&wire::View { n_est: 0, ..view });
        act(self, digest, &view);
    }

    /// Notifies a node that has answered us: we may be its predecessor.
    pub(crate) fn send_notify(&mut self, cx: &mut Context<'_>, at: usize, to: &Node) {
        let vnode = &self.vnodes[at];
        if !matches!(vnode.mode, Mode::Ring | Mode::Small)
            || vnode.is_parting()
            || vnode.entry(to).is_some_and(|entry| entry.relay_only)
        {
            return;
        }
        let under_way = |pending: &super::rpc::Pending| {
            pending.purpose == Purpose::Ring(Call::Notify) && pending.at == at && pending.to == *to
        };
        if self.rpc.iter().any(under_way) {
            return;
        }
        let plist: Vec<wire::Neighbour> = vnode.predecessors.iter().map(Pred::neighbour).collect();
        let plist = List::fitting(&plist, PLIST_BYTES).unwrap_or_default();
        let message = Message::Notify(wire::Notify { claim: vnode.claim, plist });
        self.ask(cx, (at, *to), Call::Notify, &message);
    }
}

/// A hash of a view by which an unchanged one is told from a changed one; never 0.
fn digest(view: &wire::View<'_>) -> u64 {
    use std::hash::Hasher as _;
    use throng_wire::chord::Wire as _;
    let mut bytes = Vec::with_capacity(1_024);
    // What does not fit the wire was cut before; a view that has no encoding at all is never sent.
    let _ = view.write(&mut bytes);
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(&bytes);
    hasher.finish().max(1)
}
