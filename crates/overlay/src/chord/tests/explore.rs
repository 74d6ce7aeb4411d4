//! Explores every order of events of a small world, each state once.
//!
//! A state is known by a fingerprint of 128 bits of what can still matter; the worlds say in which way that is exact.

use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;

/// Something whose futures are to be explored.
pub(super) trait World: Clone {
    /// One thing that may happen next.
    type Step: Clone + Debug;
    /// All that may happen next.
    fn steps(&self) -> Vec<Self::Step>;
    /// Lets it happen.
    fn apply(&mut self, step: &Self::Step);
    /// Equal for states with equal futures.
    fn fingerprint(&self) -> u128;
    /// What must hold in every state.
    fn check(&self) -> Result<(), String>;
    /// What must hold if from here on nothing more goes wrong; asked of one state in [`Bounds::progress_every`].
    fn check_progress(&self) -> Result<u32, String> {
        Ok(0)
    }
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Most distinct states.
    pub states: usize,
    /// One state in so many is asked for progress; never if zero.
    pub progress_every: usize,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Explored {
    /// Distinct states seen.
    pub states: usize,
    /// Whether these are all.
    pub complete: bool,
    /// The longest path followed.
    pub deepest: usize,
    /// Rounds the slowest of the states asked needed to become ideal.
    pub worst_rounds: u32,
    /// The first breach: why, and the steps that lead there.
    pub breach: Option<(String, Vec<String>)>,
}

/// A state whose steps are not all followed yet.
struct Open<W: World> {
    world: W,
    steps: std::vec::IntoIter<W::Step>,
    /// Its last step in the log, and how many led to it.
    last: usize,
    depth: usize,
}

struct Search<W: World> {
    bounds: Bounds,
    seen: HashSet<u128>,
    /// Every step taken to a new state, and which one was taken before it.
    log: Vec<(W::Step, usize)>,
    found: Explored,
}

const START: usize = usize::MAX;

/// Follows every step from `start`, the newest state first, to at most `bounds.states` distinct states.
pub(super) fn explore<W: World>(start: W, bounds: Bounds) -> Explored {
    let (mut search, first) = Search::new(start, bounds);
    let mut path = Vec::from_iter(first);
    while let Some(open) = path.last_mut() {
        match open.steps.next() {
            None => drop(path.pop()),
            Some(step) => match search.follow(open, step) {
                Some(next) => path.push(next),
                None if search.is_over() => break,
                None => {}
            },
        }
    }
    search.found
}

/// Follows every step from `start`, the oldest state first: what it finds, it finds by the fewest steps.
pub(super) fn explore_breadth<W: World>(start: W, bounds: Bounds) -> Explored {
    let (mut search, first) = Search::new(start, bounds);
    let mut queue = VecDeque::from_iter(first);
    while let Some(mut open) = queue.pop_front() {
        while let Some(step) = open.steps.next() {
            queue.extend(search.follow(&open, step));
            if search.is_over() {
                return search.found;
            }
        }
    }
    search.found
}

impl<W: World> Search<W> {
    fn new(start: W, bounds: Bounds) -> (Self, Option<Open<W>>) {
        let found = Explored { states: 1, complete: true, deepest: 0, worst_rounds: 0, breach: None };
        let seen = HashSet::from([start.fingerprint()]);
        let mut search = Search { bounds, seen, log: Vec::new(), found };
        let first = search.judge(start, START, 0);
        (search, first)
    }

    fn is_over(&self) -> bool {
        !self.found.complete
    }

    /// Takes a step; the state it leads to, if that is new and good and there may be more.
    fn follow(&mut self, open: &Open<W>, step: W::Step) -> Option<Open<W>> {
        let mut world = open.world.clone();
        world.apply(&step);
        if !self.seen.insert(world.fingerprint()) {
            return None;
        }
        self.log.push((step, open.last));
        self.judge(world, self.log.len() - 1, open.depth + 1)
    }

    fn judge(&mut self, world: W, last: usize, depth: usize) -> Option<Open<W>> {
        let Bounds { states, progress_every } = self.bounds;
        let found = &mut self.found;
        found.states = self.seen.len();
        found.deepest = found.deepest.max(depth);
        let mut verdict = world.check();
        if verdict.is_ok() && progress_every > 0 && found.states.is_multiple_of(progress_every) {
            verdict =
                world.check_progress().map(|rounds| found.worst_rounds = found.worst_rounds.max(rounds));
        }
        if let Err(why) = verdict {
            found.complete = false;
            self.found.breach = Some((why, self.story(last)));
            return None;
        }
        if found.states >= states {
            found.complete = false;
            return None;
        }
        let steps = world.steps().into_iter();
        Some(Open { world, steps, last, depth })
    }

    fn story(&self, mut last: usize) -> Vec<String> {
        let mut steps = Vec::new();
        while last != START {
            let (step, before) = &self.log[last];
            steps.push(format!("{step:?}"));
            last = *before;
        }
        steps.reverse();
        steps
    }
}

impl Explored {
    /// Fails the test with the path if something was breached.
    pub(super) fn assert_clean(&self, name: &str) {
        let story =
            self.breach.as_ref().map(|(why, steps)| format!("{why}, after\n  {}", steps.join("\n  ")));
        assert!(story.is_none(), "{name}: {}", story.unwrap_or_default());
    }
}
