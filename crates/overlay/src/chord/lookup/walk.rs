//! Lookups hop by hop: whoever asks is told the next hops and sees the path (section 3.1). One path as a mode of its own;
//! several disjoint ones as the last try, and to check an answer that looks wrong: the closest live owner counts.

use super::super::core::{Core, Received};
use super::super::node::Node;
use super::super::rpc::{Plan, Purpose};
use super::answer::found_at;
use super::prefix::apart;
use super::route::{Quest, Step};
use super::{Call, Context, Lookups, Search, count};
use throng_wire::chord::{Contact, Look, LookFlags, Message, RingId, Verdict, btw, own};

/// Nodes a path may ask.
const MOST_STEPS: usize = 48;
/// Nodes remembered to go on from when one is silent.
const MOST_WAYS: usize = 24;

/// One path of a search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// Nodes asked, in order; the last may not have answered yet.
    asked: Vec<Node>,
    /// Where it may go on, best last.
    ways: Vec<Way>,
    /// It asks nobody any more.
    over: bool,
    /// Others took its place: whom it asked may be asked again.
    abandoned: bool,
    timeouts: u8,
}

/// A node that may be asked next, and what as.
#[derive(Clone, Copy, Debug)]
struct Way {
    to: Node,
    direct: bool,
    back: u8,
}

impl Walk {
    fn from(way: Way) -> Walk {
        Walk { ways: vec![way], ..Walk::default() }
    }

    /// Others take its place.
    pub(crate) fn abandon(&mut self) {
        (self.over, self.abandoned) = (true, true);
        self.ways = Vec::new();
    }
}

impl Lookups {
    /// Begins to walk along that many paths.
    pub(crate) fn walk(&mut self, core: &mut Core, number: u32, paths: u8, cx: &mut Context<'_>) {
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        count(&mut self.counts.walked);
        search.tries = search.tries.saturating_add(1);
        let timers = &core.config.timers;
        search.until = (cx.now() + timers.lookup_walk).min(search.began + timers.lookup_total);
        let quest = Quest {
            key: search.key,
            direct: false,
            back: 0,
            from: None,
            tried: &[],
            desperate: false,
            warm: None,
        };
        if let Step::Mine(owner) = self.table.route(core, search.at, &quest) {
            let found = super::answer::ours(core, owner, search.key).map(Box::new);
            return self.finish(core, number, found, cx);
        }
        let starts = starts(core, search, usize::from(paths.max(1)));
        let first = search.walks.len();
        search.walks.extend(starts.into_iter().map(Walk::from));
        for path in first..search.walks.len() {
            self.step(core, (number, path as u8), cx);
        }
        self.end_walks(core, number, cx);
    }

    /// Asks an owner itself whose answer came through somebody else.
    pub(crate) fn confirm(&mut self, core: &mut Core, number: u32, owner: Node, cx: &mut Context<'_>) {
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        let path = search.walks.len();
        if path >= usize::from(u8::MAX) || search.walks.iter().any(|walk| walk.asked.contains(&owner)) {
            return;
        }
        search.walks.push(Walk::from(Way { to: owner, direct: true, back: 0 }));
        self.step(core, (number, path as u8), cx);
    }

    /// Asks the best node left on a path.
    fn step(&mut self, core: &mut Core, (number, path): (u32, u8), cx: &mut Context<'_>) {
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        let (others, at, key) = (visited(search, path), search.at, search.key);
        let Some(walk) = search.walks.get_mut(usize::from(path)) else { return };
        while let Some(way) = walk.ways.pop() {
            // Paths share nobody but the one at the end, who may be the owner.
            let shared = others.contains(&way.to) && !way.direct;
            if shared || walk.asked.contains(&way.to) || walk.asked.len() >= MOST_STEPS {
                continue;
            }
            walk.asked.push(way.to);
            let steps = walk.asked.len() as u8;
            let look = question(core, (at, key), &way, steps);
            let rto = core.rto(&way.to);
            let purpose = Purpose::Lookup(Call::Step { search: number, path });
            let plan = Plan { at, to: way.to, purpose, rto, sends: 2 };
            if let Some(look) = look
                && core.call_with(cx, plan, &Message::Look(look)).is_some()
            {
                return;
            }
        }
        walk.over = true;
    }

    /// A node on a path answers: with the owner's own word, or with whom to ask.
    pub(crate) fn on_step_answer(
        &mut self,
        core: &mut Core,
        (number, path): (u32, u8),
        (from, message): (&Received, &Message<'_>),
        cx: &mut Context<'_>,
    ) {
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        let key = search.key;
        let Some(walk) = search.walks.get_mut(usize::from(path)) else { return };
        match message {
            Message::Found(found)
                if Node::of(core.config.id_rule, &found.owner.contact) == Some(from.from) =>
            {
                walk.over = true;
                let mut found = found_at(key, found);
                found.hops = (walk.asked.len() as u8).saturating_sub(walk.timeouts);
                found.timeouts = walk.timeouts;
                return self.weigh(core, number, found, cx);
            }
            Message::LookAck(ack) if ack.verdict == Verdict::Next => {
                let next: Vec<Contact> = ack.next.to_vec();
                widen(core, (walk, key), &from.from, &next);
            }
            _ => {}
        }
        self.step(core, (number, path), cx);
        self.end_walks(core, number, cx);
    }

    /// A node on a path is silent.
    pub(crate) fn on_step_silence(&mut self, core: &mut Core, step: (u32, u8), cx: &mut Context<'_>) {
        count(&mut self.counts.timeouts);
        let search = self.searches.iter_mut().find(|search| search.number == step.0);
        if let Some(walk) = search.and_then(|search| search.walks.get_mut(usize::from(step.1))) {
            walk.timeouts = walk.timeouts.saturating_add(1);
        }
        self.step(core, step, cx);
        self.end_walks(core, step.0, cx);
    }

    /// Once no path goes on, the closest owner that answered counts.
    pub(crate) fn end_walks(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else { return };
        if search.walks.iter().any(|walk| !walk.over) {
            return;
        }
        match search.doubtful.take() {
            Some(doubtful) => self.finish(core, number, Some(doubtful), cx),
            // Nobody knew more: the next try, if one is left.
            None => search.until = search.until.min(cx.now()),
        }
    }
}

/// Whom the other paths of a search have asked.
fn visited(search: &Search, path: u8) -> Vec<Node> {
    let others = search.walks.iter().enumerate().filter(|(other, _)| *other != usize::from(path));
    let others = others.filter(|(_, walk)| !walk.abandoned);
    others.flat_map(|(_, walk)| walk.asked.iter().copied()).collect()
}

/// First hops of disjoint paths: the best known, then others in other slots of the finger table and other /16, and
/// none that took the lookup on before as long as there are others.
fn starts(core: &Core, search: &Search, paths: usize) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for tried in [&search.first_hops[..], &[]] {
        let mut tried = tried.to_vec();
        tried.extend(ways.iter().map(|way| way.to));
        while ways.len() < paths {
            let quest = Quest {
                key: search.key,
                direct: false,
                back: 0,
                from: None,
                tried: &tried,
                desperate: false,
                warm: None,
            };
            // A table of all would name the owner and its neighbours: one opinion, not several.
            let step = super::Table::default().route(core, search.at, &quest);
            let (to, direct) = match step {
                Step::Toward(node) => (node, false),
                Step::Direct(node) | Step::Granted(_, node) => (node, true),
                Step::Back(_) | Step::Mine(_) | Step::Wait => break,
            };
            tried.push(to);
            let spread = ways.iter().all(|way| apart(way.to.endpoint, to.endpoint));
            if spread || tried.len() > MOST_WAYS {
                ways.push(Way { to, direct, back: 0 });
            }
        }
    }
    ways
}

/// Takes in the next hops a node named, if they lead on: closer to the key, to its owner, or back from an owner that
/// was none.
fn widen(core: &Core, (walk, key): (&mut Walk, RingId), from: &Node, next: &[Contact]) {
    for contact in next.iter().rev() {
        let Some(to) = core.stranger(contact) else { continue };
        let way = if own(from.id, key, to.id) {
            Way { to, direct: true, back: 0 }
        } else if btw(from.id, to.id, key) {
            Way { to, direct: false, back: 0 }
        } else {
            let backs = walk.asked.len().min(usize::from(u8::MAX)) as u8;
            Way { to, direct: true, back: backs }
        };
        walk.ways.push(way);
    }
    if walk.ways.len() > MOST_WAYS {
        // The oldest ways are the longest.
        walk.ways.drain(..walk.ways.len() - MOST_WAYS);
    }
}

/// What a node on a path is asked.
fn question(core: &Core, (at, key): (usize, RingId), way: &Way, steps: u8) -> Option<Look> {
    let vnode = core.vnodes.get(at)?;
    let flags = LookFlags::ITERATIVE;
    Some(Look {
        lookup: 0,
        key,
        purpose: throng_wire::chord::Purpose::Key,
        flags: if way.direct { flags.with(LookFlags::DIRECT) } else { flags },
        ttl: 1,
        back: way.back,
        path: steps,
        timeouts: 0,
        initiator: vnode.node.contact(),
        token: 0,
        reply_via: None,
    })
}
