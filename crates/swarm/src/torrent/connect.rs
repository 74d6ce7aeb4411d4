//! Dialling, greeting, and which of two connections to the same peer stays.

use super::Torrent;
use crate::peer::{Peer, Phase};
use crate::shared::{Cx, Shared};
use crate::violation::Violation;
use crate::{Event, PeerSource};
use std::net::IpAddr;
use throng_machine::{Endpoint, StreamId, Via};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::peer::{
    ExtendedHandshake, Extension, ExtensionIds, Handshake, Message, Reserved, allowed_fast_set, client,
    peer_priority,
};

/// Our numbers for the extensions we take.
pub(super) const METADATA_ID: u8 = 1;
pub(super) const EXCHANGE_ID: u8 = 2;
pub(super) const DONT_HAVE_ID: u8 = 3;
/// Pieces a newcomer may fetch while choked (BEP 6 suggests ten).
const ALLOWED_FAST: usize = 10;
/// A peer with more than this is no newcomer.
const NEWCOMER_PIECES: u32 = 10;

impl Torrent {
    /// Learns addresses of possible peers.
    pub(crate) fn add_peers(
        &mut self,
        source: PeerSource,
        addresses: &[Endpoint],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if self.options.private && source == PeerSource::Exchange {
            return;
        }
        for address in addresses {
            self.known.add(*address, source, shared.config.max_known_peers);
        }
        self.dial_more(shared, cx);
    }

    /// Dials known addresses while the limits have room; seeds too, or they would not reach peers behind a NAT.
    pub(crate) fn dial_more(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let ours = Endpoint::v4([0, 0, 0, 0], shared.config.listen_port).socket_addr();
        while self.running
            && self.peers.len() < shared.config.max_connections_per_torrent
            && shared.half_open < shared.config.max_half_open
            && let Some(address) = self.known.next(cx.now(), |to| peer_priority(ours, to.socket_addr()))
        {
            if !shared.has_room_for(address.ip()) {
                self.known.ended(address, false, cx.now());
                continue;
            }
            let stream = cx.open(Via::Tcp, address);
            self.known.connected(address);
            shared.connected(address.ip());
            shared.half_open += 1;
            self.peers.insert(stream, Box::new(Peer::new(stream, address, false, cx.now())));
        }
    }

    /// An incoming connection named this torrent; its bytes follow.
    pub(crate) fn admit(&mut self, stream: StreamId, from: Endpoint, shared: &Shared, cx: &Cx<'_>) -> bool {
        if !self.running || self.peers.len() >= shared.config.max_connections_per_torrent {
            return false;
        }
        self.peers.insert(stream, Box::new(Peer::new(stream, from, true, cx.now())));
        true
    }

    /// Greets under `info_hash`: ours to choose when we dial (hybrid swarms meet under the v1 hash, BEP 52).
    pub(super) fn send_handshake(
        &self,
        peer: &mut Peer,
        info_hash: InfoHash,
        shared: &Shared,
        cx: &mut Cx<'_>,
    ) {
        let mut reserved = Reserved::EXTENSION_PROTOCOL.with(Reserved::FAST);
        if self.speaks_v2() {
            reserved = reserved.with(Reserved::V2_UPGRADE);
        }
        let handshake = Handshake { reserved, info_hash, peer_id: PeerId(shared.config.peer_id) };
        peer.send_bytes(&handshake.encode(), cx);
    }

    fn speaks_v2(&self) -> bool {
        self.info_hash_v2.is_some() || self.meta.as_ref().is_some_and(|meta| meta.info.hash_v2().is_some())
    }

    /// The v2 hash as handshakes have it.
    fn v2_hash(&self) -> Option<InfoHash> {
        let known = self.meta.as_ref().and_then(|meta| meta.info.hash_v2()).map(|hash| hash.truncated());
        let linked = || self.info_hash_v2.and_then(|hash| hash.first_chunk().copied());
        known.or_else(linked).map(InfoHash)
    }

    /// Under which hash a caller is answered: its own, who may know no other; who says that it knows the v2 hash as well
    /// is upgraded by being answered under that (BEP 52). libtorrent 2.0 takes nothing else once a tracker has named us
    /// under both hashes, and comes back after a minute.
    fn answer_to(&self, handshake: &Handshake) -> InfoHash {
        let upgradable = handshake.reserved.contains(Reserved::V2_UPGRADE);
        self.v2_hash().filter(|_| upgradable).unwrap_or(handshake.info_hash)
    }

    pub(super) fn on_handshake(
        &mut self,
        peer: &mut Peer,
        handshake: Handshake,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        let ours = self.info_hashes.contains(&handshake.info_hash.0);
        if !ours
            || handshake.peer_id.0 == shared.config.peer_id
            || shared.is_banned(peer.address, &handshake.peer_id.0)
        {
            return Err(Violation::NotOfUse);
        }
        peer.id = handshake.peer_id.0;
        peer.extended = handshake.reserved.contains(Reserved::EXTENSION_PROTOCOL);
        peer.fast = handshake.reserved.contains(Reserved::FAST);
        // The bit says "v2 too"; who greets under the v2 hash need not say it.
        peer.v2 =
            handshake.reserved.contains(Reserved::V2_UPGRADE) || self.v2_hash() == Some(handshake.info_hash);
        peer.told.client = client::client_name(&PeerId(peer.id));
        self.settle_duplicate(peer, shared, cx)?;
        peer.phase = Phase::Joined;
        if peer.incoming {
            self.send_handshake(peer, self.answer_to(&handshake), shared, cx);
        }
        if self.meta.is_some() {
            peer.pieces = crate::pieces::PieceSet::new(self.have.len());
        }
        cx.emit(Event::PeerJoined(self.content, peer.stream, peer.address));
        self.introduce(peer, shared, cx);
        Ok(())
    }

    /// Two connections to one peer: both ends keep the one that the larger id opened, so that they agree.
    fn settle_duplicate(
        &mut self,
        peer: &mut Peer,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        let Some(other) = self.find_id(&peer.id) else { return Ok(()) };
        let we_are_larger = shared.config.peer_id > peer.id;
        let keep_new = other.incoming != peer.incoming && peer.incoming != we_are_larger;
        if !keep_new {
            return Err(Violation::Duplicate);
        }
        let stream = other.stream;
        self.close_peer(stream, shared, cx);
        Ok(())
    }

    /// Says what we have and can do, right after the handshakes.
    fn introduce(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.send_pieces(peer, cx);
        if peer.extended {
            self.send_extended(peer, shared, cx);
        }
        self.allow_fast(peer, cx);
        self.show_pieces(peer, cx);
    }

    /// What we have, in the shortest form the peer knows; before the metadata is known nothing can be said.
    fn send_pieces(&self, peer: &mut Peer, cx: &mut Cx<'_>) {
        let hide = self.meta.is_none() || self.super_seeds();
        match (peer.fast, self.have.count()) {
            (true, 0) => peer.send(&Message::HaveNone, cx),
            (true, _) if hide => peer.send(&Message::HaveNone, cx),
            (false, _) if hide => {}
            (true, _) if self.is_seed() => peer.send(&Message::HaveAll, cx),
            (_, 0) => {}
            _ => peer.send(&Message::Bitfield(&self.have.to_bitfield()), cx),
        }
    }

    fn send_extended(&self, peer: &mut Peer, shared: &Shared, cx: &mut Cx<'_>) {
        let mut ids = ExtensionIds::default()
            .with(Extension::Metadata, METADATA_ID)
            .with(Extension::DontHave, DONT_HAVE_ID);
        if !self.options.private {
            ids = ids.with(Extension::Pex, EXCHANGE_ID);
        }
        let config = &shared.config;
        let handshake = ExtendedHandshake {
            ids,
            client: Some(config.client.as_bytes()),
            request_queue: Some(config.max_requests_per_peer as u32),
            port: Some(config.listen_port).filter(|port| *port != 0),
            your_ip: Some(peer.address.ip()),
            metadata_size: self.meta.as_ref().map(|meta| meta.info.raw().len() as u32),
            upload_only: (self.is_finished() || self.options.upload_only).then_some(true),
            ..ExtendedHandshake::default()
        };
        let mut payload = Vec::new();
        handshake.encode(&mut payload);
        peer.send(&Message::Extended { id: throng_wire::peer::HANDSHAKE_ID, payload: &payload }, cx);
    }

    /// Lets a newcomer fetch some pieces while choked, chosen by its address so that it cannot collect more (BEP 6).
    fn allow_fast(&self, peer: &mut Peer, cx: &mut Cx<'_>) {
        let IpAddr::V4(ip) = peer.address.ip() else { return };
        let Some(hash) = self.info_hashes.first() else { return };
        if !peer.fast || self.meta.is_none() || peer.pieces.count() > NEWCOMER_PIECES || self.super_seeds() {
            return;
        }
        let count = ALLOWED_FAST.min(self.have.len() as usize);
        for piece in allowed_fast_set(ip, &InfoHash(*hash), self.have.len(), count) {
            if self.have.has(piece) {
                peer.allowed_it.push(piece);
                peer.send(&Message::AllowedFast(piece), cx);
            }
        }
    }

    /// The peer's extension handshake.
    pub(super) fn on_extended_handshake(
        &mut self,
        peer: &mut Peer,
        payload: &[u8],
        shared: &Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        let told = ExtendedHandshake::decode(payload)?;
        if let Some(name) = told.client {
            peer.told.client = client::printable(name);
        }
        peer.told.requests = told.request_queue.or(peer.told.requests);
        // The first word counts: each further port would be one more address to remember.
        peer.told.listen_port = peer.told.listen_port.or(told.port);
        peer.told.metadata_size = told.metadata_size.or(peer.told.metadata_size);
        peer.told.upload_only = told.upload_only.unwrap_or(peer.told.upload_only);
        peer.told.metadata = told.ids.id(Extension::Metadata).or(peer.told.metadata);
        peer.told.exchange = told.ids.id(Extension::Pex).or(peer.told.exchange);
        peer.told.dont_have = told.ids.id(Extension::DontHave).or(peer.told.dont_have);
        // An incoming peer's listening address is now known: don't dial it too.
        if let Some(address) = peer.dialable() {
            self.known.add(address, PeerSource::Incoming, shared.config.max_known_peers);
            self.known.connected(address);
        }
        self.ask_metadata(peer, cx);
        self.greet_exchange(peer, cx);
        Ok(())
    }
}
