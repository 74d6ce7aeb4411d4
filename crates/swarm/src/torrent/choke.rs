//! Whom to serve: reciprocity every 10 s, an optimistic slot every 30 s (BEP 3); seeds rotate.
//!
//! A seed serves in turns instead of serving the fastest: every interested peer gets a fair share, so a free rider
//! with a fast link gains nothing over an honest peer with a slow one.

use super::Torrent;
use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use std::cmp::Reverse;
use std::time::Duration;
use throng_machine::StreamId;
use throng_wire::peer::Message;

/// An optimistic unchoke lasts three rounds (BEP 3).
pub(super) const OPTIMISTIC_INTERVAL: Duration = Duration::from_secs(30);
/// A seed's turn ends after that much payload, or after [`TURN_TIME`].
const TURN_BYTES: u64 = 8 << 20;
const TURN_TIME: Duration = Duration::from_secs(60);
/// Slots while nothing limits the upload: many small flows fill any link.
const FREE_SLOTS: usize = 20;

impl Torrent {
    /// Peers served at once.
    fn slots(&self, shared: &Shared) -> usize {
        let config = &shared.config;
        config.upload_slots.unwrap_or_else(|| match config.upload_limit {
            None => FREE_SLOTS,
            // As libtorrent's documentation reasons: about the square root of 0.6 of the KiB/s.
            Some(limit) => (((limit / 1024) as f64 * 0.6).sqrt() as usize).clamp(4, 100),
        })
    }

    /// A peer's interest changed: a free slot serves it at once, a freed one serves another.
    pub(super) fn on_interest_changed(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) {
        let served = self.peers.values().filter(|other| !other.am_choking && other.peer_interested).count();
        if peer.peer_interested && peer.am_choking && served < self.slots(shared) {
            unchoke(peer, cx);
            self.sow(peer, cx);
        } else if !peer.peer_interested && !peer.am_choking {
            // It keeps its slot until somebody wants it, which is decided at the next round.
            self.next_choke = self.next_choke.min(cx.now() + Duration::from_secs(1));
        }
    }

    /// A round of the choker.
    pub(super) fn rechoke(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let slots = self.slots(shared);
        let mut order: Vec<StreamId> = self.interested();
        let optimistic = usize::from(slots > 0 && order.len() > slots);
        self.rank(&mut order, cx);
        let mut chosen: Vec<StreamId> = order.iter().copied().take(slots - optimistic).collect();
        if optimistic == 1 {
            chosen.extend(self.choose_optimistic(&order[chosen.len()..], cx));
        }
        // Chokes first, so that no driver sees more peers served than there are slots.
        for serve in [false, true] {
            let streams: Vec<StreamId> = self.peers.keys().copied().collect();
            for stream in streams.into_iter().filter(|stream| chosen.contains(stream) == serve) {
                self.with_peer(stream, |torrent, peer| {
                    if serve {
                        unchoke(peer, cx);
                        torrent.sow(peer, cx);
                    } else {
                        choke(peer, cx);
                    }
                });
            }
        }
    }

    fn interested(&self) -> Vec<StreamId> {
        let interested = self.peers.values().filter(|peer| peer.is_joined() && peer.peer_interested);
        interested.map(|peer| peer.stream).collect()
    }

    /// Orders interested peers, the most deserving first.
    fn rank(&self, order: &mut [StreamId], cx: &mut Cx<'_>) {
        let now = cx.now();
        let peer = |stream: &StreamId| &self.peers[stream];
        if self.is_finished() {
            order.sort_by_key(|stream| {
                let peer = peer(stream);
                let had_turn = now.since(peer.unchoked_at) > TURN_TIME
                    || peer.up.total() - peer.unchoked_total > TURN_BYTES;
                // In the middle of a turn first, then those who waited longest.
                (peer.am_choking || had_turn, peer.unchoked_at)
            });
        } else {
            order.sort_by_key(|stream| {
                let peer = peer(stream);
                let rate = if peer.snubbed { 0 } else { peer.down.per_second(now) };
                (Reverse(rate), peer.unchoked_at)
            });
        }
    }

    /// The optimistic slot: the present one until its time is over, then any other, newcomers three times as likely.
    fn choose_optimistic(&mut self, rest: &[StreamId], cx: &mut Cx<'_>) -> Option<StreamId> {
        let now = cx.now();
        let present = rest.iter().copied().find(|stream| self.peers[stream].optimistic);
        if present.is_some() && now < self.next_optimistic {
            return present;
        }
        self.next_optimistic = now + OPTIMISTIC_INTERVAL;
        let weight =
            |stream: &StreamId| if now.since(self.peers[stream].began) < OPTIMISTIC_INTERVAL { 3 } else { 1 };
        let total: u32 = rest.iter().map(weight).sum();
        let mut draw = cx.rng().below(total);
        let chosen = rest.iter().copied().find(|stream| {
            let hit = draw < weight(stream);
            draw = draw.saturating_sub(weight(stream));
            hit
        })?;
        for peer in self.peers.values_mut() {
            peer.optimistic = peer.stream == chosen;
        }
        Some(chosen)
    }
}

fn unchoke(peer: &mut Peer, cx: &mut Cx<'_>) {
    if peer.am_choking && peer.is_joined() {
        peer.am_choking = false;
        (peer.unchoked_at, peer.unchoked_total) = (cx.now(), peer.up.total());
        peer.send(&Message::Unchoke, cx);
    }
}

fn choke(peer: &mut Peer, cx: &mut Cx<'_>) {
    if peer.am_choking || !peer.is_joined() {
        return;
    }
    peer.am_choking = true;
    peer.send(&Message::Choke, cx);
    let dropped = std::mem::take(&mut peer.queue);
    // With the fast extension each request is answered; pieces allowed to the choked stay (BEP 6).
    for block in dropped {
        if peer.allowed_it.contains(&block.piece) {
            peer.queue.push_back(block);
        } else if peer.fast {
            peer.send(&Message::RejectRequest(block), cx);
        }
    }
}
