//! From a call or a hello to a link, and its end (10010, 10011).
//!
//! A name is believed only from an address of its configuration, and with its password. Two servers that call each
//! other at once keep the call of the one whose name sorts first.

use super::super::command::{Event, Violation};
use super::super::config::Peer;
use super::super::connections::{Budget, ConnId, Connection, Phase, seconds};
use super::super::{Cx, Server};
use super::{Call, Link, LinkId, Remote, State};
use std::time::Duration;
use throng_machine::{Endpoint, Via};
use throng_wire::napster::{Deflater, Inflater, LinkDown, LinkHello, LinkMessage, LinkUp, Nick, link_proof};

/// Between two calls, of whomever: the state of a new link comes within; 1 s.
const SPACING: Duration = Duration::from_secs(1);

/// First wait before a server that did not answer is called again, doubled each time up to the configured one; 2 s.
const REDIAL: Duration = Duration::from_secs(2);

/// A link that was up for so long was no mistake: those of circles end at once; 10 s.
const LASTING: Duration = Duration::from_secs(10);

impl Server {
    /// 10010 from somebody new.
    pub(in super::super) fn on_hello(&mut self, conn: ConnId, hello: &LinkHello<'_>, cx: &mut Cx<'_>) {
        let Some(from) = self.connections.get(conn).map(|connection| connection.from) else { return };
        let known = |peer: &Peer| is_named(peer, hello.server) && peer.addresses.contains(&from.ip());
        let Some(peer) = self.config.peers.iter().position(known) else {
            return self.punish(conn, Violation::FalseServer, cx);
        };
        if self.is_second_way(peer, hello.server, cx) || hello.nonce.len() > 64 {
            return self.punish(conn, Violation::BadLink, cx);
        }
        let (nonce, level) = (self.draw_nonce(cx), hello.compression.min(self.config.compression));
        let state = State::Greeted { nonce: hello.nonce.to_vec() };
        let link = self.links.add(Link { state, level, ..new_link(conn, peer, nonce) });
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.phase = Phase::Link(link);
        }
        self.say_hello(link, cx);
        self.say_proof(link, hello.nonce, cx);
    }

    /// Whether there is another way to that server; a call of ours gives way to theirs by the order of names.
    fn is_second_way(&mut self, peer: usize, name: &[u8], cx: &mut Cx<'_>) -> bool {
        if self.links.is_server(name) || self.config.name.as_bytes().eq_ignore_ascii_case(name) {
            return true;
        }
        let rival = self
            .links
            .ids()
            .find(|(_, link)| link.peer == peer)
            .map(|(id, link)| (id, link.called, link.conn));
        match rival {
            None => false,
            Some((_, true, conn))
                if self.config.name.as_bytes().to_ascii_lowercase() > name.to_ascii_lowercase() =>
            {
                self.close(conn, cx);
                false
            }
            Some(_) => true,
        }
    }

    /// Calls a server whose time has come, the first by name; one at a time, as a link may lead to the others.
    pub(in super::super) fn call_servers(&mut self, cx: &mut Cx<'_>) {
        let is_due = |peer: &usize| self.links.calls[*peer].at.is_some_and(|at| at <= cx.now());
        let mut due: Vec<usize> = (0..self.links.calls.len()).filter(is_due).collect();
        due.sort_by_key(|peer| self.config.peers[*peer].name.to_ascii_lowercase());
        let Some(first) = due.first().copied() else { return };
        due.iter().for_each(|peer| self.links.calls[*peer].at = Some(cx.now() + SPACING));
        if !self.links.is_linking() {
            let called = self.call(first, cx);
            self.call_later(first, cx);
            if !called {
                // It is in the cluster already.
                self.links.calls[first].failures = 0;
            }
        }
    }

    /// The next call, later each time, and not at the same time for all: of servers that made a circle one must be
    /// first.
    fn call_later(&mut self, peer: usize, cx: &mut Cx<'_>) {
        let Some(call) = self.links.calls.get_mut(peer) else { return };
        let wait = REDIAL.saturating_mul(1 << call.failures.min(16)).min(self.config.redial);
        let jitter = u64::from(cx.rng().below(1_000)) * wait.as_micros() as u64 / 1_000;
        *call = Call {
            at: Some(cx.now() + wait + Duration::from_micros(jitter)),
            failures: call.failures.saturating_add(1),
        };
    }

    /// A server that is not linked any more is called soon, after those that are called first; later if it was not
    /// linked for long, as in circles.
    fn call_again(&mut self, peer: usize, cx: &mut Cx<'_>) {
        if self.config.peers[peer].dial.is_none() {
            return;
        }
        if self.links.calls[peer].failures > 0 {
            self.call_later(peer, cx);
        } else {
            let jitter = Duration::from_millis(u64::from(cx.rng().below(1_000)));
            let wait = super::first_wait(&self.config, &self.config.peers[peer]);
            self.links.calls[peer] = Call { at: Some(cx.now() + SPACING + wait + jitter), failures: 0 };
        }
    }

    /// Calls a server of the configuration; false if it cannot be.
    pub(in super::super) fn call_server(&mut self, name: &[u8], cx: &mut Cx<'_>) -> bool {
        let peer = self.config.peers.iter().position(|peer| is_named(peer, name) && peer.dial.is_some());
        peer.is_some_and(|peer| self.call(peer, cx))
    }

    fn call(&mut self, peer: usize, cx: &mut Cx<'_>) -> bool {
        let Some((name, to)) =
            self.config.peers.get(peer).and_then(|peer| Some((peer.name.clone(), peer.dial?)))
        else {
            return false;
        };
        let busy =
            self.links.ids().any(|(_, link)| link.peer == peer) || self.links.is_server(name.as_bytes());
        if busy || self.closing {
            return false;
        }
        let (stream, nonce) = (cx.open(Via::Tcp, to), self.draw_nonce(cx));
        let conn = self.connections.add(self.new_connection(stream, to, cx));
        let link = self.links.add(Link { called: true, ..new_link(conn, peer, nonce) });
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.phase = Phase::Link(link);
        }
        self.fresh.push_back((cx.now() + self.config.login_timeout, conn, stream));
        true
    }

    pub(in super::super) fn new_connection(
        &self,
        stream: throng_machine::StreamId,
        from: Endpoint,
        cx: &Cx<'_>,
    ) -> Connection {
        let now = seconds(cx.now());
        Connection {
            stream,
            from,
            phase: Phase::Fresh,
            input: Vec::new(),
            queued: 0,
            messages: Budget::full(self.config.messages, now),
            searches: Budget::full(self.config.searches, now),
            frame_since: 0,
        }
    }

    /// The stream of a call is open.
    pub(in super::super) fn on_link_opened(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        self.say_hello(link, cx);
    }

    fn say_hello(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let Some(state) = self.links.get(link) else { return };
        let (conn, nonce) = (state.conn, state.nonce);
        let (server, compression) = (self.config.name.clone(), self.config.compression);
        let hello = LinkMessage::Hello(LinkHello { server: server.as_bytes(), nonce: &nonce, compression });
        self.write_with(conn, cx, |out, _| _ = hello.encode(out));
    }

    /// 10011; from here on what we send is compressed.
    fn say_proof(&mut self, link: LinkId, their_nonce: &[u8], cx: &mut Cx<'_>) {
        let Some(state) = self.links.get_mut(link) else { return };
        let (conn, own) = (state.conn, state.nonce);
        state.deflater = Some(Deflater::new(state.level));
        let password = self.config.peers[state.peer].send_password.as_bytes();
        let proof = link_proof(their_nonce, &own, password);
        self.write_with(conn, cx, |out, _| _ = LinkMessage::Proof(Nick { nick: &proof }).encode(out));
    }

    /// Their hello, on a call of ours.
    pub(super) fn on_answered_hello(&mut self, link: LinkId, hello: &LinkHello<'_>, cx: &mut Cx<'_>) {
        let Some(state) = self.links.get(link) else { return };
        let (conn, peer) = (state.conn, &self.config.peers[state.peer]);
        let is_known = self.links.is_server(hello.server);
        if !is_named(peer, hello.server) || is_known || state.state != State::Called || hello.nonce.len() > 64
        {
            return self.punish(conn, Violation::FalseServer, cx);
        }
        let level = hello.compression.min(self.config.compression);
        if let Some(state) = self.links.get_mut(link) {
            state.level = level;
            state.state = State::Greeted { nonce: hello.nonce.to_vec() };
        }
    }

    /// Their proof: the link is up, or nothing.
    pub(super) fn on_proof(&mut self, link: LinkId, proof: &[u8], cx: &mut Cx<'_>) {
        let Some(state) = self.links.get(link) else { return };
        let (conn, called) = (state.conn, state.called);
        let State::Greeted { nonce } = state.state.clone() else {
            return self.punish(conn, Violation::FalseServer, cx);
        };
        let peer = &self.config.peers[state.peer];
        let expected = link_proof(&state.nonce, &nonce, peer.expect_password.as_bytes());
        // Every byte is looked at, so that time tells nothing.
        let differ = expected.iter().zip(proof).fold(0, |differ, (a, b)| differ | (a ^ b));
        if differ != 0 || proof.len() != expected.len() {
            return self.punish(conn, Violation::FalseServer, cx);
        }
        if called {
            self.say_proof(link, &nonce, cx);
        }
        if let Some(state) = self.links.get_mut(link) {
            state.state = State::Up;
            state.up_since = Some(cx.now());
            state.inflater = Some(Inflater::new());
        }
        self.link_is_up(link, cx);
    }

    fn link_is_up(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let Some(state) = self.links.get(link) else { return };
        let (conn, peer) = (state.conn, state.peer);
        let (name, own) =
            (self.config.peers[peer].name.clone().into_bytes(), self.config.name.clone().into_bytes());
        let port = self.connections.get(conn).map_or(0, |connection| connection.from.port());
        let remote =
            Remote { name: name.clone(), port, via: link, peer: own, peer_port: self.config.port, hops: 1 };
        if !self.links.add_server(remote) {
            return self.punish(conn, Violation::BadLink, cx);
        }
        self.links.calls[peer].at = None;
        self.sync(link);
        let up = LinkUp {
            server: self.config.name.as_bytes(),
            port: self.config.port,
            peer: &name,
            peer_port: port,
            hops: 1,
        };
        self.links.send_all(&LinkMessage::LinkUp(up), Some(link));
        cx.emit(Event::Linked { server: name });
    }

    /// A link is gone: so are the servers and users behind it, and it owes no more answers.
    pub(in super::super) fn link_is_down(&mut self, link: LinkId, reason: &'static str, cx: &mut Cx<'_>) {
        let Some(gone) = self.links.slots.get_mut(usize::from(link.0)).and_then(Option::take) else { return };
        if let Some(since) = gone.up_since {
            let call = &mut self.links.calls[gone.peer];
            let lasted = cx.now().since(since) >= LASTING;
            call.failures = if lasted { 0 } else { call.failures.max(1) };
            self.call_again(gone.peer, cx);
        }
        let peer = &self.config.peers[gone.peer];
        cx.emit(Event::Unlinked { server: peer.name.clone().into_bytes(), reason });
        for server in self.links.behind(link) {
            self.server_is_gone(server, None, cx);
        }
        self.searches_without(link, cx);
    }

    /// A server and its users are gone; the other links are told.
    pub(super) fn server_is_gone(
        &mut self,
        server: super::super::people::ServerId,
        but: Option<LinkId>,
        cx: &mut Cx<'_>,
    ) {
        for who in self.people_of(server) {
            self.leave(who, cx);
        }
        let Some(remote) = self.links.servers.get_mut(usize::from(server.0)).and_then(Option::take) else {
            return;
        };
        let named = |peer: &Peer| is_named(peer, &remote.name);
        if let Some(peer) = self.config.peers.iter().position(named) {
            self.call_again(peer, cx);
        }
        let from = self.config.name.clone().into_bytes();
        let down = LinkDown { from: &from, server: &remote.name, reason: Some(b"link lost") };
        self.links.send_all(&LinkMessage::LinkDown(down), but);
    }

    /// Ends a link by name.
    pub(in super::super) fn unlink(&mut self, name: &[u8], reason: &'static str, cx: &mut Cx<'_>) {
        let named = |link: &Link| is_named(&self.config.peers[link.peer], name);
        let found =
            self.links.ids().find(|(_, link)| named(link)).map(|(id, link)| (id, link.conn, link.peer));
        let Some((id, conn, peer)) = found else { return };
        self.flush_link(id, cx);
        self.link_is_down(id, reason, cx);
        self.close(conn, cx);
        // Until somebody wants it again.
        self.links.calls[peer] = Call { at: None, failures: 0 };
    }

    pub(in super::super) fn unlink_all(&mut self, reason: &'static str, cx: &mut Cx<'_>) {
        for peer in 0..self.config.peers.len() {
            let name = self.config.peers[peer].name.clone();
            self.unlink(name.as_bytes(), reason, cx);
        }
    }

    fn draw_nonce(&self, cx: &mut Cx<'_>) -> [u8; 16] {
        let mut nonce = [0; 16];
        let drawn = cx.rng().next_u64();
        for (at, byte) in nonce.iter_mut().enumerate() {
            *byte = b"0123456789ABCDEF"[(drawn >> (at * 4) & 15) as usize];
        }
        nonce
    }
}

fn is_named(peer: &Peer, name: &[u8]) -> bool {
    peer.name.as_bytes().eq_ignore_ascii_case(name)
}

fn new_link(conn: ConnId, peer: usize, nonce: [u8; 16]) -> Link {
    Link {
        conn,
        peer,
        state: State::Called,
        called: false,
        up_since: None,
        nonce,
        level: 0,
        inflater: None,
        deflater: None,
        input: Vec::new(),
        out: Vec::new(),
        settled: Vec::new(),
        told_time: false,
        told_end: false,
    }
}
