//! Searches of ordinary nodes (06) and of this node, step by step until there are enough hits.
//!
//! First the files here. Then the neighbours whose digest says that they may have an answer. Then, if that was not
//! enough, so many others that nearly every supernode has one of them as a neighbour, each asking those of its
//! neighbours whose digest fits (see `flooding`). Then the ring, if this node is in one.

use super::super::query::Prepared;
use super::connections::ConnId;
use super::{Cx, Event, LOCAL, Server, Timer};
use crate::discovery::Ticket;
use crate::keyword_index::{DocId, OwnerId};
use crate::supernode::hit::callable_from;
use crate::supernode::{FoundFile, Violation};
use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::ops::ControlFlow;
use throng_machine::Endpoint;
use throng_wire::fasttrack::{Hit, Hits, Message, NETWORK_NAME, Query, Realm, Reply, Terms};
use throng_wire::supernode::{Guid, Reply as LinkReply};

/// Bytes of hits in one message, about.
const BATCH: usize = 12 << 10;

/// Who searches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// An ordinary node, by its own number.
    Member(ConnId, u16),
    /// This node.
    Local(Ticket),
}

/// How far a search has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Near,
    Far,
    Ring,
}

/// A search that is not over.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) origin: Origin,
    pub(super) prepared: Prepared,
    /// The terms as they came, with their count.
    pub(super) terms: Vec<u8>,
    pub(super) wanted: u16,
    pub(super) got: u16,
    pub(super) step: Step,
    /// Whose copy of what was already told.
    pub(super) seen: BTreeSet<(SocketAddrV4, [u8; 20])>,
    /// The ring is asked under this.
    pub(super) ring: Option<Ticket>,
    /// Supernodes that the ring named and that have not answered, and those that were asked in all.
    pub(super) asks: (u8, u8),
}

/// Hits, in as many messages as they need.
#[derive(Default)]
pub(super) struct Batches {
    pub(super) full: Vec<(u16, Vec<u8>)>,
}

impl Batches {
    pub(super) fn put(&mut self, hit: &Hit<'_>) {
        if self.full.last().is_none_or(|(_, bytes)| bytes.len() > BATCH) {
            self.full.push((0, Vec::new()));
        }
        if let Some((count, bytes)) = self.full.last_mut() {
            *count += 1;
            hit.put(NETWORK_NAME, bytes);
        }
    }

    pub(super) fn count(&self) -> u16 {
        self.full.iter().map(|(count, _)| count).sum()
    }
}

impl Server {
    pub(super) fn on_search(&mut self, conn: ConnId, query: &Query<'_>, cx: &mut Cx<'_>) {
        let (rate, now, most) = (self.config.searches, cx.now(), self.config.max_searches);
        let Some(connection) = self.connections.get(conn) else { return };
        let from = connection.from;
        let Some(member) = self.connections.member_mut(conn) else { return };
        let allowed = member.search_budget.spend(rate.burst, rate.every, now);
        let older = member.searches.remove(&query.id);
        let fits = allowed && member.searches.len() < most;
        if let Some(guid) = older {
            self.drop_search(&guid, cx);
        }
        if !fits {
            self.count(from, Violation::QueryStorm, cx);
            return self.tell(conn, &Message::SearchEnd(query.id), cx);
        }
        let wanted = query.max_results.clamp(1, self.config.max_hits);
        self.begin_search(Origin::Member(conn, query.id), query.realm, &query.terms, wanted, cx);
    }

    /// Searches here, and then elsewhere if that is not enough; `false` if there is nothing to search by.
    pub(super) fn begin_search(
        &mut self,
        origin: Origin,
        realm: Realm,
        terms: &Terms<'_>,
        wanted: u16,
        cx: &mut Cx<'_>,
    ) -> bool {
        self.metrics.searches += 1;
        let Some(prepared) = Prepared::of(realm, terms) else {
            self.tell_end(origin, cx);
            return false;
        };
        let mut guid: Guid = [0; 16];
        cx.rng().fill(&mut guid);
        let mut bytes = Vec::new();
        terms.put(&mut bytes);
        let mut search = Search {
            origin,
            prepared,
            terms: bytes,
            wanted,
            got: 0,
            step: Step::Near,
            seen: BTreeSet::new(),
            ring: None,
            asks: (0, 0),
        };
        self.answer_here(&mut search, cx);
        if let Origin::Member(conn, id) = origin
            && let Some(member) = self.connections.member_mut(conn)
        {
            member.searches.insert(id, guid);
        }
        let is_enough = search.got >= search.wanted;
        self.flood.begin(&guid, cx.now());
        self.searches.insert(guid, search);
        if is_enough {
            self.finish_search(&guid, cx);
        } else {
            self.ask_near(&guid, cx);
        }
        true
    }

    /// Hits among the files here.
    fn answer_here(&mut self, search: &mut Search, cx: &mut Cx<'_>) {
        let not = match search.origin {
            Origin::Member(conn, _) => conn.owner(),
            Origin::Local(_) => LOCAL,
        };
        let batches = self.hits_here(&search.prepared, Some(not), search.wanted, cx);
        let supernode = self.address.unwrap_or(Reply::NOWHERE);
        search.got = batches.count();
        for (count, bytes) in batches.full {
            self.deliver(search.origin, supernode, Hits::written(count, &bytes), cx);
        }
    }

    /// Files here that a search asks for, from another place each time, so that all who have a popular one are asked.
    pub(super) fn hits_here(
        &mut self,
        prepared: &Prepared,
        not: Option<OwnerId>,
        most: u16,
        cx: &mut Cx<'_>,
    ) -> Batches {
        let mut batches = Batches::default();
        let start = DocId(cx.rng().below(self.catalogue.end().max(1)));
        let (connections, me) = (&self.connections, self.local.me(&self.config, self.address));
        self.catalogue.search(prepared, not, start, &mut |found| {
            let hit = match ConnId::of_owner(found.owner) {
                None => me.hit(found.item),
                Some(conn) => {
                    connections.member(conn).filter(|member| !member.user.is_empty()).map(|member| Hit {
                        at: member.at,
                        bandwidth: member.bandwidth,
                        user: Some(&member.user),
                        item: found.item,
                    })
                }
            };
            if let Some(hit) = hit {
                batches.put(&hit);
            }
            if batches.count() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        batches
    }

    /// Hits for whoever searches.
    fn deliver(&mut self, origin: Origin, supernode: SocketAddrV4, hits: Hits<'_>, cx: &mut Cx<'_>) {
        match origin {
            Origin::Member(conn, id) => {
                self.send_hits((conn, id), supernode, (hits.len() as u16, hits.bytes()), cx);
            }
            Origin::Local(ticket) => {
                for hit in hits.iter().map_while(Result::ok) {
                    let file = hit.user.and_then(|user| FoundFile::of(&hit, user, supernode));
                    if let Some(file) = file {
                        cx.emit(Event::Found(ticket, Box::new(file)));
                    }
                }
            }
        }
    }

    /// Hits from another supernode: those that answer, are new, and are not the searcher's own. How many were none.
    pub(super) fn take_hits(&mut self, from: Endpoint, reply: &LinkReply<'_>, cx: &mut Cx<'_>) -> u32 {
        let LinkReply { guid, supernode, hits } = reply;
        let Some(search) = self.searches.get_mut(guid) else { return 0 };
        let own = match search.origin {
            Origin::Member(conn, _) => self.connections.member(conn).map(|member| member.at),
            Origin::Local(_) => self.address,
        };
        let (mut batches, mut wrong, mut user) = (Batches::default(), 0, None);
        for hit in hits.iter() {
            let Ok(mut hit) = hit else {
                wrong += 1;
                break;
            };
            // A hit without a name is of the same user as the one before.
            user = hit.user.or(user);
            hit.at = callable_from(from, hit.at);
            if user.is_none() || !search.prepared.matches(&hit.item) {
                wrong += 1;
                continue;
            }
            let is_new = search.got + batches.count() < search.wanted
                && Some(hit.at) != own
                && search.seen.insert((hit.at, hit.item.hash.0));
            if is_new {
                batches.put(&Hit { user, ..hit });
            }
        }
        search.got += batches.count();
        let (origin, is_enough) = (search.origin, search.got >= search.wanted);
        for (count, bytes) in batches.full {
            self.deliver(origin, *supernode, Hits::written(count, &bytes), cx);
        }
        if is_enough {
            self.finish_search(guid, cx);
        }
        wrong
    }

    pub(super) fn on_search_due(&mut self, guid: &Guid, cx: &mut Cx<'_>) {
        match self.searches.get(guid).map(|search| search.step) {
            Some(Step::Near) => self.ask_far(guid, cx),
            Some(Step::Far) => self.ask_ring(guid, cx),
            Some(Step::Ring) => self.finish_search(guid, cx),
            None => {}
        }
    }

    /// Waits for answers before the next step.
    pub(super) fn wait_for(&mut self, guid: &Guid, step: Step, cx: &Cx<'_>) {
        let wait = match step {
            Step::Near => self.config.near_wait,
            Step::Far => self.config.far_wait,
            Step::Ring => self.config.ring_wait,
        };
        if let Some(search) = self.searches.get_mut(guid) {
            search.step = step;
            self.timers.set(Timer::Search(*guid), cx.now() + wait);
        }
    }

    /// 08, once.
    pub(super) fn finish_search(&mut self, guid: &Guid, cx: &mut Cx<'_>) {
        let Some(origin) = self.drop_search(guid, cx) else { return };
        if let Origin::Member(conn, id) = origin
            && let Some(member) = self.connections.member_mut(conn)
        {
            member.searches.remove(&id);
        }
        self.tell_end(origin, cx);
    }

    fn tell_end(&mut self, origin: Origin, cx: &mut Cx<'_>) {
        match origin {
            Origin::Member(conn, id) => self.tell(conn, &Message::SearchEnd(id), cx),
            Origin::Local(ticket) => cx.emit(Event::Finished(ticket)),
        }
    }

    /// Forgets a search; whose it was.
    pub(super) fn drop_search(&mut self, guid: &Guid, cx: &mut Cx<'_>) -> Option<Origin> {
        let search = self.searches.remove(guid)?;
        self.timers.clear(Timer::Search(*guid));
        if let Some(ticket) = search.ring {
            self.cancel_in_ring(ticket, cx);
        }
        Some(search.origin)
    }
}
