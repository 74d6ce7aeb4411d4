//! Queries and replies between supernodes.
//!
//! A query goes to every neighbour whose digest says that it may have an answer, and no further from there. To reach
//! supernodes that are no neighbours, some neighbours are asked to do the same for their neighbours: so many that
//! nearly every supernode has one of them beside it. With n supernodes of d links each, v such helpers leave a share
//! (1 - v/n)^d unreached; v = n ln(1/miss)/d is enough. Where d is not enough for v, helpers ask helpers.
//!
//! A query and its order to help are two things to the flood's tables: who was asked first as a neighbour may still be
//! asked to help.

use super::searching::Step;
use super::{Cx, Server};
use crate::flood::{Arrival, Importance, LinkId, Scope};
use crate::supernode::query::Prepared;
use crate::supernode::{Violation, digest::Key};
use throng_machine::Entropy;
use throng_wire::fasttrack::{Hits, Terms};
use throng_wire::supernode::{Guid, Message, Query, Reply};

/// Share of all supernodes that a search may miss.
const MISS: f64 = 0.001;
/// Hits a supernode gives to another's search.
const MAX_HITS: u16 = 100;
/// Replies are given up after queries.
const REPLY: Importance = Importance { class: 2, rank: 0 };
const QUERY: Importance = Importance { class: 1, rank: 0 };

/// How many neighbours are asked to help, and how many others each of them asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Reach {
    helpers: usize,
    fanout: u8,
}

impl Reach {
    /// For so many supernodes, with so many links here and on average so many there; `None` if all are neighbours.
    fn of(supernodes: u32, links: usize, degree: f64) -> Option<Reach> {
        let (n, links_here) = (f64::from(supernodes), links as f64);
        if links == 0 || n <= links_here + 1.0 {
            return None;
        }
        let wanted = (n * (1.0 / MISS).ln() / degree.max(1.0)).min(n * 0.9).max(1.0);
        let helpers = wanted.min(links_here).ceil();
        if wanted <= links_here {
            return Some(Reach { helpers: helpers as usize, fanout: 0 });
        }
        // Helpers are drawn with repetition: to meet so many different ones, more must be sent for.
        let sent = -n * (1.0 - wanted / n).ln() - helpers;
        let fanout = (sent / helpers).ceil().clamp(1.0, degree.max(1.0));
        Some(Reach { helpers: helpers as usize, fanout: fanout as u8 })
    }
}

/// What the flood's tables call an order to help.
fn help_id(guid: &Guid) -> Guid {
    let mut id = *guid;
    id[0] ^= 0x80;
    id
}

impl Server {
    /// Asks the neighbours whose digest fits.
    pub(super) fn ask_near(&mut self, guid: &Guid, cx: &mut Cx<'_>) {
        let Some(search) = self.searches.get(guid) else { return };
        let left = (search.wanted - search.got).min(MAX_HITS);
        let (realm, terms) = (search.prepared.realm, search.terms.clone());
        let targets = self.links.fitting(&search.prepared.keys, None);
        if targets.is_empty() {
            return self.ask_far(guid, cx);
        }
        let Ok(terms) = Terms::take(&mut &terms[..]) else { return };
        let query = Query { guid: *guid, ttl: 1, hops: 0, fanout: 0, wanted: left, realm, terms };
        self.send_query(&targets, &query, cx);
        self.wait_for(guid, Step::Near, cx);
    }

    /// Asks neighbours to help.
    pub(super) fn ask_far(&mut self, guid: &Guid, cx: &mut Cx<'_>) {
        let reach = Reach::of(self.crowd.estimate(), self.links.up(), self.links.degree());
        let Some(search) = self.searches.get(guid) else { return };
        let Some(reach) = reach else { return self.ask_ring(guid, cx) };
        let left = (search.wanted - search.got).min(MAX_HITS);
        let (realm, terms) = (search.prepared.realm, search.terms.clone());
        let Ok(terms) = Terms::take(&mut &terms[..]) else { return };
        let ttl = if reach.fanout > 0 { 3 } else { 2 };
        let query = Query { guid: *guid, ttl, hops: 0, fanout: reach.fanout, wanted: left, realm, terms };
        let helpers = self.some_links(reach.helpers, None, cx.rng());
        self.metrics.searches_far += 1;
        self.flood.begin(&help_id(guid), cx.now());
        self.send_query(&helpers, &query, cx);
        self.wait_for(guid, Step::Far, cx);
    }

    /// Links drawn at random.
    fn some_links(&self, count: usize, but: Option<LinkId>, rng: &mut dyn Entropy) -> Vec<LinkId> {
        let mut all: Vec<LinkId> = self.links.ids_up().filter(|link| Some(*link) != but).collect();
        let count = count.min(all.len());
        for at in 0..count {
            let other = at + rng.below((all.len() - at) as u32) as usize;
            all.swap(at, other);
        }
        all.truncate(count);
        all
    }

    fn send_query(&mut self, targets: &[LinkId], query: &Query<'_>, cx: &mut Cx<'_>) {
        let mut bytes = Vec::new();
        Message::Query(*query).put(&mut bytes);
        self.metrics.queries_sent += targets.len() as u64;
        self.metrics.spend(targets.len(), bytes.len());
        for link in targets {
            // What has come far is given up first.
            let rank = u8::MAX - query.hops;
            self.say_bytes(*link, &bytes, Importance { rank, ..QUERY }, cx);
        }
    }

    /// Who came to ask this one thing is told when it has heard all.
    pub(super) fn on_query(&mut self, link: LinkId, query: &Query<'_>, cx: &mut Cx<'_>) {
        self.take_query(link, query, cx);
        if self.links.get(link).is_some_and(|link| link.passing) {
            self.say_bye(link, REPLY, cx);
        }
    }

    fn take_query(&mut self, link: LinkId, query: &Query<'_>, cx: &mut Cx<'_>) {
        let rate = self.config.link_queries;
        let now = cx.now();
        let Some(known) = self.links.get_mut(link) else { return };
        if !known.queries.spend(rate.burst, rate.every, now) {
            self.metrics.dropped += 1;
            return;
        }
        self.metrics.queries += 1;
        let helps = query.ttl > 1;
        let scope = Scope { ttl: 1, hops: query.hops };
        let first = match self.flood.arrive(&query.guid, link, scope, now) {
            Arrival::New(_) => true,
            Arrival::Own => return self.metrics.duplicates += 1,
            Arrival::TooFar => return self.link_misbehaves(link, Violation::Repeated, cx),
            Arrival::Repeated if !helps => return self.link_misbehaves(link, Violation::Repeated, cx),
            Arrival::Repeated | Arrival::Duplicate | Arrival::Farther(_) => false,
        };
        let onward = if helps {
            let scope = Scope { ttl: query.ttl, hops: query.hops };
            match self.flood.arrive(&help_id(&query.guid), link, scope, now) {
                Arrival::New(onward) => onward,
                Arrival::TooFar | Arrival::Repeated => {
                    return self.link_misbehaves(link, Violation::Repeated, cx);
                }
                _ => None,
            }
        } else {
            None
        };
        if !first && onward.is_none() {
            self.metrics.duplicates += 1;
            return;
        }
        let Some(prepared) = Prepared::of(query.realm, &query.terms) else { return };
        if first {
            self.answer_query(link, query, &prepared, cx);
        }
        if let Some(scope) = onward {
            self.help(link, query, (scope, &prepared.keys), cx);
        }
    }

    /// Passes a query on to those whose digest fits, and as an order to help to some others.
    fn help(&mut self, from: LinkId, query: &Query<'_>, (scope, keys): (Scope, &[Key]), cx: &mut Cx<'_>) {
        let wanted = query.wanted.min(MAX_HITS);
        let targets = self.links.fitting(keys, Some(from));
        let last = Query { ttl: 1, hops: scope.hops, fanout: 0, wanted, ..*query };
        if scope.ttl > 1 && query.fanout > 0 {
            let fanout = usize::from(query.fanout).min(self.config.max_links);
            let helpers = self.some_links(fanout, Some(from), cx.rng());
            let targets: Vec<LinkId> = targets.into_iter().filter(|link| !helpers.contains(link)).collect();
            self.send_query(&targets, &last, cx);
            self.send_query(&helpers, &Query { ttl: scope.ttl, hops: scope.hops, wanted, ..*query }, cx);
        } else {
            self.send_query(&targets, &last, cx);
        }
    }

    fn answer_query(&mut self, link: LinkId, query: &Query<'_>, prepared: &Prepared, cx: &mut Cx<'_>) {
        let Some(supernode) = self.address else { return };
        let batches = self.hits_here(prepared, None, query.wanted.min(MAX_HITS), cx);
        for (count, bytes) in batches.full {
            self.reply(link, &Reply { guid: query.guid, supernode, hits: Hits::written(count, &bytes) }, cx);
        }
    }

    fn reply(&mut self, link: LinkId, reply: &Reply<'_>, cx: &mut Cx<'_>) {
        let mut bytes = Vec::new();
        if Message::Reply(*reply).put(&mut bytes) {
            self.metrics.spend(1, bytes.len());
            self.say_bytes(link, &bytes, REPLY, cx);
        }
    }

    /// Hits for a search of ours, or for one that came this way.
    pub(super) fn on_reply(&mut self, link: LinkId, reply: &Reply<'_>, cx: &mut Cx<'_>) {
        self.metrics.replies += 1;
        let Some(from) = self.links.get(link).map(|link| link.from) else { return };
        match self.flood.way_back(&reply.guid, cx.now()) {
            Some(crate::flood::Origin::Own) => {
                let wrong = self.take_hits(from, reply, cx);
                // Who only passes replies on cannot know.
                if wrong > 0 && self.links.is_of(link, reply.supernode) {
                    self.link_misbehaves(link, Violation::FalseAnswer, cx);
                }
            }
            Some(crate::flood::Origin::Link(back)) if back != link => {
                self.reply(back, reply, cx);
            }
            Some(crate::flood::Origin::Link(_)) | None => {
                self.link_misbehaves(link, Violation::Unasked, cx);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of supernodes that have a helper, or the asker, beside them, if links are drawn at random.
    fn covered(n: f64, degree: f64, reach: Reach) -> f64 {
        let helpers = reach.helpers as f64 * (1.0 + f64::from(reach.fanout));
        let different = n * (1.0 - (-helpers / n).exp());
        1.0 - (1.0 - different / n).powf(degree)
    }

    #[test]
    fn enough_helpers_are_asked_whatever_the_size_of_the_network() {
        for (n, links) in [(50, 40), (100, 40), (1_000, 40), (4_000, 40), (10_000, 40), (10_000, 50)] {
            let reach = Reach::of(n, links, 40.0).expect("not all are neighbours");
            let share = covered(f64::from(n), 40.0, reach);
            assert!(share > 0.998, "{share} of {n}: {reach:?}");
            // At a hundred ordinary nodes each, a hundredth of all nodes is as many messages as supernodes.
            let asked = reach.helpers * (1 + usize::from(reach.fanout));
            assert!(asked <= n as usize / 4 || n < 100, "{asked} of {n}");
        }
        assert_eq!(Reach::of(41, 40, 40.0), None, "all are neighbours");
        assert_eq!(Reach::of(1, 0, 0.0), None);
    }
}
