//! What of a world decides how it goes on: its fingerprint, and which messages have an order that matters.

use super::super::net::Flying;
use crate::chord::rpc::Purpose;
use crate::chord::{Chord, Node, PendingRead, View};
use throng_machine::Endpoint;
use throng_wire::chord::{Claim, Datagram, Message, Mode};

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It arrives when the explorer says.
    Chosen,
    /// It decides nothing and arrives at once.
    Arrives,
    /// It is lost.
    Lost,
}

pub(super) fn fate(flying: &Flying) -> Fate {
    match Datagram::decode(&flying.bytes).map(|datagram| datagram.message) {
        Ok(
            Message::GetState(_)
            | Message::State(_)
            | Message::Notify(_)
            | Message::JoinRead(_)
            | Message::JoinOk(_)
            | Message::Leave(_)
            | Message::Switch(_)
            | Message::SwitchAck(_)
            | Message::SmallAdd(_)
            | Message::SmallAck(_)
            | Message::SmallWelcome(_),
        ) => Fate::Chosen,
        Ok(Message::Nudge(_)) => Fate::Lost,
        _ => Fate::Arrives,
    }
}

/// What a datagram says, without transaction and token.
pub(super) fn canonical(flying: &Flying) -> (Endpoint, Endpoint, u8, Vec<u8>) {
    let bytes = &flying.bytes;
    let header = throng_wire::chord::HEADER_LEN.min(bytes.len());
    (flying.from, flying.to, bytes.get(3).copied().unwrap_or(0), bytes[header..].to_vec())
}

/// What a node believes, to be hashed; fingers and the ages of the dead are left out.
pub(super) fn facts(view: &View) -> impl std::hash::Hash + use<> {
    let View { me, mode, mode_epoch, list, prdc, prdc_dead, claim, bound, op, grant, .. } = view;
    let op = match op {
        PendingRead::Idle => (0, None, None),
        PendingRead::AwaitHead(node) => (1, Some(*node), None),
        PendingRead::AwaitCand(head, node) => (2, Some(*node), Some(*head)),
        PendingRead::AwaitJoin(node) => (3, Some(*node), None),
    };
    let low = match claim {
        Claim::Active { low, epoch } => Some((*low, *epoch)),
        Claim::Inactive => None,
    };
    let mode = match mode {
        Mode::Solo => 1u8,
        Mode::Small => 2,
        Mode::Ring => 3,
        _ => 0,
    };
    let lists = (list.clone(), view.notifiers.clone(), view.dead.clone(), view.table.clone());
    (*me, mode, *mode_epoch, lists, (*prdc, *prdc_dead), low, *bound, op, *grant)
}

/// The rows of a small ring's table, and who has acknowledged whose join.
pub(super) fn table(machine: &Chord) -> Vec<String> {
    let rare = machine.core().vnodes[0].rare.as_deref();
    let Some(small) = rare.and_then(|rare| rare.small.as_ref()) else { return Vec::new() };
    let rows = small.rows.iter().map(|row| format!("{:?} {:?}", row.node, row.status));
    let adding = small.adding.iter().map(|adding| {
        let mut acked = adding.acked.clone();
        acked.sort();
        format!("{:?} {acked:?}", adding.joiner)
    });
    rows.chain(adding).collect()
}

/// Whom a node waits for, and what for.
pub(super) fn pending(machine: &Chord) -> Vec<(Node, String)> {
    let purpose = |purpose: &Purpose| match purpose {
        Purpose::Ring(call) => format!("{call:?}"),
        other => format!("{other:?}"),
    };
    let mut asked: Vec<_> =
        machine.core().rpc.iter().map(|pending| (pending.to, purpose(&pending.purpose))).collect();
    asked.sort();
    asked
}
