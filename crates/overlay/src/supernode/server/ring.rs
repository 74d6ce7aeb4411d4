//! What a ring adds: files that a flood would miss.
//!
//! A supernode in a ring publishes its ordinary nodes' files there, so that whoever looks them up learns this
//! supernode's address, and asks the ring when a search found less than was wanted; a supernode that the ring names is
//! then asked itself. The ring is another machine: the node carries the wishes ([`Event::RingFind`] and others) and
//! the answers. A file of several ordinary nodes here is published once.

use super::connections::{Ask, Call};
use super::searching::Step;
use super::{Cx, Event, LOCAL, Server};
use crate::discovery::{Item, Query, Ticket};
use crate::keyword_index::OwnerId;
use crate::supernode::{magnet, v4};
use std::collections::BTreeMap;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::fasttrack::{self, FtHash, TagKind, Terms};
use throng_wire::supernode::{Guid, Message, Query as LinkQuery};

/// Files published at once; a ring takes twice as many from one node.
const MAX_PUBLISHED: usize = 8_192;
/// Supernodes asked for one search because the ring named them.
const MAX_ASKS: u8 = 16;
/// Words of a search that the ring is asked for.
const MAX_WORDS: usize = 8;

/// What is in the ring on behalf of those here.
#[derive(Default)]
pub(super) struct InRing {
    published: BTreeMap<[u8; 20], (Ticket, u32)>,
    asked: BTreeMap<Ticket, Guid>,
    next: u32,
}

impl InRing {
    fn ticket(&mut self) -> Ticket {
        self.next = self.next.wrapping_add(1);
        Ticket(self.next)
    }
}

impl Server {
    /// An ordinary node shares a file.
    pub(super) fn publish_in_ring(&mut self, owner: OwnerId, item: &fasttrack::Item<'_>, cx: &mut Cx<'_>) {
        debug_assert!(owner != LOCAL, "the node publishes its own files in all its systems");
        let name = item.tags.find(TagKind::FILE_NAME).map_or(&[][..], |tag| tag.data);
        let Ok(title) = std::str::from_utf8(name) else { return };
        if !self.config.ring || title.is_empty() {
            return;
        }
        if let Some((_, owners)) = self.in_ring.published.get_mut(&item.hash.0) {
            *owners += 1;
            return;
        }
        if self.in_ring.published.len() >= MAX_PUBLISHED {
            return;
        }
        let mut known = Item { title: title.to_owned(), size: item.size, ..Item::default() };
        if let Some(tag) = item.tags.find(TagKind::MAGNET) {
            magnet::read(tag.data, &mut known);
        }
        known.ft_hash = Some(item.hash.0);
        let ticket = self.in_ring.ticket();
        self.in_ring.published.insert(item.hash.0, (ticket, 1));
        cx.emit(Event::RingPublish(ticket, known));
    }

    pub(super) fn withdraw_one_from_ring(&mut self, owner: OwnerId, hash: &FtHash, cx: &mut Cx<'_>) {
        if owner == LOCAL {
            return;
        }
        let Some((ticket, owners)) = self.in_ring.published.get_mut(&hash.0) else { return };
        *owners -= 1;
        if *owners == 0 {
            cx.emit(Event::RingWithdraw(*ticket));
            self.in_ring.published.remove(&hash.0);
        }
    }

    /// An ordinary node leaves; to be called while its files are still in the catalogue.
    pub(super) fn withdraw_from_ring(&mut self, owner: OwnerId, cx: &mut Cx<'_>) {
        if self.in_ring.published.is_empty() {
            return;
        }
        let mut hashes = Vec::new();
        self.catalogue.browse(owner, |_, item| {
            hashes.push(item.hash);
            true
        });
        hashes.iter().for_each(|hash| self.withdraw_one_from_ring(owner, hash, cx));
    }

    /// The flood brought less than was wanted.
    pub(super) fn ask_ring(&mut self, guid: &Guid, cx: &mut Cx<'_>) {
        let Some(search) = self.searches.get_mut(guid) else { return };
        let words: Vec<String> = search
            .prepared
            .words
            .iter()
            .take(MAX_WORDS)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        if !self.config.ring || words.is_empty() {
            return self.finish_search(guid, cx);
        }
        let limit = u32::from(search.wanted - search.got);
        let ticket = self.in_ring.ticket();
        search.ring = Some(ticket);
        self.in_ring.asked.insert(ticket, *guid);
        self.metrics.searches_ring += 1;
        let timeout = self.config.ring_wait.saturating_sub(Duration::from_secs(1));
        cx.emit(Event::RingFind(ticket, Query { words, limit, timeout }));
        self.wait_for(guid, Step::Ring, cx);
    }

    /// The ring names a supernode; it is asked, unless it was as a neighbour.
    pub(super) fn on_ring_found(&mut self, ticket: Ticket, at: Endpoint, cx: &mut Cx<'_>) {
        let Some(guid) = self.in_ring.asked.get(&ticket).copied() else { return };
        let Some(search) = self.searches.get(&guid).filter(|search| search.asks.1 < MAX_ASKS) else { return };
        let Some(to) = v4(at).filter(|to| at.is_dialable() && Some(*to) != self.address) else { return };
        let known = self.links.to(to).is_some() || self.connections.is_calling(at);
        if known || !self.calls.allow(at, self.config.max_calls_a_minute, cx.now()) {
            return;
        }
        let Ok(terms) = Terms::take(&mut &search.terms[..]) else { return };
        let (wanted, realm) = (search.wanted - search.got, search.prepared.realm);
        let query = LinkQuery { guid, ttl: 1, hops: 0, fanout: 0, wanted, realm, terms };
        let mut words = Vec::new();
        Message::Query(query).put(&mut words);
        if let Some(search) = self.searches.get_mut(&guid) {
            search.asks = (search.asks.0 + 1, search.asks.1 + 1);
        }
        self.call(to, Call::Ask(Ask { guid, words }), cx);
    }

    /// One that the ring named has answered, or will not.
    pub(super) fn ask_is_over(&mut self, guid: &Guid, cx: &mut Cx<'_>) {
        let Some(search) = self.searches.get_mut(guid) else { return };
        search.asks.0 = search.asks.0.saturating_sub(1);
        self.finish_if_all_answered(guid, cx);
    }

    /// The ring knows no more; those it named still have their time.
    pub(super) fn on_ring_finished(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        let Some(guid) = self.in_ring.asked.remove(&ticket) else { return };
        if let Some(search) = self.searches.get_mut(&guid) {
            search.ring = None;
            self.finish_if_all_answered(&guid, cx);
        }
    }

    fn finish_if_all_answered(&mut self, guid: &Guid, cx: &mut Cx<'_>) {
        let waits = |search: &super::Search| search.ring.is_some() || search.asks.0 > 0;
        if self.searches.get(guid).is_some_and(|search| !waits(search)) {
            self.finish_search(guid, cx);
        }
    }

    pub(super) fn cancel_in_ring(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        if self.in_ring.asked.remove(&ticket).is_some() {
            cx.emit(Event::RingCancel(ticket));
        }
    }
}
