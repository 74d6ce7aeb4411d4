//! What is known of a system when it has been studied.

use crate::simulate::measure::{Answers, Figures, Traffic};

/// What became of searches when hosts died.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phase {
    /// The share of the users that is dead.
    pub share: f64,
    /// Searches asked at that moment.
    pub at_once: Answers,
    /// Searches asked two minutes later.
    pub later: Answers,
}

/// All that was measured of one system.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// What all scenarios tell; the failure is that of half of the users.
    pub common: Figures,
    /// What each file's publication cost, all that spread from it included.
    pub publish: Traffic,
    /// What each user sends a second while nothing is asked or published, others' hosts added to them.
    pub idle: Traffic,
    /// Messages sent and received by the busiest host, a search.
    pub busiest_per_query: f64,
    /// When more and more die.
    pub deaths: Vec<Phase>,
    /// When only the busiest host dies: the directory, the tracker, a supernode …
    pub beheaded: Phase,
}
