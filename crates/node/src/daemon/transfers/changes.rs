//! Which transfers may have changed since somebody looked: of those that are open any; of those that rest, and of those
//! that are gone, the ones that are written down here. So to watch 100,000 costs what those do that are open.

use super::Transfers;
use super::report::report;
use crate::daemon::report::TransferReport;
use std::collections::{BTreeSet, VecDeque};

/// Changes written down; who has not looked for longer begins anew.
const KEPT: usize = 10_000;

/// What has changed.
#[derive(Default, Debug)]
pub(crate) struct Changes {
    /// To be named when it is asked again.
    pub(crate) at: u64,
    /// What was known before is void: all are to be asked for.
    pub(crate) anew: bool,
    /// Those that may have changed.
    pub(crate) transfers: Vec<TransferReport>,
    /// Ids of those that are gone.
    pub(crate) removed: Vec<String>,
}

/// The changes of those that are not open, numbered.
#[derive(Default)]
pub(super) struct Log {
    last: u64,
    ids: VecDeque<String>,
}

impl Log {
    pub(super) fn note(&mut self, id: &str) {
        self.last += 1;
        self.ids.push_back(id.to_owned());
        if self.ids.len() > KEPT {
            self.ids.pop_front();
        }
    }

    /// Those that changed after that number; `None` if that is not known any more.
    fn since(&self, at: u64) -> Option<impl Iterator<Item = &String>> {
        let count = usize::try_from(self.last.checked_sub(at)?).ok()?;
        Some(self.ids.range(self.ids.len().checked_sub(count)?..))
    }
}

impl Transfers {
    /// What has changed since then; `None` before the first look.
    pub(crate) fn changes(&self, since: Option<u64>) -> Changes {
        let at = self.log.last;
        let Some(written) = since.and_then(|since| self.log.since(since)) else {
            return Changes { at, anew: true, ..Changes::default() };
        };
        let ids: BTreeSet<&String> = written.chain(self.awake.keys()).collect();
        let mut changes = Changes { at, ..Changes::default() };
        for id in ids {
            match self.all.get(id) {
                Some(transfer) => changes.transfers.push(report(transfer)),
                None => changes.removed.push(id.clone()),
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_down_since_is_told_and_who_looked_too_long_ago_begins_anew() {
        let mut log = Log::default();
        let since = |log: &Log, at| log.since(at).map(|ids| ids.cloned().collect::<Vec<_>>());
        assert_eq!(since(&log, 0), Some(vec![]));
        ["a", "b", "a"].iter().for_each(|id| log.note(id));
        assert_eq!(since(&log, 1), Some(vec!["b".into(), "a".into()]));
        assert_eq!((since(&log, 3), since(&log, 4)), (Some(vec![]), None), "of another run");
        (0..KEPT).for_each(|_| log.note("c"));
        assert_eq!(since(&log, 3).map(|ids| ids.len()), Some(KEPT));
        assert_eq!(since(&log, 2), None);
    }
}
