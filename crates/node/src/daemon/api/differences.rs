//! Transfers as differences: who watches 10,000 of them is told of those that changed.

use crate::daemon::report::TransferReport;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher as _;

/// Transfers told of in one event, so that a browser that gets all of them for the first time can draw between.
const AT_ONCE: usize = 1_000;

/// What one watcher was told last of those that may change.
#[derive(Default)]
pub(super) struct Known {
    /// Of each transfer, a digest of what was told.
    told: BTreeMap<String, u64>,
}

/// What has changed, for one event.
#[derive(Serialize)]
pub(super) struct Changes {
    /// All that was told before is void.
    reset: bool,
    changed: Vec<TransferReport>,
    /// Ids of those that are gone.
    removed: Vec<String>,
}

impl Known {
    /// A part of all of them, the first of which makes void what was told before.
    pub(super) fn part(&mut self, transfers: Vec<TransferReport>, reset: bool) -> Changes {
        if reset {
            self.told.clear();
        }
        self.told.extend(transfers.iter().map(|transfer| (transfer.id.clone(), digest(transfer))));
        Changes { reset, changed: transfers, removed: Vec::new() }
    }

    /// What has changed of those that may have, in as many parts as needed; none if nothing has. Of others than these
    /// nothing is known afterwards: they are told again when they may have changed.
    pub(super) fn changes(&mut self, transfers: Vec<TransferReport>, removed: Vec<String>) -> Vec<Changes> {
        let mut now = BTreeMap::new();
        let mut changed = Vec::new();
        for transfer in transfers {
            let (id, digest) = (transfer.id.clone(), digest(&transfer));
            if self.told.get(&id) != Some(&digest) {
                changed.push(transfer);
            }
            now.insert(id, digest);
        }
        self.told = now;
        parts(changed, removed)
    }
}

fn parts(mut changed: Vec<TransferReport>, removed: Vec<String>) -> Vec<Changes> {
    let mut parts = Vec::new();
    let mut removed = Some(removed).filter(|removed| !removed.is_empty());
    while removed.is_some() || !changed.is_empty() {
        let rest = changed.split_off(changed.len().min(AT_ONCE));
        parts.push(Changes { reset: false, changed, removed: removed.take().unwrap_or_default() });
        changed = rest;
    }
    parts
}

fn digest(transfer: &TransferReport) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&serde_json::to_vec(transfer).unwrap_or_default());
    hasher.finish()
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::daemon::report::{Proof, TransferState};

    fn transfer(id: usize, done: u64) -> TransferReport {
        TransferReport {
            id: id.to_string(),
            name: "a".into(),
            state: TransferState::Downloading,
            reason: None,
            proof: Proof::Pieces,
            done,
            size: 10,
            downloaded: done,
            uploaded: 0,
            wasted: 0,
            download_rate: 0,
            upload_rate: 0,
            eta_seconds: None,
            pieces: (0, 1),
            peers: 0,
            sources: Vec::new(),
            folder: "/".into(),
            magnet: None,
            started_at: 0,
            notices: Vec::new(),
        }
    }

    #[test]
    fn all_is_told_once_and_then_what_changed() {
        let mut known = Known::default();
        let first = known.part(vec![transfer(1, 0), transfer(2, 0)], true);
        assert_eq!((first.reset, first.changed.len()), (true, 2));
        assert!(known.changes(vec![transfer(1, 0), transfer(2, 0)], Vec::new()).is_empty());
        let next = known.changes(vec![transfer(2, 5), transfer(3, 0)], vec!["1".into()]);
        assert_eq!((next.len(), next[0].reset), (1, false));
        let ids: Vec<_> = next[0].changed.iter().map(|transfer| transfer.id.as_str()).collect();
        assert_eq!((ids, next[0].removed.as_slice()), (vec!["2", "3"], ["1".to_owned()].as_slice()));
        assert!(known.changes(vec![transfer(2, 5), transfer(3, 0)], Vec::new()).is_empty());
    }

    #[test]
    fn one_that_rested_is_told_again_when_it_may_have_changed() {
        let mut known = Known::default();
        known.part(vec![transfer(1, 0)], true);
        assert!(known.changes(Vec::new(), Vec::new()).is_empty());
        assert_eq!(known.changes(vec![transfer(1, 0)], Vec::new()).len(), 1);
    }

    #[test]
    fn a_node_without_transfers_says_so_once() {
        let mut known = Known::default();
        let first = known.part(Vec::new(), true);
        assert!(first.reset && first.changed.is_empty());
        assert!(known.changes(Vec::new(), Vec::new()).is_empty());
    }

    #[test]
    fn many_are_told_in_parts_and_few_changes_of_many_stay_few() {
        let mut known = Known::default();
        let all = |done: u64| (0..10_000).map(|id| transfer(id, if id < 20 { done } else { 0 })).collect();
        let first = known.changes(all(0), Vec::new());
        assert_eq!((first.len(), first.iter().filter(|part| part.reset).count()), (10, 0));
        assert!(first.iter().all(|part| part.changed.len() == AT_ONCE));
        let next = known.changes(all(1), Vec::new());
        assert_eq!((next.len(), next[0].changed.len()), (1, 20));
    }
}
