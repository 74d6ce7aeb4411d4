//! Transfers as differences: who watches 10,000 of them is told of those that changed.

use crate::daemon::report::TransferReport;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher as _;

/// Transfers told of in one event, so that a browser that gets all of them for the first time can draw between.
const AT_ONCE: usize = 1_000;

/// What one watcher was told last.
#[derive(Default)]
pub(super) struct Known {
    /// Of each transfer, a digest of what was told.
    told: BTreeMap<String, u64>,
    begun: bool,
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
    /// What has changed since the last call, in as many parts as needed; none if nothing has. The first call tells all.
    pub(super) fn changes(&mut self, transfers: Vec<TransferReport>) -> Vec<Changes> {
        let mut now = BTreeMap::new();
        let mut changed = Vec::new();
        for transfer in transfers {
            let digest = digest(&transfer);
            if self.told.get(&transfer.id) != Some(&digest) {
                changed.push(transfer.clone());
            }
            now.insert(transfer.id, digest);
        }
        let removed = self.told.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
        self.told = now;
        parts(changed, removed, !std::mem::replace(&mut self.begun, true))
    }
}

fn parts(mut changed: Vec<TransferReport>, removed: Vec<String>, mut reset: bool) -> Vec<Changes> {
    let mut parts = Vec::new();
    let mut removed = Some(removed).filter(|removed| !removed.is_empty());
    while reset || removed.is_some() || !changed.is_empty() {
        let rest = changed.split_off(changed.len().min(AT_ONCE));
        parts.push(Changes { reset, changed, removed: removed.take().unwrap_or_default() });
        (changed, reset) = (rest, false);
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
        let first = known.changes(vec![transfer(1, 0), transfer(2, 0)]);
        assert_eq!((first.len(), first[0].reset, first[0].changed.len()), (1, true, 2));
        assert!(known.changes(vec![transfer(1, 0), transfer(2, 0)]).is_empty());
        let next = known.changes(vec![transfer(2, 5), transfer(3, 0)]);
        assert_eq!((next.len(), next[0].reset), (1, false));
        let ids: Vec<_> = next[0].changed.iter().map(|transfer| transfer.id.as_str()).collect();
        assert_eq!((ids, next[0].removed.as_slice()), (vec!["2", "3"], ["1".to_owned()].as_slice()));
    }

    #[test]
    fn a_node_without_transfers_says_so_once() {
        let mut known = Known::default();
        assert_eq!(known.changes(Vec::new()).len(), 1);
        assert!(known.changes(Vec::new()).is_empty());
    }

    #[test]
    fn many_are_told_in_parts_and_few_changes_of_many_stay_few() {
        let mut known = Known::default();
        let all = |done: u64| (0..10_000).map(|id| transfer(id, if id < 20 { done } else { 0 })).collect();
        let first: Vec<_> = known.changes(all(0));
        assert_eq!((first.len(), first.iter().filter(|part| part.reset).count()), (10, 1));
        assert!(first.iter().all(|part| part.changed.len() == AT_ONCE));
        let next = known.changes(all(1));
        assert_eq!((next.len(), next[0].changed.len()), (1, 20));
    }
}
