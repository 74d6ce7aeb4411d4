//! The next hop of a lookup, exactly as section 3.2 of the note has it, as a function of what a host knows.
//!
//! All virtual nodes of a host are asked at once: any of them may own the key or know the best next node, and going
//! from one to another costs nothing. Invariants: never to ourselves; a hop of step 4 lies strictly between us and
//! the key, so the distance shrinks; a hop named as owner passes back at most r times.

use super::super::list::SuccessorList;
use super::super::node::{Entry, Health, Node};
use super::fingers::Fingers;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{Claim, RingId, btw, dist, own};

/// What one virtual node knows that matters for a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Who it is.
    pub node: Node,
    /// What it owns.
    pub claim: Claim,
    /// Its predecessor.
    pub predecessor: Option<Entry>,
    /// Who owns what lies before its own range, as far as it knows.
    pub below: Option<Node>,
    /// Its successors, nearest first.
    pub list: &'a SuccessorList,
    /// Its fingers.
    pub fingers: &'a Fingers,
    /// To whom it has granted the range the key lies in, unacknowledged so far.
    pub granted: Option<Node>,
    /// The r of its list: passes back to predecessors are bounded by it.
    pub most: u8,
}

/// All members as far as known: the table of a small ring, or that of one-hop mode.
pub(crate) trait Members {
    /// The first member at or after `key`, going clockwise, that `admit` lets through.
    fn at_or_after(&self, key: RingId, admit: &dyn Fn(&Node) -> bool) -> Option<Node>;
}

/// A lookup as it stands at this host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quest<'a> {
    /// The key.
    pub key: RingId,
    /// Whether this host was named as the owner's.
    pub direct: bool,
    /// Times it was passed back.
    pub back: u8,
    /// Who passed it on, unless it begins here.
    pub from: Option<RingId>,
    /// Whom this host tried for it in vain.
    pub tried: &'a [Node],
    /// Nobody else was any help: suspects are asked too, in case they live.
    pub desperate: bool,
    /// Stand-ins of fingers are asked if they were heard within that time before that moment; all if it is not said.
    pub warm: Option<(Duration, Instant)>,
}

/// Where a lookup goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The virtual node of that index among ours owns the key.
    Mine(usize),
    /// To the node that should own it.
    Direct(Node),
    /// To the joiner that was granted the key's range by our virtual node of that index; repeat the switch first.
    Granted(usize, Node),
    /// To the predecessor of a node that was named as owner and is not.
    Back(Node),
    /// To the closest node known before the key.
    Toward(Node),
    /// Nowhere for 250 ms: whoever is to own the key is being found out, or everyone known was tried.
    Wait,
}

/// The next hop from our virtual node `at`.
pub(crate) fn next_hop(
    places: &[Place<'_>],
    at: usize,
    quest: &Quest<'_>,
    members: Option<&dyn Members>,
) -> Step {
    if let Some(owner) = places.iter().position(|place| place.claim.owns(place.node.id, quest.key)) {
        return Step::Mine(owner);
    }
    let (mut at, mut quest) = (at.min(places.len().saturating_sub(1)), *quest);
    // Each turn that stays within the host moves to another of its nodes; more turns would be a circle.
    for _ in 0..=places.len() {
        let Some(place) = places.get(at) else { return Step::Wait };
        let step = if quest.direct || quest.back > 0 {
            pass_back(at, place, &quest)
        } else {
            pass_on(places, at, &quest, members)
        };
        let (next, back) = match step {
            Step::Direct(node) | Step::Granted(_, node) | Step::Toward(node) => (node, 0),
            Step::Back(node) => (node, quest.back.saturating_add(1)),
            Step::Mine(_) | Step::Wait => return step,
        };
        let Some(local) = places.iter().position(|place| place.node.id == next.id) else { return step };
        quest.direct = !matches!(step, Step::Toward(_));
        (quest.from, quest.back, at) = (Some(place.node.id), back, local);
    }
    Step::Wait
}

/// Step 2: we were named as owner and are not.
fn pass_back(at: usize, place: &Place<'_>, quest: &Quest<'_>) -> Step {
    let me = place.node.id;
    let usable = |entry: &Entry| is_open(entry, quest);
    if let Some(joiner) = place.granted {
        return Step::Granted(at, joiner);
    }
    let predecessor = place.predecessor.filter(usable).map(|entry| entry.node);
    // Whoever stands below a predecessor that died may take half a minute to notify us.
    let below = place.below.filter(|below| {
        let dead = place.predecessor.is_none_or(|entry| entry.health == Health::Dead);
        dead && !own(below.id, quest.key, me) && !quest.tried.contains(below)
    });
    let behind = place.predecessor.is_some_and(|entry| !own(entry.node.id, quest.key, me));
    // An inactive node passed over by its successor looks further back, or the two would ask each other for ever.
    let look_back = quest.back > 0 && behind;
    if !(place.claim.is_active() || look_back) {
        return place.list.entries().find(usable).map_or(Step::Wait, |entry| Step::Direct(entry.node));
    }
    // The key lies between us and the one who passed it back: nobody owns it yet, and it is not behind us.
    let gap = quest.back > 0 && quest.from.is_some_and(|from| own(me, quest.key, from));
    match predecessor.or(below) {
        Some(node) if !gap && quest.back < place.most => Step::Back(node),
        _ => Step::Wait,
    }
}

/// Steps 3 and 4: closer to the key, or to the node that should own it.
fn pass_on(places: &[Place<'_>], at: usize, quest: &Quest<'_>, members: Option<&dyn Members>) -> Step {
    if let Some(owner) = listed_owner(places, quest) {
        return Step::Direct(owner);
    }
    let hosts = |node: &Node| places.iter().any(|place| place.node.id == node.id);
    let admit = |node: &Node| !quest.tried.contains(node) && !hosts(node);
    if let Some(owner) = members.and_then(|members| members.at_or_after(quest.key, &admit)) {
        return Step::Direct(owner);
    }
    let me = places[at].node.id;
    let known = places.iter().filter_map(|place| closest_before(place, quest));
    let ahead = known.filter(|node| btw(me, node.id, quest.key) && !hosts(node));
    ahead.min_by_key(|node| dist(node.id, quest.key)).map_or(Step::Wait, Step::Toward)
}

/// Step 3: the first entry at or after the key of a list that spans it.
fn listed_owner(places: &[Place<'_>], quest: &Quest<'_>) -> Option<Node> {
    let spanning = places
        .iter()
        .filter(|place| place.list.last().is_some_and(|last| own(place.node.id, quest.key, last.node.id)));
    let owners = spanning.filter_map(|place| {
        let mut after = place.list.entries().filter(|entry| own(place.node.id, quest.key, entry.node.id));
        after.find(|entry| is_open(entry, quest)).map(|entry| entry.node)
    });
    owners.min_by_key(|node| dist(quest.key, node.id))
}

/// Step 4 for one virtual node.
fn closest_before(place: &Place<'_>, quest: &Quest<'_>) -> Option<Node> {
    let (me, key) = (place.node.id, quest.key);
    let open = |entry: &Entry| is_open(entry, quest);
    let listed = place.list.closest_before(me, key, open);
    let warm = |entry: &Entry| quest.warm.is_none_or(|(span, now)| entry.heard.within(span, now));
    let finger = place.fingers.closest_warm_before((me, key), open, warm);
    [listed, finger].into_iter().flatten().map(|entry| entry.node).min_by_key(|node| dist(node.id, key))
}

/// Whether a lookup may go to an entry.
fn is_open(entry: &Entry, quest: &Quest<'_>) -> bool {
    let healthy = entry.health == Health::Alive && !entry.relay_only;
    let hoped_for = quest.desperate && entry.health == Health::Suspect;
    (healthy || hoped_for) && !quest.tried.contains(&entry.node)
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
