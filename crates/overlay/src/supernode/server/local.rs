//! This node as a user of its own supernode: its files and searches, and what else the application asks.

use super::super::share;
use super::searching::Origin;
use super::{Command, Config, Cx, Event, LOCAL, Server};
use crate::discovery::{Item, Query, Refusal, Ticket};
use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};
use throng_wire::fasttrack::{self, FtHash, Hit, PushRequest, Realm, Reply, Terms, speed_code};
use throng_wire::supernode::Guid;

/// Searches of this node at once.
const MAX_SEARCHES: usize = 64;

/// What this node shares and looks for.
#[derive(Default)]
pub(super) struct Local {
    published: BTreeMap<Ticket, FtHash>,
}

/// This node as others see it.
pub(super) struct Me<'a> {
    at: SocketAddrV4,
    bandwidth: u8,
    user: &'a [u8],
}

impl<'a> Me<'a> {
    pub(super) fn hit<'b>(&'b self, item: fasttrack::Item<'b>) -> Option<Hit<'b>> {
        (!self.at.ip().is_unspecified()).then_some(Hit {
            at: self.at,
            bandwidth: self.bandwidth,
            user: Some(self.user),
            item,
        })
    }
}

impl Local {
    pub(super) fn me<'a>(&self, config: &'a Config, address: Option<SocketAddrV4>) -> Me<'a> {
        let at = address.unwrap_or(Reply::NOWHERE);
        Me { at, bandwidth: speed_code(config.kilobits), user: &config.user }
    }
}

impl Server {
    pub(super) fn on_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Join(addresses) => {
                let own = self.address.map(super::endpoint);
                for at in addresses.into_iter().filter(|at| Some(*at) != own) {
                    self.cache.add(at, &self.config.cache, cx.now());
                }
                self.look_after_links(cx);
            }
            Command::Publish(ticket, item, swarm) => self.publish(ticket, &item, swarm, cx),
            Command::Withdraw(ticket) => self.withdraw(ticket, cx),
            Command::Find(ticket, query) => self.find(ticket, &query, cx),
            Command::FindContent(ticket, item) => self.find_content(ticket, &item, cx),
            Command::Cancel(ticket) => {
                if let Some(guid) = self.local_search(ticket) {
                    self.drop_search(&guid, cx);
                }
            }
            Command::Push { id, target, supernode, user } => {
                let Some(from) = self.address else { return };
                self.pass_push(&PushRequest { id, from, target, supernode, user: &user }, cx);
            }
            Command::RingFound(ticket, at) => self.on_ring_found(ticket, at, cx),
            Command::RingFinished(ticket) => self.on_ring_finished(ticket, cx),
            Command::Leave => self.close_all(cx),
            // Its rate others measure.
            Command::Capacity { mebibytes, .. } => self.has_memory(mebibytes),
        }
    }

    fn publish(&mut self, ticket: Ticket, item: &Item, swarm: Option<SocketAddr>, cx: &mut Cx<'_>) {
        let shared = share::with(item, swarm, |share| (self.catalogue.share(LOCAL, share), share.item.hash));
        match shared {
            Some((true, hash)) => {
                self.local.published.insert(ticket, hash);
                cx.emit(Event::Published(ticket));
            }
            Some((false, _)) => cx.emit(Event::Refused(ticket, Refusal::Busy)),
            None => cx.emit(Event::Refused(ticket, Refusal::MissingHash)),
        }
    }

    fn withdraw(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        let Some(hash) = self.local.published.remove(&ticket) else { return };
        // The same file may be published under another ticket too.
        if self.local.published.values().all(|other| *other != hash) {
            self.catalogue.unshare(LOCAL, &hash);
            self.withdraw_one_from_ring(LOCAL, &hash, cx);
        }
    }

    fn find(&mut self, ticket: Ticket, query: &Query, cx: &mut Cx<'_>) {
        let mut bytes = Vec::new();
        let terms = share::terms_of_words(&query.words, &mut bytes);
        self.find_terms(ticket, &terms, query.limit, cx);
    }

    fn find_content(&mut self, ticket: Ticket, item: &Item, cx: &mut Cx<'_>) {
        let mut bytes = Vec::new();
        match share::terms_of_content(item, &mut bytes) {
            Some(terms) => self.find_terms(ticket, &terms, u32::MAX, cx),
            None => cx.emit(Event::Refused(ticket, Refusal::EmptyQuery)),
        }
    }

    fn find_terms(&mut self, ticket: Ticket, terms: &Terms<'_>, limit: u32, cx: &mut Cx<'_>) {
        let local = self.searches.values().filter(|search| matches!(search.origin, Origin::Local(_)));
        if self.local_search(ticket).is_some() || local.count() >= MAX_SEARCHES {
            return cx.emit(Event::Refused(ticket, Refusal::Busy));
        }
        let wanted = u16::try_from(limit).unwrap_or(u16::MAX).clamp(1, self.config.max_hits);
        if super::super::query::Prepared::of(Realm::EVERYTHING, terms).is_none() {
            return cx.emit(Event::Refused(ticket, Refusal::EmptyQuery));
        }
        self.begin_search(Origin::Local(ticket), Realm::EVERYTHING, terms, wanted, cx);
    }

    fn local_search(&self, ticket: Ticket) -> Option<Guid> {
        let is_it = |(_, search): &(&Guid, &super::Search)| search.origin == Origin::Local(ticket);
        self.searches.iter().find(is_it).map(|(guid, _)| *guid)
    }

    /// Takes over a share of this node from its other role.
    pub fn adopt(&mut self, ticket: Ticket, body: &[u8]) {
        let message = fasttrack::Message::parse(0x22, body);
        if let Ok(fasttrack::Message::Share(share)) = message
            && self.catalogue.share(LOCAL, &share)
        {
            self.local.published.insert(ticket, share.item.hash);
        }
    }

    /// This node's shares, for its other role.
    pub fn release(&mut self) -> Vec<(Ticket, Box<[u8]>)> {
        let tickets = std::mem::take(&mut self.local.published);
        let mut bodies: BTreeMap<[u8; 20], Vec<u8>> = BTreeMap::new();
        self.catalogue.browse(LOCAL, |media, item| {
            let mut body = Vec::new();
            fasttrack::Message::Share(fasttrack::Share { media, item: *item }).put(&mut body);
            bodies.insert(item.hash.0, body);
            true
        });
        let body = |hash: FtHash| bodies.get(&hash.0).map(|body| body.clone().into_boxed_slice());
        tickets.into_iter().filter_map(|(ticket, hash)| Some((ticket, body(hash)?))).collect()
    }

    /// Says goodbye to all, without a word to the application but that its searches are over.
    pub fn retire(&mut self, cx: &mut Cx<'_>) {
        let local: Vec<Guid> = self.searches.keys().copied().collect();
        local.iter().for_each(|guid| self.finish_search(guid, cx));
        self.send_all_away(cx);
    }

    /// Has the number by which candidates are known.
    pub fn identify(&mut self, instance: u64, seen_as: Option<std::net::Ipv4Addr>) {
        self.instance = instance;
        if let (None, Some(ip)) = (self.address, seen_as) {
            self.address = Some(SocketAddrV4::new(ip, self.config.port));
        }
    }

    /// Whether a hit's address and name are this node's own.
    pub(super) fn is_me(&self, at: SocketAddrV4, user: &[u8]) -> bool {
        self.address == Some(at) && user == self.config.user
    }
}
