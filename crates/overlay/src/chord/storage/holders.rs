//! Who else holds what a virtual node of ours owns, and who is to be given it (2.10).
//!
//! Where nodes die, copies are made only while fewer than R are known to hold a range: a newcomer among the first R takes
//! no copy away, so it is given none unless too few of the first R would be left for a quorum of readers to meet. Who was found
//! equal counts while it is one of the next 2R - 2 hosts, and who comes back with a disk counts again (Carbonite). The
//! first successor always gets its copy: it owns the range next.

use super::placement;
use crate::chord::core::Core;
use crate::chord::node::Node;
use throng_wire::chord::{RingId, own};

/// What is known of others' copies of one range; some 10 nodes at most.
#[derive(Clone, Default, Debug)]
pub(crate) struct Holders {
    /// Nodes whose digest of our range, as it was then or larger, agreed since they are near.
    equal: Vec<Node>,
    /// Where our range began when they did.
    low: Option<RingId>,
    /// Nodes that lack much of it, and were given none.
    lacking: Vec<Node>,
}

/// Who is compared with next, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// It gets all that it lacks.
    Give(Node),
    /// It is asked what it has.
    Look(Node),
}

impl Holders {
    /// Whether that node was found equal.
    pub(crate) fn has(&self, node: &Node) -> bool {
        self.equal.contains(node)
    }

    /// Nodes found equal.
    pub(crate) fn equal(&self) -> &[Node] {
        &self.equal
    }

    /// These are near; nobody else counts any more.
    pub(crate) fn keep_near(&mut self, near: &[Node]) {
        self.equal.retain(|node| near.contains(node));
        self.lacking.retain(|node| near.contains(node));
    }

    /// Our range has another lower end. Who holds it all is not known when it has become larger; who lacks much, when it
    /// has become smaller.
    pub(crate) fn on_range(&mut self, low: Option<RingId>, high: RingId) {
        let part = |low: RingId, before: RingId| low == before || own(before, low, high);
        if low.zip(self.low).is_some_and(|(low, before)| part(low, before)) {
            self.lacking.clear();
        } else {
            self.equal.clear();
        }
        self.low = low;
    }

    /// It was compared with, and is equal or not.
    pub(crate) fn on_compared(&mut self, node: &Node, low: RingId, equal: bool) {
        self.equal.retain(|other| other != node);
        self.lacking.retain(|other| other != node);
        if equal {
            self.equal.push(*node);
            self.low = Some(low);
        }
    }

    /// It lacks much.
    pub(crate) fn on_lacking(&mut self, node: &Node) {
        self.equal.retain(|other| other != node);
        if !self.lacking.contains(node) {
            self.lacking.push(*node);
        }
    }

    /// Keeps those of which `holds` is true; says whether any was not.
    pub(crate) fn doubt(&mut self, holds: impl Fn(&Node) -> bool) -> bool {
        let before = self.equal.len();
        self.equal.retain(holds);
        self.equal.len() < before
    }

    /// What is to be done next, of what was not `tried` lately; with `all` the first R hold it in the end, whoever else does.
    pub(crate) fn next(&self, core: &Core, at: usize, (tried, all): (&[Step], bool)) -> Option<Step> {
        let near = placement::near(core, at);
        let set = near.get(..placement::replicas(core, at).len())?;
        let fresh = |step: &Step| !tried.contains(step);
        let give = |node: &Node| Some(Step::Give(*node)).filter(|_| !self.has(node)).filter(fresh);
        let look = |node: &Node| {
            let known = self.has(node) || self.lacking.contains(node);
            Some(Step::Look(*node)).filter(|_| !known).filter(fresh)
        };
        let heir = set.first().and_then(give);
        let first = heir.or_else(|| set.iter().skip(1).find_map(look));
        if first.is_some() {
            return first;
        }
        let (few, thin) = (self.count(&near) < set.len(), self.is_thin(core, set));
        let others = if few { near[set.len()..].iter().find_map(look) } else { None };
        others.or_else(|| if few || thin || all { set.iter().find_map(give) } else { None })
    }

    fn count(&self, nodes: &[Node]) -> usize {
        nodes.iter().filter(|node| self.has(node)).count()
    }

    /// Whether a quorum of readers might ask none that holds the range.
    fn is_thin(&self, core: &Core, set: &[Node]) -> bool {
        set.len() - self.count(set) >= usize::from(core.config.read_quorum.max(1))
    }
}
