//! How links come and go: preambles, calls back, how many are wanted, and changing one for another.
//!
//! Whoever calls us as a supernode is called back at the port it names; until it answers there it is told to nobody.
//! Of two links between the same two, the one that the smaller instance called stays.

use super::connections::{Ask, Call, ConnId, Phase, Probe, Probed};
use super::links::Link;
use super::{Cx, Server, Timer};
use crate::flood::{Importance, LinkId, SendQueue};
use crate::supernode::digest::Theirs;
use crate::supernode::{Violation, endpoint, v4};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use throng_machine::{Endpoint, StreamEnd};
use throng_wire::supernode::{Guid, Message, Preamble, Purpose, Standing};

/// Calls under way at once.
const MAX_CALLS: usize = 8;
/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stay {
    /// To be neighbours.
    Lasting,
    /// One push or question of the other side.
    Errand,
    /// One question of ours, for that search.
    Asked(Guid),
}

/// How long a link stays that was made for one question.
const PASSING: Duration = Duration::from_secs(20);
/// Addresses that are thought of when a link is wanted.
const CHOICE: usize = 128;
/// Bytes that a candidate sends after it was reached, so that its rate can be measured; see `balance`.
pub(crate) const SAMPLE: u32 = 64 << 10;

impl Server {
    fn preamble(&self, purpose: Purpose, nonce: u64, sees: Endpoint, standing: Standing) -> Preamble {
        let sees = v4(sees).map_or(Ipv4Addr::UNSPECIFIED, |at| *at.ip());
        Preamble { purpose, port: self.config.port, instance: self.instance, nonce, sees, standing }
    }

    /// A call of ours was taken.
    pub(super) fn on_opened(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let standing = self.standing(cx.now());
        let Some(connection) = self.connections.get(conn) else { return };
        let Phase::Calling(call) = &connection.phase else { return };
        let (purpose, nonce) = match &**call {
            Call::Link => (Purpose::Link, 0),
            Call::Probe(probe) => (Purpose::Probe, probe.nonce),
            Call::Errand(_) | Call::Ask(_) => (Purpose::Errand, 0),
        };
        let preamble = self.preamble(purpose, nonce, connection.from, standing);
        cx.write(connection.stream, |out| preamble.put(out));
    }

    /// A supernode, or a candidate, calls.
    pub(super) fn on_preamble(&mut self, conn: ConnId, theirs: &Preamble, cx: &mut Cx<'_>) {
        let standing = self.standing(cx.now());
        let Some(connection) = self.connections.get(conn) else { return };
        let (stream, from) = (connection.stream, connection.from);
        let answer = self.preamble(theirs.purpose, theirs.nonce, from, standing);
        cx.write(stream, |out| answer.put(out));
        self.learn_address(theirs.sees);
        self.timers.clear(Timer::Greeting(conn, stream));
        match theirs.purpose {
            Purpose::Probe => {
                if let Some(connection) = self.connections.get_mut(conn) {
                    connection.phase = Phase::Closing;
                }
                self.close(conn, cx);
            }
            Purpose::Errand => self.take_link(conn, theirs, Stay::Errand, cx),
            Purpose::Link if theirs.instance == self.instance => self.close(conn, cx),
            Purpose::Link if self.is_banned(from.ip(), cx.now()) => self.close(conn, cx),
            Purpose::Link => self.take_link(conn, theirs, Stay::Lasting, cx),
        }
    }

    /// The answer to a call of ours, or the sample behind a probe's.
    pub(super) fn on_answer(&mut self, conn: ConnId, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let Phase::Calling(call) = &mut connection.phase else { return };
        if let Call::Probe(probe) = &mut **call
            && probe.answered.is_some()
        {
            probe.bytes = probe.bytes.saturating_add(bytes.len() as u32);
            return self.measure(conn, cx);
        }
        connection.input.extend_from_slice(bytes);
        if connection.input.len() < Preamble::LEN {
            return;
        }
        let Ok(theirs) = Preamble::parse(&connection.input[..Preamble::LEN]) else {
            return self.punish(conn, Violation::Unreadable, cx);
        };
        connection.input.drain(..Preamble::LEN);
        let stream = connection.stream;
        let Phase::Calling(call) = std::mem::replace(&mut connection.phase, Phase::Closing) else { return };
        self.learn_address(theirs.sees);
        match *call {
            Call::Link => {
                self.timers.clear(Timer::Greeting(conn, stream));
                if theirs.instance == self.instance {
                    self.close(conn, cx);
                } else {
                    self.take_link(conn, &theirs, Stay::Lasting, cx);
                }
            }
            Call::Errand(words) => {
                cx.write(stream, |out| out.extend_from_slice(&words));
                self.close(conn, cx);
            }
            Call::Ask(ask) => {
                self.timers.clear(Timer::Greeting(conn, stream));
                self.take_asked(conn, &theirs, &ask, cx);
            }
            Call::Probe(probe) => self.on_proof(conn, &theirs, probe, cx),
        }
    }

    /// A supernode that the ring named is one: it is asked, and may become a neighbour, for a flood missed it.
    fn take_asked(&mut self, conn: ConnId, theirs: &Preamble, ask: &Ask, cx: &mut Cx<'_>) {
        let Some(at) = self.connections.get(conn).map(|connection| connection.from) else { return };
        self.calls.was_welcome(at);
        self.cache.add(at, &self.config.cache, cx.now());
        self.take_link(conn, theirs, Stay::Asked(ask.guid), cx);
        if let Some(link) = self.link_of(conn) {
            self.say_bytes(link, &ask.words, Importance::CONTROL, cx);
        }
    }

    /// Where others reach this node, as another sees it, while nothing better is known.
    fn learn_address(&mut self, sees: Ipv4Addr) {
        if self.address.is_none() && !sees.is_unspecified() && self.config.port != 0 {
            self.address = Some(SocketAddrV4::new(sees, self.config.port));
        }
    }

    /// A connection becomes a link, if there is room.
    fn take_link(&mut self, conn: ConnId, theirs: &Preamble, stay: Stay, cx: &mut Cx<'_>) {
        let passing = stay != Stay::Lasting;
        let Some(connection) = self.connections.get(conn) else { return };
        let (from, outgoing) = (connection.from, connection.outgoing);
        if !passing && let Some(older) = self.links.of_instance(theirs.instance) {
            let we_call = self.instance < theirs.instance;
            let older_stays = self.links.get(older).is_some_and(|link| link.outgoing == we_call);
            if older_stays || outgoing != we_call {
                return self.close(conn, cx);
            }
            if let Some(conn) = self.links.get(older).map(|link| link.conn) {
                self.close(conn, cx);
            }
        }
        let listens = if outgoing {
            v4(from)
        } else {
            v4(from).filter(|_| theirs.port != 0).map(|at| SocketAddrV4::new(*at.ip(), theirs.port))
        };
        let link = self.links.add(Link {
            conn,
            from,
            listens,
            proved: outgoing,
            passing,
            asked: if let Stay::Asked(guid) = stay { Some(guid) } else { None },
            outgoing,
            instance: theirs.instance,
            standing: theirs.standing,
            digest: Theirs::default(),
            queue: SendQueue::default(),
            queries: Default::default(),
            since: cx.now(),
            faults: 0,
            lies: 0,
        });
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.phase = Phase::Link(link);
        connection.heard = cx.now();
        if passing {
            return self.on_link_bytes(conn, &[], cx);
        }
        if self.links.up() > self.config.max_links && !outgoing {
            self.tell_known(link, cx);
            self.say_bye(link, Importance::CONTROL, cx);
            return self.close(conn, cx);
        }
        self.metrics.links_made += 1;
        if outgoing {
            self.cache.succeeded(&from, cx.now());
        } else if let Some(at) = listens {
            self.call_back(link, at, theirs.instance, cx);
        }
        self.introduce(link, cx);
        self.on_link_bytes(conn, &[], cx);
    }

    /// Sees whether a caller is where it says.
    fn call_back(&mut self, link: LinkId, at: SocketAddrV4, instance: u64, cx: &mut Cx<'_>) {
        if !endpoint(at).is_dialable() || !self.calls.allow(endpoint(at), 60, cx.now()) {
            return;
        }
        let nonce = cx.rng().next_u64();
        let whom = Probed::Link(link);
        self.call(at, Call::Probe(Probe { nonce, instance, whom, answered: None, bytes: 0 }), cx);
    }

    /// A call back was answered.
    fn on_proof(&mut self, conn: ConnId, theirs: &Preamble, mut probe: Probe, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let from = connection.from;
        if theirs.nonce != probe.nonce || theirs.instance != probe.instance {
            self.count(from, Violation::NotReachable, cx);
            return self.close(conn, cx);
        }
        self.metrics.proved += 1;
        self.calls.was_welcome(from);
        match probe.whom {
            Probed::Link(link) => {
                self.close(conn, cx);
                if let Some(link) = self.links.get_mut(link) {
                    link.proved = true;
                }
                self.cache.add(from, &self.config.cache, cx.now());
                self.cache.succeeded(&from, cx.now());
            }
            Probed::Member(..) => {
                probe.answered = Some(cx.now());
                probe.bytes = connection.input.len() as u32;
                connection.input = Vec::new();
                connection.phase = Phase::Calling(Box::new(Call::Probe(probe)));
                self.measure(conn, cx);
            }
        }
    }

    /// A call came to nothing.
    pub(super) fn call_failed(&mut self, to: Endpoint, call: &Call, end: StreamEnd, cx: &mut Cx<'_>) {
        match call {
            Call::Link if end == StreamEnd::Refused => self.cache.failed(&to, &self.config.cache, cx.now()),
            Call::Link => self.cache.postpone(&to, cx.now() + Duration::from_secs(30)),
            Call::Probe(probe) => {
                if probe.answered.is_none() {
                    self.count(to, Violation::NotReachable, cx);
                }
            }
            Call::Ask(ask) => self.ask_is_over(&ask.guid, cx),
            Call::Errand(_) => {}
        }
    }

    pub(super) fn link_is_down(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.remove(id) else { return };
        if let Some(guid) = &link.asked {
            self.ask_is_over(guid, cx);
        }
        if let Some(at) = link.listens.filter(|_| !link.passing) {
            // It may have died: others first.
            self.cache.postpone(&endpoint(at), cx.now() + Duration::from_secs(30));
        }
    }

    /// Makes links while there are too few, ends those that are silent or were made for one question.
    pub(super) fn look_after_links(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.timers.set(Timer::Links, now + self.config.link_every);
        self.end_silent_links(cx);
        let calling = self.connections.calling_links();
        let missing = self.config.links.saturating_sub(self.links.up() + calling);
        for _ in 0..missing.min(MAX_CALLS.saturating_sub(calling)) {
            let Some(to) = self.somebody(cx) else { break };
            self.call(to, Call::Link, cx);
        }
        if self.links.up() > 0 {
            self.linked = now;
        }
        // A short outage takes all links of a supernode that is wanted.
        if now.since(self.linked) > self.config.ban / 12 && !self.cache.is_empty() {
            self.is_superfluous = true;
        }
        if self.links.up() < self.config.links && self.links.up() > 0 {
            let asked = self.some_link(cx);
            self.say(asked, &Message::AskKnown, Importance::CONTROL, cx);
        }
    }

    fn end_silent_links(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let silence = self.config.link_silence;
        let dead = self.links.iter().filter(|(_, link)| {
            let heard = self.connections.get(link.conn).map_or(link.since, |connection| connection.heard);
            now.since(heard.max(link.since)) > silence || (link.passing && now.since(link.since) > PASSING)
        });
        let dead: Vec<ConnId> = dead.map(|(_, link)| link.conn).collect();
        dead.into_iter().for_each(|conn| self.close(conn, cx));
        let speaks_after = silence / 3;
        let due = self.links.ids_up().filter(|link| {
            self.links.get(*link).is_some_and(|link| {
                let turns = now.since(link.since).as_micros() / speaks_after.as_micros().max(1);
                let before = now.since(link.since).saturating_sub(self.config.link_every);
                turns != before.as_micros() / speaks_after.as_micros().max(1)
            })
        });
        let due: Vec<LinkId> = due.collect();
        let standing = self.standing(now);
        for link in due {
            self.say(link, &Message::Standing(standing), Importance::CONTROL, cx);
        }
    }

    /// A supernode that might be linked, at random.
    fn somebody(&mut self, cx: &mut Cx<'_>) -> Option<SocketAddrV4> {
        let own = self.address.map(endpoint);
        let now = cx.now();
        let mut choice = self.cache.best(CHOICE);
        choice.retain(|at| {
            Some(*at) != own
                && v4(*at).is_some()
                && !self.links.has(*at)
                && !self.connections.is_calling(*at)
                && !self.is_banned(at.ip(), now)
        });
        if choice.is_empty() {
            // Those that failed before, when their wait is over.
            let (links, connections) = (&self.links, &self.connections);
            let wanted = |at: &Endpoint| Some(*at) != own && !links.has(*at) && !connections.is_calling(*at);
            return self.cache.next(&self.config.cache, now, wanted).and_then(v4);
        }
        let drawn = choice[cx.rng().below(choice.len() as u32) as usize];
        self.cache.next(&self.config.cache, now, |at| *at == drawn).and_then(v4)
    }

    fn some_link(&self, cx: &mut Cx<'_>) -> LinkId {
        let count = self.links.up() as u32;
        let drawn = cx.rng().below(count.max(1)) as usize;
        self.links.ids_up().nth(drawn).unwrap_or(LinkId(u32::MAX))
    }

    /// One link is given up for another, if there is another to be had.
    pub(super) fn shuffle(&mut self, cx: &mut Cx<'_>) {
        let jitter = Duration::from_millis(u64::from(cx.rng().below(20_000)));
        self.timers.set(Timer::Shuffle, cx.now() + self.config.shuffle_every + jitter);
        if self.links.up() < self.config.links || self.crowd.estimate() as usize <= self.links.up() + 1 {
            return;
        }
        let Some(to) = self.somebody(cx) else { return };
        self.call(to, Call::Link, cx);
        let given_up = self.some_link(cx);
        if let Some(conn) = self.links.get(given_up).map(|link| link.conn) {
            self.say_bye(given_up, Importance::CONTROL, cx);
            self.close(conn, cx);
        }
    }

    /// A fault of another supernode: some are forgiven, lies end in a ban.
    pub(super) fn link_misbehaves(&mut self, id: LinkId, violation: Violation, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(id) else { return };
        let (conn, from) = (link.conn, link.from);
        let is_lie = violation == Violation::FalseAnswer;
        let counter = if is_lie { &mut link.lies } else { &mut link.faults };
        *counter += 1;
        let is_habit = *counter > if is_lie { 5 } else { 100 };
        self.count(from, violation, cx);
        if is_habit {
            if self.banned.len() < 1_024 {
                self.banned.insert(from.ip(), cx.now() + self.config.ban);
            }
            self.close(conn, cx);
        }
    }
}
