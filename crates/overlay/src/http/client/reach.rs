//! Getting at a source: calling it, having it call us, being called because it is our turn (11.6, 11.8).

use std::time::Duration;

use throng_machine::{Endpoint, StreamId};
use throng_wire::http::Opening;

use super::super::command::{PushBy, SourceId};
use super::super::connection::Role;
use super::super::event::{Event, FetchError};
use super::super::machine::{Cx, Timer, Transfer};
use super::{Link, Phase, servent_of};

/// A source called too often within a minute is called a bit later.
const LATER: Duration = Duration::from_secs(15);

impl Transfer {
    /// Calls a source, or has it call us.
    pub(super) fn reach(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        let Some((address, _)) = self.ways(source) else { return };
        let Some(to) = address.filter(|to| to.is_dialable()) else { return self.push(source, cx) };
        if !self.calls.allow(to, self.config.max_calls_a_minute, cx.now()) {
            return self.wait_for(source, None, LATER, cx);
        }
        let Some(stream) = self.call(to, Role::Client(source), cx) else {
            return self.wait_for(source, None, LATER, cx);
        };
        if let Some(remote) = self.remotes.get_mut(&source) {
            remote.link = Link::Calling(stream);
        }
    }

    /// How the first fetch of a source says it can be reached.
    fn ways(&self, source: SourceId) -> Option<(Option<Endpoint>, Option<&PushBy>)> {
        let front = self.remotes.get(&source)?.jobs.front()?;
        self.jobs.get(front).map(|job| (job.from.address, job.from.push.as_ref()))
    }

    pub(super) fn on_unreachable(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        if let Some(remote) = self.remotes.get_mut(&source) {
            remote.reset();
        }
        match self.ways(source) {
            Some((_, Some(_))) => self.push(source, cx),
            _ => self.fail_all(source, FetchError::Unreachable, cx),
        }
    }

    /// Has the servent ask the source to call us.
    fn push(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        let Some((_, by)) = self.ways(source) else { return };
        let by = by.cloned();
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        let Some(id) = remote.jobs.front().copied() else { return };
        let Some(by) = by else { return self.fail_all(source, FetchError::NoWay, cx) };
        if remote.pushes >= self.config.max_pushes {
            return self.fail_all(source, FetchError::NotPushed, cx);
        }
        remote.pushes += 1;
        let number = (cx.rng().next_u64() >> 32) as u32;
        remote.link = Link::Pushing(number);
        self.timers.set(Timer::Source(source), cx.now() + self.config.push_timeout);
        cx.emit(Event::PushWanted(id, by, number));
    }

    /// Which source somebody who calls is.
    pub(in super::super) fn source_of(&self, opening: &Opening<'_>, from: Endpoint) -> Option<SourceId> {
        let mut all = self.remotes.iter();
        let found = all.find(|(source, remote)| match (opening, &remote.link) {
            (Opening::Giv { servent, .. }, Link::Pushing(_)) => {
                self.ways(**source).and_then(|(_, push)| servent_of(push?)) == Some(*servent)
            }
            (Opening::Give(number), Link::Pushing(wanted)) => {
                let by_number = |push| matches!(push, Some(&PushBy::Number { .. }));
                number == wanted && self.ways(**source).is_some_and(|(_, push)| by_number(push))
            }
            (Opening::Queue { id, .. }, Link::Waiting(None)) => {
                let theirs = self.ways(**source).and_then(|(address, _)| address);
                remote.place == Some(*id) && theirs.is_none_or(|at| at.ip() == from.ip())
            }
            _ => false,
        });
        found.map(|(source, _)| *source)
    }

    /// A source called us.
    pub(in super::super) fn on_called(
        &mut self,
        source: SourceId,
        stream: StreamId,
        from: Endpoint,
        cx: &mut Cx<'_>,
    ) {
        self.timers.clear(Timer::Source(source));
        self.on_connected(source, stream, from, cx);
    }

    pub(in super::super) fn on_connected(
        &mut self,
        source: SourceId,
        stream: StreamId,
        peer: Endpoint,
        cx: &mut Cx<'_>,
    ) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        remote.reset();
        remote.pushes = 0;
        remote.link = Link::Up(stream, Phase::Idle);
        remote.peer = Some(peer);
        self.ask(source, stream, cx);
    }

    /// It is time to ask again, or the call did not come.
    pub(in super::super) fn on_source_due(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        match remote.link {
            Link::Pushing(_) => {
                remote.link = Link::Off;
                self.push(source, cx);
            }
            Link::Waiting(Some(stream)) => {
                remote.link = Link::Up(stream, Phase::Idle);
                self.ask(source, stream, cx);
            }
            Link::Waiting(None) => {
                remote.link = Link::Off;
                self.advance(source, cx);
            }
            Link::Off | Link::Calling(_) | Link::Up(..) => {}
        }
    }
}
