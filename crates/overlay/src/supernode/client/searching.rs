//! Our searches: asked of the supernode, asked again of the next when it dies.

use super::{Client, Cx, Event};
use crate::discovery::{Item, Query, Refusal, Ticket};
use crate::supernode::hit::callable_from;
use crate::supernode::{FoundFile, Prepared, Violation, endpoint, share};
use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::fasttrack::{self, Message, Realm, Reply, Terms};

/// Searches at once.
const MAX_FINDS: usize = 32;
/// How long a search for a content may take.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A search under way.
#[derive(Debug)]
pub(super) struct Find {
    pub(super) ticket: Ticket,
    id: u16,
    terms: Box<[u8]>,
    prepared: Prepared,
    wanted: u16,
    pub(super) until: Instant,
    seen: BTreeSet<(SocketAddrV4, [u8; 20])>,
}

impl Client {
    pub(super) fn find(&mut self, ticket: Ticket, query: &Query, cx: &mut Cx<'_>) {
        let mut into = Vec::new();
        let terms = share::terms_of_words(&query.words, &mut into);
        self.begin_find(ticket, &terms, (query.limit, query.timeout), cx);
    }

    pub(super) fn find_content(&mut self, ticket: Ticket, item: &Item, cx: &mut Cx<'_>) {
        let mut into = Vec::new();
        match share::terms_of_content(item, &mut into) {
            Some(terms) => self.begin_find(ticket, &terms, (u32::MAX, CONTENT_TIMEOUT), cx),
            None => cx.emit(Event::Refused(ticket, Refusal::EmptyQuery)),
        }
    }

    fn begin_find(&mut self, ticket: Ticket, terms: &Terms<'_>, limits: (u32, Duration), cx: &mut Cx<'_>) {
        let (limit, timeout) = limits;
        let is_busy = self.finds.len() >= MAX_FINDS || self.finds.iter().any(|find| find.ticket == ticket);
        let refusal = match Prepared::of(Realm::EVERYTHING, terms) {
            None => Refusal::EmptyQuery,
            Some(_) if self.known.is_empty() && self.session.is_none() => Refusal::NotJoined,
            Some(_) if is_busy => Refusal::Busy,
            Some(prepared) => {
                let mut bytes = Vec::new();
                terms.put(&mut bytes);
                let wanted = u16::try_from(limit).unwrap_or(u16::MAX).clamp(1, self.config.max_hits);
                self.next_find = self.next_find.wrapping_add(1);
                self.finds.push(Find {
                    ticket,
                    id: self.next_find,
                    terms: bytes.into(),
                    prepared,
                    wanted,
                    until: cx.now() + timeout,
                    seen: BTreeSet::new(),
                });
                return self.ask(self.finds.len() - 1, cx);
            }
        };
        cx.emit(Event::Refused(ticket, refusal));
    }

    /// 06, if we are attached; otherwise when we are.
    fn ask(&mut self, place: usize, cx: &mut Cx<'_>) {
        if !self.session.as_ref().is_some_and(|session| session.attached) {
            return;
        }
        let Some(find) = self.finds.get(place) else { return };
        let (id, bytes) = (find.id, find.terms.clone());
        let left = find.wanted.saturating_sub(find.seen.len() as u16).max(1);
        let Ok(terms) = Terms::take(&mut &bytes[..]) else { return };
        let query = fasttrack::Query { max_results: left, id, realm: Realm::EVERYTHING, terms };
        self.tell(&Message::Search(query), cx);
    }

    /// A new supernode is asked everything again.
    pub(super) fn ask_again(&mut self, cx: &mut Cx<'_>) {
        (0..self.finds.len()).for_each(|place| self.ask(place, cx));
    }

    /// 07. Hits nobody asked for may be late ones of a search that is over.
    pub(super) fn on_reply(&mut self, reply: &Reply<'_>, cx: &mut Cx<'_>) {
        let Some(at) = self.session.as_ref().map(|session| session.at) else { return };
        let Some(find) = self.finds.iter_mut().find(|find| find.id == reply.id) else {
            return self.blame(at, Violation::Unasked, cx);
        };
        let ticket = find.ticket;
        let (mut user, mut wrong) = (None, false);
        for hit in reply.hits.iter() {
            let Ok(mut hit) = hit else {
                wrong = true;
                break;
            };
            user = hit.user.or(user);
            hit.at = callable_from(endpoint(at), hit.at);
            if !find.prepared.matches(&hit.item) {
                wrong = true;
                continue;
            }
            let is_wanted =
                find.seen.len() < usize::from(find.wanted) && find.seen.insert((hit.at, hit.item.hash.0));
            let file = user.filter(|_| is_wanted).and_then(|user| FoundFile::of(&hit, user, reply.supernode));
            if let Some(file) = file {
                cx.emit(Event::Found(ticket, Box::new(file)));
            }
        }
        let is_over = find.seen.len() >= usize::from(find.wanted);
        if wrong {
            self.blame(at, Violation::FalseAnswer, cx);
        }
        if is_over {
            self.end_find(ticket, cx);
        }
    }

    /// 08.
    pub(super) fn on_search_end(&mut self, id: u16, cx: &mut Cx<'_>) {
        if let Some(ticket) = self.finds.iter().find(|find| find.id == id).map(|find| find.ticket) {
            self.end_find(ticket, cx);
        }
    }

    fn end_find(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        self.finds.retain(|find| find.ticket != ticket);
        cx.emit(Event::Finished(ticket));
    }

    pub(super) fn end_slow_finds(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        while let Some(ticket) = self.finds.iter().find(|find| find.until <= now).map(|find| find.ticket) {
            self.end_find(ticket, cx);
        }
    }
}
