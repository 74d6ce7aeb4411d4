//! The table of a small ring (section 2.5): every member knows all, lists and predecessor are computed from it.
//!
//! Rows merge by incarnation, then by the later status: dead over alive, alive over pending. One that is called dead at
//! its own incarnation takes a higher one.

use super::Context;
use super::core::Core;
use super::maintenance::Call;
use super::node::{Entry, Node, Stamp};
use super::notice::Notice;
use super::vnode::Pred;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{self as wire, Claim, List, Message, Mode, Status};

/// Rows kept at most.
const MOST_ROWS: usize = 128;
/// The dead are named to others for this long; afterwards they are only remembered as passive contacts.
const DEAD_NAMED: Duration = Duration::from_secs(600);
/// An incarnation so many seconds ahead of our clock is no start time.
const MOST_AHEAD: u32 = 86_400;
/// We take a higher incarnation at most this often.
const REFUTED: Duration = Duration::from_secs(1);

/// The table of a small ring.
#[derive(Clone, Default, Debug)]
pub(crate) struct Small {
    /// Members, those who want to be, and those who were; sorted by id, ourselves not among them.
    pub rows: Vec<Row>,
    /// Rounds without a change among the living.
    pub calm: u8,
    /// Joins this node brings to their end.
    pub adding: Vec<Adding>,
    /// When to ask again those who have not answered.
    pub retry_at: Option<Instant>,
    /// Names the next join.
    pub next_tag: u8,
    /// When we last took a higher incarnation because we were called dead.
    pub refuted: Stamp,
}

/// One row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// Who.
    pub node: Node,
    /// What is known.
    pub status: Status,
    /// Since when.
    pub since: Stamp,
}

/// A join under way at its contact.
#[derive(Clone, Debug)]
pub(crate) struct Adding {
    /// Names it in requests; not 0.
    pub tag: u8,
    /// Who joins.
    pub joiner: Node,
    /// Who has acknowledged.
    pub acked: Vec<Node>,
    /// When the joiner last asked: whoever wants in asks again every few seconds.
    pub heard: Stamp,
    /// Given up then.
    pub until: Instant,
}

/// A ring on its way to be a small one again.
#[derive(Clone, Debug)]
pub(crate) struct Collapsing {
    /// All names so far.
    pub names: Vec<Node>,
    /// Those that agreed.
    pub agreed: Vec<Node>,
    /// Given up then.
    pub until: Instant,
}

/// What merging rows changed.
#[derive(Clone, Default, Debug)]
pub(crate) struct Merged {
    /// Anything at all.
    pub changed: bool,
    /// Those said to be dead that we took for living.
    pub dead: Vec<Node>,
    /// We are called dead, or by a higher incarnation than ours.
    pub accused: Option<u32>,
}

impl Small {
    /// Members but us.
    pub(crate) fn live(&self) -> impl Iterator<Item = Node> {
        self.rows.iter().filter(|row| row.status == Status::Live).map(|row| row.node)
    }

    /// Members and joiners but us.
    pub(crate) fn names(&self) -> impl Iterator<Item = Node> {
        self.rows.iter().filter(|row| row.status != Status::Dead).map(|row| row.node)
    }

    /// The row of exactly this node.
    pub(crate) fn row(&self, node: &Node) -> Option<&Row> {
        self.rows.iter().find(|row| row.node == *node)
    }

    /// Takes in one row; says whether anything changed.
    pub(crate) fn put(&mut self, node: Node, status: Status, now: Instant) -> bool {
        let row = Row { node, status, since: Stamp::at(now) };
        match self.rows.binary_search_by(|row| row.node.id.cmp(&node.id)) {
            Ok(at) => {
                let known = &mut self.rows[at];
                let newer = known.node.incarnation < node.incarnation;
                let later = known.node == node && known.status < status;
                if newer || later {
                    *known = row;
                }
                newer || later
            }
            Err(at) if self.rows.len() < MOST_ROWS => {
                self.rows.insert(at, row);
                true
            }
            Err(_) => false,
        }
    }

    /// Forgets the long dead, and joiners whose join nobody finished.
    pub(crate) fn forget_old(&mut self, now: Instant) {
        self.rows.retain(|row| row.status == Status::Live || row.since.within(DEAD_NAMED, now));
        self.adding.retain(|adding| adding.until > now);
    }
}

impl Core {
    /// A small ring of ourselves.
    pub(crate) fn small_alone(&mut self, at: usize, _now: Instant) {
        self.vnodes[at].rare().small = Some(Small::default());
    }

    /// The small table, if this is a small ring or on its way into one.
    pub(crate) fn small(&mut self, at: usize) -> Option<&mut Small> {
        self.vnodes[at].rare.as_mut()?.small.as_mut()
    }

    fn small_ref(&self, at: usize) -> Option<&Small> {
        self.vnodes.get(at)?.rare.as_ref()?.small.as_ref()
    }

    /// Members of a small ring, ourselves included.
    pub(crate) fn small_count(&self, at: usize) -> Option<usize> {
        self.small_ref(at).map(|small| small.live().count() + 1)
    }

    /// Whether a node is one of the small ring's names.
    pub(crate) fn small_knows(&self, at: usize, node: &Node) -> bool {
        self.small_ref(at).is_some_and(|small| small.names().any(|name| name == *node))
    }

    /// Whether a node is on its way into the small ring.
    pub(crate) fn small_pending(&self, at: usize, node: &Node) -> bool {
        self.small_ref(at)
            .is_some_and(|small| small.row(node).is_some_and(|row| row.status == Status::Pending))
    }

    /// Whether a node has been a member of the small ring for less than `span`.
    pub(crate) fn small_newcomer(&self, at: usize, node: &Node, span: Duration, now: Instant) -> bool {
        let row = self.small_ref(at).and_then(|small| small.row(node));
        row.is_some_and(|row| row.status == Status::Live && row.since.within(span, now))
    }

    /// Members that may be asked about another; those in the list are known to the detector already.
    pub(crate) fn small_relays(&self, at: usize, but: &Node) -> Vec<Node> {
        let Some(small) = self.small_ref(at) else { return Vec::new() };
        let vnode = &self.vnodes[at];
        let fit = |node: &Node| node.endpoint != but.endpoint && vnode.list.find(node).is_none();
        small.live().filter(fit).collect()
    }

    /// Our rows as they are sent: the living first, of the dead what fits.
    pub(crate) fn small_rows(&self, at: usize) -> Vec<wire::Row> {
        let vnode = &self.vnodes[at];
        let status = if vnode.is_member() { Status::Live } else { Status::Pending };
        let mut rows = vec![wire::Row { contact: vnode.node.contact(), status }];
        let Some(small) = self.small_ref(at) else { return rows };
        let named = |dead: bool| small.rows.iter().filter(move |row| (row.status == Status::Dead) == dead);
        rows.extend(
            named(false)
                .chain(named(true))
                .map(|row| wire::Row { contact: row.node.contact(), status: row.status }),
        );
        rows
    }

    /// Merges rows of another's table and acts on what they change.
    pub(crate) fn merge_rows(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        rows: &List<'_, wire::Row>,
    ) -> Merged {
        let (rule, now) = (self.config.id_rule, cx.now());
        let (me, latest) = (self.vnodes[at].node, self.latest_incarnation(now));
        let mut merged = Merged::default();
        if matches!(self.vnodes[at].mode, Mode::Ring | Mode::Detached) {
            // An answer from the days when the ring was small: a large one has no table.
            return merged;
        }
        if self.vnodes[at].rare.as_ref().is_none_or(|rare| rare.small.is_none()) {
            self.small_alone(at, now);
        }
        let own: Vec<Node> = self.vnodes.iter().map(|vnode| vnode.node).collect();
        let kept = self.config.timers.dead;
        let dead: Vec<Node> =
            self.detector.graves().filter(|node| self.detector.is_dead(node, kept, now)).copied().collect();
        let Some(small) = self.small(at) else { return merged };
        for row in rows.iter() {
            let named = Node::of(rule, &row.contact).filter(|node| node.incarnation <= latest);
            let Some(node) = named else { continue };
            if node.id == me.id {
                let dead = node.incarnation == me.incarnation && row.status == Status::Dead;
                if dead || node.incarnation > me.incarnation {
                    merged.accused = merged.accused.max(Some(node.incarnation));
                }
                continue;
            }
            if own.iter().any(|own| own.id == node.id) {
                continue;
            }
            let lived = small.row(&node).is_some_and(|row| row.status != Status::Dead);
            // Who was confirmed dead a moment ago does not come back on hearsay; if it lives it refutes that itself.
            let status = if dead.contains(&node) { Status::Dead } else { row.status };
            if small.put(node, status, now) {
                merged.changed = true;
                if lived && status == Status::Dead {
                    merged.dead.push(node);
                }
            }
        }
        if let Some(higher) = merged.accused {
            self.refute(cx, at, higher);
        }
        for node in &merged.dead {
            self.on_dead(cx, node);
        }
        if merged.changed {
            self.recompute(cx, at);
        }
        merged
    }

    /// The highest incarnation anybody can have by now: they are start times, and clocks differ by a day at most.
    fn latest_incarnation(&self, now: Instant) -> u32 {
        let clock = u32::try_from(self.unix_time(now)).unwrap_or(u32::MAX);
        clock.max(self.incarnation).saturating_add(MOST_AHEAD)
    }

    /// We are called dead: live on under a higher incarnation, and say so. However often that is said, one second is
    /// one incarnation, as if we had been started again; and what nobody would believe was not taken in at all.
    fn refute(&mut self, cx: &mut Context<'_>, at: usize, accused: u32) {
        let now = cx.now();
        let Some(small) = self.small(at).filter(|small| !small.refuted.within(REFUTED, now)) else { return };
        small.refuted = Stamp::at(now);
        let vnode = &mut self.vnodes[at];
        vnode.node.incarnation = accused.saturating_add(1);
        if vnode.is_member() {
            self.small_news(cx, at);
        }
    }

    /// Computes list and predecessor from the table.
    pub(crate) fn recompute(&mut self, cx: &mut Context<'_>, at: usize) {
        if !matches!(self.vnodes[at].mode, Mode::Solo | Mode::Small) {
            return;
        }
        self.update_most(at);
        let Some(small) = self.small_ref(at) else { return };
        let live: Vec<Node> = small.live().collect();
        let vnode = &mut self.vnodes[at];
        let (me, most) = (vnode.id(), usize::from(vnode.most));
        let head = vnode.head().map(|head| head.node);
        vnode.mode = if live.is_empty() { Mode::Solo } else { Mode::Small };
        let changed = vnode.list.replace(me, live.iter().copied(), most);
        let new_prdc = self.recompute_predecessor(at, &live);
        if changed || new_prdc {
            if let Some(small) = self.small(at) {
                small.calm = 0;
            }
            self.vnodes[at].known = 0;
            self.notices.push_back(Notice::ListChanged { at });
        }
        self.own_everything(at);
        let new_head = self.vnodes[at].head().map(|head| head.node).filter(|new| Some(*new) != head);
        if let Some(new_head) = new_head {
            self.send_notify(cx, at, &new_head);
        }
        self.review(cx, at);
    }

    fn recompute_predecessor(&mut self, at: usize, live: &[Node]) -> bool {
        let most = usize::from(self.config.replicas).max(1);
        let vnode = &mut self.vnodes[at];
        let me = vnode.id();
        // Counter-clockwise from us: the ids below ours downwards, then from the top.
        let below = live.iter().filter(|node| node.id < me).rev();
        let above = live.iter().filter(|node| node.id > me).rev();
        let nearest: Vec<Node> = below.chain(above).take(most).copied().collect();
        let claim = |node: &Node| {
            let known = vnode.predecessors.iter().find(|pred| pred.node == *node);
            let bound = || vnode.bound.as_ref().filter(|bound| bound.node == *node);
            known.or_else(bound).map_or(Claim::Inactive, |pred| pred.claim)
        };
        let fresh: Vec<Pred> = nearest.iter().map(|node| Pred { node: *node, claim: claim(node) }).collect();
        let changed = fresh.iter().map(|pred| pred.node).ne(vnode.predecessors.iter().map(|pred| pred.node));
        vnode.predecessors = fresh;
        if let Some(prdc) = nearest.first()
            && vnode.predecessor.as_ref().is_none_or(|entry| entry.node != *prdc)
        {
            let known = vnode.list.find(prdc).copied();
            vnode.predecessor = Some(known.unwrap_or_else(|| Entry::hearsay(*prdc)));
        }
        changed
    }

    /// A member was confirmed dead: everybody is told.
    pub(crate) fn small_lost(&mut self, cx: &mut Context<'_>, at: usize, node: &Node) {
        let now = cx.now();
        if let Some(collapse) = self.vnodes[at].rare.as_mut().and_then(|rare| rare.collapse.as_mut()) {
            collapse.names.retain(|name| name != node);
        }
        let Some(small) = self.small(at) else { return };
        small.adding.retain(|adding| adding.joiner != *node);
        if small.names().any(|name| name == *node) && small.put(*node, Status::Dead, now) {
            self.recompute(cx, at);
            self.small_news(cx, at);
            self.drive_small(cx, at);
        }
    }

    /// Tells all members what our table says now.
    pub(crate) fn small_news(&mut self, cx: &mut Context<'_>, at: usize) {
        if !self.vnodes[at].is_member() {
            return;
        }
        let Some(small) = self.small_ref(at) else { return };
        let names: Vec<Node> = small.names().collect();
        let joiner = self.vnodes[at].node;
        for to in names {
            self.send_rows(cx, (at, to), (0, joiner));
        }
    }

    /// Sends our table in a SmallAdd for a joiner, or, with tag 0, as news of our own.
    pub(crate) fn send_rows(&mut self, cx: &mut Context<'_>, to: (usize, Node), (tag, joiner): (u8, Node)) {
        let rows = self.small_rows(to.0);
        let table = List::fitting(&rows, 1_150).unwrap_or_default();
        let message =
            Message::SmallAdd(wire::SmallAdd { joiner: joiner.contact(), page: wire::Page::ONLY, table });
        self.ask(cx, to, Call::SmallAdd(tag), &message);
    }

    /// One round of a small ring: exchange tables with the head, notify it, see whether the ring is large.
    pub(crate) fn small_round(&mut self, cx: &mut Context<'_>, at: usize) {
        let (now, pause) = (cx.now(), self.stabilise_pause(cx));
        self.vnodes[at].stabilise_at = Some(now + pause);
        if let Some(small) = self.small(at) {
            small.forget_old(now);
            small.calm = small.calm.saturating_add(1);
        }
        self.probe_stale_joiners(cx, at);
        let Some(head) = self.vnodes[at].head().map(|head| head.node) else { return };
        let me = self.vnodes[at].node;
        self.send_rows(cx, (at, head), (0, me));
        self.send_notify(cx, at, &head);
        self.ping_next_member(cx, at);
        self.consider_growth(cx, at);
    }

    fn probe_stale_joiners(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let Some(small) = self.small_ref(at) else { return };
        let stale =
            |row: &&Row| row.status == Status::Pending && !row.since.within(Duration::from_secs(30), now);
        let stale: Vec<Node> = small.rows.iter().filter(stale).map(|row| row.node).collect();
        for node in stale {
            self.probe(cx, at, &node);
        }
    }

    fn ping_next_member(&mut self, cx: &mut Context<'_>, at: usize) {
        let vnode = &mut self.vnodes[at];
        let len = vnode.list.len();
        if len > 1 {
            vnode.next_ping = if usize::from(vnode.next_ping) + 1 < len { vnode.next_ping + 1 } else { 1 };
            let node = vnode.list.entries()[usize::from(vnode.next_ping)].node;
            self.probe(cx, at, &node);
        }
    }

    /// Small to large: all know all, so all are principals whatever the order of switching.
    fn consider_growth(&mut self, cx: &mut Context<'_>, at: usize) {
        let most = usize::from(self.vnodes[at].most);
        let Some(small) = self.small_ref(at) else { return };
        if small.calm >= 3 && small.live().count() + 1 >= 2 * (most + 1) {
            let epoch = self.vnodes[at].mode_epoch.saturating_add(1);
            self.grow(cx, at, epoch);
        }
    }

    /// Becomes a member of a large ring, keeping list and predecessor as computed.
    pub(crate) fn grow(&mut self, cx: &mut Context<'_>, at: usize, epoch: u32) {
        let small = self.vnodes[at].rare.as_mut().and_then(|rare| rare.small.take());
        let vnode = &mut self.vnodes[at];
        vnode.mode = Mode::Ring;
        vnode.mode_epoch = epoch;
        vnode.wraps = false;
        vnode.known = 0;
        let me = vnode.id();
        let listed: Vec<Node> = vnode.list.nodes().copied().collect();
        for node in small.iter().flat_map(Small::live).filter(|node| !listed.contains(node)) {
            vnode.fingers.seed(me, &node);
        }
        vnode.since = Stamp::at(cx.now());
        self.notices.push_back(Notice::Member { at });
        self.stabilise_now(cx, at);
    }
}
