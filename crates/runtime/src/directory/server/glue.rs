//! What the machine says, taken to where it belongs: workers, operators.

use super::workers::{Job, Workers};
use super::{Notice, store::Write};
use crate::net::{Application, Read};
use bytes::Bytes;
use throng_machine::Extent;
use throng_overlay::directory::server::{Account, Command, Event, Server};
use tokio::sync::{mpsc, oneshot};

/// The application around the machine.
pub(super) struct Glue {
    pub(super) workers: Workers,
    pub(super) notices: mpsc::Sender<Notice>,
    /// Every connection was told to go.
    pub(super) closed: bool,
    /// An operator wants the store to be looked at again.
    pub(super) reload: bool,
}

impl Glue {
    pub(super) fn tell(&self, notice: Notice) {
        // An operator who does not listen misses it; the server does not wait.
        let _ = self.notices.try_send(notice);
    }

    /// Hands a job over; what is refused undoes what the machine took for granted.
    fn hand(&self, job: Job, commands: &mut Vec<Command>) {
        match self.workers.hand(job) {
            Ok(()) => {}
            Err(Job::Check(check, ..)) => commands.push(Command::PasswordChecked { check, right: false }),
            Err(Job::Create(Account { nick, .. }, _)) => commands.push(Command::ForgetAccount { nick }),
            Err(Job::Change(nick, _)) => {
                tracing::warn!(?nick, "a password was not changed: too many at once")
            }
            Err(Job::Write(_)) => tracing::error!("the store is not written any more"),
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Application for Glue {
    type Machine = Server;

    fn on_event(&mut self, event: Event, commands: &mut Vec<Command>) {
        match event {
            Event::CheckPassword { check, nick, password } => {
                self.hand(Job::Check(check, nick, password), commands);
            }
            Event::AccountCreated { account, password } => {
                self.hand(Job::Create(account, password), commands)
            }
            Event::PasswordChanged { nick, password } => self.hand(Job::Change(nick, password), commands),
            Event::EmailChanged { nick, email } => self.hand(Job::Write(Write::Email(nick, email)), commands),
            Event::AccountSeen { nick, at } => self.hand(Job::Write(Write::Seen(nick, at)), commands),
            Event::Killed { nick, by, reason } => {
                self.tell(Notice::Killed(text(nick), text(by), text(reason)))
            }
            Event::Linked { server } => self.tell(Notice::Linked(text(server))),
            Event::Unlinked { server, reason } => self.tell(Notice::Unlinked(text(server), reason)),
            Event::Violation { from, violation } => {
                self.tell(Notice::Violation(from.socket_addr(), violation));
            }
            Event::StopRequested { by } => self.tell(Notice::StopRequested(text(by))),
            Event::ReloadRequested { .. } => self.reload = true,
            Event::Closed => self.closed = true,
        }
    }

    /// The protocol moves no file data through the server.
    fn place(&mut self, _: Extent, _: &[u8]) {}

    fn read_now(&mut self, _: Extent, _: &mut [u8]) -> Read {
        Read::Failed
    }

    fn read_later(&mut self, _: Extent) -> oneshot::Receiver<Option<Bytes>> {
        oneshot::channel().1
    }
}
