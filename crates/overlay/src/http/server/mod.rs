//! Serving (11.1 to 11.9; 8 of FastTrack's note): requests in order, files by content, queues, lists, pushes.

mod answer;
mod file;
mod list;
mod push;
mod slots;
mod waiting;

use std::ops::Range;

use throng_machine::{ContentId, Endpoint, StreamId};
use throng_wire::gnutella::Urn;
use throng_wire::http::{Method, Request, Target, TargetError};

use super::connection::{Conn, MAX_HELD, Next, Role};
use super::event::Event;
use super::machine::{Cx, Timer, Transfer};
use super::shares::Shared;
use super::violation::Violation;
pub(super) use slots::Slots;

/// Replies held back until so many bytes have left: who does not read is not answered.
const MAX_UNREAD: u64 = 64 << 10;

/// What a connection that we serve is doing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
enum Phase {
    /// A request is awaited.
    #[default]
    Reading,
    /// Bytes of a file leave; those before `at` are handed to the driver.
    Sending { content: ContentId, range: Range<u64>, at: u64 },
    /// The list of all files leaves, told up to that number.
    Listing { html: bool, chunked: bool, told: Option<u32>, count: u32 },
    /// Whether a push can be passed on.
    Passing,
}

/// What is known of a connection that we serve.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Serving {
    phase: Phase,
    /// Whether a reply with all we have to say of ourselves has been sent.
    introduced: bool,
    /// Whether the connection is kept after the reply under way.
    keep: bool,
    /// Whether we called, so that they must be told who we are.
    pub(super) called: bool,
    /// Whether they speak HTTP/1.1.
    modern: bool,
}

impl Transfer {
    pub(super) fn share(&mut self, file: Shared, cx: &mut Cx<'_>) {
        let content = file.content;
        if !self.shares.insert(file, self.config.max_shared) {
            cx.emit(Event::NotShared(content));
        }
    }

    pub(super) fn unshare(&mut self, content: ContentId, cx: &mut Cx<'_>) {
        if !self.shares.remove(content) {
            return;
        }
        self.mesh.forget(content);
        let theirs = |conn: &Conn| match &conn.role {
            Role::Server(Serving { phase: Phase::Sending { content: sent, .. }, .. }) => *sent == content,
            _ => false,
        };
        let cut = self.conns.iter().filter(|(_, conn)| theirs(conn)).map(|(stream, _)| *stream);
        for stream in cut.collect::<Vec<_>>() {
            if let Some(conn) = self.conns.get(&stream)
                && let Role::Server(serving) = &conn.role
            {
                let (address, serving) = (conn.address, serving.clone());
                self.hang_up(stream, cx);
                self.end_serving(stream, address, &serving, cx);
            }
        }
    }

    /// Requests are read one after the other; what comes during a reply is held, up to a limit.
    pub(super) fn on_request_bytes(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        bytes: &[u8],
        cx: &mut Cx<'_>,
    ) -> Next {
        if conn.held.len() + bytes.len() > MAX_HELD {
            return self.breach(conn, Violation::OutOfTurn, cx);
        }
        conn.held.extend_from_slice(bytes);
        self.read_requests(stream, conn, cx)
    }

    fn read_requests(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> Next {
        while conn.unflushed < MAX_UNREAD {
            let Role::Server(serving) = &mut conn.role else { return Next::Close };
            if serving.phase != Phase::Reading {
                return Next::Keep;
            }
            let (request, used) = match Request::parse(&conn.held) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return Next::Keep,
                Err(error) => {
                    serving.keep = false;
                    _ = self.refuse(stream, conn, (400, "Bad Request"), cx);
                    return self.breach(conn, error.into(), cx);
                }
            };
            conn.held.drain(..used);
            serving.keep = request.keeps_alive();
            serving.modern = request.minor == 1;
            self.timers.set(Timer::Conn(stream), cx.now() + self.idle_time(stream));
            if self.on_request(stream, conn, &request, cx) == Next::Close {
                return Next::Close;
            }
        }
        Next::Keep
    }

    /// How long a connection may be silent before the next request.
    fn idle_time(&self, stream: StreamId) -> std::time::Duration {
        if self.slots.is_wanted_from(stream) {
            self.config.idle_slot_timeout
        } else if let Some(wait) = self.slots.active_wait(stream, &self.config) {
            wait
        } else {
            self.config.idle_timeout
        }
    }

    fn on_request(&mut self, stream: StreamId, conn: &mut Conn, request: &Request, cx: &mut Cx<'_>) -> Next {
        if request.has_body() {
            // What follows would be taken for requests.
            set_keep(conn, false);
            return self.refuse(stream, conn, (403, "No Content Allowed"), cx);
        }
        if request.method == Method::Other {
            set_keep(conn, false);
            return self.refuse(stream, conn, (501, "Not Implemented"), cx);
        }
        if request.minor == 1 && request.headers.find("Host").is_none() {
            return self.refuse(stream, conn, (400, "Missing Host Header"), cx);
        }
        let content = match Target::parse(&request.path) {
            Ok(Target::List) => return self.serve_list(stream, conn, request, cx),
            Ok(Target::PushProxy { servent, index }) => {
                return self.pass_push(stream, conn, request, (servent, index), cx);
            }
            Ok(Target::Tree(urn)) => return self.serve_tree(stream, conn, request, urn, cx),
            Ok(Target::Urn(urn)) => self.by_urn(&urn),
            Ok(Target::FtHash(hash)) => self.shares.by_ft_hash(&hash),
            Ok(Target::Indexed { index, name }) => match self.by_number(index, &name) {
                Some(file) => Some(file),
                None => return self.refuse(stream, conn, (404, "File index/name mismatch"), cx),
            },
            Err(TargetError::Malformed) => return self.refuse(stream, conn, (400, "Malformed Request"), cx),
            Err(TargetError::Unknown) => None,
        };
        match content.map(|file| file.content) {
            Some(content) => self.serve_file(stream, conn, request, content, cx),
            None => self.refuse(stream, conn, (404, "Not Found"), cx),
        }
    }

    fn by_urn(&self, urn: &Urn) -> Option<&Shared> {
        let file = self.shares.by_sha1(&urn.sha1()?)?;
        let root = file.tiger.as_ref().map(|tree| tree.root);
        // A bitprint must name the tree as well as the file.
        urn.tiger_root().is_none_or(|told| root == Some(told)).then_some(file)
    }

    /// Number and name must both fit: numbers are used again after a restart.
    fn by_number(&self, index: u32, name: &[u8]) -> Option<&Shared> {
        self.shares.by_index(index).filter(|file| file.name.as_bytes() == name)
    }

    pub(super) fn on_server_flushed(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> Next {
        let Role::Server(serving) = &conn.role else { return Next::Keep };
        let next = match serving.phase {
            Phase::Sending { .. } => self.pump(stream, conn, cx),
            Phase::Listing { .. } => self.pump_list(stream, conn, cx),
            Phase::Reading | Phase::Passing => Next::Keep,
        };
        if next == Next::Close { Next::Close } else { self.read_requests(stream, conn, cx) }
    }

    pub(super) fn on_server_due(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> Next {
        let Role::Server(serving) = &conn.role else { return Next::Close };
        let (passing, reading) = (serving.phase == Phase::Passing, serving.phase == Phase::Reading);
        if passing {
            return self.answer_push(stream, conn, false, cx);
        }
        let moving = conn.unflushed > 0;
        if moving && self.has_moved(stream, conn, cx) {
            return Next::Keep;
        }
        if moving || !reading {
            self.blame(conn.address, Violation::TooSlow, cx);
        }
        Next::Close
    }

    /// A connection that we served is gone: its slot is free, but for a while theirs if they were cut off.
    pub(super) fn end_serving(
        &mut self,
        stream: StreamId,
        address: Endpoint,
        serving: &Serving,
        cx: &mut Cx<'_>,
    ) {
        let mut cut_off = false;
        if let Phase::Sending { content, range, at } = &serving.phase {
            cut_off = true;
            cx.emit(Event::UploadFailed(*content, address, at - range.start));
        }
        let grace = cut_off.then_some(self.config.slot_grace);
        self.slots.leave(stream, grace, cx.now());
        self.call_next(cx);
    }
}

fn set_keep(conn: &mut Conn, keep: bool) {
    if let Role::Server(serving) = &mut conn.role {
        serving.keep = keep;
    }
}

/// Another phase begins.
fn enter(conn: &mut Conn, phase: Phase) {
    if let Role::Server(serving) = &mut conn.role {
        serving.phase = phase;
    }
}
