//! Pieces that somebody waits for, such as the reader of a film that is not complete yet: asked for before all others, in
//! their order, of everyone who has them. What is urgent is replaced as a whole whenever a reader moves; the rest of
//! the torrent goes on in its usual order, by peers that have nothing urgent.

use super::Torrent;
use crate::partial::BlockState;
use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use std::ops::Range;
use throng_wire::peer::Block;

/// Runs at once; one a reader, later ones are left out.
const MAX_RUNS: usize = 32;
/// Pieces that are looked at for one request; further ones become urgent when those before them are here.
const MAX_LOOK: usize = 1_024;
/// The block that is waited for most is asked of at most this many peers.
const MAX_ASKERS: u8 = 3;

impl Torrent {
    /// These runs of pieces are urgent, the first the most; no others are any more.
    pub(crate) fn prioritise(&mut self, runs: Vec<Range<u32>>, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.urgent = runs.into_iter().filter(|run| !run.is_empty()).take(MAX_RUNS).collect();
        if !self.urgent.is_empty() {
            self.fill_all(shared, cx);
        }
    }

    /// Urgent pieces that are not here, the most urgent first.
    pub(super) fn urgent_pieces(&self) -> impl Iterator<Item = u32> {
        let end = self.have.len();
        let pieces = self.urgent.iter().flat_map(move |run| run.start..run.end.min(end));
        pieces.take(MAX_LOOK).filter(|piece| self.wants(*piece))
    }

    /// Whether a block of this piece may be asked of several peers at once.
    pub(super) fn is_most_urgent(&self, piece: u32) -> bool {
        self.urgent.iter().any(|run| run.contains(&piece)) && self.urgent_pieces().next() == Some(piece)
    }

    /// An open block of the most urgent piece that this peer has.
    pub(super) fn pick_urgent(&mut self, peer: &mut Peer, shared: &mut Shared) -> Option<Block> {
        if self.urgent.is_empty() {
            return None;
        }
        let room = self.has_room_to_begin(shared);
        let open = |piece: &u32| match self.partials.get(piece) {
            Some(partial) => partial.free() > 0,
            None => room,
        };
        let piece =
            self.urgent_pieces().find(|piece| peer.pieces.has(*piece) && peer.may_ask(*piece) && open(piece));
        match piece {
            Some(piece) if self.partials.contains_key(&piece) => {
                peer.current = Some(piece);
                self.pick_current(peer)
            }
            Some(piece) => self.begin_piece(peer, piece, shared),
            None => self.pick_urgent_again(peer),
        }
    }

    /// All of it is asked for: an idle peer is asked for what another is slow with, the fewest askers first.
    fn pick_urgent_again(&mut self, peer: &mut Peer) -> Option<Block> {
        if !peer.sent.is_empty() {
            return None;
        }
        let piece = self.urgent_pieces().next()?;
        if !peer.pieces.has(piece) || !peer.may_ask(piece) {
            return None;
        }
        let partial = self.partials.get_mut(&piece)?;
        let slow = (0..partial.len()).filter_map(|index| match partial.block(index) {
            Some(BlockState::Asked(askers)) if askers < MAX_ASKERS => Some((askers, index)),
            _ => None,
        });
        let (_, index) = slow.min()?;
        partial.ask_again(index);
        Some(self.block(piece, index))
    }
}
