//! What each message of a peer does: one handler a message, one dispatch.

use super::Torrent;
use crate::peer::{EarlyPieces, Peer};
use crate::pieces::PieceSet;
use crate::rate::BLOCK;
use crate::shared::{Cx, Shared};
use crate::violation::Violation;
use throng_wire::peer::{Block, Message};

/// Haves kept from a peer before we know how many pieces there are.
const MAX_EARLY_HAVES: usize = 4_096;
/// Suggestions and fast permissions kept from one peer.
const MAX_HINTS: usize = 64;

impl Torrent {
    pub(super) fn on_message(
        &mut self,
        peer: &mut Peer,
        message: Message<'_>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        match message {
            Message::KeepAlive | Message::Port(_) | Message::Unknown { .. } | Message::Piece { .. } => Ok(()),
            Message::Choke => self.on_choke(peer, shared, cx),
            Message::Unchoke => self.on_unchoke(peer, cx),
            Message::Interested => self.on_interested(peer, true, shared, cx),
            Message::NotInterested => self.on_interested(peer, false, shared, cx),
            Message::Have(piece) => self.on_have(peer, piece, cx),
            Message::Bitfield(bits) => self.on_bitfield(peer, bits, cx),
            Message::HaveAll => self.on_have_all(peer, cx),
            Message::HaveNone => Ok(()),
            Message::Request(block) => self.on_request(peer, block, shared, cx),
            Message::Cancel(block) => self.on_cancel(peer, block, cx),
            Message::RejectRequest(block) => self.on_reject(peer, block),
            Message::SuggestPiece(piece) => self.on_suggest(peer, piece),
            Message::AllowedFast(piece) => self.on_allowed_fast(peer, piece),
            Message::Extended { id, payload } => self.on_extended(peer, id, payload, shared, cx),
            Message::HashRequest(request) => self.on_hash_request(peer, request, cx),
            Message::Hashes(hashes) => self.on_hashes(peer, &hashes, shared, cx),
            Message::HashReject(request) => self.on_hash_reject(peer, request, shared, cx),
        }
    }

    fn on_choke(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) -> Result<(), Violation> {
        peer.peer_choking = true;
        // Without the fast extension a choke drops all requests; with it each is rejected by name (BEP 6).
        if !peer.fast {
            self.release_requests(peer);
            self.fill_all(shared, cx);
        }
        Ok(())
    }

    fn on_unchoke(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) -> Result<(), Violation> {
        peer.peer_choking = false;
        peer.last_block = cx.now();
        Ok(())
    }

    fn on_interested(
        &mut self,
        peer: &mut Peer,
        interested: bool,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        if peer.peer_interested != interested {
            peer.peer_interested = interested;
            self.on_interest_changed(peer, shared, cx);
        }
        Ok(())
    }

    fn on_have(&mut self, peer: &mut Peer, piece: u32, cx: &mut Cx<'_>) -> Result<(), Violation> {
        if self.meta.is_none() {
            let early = peer.early.get_or_insert_default();
            if early.haves.len() < MAX_EARLY_HAVES {
                early.haves.push(piece);
            }
            return Ok(());
        }
        if piece >= self.have.len() {
            return Err(Violation::NoSuchPiece);
        }
        if peer.pieces.insert(piece) {
            let count = &mut self.availability[piece as usize];
            *count = count.saturating_add(1);
            peer.useful += u32::from(self.wants(piece));
            self.on_piece_seen(peer, piece, cx);
            self.update_interest(peer, cx);
            self.part_if_both_seeds(peer, cx);
        } else {
            peer.chatter += 1;
        }
        Ok(())
    }

    fn on_bitfield(&mut self, peer: &mut Peer, bits: &[u8], cx: &mut Cx<'_>) -> Result<(), Violation> {
        if self.meta.is_none() {
            peer.early.get_or_insert_default().bitfield = Some(bits.to_vec());
            return Ok(());
        }
        let pieces = PieceSet::from_bitfield(bits, self.have.len()).ok_or(Violation::Bitfield)?;
        self.learn_pieces(peer, pieces, cx);
        Ok(())
    }

    fn on_have_all(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) -> Result<(), Violation> {
        if self.meta.is_none() {
            peer.early.get_or_insert_default().all = true;
            return Ok(());
        }
        let all = PieceSet::full(self.have.len());
        self.learn_pieces(peer, all, cx);
        Ok(())
    }

    /// Replaces what a peer is known to have.
    fn learn_pieces(&mut self, peer: &mut Peer, pieces: PieceSet, cx: &mut Cx<'_>) {
        for (set, up) in [(&peer.pieces, false), (&pieces, true)] {
            for piece in set.iter() {
                let count = &mut self.availability[piece as usize];
                *count = if up { count.saturating_add(1) } else { count.saturating_sub(1) };
            }
        }
        peer.useful = pieces.iter().filter(|piece| self.wants(*piece)).count() as u32;
        peer.pieces = pieces;
        self.update_interest(peer, cx);
        self.part_if_both_seeds(peer, cx);
    }

    /// Applies what a peer told before the metadata was known.
    pub(super) fn apply_early(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) -> Result<(), Violation> {
        let len = self.have.len();
        let Some(early) = peer.early.take() else {
            peer.pieces = PieceSet::new(len);
            return Ok(());
        };
        let EarlyPieces { bitfield, all, haves } = *early;
        let mut pieces = match bitfield {
            _ if all => PieceSet::full(len),
            Some(bits) => PieceSet::from_bitfield(&bits, len).ok_or(Violation::Bitfield)?,
            None => PieceSet::new(len),
        };
        for piece in haves {
            pieces.insert(piece);
        }
        self.learn_pieces(peer, pieces, cx);
        Ok(())
    }

    /// Two peers that both have everything, or want nothing, are of no use to each other.
    fn part_if_both_seeds(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) {
        let it_wants_nothing = peer.is_seed() || peer.told.upload_only;
        if self.is_finished() && peer.is_joined() && it_wants_nothing && !self.options.super_seed {
            if let Some(address) = peer.dialable() {
                self.known.set_aside(address);
            }
            peer.close(cx);
        }
    }

    /// Tells the peer whether it has anything we want, if that changed.
    pub(super) fn update_interest(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) {
        let interested = peer.useful > 0 && !self.options.upload_only;
        if interested != peer.am_interested && peer.is_joined() {
            peer.am_interested = interested;
            peer.send(if interested { &Message::Interested } else { &Message::NotInterested }, cx);
        }
    }

    fn on_request(
        &mut self,
        peer: &mut Peer,
        block: Block,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        let end = u64::from(block.begin) + u64::from(block.length);
        let valid = self.have.has(block.piece)
            && (1..=8 * BLOCK).contains(&block.length)
            && end <= u64::from(self.servable_len(block.piece));
        let allowed = !peer.am_choking || peer.allowed_it.contains(&block.piece);
        let room = peer.queue.len() < shared.config.max_requests_per_peer;
        if valid && allowed && room {
            if block.begin == 0 {
                self.on_piece_asked(peer, block.piece, cx);
            }
            peer.queue.push_back(block);
        } else {
            peer.chatter += 1;
            if peer.fast {
                peer.send(&Message::RejectRequest(block), cx);
            }
        }
        Ok(())
    }

    /// Bytes of a piece that may be asked for: in v2 torrents some clients ask for the gap behind a file too, which
    /// is zeros, even behind the last.
    fn servable_len(&self, piece: u32) -> u32 {
        let Some(meta) = &self.meta else { return 0 };
        let v2_only = meta.info.v1_pieces().is_none();
        if v2_only { meta.info.layout().piece_length() } else { self.piece_len(piece) }
    }

    fn on_cancel(&mut self, peer: &mut Peer, block: Block, cx: &mut Cx<'_>) -> Result<(), Violation> {
        if let Some(index) = peer.queue.iter().position(|queued| *queued == block) {
            peer.queue.remove(index);
            if peer.fast {
                peer.send(&Message::RejectRequest(block), cx);
            }
        }
        Ok(())
    }

    fn on_reject(&mut self, peer: &mut Peer, block: Block) -> Result<(), Violation> {
        if let Some(index) = peer.sent.iter().position(|request| request.block == block) {
            peer.sent.remove(index);
            self.release_block(peer.stream, block);
            if peer.peer_choking {
                peer.allowed_us.retain(|piece| *piece != block.piece);
            }
        }
        Ok(())
    }

    fn on_suggest(&mut self, peer: &mut Peer, piece: u32) -> Result<(), Violation> {
        if peer.suggested.len() >= MAX_HINTS {
            peer.suggested.pop_front();
        }
        peer.suggested.push_back(piece);
        Ok(())
    }

    fn on_allowed_fast(&mut self, peer: &mut Peer, piece: u32) -> Result<(), Violation> {
        if peer.allowed_us.len() < MAX_HINTS && !peer.allowed_us.contains(&piece) {
            peer.allowed_us.push(piece);
        }
        Ok(())
    }
}
