//! Before and at login: nick checks, passwords, registration, ghosts (4.1, N1 to N6).

use super::command::{Account, Banned, CheckId, Event, Level, Violation};
use super::connections::{ConnId, Phase, Waiting, Wish, seconds};
use super::people::{Home, Person, PersonId, fold};
use super::{Cx, Server};
use std::net::{IpAddr, Ipv4Addr};
use throng_wire::napster::{
    ClientMessage, Frame, Login, LoginAck, Nick, NickSpeed, PasswordCheck, ServerMessage, Text, is_valid_nick,
};

impl Server {
    /// A frame of somebody who is not logged in.
    pub(super) fn on_first_frame(&mut self, conn: ConnId, frame: Frame<'_>, cx: &mut Cx<'_>) {
        match ClientMessage::decode(frame) {
            Ok(ClientMessage::Login(login)) => self.on_login(conn, &login, false, cx),
            Ok(ClientMessage::Register(login)) => self.on_login(conn, &login, true, cx),
            Ok(ClientMessage::CheckNick(nick)) => self.on_check_nick(conn, nick.nick, cx),
            Ok(ClientMessage::CheckPassword(check)) => self.on_check_password(conn, &check, cx),
            Ok(ClientMessage::ServerHello(hello)) => self.on_hello(conn, &hello, cx),
            Ok(
                ClientMessage::Version(_)
                | ClientMessage::Details(_)
                | ClientMessage::DataPorts(_)
                | ClientMessage::Capability(_),
            ) => {}
            Err(_) if matches!(frame.kind, 2 | 6) => {
                self.write(conn, &ServerMessage::Notice(Text { text: b"Too few parameters for login." }), cx);
                self.close(conn, cx);
            }
            _ => {
                self.write(conn, &ServerMessage::Error(Text { text: b"invalid command" }), cx);
                self.punish(conn, Violation::NoLogin, cx);
            }
        }
    }

    /// Refuses a login in words (0) and closes.
    fn refuse(&mut self, conn: ConnId, parts: &[&[u8]], cx: &mut Cx<'_>) {
        self.write(conn, &ServerMessage::Error(Text { text: &parts.concat() }), cx);
        self.metrics.logins_refused += 1;
        self.close(conn, cx);
    }

    fn on_check_nick(&mut self, conn: ConnId, nick: &[u8], cx: &mut Cx<'_>) {
        let message = if !self.is_nick(nick) {
            ServerMessage::NickInvalid(Text { text: b"" })
        } else if self.accounts.find(nick).is_some() || self.people.find(nick).is_some() {
            ServerMessage::NickTaken
        } else {
            ServerMessage::NickFree
        };
        self.write(conn, &message, cx);
    }

    /// Nicks of users: neither a service's nor a server's.
    fn is_nick(&self, nick: &[u8]) -> bool {
        is_valid_nick(nick)
            && !self.config.name.as_bytes().eq_ignore_ascii_case(nick)
            && !self.links.is_server(nick)
    }

    fn on_check_password(&mut self, conn: ConnId, check: &PasswordCheck<'_>, cx: &mut Cx<'_>) {
        if self.accounts.find(check.nick).is_none() {
            return self.refuse(conn, &[b"Invalid Password"], cx);
        }
        self.ask_password(conn, check.nick, check.password, None, cx);
    }

    fn on_login(&mut self, conn: ConnId, login: &Login<'_>, register: bool, cx: &mut Cx<'_>) {
        if !self.is_nick(login.nick) {
            self.write(conn, &ServerMessage::NickInvalid(Text { text: b"" }), cx);
            self.metrics.logins_refused += 1;
            return self.close(conn, cx);
        }
        if let Some(reason) = self.accounts.is_banned(&Banned::Nick(fold(login.nick))) {
            let reason = reason.to_vec();
            return self.refuse(conn, &[b"You are banned from this server: ", &reason], cx);
        }
        let speed = match u8::try_from(login.speed.0) {
            Ok(speed) if login.speed.is_valid() => speed,
            _ => return self.refuse(conn, &[b"invalid speed"], cx),
        };
        let Ok(port) = u16::try_from(login.port) else { return self.refuse(conn, &[b"invalid port"], cx) };
        let wish = Wish { nick: login.nick.to_vec(), client: login.client.to_vec(), port, speed };
        let known = self.accounts.find(login.nick).is_some();
        match (register, known) {
            (true, true) => self.refuse(conn, &[b"account registered to another user"], cx),
            (true, false) => self.register(conn, wish, login, cx),
            (false, true) => self.ask_password(conn, login.nick, login.password, Some(wish), cx),
            (false, false) if self.config.registered_only => {
                self.refuse(conn, &[b"This server is for registered users only."], cx);
            }
            (false, false) => self.enter(conn, wish, cx),
        }
    }

    fn register(&mut self, conn: ConnId, wish: Wish, login: &Login<'_>, cx: &mut Cx<'_>) {
        if self.rival(conn, &wish.nick).is_some_and(|(_, ghost)| !ghost) {
            return self.refuse(conn, &[&wish.nick, b" is already active"], cx);
        }
        let Some(from) = self.connections.get(conn).map(|connection| connection.from) else { return };
        let minute = u64::from(seconds(cx.now())) / 60;
        // Each costs the application a hash and a place: counted like a guess.
        if self.accounts.failures(from.ip(), minute) >= self.config.max_failures {
            self.count(from, Violation::TooManyFromAddress, cx);
            return self.refuse(conn, &[b"Connecting too fast"], cx);
        }
        if self.accounts.len() >= self.config.max_accounts {
            return self.refuse(conn, &[b"No more nicks can be registered here"], cx);
        }
        self.accounts.count_failure(from.ip(), minute);
        let now = self.unix(cx.now());
        let email = login.email.unwrap_or(b"unknown").to_vec();
        let nick = wish.nick.clone();
        let account = Account { nick, level: Level::User, email, created: now, last_seen: now };
        self.accounts.load(account.clone());
        cx.emit(Event::AccountCreated { account, password: login.password.to_vec() });
        self.enter(conn, wish, cx);
    }

    /// Asks the application; the connection waits.
    fn ask_password(
        &mut self,
        conn: ConnId,
        nick: &[u8],
        password: &[u8],
        login: Option<Wish>,
        cx: &mut Cx<'_>,
    ) {
        let Some(from) = self.connections.get(conn).map(|connection| connection.from) else { return };
        let minute = u64::from(seconds(cx.now())) / 60;
        if self.accounts.failures(from.ip(), minute) >= self.config.max_failures {
            self.count(from, Violation::TooManyFromAddress, cx);
            return self.refuse(conn, &[b"Connecting too fast"], cx);
        }
        if self.checks.len() >= self.config.max_checks as usize {
            return self.refuse(conn, &[b"The server is busy, try again in a minute"], cx);
        }
        let check = CheckId(self.next_check);
        self.next_check = self.next_check.wrapping_add(1);
        self.checks.insert(check, conn);
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.phase = Phase::Checking(Box::new(Waiting { check, login }));
        }
        cx.emit(Event::CheckPassword { check, nick: nick.to_vec(), password: password.to_vec() });
    }

    /// The application's word on a password.
    pub(super) fn on_password_checked(&mut self, check: CheckId, right: bool, cx: &mut Cx<'_>) {
        let Some(conn) = self.checks.remove(&check) else { return };
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let phase = std::mem::replace(&mut connection.phase, Phase::Fresh);
        let waiting = match phase {
            Phase::Checking(waiting) if waiting.check == check => waiting,
            other => {
                connection.phase = other;
                return;
            }
        };
        let from = connection.from;
        if !right {
            let minute = u64::from(seconds(cx.now())) / 60;
            self.accounts.count_failure(from.ip(), minute);
            self.count(from, Violation::WrongPassword, cx);
            return self.refuse(conn, &[b"Invalid Password"], cx);
        }
        match waiting.login {
            Some(wish) => self.enter(conn, wish, cx),
            None => self.write(conn, &ServerMessage::PasswordRight, cx),
        }
        self.resume(conn, cx);
    }

    /// Who has the nick now, and whether that is the same person's ghost: from the same address, here (N6).
    fn rival(&self, conn: ConnId, nick: &[u8]) -> Option<(PersonId, bool)> {
        let rival = self.people.find(nick)?;
        let from = self.connections.get(conn)?.from.ip();
        let ghost = match self.people.get(rival)?.home {
            Home::Here(other) => self.connections.get(other).is_some_and(|other| other.from.ip() == from),
            Home::There(_) => false,
        };
        Some((rival, ghost))
    }

    /// Everything is right: the user is in.
    fn enter(&mut self, conn: ConnId, wish: Wish, cx: &mut Cx<'_>) {
        match self.rival(conn, &wish.nick) {
            Some((rival, true)) => self.lay_ghost(rival, cx),
            Some((_, false)) => return self.refuse(conn, &[&wish.nick, b" is already active"], cx),
            None => {}
        }
        let now = self.unix(cx.now());
        let Some(connection) = self.connections.get(conn) else { return };
        let (ip, connect_port) = (self.address_of(connection.from.ip()), connection.from.port());
        let account = self.accounts.find(&wish.nick);
        let (level, registered) = account.map_or((Level::User, false), |account| (account.level, true));
        let client = self.people.keep_client(&wish.client);
        let who = self.people.add(Person {
            nick: wish.nick.into(),
            home: Home::Here(conn),
            client,
            ip,
            connect_port,
            // Whose address cannot be told cannot be called.
            port: if ip.is_unspecified() { 0 } else { wish.port },
            speed: wish.speed,
            level,
            registered,
            untold: false,
            downloads: 0,
            uploads: 0,
            total_downloads: 0,
            total_uploads: 0,
            files: 0,
            bytes: 0,
            login: now,
            lists: None,
        });
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.phase = Phase::User(who);
        }
        self.metrics.logins += 1;
        self.greet(who, cx);
        self.announce_arrival(who, cx);
        self.tell_links_of(who);
    }

    /// 3, the message of the day, 214.
    fn greet(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let nick = self.people.get(who).map_or(&[][..], |person| &person.nick);
        let email = match self.accounts.find(nick) {
            Some(account) => account.email.clone(),
            None => [b"anon@", self.config.name.as_bytes()].concat(),
        };
        self.answer(who, &ServerMessage::LoginAck(LoginAck { email: &email, zlib_level: None }), cx);
        self.send_motd(who, cx);
        self.send_stats(who, cx);
    }

    /// 209 to those who watch the nick.
    pub(super) fn announce_arrival(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let Some(person) = self.people.get(who) else { return };
        let (nick, speed) = (person.nick.clone(), person.speed());
        for watcher in self.watchers.of(&nick) {
            self.tell(watcher, &ServerMessage::UserCame(NickSpeed { nick: &nick, speed }), cx);
        }
    }

    /// Throws out an older session of the same user.
    fn lay_ghost(&mut self, ghost: PersonId, cx: &mut Cx<'_>) {
        self.answer(ghost, &ServerMessage::Ghost, cx);
        let name = self.config.name.clone();
        let reason = b": Someone else is logging in as you, disconnecting.";
        self.throw_out(ghost, &[b"You were killed by ", name.as_bytes(), reason], cx);
        self.metrics.ghosts += 1;
    }

    /// 404 with the reason, 316, close.
    pub(super) fn throw_out(&mut self, who: PersonId, reason: &[&[u8]], cx: &mut Cx<'_>) {
        self.notice_parts(who, reason, cx);
        self.answer(who, &ServerMessage::Disconnecting(Text { text: b"0" }), cx);
        if let Some(Home::Here(conn)) = self.people.get(who).map(|person| person.home) {
            self.close(conn, cx);
        }
    }

    /// A user is gone: channels, watchers, files, linked servers.
    pub(super) fn leave(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        self.part_all(who, cx);
        let Some(person) = self.people.get_mut(who) else { return };
        for watched in person.lists.take().map(|lists| lists.watched).unwrap_or_default() {
            self.watchers.remove(&watched, who);
        }
        self.index.remove_owner(super::owner(who));
        self.searches.forget(who);
        let Some(person) = self.people.remove(who) else { return };
        for watcher in self.watchers.of(&person.nick) {
            self.tell(watcher, &ServerMessage::UserLeft(Nick { nick: &person.nick }), cx);
        }
        if person.registered && matches!(person.home, Home::Here(_)) {
            let at = self.unix(cx.now());
            if let Some(account) = self.accounts.find_mut(&person.nick) {
                account.last_seen = at;
                cx.emit(Event::AccountSeen { nick: person.nick.to_vec(), at });
            }
        }
        self.tell_links_of_leaving(&person);
    }

    /// The address others are told (N15).
    fn address_of(&self, ip: IpAddr) -> Ipv4Addr {
        match ip {
            IpAddr::V4(ip) if ip.is_loopback() => self.config.loopback_as.unwrap_or(ip),
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}
