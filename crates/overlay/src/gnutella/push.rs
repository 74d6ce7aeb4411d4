//! Pushes (section 4.6): asking a servent that cannot be called to call, along the way of its hits.
//!
//! A push names an address that strangers chose; nobody is called nearer to us than who told it, few times each, and
//! few in all.

use super::command::Event;
use super::machine::{Cx, Servent};
use super::send::fresh;
use super::violation::Violation;
use crate::dial::callable;
use crate::flood::{LinkId, Noted, Origin};
use std::time::Duration;
use throng_machine::{Endpoint, StreamId, Via};
use throng_wire::gnutella::ggep::Block;
use throng_wire::gnutella::{Guid, HEADER, Header, Kind, Push};

/// Pushes may make us call an address so often, as gtk-gnutella does.
const CALLS: (u32, Duration) = (5, Duration::from_secs(6));
/// Pushes that one link may send on.
const RELAYED: (u32, Duration) = (60, Duration::from_millis(100));
/// Push proxies that are asked for one file.
const PROXIES: usize = 4;

impl Servent {
    pub(super) fn on_push(
        &mut self,
        stream: StreamId,
        header: &Header,
        payload: &[u8],
        push: &Push<'_>,
        cx: &mut Cx<'_>,
    ) {
        let now = cx.now();
        let Some(peer) = self.link(stream).map(|link| link.peer) else { return };
        let from = Origin::Link(LinkId(stream.0));
        // Copies come by several ways; one is enough.
        if self.tables().pushes.note(&header.guid.0, from, 0, now) != Noted::New {
            return;
        }
        if push.servent == self.me.servent {
            self.push_wanted(Some(stream), peer, push, cx);
            return;
        }
        let (burst, every) = RELAYED;
        if !self.live_mut(stream).is_some_and(|live| live.pushes.spend(burst, every, now)) {
            self.fault(stream, Violation::Push, cx);
            return;
        }
        let Some(to) = self.way_to(push.servent, cx) else {
            self.metrics.no_route += 1;
            return;
        };
        let Some(live) = self.live(to).filter(|_| to != stream) else { return };
        let ttl = header.ttl.saturating_sub(1);
        if ttl == 0 && !live.is_leaf() {
            return;
        }
        let relayed = Header { ttl: ttl.max(1), hops: header.hops.saturating_add(1), ..*header };
        let mut message = Vec::with_capacity(HEADER + payload.len());
        relayed.message(&mut message, |out| out.extend_from_slice(payload));
        self.send(to, &message, cx);
    }

    /// The link over which a servent is reached: its own, or that of its hits.
    fn way_to(&mut self, servent: Guid, cx: &Cx<'_>) -> Option<StreamId> {
        let own = self.links.iter().find(|link| {
            link.live()
                .is_some_and(|live| live.greeting.guid == Some(servent) && (live.is_leaf() || live.proxy))
        });
        if let Some(link) = own {
            return Some(link.stream);
        }
        let now = cx.now();
        match self.tables().servents.find(&servent.0, now)? {
            Origin::Link(link) => Some(StreamId(link.0)).filter(|stream| self.live(*stream).is_some()),
            Origin::Own => None,
        }
    }

    /// We are asked to call somebody.
    pub(super) fn push_wanted(
        &mut self,
        stream: Option<StreamId>,
        told_by: Endpoint,
        push: &Push<'_>,
        cx: &mut Cx<'_>,
    ) {
        let to = callable(told_by, *push.requester.ip(), push.requester.port());
        match to {
            Some(requester) if self.guards().pushed.spend(requester.ip(), CALLS, cx.now()) => {
                cx.emit(Event::PushWanted { requester, index: push.index });
            }
            _ => match stream {
                Some(stream) => _ = self.fault(stream, Violation::Push, cx),
                None => self.blame(told_by, Violation::Push, cx),
            },
        }
    }

    /// Asks a servent to call us.
    pub(super) fn send_push(&mut self, servent: Guid, index: u32, proxies: &[Endpoint], cx: &mut Cx<'_>) {
        let Some(requester) = self.listen() else { return };
        let payload = |out: &mut Vec<u8>| Push { servent, index, requester, ggep: Block::default() }.put(out);
        let guid = fresh(cx);
        let now = cx.now();
        self.tables().pushes.set(&guid.0, Origin::Own, now);
        if let Some(stream) = self.way_to(servent, cx) {
            let header = Header { guid, kind: Kind::Push, ttl: self.config.max_ttl, hops: 0, length: 0 };
            let mut message = Vec::new();
            header.message(&mut message, payload);
            self.send(stream, &message, cx);
        }
        for proxy in proxies.iter().filter(|at| at.is_dialable()).take(PROXIES) {
            let header = Header { guid, kind: Kind::Push, ttl: 2, hops: 0, length: 0 };
            self.metrics.datagrams[1] += 1;
            cx.send(Via::Udp, *proxy, |out| header.message(out, payload));
        }
    }

    /// Passes a push on that came over HTTP (section 11.9); false if there is no way to that servent.
    pub fn push_for(&mut self, servent: Guid, index: u32, requester: Endpoint, cx: &mut Cx<'_>) -> bool {
        let std::net::SocketAddr::V4(requester) = requester.socket_addr() else { return false };
        let Some(stream) = self.way_to(servent, cx) else { return false };
        let guid = fresh(cx);
        let header = Header { guid, kind: Kind::Push, ttl: 3, hops: 1, length: 0 };
        let mut message = Vec::new();
        header
            .message(&mut message, |out| Push { servent, index, requester, ggep: Block::default() }.put(out));
        self.send(stream, &message, cx);
        self.flush(stream, cx);
        true
    }
}
