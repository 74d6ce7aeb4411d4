//! Torrents that nobody asks for rest: they are closed and only listened for, and opened again when somebody connects
//! for them, a tracker is to hear of them, or a person looks. Most of what a node shares is asked for by nobody.

use super::record::swarms;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throng_overlay::discovery::Item;
use throng_runtime::session::TorrentHandle;
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

/// Those of one kind that rest, by the swarms they are called by and the times they are due to their trackers.
#[derive(Default)]
pub(super) struct Resting {
    by_swarm: BTreeMap<[u8; 20], Box<str>>,
    due: BTreeSet<(Instant, Box<str>)>,
    /// When the next that is found resting at the start is due.
    next: Option<Instant>,
}

impl Resting {
    /// One of that id can be called by the swarms of the item.
    pub(super) fn insert(&mut self, id: &str, item: &Item) {
        self.by_swarm.extend(swarms(item).into_iter().map(|swarm| (swarm, id.into())));
    }

    pub(super) fn remove(&mut self, item: &Item) {
        swarms(item).iter().for_each(|swarm| _ = self.by_swarm.remove(swarm));
    }

    pub(super) fn by_swarm(&self, swarm: &[u8; 20]) -> Option<&str> {
        self.by_swarm.get(swarm).map(AsRef::as_ref)
    }

    /// It is to be opened for its trackers then.
    pub(super) fn due_at(&mut self, id: &str, at: Instant) {
        self.due.insert((at, id.into()));
    }

    /// It was found resting when the node started: its trackers are told in its turn.
    pub(super) fn due_in_turn(&mut self, id: &str, now: Instant) {
        let at = self.next.unwrap_or(now);
        self.next = Some(at + APART);
        self.due_at(id, at);
    }

    /// Those that are due now; some may be open already, or gone.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Box<str>> {
        let mut due = Vec::new();
        while due.len() < AT_ONCE && self.due.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.due.pop_first().map(|(_, id)| id));
        }
        due
    }
}

/// What speaks for a rest, and when it is to end for the trackers.
pub(super) enum May {
    Not,
    Rest { until: Option<Instant> },
}

/// Whether a torrent may rest, if it has been idle since then, which is noted.
pub(super) fn may_rest(torrent: &TorrentHandle, idle: &mut Option<Instant>) -> May {
    let now = Instant::now();
    let Some(trackers) = torrent.idle() else {
        *idle = None;
        return May::Not;
    };
    if now - *idle.get_or_insert(now) < IDLE {
        return May::Not;
    }
    match (trackers.next, trackers.failing) {
        (None, _) => May::Rest { until: None },
        (_, true) => May::Rest { until: Some(now + FAILING) },
        (Some(next), false) => {
            let next = Instant::from_std(next);
            if next < now + SOON { May::Not } else { May::Rest { until: Some(next) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(hash: u8) -> Item {
        Item { info_hash: Some([hash; 20]), info_hash_v2: Some([hash + 100; 32]), ..Item::default() }
    }

    #[test]
    fn one_is_called_by_each_of_its_swarms_until_it_is_gone() {
        let mut resting = Resting::default();
        resting.insert("one", &item(1));
        resting.insert("two", &item(2));
        assert_eq!(resting.by_swarm(&[1; 20]), Some("one"));
        assert_eq!(resting.by_swarm(&[101; 20]), Some("one"));
        assert_eq!(resting.by_swarm(&[2; 20]), Some("two"));
        resting.remove(&item(1));
        assert_eq!(resting.by_swarm(&[1; 20]), None);
        assert_eq!(resting.by_swarm(&[101; 20]), None);
        assert_eq!(resting.by_swarm(&[102; 20]), Some("two"));
    }

    #[test]
    fn trackers_are_told_of_a_few_at_a_time() {
        let (mut resting, now) = (Resting::default(), Instant::now());
        (0..120).for_each(|number| resting.due_in_turn(&format!("{number:03}"), now));
        resting.due_at("now", now);
        assert_eq!(resting.take_due(now).len(), 2, "the first, and the one due now");
        let later = now + Duration::from_secs(10);
        let sizes: Vec<usize> = std::iter::repeat_with(|| resting.take_due(later).len()).take(4).collect();
        assert_eq!(sizes, [50, 50, 19, 0]);
    }
}
