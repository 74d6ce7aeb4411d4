//! From bytes to messages: what a connection is, and frames of ordinary nodes.

use super::super::channel::{Channel, HEAD};
use super::connections::{ConnId, Phase};
use super::{Cx, Server};
use crate::supernode::Violation;
use throng_machine::StreamId;
use throng_wire::fasttrack::{ClientHello, Frame, Message, ServerHello, is_known_name};
use throng_wire::supernode::{MAGIC, Preamble};

impl Server {
    pub(super) fn on_bytes(&mut self, conn: ConnId, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.heard = cx.now();
        match &mut connection.phase {
            Phase::Fresh => {
                connection.input.extend_from_slice(bytes);
                self.look_at_first(conn, cx);
            }
            Phase::Naming(channel) => {
                channel.receive(bytes);
                self.look_at_name(conn, cx);
            }
            Phase::Member(member) => {
                member.channel.receive(bytes);
                self.read_member(conn, cx);
            }
            Phase::Calling(_) => self.on_answer(conn, bytes, cx),
            Phase::Link(_) => self.on_link_bytes(conn, bytes, cx),
            Phase::Closing => {}
        }
    }

    /// The first bytes: another supernode's preamble, or an ordinary node's hello.
    fn look_at_first(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let input = &connection.input;
        if input.first_chunk().is_some_and(|first| *first == MAGIC) {
            if input.len() < Preamble::LEN {
                return;
            }
            let Ok(preamble) = Preamble::parse(&input[..Preamble::LEN]) else {
                return self.punish(conn, Violation::Unreadable, cx);
            };
            connection.input.drain(..Preamble::LEN);
            return self.on_preamble(conn, &preamble, cx);
        }
        let Some(hello) = input.first_chunk::<{ ClientHello::LEN }>() else { return };
        let mut channel = Channel::accept(&ClientHello::parse(hello));
        let stream = connection.stream;
        cx.write(stream, |out| {
            out.extend_from_slice(&ServerHello::ours().encode());
            channel.put_name(out);
        });
        channel.receive(&input[ClientHello::LEN..]);
        connection.input = Vec::new();
        connection.phase = Phase::Naming(Box::new(channel));
        self.look_at_name(conn, cx);
    }

    fn look_at_name(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let Phase::Naming(channel) = &mut connection.phase else { return };
        match channel.take_name() {
            Ok(None) => {}
            Ok(Some(name)) if is_known_name(&name) => {
                let Phase::Naming(channel) = std::mem::replace(&mut connection.phase, Phase::Fresh) else {
                    return;
                };
                self.welcome(conn, *channel, cx);
                self.read_member(conn, cx);
            }
            Ok(Some(_)) | Err(_) => self.punish(conn, Violation::Unreadable, cx),
        }
    }

    /// Handles the whole frames that an ordinary node has sent.
    fn read_member(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(member) = self.connections.member_mut(conn) else { return };
        let input = member.channel.take_input();
        let mut at = 0;
        loop {
            let Some(member) = self.connections.member_mut(conn) else { return };
            match member.channel.split(&input[at..]) {
                Ok(Some((frame, length))) => {
                    at += length;
                    self.on_frame(conn, frame, cx);
                }
                Ok(None) => return member.channel.keep(input, at),
                Err(_) => return self.punish(conn, Violation::Unreadable, cx),
            }
        }
    }

    fn on_frame(&mut self, conn: ConnId, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let (rate, now) = (self.config.messages, cx.now());
        let Some(member) = self.connections.member_mut(conn) else { return };
        member.pinged = false;
        if !member.message_budget.spend(rate.burst, rate.every, now) {
            return self.punish(conn, Violation::Flood, cx);
        }
        match frame {
            Frame::Ping => self.pong(conn, cx),
            Frame::Pong => {}
            Frame::Message(kind, body) => match Message::parse(kind, body) {
                Ok(Message::Search(query)) => {
                    self.metrics.spend(1, HEAD + body.len());
                    self.on_search(conn, &query, cx);
                }
                Ok(message) => self.on_message(conn, &message, cx),
                Err(_) => self.punish(conn, Violation::Unreadable, cx),
            },
        }
    }

    pub(super) fn on_flushed(&mut self, conn: ConnId, count: u32, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.queued = connection.queued.saturating_sub(count);
        if let Phase::Link(link) = connection.phase {
            self.on_link_flushed(link, count, cx);
        }
    }

    /// Watches for the silence of an ordinary node.
    pub(super) fn watch(&mut self, conn: ConnId, stream: StreamId, cx: &Cx<'_>) {
        self.timers.set(super::Timer::Silence(conn, stream), cx.now() + self.config.member_silence);
    }
}
