//! The driver and the application around the machine, and what must hold after every call.

use super::say::Said;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Machine as _, StreamEnd, StreamId, StreamInput};
use throng_overlay::chord::{Chord, Command, Config, Event, Host, Limits, PersistId, Start};
use throng_wire::chord::{
    Datagram, Flags, Frame, HEADER_LEN, Header, MAX_DATAGRAM, Message, Mode, Ping, Pong, RingId, dist,
};

/// Requests of the machine that are remembered: the latest.
const MOST_ASKED: usize = 24;
/// The most a call may send for one input: answers, and news to all neighbours.
const MOST_SENT: usize = 64 * 1024;
/// Seconds since 1970 at the machine's epoch.
const CLOCK: u64 = 1_700_000_000;

/// Where the machine is.
pub(super) fn home() -> Endpoint {
    Endpoint::v4([10, 200, 0, 1], 4000)
}

pub(super) struct World {
    probe: Probe<Chord>,
    limits: Limits,
    /// What was asked last, and whom.
    asked: Vec<(Endpoint, Vec<u8>)>,
    /// The token each address was given last.
    tokens: BTreeMap<Endpoint, u64>,
    /// Every token an address was ever given.
    given: BTreeSet<(Endpoint, u64)>,
    persist: Vec<PersistId>,
    streams: Vec<StreamId>,
    /// Bytes of each stream not yet a whole frame.
    written: BTreeMap<StreamId, Vec<u8>>,
    started: bool,
    left: bool,
}

impl World {
    pub(super) fn new(choice: usize) -> World {
        let config = Config {
            successors: [None, Some(2), Some(3), Some(3)][choice],
            vnodes: [1, 1, 2, 8][choice],
            ..Config::default()
        };
        let host = Host { clock: CLOCK, ..Host::at(home(), 1) };
        World {
            limits: config.limits,
            probe: Probe::new(Chord::new(Arc::new(config), &host)),
            asked: Vec::new(),
            tokens: BTreeMap::new(),
            given: BTreeSet::new(),
            persist: Vec::new(),
            streams: Vec::new(),
            written: BTreeMap::new(),
            started: false,
            left: false,
        }
    }

    /// Seconds since 1970 now.
    pub(super) fn clock(&self) -> u64 {
        CLOCK + self.probe.now.as_micros() / 1_000_000
    }

    /// The token an address was given last; 0 for none.
    pub(super) fn token(&self, of: Endpoint) -> u64 {
        self.tokens.get(&of).copied().unwrap_or(0)
    }

    /// One of the latest requests.
    pub(super) fn asked(&self, back: usize) -> Option<(Endpoint, Vec<u8>)> {
        self.asked.iter().rev().nth(back).cloned()
    }

    pub(super) fn start(&mut self, start: Start) {
        self.started = true;
        self.command(Command::Start(start));
    }

    pub(super) fn leave(&mut self) {
        self.left |= self.started;
        self.command(Command::Leave);
    }

    pub(super) fn command(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.check(&outs);
    }

    pub(super) fn datagram(&mut self, from: Endpoint, bytes: &[u8]) {
        let unproved = Datagram::decode(bytes).is_ok_and(|datagram| {
            is_request(&datagram.message) && !self.given.contains(&(from, datagram.header.token))
        });
        let outs = self.probe.datagram(from, bytes);
        self.check(&outs);
        let sent: usize = outs.iter().map(size).sum();
        if unproved {
            assert!(sent <= 3 * bytes.len(), "{sent} bytes for {} of an unproved address", bytes.len());
        }
        assert!(sent <= MOST_SENT, "{sent} bytes for one datagram");
    }

    pub(super) fn say(&mut self, from: Endpoint, header: Header, (kind, payload): Said) {
        let mut bytes = Vec::new();
        let claim = throng_wire::chord::Claim::Inactive;
        Datagram { header, message: Ping { claim }.into() }.encode(&mut bytes).expect("it fits");
        bytes.truncate(HEADER_LEN);
        bytes[3] = kind;
        bytes.extend(payload);
        self.datagram(from, &bytes);
    }

    pub(super) fn reply(&mut self, from: Endpoint, request: &[u8], said: Said) {
        let Ok(asked) = Datagram::decode(request) else { return };
        self.say(from, asked.header.answer(1, 0x5eed), said);
    }

    /// Everybody asked for a sign of life gives one.
    pub(super) fn answer_all(&mut self) {
        for (who, request) in std::mem::take(&mut self.asked) {
            let Ok(Datagram { header, message: Message::Ping(ping) }) = Datagram::decode(&request) else {
                continue;
            };
            let pong = Pong { claim: ping.claim, seen: home().socket_addr(), clock: self.clock() * 1_000 };
            let mut bytes = Vec::new();
            let answer = Datagram { header: header.answer(1, 0x5eed), message: pong.into() };
            answer.encode(&mut bytes).expect("it fits");
            self.datagram(who, &bytes);
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let outs = self.probe.advance(by);
        self.check(&outs);
        let at = self.probe.machine.poll_timeout();
        assert!(at.is_none_or(|at| at > self.probe.now), "a deadline is left behind");
    }

    /// A call before its time does nothing.
    pub(super) fn spurious(&mut self) {
        if self.probe.machine.poll_timeout().is_none_or(|at| at > self.probe.now) {
            let outs = self.probe.call(|machine, cx| machine.handle_timeout(cx));
            assert!(outs.is_empty() && self.probe.take_events().is_empty(), "{outs:?}");
        }
    }

    pub(super) fn persisted(&mut self, well: bool) {
        for id in std::mem::take(&mut self.persist) {
            self.command(Command::Persisted(id, well));
        }
    }

    pub(super) fn accept(&mut self, from: Endpoint) {
        let (stream, outs) = self.probe.accept(from);
        self.streams.push(stream);
        self.check(&outs);
    }

    fn stream(&mut self, which: usize, input: StreamInput<'_>) {
        let Some(stream) = self.streams.iter().rev().nth(which).copied() else { return };
        let outs = self.probe.stream(stream, input);
        self.check(&outs);
    }

    pub(super) fn opened(&mut self, which: usize) {
        self.stream(which, StreamInput::Opened);
    }

    pub(super) fn bytes(&mut self, which: usize, bytes: &[u8]) {
        self.stream(which, StreamInput::Bytes(bytes));
    }

    pub(super) fn closed(&mut self, which: usize, end: StreamEnd) {
        self.stream(which, StreamInput::Closed(end));
        if which < self.streams.len() {
            let stream = self.streams.remove(self.streams.len() - 1 - which);
            self.written.remove(&stream);
        }
    }

    /// What every call must keep to.
    fn check(&mut self, outs: &[Out]) {
        for out in outs {
            match out {
                Out::Send(to, bytes) => self.on_sent(*to, bytes),
                Out::Open(stream, to) => {
                    assert_ne!(*to, home(), "it dials itself");
                    self.streams.push(*stream);
                }
                Out::Write(stream, bytes) => self.on_written(*stream, bytes),
                Out::Close(stream) => {
                    self.streams.retain(|known| known != stream);
                    self.written.remove(stream);
                }
                Out::WriteExtent(..) | Out::Place(..) => assert!(outs.is_empty(), "no file is moved here"),
            }
        }
        for event in self.probe.take_events() {
            if let Event::Persist(id, changes) = event {
                assert!(!changes.is_empty(), "nothing to bring to the disk");
                self.persist.push(id);
            }
        }
        for vnode in 0..self.probe.machine.vnode_count() {
            self.check_vnode(vnode);
        }
    }

    fn on_sent(&mut self, to: Endpoint, bytes: &[u8]) {
        assert_ne!(to, home(), "it sends to itself");
        assert!(to.port() != 0 && bytes.len() <= MAX_DATAGRAM);
        let datagram = Datagram::decode(bytes).expect("what is sent can be read");
        // A node that joins anew, or is called dead, is a later run of itself.
        assert!(datagram.header.net_id == 0 && (1..1_000).contains(&datagram.header.incarnation));
        if is_request(&datagram.message) {
            self.asked.push((to, bytes.to_vec()));
            let more = self.asked.len().saturating_sub(MOST_ASKED);
            self.asked.drain(..more);
        } else if !matches!(datagram.message, Message::Found(_)) && datagram.header.token != 0 {
            self.tokens.insert(to, datagram.header.token);
            self.given.insert((to, datagram.header.token));
        }
    }

    fn on_written(&mut self, stream: StreamId, bytes: &[u8]) {
        let written = self.written.entry(stream).or_default();
        written.extend_from_slice(bytes);
        while let Some((_, taken)) = Frame::decode(written).expect("what is written can be read") {
            written.drain(..taken);
        }
    }

    /// The note's 7.1: no list has the node itself or one twice, it is in ring order and no longer than allowed.
    fn check_vnode(&self, vnode: usize) {
        let Some(view) = self.probe.machine.view(vnode) else { return };
        let me: RingId = view.me.id;
        assert!(view.list.len() <= usize::from(view.most).max(64), "{} successors", view.list.len());
        assert!(view.list.iter().all(|node| node.id != me), "a node is its own successor");
        let far = |at: usize| dist(me, view.list[at].id);
        assert!((1..view.list.len()).all(|at| far(at - 1) < far(at)), "{:?}", view.list);
        assert!(view.prdc.is_none_or(|prdc| prdc.id != me), "a node is its own predecessor");
        assert!(view.notifiers.len() <= 8 && view.dead.len() <= usize::from(self.limits.dead));
        if view.mode == Mode::Solo {
            assert!(view.list.is_empty(), "alone with successors: {view:?}");
        }
    }

    /// Everybody falls silent; then a stranger asks for a sign of life.
    pub(super) fn finish(&mut self) {
        self.advance(Duration::from_secs(700));
        let status = self.probe.machine.status();
        assert!(status.pending <= usize::from(self.limits.pending), "{} requests under way", status.pending);
        if !self.started || self.left {
            return;
        }
        let stranger = Endpoint::v4([10, 99, 0, 1], 9);
        let header = Header {
            net_id: 0,
            txid: 0xfeed,
            source: 0,
            destination: 0,
            flags: Flags::LEAF,
            incarnation: 1,
            token: 0,
        };
        let claim = throng_wire::chord::Claim::Inactive;
        let mut bytes = Vec::new();
        Datagram { header, message: Ping { claim }.into() }.encode(&mut bytes).expect("it fits");
        let outs = self.probe.datagram(stranger, &bytes);
        let answered = outs.iter().any(|out| match out {
            Out::Send(to, bytes) => {
                *to == stranger && Datagram::decode(bytes).is_ok_and(|answer| answer.header.txid == 0xfeed)
            }
            _ => false,
        });
        assert!(answered, "a stranger's ping is not answered: {outs:?}");
    }
}

fn size(out: &Out) -> usize {
    match out {
        Out::Send(_, bytes) => bytes.len(),
        _ => 0,
    }
}

/// Whether a message asks or tells something; answers are taken for what was asked.
fn is_request(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::Ping(_)
            | Message::PingReq(_)
            | Message::GetState(_)
            | Message::Notify(_)
            | Message::Nudge(_)
            | Message::JoinRead(_)
            | Message::Leave(_)
            | Message::Switch(_)
            | Message::SmallAdd(_)
            | Message::SmallWelcome(_)
            | Message::Collapse(_)
            | Message::MergeHint(_)
            | Message::Meet(_)
            | Message::Events(_)
            | Message::Look(_)
            | Message::TableDigest(_)
            | Message::GetTable(_)
            | Message::Get(_)
            | Message::Put(_)
            | Message::Refresh(_)
            | Message::Replicate(_)
            | Message::Digest(_)
            | Message::Pull(_)
            | Message::Confirm(_)
    )
}
