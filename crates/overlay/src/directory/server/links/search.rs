//! Searches that go round (10015 to 10017): ours with too few hits, and those of users behind links.
//!
//! Only what A understands is asked of others: words, type, bit rate, frequency, line speed. Exclusions, sizes and
//! playing times are applied to the hits that come back.

use super::super::people::{Person, PersonId};
use super::super::searching::{Prepared, Searcher};
use super::super::{Cx, Server};
use super::LinkId;
use crate::keyword_index::Words;
use std::collections::{BTreeMap, VecDeque};
use throng_machine::Instant;
use throng_wire::napster::{
    Frame, Hit, KindFilter, LinkHit, LinkMessage, LinkSearch, Nick, Query, ServerMessage,
};

/// Searches under way in all; more are answered by this server alone.
const MAX_PENDING: usize = 16_384;

/// Who asked.
enum Origin {
    /// A user here, who may have that many hits more.
    Here { who: PersonId, prepared: Box<Prepared>, left: u32 },
    /// A neighbour.
    Link(LinkId),
}

struct Pending {
    origin: Origin,
    /// Neighbours that have not said 10017.
    waiting: Vec<LinkId>,
}

/// Searches that wait for linked servers.
#[derive(Default)]
pub(in super::super) struct Searches {
    pending: BTreeMap<Vec<u8>, Pending>,
    /// Those of each user here.
    of_users: BTreeMap<PersonId, Vec<Vec<u8>>>,
    /// In the order of their deadlines; some are over already.
    deadlines: VecDeque<(Instant, Vec<u8>)>,
}

impl Searches {
    pub(in super::super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(at, _)| *at)
    }

    /// The name of a search whose time is over.
    pub(in super::super) fn take_late(&mut self, now: Instant) -> Option<Vec<u8>> {
        while self.deadlines.front().is_some_and(|(at, _)| *at <= now) {
            let (_, id) = self.deadlines.pop_front()?;
            if self.pending.contains_key(&id) {
                return Some(id);
            }
        }
        None
    }

    /// Searches of a user who left concern nobody.
    pub(in super::super) fn forget(&mut self, who: PersonId) {
        for id in self.of_users.remove(&who).unwrap_or_default() {
            self.pending.remove(&id);
        }
    }

    pub(in super::super) fn len(&self) -> usize {
        self.pending.len()
    }

    fn count_of(&self, who: PersonId) -> usize {
        self.of_users.get(&who).map_or(0, Vec::len)
    }

    fn remove(&mut self, id: &[u8]) -> Option<Pending> {
        let pending = self.pending.remove(id)?;
        if let Origin::Here { who, .. } = pending.origin
            && let Some(ids) = self.of_users.get_mut(&who)
        {
            ids.retain(|other| other != id);
            if ids.is_empty() {
                self.of_users.remove(&who);
            }
        }
        Some(pending)
    }

    fn add(&mut self, id: &[u8], pending: Pending, deadline: Instant) {
        // Most searches end long before their deadline.
        while self.deadlines.front().is_some_and(|(_, id)| !self.pending.contains_key(id)) {
            self.deadlines.pop_front();
        }
        self.deadlines.push_back((deadline, id.to_vec()));
        if let Origin::Here { who, .. } = pending.origin {
            self.of_users.entry(who).or_default().push(id.to_vec());
        }
        self.pending.insert(id.to_vec(), pending);
    }
}

impl Server {
    /// Asks linked servers for what is missing; false if there are none, or too many searches.
    pub(in super::super) fn search_there(
        &mut self,
        who: PersonId,
        query: &Query<'_>,
        prepared: Prepared,
        hits: u32,
        cx: &mut Cx<'_>,
    ) -> bool {
        let waiting = self.links.others(None);
        let busy = self.searches.count_of(who) >= self.config.max_pending_searches as usize;
        if waiting.is_empty() || busy || self.searches.len() >= MAX_PENDING {
            return false;
        }
        let id: [u8; 8] = std::array::from_fn(|_| b'A' + cx.rng().below(26) as u8);
        if self.searches.pending.contains_key(&id[..]) {
            return false;
        }
        let left = prepared.limit - hits;
        if !self.ask_links(who, &id, query, left, &waiting) {
            return false;
        }
        let origin = Origin::Here { who, prepared: Box::new(prepared), left };
        let deadline = cx.now() + self.config.search_timeout;
        self.searches.add(&id, Pending { origin, waiting }, deadline);
        true
    }

    /// 10015 to those links; false if the query cannot be written.
    fn ask_links(&mut self, who: PersonId, id: &[u8], query: &Query<'_>, max: u32, links: &[LinkId]) -> bool {
        let Some(nick) = self.people.get(who).map(|person| person.nick.clone()) else { return false };
        let words: Vec<u8> = {
            let wanted =
                query.terms().filter(|term| !term.excluded).map(|term| term.word.to_ascii_lowercase());
            wanted.collect::<Vec<_>>().join(&b' ')
        };
        let plain = Query {
            contains: vec![&words],
            max_results: Some(max),
            kind: match query.kind {
                KindFilter::Any => KindFilter::default(),
                only => only,
            },
            bitrate: query.bitrate,
            frequency: query.frequency,
            line_speed: query.line_speed,
            ..Query::default()
        };
        let mut text = Vec::new();
        if plain.write(&mut text).is_err() {
            return false;
        }
        for link in links {
            self.links.send(*link, &LinkMessage::Search(LinkSearch { nick: &nick, id, query: &text }));
        }
        true
    }

    /// 10015 from a neighbour: hits here, then the neighbours behind us.
    pub(super) fn on_link_search(&mut self, link: LinkId, search: &LinkSearch<'_>, cx: &mut Cx<'_>) {
        self.metrics.link_searches += 1;
        let end = LinkMessage::SearchEnd(Nick { nick: search.id });
        let parsed = Query::parse(search.query).and_then(|query| Ok((Prepared::of(&query)?, query)));
        let who = self.behind(link, search.nick, cx);
        let (Some(who), Ok((prepared, query))) = (who, parsed) else { return self.links.send(link, &end) };
        if search.id.len() > 32 || self.searches.pending.contains_key(search.id) {
            return self.links.send(link, &end);
        }
        let hits = self.search_here(Searcher::There(who, search.id), &prepared, cx);
        let waiting = self.links.others(Some(link));
        let done = hits >= prepared.limit || waiting.is_empty() || self.searches.len() >= MAX_PENDING;
        if done || !self.ask_links(who, search.id, &query, prepared.limit - hits, &waiting) {
            return self.links.send(link, &end);
        }
        let deadline = cx.now() + self.config.search_timeout;
        self.searches.add(search.id, Pending { origin: Origin::Link(link), waiting }, deadline);
    }

    /// 10016: one hit on its way back.
    pub(super) fn on_link_hit(&mut self, link: LinkId, hit: &LinkHit<'_>, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let Some(pending) = self.searches.pending.get(hit.id) else { return };
        if !pending.waiting.contains(&link) {
            return;
        }
        let Origin::Here { who, prepared, left } = &pending.origin else {
            return self.pass_back(hit.id, frame);
        };
        let Some(person) = self.people.find(hit.nick).and_then(|other| self.people.get(other)) else {
            return;
        };
        let (who, accepted) = (*who, *left > 0 && is_wanted(prepared, hit));
        let own = self.people.get(who);
        let reachable = own.is_some_and(|own| !(own.is_firewalled() && person.is_firewalled()));
        if !accepted || !reachable || self.way_of(person) != Some(link) {
            return;
        }
        let message = hit_of(hit, person);
        let mut bytes = Vec::new();
        if message.encode(&mut bytes).is_ok()
            && let Ok(Some((inner, _))) = Frame::split(&bytes, throng_wire::napster::MAX_DATA)
            && let Ok(message) = ServerMessage::decode(inner)
        {
            self.tell(who, &message, cx);
        }
        if let Some(Pending { origin: Origin::Here { left, .. }, .. }) = self.searches.pending.get_mut(hit.id)
        {
            *left -= 1;
        }
    }

    fn pass_back(&mut self, id: &[u8], frame: Frame<'_>) {
        let Some(Origin::Link(origin)) = self.searches.pending.get(id).map(|pending| &pending.origin) else {
            return;
        };
        let mut bytes = Vec::new();
        if frame.encode(&mut bytes).is_ok() {
            self.links.send_frames(*origin, &bytes);
        }
    }

    /// 10017: a neighbour is done.
    pub(super) fn on_link_search_end(&mut self, link: LinkId, id: &[u8], cx: &mut Cx<'_>) {
        let Some(pending) = self.searches.pending.get_mut(id) else { return };
        pending.waiting.retain(|other| *other != link);
        if pending.waiting.is_empty() {
            self.finish_search(id, cx);
        }
    }

    /// A search is over, by answers or by time.
    pub(in super::super) fn finish_search(&mut self, id: &[u8], cx: &mut Cx<'_>) {
        match self.searches.remove(id).map(|pending| pending.origin) {
            Some(Origin::Here { who, .. }) => self.end_search(who, cx),
            Some(Origin::Link(link)) => self.links.send(link, &LinkMessage::SearchEnd(Nick { nick: id })),
            None => {}
        }
    }

    /// A link is gone: nobody waits for it, nothing goes back by it.
    pub(super) fn searches_without(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let from_it = |pending: &Pending| matches!(pending.origin, Origin::Link(origin) if origin == link);
        self.searches.pending.retain(|_, pending| !from_it(pending));
        let mut over = Vec::new();
        for (id, pending) in &mut self.searches.pending {
            pending.waiting.retain(|other| *other != link);
            if pending.waiting.is_empty() {
                over.push(id.clone());
            }
        }
        for id in over {
            self.finish_search(&id, cx);
        }
    }
}

/// Whether a hit is what was asked for, as far as others were not asked.
fn is_wanted(prepared: &Prepared, hit: &LinkHit<'_>) -> bool {
    let filters = &prepared.filters;
    let numbers = filters.size.contains(hit.size) && filters.duration.contains(hit.duration.into());
    if !numbers || prepared.excluded.is_empty() {
        return numbers;
    }
    let words = Words::of(hit.name);
    !prepared.excluded.iter().any(|excluded| words.iter().any(|word| word == excluded))
}

fn hit_of<'a>(hit: &LinkHit<'a>, person: &'a Person) -> ServerMessage<'a> {
    ServerMessage::Hit(Hit {
        name: hit.name,
        md5: hit.md5,
        size: hit.size,
        bitrate: hit.bitrate,
        frequency: hit.frequency,
        duration: hit.duration,
        nick: &person.nick,
        ip: person.ip,
        speed: person.speed(),
        weight: None,
    })
}
