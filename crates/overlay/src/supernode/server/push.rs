//! Pushes (0D): an ordinary node asks that another call it; through the other's supernode if that is not this one.
//!
//! The address to be called is the one the asker comes from, whatever it says; and one address is named at most a few
//! times a minute, so that nobody is called by a crowd.

use super::connections::{Call, ConnId};
use super::{Cx, Event, Server};
use crate::supernode::{Violation, endpoint, v4};
use std::net::SocketAddrV4;
use throng_wire::fasttrack::{Message, PushOrder, PushRequest};
use throng_wire::supernode::Message as LinkMessage;

impl Server {
    pub(super) fn on_push(&mut self, conn: ConnId, push: &PushRequest<'_>, cx: &mut Cx<'_>) {
        let Some(from) = self.connections.get(conn).map(|connection| connection.from) else { return };
        let Some(ip) = v4(from).map(|at| *at.ip()) else { return };
        if *push.from.ip() != ip && !push.from.ip().is_unspecified() {
            self.count(from, Violation::Address, cx);
        }
        let honest = PushRequest { from: SocketAddrV4::new(ip, push.from.port()), ..*push };
        self.pass_push(&honest, cx);
    }

    /// To the target, if it is here, or to its supernode.
    pub(super) fn pass_push(&mut self, push: &PushRequest<'_>, cx: &mut Cx<'_>) {
        let to = endpoint(push.from);
        if !to.is_dialable() || !self.calls.allow(to, self.config.max_calls_a_minute, cx.now()) {
            return self.count(to, Violation::Address, cx);
        }
        if self.deliver_push(push, cx) || Some(push.supernode) == self.address {
            return;
        }
        let mut words = Vec::new();
        LinkMessage::Push(*push).put(&mut words);
        self.metrics.pushes += 1;
        match self.links.to(push.supernode) {
            Some(link) => self.say_bytes(link, &words, crate::flood::Importance { class: 3, rank: 0 }, cx),
            None if crate::dial::callable(to, *push.supernode.ip(), push.supernode.port()).is_some()
                && self.calls.allow(endpoint(push.supernode), self.config.max_calls_a_minute, cx.now()) =>
            {
                self.call(push.supernode, Call::Errand(words), cx);
            }
            None => self.count(endpoint(push.supernode), Violation::Address, cx),
        }
    }

    /// Another supernode asks for one of ours.
    pub(super) fn on_passed_push(&mut self, push: &PushRequest<'_>, cx: &mut Cx<'_>) {
        let to = endpoint(push.from);
        if to.is_dialable() && self.calls.allow(to, self.config.max_calls_a_minute, cx.now()) {
            self.deliver_push(push, cx);
        } else {
            self.count(to, Violation::Address, cx);
        }
    }

    /// 0D to an ordinary node here of that name and address, or to this node itself.
    fn deliver_push(&mut self, push: &PushRequest<'_>, cx: &mut Cx<'_>) -> bool {
        let order = PushOrder { id: push.id, to: push.from };
        if self.is_me(push.target, push.user) {
            cx.emit(Event::CallAsked { id: order.id, to: order.to });
            return true;
        }
        let mut members = self.connections.members();
        let target = members.find(|(_, member)| member.at == push.target && member.user == push.user);
        let Some(conn) = target.map(|(conn, _)| conn) else { return false };
        drop(members);
        let mut body = Vec::new();
        order.put(&mut body);
        self.metrics.pushes += 1;
        self.tell(conn, &Message::Push(&body), cx);
        true
    }
}
