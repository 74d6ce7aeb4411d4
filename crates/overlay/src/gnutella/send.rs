//! What leaves: through the flow control of each link, deflated where the link is.

use super::link::Live;
use super::machine::{Cx, Servent};
use crate::flood::{FlowLimits, Importance, Pushed};
use bytes::Bytes;
use throng_machine::{Instant, StreamId};
use throng_wire::gnutella::{ByeCode, Guid, HEADER, Header, Kind, VendorKind, VendorMessage};

/// What may be given up first, by the kind of message (section 5).
const PING: u8 = 1;
const QUERY: u8 = 2;
const PONG: u8 = 3;
const HIT: u8 = 4;
const PUSH: u8 = 5;
/// Deflated links are flushed once in so long at most, unless there is much to be sent; gtk-gnutella takes up to 2 s.
const FLUSH: std::time::Duration = std::time::Duration::from_millis(50);
/// Below this, what waits on a link that stood still for long is given up: pings and queries.
pub(super) const WORTH_WAITING: Importance = Importance { class: PONG, rank: 0 };

/// How important a whole message is: queries that have gone far and hits that have not yet go first.
fn importance(message: &[u8]) -> Importance {
    let (kind, hops) = (message.get(16).copied().unwrap_or(0), message.get(18).copied().unwrap_or(0));
    let (class, rank) = match Kind::from_code(kind) {
        Kind::Ping => (PING, u8::MAX - hops),
        Kind::Query => (QUERY, u8::MAX - hops),
        Kind::Pong => (PONG, hops),
        Kind::QueryHit => (HIT, hops),
        Kind::Push => (PUSH, hops),
        Kind::Hsep | Kind::Other(_) => (0, 0),
        Kind::Qrp | Kind::Vendor | Kind::Bye => return Importance::CONTROL,
    };
    Importance { class, rank }
}

/// A fresh message id.
pub(super) fn fresh(cx: &mut Cx<'_>) -> Guid {
    let mut random = [0; 16];
    cx.rng().fill(&mut random);
    Guid::marked(random)
}

/// The header of a message that goes one link.
pub(super) fn local(kind: Kind, cx: &mut Cx<'_>) -> Header {
    Header { guid: fresh(cx), kind, ttl: 1, hops: 0, length: 0 }
}

impl Servent {
    /// Sends a whole message on a link, now or when there is room, or gives it up.
    pub(super) fn send(&mut self, stream: StreamId, message: &[u8], cx: &mut Cx<'_>) {
        let limits: FlowLimits = self.config.limits.flow;
        let Some(live) = self.live_mut(stream) else { return };
        if live.queue.is_open(&limits) {
            self.write(stream, message, cx);
            return;
        }
        match live.queue.push(importance(message), Bytes::copy_from_slice(message), &limits, cx.now()) {
            Pushed::Waits => {}
            Pushed::Dropped(count) => self.metrics.dropped += u64::from(count),
            Pushed::Overflow => self.end(stream, ByeCode::QUEUE_FULL, "Send queue overflow", cx),
        }
        if let Some(since) = self.live(stream).and_then(|live| live.queue.congested_since()) {
            self.look_by(stream, since + super::connect::GIVE_UP);
        }
    }

    /// Writes a message past the queue.
    pub(super) fn write(&mut self, stream: StreamId, message: &[u8], cx: &mut Cx<'_>) {
        let kind = Kind::from_code(message.get(16).copied().unwrap_or(0xff));
        let Some(live) = self.live_mut(stream) else { return };
        live.spoke = cx.now();
        if live.queue.backlog() == 0 {
            live.drained = cx.now();
        }
        live.messages[1] = live.messages[1].saturating_add(1);
        live.bytes[1] += message.len() as u64;
        match live.deflater() {
            Some(deflater) => {
                if deflater.write(message) {
                    self.dirty.push(stream);
                }
            }
            None => {
                live.queue.wrote(message.len());
                cx.write(stream, |out| out.extend_from_slice(message));
            }
        }
        if matches!(kind, Kind::Query | Kind::QueryHit) {
            self.metrics.search_bytes += message.len() as u64;
        }
        self.metrics.sent.count(kind);
        self.metrics.bytes_out += message.len() as u64;
    }

    /// Lets what was deflated go out at the end of a turn: at once on a link that was quiet, else with what follows,
    /// since each time costs as much as deflating many a message.
    pub(super) fn flush_dirty(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.retain(|stream| {
            let flushed = |live: &Live| live.rare().and_then(|rare| rare.flushed).unwrap_or(Instant::EPOCH);
            let due = self.live(*stream).map(|live| (flushed(live) + FLUSH, live.is_full()));
            match due {
                Some((due, false)) if due > now => {
                    self.wake_by(due);
                    true
                }
                Some(_) => {
                    self.flush(*stream, cx);
                    false
                }
                None => false,
            }
        });
        if self.dirty.is_empty() {
            self.dirty = dirty;
        } else {
            self.dirty.append(&mut dirty);
        }
    }

    /// Lets what was deflated go out.
    pub(super) fn flush(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let mut packer = self.packer.take().unwrap_or_default();
        let bytes = self.live_mut(stream).and_then(|live| {
            let rare = live.rare_mut();
            rare.flushed = Some(cx.now());
            Some(rare.deflater.as_mut()?.flush(&mut packer))
        });
        self.packer = Some(packer);
        let Some((live, bytes)) = self.live_mut(stream).zip(bytes) else { return };
        live.queue.wrote(bytes.len());
        cx.write_bytes(stream, Bytes::from(bytes));
    }

    /// Bytes left the stream: what waits may follow.
    pub(super) fn on_flushed(&mut self, stream: StreamId, bytes: u32, cx: &mut Cx<'_>) {
        let limits = self.config.limits.flow;
        let Some(live) = self.live_mut(stream) else { return };
        live.queue.flushed(bytes);
        live.drained = cx.now();
        // Deflated bytes are counted when they are flushed, so that a turn's worth is bounded here.
        let mut room = limits.window;
        while room > 0
            && let Some(message) = self.live_mut(stream).and_then(|live| live.queue.pop(&limits))
        {
            room = room.saturating_sub(message.len() as u32);
            self.write(stream, &message, cx);
        }
    }

    /// Sends a vendor message on a link.
    pub(super) fn send_vendor(
        &mut self,
        stream: StreamId,
        (kind, guid): (VendorKind, Guid),
        data: &[u8],
        cx: &mut Cx<'_>,
    ) {
        let message = vendor(kind, guid, data);
        self.send(stream, &message, cx);
    }
}

/// A whole vendor message.
pub(super) fn vendor(kind: VendorKind, guid: Guid, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + 8 + data.len());
    let header = Header { guid, kind: Kind::Vendor, ttl: 1, hops: 0, length: 0 };
    header.message(&mut message, |out| VendorMessage { kind, data }.put(out));
    message
}
