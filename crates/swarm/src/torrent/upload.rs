//! Sending blocks: at once while unlimited, in turn a block each while a limit holds.

use super::Torrent;
use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use throng_machine::{Extent, StreamId};
use throng_wire::peer::{Block, piece_header};

impl Torrent {
    /// Hands the driver as many of a peer's blocks as its buffer and the upload limit take.
    pub(super) fn serve(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) {
        if shared.config.upload_limit.is_some() {
            self.enlist(peer, shared);
            return;
        }
        while self.may_send(peer, shared)
            && let Some(block) = peer.queue.pop_front()
        {
            self.send_block(peer, block, shared, cx);
        }
    }

    /// Puts a peer with blocks to send into the ring, once.
    fn enlist(&self, peer: &mut Peer, shared: &mut Shared) {
        if !peer.waiting && !peer.queue.is_empty() && self.may_send(peer, shared) {
            peer.waiting = true;
            shared.ring.push_back((self.content, peer.stream));
        }
    }

    fn may_send(&self, peer: &Peer, shared: &Shared) -> bool {
        peer.is_joined() && peer.unflushed < shared.config.max_unflushed
    }

    /// The peer's turn in the ring: one block, and to the back of the ring if it has more.
    pub(crate) fn serve_turn(&mut self, stream: StreamId, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.with_peer(stream, |torrent, peer| {
            peer.waiting = false;
            if torrent.may_send(peer, shared)
                && let Some(block) = peer.queue.pop_front()
            {
                torrent.send_block(peer, block, shared, cx);
            }
            torrent.enlist(peer, shared);
        });
    }

    fn send_block(&mut self, peer: &mut Peer, block: Block, shared: &mut Shared, cx: &mut Cx<'_>) {
        let Block { piece, begin, length } = block;
        // It may have been lost since it was asked for.
        if !self.have.has(piece) {
            return;
        }
        let extent = Extent { content: self.content, offset: self.offset(piece, begin), len: length };
        let head = piece_header(piece, begin, length);
        cx.write_extent(peer.stream, |out| out.extend_from_slice(&head), extent);
        peer.wrote(head.len() + length as usize, cx.now());
        peer.up.add(u64::from(length), cx.now());
        self.up.add(u64::from(length), cx.now());
        shared.upload.take(u64::from(length));
    }
}
