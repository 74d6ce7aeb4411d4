//! Time: slow logins, slow frames, statistics for everybody, searches that wait, links to be called.
//!
//! Connections are looked at in [`SLICES`] parts of each statistics interval, so that a hundred thousand users cost a
//! call of a few milliseconds each second, not of a second each minute.

use super::command::Violation;
use super::config::Config;
use super::connections::{ConnId, Phase, seconds};
use super::{Cx, Server};
use std::time::Duration;
use throng_machine::{Deadline, Instant};
use throng_wire::napster::ServerMessage;

/// Parts of the statistics interval.
const SLICES: u32 = 64;

/// How long one part waits for the next.
pub(super) fn slice_of(config: &Config) -> Duration {
    config.stats_interval / SLICES
}

impl Server {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        if self.connections.len() > 0 {
            deadline.at(self.next_slice);
        }
        deadline.at(self.fresh.front().map(|(at, _, _)| *at));
        deadline.at(self.searches.next_deadline());
        if !self.closing {
            deadline.at(self.links.next_deadline());
        }
        deadline.earliest()
    }

    pub(super) fn on_time(&mut self, cx: &mut Cx<'_>) {
        self.end_slow_logins(cx);
        self.end_slow_searches(cx);
        self.call_servers(cx);
        if self.connections.len() > 0 && cx.now() >= self.next_slice {
            self.look_at_slice(cx);
            self.slice = (self.slice + 1) % SLICES;
            self.next_slice = cx.now() + slice_of(&self.config);
        }
    }

    fn end_slow_logins(&mut self, cx: &mut Cx<'_>) {
        while self.fresh.front().is_some_and(|(at, _, _)| *at <= cx.now()) {
            let Some((_, conn, stream)) = self.fresh.pop_front() else { return };
            let Some(connection) = self.connections.get(conn) else { continue };
            // The number may be another connection's by now; passwords may take their time.
            let is_slow = match connection.phase {
                Phase::Fresh => true,
                Phase::Link(link) => !self.links.is_up(link),
                _ => false,
            };
            if connection.stream == stream && is_slow {
                self.punish(conn, Violation::LoginTooSlow, cx);
            }
        }
    }

    /// 214 to the users of a slice, and the end of those who began a frame long ago.
    fn look_at_slice(&mut self, cx: &mut Cx<'_>) {
        let now = seconds(cx.now());
        let patience = u32::try_from(self.config.frame_timeout.as_secs()).unwrap_or(u32::MAX);
        let stats = self.totals();
        let mut at = self.slice;
        while at < self.connections.end() {
            let conn = ConnId(at);
            at += SLICES;
            let Some(connection) = self.connections.get(conn) else { continue };
            let since = connection.frame_since;
            if since > 0 && now.saturating_sub(since) > patience {
                self.punish(conn, Violation::FrameTooSlow, cx);
            } else if let Phase::User(who) = connection.phase {
                self.tell_links_of_shares(who);
                self.tell(who, &ServerMessage::Stats(stats), cx);
            }
        }
    }
}

impl Server {
    /// Searches whose other servers have not answered in time end with what there is.
    fn end_slow_searches(&mut self, cx: &mut Cx<'_>) {
        while let Some(id) = self.searches.take_late(cx.now()) {
            self.finish_search(&id, cx);
        }
    }
}
