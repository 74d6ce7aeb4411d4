//! A driver for tests: hand a machine one input, look at what it wants.
//!
//! Keeps time by hand, seeds entropy, and returns owned outputs so that expectations read as data.

use crate::{
    Context, Datagram, Endpoint, Extent, Instant, Machine, Op, Outbox, SplitMix64, StreamId, StreamInput, Via,
};
use std::time::Duration;

/// One output with its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Out {
    /// A datagram.
    Send(Endpoint, Vec<u8>),
    /// A connection attempt.
    Open(StreamId, Endpoint),
    /// Bytes written.
    Write(StreamId, Vec<u8>),
    /// A header and file data.
    WriteExtent(StreamId, Vec<u8>, Extent),
    /// File data found in the input, from that offset.
    Place(Extent, u32),
    /// A close.
    Close(StreamId),
}

/// A machine with a hand-wound clock.
pub struct Probe<M: Machine> {
    /// The machine under test.
    pub machine: M,
    /// The time of the next call.
    pub now: Instant,
    /// Events not yet looked at.
    pub events: Vec<M::Event>,
    rng: SplitMix64,
    next_stream: u32,
    outbox: Outbox,
}

impl<M: Machine> Probe<M> {
    /// A machine at the epoch.
    pub fn new(machine: M) -> Probe<M> {
        let (rng, outbox) = (SplitMix64::new(1), Outbox::new());
        Probe { machine, now: Instant::EPOCH, events: Vec::new(), rng, next_stream: 0, outbox }
    }

    /// Calls the machine with a context and returns what it wants done.
    pub fn call(&mut self, act: impl FnOnce(&mut M, &mut Context<'_, M::Event>)) -> Vec<Out> {
        self.outbox.clear();
        let mut cx =
            Context::new(self.now, &mut self.rng, &mut self.next_stream, &mut self.outbox, &mut self.events);
        act(&mut self.machine, &mut cx);
        self.outbox.ops().iter().map(|op| Out::owned(op, &self.outbox)).collect()
    }

    /// Gives a command.
    pub fn command(&mut self, command: M::Command) -> Vec<Out> {
        self.call(|machine, cx| machine.handle_command(command, cx))
    }

    /// Delivers a datagram.
    pub fn datagram(&mut self, from: Endpoint, bytes: &[u8]) -> Vec<Out> {
        self.call(|machine, cx| machine.handle_datagram(Datagram { via: Via::Udp, from, bytes }, cx))
    }

    /// Reports something of a stream.
    pub fn stream(&mut self, stream: StreamId, input: StreamInput<'_>) -> Vec<Out> {
        self.call(|machine, cx| machine.handle_stream(stream, input, cx))
    }

    /// A peer connects from `from`; returns the stream's id.
    pub fn accept(&mut self, from: Endpoint) -> (StreamId, Vec<Out>) {
        let stream = StreamId(self.next_stream);
        self.next_stream += 1;
        let outs = self.stream(stream, StreamInput::Accepted { from, via: Via::Tcp });
        (stream, outs)
    }

    /// Lets time pass, firing every deadline on the way; returns all outputs.
    pub fn advance(&mut self, by: Duration) -> Vec<Out> {
        let until = self.now + by;
        let mut outs = Vec::new();
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= until) {
            let stuck = at <= self.now;
            self.now = self.now.max(at);
            outs.extend(self.call(|machine, cx| machine.handle_timeout(cx)));
            assert!(
                !stuck || self.machine.poll_timeout().is_none_or(|next| next > self.now),
                "a deadline in the past came back: the driver would spin"
            );
        }
        self.now = until;
        outs
    }

    /// Takes the events so far.
    pub fn take_events(&mut self) -> Vec<M::Event> {
        std::mem::take(&mut self.events)
    }
}

impl Out {
    fn owned(op: &Op, outbox: &Outbox) -> Out {
        match op {
            Op::Send { to, bytes, .. } => Out::Send(*to, outbox.bytes(*bytes).to_vec()),
            Op::Open { stream, to, .. } => Out::Open(*stream, *to),
            Op::Write { stream, bytes } => Out::Write(*stream, outbox.bytes(*bytes).to_vec()),
            Op::WriteBytes { stream, bytes } => Out::Write(*stream, bytes.to_vec()),
            Op::WriteExtent { stream, head, extent } => {
                Out::WriteExtent(*stream, outbox.bytes(*head).to_vec(), *extent)
            }
            Op::Place { extent, at } => Out::Place(*extent, *at),
            Op::Close { stream } => Out::Close(*stream),
        }
    }
}
