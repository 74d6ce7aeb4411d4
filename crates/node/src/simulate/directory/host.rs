//! A simulated host: a directory, or a user who shares files and goes to the next directory when his own is lost.

use super::machine::{Command, Either, Event};
use crate::simulate::measure::Ledger;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint};
use throng_overlay::directory::client::{self, Client, LogoutReason, SharedFile};
use throng_overlay::directory::server;
use throng_sim::{App, HostIo};

/// The port of every simulated host.
pub const PORT: u16 = 8_888;
/// Users come within this time, so that the first minute is not one burst.
const ARRIVALS: Duration = Duration::from_secs(10);

/// What all hosts write their results into.
#[derive(Default, Debug)]
pub struct Book {
    /// Searches; a target is a full name.
    pub ledger: Ledger,
    /// Users whose files are all told to a directory, by host number, with its address.
    pub home: BTreeMap<u32, Endpoint>,
}

/// What a user calls himself.
pub fn nick(user: u32) -> String {
    format!("user{user}")
}

fn user_of(nick: &[u8]) -> Option<u32> {
    std::str::from_utf8(nick).ok()?.strip_prefix("user")?.parse().ok()
}

/// What a user is made of.
pub struct Plan {
    /// Addresses of the directories that he knows, his own first.
    pub known: Vec<Endpoint>,
    /// What he shares.
    pub titles: Vec<String>,
}

/// One host.
pub struct DirectoryHost {
    machine: Either,
    plan: Plan,
    at: usize,
    book: Rc<RefCell<Book>>,
}

impl DirectoryHost {
    /// A directory.
    pub fn server(server: server::Server, book: Rc<RefCell<Book>>) -> DirectoryHost {
        let plan = Plan { known: Vec::new(), titles: Vec::new() };
        DirectoryHost { machine: Either::Server(Box::new(server)), plan, at: 0, book }
    }

    /// A user.
    pub fn client(client: Client, plan: Plan, book: Rc<RefCell<Book>>) -> DirectoryHost {
        DirectoryHost { machine: Either::Client(Box::new(client)), plan, at: 0, book }
    }

    /// The server, if it is one.
    pub fn as_server(&self) -> Option<&server::Server> {
        match &self.machine {
            Either::Server(server) => Some(server),
            Either::Client(_) => None,
        }
    }

    fn on_client_event(&mut self, event: client::Event, io: &mut HostIo<'_, Self>) {
        let (host, now) = (io.host().0, io.now());
        let mut book = self.book.borrow_mut();
        match event {
            client::Event::Shared(at, _) => _ = book.home.insert(host, at),
            client::Event::LoggedOut(
                at,
                LogoutReason::Lost | LogoutReason::Unreachable | LogoutReason::Silent,
                _,
            ) => {
                book.home.remove(&host);
                if self.plan.known.len() > 1 {
                    self.at = (self.at + 1) % self.plan.known.len();
                    io.command(Command::Client(client::Command::Part(at)));
                    io.command(Command::Client(client::Command::Join(vec![self.plan.known[self.at]])));
                }
            }
            client::Event::LoggedOut(..) => _ = book.home.remove(&host),
            client::Event::Found(ticket, file) => {
                book.ledger.hit(ticket, &file.name, user_of(&file.nick), now);
            }
            client::Event::Finished(ticket) | client::Event::Refused(ticket, _) => book.ledger.end(ticket),
            _ => {}
        }
    }
}

impl App for DirectoryHost {
    type Machine = Either;

    fn machine(&mut self) -> &mut Either {
        &mut self.machine
    }

    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        for (number, title) in self.plan.titles.iter().enumerate() {
            let file = SharedFile::new(ContentId(number as u32), title, 4 << 20);
            io.command(Command::Client(client::Command::Share(file)));
        }
        if let Some(first) = self.plan.known.first() {
            let delay = Duration::from_micros(u64::from(io.rng().below(ARRIVALS.as_micros() as u32)));
            io.command_after(delay, Command::Client(client::Command::Join(vec![*first])));
        }
    }

    fn on_event(&mut self, event: Event, io: &mut HostIo<'_, Self>) {
        if let Event::Client(event) = event {
            self.on_client_event(event, io);
        }
    }
}
