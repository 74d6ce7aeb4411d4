//! What we ask (11.1, 11.3; 8 of FastTrack's note): the next range on a kept connection, one ahead of the replies.

use throng_machine::{Endpoint, StreamId};
use throng_wire::http::{Headers, Queued, Request, Target};

use super::super::command::SourceId;
use super::super::machine::{Cx, Timer, Transfer};
use super::{Job, Kind, Link, Phase, Remote};

/// What we can do, for those who ask.
pub(in super::super) const FEATURES: &str = "browse/1.0, fwalt/0.1, queue/1.0";

impl Transfer {
    /// Asks for what is next, as many as may be asked for at once.
    pub(super) fn ask(&mut self, source: SourceId, stream: StreamId, cx: &mut Cx<'_>) {
        let depth = match self.remotes.get(&source) {
            Some(remote) if remote.wait.is_some() => 0,
            Some(remote) if remote.served > 0 => self.config.pipeline.max(1),
            _ => 1,
        };
        while self.ask_one(source, stream, depth, cx) {}
        let Some(remote) = self.remotes.get_mut(&source) else { return };
        let Link::Up(_, phase) = &mut remote.link else { return };
        let within = match (&phase, remote.asked) {
            (Phase::Idle, 0) => self.config.idle_timeout,
            (Phase::Idle, _) => {
                *phase = Phase::Reply;
                self.config.reply_timeout
            }
            _ => return,
        };
        self.timers.set(Timer::Conn(stream), cx.now() + within);
    }

    fn ask_one(&mut self, source: SourceId, stream: StreamId, depth: usize, cx: &mut Cx<'_>) -> bool {
        let Some(remote) = self.remotes.get_mut(&source) else { return false };
        let Some(id) = remote.jobs.get(remote.asked).filter(|_| remote.asked < depth) else { return false };
        let (Some(job), Some(peer)) = (self.jobs.get(id), remote.peer) else { return false };
        let mut request = Request::get(&job.from.target);
        introduce(&mut request.headers, remote, peer, &self.config.identity);
        describe(&mut request.headers, job);
        if let Kind::Range { content, .. } = job.kind {
            // Who shares what it fetches, the part that is here, says so: others can have it from there.
            let shared =
                job.from.sha1.and_then(|sha1| self.shares.by_sha1(&sha1)).filter(|file| file.has_some());
            let own = shared.and(self.config.identity.address);
            self.mesh.tell(content, own, peer, &mut request.headers);
        }
        remote.asked += 1;
        remote.requests = remote.requests.saturating_add(1);
        cx.write(stream, |out| request.encode(out));
        true
    }
}

/// Who we are, in full only the first time on a connection.
fn introduce(headers: &mut Headers, remote: &Remote, peer: Endpoint, us: &super::super::config::Identity) {
    headers.push("Host", peer);
    if remote.requests == 0 {
        headers.push("User-Agent", &us.agent).push("X-Features", FEATURES);
    }
    headers.push("X-Queue", "1.0");
    if let Some(id) = remote.place {
        headers.push("X-Queued", Queued { id: Some(id), position: Some(0), ..Queued::default() });
    }
    if let Some(address) = us.address {
        headers.push("X-Node", address);
    }
}

/// What is wanted.
fn describe(headers: &mut Headers, job: &Job) {
    match &job.kind {
        Kind::Range { range, at, .. } => {
            headers.push("Range", format_args!("bytes={at}-{}", range.end - 1));
            if matches!(job.from.target, Target::FtHash(_)) {
                headers.push("Connection", "Keep-Alive").push("X-Kazaa-Network", "KaZaA");
            }
        }
        Kind::Tree { .. } => _ = headers.push("Accept", "application/dime"),
        Kind::List => _ = headers.push("Accept", "application/x-gnutella-packets"),
    }
}
