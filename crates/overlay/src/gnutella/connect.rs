//! Links: who is called, what a new one begins with, what its end means, and whether they live.

use super::coding::Inflater;
use super::command::Event;
use super::config::Role;
use super::link::{Greeting, Link, Live, Phase};
use super::machine::{Cx, Servent};
use super::send::WORTH_WAITING;
use crate::dial::callable;
use crate::discovery;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use throng_machine::{Endpoint, Instant, StreamId, Via};
use throng_wire::gnutella::ByeCode;

/// A leaf says something at least this often: gtk-gnutella lets those go who do not in 120 s.
const LEAF_SPEAKS: Duration = Duration::from_secs(60);
/// A call that has come to nothing for so long is no longer waited for before others are called; it may still succeed.
const SLOW: Duration = Duration::from_secs(3);
/// Calls that are not waited for, as a multiple of those that are.
const MOST_SLOW: usize = 4;
/// After so long of a standing queue its pings and queries are given up.
pub(super) const GIVE_UP: Duration = Duration::from_secs(30);

/// What a link needs at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// The handshake took too long.
    Late,
    /// Somebody has to say something.
    Ping { counts: bool },
    /// It answers no pings.
    Dead,
    /// Its queue stood for too long.
    Stuck,
    /// What waits is to be given up.
    Relieve,
}

impl Servent {
    /// A handshake is done.
    pub(super) fn link_up(
        &mut self,
        stream: StreamId,
        greeting: Greeting,
        (inflates, deflates): (bool, bool),
        cx: &mut Cx<'_>,
    ) {
        let (now, role) = (cx.now(), self.role);
        let Some(link) = self.link_mut(stream) else { return };
        let Phase::Shaking(shaking) = &link.phase else { return };
        let (peer, outgoing) = (link.peer, shaking.outgoing);
        let (theirs, vendor) = (greeting.role, greeting.vendor);
        let mut live = Live::new(greeting, outgoing, now);
        live.takes_tables = theirs == Role::Ultrapeer && (role == Role::Leaf || live.greeting.tables);
        if inflates {
            live.rare_mut().inflater = Some(Box::new(Inflater::new()));
        }
        if deflates {
            live.rare_mut().deflater = Some(Box::default());
        }
        link.phase = Phase::Up(theirs, Box::new(live));
        cx.emit(Event::Linked { peer, role: theirs });
        if theirs == Role::Leaf
            && let Some(ultrapeer) = &mut self.ultrapeer
        {
            ultrapeer.leaf_seen = Some(now);
        }
        if !std::mem::replace(&mut self.joined, true) {
            cx.emit(Event::Discovery(discovery::Event::Joined));
        }
        if vendor {
            self.introduce(stream, cx);
        }
        self.table_to(stream, cx);
        if theirs != Role::Leaf {
            self.ask_for_pongs(stream, cx);
            self.ask_newcomer(stream, cx);
        }
        self.arm(stream);
    }

    /// A link that was up is gone.
    pub(super) fn on_gone(&mut self, link: Link, said: Option<ByeCode>, cx: &mut Cx<'_>) {
        let Phase::Up(_, live) = &link.phase else { return };
        let now = cx.now();
        cx.emit(Event::Unlinked { peer: link.peer, said });
        self.forget_asked(link.stream, cx);
        if live.is_ultrapeer() {
            self.neighbours_changed(cx);
        }
        if live.is_leaf() && live.table.is_some() {
            self.table_changed(now);
        }
        if said.is_none() && live.outgoing {
            // It may be gone for good: others first.
            let limits = self.config.limits.hosts;
            self.hosts.failed(&link.peer, &limits, now);
        }
        let alone = !self.links.iter().any(|link| link.live().is_some());
        if alone && self.joined && !self.leaving && !self.entries.is_empty() {
            self.joined = false;
            cx.emit(Event::Isolated);
        }
        self.look_for_links(cx);
    }

    /// Calls others until there are links enough.
    pub(super) fn look_for_links(&mut self, cx: &mut Cx<'_>) {
        if !self.joining || self.leaving {
            return;
        }
        let limits = self.config.limits;
        let (role, wanted) = match self.role {
            Role::Plain => (Role::Plain, limits.plain),
            Role::Leaf => (Role::Ultrapeer, limits.leaf_ultrapeers),
            // A quarter is left to those who call.
            Role::Ultrapeer => (Role::Ultrapeer, limits.ultrapeers.div_ceil(4) * 3),
        };
        let (have, now) = (self.count_sound(role), cx.now());
        // Whoever is cut off calls several: those that died with its neighbours are known to it just as well.
        let wanted = if have == 0 { wanted.max(limits.attempts) } else { wanted };
        let (mut calling, slow) = self.calls(now);
        let most = limits.attempts.min((limits.attempts * MOST_SLOW).saturating_sub(slow));
        while have + calling < wanted && calling < most {
            let Some(to) = self.next_host(have + calling == 0, now) else {
                self.ask_host_caches(cx);
                return;
            };
            let stream = cx.open(Via::Tcp, to);
            self.insert(stream, to, true, cx);
            self.wake_by(now + SLOW);
            calling += 1;
        }
    }

    /// Calls under way that are waited for, and those that are so no longer. Wakes when one of the former joins the latter.
    fn calls(&mut self, now: Instant) -> (usize, usize) {
        let latest = now + self.config.timing.handshake;
        let left = |link: &Link| match &link.phase {
            Phase::Shaking(shaking) if shaking.outgoing => Some((shaking.deadline + SLOW) - latest),
            _ => None,
        };
        let (slow, fresh): (Vec<_>, Vec<_>) =
            self.links.iter().filter_map(left).partition(|left| left.is_zero());
        if let Some(left) = fresh.iter().min() {
            self.wake_by(now + *left);
        }
        (fresh.len(), slow.len())
    }

    /// How many links of that role are up and answer: one that let two pings pass is likely to be dead, and others are
    /// called before that is sure.
    pub(super) fn count_sound(&self, role: Role) -> usize {
        self.links.iter().filter(|link| link.role() == Some(role) && link.unanswered < 2).count()
    }

    /// Calls one that the application names.
    pub(super) fn call(&mut self, to: Endpoint, cx: &mut Cx<'_>) {
        let known = self.links.iter().any(|link| link.peer == to || link.address() == to);
        if self.joining && !known && to.is_dialable() {
            let stream = cx.open(Via::Tcp, to);
            self.insert(stream, to, true, cx);
        }
    }

    /// Whom to call next; if nobody may be called now, wakes when somebody may.
    fn next_host(&mut self, alone: bool, now: Instant) -> Option<Endpoint> {
        let limits = self.config.limits.hosts;
        if alone && self.entries_at <= now {
            // Where the application said to enter is never given up.
            self.entries_at = now + limits.first_wait;
            let mut entries = std::mem::take(&mut self.entries);
            entries.iter().for_each(|at| _ = self.hosts.add(*at, &limits, now));
            std::mem::swap(&mut self.entries, &mut entries);
        }
        let own = self.listen().map(|at| Endpoint::v4(at.ip().octets(), at.port()));
        let links = &self.links;
        let free = |at: &Endpoint| {
            Some(*at) != own && !links.iter().any(|link| link.peer == *at || link.address() == *at)
        };
        let next = self.hosts.next(&limits, now, free);
        if next.is_none() {
            let at = self.hosts.next_try(free);
            if let Some(at) = at {
                self.wake_by(at);
            }
            if alone && !self.entries.is_empty() {
                self.wake_by(self.entries_at);
            }
        }
        next
    }

    /// Somebody tells us of a servent; nobody near us is called on the word of one far away.
    pub(super) fn add_host(&mut self, told_by: Endpoint, at: SocketAddrV4, now: Instant) {
        let limits = self.config.limits.hosts;
        if let Some(at) = callable(told_by, *at.ip(), at.port()) {
            self.hosts.add(at, &limits, now);
        }
    }

    /// Up to so many servents to tell one of: those we are linked with first. Each is told of others: were they the
    /// same ones, all would call these.
    pub(super) fn known_hosts(&self, most: usize, to: Endpoint) -> Vec<SocketAddrV4> {
        let floods = |link: &&Link| link.role().is_some_and(|role| role != Role::Leaf);
        let mut linked: Vec<Endpoint> = self.links.iter().filter(floods).map(Link::address).collect();
        let start = self.hosts.draw(&to) % linked.len().max(1) as u64;
        linked.rotate_left(start as usize);
        let mut known: Vec<SocketAddrV4> = Vec::new();
        for at in linked.into_iter().chain(self.hosts.best(most)) {
            if let std::net::SocketAddr::V4(at) = at.socket_addr()
                && known.len() < most
                && at != except_v4(to)
                && !known.contains(&at)
            {
                known.push(at);
            }
        }
        known
    }

    /// Where we say that we listen, if we know it.
    pub fn listen(&self) -> Option<SocketAddrV4> {
        let own = self.me.listen;
        let ip = if own.ip().is_unspecified() { self.seen_as.address()? } else { *own.ip() };
        Some(SocketAddrV4::new(ip, own.port()))
    }

    pub(super) fn address_or_unspecified(&self) -> SocketAddrV4 {
        self.listen().unwrap_or(self.me.listen)
    }

    pub(super) fn on_seen_as(&mut self, seen: Ipv4Addr, peer: Endpoint) {
        if self.me.listen.ip().is_unspecified() {
            self.seen_as.vote(peer, seen);
        }
    }

    /// Wakes when a link next needs something.
    fn arm(&mut self, stream: StreamId) {
        if let Some(at) = self.link(stream).map(|link| self.due_at(link)) {
            self.look_by(stream, at);
        }
    }

    /// Looks at a link then, or sooner.
    pub(super) fn look_by(&mut self, stream: StreamId, at: Instant) {
        if let Some(link) = self.link_mut(stream) {
            link.due = link.due.min(at);
            self.wake_by(at);
        }
    }

    /// How long a link may be silent, and how long we may be.
    fn quiet(&self, live: &Live) -> (Duration, Option<Duration>) {
        let timing = &self.config.timing;
        match (self.role, live.greeting.role) {
            (_, Role::Leaf) => (timing.leaf_quiet, None),
            (Role::Leaf, _) => (timing.quiet, Some(LEAF_SPEAKS)),
            _ => (timing.quiet, Some(timing.quiet)),
        }
    }

    fn due_at(&self, link: &Link) -> Instant {
        let live = match &link.phase {
            Phase::Shaking(shaking) => return shaking.deadline,
            Phase::Up(_, live) => live,
        };
        let (quiet, speaks) = self.quiet(live);
        let asked = live.pinged + self.config.timing.ping_wait;
        let mut at = if link.unanswered == 0 { live.heard + quiet } else { asked };
        if let Some(speaks) = speaks {
            at = at.min(live.spoke + speaks);
        }
        if let Some(since) = live.queue.congested_since() {
            at = at.min(since + GIVE_UP);
        }
        if live.queue.backlog() > 0 {
            at = at.min(live.drained + self.config.timing.congested);
        }
        at
    }

    fn due(&self, link: &Link, now: Instant) -> Option<Due> {
        let live = match &link.phase {
            Phase::Shaking(shaking) => return (shaking.deadline <= now).then_some(Due::Late),
            Phase::Up(_, live) => live,
        };
        let timing = &self.config.timing;
        if live.queue.backlog() > 0 && now - live.drained >= timing.congested {
            return Some(Due::Stuck);
        }
        if live.queue.congested_since().is_some_and(|since| now - since >= GIVE_UP) {
            return Some(Due::Relieve);
        }
        let (quiet, speaks) = self.quiet(live);
        if link.unanswered > 0 {
            let waited = now >= live.pinged + timing.ping_wait;
            let dead = link.unanswered >= timing.ping_misses;
            return waited.then_some(if dead { Due::Dead } else { Due::Ping { counts: true } });
        }
        if now >= live.heard + quiet {
            return Some(Due::Ping { counts: true });
        }
        speaks.filter(|speaks| now >= live.spoke + *speaks).map(|_| Due::Ping { counts: false })
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        // Of hundreds of links few need something at a time, and each lies elsewhere in memory.
        let looked_at = self.links.iter().filter(|link| link.due <= now);
        let due: Vec<(StreamId, Due)> =
            looked_at.filter_map(|link| Some((link.stream, self.due(link, now)?))).collect();
        for (stream, due) in due {
            self.on_due(stream, due, cx);
        }
        self.tick_table(cx);
        self.tick_around(cx);
        self.tick_searches(cx);
        self.tick_dynamic(cx);
        self.tick_role(cx);
        self.look_for_links(cx);
        for at in 0..self.links.len() {
            if self.links[at].due <= now {
                // A queue that stands is looked at now and then, not at once again.
                self.links[at].due = self.due_at(&self.links[at]).max(now + Duration::from_secs(1));
            }
        }
        if let Some(next) = self.links.iter().map(|link| link.due).min() {
            self.wake_by(next);
        }
    }

    fn on_due(&mut self, stream: StreamId, due: Due, cx: &mut Cx<'_>) {
        match due {
            Due::Late => {
                if let Some(link) = self.link(stream) {
                    let (peer, limits) = (link.peer, self.config.limits.hosts);
                    if matches!(&link.phase, Phase::Shaking(shaking) if shaking.outgoing) {
                        self.hosts.failed(&peer, &limits, cx.now());
                    }
                }
                self.drop_shaking(stream, None, cx);
            }
            Due::Ping { counts } => {
                self.ping(stream, cx);
                let now = cx.now();
                let Some(link) = self.link_mut(stream) else { return };
                link.unanswered = link.unanswered.saturating_add(u8::from(counts));
                if let Some(live) = link.live_mut() {
                    live.spoke = now;
                    live.pinged = if counts { now } else { live.pinged };
                }
            }
            Due::Dead => self.end(stream, ByeCode::NOT_ALIVE, "No reply to alive pings", cx),
            Due::Stuck => self.end(stream, ByeCode::IDLE, "Flow-controlled for too long", cx),
            Due::Relieve => {
                if let Some(live) = self.live_mut(stream) {
                    let gone = live.queue.give_up_below(WORTH_WAITING);
                    self.metrics.dropped += u64::from(gone);
                }
            }
        }
    }
}

/// The address as handshakes tell it; one that cannot be told equals nothing.
fn except_v4(at: Endpoint) -> SocketAddrV4 {
    match at.socket_addr() {
        std::net::SocketAddr::V4(at) => at,
        std::net::SocketAddr::V6(_) => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
    }
}
