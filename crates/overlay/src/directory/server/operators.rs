//! What moderators, administrators and the application may do, and what everybody may ask of the server.

use super::command::{Banned, Event, Level};
use super::people::{Home, PersonId};
use super::{Cx, Server};
use throng_wire::napster::{Kill, LinkKill, LinkMessage, NickText, Redirect, ServerMessage, Text};

impl Server {
    /// 610.
    pub(super) fn on_kill(&mut self, who: PersonId, kill: &Kill<'_>, cx: &mut Cx<'_>) {
        let Some(killer) = self.people.get(who) else { return };
        if killer.level < Level::Moderator {
            return self.notice(who, b"permission denied", cx);
        }
        let (by, level) = (killer.nick.clone(), killer.level);
        let Some(victim) = self.people.find(kill.nick) else { return self.not_online(who, kill.nick, cx) };
        if self.people.get(victim).is_some_and(|victim| victim.level >= level) && level < Level::Elite {
            return self.notice(who, b"permission denied", cx);
        }
        self.kill(victim, &by, kill.reason.unwrap_or(b""), cx);
    }

    /// Throws a user out, wherever they are; `by` is a user's nick.
    pub(super) fn kill(&mut self, victim: PersonId, by: &[u8], reason: &[u8], cx: &mut Cx<'_>) {
        let Some(person) = self.people.get(victim) else { return };
        let nick = person.nick.clone();
        cx.emit(Event::Killed { nick: nick.to_vec(), by: by.to_vec(), reason: reason.to_vec() });
        match person.home {
            Home::Here(_) => self.throw_out(victim, &[b"You have been killed by ", by, b": ", reason], cx),
            Home::There(_) => {
                let reason = Some(reason).filter(|reason| !reason.is_empty());
                self.links.send_all(&LinkMessage::Kill(LinkKill { from: by, nick: &nick, reason }), None);
                self.leave(victim, cx);
            }
        }
    }

    /// 627: to all moderators and above here.
    pub(super) fn on_tell_operators(&mut self, who: PersonId, text: &[u8], cx: &mut Cx<'_>) {
        self.privileged(who, Level::Moderator, cx, |server, who, cx| {
            let Some(nick) = server.people.get(who).map(|person| person.nick.clone()) else { return };
            for other in server.people_here() {
                if server.people.get(other).is_some_and(|other| other.level >= Level::Moderator) {
                    server.tell(other, &ServerMessage::OperatorMessage(NickText { nick: &nick, text }), cx);
                }
            }
        });
    }

    /// 628: to everybody here.
    pub(super) fn on_tell_everybody(&mut self, who: PersonId, text: &[u8], cx: &mut Cx<'_>) {
        self.privileged(who, Level::Admin, cx, |server, who, cx| {
            let Some(nick) = server.people.get(who).map(|person| person.nick.clone()) else { return };
            for other in server.people_here() {
                server.tell(other, &ServerMessage::Announcement(NickText { nick: &nick, text }), cx);
            }
        });
    }

    /// 801.
    pub(super) fn on_ask_version(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let text = self.motd.first().cloned().unwrap_or_default();
        self.notice(who, &text, cx);
    }

    /// 10112: a line a link, then an empty one.
    pub(super) fn on_list_links(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        for line in self.links.lines() {
            self.answer(who, &ServerMessage::LinkEntry(Text { text: line.as_bytes() }), cx);
        }
        self.answer(who, &ServerMessage::LinkEntry(Text { text: b"" }), cx);
    }

    /// 10115: clients, servers, users, files, kilobytes, channels, start, seconds up, -1, accounts.
    pub(super) fn on_ask_usage(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let up = cx.now().as_micros() / 1_000_000;
        let text = format!(
            "{} {} {} {} {} {} {} {up} -1 {}",
            self.connections.len(),
            self.links.count(),
            self.people.len(),
            self.people.files,
            self.people.bytes >> 10,
            self.channels.len(),
            self.config.epoch_unix,
            self.accounts.len(),
        );
        self.answer(who, &ServerMessage::Usage(Text { text: text.as_bytes() }), cx);
    }

    /// 10110.
    pub(super) fn on_stop_wish(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        if let Some(person) = self.people.get(who) {
            cx.emit(Event::StopRequested { by: person.nick.to_vec() });
        }
    }

    /// 10117.
    pub(super) fn on_reload_wish(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        if let Some(person) = self.people.get(who) {
            cx.emit(Event::ReloadRequested { by: person.nick.to_vec() });
        }
    }

    /// 10100, from the first word the server's name.
    pub(super) fn on_link_wish(&mut self, who: PersonId, text: Text<'_>, cx: &mut Cx<'_>) {
        let name = text.text.split(|byte| *byte == b' ').next().unwrap_or(b"").to_vec();
        if !self.call_server(&name, cx) {
            self.notice_parts(who, &[&name, b" is not a server that can be linked"], cx);
        }
    }

    /// 10101.
    pub(super) fn on_unlink_wish(&mut self, text: Text<'_>, cx: &mut Cx<'_>) {
        let name = text.text.split(|byte| *byte == b' ').next().unwrap_or(b"").to_vec();
        self.unlink(&name, "unlinked by an operator", cx);
    }

    /// The application's ban: nobody new comes in, and who is in goes.
    pub(super) fn ban(&mut self, banned: Banned, reason: Vec<u8>, cx: &mut Cx<'_>) {
        let is_meant = |server: &Server, who: PersonId| match (&banned, server.people.get(who)) {
            (Banned::Nick(nick), Some(person)) => person.nick.eq_ignore_ascii_case(nick),
            (Banned::Address(address), Some(person)) => match person.home {
                Home::Here(conn) => {
                    server.connections.get(conn).is_some_and(|conn| conn.from.ip() == *address)
                }
                Home::There(_) => false,
            },
            _ => false,
        };
        let meant: Vec<PersonId> =
            self.people_here().into_iter().filter(|who| is_meant(self, *who)).collect();
        for who in meant {
            self.throw_out(who, &[b"You are banned from this server: ", &reason], cx);
        }
        let banned = match banned {
            Banned::Nick(nick) => Banned::Nick(super::people::fold(&nick)),
            address => address,
        };
        self.accounts.ban(banned, reason);
    }

    /// The application's kick.
    pub(super) fn kick(&mut self, nick: &[u8], reason: &[u8], cx: &mut Cx<'_>) {
        if let Some(victim) = self.people.find(nick) {
            let by = self.config.name.clone();
            self.kill(victim, by.as_bytes(), reason, cx);
        }
    }

    /// Everybody is told, sent elsewhere if there is an elsewhere, and disconnected.
    pub(super) fn shut_down(&mut self, notice: &[u8], redirect: Option<&(String, u16)>, cx: &mut Cx<'_>) {
        for who in self.people_here() {
            self.notice(who, notice, cx);
            if let Some((host, port)) = redirect {
                let redirect = Redirect { host: host.as_bytes(), port: *port };
                self.answer(who, &ServerMessage::Redirect(redirect), cx);
            }
            self.answer(who, &ServerMessage::Disconnecting(Text { text: b"0" }), cx);
        }
        self.closing = true;
        self.unlink_all("the server stops", cx);
        // No goodbyes of each to all the others: everything goes at once.
        for conn in (0..self.connections.end()).map(super::connections::ConnId) {
            if let Some(connection) = self.connections.remove(conn) {
                cx.close(connection.stream);
            }
        }
        self.forget_everybody(cx);
        cx.emit(Event::Closed);
    }
}
