//! Route tables sent and received (section 4.8): a leaf's words to its ultrapeers, an ultrapeer's and its leaves' words
//! to other ultrapeers.

use super::config::Role;
use super::library::bits_for;
use super::link::Live;
use super::machine::{Cx, Servent};
use super::send::local;
use super::tables::Table;
use super::violation::Violation;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{Instant, StreamId};
use throng_wire::gnutella::{Kind, QrpError, QrpMessage, QrpTable, reset, table_patches};

/// Changes are gathered for so long before the table is made anew.
const GATHER: Duration = Duration::from_secs(2);

/// Our own table: which version others have, and what the last one was.
#[derive(Debug, Default)]
pub(super) struct OwnTable {
    /// Counts versions, from 1; 0 before the first.
    version: u32,
    last: Option<Table>,
    /// What an ultrapeer sends to each new one: made once a version.
    whole: Option<Rc<[Vec<u8>]>>,
    /// Something changed since then.
    changed: Option<Instant>,
    /// When the last version was made.
    made: Option<Instant>,
}

impl Servent {
    /// A route table's message of a neighbour.
    pub(super) fn on_table(
        &mut self,
        stream: StreamId,
        message: Result<QrpMessage<'_>, QrpError>,
        cx: &mut Cx<'_>,
    ) {
        if self.role != Role::Ultrapeer {
            // Ultrapeers send leaves none; who does wastes only its own time.
            return;
        }
        let bits = self.config.table_bits.1;
        let Some(live) = self.live_mut(stream) else { return };
        let is_leaf = live.is_leaf();
        let taken = message.and_then(|message| live.table.get_or_insert_default().take(message));
        match taken {
            Err(_) => _ = self.fault(stream, Violation::Table, cx),
            Ok(true) if is_leaf => {
                let at = self.position(stream);
                let table = at.and_then(|at| self.links[at].live()?.table.as_ref()?.table.as_ref());
                if let (Some(table), Some(ultrapeer)) = (table, &mut self.ultrapeer) {
                    ultrapeer.add(stream, table, bits);
                }
                self.table_changed(cx.now());
            }
            Ok(_) => {}
        }
    }

    /// What we have, or our leaves have, is no longer what our table says.
    pub(super) fn table_changed(&mut self, now: Instant) {
        self.own_table.changed.get_or_insert(now);
        let due = self.table_due();
        if let Some(due) = due {
            self.wake_by(due);
        }
    }

    /// When the next version is to be made.
    fn table_due(&self) -> Option<Instant> {
        let changed = self.own_table.changed? + GATHER;
        Some(self.own_table.made.map_or(changed, |made| changed.max(made + self.config.timing.tables)))
    }

    pub(super) fn tick_table(&mut self, cx: &mut Cx<'_>) {
        match self.table_due() {
            Some(due) if due <= cx.now() => self.renew_table(cx),
            Some(due) => self.wake_by(due),
            None => {}
        }
    }

    /// Makes the next version and sends it to all who take it.
    fn renew_table(&mut self, cx: &mut Cx<'_>) {
        let Some(table) = self.make_table() else {
            self.own_table.changed = None;
            return;
        };
        let own = &mut self.own_table;
        (own.changed, own.made) = (None, Some(cx.now()));
        let before = own.last.as_ref().map(Table::dense).filter(|before| before.bits() == table.bits());
        if before.as_ref() == Some(&table) && own.version > 0 {
            // What is new is known by words that were there.
            self.tell_published(cx);
            return;
        }
        own.version += 1;
        (own.last, own.whole) = (Some(Table::new(&table)), None);
        let version = own.version;
        let takers = self.streams(|live| live.takes_tables);
        let (current, stale): (Vec<_>, Vec<_>) = takers.into_iter().partition(|stream| {
            before.is_some() && self.live(*stream).is_some_and(|live| live.told_table + 1 == version)
        });
        if let Some(before) = &before
            && !current.is_empty()
        {
            let change = table_patches(Some(before), &table);
            current.iter().for_each(|stream| self.send_table(*stream, version, None, &change, cx));
        }
        if !stale.is_empty() {
            let whole = self.whole_table(&table);
            stale.iter().for_each(|stream| self.send_table(*stream, version, Some(&table), &whole, cx));
        }
        self.tell_published(cx);
    }

    /// Our table as it is now; plain servents have none.
    fn make_table(&mut self) -> Option<QrpTable> {
        let bits = self.config.table_bits;
        match self.role {
            Role::Plain => None,
            // As large as an ultrapeer's may be: merged into a larger one each entry would stand for several.
            Role::Leaf => Some(self.library.table(bits.1)),
            Role::Ultrapeer => {
                let leaves = self.links.iter().filter_map(super::link::Link::leaf_table);
                let ultrapeer = self.ultrapeer.get_or_insert_default();
                ultrapeer.rebuild(leaves, bits.1);
                let words = ultrapeer.union().map_or(0, QrpTable::count) as usize;
                let mut table = QrpTable::new(bits_for(words, bits));
                ultrapeer.union().into_iter().for_each(|union| table.merge(union));
                self.library.fill(&mut table);
                Some(table)
            }
        }
    }

    /// A new neighbour gets the table, the last version if there is one.
    pub(super) fn table_to(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        if !self.live(stream).is_some_and(|live| live.takes_tables) {
            return;
        }
        if self.own_table.version == 0 {
            self.renew_table(cx);
            return;
        }
        let Some(table) = self.own_table.last.as_ref().map(Table::dense) else { return };
        let version = self.own_table.version;
        let whole = self.whole_table(&table);
        self.send_table(stream, version, Some(&table), &whole, cx);
        self.tell_published(cx);
    }

    /// The patches of the newest version; an ultrapeer has many to send them to and keeps them.
    fn whole_table(&mut self, table: &QrpTable) -> Rc<[Vec<u8>]> {
        if let Some(whole) = &self.own_table.whole {
            return Rc::clone(whole);
        }
        let whole: Rc<[Vec<u8>]> = table_patches(None, table).into();
        if self.role == Role::Ultrapeer {
            self.own_table.whole = Some(Rc::clone(&whole));
        }
        whole
    }

    fn send_table(
        &mut self,
        stream: StreamId,
        version: u32,
        whole: Option<&QrpTable>,
        patches: &[Vec<u8>],
        cx: &mut Cx<'_>,
    ) {
        let first = whole.map(|table| {
            let mut payload = Vec::new();
            reset(table).put(&mut payload);
            payload
        });
        for payload in first.iter().chain(patches) {
            let mut message = Vec::new();
            local(Kind::Qrp, cx).message(&mut message, |out| out.extend_from_slice(payload));
            self.send(stream, &message, cx);
        }
        if let Some(live) = self.live_mut(stream) {
            live.told_table = version;
        }
    }

    /// How many links have our newest table.
    pub(super) fn told_everyone(&self) -> usize {
        let newest = |live: &Live| self.own_table.version > 0 && live.told_table == self.own_table.version;
        self.links.iter().filter(|link| link.live().is_some_and(newest)).count()
    }

    /// Forgets the table, as when the role changes.
    pub(super) fn forget_table(&mut self) {
        self.own_table = OwnTable::default();
    }
}
