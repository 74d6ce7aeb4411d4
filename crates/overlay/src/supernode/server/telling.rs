//! What neighbours tell each other unasked: digests, standing, others, the size of the network; and their frames.

use super::connections::ConnId;
use super::{Cx, Server, Timer};
use crate::flood::{Importance, LinkId, Pushed};
use crate::supernode::{Violation, endpoint};
use bytes::Bytes;
use throng_machine::Endpoint;
use throng_wire::fasttrack::{NodeList, NodeListEntry};
use throng_wire::supernode::{Frame, HEAD, MAX_BODY, Message, Sketch, Toggles};

/// Places told in one message at most: its body has 65,535 bytes, a place three.
const MAX_PLACES: usize = 20_000;
/// Addresses told at once.
const KNOWN: usize = 24;
/// The reason in a goodbye: nothing is wrong.
const BYE: u8 = 0;

impl Server {
    /// Frames of a link; what is no whole frame is kept.
    pub(super) fn on_link_bytes(&mut self, conn: ConnId, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut connection.input);
        let mut at = 0;
        while let Some((frame, length)) = Frame::split(&input[at..]) {
            at += length;
            let Some(link) = self.link_of(conn) else { return };
            match Message::parse(frame) {
                Ok(message) => self.on_link_message(link, &message, cx),
                Err(_) => return self.punish(conn, Violation::Unreadable, cx),
            }
        }
        debug_assert!(input.len() - at < HEAD + MAX_BODY, "a whole frame is never left");
        if let Some(connection) = self.connections.get_mut(conn).filter(|_| at < input.len()) {
            connection.input = input[at..].to_vec();
        }
    }

    fn on_link_message(&mut self, link: LinkId, message: &Message<'_>, cx: &mut Cx<'_>) {
        match message {
            Message::Standing(standing) => {
                if let Some(link) = self.links.get_mut(link) {
                    link.standing = *standing;
                }
            }
            Message::Known(list) => self.on_known(link, list, cx),
            Message::AskKnown => self.tell_known(link, cx),
            Message::Sketch(sketch) => sketch.iter().for_each(|mark| self.crowd.hear(mark, cx.now())),
            Message::Digest(part) => {
                if let Some(link) = self.links.get_mut(link) {
                    link.digest.take_part(part);
                }
            }
            Message::Toggles(toggles) => {
                let Some(known) = self.links.get_mut(link) else { return };
                let fits = toggles.iter().all(|place| place.is_ok_and(|place| known.digest.toggle(place)));
                if !fits {
                    self.link_misbehaves(link, Violation::Unreadable, cx);
                }
            }
            Message::Query(query) => self.on_query(link, query, cx),
            Message::Reply(reply) => self.on_reply(link, reply, cx),
            Message::Push(push) => self.on_passed_push(push, cx),
            Message::Bye(_) => self.on_bye(link, cx),
            Message::Other(_) => {}
        }
    }

    /// Who was asked one thing has said all; a neighbour closes by itself.
    fn on_bye(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        if let Some(conn) = self.links.get(link).filter(|link| link.passing).map(|link| link.conn) {
            self.close(conn, cx);
        }
    }

    /// Addresses that a neighbour has reached, as it says; they are called only when links are wanted.
    fn on_known(&mut self, link: LinkId, list: &NodeList<'_>, cx: &mut Cx<'_>) {
        let Some(from) = self.links.get(link).map(|link| link.from) else { return };
        for entry in list.iter() {
            self.know(from, endpoint(entry.address), cx);
        }
    }

    /// Takes an address on somebody's word, unless it lies nearer to us than they do.
    pub(super) fn know(&mut self, from: Endpoint, at: Endpoint, cx: &Cx<'_>) {
        let Some(to) = crate::supernode::v4(at) else { return };
        let is_fine = crate::dial::callable(from, *to.ip(), to.port()).is_some();
        if is_fine && Some(to) != self.address {
            self.cache.add(at, &self.config.cache, cx.now());
        }
    }

    /// A new link is told everything.
    pub(super) fn introduce(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        self.tell_changes(cx);
        self.tell_digest(link, cx);
        self.tell_sketch(link, cx);
        self.tell_known(link, cx);
    }

    /// All of the digest.
    fn tell_digest(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let mut frames = Vec::new();
        self.catalogue.digest().tell_all(|part| {
            let mut bytes = Vec::new();
            Message::Digest(part).put(&mut bytes);
            frames.push(bytes);
        });
        for bytes in frames {
            self.say_bytes(link, &bytes, Importance::CONTROL, cx);
        }
    }

    /// What changed of the digest, to all.
    pub(super) fn tell_changes(&mut self, cx: &mut Cx<'_>) {
        self.digest_due = false;
        self.timers.clear(Timer::Digest);
        if !self.catalogue.digest().has_changed() {
            return;
        }
        let all: Vec<LinkId> = self.links.ids_up().collect();
        let Some(places) = self.catalogue.digest().take_changes() else {
            all.into_iter().for_each(|link| self.tell_digest(link, cx));
            return;
        };
        for some in places.chunks(MAX_PLACES) {
            let (mut body, mut bytes) = (Vec::new(), Vec::new());
            Toggles::put(some.iter().copied(), &mut body);
            Message::Toggles(Toggles::parse(&body)).put(&mut bytes);
            for link in &all {
                self.say_bytes(*link, &bytes, Importance::CONTROL, cx);
            }
        }
    }

    fn tell_sketch(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        if let Some(address) = self.address {
            self.crowd.see(address, cx.now());
        }
        let mut into = Vec::new();
        let sketch = Sketch::write(self.crowd.tell(cx.now()), &mut into);
        let mut bytes = Vec::new();
        Message::Sketch(sketch).put(&mut bytes);
        self.say_bytes(link, &bytes, Importance { class: 4, rank: 0 }, cx);
    }

    /// Some of those that have been reached.
    pub(super) fn tell_known(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let mut list = Vec::new();
        for (address, load) in self.others(KNOWN, cx) {
            NodeList::put(NodeListEntry { address, minutes: 1, load }, &mut list);
        }
        self.say(link, &Message::Known(NodeList(&list)), Importance { class: 4, rank: 0 }, cx);
    }

    /// One neighbour is told of others and of the size of the network.
    pub(super) fn gossip(&mut self, cx: &mut Cx<'_>) {
        let jitter = std::time::Duration::from_millis(u64::from(cx.rng().below(2_000)));
        self.timers.set(Timer::Gossip, cx.now() + self.config.gossip_every + jitter);
        let count = self.links.up() as u32;
        let drawn = cx.rng().below(count.max(1)) as usize;
        let Some(link) = self.links.ids_up().nth(drawn) else { return };
        self.tell_sketch(link, cx);
        self.tell_known(link, cx);
    }

    pub(super) fn say_bye(&mut self, link: LinkId, importance: Importance, cx: &mut Cx<'_>) {
        self.say(link, &Message::Bye(BYE), importance, cx);
    }

    /// Says something to a neighbour, at once or when it has room.
    pub(super) fn say(
        &mut self,
        link: LinkId,
        message: &Message<'_>,
        importance: Importance,
        cx: &mut Cx<'_>,
    ) {
        let mut bytes = Vec::new();
        if message.put(&mut bytes) {
            self.say_bytes(link, &bytes, importance, cx);
        }
    }

    /// The same, for a frame that is written already.
    pub(super) fn say_bytes(&mut self, id: LinkId, bytes: &[u8], importance: Importance, cx: &mut Cx<'_>) {
        let (flow, now) = (&self.config.flow, cx.now());
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(stream) = self.connections.get(link.conn).map(|connection| connection.stream) else {
            return;
        };
        if link.queue.is_open(flow) {
            cx.write(stream, |out| out.extend_from_slice(bytes));
            return link.queue.wrote(bytes.len());
        }
        match link.queue.push(importance, Bytes::copy_from_slice(bytes), flow, now) {
            Pushed::Waits => {}
            Pushed::Dropped(count) => self.metrics.dropped += u64::from(count),
            Pushed::Overflow => {
                let conn = link.conn;
                self.punish(conn, Violation::SlowReader, cx);
            }
        }
    }

    /// A link has room again.
    pub(super) fn on_link_flushed(&mut self, id: LinkId, count: u32, cx: &mut Cx<'_>) {
        let flow = &self.config.flow;
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(stream) = self.connections.get(link.conn).map(|connection| connection.stream) else {
            return;
        };
        link.queue.flushed(count);
        while let Some(bytes) = link.queue.pop(flow) {
            link.queue.wrote(bytes.len());
            cx.write_bytes(stream, bytes);
        }
    }
}
