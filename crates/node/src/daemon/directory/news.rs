//! What directories tell: who let us in, who did not and why, and what the node should know of it.

use super::places::{Place, may_lead};
use super::{DirectorySystem, Standing};
use crate::daemon::system::News;
use crate::text;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_overlay::directory::client::{Command, Event, LogoutReason};
use throng_overlay::discovery;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;

/// Before the next address of a name is tried: names may lead to many that refuse at once.
const MOVE_ON: Duration = Duration::from_secs(2);

impl DirectorySystem {
    pub(super) async fn listen(self: Rc<Self>, mut told: UnboundedReceiver<Event>) {
        while let Some(event) = told.recv().await {
            self.on_event(event);
            // All that is there, before what follows from it is looked at once.
            while let Ok(event) = told.try_recv() {
                self.on_event(event);
            }
            self.tell_published();
            self.left_if_alone();
        }
    }

    fn on_event(self: &Rc<Self>, event: Event) {
        if let Event::Found(_, file) = &event
            && let Some(head) = file.root
        {
            self.heads.borrow_mut().add(file.source(), head);
        }
        match &event {
            Event::LoggedIn(at, _) => self.on_logged_in(*at),
            Event::LoggedOut(at, reason, again) => self.on_logged_out(*at, *reason, *again),
            Event::Totals(at, users, files, gigabytes) => {
                self.change(*at, |place| place.totals = Some((*users, *files, *gigabytes)));
            }
            Event::Notice(at, words) => {
                self.change(*at, |place| place.words = Some(text::bytes(words)));
            }
            Event::Redirected(at, host, port) => self.on_redirected(*at, host, *port),
            Event::Pong(at, nick) => self.pings.answered(*at, nick),
            Event::NotShared(_) => self.on_not_shared(),
            Event::PortUnreachable(_, nick) => self.on_port_unreachable(nick),
            Event::Found(..) | Event::Finished(_) | Event::Refused(..) => {
                if let Some(event) = event.discovery() {
                    self.tell(event);
                }
            }
            _ => {}
        }
    }

    fn change<R>(&self, at: Endpoint, change: impl FnOnce(&mut Place) -> R) -> Option<R> {
        self.places.borrow_mut().at(at.socket_addr()).map(change)
    }

    fn on_logged_in(&self, at: Endpoint) {
        self.change(at, |place| (place.trouble, place.words, place.told) = (None, None, false));
        self.published.borrow_mut().reopen();
        if matches!(self.standing.get(), Standing::Joining | Standing::Isolated) {
            self.standing.set(Standing::Joined);
            self.tell(discovery::Event::Joined);
        }
    }

    fn on_logged_out(self: &Rc<Self>, at: Endpoint, reason: LogoutReason, again: Option<Duration>) {
        self.published.borrow_mut().reopen();
        if reason == LogoutReason::Asked {
            return;
        }
        let words = self.change(at, |place| place.words.take()).flatten();
        let why = why(reason, words.as_deref());
        let told = self.change(at, |place| {
            place.trouble = Some(why.clone());
            std::mem::replace(&mut place.told, true)
        });
        if told == Some(false) {
            let again =
                again.map_or_else(String::new, |again| format!("; tried again in {} s", again.as_secs()));
            self.notice(format!("{}: {why}{again}", at.socket_addr()));
        }
        let online = self.member.sessions().iter().any(|session| session.online);
        if !online && self.standing.get() == Standing::Joined {
            self.standing.set(Standing::Isolated);
            self.teller.tell(News::Isolated);
        }
        spawn_local(Rc::clone(self).move_on(at));
    }

    /// Tries the next address of the same name, if it has another.
    async fn move_on(self: Rc<Self>, at: Endpoint) {
        tokio::time::sleep(MOVE_ON).await;
        let online = self.member.sessions().iter().any(|session| session.server == at && session.online);
        if online || matches!(self.standing.get(), Standing::Leaving | Standing::Left) {
            return;
        }
        if let Some(Some((before, next))) = self.change(at, Place::move_on) {
            self.member.command(Command::Part(before.into()));
            self.member.command(Command::Join(vec![next.into()]));
        }
    }

    fn on_redirected(self: &Rc<Self>, at: Endpoint, host: &[u8], port: u16) {
        let to = format!("{}:{port}", text::bytes(host));
        let known = self.change(at, |place| place.redirect.replace(to.clone()));
        if known.flatten().as_ref() == Some(&to) {
            return;
        }
        if self.follow {
            spawn_local(Rc::clone(self).go_to(at, to));
        } else {
            self.notice(format!(
                "{} wants its users to go to {to}; if you trust it, join that with --directory {to}",
                at.socket_addr()
            ));
        }
    }

    /// Joins where a directory leads, beside it.
    async fn go_to(self: Rc<Self>, from: Endpoint, to: String) {
        let found = tokio::net::lookup_host(&to).await;
        let addresses: Vec<SocketAddr> = found.into_iter().flatten().collect();
        let may = addresses.into_iter().filter(|at| may_lead(from.socket_addr(), *at)).collect();
        let Some(place) = Place::new(to.clone(), may) else {
            return self.notice(format!("{} leads to {to}, which is not followed", from.socket_addr()));
        };
        let at = place.address();
        if self.places.borrow_mut().add(place) {
            self.notice(format!("{} leads to {to}: joining that too", from.socket_addr()));
            self.member.command(Command::Join(vec![at.into()]));
        }
    }

    /// A directory takes no more, as names are never alike here.
    fn on_not_shared(&self) {
        let sessions = self.member.sessions();
        for session in sessions.iter().filter(|session| session.online && session.untold == 0) {
            let files = self.published.borrow().len();
            let few = (session.told as usize) < files;
            let told = self.change(session.server, |place| std::mem::replace(&mut place.full, few));
            if few && told == Some(false) {
                self.notice(format!(
                    "{} takes no more files: {} of {files} are shared there",
                    session.server.socket_addr(),
                    session.told,
                ));
            }
        }
    }

    fn on_port_unreachable(&self, nick: &[u8]) {
        let Some(port) = self.data_port.filter(|_| !self.unreachable.replace(true)) else { return };
        self.notice(format!(
            "{} could not reach port {port} of this machine; open it, or join with --directory-port none",
            text::bytes(nick)
        ));
    }
}

fn why(reason: LogoutReason, words: Option<&str>) -> String {
    let said = |reason: &str| match words {
        Some(words) => format!("{reason}: {words}"),
        None => reason.to_owned(),
    };
    match reason {
        LogoutReason::Asked => said("left"),
        LogoutReason::Unreachable => said("cannot be reached; check the address"),
        LogoutReason::Lost => said("the connection ended"),
        LogoutReason::Silent => said("it says nothing any more"),
        LogoutReason::Refused => said("it does not let us in"),
        LogoutReason::Ghost => said("it remembers an earlier session of ours"),
        LogoutReason::Replaced => said("somebody took our name"),
        LogoutReason::Violation => said("it does not keep to the protocol"),
    }
}
