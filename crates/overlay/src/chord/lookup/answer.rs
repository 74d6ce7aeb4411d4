//! Answers to lookups: made by owners, sent straight to the initiator or back through its first hop, and checked by
//! whoever asked (sections 3.2, 3.5 and 5).
//!
//! To an address known only from others no more goes than three times what its lookup took, and only so often.

use super::super::core::{Core, Received};
use super::super::node::Node;
use super::super::violation::Violation;
use super::super::vnode::Vnode;
use super::estimate::{SPACED, plausible_spacing};
use super::pass::Passing;
use super::{Context, FoundAt, Goal, Instant, Lookups, count};
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::chord::{Contact, Contacts, Found, Header, Look, Message, Neighbour, RingId, dist, own};

/// Initiators whose rate is watched at once.
const MOST_WATCHED: usize = 64;

/// Answers sent to addresses we know only from others.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rates {
    watched: Vec<(Endpoint, Instant, u16)>,
}

impl Rates {
    /// Whether another answer may go to an address within this second.
    fn admits(&mut self, to: Endpoint, most: u16, now: Instant) -> bool {
        if let Some((_, since, sent)) = self.watched.iter_mut().find(|(of, ..)| *of == to) {
            if now.since(*since) >= Duration::from_secs(1) {
                (*since, *sent) = (now, 0);
            }
            *sent = sent.saturating_add(1);
            return *sent <= most;
        }
        self.watched.retain(|(_, since, _)| now.since(*since) < Duration::from_secs(1));
        if self.watched.len() >= MOST_WATCHED {
            return false;
        }
        self.watched.push((to, now, 1));
        most > 0
    }
}

/// What an owner says.
struct Reply {
    owner: Neighbour,
    prdc: Option<Contact>,
    replicas: Vec<Contact>,
    list: Vec<Contact>,
    nodes: f64,
}

impl Reply {
    fn of(core: &Core, at: usize) -> Option<Reply> {
        let vnode = core.vnodes.get(at)?;
        let replicas = replicas(vnode, usize::from(core.config.replicas));
        let list = vnode.list.nodes().take(SPACED - 1).map(|node| node.contact()).collect();
        Some(Reply {
            owner: Neighbour { contact: vnode.node.contact(), claim: vnode.claim },
            prdc: vnode.predecessor.as_ref().map(|entry| entry.node.contact()),
            replicas: replicas.iter().map(Node::contact).collect(),
            list,
            nodes: core.estimate(at),
        })
    }

    fn message<'a>(&'a self, look: &Look, initiator: Option<Contact>, pass: u64) -> Found<'a> {
        Found {
            lookup: look.lookup,
            owner: self.owner,
            prdc: self.prdc,
            path: look.path,
            timeouts: look.timeouts,
            n_est: self.nodes as u64,
            initiator,
            pass,
            replicas: Contacts::new(&self.replicas),
            list: Contacts::new(&self.list),
        }
    }
}

impl Lookups {
    /// One of our virtual nodes owns the key of a lookup.
    pub(crate) fn own(&mut self, core: &mut Core, owner: usize, passing: &Passing, cx: &mut Context<'_>) {
        let Some(mut reply) = Reply::of(core, owner) else { return };
        let look = &passing.look;
        let begun_here = self.searches.iter().find(|search| search.lookups.contains(&look.lookup));
        if let Some(search) = begun_here.map(|search| search.number) {
            let found = Box::new(found_at(look.key, &reply.message(look, None, 0)));
            return self.finish(core, search, Some(found), cx);
        }
        count(&mut self.counts.owned);
        let (to, through) = match look.reply_via {
            Some(via) if via != look.initiator => (via, Some(look.initiator)),
            _ => (look.initiator, None),
        };
        let Some(to) = core.stranger(&to) else { return };
        let known = passing.from.is_some_and(|from| from.endpoint == to.endpoint);
        if !known && !self.rates.admits(to.endpoint, core.config.lookup.answers, cx.now()) {
            return count(&mut self.counts.dropped);
        }
        if to.endpoint.ip().is_ipv6() {
            // Contacts are twice as long there: fewer of them, and the answer stays within three times the lookup.
            reply.list.truncate(3);
        }
        // Whoever the answer reaches has that address, unless it goes through another.
        let straight = through.is_none();
        let pass = if straight { core.proofs.token(to.endpoint, cx.now(), cx.rng()) } else { 0 };
        core.say(cx, (owner, to), look.token, &Message::Found(reply.message(look, through, pass)));
    }

    /// Answers one who asks hop by hop: its address is proved.
    pub(crate) fn show(
        &mut self,
        core: &mut Core,
        owner: usize,
        (to, look): (&Received, &Look),
        cx: &mut Context<'_>,
    ) {
        count(&mut self.counts.owned);
        if let Some(reply) = Reply::of(core, owner) {
            core.reply(cx, to, &Message::Found(reply.message(look, None, 0)));
        }
    }

    /// An answer that is no reply to a request: to a lookup of ours, or to one that came through us.
    pub(crate) fn on_found(
        &mut self,
        core: &mut Core,
        (from, header): (Node, &Header),
        found: &Found<'_>,
        cx: &mut Context<'_>,
    ) {
        let asked =
            |search: &&super::Search| search.token == header.token && search.lookups.contains(&found.lookup);
        let Some(search) = self.searches.iter().find(asked) else {
            return self.send_back(core, header, found, cx);
        };
        let (number, key) = (search.number, search.key);
        let owner = Node::of(core.config.id_rule, &found.owner.contact);
        match owner {
            Some(owner) if owner == from => {
                core.proofs.hold(from.endpoint, found.pass, cx.now());
                self.weigh(core, number, found_at(key, found), cx);
            }
            // Through the first hop: the owner is asked itself, from where we can reach it.
            Some(owner) if search.first_hops.iter().any(|hop| hop.endpoint == from.endpoint) => {
                self.confirm(core, number, owner, cx);
            }
            _ => core.blame(Violation::Unasked),
        }
    }

    /// The way back for the answer to a lookup that we were the first hop of.
    fn send_back(&mut self, core: &mut Core, header: &Header, found: &Found<'_>, cx: &mut Context<'_>) {
        let seen = self.seen.iter_mut().find(|seen| seen.lookup == found.lookup && !seen.answered);
        let (Some(seen), Some(initiator)) = (seen, found.initiator) else {
            // Late answers to what was answered already are no sin of the owner's.
            return core.blame(Violation::Unasked);
        };
        if Endpoint::from(initiator.address) != seen.from || initiator.vnode != seen.vnode {
            return core.blame(Violation::Impossible);
        }
        seen.answered = true;
        let at = usize::from(seen.at);
        let Some(to) = core.stranger(&initiator) else { return };
        core.say(cx, (at, to), header.token, &Message::Found(Found { initiator: None, ..*found }));
    }

    /// Checks an answer that came from the owner's own address (section 3.5).
    pub(crate) fn weigh(&mut self, core: &mut Core, number: u32, found: FoundAt, cx: &mut Context<'_>) {
        if !is_sound(core, &found) {
            count(&mut self.counts.doubtful);
            return core.blame(Violation::Impossible);
        }
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        let tested = core.config.lookup.spacing && !matches!(search.goal, Goal::Finger { .. });
        let (at, tested) = (search.at, tested && search.via.is_none());
        let plausible = !tested || is_evenly_spaced(core, self.nodes(core, at), &found);
        self.on_size(found.n_est);
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        if plausible && search.doubtful.is_none() {
            return self.finish(core, number, Some(Box::new(found)), cx);
        }
        let closer = |other: &FoundAt| {
            dist(found.key, id(core, &found.owner.contact)) < dist(found.key, id(core, &other.owner.contact))
        };
        if search.doubtful.as_deref().is_none_or(closer) {
            search.doubtful = Some(Box::new(found));
        }
        if !std::mem::replace(&mut search.checking, true) {
            // Nodes too far apart, or too close: others are asked, and whoever is closest to the key counts.
            count(&mut self.counts.doubtful);
            let patience = cx.now() + core.config.timers.lookup_second;
            self.recall(number);
            let paths = core.config.lookup.paths;
            self.walk(core, number, paths, cx);
            if let Some(search) = self.searches.iter_mut().find(|search| search.number == number) {
                search.until = search.until.min(patience);
            }
        } else {
            self.end_walks(core, number, cx);
        }
    }
}

/// The answer of one of our own virtual nodes to a lookup of ours.
pub(crate) fn ours(core: &Core, owner: usize, key: RingId) -> Option<FoundAt> {
    let Reply { owner, prdc, replicas, list, nodes } = Reply::of(core, owner)?;
    Some(FoundAt { key, owner, prdc, replicas, list, hops: 0, timeouts: 0, n_est: nodes as u64 })
}

/// Who keeps copies besides an owner: the next of its list on other hosts and in other /24, as far as there are any.
pub(crate) fn replicas(vnode: &Vnode, copies: usize) -> Vec<Node> {
    let mut chosen: Vec<Node> = Vec::new();
    for node in vnode.list.nodes() {
        let shares = |other: &Node| shares_network(other.endpoint, node.endpoint);
        if chosen.len() + 1 < copies && !shares(&vnode.node) && !chosen.iter().any(shares) {
            chosen.push(node);
        }
    }
    chosen
}

/// Whether two addresses are one host's, or so close that they may fail together.
pub(crate) fn shares_network(a: Endpoint, b: Endpoint) -> bool {
    let near = match (super::prefix::Prefix::of(a), super::prefix::Prefix::of(b)) {
        (Some(a), Some(b)) => a.shares_narrow(b),
        _ => false,
    };
    near || a == b
}

/// The answer as our own.
pub(crate) fn found_at(key: RingId, found: &Found<'_>) -> FoundAt {
    FoundAt {
        key,
        owner: found.owner,
        prdc: found.prdc,
        replicas: found.replicas.to_vec(),
        list: found.list.to_vec(),
        hops: found.path,
        timeouts: found.timeouts,
        n_est: found.n_est,
    }
}

fn id(core: &Core, contact: &Contact) -> RingId {
    contact.id(core.config.id_rule).unwrap_or(RingId::MIN)
}

/// Whether the owner claims the key, and whom it names follow it in order.
fn is_sound(core: &Core, found: &FoundAt) -> bool {
    let owner = id(core, &found.owner.contact);
    let low = found.owner.claim.low();
    let ordered = |contacts: &[Contact]| {
        let distances = contacts.iter().map(|contact| dist(owner, id(core, contact)));
        distances.clone().all(|distance| distance != RingId::MIN) && distances.is_sorted_by(|a, b| a < b)
    };
    low.is_some_and(|low| own(low, found.key, owner)) && ordered(&found.replicas) && ordered(&found.list)
}

/// The spacing test: the owner and those after it lie as densely as nodes do elsewhere.
fn is_evenly_spaced(core: &Core, nodes: (f64, f64), found: &FoundAt) -> bool {
    let Some(last) = found.list.last() else { return true };
    plausible_spacing(found.list.len() + 1, dist(found.key, id(core, last)), nodes)
}
