//! Streams: handshake, queues of chunks, and the end.
//!
//! A connection has two ends, named `2 * connection + side`; the other end of `e` is `e ^ 1`. A connection counts
//! what still refers to it (chunks under way, events, places in an uplink's round) and is reused only after.
//! Every write goes straight into the chunk that will carry it; file data is carried as counts.

use crate::config::{Nat, link, micros};
use crate::host::endpoint;
use crate::pool::NONE;
use crate::queue::Event;
use crate::world::World;
use throng_machine::{Endpoint, Extent, SplitMix64, StreamId, Via};

/// Fullest a chunk gets: one block of 16 KiB with what goes before it.
pub(crate) const CHUNK: u32 = (16 << 10) + 512;
/// Ephemeral ports begin here (RFC 6335).
const EPHEMERAL: u16 = 49_152;

/// One end of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub host: u32,
    pub id: u32,
    /// Chunks not yet on the uplink.
    pub head: u32,
    pub tail: u32,
    /// The next in the uplink's round.
    pub next_ready: u32,
    /// Bytes that left the uplink and were not yet delivered.
    pub in_flight: u32,
    /// Bytes that left the uplink.
    pub sent: u64,
    /// When (µs) the last chunk arrives: streams don't overtake themselves.
    pub last_arrival: u64,
    /// The machine knows it.
    pub attached: bool,
    /// The handshake is done, as far as this end knows.
    pub open: bool,
    /// What is queued is still to be sent.
    pub sending: bool,
    /// In the uplink's round.
    pub ready: bool,
}

impl Default for End {
    fn default() -> End {
        End {
            host: NONE,
            id: 0,
            head: NONE,
            tail: NONE,
            next_ready: NONE,
            in_flight: 0,
            sent: 0,
            last_arrival: 0,
            attached: false,
            open: false,
            sending: false,
            ready: false,
        }
    }
}

/// A connection: two cache lines.
#[derive(Default, Debug)]
#[repr(align(64))]
pub(crate) struct Conn {
    pub ends: [End; 2],
    pub latency: u64,
    /// Seeds this connection's accidents.
    pub key: u64,
    refs: u32,
    port: u16,
}

impl World {
    pub(crate) fn conn(&mut self, end: u32) -> &mut Conn {
        &mut self.conns[end / 2]
    }

    pub(crate) fn end(&self, end: u32) -> &End {
        &self.conns[end / 2].ends[end as usize % 2]
    }

    pub(crate) fn end_mut(&mut self, end: u32) -> &mut End {
        &mut self.conns[end / 2].ends[end as usize % 2]
    }

    fn find(&self, host: u32, stream: StreamId) -> Option<u32> {
        self.slot(host).nic.as_ref()?.end(stream.0)
    }

    /// Queues an event that refers to an end or its connection.
    pub(crate) fn notify(&mut self, at: u64, end: u32, event: Event) {
        self.conn(end).refs += 1;
        self.queue.push(at, event);
    }

    pub(crate) fn retain(&mut self, end: u32) {
        self.conn(end).refs += 1;
    }

    /// Something no longer refers to the connection of `end`.
    pub(crate) fn release(&mut self, end: u32) {
        self.conn(end).refs -= 1;
        self.free_if_unused(end);
    }

    pub(crate) fn free_if_unused(&mut self, end: u32) {
        let conn = &self.conns[end / 2];
        if conn.refs == 0 && !conn.ends[0].attached && !conn.ends[1].attached {
            self.drop_queue(end);
            self.drop_queue(end ^ 1);
            self.conns.remove(end / 2);
        }
    }

    /// A machine asks for a stream.
    pub(crate) fn open(&mut self, host: u32, stream: StreamId, via: Via, to: Endpoint) {
        self.probe.totals.opens += 1;
        let target = self.resolve(to).filter(|_| via == Via::Tcp);
        let latency = target.map_or(0, |target| self.latency(host, target));
        let key =
            SplitMix64::mix(SplitMix64::mix(self.seed, !link(host, to_number(target))), u64::from(stream.0));
        let opener = End { host, id: stream.0, attached: true, ..End::default() };
        let ends = [opener, End { host: to_number(target), ..End::default() }];
        let conn = self.conns.insert(Conn { ends, latency, key, refs: 1, port: to.port() });
        self.nic(host).attach(stream.0, conn * 2);
        if target.is_some() {
            self.after(latency, Event::Syn(conn));
        } else {
            self.after(micros(self.network.connect_timeout), Event::Refused(conn * 2));
        }
    }

    /// A connection attempt reaches its target: who accepts it, as which stream, from where.
    pub(crate) fn syn(&mut self, conn: u32) -> Option<(u32, StreamId, Endpoint)> {
        let (opener, acceptor) = (conn * 2, conn * 2 + 1);
        let Conn { ends, latency, port, .. } = self.conns[conn];
        let (from, to) = (ends[0].host, ends[1].host);
        if !ends[0].attached {
            self.release(opener);
            return None;
        }
        let profile = &self.kind(to).profile;
        if !self.slot(to).up || profile.nat != Nat::Open || !self.can_talk(from, to) {
            let rest = micros(self.network.connect_timeout).saturating_sub(latency).max(latency);
            self.after(rest, Event::Refused(opener));
            return None;
        }
        if !profile.listens || profile.port != port {
            self.after(latency, Event::Refused(opener));
            return None;
        }
        let slot = &mut self.hosts[to as usize];
        let id = slot.next_stream;
        slot.next_stream = slot.next_stream.wrapping_add(1);
        self.nic(to).attach(id, acceptor);
        let opened = self.now + latency;
        let end = self.end_mut(acceptor);
        (end.id, end.last_arrival) = (id, opened);
        (end.attached, end.open, end.sending) = (true, true, true);
        self.queue.push(opened, Event::Opened(opener));
        self.probe.totals.accepts += 1;
        let ephemeral = EPHEMERAL + (ends[0].id % u32::from(u16::MAX - EPHEMERAL)) as u16;
        Some((to, StreamId(id), endpoint(from, ephemeral)))
    }

    /// The handshake is done; says whom to tell, unless the opener has given up.
    pub(crate) fn opened(&mut self, opener: u32) -> Option<(u32, StreamId)> {
        let End { host, id, attached, .. } = *self.end(opener);
        if attached {
            let end = self.end_mut(opener);
            (end.open, end.sending) = (true, true);
            self.make_ready(opener);
        } else {
            let at = self.now + self.conn(opener).latency;
            self.notify(at, opener ^ 1, Event::Finished(opener ^ 1));
        }
        self.release(opener);
        attached.then_some((host, StreamId(id)))
    }

    /// An end's stream is over (refused, broken or finished); says whom to tell, if it did not know.
    pub(crate) fn ended(&mut self, end: u32) -> Option<(u32, StreamId)> {
        let End { host, id, attached, .. } = *self.end(end);
        if attached {
            self.detach(end);
            self.drop_queue(end);
        }
        self.release(end);
        attached.then_some((host, StreamId(id)))
    }

    /// Both ends learn now that the stream broke.
    pub(crate) fn break_both(&mut self, end: u32) {
        for end in [end, end ^ 1] {
            if self.end(end).attached {
                self.notify(self.now, end, Event::Broken(end));
            }
        }
    }

    /// The machine forgets an end, or is made to.
    pub(crate) fn detach(&mut self, end: u32) {
        let End { host, id, .. } = *self.end(end);
        self.end_mut(end).attached = false;
        self.nic(host).detach(id);
        self.drop_parked(end ^ 1);
    }

    /// What an end had queued will not be sent.
    pub(crate) fn drop_queue(&mut self, end: u32) {
        let state = self.end_mut(end);
        state.sending = false;
        let mut chunk = std::mem::replace(&mut state.head, NONE);
        state.tail = NONE;
        while chunk != NONE {
            let next = self.chunks[chunk].next;
            self.free_chunk(chunk);
            chunk = next;
        }
    }

    fn drop_parked(&mut self, end: u32) {
        for chunk in self.take_parked(end) {
            self.free_chunk(chunk);
            self.conn(end).refs -= 1;
        }
    }

    /// The chunks of an end that a partition holds up, in order.
    pub(crate) fn take_parked(&mut self, end: u32) -> Vec<u32> {
        if self.parked.is_empty() { Vec::new() } else { self.parked.remove(&end).unwrap_or_default() }
    }

    pub(crate) fn free_chunk(&mut self, chunk: u32) {
        self.chunks[chunk].clear();
        self.chunks.release(chunk);
    }

    /// A chunk at the end of the queue with room for `need`, or with any room if none could hold all of it.
    fn chunk_with_room(&mut self, end: u32, need: u32) -> u32 {
        let tail = self.end(end).tail;
        if tail != NONE && (self.chunks[tail].len == 0 || need <= CHUNK - self.chunks[tail].len) {
            return tail;
        }
        let fresh = self.chunks.claim();
        (self.chunks[fresh].end, self.chunks[fresh].next) = (end, NONE);
        if tail == NONE {
            self.end_mut(end).head = fresh;
        } else {
            self.chunks[tail].next = fresh;
        }
        self.end_mut(end).tail = fresh;
        fresh
    }

    fn append_bytes(&mut self, end: u32, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let index = self.chunk_with_room(end, 1);
            let chunk = &mut self.chunks[index];
            let (now, later) = bytes.split_at(bytes.len().min((CHUNK - chunk.len) as usize));
            chunk.push_bytes(now);
            bytes = later;
        }
    }

    /// A machine writes bytes; nothing happens if the stream is gone.
    pub(crate) fn write(&mut self, host: u32, stream: StreamId, bytes: &[u8]) {
        let Some(end) = self.find(host, stream) else { return };
        self.append_bytes(end, bytes);
        self.make_ready(end);
    }

    /// A machine writes file data behind a header.
    pub(crate) fn write_extent(&mut self, host: u32, stream: StreamId, head: &[u8], file: (Extent, bool)) {
        let Some(end) = self.find(host, stream) else { return };
        let (mut extent, corrupt) = file;
        let whole = extent.len.saturating_add(head.len() as u32);
        if whole <= CHUNK {
            self.chunk_with_room(end, whole);
        }
        self.append_bytes(end, head);
        while extent.len > 0 {
            let index = self.chunk_with_room(end, 1);
            let chunk = &mut self.chunks[index];
            let len = extent.len.min(CHUNK - chunk.len);
            chunk.push_blank(Extent { len, ..extent }, corrupt);
            (extent.offset, extent.len) = (extent.offset.saturating_add(u64::from(len)), extent.len - len);
        }
        self.make_ready(end);
    }

    /// A file could not be read: the stream it was meant for breaks.
    pub(crate) fn break_stream(&mut self, host: u32, stream: StreamId) {
        let Some(end) = self.find(host, stream) else { return };
        self.drop_queue(end);
        self.break_both(end);
    }

    /// A machine closes a stream: what it wrote still leaves, then the other side learns of it.
    pub(crate) fn close(&mut self, host: u32, stream: StreamId) {
        let Some(end) = self.find(host, stream) else { return };
        self.detach(end);
        if !self.end(end).open || !self.end(end).sending {
            self.drop_queue(end);
            return;
        }
        let tail = self.end(end).tail;
        let last = if tail == NONE { self.chunk_with_room(end, 0) } else { tail };
        self.chunks[last].fin = true;
        self.make_ready(end);
    }
}

fn to_number(host: Option<u32>) -> u32 {
    host.unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_takes_two_cache_lines() {
        assert_eq!(size_of::<Conn>(), 128);
    }
}
