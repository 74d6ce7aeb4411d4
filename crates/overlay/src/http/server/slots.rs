//! Upload slots and who waits for one (11.6): a free slot belongs to those at the head of the queue.
//!
//! Invariants: at most so many wait; a place not asked for in time is lost; somebody is called only at the address
//! they came from, and rarely.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use throng_machine::{ContentId, Endpoint, Instant, StreamId};
use throng_wire::http::QueueId;

use super::super::config::Config;

/// Asking before this is too early; clocks differ.
const SLACK: Duration = Duration::from_secs(2);
/// So often somebody may ask too early.
const MAX_EARLY: u32 = 3;
/// So often somebody may not ask though we called.
const MAX_HANGS: u32 = 2;

/// A place in the queue, or a slot.
#[derive(Clone, Debug)]
struct Place {
    id: QueueId,
    ip: IpAddr,
    content: ContentId,
    /// Where they listen.
    node: Option<Endpoint>,
    /// The connection on which they wait.
    stream: Option<StreamId>,
    /// Not before.
    ask_at: Instant,
    /// Lost after.
    until: Instant,
    early: u32,
    called: Option<Instant>,
    hangs: u32,
}

/// Somebody who wants a file.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) stream: StreamId,
    pub(super) ip: IpAddr,
    pub(super) content: ContentId,
    /// The place they say they have.
    pub(super) id: Option<QueueId>,
    pub(super) node: Option<Endpoint>,
    /// Whether they can wait on the connection.
    pub(super) waits_on_line: bool,
    /// The name of a new place.
    pub(super) fresh: QueueId,
}

/// What becomes of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// A slot.
    Granted(QueueId),
    /// A place in the queue.
    Wait {
        id: QueueId,
        /// From 1.
        position: usize,
        length: usize,
        wait: Duration,
        /// After which the place is lost.
        lifetime: Duration,
        /// Whether the connection is kept meanwhile.
        on_line: bool,
    },
    /// The queue is full.
    Full,
    /// Asked too early too often: the place is lost.
    Impatient,
}

/// All slots and places.
#[derive(Default, Debug)]
pub(in super::super) struct Slots {
    active: BTreeMap<StreamId, Place>,
    waiting: VecDeque<Place>,
}

/// How long the one at that position is told to wait.
fn wait_at(position: usize, config: &Config) -> Duration {
    let behind = u32::try_from(position.saturating_sub(1)).unwrap_or(u32::MAX);
    (config.queue_poll + (config.queue_poll / 2).saturating_mul(behind)).min(config.queue_poll_max)
}

impl Slots {
    pub(in super::super) fn active(&self) -> usize {
        self.active.len()
    }

    pub(in super::super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether others wait for the slot that this connection has.
    pub(super) fn is_wanted_from(&self, stream: StreamId) -> bool {
        !self.waiting.is_empty() && self.active.contains_key(&stream)
    }

    /// How long a connection on which somebody waits may be silent.
    pub(super) fn active_wait(&self, stream: StreamId, config: &Config) -> Option<Duration> {
        let at = self.waiting.iter().position(|place| place.stream == Some(stream))?;
        Some(wait_at(at + 1, config) + config.queue_patience)
    }

    /// Somebody wants a file.
    pub(super) fn ask(&mut self, asker: &Asker, config: &Config, now: Instant) -> Verdict {
        if let Some(place) = self.active.get_mut(&asker.stream) {
            place.content = asker.content;
            return Verdict::Granted(place.id);
        }
        self.waiting.retain(|place| place.until > now);
        let known = self.find(asker);
        let at = known.unwrap_or(self.waiting.len());
        if at < self.free(config) && self.may_have_more(asker.ip, config) {
            return self.grant(asker, known, now);
        }
        if let Some(place) = self.waiting.get_mut(at) {
            if now + SLACK < place.ask_at {
                place.early += 1;
                if place.early > MAX_EARLY {
                    self.waiting.remove(at);
                    return Verdict::Impatient;
                }
            }
        } else if self.waiting.len() >= config.max_queue {
            return Verdict::Full;
        }
        self.wait(asker, at, config, now)
    }

    /// By the name of the place, which only its owner's address may use; or by address and file.
    fn find(&self, asker: &Asker) -> Option<usize> {
        let by_id = |place: &Place| Some(place.id) == asker.id && place.ip == asker.ip;
        let by_file = |place: &Place| place.ip == asker.ip && place.content == asker.content;
        self.waiting.iter().position(by_id).or_else(|| self.waiting.iter().position(by_file))
    }

    fn free(&self, config: &Config) -> usize {
        (config.upload_slots as usize).saturating_sub(self.active.len())
    }

    fn may_have_more(&self, ip: IpAddr, config: &Config) -> bool {
        let theirs = self.active.values().filter(|place| place.ip == ip).count();
        ip.is_loopback() || theirs < config.slots_per_address as usize
    }

    fn grant(&mut self, asker: &Asker, known: Option<usize>, now: Instant) -> Verdict {
        let mut place =
            known.and_then(|at| self.waiting.remove(at)).unwrap_or_else(|| Place::new(asker, now));
        (place.stream, place.content, place.early, place.hangs) = (Some(asker.stream), asker.content, 0, 0);
        let id = place.id;
        self.active.insert(asker.stream, place);
        Verdict::Granted(id)
    }

    fn wait(&mut self, asker: &Asker, at: usize, config: &Config, now: Instant) -> Verdict {
        let lines =
            self.waiting.iter().filter(|place| place.stream.is_some_and(|known| known != asker.stream));
        let on_line = asker.waits_on_line && lines.count() < config.max_active_queue;
        if at == self.waiting.len() {
            self.waiting.push_back(Place::new(asker, now));
        }
        let length = self.waiting.len();
        let wait = wait_at(at + 1, config);
        let lifetime = wait + config.queue_patience;
        let fresh = asker.fresh;
        let id = self.waiting.get_mut(at).map_or(fresh, |place| {
            (place.ask_at, place.until, place.hangs) = (now + wait, now + lifetime, 0);
            place.stream = on_line.then_some(asker.stream);
            place.node = asker.node.or(place.node);
            place.id
        });
        Verdict::Wait { id, position: at + 1, length, wait, lifetime, on_line }
    }

    /// A connection is gone. Who was cut off while being served is first in the queue, for that long.
    pub(super) fn leave(&mut self, stream: StreamId, grace: Option<Duration>, now: Instant) {
        if let Some(mut place) = self.active.remove(&stream)
            && let Some(grace) = grace
        {
            (place.stream, place.ask_at, place.until) = (None, now, now + grace);
            self.waiting.push_front(place);
        }
        for place in self.waiting.iter_mut().filter(|place| place.stream == Some(stream)) {
            place.stream = None;
        }
    }

    /// Who is to be called because a slot is theirs; they count as called.
    pub(super) fn next_call(&mut self, config: &Config, now: Instant) -> Option<(QueueId, Endpoint)> {
        self.waiting.retain(|place| place.until > now && place.hangs < MAX_HANGS);
        let free = self.free(config);
        let recent = |place: &Place, gap: Duration| place.called.is_some_and(|at| now.since(at) < gap);
        let fits = |place: &Place| {
            let host = self.waiting.iter().filter(|other| other.ip == place.ip);
            place.stream.is_none()
                && place.node.is_some()
                && !recent(place, config.callback_again)
                && !host.clone().any(|other| recent(other, config.callback_gap))
                && self.may_have_more(place.ip, config)
        };
        let at = self.waiting.iter().take(free).position(fits)?;
        let place = self.waiting.get_mut(at)?;
        place.called = Some(now);
        place.hangs += 1;
        Some((place.id, place.node?))
    }

    /// Whether a slot is free and somebody waits.
    pub(super) fn is_owed(&self, config: &Config) -> bool {
        self.free(config) > 0 && !self.waiting.is_empty()
    }
}

impl Place {
    fn new(asker: &Asker, now: Instant) -> Place {
        Place {
            id: asker.fresh,
            ip: asker.ip,
            content: asker.content,
            node: asker.node,
            stream: None,
            ask_at: now,
            until: now,
            early: 0,
            called: None,
            hangs: 0,
        }
    }
}
