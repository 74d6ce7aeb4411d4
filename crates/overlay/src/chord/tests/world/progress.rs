//! Whether a world becomes an ideal ring by itself once churn ends.

use super::super::explore::World;
use super::super::support::tell;
use super::{Budget, RingWorld, Step};
use crate::chord::invariant::{ideal, owners};
use crate::chord::{Node, PendingRead, View};
use throng_wire::chord::Mode;

impl RingWorld {
    /// Everyone does all there is to do, in turn, without churn: how many rounds until the ring is ideal.
    pub(super) fn fair_rounds(&self, backwards: bool) -> Result<u32, String> {
        let mut world = self.clone();
        world.budget = Budget::default();
        for round in 0..24 {
            world.exhaust();
            if world.is_quiet() {
                return Ok(round);
            }
            for turn in 0..world.hosts.len() {
                let number = if backwards { world.hosts.len() - 1 - turn } else { turn };
                let next = match world.view(number).map(|view| (view.mode, view.op)) {
                    Some((Mode::Ring, _)) => Step::Stabilise(number),
                    Some((Mode::Joining, PendingRead::Idle)) => Step::Retry(number),
                    _ => continue,
                };
                world.apply(&next);
                world.exhaust();
            }
        }
        Err(format!("not ideal after 24 fair rounds: {}", tell(&world.snapshot())))
    }

    /// Section 2.5: any two completed members of a small ring know each other's name.
    pub(super) fn check_acquaintance(&self) -> Result<(), String> {
        let views = (0..self.hosts.len()).filter_map(|number| self.view(number));
        let small: Vec<View> = views.filter(|view| view.mode == Mode::Small).collect();
        for one in &small {
            let names = self.names(&one.me);
            if let Some(other) = small.iter().find(|other| other.me != one.me && !names.contains(&other.me)) {
                let (one, other) = (self.name(&one.me), self.name(&other.me));
                return Err(format!("{one} does not know {other}: {small:#?}"));
            }
        }
        Ok(())
    }

    /// Members and joiners as the table of a small ring names them.
    pub(super) fn names(&self, of: &Node) -> Vec<Node> {
        let machine = self.net.nodes.get(&of.endpoint).map(|node| &node.machine);
        let rare = machine.and_then(|machine| machine.core().vnodes[0].rare.as_deref());
        rare.and_then(|rare| rare.small.as_ref()).map_or(Vec::new(), |small| small.names().collect())
    }

    fn is_quiet(&self) -> bool {
        let now = self.snapshot();
        now.members().len() == self.net.nodes.len()
            && ideal(&now).is_ok()
            && (!self.also.owners
                || (owners(&now).is_exact() && now.members().iter().all(|member| member.active)))
    }

    /// Delivers all that flies, and tells everyone of every death.
    pub(in crate::chord::tests) fn exhaust(&mut self) {
        for _ in 0..10_000 {
            let mut steps = Vec::new();
            (0..self.hosts.len()).for_each(|number| self.steps_of(number, &mut steps));
            let confirm = steps
                .into_iter()
                .find(|step| matches!(step, Step::Confirm(..) | Step::Copied(_) | Step::Gone(_)));
            let deliver = || (!self.net.flying.is_empty()).then(|| Step::Deliver(0, String::new()));
            match confirm.or_else(deliver) {
                Some(step) => self.apply(&step),
                None => return,
            }
        }
    }
}
