//! Searches by words and by content (section 5, N11, N12, N16).
//!
//! Words are those of the keyword index: whole, without case and accents, anywhere in the path. Where A and G differ
//! from each other G's grammar is taken. A search that finds less than it may goes on to linked servers. The first
//! hit is taken from another place of the index each time, so that all who have a popular file are asked for it.

use super::connections::seconds;
use super::people::{Home, PersonId};
use super::sharing::{index_kind, md5_word, parse_md5};
use super::{Cx, Server, owner};
use crate::keyword_index::{self, DocId, Filters, MAX_WORDS, Order, OwnerId, Words};
use throng_wire::napster::{
    Bounds, Hit, KindFilter, LinkHit, LinkMessage, Query, QueryError, ResumeHit, ResumeSearch, ServerMessage,
    Text,
};

/// Who gets the hits of a search.
#[derive(Clone, Copy)]
pub(super) enum Searcher<'a> {
    /// A user here: 201.
    Here(PersonId),
    /// A user behind a link: 10016 with the search's id.
    There(PersonId, &'a [u8]),
}

/// A query, ready for the index.
pub(super) struct Prepared {
    pub(super) words: Words,
    pub(super) excluded: Words,
    pub(super) filters: Filters,
    pub(super) limit: u32,
}

impl Prepared {
    /// Folds the words and bounds of a query.
    pub(super) fn of(query: &Query<'_>) -> Result<Prepared, QueryError<'static>> {
        if query.wma_only {
            return Err(QueryError::Invalid);
        }
        let (mut words, mut excluded) = (Words::new(), Words::new());
        let mut surplus = false;
        for term in query.terms() {
            let words = if term.excluded { &mut excluded } else { &mut words };
            // No name has that many, so nothing can match; and of texts that long only the end is kept.
            surplus |= words.len() + Words::of(term.word).len() > MAX_WORDS;
            words.add(term.word);
        }
        if words.is_empty() || surplus {
            return Err(QueryError::NoWords);
        }
        let filters = Filters {
            kind: match query.kind {
                KindFilter::Only(kind) => Some(index_kind(kind)),
                KindFilter::Any => None,
            },
            size: bounds(query.size),
            bitrate: bounds(query.bitrate),
            frequency: bounds(query.frequency),
            duration: bounds(query.duration),
            speed: bounds(query.line_speed),
        };
        Ok(Prepared { words, excluded, filters, limit: query.limit() })
    }
}

fn bounds(bounds: Bounds) -> keyword_index::Bounds {
    keyword_index::Bounds { min: bounds.least.unwrap_or(0), max: bounds.best.unwrap_or(u64::MAX) }
}

impl Server {
    pub(super) fn on_search(&mut self, who: PersonId, text: &[u8], cx: &mut Cx<'_>) {
        if !self.may_search(who, cx) {
            self.metrics.searches_refused += 1;
            self.notice(
                who,
                b"search failed: Your client is thrashing the server, please wait a minute.",
                cx,
            );
            return self.answer(who, &ServerMessage::SearchEnd, cx);
        }
        self.metrics.searches += 1;
        let parsed = Query::parse(text).and_then(|query| Ok((Prepared::of(&query)?, query)));
        let (prepared, query) = match parsed {
            Ok(both) => both,
            Err(error) => {
                let mut text = Vec::new();
                error.write_notice(&mut text);
                self.notice(who, &text, cx);
                return self.answer(who, &ServerMessage::SearchEnd, cx);
            }
        };
        let hits = self.search_here(Searcher::Here(who), &prepared, cx);
        if hits >= prepared.limit || query.local_only || !self.search_there(who, &query, prepared, hits, cx) {
            self.answer(who, &ServerMessage::SearchEnd, cx);
        }
    }

    /// Whether a user here has not searched too much; 200 and 215 count alike.
    fn may_search(&mut self, who: PersonId, cx: &mut Cx<'_>) -> bool {
        let rate = self.config.searches;
        let Some(Home::Here(conn)) = self.people.get(who).map(|person| person.home) else { return false };
        let now = seconds(cx.now());
        self.connections.get_mut(conn).is_some_and(|connection| connection.searches.take(rate, now))
    }

    /// Searches the files here and returns how many hits were sent.
    pub(super) fn search_here(
        &mut self,
        searcher: Searcher<'_>,
        prepared: &Prepared,
        cx: &mut Cx<'_>,
    ) -> u32 {
        let (Searcher::Here(who) | Searcher::There(who, _)) = searcher;
        let start = DocId(cx.rng().below(self.index.end().max(1)));
        let Some(firewalled) = self.people.get(who).map(|person| person.is_firewalled()) else { return 0 };
        let people = &self.people;
        let of = |owner: OwnerId| people.get(PersonId(owner.0));
        // Both firewalled: nobody could call anybody (N12).
        let accept = |owner: OwnerId| of(owner).is_some_and(|person| !(firewalled && person.is_firewalled()));
        let query = keyword_index::Query {
            excluded: &prepared.excluded,
            filters: prepared.filters,
            not_owner: Some(owner(who)),
            accept: &accept,
            limit: prepared.limit,
            order: Order::From(start),
            work: self.config.search_work,
            ..keyword_index::Query::new(&prepared.words)
        };
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let mut unwritable = 0;
        let answer = self.index.search(&query, &mut |hit| {
            if let Some(person) = of(hit.owner)
                && write_hit(searcher, hit, person, &mut out).is_err()
            {
                unwritable += 1;
            }
        });
        self.metrics.unwritable += unwritable;
        self.metrics.hits += u64::from(answer.hits);
        self.metrics.partial_searches += u64::from(answer.partial);
        self.deliver(searcher, &out, cx);
        self.scratch = out;
        answer.hits
    }

    /// Sends frames to who searched.
    fn deliver(&mut self, searcher: Searcher<'_>, frames: &[u8], cx: &mut Cx<'_>) {
        let (Searcher::Here(who) | Searcher::There(who, _)) = searcher;
        match self.people.get(who).map(|person| person.home) {
            Some(Home::Here(conn)) => self.write_with(conn, cx, |out, _| out.extend_from_slice(frames)),
            Some(Home::There(server)) => {
                if let Some(link) = self.links.way_to(server) {
                    self.links.send_frames(link, frames);
                }
            }
            None => {}
        }
    }

    /// 215: who has that content? The first 32 digits count, as they do when a file is shared.
    pub(super) fn on_resume_search(&mut self, who: PersonId, search: &ResumeSearch<'_>, cx: &mut Cx<'_>) {
        let key = parse_md5(search.md5);
        let allowed = self.may_search(who, cx);
        if let (Some(key), true) = (key, allowed) {
            self.resume_search(who, &key, search.size, cx);
        }
        self.answer(who, &ServerMessage::ResumeEnd, cx);
    }

    fn resume_search(&mut self, who: PersonId, key: &[u8; 16], size: u64, cx: &mut Cx<'_>) {
        let Some(firewalled) = self.people.get(who).map(|person| person.is_firewalled()) else { return };
        let (people, work) = (&self.people, self.config.search_work);
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let (mut hits, md5) = (0, md5_word(key));
        self.index.search_key(key, work, &mut |hit| {
            let other = people.get(PersonId(hit.owner.0));
            let Some(person) = other.filter(|person| !(firewalled && person.is_firewalled())) else {
                return true;
            };
            if hit.owner != owner(who) && hit.entry.attributes.size == size {
                let message = ServerMessage::ResumeHit(ResumeHit {
                    nick: &person.nick,
                    ip: person.ip,
                    port: person.port,
                    name: hit.entry.name,
                    md5: &md5,
                    size,
                    speed: person.speed(),
                });
                hits += u32::from(message.encode(&mut out).is_ok());
            }
            hits < throng_wire::napster::MAX_RESULTS
        });
        self.deliver(Searcher::Here(who), &out, cx);
        self.scratch = out;
    }

    /// What a user searched for cannot be asked of others, or they have not answered: the end all the same.
    pub(super) fn end_search(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        self.tell(who, &ServerMessage::SearchEnd, cx);
    }

    /// A 404 to everybody here.
    pub(super) fn announce(&mut self, text: &[u8], cx: &mut Cx<'_>) {
        for who in self.people_here() {
            self.tell(who, &ServerMessage::Notice(Text { text }), cx);
        }
    }
}

fn write_hit(
    searcher: Searcher<'_>,
    hit: &keyword_index::Hit<'_>,
    person: &super::people::Person,
    out: &mut Vec<u8>,
) -> Result<(), throng_wire::napster::NapsterError> {
    let (entry, md5) = (&hit.entry, md5_word(hit.entry.key));
    let attributes = entry.attributes;
    let (size, bitrate) = (attributes.size, attributes.bitrate);
    let (frequency, duration) = (attributes.frequency, attributes.duration);
    match searcher {
        Searcher::Here(_) => ServerMessage::Hit(Hit {
            name: entry.name,
            md5: &md5,
            size,
            bitrate,
            frequency,
            duration,
            nick: &person.nick,
            ip: person.ip,
            speed: person.speed(),
            weight: None,
        })
        .encode(out),
        Searcher::There(_, id) => LinkMessage::Hit(LinkHit {
            id,
            nick: &person.nick,
            name: entry.name,
            md5: &md5,
            size,
            bitrate,
            frequency,
            duration,
        })
        .encode(out),
    }
}
