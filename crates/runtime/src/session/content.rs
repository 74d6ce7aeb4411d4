//! What the session keeps of one torrent besides the swarm's own state.

use super::open::Plan;
use super::snapshot::{Snapshot, State};
use super::sources::Sources;
use crate::storage::Storage;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use throng_machine::{ContentId, Endpoint};
use throng_swarm::{AddTorrent, PeerSource, SourceStatus, TorrentStatus};
use tokio::sync::{oneshot, watch};

/// How far a check has come, told by the workers.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) done: AtomicU64,
    pub(super) total: AtomicU64,
    pub(super) cancel: AtomicBool,
}

/// How far a torrent has come on its way into the swarm.
pub(super) enum Stage {
    /// The storage is being opened; the program may wait for the answer.
    Opening(Option<oneshot::Sender<Result<ContentId, String>>>),
    Checking,
    Metadata,
    Running,
    /// It failed for good.
    Failed(String),
}

/// One torrent.
pub(super) struct Content {
    pub(super) stage: Stage,
    pub(super) plan: Plan,
    /// What the swarm will be told once the check is done; taken then.
    pub(super) add: Option<Box<AddTorrent>>,
    pub(super) storage: Option<Arc<Storage>>,
    pub(super) wanted: Option<Vec<u8>>,
    /// Addresses that came before the swarm knew the torrent.
    pub(super) waiting_peers: Vec<(PeerSource, Endpoint)>,
    /// What readers waited for before the swarm knew the torrent.
    pub(super) waiting_readers: Vec<Range<u32>>,
    pub(super) progress: Arc<Progress>,
    /// Sources outside BitTorrent.
    pub(super) sources: Sources,
    /// Why the storage cannot be used now.
    pub(super) trouble: Option<String>,
    pub(super) stopped: bool,
    /// Pieces were stored since the resume state was saved.
    pub(super) unsaved: bool,
    /// The resume state is being saved.
    pub(super) saving: bool,
    /// What is stored is being verified again.
    pub(super) recheck: Option<Arc<Progress>>,
    pub(super) snapshot: Snapshot,
    pub(super) publish: watch::Sender<Snapshot>,
}

impl Content {
    /// Publishes how it stands.
    pub(super) fn publish(&mut self, status: Option<TorrentStatus>, sources: &[SourceStatus]) {
        self.snapshot.sources = self.sources.reports(sources);
        let next = status.as_ref().and_then(|status| status.announces_in);
        self.snapshot.next_announce = next.map(|next| std::time::Instant::now() + next);
        self.snapshot.eta = status.as_ref().and_then(Snapshot::eta);
        let complete = status.as_ref().is_some_and(|status| status.verified >= status.wanted);
        self.snapshot.finished = matches!(self.stage, Stage::Running) && self.storage.is_some() && complete;
        self.snapshot.status = status;
        self.snapshot.state = self.state();
        self.publish.send_replace(self.snapshot.clone());
    }

    /// Whether it stays as it was last published unless something happens to it.
    pub(super) fn is_idle(&self) -> bool {
        let quiet = |status: &TorrentStatus| {
            status.peers.0 == 0 && status.download_rate == 0 && status.upload_rate == 0
        };
        let resting = matches!(self.snapshot.state, State::Seeding | State::Failed(_) | State::Paused(_));
        resting && self.trouble.is_none() && self.snapshot.status.as_ref().is_none_or(quiet)
    }

    /// Ends checks that are under way.
    pub(super) fn cancel(&self) {
        let checks = std::iter::once(&self.progress).chain(&self.recheck);
        checks.for_each(|progress| progress.cancel.store(true, Ordering::Relaxed));
    }

    fn state(&self) -> State {
        let checking = |progress: &Progress| State::Checking {
            done: progress.done.load(Ordering::Relaxed),
            total: progress.total.load(Ordering::Relaxed),
        };
        if let (Stage::Running, Some(recheck)) = (&self.stage, &self.recheck) {
            return checking(recheck);
        }
        match &self.stage {
            Stage::Failed(reason) => State::Failed(reason.clone()),
            Stage::Opening(_) => State::Opening,
            Stage::Checking => checking(&self.progress),
            _ if self.stopped => State::Paused(String::from("stopped")),
            Stage::Metadata => State::FetchingMetadata,
            Stage::Running => match &self.trouble {
                Some(trouble) => State::Paused(trouble.clone()),
                None if self.snapshot.finished => State::Seeding,
                None => State::Downloading,
            },
        }
    }

    /// Ends it with a reason for people.
    pub(super) fn fail(&mut self, reason: String) {
        match std::mem::replace(&mut self.stage, Stage::Failed(reason.clone())) {
            // If nobody waits for the answer any more, the snapshot still says it.
            Stage::Opening(Some(reply)) => _ = reply.send(Err(reason)),
            _ => self.snapshot.notice(reason),
        }
    }
}
