//! Which hosts keep a record: the owner and those that follow it on other hosts, and in other networks (2.10).

use crate::chord::core::Core;
use crate::chord::lookup;
use crate::chord::node::Node;
use crate::chord::vnode::Vnode;
use throng_machine::Endpoint;
use throng_wire::chord::{Mode, RingId, own};

/// The others that keep copies of what one of our virtual nodes owns, in ring order; R - 1 if there are as many hosts.
///
/// The list itself is never filtered for the ring's own purposes: skipping entries there breaks the invariant.
pub(crate) fn replicas(core: &Core, at: usize) -> Vec<Node> {
    let copies = usize::from(core.config.replicas.max(1));
    core.vnodes.get(at).map_or_else(Vec::new, |vnode| lookup::replicas(vnode, copies))
}

/// Those of the next 2R - 2 hosts whose copies count, the replicas first.
pub(crate) fn near(core: &Core, at: usize) -> Vec<Node> {
    let copies = usize::from(core.config.replicas.max(1)) * 2 - 1;
    core.vnodes.get(at).map_or_else(Vec::new, |vnode| lookup::replicas(vnode, copies))
}

/// Picks nodes that share neither host nor network with one picked before.
struct Choice(Vec<Endpoint>);

impl Choice {
    fn new(first: Endpoint) -> Choice {
        Choice(vec![first])
    }

    fn admits(&mut self, node: &Node) -> bool {
        let apart = !self.0.iter().any(|other| lookup::shares_network(*other, node.endpoint));
        if apart {
            self.0.push(node.endpoint);
        }
        apart
    }
}

/// What a virtual node keeps copies of: `(low, itself]` from its R-th predecessor on another host; the whole ring while
/// it does not know as many.
pub(crate) fn kept(core: &Core, at: usize) -> Option<(RingId, RingId)> {
    let vnode = core.vnodes.get(at)?;
    let low = ranges_before(vnode).nth(usize::from(core.config.replicas.max(1)) - 1);
    Some((low.map_or(vnode.id(), |node| node.id), vnode.id()))
}

/// The nearest predecessors on hosts (and networks) of their own, nearest first; as far as known.
fn ranges_before(vnode: &Vnode) -> impl Iterator<Item = &Node> {
    let mut chosen = Choice::new(vnode.node.endpoint);
    let spans_all = vnode.mode == Mode::Solo;
    let known = vnode.predecessors.iter().map(|pred| &pred.node);
    known.filter(move |node| !spans_all && chosen.admits(node))
}

/// The virtual node of ours that owns a key.
pub(crate) fn owner_of(core: &Core, key: RingId) -> Option<usize> {
    core.vnodes.iter().position(|vnode| vnode.claim.owns(vnode.id(), key))
}

/// Whether one of our virtual nodes keeps copies of a key.
pub(crate) fn keeps(core: &Core, key: RingId) -> bool {
    (0..core.vnodes.len()).any(|at| {
        core.vnodes[at].is_member() && kept(core, at).is_some_and(|(low, high)| own(low, key, high))
    })
}

/// Whether a host is a neighbour: in a successor list, among the known predecessors, or one we hand a range to.
pub(crate) fn is_neighbour(core: &Core, host: Endpoint) -> bool {
    core.vnodes.iter().any(|vnode| {
        vnode.list.nodes().any(|node| node.endpoint == host)
            || vnode.predecessors.iter().any(|pred| pred.node.endpoint == host)
            || vnode.predecessor.as_ref().is_some_and(|entry| entry.node.endpoint == host)
            || vnode.grant.as_ref().is_some_and(|grant| grant.to.endpoint == host)
    })
}

/// What a virtual node will own: from its predecessor, or as much of the ring as a range takes on average.
pub(crate) fn own_probably(core: &Core, at: usize) -> Option<(RingId, RingId)> {
    let vnode = core.vnodes.get(at)?;
    let known = vnode.predecessor.as_ref().map(|entry| entry.node.id).filter(|id| *id != vnode.id());
    let share = RingId::of_fraction(1.0 / core.estimate(at).max(1.0));
    Some((known.unwrap_or_else(|| vnode.id().minus(share)), vnode.id()))
}

/// Whether a virtual node knows R predecessors, and so what it need not keep.
pub(crate) fn knows_enough(core: &Core, at: usize) -> bool {
    let Some(vnode) = core.vnodes.get(at) else { return false };
    ranges_before(vnode).nth(usize::from(core.config.replicas.max(1)) - 1).is_some()
}

/// Who keeps what in the place of a virtual node that leaves: our own range goes to the R-th successor, that of the
/// i-th predecessor to the (R - i)-th; the first successor, which will own our range, gets it too.
pub(crate) fn heirs(core: &Core, at: usize) -> Vec<(Node, RingId, RingId)> {
    let Some(vnode) = core.vnodes.get(at) else { return Vec::new() };
    let copies = usize::from(core.config.replicas.max(1));
    let mut chosen = Choice::new(vnode.node.endpoint);
    let successors: Vec<Node> = vnode.list.nodes().filter(|node| chosen.admits(node)).take(copies).collect();
    let Some(last) = successors.len().checked_sub(1) else { return Vec::new() };
    let mut bounds = vec![vnode.id()];
    bounds.extend(vnode.predecessors.iter().map(|pred| pred.node.id).take(copies));
    let mut heirs = Vec::new();
    for (index, range) in bounds.windows(2).enumerate() {
        let &[high, low] = range else { continue };
        let Some(place) = (copies - 1).checked_sub(index) else { break };
        heirs.push((successors[place.min(last)], low, high));
    }
    if let (Some(first), Some(low)) = (successors.first(), vnode.claim.low()) {
        heirs.push((*first, low, vnode.id()));
    }
    heirs.dedup();
    heirs
}
