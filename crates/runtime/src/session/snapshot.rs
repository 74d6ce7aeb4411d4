//! A torrent at one moment, as a person wants to see it.

use std::time::Duration;
use throng_swarm::TorrentStatus;

/// What a torrent is doing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// Its storage is being opened.
    #[default]
    Opening,
    /// What is stored is being read and hashed.
    Checking {
        /// Bytes done.
        done: u64,
        /// Bytes to be done.
        total: u64,
    },
    /// The info dictionary is being fetched from peers.
    FetchingMetadata,
    /// Pieces are being fetched.
    Downloading,
    /// All that is wanted is there.
    Seeding,
    /// It waits; why, for people.
    Paused(String),
    /// It can't go on; why, for people.
    Failed(String),
}

/// One thing a person should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Counts up from 0, so that none is shown twice.
    pub number: u64,
    /// One line.
    pub text: String,
}

/// A source outside BitTorrent, as a person wants to see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceReport {
    /// What it is called.
    pub name: String,
    /// Bytes from it so far.
    pub downloaded: u64,
    /// Bytes a second from it.
    pub download_rate: u64,
    /// Why it sends nothing now, if it was asked and does not.
    pub trouble: Option<String>,
    /// It is not asked any more.
    pub dropped: bool,
}

/// A torrent at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What it is doing.
    pub state: State,
    /// Its name, once known.
    pub name: String,
    /// All that is wanted is stored and verified.
    pub finished: bool,
    /// What the swarm says of it; `None` before it takes part.
    pub status: Option<TorrentStatus>,
    /// Sources outside BitTorrent.
    pub sources: Vec<SourceReport>,
    /// Time to the end at the present rate.
    pub eta: Option<Duration>,
    /// The last things a person should know.
    pub notices: Vec<Notice>,
    /// When a tracker is to be asked next, if there is any.
    pub next_announce: Option<std::time::Instant>,
}

/// What the trackers of a torrent that nobody is connected for want.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleTrackers {
    /// When one is to be asked next; `None` if there are none.
    pub next: Option<std::time::Instant>,
    /// One says that something is wrong.
    pub failing: bool,
}

/// Notices kept.
const NOTICES: usize = 32;

impl Snapshot {
    pub(super) fn idle(&self) -> Option<IdleTrackers> {
        let status = self.status.as_ref().filter(|_| self.state == State::Seeding)?;
        let quiet = status.peers.0 == 0 && status.download_rate == 0 && status.upload_rate == 0;
        let trackers = IdleTrackers { next: self.next_announce, failing: !status.tracker_errors.is_empty() };
        quiet.then_some(trackers)
    }

    /// Bytes wanted and not yet verified over the present rate.
    pub(super) fn eta(status: &TorrentStatus) -> Option<Duration> {
        let left = status.wanted.saturating_sub(status.verified);
        (left > 0).then(|| left.checked_div(status.download_rate).map(Duration::from_secs)).flatten()
    }

    /// Adds a notice, forgetting the oldest if there are many.
    pub(super) fn notice(&mut self, text: String) {
        let number = self.notices.last().map_or(0, |last| last.number + 1);
        if self.notices.len() == NOTICES {
            self.notices.remove(0);
        }
        self.notices.push(Notice { number, text });
    }
}
