//! When to ask which tracker: tiers (BEP 12), events and intervals (BEP 3), back-off.
//!
//! Every tier is announced to, by its first tracker that answers; that one moves to the front of its tier. A torrent
//! with two info-hashes announces each. The application does the asking.

use crate::{AnnounceEvent, TrackerOutcome};
use std::time::Duration;
use throng_machine::{Deadline, Instant};

/// A tracker is not asked more often than this, whatever it says.
const LEAST_INTERVAL: Duration = Duration::from_secs(60);
/// What we assume of a tracker that names no interval, and the most we believe.
const MOST_INTERVAL: Duration = Duration::from_secs(2 * 3600);
/// Pauses after failures: they double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LAST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// An answer that does not come is a failure after this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Trackers used of one torrent; a torrent file may name thousands.
const MAX_TRACKERS: usize = 64;

#[derive(Debug)]
struct Tracker {
    url: String,
    failures: u32,
    error: Option<String>,
}

/// What is under way or due for one info-hash at one tier.
#[derive(Debug)]
struct Slot {
    hash: [u8; 20],
    next: Option<Instant>,
    event: AnnounceEvent,
    pending: Option<(u32, Instant)>,
    /// The tracker has been told `started`.
    started: bool,
}

#[derive(Debug)]
struct Tier {
    trackers: Vec<Tracker>,
    slots: Vec<Slot>,
}

/// An announce that is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) url: String,
    pub(crate) hash: [u8; 20],
    pub(crate) event: AnnounceEvent,
}

/// The trackers of one torrent.
#[derive(Debug)]
pub(crate) struct Announcer {
    tiers: Vec<Tier>,
}

impl Announcer {
    pub(crate) fn new(tiers: Vec<Vec<String>>, hashes: Vec<[u8; 20]>) -> Announcer {
        let mut room = MAX_TRACKERS;
        let mut seen = std::collections::BTreeSet::new();
        let mut fresh = |url: &String| {
            room > 0 && seen.insert(url.clone()) && {
                room -= 1;
                true
            }
        };
        let tiers = tiers.into_iter().filter_map(|urls| {
            let urls = urls.into_iter().filter(&mut fresh);
            let trackers: Vec<Tracker> = urls.map(|url| Tracker { url, failures: 0, error: None }).collect();
            let slots = hashes.iter().map(|hash| Slot {
                hash: *hash,
                next: None,
                event: AnnounceEvent::None,
                pending: None,
                started: false,
            });
            (!trackers.is_empty()).then(|| Tier { trackers, slots: slots.collect() })
        });
        Announcer { tiers: tiers.collect() }
    }

    fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.tiers.iter_mut().flat_map(|tier| tier.slots.iter_mut())
    }

    /// The torrent starts: announce now.
    pub(crate) fn start(&mut self, now: Instant) {
        for slot in self.slots() {
            (slot.event, slot.next, slot.pending) = (AnnounceEvent::Started, Some(now), None);
        }
    }

    /// The download is complete: say so now.
    pub(crate) fn completed(&mut self, now: Instant) {
        for slot in self.slots().filter(|slot| slot.started) {
            (slot.event, slot.next) = (AnnounceEvent::Completed, Some(now));
        }
    }

    /// The torrent stops: say goodbye, once, where we said hello.
    pub(crate) fn stop(&mut self, now: Instant) {
        for slot in self.slots() {
            let greeted = slot.started;
            (slot.event, slot.pending) = (AnnounceEvent::Stopped, None);
            slot.next = greeted.then_some(now);
        }
    }

    /// Ask again as soon as the trackers allow: peers are short.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        for slot in self.tiers.iter().flat_map(|tier| &tier.slots) {
            deadline.at(slot.pending.map_or(slot.next, |(_, since)| Some(since + PATIENCE)));
        }
        deadline.earliest()
    }

    /// Takes the next announce that is due, to be answered under `request`.
    pub(crate) fn due(&mut self, now: Instant, request: u32) -> Option<Due> {
        self.give_up(now);
        for tier in &mut self.tiers {
            let due = |slot: &&mut Slot| slot.pending.is_none() && slot.next.is_some_and(|at| at <= now);
            let Some(slot) = tier.slots.iter_mut().find(due) else { continue };
            slot.next = None;
            slot.pending = (slot.event != AnnounceEvent::Stopped).then_some((request, now));
            slot.started = slot.event != AnnounceEvent::Stopped;
            let url = tier.trackers.first()?.url.clone();
            return Some(Due { url, hash: slot.hash, event: slot.event });
        }
        None
    }

    /// Answers that never came count as failures.
    fn give_up(&mut self, now: Instant) {
        let late: Vec<u32> = self
            .tiers
            .iter()
            .flat_map(|tier| &tier.slots)
            .filter_map(|slot| {
                slot.pending.filter(|(_, since)| *since + PATIENCE <= now).map(|(request, _)| request)
            })
            .collect();
        for request in late {
            let reason = String::from("no answer");
            self.answered(request, &TrackerOutcome::Failed { reason, retry: None }, now);
        }
    }

    /// What came of an announce; false if nobody waits for it.
    pub(crate) fn answered(&mut self, request: u32, outcome: &TrackerOutcome, now: Instant) -> bool {
        let waits = |slot: &Slot| slot.pending.is_some_and(|(pending, _)| pending == request);
        let Some(tier) = self.tiers.iter_mut().find(|tier| tier.slots.iter().any(waits)) else {
            return false;
        };
        let Some(slot) = tier.slots.iter_mut().find(|slot| waits(slot)) else { return false };
        slot.pending = None;
        match outcome {
            TrackerOutcome::Answered { interval, min_interval, .. } => {
                (tier.trackers[0].failures, tier.trackers[0].error) = (0, None);
                let least = min_interval.unwrap_or(LEAST_INTERVAL).max(LEAST_INTERVAL);
                // An event that came up meanwhile is due at once.
                if slot.next.is_none() {
                    slot.event = AnnounceEvent::None;
                    slot.next = Some(now + (*interval).clamp(least.min(MOST_INTERVAL), MOST_INTERVAL));
                }
            }
            TrackerOutcome::Failed { reason, retry } => {
                let failures = tier.trackers[0].failures + 1;
                (tier.trackers[0].failures, tier.trackers[0].error) = (failures, Some(reason.clone()));
                let pause = FIRST_PAUSE * (1 << (failures - 1).min(12));
                let mut next = now + retry.unwrap_or(pause).min(LAST_PAUSE);
                // The next tracker of the tier is asked at once, unless it failed as often.
                tier.trackers.rotate_left(1);
                if tier.trackers[0].failures < failures {
                    next = now;
                }
                slot.next = Some(slot.next.map_or(next, |at| at.min(next)));
            }
        }
        true
    }

    /// Tiers that were told of us under every name, and all.
    pub(crate) fn announced(&self) -> (usize, usize) {
        let told = self.tiers.iter().filter(|tier| tier.slots.iter().all(|slot| slot.started));
        (told.count(), self.tiers.len())
    }

    /// Trackers that failed last time, and what they said.
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        let trackers = self.tiers.iter().flat_map(|tier| &tier.trackers);
        trackers.filter_map(|tracker| Some((tracker.url.clone(), tracker.error.clone()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcer(tiers: &[&[&str]]) -> Announcer {
        let tiers = tiers.iter().map(|tier| tier.iter().map(|url| String::from(*url)).collect()).collect();
        Announcer::new(tiers, vec![[7; 20]])
    }

    fn answer() -> TrackerOutcome {
        let interval = Duration::from_secs(1800);
        TrackerOutcome::Answered { interval, min_interval: None, peers: vec![], counts: None }
    }

    fn failure() -> TrackerOutcome {
        TrackerOutcome::Failed { reason: String::from("down"), retry: None }
    }

    #[test]
    fn every_tier_is_announced_to_and_a_dead_tracker_is_replaced_by_the_next_of_its_tier() {
        let now = Instant::EPOCH;
        let mut announcer = announcer(&[&["a", "b"], &["c"]]);
        announcer.start(now);
        assert_eq!(announcer.due(now, 1).map(|due| due.url).as_deref(), Some("a"));
        assert_eq!(announcer.due(now, 2).map(|due| due.url).as_deref(), Some("c"));
        assert_eq!(announcer.due(now, 3), None);
        assert!(announcer.answered(1, &failure(), now));
        assert_eq!(
            announcer.due(now, 4).map(|due| (due.url, due.event)),
            Some(("b".into(), AnnounceEvent::Started))
        );
        assert_eq!(announcer.errors(), [(String::from("a"), String::from("down"))]);
    }

    #[test]
    fn events_are_sent_in_their_order_and_goodbye_only_where_we_said_hello() {
        let now = Instant::EPOCH;
        let mut tracker = announcer(&[&["a"]]);
        tracker.start(now);
        assert_eq!(tracker.due(now, 1).map(|due| due.event), Some(AnnounceEvent::Started));
        tracker.completed(now);
        assert!(tracker.answered(1, &answer(), now));
        assert_eq!(tracker.due(now, 2).map(|due| due.event), Some(AnnounceEvent::Completed));
        assert!(tracker.answered(2, &answer(), now));
        assert_eq!(tracker.deadline(), Some(now + Duration::from_secs(1800)));
        tracker.stop(now);
        assert_eq!(tracker.due(now, 3).map(|due| due.event), Some(AnnounceEvent::Stopped));
        assert_eq!(tracker.deadline(), None);
        let mut silent = announcer(&[&["a"]]);
        silent.stop(now);
        assert_eq!(silent.due(now, 1), None);
    }

    #[test]
    fn a_tracker_that_is_down_is_asked_ever_more_rarely() {
        let mut now = Instant::EPOCH;
        let mut announcer = announcer(&[&["a"]]);
        announcer.start(now);
        let mut pauses = Vec::new();
        for request in 0..12 {
            assert!(announcer.due(now, request).is_some());
            announcer.answered(request, &failure(), now);
            let next = announcer.deadline().unwrap();
            pauses.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800]);
    }

    #[test]
    fn a_tracker_that_never_answers_has_failed_after_a_minute() {
        let mut announcer = announcer(&[&["a", "b"]]);
        announcer.start(Instant::EPOCH);
        announcer.due(Instant::EPOCH, 1);
        let later = announcer.deadline().unwrap();
        assert_eq!(later - Instant::EPOCH, PATIENCE);
        assert_eq!(announcer.due(later, 2).map(|due| due.url).as_deref(), Some("b"));
        assert!(!announcer.answered(1, &answer(), later));
    }
}
