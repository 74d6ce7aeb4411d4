//! Channels, the small set both servers have (4.5): join, part, say, emote, lists.

use super::command::Level;
use super::people::{Home, PersonId, fold};
use super::{Cx, Server};
use std::collections::BTreeMap;
use throng_wire::napster::{ChannelDetails, ChannelEntry, Frame, Member, Nick, Said, Say, ServerMessage};

/// The longest name of a channel; bytes.
const MAX_CHANNEL_NAME: usize = 32;
/// The longest topic, the rest is cut; bytes.
const MAX_TOPIC: usize = 256;

/// A channel somebody is in.
pub(super) struct Channel {
    /// As its first member wrote it.
    name: Box<[u8]>,
    topic: Vec<u8>,
    members: Vec<PersonId>,
}

/// Channels by folded name.
pub(super) type Channels = BTreeMap<Vec<u8>, Channel>;

fn is_channel(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\",:".contains(byte);
    matches!(name, [b'#' | b'&', _, ..]) && name.len() <= MAX_CHANNEL_NAME && name.iter().all(plain)
}

fn joined(member: Member<'_>) -> ServerMessage<'_> {
    ServerMessage::MemberJoined(member)
}

fn parted(member: Member<'_>) -> ServerMessage<'_> {
    ServerMessage::MemberParted(member)
}

fn present(member: Member<'_>) -> ServerMessage<'_> {
    ServerMessage::Member(member)
}

fn listed(member: Member<'_>) -> ServerMessage<'_> {
    ServerMessage::ListedMember(member)
}

impl Server {
    /// 400.
    pub(super) fn on_join(&mut self, who: PersonId, name: &[u8], cx: &mut Cx<'_>) {
        if let Err(reason) = self.join(who, name, cx) {
            return self.notice_parts(who, &[name, b": ", reason.as_bytes()], cx);
        }
        self.relay_everywhere(who, Frame { kind: 400, data: name });
    }

    /// Adds a user to a channel and tells everybody whom it concerns here.
    pub(super) fn join(&mut self, who: PersonId, name: &[u8], cx: &mut Cx<'_>) -> Result<(), &'static str> {
        if !is_channel(name) {
            return Err("invalid channel name");
        }
        let Some(person) = self.people.get(who) else { return Ok(()) };
        if person.channels().iter().any(|channel| channel.eq_ignore_ascii_case(name)) {
            return Err("already joined channel");
        }
        if person.channels().len() >= self.config.max_channels {
            return Err("you have joined too many channels");
        }
        let key = fold(name);
        let members = self.channels.get(&key).map_or(0, |channel| channel.members.len());
        if members >= self.config.max_members {
            return Err("channel is full");
        }
        if members == 0 && self.channels.len() >= self.config.max_channels_in_all {
            return Err("there are too many channels");
        }
        let topic = [b"Welcome to the ", name, b" channel."].concat();
        let new = || Channel { name: name.into(), topic, members: Vec::new() };
        let channel = self.channels.entry(key.clone()).or_insert_with(new);
        let name = channel.name.clone();
        let others = channel.members.clone();
        channel.members.insert(0, who);
        if let Some(person) = self.people.get_mut(who) {
            person.lists().channels.push(name.clone());
        }
        self.tell_members(&others, who, &name, joined, cx);
        if self.is_here(who) {
            self.describe_channel(who, &key, cx);
        }
        Ok(())
    }

    /// 405, 408 a member, 409, 410 to who joined.
    fn describe_channel(&mut self, who: PersonId, key: &[u8], cx: &mut Cx<'_>) {
        let Some(channel) = self.channels.get(key) else { return };
        let (name, topic, members) = (channel.name.clone(), channel.topic.clone(), channel.members.clone());
        self.answer(who, &ServerMessage::JoinedChannel(Nick { nick: &name }), cx);
        for member in members {
            self.tell_members(&[who], member, &name, present, cx);
        }
        self.answer(who, &ServerMessage::MembersEnd(Nick { nick: &name }), cx);
        self.answer(who, &ServerMessage::Topic(Say { channel: &name, text: &topic }), cx);
    }

    /// 401.
    pub(super) fn on_part(&mut self, who: PersonId, name: &[u8], cx: &mut Cx<'_>) {
        if self.part(who, name, cx) {
            self.answer(who, &ServerMessage::Parted(Nick { nick: name }), cx);
            self.relay_everywhere(who, Frame { kind: 401, data: name });
        } else {
            self.notice_parts(who, &[b"You are not on channel ", name], cx);
        }
    }

    /// Takes a user out of a channel; false if they were not in it.
    pub(super) fn part(&mut self, who: PersonId, name: &[u8], cx: &mut Cx<'_>) -> bool {
        let key = fold(name);
        let Some(channel) = self.channels.get_mut(&key) else { return false };
        let Some(at) = channel.members.iter().position(|member| *member == who) else { return false };
        channel.members.remove(at);
        let (name, others) = (channel.name.clone(), channel.members.clone());
        if others.is_empty() {
            self.channels.remove(&key);
        }
        if let Some(lists) = self.people.get_mut(who).and_then(|person| person.lists.as_mut()) {
            lists.channels.retain(|channel| !channel.eq_ignore_ascii_case(&name));
        }
        self.tell_members(&others, who, &name, parted, cx);
        true
    }

    /// Takes a user who leaves out of all channels.
    pub(super) fn part_all(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let channels = self.people.get(who).map(|person| person.channels().to_vec()).unwrap_or_default();
        for channel in channels {
            self.part(who, &channel, cx);
        }
    }

    /// 402, 824.
    pub(super) fn on_say(&mut self, who: PersonId, say: &Say<'_>, emote: bool, cx: &mut Cx<'_>) {
        if self.say(who, say, emote, cx) {
            let data = [say.channel, b" ", say.text].concat();
            self.relay_everywhere(who, Frame { kind: if emote { 824 } else { 402 }, data: &data });
        } else {
            self.notice_parts(who, &[b"You are not on channel ", say.channel], cx);
        }
    }

    /// Says something to all members here, the speaker included; false if the speaker is none.
    pub(super) fn say(&mut self, who: PersonId, say: &Say<'_>, emote: bool, cx: &mut Cx<'_>) -> bool {
        let Some(channel) = self.channels.get(&fold(say.channel)) else { return false };
        if !channel.members.contains(&who) {
            return false;
        }
        let Some(nick) = self.people.get(who).map(|person| person.nick.clone()) else { return false };
        let (name, members) = (channel.name.clone(), channel.members.clone());
        let said = Said { channel: &name, nick: &nick, text: say.text };
        let message = if emote { ServerMessage::Emoted(said) } else { ServerMessage::Said(said) };
        for member in members.into_iter().filter(|member| self.is_here(*member)).collect::<Vec<_>>() {
            self.tell(member, &message, cx);
        }
        true
    }

    /// 410 from a moderator: as channels have no operators here, nobody else may.
    pub(super) fn on_set_topic(&mut self, who: PersonId, topic: &Say<'_>, cx: &mut Cx<'_>) {
        if let Err(reason) = self.set_topic(who, topic, cx) {
            return self.notice(who, reason, cx);
        }
        let data = [topic.channel, b" ", topic.text].concat();
        self.relay_everywhere(who, Frame { kind: 410, data: &data });
    }

    /// Gives a channel another topic and tells its members here.
    pub(super) fn set_topic(
        &mut self,
        who: PersonId,
        topic: &Say<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), &'static [u8]> {
        if self.people.get(who).is_none_or(|person| person.level < Level::Moderator) {
            return Err(b"permission denied");
        }
        let channel = self.channels.get_mut(&fold(topic.channel));
        let channel = channel.ok_or(b"no such channel".as_slice())?;
        // It is told in quotes as well, which have no escape.
        let clean = topic.text.iter().map(|byte| if *byte == b'"' { b'\'' } else { *byte });
        channel.topic = clean.take(MAX_TOPIC).collect();
        let (name, text, members) = (channel.name.clone(), channel.topic.clone(), channel.members.clone());
        for member in members.into_iter().filter(|member| self.is_here(*member)).collect::<Vec<_>>() {
            self.tell(member, &ServerMessage::Topic(Say { channel: &name, text: &text }), cx);
        }
        Ok(())
    }

    /// 830: 825 a member, then 830.
    pub(super) fn on_list_members(&mut self, who: PersonId, name: &[u8], cx: &mut Cx<'_>) {
        let channel = self.channels.get(&fold(name));
        if let Some((name, members)) = channel.map(|channel| (channel.name.clone(), channel.members.clone()))
        {
            for member in members {
                self.tell_members(&[who], member, &name, listed, cx);
            }
        }
        self.answer(who, &ServerMessage::ListedMembersEnd, cx);
    }

    /// 617.
    pub(super) fn on_list_channels(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let all: Vec<_> = self.channels.values().map(Channel::summary).collect();
        for (name, users, topic) in all {
            let entry = ChannelEntry { channel: &name, users, topic: &topic };
            self.answer(who, &ServerMessage::Channel(entry), cx);
        }
        self.answer(who, &ServerMessage::ChannelsEnd, cx);
    }

    /// 827.
    pub(super) fn on_list_channels_fully(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let all: Vec<_> = self.channels.values().map(Channel::summary).collect();
        let limit = u32::try_from(self.config.max_members).unwrap_or(u32::MAX);
        for (channel, users, topic) in all {
            let details =
                ChannelDetails { channel: &channel, users, user_made: 1, level: 1, limit, topic: &topic };
            self.answer(who, &ServerMessage::ChannelDetails(details), cx);
        }
        self.answer(who, &ServerMessage::ChannelsFullEnd, cx);
    }

    /// Tells users here of a member: who, how many files, how fast.
    fn tell_members(
        &mut self,
        to: &[PersonId],
        about: PersonId,
        channel: &[u8],
        message: fn(Member<'_>) -> ServerMessage<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(person) = self.people.get(about) else { return };
        let (nick, shared, speed) = (person.nick.clone(), person.files, person.speed());
        for member in to {
            if self.is_here(*member) {
                self.tell(*member, &message(Member { channel, nick: &nick, shared, speed }), cx);
            }
        }
    }

    pub(super) fn is_here(&self, who: PersonId) -> bool {
        self.people.get(who).is_some_and(|person| matches!(person.home, Home::Here(_)))
    }
}

impl Channel {
    fn summary(&self) -> (Vec<u8>, u32, Vec<u8>) {
        (self.name.to_vec(), u32::try_from(self.members.len()).unwrap_or(u32::MAX), self.topic.clone())
    }
}
