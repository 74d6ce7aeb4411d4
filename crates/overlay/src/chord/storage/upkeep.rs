//! When copies are compared, with whom, and when one is deleted (2.9, 2.10).
//!
//! Each virtual node compares its own range with each of its replicas soon after its neighbours change, and with one
//! neighbour about every 300 s. A joiner is given its range before it owns it; one who leaves pushes what would have too
//! few holders; one who returns asks before it serves. Copies kept without need are deleted last, with the owner's word.

use super::holders::{Holders, Step};
use super::operation::Task;
use super::placement;
use super::sync::{Ended, Sync, Why};
use super::{Call, Store, digest};
use crate::chord::core::{Core, Received};
use crate::chord::lookup::FoundAt;
use crate::chord::node::Node;
use crate::chord::notice::Notice;
use crate::chord::rpc::Purpose;
use crate::chord::{Context, Instant};
use std::time::Duration;
use throng_machine::Deadline;
use throng_wire::chord::{Confirm, Confirmed, Message, Prefix, RingId, own};

/// A repair that did not make copies equal is repeated after this, and each time so much later.
const REPAIR_AGAIN: Duration = Duration::from_secs(10);
/// ... so often; then with the ordinary rounds.
const MOST_TRIES: u8 = 4;

/// What one virtual node does about its copies.
#[derive(Clone, Default, Debug)]
pub(crate) struct Upkeep {
    /// When to compare with the replicas.
    repair_at: Option<Instant>,
    /// When to compare with one neighbour.
    round_at: Option<Instant>,
    /// A repair is under way: what was done in it.
    pass: Option<Vec<Step>>,
    /// Repairs that did not succeed since the list changed.
    tries: u8,
    /// Who else holds our range.
    holders: Holders,
    /// The next round compares our own range.
    forward: bool,
    /// When our range was last found equal at somebody, in a repair.
    compared: Option<Instant>,
    /// When the list last changed.
    changed: Option<Instant>,
    /// Until when reads that find nothing ask the successor.
    pub read_through: Option<Instant>,
    /// What is to be pushed before we leave.
    leaving: Option<Vec<(Node, RingId, RingId)>>,
    /// Neighbours asked what we missed that have not answered.
    missed: Option<u8>,
}

impl Upkeep {
    /// A range was given to us a moment ago, perhaps before all of it was copied. Any other host that holds nothing asks
    /// nobody: its neighbours ask it, and would in turn have to ask theirs, round the whole ring.
    fn may_miss(&self, now: Instant) -> bool {
        self.read_through.is_some_and(|until| until > now)
    }

    /// Whether nothing is asked or waited for.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        !self.may_miss(now) && self.leaving.is_none() && self.missed.is_none() && self.pass.is_none()
    }

    fn deadline(&self) -> Option<Instant> {
        Deadline::none().at(self.repair_at).at(self.round_at).earliest()
    }
}

impl Store {
    /// News of the ring.
    pub(crate) fn on_notice(&mut self, core: &mut Core, notice: &Notice, cx: &mut Context<'_>) {
        self.fit(core, cx);
        match notice {
            Notice::ListChanged { at } => self.on_list_changed(core, *at, cx),
            Notice::RangeChanged { at } => self.on_range_changed(core, *at, cx),
            Notice::Active { at } => self.on_active(core, *at, cx),
            Notice::Copy { at, to, low, high } => {
                // Never turned away: a switch waits for it.
                self.sync(core, (*at, *to, Why::Copy), (*low, *high), cx);
            }
            Notice::HandOver { at } => self.hand_over(core, *at, cx),
            Notice::CatchUp { at } => self.catch_up(core, *at, cx),
            Notice::Dead { .. } => self.death_until = Some(cx.now() + core.config.storing.death_wait),
            _ => {}
        }
    }

    /// One entry a virtual node; new ones look around soon.
    pub(crate) fn fit(&mut self, core: &Core, cx: &mut Context<'_>) {
        self.upkeep.truncate(core.vnodes.len());
        while self.upkeep.len() < core.vnodes.len() {
            let round_at = Some(cx.now() + self.period(core, cx));
            self.upkeep.push(Upkeep { round_at, ..Upkeep::default() });
            let at = self.upkeep.len() - 1;
            self.plan_repair(core, at, cx);
        }
    }

    fn period(&self, core: &Core, cx: &mut Context<'_>) -> Duration {
        let repair = core.config.timers.repair;
        repair * 7 / 10 + repair * cx.rng().below(601) / 1_000
    }

    /// Whoever stays near is as equal as before: most changes are far down the list.
    fn on_list_changed(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let near = placement::near(core, at);
        if let Some(upkeep) = self.upkeep.get_mut(at) {
            upkeep.changed = Some(cx.now());
            upkeep.holders.keep_near(&near);
            upkeep.tries = 0;
        }
        self.plan_repair(core, at, cx);
    }

    fn on_range_changed(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let Some(vnode) = core.vnodes.get(at) else { return };
        let (low, high) = (vnode.claim.low(), vnode.id());
        if let Some(upkeep) = self.upkeep.get_mut(at) {
            upkeep.holders.on_range(low, high);
        }
        self.plan_repair(core, at, cx);
    }

    /// A copy did not get to a replica, or it is not known which.
    pub(super) fn doubt_copies(&mut self, core: &Core, of: Option<&Node>, cx: &mut Context<'_>) {
        for at in 0..self.upkeep.len() {
            if self.upkeep[at].holders.doubt(|node| of.is_some_and(|of| of != node)) {
                self.plan_repair(core, at, cx);
            }
        }
    }

    /// A write goes to the replicas: copies beyond them are of the past now.
    pub(super) fn outdate_others(&mut self, core: &Core, at: usize, set: &[Node], cx: &mut Context<'_>) {
        let Some(upkeep) = self.upkeep.get_mut(at) else { return };
        if upkeep.holders.doubt(|node| set.contains(node)) {
            self.plan_repair(core, at, cx);
        }
    }

    /// A record came to us that its writer did not have us copy: nobody is known to hold it.
    pub(super) fn doubt_holders_of(&mut self, core: &Core, key: RingId, now: Instant) {
        let within = core.config.storing.repair_after;
        let owner = placement::owner_of(core, key).and_then(|at| self.upkeep.get_mut(at));
        if let Some(upkeep) = owner.filter(|upkeep| !upkeep.holders.equal().is_empty()) {
            upkeep.holders.doubt(|_| false);
            let due = now + within;
            upkeep.repair_at = Some(upkeep.repair_at.map_or(due, |before| before.min(due)));
        }
    }

    /// Within 2 s; after a death later, since most come back.
    fn plan_repair(&mut self, core: &Core, at: usize, cx: &mut Context<'_>) {
        let within = u32::try_from(core.config.storing.repair_after.as_millis()).unwrap_or(u32::MAX);
        let soon = cx.now() + Duration::from_millis(u64::from(cx.rng().below(within.max(1))));
        let due = self.death_until.map_or(soon, |until| soon.max(until));
        if let Some(upkeep) = self.upkeep.get_mut(at) {
            upkeep.repair_at = Some(upkeep.repair_at.map_or(due, |before| before.min(due)));
        }
    }

    /// It owns a range now: what the giver could not copy in time is asked for, and read through until it is here.
    fn on_active(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let until = cx.now() + core.config.storing.read_through;
        if let Some(upkeep) = self.upkeep.get_mut(at) {
            upkeep.read_through = Some(until);
            upkeep.repair_at = Some(cx.now());
        }
    }

    /// Does what is due.
    pub(crate) fn keep_up(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        if self.records.next_end().is_some_and(|end| end <= cx.now()) {
            self.records.sweep(cx.now());
        }
        for at in 0..self.upkeep.len().min(core.vnodes.len()) {
            let upkeep = &mut self.upkeep[at];
            if upkeep.repair_at.is_some_and(|due| due <= cx.now()) {
                upkeep.repair_at = None;
                let idle = upkeep.pass.is_none();
                if idle && (upkeep.may_miss(cx.now()) || !self.records.is_blank()) {
                    self.upkeep[at].pass = Some(Vec::new());
                    self.repair_next(core, at, cx);
                } else if !idle {
                    self.plan_repair(core, at, cx);
                }
            }
            if self.upkeep[at].round_at.is_some_and(|due| due <= cx.now()) {
                self.upkeep[at].round_at = Some(cx.now() + self.period(core, cx));
                if !self.records.is_blank() {
                    self.round(core, at, cx);
                    self.tidy(core, at, cx);
                }
            }
        }
    }

    /// When to be called for the upkeep.
    pub(crate) fn upkeep_deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        for upkeep in &self.upkeep {
            deadline.at(upkeep.deadline());
        }
        deadline.at(self.records.next_end());
        deadline.earliest()
    }

    /// Compares our own range with the next holder; one at a time, so that repair never crowds out service.
    fn repair_next(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let all = self.is_calm(core, cx.now());
        let Some(upkeep) = self.upkeep.get_mut(at) else { return };
        let Some(tried) = upkeep.pass.as_mut() else { return };
        let ours = core.vnodes.get(at).and_then(|vnode| Some((vnode.claim.low()?, vnode.id())));
        let next = ours.zip(upkeep.holders.next(core, at, (tried, all)));
        let Some((range, step)) = next else {
            upkeep.pass = None;
            return;
        };
        tried.push(step);
        let (why, node) = match step {
            Step::Give(node) => (Why::Repair, node),
            Step::Look(node) => (Why::Look, node),
        };
        if !self.sync(core, (at, node, why), range, cx) {
            // Too much is under way: try again in a while.
            self.upkeep[at].pass = None;
            self.plan_repair(core, at, cx);
        }
    }

    /// Whether nobody has died for long: newcomers will stay, and are given theirs at once.
    fn is_calm(&self, core: &Core, now: Instant) -> bool {
        self.death_until.is_none_or(|until| until + core.config.timers.delete_grace <= now)
    }

    /// Compares with one neighbour: our range with one that is believed to hold it, and in turn our predecessor's with it,
    /// whose first successor we are; nobody if a repair found ours equal at somebody a moment ago.
    fn round(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        self.plan_repair(core, at, cx);
        let Some(upkeep) = self.upkeep.get_mut(at) else { return };
        let recent = |compared: Instant| cx.now().since(compared) < core.config.timers.repair;
        if upkeep.compared.is_some_and(recent) {
            return;
        }
        upkeep.forward = !upkeep.forward;
        let holders = upkeep.holders.equal();
        let some = cx.rng().below(u32::try_from(holders.len()).unwrap_or(u32::MAX).max(1));
        let holder = holders.get(some as usize).copied();
        let forward = upkeep.forward;
        let Some(vnode) = core.vnodes.get(at).filter(|vnode| vnode.is_member()) else { return };
        let compared = if forward {
            holder.zip(vnode.claim.low()).map(|(node, low)| (node, low, vnode.id()))
        } else {
            let before = vnode.predecessors.first();
            before.and_then(|pred| Some((pred.node, pred.claim.low()?, pred.node.id)))
        };
        if let Some((peer, low, high)) = compared.filter(|(peer, ..)| core.endpoint != Some(peer.endpoint)) {
            self.sync(core, (at, peer, Why::Repair), (low, high), cx);
        }
    }

    /// A comparison is over.
    pub(crate) fn on_synced(&mut self, core: &mut Core, sync: &Sync, ended: Ended, cx: &mut Context<'_>) {
        match sync.why {
            Why::Copy => {
                if ended != Ended::Failed {
                    let digest = self.range_digest(sync.low, sync.high, cx.now());
                    core.copied(sync.at, &sync.peer, digest);
                }
            }
            Why::Repair | Why::Look => self.on_repaired(core, sync, ended, cx),
            Why::HandOver => self.hand_over_next(core, sync.at, cx),
            Why::CatchUp => self.on_caught_up(core, sync.at),
            Why::Delete => self.ask_to_delete(core, sync, ended, cx),
        }
    }

    fn on_repaired(&mut self, core: &mut Core, sync: &Sync, ended: Ended, cx: &mut Context<'_>) {
        let ours = core.vnodes.get(sync.at).map(|vnode| (vnode.claim.low(), vnode.id()));
        if let Some(upkeep) = self.upkeep.get_mut(sync.at)
            && ours == Some((Some(sync.low), sync.high))
        {
            upkeep.holders.on_compared(&sync.peer, sync.low, ended == Ended::Equal);
            if ended == Ended::Equal && upkeep.pass.is_some() {
                upkeep.compared = Some(cx.now());
            }
            if ended == Ended::Lacking {
                upkeep.holders.on_lacking(&sync.peer);
            } else if ended != Ended::Equal && upkeep.tries < MOST_TRIES {
                // A replica that died meanwhile changes the list; one that was only silent would wait for the next round.
                upkeep.tries += 1;
                let again = cx.now() + REPAIR_AGAIN * u32::from(upkeep.tries);
                upkeep.repair_at = Some(upkeep.repair_at.map_or(again, |before| before.min(again)));
            }
        }
        self.repair_next(core, sync.at, cx);
    }

    /// Before a virtual node leaves, each range it keeps goes to the node that will keep it in its place.
    fn hand_over(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let plan = placement::heirs(core, at);
        if let Some(upkeep) = self.upkeep.get_mut(at) {
            upkeep.leaving = Some(plan);
        }
        self.hand_over_next(core, at, cx);
    }

    fn hand_over_next(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let Some(leaving) = self.upkeep.get_mut(at).and_then(|upkeep| upkeep.leaving.as_mut()) else {
            return;
        };
        match leaving.pop() {
            Some((heir, low, high)) => {
                if !self.sync(core, (at, heir, Why::HandOver), (low, high), cx) {
                    self.hand_over_next(core, at, cx);
                }
            }
            None => {
                self.upkeep[at].leaving = None;
                core.handed_over(at);
            }
        }
    }

    /// A node that comes back asks its first two successors what it missed of its own range (2.9); of others' ranges their
    /// owners tell it.
    fn catch_up(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let Some((low, high)) = placement::own_probably(core, at) else { return core.caught_up(at) };
        let peers: Vec<Node> = placement::replicas(core, at).into_iter().take(2).collect();
        let mut asked = 0;
        for peer in peers {
            asked += u8::from(self.sync(core, (at, peer, Why::CatchUp), (low, high), cx));
        }
        match self.upkeep.get_mut(at) {
            Some(upkeep) if asked > 0 => upkeep.missed = Some(asked),
            _ => core.caught_up(at),
        }
    }

    fn on_caught_up(&mut self, core: &mut Core, at: usize) {
        let Some(upkeep) = self.upkeep.get_mut(at) else { return };
        let Some(missed) = upkeep.missed.as_mut() else { return };
        *missed = missed.saturating_sub(1);
        if *missed == 0 {
            upkeep.missed = None;
            core.caught_up(at);
        }
    }

    /// Looks for a record none of our virtual nodes has to keep; its owner is looked up.
    fn tidy(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let grace = core.config.timers.delete_grace;
        let calm = |upkeep: &Upkeep| upkeep.changed.is_none_or(|changed| cx.now().since(changed) >= grace);
        let sure = (0..core.vnodes.len())
            .all(|at| core.vnodes[at].claim.is_active() && placement::knows_enough(core, at));
        if at != 0 || !sure || !self.upkeep.iter().all(calm) {
            return;
        }
        let all = self.records.range(RingId::MIN, RingId::MIN, cx.now());
        let needless = all.map(|(id, _)| id.key).find(|key| !placement::keeps(core, *key));
        if let Some(key) = needless {
            self.begin(core, key, Task::Delete(at));
        }
    }

    /// Whose it is: what is newer here goes to the owner first.
    pub(crate) fn on_foreign_owner(
        &mut self,
        core: &mut Core,
        at: usize,
        found: &FoundAt,
        cx: &mut Context<'_>,
    ) {
        let owner = Node::of(core.config.id_rule, &found.owner.contact);
        let (Some(owner), Some(low)) = (owner, found.owner.claim.low()) else { return };
        if core.endpoint != Some(owner.endpoint) {
            self.sync(core, (at, owner, Why::Delete), (low, owner.id), cx);
        }
    }

    fn ask_to_delete(&mut self, core: &mut Core, sync: &Sync, ended: Ended, cx: &mut Context<'_>) {
        if ended != Ended::Equal {
            return;
        }
        let number = self.number();
        let call = Purpose::Storage(Call::Confirmed(number));
        let message = Message::Confirm(Confirm { low: sync.low, high: sync.high });
        if core.call(cx, (sync.at, sync.peer), call, &message).is_some() {
            self.confirming.insert(number, (sync.low, sync.high));
        }
    }

    /// May a former holder delete a range? Only with R holders' equal digests, itself not among them.
    pub(crate) fn on_confirm(
        &mut self,
        core: &mut Core,
        from: &Received,
        confirm: &Confirm,
        cx: &mut Context<'_>,
    ) {
        if !core.is_proved(cx, from) {
            return;
        }
        let (low, high) = (confirm.low, confirm.high);
        let at = core.vnodes.iter().position(|vnode| {
            vnode.id() == high && vnode.claim.low().is_some_and(|ours| ours == low || own(ours, low, high))
        });
        let Some(at) = at else { return self.refuse_foreign(core, from, cx) };
        let set = placement::replicas(core, at);
        let held = self.upkeep.get(at).map(|upkeep| upkeep.holders.equal()).unwrap_or_default();
        let others = set.iter().filter(|node| held.contains(node)).count();
        let in_set = set.iter().any(|node| node.endpoint == from.from.endpoint);
        let holders = if in_set { 0 } else { u8::try_from(others + 1).unwrap_or(u8::MAX) };
        let hash = self.range_digest(low, high, cx.now());
        core.reply(cx, from, &Message::Confirmed(Confirmed { holders, hash }));
    }

    /// The owner's word on a range we keep without need.
    pub(crate) fn on_confirmed(
        &mut self,
        core: &mut Core,
        number: u32,
        confirmed: Option<&Confirmed>,
        cx: &mut Context<'_>,
    ) {
        let Some((low, high)) = self.confirming.remove(&number) else { return };
        let Some(confirmed) = confirmed else { return };
        let equal = self.range_digest(low, high, cx.now()) == confirmed.hash;
        if confirmed.holders < core.config.replicas || !equal {
            return;
        }
        let all = self.records.range(low, high, cx.now()).map(|(id, _)| *id);
        let needless: Vec<_> = all.filter(|id| !placement::keeps(core, id.key)).collect();
        self.deleted += needless.len() as u64;
        for id in needless {
            self.records.remove(&id);
        }
    }

    /// Root of the digest tree of (low, high].
    pub(crate) fn range_digest(&self, low: RingId, high: RingId, now: Instant) -> [u8; 16] {
        digest::summary(&digest::headers(&self.records, (low, high), Prefix::ROOT, now), 0).hash
    }
}
