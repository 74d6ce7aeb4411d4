//! The bytes of replies: of files placed, of trees and lists collected, of refusals passed over.

use throng_machine::{Extent, StreamId};
use throng_wire::gnutella::thex;
use throng_wire::http::{Chunk, Reply};

use super::super::command::SourceId;
use super::super::connection::{Conn, MAX_HELD, Next};
use super::super::event::{Event, FetchError};
use super::super::machine::{Cx, Timer, Transfer};
use super::super::violation::Violation;
use super::{Kind, Link, Phase};

/// Bytes, or their number where the driver keeps them to itself.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Bytes<'a> {
    Real(&'a [u8]),
    Blank(u32),
}

impl<'a> Bytes<'a> {
    fn len(self) -> usize {
        match self {
            Bytes::Real(bytes) => bytes.len(),
            Bytes::Blank(count) => count as usize,
        }
    }

    fn after(self, taken: usize) -> Bytes<'a> {
        match self {
            Bytes::Real(bytes) => Bytes::Real(bytes.get(taken..).unwrap_or_default()),
            Bytes::Blank(count) => Bytes::Blank(count.saturating_sub(taken as u32)),
        }
    }
}

impl Transfer {
    /// Bytes of a connection on which we ask.
    pub(in super::super) fn on_reply_bytes(
        &mut self,
        source: SourceId,
        stream: StreamId,
        conn: &mut Conn,
        bytes: &[u8],
        cx: &mut Cx<'_>,
    ) -> Next {
        self.on_body(source, stream, conn, (Bytes::Real(bytes), 0), cx)
    }

    /// Bytes that begin at `at` of the input being handled.
    pub(in super::super) fn on_body(
        &mut self,
        source: SourceId,
        stream: StreamId,
        conn: &mut Conn,
        (mut bytes, mut at): (Bytes<'_>, u32),
        cx: &mut Cx<'_>,
    ) -> Next {
        conn.moved = conn.moved.saturating_add(bytes.len() as u64);
        loop {
            let Some(remote) = self.remotes.get_mut(&source) else { return Next::Close };
            let Link::Up(known, phase) = &mut remote.link else {
                // Waiting for our turn, with a connection kept: they have nothing to say.
                return self.on_idle_bytes(conn, bytes, cx);
            };
            if *known != stream {
                return Next::Close;
            }
            let taken = match phase {
                Phase::Idle => return self.on_idle_bytes(conn, bytes, cx),
                Phase::Reply if bytes.len() == 0 => return Next::Keep,
                Phase::Reply => match self.on_head_bytes(source, stream, conn, bytes, cx) {
                    Ok(taken) => taken,
                    Err(next) => return next,
                },
                Phase::Body(left) => {
                    let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    let done = *left == 0;
                    self.place(source, (at, taken as u32), done, cx);
                    taken
                }
                Phase::Skip(left) => {
                    let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    taken
                }
                Phase::Collect(..) => match self.collect(source, bytes, cx) {
                    Some(taken) => taken,
                    None => return self.breach(conn, Violation::Body, cx),
                },
            };
            at = at.saturating_add(taken as u32);
            bytes = bytes.after(taken);
            if self.is_reply_over(source) && self.end_reply(source, stream, cx) == Next::Close {
                return Next::Close;
            }
            if bytes.len() == 0 {
                return Next::Keep;
            }
        }
    }

    /// Line ends may trail; anything else is out of turn.
    fn on_idle_bytes(&mut self, conn: &mut Conn, bytes: Bytes<'_>, cx: &mut Cx<'_>) -> Next {
        match bytes {
            Bytes::Real(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Next::Keep,
            _ => self.breach(conn, Violation::OutOfTurn, cx),
        }
    }

    /// Joins bytes to what is held of a head; how many of them belong to it.
    fn on_head_bytes(
        &mut self,
        source: SourceId,
        stream: StreamId,
        conn: &mut Conn,
        bytes: Bytes<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<usize, Next> {
        let Bytes::Real(bytes) = bytes else { return Err(self.breach(conn, Violation::OutOfTurn, cx)) };
        let before = conn.held.len();
        let mut text = std::mem::take(&mut conn.held);
        text.extend_from_slice(&bytes[..bytes.len().min(MAX_HELD - before.min(MAX_HELD))]);
        match Reply::parse(&text) {
            Ok(None) => {
                conn.held = text;
                Err(Next::Keep)
            }
            // Something is to follow.
            Ok(Some((Reply { code: 100..200, .. }, used))) => Ok(used.saturating_sub(before)),
            Ok(Some((reply, used))) => match self.on_reply(source, stream, conn, &reply, cx) {
                Next::Keep => Ok(used.saturating_sub(before)),
                Next::Close => Err(Next::Close),
            },
            Err(error) => Err(self.breach(conn, error.into(), cx)),
        }
    }

    /// Says where bytes of the first fetch belong; `done` if they end the reply.
    fn place(&mut self, source: SourceId, (start, len): (u32, u32), done: bool, cx: &mut Cx<'_>) {
        let front = self.remotes.get(&source).and_then(|remote| remote.jobs.front().copied());
        let Some(id) = front else { return };
        let Some(Kind::Range { content, range, at }) = self.jobs.get_mut(&id).map(|job| &mut job.kind) else {
            return;
        };
        if len > 0 {
            cx.place(Extent { content: *content, offset: *at, len }, start);
            *at += u64::from(len);
        }
        let whole = *at == range.end;
        if done && whole {
            self.finish(id);
            cx.emit(Event::Fetched(id));
        } else if done {
            // They gave less than was asked for: the rest is asked for anew.
            self.requeue(source);
        }
    }

    /// Keeps bytes of a tree or list; how many of them belong to it, `None` if they are malformed or too many.
    fn collect(&mut self, source: SourceId, bytes: Bytes<'_>, cx: &mut Cx<'_>) -> Option<usize> {
        let Bytes::Real(bytes) = bytes else { return None };
        let most = self.config.max_tree.max(self.config.max_list);
        let remote = self.remotes.get_mut(&source)?;
        let Link::Up(_, Phase::Collect(left, chunks)) = &mut remote.link else { return None };
        let (mut rest, mut over) = (bytes, false);
        match (left, chunks) {
            (Some(left), _) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                remote.collected.extend_from_slice(&bytes[..taken]);
                *left -= taken as u64;
                rest = &bytes[taken..];
                over = *left == 0;
            }
            (None, Some(chunks)) => loop {
                match chunks.next(&mut rest).ok()? {
                    Chunk::Data(data) if remote.collected.len() + data.len() <= most => {
                        remote.collected.extend_from_slice(data);
                    }
                    Chunk::Data(_) => return None,
                    Chunk::More => break,
                    Chunk::End => {
                        over = true;
                        break;
                    }
                }
            },
            (None, None) => {
                remote.collected.extend_from_slice(bytes);
                rest = &[];
            }
        }
        if remote.collected.len() > most {
            return None;
        }
        if over {
            self.end_collected(source, cx);
        }
        Some(bytes.len() - rest.len())
    }

    /// A tree or list is whole.
    pub(super) fn end_collected(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        let collected = std::mem::take(&mut remote.collected);
        if let Link::Up(_, phase) = &mut remote.link {
            *phase = Phase::Skip(0);
        }
        let Some(id) = remote.jobs.front().copied() else { return };
        let Some(job) = self.jobs.get(&id) else { return };
        match job.kind {
            Kind::Tree { size, root } => match thex::decode(&collected, size, &root) {
                Ok((level, height)) => {
                    self.finish(id);
                    cx.emit(Event::TreeFetched(id, level, height));
                }
                Err(_) => self.fail(id, FetchError::BadTree, cx),
            },
            Kind::List => {
                self.finish(id);
                cx.emit(Event::Browsed(id, collected.into()));
            }
            Kind::Range { .. } => {}
        }
    }

    fn is_reply_over(&self, source: SourceId) -> bool {
        let link = self.remotes.get(&source).map(|remote| &remote.link);
        matches!(link, Some(Link::Up(_, Phase::Body(0) | Phase::Skip(0))))
    }

    /// A reply is over: the next is awaited, or we wait, or ask.
    fn end_reply(&mut self, source: SourceId, stream: StreamId, cx: &mut Cx<'_>) -> Next {
        let Some(remote) = self.remotes.get_mut(&source) else { return Next::Close };
        if !remote.keep {
            return Next::Close;
        }
        if remote.asked > 0 {
            remote.link = Link::Up(stream, Phase::Reply);
            self.timers.set(Timer::Conn(stream), cx.now() + self.config.reply_timeout);
            self.ask(source, stream, cx);
            return Next::Keep;
        }
        remote.link = Link::Up(stream, Phase::Idle);
        if let Some(wait) = remote.wait.take().filter(|_| !remote.jobs.is_empty()) {
            self.wait_for(source, Some(stream), wait, cx);
            return Next::Keep;
        }
        self.ask(source, stream, cx);
        Next::Keep
    }

    /// A deadline of a connection on which we ask.
    pub(in super::super) fn on_client_due(
        &mut self,
        source: SourceId,
        stream: StreamId,
        conn: &mut Conn,
        cx: &mut Cx<'_>,
    ) -> Next {
        match self.remotes.get(&source).map(|remote| &remote.link) {
            Some(Link::Calling(_)) => self.on_unreachable(source, cx),
            Some(Link::Up(_, Phase::Reply)) => self.fail_front(source, FetchError::TimedOut, cx),
            Some(Link::Up(_, Phase::Body(_) | Phase::Skip(_) | Phase::Collect(..))) => {
                if self.has_moved(stream, conn, cx) {
                    return Next::Keep;
                }
                self.blame(conn.address, Violation::TooSlow, cx);
                self.fail_front(source, FetchError::TimedOut, cx);
            }
            _ => {}
        }
        Next::Close
    }
}
