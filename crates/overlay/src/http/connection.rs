//! Connections: who opened them, what for, and what follows from bytes, silence and their end.
//!
//! Invariants: a head is held only up to its limit; bytes of files are never held; every connection has a deadline.

use throng_machine::{Endpoint, StreamEnd, StreamId, StreamInput, Via};
use throng_wire::http::{HttpError, MAX_HEAD, Opening};

use super::client::Bytes;
use super::command::SourceId;
use super::machine::{Cx, Timer, Transfer};
use super::server::Serving;
use super::violation::Violation;

/// Bytes held of a connection at most: a head, and what somebody hasty sends behind it.
pub(super) const MAX_HELD: usize = 2 * MAX_HEAD;

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Role {
    /// They called; what for?
    Opening,
    /// They ask, we serve.
    Server(Serving),
    /// We call to serve, and say this first.
    Calling(Vec<u8>, Serving),
    /// We ask this source.
    Client(SourceId),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) address: Endpoint,
    /// Whether they opened it.
    pub(super) inbound: bool,
    pub(super) role: Role,
    /// A text that is not whole yet.
    pub(super) held: Vec<u8>,
    /// Bytes written and not flushed.
    pub(super) unflushed: u64,
    /// Bytes moved since progress was last looked at.
    pub(super) moved: u64,
}

/// What becomes of a connection after an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Next {
    Keep,
    Close,
}

impl Conn {
    fn new(address: Endpoint, inbound: bool, role: Role) -> Box<Conn> {
        Box::new(Conn { address, inbound, role, held: Vec::new(), unflushed: 0, moved: 0 })
    }

    /// Writes a text.
    pub(super) fn write(&mut self, stream: StreamId, bytes: &[u8], cx: &mut Cx<'_>) {
        cx.write(stream, |out| out.extend_from_slice(bytes));
        self.unflushed = self.unflushed.saturating_add(bytes.len() as u64);
    }
}

impl Transfer {
    pub(super) fn on_accepted(&mut self, stream: StreamId, from: Endpoint, cx: &mut Cx<'_>) {
        let alike = self.conns.values().filter(|conn| conn.inbound && conn.address.ip() == from.ip()).count();
        let crowd = alike >= self.config.max_per_address && !from.ip().is_loopback();
        if crowd || self.conns.len() >= self.config.max_connections {
            cx.close(stream);
            return self.blame(from, Violation::Crowd, cx);
        }
        self.conns.insert(stream, Conn::new(from, true, Role::Opening));
        self.timers.set(Timer::Conn(stream), cx.now() + self.config.request_timeout);
    }

    /// Calls somebody; nothing if there are too many connections already.
    pub(super) fn call(&mut self, to: Endpoint, role: Role, cx: &mut Cx<'_>) -> Option<StreamId> {
        if self.conns.len() >= self.config.max_connections {
            return None;
        }
        let stream = cx.open(Via::Tcp, to);
        self.conns.insert(stream, Conn::new(to, false, role));
        self.timers.set(Timer::Conn(stream), cx.now() + self.config.connect_timeout);
        Some(stream)
    }

    /// Closes a connection that is not being handled just now.
    pub(super) fn hang_up(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        if self.conns.remove(&stream).is_some() {
            self.timers.clear(Timer::Conn(stream));
            cx.close(stream);
        }
    }

    pub(super) fn on_input(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        let Some(mut conn) = self.conns.remove(&stream) else { return };
        let next = match input {
            StreamInput::Bytes(bytes) => self.on_bytes(stream, &mut conn, bytes, cx),
            StreamInput::Blank(count) => self.on_blank(stream, &mut conn, count, cx),
            StreamInput::Flushed(count) => {
                conn.unflushed = conn.unflushed.saturating_sub(u64::from(count));
                conn.moved = conn.moved.saturating_add(u64::from(count));
                self.on_flushed(stream, &mut conn, cx)
            }
            StreamInput::Opened => self.on_opened(stream, &mut conn, cx),
            StreamInput::Closed(end) => {
                self.timers.clear(Timer::Conn(stream));
                return self.on_closed(stream, *conn, end, cx);
            }
            StreamInput::Accepted { .. } => Next::Keep,
        };
        self.put_back(stream, conn, next, cx);
    }

    fn put_back(&mut self, stream: StreamId, conn: Box<Conn>, next: Next, cx: &mut Cx<'_>) {
        if next == Next::Keep {
            self.conns.insert(stream, conn);
            return;
        }
        self.timers.clear(Timer::Conn(stream));
        cx.close(stream);
        match conn.role {
            Role::Client(source) => self.on_hung_up(source, stream, cx),
            Role::Server(serving) => self.end_serving(stream, conn.address, &serving, cx),
            Role::Opening | Role::Calling(..) => {}
        }
    }

    fn on_opened(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> Next {
        match std::mem::replace(&mut conn.role, Role::Opening) {
            Role::Calling(words, serving) => {
                conn.write(stream, &words, cx);
                conn.role = Role::Server(serving);
                self.timers.set(Timer::Conn(stream), cx.now() + self.config.request_timeout);
            }
            Role::Client(source) => {
                conn.role = Role::Client(source);
                self.on_connected(source, stream, conn.address, cx);
            }
            role => conn.role = role,
        }
        Next::Keep
    }

    fn on_bytes(&mut self, stream: StreamId, conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Next {
        match &conn.role {
            Role::Opening => self.on_opening_bytes(stream, conn, bytes, cx),
            Role::Server(_) => self.on_request_bytes(stream, conn, bytes, cx),
            Role::Client(source) => self.on_reply_bytes(*source, stream, conn, bytes, cx),
            Role::Calling(..) => Next::Keep,
        }
    }

    fn on_blank(&mut self, stream: StreamId, conn: &mut Conn, count: u32, cx: &mut Cx<'_>) -> Next {
        let Role::Client(source) = conn.role else { return self.breach(conn, Violation::OutOfTurn, cx) };
        self.on_body(source, stream, conn, (Bytes::Blank(count), 0), cx)
    }

    /// What somebody who called says first.
    fn on_opening_bytes(&mut self, stream: StreamId, conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Next {
        let mut text = std::mem::take(&mut conn.held);
        text.extend_from_slice(&bytes[..bytes.len().min(MAX_HELD)]);
        match Opening::is_spoken(&text) {
            None => {
                conn.held = text;
                return Next::Keep;
            }
            Some(false) => return self.breach(conn, HttpError::NotHttp.into(), cx),
            Some(true) if text.starts_with(b"GET ") || text.starts_with(b"HEAD ") => {
                conn.role = Role::Server(Serving::default());
                return self.on_request_bytes(stream, conn, &text, cx);
            }
            Some(true) => {}
        }
        match Opening::parse(&text) {
            Ok(None) => {
                conn.held.clone_from(&text);
                Next::Keep
            }
            Ok(Some((opening, used))) => {
                // Nothing may follow but the end of the line: it is our turn to speak.
                if text[used..].iter().any(|byte| !byte.is_ascii_whitespace()) {
                    return self.breach(conn, Violation::OutOfTurn, cx);
                }
                match self.source_of(&opening, conn.address) {
                    Some(source) => {
                        conn.role = Role::Client(source);
                        self.on_called(source, stream, conn.address, cx);
                        Next::Keep
                    }
                    None => self.breach(conn, Violation::Unasked, cx),
                }
            }
            Err(error) => self.breach(conn, error.into(), cx),
        }
    }

    fn on_flushed(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> Next {
        match conn.role {
            Role::Server(_) => self.on_server_flushed(stream, conn, cx),
            _ => Next::Keep,
        }
    }

    /// The peer broke the protocol.
    pub(super) fn breach(&mut self, conn: &mut Conn, violation: Violation, cx: &mut Cx<'_>) -> Next {
        self.blame(conn.address, violation, cx);
        if let Role::Client(source) = conn.role {
            self.fail_front(source, super::event::FetchError::Violation, cx);
        }
        Next::Close
    }

    /// A deadline: texts must be whole, bytes must have moved.
    pub(super) fn on_conn_due(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(mut conn) = self.conns.remove(&stream) else { return };
        let next = match conn.role {
            Role::Client(source) => self.on_client_due(source, stream, &mut conn, cx),
            Role::Server(_) => self.on_server_due(stream, &mut conn, cx),
            Role::Opening | Role::Calling(..) => Next::Close,
        };
        self.put_back(stream, conn, next, cx);
    }

    /// Whether enough has moved; the count begins anew.
    pub(super) fn has_moved(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> bool {
        let moved = std::mem::take(&mut conn.moved) >= self.config.min_progress;
        if moved {
            self.timers.set(Timer::Conn(stream), cx.now() + self.config.stall_timeout);
        }
        moved
    }

    fn on_closed(&mut self, stream: StreamId, conn: Conn, end: StreamEnd, cx: &mut Cx<'_>) {
        match conn.role {
            Role::Client(source) => self.on_lost(source, stream, end, cx),
            Role::Server(serving) => self.end_serving(stream, conn.address, &serving, cx),
            Role::Calling(_, serving) => self.end_serving(stream, conn.address, &serving, cx),
            Role::Opening => {}
        }
    }
}
