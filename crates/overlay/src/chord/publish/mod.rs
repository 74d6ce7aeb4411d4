//! Who has an item, and by which words it is found (4.6, 4.7): this node as publisher and as searcher.
//!
//! A publication is one provider record and a posting under each word of the title, twelve at most. They are stored in the
//! order of the ring, many owners at a time, and renewed by the store like everything else of ours. A posting says all that
//! a hit needs, its publisher's address too. So a search asks one owner, that of its rarest word, with all its words; and
//! other shards of that word if it has any and more is wanted.

mod item;
mod publication;
mod rarity;
mod search;
pub(crate) mod terms;

use super::Context;
use super::core::Core;
use super::storage::Store;
use super::{Event, Instant, Start};
use crate::discovery::{self, Refusal, Ticket};
pub use item::content_id;
use publication::Publication;
pub(crate) use publication::served_at;
pub(crate) use rarity::Key;
use search::Search;
use std::collections::BTreeMap;
use throng_machine::Deadline;
use throng_wire::chord::RingId;

/// Publications at most.
const MOST_PUBLISHED: usize = 16_384;
/// Searches at once at most.
const MOST_SEARCHES: usize = 64;

/// All publications and searches of this node.
#[derive(Clone, Default, Debug)]
pub(crate) struct Publishing {
    published: BTreeMap<Ticket, Publication>,
    /// Which publication a record of ours belongs to.
    parts: BTreeMap<super::storage::Locator, Ticket>,
    /// Records waiting to be stored for the first time, in ring order, and where the walk is.
    backlog: BTreeMap<super::storage::Locator, Box<[u8]>>,
    walk: Option<RingId>,
    storing: u32,
    searches: BTreeMap<Ticket, Search>,
    rarity: rarity::Rarity,
    audits: BTreeMap<Instant, Vec<super::storage::Locator>>,
    /// Records of ours that were looked for and not found.
    pub alarms: u64,
    /// Owners of words that searches asked.
    pub asked: u64,
}

impl Publishing {
    /// Whether nothing was published, looked for or learnt.
    pub(crate) fn is_empty(&self) -> bool {
        self.published.is_empty()
            && self.searches.is_empty()
            && self.backlog.is_empty()
            && self.audits.is_empty()
            && self.rarity.is_empty()
    }

    /// When to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.searches.values().map(Search::until).min());
        deadline.at(self.audits.keys().next().copied());
        deadline.earliest()
    }
}

impl Store {
    /// The application speaks the vocabulary of all overlays.
    pub(crate) fn on_discovery(
        &mut self,
        core: &mut Core,
        command: discovery::Command,
        cx: &mut Context<'_>,
    ) {
        let member = core.vnodes.iter().any(|vnode| vnode.is_member());
        match command {
            discovery::Command::Join(nodes) => core.start(cx, Start::Join(nodes)),
            discovery::Command::Leave => core.leave(cx),
            discovery::Command::Publish(ticket, _) | discovery::Command::Find(ticket, _) if !member => {
                refuse(ticket, Refusal::NotJoined, cx);
            }
            discovery::Command::Publish(ticket, item) => {
                if self.publishing.published.len() >= MOST_PUBLISHED {
                    return refuse(ticket, Refusal::Busy, cx);
                }
                self.publish(core, ticket, &item, cx);
            }
            discovery::Command::Withdraw(ticket) => self.withdraw(core, ticket, cx),
            discovery::Command::Find(ticket, query) => {
                if self.publishing.searches.len() >= MOST_SEARCHES {
                    return refuse(ticket, Refusal::Busy, cx);
                }
                self.find(core, ticket, &query, cx);
            }
            discovery::Command::Cancel(ticket) => {
                self.publishing.searches.remove(&ticket);
            }
        }
    }

    /// Does what is due.
    pub(crate) fn publish_due(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let now = cx.now();
        let late: Vec<Ticket> = self
            .publishing
            .searches
            .iter()
            .filter(|(_, search)| search.until() <= now)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in late {
            self.finish_search(ticket, cx);
        }
        self.audit_due(core, cx);
    }
}

fn refuse(ticket: Ticket, refusal: Refusal, cx: &mut Context<'_>) {
    cx.emit(Event::Discovery(discovery::Event::Refused(ticket, refusal)));
}
