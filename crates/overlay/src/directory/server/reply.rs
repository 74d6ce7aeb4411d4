//! Writing to connections: answers, what others have to tell, and frames for users of other servers.
//!
//! What waits to be sent is bounded. Who asks more than they read is not listened to until they have read (see
//! `input`); who does not read what others tell is closed at the end of the call.

use super::command::Violation;
use super::connections::ConnId;
use super::people::{Home, PersonId};
use super::{Cx, Server};
use throng_wire::napster::{LinkMessage, ServerMessage, Text, Wrapped};

impl Server {
    /// Writes to a connection, whoever it is.
    pub(super) fn write(&mut self, conn: ConnId, message: &ServerMessage<'_>, cx: &mut Cx<'_>) {
        self.write_with(conn, cx, |out, metrics| {
            if message.encode(out).is_err() {
                metrics.unwritable += 1;
            }
        });
    }

    /// Writes what `fill` appends.
    pub(super) fn write_with<'e>(
        &mut self,
        conn: ConnId,
        cx: &mut Cx<'e>,
        fill: impl FnOnce(&mut Vec<u8>, &mut super::Metrics),
    ) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let (metrics, mut length) = (&mut self.metrics, 0);
        cx.write(connection.stream, |out| {
            let before = out.len();
            fill(out, metrics);
            length = out.len() - before;
        });
        connection.queued = connection.queued.saturating_add(length as u32);
    }

    /// Answers a user, wherever they are.
    pub(super) fn answer(&mut self, who: PersonId, message: &ServerMessage<'_>, cx: &mut Cx<'_>) {
        match self.people.get(who).map(|person| person.home) {
            Some(Home::Here(conn)) => self.write(conn, message, cx),
            Some(Home::There(_)) => self.wrap(who, message),
            None => {}
        }
    }

    /// Tells a user what they did not ask for.
    pub(super) fn tell(&mut self, who: PersonId, message: &ServerMessage<'_>, cx: &mut Cx<'_>) {
        if let Some(Home::Here(conn)) = self.people.get(who).map(|person| person.home)
            && self.connections.get(conn).is_some_and(|connection| connection.queued > self.config.max_queue)
        {
            self.doomed.push((conn, Violation::SlowReader));
            return;
        }
        self.answer(who, message, cx);
    }

    /// A 404 to a user.
    pub(super) fn notice(&mut self, who: PersonId, text: &[u8], cx: &mut Cx<'_>) {
        self.answer(who, &ServerMessage::Notice(Text { text }), cx);
    }

    /// A 404 of several parts to a user.
    pub(super) fn notice_parts(&mut self, who: PersonId, parts: &[&[u8]], cx: &mut Cx<'_>) {
        self.notice(who, &parts.concat(), cx);
    }

    /// A frame for a user of another server (10018).
    fn wrap(&mut self, who: PersonId, message: &ServerMessage<'_>) {
        let mut frame = Vec::new();
        if message.encode(&mut frame).is_err() {
            self.metrics.unwritable += 1;
            return;
        }
        let Some(person) = self.people.get(who) else { return };
        let from = self.config.name.as_bytes();
        let wrapped = LinkMessage::Wrapped(Wrapped { from, nick: &person.nick, frame: &frame });
        if let Home::There(server) = person.home
            && let Some(link) = self.links.way_to(server)
        {
            self.links.send(link, &wrapped);
        }
    }
}
