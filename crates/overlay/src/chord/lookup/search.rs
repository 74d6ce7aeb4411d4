//! Lookups begun here: first along our own tables, then through another first hop, then hop by hop over disjoint
//! starts, again and again; 16 s in all (sections 3.1 and 3.2, where it is 8 s: too short for a key whose owner has just
//! died).
//!
//! Each try has an id of its own, so that hops do not take it for a copy of the one before; an answer to any of them
//! counts.

use super::super::core::Core;
use super::super::node::Node;
use super::super::notice::Notice;
use super::super::{Context, Event};
use super::estimate::ttl;
use super::pass::Passing;
use super::walk::Walk;
use super::{FoundAt, Goal, Instant, LookupMode, Lookups, count};
use std::time::Duration;
use throng_wire::chord::{Look, LookFlags, Purpose, RingId, dist};

/// Pause before paths are walked again that led to nobody.
const REST: Duration = Duration::from_secs(1);

/// A lookup of ours.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Its number in our books.
    pub number: u32,
    /// Which of our virtual nodes asks.
    pub at: usize,
    pub key: RingId,
    pub goal: Goal,
    /// Where it begins, if not at our own tables.
    pub via: Option<Node>,
    /// How it goes.
    pub mode: LookupMode,
    /// The ids of its tries.
    pub lookups: Vec<u64>,
    /// The secret that answers carry.
    pub token: u64,
    pub began: Instant,
    /// When the present try is given up.
    pub until: Instant,
    /// Tries begun.
    pub tries: u8,
    /// First hops that took it on.
    pub first_hops: Vec<Node>,
    /// Hops found silent by tries before the present one.
    pub timeouts: u8,
    /// Paths walked hop by hop.
    pub walks: Vec<Walk>,
    /// The best answer so far that passed all checks but the one of spacing.
    pub doubtful: Option<Box<FoundAt>>,
    /// It waits to ask again.
    pub rests: bool,
    /// An answer was doubtful: all paths are walked to their ends.
    pub checking: bool,
}

impl Search {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        Some(self.until)
    }
}

/// What a measured lookup came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// The owner.
    pub owner: Node,
    /// Nodes contacted, the owner included; 0 if it is here.
    pub hops: u8,
    /// Nodes on the way that did not answer.
    pub timeouts: u8,
    /// From the question to the answer.
    pub took: Duration,
    /// Tries it took.
    pub tries: u8,
}

impl Lookups {
    /// Begins a lookup; the answer is `Notice::Found` with this goal.
    pub(crate) fn start(
        &mut self,
        core: &mut Core,
        wish: (usize, RingId, Goal, Option<Node>),
        cx: &mut Context<'_>,
    ) {
        let mode = core.config.lookup.mode;
        self.start_as(core, wish, mode, cx);
    }

    /// Begins a lookup in a mode of its own.
    pub(crate) fn start_as(
        &mut self,
        core: &mut Core,
        (at, key, goal, via): (usize, RingId, Goal, Option<Node>),
        mode: LookupMode,
        cx: &mut Context<'_>,
    ) {
        count(&mut self.counts.begun);
        let now = cx.now();
        if at >= core.vnodes.len() || self.searches.len() >= usize::from(core.config.lookup.own) {
            count(&mut self.counts.busy);
            return self.tell(core, goal, (None, 0, now), cx);
        }
        let number = self.number();
        let token = cx.rng().next_u64().max(1);
        let (lookups, first_hops, walks) = (Vec::new(), Vec::new(), Vec::new());
        let (until, tries, timeouts, doubtful) = (now, 0, 0, None);
        let search = Search {
            number,
            at,
            key,
            goal,
            via,
            mode,
            lookups,
            token,
            began: now,
            until,
            tries,
            first_hops,
            timeouts,
            walks,
            doubtful,
            rests: false,
            checking: false,
        };
        self.searches.push(search);
        if mode == LookupMode::Iterative && via.is_none() {
            self.walk(core, number, 1, cx);
        } else {
            self.send_out(core, number, cx);
        }
    }

    /// The next recursive try.
    fn send_out(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let total = core.config.timers.lookup_total;
        let (first, second) = (core.config.timers.lookup_first, core.config.timers.lookup_second);
        let last = core.config.lookup.tries <= 1;
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        let now = cx.now();
        search.tries = search.tries.saturating_add(1);
        let patience = match search.tries {
            // Whoever asks through somebody else waits for that one try.
            _ if last || search.via.is_some() => total,
            1 => first,
            _ => second,
        };
        search.until = (now + patience).min(search.began + total);
        let lookup = cx.rng().next_u64();
        search.lookups.push(lookup);
        let Some(look) = first_look(core, search, lookup) else { return };
        let passing = Passing {
            number: 0,
            search: Some(number),
            look,
            at: nearest(core, search.at, search.key, search.via.is_some()),
            from: None,
            via: search.via,
            tried: search.first_hops.clone(),
            since: now,
            resume_at: None,
            pauses: 0,
        };
        let passing = Passing { number: self.number(), ..passing };
        self.launch(core, passing, cx);
    }

    /// A first hop took our lookup on.
    pub(crate) fn on_accepted(&mut self, search: u32, hop: Node) {
        if let Some(search) = self.searches.iter_mut().find(|found| found.number == search) {
            search.first_hops.push(hop);
        }
    }

    /// Our lookup cannot leave: nobody to hand it to, or that was not to be tried twice.
    pub(crate) fn on_stuck(&mut self, core: &mut Core, search: u32, cx: &mut Context<'_>) {
        let Some(found) = self.searches.iter_mut().find(|found| found.number == search) else { return };
        if found.via.is_some() || core.config.lookup.tries <= 1 {
            return self.finish(core, search, None, cx);
        }
        found.until = cx.now();
    }

    /// Gives up tries that took too long, and begins the next.
    pub(crate) fn on_search_timeout(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let now = cx.now();
        let due = |search: &&Search| search.until <= now;
        let due: Vec<u32> = self.searches.iter().filter(due).map(|search| search.number).collect();
        for number in due {
            self.try_again(core, number, cx);
        }
    }

    fn try_again(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let (tries, total) = (core.config.lookup.tries, core.config.timers.lookup_total);
        self.collect_timeouts(number);
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        let over = cx.now().since(search.began) >= total;
        let spent = search.tries >= tries;
        if over || search.checking || search.via.is_some() || (spent && tries <= 1) {
            let doubtful = search.doubtful.take();
            return self.finish(core, number, doubtful, cx);
        }
        search.walks.iter_mut().for_each(Walk::abandon);
        // Nobody owns a key while its owner is found out to be dead: it is asked for again as long as there is time.
        search.rests = spent && !search.rests;
        if search.rests {
            search.until = (cx.now() + REST).min(search.began + total);
            return;
        }
        let hop_by_hop = search.mode == LookupMode::Iterative || search.tries + 1 >= tries;
        self.recall(number);
        if hop_by_hop {
            let paths = core.config.lookup.paths;
            self.walk(core, number, paths, cx);
        } else {
            count(&mut self.counts.retried);
            self.send_out(core, number, cx);
        }
    }

    /// What the present try learnt of silent hops is kept for the report.
    fn collect_timeouts(&mut self, number: u32) {
        let passings = self.passing.iter().filter(|passing| passing.search == Some(number));
        let silent = passings.fold(0u8, |sum, passing| sum.saturating_add(passing.look.timeouts));
        if let Some(search) = self.searches.iter_mut().find(|search| search.number == number) {
            search.timeouts = search.timeouts.saturating_add(silent);
        }
    }

    /// A search is over.
    pub(crate) fn finish(
        &mut self,
        core: &mut Core,
        number: u32,
        found: Option<Box<FoundAt>>,
        cx: &mut Context<'_>,
    ) {
        self.recall(number);
        let Some(at) = self.searches.iter().position(|search| search.number == number) else { return };
        let search = self.searches.swap_remove(at);
        if self.searches.is_empty() {
            self.searches = Vec::new();
        }
        let found = found.map(|mut found| {
            found.timeouts = found.timeouts.saturating_add(search.timeouts);
            found
        });
        if let (Goal::Finger { at }, Some(found)) = (search.goal, &found) {
            return self.survey(core, usize::from(at), found, cx);
        }
        self.tell(core, search.goal, (found, search.tries, search.began), cx);
    }

    /// Tells whoever wanted to know.
    fn tell(
        &mut self,
        core: &mut Core,
        goal: Goal,
        (found, tries, began): (Option<Box<FoundAt>>, u8, Instant),
        cx: &mut Context<'_>,
    ) {
        count(if found.is_some() { &mut self.counts.answered } else { &mut self.counts.unanswered });
        let rule = core.config.id_rule;
        match goal {
            Goal::Measure(number) => {
                let took = cx.now().since(began);
                let measured = found.and_then(|found| {
                    let owner = Node::of(rule, &found.owner.contact)?;
                    Some(Measured { owner, hops: found.hops, timeouts: found.timeouts, took, tries })
                });
                cx.emit(Event::Measured { number, measured });
            }
            Goal::Finger { .. } => {}
            goal => core.notices.push_back(Notice::Found { goal, found }),
        }
    }
}

/// The lookup as it begins.
fn first_look(core: &Core, search: &Search, lookup: u64) -> Option<Look> {
    let vnode = core.vnodes.get(search.at)?;
    let initiator = vnode.node.contact();
    let purpose = match search.goal {
        Goal::Finger { .. } => Purpose::Finger,
        Goal::Check { .. } | Goal::Probe { .. } => Purpose::Check,
        Goal::Store(_) | Goal::Measure(_) => Purpose::Key,
    };
    // The second try asks for the answer through its first hop, in case the owner cannot reach us.
    let reply_via = (search.tries > 1).then_some(initiator);
    Some(Look {
        lookup,
        key: search.key,
        purpose,
        flags: LookFlags::default(),
        ttl: ttl(core.estimate(search.at)),
        back: 0,
        path: 0,
        timeouts: 0,
        initiator,
        token: search.token,
        reply_via,
    })
}

/// Which of our virtual nodes stands closest before a key; the asking one if it asks through somebody else.
fn nearest(core: &Core, at: usize, key: RingId, fixed: bool) -> usize {
    if fixed {
        return at;
    }
    let members = core.vnodes.iter().enumerate().filter(|(_, vnode)| vnode.is_member());
    members.min_by_key(|(_, vnode)| dist(vnode.node.id, key)).map_or(at, |(nearest, _)| nearest)
}
