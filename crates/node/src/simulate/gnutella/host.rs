//! A simulated servent, and the book that all write their results into.

use crate::simulate::measure::Ledger;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use throng_machine::Endpoint;
use throng_overlay::discovery::{self, Source};
use throng_overlay::gnutella::{Event, Servent};
use throng_sim::{App, HostIo};

/// The port of every simulated servent.
pub const PORT: u16 = 6_346;

/// The host at an address.
pub fn number(at: Endpoint) -> Option<u32> {
    match at.ip() {
        IpAddr::V4(ip) => u32::from(ip).checked_sub(0x0a00_0001),
        IpAddr::V6(_) => None,
    }
}

/// One host.
pub struct GnutellaHost {
    servent: Servent,
    ledger: Rc<RefCell<Ledger>>,
}

impl GnutellaHost {
    /// A servent, and where all write their searches; a target is a title.
    pub fn new(servent: Servent, ledger: Rc<RefCell<Ledger>>) -> GnutellaHost {
        GnutellaHost { servent, ledger }
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
        let mut ledger = self.ledger.borrow_mut();
        match event {
            discovery::Event::Found { ticket, item, source } => {
                let Source::Gnutella { at, .. } = source else { return };
                ledger.hit(ticket, item.title.as_bytes(), number(at), io.now());
            }
            discovery::Event::Finished(ticket) | discovery::Event::Refused(ticket, _) => ledger.end(ticket),
            _ => {}
        }
    }
}
