//! Announces of one torrent: what is due goes to the application, what comes back brings peers.

use super::Torrent;
use crate::shared::{Cx, Shared};
use crate::{AnnounceEvent, AnnounceRequest, Event, PeerSource, TrackerOutcome};

/// Peers asked for with an announce: as many as a torrent connects to.
const NUMWANT: u32 = 80;

impl Torrent {
    /// Emits every announce that is due.
    pub(crate) fn announce_due(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        loop {
            let request = shared.request();
            let Some(due) = self.announcer.due(cx.now(), request) else { return };
            let (uploaded, downloaded) = self.totals();
            let wanted = if due.event == AnnounceEvent::Stopped { 0 } else { NUMWANT };
            cx.emit(Event::Announce(Box::new(AnnounceRequest {
                content: self.content,
                request,
                url: due.url,
                info_hash: due.hash,
                peer_id: shared.config.peer_id,
                port: shared.config.listen_port,
                uploaded,
                downloaded,
                left: self.left(),
                event: due.event,
                numwant: wanted,
                key: shared.key,
            })));
        }
    }

    /// A tracker answered, or did not.
    pub(crate) fn announced(
        &mut self,
        request: u32,
        outcome: TrackerOutcome,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if self.announcer.answered(request, &outcome, cx.now())
            && let TrackerOutcome::Answered { peers, .. } = outcome
        {
            self.add_peers(PeerSource::Tracker, &peers, shared, cx);
            self.wake(cx.now());
        }
        self.announce_due(shared, cx);
    }
}
