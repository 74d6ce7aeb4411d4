//! The table of all members while the ring is small enough (section 3.6): a cache, on which nothing depends.
//!
//! It comes on when the ring has been small enough for three rounds, is filled by asking along the ring, and is kept by
//! news (`news`) and comparison (`compare`). It goes when the ring has grown, or is no ring any more. Lookups then go
//! straight to whom it names as owner; if that is wrong, step 2 of section 3.2 puts it right.

mod compare;
mod news;
mod roster;

pub(crate) use roster::Roster;
pub use roster::Snapshots;

use super::super::core::{Core, Received};
use super::super::node::Node;
use super::super::notice::Notice;
use super::super::rpc::Purpose;
use super::super::violation::Violation;
use super::route::Members;
use super::{Call, Context, Instant, Lookups};
use compare::Comparing;
use std::sync::Arc;
use throng_machine::Deadline;
use throng_wire::chord::{
    self as wire, Change, Contact, Contacts, GetTable, MAX_PAYLOAD, Message, Mode, RingId, btw, dist,
};

/// Rounds the ring must be small enough before the table comes on.
const CALM: u8 = 3;
/// Beyond this many times the limit the size is looked at only now and then.
const FAR: f64 = 2.0;
/// How much rarer that is.
const RARELY: u32 = 15;
/// Pages or nodes asked in vain before a table is given up.
const MOST_FAILURES: u8 = 8;
/// Bytes of an answer's fields besides its members.
const PAGE_FIELDS: usize = 32;

/// Every member, as far as known; nothing while the ring is too large.
#[derive(Clone, Default, Debug)]
pub(crate) struct Table {
    full: Option<Box<Full>>,
    check_at: Option<Instant>,
    /// Rounds the ring has been small enough.
    calm: u8,
    snapshots: Option<Arc<Snapshots>>,
}

/// A table that is kept.
#[derive(Clone, Debug)]
struct Full {
    roster: Roster,
    /// Where the walk that fills it stands; `None` once it has been round.
    cursor: Option<RingId>,
    failures: u8,
    /// News to be passed on.
    news: Vec<Change>,
    spread_at: Option<Instant>,
    /// Confirmed dead within ten minutes, so that nobody's old table brings them back.
    dead: Vec<(Node, Instant)>,
    /// Said to be dead though we heard them lately: being pinged.
    rumours: Vec<Node>,
    /// Taken out because they did not answer us; whether they live is not known.
    mute: Vec<Node>,
    compare_at: Instant,
    comparing: Option<Comparing>,
}

impl Table {
    /// Whether lookups may go by it.
    pub(crate) fn is_on(&self) -> bool {
        self.full.as_ref().is_some_and(|full| full.cursor.is_none())
    }

    /// Members known; 0 while it is off.
    pub(crate) fn len(&self) -> usize {
        self.full.as_ref().filter(|full| full.cursor.is_none()).map_or(0, |full| full.roster.len())
    }

    /// Shares snapshots with other machines of the same driver.
    pub(crate) fn share(&mut self, snapshots: Arc<Snapshots>) {
        self.snapshots = Some(snapshots);
    }

    /// Begins to watch the size of the ring.
    pub(crate) fn check_from(&mut self, at: Instant) {
        self.check_at = Some(at);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.check_at);
        if let Some(full) = &self.full {
            deadline.at(full.spread_at).at(full.compare_at);
        }
        deadline.earliest()
    }

    fn consolidate(&mut self) {
        if let Some(full) = &mut self.full {
            full.roster.consolidate(self.snapshots.as_deref());
        }
    }

    /// Somebody asked for the table or for digests is silent.
    pub(crate) fn on_silence(&mut self, asked: &Node) {
        if let Some(full) = &mut self.full {
            full.silenced(asked);
            full.failures = full.failures.saturating_add(1);
            full.comparing = None;
        }
    }
}

impl Table {
    /// A node answered a ping.
    pub(crate) fn on_sign_of_life(&mut self, node: &Node) {
        if let Some(full) = &mut self.full {
            full.rumours.retain(|rumour| rumour != node);
            full.mute.retain(|mute| mute != node);
        }
    }
}

impl Full {
    fn new(roster: Roster, cursor: Option<RingId>, now: Instant) -> Full {
        let (news, dead, rumours, mute) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Full {
            roster,
            cursor,
            failures: 0,
            news,
            spread_at: None,
            dead,
            rumours,
            mute,
            compare_at: now,
            comparing: None,
        }
    }
}

impl Members for Table {
    fn at_or_after(&self, key: RingId, admit: &dyn Fn(&Node) -> bool) -> Option<Node> {
        self.full.as_ref()?.roster.from(key).find(|node| admit(node))
    }
}

/// The virtual node that speaks for the table: the first that is of a ring.
fn speaker(core: &Core) -> Option<usize> {
    core.vnodes.iter().position(|vnode| vnode.mode == Mode::Ring)
}

impl Lookups {
    /// A message about tables.
    pub(crate) fn on_table_message(
        &mut self,
        core: &mut Core,
        from: &Received,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        if !core.is_proved(cx, from) {
            return;
        }
        match message {
            Message::Events(events) => self.on_news(core, from, events, cx),
            Message::TableDigest(digest) => self.on_digest(core, from, digest, cx),
            Message::GetTable(request) => self.on_get_table(core, from, request, cx),
            _ => core.blame(Violation::Unasked),
        }
    }

    /// The answer to a question about tables.
    pub(crate) fn on_table_answer(
        &mut self,
        core: &mut Core,
        call: Call,
        (from, message): (&Received, &Message<'_>),
        cx: &mut Context<'_>,
    ) {
        match (call, message) {
            (Call::Table, Message::Table(page)) => self.on_page(core, from, page, cx),
            (Call::Digest, Message::TableDigestAck(ack)) => self.on_digest_ack(core, from, ack, cx),
            _ => self.table.on_silence(&from.from),
        }
    }

    /// News of the ring.
    pub(crate) fn on_table_notice(&mut self, core: &mut Core, notice: &Notice, cx: &mut Context<'_>) {
        match notice {
            Notice::Member { .. } | Notice::ListChanged { .. } if self.table.check_at.is_none() => {
                self.table.check_at = Some(cx.now() + core.config.timers.stabilise.1);
            }
            Notice::Gone { .. } if speaker(core).is_none() => self.table.full = None,
            _ => {}
        }
        if self.table.full.is_some() {
            self.note(core, notice, cx);
        }
    }

    /// Whatever of tables is due.
    pub(crate) fn on_table_timeout(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let now = cx.now();
        if self.table.check_at.is_some_and(|at| at <= now) {
            self.check(core, cx);
        }
        let Some(full) = &self.table.full else { return };
        if full.spread_at.is_some_and(|at| at <= now) {
            self.spread(core, cx);
        }
        if self.table.full.as_ref().is_some_and(|full| full.compare_at <= now) {
            self.compare(core, cx);
        }
    }

    /// Whether the ring is small enough, and for how long.
    fn check(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let round = core.config.timers.stabilise.1;
        let (on, off) = (core.config.one_hop.on, core.config.one_hop.off);
        let Some(at) = speaker(core).filter(|_| on > 0) else {
            (self.table.full, self.table.calm, self.table.check_at) = (None, 0, None);
            return;
        };
        let (size, _) = self.nodes(core, at);
        let far = size > FAR * f64::from(off) && self.table.full.is_none();
        self.table.check_at = Some(cx.now() + if far { round * RARELY } else { round });
        if size > f64::from(off) {
            (self.table.full, self.table.calm) = (None, 0);
        } else if self.table.full.is_none() {
            self.table.calm = if size <= f64::from(on) { self.table.calm.saturating_add(1) } else { 0 };
            if self.table.calm >= CALM {
                self.turn_on(core, at, cx);
            }
        } else if self.table.full.as_ref().is_some_and(|full| full.cursor.is_some()) {
            // An answer was lost on the way round.
            self.ask_on(core, at, cx);
        }
        self.table.consolidate();
    }

    fn turn_on(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let mut roster = Roster::default();
        for vnode in &core.vnodes {
            let neighbours = vnode.list.nodes().chain(vnode.predecessor.map(|entry| entry.node));
            for node in neighbours.chain([vnode.node]) {
                roster.insert(node);
            }
        }
        let cursor = core.vnodes[at].list.last().map(|last| last.node.id);
        let mut full = Full::new(roster, cursor, cx.now());
        full.compare_at = cx.now() + core.config.timers.table_digest;
        self.table.full = Some(Box::new(full));
        self.ask_on(core, at, cx);
    }

    /// Asks the node the walk has come to for those after it.
    fn ask_on(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let Some(full) = &mut self.table.full else { return };
        let Some(cursor) = full.cursor else { return };
        if full.failures > MOST_FAILURES {
            (self.table.full, self.table.calm) = (None, 0);
            return;
        }
        let asking = core.rpc.iter().any(|pending| pending.purpose == Purpose::Lookup(Call::Table));
        let ours = |node: &Node| core.vnodes.iter().any(|vnode| vnode.node.id == node.id);
        // Whoever stands there, or if it went, the last one known before.
        let before = cursor.plus(RingId::power(0));
        let known: Vec<Node> = full.roster.from(before).filter(|node| !ours(node)).collect();
        let Some(to) = known.last().copied().filter(|_| !asking) else { return };
        let request = GetTable { after: Some(to.id) };
        core.call(cx, (at, to), Purpose::Lookup(Call::Table), &Message::GetTable(request));
    }

    /// A stretch of the ring, as somebody there knows it.
    fn on_page(&mut self, core: &mut Core, from: &Received, page: &wire::Table<'_>, cx: &mut Context<'_>) {
        let most = core.config.one_hop.off as usize * 2;
        let Some(full) = &mut self.table.full else { return };
        let Some(me) = core.vnodes.get(from.at).map(|vnode| vnode.node.id) else { return };
        let Some(cursor) = full.cursor else { return };
        let before = full.roster.len();
        let members: Vec<Contact> = page.members.to_vec();
        let mut last = cursor;
        for contact in &members {
            let Some(node) = core.stranger(contact) else {
                // One of ours: the walk has been round, unless it stands before us again.
                last = contact.id(core.config.id_rule).unwrap_or(last);
                continue;
            };
            last = node.id;
            if full.roster.len() < most && !full.dead.iter().any(|(dead, _)| *dead == node) {
                full.roster.insert(node);
            }
        }
        let round =
            page.next.is_none() || last == me || dist(me, last) < dist(me, cursor) || btw(cursor, me, last);
        full.failures = if full.roster.len() > before || round { 0 } else { full.failures + 1 };
        full.cursor = (!round).then_some(last);
        self.ask_on(core, from.at, cx);
        self.table.consolidate();
    }

    /// Tells those after a place: of the whole table, or as far as a successor list goes.
    fn on_get_table(&mut self, core: &mut Core, from: &Received, request: &GetTable, cx: &mut Context<'_>) {
        let Some(here) = core.vnodes.get(from.at).map(|vnode| vnode.node.id) else { return };
        let after = request.after.unwrap_or(here);
        let next = after.plus(RingId::power(0));
        let members: Vec<Contact> = match &self.table.full {
            Some(full) if full.cursor.is_none() => {
                full.roster.from(next).take(100).map(|node| node.contact()).collect()
            }
            _ => {
                let knows = |vnode: &&super::super::vnode::Vnode| vnode.node.id == after;
                let vnode = core.vnodes.iter().find(knows);
                vnode.map_or(Vec::new(), |vnode| vnode.list.nodes().map(|node| node.contact()).collect())
            }
        };
        let Ok(page) = Contacts::fitting(&members, MAX_PAYLOAD - PAGE_FIELDS) else { return };
        let last = page.iter().last().and_then(|contact| contact.id(core.config.id_rule));
        let table = wire::Table { members: page, next: Some(last.unwrap_or(after)) };
        core.reply(cx, from, &Message::Table(table));
    }
}
