//! What node and supernode say to each other, and when the supernode is silent.

use super::super::channel::Channel;
use super::{Client, Cx, Event};
use crate::supernode::{Violation, endpoint};
use std::net::{Ipv4Addr, SocketAddrV4};
use throng_machine::{Instant, StreamId};
use throng_wire::fasttrack::{
    Frame, Message, NETWORK_NAME, NodeInfo, NodeList, PushOrder, PushRequest, speed_code,
};
use throng_wire::supernode::{Candidate, OURS, Ours};

/// The connection to a supernode.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) channel: Channel,
    /// When its silence is too long.
    pub(super) due: Instant,
    pub(super) stream: StreamId,
    /// Bytes written that have not left.
    pub(super) queued: u32,
    pub(super) at: SocketAddrV4,
    pub(super) attached: bool,
    /// It was pinged and has not answered.
    pub(super) pinged: bool,
    /// It wants our shares.
    pub(super) wants_shares: bool,
    /// A share that was withdrawn or added may not have been told.
    pub(super) is_telling: bool,
}

impl Session {
    pub(super) fn new(stream: StreamId, at: SocketAddrV4, channel: Channel, due: Instant) -> Session {
        Session {
            channel,
            due,
            stream,
            queued: 0,
            at,
            attached: false,
            pinged: false,
            wants_shares: false,
            is_telling: false,
        }
    }
}

impl Client {
    /// Writes what `fill` appends, if there is a session.
    pub(super) fn write(&mut self, cx: &mut Cx<'_>, fill: impl FnOnce(&mut Channel, &mut Vec<u8>)) {
        let Some(session) = &mut self.session else { return };
        let (channel, mut length) = (&mut session.channel, 0);
        cx.write(session.stream, |out| {
            let before = out.len();
            fill(channel, out);
            length = out.len() - before;
        });
        session.queued = session.queued.saturating_add(length as u32);
    }

    pub(super) fn tell(&mut self, message: &Message<'_>, cx: &mut Cx<'_>) {
        self.write(cx, |channel, out| _ = channel.put(message, out));
    }

    /// 02: who we are. The address is the one the supernode told us, or none until it did.
    pub(super) fn tell_who(&mut self, cx: &mut Cx<'_>) {
        let config = std::sync::Arc::clone(&self.config);
        let ip = config.address.map(|at| *at.ip()).or(self.seen_as).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let port = config.address.map_or(config.port, |at| at.port());
        let address = SocketAddrV4::new(ip, port);
        let bandwidth = speed_code(config.kilobits);
        self.tell(&Message::NodeInfo(NodeInfo { address, bandwidth, user: &config.user }), cx);
    }

    /// Whether we would be a supernode, for supernodes of ours.
    pub(super) fn tell_capacity(&mut self, cx: &mut Cx<'_>) {
        if !self.session.as_ref().is_some_and(|session| session.attached) {
            return;
        }
        let willing = self.config.role == super::super::Role::Either && self.config.port != 0;
        let minutes = u32::try_from(cx.now().as_micros() / 60_000_000).unwrap_or(u32::MAX);
        let (port, mebibytes) = (self.config.port, self.mebibytes);
        let candidate = Candidate { willing, port, instance: self.instance, mebibytes, minutes };
        let mut body = Vec::new();
        Ours::Candidate(candidate).put(&mut body);
        self.tell(&Message::Other { kind: OURS, body: &body }, cx);
    }

    pub(super) fn on_bytes(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(session) = &mut self.session else { return };
        session.channel.receive(bytes);
        self.read(cx);
    }

    /// Handles the whole frames that have come.
    pub(super) fn read(&mut self, cx: &mut Cx<'_>) {
        let Some(session) = &mut self.session else { return };
        (session.due, session.pinged) = (cx.now() + self.config.silence, false);
        let stream = session.stream;
        let input = session.channel.take_input();
        let mut at = 0;
        loop {
            // A message may end this session and begin another.
            let Some(session) = self.session.as_mut().filter(|session| session.stream == stream) else {
                return;
            };
            match session.channel.split(&input[at..]) {
                Ok(Some((frame, length))) => {
                    at += length;
                    self.on_frame(frame, cx);
                }
                Ok(None) => return session.channel.keep(input, at),
                Err(_) => return self.leave_for(Violation::Unreadable, cx),
            }
        }
    }

    /// The supernode is not one we can stay with.
    pub(super) fn leave_for(&mut self, violation: Violation, cx: &mut Cx<'_>) {
        let Some(session) = &self.session else { return };
        let at = session.at;
        cx.close(session.stream);
        self.blame(at, violation, cx);
        self.lose(cx);
    }

    fn on_frame(&mut self, frame: Frame<'_>, cx: &mut Cx<'_>) {
        match frame {
            Frame::Ping => self.write(cx, |channel, out| channel.put_pong(out)),
            Frame::Pong => {}
            Frame::Message(kind, body) => match Message::parse(kind, body) {
                Ok(message) => self.on_message(&message, cx),
                Err(_) => self.leave_for(Violation::Unreadable, cx),
            },
        }
    }

    fn on_message(&mut self, message: &Message<'_>, cx: &mut Cx<'_>) {
        match message {
            Message::NodeList(list) => self.on_list(list, cx),
            Message::ExternalAddress(ip) => self.on_address(*ip, cx),
            Message::SendShares => {
                self.attached(cx);
                self.on_shares_wanted(cx);
            }
            Message::Reply(reply) => self.on_reply(reply, cx),
            Message::SearchEnd(id) => self.on_search_end(*id, cx),
            Message::Push(body) => self.on_push_order(body, cx),
            Message::NetworkName(_) => self.tell(&Message::NetworkName(NETWORK_NAME), cx),
            Message::Version(version) => self.tell(&Message::Version(*version), cx),
            Message::Other { kind: OURS, body } => self.on_ours(body, cx),
            // What only nodes say, statistics, upgrade orders and the unknown: never obeyed.
            _ => {}
        }
    }

    /// 00: others to go to when this one dies. With itself in it, it takes us.
    fn on_list(&mut self, list: &NodeList<'_>, cx: &mut Cx<'_>) {
        let Some(session) = &self.session else { return };
        let at = session.at;
        let is_fine = |entry: &SocketAddrV4| {
            *entry != at && crate::dial::callable(endpoint(at), *entry.ip(), entry.port()).is_some()
        };
        let told = list.iter().map(|entry| entry.address).filter(is_fine);
        self.known.add_all(told, self.config.known, cx.rng());
        if list.iter().any(|entry| entry.address == at) {
            self.attached(cx);
        }
    }

    /// 2C. giFT repeats 02 and shares on it; so do we.
    fn on_address(&mut self, ip: Ipv4Addr, cx: &mut Cx<'_>) {
        if !ip.is_unspecified() && !ip.is_multicast() && self.seen_as != Some(ip) {
            self.seen_as = Some(ip);
            self.tell_who(cx);
        }
        self.attached(cx);
        self.on_shares_wanted(cx);
    }

    /// 0D: somebody whom we cannot call wants us to call.
    fn on_push_order(&mut self, body: &[u8], cx: &mut Cx<'_>) {
        let Some(at) = self.session.as_ref().map(|session| session.at) else { return };
        match PushOrder::parse(body) {
            Ok(order) if crate::dial::callable(endpoint(at), *order.to.ip(), order.to.port()).is_some() => {
                cx.emit(Event::CallAsked { id: order.id, to: order.to });
            }
            Ok(_) => self.blame(at, Violation::Address, cx),
            Err(_) => self.leave_for(Violation::Unreadable, cx),
        }
    }

    fn on_ours(&mut self, body: &[u8], cx: &mut Cx<'_>) {
        let Some(at) = self.session.as_ref().map(|session| session.at) else { return };
        match Ours::parse(body) {
            Ok(Ours::Promote) => self.promoted = true,
            Ok(Ours::Move(to)) if crate::dial::callable(endpoint(at), *to.ip(), to.port()).is_some() => {
                self.known.add(to, self.config.known, cx.rng());
                // The old one is left when the new one has said its name.
                if self.calls.is_empty() && to != at {
                    self.call(to, cx);
                }
            }
            Ok(Ours::Move(_)) => self.blame(at, Violation::Address, cx),
            Ok(Ours::Candidate(_)) | Err(_) => {}
        }
    }

    /// Asks the supernode to have somebody call us; where the hit came from tells which supernode the other has.
    pub(super) fn push(&mut self, id: u32, at: (SocketAddrV4, SocketAddrV4), user: &[u8], cx: &mut Cx<'_>) {
        let (target, supernode) = at;
        let ip = self.config.address.map(|at| *at.ip()).or(self.seen_as).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let port = self.config.address.map_or(self.config.port, |at| at.port());
        let from = SocketAddrV4::new(ip, port);
        let mut body = Vec::new();
        PushRequest { id, from, target, supernode, user }.put(&mut body);
        self.tell(&Message::Push(&body), cx);
    }

    /// Pings a silent supernode, and leaves one that stays silent.
    pub(super) fn look_at_silence(&mut self, cx: &mut Cx<'_>) {
        let (now, silence) = (cx.now(), self.config.silence);
        let Some(session) = self.session.as_mut().filter(|session| session.due <= now) else { return };
        if session.pinged {
            cx.close(session.stream);
            return self.lose(cx);
        }
        session.pinged = true;
        session.due = now + silence;
        self.write(cx, |channel, out| channel.put_ping(out));
    }
}
