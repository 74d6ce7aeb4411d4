//! Choosing what to ask for: what somebody waits for, finish what is begun, then the rarest piece, then endgame (BEP 3).

use super::Torrent;
use crate::Event;
use crate::partial::{BlockState, Partial};
use crate::peer::{Peer, Request};
use crate::picker;
use crate::rate::BLOCK;
use crate::shared::{Cx, Shared};
use throng_machine::StreamId;
use throng_wire::peer::{Block, Message};

/// The first pieces are picked at random: rare ones are slow, and a newcomer needs something to trade.
const RANDOM_FIRST: u32 = 4;
/// In the endgame one block is asked of at most this many peers.
const MAX_ASKERS: u8 = 3;

impl Torrent {
    /// Asks a peer for as many blocks as its window has room for.
    pub(super) fn fill_requests(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) {
        if !self.fetches() || !peer.am_interested || (peer.peer_choking && peer.allowed_us.is_empty()) {
            return;
        }
        let window = peer.window_blocks(&shared.config);
        let under_way = peer.sent.len() as u32;
        // Refill by quarters: asking in bursts costs fewer packets and lets the peer read ahead.
        if under_way > window - window.div_ceil(4).min(window) && under_way > 0 {
            return;
        }
        for _ in under_way..window {
            if !shared.download.is_open(cx.now()) {
                shared.thirsty.insert(self.content);
                break;
            }
            let Some(block) = self.pick(peer, shared, cx) else { break };
            shared.download.take(u64::from(block.length));
            if !peer.owes() {
                peer.last_block = cx.now();
            }
            let stamp = peer.window.stamp(cx.now());
            peer.sent.push_back(Request { block, stamp });
            peer.send(&Message::Request(block), cx);
        }
    }

    /// Lets every peer with an idle window ask again.
    pub(crate) fn fill_all(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        if !self.fetches() {
            return;
        }
        let idle: Vec<StreamId> = self
            .peers
            .values()
            .filter(|peer| peer.is_joined() && peer.am_interested && peer.sent.len() < 2)
            .map(|peer| peer.stream)
            .collect();
        for stream in idle {
            self.with_peer(stream, |torrent, peer| torrent.fill_requests(peer, shared, cx));
        }
        self.fill_sources(shared, cx);
    }

    /// Takes a peer out, lets `act` work on both, and puts it back.
    pub(super) fn with_peer(&mut self, stream: StreamId, act: impl FnOnce(&mut Torrent, &mut Peer)) {
        if let Some(mut peer) = self.peers.remove(&stream) {
            act(self, &mut peer);
            self.peers.insert(stream, peer);
        }
    }

    /// The next block to ask this peer for, marked as asked.
    fn pick(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) -> Option<Block> {
        self.pick_urgent(peer, shared)
            .or_else(|| self.pick_current(peer))
            .or_else(|| self.pick_suggested(peer, shared))
            .or_else(|| self.pick_begun(peer))
            .or_else(|| self.pick_new(peer, shared, cx))
            .or_else(|| self.pick_reserved(peer, shared, cx))
            .or_else(|| self.pick_endgame(peer))
    }

    pub(super) fn pick_current(&mut self, peer: &mut Peer) -> Option<Block> {
        let piece = peer.current.filter(|piece| peer.may_ask(*piece))?;
        let index = self.partials.get_mut(&piece)?.take_free()?;
        Some(self.block(piece, index))
    }

    /// A begun piece with free blocks, the nearest to completion first.
    fn pick_begun(&mut self, peer: &mut Peer) -> Option<Block> {
        let open = self.partials.iter().filter(|(piece, partial)| {
            partial.free() > 0 && peer.pieces.has(**piece) && peer.may_ask(**piece)
        });
        let piece = *open.min_by_key(|(_, partial)| partial.free())?.0;
        peer.current = Some(piece);
        self.pick_current(peer)
    }

    /// What a seed suggests nobody else has: finishing what others can send too may wait.
    fn pick_suggested(&mut self, peer: &mut Peer, shared: &mut Shared) -> Option<Block> {
        if peer.peer_choking || !self.has_room_to_begin(shared) {
            return None;
        }
        while let Some(piece) = peer.suggested.pop_front() {
            let reserved = self.reserved().iter().any(|run| run.contains(&piece));
            if self.wants(piece) && peer.pieces.has(piece) && !reserved && !self.partials.contains_key(&piece)
            {
                return self.begin_piece(peer, piece, shared);
            }
        }
        None
    }

    fn pick_new(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) -> Option<Block> {
        if !self.has_room_to_begin(shared) {
            return None;
        }
        let piece = self.choose_piece(peer, cx)?;
        self.begin_piece(peer, piece, shared)
    }

    /// Whether one more piece fits the memory for pieces begun; one always does.
    pub(super) fn has_room_to_begin(&self, shared: &Shared) -> bool {
        let length = self.meta.as_ref().map_or(0, |meta| u64::from(meta.info.layout().piece_length()));
        self.partials.is_empty() || shared.partial_bytes + length <= shared.config.max_partial_bytes
    }

    pub(super) fn begin_piece(&mut self, peer: &mut Peer, piece: u32, shared: &mut Shared) -> Option<Block> {
        self.insert_partial(piece, shared);
        peer.current = Some(piece);
        self.pick_current(peer)
    }

    /// Begins a piece nobody was asked for.
    pub(super) fn insert_partial(&mut self, piece: u32, shared: &mut Shared) {
        let length = self.meta.as_ref().map_or(0, |meta| u64::from(meta.info.layout().piece_length()));
        self.partials.insert(piece, Partial::new(self.data_len(piece).div_ceil(BLOCK)));
        self.partial_bytes += length;
        shared.partial_bytes += length;
    }

    fn choose_piece(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) -> Option<u32> {
        let (partials, reserved) = (&self.partials, self.reserved());
        let begun = |piece| partials.contains_key(&piece) || reserved.iter().any(|run| run.contains(&piece));
        let fresh = |piece: u32| self.wants(piece) && peer.pieces.has(piece) && !begun(piece);
        if peer.peer_choking {
            return peer.allowed_us.iter().copied().find(|piece| fresh(*piece));
        }
        let candidates = picker::Candidates {
            has: &peer.pieces,
            have: &self.have,
            wanted: self.wanted.as_ref(),
            begun: &begun,
        };
        if self.have.count() < RANDOM_FIRST {
            picker::random(&candidates, cx.rng())
        } else {
            picker::rarest(&candidates, &self.availability, cx.rng())
        }
    }

    /// Everything is asked for: ask for the blocks others are slow with, fewest askers first.
    fn pick_endgame(&mut self, peer: &mut Peer) -> Option<Block> {
        // One duplicate at a time: more would only steal the bandwidth of blocks that nobody else sends.
        if self.partials.len() < self.missing as usize || !peer.sent.is_empty() {
            return None;
        }
        let slow =
            self.partials.iter().filter(|(piece, _)| peer.pieces.has(**piece) && peer.may_ask(**piece));
        let (_, piece, index) = slow
            .flat_map(|(piece, partial)| {
                (0..partial.len()).filter_map(move |index| match partial.block(index) {
                    Some(BlockState::Asked(askers)) if askers < MAX_ASKERS => Some((askers, *piece, index)),
                    _ => None,
                })
            })
            .min()?;
        self.partials.get_mut(&piece)?.ask_again(index);
        Some(self.block(piece, index))
    }

    /// A wanted block is here.
    pub(super) fn received(&mut self, block: Block, from: StreamId, shared: &mut Shared, cx: &mut Cx<'_>) {
        let Some(partial) = self.partials.get_mut(&block.piece) else { return };
        let complete = partial.finish(block.begin / BLOCK, from);
        partial.verifying |= complete;
        if complete {
            cx.emit(Event::PieceComplete(self.content, block.piece));
        }
        if self.partials.len() >= self.missing as usize || self.is_most_urgent(block.piece) {
            self.cancel_elsewhere(block, shared, cx);
        }
    }

    /// In the endgame others were asked for the same block: tell them not to send it.
    fn cancel_elsewhere(&mut self, block: Block, shared: &mut Shared, cx: &mut Cx<'_>) {
        let asked = |peer: &Peer| peer.sent.iter().position(|request| request.block == block);
        let others: Vec<StreamId> =
            self.peers.values().filter(|peer| asked(peer).is_some()).map(|peer| peer.stream).collect();
        for stream in others {
            self.with_peer(stream, |torrent, peer| {
                if let Some(index) = asked(peer) {
                    peer.sent.remove(index);
                    peer.send(&Message::Cancel(block), cx);
                }
                torrent.fill_requests(peer, shared, cx);
            });
        }
    }

    /// A block this peer was asked for will not come from it.
    pub(super) fn release_block(&mut self, stream: StreamId, block: Block) {
        if let Some(partial) = self.partials.get_mut(&block.piece) {
            partial.release(block.begin / BLOCK, stream);
        }
    }

    /// Nothing this peer was asked for will come from it.
    pub(super) fn release_requests(&mut self, peer: &mut Peer) {
        for request in std::mem::take(&mut peer.sent) {
            self.release_block(peer.stream, request.block);
        }
        if peer.closing
            && let Some(arrival) = peer.arrival.take().filter(|arrival| arrival.wanted)
        {
            self.release_block(peer.stream, arrival.block);
        }
    }

    /// Gives up a begun piece.
    pub(super) fn drop_partial(&mut self, piece: u32, shared: &mut Shared) {
        if self.partials.remove(&piece).is_some() {
            self.hashes.forget_leaves(piece);
            let length = self.meta.as_ref().map_or(0, |meta| u64::from(meta.info.layout().piece_length()));
            self.partial_bytes = self.partial_bytes.saturating_sub(length);
            shared.partial_bytes = shared.partial_bytes.saturating_sub(length);
        }
    }
}
