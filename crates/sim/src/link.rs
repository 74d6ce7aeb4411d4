//! How chunks travel: up one link, through the network, down another.
//!
//! An uplink serves its streams in turn, a chunk each, so they share it fairly. A stream with a full window under way
//! waits. Chunks are stored and forwarded: the downlink takes them in the order in which they arrive.

use crate::config::{chance, micros};
use crate::host::occupy;
use crate::payload::{Blank, Chunk};
use crate::pool::NONE;
use crate::queue::Event;
use crate::world::World;
use throng_machine::{Entropy, Extent, SplitMix64, StreamId};

/// Chunks up to this size pass an idle downlink without an event of their own; the link's time is still taken.
const SMALL: u32 = 512;

/// A chunk being handed to a machine.
pub(crate) struct Delivery {
    pub host: u32,
    pub stream: StreamId,
    pub chunk: Chunk,
    /// How much of it is delivered before the stream is cut; all of it if it is not.
    pub limit: u32,
    fragments: Option<SplitMix64>,
}

/// A run of a chunk.
#[derive(Clone, Copy)]
pub(crate) enum Run<'a> {
    Bytes(&'a [u8]),
    Blank(Blank),
}

impl World {
    /// Puts an end into its uplink's round if it has something to send and may.
    pub(crate) fn make_ready(&mut self, end: u32) {
        let window = self.network.window;
        let state = self.end_mut(end);
        if state.ready || !state.sending || !state.open || state.head == NONE || state.in_flight >= window {
            return;
        }
        state.ready = true;
        state.next_ready = NONE;
        let host = state.host;
        self.retain(end);
        let nic = self.nic(host);
        let tail = std::mem::replace(&mut nic.ready_tail, end);
        if nic.ready_head == NONE {
            nic.ready_head = end;
        } else {
            self.end_mut(tail).next_ready = end;
        }
    }

    /// Starts an idle uplink that has something to send.
    pub(crate) fn kick(&mut self, host: u32) {
        if let Some(nic) = &self.hosts[host as usize].nic
            && nic.current == NONE
            && nic.ready_head != NONE
        {
            self.start_next(host);
        }
    }

    /// Takes the next end out of the round, with the place's reference.
    pub(crate) fn pop_ready(&mut self, host: u32) -> Option<u32> {
        let end = self.hosts[host as usize].nic.as_ref()?.ready_head;
        if end == NONE {
            return None;
        }
        let next = self.end(end).next_ready;
        self.end_mut(end).ready = false;
        let nic = self.nic(host);
        nic.ready_head = next;
        Some(end)
    }

    fn start_next(&mut self, host: u32) {
        let rate = self.kind(host).profile.up;
        while let Some(end) = self.pop_ready(host) {
            let index = self.end(end).head;
            if index == NONE {
                self.release(end);
                continue;
            }
            let Chunk { next, len, .. } = self.chunks[index];
            let state = self.end_mut(end);
            state.head = next;
            if next == NONE {
                state.tail = NONE;
            }
            let now = self.now;
            let nic = self.nic(host);
            nic.current = index;
            nic.current_until = occupy(&mut nic.up_free, rate, now, u64::from(len));
            let until = nic.current_until;
            self.queue.push(until, Event::Sent(host));
            return;
        }
    }

    /// The current chunk has left the uplink: which stream it was of, if its machine wants to know.
    pub(crate) fn sent(&mut self, host: u32) -> Option<(StreamId, u32)> {
        let now = self.now;
        let nic = self.hosts[host as usize].nic.as_mut()?;
        if nic.current == NONE || nic.current_until != now {
            return None;
        }
        let index = std::mem::replace(&mut nic.current, NONE);
        let Chunk { end, len, fin, .. } = self.chunks[index];
        if !self.end(end).sending {
            self.free_chunk(index);
            self.release(end);
            self.start_next(host);
            return None;
        }
        self.probe.sent(host, u64::from(len));
        let delay = self.conn(end).latency + self.stream_jitter(end);
        let state = self.end_mut(end);
        state.sent += u64::from(len);
        state.in_flight += len;
        state.sending = !fin;
        state.last_arrival = state.last_arrival.max(now + delay);
        let (arrival, told) = (state.last_arrival, state.attached && len > 0);
        let id = StreamId(state.id);
        self.queue.push(arrival, Event::Arrive(index));
        self.make_ready(end);
        self.start_next(host);
        told.then_some((id, len))
    }

    fn stream_jitter(&mut self, end: u32) -> u64 {
        if self.jitter == 0 {
            return 0;
        }
        let key = self.conn(end).key ^ u64::from(end & 1);
        SplitMix64::mix(key, self.end(end).sent) % (self.jitter + 1)
    }

    /// A chunk reaches the receiver's downlink; whether it is through at once.
    pub(crate) fn arrives(&mut self, index: u32) -> bool {
        let Chunk { end, len, .. } = self.chunks[index];
        let (from, to) = (self.end(end).host, self.end(end ^ 1).host);
        if !self.end(end ^ 1).attached {
            self.discard(index);
            return false;
        }
        if !self.can_talk(from, to) {
            self.parked.entry(end).or_default().push(index);
            return false;
        }
        let rate = self.kind(to).profile.down;
        if rate.is_none() {
            return true;
        }
        let now = self.now;
        let nic = self.nic(to);
        let waits = nic.down_free.div_ceil(1_000) >= now;
        let through = occupy(&mut nic.down_free, rate, now, u64::from(len));
        if !waits && len <= SMALL {
            return true;
        }
        self.queue.push(through, Event::Deliver(index));
        false
    }

    /// Frees a chunk nobody waits for.
    fn discard(&mut self, index: u32) {
        let Chunk { end, len, .. } = self.chunks[index];
        self.free_chunk(index);
        self.acknowledge(end, len);
        self.release(end);
    }

    /// Bytes are off the network: a stream that waited for its window goes on.
    fn acknowledge(&mut self, end: u32, len: u32) {
        let window = self.network.window;
        let state = self.end_mut(end);
        let waited = state.in_flight >= window && state.head != NONE;
        state.in_flight -= len;
        let host = state.host;
        if waited && self.slot(host).up {
            self.make_ready(end);
            self.kick(host);
        }
    }

    /// Takes a chunk out for delivery, unless its receiver is gone.
    pub(crate) fn begin_delivery(&mut self, index: u32) -> Option<Delivery> {
        let Chunk { end, len, .. } = self.chunks[index];
        let receiver = *self.end(end ^ 1);
        if !receiver.attached {
            self.discard(index);
            return None;
        }
        let offset = self.end(end).sent - u64::from(self.end(end).in_flight);
        self.acknowledge(end, len);
        let key = self.conn(end).key ^ u64::from(end & 1);
        let cut =
            self.network.cut_every.map(|every| SplitMix64::mix(key, 1) % every.saturating_mul(2).max(1));
        let limit = cut.map_or(len, |cut| cut.saturating_sub(offset).min(u64::from(len)) as u32);
        let fragments = self.network.fragment.then(|| SplitMix64::new(SplitMix64::mix(key, offset)));
        let chunk = std::mem::take(&mut self.chunks[index]);
        let totals = &mut self.probe.totals;
        totals.chunks += 1;
        let real = chunk.bytes().len() as u64;
        totals.stream_bytes += real;
        totals.blank_bytes += u64::from(len) - real;
        self.probe.received(receiver.host, u64::from(len));
        Some(Delivery { host: receiver.host, stream: StreamId(receiver.id), chunk, limit, fragments })
    }

    /// Gives the chunk back; says whom to tell that the stream ended with it.
    pub(crate) fn end_delivery(&mut self, index: u32, delivery: Delivery) -> Option<(u32, StreamId)> {
        let Delivery { chunk, limit, host, stream, .. } = delivery;
        let Chunk { end, len, fin, .. } = chunk;
        self.chunks[index] = chunk;
        self.free_chunk(index);
        let mut told = None;
        if limit < len {
            self.drop_queue(end);
            self.break_both(end);
        } else if fin && self.end(end ^ 1).attached {
            self.detach(end ^ 1);
            self.drop_queue(end ^ 1);
            told = Some((host, stream));
        }
        self.release(end);
        told
    }

    /// What a partition had held up and no longer does, in order.
    pub(crate) fn unpark(&mut self) -> Vec<u32> {
        let mut released = Vec::new();
        for end in self.parked.keys().copied().collect::<Vec<_>>() {
            if self.can_talk(self.end(end).host, self.end(end ^ 1).host) {
                released.extend(self.take_parked(end));
            }
        }
        released
    }

    /// Streams that cross a new partition break unless it heals in time.
    pub(crate) fn doom_crossing(&mut self) {
        let at = self.now.saturating_add(micros(self.network.silence));
        for conn in 0..self.conns.end() {
            let [one, other] = self.conns[conn].ends;
            if (one.attached || other.attached) && other.host != NONE && !self.can_talk(one.host, other.host)
            {
                self.notify(at, conn * 2, Event::Doom(conn));
            }
        }
    }
}

impl Delivery {
    /// Whether the stream is cut within this chunk.
    pub(crate) fn runs(&self) -> Runs<'_> {
        let payload = &self.chunk;
        let (bytes, blanks) = (payload.bytes(), payload.blanks());
        Runs { bytes, blanks, left: self.limit, rng: self.fragments, at: 0, blank_done: 0 }
    }
}

/// The runs of a chunk in order.
pub(crate) struct Runs<'a> {
    bytes: &'a [u8],
    blanks: &'a [Blank],
    left: u32,
    rng: Option<SplitMix64>,
    at: u32,
    blank_done: u32,
}

impl Runs<'_> {
    /// How much of a run of `len` goes in one piece.
    fn piece(&mut self, len: u32) -> u32 {
        let most = len.min(self.left);
        let fragment =
            self.rng.as_mut().filter(|_| most > 1).map(|rng| (chance(rng, 0.5), 1 + rng.below(most - 1)));
        let taken = fragment.filter(|(cut, _)| *cut).map_or(most, |(_, taken)| taken);
        self.left -= taken;
        taken
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = Run<'a>;
    fn next(&mut self) -> Option<Run<'a>> {
        let blank = self.blanks.first().copied();
        if self.left == 0 {
            return None;
        }
        if let Some(Blank { at, corrupt, extent }) = blank.filter(|blank| blank.at == self.at) {
            let len = self.piece(extent.len - self.blank_done);
            let offset = extent.offset.saturating_add(u64::from(self.blank_done));
            self.blank_done += len;
            if self.blank_done == extent.len {
                (self.blanks, self.blank_done) = (&self.blanks[1..], 0);
            }
            return Some(Run::Blank(Blank { at, corrupt, extent: Extent { offset, len, ..extent } }));
        }
        let until = blank.map_or(self.bytes.len() as u32, |blank| blank.at);
        let start = self.at;
        let len = self.piece(until - start);
        self.at += len;
        Some(Run::Bytes(&self.bytes[start as usize..self.at as usize]))
    }
}
