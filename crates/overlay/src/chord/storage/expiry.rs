//! When a record ends, on the clock of who holds it (4.2).

use super::records::{Candidate, FUTURE, Refused};
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::Kind;

/// The two clocks of a holder: monotonic, by which records end, and the calendar's, by which publishers number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Now.
    pub now: Instant,
    /// Now in seconds since 1970.
    pub unix: u64,
}

impl Clock {
    /// When a candidate ends: what is left of it, never more than signed; of a dated kind never later than its date
    /// and TTL say, with 15 minutes for differing clocks (4.2).
    pub(super) fn expiry(&self, candidate: &Candidate) -> Result<Instant, Refused> {
        let mut left = u64::from(candidate.remaining.min(candidate.ttl));
        let seq = candidate.version.seq;
        let date = match candidate.id.kind() {
            Kind::Immutable | Kind::Mutable => None,
            Kind::Provider | Kind::Posting => Some(seq),
            Kind::Entry => Some(seq / 1_000),
        };
        if date.is_some_and(|date| date > self.unix.saturating_add(FUTURE)) {
            return Err(Refused::Future);
        }
        if matches!(candidate.id.kind(), Kind::Provider | Kind::Posting) {
            let end = seq.saturating_add(u64::from(candidate.ttl)).saturating_add(FUTURE);
            left = left.min(end.saturating_sub(self.unix));
        }
        if left == 0 { Err(Refused::Expired) } else { Ok(self.now + Duration::from_secs(left)) }
    }
}
