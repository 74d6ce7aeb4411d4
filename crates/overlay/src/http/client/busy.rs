//! Waiting: places in queues, and sources that ask to be left alone for a while (11.6).

use std::time::Duration;

use throng_machine::StreamId;
use throng_wire::http::{OldQueue, Queued, Reply};

use super::super::command::{FetchId, SourceId};
use super::super::event::{Event, FetchError};
use super::super::machine::{Cx, Timer, Transfer};
use super::Link;

/// The wait where none is told.
const USUAL: Duration = Duration::from_secs(60);
/// Old servers count who asks before this; 1 s more than told is never too early.
const SLACK: Duration = Duration::from_secs(1);

impl Transfer {
    /// All slots are taken: wait at our place, if the wait is one that can be borne.
    pub(super) fn on_busy(&mut self, source: SourceId, id: FetchId, reply: &Reply, cx: &mut Cx<'_>) {
        let queued = reply.headers.find("X-Queued").map(Queued::parse).unwrap_or_default();
        let old = reply.headers.find("X-Queue").and_then(OldQueue::parse);
        let told =
            reply.retry_after().or(old.map(|old| old.poll_min)).map(|secs| Duration::from_secs(secs.into()));
        let wait = told.unwrap_or(USUAL) + SLACK;
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        remote.waits += 1;
        if wait > self.config.max_wait || remote.waits > self.config.max_waits {
            return self.fail(id, FetchError::TooBusy(wait), cx);
        }
        remote.place = queued.id.or(remote.place);
        remote.wait = Some(remote.wait.map_or(wait, |before| before.max(wait)));
        let position = queued.position.or(old.map(|old| old.position)).filter(|position| *position > 0);
        cx.emit(Event::FetchQueued(id, position, wait));
        self.requeue(source);
    }

    /// The first fetch, whose reply is over, goes behind those that are asked for.
    pub(super) fn requeue(&mut self, source: SourceId) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        if let Some(id) = remote.jobs.pop_front() {
            remote.asked = remote.asked.saturating_sub(1);
            remote.jobs.insert(remote.asked.min(remote.jobs.len()), id);
        }
    }

    /// Asks again after that time, on the connection if it is kept.
    pub(super) fn wait_for(
        &mut self,
        source: SourceId,
        kept: Option<StreamId>,
        wait: Duration,
        cx: &mut Cx<'_>,
    ) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        remote.link = Link::Waiting(kept);
        self.timers.set(Timer::Source(source), cx.now() + wait);
        if let Some(stream) = kept {
            self.timers.clear(Timer::Conn(stream));
        }
    }
}
