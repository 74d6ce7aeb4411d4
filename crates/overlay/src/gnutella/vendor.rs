//! Vendor messages between the two ends of a link (section 4.9).

use super::link::Supports;
use super::machine::{Cx, Servent};
use super::send::vendor;
use super::violation::Violation;
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::{StreamId, Via};
use throng_wire::gnutella::{Guid, Header, VendorKind, VendorMessage};

/// What we read.
const READ: [VendorKind; 11] = [
    VendorKind::HOPS_FLOW,
    VendorKind::CONNECT_BACK,
    VendorKind::UDP_CONNECT_BACK,
    VendorKind::PUSH_PROXY,
    VendorKind::PUSH_PROXY_ACK,
    VendorKind::PUSH_PROXY_CANCEL,
    VendorKind::QUERY_STATUS_REQUEST,
    VendorKind::QUERY_STATUS,
    VendorKind::QUERY_OVER,
    VendorKind::NEIGHBOURS,
    VendorKind::NO_PROXY,
];
/// A peer may make us call it so often.
const CALL_BACK: (u32, Duration) = (2, Duration::from_secs(60));
/// Calls back under way.
const MOST_CALLS: usize = 8;

impl Servent {
    /// What a link begins with.
    pub(super) fn introduce(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let list = VendorMessage::support(&READ);
        self.send_vendor(stream, (VendorKind::MESSAGES_SUPPORTED, Guid::default()), &list, cx);
        self.send_vendor(stream, (VendorKind::FEATURES_SUPPORTED, Guid::default()), &[0, 0], cx);
    }

    pub(super) fn on_vendor(
        &mut self,
        stream: StreamId,
        header: &Header,
        message: &VendorMessage<'_>,
        cx: &mut Cx<'_>,
    ) {
        let number = message.data.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
        match (message.kind, number) {
            (VendorKind::MESSAGES_SUPPORTED, _) => self.on_supported(stream, message.data, cx),
            (VendorKind::HOPS_FLOW, _) => {
                if let (Some(most), Some(live)) = (message.data.first(), self.live_mut(stream)) {
                    live.most_hops = *most;
                }
            }
            (VendorKind::CONNECT_BACK, Some(port)) => self.call_back(stream, port, cx),
            (VendorKind::UDP_CONNECT_BACK, Some(port)) => {
                self.ping_back(stream, port, message.data.get(2..18), cx);
            }
            (VendorKind::PUSH_PROXY, _) => self.on_proxy_wanted(stream, header.guid, cx),
            (VendorKind::PUSH_PROXY_ACK, _) => self.on_proxy(stream, header.guid),
            (VendorKind::PUSH_PROXY_CANCEL, _) => {
                if let Some(live) = self.live_mut(stream) {
                    live.proxy = false;
                }
            }
            (VendorKind::QUERY_STATUS_REQUEST, _) => self.on_status_request(stream, header.guid, cx),
            (VendorKind::QUERY_STATUS, Some(kept)) => self.on_query_status(stream, header.guid, kept),
            (VendorKind::QUERY_OVER, _) => self.on_query_over(stream, header.guid, cx),
            (VendorKind::NEIGHBOURS, _) => self.on_neighbours(stream, message.data),
            (VendorKind::CONNECT_BACK | VendorKind::UDP_CONNECT_BACK | VendorKind::QUERY_STATUS, None) => {
                self.fault(stream, Violation::Vendor, cx);
            }
            _ => {}
        }
    }

    /// It says what it reads: now it can be asked what we want of it.
    fn on_supported(&mut self, stream: StreamId, data: &[u8], cx: &mut Cx<'_>) {
        let listed = VendorMessage::supported(data);
        let bits = [
            (VendorKind::PUSH_PROXY, Supports::PUSH_PROXY),
            (VendorKind::CONNECT_BACK, Supports::CONNECT_BACK),
            (VendorKind::UDP_CONNECT_BACK, Supports::UDP_CONNECT_BACK),
            (VendorKind::QUERY_STATUS_REQUEST, Supports::STATUS_REQUEST),
            (VendorKind::QUERY_STATUS, Supports::STATUS),
            (VendorKind::QUERY_OVER, Supports::OVER),
            (VendorKind::NEIGHBOURS, Supports::NEIGHBOURS),
        ];
        let supports =
            bits.iter().filter(|(kind, _)| listed.contains(kind)).fold(0, |all, (_, bit)| all | bit.0);
        let Some(live) = self.live_mut(stream) else { return };
        let first = live.supports == Supports::default();
        live.supports = Supports(supports);
        let is_ultrapeer = live.is_ultrapeer();
        if !first || !is_ultrapeer {
            return;
        }
        self.neighbours_changed(cx);
        let supports = Supports(supports);
        if supports.has(Supports::CONNECT_BACK) && !self.seen_as.is_reached() {
            self.seen_as.asked(cx.now());
            let port = self.me.listen.port().to_le_bytes();
            self.send_vendor(stream, (VendorKind::CONNECT_BACK, Guid::default()), &port, cx);
        }
        // Whoever cannot be called needs somebody who passes pushes on, and until we know that may be us.
        if supports.has(Supports::PUSH_PROXY) && self.role == super::Role::Leaf && !self.seen_as.is_reached()
        {
            self.send_vendor(stream, (VendorKind::PUSH_PROXY, self.me.servent), &[], cx);
        }
    }

    /// It asks us to call it: two line feeds, nothing else, only at its own address.
    fn call_back(&mut self, stream: StreamId, port: u16, cx: &mut Cx<'_>) {
        let Some(peer) = self.link(stream).map(|link| link.peer.with_port(port)) else { return };
        let may = self.guards().called_back.spend(peer.ip(), CALL_BACK, cx.now());
        if peer.is_dialable() && may && self.probes.len() < MOST_CALLS {
            self.probes.push(cx.open(Via::Tcp, peer));
        }
    }

    /// Likewise by UDP.
    fn ping_back(&mut self, stream: StreamId, port: u16, guid: Option<&[u8]>, cx: &mut Cx<'_>) {
        let Some(peer) = self.link(stream).map(|link| link.peer.with_port(port)) else { return };
        let guid = guid.and_then(|guid| guid.try_into().ok()).map_or_else(|| super::send::fresh(cx), Guid);
        if !peer.is_dialable() || !self.guards().called_back.spend(peer.ip(), CALL_BACK, cx.now()) {
            return;
        }
        let header = Header { guid, kind: throng_wire::gnutella::Kind::Ping, ttl: 1, hops: 0, length: 0 };
        self.metrics.datagrams[1] += 1;
        cx.send(Via::Udp, peer, |out| header.message(out, |_| {}));
    }

    /// A leaf asks us to pass pushes on to it; its id is that of the message.
    fn on_proxy_wanted(&mut self, stream: StreamId, servent: Guid, cx: &mut Cx<'_>) {
        let taken = self.links.iter().any(|link| {
            link.stream != stream && link.live().is_some_and(|live| live.greeting.guid == Some(servent))
        });
        let Some(live) = self.live_mut(stream) else { return };
        if !live.is_leaf() || servent.is_zero() {
            return;
        }
        if taken || live.greeting.guid.is_some_and(|known| known != servent) {
            self.fault(stream, Violation::Identity, cx);
            return;
        }
        (live.greeting.guid, live.proxy) = (Some(servent), true);
        let Some(listen) = self.listen() else { return };
        let mut data = listen.ip().octets().to_vec();
        data.extend_from_slice(&listen.port().to_le_bytes());
        let message = vendor(VendorKind::PUSH_PROXY_ACK, servent, &data);
        self.send(stream, &message, cx);
    }

    /// An ultrapeer of ours is our push proxy.
    fn on_proxy(&mut self, stream: StreamId, servent: Guid) {
        if servent == self.me.servent
            && let Some(live) = self.live_mut(stream)
        {
            live.proxy = live.is_ultrapeer();
        }
    }

    /// Those who pass pushes on to us: ultrapeers of ours, at the addresses where we reached them.
    pub(super) fn proxies(&self) -> impl Iterator<Item = SocketAddrV4> + '_ {
        self.links
            .iter()
            .filter(|link| link.live().is_some_and(|live| live.proxy && live.is_ultrapeer()))
            .filter_map(|link| match link.address().socket_addr() {
                std::net::SocketAddr::V4(at) => Some(at),
                std::net::SocketAddr::V6(_) => None,
            })
    }

    /// An ultrapeer that searches for us asks how many hits we kept.
    fn on_status_request(&mut self, stream: StreamId, guid: Guid, cx: &mut Cx<'_>) {
        let kept = self.kept(guid).unwrap_or(u16::MAX);
        self.send_vendor(stream, (VendorKind::QUERY_STATUS, guid), &kept.to_le_bytes(), cx);
    }

    /// A call back of ours got through or did not; true if the stream was one.
    pub(super) fn on_probe(&mut self, stream: StreamId, opened: bool, cx: &mut Cx<'_>) -> bool {
        let Some(at) = self.probes.iter().position(|probe| *probe == stream) else { return false };
        self.probes.remove(at);
        if opened {
            cx.write(stream, |out| out.extend_from_slice(b"\n\n"));
            cx.close(stream);
        }
        true
    }
}
