//! The same population, library, questions and deaths for every system.

use crate::simulate::catalogue::Catalogue;
use std::collections::BTreeSet;
use throng_machine::{Entropy, SplitMix64};

/// Titles for each user, so that many are rare.
const TITLES_A_USER: u32 = 3;

/// What is compared with: users, what each shares, what they look for and in what order they die.
#[derive(Clone, Debug)]
pub struct Workload {
    /// All randomness comes from it.
    pub seed: u64,
    /// Searches of each phase.
    pub queries: u32,
    /// Titles each user shares, by their numbers; none twice.
    pub shares: Vec<Vec<usize>>,
    /// All titles, popular by Zipf's law.
    pub catalogue: Catalogue,
    /// Users in the order in which they die.
    deaths: Vec<u32>,
}

/// A search: who asks, and for which title.
pub type Question = (u32, usize);

impl Workload {
    /// For that many users, at least two, who share that many files each.
    pub fn new(nodes: u32, files: u32, queries: u32, seed: u64) -> Workload {
        let mut rng = SplitMix64::new(SplitMix64::mix(seed, 0x776f_726b));
        let catalogue = Catalogue::new(nodes.saturating_mul(TITLES_A_USER).max(2 * files), &mut rng);
        let shares = (0..nodes).map(|_| draw(&catalogue, files, &mut rng)).collect();
        let mut deaths: Vec<u32> = (0..nodes).collect();
        for at in (1..deaths.len()).rev() {
            deaths.swap(at, rng.below(at as u32 + 1) as usize);
        }
        Workload { seed, queries, shares, catalogue, deaths }
    }

    /// Users.
    pub fn nodes(&self) -> u32 {
        self.shares.len() as u32
    }

    /// Files shared, copies counted.
    pub fn files(&self) -> u32 {
        self.shares.iter().map(|titles| titles.len() as u32).sum()
    }

    /// Those who are dead when that share of the users is.
    pub fn dead(&self, share: f64) -> &[u32] {
        let count = (f64::from(self.nodes()) * share).round() as usize;
        &self.deaths[..count.min(self.deaths.len())]
    }

    /// What living users look for: files of other living users, as often as they are shared, which they do not have.
    /// Another phase asks other questions.
    pub fn questions(&self, phase: u32, dead: &BTreeSet<u32>) -> Vec<Question> {
        let mut rng = SplitMix64::new(SplitMix64::mix(self.seed, 0x6173_6b00 + u64::from(phase)));
        let living: Vec<u32> = (0..self.nodes()).filter(|user| !dead.contains(user)).collect();
        let any = |rng: &mut SplitMix64| living.get(rng.below(living.len().max(1) as u32) as usize).copied();
        // Of very few users some have all there is: such draws are left out.
        let question = |rng: &mut SplitMix64| {
            let (asker, owner) = (any(rng)?, any(rng)?);
            let titles = &self.shares[owner as usize];
            let title = *titles.get(rng.below(titles.len().max(1) as u32) as usize)?;
            (!self.shares[asker as usize].contains(&title)).then_some((asker, title))
        };
        let tries = 100 * self.queries as usize;
        (0..tries).filter_map(|_| question(&mut rng)).take(self.queries as usize).collect()
    }

    /// The words of a title.
    pub fn words(&self, title: usize) -> Vec<String> {
        self.catalogue.title(title).split(' ').map(str::to_owned).collect()
    }
}

fn draw(catalogue: &Catalogue, files: u32, rng: &mut SplitMix64) -> Vec<usize> {
    let mut titles = Vec::new();
    while titles.len() < files as usize {
        let title = catalogue.draw(rng);
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    titles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_ask_for_what_others_who_live_have() {
        let workload = Workload::new(100, 3, 50, 1);
        let dead: BTreeSet<u32> = workload.dead(0.5).iter().copied().collect();
        assert_eq!((dead.len(), workload.files()), (50, 300));
        let questions = workload.questions(1, &dead);
        assert_eq!(questions.len(), 50);
        for (asker, title) in &questions {
            let mut owners = (0..100).filter(|user| workload.shares[*user as usize].contains(title));
            assert!(!dead.contains(asker) && owners.any(|owner| owner != *asker && !dead.contains(&owner)));
        }
        assert_ne!(questions, workload.questions(2, &dead));
        assert_eq!(questions, Workload::new(100, 3, 50, 1).questions(1, &dead));
    }

    #[test]
    fn those_who_died_stay_dead_when_more_die() {
        let workload = Workload::new(1_000, 1, 1, 7);
        let (few, many) = (workload.dead(0.1), workload.dead(0.3));
        assert_eq!((few.len(), many.len(), &many[..100]), (100, 300, few));
        assert_eq!(workload.dead(1.0).iter().collect::<BTreeSet<_>>().len(), 1_000);
    }
}
