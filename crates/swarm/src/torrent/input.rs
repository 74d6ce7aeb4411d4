//! A peer's stream: handshake, then messages, with the data of blocks routed past us.

use super::Torrent;
use crate::Event;
use crate::peer::{Arrival, Peer, Phase};
use crate::rate::BLOCK;
use crate::shared::{Cx, Shared};
use crate::violation::Violation;
use throng_machine::{Extent, StreamEnd, StreamId, StreamInput};
use throng_wire::ids::InfoHash;
use throng_wire::peer::{Block, Handshake, Message, PIECE_HEADER_LEN, Progress, parse_prefix};

/// Messages a second that neither bring nor fetch anything: repeated haves, refused requests, toggles.
const MAX_CHATTER: u32 = 20_000;
/// Bytes waiting for a peer that does not read, beyond what we hand it of blocks: answers to what it keeps asking.
const MAX_UNREAD: u32 = 4 << 20;
/// Bytes nobody asked for that may be late answers to cancelled requests.
const MAX_UNASKED: u64 = 32 << 20;

impl Torrent {
    /// Something happened to the stream of one of our peers.
    pub(crate) fn handle_stream(
        &mut self,
        stream: StreamId,
        input: StreamInput<'_>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let Some(mut peer) = self.peers.remove(&stream) else { return };
        let outcome = match input {
            StreamInput::Opened => self.on_opened(&mut peer, shared, cx),
            StreamInput::Bytes(bytes) => self.on_bytes(&mut peer, bytes, shared, cx),
            StreamInput::Blank(count) => self.on_blank(&mut peer, count, shared, cx),
            StreamInput::Flushed(count) => {
                peer.unflushed = peer.unflushed.saturating_sub(count);
                self.serve(&mut peer, shared, cx);
                Ok(())
            }
            StreamInput::Closed(end) => return self.on_closed(peer, end, shared, cx),
            StreamInput::Accepted { .. } => Ok(()),
        };
        if let Err(violation) = outcome {
            self.punish(&mut peer, violation, shared, cx);
        }
        // It may have been found lying by what it sent itself.
        if peer.is_joined() && shared.is_banned(peer.address, &peer.id) {
            peer.close(cx);
        }
        if peer.closing {
            self.forget(peer, shared, cx);
        } else {
            self.peers.insert(stream, peer);
        }
    }

    fn on_closed(&mut self, mut peer: Box<Peer>, _end: StreamEnd, shared: &mut Shared, cx: &mut Cx<'_>) {
        peer.closing = true;
        self.forget(peer, shared, cx);
    }

    /// Closes a peer that broke the protocol, and shuts it out where that is due.
    pub(super) fn punish(
        &mut self,
        peer: &mut Peer,
        violation: Violation,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if let Some(reason) = violation.ban() {
            shared.ban(peer.address, peer.id);
            let client = peer.told.client.clone();
            cx.emit(Event::Banned { content: self.content, peer: peer.address, client, reason });
        }
        if violation != Violation::Duplicate
            && let Some(address) = peer.dialable()
        {
            self.known.forget(address);
        }
        peer.close(cx);
    }

    fn on_opened(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) -> Result<(), Violation> {
        shared.half_open = shared.half_open.saturating_sub(1);
        peer.phase = Phase::Handshaking;
        peer.began = cx.now();
        let info_hash = self.info_hashes.first().copied().unwrap_or_default();
        self.send_handshake(peer, InfoHash(info_hash), shared, cx);
        Ok(())
    }

    /// Handles bytes of a stream; positions handed to [`Cx::place`] count from the start of `bytes`.
    pub(crate) fn on_bytes(
        &mut self,
        peer: &mut Peer,
        bytes: &[u8],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        peer.last_received = cx.now();
        let mut at = 0;
        while at < bytes.len() && !peer.closing {
            at += if peer.arrival.is_some() {
                self.take_data(peer, (bytes.len() - at) as u32, at as u32, shared, cx)? as usize
            } else {
                self.take_frame(peer, &bytes[at..], shared, cx)?
            };
        }
        self.after_input(peer, shared, cx);
        Ok(())
    }

    fn on_blank(
        &mut self,
        peer: &mut Peer,
        count: u32,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        peer.last_received = cx.now();
        let mut at = 0;
        while at < count && peer.arrival.is_some() {
            at += self.take_data(peer, count - at, at, shared, cx)?;
        }
        self.after_input(peer, shared, cx);
        // Data outside a block cannot be read.
        if at < count { Err(Violation::Unasked) } else { Ok(()) }
    }

    fn after_input(&mut self, peer: &mut Peer, shared: &mut Shared, cx: &mut Cx<'_>) {
        if peer.is_joined() {
            self.fill_requests(peer, shared, cx);
            self.serve(peer, shared, cx);
        }
    }

    /// Takes bytes of a frame that is not a block's data; returns how many.
    fn take_frame(
        &mut self,
        peer: &mut Peer,
        bytes: &[u8],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<usize, Violation> {
        if peer.tail.is_empty() {
            let consumed = self.parse(peer, bytes, shared, cx)?;
            if consumed == 0 {
                peer.tail.extend_from_slice(bytes);
                return Ok(bytes.len());
            }
            return Ok(consumed);
        }
        // A frame began in an earlier input: complete it by as little as it needs.
        let mut tail = std::mem::take(&mut peer.tail);
        let mut taken = 0;
        while taken < bytes.len() {
            let missing = self.needs(peer, &tail)?.saturating_sub(tail.len()).clamp(1, bytes.len() - taken);
            tail.extend_from_slice(&bytes[taken..taken + missing]);
            taken += missing;
            let consumed = self.parse(peer, &tail, shared, cx)?;
            if consumed > 0 {
                debug_assert_eq!(consumed, tail.len());
                tail.clear();
                // Keep small buffers: most frames are split again soon.
                if tail.capacity() <= 4096 {
                    peer.tail = tail;
                }
                return Ok(taken);
            }
        }
        peer.tail = tail;
        Ok(taken)
    }

    /// How many bytes the frame begun in `tail` needs before more can be said.
    fn needs(&self, peer: &Peer, tail: &[u8]) -> Result<usize, Violation> {
        if peer.phase != Phase::Joined {
            return Ok(throng_wire::peer::HANDSHAKE_LEN);
        }
        match parse_prefix(tail, &self.limits)? {
            Progress::NeedMore(bytes) => Ok(bytes),
            _ => Ok(tail.len()),
        }
    }

    /// Parses one frame; returns the bytes it took, zero if it is not complete.
    fn parse(
        &mut self,
        peer: &mut Peer,
        bytes: &[u8],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<usize, Violation> {
        if peer.phase != Phase::Joined {
            return match Handshake::decode(bytes)? {
                Some(handshake) => {
                    self.on_handshake(peer, handshake, shared, cx)?;
                    Ok(throng_wire::peer::HANDSHAKE_LEN)
                }
                None => Ok(0),
            };
        }
        match parse_prefix(bytes, &self.limits)? {
            Progress::NeedMore(_) => Ok(0),
            Progress::Message { message, consumed } => {
                // Requests and haves count only where they are in vain: their handlers say so.
                peer.chatter += u32::from(!matches!(message, Message::Request(_) | Message::Have(_)));
                self.on_message(peer, message, shared, cx)?;
                let unread = peer.unflushed > shared.config.max_unflushed.saturating_add(MAX_UNREAD);
                if peer.chatter > MAX_CHATTER || unread {
                    return Err(Violation::Flood);
                }
                Ok(consumed)
            }
            Progress::PieceHeader { piece, begin, len } => {
                self.begin_block(peer, Block { piece, begin, length: len });
                if len == 0 {
                    peer.arrival = None;
                }
                Ok(PIECE_HEADER_LEN)
            }
        }
    }

    /// A block is about to arrive: decides whether its data is kept.
    fn begin_block(&mut self, peer: &mut Peer, block: Block) {
        let asked = peer.sent.iter().position(|request| request.block == block);
        let request = asked.and_then(|index| peer.sent.remove(index));
        let stream = peer.stream;
        let wanted = request.is_some()
            && !self.have.has(block.piece)
            && self
                .partials
                .get_mut(&block.piece)
                .is_some_and(|partial| partial.begin(block.begin / BLOCK, stream));
        let stamp = request.map(|request| request.stamp);
        peer.arrival = Some(Arrival { block, got: 0, wanted, stamp });
    }

    /// Routes up to `count` bytes of the block coming in, `at` bytes into the input; returns how many it took.
    fn take_data(
        &mut self,
        peer: &mut Peer,
        count: u32,
        at: u32,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<u32, Violation> {
        let Some(arrival) = &mut peer.arrival else { return Ok(0) };
        let take = count.min(arrival.block.length - arrival.got);
        if arrival.wanted {
            let Block { piece, begin, .. } = arrival.block;
            let offset = self.offset(piece, begin) + u64::from(arrival.got);
            cx.place(Extent { content: self.content, offset, len: take }, at);
        }
        arrival.got += take;
        if arrival.got == arrival.block.length
            && let Some(arrival) = peer.arrival.take()
        {
            self.on_block(peer, arrival, shared, cx)?;
        }
        Ok(take)
    }

    fn on_block(
        &mut self,
        peer: &mut Peer,
        arrival: Arrival,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        let (now, bytes) = (cx.now(), u64::from(arrival.block.length));
        peer.down.add(bytes, now);
        self.down.add(bytes, now);
        if let Some(stamp) = arrival.stamp {
            peer.window.on_block(stamp, arrival.block.length, now, shared.config.queue_delay);
            (peer.last_block, peer.snubbed) = (now, false);
        } else {
            peer.unasked += bytes;
        }
        if arrival.wanted {
            self.received(arrival.block, peer.stream, shared, cx);
        } else {
            self.wasted += bytes;
        }
        if peer.unasked > MAX_UNASKED { Err(Violation::Unasked) } else { Ok(()) }
    }
}
