//! One connection: its socket, its reads and writes, its end. A hand-written poll, so that one waker serves all.

use super::core::{Core, GATHER, State, would_block};
use super::driver::Driver;
use super::queue::OutQueue;
use super::{Application, Read};
use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use throng_machine::{Extent, Machine, StreamEnd, StreamId, StreamInput};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// Reads and writes a connection may make before others get their turn; 1 MiB either way.
const BUDGET: u32 = 4;
/// The least a write gathers: one block.
const MIN_ROOM: usize = 16 << 10;
/// A read handed to the pool, so that 80 waiting peers hold at most 10 MiB.
const LATER: u32 = 128 << 10;

/// How long a closed stream may take to write what is queued and see the peer's end.
const LINGER: Duration = Duration::from_secs(5);
/// Reads thrown away while waiting for the peer's end; 1 MiB in all.
const MAX_DISCARDED: u32 = 64;

/// A stream's task.
pub(super) struct Connection<A: Application> {
    driver: Driver<A>,
    stream: StreamId,
    socket: TcpStream,
    /// What the socket took at once lately: reading more ahead is wasted on slow links.
    room: usize,
    pending: Option<(Extent, oneshot::Receiver<Option<Bytes>>)>,
}

/// Whether there is more to do at once.
#[derive(PartialEq)]
enum Step {
    Again,
    Wait,
}

impl<A: Application> Connection<A> {
    pub(super) fn new(driver: Driver<A>, stream: StreamId, socket: TcpStream) -> Connection<A> {
        Connection { driver, stream, socket, room: 4 * MIN_ROOM, pending: None }
    }

    /// Serves the connection until it ends, then tells the machine if it does not know.
    pub(super) async fn run(mut self) {
        match poll_fn(|cx| self.poll(cx)).await {
            Some(end) => self.driver.ended(self.stream, end),
            None => {
                // The machine closed it: what it wrote has a bounded time to leave.
                let _ = tokio::time::timeout(LINGER, self.drain()).await;
                self.driver.forget(self.stream);
            }
        }
    }

    /// Ready with how it ended, or with `None` once the machine closed it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamEnd>> {
        for _ in 0..BUDGET {
            if self.driver.watch(self.stream, cx.waker()) != Some(State::Open) {
                return Poll::Ready(None);
            }
            let Ok(wrote) = self.write(cx) else { return Poll::Ready(Some(StreamEnd::Broken)) };
            let read = match self.read(cx) {
                Ok(Some(read)) => read,
                Ok(None) => return Poll::Ready(Some(StreamEnd::Finished)),
                Err(_) => return Poll::Ready(Some(StreamEnd::Broken)),
            };
            if wrote == Step::Wait && read == Step::Wait {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is queued, ends our direction, and waits for the peer to end its own: closing a socket with
    /// unread input would reset it and lose what we wrote last.
    async fn drain(&mut self) {
        let emptied = poll_fn(|cx| self.poll_empty(cx)).await;
        if emptied && self.socket.shutdown().await.is_ok() {
            let mut discarded = vec![0; MIN_ROOM];
            for _ in 0..MAX_DISCARDED {
                if !matches!(self.socket.read(&mut discarded).await, Ok(1..)) {
                    break;
                }
            }
        }
    }

    /// Ready once everything queued has left (`true`) or can't leave.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if self.driver.watch(self.stream, cx.waker()).is_none() || self.driver.is_empty(self.stream) {
                return Poll::Ready(true);
            }
            match self.write(cx) {
                Ok(Step::Again) => {}
                Ok(Step::Wait) => return Poll::Pending,
                Err(_) => return Poll::Ready(false),
            }
        }
    }

    /// Reads once and lets the machine handle it; `None` at the end of the stream.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<Option<Step>> {
        match self.socket.poll_read_ready(cx) {
            Poll::Pending => return Ok(Some(Step::Wait)),
            Poll::Ready(ready) => ready?,
        }
        let mut core = self.driver.core();
        let result = self.socket.try_read(&mut core.scratch);
        if would_block(&result) {
            return Ok(Some(Step::Again));
        }
        let (stream, len) = (self.stream, result?);
        if len == 0 {
            return Ok(None);
        }
        core.traffic.bytes_in += len as u64;
        core.turn_scratch(Some(stream), len, |machine, input, cx| {
            machine.handle_stream(stream, StreamInput::Bytes(input), cx);
        });
        self.driver.after_turn(core);
        Ok(Some(Step::Again))
    }

    /// Writes once what is queued and tells the machine how much left.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<Step> {
        if !self.poll_pending(cx)? || self.driver.is_empty(self.stream) {
            return Ok(Step::Wait);
        }
        match self.socket.poll_write_ready(cx) {
            Poll::Pending => return Ok(Step::Wait),
            Poll::Ready(ready) => ready?,
        }
        let written = self.write_gathered()?;
        if written > 0 {
            self.driver.flushed(self.stream, u32::try_from(written).unwrap_or(u32::MAX));
        }
        Ok(Step::Again)
    }

    fn write_gathered(&mut self) -> io::Result<usize> {
        let mut core = self.driver.core();
        let Core { streams, app, data, gathered, .. } = &mut *core;
        let Some(slot) = streams.get_mut(&self.stream) else { return Ok(0) };
        slot.out.gather(self.room, data, app, gathered);
        if gathered.len() == 0 {
            return match gathered.stopped_by {
                Some(Read::Failed) => Err(io::ErrorKind::InvalidData.into()),
                _ => {
                    self.pending = core.read_later(self.stream, LATER);
                    Ok(0)
                }
            };
        }
        let mut slices = OutQueue::no_slices();
        let count = slot.out.slices(gathered, data, &mut slices);
        let result = self.socket.try_write_vectored(&slices[..count]);
        if would_block(&result) {
            return Ok(0);
        }
        let written = result?;
        self.room = if written < gathered.len() {
            written.clamp(MIN_ROOM, GATHER)
        } else {
            GATHER.min(2 * self.room)
        };
        slot.out.advance(written);
        core.traffic.bytes_out += written as u64;
        Ok(written)
    }

    /// Whether no read is under way; takes what a finished one brought.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Some((extent, answer)) = &mut self.pending else { return Ok(true) };
        let bytes = match Pin::new(answer).poll(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(answer) => answer.ok().flatten(),
        };
        let bytes =
            bytes.filter(|bytes| bytes.len() == extent.len as usize).ok_or(io::ErrorKind::InvalidData)?;
        self.driver.fill_in(self.stream, *extent, &bytes);
        self.pending = None;
        Ok(true)
    }
}
