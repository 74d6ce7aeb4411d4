//! What the application says of complete pieces, and what follows for peers.

use super::Torrent;
use super::hashes::comparable;
use crate::blame::Suspect;
use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use crate::source::SourceId;
use crate::{BanReason, BlockDigests, Event};
use throng_machine::StreamId;
use throng_wire::peer::Message;

impl Torrent {
    /// A piece is stored: share it at once.
    pub(crate) fn piece_verified(
        &mut self,
        piece: u32,
        digests: Option<BlockDigests>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if let Some(right) = digests {
            for liar in self.blame.resolve(piece, &comparable(&right)) {
                self.shut_out(liar, shared, cx);
            }
        }
        self.drop_partial(piece, shared);
        let wanted = self.wants(piece);
        if !self.have.insert(piece) {
            return;
        }
        self.missing -= u32::from(wanted);
        self.announce_piece(piece, wanted, cx);
        self.finish_if_complete(shared, cx);
        self.fill_all(shared, cx);
    }

    /// Tells every peer of a new piece.
    fn announce_piece(&mut self, piece: u32, wanted: bool, cx: &mut Cx<'_>) {
        let mut peers = std::mem::take(&mut self.peers);
        for peer in peers.values_mut().filter(|peer| peer.is_joined()) {
            if peer.pieces.has(piece) {
                peer.useful = peer.useful.saturating_sub(u32::from(wanted));
                self.update_interest(peer, cx);
            }
            // Seeds need not know: it would only cost them traffic.
            if !peer.is_seed() && !self.options.super_seed {
                peer.send(&Message::Have(piece), cx);
            }
        }
        self.peers = peers;
    }

    /// Tells the application and the trackers once all that is wanted is here; parts from other seeds.
    pub(super) fn finish_if_complete(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        if !self.is_finished() || self.finished_told {
            return;
        }
        self.finished_told = true;
        self.stop_sources(cx);
        cx.emit(Event::Finished(self.content));
        if self.is_seed() {
            self.announcer.completed(cx.now());
        }
        self.next_choke = cx.now();
        let idle: Vec<StreamId> = self
            .peers
            .values()
            .filter(|peer| peer.is_joined() && (peer.is_seed() || peer.told.upload_only))
            .map(|peer| peer.stream)
            .collect();
        for stream in idle {
            if let Some(address) = self.peers.get(&stream).and_then(|peer| peer.dialable()) {
                self.known.forget(address);
            }
            self.close_peer(stream, shared, cx);
        }
    }

    /// Closes and forgets a peer that is in the map.
    pub(super) fn close_peer(&mut self, stream: StreamId, shared: &mut Shared, cx: &mut Cx<'_>) {
        if let Some(mut peer) = self.peers.remove(&stream) {
            peer.close(cx);
            self.forget(peer, shared, cx);
        }
    }

    /// A piece is wrong: find the liar, fetch again.
    pub(crate) fn piece_rejected(
        &mut self,
        piece: u32,
        digests: BlockDigests,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let Some(partial) = self.partials.get(&piece) else { return };
        let senders: Vec<StreamId> = partial.senders().flatten().collect();
        self.wasted += u64::from(self.piece_len(piece));
        match digests {
            BlockDigests::Leaves(leaves) if self.ask_leaves(piece, leaves.clone(), cx) => {}
            digests => self.refetch(piece, &comparable(&digests), &senders, shared, cx),
        }
        self.fill_all(shared, cx);
    }

    /// Fetches a whole bad piece again, keeping what is needed to find the liar.
    pub(super) fn refetch(
        &mut self,
        piece: u32,
        digests: &[u64],
        senders: &[StreamId],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        self.drop_partial(piece, shared);
        cx.emit(Event::DropPiece(self.content, piece));
        if let Some(only) = senders.first().filter(|first| senders.iter().all(|sender| sender == *first)) {
            self.shut_out(*only, shared, cx);
        } else if digests.len() == senders.len() {
            self.blame.keep(piece, digests.iter().copied().zip(senders.iter().copied()).collect());
        }
    }

    /// Shuts out a peer that sent wrong data, connected or not.
    pub(super) fn shut_out(&mut self, liar: StreamId, shared: &mut Shared, cx: &mut Cx<'_>) {
        if let Some(source) = SourceId::of(liar) {
            return self.shut_out_source(source, shared, cx);
        }
        let suspect = match self.peers.get(&liar) {
            Some(peer) => Some(Suspect::of(peer)),
            None => self.blame.left(liar),
        };
        let Some(Suspect { address, id, client, .. }) = suspect else { return };
        // Of all that was under way when it was found out, each wrong piece accuses it again: once is enough.
        let is_news = !shared.is_banned(address, &id);
        shared.ban(address, id);
        if let Some(listening) = self.peers.get(&liar).and_then(|peer| peer.dialable()) {
            self.known.forget(listening);
        }
        if is_news {
            let reason = BanReason::WrongData;
            cx.emit(Event::Banned { content: self.content, peer: address, client, reason });
        }
        let of_address = |peer: &Peer| {
            peer.stream == liar || (!address.ip().is_loopback() && peer.address.ip() == address.ip())
        };
        let streams: Vec<StreamId> =
            self.peers.values().filter(|peer| of_address(peer)).map(|peer| peer.stream).collect();
        for stream in streams {
            self.close_peer(stream, shared, cx);
        }
    }

    /// Whether the application is to give block digests when this piece is right.
    pub(crate) fn compares(&self, piece: u32) -> bool {
        self.blame.compares(piece)
    }

    /// A stored piece is missing or damaged: fetch it again.
    pub(crate) fn piece_lost(&mut self, piece: u32, shared: &mut Shared, cx: &mut Cx<'_>) {
        if !self.have.remove(piece) {
            return;
        }
        let wanted = self.wants(piece);
        self.missing += u32::from(wanted);
        if wanted {
            self.known.welcome_seeds();
        }
        self.finished_told &= self.missing == 0;
        let mut peers = std::mem::take(&mut self.peers);
        for peer in peers.values_mut().filter(|peer| peer.is_joined()) {
            peer.useful += u32::from(wanted && peer.pieces.has(piece));
            self.update_interest(peer, cx);
            if let Some(id) = peer.told.dont_have {
                let payload = throng_wire::peer::encode_dont_have(piece);
                peer.send(&Message::Extended { id, payload: &payload }, cx);
            }
        }
        self.peers = peers;
        self.fill_all(shared, cx);
    }

    /// The storage takes nothing: keep connections, ask for nothing, fetch again what was not stored.
    pub(crate) fn storage_failed(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.storage_works = false;
        self.stop_sources(cx);
        let mut peers = std::mem::take(&mut self.peers);
        for peer in peers.values_mut() {
            for request in std::mem::take(&mut peer.sent) {
                peer.send(&Message::Cancel(request.block), cx);
            }
            // What is half here would be placed into a piece that is dropped now.
            if let Some(arrival) = &mut peer.arrival {
                arrival.wanted = false;
            }
        }
        self.peers = peers;
        let begun: Vec<u32> = self.partials.keys().copied().collect();
        for piece in begun {
            self.drop_partial(piece, shared);
            cx.emit(Event::DropPiece(self.content, piece));
        }
    }

    /// The storage works again.
    pub(crate) fn storage_recovered(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.storage_works = true;
        self.fill_all(shared, cx);
    }

    /// Sets which pieces are wanted.
    pub(crate) fn set_wanted(&mut self, bits: &[u8], shared: &mut Shared, cx: &mut Cx<'_>) {
        self.wanted = crate::pieces::PieceSet::from_bitfield(bits, self.have.len());
        self.count_missing();
        if self.missing > 0 {
            self.known.welcome_seeds();
        }
        self.finished_told &= self.missing == 0;
        let unwanted: Vec<u32> = self.partials.keys().copied().filter(|piece| !self.wants(*piece)).collect();
        for piece in unwanted {
            self.abandon(piece, shared, cx);
        }
        let mut peers = std::mem::take(&mut self.peers);
        for peer in peers.values_mut().filter(|peer| peer.is_joined()) {
            peer.useful = peer.pieces.iter().filter(|piece| self.wants(*piece)).count() as u32;
            self.update_interest(peer, cx);
        }
        self.peers = peers;
        self.check_sources(shared, cx);
        self.finish_if_complete(shared, cx);
        self.fill_all(shared, cx);
    }

    /// Gives up a begun piece that is not wanted any more.
    fn abandon(&mut self, piece: u32, shared: &mut Shared, cx: &mut Cx<'_>) {
        for peer in self.peers.values_mut() {
            let sent = std::mem::take(&mut peer.sent);
            let (dropped, kept): (Vec<_>, Vec<_>) = sent.into_iter().partition(|r| r.block.piece == piece);
            peer.sent = kept.into();
            for request in dropped {
                peer.send(&Message::Cancel(request.block), cx);
            }
            if let Some(arrival) = peer.arrival.as_mut().filter(|arrival| arrival.block.piece == piece) {
                arrival.wanted = false;
            }
        }
        self.forget_arrival(piece);
        self.drop_partial(piece, shared);
        cx.emit(Event::DropPiece(self.content, piece));
    }
}
