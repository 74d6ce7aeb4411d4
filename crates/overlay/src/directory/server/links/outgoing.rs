//! What we tell linked servers of our side of the tree, and the end of each call's writing.

use super::super::command::{Level, Violation};
use super::super::people::{Home, Person, PersonId};
use super::super::{Cx, Server};
use super::{LinkId, Remote};
use throng_wire::napster::{
    Frame, LinkMessage, LinkUp, LinkUser, Nick, UserLevel, UserShares, encode_relayed,
};

/// In place of a password, which is nobody else's business.
const NO_PASSWORD: &[u8] = b"unknown";

impl Server {
    /// Everything on our side, right after both proofs: links, users, levels, shares, channels.
    pub(super) fn sync(&mut self, link: LinkId) {
        let mut frames = Vec::new();
        for remote in self.links.servers.iter().flatten().filter(|remote| remote.via != link) {
            _ = LinkMessage::LinkUp(link_up(remote)).encode(&mut frames);
        }
        for who in self.people.ids() {
            if let Some(person) = self.people.get(who)
                && self.way_of(person) != Some(link)
            {
                self.describe(person, &mut frames);
            }
        }
        self.links.send_frames(link, &frames);
    }

    /// 2, 606, 10012 and 400s of a user.
    fn describe(&self, person: &Person, frames: &mut Vec<u8>) {
        let server = match person.home {
            Home::Here(_) => self.config.name.as_bytes(),
            Home::There(server) => self.links.name_of(server),
        };
        let email = self.email_of(person);
        let user = LinkUser {
            nick: &person.nick,
            password: NO_PASSWORD,
            port: person.port.into(),
            client: self.people.client(person.client),
            speed: person.speed(),
            email: &email,
            login_time: person.login,
            ip: person.ip,
            server,
            connect_port: person.connect_port.into(),
        };
        _ = LinkMessage::User(user).encode(frames);
        if person.level != Level::User {
            let level = person.level.word().as_bytes();
            let from = self.config.name.as_bytes();
            _ = LinkMessage::Level(UserLevel { from, nick: &person.nick, level, time: Some(0) })
                .encode(frames);
        }
        if person.files > 0 {
            _ = shares(person).encode(frames);
        }
        for channel in person.channels() {
            _ = encode_relayed(&person.nick, Frame { kind: 400, data: channel }, frames);
        }
    }

    /// A user has logged in here.
    pub(in super::super) fn tell_links_of(&mut self, who: PersonId) {
        let others = self.links.others(None);
        let Some(person) = self.people.get(who).filter(|_| !others.is_empty()) else { return };
        let mut frames = Vec::new();
        self.describe(person, &mut frames);
        for link in others {
            self.links.send_frames(link, &frames);
        }
    }

    /// A user has left; those who told us of the user know.
    pub(in super::super) fn tell_links_of_leaving(&mut self, person: &Person) {
        let but = self.way_of(person);
        self.links.send_all(&LinkMessage::UserQuit(Nick { nick: &person.nick }), but);
    }

    /// 10012, if a user here has shared or unshared since the last one.
    pub(in super::super) fn tell_links_of_shares(&mut self, who: PersonId) {
        let Some(person) = self.people.get_mut(who).filter(|person| person.untold) else { return };
        person.untold = false;
        let message = UserShares { nick: &person.nick, files: person.files, kilobytes: person.bytes >> 10 };
        self.links.send_all(&LinkMessage::Shares(message), None);
    }

    /// The link behind which a user is.
    pub(super) fn way_of(&self, person: &Person) -> Option<LinkId> {
        match person.home {
            Home::Here(_) => None,
            Home::There(server) => self.links.way_to(server),
        }
    }

    /// Compresses and sends what was collected for the links.
    pub(in super::super) fn flush_links(&mut self, cx: &mut Cx<'_>) {
        let waiting = self.links.ids().filter(|(_, link)| !link.out.is_empty()).map(|(id, _)| id);
        for link in waiting.collect::<Vec<_>>() {
            self.flush_link(link, cx);
        }
    }

    pub(super) fn flush_link(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let Some(state) = self.links.get_mut(link).filter(|link| !link.out.is_empty()) else { return };
        let (frames, conn) = (std::mem::take(&mut state.out), state.conn);
        let mut compressed = Vec::new();
        let written = match &mut state.deflater {
            Some(deflater) => deflater.deflate(&frames, &mut compressed).is_ok(),
            None => false,
        };
        self.write_with(conn, cx, |out, _| out.extend_from_slice(&compressed));
        let limit = self.config.max_link_queue;
        let is_slow = self.connections.get(conn).is_some_and(|connection| connection.queued > limit);
        if !written {
            self.doomed.push((conn, Violation::BadLink));
        } else if is_slow && self.links.count() > 0 && !self.is_syncing(conn, compressed.len()) {
            self.doomed.push((conn, Violation::SlowReader));
        }
    }

    /// Whether a queue is long only for what was written just now: the first message of a large cluster is.
    fn is_syncing(&self, conn: super::super::connections::ConnId, written: usize) -> bool {
        let queued = self.connections.get(conn).map_or(0, |connection| connection.queued as usize);
        queued.saturating_sub(written) <= self.config.max_link_queue as usize
    }
}

fn link_up(remote: &Remote) -> LinkUp<'_> {
    LinkUp {
        server: &remote.peer,
        port: remote.peer_port,
        peer: &remote.name,
        peer_port: remote.port,
        hops: remote.hops,
    }
}

fn shares(person: &Person) -> LinkMessage<'_> {
    LinkMessage::Shares(UserShares { nick: &person.nick, files: person.files, kilobytes: person.bytes >> 10 })
}
