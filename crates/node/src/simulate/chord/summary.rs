//! Sums over lookups.

use super::host::Book;
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

/// The mean; 0 of nothing.
pub fn mean<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    values.iter().map(|value| (*value).into()).sum::<f64>() / values.len().max(1) as f64
}

/// The value within which that share of ascending values lies; 0 of nothing.
pub fn quantile<T: Copy + Into<f64>>(values: &[T], share: f64) -> f64 {
    let index = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(index.min(values.len().saturating_sub(1))).map_or(0.0, |value| (*value).into())
}

/// Mean, 1st and 99th percentile as the paper prints them.
pub fn printed<T: Copy + Into<f64>>(values: &[T]) -> String {
    format!("{:.2} ({:.0},{:.0})", mean(values), quantile(values, 0.01), quantile(values, 0.99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<u8> = (1..=100).collect();
        assert_eq!((mean(&values), quantile(&values, 0.01), quantile(&values, 0.99)), (50.5, 1.0, 99.0));
        assert_eq!((mean::<u8>(&[]), quantile::<u8>(&[], 0.5)), (0.0, 0.0));
        assert_eq!(printed(&[2u8, 4]), "3.00 (2,4)");
    }
}
