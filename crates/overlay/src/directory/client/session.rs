//! Connecting, logging in, losing the connection, coming back (sections 3 and 4.1, N1 to N6).

use std::time::Duration;

use throng_machine::{Context, Endpoint, StreamInput, Via};
use throng_wire::napster::{
    ClientMessage, Frame, Login, MAX_DATA, NapsterError, NewSpeed, Nick, Number, ServerMessage, Speed,
    is_valid_nick,
};

use super::event::{Event, LogoutReason};
use super::machine::{Client, Cx, Owner, Timer};
use super::server::{Dialect, Phase, Server};
use super::violation::Violation;

/// How often another nick is tried in a row.
const MAX_RENAMES: u32 = 8;

/// Answers nobody asked for before a server is left.
pub(super) const MAX_UNASKED: u32 = 2_000;

impl Client {
    pub(super) fn join(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        if self.servers.contains_key(&at) || self.servers.len() >= self.config.max_servers {
            return;
        }
        let mut server = Box::new(Server::new(&self.config, cx.now()));
        if !is_valid_nick(&server.nick) {
            server.rename(b"throng", cx.rng().below(100_000));
        }
        self.servers.insert(at, server);
        self.connect(at, cx);
    }

    /// Leaves for good; the protocol has no farewell.
    pub(super) fn part(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        if !self.servers.contains_key(&at) {
            return;
        }
        self.close_session(at, cx);
        self.servers.remove(&at);
        self.timers.clear(Timer::Server(at));
        self.fail_downloads_at(at, cx);
        cx.emit(Event::LoggedOut(at, LogoutReason::Asked, None));
    }

    fn connect(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        let stream = cx.open(Via::Tcp, at);
        server.stream = Some(stream);
        server.phase = Phase::Connecting;
        self.owners.insert(stream, Owner::Server(at));
        self.timers.set(Timer::Server(at), cx.now() + self.config.login_timeout);
    }

    /// Ends what belongs to the session: the stream, searches, requests that have no answer.
    fn close_session(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        if let Some(stream) = server.stream.take() {
            self.owners.remove(&stream);
            cx.close(stream);
        }
        server.reset();
        self.timers.clear(Timer::Search(at));
        self.end_searches(at, cx);
        self.on_server_lost(at, cx);
    }

    /// The session is over: comes back later.
    fn lose(&mut self, at: Endpoint, reason: LogoutReason, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        let reason = server.ending.unwrap_or(reason);
        server.failures = server.failures.saturating_add(1);
        let failures = server.failures;
        self.close_session(at, cx);
        let wait = match reason {
            LogoutReason::Ghost => self.config.ghost_wait,
            _ => self.back_off(failures, cx),
        };
        self.timers.set(Timer::Server(at), cx.now() + wait);
        cx.emit(Event::LoggedOut(at, reason, Some(wait)));
    }

    /// Doubles each time, with a random part so that a crowd does not come back at once.
    fn back_off(&self, failures: u32, cx: &mut Cx<'_>) -> Duration {
        let doubled = self.config.retry_min.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let wait = doubled.min(self.config.retry_max);
        let spread = u32::try_from(wait.as_millis() / 4).unwrap_or(u32::MAX);
        wait + Duration::from_millis(u64::from(cx.rng().below(spread.max(1))))
    }

    pub(super) fn on_server_due(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let silence = self.config.server_silence;
        let Some(server) = self.servers.get_mut(&at) else { return };
        match server.phase {
            Phase::Waiting => self.connect(at, cx),
            Phase::Connecting => self.lose(at, LogoutReason::Unreachable, cx),
            Phase::Checking | Phase::LoggingIn => self.lose(at, LogoutReason::Silent, cx),
            Phase::Online if server.poked => self.lose(at, LogoutReason::Silent, cx),
            Phase::Online => {
                server.poked = true;
                self.timers.set(Timer::Server(at), cx.now() + silence);
                self.tell(at, &ClientMessage::AskStats, cx);
            }
        }
    }

    pub(super) fn on_server_input(&mut self, at: Endpoint, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        match input {
            StreamInput::Opened => self.on_server_opened(at, cx),
            StreamInput::Bytes(bytes) => self.on_server_bytes(at, bytes, cx),
            StreamInput::Flushed(count) => {
                if let Some(server) = self.servers.get_mut(&at) {
                    server.unflushed = server.unflushed.saturating_sub(u64::from(count));
                }
                self.pump_shares(at, cx);
            }
            StreamInput::Closed(_) => {
                let Some(server) = self.servers.get_mut(&at) else { return };
                if let Some(stream) = server.stream.take() {
                    self.owners.remove(&stream);
                }
                let reason = match server.phase {
                    Phase::Connecting => LogoutReason::Unreachable,
                    Phase::Checking | Phase::LoggingIn => LogoutReason::Refused,
                    Phase::Waiting | Phase::Online => LogoutReason::Lost,
                };
                self.lose(at, reason, cx);
            }
            StreamInput::Blank(_) | StreamInput::Accepted { .. } => {}
        }
    }

    fn on_server_opened(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let register = self.config.register.is_some();
        let Some(server) = self.servers.get_mut(&at) else { return };
        server.phase = Phase::Checking;
        let nick = server.nick.clone();
        if register {
            self.tell(at, &ClientMessage::CheckNick(Nick { nick: &nick }), cx);
        } else {
            self.log_in(at, false, cx);
        }
    }

    /// Sends 2 or 6 with five or six fields, never eight (N5).
    fn log_in(&mut self, at: Endpoint, register: bool, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        server.phase = Phase::LoggingIn;
        let (nick, config) = (server.nick.clone(), self.config.clone());
        let login = Login {
            nick: &nick,
            password: &config.password,
            port: u32::from(config.data_port),
            client: &config.client,
            speed: config.speed,
            email: config.register.as_deref().filter(|_| register),
            build: None,
            zlib_level: None,
        };
        let message = if register { ClientMessage::Register(login) } else { ClientMessage::Login(login) };
        if !self.tell(at, &message, cx) {
            self.lose(at, LogoutReason::Refused, cx);
        }
    }

    fn on_server_bytes(&mut self, at: Endpoint, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        let stream = server.stream;
        if server.is_online() {
            server.poked = false;
            self.timers.set(Timer::Server(at), cx.now() + self.config.server_silence);
        }
        let held = std::mem::take(&mut server.held);
        let joined = if held.is_empty() { None } else { Some([&held, bytes].concat()) };
        let mut rest = joined.as_deref().unwrap_or(bytes);
        loop {
            match Frame::split(rest, MAX_DATA) {
                Ok(Some((frame, length))) => {
                    rest = &rest[length..];
                    self.on_frame(at, frame, cx);
                }
                Ok(None) => break,
                Err(error) => return self.on_server_violation(at, error.into(), cx),
            }
            // The frame may have ended the session.
            if self.servers.get(&at).is_none_or(|server| server.stream != stream) {
                return;
            }
        }
        if let Some(server) = self.servers.get_mut(&at) {
            server.held = rest.to_vec();
        }
    }

    fn on_frame(&mut self, at: Endpoint, frame: Frame<'_>, cx: &mut Cx<'_>) {
        match ServerMessage::decode(frame) {
            Ok(message) => self.on_message(at, message, cx),
            // One bad message in a good stream of frames: passed over, but not for ever.
            Err(error) => self.on_nonsense(at, error, cx),
        }
    }

    fn on_nonsense(&mut self, at: Endpoint, error: NapsterError, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        server.unasked += 1;
        if server.unasked > MAX_UNASKED {
            self.on_server_violation(at, error.into(), cx);
        } else {
            self.blame(at, error.into(), cx);
        }
    }

    pub(super) fn on_server_violation(&mut self, at: Endpoint, violation: Violation, cx: &mut Cx<'_>) {
        self.blame(at, violation, cx);
        if let Some(server) = self.servers.get_mut(&at) {
            server.ending = Some(LogoutReason::Violation);
        }
        self.lose(at, LogoutReason::Violation, cx);
    }

    pub(super) fn on_nick_checked(&mut self, at: Endpoint, free: bool, cx: &mut Cx<'_>) {
        if self.servers.get(&at).is_some_and(|server| server.phase == Phase::Checking) {
            self.log_in(at, free, cx);
        }
    }

    pub(super) fn on_login_ack(&mut self, at: Endpoint, compressed: bool, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        if server.phase != Phase::LoggingIn || compressed {
            return self.on_server_violation(at, Violation::Forbidden, cx);
        }
        server.phase = Phase::Online;
        (server.failures, server.renamed) = (0, 0);
        server.pending = self.shares.contents().collect();
        let nick = server.nick.clone();
        self.timers.set(Timer::Server(at), cx.now() + self.config.server_silence);
        cx.emit(Event::LoggedIn(at, nick));
        for nick in self.watched.clone() {
            self.tell(at, &ClientMessage::WatchUserAtLogin(Nick { nick: &nick }), cx);
        }
        self.pump_shares(at, cx);
        self.on_server_online(at, cx);
    }

    /// 0, or 10 after a login: the connection closes; what to do depends on the words.
    pub(super) fn on_login_refused(&mut self, at: Endpoint, text: &[u8], bad_nick: bool, cx: &mut Cx<'_>) {
        cx.emit(Event::Notice(at, text.to_vec()));
        let base = self.config.nick.clone();
        let Some(server) = self.servers.get_mut(&at) else { return };
        if server.is_online() {
            return;
        }
        let says = |words: &[u8]| contains(text, words);
        if says(b"Connecting too fast") {
            server.ending = Some(LogoutReason::Ghost);
            return self.lose(at, LogoutReason::Ghost, cx);
        }
        let taken = says(b"already active") || says(b"registered to another") || says(b"Invalid Password");
        let rename = (taken || bad_nick) && server.renamed < MAX_RENAMES;
        if rename {
            let base: &[u8] = if bad_nick { b"throng" } else { &base };
            let number = cx.rng().below(100_000);
            server.rename(base, number);
            // Another nick is another matter: no long wait.
            server.failures = 0;
        }
        server.ending = Some(LogoutReason::Refused);
        self.lose(at, LogoutReason::Refused, cx);
    }

    pub(super) fn on_ghost(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let base = self.config.nick.clone();
        let number = cx.rng().below(100_000);
        if let Some(server) = self.servers.get_mut(&at) {
            // Coming back under the same nick would throw the other out in turn, and so on.
            server.rename(&base, number);
            server.ending = Some(LogoutReason::Replaced);
        }
    }

    pub(super) fn on_motd(&mut self, at: Endpoint, text: &[u8], cx: &mut Cx<'_>) {
        if let Some(server) = self.servers.get_mut(&at)
            && let Some(version) = text.strip_prefix(b"VERSION ")
        {
            let full =
                version.starts_with(b"opennap-ng") || version.to_ascii_lowercase().starts_with(b"throng");
            server.dialect = if full { Dialect::Full } else { Dialect::Basic };
        }
        cx.emit(Event::Motd(at, text.to_vec()));
    }

    pub(super) fn set_port(&mut self, port: u16, cx: &mut Cx<'_>) {
        self.config.data_port = port;
        let value = u32::from(port);
        self.tell_all(&ClientMessage::SetPort(Number { value }), cx);
    }

    pub(super) fn set_speed(&mut self, speed: Speed, cx: &mut Cx<'_>) {
        self.config.speed = speed;
        self.tell_all(&ClientMessage::SetSpeed(NewSpeed { speed }), cx);
    }

    /// To every server we are logged in at.
    pub(super) fn tell_all(&mut self, message: &ClientMessage<'_>, cx: &mut Context<'_, Event>) {
        let online = self.servers.iter().filter(|(_, server)| server.is_online());
        for at in online.map(|(at, _)| *at).collect::<Vec<_>>() {
            self.tell(at, message, cx);
        }
    }
}

/// Whether the words occur in a text, case ignored.
pub(super) fn contains(text: &[u8], words: &[u8]) -> bool {
    words.is_empty() || text.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words))
}
