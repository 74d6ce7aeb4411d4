//! Where each message of a server goes.

use throng_machine::Endpoint;
use throng_wire::napster::ServerMessage as Message;

use super::event::{Event, LogoutReason};
use super::machine::{Client, Cx};
use super::server::Phase;
use super::violation::Violation;

impl Client {
    pub(super) fn on_message(&mut self, at: Endpoint, message: Message<'_>, cx: &mut Cx<'_>) {
        if !self.is_online(at) {
            return self.on_early_message(at, message, cx);
        }
        match message {
            Message::Hit(hit) => self.on_hit(at, &hit, cx),
            Message::SearchEnd => self.on_search_end(at, cx),
            Message::ResumeHit(hit) => self.on_resume_hit(at, &hit, cx),
            Message::ResumeEnd => self.on_resume_end(at, cx),
            Message::BrowseItem(item) => self.on_browse_item(at, &item, cx),
            Message::BrowseEnd(end) => self.on_browse_end(at, end.nick, cx),
            Message::DownloadReady(contact) => self.on_download_ready(at, &contact, cx),
            Message::NotAvailable(file) | Message::UploadRefused(file) => {
                self.on_not_available(at, &file, cx)
            }
            Message::QueueLimit(limit) => self.on_queue_limit(at, &limit, cx),
            Message::UploadRequest(request) => self.on_upload_request(at, &request, cx),
            Message::PushOrder(contact) => self.on_push_order(at, &contact, cx),
            Message::DirectBrowseOrder(order) => self.on_direct_browse_order(at, &order, cx),
            Message::DirectBrowseReady(ready) => self.on_direct_browse_ready(at, &ready, cx),
            Message::DirectBrowseError(error) => self.on_direct_browse_error(at, error.nick, error.text, cx),
            Message::DataPortError(nick) => cx.emit(Event::PortUnreachable(at, nick.nick.to_vec())),
            Message::PrivateMessage(said) => cx.emit(Event::Said(at, said.nick.to_vec(), said.text.to_vec())),
            Message::UserCame(user) => cx.emit(Event::UserCame(at, user.nick.to_vec(), user.speed)),
            Message::UserLeft(nick) => self.on_user_left(at, nick.nick, cx),
            Message::UserSpeed(user) => cx.emit(Event::UserSpeed(at, user.nick.to_vec(), user.speed)),
            Message::Whois(whois) => self.on_whois(at, &whois, cx),
            Message::Whowas(user) => {
                cx.emit(Event::UserAway(at, user.nick.to_vec(), Some(user.last_seen)));
            }
            Message::Ping(ping) => self.on_ping(at, ping, cx),
            Message::Pong(pong) => cx.emit(Event::Pong(at, pong.nick.to_vec())),
            Message::Stats(stats) => {
                cx.emit(Event::Totals(at, stats.users, stats.files, stats.gigabytes));
            }
            Message::Motd(text) => self.on_motd(at, text.text, cx),
            Message::Notice(text) | Message::Error(text) => self.on_notice(at, text.text, cx),
            Message::Announcement(said) => cx.emit(Event::Said(at, said.nick.to_vec(), said.text.to_vec())),
            Message::Ghost => self.on_ghost(at, cx),
            Message::Disconnecting(_) => self.on_disconnecting(at),
            Message::Redirect(to) => cx.emit(Event::Redirected(at, to.host.to_vec(), to.port)),
            // Never obeyed: it would make us run a program.
            Message::AutoUpgrade(_) => self.on_server_violation(at, Violation::Forbidden, cx),
            Message::LoginAck(_) => self.on_server_violation(at, Violation::OutOfTurn, cx),
            // Echoes of what we said, and what we have no use for: channels, ignore lists, administration.
            _ => {}
        }
    }

    fn on_early_message(&mut self, at: Endpoint, message: Message<'_>, cx: &mut Cx<'_>) {
        let checking = self.servers.get(&at).is_some_and(|server| server.phase == Phase::Checking);
        match message {
            Message::LoginAck(ack) => self.on_login_ack(at, ack.zlib_level.is_some(), cx),
            Message::Error(text) => self.on_login_refused(at, text.text, false, cx),
            Message::NickFree if checking => self.on_nick_checked(at, true, cx),
            Message::NickTaken if checking => self.on_nick_checked(at, false, cx),
            Message::NickInvalid(text) => self.on_login_refused(at, text.text, true, cx),
            Message::Motd(text) => self.on_motd(at, text.text, cx),
            Message::Notice(text) => cx.emit(Event::Notice(at, text.text.to_vec())),
            Message::AutoUpgrade(_) => self.on_server_violation(at, Violation::Forbidden, cx),
            Message::Redirect(to) => cx.emit(Event::Redirected(at, to.host.to_vec(), to.port)),
            _ => {}
        }
    }

    /// 316: whatever follows is the end; 748 before it says why.
    fn on_disconnecting(&mut self, at: Endpoint) {
        if let Some(server) = self.servers.get_mut(&at) {
            server.ending.get_or_insert(LogoutReason::Lost);
        }
    }

    /// 404 is a notice and an error; only the few texts with a meaning (T8) are looked into.
    fn on_notice(&mut self, at: Endpoint, text: &[u8], cx: &mut Cx<'_>) {
        cx.emit(Event::Notice(at, text.to_vec()));
        if let Some(nick) = offline_nick(text) {
            self.on_user_offline(at, nick, cx);
        } else if let Some(nick) = text.strip_suffix(b" is not firewalled") {
            self.on_not_firewalled(at, nick, cx);
        } else if text.starts_with(b"You may only share") {
            self.on_share_limit(at, cx);
        }
    }
}

/// The nick of `User X is not currently online` and `user X is not a known user`.
fn offline_nick(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"User ").or_else(|| text.strip_prefix(b"user "))?;
    let end = rest.iter().position(|byte| *byte == b' ')?;
    let (nick, words) = rest.split_at(end);
    let known = [&b" is not currently online"[..], b" is not a known user"];
    (nick != b"is" && known.iter().any(|known| words.starts_with(known))).then_some(nick)
}
