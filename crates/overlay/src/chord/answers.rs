//! The dispatch of answers by what was asked, and of requests that went unanswered.

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::rpc::Pending;
use throng_wire::chord::{self as wire, Message, Mode, Relayed};

impl Core {
    /// A request of the ring was answered.
    pub(crate) fn on_reply(
        &mut self,
        cx: &mut Context<'_>,
        call: Call,
        pending: &Pending,
        from: &Received,
        message: &Message<'_>,
    ) {
        let at = from.at;
        if let Message::Pong(pong) = message {
            self.hear_claim(cx, &from.from, pong.claim);
        }
        match (call, message) {
            (Call::Join, _) => self.on_join_answer(cx, from, message),
            (Call::Founder, _) => self.on_founder(cx, from, message),
            (Call::Head, _) => self.on_head_state(cx, (at, pending.txid), message),
            (Call::Candidate, _) => self.on_candidate_state(cx, (at, pending.txid), message),
            (Call::Notify, Message::NotifyAck(ack)) => self.on_notify_ack(cx, from, ack),
            (Call::Probe | Call::Confirm, Message::Pong(_)) => self.predecessor_lives(&from.from),
            (Call::Encounter, Message::Pong(_)) => {
                self.insert(cx, at, &from.from);
            }
            (Call::Relay, Message::PingRes(result)) => self.on_relay_answer(cx, pending.first, result),
            (Call::OnBehalf(back), _) => self.on_relayed(cx, back, (pending.to, Some(message))),
            (Call::Switch, Message::NotMember(wire::NotMember { mode: Mode::Ring | Mode::Small })) => {
                self.on_switch_refused(cx, at, &from.from);
            }
            (Call::Switch, Message::SwitchAck(ack)) => self.on_switch_ack(cx, from, ack.epoch),
            (Call::Walk, _) => self.on_walked(cx, at, &pending.to, view_of(message)),
            (Call::Mend, _) => self.on_mend_answer(cx, (at, pending.to), view_of(message)),
            (Call::Leave, _) => self.on_leave_answered(cx, at),
            (Call::SmallAdd(tag), _) => self.on_small_ack(cx, (from, tag), message),
            (Call::SmallWelcome, Message::SmallAck(ack)) => {
                self.merge_rows(cx, at, &ack.table);
            }
            (Call::Collapse, _) => self.on_collapse_ack(cx, from, message),
            (Call::Peek, Message::State(_)) => {
                if let Some(view) = view_of(message) {
                    self.on_peeked(cx, from, view);
                }
            }
            (Call::Foreign(epoch), Message::State(_)) => {
                if let Some(view) = view_of(message) {
                    self.on_foreign(cx, (from, epoch), view);
                }
            }
            (Call::Meet(_), Message::MeetAck(ack)) => self.on_meet_ack(cx, from, ack),
            (Call::Notify | Call::Probe | Call::Confirm | Call::Switch, Message::NotMember(refusal)) => {
                self.on_not_member(cx, at, &from.from, refusal.mode);
            }
            _ => {}
        }
    }

    /// A request of the ring was sent as often as planned.
    pub(crate) fn on_failure(&mut self, cx: &mut Context<'_>, call: Call, pending: &Pending) {
        let at = pending.at;
        match call {
            Call::Join => self.join_failed(cx, at),
            Call::Head => self.on_head_silent(cx, at, pending.txid),
            Call::Candidate => self.on_candidate_silent(cx, at, pending.txid),
            Call::Confirm => self.on_confirm_failed(cx, at, &pending.to),
            Call::OnBehalf(back) => self.on_relayed(cx, back, (pending.to, None)),
            Call::Walk => self.on_walked(cx, at, &pending.to, None),
            Call::Mend => self.on_mend_answer(cx, (at, pending.to), None),
            Call::Leave => self.on_leave_answered(cx, at),
            Call::Collapse => {
                if let Some(rare) = self.vnodes[at].rare.as_mut() {
                    rare.collapse = None;
                }
            }
            Call::Switch => self.switch_unanswered(at, pending.txid),
            _ => {}
        }
    }

    /// An answer to an address question, when we are nobody yet.
    pub(crate) fn on_nameless_answer(&mut self, cx: &mut Context<'_>, call: Call, message: &Message<'_>) {
        if let (Call::Address, Message::Pong(pong)) = (call, message) {
            self.on_address(cx, pong.seen);
        }
    }
}

/// The view in an answer, direct or through another.
fn view_of<'a, 'm>(message: &'a Message<'m>) -> Option<&'a wire::View<'m>> {
    match message {
        Message::State(state) => state.view.as_ref(),
        Message::PingRes(wire::PingRes { result: Relayed::State(state), .. }) => state.view.as_ref(),
        _ => None,
    }
}
