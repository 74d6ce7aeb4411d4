//! Choosing a new piece: at random, or the rarest (BEP 3).
//!
//! A bounded scan instead of an ordered index: two bytes a piece are all the memory it takes, and at most
//! [`MAX_LOOK`] candidates are compared, from a random start, so the choice costs microseconds at any size and peers
//! with equal knowledge choose differently.

use crate::pieces::PieceSet;
use throng_machine::Entropy;

/// Candidates compared before the rarest of them is taken.
const MAX_LOOK: u32 = 4_096;

/// The pieces that may be begun now.
pub(crate) struct Candidates<'a> {
    /// What the peer has.
    pub(crate) has: &'a PieceSet,
    /// What we have.
    pub(crate) have: &'a PieceSet,
    /// What we want; `None` is all.
    pub(crate) wanted: Option<&'a PieceSet>,
    /// Whether a piece is begun already.
    pub(crate) begun: &'a dyn Fn(u32) -> bool,
}

impl Candidates<'_> {
    /// Pieces `64 * word ..` that may be begun, begun ones not yet taken out.
    fn word(&self, word: usize) -> u64 {
        self.has.word(word) & !self.have.word(word) & self.wanted.map_or(u64::MAX, |wanted| wanted.word(word))
    }

    /// Candidates from a random start, once around.
    fn scan(&self, rng: &mut dyn Entropy) -> impl Iterator<Item = u32> {
        let words = self.has.words();
        let start = rng.below(words as u32) as usize;
        let split = rng.below(64);
        // The first word is visited twice, each time for one side of a random bit, so that no piece is favoured.
        (0..=words).flat_map(move |step| {
            let index = (start + step) % words.max(1);
            let side = match step {
                0 => u64::MAX << split,
                _ if step == words => !(u64::MAX << split),
                _ => u64::MAX,
            };
            let mut rest = if words == 0 { 0 } else { self.word(index) & side };
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }
}

/// Any candidate.
pub(crate) fn random(candidates: &Candidates<'_>, rng: &mut dyn Entropy) -> Option<u32> {
    candidates.scan(rng).find(|piece| !(candidates.begun)(*piece))
}

/// The candidate that the fewest peers have; among equals the first from a random start.
pub(crate) fn rarest(
    candidates: &Candidates<'_>,
    availability: &[u16],
    rng: &mut dyn Entropy,
) -> Option<u32> {
    let mut best: Option<(u16, u32)> = None;
    let mut looked = 0;
    for piece in candidates.scan(rng) {
        let peers = availability.get(piece as usize).copied().unwrap_or(0);
        if best.is_none_or(|(least, _)| peers < least) && !(candidates.begun)(piece) {
            best = Some((peers, piece));
            if peers <= 1 {
                break;
            }
        }
        looked += 1;
        if looked >= MAX_LOOK && best.is_some() {
            break;
        }
    }
    best.map(|(_, piece)| piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use throng_machine::SplitMix64;

    proptest! {
        #[test]
        fn the_choice_is_always_the_rarest_that_may_be_begun(
            availability in proptest::collection::vec(1u16..5, 1..300),
            has in any::<u64>(), have in any::<u64>(), begun in 0u32..5, seed in any::<u64>(),
        ) {
            let len = availability.len() as u32;
            let set = |seed: u64| {
                let mut rng = SplitMix64::new(seed);
                let mut set = PieceSet::new(len);
                for piece in 0..len { if rng.next_u64() & 1 == 1 { set.insert(piece); } }
                set
            };
            let (has, have) = (set(has), set(have));
            let is_begun = |piece: u32| piece % 5 == begun;
            let candidates = Candidates { has: &has, have: &have, wanted: None, begun: &is_begun };
            let open: Vec<u32> = (0..len).filter(|p| has.has(*p) && !have.has(*p) && !is_begun(*p)).collect();
            let least = open.iter().map(|piece| availability[*piece as usize]).min();
            let chosen = rarest(&candidates, &availability, &mut SplitMix64::new(seed));
            prop_assert_eq!(chosen.map(|piece| availability[piece as usize]), least);
            prop_assert!(chosen.is_none_or(|piece| open.contains(&piece)));
            let any = random(&candidates, &mut SplitMix64::new(seed));
            prop_assert_eq!(any.is_some(), !open.is_empty());
        }
    }

    #[test]
    fn peers_with_equal_knowledge_choose_differently() {
        let (has, have) = (PieceSet::full(64), PieceSet::new(64));
        let candidates = Candidates { has: &has, have: &have, wanted: None, begun: &|_| false };
        let chosen: std::collections::BTreeSet<u32> =
            (0..200).filter_map(|seed| rarest(&candidates, &[1; 64], &mut SplitMix64::new(seed))).collect();
        assert!(chosen.len() > 48, "{}", chosen.len());
    }
}
