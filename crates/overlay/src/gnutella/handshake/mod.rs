//! The three blocks a link begins with (section 2), both sides of them.
//!
//! Callers are held to limits before anything is kept of them; what is accepted, and with which words others are
//! refused, is in `judge`, what we say of ourselves in `hello`.

mod hello;
mod judge;
#[cfg(test)]
mod tests;

use super::config::Role;
use super::link::{Greeting, Link, Phase, Shaking};
use super::machine::{Cx, Servent};
use super::violation::Violation;
use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;
use throng_machine::{Endpoint, StreamId};
use throng_wire::gnutella::{Block, ByeCode, Handshake, Headers};

/// Up to so many links memory is taken for each as it comes: a leaf has no more.
const FEW: usize = 8;
/// Addresses of one `X-Try` line that are looked at.
const MOST_TRY: usize = 20;
/// A servent that is full is called again after this.
const FULL: Duration = Duration::from_secs(60);
/// One that refuses us for what we are, or bans us, after this.
const UNWANTED: Duration = Duration::from_secs(600);

/// A refusal: code and words.
pub(super) type Refused = (u16, &'static str);

impl Servent {
    /// Somebody connected, and its first bytes say Gnutella.
    pub(super) fn on_accepted(&mut self, stream: StreamId, from: Endpoint, cx: &mut Cx<'_>) {
        let shaking = self.links.iter().filter(|link| matches!(link.phase, Phase::Shaking(_))).count();
        let is_own = from.ip().is_loopback();
        let same = self.links.iter().filter(|link| link.peer.ip() == from.ip()).count();
        let crowd = !is_own && same >= self.config.limits.per_address;
        if self.leaving || crowd || shaking >= self.config.limits.handshakes {
            if crowd {
                self.blame(from, Violation::Crowd, cx);
            }
            cx.close(stream);
            return;
        }
        self.insert(stream, from, false, cx);
    }

    pub(super) fn insert(&mut self, stream: StreamId, peer: Endpoint, outgoing: bool, cx: &mut Cx<'_>) {
        let deadline = cx.now() + self.config.timing.handshake;
        let shaking = Shaking { outgoing, input: Vec::new(), deadline, greeting: None };
        let at = self.links.partition_point(|link| link.stream < stream);
        let phase = Phase::Shaking(Box::new(shaking));
        if self.links.len() < FEW {
            self.links.reserve_exact(1);
        }
        self.links.insert(at, Link { stream, peer, unanswered: 0, due: deadline, phase });
        self.wake_by(deadline);
    }

    /// A call of ours got through.
    pub(super) fn on_opened(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(link) = self.link(stream) else { return };
        let block = self.hello(link.peer);
        cx.write(stream, |out| out.extend_from_slice(block.encode().as_bytes()));
    }

    /// Bytes of a handshake; what follows the last block is the first of the link.
    pub(super) fn on_shaking(&mut self, stream: StreamId, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(Phase::Shaking(shaking)) = self.link_mut(stream).map(|link| &mut link.phase) else { return };
        shaking.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut shaking.input);
        if input.starts_with(b"\n\n") && !shaking.outgoing {
            // Called back: we can be reached, and that is all it was for.
            self.drop_shaking(stream, None, cx);
            return;
        }
        match Block::parse(&input) {
            Ok(Some((block, used))) => self.on_block(stream, &block, &input[used..], cx),
            Ok(None) => {
                if let Some(Phase::Shaking(shaking)) = self.link_mut(stream).map(|link| &mut link.phase) {
                    shaking.input = input;
                }
            }
            Err(error) => {
                if error == throng_wire::gnutella::HandshakeError::TooLong {
                    say(stream, &Block::status(413, "Header too large"), cx);
                }
                self.drop_shaking(stream, Some(error.into()), cx);
            }
        }
    }

    fn on_block(&mut self, stream: StreamId, block: &Block, rest: &[u8], cx: &mut Cx<'_>) {
        let Some(Phase::Shaking(shaking)) = self.link(stream).map(|link| &link.phase) else { return };
        let (outgoing, greeted) = (shaking.outgoing, shaking.greeting.is_some());
        match (&block.line, outgoing, greeted) {
            (Handshake::Connect, false, false) => {
                self.on_call(stream, &block.headers, cx);
                if !rest.is_empty() {
                    self.on_shaking(stream, rest, cx);
                }
            }
            (Handshake::ConnectOld, false, false) => self.on_old_call(stream, rest, cx),
            (Handshake::Status { code, .. }, true, false) => {
                self.on_answer(stream, *code, (&block.headers, rest), cx);
            }
            (Handshake::Status { code: 200, .. }, false, true) => {
                self.on_confirmed(stream, &block.headers, rest, cx);
            }
            // The caller changed its mind.
            (Handshake::Status { .. }, false, true) => self.drop_shaking(stream, None, cx),
            _ => self.drop_shaking(stream, Some(Violation::Handshake), cx),
        }
    }

    /// The first block of somebody who calls.
    fn on_call(&mut self, stream: StreamId, headers: &Headers, cx: &mut Cx<'_>) {
        let Some(peer) = self.link(stream).map(|link| link.peer) else { return };
        self.learn(peer, headers, cx);
        if headers.find("Crawler").is_some() {
            say(stream, &self.census(), cx);
            self.drop_shaking(stream, None, cx);
            return;
        }
        let greeting = Greeting::read(headers);
        match self.judge_call(stream, headers, &greeting, cx) {
            Ok(()) => {
                let block = self.welcome(peer, &greeting);
                say(stream, &block, cx);
                if let Some(Phase::Shaking(shaking)) = self.link_mut(stream).map(|link| &mut link.phase) {
                    shaking.greeting = Some(greeting);
                }
            }
            Err((code, text)) => {
                let block = self.refusal(code, text, peer);
                say(stream, &block, cx);
                self.drop_shaking(stream, None, cx);
            }
        }
    }

    /// `GNUTELLA CONNECT/0.4`: a servent of 2000.
    fn on_old_call(&mut self, stream: StreamId, rest: &[u8], cx: &mut Cx<'_>) {
        let full = self.count(Role::Plain) >= self.config.limits.most_plain;
        if self.role != Role::Plain || !self.config.old_handshake || full {
            self.drop_shaking(stream, None, cx);
            return;
        }
        say(stream, &Block::new(Handshake::AcceptOld), cx);
        self.link_up(stream, Greeting::old(), (false, false), cx);
        self.on_bytes(stream, rest, cx);
    }

    /// The second block, to a call of ours.
    fn on_answer(
        &mut self,
        stream: StreamId,
        code: u16,
        (headers, rest): (&Headers, &[u8]),
        cx: &mut Cx<'_>,
    ) {
        let Some(peer) = self.link(stream).map(|link| link.peer) else { return };
        self.learn(peer, headers, cx);
        self.hosts.succeeded(&peer, cx.now());
        if code != 200 {
            let wait = if code == 503 { FULL } else { UNWANTED };
            if let Some(election) = self.election.as_mut().filter(|_| code == 503) {
                election.refused(cx.now());
            }
            self.hosts.postpone(&peer, cx.now() + wait);
            self.metrics.refused += 1;
            self.drop_shaking(stream, None, cx);
            return;
        }
        let greeting = Greeting::read(headers);
        match self.judge_answer(stream, headers, &greeting) {
            Ok(()) => {
                let deflates = self.deflates_to(&greeting);
                let mut block = Block::status(200, "OK");
                if deflates {
                    block.headers.push("Content-Encoding", "deflate");
                }
                say(stream, &block, cx);
                let inflates = greeting.deflates;
                self.link_up(stream, greeting, (inflates, deflates), cx);
                self.on_bytes(stream, rest, cx);
            }
            Err((code, text)) => {
                self.hosts.postpone(&peer, cx.now() + UNWANTED);
                say(stream, &Block::status(code, text), cx);
                self.drop_shaking(stream, None, cx);
            }
        }
    }

    /// The third block, of somebody we accepted.
    fn on_confirmed(&mut self, stream: StreamId, headers: &Headers, rest: &[u8], cx: &mut Cx<'_>) {
        let Some(Phase::Shaking(shaking)) = self.link_mut(stream).map(|link| &mut link.phase) else { return };
        let Some(mut greeting) = shaking.greeting.take() else { return };
        greeting.deflates = headers.lists("Content-Encoding", "deflate");
        if greeting.deflates && !self.config.deflate {
            self.drop_shaking(stream, Some(Violation::Handshake), cx);
            return;
        }
        if !self.settle_twin(&greeting, cx) {
            self.drop_shaking(stream, None, cx);
            return;
        }
        // While it made up its mind others may have taken its place.
        if let Err((_, _)) = self.room_for(greeting.role) {
            self.drop_shaking(stream, None, cx);
            return;
        }
        let coding = (greeting.deflates, self.deflates_to(&greeting));
        self.link_up(stream, greeting, coding, cx);
        self.on_bytes(stream, rest, cx);
    }

    /// Two that call each other at once have two links when both are done: the one that was called by the smaller id
    /// stays. Says whether the new one, in which we were called, does.
    fn settle_twin(&mut self, greeting: &Greeting, cx: &mut Cx<'_>) -> bool {
        let Some(guid) = greeting.guid else { return true };
        let twin = self.links.iter().find_map(|link| {
            link.live()
                .filter(|live| live.greeting.guid == Some(guid))
                .map(|live| (link.stream, live.outgoing))
        });
        match twin {
            Some((_, true)) if self.me.servent < guid => false,
            Some((stream, true)) => {
                self.end(stream, ByeCode::LEAVING, "Linked twice", cx);
                true
            }
            Some((_, false)) => false,
            None => true,
        }
    }

    /// Whether what we send to it is deflated. Not towards leaves: they get little, and have no need of it.
    pub(super) fn deflates_to(&self, greeting: &Greeting) -> bool {
        self.config.deflate && greeting.inflates && greeting.role != Role::Leaf
    }

    /// Learns addresses that a handshake tells.
    fn learn(&mut self, peer: Endpoint, headers: &Headers, cx: &mut Cx<'_>) {
        let now = cx.now();
        for name in ["X-Try-Ultrapeers", "X-Try"] {
            let list = headers.find(name).unwrap_or_default();
            for at in list.split(',').take(MOST_TRY).filter_map(|item| item.trim().parse().ok()) {
                self.add_host(peer, at, now);
            }
        }
        let node = headers.find("Node").or_else(|| headers.find("X-My-Address"));
        let is_leaf = headers.is_true("X-Ultrapeer") == Some(false);
        if let Some(node) = node.and_then(|node| node.trim().parse::<SocketAddrV4>().ok())
            && !is_leaf
            && IpAddr::V4(*node.ip()) == peer.ip()
        {
            self.add_host(peer, node, now);
        }
        if let Some(IpAddr::V4(seen)) = headers.find("Remote-IP").and_then(|ip| ip.trim().parse().ok()) {
            self.on_seen_as(seen, peer);
        }
    }

    /// Ends a handshake.
    pub(super) fn drop_shaking(&mut self, stream: StreamId, fault: Option<Violation>, cx: &mut Cx<'_>) {
        let Some(link) = self.take_link(stream) else { return };
        cx.close(stream);
        if let Some(fault) = fault {
            if matches!(&link.phase, Phase::Shaking(shaking) if shaking.outgoing) {
                self.hosts.failed(&link.peer, &self.config.limits.hosts, cx.now());
            }
            self.blame(link.peer, fault, cx);
        }
        self.look_for_links(cx);
    }
}

fn say(stream: StreamId, block: &Block, cx: &mut Cx<'_>) {
    cx.write(stream, |out| out.extend_from_slice(block.encode().as_bytes()));
}
