//! The contract every protocol is written against: sans-IO state machines and the few parts they share.
//!
//! A [`Machine`] is told what happened (a command, a datagram, bytes of a stream, that time passed) and answers by
//! appending to the driver's [`Outbox`]. It does no I/O, reads no clock, draws no entropy of its own and keeps no
//! output queue. Production drives it with tokio, the simulator drives a million of them on one thread, and tests
//! and fuzzers use the same door.
//!
//! Invariants: `handle_*` never fails towards the driver; a spurious `handle_timeout` does nothing; file data never
//! passes through a machine's own memory (see [`Extent`]).

mod context;
mod endpoint;
mod extent;
mod outbox;
pub mod probe;
mod rng;
mod time;
mod token_bucket;

pub use context::Context;
pub use endpoint::{Endpoint, Via};
pub use extent::{ContentId, Extent};
pub use outbox::{Op, Outbox, Span};
pub use rng::{Entropy, SplitMix64};
pub use time::{Deadline, Instant};
pub use token_bucket::TokenBucket;

use std::time::Duration;

/// A protocol as a state machine; the driver owns the sockets, the clock, the entropy and the outbox.
pub trait Machine {
    /// What the application may ask.
    type Command;
    /// What the application is told.
    type Event;

    /// The application asks for something.
    fn handle_command(&mut self, command: Self::Command, cx: &mut Context<'_, Self::Event>);
    /// A datagram arrived.
    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Context<'_, Self::Event>);
    /// Something happened to a stream: it opened, carried bytes, drained or ended.
    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_, Self::Event>);
    /// Time reached [`Machine::poll_timeout`]; a call before that does nothing.
    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Event>);
    /// The one instant at which the machine wants to be called; may change after any `handle_*`.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Names a stream of one host; chosen by the driver, never reused within a driver's life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u32);

/// One received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// How it came.
    pub via: Via,
    /// Where it came from, as the packet says: not proved.
    pub from: Endpoint,
    /// Its payload.
    pub bytes: &'a [u8],
}

/// What a driver reports of a stream.
#[derive(Clone, Copy, Debug)]
pub enum StreamInput<'a> {
    /// A peer connected to us.
    Accepted {
        /// The peer's address.
        from: Endpoint,
        /// The transport it used.
        via: Via,
    },
    /// A stream we asked for is connected.
    Opened,
    /// Bytes in order; the machine takes all of them, and names those that are file data by [`Context::place`].
    Bytes(&'a [u8]),
    /// That many bytes of file data whose content the driver keeps to itself (the simulator's payload).
    Blank(u32),
    /// That many bytes written before have left our buffers.
    Flushed(u32),
    /// The stream is gone; nothing follows for this id.
    Closed(StreamEnd),
}

/// How a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamEnd {
    /// The peer closed it in order.
    Finished,
    /// It broke: reset, timed out.
    Broken,
    /// It could not be opened.
    Refused,
}

/// A time-out far enough never to matter, near enough never to overflow.
pub const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);
