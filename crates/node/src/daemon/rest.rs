//! Torrents that nobody asks for rest: they are closed and only listened for, and opened again when somebody connects
//! for them, a tracker is to hear of them, or a person looks. Most of what a node shares is asked for by nobody.

use std::collections::BTreeSet;
use std::time::Duration;
use throng_runtime::library::Id;
use throng_runtime::session::{IdleTrackers, TorrentHandle};
use tokio::time::Instant;

/// A torrent rests when nobody was connected for it for so long.
const IDLE: Duration = Duration::from_secs(60);
/// Trackers that are to be asked sooner than this are waited for.
const SOON: Duration = Duration::from_secs(120);
/// A torrent whose trackers fail is opened for them as often as one whose trackers say nothing of how often.
const FAILING: Duration = Duration::from_secs(30 * 60);
/// Torrents opened at a look, of which there is one a second, for their trackers.
const AT_ONCE: usize = 50;
/// At the start trackers are told of one torrent after another.
const APART: Duration = Duration::from_millis(20);
/// Torrents that strangers may keep open by connecting for them, one after another.
pub(super) const MOST_CALLED: usize = 1_000;

/// Whether a torrent rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Rest {
    /// It is open, or has never been.
    #[default]
    Awake,
    /// It is being closed; whether it was called for meanwhile.
    Falling { called: bool },
    /// It is closed and listened for.
    Asleep,
    /// It is being opened again.
    Waking,
}

impl Rest {
    /// Whether calls for it come to the node.
    pub(super) fn is_listened_for(self) -> bool {
        matches!(self, Rest::Falling { .. } | Rest::Asleep)
    }
}

/// What is known of an open torrent's idleness.
#[derive(Clone, Copy, Default)]
pub(super) struct Idle {
    /// Since when nobody was connected for it.
    since: Option<Instant>,
    /// When a rest that begins is to end.
    pub(super) until: Option<Instant>,
}

/// When those of one kind that rest are due to their trackers.
#[derive(Default)]
pub(super) struct Due {
    due: BTreeSet<(Instant, Id)>,
    /// When the next that is found resting at the start is due.
    next: Option<Instant>,
}

impl Due {
    /// It is to be opened for its trackers then.
    pub(super) fn at(&mut self, id: Id, at: Instant) {
        self.due.insert((at, id));
    }

    /// It was found resting when the node started: its trackers are told in its turn.
    pub(super) fn in_turn(&mut self, id: Id, now: Instant) {
        let at = self.next.unwrap_or(now);
        self.next = Some(at + APART);
        self.at(id, at);
    }

    /// Those that are due now; some may be open already, or gone.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Id> {
        let mut due = Vec::new();
        while due.len() < AT_ONCE && self.due.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.due.pop_first().map(|(_, id)| id));
        }
        due
    }
}

impl Idle {
    /// Whether a torrent may rest now; notes since when it is idle, and when the rest is to end for its trackers.
    pub(super) fn may_rest(&mut self, torrent: &TorrentHandle, now: Instant) -> bool {
        self.judge(torrent.idle(), now)
    }

    fn judge(&mut self, trackers: Option<IdleTrackers>, now: Instant) -> bool {
        let Some(trackers) = trackers else {
            *self = Idle::default();
            return false;
        };
        if now - *self.since.get_or_insert(now) < IDLE {
            return false;
        }
        self.until = match (trackers.next, trackers.failing) {
            (None, _) => None,
            (_, true) => Some(now + FAILING),
            (Some(next), false) => Some(Instant::from_std(next)).filter(|next| *next >= now + SOON),
        };
        self.until.is_some() || trackers.next.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        Id::read(&format!("{number:08}")).unwrap()
    }

    #[test]
    fn trackers_are_told_of_a_few_at_a_time() {
        let (mut due, now) = (Due::default(), Instant::now());
        (0..120).for_each(|number| due.in_turn(id(number), now));
        due.at(id(1_000), now);
        assert_eq!(due.take(now).len(), 2, "the first, and the one due now");
        let later = now + Duration::from_secs(10);
        let sizes: Vec<usize> = std::iter::repeat_with(|| due.take(later).len()).take(4).collect();
        assert_eq!(sizes, [50, 50, 19, 0]);
    }

    #[test]
    fn a_torrent_rests_once_it_was_idle_for_a_minute_and_its_trackers_want_nothing_soon() {
        let (now, quiet) = (Instant::now(), IdleTrackers { next: None, failing: false });
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        let mut idle = Idle::default();
        assert!(!idle.judge(Some(quiet), now) && !idle.judge(Some(quiet), at(59)));
        assert!(idle.judge(Some(quiet), at(60)) && idle.until.is_none());
        // Somebody was there meanwhile.
        assert!(!idle.judge(None, at(61)) && !idle.judge(Some(quiet), at(62)));
        let soon = IdleTrackers { next: Some(at(200).into_std()), failing: false };
        assert!(!idle.judge(Some(soon), at(130)), "they are waited for");
        let later = IdleTrackers { next: Some(at(2_000).into_std()), failing: false };
        assert!(idle.judge(Some(later), at(130)) && idle.until == Some(at(2_000)));
        let failing = IdleTrackers { next: Some(at(140).into_std()), failing: true };
        assert!(idle.judge(Some(failing), at(130)) && idle.until == Some(at(130) + FAILING));
    }
}
