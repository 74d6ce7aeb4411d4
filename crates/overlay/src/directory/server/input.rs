//! From bytes to messages: frames, pipelining, and when somebody is not listened to.
//!
//! A client's next message is looked at when the one before is answered, its password is checked, and what it was
//! sent so far has left up to the limit of its queue. What arrives meanwhile is kept up to [`MAX_BACKLOG`].

use super::command::Violation;
use super::connections::{ConnId, Phase, seconds};
use super::people::PersonId;
use super::{Cx, Server};
use throng_wire::napster::{Frame, MAX_DATA};

/// Input that may wait; bytes.
const MAX_BACKLOG: usize = 65_536;

/// Why no more frames are looked at.
enum Pause {
    /// The next frame is not whole.
    Partial,
    /// There is a reason to wait.
    Waiting,
    /// The connection is gone.
    Gone,
}

impl Server {
    pub(super) fn on_bytes(&mut self, conn: ConnId, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if let Phase::Link(link) = connection.phase {
            return self.on_link_bytes(link, bytes, cx);
        }
        // A part of a frame waits for nothing but its rest, however much comes with that.
        let waits = !connection.input.is_empty() && connection.frame_since == 0;
        if connection.input.is_empty() {
            self.read(conn, bytes, cx);
        } else if waits && connection.input.len() + bytes.len() > MAX_BACKLOG + MAX_DATA {
            self.punish(conn, Violation::Flood, cx);
        } else {
            let mut input = std::mem::take(&mut connection.input);
            input.extend_from_slice(bytes);
            self.read(conn, &input, cx);
        }
    }

    /// Looks at input that had to wait.
    pub(super) fn resume(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if !connection.input.is_empty() {
            let input = std::mem::take(&mut connection.input);
            self.read(conn, &input, cx);
        }
    }

    pub(super) fn on_flushed(&mut self, conn: ConnId, count: u32, cx: &mut Cx<'_>) {
        let limit = self.config.max_queue;
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let was = connection.queued;
        connection.queued = was.saturating_sub(count);
        if was > limit && connection.queued <= limit && !matches!(connection.phase, Phase::Link(_)) {
            self.resume(conn, cx);
        }
    }

    /// Handles the frames of `bytes`, and keeps what is left of them.
    fn read(&mut self, conn: ConnId, bytes: &[u8], cx: &mut Cx<'_>) {
        let (at, pause) = self.read_frames(conn, bytes, cx);
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let rest = &bytes[at..];
        match pause {
            Pause::Gone => {}
            Pause::Partial if rest.is_empty() => connection.frame_since = 0,
            Pause::Partial => {
                if at > 0 || connection.frame_since == 0 {
                    connection.frame_since = seconds(cx.now());
                }
                connection.input = rest.to_vec();
            }
            Pause::Waiting if rest.len() > MAX_BACKLOG => self.punish(conn, Violation::Flood, cx),
            Pause::Waiting => {
                connection.frame_since = 0;
                connection.input = rest.to_vec();
            }
        }
    }

    fn read_frames(&mut self, conn: ConnId, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Pause) {
        let mut at = 0;
        loop {
            let Some(connection) = self.connections.get(conn) else { return (at, Pause::Gone) };
            match connection.phase {
                Phase::Link(link) => {
                    // The hello was a client's frame; the rest is the link's.
                    self.on_link_bytes(link, &bytes[at..], cx);
                    return (bytes.len(), Pause::Gone);
                }
                Phase::Checking(_) => return (at, Pause::Waiting),
                _ if connection.queued > self.config.max_queue => return (at, Pause::Waiting),
                _ => {}
            }
            match Frame::split(&bytes[at..], MAX_DATA) {
                Ok(Some((frame, length))) => {
                    at += length;
                    self.on_frame(conn, frame, cx);
                }
                Ok(None) => return (at, Pause::Partial),
                Err(_) => {
                    self.punish(conn, Violation::FrameTooLong, cx);
                    return (at, Pause::Gone);
                }
            }
        }
    }

    fn on_frame(&mut self, conn: ConnId, frame: Frame<'_>, cx: &mut Cx<'_>) {
        self.metrics.messages += 1;
        let Some(who) = self.connections.person(conn) else { return self.on_first_frame(conn, frame, cx) };
        let rate = self.config.messages;
        let now = seconds(cx.now());
        if self.connections.get_mut(conn).is_some_and(|connection| !connection.messages.take(rate, now)) {
            self.notice(who, b"You are flooding the server, disconnecting.", cx);
            return self.punish(conn, Violation::Flood, cx);
        }
        let files = self.files_of(who);
        self.on_message(who, frame, cx);
        // How many files somebody may share is a limit of its own; who shares them one a message is no flood.
        if self.files_of(who) > files
            && let Some(connection) = self.connections.get_mut(conn)
        {
            connection.messages.give_back();
        }
    }

    fn files_of(&self, who: PersonId) -> u32 {
        self.people.get(who).map_or(0, |person| person.files)
    }
}
