//! How messages leave: requests with retransmission, answers, and what is said once.
//!
//! Nothing to an address that has not proved itself is longer than three times what it sent; whoever asks for more, or
//! for a change of state, is challenged first ([`Core::is_proved`]).

use super::Context;
use super::core::{Core, Life, Received};
use super::maintenance::Call;
use super::node::Node;
use super::rpc::{Expired, Pending, Plan, Purpose};
use super::violation::Violation;
use throng_machine::{Endpoint, Via};
use throng_wire::chord::{Challenge, Datagram, Flags, Header, List, Message, Mode, Put, Replicate};

/// Datagrams between our own virtual nodes kept at most.
const MOST_LOOPED: usize = 1_024;

impl Core {
    /// Asks a node, as often as configured; the answer or its lack is dispatched by `purpose`. `None` if too many
    /// requests are under way or the message has no encoding.
    pub(crate) fn call(
        &mut self,
        cx: &mut Context<'_>,
        (at, to): (usize, Node),
        purpose: Purpose,
        message: &Message<'_>,
    ) -> Option<u64> {
        let plan = Plan { at, to, purpose, rto: self.rto(&to), sends: self.config.timers.sends };
        self.call_with(cx, plan, message)
    }

    /// As [`Core::call`], for the ring itself.
    pub(crate) fn ask(
        &mut self,
        cx: &mut Context<'_>,
        (at, to): (usize, Node),
        call: Call,
        message: &Message<'_>,
    ) -> Option<u64> {
        self.call(cx, (at, to), Purpose::Ring(call), message)
    }

    /// As [`Core::call`] with patience and number of sends given.
    pub(crate) fn call_with(
        &mut self,
        cx: &mut Context<'_>,
        plan: Plan,
        message: &Message<'_>,
    ) -> Option<u64> {
        let txid = self.rpc.reserve(self.config.limits.pending, cx.rng())?;
        let token = self.proofs.held(plan.to.endpoint, cx.now());
        let header = self.header(plan.at, plan.to.vnode, txid, token);
        let mut bytes = Vec::new();
        if (Datagram { header, message: *message }).encode(&mut bytes).is_err() {
            self.rpc.release(txid);
            return None;
        }
        let stranger = token == 0 && self.endpoint != Some(plan.to.endpoint);
        match Some(message).filter(|_| stranger).and_then(knock) {
            Some(message) => self.transmit(cx, plan.to.endpoint, &Datagram { header, message }),
            None => self.emit(cx, plan.to.endpoint, &bytes),
        }
        self.rpc.start(txid, plan, bytes.into_boxed_slice(), cx.now());
        Some(txid)
    }

    /// Says something that is not answered. If the other has given us no token it is kept until challenged.
    pub(crate) fn tell(&mut self, cx: &mut Context<'_>, (at, to): (usize, Node), message: &Message<'_>) {
        let plan = Plan { at, to, purpose: Purpose::Ring(Call::Told), rto: self.rto(&to), sends: 1 };
        if self.proofs.held(to.endpoint, cx.now()) == 0 {
            self.call_with(cx, plan, message);
            return;
        }
        let txid = cx.rng().next_u64();
        let header = self.header(at, to.vnode, txid, self.proofs.held(to.endpoint, cx.now()));
        self.transmit(cx, to.endpoint, &Datagram { header, message: *message });
    }

    /// Says something that is not answered, under a token that the receiver itself has chosen.
    pub(crate) fn say(
        &mut self,
        cx: &mut Context<'_>,
        (at, to): (usize, Node),
        token: u64,
        message: &Message<'_>,
    ) {
        let txid = cx.rng().next_u64();
        let header = self.header(at, to.vnode, txid, token);
        self.transmit(cx, to.endpoint, &Datagram { header, message: *message });
    }

    /// Answers a request; the answer carries a token for its receiver.
    pub(crate) fn reply(&mut self, cx: &mut Context<'_>, to: &Received, message: &Message<'_>) {
        let (endpoint, now) = (to.from.endpoint, cx.now());
        let token = self.proofs.token(endpoint, now, cx.rng());
        let incarnation = self.vnodes.get(to.at).map_or(self.incarnation, |vnode| vnode.node.incarnation);
        let mut header = to.header.answer(incarnation, token);
        header.flags = self.flags(to.at);
        self.transmit(cx, endpoint, &Datagram { header, message: *message });
    }

    /// Whether the sender of a request has proved its address; if not it is challenged, and must ask again.
    pub(crate) fn is_proved(&mut self, cx: &mut Context<'_>, from: &Received) -> bool {
        if !from.proved {
            self.blame(Violation::Unproved);
            self.reply(cx, from, &Message::Challenge(Challenge {}));
        }
        from.proved
    }

    /// Sends again what has waited long enough; what was sent often enough is returned.
    pub(crate) fn resend(&mut self, cx: &mut Context<'_>) -> Option<Pending> {
        while let Some(expired) = self.rpc.expire(cx.now()) {
            match expired {
                Expired::Again(to, bytes) => self.emit(cx, to, &bytes),
                Expired::Failed(pending) => return Some(pending),
            }
        }
        None
    }

    /// A request of ours met a challenge: show the token.
    pub(crate) fn on_challenge(&mut self, cx: &mut Context<'_>, txid: u64, from: Endpoint, token: u64) {
        if let Some(bytes) = self.rpc.challenged(txid, from, token, cx.now()) {
            let bytes = Box::from(bytes);
            self.emit(cx, from, &bytes);
        }
    }

    fn header(&self, at: usize, destination: u8, txid: u64, token: u64) -> Header {
        let vnode = self.vnodes.get(at).map(|vnode| vnode.node);
        let (source, incarnation) =
            vnode.map_or((0, self.incarnation), |node| (node.vnode, node.incarnation));
        Header {
            net_id: self.config.net_id,
            txid,
            source,
            destination,
            flags: self.flags(at),
            incarnation,
            token,
        }
    }

    fn flags(&self, at: usize) -> Flags {
        let leaving =
            |vnode: &super::vnode::Vnode| vnode.rare.as_ref().is_some_and(|rare| rare.leaving.is_some());
        match self.vnodes.get(at).map(|vnode| vnode.mode) {
            _ if self.life == Life::Leaving || self.vnodes.get(at).is_some_and(leaving) => Flags::LEAVING,
            None | Some(Mode::Joining) => Flags::LEAF,
            _ => Flags::default(),
        }
    }

    fn transmit(&mut self, cx: &mut Context<'_>, to: Endpoint, datagram: &Datagram<'_>) {
        if self.endpoint == Some(to) {
            let mut bytes = Vec::new();
            if datagram.encode(&mut bytes).is_ok() {
                self.emit(cx, to, &bytes);
            }
            return;
        }
        cx.send(Via::Udp, to, |out| {
            // On failure nothing is appended, and nothing sent: a message of ours that has no encoding.
            let _ = datagram.encode(out);
        });
    }

    fn emit(&mut self, cx: &mut Context<'_>, to: Endpoint, bytes: &[u8]) {
        if self.endpoint == Some(to) {
            if self.loopback.len() < MOST_LOOPED {
                self.loopback.push_back(bytes.into());
            }
            return;
        }
        cx.send(Via::Udp, to, |out| out.extend_from_slice(bytes));
    }
}

/// What is sent first in place of records to an address of which no token is held: it would be challenged and everything
/// sent twice. The challenge answers this one, with the same transaction.
fn knock<'a>(message: &Message<'a>) -> Option<Message<'a>> {
    match *message {
        Message::Put(put) => Some(Message::Put(Put { records: List::default(), ..put })),
        Message::Replicate(copies) => {
            Some(Message::Replicate(Replicate { records: List::default(), ..copies }))
        }
        _ => None,
    }
}
