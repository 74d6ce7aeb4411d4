//! How long a source that failed is left alone, and when it is given up; the same for every kind of download.

use super::RangeError;
use std::time::Duration;

/// After a first failure a source is left alone for so long; each further one doubles it.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(300);
/// A source that fails so often without a byte between is given up.
const MAX_FAILURES: u32 = 10;
/// Pauses of a source that has only parts, and not these, double so often: up to 16 s.
const GROWING: u32 = 4;

/// What a download thinks of one source.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Patience {
    failures: u32,
    /// Why it sends nothing now, for people.
    pub(crate) trouble: Option<String>,
}

/// What is to be done with a source after it was asked for a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// It may be asked again at once.
    Ready,
    /// ... after a pause.
    Pause(Duration),
    /// ... never: `trouble` says why.
    GiveUp,
}

impl Patience {
    /// A run has ended, after `came` bytes of it.
    pub(crate) fn on_ended(&mut self, came: u64, outcome: Result<(), RangeError>) -> Next {
        if came > 0 {
            self.failures = 0;
        }
        let Err(error) = outcome else {
            self.trouble = None;
            return Next::Ready;
        };
        self.trouble = Some(words(&error));
        match error {
            RangeError::Busy { retry_after, .. } => Next::Pause(retry_after.clamp(FIRST_PAUSE, LAST_PAUSE)),
            RangeError::Gone(_) => Next::GiveUp,
            RangeError::Broken(_) | RangeError::NotThere => {
                self.failures += 1;
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)) / 2;
                if self.failures < MAX_FAILURES { Next::Pause(pause.min(LAST_PAUSE)) } else { Next::GiveUp }
            }
        }
    }

    /// It has parts of the file, and not these. It may get them, so it is asked less and less and never given up.
    pub(crate) fn on_grows(&mut self, came: u64) -> Next {
        let before = if came > 0 { 0 } else { self.failures.min(GROWING) };
        self.failures = before + 1;
        self.trouble = Some("it has not all of it yet".into());
        Next::Pause(FIRST_PAUSE.saturating_mul(1 << before))
    }
}

fn words(error: &RangeError) -> String {
    match error {
        RangeError::Busy { position: Some(place), .. } => format!("busy, we are number {place}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Result<(), RangeError> {
        Err(RangeError::Broken("reset".into()))
    }

    #[test]
    fn pauses_double_until_a_source_is_given_up_and_begin_anew_with_a_byte() {
        let mut patience = Patience::default();
        for seconds in [1, 2, 4] {
            assert_eq!(patience.on_ended(0, broken()), Next::Pause(Duration::from_secs(seconds)));
        }
        assert_eq!(patience.on_ended(1, broken()), Next::Pause(Duration::from_secs(1)));
        let last = (0..9).map(|_| patience.on_ended(0, broken())).last();
        assert_eq!(last, Some(Next::GiveUp));
        assert_eq!(patience.trouble.as_deref(), Some("the connection broke: reset"));
    }

    #[test]
    fn a_source_that_grows_is_asked_less_often_and_never_given_up() {
        let mut patience = Patience::default();
        for seconds in [1, 2, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16] {
            assert_eq!(patience.on_grows(0), Next::Pause(Duration::from_secs(seconds)));
        }
        assert_eq!(patience.on_grows(5), Next::Pause(FIRST_PAUSE));
        assert_eq!(patience.on_ended(0, broken()), Next::Pause(Duration::from_secs(2)));
    }

    #[test]
    fn a_busy_source_is_waited_for_as_it_says_within_bounds_and_never_given_up() {
        let busy =
            |seconds, position| Err(RangeError::Busy { retry_after: Duration::from_secs(seconds), position });
        let mut patience = Patience::default();
        for _ in 0..100 {
            assert_eq!(patience.on_ended(0, busy(7, None)), Next::Pause(Duration::from_secs(7)));
        }
        assert_eq!(patience.trouble.as_deref(), Some("busy"));
        assert_eq!(patience.on_ended(0, busy(0, Some(3))), Next::Pause(FIRST_PAUSE));
        assert_eq!(patience.trouble.as_deref(), Some("busy, we are number 3"));
        assert_eq!(patience.on_ended(0, busy(9_999, None)), Next::Pause(LAST_PAUSE));
        assert_eq!(patience.on_ended(0, Ok(())), Next::Ready);
        assert_eq!(patience.trouble, None);
        assert_eq!(patience.on_ended(5, Err(RangeError::Gone("no".into()))), Next::GiveUp);
    }
}
