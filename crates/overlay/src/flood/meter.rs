//! What a link may cost: messages a second, and how many it may send twice.

use std::time::Duration;
use throng_machine::Instant;

/// How often something may happen: a burst, then one each so often. Eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Budget {
    /// When what was spent will have been earned back; `None` is a full purse.
    owed_until: Option<Instant>,
}

impl Budget {
    /// Spends one, if there is one: at most `burst` at once, one more each `every`.
    pub fn spend(&mut self, burst: u32, every: Duration, now: Instant) -> bool {
        let owed = self.owed_until.map_or(Duration::ZERO, |until| until - now);
        if owed > every * burst.saturating_sub(1) {
            return false;
        }
        self.owed_until = Some(now + owed + every);
        true
    }
}

/// Counts what a link sent twice. A few happen to everybody; a share of all is a fault.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DuplicateMeter {
    received: u32,
    repeated: u32,
}

impl DuplicateMeter {
    /// Below this many nobody is blamed.
    const SPARED: u32 = 5;
    /// One in so many messages may be a repetition: 1.5 %.
    const ONE_IN: u32 = 66;

    /// A message came.
    pub fn receive(&mut self) {
        self.received = self.received.saturating_add(1);
    }

    /// It was one that the same link had sent before; says whether the link sends too many.
    pub fn repeat(&mut self) -> bool {
        self.repeated = self.repeated.saturating_add(1);
        self.repeated >= Self::SPARED && self.repeated > self.received / Self::ONE_IN
    }
}
