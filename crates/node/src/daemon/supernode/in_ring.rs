//! The supernode's wishes of the node's ring, and the ring's answers.
//!
//! The machine's tickets become guests' of the ring. What is to be published waits until the ring lets this node in;
//! a search while it does not, or where there is no ring, is over at once.

use crate::daemon::ring::{GUESTS, RingSystem};
use crate::daemon::system::System as _;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use throng_overlay::discovery::{self, Item, Query, Refusal, Source, Ticket};
use throng_overlay::supernode::{Command, Event};
use tokio::sync::mpsc::UnboundedReceiver;

/// The part of the ring that the supernode sees.
pub(super) struct InRing {
    ring: Option<Rc<RingSystem>>,
    /// Publications that the ring has not taken, by the machine's tickets.
    waiting: RefCell<BTreeMap<Ticket, Item>>,
}

impl InRing {
    /// With no ring nothing is published and nothing found.
    pub(super) fn new(ring: Option<Rc<RingSystem>>) -> InRing {
        InRing { ring, waiting: RefCell::default() }
    }

    /// What the ring tells, if there is one.
    pub(super) fn told(&self) -> Option<UnboundedReceiver<discovery::Event>> {
        Some(self.ring.as_ref()?.invite())
    }

    /// Does what the machine wishes; what the machine is to be told at once.
    pub(super) fn on_wish(&self, wish: Event) -> Option<Command> {
        match wish {
            Event::RingPublish(ticket, item) => self.publish(ticket, item),
            Event::RingWithdraw(ticket) => {
                self.waiting.borrow_mut().remove(&ticket);
                self.ask(discovery::Command::Withdraw(guest(ticket)));
            }
            Event::RingFind(ticket, query) => return self.find(ticket, query),
            Event::RingCancel(ticket) => self.ask(discovery::Command::Cancel(guest(ticket))),
            _ => {}
        }
        None
    }

    fn ask(&self, command: discovery::Command) {
        if let Some(ring) = &self.ring {
            ring.command(command);
        }
    }

    fn publish(&self, ticket: Ticket, item: Item) {
        if self.ring.is_some() {
            self.waiting.borrow_mut().insert(ticket, item.clone());
            self.ask(discovery::Command::Publish(guest(ticket), item));
        }
    }

    fn find(&self, ticket: Ticket, query: Query) -> Option<Command> {
        if self.ring.is_none() {
            return Some(Command::RingFinished(ticket));
        }
        self.ask(discovery::Command::Find(guest(ticket), query));
        None
    }

    /// What the machine is to be told of an answer of the ring.
    pub(super) fn on_told(&self, event: discovery::Event) -> Option<Command> {
        match event {
            discovery::Event::Joined => {
                let waiting = self.waiting.borrow().clone();
                for (ticket, item) in waiting {
                    self.ask(discovery::Command::Publish(guest(ticket), item));
                }
                None
            }
            discovery::Event::Published { ticket, .. } => {
                self.waiting.borrow_mut().remove(&machines(ticket));
                None
            }
            // What a supernode published has one. Others' files may have one too: who is no supernode closes when asked.
            discovery::Event::Found { ticket, item, source: Source::Swarm(at) } if item.ft_hash.is_some() => {
                Some(Command::RingFound(machines(ticket), at))
            }
            discovery::Event::Finished(ticket) => Some(Command::RingFinished(machines(ticket))),
            discovery::Event::Refused(ticket, refusal) => self.on_refused(machines(ticket), refusal),
            _ => None,
        }
    }

    /// A search is over; a publication waits for the ring, or is given up if it takes no more.
    fn on_refused(&self, ticket: Ticket, refusal: Refusal) -> Option<Command> {
        if self.waiting.borrow().contains_key(&ticket) {
            if refusal != Refusal::NotJoined {
                self.waiting.borrow_mut().remove(&ticket);
            }
            return None;
        }
        Some(Command::RingFinished(ticket))
    }
}

/// The machine's ticket as the ring knows it.
fn guest(Ticket(number): Ticket) -> Ticket {
    Ticket(GUESTS | (number & (GUESTS - 1)))
}

/// And back.
fn machines(Ticket(number): Ticket) -> Ticket {
    Ticket(number & (GUESTS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn where_there_is_no_ring_a_search_in_it_is_over_at_once_and_nothing_is_kept() {
        let none = InRing::new(None);
        let query = Query { words: vec!["zebra".into()], limit: 1, timeout: Duration::from_secs(4) };
        let told = none.on_wish(Event::RingFind(Ticket(7), query));
        assert_eq!(told, Some(Command::RingFinished(Ticket(7))));
        assert_eq!(none.on_wish(Event::RingPublish(Ticket(8), Item::default())), None);
        assert!(none.waiting.borrow().is_empty() && none.told().is_none());
    }

    #[test]
    fn what_a_ring_refuses_before_it_lets_the_node_in_waits_and_a_search_does_not() {
        let none = InRing::new(None);
        none.waiting.borrow_mut().insert(Ticket(8), Item::default());
        let refused = |ticket, refusal| none.on_told(discovery::Event::Refused(guest(ticket), refusal));
        assert_eq!(refused(Ticket(7), Refusal::NotJoined), Some(Command::RingFinished(Ticket(7))));
        assert_eq!(refused(Ticket(8), Refusal::NotJoined), None);
        assert!(none.waiting.borrow().contains_key(&Ticket(8)));
        assert_eq!(refused(Ticket(8), Refusal::Busy), None);
        assert!(none.waiting.borrow().is_empty());
    }

    #[test]
    fn the_rings_hits_are_those_that_name_a_supernode() {
        let none = InRing::new(None);
        let at = throng_machine::Endpoint::v4([10, 0, 0, 1], 1_214);
        let found = |ft_hash| {
            let item = Item { ft_hash, ..Item::default() };
            let ticket = guest(Ticket(9));
            none.on_told(discovery::Event::Found { ticket, item, source: Source::Swarm(at) })
        };
        assert_eq!(found(Some([1; 20])), Some(Command::RingFound(Ticket(9), at)));
        assert_eq!(found(None), None);
    }
}
