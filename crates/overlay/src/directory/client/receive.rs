//! Taking a file in from a peer: what is asked of it, the size it tells, and the bytes (7.1, 7.3).

use std::time::Duration;

use bytes::Bytes;
use throng_machine::{Endpoint, Extent, StreamId};
use throng_wire::napster::ClientMessage;
use throng_wire::napster::peer::{Opening, Parsed, Refusal};

use super::command::DownloadId;
use super::download::{Data, Fetch, Stage};
use super::event::{DownloadError, Event};
use super::machine::{Client, Cx, Timer};
use super::peer::{Next, Peer, Phase};
use super::violation::Violation;

/// Wait before a file is asked for again from its beginning; 1 s.
const RESTART: Duration = Duration::from_secs(1);

impl Client {
    pub(super) fn ask_for_file(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: DownloadId,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(fetch) = self.downloads.get(&id) else { return Next::Close };
        let (nick, name, offset) = (self.nick_at(fetch.what.server), fetch.what.name.clone(), fetch.offset());
        // In one write: TekNap wants nick, name and offset in one read (P1).
        peer.write(stream, cx, |out| _ = Opening::Get { nick: &nick, name: &name, offset }.encode(out));
        self.enter(stream, peer, Phase::AwaitSize(id), cx);
        Next::Keep
    }

    pub(super) fn ask_for_magnet(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: DownloadId,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(fetch) = self.downloads.get(&id) else { return Next::Close };
        let (nick, name) = (self.nick_at(fetch.what.server), fetch.what.name.clone());
        peer.write(stream, cx, |out| _ = Opening::Magnet { nick: &nick, name: &name }.encode(out));
        self.enter(stream, peer, Phase::AwaitMagnet(id), cx);
        Next::Keep
    }

    pub(super) fn on_magnet_link(
        &mut self,
        from: Endpoint,
        id: DownloadId,
        link: &[u8],
        cx: &mut Cx<'_>,
    ) -> Next {
        if self.end_download(id, cx).is_some() {
            cx.emit(Event::Magnet(id, Bytes::copy_from_slice(link), from));
        }
        Next::Close
    }

    /// No link came: fetch the file itself, unverified.
    pub(super) fn on_no_magnet(&mut self, peer: &Peer, id: DownloadId, cx: &mut Cx<'_>) -> Next {
        self.blame(peer.address, Violation::Magnet, cx);
        if let Some(fetch) = self.downloads.get_mut(&id) {
            fetch.what.magnet = false;
            let at = fetch.what.server;
            fetch.stage = Stage::Offline;
            if self.is_online(at) {
                self.request(id, cx);
            } else {
                self.timers.set(Timer::Download(id), cx.now() + self.config.retry_max);
            }
        }
        Next::Close
    }

    /// The size to compare digits with.
    pub(super) fn promised_size(&self, id: DownloadId) -> Option<u64> {
        self.downloads.get(&id).and_then(|fetch| fetch.what.size)
    }

    /// The uploader said how big the file is: data follow.
    pub(super) fn on_size(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        id: DownloadId,
        size: u64,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(fetch) = self.downloads.get_mut(&id) else { return Next::Close };
        // Servers keep 32 bits of a size (N8): beyond 4 GiB only those can be compared.
        let changed =
            fetch.what.size.is_some_and(|promised| promised != size && promised != size & 0xffff_ffff);
        if changed || fetch.at > size {
            self.fail_download(id, DownloadError::SizeChanged(size), cx);
            return Next::Close;
        }
        fetch.size = Some(size);
        let (at, server, begun) = (fetch.at, fetch.what.server, std::mem::replace(&mut fetch.begun, true));
        if !begun {
            self.tell(server, &ClientMessage::DownloadBegun, cx);
        }
        cx.emit(Event::Began(id, at, size));
        self.enter(stream, peer, Phase::Receiving(id), cx);
        // Nothing more to come: an empty file, or all of it is had.
        self.on_file_data(id, peer, Data::Bytes(&[]), 0, cx)
    }

    /// Whether a text is a `SEND` whose size is the one we know: no digit can follow.
    pub(super) fn is_promised(&self, text: &[u8]) -> bool {
        let Ok(Parsed::Open(Opening::Send { nick, name, size }, _)) = Opening::parse(text) else {
            return false;
        };
        let mut asked = self.downloads.values().filter(|fetch| fetch.is_open() && fetch.is_from(nick, name));
        asked.any(|fetch| fetch.what.size == Some(size))
    }

    /// The directory was left for good.
    pub(super) fn fail_downloads_at(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let fits = |fetch: &Fetch| fetch.what.server == at && fetch.stage == Stage::Offline;
        let all = self.downloads.iter().filter(|(_, fetch)| fits(fetch)).map(|(id, _)| *id);
        for id in all.collect::<Vec<_>>() {
            self.fail_download(id, DownloadError::NotJoined, cx);
        }
    }

    /// Somebody brings a file: only one that was asked for.
    pub(super) fn on_send(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        (nick, name): (&[u8], &[u8]),
        size: u64,
        cx: &mut Cx<'_>,
    ) -> Next {
        let asked = self.downloads.iter().find(|(_, fetch)| fetch.is_open() && fetch.is_from(nick, name));
        let Some((id, server, magnet)) = asked.map(|(id, fetch)| (*id, fetch.what.server, fetch.what.magnet))
        else {
            self.blame(peer.address, Violation::NotAgreed, cx);
            return peer.refuse(stream, Refusal::FileNotRequested, cx);
        };
        self.connected(id, stream);
        if magnet && self.servers.get(&server).is_some_and(|server| server.is_ours(nick)) {
            return self.ask_for_magnet(stream, peer, id, cx);
        }
        let offset = self.downloads.get(&id).map_or(0, |fetch| fetch.offset());
        peer.write(stream, cx, |out| out.extend_from_slice(offset.to_string().as_bytes()));
        self.on_size(stream, peer, id, size, cx)
    }

    /// Bytes of the file, which begin at `at` of the input being handled.
    pub(super) fn on_file_data(
        &mut self,
        id: DownloadId,
        peer: &mut Peer,
        data: Data<'_>,
        at: u32,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(fetch) = self.downloads.get_mut(&id) else { return Next::Close };
        let Some(size) = fetch.size else { return Next::Close };
        peer.moved = peer.moved.saturating_add(data.len() as u64);
        if !data.agrees_with(&fetch.tail) {
            return self.restart(id, cx);
        }
        let had = data.len().min(fetch.tail.len());
        _ = fetch.tail.split_to(had);
        let more = data.len() - had;
        let end = fetch.end(size);
        let wanted = usize::try_from(end - fetch.at).unwrap_or(usize::MAX).min(more);
        if wanted > 0 {
            let len = wanted as u32;
            cx.place(Extent { content: fetch.what.content, offset: fetch.at, len }, at + had as u32);
            fetch.at += wanted as u64;
        }
        let done = fetch.at == end && fetch.tail.is_empty();
        // Behind the end of a part more must come; behind that of the file nothing.
        if more > wanted && end == size {
            self.blame(peer.address, Violation::TooMuch, cx);
        }
        if done {
            self.end_download(id, cx);
            cx.emit(Event::Downloaded(id));
            return Next::Close;
        }
        Next::Keep
    }

    /// The uploader ignores offsets, or the file is another (P2): from the beginning.
    fn restart(&mut self, id: DownloadId, cx: &mut Cx<'_>) -> Next {
        let Some(fetch) = self.downloads.get_mut(&id) else { return Next::Close };
        (fetch.at, fetch.size, fetch.tail) = (0, None, Bytes::new());
        // The uploader must see first that this connection is over.
        fetch.stage = Stage::Queued;
        cx.emit(Event::Restarted(id));
        self.timers.set(Timer::Download(id), cx.now() + RESTART);
        Next::Close
    }
}
