//! A user's own session and what is known of others: 214, 621, 600, 603, 700 to 703.

use super::command::Event;
use super::people::{Home, Person, PersonId};
use super::{Cx, Server};
use throng_wire::napster::{Frame, NickSpeed, ServerMessage, Speed, Stats, Text, Whois, Whowas};

use super::command::Level;

impl Server {
    /// 214: users and files of the cluster, and gigabytes to the nearest (as A).
    pub(super) fn send_stats(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let message = ServerMessage::Stats(self.totals());
        self.answer(who, &message, cx);
    }

    pub(super) fn totals(&self) -> Stats {
        let gigabytes = (self.people.bytes + (1 << 29)) >> 30;
        Stats { users: self.people.len().into(), files: self.people.files, gigabytes }
    }

    /// 621 a line; the first two are what both servers begin with.
    pub(super) fn send_motd(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let Some(Home::Here(conn)) = self.people.get(who).map(|person| person.home) else { return };
        for line in 0..self.motd.len() {
            let text = std::mem::take(&mut self.motd[line]);
            self.write(conn, &ServerMessage::Motd(Text { text: &text }), cx);
            self.motd[line] = text;
        }
    }

    /// 600.
    pub(super) fn on_ask_speed(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        match self.people.find(nick).and_then(|target| self.people.get(target)) {
            Some(person) => {
                let (nick, speed) = (person.nick.clone(), person.speed());
                self.answer(who, &ServerMessage::UserSpeed(NickSpeed { nick: &nick, speed }), cx);
            }
            None => self.not_online(who, nick, cx),
        }
    }

    /// 404 in words that TekNap knows (T8).
    pub(super) fn not_online(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        self.notice_parts(who, &[b"User ", nick, b" is not currently online."], cx);
    }

    /// 603: of a user online, of a registered one, of nobody.
    pub(super) fn on_whois(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        if let Some(target) = self.people.find(nick) {
            return self.whois(who, target, cx);
        }
        match self.accounts.find(nick).cloned() {
            Some(account) => {
                let level = account.level.word().as_bytes();
                let whowas = Whowas { nick: &account.nick, level, last_seen: account.last_seen };
                self.answer(who, &ServerMessage::Whowas(whowas), cx);
            }
            None => self.notice(who, b"User is not currently online.", cx),
        }
    }

    fn whois(&mut self, who: PersonId, target: PersonId, cx: &mut Cx<'_>) {
        let (Some(person), Some(asker)) = (self.people.get(target), self.people.get(who)) else { return };
        let level = asker.level;
        let (mut channels, now) = (vec![b' '], self.unix(cx.now()));
        for channel in person.channels() {
            channels.extend_from_slice(channel);
            channels.push(b' ');
        }
        let (nick, client) = (person.nick.clone(), self.people.client(person.client).to_vec());
        let (address, email, server) = (person.ip.to_string(), self.email_of(person), self.server_of(person));
        let is_operator = level >= Level::Moderator;
        let whois = Whois {
            nick: &nick,
            level: person.level.word().as_bytes(),
            seconds: now.saturating_sub(person.login),
            channels: &channels,
            status: b"Active",
            shared: person.files,
            downloads: person.downloads.into(),
            uploads: person.uploads.into(),
            speed: person.speed(),
            client: &client,
            total_downloads: is_operator.then_some(person.total_downloads),
            total_uploads: is_operator.then_some(person.total_uploads),
            address: is_operator.then_some(address.as_bytes()),
            connect_port: is_operator.then_some(person.connect_port.into()),
            data_port: is_operator.then_some(person.port.into()),
            email: is_operator.then_some(&email),
            server: (level >= Level::Admin).then_some(&server),
        };
        self.answer(who, &ServerMessage::Whois(whois), cx);
    }

    pub(super) fn email_of(&self, person: &Person) -> Vec<u8> {
        match self.accounts.find(&person.nick) {
            Some(account) if person.registered => account.email.clone(),
            _ => b"unknown".to_vec(),
        }
    }

    fn server_of(&self, person: &Person) -> Vec<u8> {
        match person.home {
            Home::Here(_) => self.config.name.clone().into_bytes(),
            Home::There(server) => self.links.name_of(server).to_vec(),
        }
    }

    /// 700.
    pub(super) fn on_set_speed(&mut self, who: PersonId, speed: Speed, cx: &mut Cx<'_>) {
        let Some(code) = u8::try_from(speed.0).ok().filter(|_| speed.is_valid()) else {
            return self.notice(who, b"invalid speed", cx);
        };
        self.set_speed(who, code);
        self.relay_everywhere(who, Frame { kind: 700, data: code.to_string().as_bytes() });
    }

    pub(super) fn set_speed(&mut self, who: PersonId, code: u8) {
        let Some(person) = self.people.get_mut(who) else { return };
        person.speed = code;
        if matches!(person.home, Home::Here(_)) && person.files > 0 {
            self.index.set_speed(super::owner(who), code.into());
        }
    }

    /// 703; 0 is firewalled from now on.
    pub(super) fn on_set_port(&mut self, who: PersonId, port: u32, cx: &mut Cx<'_>) {
        let Ok(port) = u16::try_from(port) else { return self.notice(who, b"invalid port", cx) };
        self.set_port(who, port);
        self.relay_everywhere(who, Frame { kind: 703, data: port.to_string().as_bytes() });
    }

    pub(super) fn set_port(&mut self, who: PersonId, port: u16) {
        if let Some(person) = self.people.get_mut(who) {
            // Whose address cannot be told cannot be called.
            person.port = if person.ip.is_unspecified() { 0 } else { port };
        }
    }

    /// 701.
    pub(super) fn on_set_password(&mut self, who: PersonId, text: &[u8], cx: &mut Cx<'_>) {
        let Some(nick) = self.registered_nick(who, text, cx) else { return };
        cx.emit(Event::PasswordChanged { nick, password: text.trim_ascii().to_vec() });
        self.notice(who, b"password changed", cx);
    }

    /// 702.
    pub(super) fn on_set_email(&mut self, who: PersonId, text: &[u8], cx: &mut Cx<'_>) {
        let Some(nick) = self.registered_nick(who, text, cx) else { return };
        let email = text.trim_ascii().to_vec();
        if let Some(account) = self.accounts.find_mut(&nick) {
            account.email.clone_from(&email);
        }
        cx.emit(Event::EmailChanged { nick, email });
        self.notice(who, b"email address changed", cx);
    }

    /// The nick of a registered user who sent a usable word; the others are told.
    fn registered_nick(&mut self, who: PersonId, text: &[u8], cx: &mut Cx<'_>) -> Option<Vec<u8>> {
        let person = self.people.get(who)?;
        if !person.registered {
            self.notice(who, b"Your nick is not registered", cx);
            return None;
        }
        let word = text.trim_ascii();
        let usable = |byte: &u8| byte.is_ascii_graphic() && *byte != b'"';
        if word.is_empty() || word.len() > 128 || !word.iter().all(usable) {
            self.notice(who, b"parameters are unparsable", cx);
            return None;
        }
        Some(person.nick.to_vec())
    }
}
