//! Super-seeding (BEP 16): the only seed shows each peer one piece at a time, and the next only after another peer
//! has the last, so that each piece leaves the seed about once.

use super::Torrent;
use crate::peer::Peer;
use crate::shared::Cx;
use throng_wire::peer::Message;

/// Pieces shown to one peer and not yet seen elsewhere: two, so that its request pipeline never runs dry.
const SHOWN_AT_ONCE: usize = 2;

impl Torrent {
    pub(super) fn super_seeds(&self) -> bool {
        self.options.super_seed && self.is_seed()
    }

    /// Shows a peer pieces that the fewest others were shown or have.
    pub(super) fn show_pieces(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) {
        while self.super_seeds() && peer.is_joined() && peer.shown.len() < SHOWN_AT_ONCE {
            let Some(piece) = self.piece_to_show(peer, cx) else { return };
            peer.shown.push(piece);
            peer.send(&Message::Have(piece), cx);
        }
    }

    fn piece_to_show(&self, peer: &Peer, cx: &mut Cx<'_>) -> Option<u32> {
        let pieces = self.have.len();
        let start = cx.rng().below(pieces);
        let shown =
            |piece: u32| self.peers.values().filter(|other| other.shown.contains(&piece)).count() as u32;
        (0..pieces)
            .map(|step| (start + step) % pieces)
            .filter(|piece| !peer.pieces.has(*piece) && !peer.shown.contains(piece))
            .min_by_key(|piece| u32::from(self.availability[*piece as usize]) + shown(*piece))
    }

    /// A peer has a piece: whoever was shown it has passed it on, unless it is that peer itself.
    pub(super) fn on_piece_seen(&mut self, peer: &mut Peer, piece: u32, cx: &mut Cx<'_>) {
        if !self.super_seeds() {
            return;
        }
        // Alone with us, or the last piece: nobody will pass it on.
        let alone = self.peers.values().filter(|other| other.is_joined() && !other.is_seed()).count() == 0;
        if alone {
            peer.shown.retain(|shown| *shown != piece);
            self.show_pieces(peer, cx);
        }
        let sources: Vec<_> = self
            .peers
            .values()
            .filter(|other| other.shown.contains(&piece))
            .map(|other| other.stream)
            .collect();
        for stream in sources {
            self.with_peer(stream, |torrent, source| {
                source.shown.retain(|shown| *shown != piece);
                torrent.show_pieces(source, cx);
            });
        }
    }
}
