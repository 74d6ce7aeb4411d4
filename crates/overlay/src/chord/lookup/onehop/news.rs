//! Who came and went: told by the neighbour that noticed, passed on once by everyone who did not know.

use super::super::super::core::{Core, Received};
use super::super::super::node::Node;
use super::super::super::notice::Notice;
use super::super::upkeep::ping;
use super::super::{Context, Instant, Lookups};
use super::{Full, speaker};
use std::time::Duration;
use throng_wire::chord::{Change, Contact, Events, Item, List, Message};

/// News waiting to be passed on at most.
const MOST_NEWS: usize = 512;
/// Others told besides head and predecessor.
const FANOUT: usize = 3;
/// The dead are remembered so long, and so many.
const DEAD: Duration = Duration::from_secs(600);
const MOST_DEAD: usize = 512;
/// Nodes said to be dead that we think alive, at most.
const MOST_RUMOURS: usize = 64;
/// More rounds than this nothing is passed on.
const MOST_ROUNDS: u8 = 20;

impl Full {
    /// Somebody came; true if that is news.
    pub(super) fn come(&mut self, node: Node, most: usize) -> bool {
        let dead =
            self.dead.iter().any(|(dead, _)| dead.id == node.id && dead.incarnation >= node.incarnation);
        !dead && self.roster.len() < most && self.roster.insert(node)
    }

    /// Somebody does not answer us: of no use, and perhaps dead, which we shall be told or find out.
    pub(super) fn silenced(&mut self, node: &Node) {
        if self.roster.remove(node) && !self.mute.contains(node) {
            if self.mute.len() >= MOST_RUMOURS {
                self.mute.remove(0);
            }
            self.mute.push(*node);
        }
    }

    /// Whether this run of a node is known to be over.
    pub(super) fn is_dead(&self, node: &Node) -> bool {
        self.dead.iter().any(|(dead, _)| dead.id == node.id && dead.incarnation >= node.incarnation)
    }

    /// Somebody went; true if that is news.
    pub(super) fn go(&mut self, node: Node, now: Instant) -> bool {
        let muted = self.mute.iter().position(|mute| *mute == node).map(|at| self.mute.swap_remove(at));
        if !self.roster.remove(&node) && muted.is_none() {
            return false;
        }
        self.bury(node, now);
        true
    }

    /// We know that this run of a node is over; true if that is news, whether or not it was in the table still: it was
    /// taken out when it fell silent, and others have it.
    pub(super) fn certain(&mut self, node: Node, now: Instant) -> bool {
        if self.is_dead(&node) {
            return false;
        }
        self.roster.remove(&node);
        self.mute.retain(|mute| *mute != node);
        self.bury(node, now);
        true
    }

    fn bury(&mut self, node: Node, now: Instant) {
        self.dead.retain(|(_, since)| now.since(*since) < DEAD);
        if self.dead.len() >= MOST_DEAD {
            self.dead.remove(0);
        }
        self.dead.push((node, now));
        self.rumours.retain(|rumour| *rumour != node);
    }

    /// Has others told, some at a time.
    pub(super) fn tell(&mut self, (contact, alive): (Contact, bool), ttl: u8, soon: Instant) {
        if ttl == 0 || self.news.len() >= MOST_NEWS {
            return;
        }
        self.news.push(Change { contact, alive, ttl });
        self.spread_at = Some(self.spread_at.unwrap_or(soon));
    }

    /// Rounds that reach everyone, with two to spare.
    fn rounds(&self) -> u8 {
        (self.roster.len().max(1).ilog2() as u8 + 3).min(MOST_ROUNDS)
    }
}

impl Lookups {
    /// What the ring noticed itself.
    pub(super) fn note(&mut self, core: &mut Core, notice: &Notice, cx: &mut Context<'_>) {
        let soon = cx.now() + core.config.timers.table_spread;
        let most = core.config.one_hop.off as usize * 2;
        let Some(full) = &mut self.table.full else { return };
        match notice {
            Notice::ListChanged { at } | Notice::Member { at } => {
                let Some(vnode) = core.vnodes.get(*at) else { return };
                // A joiner is announced by its successor alone; its other neighbours just know.
                if let Some(entry) = vnode.predecessor.as_ref().filter(|entry| entry.is_usable())
                    && full.come(entry.node, most)
                {
                    full.tell((entry.node.contact(), true), full.rounds(), soon);
                }
                for node in vnode.list.nodes() {
                    full.come(node, most);
                }
            }
            Notice::Dead { node } if full.certain(*node, cx.now()) => {
                full.tell((node.contact(), false), full.rounds(), soon);
            }
            Notice::Silent { node } => {
                // Silent to us and dead to others is dead; silent to us alone is only of no use to us.
                let rumoured = full.rumours.iter().position(|rumour| rumour == node);
                if let Some(at) = rumoured {
                    full.rumours.swap_remove(at);
                    full.go(*node, cx.now());
                } else {
                    full.silenced(node);
                }
            }
            _ => {}
        }
    }

    /// Somebody passes news on.
    pub(super) fn on_news(
        &mut self,
        core: &mut Core,
        from: &Received,
        events: &Events<'_>,
        cx: &mut Context<'_>,
    ) {
        let soon = cx.now() + core.config.timers.table_spread;
        let most = core.config.one_hop.off as usize * 2;
        let Some(full) = &mut self.table.full else { return };
        let (mut asked, mut refuted) = (Vec::new(), Vec::new());
        for change in events.changes {
            let Some(node) = core.stranger(&change.contact) else { continue };
            let ttl = change.ttl.min(MOST_ROUNDS).saturating_sub(1);
            if change.alive {
                // Whoever speaks lives, whatever others say.
                if node == from.from {
                    full.dead.retain(|(dead, _)| *dead != node);
                }
                if full.is_dead(&node) {
                    refuted.push(Change { contact: change.contact, alive: false, ttl: 1 });
                } else if full.come(node, most) {
                    full.tell((change.contact, true), ttl, soon);
                }
            } else if is_alive_here(core, &node) {
                if full.rumours.len() < MOST_RUMOURS && !full.rumours.contains(&node) {
                    full.rumours.push(node);
                    asked.push(node);
                }
            } else if full.go(node, cx.now()) {
                full.tell((change.contact, false), ttl, soon);
            }
        }
        for node in asked {
            ping(core, from.at, node, cx);
        }
        for part in refuted.chunks(Change::MAX / 2) {
            core.tell(cx, (from.at, from.from), &Message::Events(Events { changes: List::new(part) }));
        }
        self.table.consolidate();
    }

    /// Passes on what has gathered: to head, predecessor and a few others.
    pub(super) fn spread(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let pause = core.config.timers.table_spread;
        let Some(full) = &mut self.table.full else { return };
        // Detached or on the way in: the news waits.
        full.spread_at = Some(cx.now() + pause);
        let Some(at) = speaker(core) else { return };
        let many = full.news.len().min(Change::MAX);
        let batch: Vec<Change> = full.news.drain(..many).collect();
        full.spread_at = (!full.news.is_empty()).then(|| cx.now() + pause);
        if full.news.is_empty() {
            full.news = Vec::new();
        }
        let targets = targets(core, full, at, cx);
        // Long contacts are twice as long: a batch may need two messages.
        for part in batch.chunks(Change::MAX / 2) {
            for to in &targets {
                core.tell(cx, (at, *to), &Message::Events(Events { changes: List::new(part) }));
            }
        }
    }
}

/// Whether we know better than whoever says that a node is dead.
fn is_alive_here(core: &Core, node: &Node) -> bool {
    core.vnodes
        .iter()
        .any(|vnode| vnode.entry(node).or(vnode.fingers.find(node)).is_some_and(|entry| entry.is_usable()))
}

/// Head, predecessor, and three fingers, or other members if there are no fingers, at random.
fn targets(core: &Core, full: &Full, at: usize, cx: &mut Context<'_>) -> Vec<Node> {
    let vnode = &core.vnodes[at];
    let near = [vnode.list.head(), vnode.predecessor];
    let mut chosen: Vec<Node> =
        near.into_iter().flatten().filter(|entry| entry.is_usable()).map(|entry| entry.node).collect();
    let mut others: Vec<Node> =
        vnode.fingers.primaries().filter(|entry| entry.is_usable()).map(|entry| entry.node).collect();
    if others.len() < FANOUT {
        let key = throng_wire::chord::RingId::hash(&cx.rng().next_u64().to_be_bytes());
        others.extend(full.roster.from(key).take(FANOUT));
    }
    for _ in 0..FANOUT {
        if others.is_empty() {
            break;
        }
        let pick = cx.rng().below(others.len() as u32) as usize;
        chosen.push(others.swap_remove(pick));
    }
    chosen.retain(|node| !core.vnodes.iter().any(|vnode| vnode.node.id == node.id));
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}
