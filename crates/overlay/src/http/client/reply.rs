//! What a reply's head says (11.2): these bytes of that file, wait, or no.

use std::ops::Range;

use throng_machine::StreamId;
use throng_wire::http::{Chunks, ContentRange, Queued, Reply, parse_available, parse_thex_uri};

use super::super::command::{FetchId, SourceId};
use super::super::connection::{Conn, Next};
use super::super::event::{Description, Event, FetchError};
use super::super::machine::{Cx, Timer, Transfer};
use super::super::mesh::Alternates;
use super::super::violation::Violation;
use super::{Job, Kind, Link, Phase, names};

/// Bytes of a refusal passed over to keep the connection.
const MAX_SKIPPED: u64 = 64 << 10;
/// Letters of a magnet link or of a program's name taken.
const MAX_TEXT: usize = 1_024;

impl Transfer {
    /// A head has come; the bytes behind it are not looked at yet.
    pub(super) fn on_reply(
        &mut self,
        source: SourceId,
        stream: StreamId,
        conn: &mut Conn,
        reply: &Reply,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(remote) = self.remotes.get_mut(&source) else { return Next::Close };
        let Some(id) = remote.jobs.front().copied().filter(|_| remote.asked > 0) else {
            return self.breach(conn, Violation::OutOfTurn, cx);
        };
        remote.keep = reply.keeps_alive();
        if let Some(place) = reply.headers.find("X-Queued").and_then(|value| Queued::parse(value).id) {
            remote.place = Some(place);
        }
        self.tell_of(id, conn, reply, cx);
        match reply.code {
            200 | 206 => match self.accept(id, reply) {
                Ok(phase) => return self.receive(source, stream, phase, cx),
                Err(FetchError::Violation) => return self.breach(conn, Violation::Mismatch, cx),
                Err(error) => {
                    // Its bytes are of no use: the connection is not worth passing over them.
                    self.fail(id, error, cx);
                    return Next::Close;
                }
            },
            503 => self.on_busy(source, id, reply, cx),
            404 | 410 => self.fail(id, FetchError::NotFound, cx),
            416 => self.fail(id, FetchError::NotAvailable, cx),
            code => self.fail(id, FetchError::Refused(code), cx),
        }
        self.skip(source, stream, reply, cx)
    }

    /// A connection that gives bytes.
    fn receive(&mut self, source: SourceId, stream: StreamId, phase: Phase, cx: &mut Cx<'_>) -> Next {
        let Some(remote) = self.remotes.get_mut(&source) else { return Next::Close };
        (remote.waits, remote.served) = (0, remote.served.saturating_add(1));
        remote.link = Link::Up(stream, phase);
        self.timers.set(Timer::Conn(stream), cx.now() + self.config.stall_timeout);
        if matches!(remote.link, Link::Up(_, Phase::Collect(Some(0), _))) {
            self.end_collected(source, cx);
            return Next::Keep;
        }
        // While these bytes come, the next request is on its way.
        if remote.keep {
            self.ask(source, stream, cx);
        }
        Next::Keep
    }

    /// Passes over what a refusal says in its body.
    fn skip(&mut self, source: SourceId, stream: StreamId, reply: &Reply, cx: &mut Cx<'_>) -> Next {
        let Some(remote) = self.remotes.get_mut(&source) else { return Next::Close };
        let length = reply.content_length().ok().flatten();
        let known = length.or(remote.keep.then_some(0)).filter(|_| !reply.is_chunked());
        match known.filter(|length| *length <= MAX_SKIPPED) {
            Some(left) => {
                remote.link = Link::Up(stream, Phase::Skip(left));
                self.timers.set(Timer::Conn(stream), cx.now() + self.config.reply_timeout);
                Next::Keep
            }
            None => Next::Close,
        }
    }

    /// Hands on what the source says of the file and of others who have it.
    fn tell_of(&mut self, id: FetchId, conn: &Conn, reply: &Reply, cx: &mut Cx<'_>) {
        let Some(job) = self.jobs.get(&id) else { return };
        if !matches!(job.kind, Kind::Range { .. }) || !matches!(reply.code, 200 | 206 | 416 | 503) {
            return;
        }
        let find = |name: &str| reply.headers.find(name);
        let text = |name: &str| find(name).map(|value| value.chars().take(MAX_TEXT).collect::<String>());
        let first = self.remotes.get(&job.source).is_some_and(|remote| remote.served == 0);
        let said = Description {
            size: find("Content-Range").and_then(ContentRange::parse).and_then(|range| range.total),
            tiger_root: find("X-Thex-URI").and_then(parse_thex_uri).map(|(_, root)| root),
            magnet: text("X-Magnet").filter(|link| link.starts_with("magnet:?")),
            available: find("X-Available-Ranges").map(parse_available),
            agent: text("Server").or_else(|| text("User-Agent")),
        };
        if first || said.available.is_some() {
            cx.emit(Event::Described(id, Box::new(said)));
        }
        let others = Alternates::read(&reply.headers, conn.address);
        if !others.is_empty() {
            cx.emit(Event::Alternates(id, Box::new(others)));
        }
    }

    /// What bytes follow a 200 or 206, if they are those that were asked for.
    fn accept(&mut self, id: FetchId, reply: &Reply) -> Result<Phase, FetchError> {
        let job = self.jobs.get(&id).ok_or(FetchError::Violation)?;
        let length = reply.content_length().map_err(|_| FetchError::Violation)?;
        let coded = reply.headers.find("Content-Encoding").is_some_and(|coding| coding.trim() != "identity");
        if coded {
            return Err(FetchError::Violation);
        }
        let most = match &job.kind {
            Kind::Range { range, at, .. } => return accept_range(job, reply, length, *at..range.end),
            Kind::Tree { .. } => self.config.max_tree,
            Kind::List => self.config.max_list,
        };
        if length.is_some_and(|length| length > most as u64) {
            return Err(FetchError::Violation);
        }
        let chunks = reply.is_chunked().then(Chunks::default);
        // Without a length the end of the connection is the end of the list.
        let length = length.filter(|_| chunks.is_none());
        if length.is_none() && chunks.is_none() && reply.keeps_alive() {
            return Err(FetchError::Violation);
        }
        Ok(Phase::Collect(length, chunks))
    }
}

/// The bytes must begin where they were asked for, and be of the same file; fewer are fine, more are not.
fn accept_range(
    job: &Job,
    reply: &Reply,
    length: Option<u64>,
    wanted: Range<u64>,
) -> Result<Phase, FetchError> {
    let told = reply.headers.find("X-Gnutella-Content-URN").or_else(|| reply.headers.find("X-Content-URN"));
    if job.from.sha1.is_some_and(|sha1| told.is_some_and(|urn| !names(urn, &sha1))) {
        return Err(FetchError::AnotherFile);
    }
    let range = match reply.headers.find("Content-Range") {
        Some(value) => ContentRange::parse(value).ok_or(FetchError::Violation)?,
        // All of the file.
        None if reply.code == 200 => {
            let total = length.filter(|length| *length > 0).ok_or(FetchError::Violation)?;
            ContentRange { first: 0, last: total - 1, total: Some(total) }
        }
        None => return Err(FetchError::Violation),
    };
    if job.from.size.is_some_and(|size| range.total.is_some_and(|total| total != size)) {
        return Err(FetchError::AnotherFile);
    }
    let fits = range.first == wanted.start && range.last < wanted.end;
    if !fits || reply.is_chunked() || length.is_some_and(|length| length != range.len()) {
        return Err(FetchError::Violation);
    }
    Ok(Phase::Body(range.len()))
}
