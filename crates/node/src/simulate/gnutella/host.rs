//! A simulated servent, and the book that all write their results into.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use throng_machine::Instant;
use throng_overlay::discovery;
use throng_overlay::gnutella::{Event, Servent};
use throng_sim::{App, HostIo};

/// The port of every simulated servent.
pub const PORT: u16 = 6_346;

/// A search.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The name that ought to be found.
    pub target: String,
    /// When it was asked.
    pub at: Instant,
    /// When the target came first.
    pub found: Option<Instant>,
    /// Hits in all.
    pub hits: u32,
}

/// What all hosts write their results into.
#[derive(Default, Debug)]
pub struct Book {
    /// By ticket.
    pub asked: BTreeMap<u32, Asked>,
    /// Searches that are over.
    pub over: u32,
}

/// One host.
pub struct GnutellaHost {
    servent: Servent,
    book: Rc<RefCell<Book>>,
}

impl GnutellaHost {
    /// A servent.
    pub fn new(servent: Servent, book: Rc<RefCell<Book>>) -> GnutellaHost {
        GnutellaHost { servent, book }
    }

    /// The servent.
    pub fn servent(&self) -> &Servent {
        &self.servent
    }
}

impl App for GnutellaHost {
    type Machine = Servent;

    fn machine(&mut self) -> &mut Servent {
        &mut self.servent
    }

    fn on_event(&mut self, event: Event, io: &mut HostIo<'_, Self>) {
        let Event::Discovery(event) = event else { return };
        let mut book = self.book.borrow_mut();
        match event {
            discovery::Event::Found { ticket, item, .. } => {
                if let Some(asked) = book.asked.get_mut(&ticket.0) {
                    asked.hits += 1;
                    if item.title == asked.target {
                        asked.found.get_or_insert(io.now());
                    }
                }
            }
            discovery::Event::Finished(_) | discovery::Event::Refused(..) => book.over += 1,
            _ => {}
        }
    }
}
