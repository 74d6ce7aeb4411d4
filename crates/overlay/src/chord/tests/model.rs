//! Section 2.3 as a model: single letters for places, an oracle for death, answers that take their time.
//!
//! It is the second opinion on the protocol: the table of section 2.4 is explored over it, control rows included,
//! and the shipping machine is held against the same invariant elsewhere. Failed nodes do not come back here.

use super::explore::World;
use super::fingerprint128;
use crate::chord::invariant::{
    Answer, Breach, Member, Peer, Phase, RingSnapshot, between, ideal, inv, ring, shape,
};

mod table;

/// Most places.
const PLACES: usize = 6;

/// Which rule is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Flaw {
    None,
    /// The head's predecessor is taken for head without having been heard.
    Unheard,
    /// A live entry may be dropped, once.
    FalseDrop,
    /// The ring may begin with too few principals, which then nobody asks for.
    Grown,
    /// Insert also takes what lies beyond the last entry.
    InsertBeyond,
}

/// What a run may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Rules {
    places: u8,
    r: usize,
    leaves: bool,
    inserts: bool,
    flaw: Flaw,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Op {
    Idle,
    Join(u8),
    Head(u8),
    Candidate(u8),
}

/// The answer to a read once given: the list and predecessor of the one asked.
type Given = Option<(Vec<u8>, Option<u8>)>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Node {
    member: bool,
    list: Vec<u8>,
    prdc: Option<u8>,
    op: Op,
    given: Given,
    /// Bits of those it knows dead, and of those whose Notify it has not handled.
    dead: u8,
    notifiers: u8,
}

/// A goodbye under way: to whom, from whom, with its list and predecessor.
type Goodbye = (u8, u8, Vec<u8>, Option<u8>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Model {
    rules: Rules,
    nodes: [Node; PLACES],
    failed: u8,
    failures_left: u8,
    goodbyes: Vec<Goodbye>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Join(u8, u8),
    Stabilise(u8),
    Give(u8),
    Apply(u8),
    TargetDead(u8),
    Rectify(u8, u8),
    Drop(u8, u8),
    Insert(u8, u8),
    Goodbye(usize),
    Leave(u8),
    Fail(u8),
}

fn bit(place: u8) -> u8 {
    1 << place
}

impl Model {
    /// An ideal ring of `members`; the other places may join.
    fn new(rules: Rules, members: &[u8], failures_left: u8) -> Model {
        let nodes = std::array::from_fn(|place| {
            let place = place as u8;
            let at = members.iter().position(|member| *member == place);
            let count = members.len();
            let nth = |step: usize| at.map(|at| members[(at + step) % count]);
            Node {
                member: at.is_some(),
                list: (1..=rules.r.min(count - 1)).filter_map(nth).collect(),
                prdc: nth(count - 1),
                op: Op::Idle,
                given: None,
                dead: 0,
                notifiers: 0,
            }
        });
        Model { rules, nodes, failed: 0, failures_left, goodbyes: Vec::new() }
    }

    fn is_live(&self, place: u8) -> bool {
        self.nodes[usize::from(place)].member && self.failed & bit(place) == 0
    }

    fn node(&mut self, place: u8) -> &mut Node {
        &mut self.nodes[usize::from(place)]
    }

    /// `top` of section 2.3: sorted clockwise from `t`, without t, without its dead, the first r.
    fn top(&self, t: u8, entries: impl IntoIterator<Item = u8>) -> Vec<u8> {
        let (places, dead) = (self.rules.places, self.nodes[usize::from(t)].dead);
        let mut list: Vec<u8> = entries.into_iter().filter(|e| *e != t && dead & bit(*e) == 0).collect();
        list.sort_by_key(|entry| (entry + places - t) % places);
        list.dedup();
        list.truncate(self.rules.r);
        list
    }

    fn merged(&self, t: u8, source: u8, given: &[u8]) -> Vec<u8> {
        let own = self.nodes[usize::from(t)].list.iter().copied();
        self.top(t, own.chain([source]).chain(given.iter().copied()))
    }

    /// Starts reading the head (B).
    fn read_head(&mut self, t: u8) {
        let node = self.node(t);
        (node.op, node.given) = match node.list.first() {
            Some(head) => (Op::Head(*head), None),
            None => (Op::Idle, None),
        };
    }

    /// The one `t` asked answers from what it knows now; a joiner it is not the place for is sent away.
    fn give(&mut self, t: u8) {
        let op = self.nodes[usize::from(t)].op;
        let Some(target) = op.target() else { return };
        if matches!(op, Op::Join(m) if !self.admits(m, t)) {
            self.node(t).op = Op::Idle;
            return;
        }
        let given = self.node(target);
        let given = (given.list.clone(), given.prdc);
        self.node(t).given = Some(given);
    }

    fn notify(&mut self, from: u8, to: u8) {
        self.node(to).notifiers |= bit(from);
        self.node(from).op = Op::Idle;
    }

    fn apply_given(&mut self, t: u8) {
        let node = self.nodes[usize::from(t)].clone();
        let Some((given, prdc)) = node.given.clone() else { return };
        self.node(t).given = None;
        self.node(t).op = Op::Idle;
        match node.op {
            _ if !node.accepts(t) => {}
            Op::Join(m) => {
                self.node(t).list = given;
                self.node(t).prdc = Some(m);
                self.node(t).member = true;
                self.read_head(t);
            }
            Op::Head(h) => {
                self.node(t).list = self.merged(t, h, &given);
                match prdc.filter(|c| between(&t, c, &h) && node.dead & bit(*c) == 0) {
                    Some(c) if self.rules.flaw == Flaw::Unheard => {
                        let list = self.top(t, self.nodes[usize::from(t)].list.iter().copied().chain([c]));
                        self.node(t).list = list;
                        self.notify(t, c);
                    }
                    Some(c) => self.node(t).op = Op::Candidate(c),
                    None => self.notify(t, h),
                }
            }
            Op::Candidate(c) => {
                self.node(t).list = self.merged(t, c, &given);
                self.notify(t, c);
            }
            Op::Idle => {}
        }
    }

    fn on_target_dead(&mut self, t: u8) {
        let node = self.nodes[usize::from(t)].clone();
        match node.op {
            Op::Head(h) => {
                self.drop_dead(t, h);
                self.read_head(t);
            }
            Op::Candidate(c) => {
                self.node(t).dead |= bit(c);
                self.node(t).op = Op::Idle;
                if let Some(head) = node.list.first().filter(|head| node.dead & bit(**head) == 0) {
                    self.notify(t, *head);
                }
            }
            Op::Join(_) | Op::Idle => self.node(t).op = Op::Idle,
        }
    }

    fn drop_dead(&mut self, t: u8, x: u8) {
        let node = self.node(t);
        node.dead |= bit(x);
        node.list.retain(|entry| *entry != x);
    }

    /// D: `n` notifies `s`.
    fn rectify(&mut self, s: u8, n: u8) {
        self.node(s).notifiers &= !bit(n);
        let prdc = self.nodes[usize::from(s)].prdc;
        let adopt = prdc.is_none_or(|p| between(&p, &n, &s) || !self.is_live(p));
        if adopt {
            self.node(s).prdc = Some(n);
        }
    }

    fn on_goodbye(&mut self, (to, from, list, prdc): Goodbye) {
        let node = self.nodes[usize::from(to)].clone();
        if node.list.first() == Some(&from) {
            self.drop_dead(to, from);
            let own = self.nodes[usize::from(to)].list.clone();
            self.node(to).list = self.top(to, own.into_iter().chain(list));
        } else {
            self.drop_dead(to, from);
        }
        if node.prdc == Some(from) && prdc.is_some_and(|prdc| prdc != to) {
            self.node(to).prdc = prdc;
        }
    }

    fn leave(&mut self, l: u8) {
        let node = self.nodes[usize::from(l)].clone();
        let to = [node.prdc, node.list.first().copied()].into_iter().flatten();
        for to in to.filter(|to| self.is_live(*to) && *to != l).collect::<Vec<_>>() {
            self.goodbyes.push((to, l, node.list.clone(), node.prdc));
        }
        self.goodbyes.sort();
        self.goodbyes.dedup();
        self.fail(l);
    }

    fn fail(&mut self, x: u8) {
        self.failed |= bit(x);
        self.failures_left -= 1;
        let node = self.node(x);
        (node.op, node.given, node.notifiers) = (Op::Idle, None, 0);
        (node.list, node.prdc, node.dead) = (Vec::new(), None, 0);
        self.goodbyes.retain(|(to, ..)| *to != x);
    }

    /// Whether this may be lost without leaving the assumption of section 2.1, were the protocol sound.
    fn may_fail(&self, x: u8) -> bool {
        let mut without = self.clone();
        without.rules.flaw = Flaw::None;
        without.fail(x);
        self.inv(&without.snapshot()).is_ok()
    }

    fn inv(&self, snapshot: &RingSnapshot<u8>) -> Result<(), Breach<u8>> {
        match inv(snapshot) {
            Err(Breach::FewPrincipals { .. }) if self.rules.flaw == Flaw::Grown => Ok(()),
            verdict => verdict,
        }
    }

    fn snapshot(&self) -> RingSnapshot<u8> {
        let peer = |id: u8| Peer { id, incarnation: 0 };
        let peers = |list: &[u8]| list.iter().copied().map(peer).collect::<Vec<_>>();
        let live = (0..self.rules.places).filter(|place| self.is_live(*place));
        let members = live.map(|place| {
            let node = &self.nodes[usize::from(place)];
            Member {
                me: peer(place),
                phase: Phase::Ring,
                r: self.rules.r,
                list: peers(&node.list),
                prdc: node.prdc.map(peer),
                active: false,
                low: None,
            }
        });
        let answers = (0..self.rules.places).filter_map(|t| {
            let node = &self.nodes[usize::from(t)];
            let (list, _) = node.given.as_ref().filter(|_| self.failed & bit(t) == 0)?;
            let from = node.op.target().filter(|_| node.accepts(t))?;
            let mut after = self.clone();
            after.apply_given(t);
            let result = peers(&after.nodes[usize::from(t)].list);
            Some(Answer { from: peer(from), list: peers(list), to: peer(t), result })
        });
        RingSnapshot::new(members, answers.collect())
    }

    fn steps_of(&self, t: u8, steps: &mut Vec<Step>) {
        let node = &self.nodes[usize::from(t)];
        if self.failed & bit(t) != 0 {
            return;
        }
        let (live, target) = (self.is_live(t), node.op.target());
        let live_members = || (0..self.rules.places).filter(|x| *x != t && self.is_live(*x));
        match target {
            Some(_) if node.given.is_some() => steps.push(Step::Apply(t)),
            Some(target) if self.is_live(target) => steps.push(Step::Give(t)),
            Some(_) => steps.push(Step::TargetDead(t)),
            None if live && !node.list.is_empty() => steps.push(Step::Stabilise(t)),
            None if live => {}
            None => steps.extend(live_members().filter(|m| self.admits(*m, t)).map(|m| Step::Join(t, m))),
        }
        if !live {
            return;
        }
        let places = 0..self.rules.places;
        steps.extend(places.filter(|n| node.notifiers & bit(*n) != 0).map(|n| Step::Rectify(t, n)));
        let false_drop = self.rules.flaw == Flaw::FalseDrop && self.failures_left > 0;
        steps
            .extend(node.list.iter().filter(|x| false_drop || !self.is_live(**x)).map(|x| Step::Drop(t, *x)));
        if self.rules.inserts {
            let fits = |x: &u8| !node.list.contains(x) && self.fits(node, t, *x);
            steps.extend(live_members().filter(fits).map(|x| Step::Insert(t, x)));
        }
        if self.failures_left > 0 && self.rules.flaw != Flaw::FalseDrop && self.may_fail(t) {
            steps.push(Step::Fail(t));
            if self.rules.leaves {
                steps.push(Step::Leave(t));
            }
        }
    }

    fn fits(&self, node: &Node, t: u8, x: u8) -> bool {
        let inside = node.list.last().is_some_and(|last| between(&t, &x, last));
        node.dead & bit(x) == 0 && (inside || self.rules.flaw == Flaw::InsertBeyond)
    }

    fn admits(&self, m: u8, j: u8) -> bool {
        self.nodes[usize::from(m)].list.first().is_some_and(|head| between(&m, &j, head))
    }

    /// Lets every node in turn do all it can, without churn, until the ring is ideal.
    fn settle(&self, backwards: bool) -> Result<u32, String> {
        let mut model = self.clone();
        (model.failures_left, model.rules.inserts) = (0, false);
        for round in 0..24 {
            let snapshot = model.snapshot();
            if model.goodbyes.is_empty() && ideal(&snapshot).is_ok() {
                return Ok(round);
            }
            while !model.goodbyes.is_empty() {
                model.apply(&Step::Goodbye(0));
            }
            for turn in 0..model.rules.places {
                let t = if backwards { model.rules.places - 1 - turn } else { turn };
                model.exhaust(t);
            }
        }
        Err(format!("not ideal after 24 fair rounds: {model:?}"))
    }

    /// One round of one node: everything it can do, one stabilisation at most.
    fn exhaust(&mut self, t: u8) {
        let mut stabilised = false;
        loop {
            let mut steps = Vec::new();
            self.steps_of(t, &mut steps);
            let wanted = |step: &&Step| match step {
                Step::Join(..) => false,
                Step::Stabilise(_) => !stabilised,
                _ => true,
            };
            let Some(step) = steps.iter().find(wanted).copied() else { return };
            stabilised |= matches!(step, Step::Stabilise(_));
            self.apply(&step);
        }
    }
}

impl Node {
    /// Whether what it is waiting for would still be taken up by it, `t`.
    fn accepts(&self, t: u8) -> bool {
        let head = self.list.first().copied();
        match self.op {
            Op::Idle => false,
            Op::Join(_) => true,
            Op::Head(h) => head == Some(h),
            Op::Candidate(c) => head.is_some_and(|head| between(&t, &c, &head)),
        }
    }
}

impl Op {
    fn target(self) -> Option<u8> {
        match self {
            Op::Idle => None,
            Op::Join(target) | Op::Head(target) | Op::Candidate(target) => Some(target),
        }
    }
}

impl World for Model {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for t in 0..self.rules.places {
            self.steps_of(t, &mut steps);
        }
        steps.extend((0..self.goodbyes.len()).map(Step::Goodbye));
        steps
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Join(j, m) => self.node(j).op = Op::Join(m),
            Step::Stabilise(t) => self.read_head(t),
            Step::Give(t) => self.give(t),
            Step::Apply(t) => self.apply_given(t),
            Step::TargetDead(t) => self.on_target_dead(t),
            Step::Rectify(s, n) => self.rectify(s, n),
            Step::Drop(t, x) => {
                if self.is_live(x) {
                    self.failures_left -= 1;
                }
                self.drop_dead(t, x);
            }
            Step::Insert(t, x) => {
                let own = self.nodes[usize::from(t)].list.clone();
                self.node(t).list = self.top(t, own.into_iter().chain([x]));
            }
            Step::Goodbye(at) => {
                let goodbye = self.goodbyes.remove(at);
                self.on_goodbye(goodbye);
            }
            Step::Leave(l) => self.leave(l),
            Step::Fail(x) => self.fail(x),
        }
    }

    fn fingerprint(&self) -> u128 {
        fingerprint128(self)
    }

    fn check(&self) -> Result<(), String> {
        let snapshot = self.snapshot();
        let checked =
            self.inv(&snapshot).and_then(|()| shape(&snapshot)).and_then(|()| ring(&snapshot).map(|_| ()));
        checked.map_err(|breach| format!("{breach} in {snapshot:?}"))
    }

    fn check_progress(&self) -> Result<u32, String> {
        Ok(self.settle(false)?.max(self.settle(true)?))
    }
}
