//! Sowing: a seed in a flash crowd suggests to each peer pieces that nobody else has or was suggested (BEP 6), so
//! that each piece leaves the seed about once and the crowd spreads the rest.
//!
//! Unlike super-seeding (BEP 16) it hides nothing: peers that ignore suggestions are served as ever.

use super::Torrent;
use crate::peer::Peer;
use crate::pieces::PieceSet;
use crate::shared::Cx;
use throng_wire::peer::Message;

/// Pieces suggested ahead to one peer: its next and the one after, so that its requests never run dry.
const AHEAD: usize = 2;

impl Torrent {
    /// Suggests the next pieces to a peer we serve, while there are others to spread them.
    pub(super) fn sow(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) {
        if !self.is_seed() || !peer.fast || peer.am_choking || !peer.peer_interested || self.super_seeds() {
            return;
        }
        if !self.peers.values().any(|other| other.is_joined() && other.peer_interested) {
            return;
        }
        while peer.sown.len() < AHEAD {
            let Some(piece) = self.next_to_sow(cx) else { return };
            peer.sown.push(piece);
            peer.send(&Message::SuggestPiece(piece), cx);
        }
    }

    /// A piece that nobody else has or was suggested, marked as suggested.
    fn next_to_sow(&mut self, cx: &mut Cx<'_>) -> Option<u32> {
        let pieces = self.have.len();
        let sown = self.sown.get_or_insert_with(|| PieceSet::new(pieces));
        if sown.is_full() {
            return None;
        }
        let start = cx.rng().below(pieces);
        // What somebody has by now need not be looked at again.
        (0..pieces)
            .map(|step| (start + step) % pieces)
            .find(|piece| sown.insert(*piece) && self.availability[*piece as usize] == 0)
    }

    /// A peer asks for a piece: it need not be suggested to others, and the peer may have its next suggestion.
    pub(super) fn on_piece_asked(&mut self, peer: &mut Peer, piece: u32, cx: &mut Cx<'_>) {
        if let Some(sown) = &mut self.sown {
            sown.insert(piece);
        }
        let before = peer.sown.len();
        peer.sown.retain(|suggested| *suggested != piece);
        if peer.sown.len() < before {
            self.sow(peer, cx);
        }
    }

    /// A peer leaves: what it was suggested and does not have may go to others.
    pub(super) fn unsow(&mut self, peer: &Peer) {
        if let Some(sown) = &mut self.sown {
            for piece in peer.sown.iter().filter(|piece| !peer.pieces.has(**piece)) {
                sown.remove(*piece);
            }
        }
    }
}
