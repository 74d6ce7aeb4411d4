//! A user's message to its handler.

use super::command::Level;
use super::people::PersonId;
use super::{Cx, Server};
use throng_wire::napster::{ClientMessage, Frame, ServerMessage, Text};

impl Server {
    pub(super) fn on_message(&mut self, who: PersonId, frame: Frame<'_>, cx: &mut Cx<'_>) {
        let Ok(message) = ClientMessage::decode(frame) else {
            return self.notice(who, b"parameters are unparsable", cx);
        };
        if !matches!(frame.kind, 100 | 870 | 10300) {
            // The end of a run of shares, if it was one.
            self.tell_links_of_shares(who);
        }
        self.on_client_message(who, message, frame, cx);
    }

    fn on_client_message(
        &mut self,
        who: PersonId,
        message: ClientMessage<'_>,
        frame: Frame<'_>,
        cx: &mut Cx<'_>,
    ) {
        use ClientMessage as M;
        match message {
            M::Share(share) => self.on_share(who, &share, cx),
            M::ShareDirectory(directory) => self.on_share_directory(who, &directory, cx),
            M::ShareTyped(share) => self.on_share_typed(who, &share, cx),
            M::Unshare(unshare) => self.on_unshare(who, unshare.name, cx),
            M::UnshareAll => self.on_unshare_all(who, cx),
            M::Search(query) => self.on_search(who, query.text, cx),
            M::ResumeSearch(search) => self.on_resume_search(who, &search, cx),
            M::Browse(browse) => self.on_browse(who, &browse, cx),
            M::BrowseGrouped(browse) => self.on_browse_grouped(who, &browse, cx),
            M::DirectBrowse(nick) => self.on_direct_browse(who, nick.nick, cx),
            M::AcceptDirectBrowse(nick) => self.on_accept_direct_browse(who, nick.nick, cx),
            M::Request(file) => self.on_request(who, &file, frame, cx),
            M::RequestPush(file) => self.on_request_push(who, &file, frame, cx),
            M::AcceptUpload(file) => self.on_accept_upload(who, &file, cx),
            // Not relied on by anybody; G swallows it too.
            M::RefuseUpload(_) => {}
            M::QueueFull(full) => self.on_queue_full(who, &full, cx),
            M::DataPortError(nick) => self.on_data_port_error(who, nick.nick, cx),
            M::DownloadBegun | M::DownloadEnded | M::UploadBegun | M::UploadEnded => {
                self.on_counter(who, frame.kind);
                self.relay_everywhere(who, Frame { data: b"", ..frame });
            }
            M::PrivateMessage(_) => self.on_private_message(who, frame, cx),
            M::Ping(ping) | M::Pong(ping) => self.on_ping(who, &ping, frame, cx),
            M::PingServer(args) => self.answer(who, &ServerMessage::ServerPong(args), cx),
            M::WatchUser(nick) | M::WatchUserAtLogin(nick) => self.on_watch(who, nick.nick, cx),
            M::UnwatchUser(nick) => self.on_unwatch(who, nick.nick),
            M::AskIgnored => self.on_ask_ignored(who, cx),
            M::Ignore(nick) => self.on_ignore(who, nick.nick, cx),
            M::Unignore(nick) => self.on_unignore(who, nick.nick, cx),
            M::ClearIgnored => self.on_clear_ignored(who, cx),
            M::JoinChannel(channel) => self.on_join(who, channel.nick, cx),
            M::PartChannel(channel) => self.on_part(who, channel.nick, cx),
            M::Say(say) => self.on_say(who, &say, false, cx),
            M::Emote(say) => self.on_say(who, &say, true, cx),
            M::ListChannels => self.on_list_channels(who, cx),
            M::ListChannelsFully => self.on_list_channels_fully(who, cx),
            M::ListMembers(channel) => self.on_list_members(who, channel.nick, cx),
            M::SetTopic(topic) => self.on_set_topic(who, &topic, cx),
            M::AskSpeed(nick) => self.on_ask_speed(who, nick.nick, cx),
            M::Whois(nick) => self.on_whois(who, nick.nick, cx),
            M::AskStats => self.send_stats(who, cx),
            M::AskMotd => self.send_motd(who, cx),
            M::SetSpeed(new) => self.on_set_speed(who, new.speed, cx),
            M::SetPort(port) => self.on_set_port(who, port.value, cx),
            M::SetPassword(text) => self.on_set_password(who, text.text, cx),
            M::SetEmail(text) => self.on_set_email(who, text.text, cx),
            M::Kill(kill) => self.on_kill(who, &kill, cx),
            M::TellOperators(text) => self.on_tell_operators(who, text.text, cx),
            M::TellEverybody(text) => self.on_tell_everybody(who, text.text, cx),
            M::ListLinks => self.on_list_links(who, cx),
            M::AskUsage => self.on_ask_usage(who, cx),
            M::AskVersion => self.privileged(who, Level::Admin, cx, Server::on_ask_version),
            M::LinkServer(text) => {
                self.privileged(who, Level::Elite, cx, |server, who, cx| server.on_link_wish(who, text, cx));
            }
            M::UnlinkServer(text) => {
                self.privileged(who, Level::Elite, cx, |server, _, cx| server.on_unlink_wish(text, cx));
            }
            M::StopServer(_) => self.privileged(who, Level::Elite, cx, Server::on_stop_wish),
            M::Reload => self.privileged(who, Level::Elite, cx, Server::on_reload_wish),
            M::ForgetServer(_) => self.privileged(who, Level::Elite, cx, |_, _, _| ()),
            // Meant for before the login: old clients send some of them late, and nobody minds.
            M::Version(_) | M::Details(_) | M::DataPorts(_) => {}
            M::Login(_)
            | M::Register(_)
            | M::CheckNick(_)
            | M::CheckPassword(_)
            | M::Capability(_)
            | M::ServerHello(_)
            | M::Other(_) => {
                let text = format!("Unknown command code {}", frame.kind);
                self.notice(who, text.as_bytes(), cx);
            }
        }
    }

    /// Does something if the user's level allows it.
    pub(super) fn privileged<'e>(
        &mut self,
        who: PersonId,
        level: Level,
        cx: &mut Cx<'e>,
        act: impl FnOnce(&mut Server, PersonId, &mut Cx<'e>),
    ) {
        if self.people.get(who).is_some_and(|person| person.level >= level) {
            act(self, who, cx);
        } else {
            self.answer(who, &ServerMessage::Notice(Text { text: b"permission denied" }), cx);
        }
    }
}
