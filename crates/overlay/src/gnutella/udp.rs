//! Datagrams: pings, pushes, queries that prove where they come from.
//!
//! Nobody is answered with more bytes than he sent, unless his address is proved: by a link from it, or by the key
//! that we gave to it (section 4.10). Therefore hits are sent by datagram only to queries with such a key; all others,
//! also those that ask for hits out of band, are answered along the way they came.

use super::bootstrap::TOLD;
use super::machine::{Cx, Servent};
use super::violation::Violation;
use crate::flood::{Noted, Origin};
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;
use std::time::Duration;
use throng_machine::{Datagram, Endpoint, Via};
use throng_wire::gnutella::ggep::Writer;
use throng_wire::gnutella::{Guid, HEADER, Header, Kind, Message, Ping, Push, Query, frame};

/// Datagrams of one address that are looked at.
const LOOKED_AT: (u32, Duration) = (20, Duration::from_millis(500));
/// Payload bytes of a datagram we send at most.
const MOST_BYTES: usize = 1_200;
/// Bytes of a key.
const KEY: usize = 8;

impl Servent {
    pub(super) fn on_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Cx<'_>) {
        self.metrics.datagrams[0] += 1;
        let from = datagram.from;
        let Ok(Some((header, payload, used))) = frame(datagram.bytes) else { return };
        if used != datagram.bytes.len() || !self.guards().heard.spend(from.ip(), LOOKED_AT, cx.now()) {
            return;
        }
        match Message::parse(&header, payload) {
            Ok(Message::Ping(ping)) => self.on_ping_datagram(from, &header, &ping, datagram.bytes.len(), cx),
            Ok(Message::Push(push)) => self.on_push_datagram(from, &header, payload, &push, cx),
            Ok(Message::Query(query)) => self.on_query_datagram(from, &header, payload, &query, cx),
            Ok(Message::Pong(pong)) => self.on_pong_datagram(from, &header, &pong, cx),
            // Nobody was asked for hits by datagram.
            Ok(Message::QueryHit(_)) => self.violations.count(Violation::Unproved),
            Ok(_) => {}
            Err(_) => self.violations.count(Violation::Message),
        }
    }

    /// Whether packets to an address get there: it is that of a link.
    fn is_proved(&self, from: Endpoint) -> bool {
        self.links.iter().any(|link| link.live().is_some() && link.peer.ip() == from.ip())
    }

    fn reply(&mut self, to: Endpoint, message: &[u8], cx: &mut Cx<'_>) {
        self.metrics.datagrams[1] += 1;
        cx.send(Via::Udp, to, |out| out.extend_from_slice(message));
    }

    fn on_ping_datagram(
        &mut self,
        from: Endpoint,
        header: &Header,
        ping: &Ping<'_>,
        length: usize,
        cx: &mut Cx<'_>,
    ) {
        let proved = self.is_proved(from);
        let room = if proved { MOST_BYTES } else { length };
        let pong = if ping.ggep.find(b"QK").is_some() {
            self.pong_with_key(header.guid, from)
        } else {
            let addresses = if ping.wants_addresses().is_some() { TOLD } else { 0 };
            self.pong_within((header.guid, from), addresses, room)
        };
        if pong.len() <= room {
            self.reply(from, &pong, cx);
        } else {
            self.violations.count(Violation::Unproved);
        }
    }

    /// Our own pong, with as many addresses as there is room for.
    fn pong_within(&self, to: (Guid, Endpoint), addresses: usize, room: usize) -> Vec<u8> {
        let whole = self.own_pong(to, 1, addresses);
        let over = whole.len().saturating_sub(room);
        if over == 0 { whole } else { self.own_pong(to, 1, addresses.saturating_sub(over.div_ceil(6))) }
    }

    fn pong_with_key(&self, guid: Guid, to: Endpoint) -> Vec<u8> {
        let mut ggep = Writer::default();
        ggep.put(b"QK", &self.query_key(to));
        let ggep = ggep.finish();
        let (files, kibibytes) = self.library.size();
        let block =
            throng_wire::gnutella::ggep::Block::take(&ggep).map(|(block, _)| block).unwrap_or_default();
        let pong = throng_wire::gnutella::Pong {
            address: self.address_or_unspecified(),
            files,
            kibibytes,
            ggep: block,
        };
        let mut message = Vec::new();
        let header = Header { guid, kind: Kind::Pong, ttl: 1, hops: 0, length: 0 };
        header.message(&mut message, |out| pong.put(out));
        message
    }

    /// The key that proves an address: a keyed hash of it.
    fn query_key(&self, of: Endpoint) -> [u8; KEY] {
        let [first, second] = self.me.key;
        let mut hasher = SipHasher13::new_with_keys(first ^ 0x514b, second);
        hasher.write(of.to_string().as_bytes());
        hasher.finish().to_le_bytes()
    }

    fn on_query_datagram(
        &mut self,
        from: Endpoint,
        header: &Header,
        payload: &[u8],
        query: &Query<'_>,
        cx: &mut Cx<'_>,
    ) {
        let key = query.extensions.ggep().find(b"QK");
        if key.as_deref() != Some(&self.query_key(from)) {
            self.violations.count(Violation::Unproved);
            return;
        }
        if super::query::is_improper(query, payload.len()) {
            self.violations.count(Violation::ImproperQuery);
            return;
        }
        for payload in self.hits(query, cx) {
            if payload.len() > MOST_BYTES {
                continue;
            }
            let answer = Header { guid: header.guid, kind: Kind::QueryHit, ttl: 1, hops: 0, length: 0 };
            let mut message = Vec::with_capacity(HEADER + payload.len());
            answer.message(&mut message, |out| out.extend_from_slice(&payload));
            self.reply(from, &message, cx);
        }
    }

    /// A push by datagram: from the requester itself, or passed on by an ultrapeer of ours; or for a leaf of ours.
    fn on_push_datagram(
        &mut self,
        from: Endpoint,
        header: &Header,
        payload: &[u8],
        push: &Push<'_>,
        cx: &mut Cx<'_>,
    ) {
        let now = cx.now();
        let is_own = std::net::IpAddr::V4(*push.requester.ip()) == from.ip();
        if !is_own && !self.is_proved(from) {
            self.violations.count(Violation::Push);
            return;
        }
        if self.tables().pushes.note(&header.guid.0, Origin::Own, 0, now) != Noted::New {
            return;
        }
        if push.servent == self.me.servent {
            self.push_wanted(None, from, push, cx);
            return;
        }
        let leaf = self.links.iter().find(|link| {
            link.live().is_some_and(|live| live.is_leaf() && live.greeting.guid == Some(push.servent))
        });
        let Some(stream) = leaf.map(|link| link.stream) else {
            self.metrics.no_route += 1;
            return;
        };
        let relayed = Header { ttl: 1, hops: header.hops.saturating_add(1), ..*header };
        self.send_all(&[stream], relayed, payload, cx);
    }
}
