//! What the node may use of its machine: rates by the time of day, room on the disk, memory.

use super::request::{Refused, Why};
use crate::cli::ResourceArgs;
use crate::units;
use std::path::PathBuf;
use std::time::Duration;
use throng_node::simulate::memory;
use tokio::time::Instant;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Room that is left on a disk unless said: databases and logs of others need some too.
const KEEP_FREE: u64 = 256 << 20;
/// Shortage ends only with so much more room than it began with, so that it does not come and go.
const MORE: u64 = 16 << 20;

/// Limits of all swarms in bytes a second: sending, receiving; `None` is no limit.
pub(super) type Rates = (Option<u64>, Option<u64>);

/// What is allowed, and how things stand.
pub(super) struct Resources {
    args: ResourceArgs,
    /// Where what is fetched goes.
    folder: PathBuf,
    /// Limits at all other times of the day.
    rates: Rates,
    applied: Rates,
    /// Why nothing is fetched now, for people.
    shortage: Option<String>,
    look_at: Instant,
}

/// What has changed.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Change {
    /// These limits are in force from now on.
    pub(super) rates: Option<Rates>,
    /// Downloads are held, and why, or go on.
    pub(super) held: Option<Option<String>>,
}

impl Resources {
    pub(super) fn new(args: ResourceArgs, folder: PathBuf, rates: Rates) -> Resources {
        Resources { args, folder, rates, applied: rates, shortage: None, look_at: Instant::now() }
    }

    /// Somebody sets the limits by hand: those of the rest of the day, in force at once.
    pub(super) fn set(&mut self, rates: Rates) {
        (self.rates, self.applied) = (rates, rates);
    }

    /// Looks, if it is time to.
    pub(super) fn look(&mut self) -> Change {
        if Instant::now() < self.look_at {
            return Change::default();
        }
        self.look_at = Instant::now() + LOOK;
        let state = Measured { minute: minute(), free: free(&self.folder), memory: memory::resident() };
        self.judge(&state)
    }

    fn judge(&mut self, state: &Measured) -> Change {
        let mut change = Change::default();
        if !self.args.schedule.is_empty() {
            let fits = self.args.schedule.iter().find(|schedule| schedule.is_for(state.minute));
            let rates = fits.map_or(self.rates, |schedule| schedule.limits);
            if rates != self.applied {
                self.applied = rates;
                change.rates = Some(rates);
            }
        }
        let shortage = self.shortage_of(state);
        if shortage.is_some() != self.shortage.is_some() {
            self.shortage = shortage;
            change.held = Some(self.shortage.clone());
        }
        change
    }

    fn shortage_of(&self, state: &Measured) -> Option<String> {
        let least = self.args.keep_free.unwrap_or(KEEP_FREE);
        let short = self.shortage.is_some();
        let wanted = if short { least.saturating_add(MORE) } else { least };
        if let Some(free) = state.free.filter(|free| *free < wanted && least > 0) {
            let (free, least) = (units::size(free), units::size(least));
            return Some(format!(
                "the disk of the downloads has {free} left, less than the {least} to be kept free"
            ));
        }
        let most = self.args.memory_limit?;
        let wanted = if short { most.saturating_sub(MORE.min(most / 8)) } else { most };
        let memory = state.memory.filter(|memory| *memory > wanted)?;
        let (memory, most) = (units::size(memory), units::size(most));
        Some(format!("this program has {memory} of memory, more than its limit of {most}"))
    }

    /// Whether something new may be begun.
    pub(super) fn allow(&self) -> Result<(), Refused> {
        self.shortage.as_ref().map_or(Ok(()), |reason| Err(Refused::new(Why::Busy, reason)))
    }
}

/// How things stand.
struct Measured {
    /// Of the day, by this machine's clock.
    minute: u16,
    /// Bytes for us on the disk, if that can be known.
    free: Option<u64>,
    memory: Option<u64>,
}

fn minute() -> u16 {
    use chrono::Timelike as _;
    let now = chrono::Local::now();
    u16::try_from(now.hour() * 60 + now.minute()).unwrap_or(0)
}

/// Bytes that the nearest folder of a path that exists has room for.
fn free(folder: &std::path::Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(args: ResourceArgs) -> Resources {
        Resources::new(args, PathBuf::from("/"), (Some(1), None))
    }

    fn state(minute: u16, free: u64, memory: u64) -> Measured {
        Measured { minute, free: Some(free), memory: Some(memory) }
    }

    #[test]
    fn limits_follow_the_time_of_day_and_come_back() {
        let schedule = vec!["10:00-12:00=5/6".parse().unwrap()];
        let mut resources = resources(ResourceArgs { schedule, ..ResourceArgs::default() });
        let mut rates = |minute| resources.judge(&state(minute, u64::MAX, 0)).rates;
        assert_eq!(rates(599), None);
        assert_eq!(rates(600), Some((Some(5), Some(6))));
        assert_eq!((rates(601), rates(720)), (None, Some((Some(1), None))));
    }

    #[test]
    fn downloads_are_held_while_the_disk_is_nearly_full_and_go_on_with_some_room_to_spare() {
        let mut resources = resources(ResourceArgs { keep_free: Some(1 << 30), ..ResourceArgs::default() });
        assert_eq!(resources.judge(&state(0, 1 << 30, 0)), Change::default());
        let held = resources.judge(&state(0, (1 << 30) - 1, 0)).held;
        assert!(held.flatten().is_some_and(|reason| reason.contains("1 GiB")), "says how much");
        assert!(resources.allow().is_err());
        assert_eq!(resources.judge(&state(0, 1 << 30, 0)), Change::default());
        assert_eq!(resources.judge(&state(0, (1 << 30) + MORE, 0)).held, Some(None));
        assert!(resources.allow().is_ok());
    }

    #[test]
    fn memory_counts_only_where_it_is_limited() {
        let mut free = resources(ResourceArgs::default());
        assert_eq!(free.judge(&state(0, u64::MAX, u64::MAX)), Change::default());
        let mut tight = resources(ResourceArgs { memory_limit: Some(1 << 30), ..ResourceArgs::default() });
        assert!(tight.judge(&state(0, u64::MAX, 2 << 30)).held.flatten().is_some());
        assert_eq!(tight.judge(&state(0, u64::MAX, 1 << 29)).held, Some(None));
    }

    #[test]
    fn the_room_of_a_folder_that_is_not_there_yet_is_that_of_its_parent() {
        let there = std::env::temp_dir();
        assert!(free(&there.join("surely not there/at all")).is_some_and(|free| free > 0));
    }
}
