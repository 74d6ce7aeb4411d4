//! Users to users: messages, pings, watched and ignored nicks (4.5).

use super::people::{Home, PersonId, fold};
use super::{Cx, Server};
use std::collections::BTreeMap;
use throng_wire::napster::{
    ClientMessage, Frame, Nick, NickSpeed, NickText, Ping, ServerMessage, Text, is_valid_nick,
};

/// What of a private message is passed on: nick, space and text together.
const MAX_MESSAGE: usize = 180;

/// Who waits for whom.
#[derive(Default)]
pub(super) struct Watchers(BTreeMap<Vec<u8>, Vec<PersonId>>);

impl Watchers {
    pub(super) fn of(&self, nick: &[u8]) -> Vec<PersonId> {
        self.0.get(&fold(nick)).cloned().unwrap_or_default()
    }

    fn add(&mut self, nick: &[u8], who: PersonId) {
        self.0.entry(fold(nick)).or_default().push(who);
    }

    pub(super) fn remove(&mut self, nick: &[u8], who: PersonId) {
        let folded = fold(nick);
        if let Some(watchers) = self.0.get_mut(&folded) {
            watchers.retain(|other| *other != who);
            if watchers.is_empty() {
                self.0.remove(&folded);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Server {
    /// 205.
    pub(super) fn on_private_message(&mut self, who: PersonId, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let data = &frame.data[..frame.data.len().min(MAX_MESSAGE)];
        let Ok(ClientMessage::PrivateMessage(message)) = ClientMessage::decode(Frame { data, ..frame })
        else {
            return;
        };
        let Some(target) = self.listener(who, message.nick, cx) else { return };
        if let Some(Home::There(server)) = self.people.get(target).map(|person| person.home) {
            return self.relay_to(server, who, Frame { data, ..frame });
        }
        self.message_here(who, target, message.text, cx);
    }

    /// A message for a user here, from a user wherever.
    pub(super) fn message_here(&mut self, who: PersonId, target: PersonId, text: &[u8], cx: &mut Cx<'_>) {
        let Some(nick) = self.people.get(who).map(|person| person.nick.clone()) else { return };
        self.tell(target, &ServerMessage::PrivateMessage(NickText { nick: &nick, text }), cx);
    }

    /// Who hears a message; otherwise the speaker is told why nobody does.
    fn listener(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) -> Option<PersonId> {
        let Some(target) = self.people.find(nick) else {
            self.not_online(who, nick, cx);
            return None;
        };
        let own = self.people.get(who)?.nick.clone();
        if self.people.get(target)?.ignores(&own) {
            self.notice_parts(who, &[nick, b" is ignoring you"], cx);
            return None;
        }
        Some(target)
    }

    /// 751 and 752.
    pub(super) fn on_ping(&mut self, who: PersonId, ping: &Ping<'_>, frame: Frame<'_>, cx: &mut Cx<'_>) {
        if self.people.find(ping.nick).is_none() {
            // A pong to somebody gone is nobody's business.
            if frame.kind == 751 {
                self.notice_parts(who, &[b"ping failed, ", ping.nick, b" is not online"], cx);
            }
            return;
        }
        let Some(target) = self.listener(who, ping.nick, cx) else { return };
        if let Some(Home::There(server)) = self.people.get(target).map(|person| person.home) {
            return self.relay_to(server, who, frame);
        }
        self.ping_here(who, target, (frame.kind, ping.args), cx);
    }

    /// A 751 or 752 for a user here, from a user wherever.
    pub(super) fn ping_here(
        &mut self,
        who: PersonId,
        target: PersonId,
        (kind, args): (u16, &[u8]),
        cx: &mut Cx<'_>,
    ) {
        let Some(nick) = self.people.get(who).map(|person| person.nick.clone()) else { return };
        let ping = Ping { nick: &nick, args };
        let message = if kind == 751 { ServerMessage::Ping(ping) } else { ServerMessage::Pong(ping) };
        self.tell(target, &message, cx);
    }

    /// 207, 208.
    pub(super) fn on_watch(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        let Some(person) = self.people.get_mut(who) else { return };
        let lists = person.lists();
        if lists.watched.iter().any(|watched| watched.eq_ignore_ascii_case(nick)) {
            return;
        }
        if lists.watched.len() >= self.config.max_watched || !is_valid_nick(nick) {
            return self.answer(who, &ServerMessage::NotWatchingUser(Nick { nick }), cx);
        }
        lists.watched.push(fold(nick).into());
        self.watchers.add(nick, who);
        self.answer(who, &ServerMessage::WatchingUser(Nick { nick }), cx);
        if let Some(target) = self.people.find(nick).and_then(|target| self.people.get(target)) {
            let (nick, speed) = (target.nick.clone(), target.speed());
            self.answer(who, &ServerMessage::UserCame(NickSpeed { nick: &nick, speed }), cx);
        }
    }

    /// 303.
    pub(super) fn on_unwatch(&mut self, who: PersonId, nick: &[u8]) {
        let Some(lists) = self.people.get_mut(who).and_then(|person| person.lists.as_mut()) else { return };
        lists.watched.retain(|watched| !watched.eq_ignore_ascii_case(nick));
        self.watchers.remove(nick, who);
    }

    /// 320.
    pub(super) fn on_ask_ignored(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let lists = self.people.get(who).and_then(|person| person.lists.as_ref());
        let ignored = lists.map(|lists| lists.ignored.clone()).unwrap_or_default();
        for nick in &ignored {
            self.answer(who, &ServerMessage::Ignored(Nick { nick }), cx);
        }
        self.answer(who, &ServerMessage::IgnoredEnd(Text { text: b"" }), cx);
    }

    /// 322.
    pub(super) fn on_ignore(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        let max = self.config.max_ignored;
        let Some(person) = self.people.get_mut(who) else { return };
        if person.ignores(nick) {
            return self.answer(who, &ServerMessage::AlreadyIgnored(Nick { nick }), cx);
        }
        if !is_valid_nick(nick) {
            return self.notice(who, b"parameters are unparsable", cx);
        }
        let lists = person.lists();
        if lists.ignored.len() >= max {
            let text = format!("You may only ignore {max} users");
            return self.notice(who, text.as_bytes(), cx);
        }
        lists.ignored.push(fold(nick).into());
        self.answer(who, &ServerMessage::Ignoring(Nick { nick }), cx);
    }

    /// 323.
    pub(super) fn on_unignore(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        let Some(person) = self.people.get_mut(who) else { return };
        let had = person.ignores(nick);
        if let Some(lists) = &mut person.lists {
            lists.ignored.retain(|ignored| !ignored.eq_ignore_ascii_case(nick));
        }
        let nick = Nick { nick };
        let message = if had { ServerMessage::Unignored(nick) } else { ServerMessage::NotIgnored(nick) };
        self.answer(who, &message, cx);
    }

    /// 326, answered with how many there were.
    pub(super) fn on_clear_ignored(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let lists = self.people.get_mut(who).and_then(|person| person.lists.as_mut());
        let count = lists.map_or(0, |lists| std::mem::take(&mut lists.ignored).len());
        self.answer(who, &ServerMessage::IgnoredCleared(Text { text: count.to_string().as_bytes() }), cx);
    }
}
