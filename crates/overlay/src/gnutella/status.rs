//! What a servent shows of itself to people.

use super::config::Role;
use super::machine::Servent;
use super::metrics::Metrics;
use super::violation::Violation;
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};

/// One link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkStatus {
    /// The other end of the connection.
    pub peer: Endpoint,
    /// What it is.
    pub role: Role,
    /// Its name and version.
    pub agent: String,
    /// We called.
    pub outgoing: bool,
    /// Whether what comes and what leaves is deflated.
    pub deflated: (bool, bool),
    /// How long it has been up.
    pub up: Duration,
    /// Messages that came and left.
    pub messages: (u32, u32),
    /// Bytes that came, as they came, and that left, before they were deflated.
    pub bytes: (u64, u64),
    /// Bytes that wait to leave.
    pub waiting: u32,
    /// Its route table: present entries of how many.
    pub table: Option<(u32, u32)>,
}

/// All of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    /// What it is.
    pub role: Role,
    /// Whether it is in.
    pub joined: bool,
    /// Where it says that it listens.
    pub listen: Option<SocketAddrV4>,
    /// Whether it believes that nobody can call it.
    pub firewalled: bool,
    /// Its links.
    pub links: Vec<LinkStatus>,
    /// Queries remembered, and servents to whom a push would find its way.
    pub routes: (usize, usize),
    /// Servents known to call.
    pub hosts: usize,
    /// Files and KiB shared.
    pub shared: (u32, u32),
    /// Searches of its own, and those it carries on as an ultrapeer.
    pub searches: (usize, usize),
    /// Its counters.
    pub metrics: Metrics,
    /// What peers did wrong.
    pub violations: Vec<(Violation, u64)>,
}

impl Servent {
    /// All of it, now.
    pub fn status(&self, now: Instant) -> Status {
        let routes = self
            .tables
            .as_ref()
            .map_or((0, 0), |tables| (tables.queries.remembered(), tables.servents.len()));
        Status {
            role: self.role,
            joined: self.joined,
            listen: self.listen(),
            firewalled: self.seen_as.is_firewalled(now),
            links: self.link_statuses(now),
            routes,
            hosts: self.hosts.len(),
            shared: self.library.size(),
            searches: (
                self.searches.as_ref().map_or(0, |searches| searches.len()),
                self.ultrapeer.as_ref().map_or(0, |ultrapeer| ultrapeer.dynamic.len()),
            ),
            metrics: *self.metrics,
            violations: self.violations.iter().collect(),
        }
    }

    fn link_statuses(&self, now: Instant) -> Vec<LinkStatus> {
        let up = self.links.iter().filter_map(|link| Some((link.peer, link.live()?)));
        let status = up.map(|(peer, live)| LinkStatus {
            peer,
            role: live.greeting.role,
            agent: live.greeting.agent.to_string(),
            outgoing: live.outgoing,
            deflated: live.deflated(),
            up: now - live.since,
            messages: live.messages.into(),
            bytes: live.bytes.into(),
            waiting: live.queue.waiting(),
            table: live.table.as_ref().and_then(|received| received.table.as_ref()).map(|table| {
                let dense = table.dense();
                (dense.count(), dense.entries())
            }),
        });
        status.collect()
    }

    /// How many links of a role are up.
    pub fn links(&self, role: Role) -> usize {
        self.count(role)
    }

    /// Whom it is linked with, at the addresses where they can be called as far as that is known.
    pub fn neighbours(&self) -> impl Iterator<Item = (Endpoint, Role)> + '_ {
        self.links.iter().filter_map(|link| Some((link.address(), link.role()?)))
    }

    /// Servents known to call, as lines to be kept on disk, the best first.
    pub fn known(&self, now: Instant) -> Vec<crate::host_cache::Line> {
        self.hosts.lines(now)
    }

    /// Gives back what was kept.
    pub fn restore(&mut self, lines: &[crate::host_cache::Line], now: Instant) {
        let limits = self.config.limits.hosts;
        lines.iter().for_each(|line| self.hosts.restore(line, &limits, now));
    }
}
