//! Searches of our own: asked as our role does, their hits checked and told.

use super::command::{Event, Search};
use super::config::Role;
use super::dynamic::Asker;
use super::library::{read_swarm, searchable};
use super::machine::{Cx, PLAIN_TTL, Servent};
use super::query::place_of;
use super::violation::Violation;
use crate::discovery::{self, Item, Refusal, Source, Ticket};
use crate::keyword_index::Words;
use std::collections::{BTreeMap, BTreeSet};
use throng_machine::{Endpoint, Instant, StreamId};
use throng_wire::gnutella::ggep::Writer;
use throng_wire::gnutella::{
    Extensions, Guid, Header, Kind, Query, QueryFlags, QueryHit, Record, Urn, VendorKind,
};

/// Words of a search are cut to what gtk-gnutella takes: 256 bytes with the rest of the query.
const MOST_TEXT: usize = 180;
/// Hits of one search that are told apart; what comes beyond is not told.
const MOST_SEEN: usize = 4_096;

/// What a record must have to answer a search.
#[derive(Debug)]
pub(super) struct Wish {
    words: Words,
    sha1: Option<[u8; 20]>,
}

impl Wish {
    pub(super) fn of(query: &Query<'_>) -> Wish {
        let words = query.words().map(|text| Words::of(searchable(text).as_bytes())).unwrap_or_default();
        Wish { words, sha1: query.extensions.urns().find_map(|urn| urn.sha1()) }
    }

    /// Whether it is the file, or has all words in its name. A name begins with the words of its folder, if it tells
    /// them; words in front of others count as the servents' rules let them.
    pub(super) fn fits(&self, record: &Record<'_>) -> bool {
        if let Some(sha1) = self.sha1 {
            return record.sha1() == Some(sha1);
        }
        let name = String::from_utf8_lossy(record.name);
        let path = record.extensions.ggep().find(b"PATH").unwrap_or_default();
        let mut has = Words::of(searchable(&name).as_bytes());
        has.add(&path);
        self.words.iter().all(|word| has.iter().any(|known| known.starts_with(word)))
    }
}

/// A search of ours.
#[derive(Debug)]
pub(super) struct OwnSearch {
    ticket: Ticket,
    payload: Vec<u8>,
    wish: Wish,
    limit: u32,
    found: u32,
    ends: Instant,
    /// When what was flooded must have come back; ultrapeers that search step by step know better.
    back_by: Option<Instant>,
    /// The ultrapeers that search for us, and whether they have said that they are done.
    asked: BTreeMap<StreamId, bool>,
    /// Files already told, by servent and index.
    seen: BTreeSet<(Guid, u32)>,
}

impl OwnSearch {
    /// Whether all that search for us have said that they are done. Where nobody does somebody will.
    fn is_answered(&self) -> bool {
        !self.asked.is_empty() && self.asked.values().all(|done| *done)
    }

    /// When it is over if nothing happens before.
    fn over_at(&self) -> Instant {
        self.back_by.map_or(self.ends, |back| back.min(self.ends))
    }
}

/// All searches of ours, by the id of their query.
#[derive(Debug, Default)]
pub(super) struct Searches(BTreeMap<Guid, OwnSearch>);

impl Searches {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Servent {
    pub(super) fn on_search(&mut self, ticket: Ticket, search: &Search, cx: &mut Cx<'_>) {
        let refuse = |refusal, cx: &mut Cx<'_>| {
            cx.emit(Event::Discovery(discovery::Event::Refused(ticket, refusal)));
        };
        if !self.joining {
            return refuse(Refusal::NotJoined, cx);
        }
        let running = self.searches.as_ref().map_or(0, |searches| searches.0.len());
        if running >= self.config.limits.searches {
            return refuse(Refusal::Busy, cx);
        }
        let payload = self.question(search, cx.now());
        let query =
            Query::parse(&payload).ok().filter(|query| !super::query::is_improper(query, payload.len()));
        let Some(query) = query else { return refuse(Refusal::EmptyQuery, cx) };
        let guid = self.query_id(cx);
        let ends = cx.now() + search.timeout;
        let (limit, seen) = (search.limit.max(1), BTreeSet::new());
        let own = OwnSearch {
            ticket,
            wish: Wish::of(&query),
            limit,
            found: 0,
            ends,
            back_by: None,
            asked: BTreeMap::new(),
            seen,
            payload: payload.clone(),
        };
        self.searches.get_or_insert_default().0.insert(guid, own);
        self.wake_by(ends);
        let now = cx.now();
        self.tables().queries.begin(&guid.0, now);
        self.ask(guid, &payload, limit, cx);
    }

    /// The payload of a query.
    fn question(&self, search: &Search, now: Instant) -> Vec<u8> {
        let mut flags = QueryFlags::VALID.with(QueryFlags::BINARY_HASHES).with(QueryFlags::GUIDED);
        if self.seen_as.is_firewalled(now) {
            flags = flags.with(QueryFlags::FIREWALLED);
        }
        let end = search.words.char_indices().map(|(at, _)| at).take_while(|at| *at <= MOST_TEXT).last();
        let cut = if search.words.len() > MOST_TEXT { end.unwrap_or(0) } else { search.words.len() };
        let text = search.words.get(..cut).unwrap_or_default();
        let mut extensions =
            search.sha1.map(|sha1| Urn::Sha1(sha1).to_string().into_bytes()).unwrap_or_default();
        let mut ggep = Writer::default();
        ggep.put(b"PR", &[]);
        if !extensions.is_empty() {
            extensions.push(0x1c);
        }
        extensions.extend(ggep.finish());
        let text: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
        let text = if text.iter().all(u8::is_ascii_whitespace) { b"\\".to_vec() } else { text };
        let mut payload = Vec::new();
        Query { flags, text: &text, extensions: Extensions(&extensions) }.put(&mut payload);
        payload
    }

    /// Asks those that our role asks.
    fn ask(&mut self, guid: Guid, payload: &[u8], limit: u32, cx: &mut Cx<'_>) {
        match self.role {
            Role::Ultrapeer if self.config.dynamic => {
                self.begin_dynamic(Asker::Own, (guid, self.config.max_ttl), payload, limit, cx);
            }
            _ => {
                if self.role == Role::Ultrapeer
                    && let Ok(query) = Query::parse(payload)
                {
                    let header = Header { guid, kind: Kind::Query, ttl: 1, hops: 0, length: 0 };
                    let wanted = super::tables::Wanted::of(&query);
                    self.relay_to_leaves(StreamId(u32::MAX), &header, payload, &wanted, cx);
                }
                let targets = self.streams(|live| live.floods());
                self.ask_links(guid, &targets, payload, cx);
            }
        }
    }

    /// Asks links, and notes how we will know that they are done.
    fn ask_links(&mut self, guid: Guid, links: &[StreamId], payload: &[u8], cx: &mut Cx<'_>) {
        let (header, role) = (self.own_header(guid), self.role);
        let back_by = cx.now() + self.config.timing.dynamic_per_hop * u32::from(header.ttl);
        self.send_all(links, header, payload, cx);
        let search = self.searches.as_mut().and_then(|searches| searches.0.get_mut(&guid));
        let Some(search) = search.filter(|_| !links.is_empty()) else { return };
        if role == Role::Leaf {
            search.asked.extend(links.iter().map(|stream| (*stream, false)));
        } else {
            search.back_by = Some(back_by);
            self.wake_by(back_by);
        }
    }

    /// An ultrapeer has asked all it would for us.
    pub(super) fn on_query_over(&mut self, stream: StreamId, guid: Guid, cx: &mut Cx<'_>) {
        let search = self.searches.as_mut().and_then(|searches| searches.0.get_mut(&guid));
        let Some(search) = search.filter(|search| search.asked.contains_key(&stream)) else { return };
        search.asked.insert(stream, true);
        if search.is_answered() {
            self.finish(guid, cx);
        }
    }

    /// Nobody searches for us over a link that is gone.
    pub(super) fn forget_asked(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(searches) = &mut self.searches else { return };
        let mut answered = Vec::new();
        for (guid, search) in &mut searches.0 {
            if search.asked.remove(&stream).is_some() && search.is_answered() {
                answered.push(*guid);
            }
        }
        for guid in answered {
            self.finish(guid, cx);
        }
    }

    fn own_header(&self, guid: Guid) -> Header {
        let ttl = if self.role == Role::Plain { PLAIN_TTL } else { self.config.max_ttl };
        Header { guid, kind: Kind::Query, ttl, hops: 0, length: 0 }
    }

    /// A new ultrapeer or neighbour is asked what is being looked for. An ultrapeer's dynamic queries find it by
    /// themselves.
    pub(super) fn ask_newcomer(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        if self.role == Role::Ultrapeer && self.config.dynamic {
            return;
        }
        let Some(searches) = &self.searches else { return };
        let open: Vec<_> = searches.0.iter().map(|(guid, own)| (*guid, own.payload.clone())).collect();
        for (guid, payload) in open {
            self.ask_links(guid, &[stream], &payload, cx);
        }
    }

    /// A hit for a search of ours.
    pub(super) fn on_own_hit(
        &mut self,
        stream: Option<StreamId>,
        guid: Guid,
        hit: &QueryHit<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(search) = self.searches.as_mut().and_then(|searches| searches.0.get_mut(&guid)) else {
            return;
        };
        let (mut spam, mut done) = (false, false);
        for record in hit.records() {
            if !search.wish.fits(&record) {
                spam = true;
                continue;
            }
            let is_new = search.seen.len() < MOST_SEEN && search.seen.insert((hit.servent, record.index));
            if !is_new || done {
                continue;
            }
            search.found += 1;
            done = search.found >= search.limit;
            tell(search.ticket, hit, &record, cx);
        }
        if spam && let Some(stream) = stream {
            self.fault(stream, Violation::Spam, cx);
        }
        if done {
            self.finish(guid, cx);
        }
    }

    /// Ends a search, and tells those who search for us to stop.
    pub(super) fn finish(&mut self, guid: Guid, cx: &mut Cx<'_>) {
        let Some(search) = self.searches.as_mut().and_then(|searches| searches.0.remove(&guid)) else {
            return;
        };
        if self.searches.as_ref().is_some_and(|searches| searches.0.is_empty()) {
            self.searches = None;
        }
        self.end_dynamic(guid);
        if self.role == Role::Leaf {
            let stop = u16::MAX.to_le_bytes();
            for stream in self.streams(|live| live.is_ultrapeer() && live.greeting.vendor) {
                self.send_vendor(stream, (VendorKind::QUERY_STATUS, guid), &stop, cx);
            }
        }
        cx.emit(Event::Discovery(discovery::Event::Finished(search.ticket)));
    }

    pub(super) fn on_cancel(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        let found = self.searches.as_ref().and_then(|searches| {
            searches.0.iter().find(|(_, search)| search.ticket == ticket).map(|(guid, _)| *guid)
        });
        if let Some(guid) = found {
            self.finish(guid, cx);
        }
    }

    /// How many hits we kept for a query, if it is ours.
    pub(super) fn kept(&self, guid: Guid) -> Option<u16> {
        let search = self.searches.as_ref()?.0.get(&guid)?;
        Some(u16::try_from(search.found).unwrap_or(u16::MAX - 1))
    }

    pub(super) fn tick_searches(&mut self, cx: &mut Cx<'_>) {
        let Some(searches) = &self.searches else { return };
        let over = |search: &OwnSearch| search.over_at() <= cx.now();
        let done: Vec<Guid> =
            searches.0.iter().filter(|(_, search)| over(search)).map(|(guid, _)| *guid).collect();
        let next = searches.0.values().filter(|search| !over(search)).map(OwnSearch::over_at).min();
        for guid in done {
            self.finish(guid, cx);
        }
        if let Some(next) = next {
            self.wake_by(next);
        }
    }
}

/// Tells the application of one file.
fn tell(ticket: Ticket, hit: &QueryHit<'_>, record: &Record<'_>, cx: &mut Cx<'_>) {
    let swarm = record.extensions.ggep().find(super::library::SWARM).and_then(|data| read_swarm(&data));
    let info_hash_v2 = swarm.map(|(_, info_hash, _)| info_hash);
    let item = Item {
        title: String::from_utf8_lossy(record.name).into_owned(),
        size: record.size,
        root: swarm.map(|(root, ..)| root),
        info_hash: info_hash_v2.and_then(|hash| hash.first_chunk().copied()),
        info_hash_v2,
        sha1: record.sha1(),
        tiger: record.tiger_root(),
        ..Item::default()
    };
    let (at, callable) = place_of(hit);
    let proxies = hit.push_proxies().into_iter().map(|at| Endpoint::v4(at.ip().octets(), at.port()));
    let source = Source::Gnutella {
        at,
        servent: hit.servent.0,
        index: record.index,
        name: record.name.to_vec(),
        firewalled: !callable,
        proxies: proxies.collect(),
    };
    let found = |item, source| Event::Discovery(discovery::Event::Found { ticket, item, source });
    if let Some(peer) = swarm.and_then(|(.., peer)| peer).filter(|peer| peer.is_dialable() && callable) {
        cx.emit(found(item.clone(), Source::Swarm(peer)));
    }
    cx.emit(found(item, source));
}
