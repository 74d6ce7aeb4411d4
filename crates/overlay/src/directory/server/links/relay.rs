//! Users' messages on their way between servers: `:nick ` and what the client sent.

use super::super::people::{Home, PersonId, ServerId};
use super::super::{Cx, Server};
use super::LinkId;
use throng_wire::napster::{ClientMessage, Frame, LinkMessage, Wrapped, encode_relayed};

/// Types that travel so.
pub(super) const fn is_relayed(kind: u16) -> bool {
    matches!(kind, 203 | 205 | 211 | 218..=221 | 400..=402 | 607 | 700 | 703 | 751 | 752 | 824)
}

impl Server {
    /// Sends a user's message towards a server.
    pub(in super::super) fn relay_to(&mut self, server: ServerId, who: PersonId, frame: Frame<'_>) {
        let Some(nick) = self.people.get(who).map(|person| &person.nick) else { return };
        let mut bytes = Vec::new();
        if let (Some(link), Ok(())) = (self.links.way_to(server), encode_relayed(nick, frame, &mut bytes)) {
            self.links.send_frames(link, &bytes);
        }
    }

    /// Sends a message of a user here to all servers.
    pub(in super::super) fn relay_everywhere(&mut self, who: PersonId, frame: Frame<'_>) {
        let others = self.links.others(None);
        let Some(nick) = self.people.get(who).map(|person| &person.nick).filter(|_| !others.is_empty())
        else {
            return;
        };
        let mut bytes = Vec::new();
        if encode_relayed(nick, frame, &mut bytes).is_ok() {
            for link in others {
                self.links.send_frames(link, &bytes);
            }
        }
    }

    /// Sends a whole frame to a user of another server (10018).
    pub(in super::super) fn wrap_frame(&mut self, server: ServerId, who: PersonId, frame: &[u8]) {
        let Some(nick) = self.people.get(who).map(|person| person.nick.clone()) else { return };
        let from = self.config.name.as_bytes();
        if let Some(link) = self.links.way_to(server) {
            self.links.send(link, &LinkMessage::Wrapped(Wrapped { from, nick: &nick, frame }));
        }
    }

    /// A message of a user behind a link: for a user here, for one behind another link, or for all.
    pub(super) fn on_relayed(
        &mut self,
        link: LinkId,
        sender: &[u8],
        inner: Frame<'_>,
        whole: Frame<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(who) = self.behind(link, sender, cx) else { return };
        match inner.kind {
            218..=221 => self.on_counter(who, inner.kind),
            400..=402 | 410 | 824 | 700 | 703 => self.on_relayed_state(who, inner, cx),
            _ => return self.on_relayed_to_user(link, who, inner, whole, cx),
        }
        self.pass_on(link, whole);
    }

    /// What concerns all servers.
    fn on_relayed_state(&mut self, who: PersonId, inner: Frame<'_>, cx: &mut Cx<'_>) {
        match ClientMessage::decode(inner) {
            Ok(ClientMessage::SetSpeed(new)) => self.set_speed(who, u8::try_from(new.speed.0).unwrap_or(0)),
            Ok(ClientMessage::SetPort(port)) => self.set_port(who, port.value as u16),
            // Refusals are for users here to read; what one server allows, others may have no room for.
            Ok(ClientMessage::JoinChannel(channel)) => _ = self.join(who, channel.nick, cx),
            Ok(ClientMessage::PartChannel(channel)) => _ = self.part(who, channel.nick, cx),
            Ok(ClientMessage::Say(say)) => _ = self.say(who, &say, false, cx),
            Ok(ClientMessage::Emote(say)) => _ = self.say(who, &say, true, cx),
            Ok(ClientMessage::SetTopic(topic)) => _ = self.set_topic(who, &topic, cx),
            _ => {}
        }
    }

    /// What concerns one user.
    fn on_relayed_to_user(
        &mut self,
        link: LinkId,
        who: PersonId,
        inner: Frame<'_>,
        whole: Frame<'_>,
        cx: &mut Cx<'_>,
    ) {
        // 607 has the fields of a 203.
        let kind = if inner.kind == 607 { 203 } else { inner.kind };
        let Ok(message) = ClientMessage::decode(Frame { kind, ..inner }) else { return };
        let nick = match &message {
            ClientMessage::Request(file) => file.nick,
            ClientMessage::PrivateMessage(text) => text.nick,
            ClientMessage::Browse(browse) => browse.nick,
            ClientMessage::Ping(ping) | ClientMessage::Pong(ping) => ping.nick,
            _ => return,
        };
        let Some(target) = self.people.find(nick) else { return };
        let Some(person) = self.people.get(target) else { return };
        if let Home::There(_) = person.home {
            let way = self.way_of(person).filter(|way| *way != link);
            let mut bytes = Vec::new();
            if let (Some(way), Ok(())) = (way, whole.encode(&mut bytes)) {
                self.links.send_frames(way, &bytes);
            }
            return;
        }
        let sender = self.people.get(who).map(|person| person.nick.clone()).unwrap_or_default();
        if person.ignores(&sender) {
            return;
        }
        match message {
            ClientMessage::Request(file) if inner.kind == 607 => {
                self.upload_request_here(who, target, &file, cx)
            }
            ClientMessage::Request(file) => self.request_here(who, target, &file, cx),
            ClientMessage::PrivateMessage(text) => self.message_here(who, target, text.text, cx),
            ClientMessage::Browse(browse) => {
                let max = browse.max.unwrap_or(u32::MAX).clamp(1, self.config.max_browse);
                self.list(who, target, max, cx);
            }
            ClientMessage::Ping(ping) | ClientMessage::Pong(ping) => {
                self.ping_here(who, target, (inner.kind, ping.args), cx);
            }
            _ => {}
        }
    }
}
