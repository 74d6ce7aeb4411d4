//! What a machine is handed with each call.

use crate::{Endpoint, Entropy, Extent, Instant, Op, Outbox, StreamId, Via};
use bytes::Bytes;

/// The driver's side of one call: the time, entropy, and where outputs and events go.
pub struct Context<'a, E> {
    now: Instant,
    entropy: &'a mut dyn Entropy,
    next_stream: &'a mut u32,
    outbox: &'a mut Outbox,
    events: &'a mut Vec<E>,
}

impl<'a, E> Context<'a, E> {
    /// Made by drivers; `next_stream` counts the stream ids of this host.
    pub fn new(
        now: Instant,
        entropy: &'a mut dyn Entropy,
        next_stream: &'a mut u32,
        outbox: &'a mut Outbox,
        events: &'a mut Vec<E>,
    ) -> Self {
        Context { now, entropy, next_stream, outbox, events }
    }

    /// The time of this call.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The host's entropy: the operating system's in production, seeded in the simulator.
    pub fn rng(&mut self) -> &mut dyn Entropy {
        self.entropy
    }

    /// Tells the application something; events are handled after the outputs of the same call.
    pub fn emit(&mut self, event: E) {
        self.events.push(event);
    }

    /// A context for a machine that is a part of this one and has events of its own.
    pub fn part<F, R>(&mut self, events: &mut Vec<F>, act: impl FnOnce(&mut Context<'_, F>) -> R) -> R {
        act(&mut Context::new(self.now, self.entropy, self.next_stream, self.outbox, events))
    }

    /// Sends a datagram.
    pub fn send(&mut self, via: Via, to: Endpoint, fill: impl FnOnce(&mut Vec<u8>)) {
        let bytes = self.outbox.fill(fill);
        self.outbox.push(Op::Send { via, to, bytes });
    }

    /// Opens a stream; `Opened` or `Closed` follows.
    pub fn open(&mut self, via: Via, to: Endpoint) -> StreamId {
        let stream = StreamId(*self.next_stream);
        *self.next_stream = self.next_stream.wrapping_add(1);
        self.outbox.push(Op::Open { stream, via, to });
        stream
    }

    /// Writes what `fill` appends.
    pub fn write(&mut self, stream: StreamId, fill: impl FnOnce(&mut Vec<u8>)) {
        let bytes = self.outbox.fill(fill);
        if !bytes.is_empty() {
            self.outbox.push(Op::Write { stream, bytes });
        }
    }

    /// Writes shared bytes without copying.
    pub fn write_bytes(&mut self, stream: StreamId, bytes: Bytes) {
        self.outbox.push(Op::WriteBytes { stream, bytes });
    }

    /// Writes a header and then file data that the driver reads itself.
    pub fn write_extent(&mut self, stream: StreamId, head: impl FnOnce(&mut Vec<u8>), extent: Extent) {
        let head = self.outbox.fill(head);
        self.outbox.push(Op::WriteExtent { stream, head, extent });
    }

    /// Says that `extent.len` bytes from `at` of the input being handled are file data and where they belong.
    pub fn place(&mut self, extent: Extent, at: u32) {
        self.outbox.push(Op::Place { extent, at });
    }

    /// Closes a stream once what was written has left; no further input comes for it.
    pub fn close(&mut self, stream: StreamId) {
        self.outbox.push(Op::Close { stream });
    }
}
