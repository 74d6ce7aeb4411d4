//! Fetching: one connection a source, its ranges one after the other, places in queues kept.

mod busy;
mod reach;
mod receive;
mod reply;
mod request;

use std::collections::VecDeque;
use std::ops::Range;

use throng_machine::{ContentId, Endpoint, StreamEnd, StreamId};
use throng_wire::gnutella::{Guid, Urn, tiger};
use throng_wire::http::{Chunks, QueueId, Target};

use super::command::{Fetch, FetchId, FetchTree, PushBy, Source, SourceId};
use super::event::{Event, FetchError};
use super::machine::{Cx, Timer, Transfer};
pub(super) use receive::Bytes;
pub(super) use request::FEATURES;

/// What is fetched.
#[derive(Debug)]
pub(super) enum Kind {
    /// Bytes of a file; those before `at` are placed.
    Range { content: ContentId, range: Range<u64>, at: u64 },
    /// A tree of a file of so many bytes.
    Tree { size: u64, root: tiger::Hash },
    /// The list of all files.
    List,
}

/// One fetch.
#[derive(Debug)]
pub(super) struct Job {
    source: SourceId,
    from: Source,
    kind: Kind,
    /// Whether the request was repeated because a kept connection was closed under it.
    repeated: bool,
}

/// Where a connection that is open stands.
#[derive(Debug)]
enum Phase {
    /// Nothing is asked.
    Idle,
    /// A head is awaited.
    Reply,
    /// So many bytes of the file.
    Body(u64),
    /// So many bytes that nobody wants.
    Skip(u64),
    /// A tree or list: so many bytes, or chunks, or all until the end.
    Collect(Option<u64>, Option<Chunks>),
}

/// How we stand with a source.
#[derive(Debug)]
enum Link {
    /// No connection.
    Off,
    /// Being called.
    Calling(StreamId),
    /// Asked to call us, by this number if by a number.
    Pushing(u32),
    /// Busy: asked again later, on this connection if it is kept.
    Waiting(Option<StreamId>),
    /// Connected.
    Up(StreamId, Phase),
}

/// One source.
#[derive(Debug)]
pub(super) struct Remote {
    link: Link,
    /// Who is at the other end of the connection.
    peer: Option<Endpoint>,
    /// What is to be fetched, in order.
    jobs: VecDeque<FetchId>,
    /// The first so many of them are asked for on this connection.
    asked: usize,
    /// Replies with bytes on this connection.
    served: u32,
    /// Requests on this connection.
    requests: u32,
    /// Whether the connection is kept after the reply under way.
    keep: bool,
    /// Bytes of a tree or list.
    collected: Vec<u8>,
    /// Our place in its queue.
    place: Option<QueueId>,
    /// How long we are to wait once all replies are in.
    wait: Option<std::time::Duration>,
    waits: u32,
    pushes: u32,
}

impl Remote {
    fn new() -> Box<Remote> {
        Box::new(Remote {
            link: Link::Off,
            peer: None,
            jobs: VecDeque::new(),
            asked: 0,
            served: 0,
            requests: 0,
            keep: true,
            collected: Vec::new(),
            place: None,
            wait: None,
            waits: 0,
            pushes: 0,
        })
    }

    /// The connection is gone: what was asked on it is not asked any more. Our place in the queue is kept.
    fn reset(&mut self) {
        (self.link, self.peer, self.asked, self.served, self.requests) = (Link::Off, None, 0, 0, 0);
        self.keep = true;
        self.collected = Vec::new();
    }

    fn stream(&self) -> Option<StreamId> {
        match self.link {
            Link::Calling(stream) | Link::Up(stream, _) | Link::Waiting(Some(stream)) => Some(stream),
            Link::Off | Link::Pushing(_) | Link::Waiting(None) => None,
        }
    }
}

impl Transfer {
    pub(super) fn fetch(&mut self, fetch: Fetch, cx: &mut Cx<'_>) {
        let Fetch { id, source, from, range, content } = fetch;
        let at = range.start;
        let sound = range.start < range.end && from.size.is_none_or(|size| range.end <= size);
        self.begin(
            id,
            Job { source, from, kind: Kind::Range { content, range, at }, repeated: false },
            sound,
            cx,
        );
    }

    pub(super) fn fetch_tree(&mut self, fetch: FetchTree, cx: &mut Cx<'_>) {
        let FetchTree { id, source, mut from, root } = fetch;
        if let Target::Urn(urn) = from.target {
            from.target = Target::Tree(urn);
        }
        let size = from.size.unwrap_or(0);
        let sound = matches!(from.target, Target::Tree(_)) && from.size.is_some();
        self.begin(id, Job { source, from, kind: Kind::Tree { size, root }, repeated: false }, sound, cx);
    }

    pub(super) fn browse(&mut self, id: FetchId, source: SourceId, at: Endpoint, cx: &mut Cx<'_>) {
        let from = Source { address: Some(at), push: None, target: Target::List, size: None, sha1: None };
        self.begin(id, Job { source, from, kind: Kind::List, repeated: false }, true, cx);
    }

    fn begin(&mut self, id: FetchId, job: Job, sound: bool, cx: &mut Cx<'_>) {
        let source = job.source;
        let full = self.jobs.len() >= self.config.max_fetches
            || (self.remotes.len() >= self.config.max_sources && !self.remotes.contains_key(&source));
        if full || !sound || self.jobs.contains_key(&id) {
            return cx.emit(Event::FetchFailed(id, FetchError::Busy, 0));
        }
        if job.from.address.is_none() && job.from.push.is_none() {
            return cx.emit(Event::FetchFailed(id, FetchError::NoWay, 0));
        }
        self.jobs.insert(id, Box::new(job));
        self.remotes.entry(source).or_insert_with(Remote::new).jobs.push_back(id);
        self.advance(source, cx);
    }

    /// Does what comes next for a source.
    fn advance(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get(&source) else { return };
        match remote.link {
            Link::Off if remote.jobs.is_empty() => {
                self.remotes.remove(&source);
                self.timers.clear(Timer::Source(source));
            }
            Link::Off => self.reach(source, cx),
            Link::Up(stream, _) => self.ask(source, stream, cx),
            Link::Calling(_) | Link::Pushing(_) | Link::Waiting(_) => {}
        }
    }

    /// The fetch is over: it has its bytes.
    fn finish(&mut self, id: FetchId) -> Option<Box<Job>> {
        let job = self.jobs.remove(&id)?;
        let remote = self.remotes.get_mut(&job.source)?;
        if let Some(at) = remote.jobs.iter().position(|known| *known == id) {
            remote.jobs.remove(at);
            remote.asked -= usize::from(at < remote.asked);
        }
        Some(job)
    }

    fn fail(&mut self, id: FetchId, error: FetchError, cx: &mut Cx<'_>) {
        if let Some(job) = self.finish(id) {
            let had = match job.kind {
                Kind::Range { range, at, .. } => at - range.start,
                Kind::Tree { .. } | Kind::List => 0,
            };
            cx.emit(Event::FetchFailed(id, error, had));
        }
    }

    /// The first fetch of a source has failed.
    pub(super) fn fail_front(&mut self, source: SourceId, error: FetchError, cx: &mut Cx<'_>) {
        if let Some(id) = self.remotes.get(&source).and_then(|remote| remote.jobs.front().copied()) {
            self.fail(id, error, cx);
        }
    }

    /// All fetches of a source have failed.
    fn fail_all(&mut self, source: SourceId, error: FetchError, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get(&source) else { return };
        for id in remote.jobs.iter().copied().collect::<Vec<_>>() {
            self.fail(id, error, cx);
        }
        self.advance(source, cx);
    }

    pub(super) fn cancel(&mut self, id: FetchId, cx: &mut Cx<'_>) {
        let Some(source) = self.jobs.get(&id).map(|job| job.source) else { return };
        let asked = self
            .remotes
            .get(&source)
            .is_some_and(|remote| remote.jobs.iter().take(remote.asked).any(|known| *known == id));
        self.finish(id);
        let idle = self
            .remotes
            .get(&source)
            .is_some_and(|remote| remote.jobs.is_empty() && !matches!(remote.link, Link::Up(..)));
        // What it asked for cannot be unasked.
        if asked || idle {
            self.drop_link(source, cx);
        }
        self.advance(source, cx);
    }

    pub(super) fn release_source(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        for id in std::mem::take(&mut remote.jobs) {
            self.jobs.remove(&id);
        }
        self.drop_link(source, cx);
        self.advance(source, cx);
    }

    /// Closes the connection of a source, if there is one.
    fn drop_link(&mut self, source: SourceId, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        let stream = remote.stream();
        remote.reset();
        self.timers.clear(Timer::Source(source));
        if let Some(stream) = stream {
            self.hang_up(stream, cx);
        }
    }

    /// We closed the connection while handling it.
    pub(super) fn on_hung_up(&mut self, source: SourceId, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        if remote.stream() == Some(stream) {
            let wait = remote.wait.take();
            remote.reset();
            if let Some(wait) = wait.filter(|_| !remote.jobs.is_empty()) {
                self.wait_for(source, None, wait, cx);
            }
        }
        self.advance(source, cx);
    }

    /// The connection ended by itself.
    pub(super) fn on_lost(&mut self, source: SourceId, stream: StreamId, end: StreamEnd, cx: &mut Cx<'_>) {
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        match &remote.link {
            Link::Calling(known) if *known == stream => return self.on_unreachable(source, cx),
            Link::Waiting(Some(known)) if *known == stream => {
                // The place is kept: we come back when it is time.
                remote.reset();
                remote.link = Link::Waiting(None);
                return;
            }
            Link::Up(known, phase) if *known == stream => {
                let (asked, requests) = (remote.asked, remote.requests);
                let whole = matches!(phase, Phase::Collect(None, None)) && end == StreamEnd::Finished;
                let unheard = matches!(phase, Phase::Reply);
                if whole {
                    self.end_collected(source, cx);
                } else if asked > 0 && !(unheard && requests > asked as u32 && self.may_repeat(source)) {
                    self.fail_front(source, FetchError::Interrupted, cx);
                }
            }
            _ => return,
        }
        self.on_hung_up(source, stream, cx);
    }

    /// Whether the first fetch may be asked for once more: a kept connection may be closed just when we ask.
    fn may_repeat(&mut self, source: SourceId) -> bool {
        let front = self.remotes.get(&source).and_then(|remote| remote.jobs.front().copied());
        front
            .and_then(|id| self.jobs.get_mut(&id))
            .is_some_and(|job| !std::mem::replace(&mut job.repeated, true))
    }
}

/// Whether a URN names that file.
fn names(urn: &str, sha1: &[u8; 20]) -> bool {
    Urn::parse(urn.trim().as_bytes()).and_then(|urn| urn.sha1()).is_none_or(|told| told == *sha1)
}

/// The servent id by which a source may be asked to call.
fn servent_of(push: &PushBy) -> Option<Guid> {
    match push {
        PushBy::Servent { servent, .. } => Some(*servent),
        PushBy::Number { .. } => None,
    }
}
