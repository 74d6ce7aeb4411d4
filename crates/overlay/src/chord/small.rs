//! The table of a small ring (section 2.5): every member knows all, lists and predecessor are computed from it.
//!
//! Rows merge by incarnation, then by the later status: dead over alive, alive over pending. One that is called dead at
//! its own incarnation takes a higher one.

use super::Context;
use super::core::Core;
use super::node::{Entry, Node, Stamp};
use super::notice::Notice;
use super::vnode::Pred;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{Claim, Mode, Status};

/// Rows kept at most.
const MOST_ROWS: usize = 128;
/// The dead are named to others for this long; afterwards they are only remembered as passive contacts.
const DEAD_NAMED: Duration = Duration::from_secs(600);

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
    /// When we last looked at a member that says it is in another mode.
    pub peeked: Stamp,
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

    pub(crate) fn small_ref(&self, at: usize) -> Option<&Small> {
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
        let fit = |node: &Node| node.endpoint != but.endpoint && !vnode.list.holds(node);
        small.live().filter(fit).collect()
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
            let known = vnode.list.find(prdc);
            vnode.predecessor = Some(known.unwrap_or_else(|| Entry::hearsay(*prdc)));
        }
        changed
    }
}
