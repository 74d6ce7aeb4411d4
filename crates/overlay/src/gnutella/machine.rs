//! The servent as a machine: what it holds, and where each input goes.

use super::bootstrap::Bootstrap;
use super::command::{Command, Event};
use super::config::{Config, Identity, Role, RoleChoice};
use super::election::Election;
use super::guards::{Guards, SeenAs};
use super::library::Library;
use super::link::{Link, Live, Phase};
use super::metrics::Metrics;
use super::pack::Packer;
use super::pongs::PongCache;
use super::routing::OwnTable;
use super::search::Searches;
use super::ultrapeer::Ultrapeer;
use super::violation::{Violation, Violations};
use crate::discovery::Ticket;
use crate::flood::{Flood, FloodLimits, Routes};
use crate::host_cache::HostCache;
use std::sync::Arc;
use throng_machine::{Context, Datagram, Endpoint, Instant, Machine, StreamEnd, StreamId, StreamInput};
use throng_wire::gnutella::{Bye, ByeCode};

/// What a context of this machine is.
pub(super) type Cx<'a> = Context<'a, Event>;

/// The largest span of messages anywhere (section 1).
const MOST_SPAN: u8 = 15;
/// TTL of the plain network.
pub(super) const PLAIN_TTL: u8 = 7;

/// A Gnutella servent: all its links and what goes over them.
#[derive(Debug)]
pub struct Servent {
    pub(super) config: Arc<Config>,
    pub(super) me: Identity,
    pub(super) role: Role,
    /// It was told to join, and whether it is in.
    pub(super) joining: bool,
    pub(super) joined: bool,
    pub(super) leaving: bool,
    /// Ascending by stream.
    pub(super) links: Vec<Link>,
    pub(super) hosts: HostCache,
    /// Where the application said to enter, and when they may be tried again although they failed.
    pub(super) entries: Vec<Endpoint>,
    pub(super) entries_at: Instant,
    /// Where our address is seen, and whether we can be called.
    pub(super) seen_as: SeenAs,
    pub(super) tables: Option<Box<Tables>>,
    pub(super) library: Library,
    pub(super) searches: Option<Box<Searches>>,
    pub(super) ultrapeer: Option<Box<Ultrapeer>>,
    pub(super) own_table: OwnTable,
    /// Publications of a leaf that not all its ultrapeers know of yet.
    pub(super) published: Vec<Ticket>,
    /// Calls back under way.
    pub(super) probes: Vec<StreamId>,
    /// How often addresses did what they may do a few times.
    guards: Option<Box<Guards>>,
    pub(super) metrics: Box<Metrics>,
    pub(super) violations: Violations,
    /// When it became what it is.
    pub(super) role_since: Instant,
    /// Host caches, where the application named some.
    pub(super) bootstrap: Option<Box<Bootstrap>>,
    /// What decides on the role, where that is left to us.
    pub(super) election: Option<Box<Election>>,
    /// Deflated links that are to be flushed when the turn ends, and what deflates for all of them.
    pub(super) dirty: Vec<StreamId>,
    pub(super) packer: Option<Packer>,
    pub(super) wake: Option<Instant>,
}

/// What is remembered of messages; made with the first.
#[derive(Debug)]
pub(super) struct Tables {
    /// Queries seen, and where hits go.
    pub(super) queries: Flood,
    /// Servents seen in hits, and where pushes go.
    pub(super) servents: Routes,
    /// Pushes seen: copies come several ways.
    pub(super) pushes: Routes,
    pub(super) pongs: PongCache,
}

impl Servent {
    /// A servent that is nowhere yet.
    pub fn new(config: Arc<Config>, me: Identity) -> Servent {
        let role = match config.role {
            RoleChoice::Fixed(role) => role,
            RoleChoice::Elected => Role::Leaf,
        };
        let mut servent = Servent {
            config,
            me,
            role,
            joining: false,
            joined: false,
            leaving: false,
            links: Vec::new(),
            hosts: HostCache::new(me.key[0]),
            entries: Vec::new(),
            entries_at: Instant::EPOCH,
            seen_as: SeenAs::default(),
            tables: None,
            library: Library::default(),
            searches: None,
            ultrapeer: None,
            own_table: OwnTable::default(),
            published: Vec::new(),
            probes: Vec::new(),
            guards: None,
            metrics: Box::default(),
            violations: Violations::default(),
            role_since: Instant::EPOCH,
            bootstrap: None,
            election: None,
            dirty: Vec::new(),
            packer: None,
            wake: None,
        };
        servent.election = (servent.config.role == RoleChoice::Elected).then(Box::default);
        servent.ultrapeer = (role == Role::Ultrapeer).then(Box::default);
        servent
    }

    /// What it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its counters.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How often others broke the protocol.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }

    /// Its id.
    pub fn servent_id(&self) -> throng_wire::gnutella::Guid {
        self.me.servent
    }

    pub(super) fn guards(&mut self) -> &mut Guards {
        self.guards.get_or_insert_default()
    }

    pub(super) fn tables(&mut self) -> &mut Tables {
        let (config, key) = (&self.config, self.me.key);
        let span = if self.role == Role::Plain { PLAIN_TTL } else { config.max_ttl };
        self.tables.get_or_insert_with(|| {
            let routes = config.limits.routes;
            let limits = FloodLimits { span, most_span: MOST_SPAN, routes };
            Box::new(Tables {
                queries: Flood::new(limits, key),
                servents: Routes::new(routes, key),
                pushes: Routes::new(routes, key),
                pongs: PongCache::default(),
            })
        })
    }

    pub(super) fn position(&self, stream: StreamId) -> Option<usize> {
        self.links.binary_search_by_key(&stream, |link| link.stream).ok()
    }

    pub(super) fn link(&self, stream: StreamId) -> Option<&Link> {
        self.links.get(self.position(stream)?)
    }

    pub(super) fn link_mut(&mut self, stream: StreamId) -> Option<&mut Link> {
        let at = self.position(stream)?;
        self.links.get_mut(at)
    }

    pub(super) fn live(&self, stream: StreamId) -> Option<&Live> {
        self.link(stream)?.live()
    }

    pub(super) fn live_mut(&mut self, stream: StreamId) -> Option<&mut Live> {
        self.link_mut(stream)?.live_mut()
    }

    pub(super) fn take_link(&mut self, stream: StreamId) -> Option<Link> {
        self.position(stream).map(|at| self.links.remove(at))
    }

    /// How many links of that role are up.
    pub(super) fn count(&self, role: Role) -> usize {
        self.links.iter().filter(|link| link.role() == Some(role)).count()
    }

    /// The streams of the links for which `wanted` holds.
    pub(super) fn streams(&self, wanted: impl Fn(&Live) -> bool) -> Vec<StreamId> {
        let up = self.links.iter().filter(|link| link.live().is_some_and(&wanted));
        up.map(|link| link.stream).collect()
    }

    /// Wants to be called then, or sooner.
    pub(super) fn wake_by(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Counts a breach and tells of it.
    pub(super) fn blame(&mut self, whom: Endpoint, violation: Violation, cx: &mut Cx<'_>) {
        self.violations.count(violation);
        cx.emit(Event::Misbehaved(whom, violation));
    }

    /// A link broke the protocol; ends it if that is one time too many. Says whether the link still stands.
    pub(super) fn fault(&mut self, stream: StreamId, violation: Violation, cx: &mut Cx<'_>) -> bool {
        let Some(peer) = self.link(stream).map(|link| link.peer) else { return false };
        self.violations.count(violation);
        let Some(live) = self.live_mut(stream) else { return false };
        if !live.fault(violation) {
            return true;
        }
        cx.emit(Event::Misbehaved(peer, violation));
        self.end(stream, violation.bye(), &violation.to_string(), cx);
        false
    }

    /// Says goodbye and closes.
    pub(super) fn end(&mut self, stream: StreamId, code: ByeCode, text: &str, cx: &mut Cx<'_>) {
        let Some(live) = self.live(stream) else { return };
        if live.greeting.bye {
            let agent = self.config.agent.clone();
            let bye = Bye { code, text: text.as_bytes() };
            let mut message = Vec::new();
            super::send::local(throng_wire::gnutella::Kind::Bye, cx)
                .message(&mut message, |out| bye.put(&agent, out));
            self.write(stream, &message, cx);
            self.flush(stream, cx);
        }
        cx.close(stream);
        if let Some(link) = self.take_link(stream) {
            self.on_gone(link, Some(code), cx);
        }
    }

    fn on_closed(&mut self, stream: StreamId, end: StreamEnd, cx: &mut Cx<'_>) {
        let Some(link) = self.take_link(stream) else { return };
        match &link.phase {
            Phase::Shaking(shaking) => {
                if shaking.outgoing {
                    let limits = self.config.limits.hosts;
                    // One that hangs up without a word does not want us.
                    if end == StreamEnd::Finished {
                        self.hosts.succeeded(&link.peer, cx.now());
                    }
                    self.hosts.failed(&link.peer, &limits, cx.now());
                }
                self.look_for_links(cx);
            }
            Phase::Up(..) => self.on_gone(link, None, cx),
        }
    }

    /// What every turn ends with.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        self.flush_dirty(cx);
    }
}

impl Machine for Servent {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        self.on_command(command, cx);
        self.settle(cx);
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Cx<'_>) {
        self.on_datagram(datagram, cx);
        self.settle(cx);
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        match input {
            StreamInput::Accepted { from, .. } => {
                self.seen_as.reached(cx.now());
                self.on_accepted(stream, from, cx);
            }
            StreamInput::Opened if self.on_probe(stream, true, cx) => {}
            StreamInput::Opened => self.on_opened(stream, cx),
            StreamInput::Bytes(bytes) => match self.link(stream).map(|link| &link.phase) {
                Some(Phase::Shaking(_)) => self.on_shaking(stream, bytes, cx),
                Some(Phase::Up(..)) => self.on_bytes(stream, bytes, cx),
                None => {}
            },
            StreamInput::Blank(_) => {}
            StreamInput::Flushed(bytes) => self.on_flushed(stream, bytes, cx),
            StreamInput::Closed(_) if self.on_probe(stream, false, cx) => {}
            StreamInput::Closed(end) => self.on_closed(stream, end, cx),
        }
        self.settle(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        if self.wake.is_none_or(|wake| wake > cx.now()) {
            return;
        }
        self.wake = None;
        self.tick(cx);
        self.settle(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wake
    }
}
