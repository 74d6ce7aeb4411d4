//! Where machines put what they want done; one a driver, not one a node.

use crate::{Endpoint, Extent, StreamId, Via};
use bytes::Bytes;
use std::ops::Range;

/// A range of the outbox's arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Length in bytes.
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it holds nothing.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// One thing a driver is to do, in order.
#[derive(Clone, Debug)]
pub enum Op {
    /// Send a datagram.
    Send {
        /// Transport.
        via: Via,
        /// Destination.
        to: Endpoint,
        /// Payload in the arena.
        bytes: Span,
    },
    /// Connect; answered by `Opened` or `Closed`.
    Open {
        /// The id the stream will have.
        stream: StreamId,
        /// Transport.
        via: Via,
        /// Destination.
        to: Endpoint,
    },
    /// Write bytes of the arena.
    Write {
        /// To which stream.
        stream: StreamId,
        /// What.
        bytes: Span,
    },
    /// Write shared bytes without copying them.
    WriteBytes {
        /// To which stream.
        stream: StreamId,
        /// What.
        bytes: Bytes,
    },
    /// Write a header from the arena, then file data that the driver reads itself.
    WriteExtent {
        /// To which stream.
        stream: StreamId,
        /// The header.
        head: Span,
        /// The data; if it can't be read the driver closes the stream and tells the application.
        extent: Extent,
    },
    /// Bytes of the stream input being handled are file data: put them where they belong.
    Place {
        /// Where they belong.
        extent: Extent,
        /// Where they begin within the input just handled.
        at: u32,
    },
    /// Close a stream, after all that was written to it has left; no further input comes for it.
    Close {
        /// Which.
        stream: StreamId,
    },
}

/// Outputs of machines, appended to one arena and drained by the driver after each call.
#[derive(Default, Debug)]
pub struct Outbox {
    arena: Vec<u8>,
    ops: Vec<Op>,
}

impl Outbox {
    /// An empty outbox.
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// Appends what `fill` writes and returns where it lies.
    pub(crate) fn fill(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.arena.len() as u32;
        fill(&mut self.arena);
        Span { start, end: self.arena.len() as u32 }
    }

    /// Appends an output, joining writes to one stream that follow each other.
    pub(crate) fn push(&mut self, op: Op) {
        if let (Op::Write { stream, bytes }, Some(Op::Write { stream: last, bytes: joined })) =
            (&op, self.ops.last_mut())
            && stream == last
            && bytes.start == joined.end
        {
            joined.end = bytes.end;
            return;
        }
        self.ops.push(op);
    }

    /// The bytes of a span.
    pub fn bytes(&self, span: Span) -> &[u8] {
        &self.arena[Range::from(span)]
    }

    /// The outputs so far, in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Forgets all outputs but keeps the memory for the next call.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.ops.clear();
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Range<usize> {
        span.start as usize..span.end as usize
    }
}
