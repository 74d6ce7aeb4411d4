//! A ring as seen from outside at one instant: what each live member believes, and the answers still under way.

use super::Position;

/// One life of a node: a node that restarts has the same identifier and a higher incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer<I> {
    /// Its place on the ring.
    pub id: I,
    /// Which of its lives.
    pub incarnation: u32,
}

/// How far a node is in the life of its ring.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// No member: it has not joined yet or has lost the ring.
    Joining,
    /// Alone.
    Solo,
    /// One of few: lists are computed from a table that all share.
    Small,
    /// Under the protocol of successor lists.
    Ring,
}

/// What one live member believes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Member<I> {
    /// Itself.
    pub me: Peer<I>,
    /// Its mode.
    pub phase: Phase,
    /// The length its list may have.
    pub r: usize,
    /// Its successor list, nearest first.
    pub list: Vec<Peer<I>>,
    /// Its predecessor.
    pub prdc: Option<Peer<I>>,
    /// Whether it serves keys: those in (low, me].
    pub active: bool,
    /// The lower bound of what it owns, excluded.
    pub low: Option<I>,
}

/// A successor list that some member read and has not applied yet: in flight, or held by it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Answer<I> {
    /// Who gave it.
    pub from: Peer<I>,
    /// Its list as it was then.
    pub list: Vec<Peer<I>>,
    /// Who asked.
    pub to: Peer<I>,
    /// The list the asker would hold after applying it.
    pub result: Vec<Peer<I>>,
}

/// All live members, sorted, and all answers that would still be applied.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RingSnapshot<I> {
    members: Vec<Member<I>>,
    answers: Vec<Answer<I>>,
}

impl<I: Position> RingSnapshot<I> {
    /// Sorts the members; nodes in [`Phase::Joining`] are none and are left out.
    pub fn new(nodes: impl IntoIterator<Item = Member<I>>, answers: Vec<Answer<I>>) -> Self {
        let mut members: Vec<_> = nodes.into_iter().filter(|node| node.phase != Phase::Joining).collect();
        members.sort_by_key(|member| member.me);
        RingSnapshot { members, answers }
    }

    /// The members in order of their identifiers.
    pub fn members(&self) -> &[Member<I>] {
        &self.members
    }

    /// The answers under way.
    pub fn answers(&self) -> &[Answer<I>] {
        &self.answers
    }

    /// Where a live member of this very life stands.
    pub fn find(&self, peer: Peer<I>) -> Option<usize> {
        let at = self.members.binary_search_by_key(&peer.id, |member| member.me.id).ok()?;
        (self.members[at].me == peer).then_some(at)
    }

    /// The first entry of a list that is a live member.
    pub fn first_live(&self, list: &[Peer<I>]) -> Option<usize> {
        list.iter().find_map(|entry| self.find(*entry))
    }

    /// How many members lie below `id`, and how many do not lie above it; `hint` is tried before searching.
    pub(super) fn locate(&self, id: I, hint: usize) -> (usize, usize) {
        let hint = if hint == self.members.len() { 0 } else { hint };
        if self.members.get(hint).is_some_and(|member| member.me.id == id) {
            return (hint, hint + 1);
        }
        match self.members.binary_search_by_key(&id, |member| member.me.id) {
            Ok(at) => (at, at + 1),
            Err(at) => (at, at),
        }
    }
}
