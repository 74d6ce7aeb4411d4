//! What linked servers tell: users, totals, servers, frames for users here.
//!
//! A link speaks only for what is behind it: a message about a user that came another way is not believed, and a
//! frame for a user here is looked at before it is handed on, so that no server can make our users do harm.

use super::super::command::{Level, Violation};
use super::super::people::{Home, Person, PersonId, fold};
use super::super::{Cx, Server};
use super::{LinkId, Remote};
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::napster::{
    Contact, DirectBrowseOrder, DirectBrowseReady, Frame, LinkDown, LinkKill, LinkMessage, LinkTime, LinkUp,
    LinkUser, MAX_DATA, ServerMessage, TellLevel, UserLevel, UserShares, Wrapped, is_valid_nick, relayed,
};

/// Inflated bytes looked at in one go.
const ROOM: usize = 16_384;

/// Inflated bytes of one piece of input: more is no talk between servers.
const MAX_INFLATED: usize = 64 << 20;

/// How long after a collision of nicks a kill may be about the one that is gone.
const SETTLED: Duration = Duration::from_secs(30);

/// Users of all linked servers together.
const MAX_PEOPLE: u32 = 2_000_000;

impl Server {
    pub(in super::super) fn on_link_bytes(&mut self, link: LinkId, mut bytes: &[u8], cx: &mut Cx<'_>) {
        let mut inflated = 0;
        loop {
            let Some(state) = self.links.get_mut(link) else { return };
            let conn = state.conn;
            let Some(inflater) = &mut state.inflater else {
                // In clear until their proof: frame by frame, as the rest is compressed.
                state.input.extend_from_slice(bytes);
                match self.next_clear_frame(link, cx) {
                    Some(rest) => {
                        bytes = &bytes[bytes.len() - rest.min(bytes.len())..];
                        continue;
                    }
                    None => return,
                }
            };
            let before = state.input.len();
            let taken = inflater.inflate(bytes, &mut state.input, ROOM);
            let produced = state.input.len() - before;
            let Ok(taken) = taken else { return self.punish(conn, Violation::BadLink, cx) };
            bytes = &bytes[taken..];
            inflated += produced;
            self.on_link_frames(link, cx);
            if inflated > MAX_INFLATED {
                return self.punish(conn, Violation::BadLink, cx);
            }
            if bytes.is_empty() && produced < ROOM || taken == 0 && produced == 0 {
                return;
            }
        }
    }

    /// Handles one frame in clear and says how many bytes are behind it; `None` if there is no whole one.
    fn next_clear_frame(&mut self, link: LinkId, cx: &mut Cx<'_>) -> Option<usize> {
        let state = self.links.get_mut(link)?;
        let (conn, input) = (state.conn, std::mem::take(&mut state.input));
        match Frame::split(&input, MAX_DATA) {
            Ok(Some((frame, length))) => {
                match LinkMessage::decode(frame) {
                    Ok(LinkMessage::Hello(hello)) => self.on_answered_hello(link, &hello, cx),
                    Ok(LinkMessage::Proof(proof)) => self.on_proof(link, proof.nick, cx),
                    _ => self.punish(conn, Violation::FalseServer, cx),
                }
                Some(input.len() - length)
            }
            Ok(None) => {
                state.input = input;
                None
            }
            Err(_) => {
                self.punish(conn, Violation::FrameTooLong, cx);
                None
            }
        }
    }

    fn on_link_frames(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let Some(state) = self.links.get_mut(link) else { return };
        let (conn, input) = (state.conn, std::mem::take(&mut state.input));
        let mut at = 0;
        loop {
            match Frame::split(&input[at..], MAX_DATA * 2) {
                Ok(Some((frame, length))) => {
                    at += length;
                    self.on_link_frame(link, frame, cx);
                }
                Ok(None) => break,
                Err(_) => return self.punish(conn, Violation::FrameTooLong, cx),
            }
        }
        if let Some(state) = self.links.get_mut(link) {
            state.input = input[at..].to_vec();
        }
    }

    fn on_link_frame(&mut self, link: LinkId, frame: Frame<'_>, cx: &mut Cx<'_>) {
        self.metrics.link_messages += 1;
        if super::relay::is_relayed(frame.kind)
            && let Some((sender, inner)) = relayed(frame)
        {
            return self.on_relayed(link, sender, inner, frame, cx);
        }
        let Ok(message) = LinkMessage::decode(frame) else { return };
        match message {
            LinkMessage::User(user) => self.on_link_user(link, &user, frame, cx),
            LinkMessage::Level(level) => self.on_link_level(link, &level, frame),
            LinkMessage::Kill(kill) => self.on_link_kill(link, &kill, frame, cx),
            LinkMessage::UserQuit(nick) => {
                if let Some(who) = self.behind(link, nick.nick, cx) {
                    self.leave(who, cx);
                }
            }
            LinkMessage::Shares(shares) => self.on_link_shares(link, &shares, frame, cx),
            LinkMessage::Search(search) => self.on_link_search(link, &search, cx),
            LinkMessage::Hit(hit) => self.on_link_hit(link, &hit, frame, cx),
            LinkMessage::SearchEnd(id) => self.on_link_search_end(link, id.nick, cx),
            LinkMessage::Wrapped(wrapped) => self.on_wrapped(link, &wrapped, frame, cx),
            LinkMessage::LinkUp(up) => self.on_link_up(link, &up, cx),
            LinkMessage::LinkDown(down) => self.on_link_down(link, &down, cx),
            LinkMessage::TellLevel(tell) => self.on_tell_level(link, &tell, frame, cx),
            LinkMessage::Time(_) => self.on_link_time(link, cx),
            LinkMessage::SyncEnd => self.on_sync_end(link),
            // Accounts are each server's own here; others may share theirs through us.
            LinkMessage::Registration(_) => self.pass_on(link, frame),
            _ => {}
        }
    }

    /// Hands a frame to all other links as it is.
    pub(super) fn pass_on(&mut self, link: LinkId, frame: Frame<'_>) {
        let mut bytes = Vec::new();
        if frame.encode(&mut bytes).is_ok() {
            for other in self.links.others(Some(link)) {
                self.links.send_frames(other, &bytes);
            }
        }
    }

    /// The user of that nick, if behind that link.
    pub(super) fn behind(&mut self, link: LinkId, nick: &[u8], cx: &mut Cx<'_>) -> Option<PersonId> {
        let who = self.people.find(nick)?;
        if self.people.get(who).and_then(|person| self.way_of(person)) == Some(link) {
            return Some(who);
        }
        self.distrust(link, cx);
        None
    }

    /// Counts what a link should not have said.
    pub(super) fn distrust(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let conn = self.links.get(link).map(|link| link.conn);
        if let Some(from) = conn.and_then(|conn| self.connections.get(conn)).map(|connection| connection.from)
        {
            self.count(from, Violation::FalseOrigin, cx);
        }
    }

    fn on_link_user(&mut self, link: LinkId, user: &LinkUser<'_>, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let server =
            self.links.find_server(user.server).filter(|server| self.links.way_to(*server) == Some(link));
        let Some(server) = server.filter(|_| is_valid_nick(user.nick) && self.people.len() < MAX_PEOPLE)
        else {
            return self.distrust(link, cx);
        };
        if let Some(rival) = self.people.find(user.nick)
            && !self.settle_collision(link, rival, user, cx)
        {
            return;
        }
        let client = self.people.keep_client(user.client);
        let who = self.people.add(Person {
            nick: user.nick.into(),
            home: Home::There(server),
            client,
            ip: user.ip,
            connect_port: user.connect_port as u16,
            port: user.port as u16,
            speed: u8::try_from(user.speed.0).unwrap_or(0),
            level: Level::User,
            registered: false,
            untold: false,
            downloads: 0,
            uploads: 0,
            total_downloads: 0,
            total_uploads: 0,
            files: 0,
            bytes: 0,
            login: user.login_time,
            lists: None,
        });
        self.pass_on(link, frame);
        self.announce_arrival(who, cx);
    }

    /// Two users of one nick: who came later goes; both if nobody did. True if the new one stays.
    fn settle_collision(
        &mut self,
        link: LinkId,
        rival: PersonId,
        user: &LinkUser<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        let Some(person) = self.people.get(rival) else { return true };
        let ours = person.login;
        let name = self.config.name.clone().into_bytes();
        let kill = LinkKill { from: &name, nick: user.nick, reason: Some(b"nick collision") };
        let kill = LinkMessage::Kill(kill);
        if ours <= user.login_time {
            self.links.send(link, &kill);
        }
        if ours >= user.login_time {
            if let Some(state) = self.links.get_mut(link) {
                state.settled.retain(|(_, until)| *until > cx.now());
                state.settled.push((fold(user.nick), cx.now() + SETTLED));
            }
            match person.home {
                Home::Here(_) => {
                    self.throw_out(rival, &[b"You were killed by ", &name, b": nick collision"], cx)
                }
                Home::There(_) => {
                    self.links.send_all(&kill, Some(link));
                    self.leave(rival, cx);
                }
            }
        }
        ours > user.login_time
    }

    fn on_link_level(&mut self, link: LinkId, level: &UserLevel<'_>, frame: Frame<'_>) {
        // What a user may do here is for us to say: levels are believed only for users behind the link.
        let Some(who) = self.people.find(level.nick) else { return };
        if self.people.get(who).and_then(|person| self.way_of(person)) != Some(link) {
            return;
        }
        if let (Some(person), Some(level)) = (self.people.get_mut(who), Level::from_word(level.level)) {
            person.level = level;
        }
        self.pass_on(link, frame);
    }

    fn on_link_kill(&mut self, link: LinkId, kill: &LinkKill<'_>, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let Some(victim) = self.people.find(kill.nick) else { return };
        let by = self.people.find(kill.from).and_then(|by| self.people.get(by));
        let speaks = match by {
            Some(by) => self.way_of(by) == Some(link) && by.level >= Level::Moderator,
            None => {
                self.links.find_server(kill.from).and_then(|server| self.links.way_to(server)) == Some(link)
            }
        };
        if !speaks {
            return self.distrust(link, cx);
        }
        let about_ours = |(nick, until): &(Vec<u8>, Instant)| *nick == fold(kill.nick) && *until > cx.now();
        if let Some(state) = self.links.get_mut(link)
            && let Some(at) = state.settled.iter().position(about_ours)
        {
            state.settled.swap_remove(at);
            return;
        }
        let reason = kill.reason.unwrap_or(b"");
        self.pass_on(link, frame);
        if self.is_here(victim) {
            self.throw_out(victim, &[b"You have been killed by ", kill.from, b": ", reason], cx);
        } else {
            self.leave(victim, cx);
        }
    }

    fn on_link_shares(&mut self, link: LinkId, shares: &UserShares<'_>, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let Some(who) = self.behind(link, shares.nick, cx) else { return };
        self.people.set_shares(who, shares.files, shares.kilobytes.saturating_mul(1024));
        self.pass_on(link, frame);
    }

    fn on_link_up(&mut self, link: LinkId, up: &LinkUp<'_>, cx: &mut Cx<'_>) {
        let own = self.config.name.as_bytes();
        // One of the two is on our side of the link already; the other one is new.
        let known = |name: &[u8]| self.links.find_server(name).map(|server| self.links.way_to(server));
        let (near, near_port, far, far_port) = match (known(up.server), known(up.peer)) {
            (Some(Some(via)), None) if via == link => (up.server, up.port, up.peer, up.peer_port),
            (None, Some(Some(via))) if via == link => (up.peer, up.peer_port, up.server, up.port),
            _ => (b"".as_slice(), 0, b"".as_slice(), 0),
        };
        let circle = near.is_empty() || far.eq_ignore_ascii_case(own);
        let hops = up.hops.saturating_add(1);
        let remote = Remote {
            name: far.to_vec(),
            port: far_port,
            via: link,
            peer: near.to_vec(),
            peer_port: near_port,
            hops,
        };
        if circle || !self.links.add_server(remote) {
            if let Some(conn) = self.links.get(link).map(|link| link.conn) {
                self.punish(conn, Violation::BadLink, cx);
            }
            return;
        }
        self.links.send_all(&LinkMessage::LinkUp(LinkUp { hops, ..*up }), Some(link));
    }

    fn on_link_down(&mut self, link: LinkId, down: &LinkDown<'_>, cx: &mut Cx<'_>) {
        let server = self.links.find_server(down.server);
        match server.filter(|server| self.links.way_to(*server) == Some(link)) {
            Some(server) => self.server_is_gone(server, Some(link), cx),
            None => self.distrust(link, cx),
        }
    }

    fn on_tell_level(&mut self, link: LinkId, tell: &TellLevel<'_>, frame: Frame<'_>, cx: &mut Cx<'_>) {
        self.pass_on(link, frame);
        let Some(level) = Level::from_word(tell.level) else { return };
        for who in self.people_here() {
            if self.people.get(who).is_some_and(|person| person.level >= level.max(Level::Moderator)) {
                self.notice_parts(who, &[tell.from, b": ", tell.text], cx);
            }
        }
    }

    /// G tells the time at linking and wants to hear ours.
    fn on_link_time(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let time = self.unix(cx.now());
        let from = self.config.name.clone().into_bytes();
        if let Some(state) = self.links.get_mut(link).filter(|link| !link.told_time) {
            state.told_time = true;
            self.links.send(link, &LinkMessage::Time(LinkTime { from: &from, time }));
        }
    }

    /// G ends its state with 10262, wants an acknowledgement, and ours.
    fn on_sync_end(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(link) else { return };
        let told = std::mem::replace(&mut state.told_end, true);
        if !told {
            self.links.send(link, &LinkMessage::SyncEnd);
        }
        self.links.send(link, &LinkMessage::SyncEndAck);
    }

    /// 10018: a whole frame for a user.
    fn on_wrapped(&mut self, link: LinkId, wrapped: &Wrapped<'_>, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let Some(target) = self.people.find(wrapped.nick) else { return };
        let Some(person) = self.people.get(target) else { return };
        if let Home::There(_) = person.home {
            let way = self.way_of(person).filter(|way| *way != link);
            let mut bytes = Vec::new();
            if let (Some(way), Ok(())) = (way, frame.encode(&mut bytes)) {
                self.links.send_frames(way, &bytes);
            }
            return;
        }
        let inner = Frame::split(wrapped.frame, MAX_DATA).ok().flatten().map(|(inner, _)| inner);
        match inner.and_then(|inner| ServerMessage::decode(inner).ok()) {
            Some(message) if self.is_harmless(link, &message) => self.tell(target, &message, cx),
            _ => self.distrust(link, cx),
        }
    }

    /// Answers that a server may give to a user of ours; an address in it must be the address of the user it names,
    /// who must be behind that link: nobody is sent to call a third party.
    fn is_harmless(&self, link: LinkId, message: &ServerMessage<'_>) -> bool {
        use ServerMessage as M;
        let is_of = |nick: &[u8], ip: Option<std::net::Ipv4Addr>| {
            let person = self.people.find(nick).and_then(|who| self.people.get(who));
            person.is_some_and(|person| {
                self.way_of(person) == Some(link) && ip.is_none_or(|ip| ip == person.ip)
            })
        };
        match message {
            M::DownloadReady(Contact { nick, ip, .. }) | M::PushOrder(Contact { nick, ip, .. }) => {
                is_of(nick, Some(*ip))
            }
            M::DirectBrowseOrder(DirectBrowseOrder { nick, ip, .. }) => is_of(nick, *ip),
            M::DirectBrowseReady(DirectBrowseReady { nick, ip, .. }) => is_of(nick, Some(*ip)),
            M::BrowseItem(item) => is_of(item.nick, None),
            M::NotAvailable(_)
            | M::UserLeft(_)
            | M::BrowseEnd(_)
            | M::BrowseDirectory(_)
            | M::BrowseGroupedEnd(_)
            | M::Notice(_)
            | M::UserSpeed(_)
            | M::Whois(_)
            | M::Whowas(_)
            | M::QueueLimit(_)
            | M::DataPortError(_)
            | M::DirectBrowseError(_) => true,
            _ => false,
        }
    }
}
