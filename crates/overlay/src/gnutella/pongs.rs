//! Pings and pongs (section 6): never relayed; answered from a cache, and by ourselves where a link asks whether we
//! live.

use super::config::Role;
use super::machine::{Cx, Servent};
use super::send::{fresh, local};
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::{Endpoint, Instant, StreamId};
use throng_wire::gnutella::ggep::{Block, Writer};
use throng_wire::gnutella::{Guid, Header, Kind, Ping, Pong};

/// Pongs kept.
const KEPT: usize = 32;
/// Pongs that answer one ping, besides our own.
const ANSWERS: usize = 10;
/// A pong is told to others for so long.
const FRESH: Duration = Duration::from_secs(120);
/// Whether we live may be asked so often.
const ALIVE: (u32, Duration) = (10, Duration::from_secs(1));
/// Others may be asked for so often: by an ultrapeer or plain servent, and by a leaf.
const OTHERS: (u32, Duration) = (2, Duration::from_secs(3));
const BY_LEAF: (u32, Duration) = (2, Duration::from_secs(60));
/// Addresses told to whoever asks for them (`SCP`).
const ADDRESSES: usize = 10;

/// A pong heard.
#[derive(Clone, Copy, Debug)]
struct Cached {
    address: SocketAddrV4,
    files: u32,
    kibibytes: u32,
    hops: u8,
    at: Instant,
}

/// Pongs heard lately, the newest last.
#[derive(Debug, Default)]
pub(super) struct PongCache(Vec<Cached>);

impl PongCache {
    fn add(&mut self, pong: Cached) {
        self.0.retain(|known| known.address != pong.address);
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push(pong);
    }

    fn fresh(&self, now: Instant) -> impl Iterator<Item = &Cached> {
        self.0.iter().rev().filter(move |pong| now - pong.at <= FRESH).take(ANSWERS)
    }
}

impl Servent {
    pub(super) fn on_ping(&mut self, stream: StreamId, header: &Header, ping: &Ping<'_>, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(live) = self.live_mut(stream) else { return };
        let is_alive = header.ttl <= 1 && header.hops == 0;
        // Each has a purse of its own: whoever asks for others may at once ask whether we live.
        let (burst, every) = if live.is_leaf() { BY_LEAF } else { OTHERS };
        let may = match is_alive {
            true => live.alive.spend(ALIVE.0, ALIVE.1, now),
            false => live.pings.spend(burst, every, now),
        };
        if !may {
            return;
        }
        let wants = if ping.wants_addresses().is_some() { ADDRESSES } else { 0 };
        let Some(to) = self.link(stream).map(|link| link.peer) else { return };
        let own = self.own_pong((header.guid, to), header.hops.saturating_add(1), wants);
        self.send(stream, &own, cx);
        if is_alive {
            return;
        }
        let peer = self.live(stream).and_then(|live| live.greeting.listen);
        let known = self.tables.as_ref().map(|tables| tables.pongs.fresh(now).copied().collect());
        let cached: Vec<Cached> = known.unwrap_or_default();
        for pong in cached.into_iter().filter(|pong| Some(pong.address) != peer) {
            let (ttl, hops) = (header.hops.saturating_add(1), pong.hops.saturating_add(1));
            let relayed = Header { guid: header.guid, kind: Kind::Pong, ttl, hops, length: 0 };
            let mut message = Vec::new();
            let Cached { address, files, kibibytes, .. } = pong;
            relayed.message(&mut message, |out| {
                Pong { address, files, kibibytes, ggep: Block::default() }.put(out);
            });
            self.send(stream, &message, cx);
        }
    }

    /// Our own pong for somebody as a whole message, with up to so many addresses of others.
    pub(super) fn own_pong(&self, (guid, to): (Guid, Endpoint), ttl: u8, addresses: usize) -> Vec<u8> {
        let (files, mut kibibytes) = self.library.size();
        let mut ggep = Writer::default();
        if self.role == Role::Ultrapeer {
            kibibytes = Pong::rounded(kibibytes);
            let limits = &self.config.limits;
            let free = |most: usize, role| most.saturating_sub(self.count(role)).min(255) as u8;
            let slots = [2, free(limits.leaves, Role::Leaf), free(limits.ultrapeers, Role::Ultrapeer)];
            ggep.put(b"UP", &slots);
        } else if kibibytes >= 8 && kibibytes.is_power_of_two() {
            // These values say that one is an ultrapeer.
            kibibytes += 1;
        }
        if addresses > 0 {
            let known = self.known_hosts(addresses, to);
            if !known.is_empty() {
                ggep.put(b"IPP", &Pong::packed(known));
            }
        }
        let ggep = ggep.finish();
        let block = Block::take(&ggep).map(|(block, _)| block).unwrap_or_default();
        let pong = Pong { address: self.address_or_unspecified(), files, kibibytes, ggep: block };
        let mut message = Vec::new();
        let header = Header { guid, kind: Kind::Pong, ttl, hops: 0, length: 0 };
        header.message(&mut message, |out| pong.put(out));
        message
    }

    pub(super) fn on_pong(&mut self, stream: StreamId, header: &Header, pong: &Pong<'_>, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(peer) = self.link(stream).map(|link| link.peer) else { return };
        // A leaf's pong names a leaf: nobody is to be sent there.
        let is_leaf = self.live(stream).is_some_and(super::link::Live::is_leaf);
        if let (Some(slots), Some(election)) = (pong.ultrapeer().filter(|_| !is_leaf), &mut self.election) {
            election.heard(Endpoint::v4(pong.address.ip().octets(), pong.address.port()), slots, now);
        }
        let useful = self.role == Role::Plain || pong.ultrapeer().is_some();
        if !is_leaf && useful {
            self.add_host(peer, pong.address, now);
            // Nobody asks a leaf for others.
            if self.role != Role::Leaf {
                let (files, kibibytes) = (pong.files, pong.kibibytes);
                let cached = Cached { address: pong.address, files, kibibytes, hops: header.hops, at: now };
                self.tables().pongs.add(cached);
            }
        }
        for at in pong.more().into_iter().take(ADDRESSES) {
            self.add_host(peer, at, now);
        }
    }

    /// Asks a link whether it lives.
    pub(super) fn ping(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let mut message = Vec::new();
        local(Kind::Ping, cx).message(&mut message, |_| {});
        self.send(stream, &message, cx);
    }

    /// Asks a new link for itself and others.
    pub(super) fn ask_for_pongs(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let mut ggep = Writer::default();
        ggep.put(b"SCP", &[u8::from(self.role == Role::Ultrapeer)]);
        let (payload, guid) = (ggep.finish(), fresh(cx));
        let header = Header { guid, kind: Kind::Ping, ttl: self.config.max_ttl.max(2), hops: 0, length: 0 };
        let mut message = Vec::new();
        header.message(&mut message, |out| out.extend_from_slice(&payload));
        self.send(stream, &message, cx);
    }
}
