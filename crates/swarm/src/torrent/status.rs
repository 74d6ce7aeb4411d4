//! A torrent as a person wants to see it.

use super::Torrent;
use crate::shared::Shared;
use crate::{PeerStatus, TorrentStatus};
use throng_machine::Instant;

impl Torrent {
    /// What is known and done now.
    pub(crate) fn status(&self, now: Instant) -> TorrentStatus {
        let bytes = |piece: u32| u64::from(self.piece_len(piece));
        let wanted = |piece: &u32| self.wanted.as_ref().is_none_or(|wanted| wanted.has(*piece));
        let joined = self.peers.values().filter(|peer| peer.is_joined());
        let rarest = (0..self.have.len())
            .filter(|piece| self.wants(*piece))
            .map(|piece| self.availability[piece as usize]);
        TorrentStatus {
            verified: self.have.iter().filter(wanted).map(bytes).sum(),
            wanted: (0..self.have.len()).filter(wanted).map(bytes).sum(),
            pieces: (self.have.count(), self.have.len()),
            downloaded: self.down.total(),
            uploaded: self.up.total(),
            wasted: self.wasted,
            download_rate: self.down.per_second(now),
            upload_rate: self.up.per_second(now),
            peers: (joined.clone().count(), joined.filter(|peer| peer.is_seed()).count()),
            known_peers: self.known.len(),
            availability: u32::from(rarest.min().unwrap_or(0)),
            announced: self.announcer.announced(),
            announces_in: self.announcer.deadline().map(|at| at.since(now)),
            tracker_errors: self.announcer.errors(),
        }
    }

    /// Its peers.
    pub(crate) fn peer_statuses(&self, now: Instant, shared: &Shared) -> Vec<PeerStatus> {
        let joined = self.peers.values().filter(|peer| peer.is_joined());
        joined
            .map(|peer| PeerStatus {
                address: peer.dialable().unwrap_or(peer.address),
                client: peer.told.client.clone(),
                pieces: peer.pieces.count(),
                downloaded: peer.down.total(),
                uploaded: peer.up.total(),
                download_rate: peer.down.per_second(now),
                upload_rate: peer.up.per_second(now),
                rtt: peer.window.rtt(),
                window: (peer.sent.len() as u32, peer.window_blocks(&shared.config)),
                choking: (peer.am_choking, peer.peer_choking),
                interested: (peer.am_interested, peer.peer_interested),
            })
            .collect()
    }
}
