//! Lists of a user's files: through the server (211, 10301) and directly (640, 641).

use super::people::{Home, PersonId};
use super::sharing::md5_word;
use super::{Cx, Server, owner};
use crate::keyword_index::Hit;
use throng_wire::napster::{
    Browse, BrowseDirectory, BrowseEnd, BrowseItem, DirectBrowseError, DirectBrowseOrder, DirectBrowseReady,
    FileRun, Frame, Nick, ServerMessage, Share,
};

/// Files of one 10302.
const GROUP: usize = 6;

impl Server {
    pub(super) fn on_browse(&mut self, who: PersonId, browse: &Browse<'_>, cx: &mut Cx<'_>) {
        let max = browse.max.filter(|max| *max > 0).unwrap_or(u32::MAX).min(self.config.max_browse);
        let Some(target) = self.people.find(browse.nick) else {
            self.answer(who, &ServerMessage::UserLeft(Nick { nick: browse.nick }), cx);
            return self.answer(
                who,
                &ServerMessage::BrowseEnd(BrowseEnd { nick: browse.nick, ip: None }),
                cx,
            );
        };
        let Some(person) = self.people.get(target) else { return };
        if let Home::There(server) = person.home {
            let data = [&person.nick, &b" "[..], max.to_string().as_bytes()].concat();
            return self.relay_to(server, who, Frame { kind: 211, data: &data });
        }
        self.list(who, target, max, cx);
    }

    /// 212s and a 213 to whoever asked.
    pub(super) fn list(&mut self, who: PersonId, target: PersonId, max: u32, cx: &mut Cx<'_>) {
        let Some(person) = self.people.get(target) else { return };
        let (nick, mut frames, mut count) = (person.nick.clone(), Vec::new(), 0);
        let ip = Some(if person.files == 0 { std::net::Ipv4Addr::UNSPECIFIED } else { person.ip });
        let push = |hit: &Hit<'_>, frames: &mut Vec<Vec<u8>>| {
            let mut frame = Vec::new();
            if browse_item(&nick, hit, &md5_word(hit.entry.key)).encode(&mut frame).is_ok() {
                frames.push(frame);
            }
        };
        self.index.browse(owner(target), |hit| {
            push(hit, &mut frames);
            count += 1;
            count < max
        });
        self.send_list(who, &frames, cx);
        self.answer(who, &ServerMessage::BrowseEnd(BrowseEnd { nick: &nick, ip }), cx);
    }

    fn send_list(&mut self, who: PersonId, frames: &[Vec<u8>], cx: &mut Cx<'_>) {
        match self.people.get(who).map(|person| person.home) {
            Some(Home::Here(conn)) => {
                self.write_with(conn, cx, |out, _| {
                    frames.iter().for_each(|frame| out.extend_from_slice(frame))
                });
            }
            Some(Home::There(server)) => {
                for frame in frames {
                    self.wrap_frame(server, who, frame);
                }
            }
            None => {}
        }
    }

    /// 10301 as A has it: 10302 of up to six files of one directory, and 10301 at the end.
    pub(super) fn on_browse_grouped(&mut self, who: PersonId, browse: &Browse<'_>, cx: &mut Cx<'_>) {
        let max = browse.max.filter(|max| *max > 0).unwrap_or(u32::MAX).min(self.config.max_browse);
        let target = self.people.find(browse.nick);
        if let Some(person) = target.and_then(|target| self.people.get(target)) {
            let (nick, target) = (person.nick.clone(), target.unwrap_or(who));
            let (mut count, mut group) = (0, Group::default());
            let mut frames = Vec::new();
            self.index.browse(owner(target), |hit| {
                group.add(&nick, hit, &mut frames);
                count += 1;
                count < max
            });
            group.end(&nick, &mut frames);
            self.send_list(who, &frames, cx);
        }
        self.answer(who, &ServerMessage::BrowseGroupedEnd(Nick { nick: browse.nick }), cx);
    }

    /// 640: the target is asked, and called or told whom to call.
    pub(super) fn on_direct_browse(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        let found = self.people.find(nick).and_then(|target| Some((target, self.people.get(target)?)));
        let (Some((target, person)), Some(asker)) = (found, self.people.get(who)) else {
            return self.notice(who, b"User is not currently online.", cx);
        };
        let (theirs, ours) = (person.nick.clone(), asker.nick.clone());
        if person.ignores(&ours) {
            return self.notice_parts(who, &[&theirs, b" is ignoring you"], cx);
        }
        // Totals of other servers' users are told late.
        let refusal = if person.files == 0 && matches!(person.home, Home::Here(_)) {
            Some([&theirs, &b" is not sharing any files."[..]].concat())
        } else if person.is_firewalled() && asker.is_firewalled() {
            Some([b"Both you and ", &theirs[..], b" are firewalled; you cannot browse each other."].concat())
        } else {
            None
        };
        if let Some(text) = refusal {
            let error = DirectBrowseError { nick: &theirs, text: &text };
            return self.answer(who, &ServerMessage::DirectBrowseError(error), cx);
        }
        // The address is the asker's own, as the connection came.
        let call = person.is_firewalled().then_some((asker.ip, u32::from(asker.port)));
        let order =
            DirectBrowseOrder { nick: &ours, ip: call.map(|call| call.0), port: call.map(|call| call.1) };
        self.tell(target, &ServerMessage::DirectBrowseOrder(order), cx);
    }

    /// 641 from the target: the asker may call.
    pub(super) fn on_accept_direct_browse(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        let (Some(asker), Some(person)) = (self.people.find(nick), self.people.get(who)) else {
            return self.notice(who, b"User is not currently online.", cx);
        };
        let (nick, ip, port) = (person.nick.clone(), person.ip, person.port);
        self.tell(asker, &ServerMessage::DirectBrowseReady(DirectBrowseReady { nick: &nick, ip, port }), cx);
    }
}

fn browse_item<'a>(nick: &'a [u8], hit: &Hit<'a>, md5: &'a [u8; 32]) -> ServerMessage<'a> {
    let attributes = hit.entry.attributes;
    ServerMessage::BrowseItem(BrowseItem {
        nick,
        name: hit.entry.name,
        md5,
        size: attributes.size,
        bitrate: attributes.bitrate,
        frequency: attributes.frequency,
        duration: attributes.duration,
    })
}

/// Files of one directory that follow each other.
#[derive(Default)]
struct Group {
    directory: Vec<u8>,
    run: Vec<u8>,
    count: usize,
}

impl Group {
    fn add(&mut self, nick: &[u8], hit: &Hit<'_>, frames: &mut Vec<Vec<u8>>) {
        let name = hit.entry.name;
        let cut = name.iter().rposition(|byte| matches!(byte, b'\\' | b'/')).map_or(0, |at| at + 1);
        if self.count == GROUP || self.directory != name[..cut] || self.run.len() > 1_000 {
            self.end(nick, frames);
        }
        if self.count == 0 {
            self.directory = name[..cut].to_vec();
        }
        let attributes = hit.entry.attributes;
        let file = Share {
            name: &name[cut..],
            md5: &md5_word(hit.entry.key),
            size: attributes.size,
            bitrate: attributes.bitrate,
            frequency: attributes.frequency,
            duration: attributes.duration,
        };
        self.count += usize::from(FileRun::push(&mut self.run, &file).is_ok());
    }

    fn end(&mut self, nick: &[u8], frames: &mut Vec<Vec<u8>>) {
        if self.count > 0 {
            let mut frame = Vec::new();
            let files = FileRun(&self.run);
            let message =
                ServerMessage::BrowseDirectory(BrowseDirectory { nick, directory: &self.directory, files });
            if message.encode(&mut frame).is_ok() {
                frames.push(frame);
            }
        }
        self.run.clear();
        self.count = 0;
    }
}
