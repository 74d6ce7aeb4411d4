//! Sums over lookups.

use super::host::Book;
pub use crate::simulate::measure::{mean, quantile};
use std::collections::BTreeMap;
use std::time::Duration;
use throng_overlay::chord::{Measured, StableRing};
use throng_wire::chord::RingId;

/// What came of a number of lookups.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    /// How many were asked.
    pub asked: usize,
    /// Nodes contacted, the owner included, ascending.
    pub hops: Vec<u8>,
    /// Silent nodes met, ascending.
    pub timeouts: Vec<u8>,
    /// Milliseconds from question to answer, ascending.
    pub millis: Vec<f64>,
    /// Answered with nothing, or not at all.
    pub unanswered: usize,
    /// Answered by another than the owner.
    pub wrong: usize,
    /// Not answered before the host that asked was gone.
    pub gone: usize,
}

impl Lookups {
    /// Of questions in the book, judged by `owner`: the id of the owner, if it can be told.
    pub fn of(book: &Book, asked: &[(u32, RingId)], owner: impl Fn(RingId) -> Option<RingId>) -> Lookups {
        let keys: BTreeMap<u32, RingId> = asked.iter().copied().collect();
        let answers =
            book.lookups.iter().filter_map(|(number, _, measured, _)| Some((*keys.get(number)?, *measured)));
        let mut sums = Lookups { asked: asked.len(), ..Lookups::default() };
        for (key, measured) in answers {
            if let Some(measured) = measured {
                sums.add(&measured);
                sums.wrong += usize::from(owner(key).is_some_and(|owner| owner != measured.owner.id));
            }
        }
        sums.sort();
        sums.unanswered = sums.asked - sums.hops.len();
        sums
    }

    /// Judged by a ring that stands still.
    pub fn over(book: &Book, asked: &[(u32, RingId)], ring: &StableRing) -> Lookups {
        Lookups::of(book, asked, |key| ring.owner(key).map(|node| node.id))
    }

    /// One answer more.
    pub fn add(&mut self, measured: &Measured) {
        self.hops.push(measured.hops);
        self.timeouts.push(measured.timeouts);
        self.millis.push(millis(measured.took));
    }

    /// To be called before quantiles are taken.
    pub fn sort(&mut self) {
        self.hops.sort_unstable();
        self.timeouts.sort_unstable();
        self.millis.sort_by(f64::total_cmp);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Mean, 1st and 99th percentile as the paper prints them.
pub fn printed<T: Copy + Into<f64>>(values: &[T]) -> String {
    format!("{:.2} ({:.0},{:.0})", mean(values), quantile(values, 0.01), quantile(values, 0.99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_printed_as_the_paper_prints_them() {
        assert_eq!(printed(&[2u8, 4]), "3.00 (2,4)");
    }
}
