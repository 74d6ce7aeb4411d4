//! Passing lookups on, hop by hop (section 3.2): each hop is acknowledged within its round-trip time; one that is
//! silent, busy or of no help is gone round. What others ask and what begins here take the same way.
//!
//! Bounded: lookups under way, those of one source, tries at a hop, the age of each, and how often one comes back.

use super::super::core::{Core, Life, Received};
use super::super::node::Node;
use super::super::rpc::{Plan, Purpose};
use super::super::small::{Row, Small};
use super::super::violation::Violation;
use super::super::vnode::Vnode;
use super::route::{Members, Place, Quest, Step, next_hop};
use super::upkeep::ping;
use super::{Call, Context, Instant, Lookups, count};
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::chord::{
    Contact, Contacts, Look, LookAck, LookFlags, Message, Mode, RingId, Status, Verdict, dist, own,
};

/// How long a lookup is kept when there is nowhere to send it.
const PAUSE: Duration = Duration::from_millis(250);
/// How long lookups are remembered.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Next hops tried in vain before all are tried again.
const MOST_TRIED: usize = 16;
/// Hops passed over at once.
const MOST_DOUBTS: usize = 64;
/// Requests under way to a node that has given us no token.
const UNPROVED: usize = 2;
/// After so many pauses suspects are asked too.
const DESPERATE: u8 = 2;
/// Times a lookup may come back to a node.
const MOST_VISITS: u8 = 8;
/// Hops named to one who asks for them.
const MOST_NEXT: usize = 4;

/// A lookup being handed to a next hop.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    /// Its number in our books.
    pub number: u32,
    /// The search it belongs to, if it began here.
    pub search: Option<u32>,
    /// As it came, or as it begins.
    pub look: Look,
    /// Which of our virtual nodes was addressed.
    pub at: usize,
    /// Who handed it to us.
    pub from: Option<Node>,
    /// The hop to begin at, if not chosen by us.
    pub via: Option<Node>,
    /// Whom not to ask: tried in vain.
    pub tried: Vec<Node>,
    /// Since when it is here.
    pub since: Instant,
    /// When to try again, while there is nowhere to go.
    pub resume_at: Option<Instant>,
    /// How often there was nowhere to go.
    pub pauses: u8,
}

/// A lookup met before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub lookup: u64,
    /// Who handed it to us first: the way back for an answer.
    pub from: Endpoint,
    pub vnode: u8,
    pub at: u8,
    pub when: Instant,
    pub visits: u8,
    /// An answer went back that way.
    pub answered: bool,
}

impl Passing {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.resume_at
    }

    fn quest(&self) -> Quest<'_> {
        Quest {
            key: self.look.key,
            direct: self.look.flags.has(LookFlags::DIRECT),
            back: self.look.back,
            from: self.from.map(|node| node.id),
            tried: &self.tried,
            desperate: self.pauses >= DESPERATE,
            warm: None,
        }
    }
}

impl Lookups {
    /// A hop, or somebody who begins, hands us a lookup.
    pub(crate) fn on_look(&mut self, core: &mut Core, from: &Received, look: &Look, cx: &mut Context<'_>) {
        if !core.is_proved(cx, from) {
            return;
        }
        if look.ttl > super::estimate::HIGHEST_TTL || Node::of(core.config.id_rule, &look.initiator).is_none()
        {
            return core.blame(Violation::Impossible);
        }
        if core.life == Life::Left || !core.vnodes.iter().any(is_open) {
            return acknowledge(core, from, look, (Verdict::TryOther, &[]), cx);
        }
        if look.flags.has(LookFlags::ITERATIVE) {
            return self.on_step(core, from, look, cx);
        }
        if !is_closer(core, from, look) {
            count(&mut self.counts.dropped);
            return core.blame(Violation::Impossible);
        }
        self.accept(core, from, look, cx);
    }

    /// Decides whether to take a lookup on, says so, and passes it on.
    fn accept(&mut self, core: &mut Core, from: &Received, look: &Look, cx: &mut Context<'_>) {
        let straight = !look.flags.has(LookFlags::DIRECT) && look.back == 0;
        let visits = self.visit(core, from, look.lookup, cx.now());
        if visits > 1 && (straight || visits > MOST_VISITS) {
            // It is under way here already, and this host goes round silent hops itself.
            count(&mut self.counts.duplicates);
            return acknowledge(core, from, look, (Verdict::Accepted, &[]), cx);
        }
        if !self.has_room(core, from.from.endpoint) {
            count(&mut self.counts.busy);
            return acknowledge(core, from, look, (Verdict::Busy, &[]), cx);
        }
        acknowledge(core, from, look, (Verdict::Accepted, &[]), cx);
        count(&mut self.counts.passed);
        let number = self.number();
        let now = cx.now();
        // Whoever comes back does so because nobody owns the key at the moment.
        let resume_at = (visits > 1).then(|| now + PAUSE);
        let (search, via, tried) = (None, None, Vec::new());
        let (look, from_node) = (*look, Some(from.from));
        let passing = Passing {
            number,
            search,
            look,
            at: from.at,
            from: from_node,
            via,
            tried,
            since: now,
            resume_at,
            pauses: 0,
        };
        self.passing.push(passing);
        if visits == 1 {
            self.advance(core, number, cx);
        }
    }

    /// Begins to pass on a lookup of our own.
    pub(crate) fn launch(&mut self, core: &mut Core, passing: Passing, cx: &mut Context<'_>) {
        let number = passing.number;
        self.passing.push(passing);
        self.advance(core, number, cx);
    }

    /// Forgets what is being passed on for a search of ours.
    pub(crate) fn recall(&mut self, search: u32) {
        self.passing.retain(|passing| passing.search != Some(search));
        shrink(&mut self.passing);
    }

    /// Sends a lookup to its next hop, answers it, or keeps it for a while.
    fn advance(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(at) = self.passing.iter().position(|passing| passing.number == number) else { return };
        let passing = &mut self.passing[at];
        passing.resume_at = None;
        let now = cx.now();
        let warm = Some((core.config.timers.finger_ping, now));
        self.doubts.retain(|(_, until)| *until > now);
        let step = match passing.via {
            Some(via) => Step::Toward(via),
            None => {
                let doubted = self.doubts.iter().map(|(node, _)| *node);
                let tried: Vec<Node> = passing.tried.iter().copied().chain(doubted).collect();
                self.table.route(core, passing.at, &Quest { tried: &tried, warm, ..passing.quest() })
            }
        };
        let (to, direct, back) = match step {
            Step::Mine(owner) => {
                let passing = self.passing.swap_remove(at);
                shrink(&mut self.passing);
                return self.own(core, owner, &passing, cx);
            }
            Step::Wait => return self.pause(at, cx.now()),
            Step::Toward(to) => (to, false, 0),
            Step::Direct(to) => (to, true, 0),
            Step::Back(to) => (to, true, passing.look.back.saturating_add(1)),
            Step::Granted(giver, to) => {
                core.granted(cx, giver, passing.look.key);
                (to, true, 0)
            }
        };
        if passing.look.ttl == 0 {
            self.passing.swap_remove(at);
            return count(&mut self.counts.dropped);
        }
        let look = onward(&passing.look, to, (direct, back));
        if !hand_over(core, (passing.at, to), number, &look, cx) {
            self.pause(at, cx.now());
        }
    }

    /// Nowhere to go: everyone may be tried again after a while.
    fn pause(&mut self, at: usize, now: Instant) {
        let passing = &mut self.passing[at];
        passing.tried.clear();
        passing.resume_at = Some(now + PAUSE);
        passing.pauses = passing.pauses.saturating_add(1);
    }

    /// Goes on with lookups that were kept for a while.
    pub(crate) fn resume(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let (now, patience) = (cx.now(), core.config.timers.lookup_total);
        let before = self.passing.len();
        self.passing.retain(|passing| passing.search.is_some() || now.since(passing.since) < patience);
        for _ in self.passing.len()..before {
            count(&mut self.counts.dropped);
        }
        let due = |passing: &&Passing| passing.resume_at.is_some_and(|at| at <= now);
        let due: Vec<u32> = self.passing.iter().filter(due).map(|passing| passing.number).collect();
        for number in due {
            self.advance(core, number, cx);
        }
        shrink(&mut self.passing);
    }

    /// A hop says what becomes of a lookup.
    pub(crate) fn on_hop_answer(
        &mut self,
        core: &mut Core,
        number: u32,
        (from, message): (&Received, &Message<'_>),
        cx: &mut Context<'_>,
    ) {
        let Some(at) = self.passing.iter().position(|passing| passing.number == number) else { return };
        let verdict = match message {
            Message::LookAck(ack) if ack.lookup == self.passing[at].look.lookup => ack.verdict,
            _ => Verdict::TryOther,
        };
        if verdict == Verdict::Accepted {
            let passing = self.passing.swap_remove(at);
            if let Some(search) = passing.search {
                self.on_accepted(search, from.from);
            }
            return shrink(&mut self.passing);
        }
        self.go_round(core, number, &from.from, cx);
    }

    /// A hop did not acknowledge in time.
    pub(crate) fn on_hop_silence(
        &mut self,
        core: &mut Core,
        number: u32,
        asked: &Node,
        cx: &mut Context<'_>,
    ) {
        count(&mut self.counts.timeouts);
        let Some(passing) = self.passing.iter_mut().find(|passing| passing.number == number) else { return };
        passing.look.timeouts = passing.look.timeouts.saturating_add(1);
        let at = passing.at;
        self.doubt(core.config.lookup.doubt, *asked, cx.now());
        if core.config.lookup.ping_silent {
            ping(core, at, *asked, cx);
        }
        self.go_round(core, number, asked, cx);
    }

    /// Passes over a node for a while.
    fn doubt(&mut self, span: Duration, node: Node, now: Instant) {
        self.doubts.retain(|(known, until)| *until > now && *known != node);
        if self.doubts.len() >= MOST_DOUBTS {
            self.doubts.remove(0);
        }
        self.doubts.push((node, now + span));
    }

    /// Another next hop for a lookup that one could not take.
    fn go_round(&mut self, core: &mut Core, number: u32, failed: &Node, cx: &mut Context<'_>) {
        let Some(at) = self.passing.iter().position(|passing| passing.number == number) else { return };
        let passing = &mut self.passing[at];
        if passing.via.is_some() || !core.config.lookup.reroute {
            let passing = self.passing.swap_remove(at);
            shrink(&mut self.passing);
            match passing.search {
                Some(search) => self.on_stuck(core, search, cx),
                None => count(&mut self.counts.dropped),
            }
            return;
        }
        if passing.tried.len() >= MOST_TRIED {
            return self.pause(at, cx.now());
        }
        passing.tried.push(*failed);
        self.advance(core, number, cx);
    }

    /// Answers one who asks for the next hops instead of having them asked.
    fn on_step(&mut self, core: &mut Core, from: &Received, look: &Look, cx: &mut Context<'_>) {
        let mut next: Vec<Node> = Vec::new();
        // If only suspects are left, whoever asks may see for itself.
        for desperate in [false, true] {
            while next.len() < MOST_NEXT && (next.is_empty() || !desperate) {
                let direct = look.flags.has(LookFlags::DIRECT);
                let (key, back) = (look.key, look.back);
                let warm = Some((core.config.timers.finger_ping, cx.now()));
                let quest = Quest { key, direct, back, from: None, tried: &next, desperate, warm };
                match self.table.route(core, from.at, &quest) {
                    Step::Mine(owner) => return self.show(core, owner, (from, look), cx),
                    Step::Direct(node) | Step::Back(node) | Step::Toward(node) => next.push(node),
                    Step::Granted(giver, node) => {
                        core.granted(cx, giver, look.key);
                        next.push(node);
                        break;
                    }
                    Step::Wait => break,
                }
            }
        }
        let verdict = if next.is_empty() { Verdict::TryOther } else { Verdict::Next };
        let next: Vec<Contact> = next.iter().map(Node::contact).collect();
        acknowledge(core, from, look, (verdict, &next), cx);
    }

    /// Remembers a lookup; returns how often it has been here, this time included.
    fn visit(&mut self, core: &Core, from: &Received, lookup: u64, now: Instant) -> u8 {
        while self.seen.front().is_some_and(|seen| now.since(seen.when) >= REMEMBERED) {
            self.seen.pop_front();
        }
        if self.seen.is_empty() {
            self.seen.shrink_to_fit();
        }
        if let Some(seen) = self.seen.iter_mut().rev().find(|seen| seen.lookup == lookup) {
            seen.visits = seen.visits.saturating_add(1);
            return seen.visits;
        }
        if self.seen.len() >= usize::from(core.config.lookup.remembered) {
            self.seen.pop_front();
        }
        let (endpoint, vnode, at) = (from.from.endpoint, from.from.vnode, from.at as u8);
        self.seen.push_back(Seen {
            lookup,
            from: endpoint,
            vnode,
            at,
            when: now,
            visits: 1,
            answered: false,
        });
        1
    }

    /// Whether another lookup of that source may be taken on.
    fn has_room(&self, core: &Core, from: Endpoint) -> bool {
        let most = usize::from(core.config.lookup.passing);
        let of_source = |passing: &&Passing| passing.from.is_some_and(|node| node.endpoint == from);
        self.passing.len() < most && self.passing.iter().filter(of_source).count() < most / 4
    }
}

impl super::Table {
    /// The next hop from what all our virtual nodes know.
    pub(crate) fn route(&self, core: &Core, at: usize, quest: &Quest<'_>) -> Step {
        let places: Vec<Place<'_>> = core.vnodes.iter().map(|vnode| place(vnode, quest.key)).collect();
        // A ring that has grown may keep its old table for a while.
        let first = core.vnodes.first().filter(|vnode| vnode.mode == Mode::Small);
        let small = first.and_then(|vnode| vnode.rare.as_ref()?.small.as_ref());
        let members: Option<&dyn Members> = match small {
            Some(small) => Some(small),
            None if self.is_on() => Some(self),
            None => None,
        };
        next_hop(&places, at, quest, members)
    }
}

impl Members for Small {
    fn at_or_after(&self, key: RingId, admit: &dyn Fn(&Node) -> bool) -> Option<Node> {
        let open = |row: &&Row| row.status == Status::Live && admit(&row.node);
        self.rows.iter().filter(open).map(|row| row.node).min_by_key(|node| dist(key, node.id))
    }
}

/// What a virtual node knows that matters for a key.
fn place(vnode: &Vnode, key: RingId) -> Place<'_> {
    let granted = vnode.grant.as_ref().filter(|grant| grant.epoch != 0 && own(grant.low, key, grant.to.id));
    Place {
        node: vnode.node,
        claim: vnode.claim,
        predecessor: vnode.predecessor,
        below: vnode.bound.map(|bound| bound.node),
        list: &vnode.list,
        fingers: &vnode.fingers,
        granted: granted.map(|grant| grant.to),
        most: vnode.most,
    }
}

/// Whether a virtual node takes part in lookups.
fn is_open(vnode: &Vnode) -> bool {
    vnode.mode != Mode::Detached && (vnode.is_member() || !vnode.list.is_empty())
}

/// Whether a lookup came closer to its key by being handed to us; the one who begins may stand anywhere.
fn is_closer(core: &Core, from: &Received, look: &Look) -> bool {
    let begins = look.initiator == from.from.contact() || look.path <= 1;
    if begins || look.flags.has(LookFlags::DIRECT) || look.back > 0 {
        return true;
    }
    let here = core.vnodes.get(from.at).map(|vnode| vnode.node.id);
    here.is_some_and(|here| dist(here, look.key) < dist(from.from.id, look.key))
}

/// The lookup as it is handed to the next hop.
fn onward(look: &Look, to: Node, (direct, back): (bool, u8)) -> Look {
    let flags = look.flags.without(LookFlags::DIRECT);
    let flags = if direct { flags.with(LookFlags::DIRECT) } else { flags };
    let begins = look.path == 0;
    Look {
        flags,
        ttl: look.ttl.saturating_sub(1),
        back,
        path: look.path.saturating_add(1),
        // The first hop is named as the way back for an initiator that others cannot reach.
        reply_via: if begins && look.reply_via.is_some() { Some(to.contact()) } else { look.reply_via },
        ..*look
    }
}

/// Sends a lookup to a hop, to be acknowledged within its round trip; false if it cannot be sent.
fn hand_over(
    core: &mut Core,
    (at, to): (usize, Node),
    number: u32,
    look: &Look,
    cx: &mut Context<'_>,
) -> bool {
    let held = core.proofs.held(to.endpoint, cx.now()) != 0;
    if !held && core.rpc.iter().filter(|pending| pending.to.endpoint == to.endpoint).count() >= UNPROVED {
        // More before it has challenged us would look like an attack.
        return false;
    }
    // A stranger challenges first, which takes another round trip.
    let rto = core.rto(&to) * if held { 1 } else { 2 };
    let plan = Plan { at, to, purpose: Purpose::Lookup(Call::Hop(number)), rto, sends: 1 };
    core.call_with(cx, plan, &Message::Look(*look)).is_some()
}

/// Tells the previous hop what becomes of a lookup.
fn acknowledge(
    core: &mut Core,
    to: &Received,
    look: &Look,
    (verdict, next): (Verdict, &[Contact]),
    cx: &mut Context<'_>,
) {
    let ack = LookAck { lookup: look.lookup, verdict, next: Contacts::new(next) };
    core.reply(cx, to, &Message::LookAck(ack));
}

/// A quiet node holds nothing.
fn shrink(passing: &mut Vec<Passing>) {
    if passing.is_empty() {
        *passing = Vec::new();
    }
}
