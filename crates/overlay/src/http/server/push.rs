//! Pushes: calling with a file, and passing on others' wishes to be called (11.8, 11.9).

use throng_machine::{Endpoint, StreamId};
use throng_wire::gnutella::Guid;
use throng_wire::http::{Method, Opening, Request, parse_address};

use super::super::connection::{Conn, Next, Role};
use super::super::event::Event;
use super::super::machine::{Cx, Timer, Transfer};
use super::super::violation::Violation;
use super::{Phase, Serving};

impl Transfer {
    /// `PUSH`: say who we are and which file it is about.
    pub(in super::super) fn call_with(&mut self, to: Endpoint, index: u32, cx: &mut Cx<'_>) {
        let servent = self.config.identity.servent;
        // Any name will do: the caller is known by its servent id.
        self.call_to_serve(to, Opening::Giv { index, servent, name: b"file" }, cx);
    }

    /// Somebody would be called by a servent that we may know the way to.
    pub(super) fn pass_push(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        request: &Request,
        (servent, index): (Guid, u32),
        cx: &mut Cx<'_>,
    ) -> Next {
        super::set_keep(conn, false);
        let node = request.headers.find("X-Node").and_then(parse_address).map(Endpoint::from);
        let Some(to) = node.filter(|to| to.is_dialable()) else {
            return self.refuse(
                stream,
                conn,
                (400, "Malformed push-proxy request: supplied no valid address"),
                cx,
            );
        };
        // Or we would have others call whomever a stranger names.
        if to.ip() != conn.address.ip() {
            self.blame(conn.address, Violation::Address, cx);
            return self.refuse(stream, conn, (403, "Push proxy: the address is not yours"), cx);
        }
        if request.method == Method::Head {
            return self.refuse(stream, conn, (400, "Malformed push-proxy request"), cx);
        }
        super::enter(conn, Phase::Passing);
        self.timers.set(Timer::Conn(stream), cx.now() + self.config.request_timeout);
        cx.emit(Event::PushProxyAsked(stream, servent, index, to));
        Next::Keep
    }

    /// The servent has passed the push on, or knows no way.
    pub(in super::super) fn on_push_passed(&mut self, stream: StreamId, passed: bool, cx: &mut Cx<'_>) {
        let waits = |conn: &Conn| matches!(conn.role, Role::Server(Serving { phase: Phase::Passing, .. }));
        if !self.conns.get(&stream).is_some_and(|conn| waits(conn)) {
            return;
        }
        let Some(mut conn) = self.conns.remove(&stream) else { return };
        _ = self.answer_push(stream, &mut conn, passed, cx);
        self.timers.clear(Timer::Conn(stream));
        cx.close(stream);
        if let Role::Server(serving) = &conn.role {
            self.end_serving(stream, conn.address, serving, cx);
        }
    }

    pub(super) fn answer_push(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        passed: bool,
        cx: &mut Cx<'_>,
    ) -> Next {
        let status = if passed {
            (202, "Push-proxy: message sent to node")
        } else {
            (410, "Push proxy: no route to servent")
        };
        self.refuse(stream, conn, status, cx)
    }
}
