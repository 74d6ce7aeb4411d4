//! Messages, the hot list, whois, pings (4.5).

use throng_machine::Endpoint;
use throng_wire::napster::{ClientMessage, Nick, NickText, Ping, Whois};

use super::event::{Event, UserInfo};
use super::machine::{Client, Cx};

/// Watched users at most: what servers hold (section 10).
const MAX_WATCHED: usize = 32;

/// Bytes of a private message that servers pass on, nick and space included (205).
const MAX_MESSAGE: usize = 180;

impl Client {
    pub(super) fn watch(&mut self, nick: Vec<u8>, cx: &mut Cx<'_>) {
        if self.watched.len() < MAX_WATCHED && self.watched.insert(nick.clone()) {
            self.tell_all(&ClientMessage::WatchUser(Nick { nick: &nick }), cx);
        }
    }

    pub(super) fn unwatch(&mut self, nick: &[u8], cx: &mut Cx<'_>) {
        if self.watched.remove(nick) {
            self.tell_all(&ClientMessage::UnwatchUser(Nick { nick }), cx);
        }
    }

    /// In as many messages as it takes: servers cut each at 180 bytes.
    pub(super) fn say(&mut self, at: Endpoint, nick: &[u8], text: &[u8], cx: &mut Cx<'_>) {
        let room = MAX_MESSAGE.saturating_sub(nick.len() + 1).max(1);
        let mut rest = text;
        while !rest.is_empty() {
            let mut end = room.min(rest.len());
            // Not within a character, if it is UTF-8.
            while end < rest.len() && end > 1 && rest[end] & 0xc0 == 0x80 && end + 4 > room {
                end -= 1;
            }
            let (part, after) = rest.split_at(end);
            self.tell(at, &ClientMessage::PrivateMessage(NickText { nick, text: part }), cx);
            rest = after;
        }
    }

    pub(super) fn ask_whois(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        self.tell(at, &ClientMessage::Whois(Nick { nick }), cx);
    }

    pub(super) fn ask_speed(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        self.tell(at, &ClientMessage::AskSpeed(Nick { nick }), cx);
    }

    pub(super) fn ping(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        self.tell(at, &ClientMessage::Ping(Ping { nick, args: b"" }), cx);
    }

    pub(super) fn on_ping(&mut self, at: Endpoint, ping: Ping<'_>, cx: &mut Cx<'_>) {
        self.answer(at, &ClientMessage::Pong(ping), cx);
    }

    pub(super) fn on_whois(&mut self, at: Endpoint, whois: &Whois<'_>, cx: &mut Cx<'_>) {
        if let Some(server) = self.servers.get_mut(&at) {
            server.learn(whois.nick, whois.client);
        }
        let info = UserInfo {
            nick: whois.nick.to_vec(),
            level: whois.level.to_vec(),
            status: whois.status.to_vec(),
            online: whois.seconds,
            shared: whois.shared,
            transfers: (whois.downloads, whois.uploads),
            speed: whois.speed,
            client: whois.client.to_vec(),
        };
        cx.emit(Event::User(at, Box::new(info)));
    }

    /// 210: a watched user has gone; before a 213 also the answer to a browse.
    pub(super) fn on_user_left(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        cx.emit(Event::UserLeft(at, nick.to_vec()));
    }

    /// A notice said that a user is not there.
    pub(super) fn on_user_offline(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        cx.emit(Event::UserAway(at, nick.to_vec(), None));
        self.fail_requests_to(at, nick, cx);
        self.on_direct_browse_error(at, nick, b"", cx);
    }
}
