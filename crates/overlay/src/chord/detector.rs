//! Failure detection (section 2.7): suspicion after unanswered sends, death only confirmed through others, and doubt
//! about oneself first.
//!
//! A suspect keeps its place everywhere. It is dead only if no relay reaches it and at least one relay said so: that
//! proves that our own link works. Without any relay a second round of pings decides. Where relays are silent as well
//! for more than half of the list we are detached; many deaths that relays confirm detach nobody, so that those who
//! survive a mass failure go on answering.

use super::Context;
use super::core::{Core, Received};
use super::maintenance::Call;
use super::node::Node;
use super::rpc::{Plan, Purpose};
use std::time::Duration;
use throng_machine::{Deadline, Instant};
use throng_wire::chord::{self as wire, Message, Relayed};

/// Local health is judged over this.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
/// Own timers later than this mean that this host is not well.
const LATE: Duration = Duration::from_millis(200);
/// Deaths are counted over this.
const MINUTE: Duration = Duration::from_secs(60);
/// Pings on behalf of others at once.
const MOST_ASKERS: usize = 32;

/// Suspicions under confirmation, the recently dead, and how well this host itself does.
#[derive(Clone, Default, Debug)]
pub(crate) struct Detector {
    /// Under confirmation.
    pub confirming: Vec<Confirming>,
    dead: Vec<(Node, Instant)>,
    factor: u8,
    answered: u16,
    failed: u16,
    window: Option<Instant>,
    nudged: Option<Instant>,
    swept: Option<Instant>,
    /// Who asked us to ping others, until we can tell them.
    askers: Vec<(u64, Received)>,
    next_asker: u64,
}

/// One suspicion.
#[derive(Clone, Debug)]
pub(crate) struct Confirming {
    /// Who.
    pub node: Node,
    /// Which of our virtual nodes asks.
    pub at: usize,
    /// Relays that have not answered.
    pub waiting: u8,
    /// Relays that said it is silent.
    pub silent: u8,
    /// Rounds of relays asked.
    pub rounds: u8,
    /// Decided then at the latest.
    pub until: Instant,
    /// Relays asked before, in an earlier suspicion, say nothing of this one.
    pub since: Instant,
}

impl Detector {
    /// What time-outs are multiplied by: 1 if all is well with this host.
    pub(crate) fn factor(&self) -> u8 {
        self.factor.max(1)
    }

    /// A request was answered.
    pub(crate) fn on_answer(&mut self, now: Instant) {
        self.count(now, |detector| detector.answered = detector.answered.saturating_add(1));
    }

    /// A neighbour was silent.
    pub(crate) fn on_failure(&mut self, now: Instant) {
        self.count(now, |detector| detector.failed = detector.failed.saturating_add(1));
    }

    /// Others say so too: it was no fault of this host's.
    pub(crate) fn excuse(&mut self) {
        self.failed = self.failed.saturating_sub(1);
    }

    fn count(&mut self, now: Instant, add: impl FnOnce(&mut Detector)) {
        if self.window.is_none_or(|since| now.since(since) >= WINDOW) {
            let (failed, all) = (u32::from(self.failed), u32::from(self.failed) + u32::from(self.answered));
            // Fewer than four probes say nothing.
            let ill = all >= 4 && failed * 10 > all * 3;
            self.factor = if ill { (self.factor() * 2).min(8) } else { (self.factor() / 2).max(1) };
            (self.answered, self.failed, self.window) = (0, 0, Some(now));
        }
        add(self);
    }

    /// Our own timer ran late: others may be well though they seem silent.
    pub(crate) fn on_clock(&mut self, due: Instant, now: Instant) {
        if now.since(due) > LATE {
            self.factor = (self.factor() * 2).min(8);
            self.window = Some(now);
            (self.answered, self.failed) = (0, 0);
        }
    }

    /// Whether exactly this node was confirmed dead a short while ago.
    pub(crate) fn is_dead(&self, node: &Node, kept: Duration, now: Instant) -> bool {
        let dead =
            |(dead, at): &(Node, Instant)| now.since(*at) < kept && (dead == node || node.is_before(dead));
        self.dead.iter().any(dead)
    }

    /// All that are remembered as dead.
    pub(crate) fn graves(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.dead.iter().map(|(node, _)| node)
    }

    /// A node is dead from now on.
    pub(crate) fn bury(&mut self, node: &Node, most: usize, kept: Duration, now: Instant) {
        self.confirming.retain(|confirming| confirming.node != *node);
        self.dead.retain(|(dead, at)| dead != node && now.since(*at) < kept);
        if self.dead.len() >= most.max(1) {
            self.dead.remove(0);
        }
        self.dead.push((*node, now));
    }

    /// Whether this is more than one death within ten seconds, and no sweep followed another within five.
    pub(crate) fn deaths_pile_up(&mut self, now: Instant) -> bool {
        let recent = self.dead.iter().filter(|(_, at)| now.since(*at) < WINDOW).count();
        let due = recent >= 2 && self.swept.is_none_or(|last| now.since(last) >= WINDOW / 2);
        if due {
            self.swept = Some(now);
        }
        due
    }

    /// The share of the ordinary period after which neighbours are looked after: where many die, a death must be certain
    /// before the next one comes. Of 40 in a list three a minute die if all live for 13 minutes, eight for 5.
    pub(crate) fn haste(&self, now: Instant) -> f32 {
        let recent = self.dead.iter().filter(|(_, at)| now.since(*at) < MINUTE).count();
        match recent {
            0..3 => 1.0,
            3..8 => 0.4,
            _ => 0.2,
        }
    }

    /// A node was heard itself: nothing that was said of its death counts.
    pub(crate) fn revive(&mut self, node: &Node) {
        if !self.dead.is_empty() {
            self.dead.retain(|(dead, _)| dead != node);
            if self.dead.is_empty() {
                self.dead = Vec::new();
            }
        }
        if !self.confirming.is_empty() {
            self.confirming.retain(|confirming| confirming.node != *node);
            if self.confirming.is_empty() {
                self.confirming = Vec::new();
            }
        }
    }

    /// Whether a nudge may be acted on.
    pub(crate) fn nudge(&mut self, now: Instant, every: Duration) -> bool {
        let free = self.nudged.is_none_or(|last| now.since(last) >= every);
        if free {
            self.nudged = Some(now);
        }
        free
    }

    /// Keeps a request that is answered once another has answered us.
    fn remember(&mut self, from: &Received) -> u64 {
        self.next_asker = self.next_asker.wrapping_add(1);
        self.askers.push((self.next_asker, *from));
        self.next_asker
    }

    /// The request of that number, once.
    fn recall(&mut self, number: u64) -> Option<Received> {
        let index = self.askers.iter().position(|(each, _)| *each == number)?;
        let asker = self.askers.swap_remove(index).1;
        if self.askers.is_empty() {
            self.askers = Vec::new();
        }
        Some(asker)
    }

    /// When the next suspicion is to be decided.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        for confirming in &self.confirming {
            deadline.at(confirming.until);
        }
        deadline.earliest()
    }
}

impl Core {
    /// Somebody asks us to ping another, or to fetch its state.
    pub(crate) fn on_ping_req(&mut self, cx: &mut Context<'_>, from: &Received, request: &wire::PingReq) {
        if !self.is_proved(cx, from) {
            return;
        }
        let Some(target) = Node::of(self.config.id_rule, &request.target) else { return };
        let own = self.vnodes.iter().any(|vnode| vnode.node.id == target.id);
        if !target.endpoint.is_dialable() || own || self.detector.askers.len() >= MOST_ASKERS {
            let result = Relayed::Silent;
            return self.reply(cx, from, &Message::PingRes(wire::PingRes { target: request.target, result }));
        }
        let back = self.detector.remember(from);
        let plan = |purpose, rto| Plan { at: from.at, to: target, purpose, rto, sends: 2 };
        let rto = self.rto(&target);
        let (purpose, message) = match request.state {
            None => {
                let claim = self.vnodes[from.at].claim;
                (Call::OnBehalf(back), Message::Ping(wire::Ping { claim }))
            }
            Some(known) => (Call::OnBehalf(back), Message::GetState(wire::GetState { known, skip: 0 })),
        };
        if self.call_with(cx, plan(Purpose::Ring(purpose), rto), &message).is_none() {
            self.detector.recall(back);
        }
    }

    /// What came of a ping on behalf of another.
    pub(crate) fn on_relayed(
        &mut self,
        cx: &mut Context<'_>,
        back: u64,
        (target, answer): (Node, Option<&Message<'_>>),
    ) {
        let Some(asker) = self.detector.recall(back) else { return };
        let result = match answer {
            Some(Message::Pong(pong)) => Relayed::Alive(pong.claim),
            Some(Message::State(state)) => Relayed::State(*state),
            // Of no ring, too busy, or no answer: nothing to rely on.
            _ => Relayed::Silent,
        };
        let message = Message::PingRes(wire::PingRes { target: target.contact(), result });
        self.reply(cx, &asker, &message);
    }
}
