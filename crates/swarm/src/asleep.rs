//! Swarms that are known and not open: of a node's torrents most are idle, and those cost twenty bytes here. Who
//! connects for one waits while the application opens it.

use crate::Event;
use crate::shared::Cx;
use crate::swarm::{Stranger, Swarm};
use throng_machine::{ContentId, StreamId};

/// Bytes kept of a caller. An honest one sends its handshake, and perhaps its first messages, before it hears from us.
const MOST_KEPT: usize = 4 << 10;

impl Swarm {
    /// Whether a torrent is complete and nobody is connected for it: it may sleep.
    pub fn is_idle(&self, content: ContentId) -> bool {
        self.torrents.get(&content).is_some_and(|torrent| torrent.peers.is_empty() && torrent.is_finished())
    }

    pub(crate) fn sleep(&mut self, content: ContentId) {
        if !self.is_idle(content) {
            return;
        }
        let Some(torrent) = self.torrents.get(&content) else { return };
        self.asleep.extend(torrent.info_hashes.iter().copied());
        self.drop_torrent(content);
    }

    pub(crate) fn forget(&mut self, hashes: &[[u8; 20]]) {
        hashes.iter().for_each(|hash| _ = self.asleep.remove(hash));
    }

    /// A torrent is being added: those who called for it, each with the swarm it named.
    pub(crate) fn awaken(&mut self, hashes: &[[u8; 20]]) -> Vec<(StreamId, Stranger, [u8; 20])> {
        if !hashes.iter().fold(false, |any, hash| self.asleep.remove(hash) | any) {
            return Vec::new();
        }
        let called = |stranger: &Stranger| stranger.called.filter(|hash| hashes.contains(hash));
        let waiting: Vec<StreamId> = self
            .strangers
            .iter()
            .filter_map(|(stream, stranger)| called(stranger).map(|_| *stream))
            .collect();
        let take = |stream: StreamId| {
            let stranger = self.strangers.remove(&stream)?;
            let hash = stranger.called?;
            Some((stream, stranger, hash))
        };
        waiting.into_iter().filter_map(take).collect()
    }

    /// Someone named a swarm that is not open: the application is asked to open it, if it is known.
    pub(crate) fn on_unknown(
        &mut self,
        stream: StreamId,
        mut stranger: Stranger,
        hash: [u8; 20],
        bytes: &[u8],
        cx: &mut Cx<'_>,
    ) {
        if !self.asleep.contains(&hash) {
            return self.turn_away(stream, &stranger, cx);
        }
        stranger.called = Some(hash);
        cx.emit(Event::Called(hash));
        self.keep_waiting(stream, stranger, bytes, cx);
    }

    /// More of one who called, kept until the torrent is open.
    pub(crate) fn keep_waiting(
        &mut self,
        stream: StreamId,
        mut stranger: Stranger,
        bytes: &[u8],
        cx: &mut Cx<'_>,
    ) {
        if stranger.bytes.len() + bytes.len() > MOST_KEPT {
            return self.turn_away(stream, &stranger, cx);
        }
        stranger.bytes.extend_from_slice(bytes);
        self.strangers.insert(stream, stranger);
    }
}
