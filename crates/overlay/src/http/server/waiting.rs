//! Telling somebody to wait, and calling them when it is their turn (11.6).

use throng_machine::{ContentId, Endpoint, StreamId};
use throng_wire::http::{Headers, OldQueue, Opening, QueueId, Queued, Request};

use super::super::connection::{Conn, Next, Role};
use super::super::machine::{Cx, Timer, Transfer};
use super::super::violation::Violation;
use super::Serving;
use super::slots::Verdict;

/// Seconds, at least one.
fn seconds(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1)
}

impl Transfer {
    /// A slot's name, or the reply that there is none.
    pub(super) fn put_off(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        (request, content): (&Request, ContentId),
        verdict: Verdict,
        cx: &mut Cx<'_>,
    ) -> Result<Option<QueueId>, Next> {
        let mut more = Headers::default();
        let status = match verdict {
            Verdict::Granted(id) => return Ok(Some(id)),
            Verdict::Impatient => {
                super::set_keep(conn, false);
                self.blame(conn.address, Violation::Impatient, cx);
                more.push("Retry-After", seconds(self.config.queue_poll_max));
                (429, "Too Many Requests".to_owned())
            }
            Verdict::Full => {
                super::set_keep(conn, false);
                more.push("Retry-After", seconds(self.config.queue_poll_max));
                (503, "Too Many Waiting".to_owned())
            }
            Verdict::Wait { id, position, length, wait, lifetime, on_line } => {
                super::set_keep(conn, on_line);
                let retry = seconds(wait);
                let position = u32::try_from(position).unwrap_or(u32::MAX);
                more.push("Retry-After", retry);
                match request.headers.find("X-Queue").map(str::trim) {
                    Some("0.1") => {
                        let poll_max = seconds(lifetime);
                        more.push("X-Queue", OldQueue { position, poll_min: retry, poll_max });
                    }
                    Some(_) => {
                        let told = Queued {
                            id: Some(id),
                            position: Some(position),
                            length: u32::try_from(length).ok(),
                            lifetime: Some(seconds(lifetime)),
                            eta: Some(retry),
                        };
                        more.push("X-Queued", told);
                    }
                    None => {}
                }
                (503, format!("Queued (slot {position}, ETA: {retry}s)"))
            }
        };
        // Somebody else may have it.
        self.mesh.tell(content, None, conn.address, &mut more);
        let next = self.refuse_with(stream, conn, (status.0, &status.1), more, cx);
        if next == Next::Keep {
            self.timers.set(Timer::Conn(stream), cx.now() + self.idle_time(stream));
        }
        Err(next)
    }

    /// Calls those whose turn it is and who do not wait on a connection.
    pub(in super::super) fn call_next(&mut self, cx: &mut Cx<'_>) {
        while let Some((id, to)) = self.slots.next_call(&self.config, cx.now()) {
            let at = self.config.identity.address.map(|at| at.socket_addr());
            self.call_to_serve(to, Opening::Queue { id, at }, cx);
        }
        if self.slots.is_owed(&self.config) {
            self.timers.set(Timer::Queue, cx.now() + self.config.callback_gap);
        }
    }

    pub(in super::super) fn on_queue_due(&mut self, cx: &mut Cx<'_>) {
        self.call_next(cx);
    }

    /// Calls somebody who wants a file of ours, and serves them.
    pub(in super::super) fn call_to_serve(&mut self, to: Endpoint, words: Opening<'_>, cx: &mut Cx<'_>) {
        // Two pushes by two ways are one.
        let already =
            self.conns.values().any(|conn| conn.address == to && matches!(conn.role, Role::Calling(..)));
        if already || !to.is_dialable() {
            return;
        }
        if !self.calls.allow(to, self.config.max_calls_a_minute, cx.now()) {
            return self.count(Violation::Address);
        }
        let mut said = Vec::new();
        words.encode(&mut said);
        let serving = Serving { called: true, ..Serving::default() };
        self.call(to, Role::Calling(said, serving), cx);
    }
}
