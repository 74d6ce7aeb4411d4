//! Serving: only what is shared, to whom the server announced, as many as there are slots (4.4, 7.1, 7.3, N13).

use throng_machine::{ContentId, Endpoint, Extent, Instant, StreamId};
use throng_wire::napster::peer::{OffsetAnswer, Opening, Refusal, write_magnet_answer};
use throng_wire::napster::{ClientMessage, Contact, NickFile, QueueFull, UploadRequest};

use super::event::Event;
use super::machine::{Client, Cx, Timer};
use super::peer::{Errand, Next, Peer, Phase};
use super::violation::Violation;
use crate::dial::callable;

/// Somebody who was told to wait and does not ask again within this has lost their place; 130 s, as our own clients
/// ask each minute, and a slot must not be kept for one who has given up.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(130);

/// Names an upload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct UploadId(pub(super) u32);

/// An upload agreed or under way; each holds a slot.
#[derive(Debug)]
pub(super) struct Upload {
    server: Endpoint,
    nick: Vec<u8>,
    /// In the asker's spelling.
    name: Vec<u8>,
    content: ContentId,
    size: u64,
    /// The connection, once there is one.
    stream: Option<StreamId>,
    /// The next byte to write.
    at: u64,
    /// Whether bytes flow (220).
    begun: bool,
}

/// Somebody who waits for a slot.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) server: Endpoint,
    nick: Vec<u8>,
    name: Vec<u8>,
    asked: Instant,
}

impl Upload {
    fn is(&self, nick: &[u8], name: &[u8]) -> bool {
        self.nick.eq_ignore_ascii_case(nick) && self.name.eq_ignore_ascii_case(name)
    }
}

impl Client {
    /// 607: somebody wants a file of ours; some servers pass on any name.
    pub(super) fn on_upload_request(&mut self, at: Endpoint, request: &UploadRequest<'_>, cx: &mut Cx<'_>) {
        let (nick, name) = (request.nick, request.name);
        let Some((content, size)) = self.shares.by_name(name).map(|file| (file.content, file.size)) else {
            return self.blame(at, Violation::NotAgreed, cx);
        };
        let same = self.uploads.iter().find(|(_, upload)| upload.server == at && upload.is(nick, name));
        if let Some((id, upload)) = same {
            let (id, busy) = (*id, upload.stream.is_some());
            // Who asks again has given the connection up, or lost it before we knew.
            if busy {
                self.take_back(id, cx);
            }
            return self.accept(at, id, nick, name, cx);
        }
        if !self.has_slot(at, nick, name, cx.now()) {
            return self.put_off(at, nick, name, cx);
        }
        let id = UploadId(self.next_upload);
        self.next_upload = self.next_upload.wrapping_add(1);
        let (nick_kept, name_kept) = (nick.to_vec(), name.to_vec());
        let upload = Upload {
            server: at,
            nick: nick_kept,
            name: name_kept,
            content,
            size,
            stream: None,
            at: 0,
            begun: false,
        };
        self.uploads.insert(id, upload);
        self.accept(at, id, nick, name, cx);
    }

    /// The upload is as it was before it began; the slot stays its.
    fn take_back(&mut self, id: UploadId, cx: &mut Cx<'_>) {
        let Some(upload) = self.uploads.get_mut(&id) else { return };
        let (stream, begun) = (upload.stream.take(), std::mem::take(&mut upload.begun));
        let (server, content, nick) = (upload.server, upload.content, upload.nick.clone());
        if let Some(stream) = stream {
            self.hang_up(stream, cx);
        }
        if begun {
            self.tell(server, &ClientMessage::UploadEnded, cx);
            cx.emit(Event::UploadFailed(content, nick));
        }
    }

    /// 608, with the name byte for byte as it was asked for.
    fn accept(&mut self, at: Endpoint, id: UploadId, nick: &[u8], name: &[u8], cx: &mut Cx<'_>) {
        self.timers.set(Timer::Upload(id), cx.now() + self.config.accepted_timeout);
        self.answer(at, &ClientMessage::AcceptUpload(NickFile { nick, name }), cx);
    }

    /// 619: not now.
    fn put_off(&mut self, at: Endpoint, nick: &[u8], name: &[u8], cx: &mut Cx<'_>) {
        let limit = self.config.upload_slots;
        self.answer(at, &ClientMessage::QueueFull(QueueFull { nick, name, limit }), cx);
    }

    /// Whether it is this user's turn. Who asks and finds no slot is put at the end of the queue and keeps the place
    /// by asking again; a free slot belongs to those at its head.
    fn has_slot(&mut self, at: Endpoint, nick: &[u8], name: &[u8], now: Instant) -> bool {
        self.waiting.retain(|waiting| now.since(waiting.asked) < PATIENCE);
        let theirs = self.uploads.values().filter(|upload| upload.nick.eq_ignore_ascii_case(nick)).count();
        let free = (self.config.upload_slots as usize).saturating_sub(self.uploads.len());
        let is = |waiting: &Waiting| {
            waiting.server == at
                && waiting.nick.eq_ignore_ascii_case(nick)
                && waiting.name.eq_ignore_ascii_case(name)
        };
        let place = self.waiting.iter().position(is).unwrap_or(self.waiting.len());
        if place < free && theirs < self.config.slots_per_nick as usize {
            self.waiting.remove(place);
            return true;
        }
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.asked = now;
        } else if self.waiting.len() < self.config.max_waiting {
            let (nick, name) = (nick.to_vec(), name.to_vec());
            self.waiting.push_back(Waiting { server: at, nick, name, asked: now });
        }
        false
    }

    pub(super) fn on_upload_due(&mut self, id: UploadId, cx: &mut Cx<'_>) {
        if self.uploads.get(&id).is_some_and(|upload| upload.stream.is_none()) {
            self.end_upload(id, cx);
        }
    }

    /// The agreed upload that a peer speaks of.
    fn agreed(&self, nick: &[u8], name: &[u8]) -> Option<UploadId> {
        let fits = |upload: &Upload| upload.stream.is_none() && upload.is(nick, name);
        self.uploads.iter().find(|(_, upload)| fits(upload)).map(|(id, _)| *id)
    }

    /// 501: we are to call a downloader, but only one whose request we accepted.
    pub(super) fn on_push_order(&mut self, at: Endpoint, contact: &Contact<'_>, cx: &mut Cx<'_>) {
        let agreed = self.agreed(contact.nick, contact.name);
        let Some(id) = agreed.filter(|id| self.uploads.get(id).is_some_and(|upload| upload.server == at))
        else {
            return self.blame(at, Violation::NotAgreed, cx);
        };
        let to = callable(at, contact.ip, contact.port);
        let Some(to) = to.filter(|to| self.calls.allow(*to, self.config.max_calls_a_minute, cx.now())) else {
            return self.blame(at, Violation::Address, cx);
        };
        let stream = self.call(to, Errand::Push(id), cx);
        if let Some(upload) = self.uploads.get_mut(&id) {
            upload.stream = stream;
        }
    }

    pub(super) fn offer_file(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: UploadId,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(upload) = self.uploads.get(&id) else { return Next::Close };
        let ours = self.servers.get(&upload.server).map_or(&self.config.nick, |server| &server.nick).clone();
        let (name, size) = (upload.name.clone(), upload.size);
        peer.write(stream, cx, |out| _ = Opening::Send { nick: &ours, name: &name, size }.encode(out));
        self.enter(stream, peer, Phase::AwaitOffset(id), cx);
        Next::Keep
    }

    pub(super) fn upload_size(&self, id: UploadId) -> u64 {
        self.uploads.get(&id).map_or(0, |upload| upload.size)
    }

    /// Where the downloader of a pushed file wants to begin.
    pub(super) fn on_offset(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: UploadId,
        answer: OffsetAnswer<'_>,
        cx: &mut Cx<'_>,
    ) -> Next {
        match answer {
            OffsetAnswer::Offset(offset) if offset <= self.upload_size(id) => {
                self.calls.was_welcome(peer.address);
                self.begin_upload(stream, peer, id, offset, cx)
            }
            OffsetAnswer::Magnet { nick, name }
                if self.uploads.get(&id).is_some_and(|upload| upload.is(nick, name)) =>
            {
                self.want_link(stream, peer, id, cx)
            }
            OffsetAnswer::Offset(_) | OffsetAnswer::Magnet { .. } => {
                self.on_peer_violation(peer, Violation::NotAgreed, cx)
            }
            OffsetAnswer::Refused(_) => {
                self.fail_upload(id, cx);
                Next::Close
            }
        }
    }

    /// `GET`: a file, from an offset on.
    pub(super) fn on_get(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        (nick, name): (&[u8], &[u8]),
        offset: u64,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(id) = self.agreed(nick, name).filter(|id| offset <= self.upload_size(*id)) else {
            return self.refuse_file(stream, peer, name, cx);
        };
        self.begin_upload(stream, peer, id, offset, cx)
    }

    fn refuse_file(&mut self, stream: StreamId, peer: &mut Peer, name: &[u8], cx: &mut Cx<'_>) -> Next {
        self.blame(peer.address, Violation::NotAgreed, cx);
        let shared = self.shares.by_name(name).is_some();
        peer.refuse(stream, if shared { Refusal::InvalidRequest } else { Refusal::FileNotShared }, cx)
    }

    /// Bytes flow; a `GET` is answered by the full size before them, in the same write (P3).
    fn begin_upload(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: UploadId,
        offset: u64,
        cx: &mut Cx<'_>,
    ) -> Next {
        let asked = peer.phase == Phase::Opening;
        self.timers.clear(Timer::Upload(id));
        let Some(upload) = self.uploads.get_mut(&id) else { return Next::Close };
        (upload.stream, upload.at, upload.begun) = (Some(stream), offset, true);
        let (server, content, nick, size) = (upload.server, upload.content, upload.nick.clone(), upload.size);
        self.tell(server, &ClientMessage::UploadBegun, cx);
        cx.emit(Event::Uploading(content, nick));
        self.enter(stream, peer, Phase::Sending(id), cx);
        let head = if asked { size.to_string() } else { String::new() };
        self.send_chunks(stream, peer, id, head, cx)
    }

    pub(super) fn pump_upload(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: UploadId,
        cx: &mut Cx<'_>,
    ) -> Next {
        self.send_chunks(stream, peer, id, String::new(), cx)
    }

    /// Hands extents to the driver until two chunks are on the way; closes once all has left.
    fn send_chunks(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: UploadId,
        mut head: String,
        cx: &mut Cx<'_>,
    ) -> Next {
        let chunk = self.config.chunk.max(1);
        let Some(upload) = self.uploads.get_mut(&id) else { return Next::Close };
        while upload.at < upload.size && peer.unflushed <= u64::from(chunk) {
            let left = u32::try_from(upload.size - upload.at).unwrap_or(u32::MAX);
            let extent = Extent { content: upload.content, offset: upload.at, len: left.min(chunk) };
            let text = std::mem::take(&mut head);
            peer.unflushed += u64::from(extent.len) + text.len() as u64;
            upload.at += u64::from(extent.len);
            cx.write_extent(stream, |out| out.extend_from_slice(text.as_bytes()), extent);
        }
        let done = upload.at == upload.size;
        if !head.is_empty() {
            peer.write(stream, cx, |out| out.extend_from_slice(head.as_bytes()));
        }
        if done && peer.unflushed == 0 {
            self.finish_upload(id, cx);
            return Next::Close;
        }
        Next::Keep
    }

    pub(super) fn is_all_written(&self, id: UploadId) -> bool {
        self.uploads.get(&id).is_some_and(|upload| upload.at == upload.size)
    }

    pub(super) fn finish_upload(&mut self, id: UploadId, cx: &mut Cx<'_>) {
        if let Some(upload) = self.end_upload(id, cx) {
            cx.emit(Event::Uploaded(upload.content, upload.nick));
        }
    }

    /// The connection on which the magnet link was awaited is gone: one we called for it alone is over.
    pub(super) fn on_link_lost(&mut self, id: UploadId, cx: &mut Cx<'_>) {
        if self.uploads.get(&id).is_some_and(|upload| upload.stream.is_some()) {
            self.fail_upload(id, cx);
        }
    }

    pub(super) fn fail_upload(&mut self, id: UploadId, cx: &mut Cx<'_>) {
        if let Some(upload) = self.end_upload(id, cx)
            && upload.begun
        {
            cx.emit(Event::UploadFailed(upload.content, upload.nick));
        }
    }

    fn end_upload(&mut self, id: UploadId, cx: &mut Cx<'_>) -> Option<Upload> {
        self.timers.clear(Timer::Upload(id));
        let upload = self.uploads.remove(&id)?;
        if upload.begun {
            self.tell(upload.server, &ClientMessage::UploadEnded, cx);
        }
        Some(upload)
    }

    /// A file is no longer shared: nobody gets more of it.
    pub(super) fn end_uploads_of(&mut self, content: ContentId, cx: &mut Cx<'_>) {
        let of = self.uploads.iter().filter(|(_, upload)| upload.content == content);
        for (id, stream) in of.map(|(id, upload)| (*id, upload.stream)).collect::<Vec<_>>() {
            self.fail_upload(id, cx);
            if let Some(stream) = stream {
                self.hang_up(stream, cx);
            }
        }
    }

    /// `MAGNET`: one of our own nodes would rather have the swarm (section 12).
    pub(super) fn on_magnet_request(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        nick: &[u8],
        name: &[u8],
        cx: &mut Cx<'_>,
    ) -> Next {
        match self.agreed(nick, name) {
            Some(id) => self.want_link(stream, peer, id, cx),
            None => self.refuse_file(stream, peer, name, cx),
        }
    }

    fn want_link(&mut self, stream: StreamId, peer: &mut Peer, id: UploadId, cx: &mut Cx<'_>) -> Next {
        let Some(upload) = self.uploads.get(&id) else { return Next::Close };
        cx.emit(Event::MagnetWanted(stream, upload.content));
        self.enter(stream, peer, Phase::AwaitLink(id), cx);
        Next::Keep
    }

    /// The application has a link, or none; with one the slot is free again.
    pub(super) fn send_magnet(&mut self, stream: StreamId, link: Option<&[u8]>, cx: &mut Cx<'_>) {
        let Some(Phase::AwaitLink(id)) = self.peers.get(&stream).map(|peer| peer.phase) else { return };
        let mut answer = Vec::new();
        let sent = link.is_some_and(|link| write_magnet_answer(link, &mut answer).is_ok());
        if sent {
            self.end_upload(id, cx);
        } else {
            answer = Refusal::InvalidRequest.text().to_vec();
            if let Some(upload) = self.uploads.get_mut(&id) {
                upload.stream = None;
                self.timers.set(Timer::Upload(id), cx.now() + self.config.accepted_timeout);
            }
        }
        cx.write(stream, |out| out.extend_from_slice(&answer));
        self.hang_up(stream, cx);
    }
}
