//! Fetching: asking the server, calling or being called, counting the bytes (4.4, 7.1, 7.3).

use bytes::Bytes;
use throng_machine::{Endpoint, StreamId};
use throng_wire::napster::{ClientMessage, Contact, FIREWALL_ERROR, Nick, NickFile, QueueLimit};

use super::command::{Download, DownloadId, Part, Resume};
use super::event::{DownloadError, Event};
use super::machine::{Client, Cx, Timer};
use super::peer::Errand;
use super::violation::Violation;
use crate::dial::callable;

/// Bytes of what is had that the uploader must send again, at most.
const MAX_TAIL: usize = 1_024;

/// How far a download has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Until we are logged in there.
    Offline,
    /// 203 is sent.
    Asked,
    /// 500 is sent.
    PushAsked,
    /// Until the queue is asked again.
    Queued,
    /// A peer serves it.
    Connected(StreamId),
}

/// A download under way.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) what: Download,
    pub(super) stage: Stage,
    /// The next byte to place.
    pub(super) at: u64,
    /// The whole size, once the uploader said so.
    pub(super) size: Option<u64>,
    /// What the uploader must send before it: the end of what is had.
    pub(super) tail: Bytes,
    /// Whether the server was told that it began (218).
    pub(super) begun: bool,
    /// How often the queue was full.
    pub(super) retries: u32,
    /// Whether the request was repeated because the server contradicted itself.
    pub(super) repeated: bool,
}

/// Bytes of a file, or their number where the driver keeps them to itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Data<'a> {
    Bytes(&'a [u8]),
    Blank(u32),
}

impl Data<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Data::Bytes(bytes) => bytes.len(),
            Data::Blank(count) => *count as usize,
        }
    }

    /// Whether they begin with what is had already, as far as both go.
    pub(super) fn agrees_with(&self, had: &[u8]) -> bool {
        match self {
            Data::Bytes(bytes) => bytes.iter().zip(had).all(|(byte, had)| byte == had),
            Data::Blank(_) => true,
        }
    }
}

impl Fetch {
    fn is(&self, at: Endpoint, nick: &[u8], name: &[u8]) -> bool {
        self.what.server == at && self.is_from(nick, name)
    }

    pub(super) fn is_from(&self, nick: &[u8], name: &[u8]) -> bool {
        self.what.nick.eq_ignore_ascii_case(nick) && self.what.name.eq_ignore_ascii_case(name)
    }

    /// Waits for the server or for a push.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Asked | Stage::PushAsked | Stage::Queued)
    }

    /// The first byte asked for: where the tail begins.
    pub(super) fn offset(&self) -> u64 {
        self.at - self.tail.len() as u64
    }

    /// The byte behind the last that is wanted of a file of that size.
    pub(super) fn end(&self, size: u64) -> u64 {
        self.what.part.map_or(size, |part| part.to.min(size)).max(self.at)
    }

    /// Where a download begins, and what must come before that.
    fn beginning(what: &Download) -> (u64, Bytes) {
        // Without a tail nothing shows whether an uploader minds offsets (P2).
        let sound = |resume: &Resume| {
            let tail = resume.tail.len();
            (1..=MAX_TAIL).contains(&tail) && tail as u64 <= resume.offset
        };
        match (&what.part, &what.resume) {
            (Some(Part { from, .. }), _) => (*from, Bytes::new()),
            (None, Some(resume)) if sound(resume) => (resume.offset, resume.tail.clone()),
            _ => (0, Bytes::new()),
        }
    }
}

impl Client {
    pub(super) fn download(&mut self, what: Download, cx: &mut Cx<'_>) {
        let (id, at) = (what.id, what.server);
        // Answers carry no ids: of two downloads of one name nobody could say whose they are.
        let same = |fetch: &Fetch| fetch.is(at, &what.nick, &what.name);
        let crowded = self.downloads.len() >= self.config.max_downloads
            || self.downloads.values().any(|fetch| same(fetch));
        let refusal = if self.downloads.contains_key(&id) || crowded {
            Some(DownloadError::Busy)
        } else if !self.servers.contains_key(&at) {
            Some(DownloadError::NotJoined)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return cx.emit(Event::DownloadFailed(id, refusal, 0));
        }
        let (at_byte, tail) = Fetch::beginning(&what);
        let stage = Stage::Offline;
        let fetch =
            Fetch { what, stage, at: at_byte, size: None, tail, begun: false, retries: 0, repeated: false };
        self.downloads.insert(id, Box::new(fetch));
        self.timers.set(Timer::Download(id), cx.now() + self.config.retry_max);
        if self.is_online(at) {
            self.request(id, cx);
        }
    }

    /// Sends 203, and asks first what program the user runs if that matters.
    pub(super) fn request(&mut self, id: DownloadId, cx: &mut Cx<'_>) {
        let Some(fetch) = self.downloads.get_mut(&id) else { return };
        fetch.stage = Stage::Asked;
        let (at, nick, name) = (fetch.what.server, fetch.what.nick.clone(), fetch.what.name.clone());
        if fetch.what.magnet {
            self.tell(at, &ClientMessage::Whois(Nick { nick: &nick }), cx);
        }
        if !self.tell(at, &ClientMessage::Request(NickFile { nick: &nick, name: &name }), cx) {
            return self.fail_download(id, DownloadError::Unwritable, cx);
        }
        self.timers.set(Timer::Download(id), cx.now() + self.config.request_timeout);
    }

    fn request_push(&mut self, id: DownloadId, cx: &mut Cx<'_>) {
        let Some(fetch) = self.downloads.get_mut(&id) else { return };
        if self.config.data_port == 0 {
            return self.fail_download(id, DownloadError::BothFirewalled, cx);
        }
        if fetch.stage == Stage::PushAsked {
            return;
        }
        fetch.stage = Stage::PushAsked;
        let (at, nick, name) = (fetch.what.server, fetch.what.nick.clone(), fetch.what.name.clone());
        self.tell(at, &ClientMessage::RequestPush(NickFile { nick: &nick, name: &name }), cx);
        self.timers.set(Timer::Download(id), cx.now() + self.config.request_timeout);
    }

    pub(super) fn on_download_due(&mut self, id: DownloadId, cx: &mut Cx<'_>) {
        let Some((at, stage)) = self.downloads.get(&id).map(|fetch| (fetch.what.server, fetch.stage)) else {
            return;
        };
        match stage {
            Stage::Connected(_) => {}
            _ if !self.servers.contains_key(&at) => self.fail_download(id, DownloadError::NotJoined, cx),
            Stage::Queued if self.is_online(at) => self.request(id, cx),
            Stage::Queued => self.wait_for_login(id, cx),
            Stage::Offline | Stage::Asked | Stage::PushAsked => {
                self.fail_download(id, DownloadError::TimedOut, cx)
            }
        }
    }

    /// Asked for after the next login, if that is not too late.
    fn wait_for_login(&mut self, id: DownloadId, cx: &mut Cx<'_>) {
        if let Some(fetch) = self.downloads.get_mut(&id) {
            fetch.stage = Stage::Offline;
        }
        self.timers.set(Timer::Download(id), cx.now() + self.config.retry_max);
    }

    /// More of the file is wanted than was asked for.
    pub(super) fn extend_download(&mut self, id: DownloadId, to: u64) {
        if let Some(part) = self.downloads.get_mut(&id).and_then(|fetch| fetch.what.part.as_mut()) {
            part.to = part.to.max(to);
        }
    }

    /// The download that a message of a server is about.
    fn fetch_of(&self, at: Endpoint, nick: &[u8], name: &[u8]) -> Option<DownloadId> {
        let fits = |fetch: &Fetch| fetch.is_open() && fetch.is(at, nick, name);
        self.downloads.iter().find(|(_, fetch)| fits(fetch)).map(|(id, _)| *id)
    }

    pub(super) fn on_download_ready(&mut self, at: Endpoint, contact: &Contact<'_>, cx: &mut Cx<'_>) {
        let Some(id) = self.fetch_of(at, contact.nick, contact.name) else { return };
        if contact.md5 == FIREWALL_ERROR {
            return self.fail_download(id, DownloadError::BothFirewalled, cx);
        }
        if contact.port == 0 {
            return self.request_push(id, cx);
        }
        let Some(to) = callable(at, contact.ip, contact.port) else {
            self.blame(at, Violation::Address, cx);
            return self.fail_download(id, DownloadError::BadAddress, cx);
        };
        let ours = self.servers.get(&at).is_some_and(|server| server.is_ours(contact.nick));
        let magnet = ours && self.downloads.get(&id).is_some_and(|fetch| fetch.what.magnet);
        let errand = if magnet { Errand::Magnet(id) } else { Errand::Get(id) };
        match self.call(to, errand, cx) {
            Some(stream) => self.connected(id, stream),
            None => self.fail_download(id, DownloadError::Busy, cx),
        }
    }

    pub(super) fn connected(&mut self, id: DownloadId, stream: StreamId) {
        self.timers.clear(Timer::Download(id));
        if let Some(fetch) = self.downloads.get_mut(&id) {
            fetch.stage = Stage::Connected(stream);
        }
    }

    pub(super) fn on_not_available(&mut self, at: Endpoint, file: &NickFile<'_>, cx: &mut Cx<'_>) {
        if let Some(id) = self.fetch_of(at, file.nick, file.name) {
            self.fail_download(id, DownloadError::NotAvailable, cx);
        }
    }

    pub(super) fn on_queue_limit(&mut self, at: Endpoint, limit: &QueueLimit<'_>, cx: &mut Cx<'_>) {
        let Some(id) = self.fetch_of(at, limit.nick, limit.name) else { return };
        let Some(fetch) = self.downloads.get_mut(&id) else { return };
        fetch.retries += 1;
        if fetch.retries > self.config.max_queue_retries {
            return self.fail_download(id, DownloadError::QueueFull, cx);
        }
        fetch.stage = Stage::Queued;
        // 0 is "not at all now": no hurry. Else evenly: who asks each minute keeps their place with our own nodes.
        let wait = self.config.queue_retry * if limit.limit == 0 { 2 } else { 1 };
        self.timers.set(Timer::Download(id), cx.now() + wait);
        cx.emit(Event::Queued(id, wait));
    }

    /// 500 was answered by `X is not firewalled`: the 203 is good after all, once.
    pub(super) fn on_not_firewalled(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        let fits = |fetch: &Fetch| {
            fetch.stage == Stage::PushAsked
                && fetch.what.server == at
                && fetch.what.nick.eq_ignore_ascii_case(nick)
                && !fetch.repeated
        };
        let wrong: Vec<DownloadId> =
            self.downloads.iter().filter(|(_, fetch)| fits(fetch)).map(|(id, _)| *id).collect();
        for id in wrong {
            if let Some(fetch) = self.downloads.get_mut(&id) {
                fetch.repeated = true;
            }
            self.request(id, cx);
        }
    }

    pub(super) fn fail_requests_to(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        let fits = |fetch: &Fetch| {
            fetch.is_open() && fetch.what.server == at && fetch.what.nick.eq_ignore_ascii_case(nick)
        };
        let gone: Vec<DownloadId> =
            self.downloads.iter().filter(|(_, fetch)| fits(fetch)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.fail_download(id, DownloadError::NotAvailable, cx));
    }

    /// The session is over: what the server owed us is asked again after the next login.
    pub(super) fn on_server_lost(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let open = self.downloads.iter().filter(|(_, fetch)| fetch.what.server == at && fetch.is_open());
        for id in open.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.wait_for_login(id, cx);
        }
        self.waiting.retain(|waiting| waiting.server != at);
        self.end_direct_browses(at, cx);
    }

    pub(super) fn on_server_online(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let fits = |fetch: &Fetch| fetch.what.server == at && fetch.stage == Stage::Offline;
        let all = self.downloads.iter().filter(|(_, fetch)| fits(fetch)).map(|(id, _)| *id);
        all.collect::<Vec<_>>().into_iter().for_each(|id| self.request(id, cx));
    }

    pub(super) fn cancel_download(&mut self, id: DownloadId, cx: &mut Cx<'_>) {
        if let Some(fetch) = self.end_download(id, cx)
            && let Stage::Connected(stream) = fetch.stage
        {
            self.hang_up(stream, cx);
        }
    }

    /// Our nick on the directory of a download.
    pub(super) fn nick_at(&self, at: Endpoint) -> Vec<u8> {
        self.servers.get(&at).map_or_else(|| self.config.nick.clone(), |server| server.nick.clone())
    }

    /// The data port did not answer: the server may tell its owner (626).
    pub(super) fn on_unreachable(&mut self, id: DownloadId, error: DownloadError, cx: &mut Cx<'_>) {
        if let Some(fetch) = self.downloads.get(&id) {
            let (at, nick) = (fetch.what.server, fetch.what.nick.clone());
            self.tell(at, &ClientMessage::DataPortError(Nick { nick: &nick }), cx);
        }
        self.fail_download(id, error, cx);
    }

    pub(super) fn fail_download(&mut self, id: DownloadId, error: DownloadError, cx: &mut Cx<'_>) {
        if let Some(fetch) = self.end_download(id, cx) {
            // While the tail is not repeated, nothing new is had.
            cx.emit(Event::DownloadFailed(id, error, fetch.at));
        }
    }

    pub(super) fn end_download(&mut self, id: DownloadId, cx: &mut Cx<'_>) -> Option<Box<Fetch>> {
        self.timers.clear(Timer::Download(id));
        let fetch = self.downloads.remove(&id)?;
        if fetch.begun {
            self.tell(fetch.what.server, &ClientMessage::DownloadEnded, cx);
        }
        Some(fetch)
    }
}
