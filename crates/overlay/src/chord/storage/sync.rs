//! Bringing a range here and at a neighbour to the same (2.10): root digests first, then what differs below, then
//! headers, then records, both ways. Equal stores cost one message each way.
//!
//! One side drives (this file), the other only answers ([`Store::on_digest`], [`Store::on_pull`]). A few requests are
//! under way at once; what is too large or too much for datagrams goes by stream.

use super::digest::{self};
use super::id::Locator;
use super::serve::INLINE;
use super::{Call, Store};
use crate::chord::core::Core;
use crate::chord::node::Node;
use crate::chord::rpc::Purpose;
use crate::chord::{Context, Instant};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use throng_wire::chord::{Digest, DigestAck, Message, Prefix, RecordId, RingId, Summary, TreeNode};

/// Requests of one comparison under way at once.
const WINDOW: u8 = 4;
/// Comparisons under way at once, ours; more wait for the next round of repair.
const MOST: usize = 16;
/// Parts asked about in one message.
const PARTS: usize = 8;
/// Times a range is looked at again after records have moved.
const ROUNDS: u8 = 3;
/// Parts still to be asked about at most: more differ only at a liar's.
const MOST_PARTS: usize = 16_384;
/// Requests of one comparison at most.
const MOST_ASKED: u32 = 65_536;
/// Who lacks at most one record of so many has come back and missed them.
const LITTLE: usize = 4;

/// Why two stores are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// A joiner is to own the range.
    Copy,
    /// This virtual node leaves.
    HandOver,
    /// This virtual node came back.
    CatchUp,
    /// Neighbours changed, or it was time.
    Repair,
    /// Does the other hold our range? Enough others do: who lacks much of it is given nothing.
    Look,
    /// Before what is kept without need is deleted.
    Delete,
}

/// A comparison under way.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    /// Our virtual node.
    pub at: usize,
    /// The other side.
    pub peer: Node,
    /// Exclusive.
    pub low: RingId,
    /// Inclusive.
    pub high: RingId,
    /// What for.
    pub why: Why,
    /// Parts to be asked about.
    pub(super) parts: Vec<Prefix>,
    /// Parts under way, by the number of the request; with what is still to be asked of a large leaf.
    asked: BTreeMap<u32, (Vec<Prefix>, u16)>,
    /// What the other has and we need, by part: the range a pull names.
    pub(super) pulls: VecDeque<(Prefix, Vec<RecordId>)>,
    /// What we have and the other needs.
    pub(super) pushes: VecDeque<Locator>,
    /// What the other lacks altogether and is given only if it is little beside what it has.
    pub(super) lacked: Vec<Locator>,
    /// Headers of a leaf that came in several answers.
    leaf: BTreeMap<Prefix, Vec<Summary>>,
    /// Records the other refused: not offered again.
    pub(super) refused: BTreeSet<Locator>,
    pub(super) inflight: u8,
    pub(super) serial: u32,
    pub(super) moved: u32,
    rounds: u8,
    pub(super) streaming: bool,
    /// Some part could not be compared to the end.
    unsettled: bool,
}

impl Sync {
    /// The other lacks some records.
    pub(super) fn offer(&mut self, lacked: Vec<Locator>) {
        if self.why == Why::Look {
            self.lacked.extend(lacked);
        } else {
            self.pushes.extend(lacked);
        }
    }
}

/// How a comparison ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The digests agree.
    Equal,
    /// They do not, but all that could be moved was.
    Different,
    /// The other lacks much, and was given none of that.
    Lacking,
    /// The other side is silent or would not.
    Failed,
}

impl Store {
    /// Compares a range with a neighbour; `on_synced` follows. False if too much is under way.
    pub(crate) fn sync(
        &mut self,
        core: &mut Core,
        (at, peer, why): (usize, Node, Why),
        (low, high): (RingId, RingId),
        cx: &mut Context<'_>,
    ) -> bool {
        let same =
            |sync: &Sync| (sync.at, sync.peer, sync.why, sync.low, sync.high) == (at, peer, why, low, high);
        if self.syncs.values().map(Box::as_ref).any(same) {
            return true;
        }
        // What a leave or a switch waits for is never turned away.
        if self.syncs.len() >= MOST && matches!(why, Why::Repair | Why::Look | Why::Delete) {
            return false;
        }
        let number = self.number();
        let sync = Sync {
            at,
            peer,
            low,
            high,
            why,
            parts: vec![Prefix::ROOT],
            asked: BTreeMap::new(),
            pulls: VecDeque::new(),
            pushes: VecDeque::new(),
            lacked: Vec::new(),
            leaf: BTreeMap::new(),
            refused: BTreeSet::new(),
            inflight: 0,
            serial: 0,
            moved: 0,
            rounds: 0,
            streaming: false,
            unsettled: false,
        };
        self.syncs.insert(number, Box::new(sync));
        self.drive(core, number, cx);
        true
    }

    /// Sends what may be sent; ends the comparison when nothing is left.
    pub(crate) fn drive(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        loop {
            let Some(sync) = self.syncs.get_mut(&number) else { return };
            if sync.inflight >= WINDOW || sync.streaming {
                return;
            }
            let many = sync.pushes.len() > core.config.storing.by_datagram as usize;
            let large = sync
                .pushes
                .front()
                .and_then(|id| self.records.find(id, cx.now()))
                .is_some_and(|stored| stored.body.len() > INLINE);
            if many || large {
                sync.streaming = true;
                let pushes: Vec<Locator> = sync.pushes.drain(..).collect();
                let (at, peer) = (sync.at, sync.peer);
                return self.push_by_stream(core, (number, at, peer), pushes, cx);
            }
            let sent = if !sync.pushes.is_empty() {
                self.push(core, number, cx)
            } else if !sync.pulls.is_empty() {
                self.pull(core, number, cx)
            } else if !sync.parts.is_empty() {
                self.compare(core, number, cx)
            } else if sync.inflight == 0 {
                return self.round_done(core, number, cx);
            } else {
                return;
            };
            if !sent {
                return self.synced(core, number, Ended::Failed, cx);
            }
        }
    }

    /// Asks about some parts.
    fn compare(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) -> bool {
        let Some(sync) = self.syncs.get_mut(&number) else { return false };
        let from = sync.parts.len().saturating_sub(PARTS);
        let parts: Vec<Prefix> = sync.parts.split_off(from);
        self.ask_about(core, number, (parts, 0), cx)
    }

    fn ask_about(
        &mut self,
        core: &mut Core,
        number: u32,
        (parts, skip): (Vec<Prefix>, u16),
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(sync) = self.syncs.get_mut(&number) else { return false };
        let range = (sync.low, sync.high);
        let node = |prefix: &Prefix| tree_node(&self.records, range, *prefix, cx.now());
        let nodes: Vec<TreeNode> = parts.iter().map(node).collect();
        sync.serial += 1;
        let (serial, at, peer) = (sync.serial, sync.at, sync.peer);
        sync.asked.insert(serial, (parts, skip));
        let message = Message::Digest(Digest { low: range.0, high: range.1, skip, nodes: (&nodes).into() });
        self.sync_call(core, (number, serial, at, peer), &message, cx)
    }

    pub(super) fn sync_call(
        &mut self,
        core: &mut Core,
        (number, serial, at, peer): (u32, u32, usize, Node),
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        let call = Purpose::Storage(Call::Synced(number, serial));
        let sent = core.call(cx, (at, peer), call, message).is_some();
        if let Some(sync) = self.syncs.get_mut(&number)
            && sent
        {
            sync.inflight += 1;
        }
        sent
    }

    /// The other side answered.
    pub(crate) fn on_sync_reply(
        &mut self,
        core: &mut Core,
        (number, serial): (u32, u32),
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        let Some(sync) = self.syncs.get_mut(&number) else { return };
        sync.inflight = sync.inflight.saturating_sub(1);
        match message {
            Message::DigestAck(ack) => self.on_digest_ack(core, (number, serial), ack, cx),
            Message::PullAck(ack) => self.on_pull_ack(core, (number, serial), ack, cx),
            Message::PutAck(ack) => self.on_push_ack((number, serial), ack),
            _ => return self.synced(core, number, Ended::Failed, cx),
        }
        self.drive(core, number, cx);
    }

    /// The other side is silent.
    pub(crate) fn on_sync_failure(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        self.synced(core, number, Ended::Failed, cx);
    }

    fn on_digest_ack(
        &mut self,
        core: &mut Core,
        (number, serial): (u32, u32),
        ack: &DigestAck<'_>,
        cx: &mut Context<'_>,
    ) {
        let Some(sync) = self.syncs.get_mut(&number) else { return };
        let Some((parts, _)) = sync.asked.remove(&serial) else { return };
        let range = (sync.low, sync.high);
        if (ack.low, ack.high) != range || sync.parts.len() > MOST_PARTS || serial > MOST_ASKED {
            sync.unsettled = true;
            return;
        }
        // The children of what is large and differs: those that differ here too are asked about next.
        for node in ack.nodes {
            let ours = tree_node(&self.records, range, node.prefix, cx.now());
            if parts.iter().any(|part| is_below(node.prefix, *part)) && ours != node {
                match (ours.count, node.count) {
                    (_, 0) => {
                        let lacked = digest::headers(&self.records, range, node.prefix, cx.now());
                        let lacked = lacked.into_iter().map(|(id, _)| id);
                        let offered: Vec<Locator> = lacked.filter(|id| !sync.refused.contains(id)).collect();
                        sync.offer(offered);
                    }
                    _ => sync.parts.push(node.prefix),
                }
            }
        }
        let answered = usize::from(ack.answered).min(parts.len());
        let unfinished = ack.skip > 0;
        let last = if unfinished { answered + 1 } else { answered };
        let mut settled = Vec::new();
        for (index, part) in parts.iter().take(last).enumerate() {
            let headers = ack.records.iter().filter(|summary| part.covers(summary.key));
            sync.leaf.entry(*part).or_default().extend(headers);
            if index < answered {
                let leaf = sync.leaf.remove(part).unwrap_or_default();
                settled.extend(Some((*part, leaf)).filter(|(_, leaf)| !leaf.is_empty()));
            }
        }
        for (part, leaf) in settled {
            self.settle_leaf(number, part, &leaf, cx.now());
        }
        let rest: Vec<Prefix> = parts.get(answered..).unwrap_or_default().to_vec();
        if answered == 0 && !unfinished && !rest.is_empty() {
            // An answer that answers nothing would go on for ever.
            if let Some(sync) = self.syncs.get_mut(&number) {
                sync.unsettled = true;
            }
            return;
        }
        if let (true, Some((first, others))) = (unfinished, rest.split_first()) {
            if let Some(sync) = self.syncs.get_mut(&number) {
                sync.parts.extend(others);
            }
            let asked = self.ask_about(core, number, (vec![*first], ack.skip), cx);
            if let Some(sync) = self.syncs.get_mut(&number) {
                sync.unsettled |= !asked;
            }
        } else if let Some(sync) = self.syncs.get_mut(&number) {
            sync.parts.extend(rest);
        }
    }

    fn round_done(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(sync) = self.syncs.get_mut(&number) else { return };
        let lacked = std::mem::take(&mut sync.lacked);
        if !lacked.is_empty() {
            let all = self.records.range(sync.low, sync.high, cx.now()).count();
            if lacked.len() * LITTLE > all {
                return self.synced(core, number, Ended::Lacking, cx);
            }
            sync.pushes.extend(lacked);
            return self.drive(core, number, cx);
        }
        if sync.moved == 0 {
            let ended =
                if sync.refused.is_empty() && !sync.unsettled { Ended::Equal } else { Ended::Different };
            return self.synced(core, number, ended, cx);
        }
        sync.rounds += 1;
        sync.moved = 0;
        if sync.rounds > ROUNDS {
            return self.synced(core, number, Ended::Different, cx);
        }
        // Once more from the root: what moved must now agree.
        sync.parts.push(Prefix::ROOT);
        self.drive(core, number, cx);
    }

    pub(super) fn synced(&mut self, core: &mut Core, number: u32, ended: Ended, cx: &mut Context<'_>) {
        let Some(sync) = self.syncs.remove(&number) else { return };
        self.pushed.retain(|(of, _), _| *of != number);
        self.pulled.retain(|(of, _), _| *of != number);
        self.on_synced(core, &sync, ended, cx);
    }
}

pub(super) fn tree_node(
    records: &super::records::Records,
    range: (RingId, RingId),
    prefix: Prefix,
    now: Instant,
) -> TreeNode {
    let summary = digest::summary(&digest::headers(records, range, prefix, now), prefix.level());
    TreeNode { prefix, count: summary.count, hash: summary.hash }
}

/// Whether a part lies within another.
fn is_below(part: Prefix, of: Prefix) -> bool {
    part.level() >= of.level() && of.covers(part.first())
}
