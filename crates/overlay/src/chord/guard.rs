//! Rates of sources that have not proved their address: a few messages a second, then silence for five minutes.

use super::config::Config;
use super::node::Node;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::IdRule;

/// How long a source that asked too much is not heard.
const SILENCE: Duration = Duration::from_secs(300);

/// The sources watched; empty while nobody misbehaves.
#[derive(Clone, Default, Debug)]
pub(crate) struct Guard {
    sources: Vec<Source>,
    joins: Vec<(u64, u8, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    of: Endpoint,
    since: Instant,
    count: u8,
    silenced: bool,
}

impl Guard {
    /// Whether a message of an unproved source may be looked at.
    pub(crate) fn admits(&mut self, of: Endpoint, limits: (u8, u16), now: Instant) -> bool {
        let (rate, most) = limits;
        if let Some(source) = self.sources.iter_mut().find(|source| source.of == of) {
            let span = if source.silenced { SILENCE } else { Duration::from_secs(1) };
            if now.since(source.since) >= span {
                *source = Source { of, since: now, count: 0, silenced: false };
            }
            source.count = source.count.saturating_add(1);
            if source.count > rate && !source.silenced {
                (source.silenced, source.since) = (true, now);
            }
            return !source.silenced;
        }
        if self.sources.len() >= usize::from(most) {
            self.sources.retain(|source| {
                now.since(source.since) < if source.silenced { SILENCE } else { Duration::from_secs(1) }
            });
        }
        if self.sources.len() >= usize::from(most) {
            // More strangers at once than can be watched: none of them is served.
            return false;
        }
        self.sources.push(Source { of, since: now, count: 1, silenced: false });
        true
    }

    /// Whether one more may join from this /24 (/48) within a minute; everybody may where addresses are private.
    pub(crate) fn admits_join(&mut self, config: &Config, node: &Node, now: Instant) -> bool {
        if config.id_rule == IdRule::Open {
            return true;
        }
        let minute = Duration::from_secs(60);
        self.joins.retain(|(_, _, since)| now.since(*since) < minute);
        let prefix = prefix24(node);
        let room = self.joins.len() < usize::from(config.limits.sources);
        match self.joins.iter_mut().find(|(of, _, _)| *of == prefix) {
            Some((_, count, _)) => {
                *count = count.saturating_add(1);
                *count <= config.limits.joins
            }
            None if room => {
                self.joins.push((prefix, 1, now));
                true
            }
            None => false,
        }
    }

    /// A source has proved its address.
    pub(crate) fn forget(&mut self, of: Endpoint) {
        if !self.sources.is_empty() {
            self.sources.retain(|source| source.of != of);
            if self.sources.is_empty() {
                self.sources = Vec::new();
            }
        }
    }
}

/// The first three bytes of an IPv4 address, the first six of an IPv6 one.
fn prefix24(node: &Node) -> u64 {
    match node.endpoint.ip() {
        std::net::IpAddr::V4(ip) => u64::from(u32::from(ip) >> 8),
        std::net::IpAddr::V6(ip) => (u128::from(ip) >> 80) as u64 | 1 << 63,
    }
}
