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
    pub(crate) fn next(&self, core: &Core, at: usize, wanted: (&[Step], bool)) -> Option<Step> {
        let (near, set) = (placement::near(core, at), placement::replicas(core, at).len());
        self.choose(&near, (set, usize::from(core.config.read_quorum.max(1))), wanted)
    }

    /// The same for these near nodes, of which the first `set` are replicas, and a quorum of readers.
    fn choose(
        &self,
        near: &[Node],
        (set, quorum): (usize, usize),
        (tried, all): (&[Step], bool),
    ) -> Option<Step> {
        let (set, others) = near.split_at_checked(set)?;
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
        let few = self.count(near) < set.len();
        // A quorum of readers might ask none that holds the range.
        let thin = set.len() - self.count(set) >= quorum;
        let other = if few { others.iter().find_map(look) } else { None };
        other.or_else(|| if few || thin || all { set.iter().find_map(give) } else { None })
    }

    fn count(&self, nodes: &[Node]) -> usize {
        nodes.iter().filter(|node| self.has(node)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{Give, Look};
    use super::*;
    use throng_machine::Endpoint;
    use throng_wire::chord::IdRule;

    /// The eight hosts that follow ours; with five copies the first four are replicas, and three are a quorum.
    fn near() -> [Node; 8] {
        std::array::from_fn(|at| {
            let endpoint = Endpoint::v4([10, 0, 0, 1 + at as u8], 4_000);
            Node::new(IdRule::Open, endpoint, 0, 1).expect("any index will do")
        })
    }

    const SIZES: (usize, usize) = (4, 3);

    fn id(first: u8) -> RingId {
        let mut id = RingId::MIN;
        id.0[0] = first;
        id
    }

    /// Those at these places were found equal, those at the others lacking.
    fn known(equal: &[usize], lacking: &[usize]) -> Holders {
        let mut holders = Holders::default();
        equal.iter().for_each(|at| holders.on_compared(&near()[*at], id(1), true));
        lacking.iter().for_each(|at| holders.on_lacking(&near()[*at]));
        holders
    }

    fn next(holders: &Holders, tried: &[Step]) -> Option<Step> {
        holders.choose(&near(), SIZES, (tried, false))
    }

    #[test]
    fn the_heir_is_given_the_range_and_the_other_replicas_are_asked() {
        let [heir, second, ..] = near();
        assert_eq!(next(&Holders::default(), &[]), Some(Give(heir)));
        assert_eq!(
            next(&Holders::default(), &[Give(heir)]),
            Some(Look(second)),
            "later, for it did not answer"
        );
        assert_eq!(next(&known(&[], &[0, 1]), &[]), Some(Give(heir)), "it owns the range next");
        assert_eq!(next(&known(&[0], &[]), &[]), Some(Look(second)));
        assert_eq!(next(&known(&[0, 1, 2, 3], &[]), &[]), None);
    }

    #[test]
    fn a_newcomer_is_given_nothing_while_enough_of_those_behind_it_hold_the_range() {
        // It stands second, and pushed one that holds all out of the first four.
        let pushed = known(&[0, 2, 3, 4], &[1]);
        assert_eq!(next(&pushed, &[]), None);
        assert_eq!(
            pushed.choose(&near(), SIZES, (&[], true)),
            Some(Give(near()[1])),
            "unless all are to hold it"
        );
        // That one dies.
        assert_eq!(next(&known(&[0, 2, 3], &[1]), &[]), Some(Look(near()[4])), "others may hold it");
        assert_eq!(next(&known(&[0, 2, 3], &[1, 4, 5, 6, 7]), &[]), Some(Give(near()[1])), "nobody does");
    }

    #[test]
    fn enough_copies_that_a_quorum_of_readers_might_miss_are_too_few() {
        let behind = known(&[0, 4, 5, 6], &[1, 2, 3]);
        assert_eq!(next(&behind, &[]), Some(Give(near()[1])));
        assert_eq!(next(&known(&[0, 1, 4, 5], &[2, 3]), &[]), None);
    }

    #[test]
    fn a_larger_range_is_known_of_nobody_and_a_smaller_one_may_be_held_by_those_that_lacked_much() {
        let (mut smaller, high) = (known(&[0], &[1]), id(9));
        let mut larger = smaller.clone();
        smaller.on_range(Some(id(5)), high);
        assert_eq!((smaller.has(&near()[0]), next(&smaller, &[])), (true, Some(Look(near()[1]))));
        larger.on_range(Some(id(0)), high);
        assert_eq!((larger.has(&near()[0]), next(&larger, &[])), (false, Some(Give(near()[0]))));
    }

    #[test]
    fn who_is_far_or_doubted_or_differs_counts_no_more() {
        let [first, second, third, ..] = near();
        let mut holders = known(&[0, 1, 2], &[]);
        holders.keep_near(&near()[1..]);
        assert_eq!(holders.equal(), &[second, third]);
        assert!(holders.doubt(|node| *node != second));
        assert!(!holders.doubt(|_| true));
        holders.on_compared(&third, id(1), false);
        assert!(!holders.has(&first) && holders.equal().is_empty());
    }
}
