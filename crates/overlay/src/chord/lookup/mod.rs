//! Lookups (section 3 of the note): recursive with acknowledged hops, iterative as the cross-check.
//!
//! The machine calls `on_message` (Look, and the messages of full tables), `on_found`, `on_reply` and `on_failure` for
//! requests made with `Purpose::Lookup`, `on_notice` for news of the ring, `start` to begin, `on_timeout`, `deadline`.
//! Results go out as `Notice::Found` or, of measurements, as an event; those for fingers stay here.
//!
//! `route` chooses the next hop, `pass` hands lookups on, `search` follows those begun here, `walk` asks hop by hop,
//! `answer` makes and checks answers, `fingers` (with `slot` and `prefix`) is the table, `upkeep` keeps it fresh.

mod answer;
mod config;
mod estimate;
mod fingers;
#[cfg(test)]
mod hostile_tests;
mod onehop;
mod pass;
mod prefix;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod ring_tests;
mod route;
mod search;
mod slot;
#[cfg(test)]
mod testkit;
mod upkeep;
mod walk;

pub(crate) use answer::{replicas, shares_network};
pub use config::{FingerConfig, LookupConfig, LookupMode};
pub(crate) use estimate::list_length;
pub(crate) use fingers::{Fingers, Frame};
pub use onehop::Snapshots;
pub(crate) use onehop::Table;
pub(crate) use prefix::Prefix as AddressPrefix;
pub use search::Measured;
pub(crate) use slot::Slot;

use super::core::{Core, Received};
use super::node::Node;
use super::notice::Notice;
use super::{Context, Instant};
use pass::{Passing, Seen};
use search::Search;
use std::collections::VecDeque;
use throng_machine::Deadline;
use throng_wire::chord::{Contact, Message, Neighbour, RingId};

/// What a request of lookups is for; kept small, it is stored with each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    /// A hop was handed the lookup of this number in our books.
    Hop(u32),
    /// A node was asked for the next hops of a search of ours, on one of its paths.
    Step {
        /// Which search.
        search: u32,
        /// Which path.
        path: u8,
    },
    /// A node is pinged: to keep it warm, or because it let a lookup down.
    Warm,
    /// The first node of a finger's interval is asked for those that follow it.
    Survey,
    /// A page of the full table.
    Table,
    /// Digests of the full table are compared.
    Digest,
}

/// Who wants to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Goal {
    /// The store; the number is its own.
    Store(u32),
    /// A finger of ours.
    Finger {
        /// Of which virtual node.
        at: u8,
    },
    /// The ring wants to know whether our own id leads to us.
    Check {
        /// Of which virtual node.
        at: u8,
    },
    /// The ring wants to know who sits at our place in a stranger's ring.
    Probe {
        /// For which virtual node.
        at: u8,
        /// The merge it belongs to, 0 for none.
        epoch: u64,
    },
    /// Measurements: the answer is told as an event.
    Measure(u32),
}

/// The answer to a lookup, checked as section 3.5 demands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FoundAt {
    /// The key.
    pub key: RingId,
    /// The owner and what it claims.
    pub owner: Neighbour,
    /// Its predecessor.
    pub prdc: Option<Contact>,
    /// The others that keep copies, in ring order.
    pub replicas: Vec<Contact>,
    /// The next nodes after the owner.
    pub list: Vec<Contact>,
    /// Nodes contacted, the owner included; 0 if the owner is here.
    pub hops: u8,
    /// Nodes on the way that did not answer.
    pub timeouts: u8,
    /// Nodes the owner believes the ring to have.
    pub n_est: u64,
}

/// What became of lookups at this host; each saturates.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LookupCounts {
    /// Begun here.
    pub begun: u32,
    /// ... and answered by an owner that passed the checks.
    pub answered: u32,
    /// ... and given up.
    pub unanswered: u32,
    /// Second tries, through another first hop.
    pub retried: u32,
    /// Tries hop by hop, because others failed or an answer was doubtful.
    pub walked: u32,
    /// Answers that failed the checks.
    pub doubtful: u32,
    /// Lookups of others passed on.
    pub passed: u32,
    /// ... or answered as the owner.
    pub owned: u32,
    /// Hops that did not acknowledge in time.
    pub timeouts: u32,
    /// Met a second time on another way.
    pub duplicates: u32,
    /// Dropped: out of hops, too old, or no step closer.
    pub dropped: u32,
    /// Refused because too many were under way.
    pub busy: u32,
}

/// All lookups under way at this host, begun here or passed on.
#[derive(Clone, Default, Debug)]
pub(crate) struct Lookups {
    /// Begun here.
    searches: Vec<Search>,
    /// Being handed to a next hop, those of `searches` too.
    passing: Vec<Passing>,
    /// Those met in the last 30 s.
    seen: VecDeque<Seen>,
    /// Numbers searches and passings, so that answers find them.
    next_number: u32,
    upkeep: upkeep::Upkeep,
    rates: answer::Rates,
    /// Hops that did not acknowledge a moment ago.
    doubts: Vec<(Node, Instant)>,
    pub(crate) table: Table,
    counts: LookupCounts,
    /// What owners of keys all over the ring believe it to have, as log2 in eighths; 0 for none yet.
    sizes: [u8; 8],
}

impl Lookups {
    /// What became of lookups so far.
    pub(crate) fn counts(&self) -> LookupCounts {
        self.counts
    }

    /// Lookups being handed on, and those remembered.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> (usize, usize) {
        (self.passing.len(), self.seen.len())
    }

    /// A message of lookups or full tables that is no answer to a request.
    pub(crate) fn on_message(
        &mut self,
        core: &mut Core,
        from: &Received,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        match message {
            Message::Look(look) => self.on_look(core, from, look, cx),
            _ => self.on_table_message(core, from, message, cx),
        }
    }

    /// The answer to a request of ours.
    pub(crate) fn on_reply(
        &mut self,
        core: &mut Core,
        call: Call,
        from: &Received,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        match call {
            Call::Hop(number) => self.on_hop_answer(core, number, (from, message), cx),
            Call::Step { search, path } => self.on_step_answer(core, (search, path), (from, message), cx),
            Call::Warm => {
                self.doubts.retain(|(node, _)| *node != from.from);
                self.table.on_sign_of_life(&from.from);
                self.on_warm_answer(core, from, message);
            }
            Call::Survey => self.on_survey(core, from, message, cx),
            Call::Table | Call::Digest => self.on_table_answer(core, call, (from, message), cx),
        }
    }

    /// A request of ours was sent as often as planned without an answer.
    pub(crate) fn on_failure(&mut self, core: &mut Core, call: Call, asked: &Node, cx: &mut Context<'_>) {
        match call {
            Call::Hop(number) => self.on_hop_silence(core, number, asked, cx),
            Call::Step { search, path } => self.on_step_silence(core, (search, path), cx),
            Call::Table | Call::Digest => self.table.on_silence(asked),
            Call::Warm | Call::Survey => {}
        }
    }

    /// News of the ring.
    pub(crate) fn on_notice(&mut self, core: &mut Core, notice: &Notice, cx: &mut Context<'_>) {
        match notice {
            Notice::Member { at } | Notice::ListChanged { at } => self.reframe(core, *at, cx.now()),
            Notice::Gone { at } => {
                if let Some(vnode) = core.vnodes.get_mut(*at) {
                    vnode.fingers.clear();
                }
            }
            Notice::Dead { .. } | Notice::Silent { .. } => self.upkeep.warm_soon(cx.now()),
            _ => {}
        }
        self.on_table_notice(core, notice, cx);
    }

    /// Time may have reached `deadline`.
    pub(crate) fn on_timeout(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        self.resume(core, cx);
        self.on_search_timeout(core, cx);
        self.keep_up(core, cx);
        self.on_table_timeout(core, cx);
    }

    /// When to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        for passing in &self.passing {
            deadline.at(passing.deadline());
        }
        for search in &self.searches {
            deadline.at(search.deadline());
        }
        deadline.at(self.upkeep.deadline()).at(self.table.deadline());
        deadline.earliest()
    }

    /// Nodes of the ring: the middle of our own estimate and those of owners found lately, so that neither a dense
    /// stretch nor a liar decides; and the factor by which that may be wrong.
    fn nodes(&self, core: &Core, at: usize) -> (f64, f64) {
        let heard = self.sizes.iter().filter(|size| **size > 0).map(|size| f64::from(*size) / 8.0);
        let mut all: Vec<f64> = heard.chain([core.estimate(at).max(1.0).log2()]).collect();
        all.sort_by(f64::total_cmp);
        // One estimate of 16 nodes is wrong by a quarter, the middle of n of them by less.
        (all[all.len() / 2].exp2(), 1.0 + 0.5 / (all.len() as f64))
    }

    /// An owner says how many nodes it believes the ring to have.
    fn on_size(&mut self, nodes: u64) {
        self.sizes.rotate_right(1);
        self.sizes[0] = ((nodes.max(2) as f64).log2() * 8.0).round().min(255.0) as u8;
    }

    fn number(&mut self) -> u32 {
        self.next_number = self.next_number.wrapping_add(1);
        self.next_number
    }
}

/// Once more; saturates.
fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
