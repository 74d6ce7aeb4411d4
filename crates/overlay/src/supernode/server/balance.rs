//! How many ordinary nodes: becoming a supernode and ceasing to be one.
//!
//! A supernode with too many asks the best of its ordinary nodes that would be one, and has been reached by a call
//! back, to become one; when that is linked, some of the others are sent there. A supernode with few, whose neighbours
//! have room and none of whom has fewer, tells its node that it is not needed. So each settles between
//! [`Config::demote_below`] and [`Config::promote_above`](super::Config::promote_above).
//!
//! What a candidate says of itself counts only where it cannot be measured (memory, its uptime before it came); that
//! it is reachable and how fast it sends is measured by the call back, and how long it has been attached here. A
//! supernode whose memory falls below half of what a candidate must have ends too, and so does one whose line falls: most of
//! its links have stood for a while, as what it says does not get away.

use super::connections::{Call, ConnId, Phase, Probe, Probed};
use super::linking::SAMPLE;
use super::{Config, Cx, Server, Timer};
use crate::supernode::{endpoint, v4};
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::supernode::Ours as Words;

/// How long one that was asked may take to be linked before another is asked.
const TO_RISE: Duration = Duration::from_secs(30);
/// Between two calls back of one candidate.
const PROBE_AGAIN: Duration = Duration::from_secs(600);
/// Calls back of candidates at once.
const MAX_PROBES: usize = 4;
/// So long most links must stand before the line is too slow.
const STANDS: Duration = Duration::from_secs(20);
/// With fewer links it may be the others' fault.
const TO_JUDGE: usize = 3;
/// A rate above this is not told apart; kbit/s.
const MOST_KILOBITS: u64 = 10_000_000;

/// Changes under way.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// Who was asked to become a supernode, and until when it may take.
    rising: Option<(u64, Instant)>,
    /// Since when there have been too few.
    few_since: Option<Instant>,
    /// This machine has less memory to give than it must.
    lacks_memory: bool,
}

impl Server {
    /// A node of ours said what it is: it is called back if it would be a supernode and that was not done lately.
    pub(super) fn consider(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(connection) = self.connections.get(conn) else { return };
        let (stream, from) = (connection.stream, connection.from);
        let Some(ip) = v4(from).map(|at| *at.ip()) else { return };
        let is_busy = self.connections.probing() >= MAX_PROBES;
        let Some(ours) = self.connections.member_mut(conn).and_then(|member| member.ours.as_mut()) else {
            return;
        };
        let is_late = ours.probed.is_none_or(|at| now.since(at) >= PROBE_AGAIN);
        if !ours.said.willing || ours.said.port == 0 || !is_late || is_busy {
            return;
        }
        ours.probed = Some(now);
        let (to, instance) = (SocketAddrV4::new(ip, ours.said.port), ours.said.instance);
        if !endpoint(to).is_dialable() || !self.calls.allow(endpoint(to), 60, now) {
            return;
        }
        let nonce = cx.rng().next_u64();
        let whom = Probed::Member(conn, stream);
        self.call(to, Call::Probe(Probe { nonce, instance, whom, answered: None, bytes: 0 }), cx);
    }

    /// A candidate that was reached sends a sample.
    pub(super) fn measure(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get(conn) else { return };
        let Phase::Calling(call) = &connection.phase else { return };
        let Call::Probe(Probe { whom: Probed::Member(member, stream), answered: Some(at), bytes, .. }) =
            **call
        else {
            return;
        };
        if bytes < SAMPLE {
            return;
        }
        self.close(conn, cx);
        let micros = u64::try_from(cx.now().since(at).as_micros()).unwrap_or(u64::MAX).max(1);
        let kilobits = (u64::from(bytes) * 8_000 / micros).min(MOST_KILOBITS) as u32;
        if self.connections.is(member, stream)
            && let Some(ours) = self.connections.member_mut(member).and_then(|member| member.ours.as_mut())
        {
            ours.kilobits = Some(kilobits);
        }
    }

    /// What this machine could give now.
    pub(super) fn has_memory(&mut self, mebibytes: u32) {
        self.balance.lacks_memory = mebibytes < self.config.least_mebibytes / 2;
    }

    pub(super) fn balance(&mut self, cx: &mut Cx<'_>) {
        let jitter = Duration::from_millis(u64::from(cx.rng().below(1_000)));
        self.timers.set(Timer::Balance, cx.now() + self.config.balance_every + jitter);
        self.send_lists(cx);
        if (self.balance.lacks_memory && self.links.up() > 0) || self.is_choked(cx.now()) {
            self.is_superfluous = true;
        }
        if self.members > self.config.promote_above {
            self.balance.few_since = None;
            return self.relieve(cx);
        }
        if self.members < self.config.demote_below {
            self.consider_ending(cx);
            return;
        }
        self.balance.few_since = None;
    }

    /// Whether the line does not carry what this supernode has to say.
    fn is_choked(&self, now: Instant) -> bool {
        let up = || self.links.iter().filter(|(_, link)| !link.passing);
        let stands = |since: Option<Instant>| since.is_some_and(|since| now.since(since) >= STANDS);
        let standing = up().filter(|(_, link)| stands(link.queue.congested_since())).count();
        standing >= TO_JUDGE && standing * 2 > up().count()
    }

    /// There are too many: another supernode takes some, or one is made.
    fn relieve(&mut self, cx: &mut Cx<'_>) {
        let spare = self.room_elsewhere();
        if let Some((to, room)) = spare.filter(|(_, room)| *room > 0) {
            let surplus = u32::from(self.members - self.config.promote_above) + u32::from(self.members) / 4;
            return self.send_away(to, surplus.min(room), cx);
        }
        let now = cx.now();
        let waits = self
            .balance
            .rising
            .is_some_and(|(instance, until)| now < until && self.links.of_instance(instance).is_none());
        if waits {
            return;
        }
        let Some((conn, instance)) = self.best_candidate(now) else { return };
        self.balance.rising = Some((instance, now + TO_RISE));
        self.metrics.promotions += 1;
        self.send_ours(conn, &Words::Promote, cx);
    }

    /// The neighbour with most room below the middle of the wanted range, and how much.
    fn room_elsewhere(&self) -> Option<(SocketAddrV4, u32)> {
        let middle = (self.config.demote_below + self.config.promote_above) / 2;
        let room =
            self.links.iter().filter(|(_, link)| link.proved && !link.passing).filter_map(|(_, link)| {
                let room = middle.min(link.standing.slots).saturating_sub(link.standing.members);
                Some((link.listens?, u32::from(room)))
            });
        room.max_by_key(|(_, room)| *room)
    }

    /// Sends so many nodes of ours to another supernode; others find their own way.
    fn send_away(&mut self, to: SocketAddrV4, count: u32, cx: &mut Cx<'_>) {
        let ours = self.connections.members().filter(|(_, member)| member.ours.is_some());
        let some: Vec<ConnId> = ours.map(|(conn, _)| conn).take(count as usize).collect();
        if let Some(link) = self.links.to(to)
            && let Some(link) = self.links.get_mut(link)
        {
            // Until it says how it stands itself.
            link.standing.members = link.standing.members.saturating_add(some.len() as u16);
        }
        self.metrics.moved += some.len() as u64;
        for conn in some {
            self.send_ours(conn, &Words::Move(to), cx);
        }
    }

    /// The fastest of those that fulfil all conditions.
    fn best_candidate(&self, now: Instant) -> Option<(ConnId, u64)> {
        let config = &self.config;
        let minutes = u32::try_from(config.least_uptime.as_secs() / 60).unwrap_or(u32::MAX);
        let fit = self.connections.members().filter_map(|(conn, member)| {
            let ours = member.ours.as_ref()?;
            let kilobits = ours.kilobits?;
            let is_fit = ours.said.willing
                && kilobits >= config.least_kilobits
                && ours.said.mebibytes >= config.least_mebibytes
                && ours.said.minutes >= minutes
                && now.since(member.since) >= config.least_attached
                && self.balance.rising.is_none_or(|(instance, _)| instance != ours.said.instance);
            is_fit.then_some((kilobits, conn, ours.said.instance))
        });
        fit.max_by_key(|(kilobits, conn, _)| (*kilobits, conn.0)).map(|(_, conn, instance)| (conn, instance))
    }

    /// There are few: if others can carry them and this is the emptiest around, it is not needed.
    fn consider_ending(&mut self, cx: &Cx<'_>) {
        let now = cx.now();
        let since = *self.balance.few_since.get_or_insert(now);
        let is_early =
            now.since(self.since) < self.config.least_term || now.since(since) < self.config.least_term / 2;
        if is_early || self.links.up() == 0 {
            return;
        }
        let neighbours = || self.links.iter().filter(|(_, link)| link.proved && !link.passing);
        let room: u32 = neighbours()
            .map(|(_, link)| {
                let standing = &link.standing;
                u32::from(self.config.promote_above.min(standing.slots).saturating_sub(standing.members))
            })
            .sum();
        let is_least = neighbours()
            .all(|(_, link)| (link.standing.members, link.instance) > (self.members, self.instance));
        if is_least && room >= u32::from(self.members) {
            self.is_superfluous = true;
        }
    }

    /// What the application may want to know of the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
