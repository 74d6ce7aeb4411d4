//! Shows a torrent's snapshots: progress, and once each what a person should know.

use super::Context;
use crate::progress::{Progress, Standing};
use crate::{text, units};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use throng_runtime::session::{Snapshot, State, TorrentHandle};
use throng_swarm::TorrentStatus;

/// Without a peer for this long a person is told.
const LONELY: Duration = Duration::from_secs(15);

/// What came of watching.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// What was waited for came.
    Reached,
    /// It can't go on; why.
    Failed(String),
    /// The person wants it to stop.
    Interrupted,
}

/// Watches one torrent.
pub(super) struct Monitor<'a> {
    context: &'a Context,
    progress: Option<(&'static str, Progress)>,
    next_notice: u64,
    tracker_errors: BTreeMap<String, String>,
    alone_since: Instant,
    told_alone: bool,
}

impl<'a> Monitor<'a> {
    /// Nothing is shown yet.
    pub(super) fn new(context: &'a Context) -> Monitor<'a> {
        Monitor {
            context,
            progress: None,
            next_notice: 0,
            tracker_errors: BTreeMap::new(),
            alone_since: Instant::now(),
            told_alone: false,
        }
    }

    /// Shows snapshots until one is what is waited for.
    pub(super) async fn watch(
        &mut self,
        torrent: &TorrentHandle,
        reached: impl Fn(&Snapshot) -> bool,
    ) -> End {
        let mut snapshots = torrent.snapshots();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            self.tell(&snapshot);
            let end = match &snapshot.state {
                State::Failed(reason) => Some(End::Failed(reason.clone())),
                _ => reached(&snapshot).then_some(End::Reached),
            };
            if let Some(end) = end {
                self.clear();
                return end;
            }
            self.show(&snapshot);
            tokio::select! {
                changed = snapshots.changed() => if changed.is_err() {
                    self.clear();
                    return End::Failed(String::from("the network thread ended; run again with -v to see why"));
                },
                () = self.context.interrupt.wait() => {
                    self.clear();
                    return End::Interrupted;
                }
            }
        }
    }

    fn clear(&mut self) {
        if let Some((_, progress)) = self.progress.take() {
            progress.finish();
        }
    }

    /// Says what is new, once.
    fn tell(&mut self, snapshot: &Snapshot) {
        self.show_notices(snapshot);
        if let Some(status) = &snapshot.status {
            self.show_tracker_errors(status);
        }
        self.show_loneliness(snapshot);
    }

    /// Shows how far it has come.
    fn show(&mut self, snapshot: &Snapshot) {
        let what = match &snapshot.state {
            State::Opening | State::Failed(_) => return self.clear(),
            State::Checking { .. } => "checking",
            State::FetchingMetadata => "asking peers",
            State::Downloading => "fetching",
            State::Seeding => "seeding",
            State::Paused(_) => "paused",
        };
        if self.progress.as_ref().is_none_or(|(shown, _)| *shown != what) {
            self.clear();
            self.progress = Some((what, Progress::begin(&self.context.output, what)));
        }
        if let Some((_, progress)) = &self.progress {
            progress.show(|| standing(snapshot));
        }
    }

    fn show_notices(&mut self, snapshot: &Snapshot) {
        for notice in snapshot.notices.iter().filter(|notice| notice.number >= self.next_notice) {
            self.context.output.note(text::line(&notice.text));
            self.context.output.event("notice", json!({ "text": text::line(&notice.text) }));
        }
        self.next_notice = snapshot.notices.last().map_or(self.next_notice, |last| last.number + 1);
    }

    /// Says once what each tracker has to complain about.
    fn show_tracker_errors(&mut self, status: &TorrentStatus) {
        for (url, reason) in &status.tracker_errors {
            if self.tracker_errors.get(url) != Some(reason) {
                self.tracker_errors.insert(url.clone(), reason.clone());
                let (url, reason) = (text::line(url), text::line(reason));
                self.context.output.note(format_args!("tracker {url}: {reason}; it is tried again later"));
                self.context.output.event("tracker_error", json!({ "url": url, "reason": reason }));
            }
        }
        self.tracker_errors.retain(|url, _| status.tracker_errors.iter().any(|(now, _)| now == url));
    }

    /// Says so when there has been nobody to fetch from for a while, and when somebody came.
    fn show_loneliness(&mut self, snapshot: &Snapshot) {
        let fetches = matches!(snapshot.state, State::Downloading | State::FetchingMetadata);
        let peers = snapshot.status.as_ref().map_or(0, |status| status.peers.0);
        if !fetches || peers > 0 {
            (self.alone_since, self.told_alone) = (Instant::now(), false);
        } else if !self.told_alone && self.alone_since.elapsed() >= LONELY {
            self.told_alone = true;
            let known = snapshot.status.as_ref().map_or(0, |status| status.known_peers);
            let reason = match known {
                0 => "no peer is known".to_owned(),
                _ => format!("none of {} answers", units::plural(known as u64, "known peer")),
            };
            self.context
                .output
                .note(format_args!("{reason}; still looking (name one with --peer, Ctrl-C to stop)"));
            self.context.output.event("no_peers", json!({ "known": known }));
        }
    }
}

fn standing(snapshot: &Snapshot) -> Standing {
    let status = snapshot.status.as_ref();
    let (peers, seeds) = status.map_or((0, 0), |status| status.peers);
    let mut words = vec![units::plural(peers as u64, "peer")];
    let (mut done, mut total) = (0, 0);
    match &snapshot.state {
        State::Checking { done: checked, total: all } => {
            (done, total) = (*checked, *all);
            words.clear();
        }
        State::Downloading => {
            (done, total) = status.map_or((0, 0), |status| (status.verified, status.wanted));
            words.push(units::rate(status.map_or(0, |status| status.download_rate)));
            words.extend(snapshot.eta.map(|eta| format!("{} left", units::duration(eta))));
        }
        State::Paused(reason) => words = vec![text::line(reason)],
        State::Seeding => {
            words.push(units::rate(status.map_or(0, |status| status.upload_rate)));
            words.push(format!("{} sent", units::size(status.map_or(0, |status| status.uploaded))));
        }
        _ => {}
    }
    let fields = status.map_or_else(|| json!({}), |status| fields(snapshot, status, seeds));
    Standing { done, total, words: words.join(", "), fields }
}

fn fields(snapshot: &Snapshot, status: &TorrentStatus, seeds: usize) -> Value {
    json!({
        "name": text::line(&snapshot.name),
        "verified": status.verified,
        "wanted": status.wanted,
        "pieces": status.pieces.0,
        "pieces_total": status.pieces.1,
        "downloaded": status.downloaded,
        "uploaded": status.uploaded,
        "wasted": status.wasted,
        "download_rate": status.download_rate,
        "upload_rate": status.upload_rate,
        "peers": status.peers.0,
        "seeds": seeds,
        "availability": status.availability,
        "eta_seconds": snapshot.eta.map(|eta| eta.as_secs()),
    })
}
