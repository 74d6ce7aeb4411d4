//! Who fetches what from whom: requests, acceptance, push, queue limits (4.4, N13, N14).
//!
//! Addresses that users are told to call are always the ones the others are connected from, so nobody can be made to
//! call a third party; only the port is what a user says. The name in a 607 is the sharer's own spelling (T3).

use super::people::{Home, PersonId};
use super::sharing::md5_word;
use super::{Cx, Server};
use crate::keyword_index::DocId;
use throng_wire::napster::{
    Contact, FIREWALL_ERROR, Frame, Nick, NickFile, QueueFull, QueueLimit, ServerMessage, Speed,
    UploadRequest,
};

/// A file of a user as the user shared it.
struct File {
    name: Vec<u8>,
    md5: [u8; 32],
    size: u64,
}

impl Server {
    /// 203: ask for a file.
    pub(super) fn on_request(
        &mut self,
        who: PersonId,
        file: &NickFile<'_>,
        frame: Frame<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(target) = self.target(who, file, cx) else { return };
        let Some(person) = self.people.get(target) else { return };
        match person.home {
            Home::There(server) if person.is_firewalled() => self.relay_to(server, who, frame),
            Home::There(server) => self.relay_to(server, who, Frame { kind: 607, ..frame }),
            Home::Here(_) => self.request_here(who, target, file, cx),
        }
    }

    /// A 203 for a user here, from a user wherever.
    pub(super) fn request_here(
        &mut self,
        who: PersonId,
        target: PersonId,
        file: &NickFile<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(shared) = self.file(target, file.name) else { return self.not_available(who, file, cx) };
        if self.people.get(target).is_some_and(|person| person.is_firewalled()) {
            // Nothing is asked of the uploader until the downloader wants a push (N14).
            self.contact(who, target, &shared.name, &shared.md5, cx);
        } else {
            self.ask_upload(target, who, &shared.name, cx);
        }
    }

    /// 500: ask a firewalled user to push.
    pub(super) fn on_request_push(
        &mut self,
        who: PersonId,
        file: &NickFile<'_>,
        frame: Frame<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(target) = self.target(who, file, cx) else { return };
        let (Some(person), Some(asker)) = (self.people.get(target), self.people.get(who)) else { return };
        if !person.is_firewalled() {
            let nick = person.nick.clone();
            return self.notice_parts(who, &[&nick, b" is not firewalled"], cx);
        }
        if asker.is_firewalled() {
            return self.contact(who, target, file.name, FIREWALL_ERROR, cx);
        }
        if let Home::There(server) = person.home {
            return self.relay_to(server, who, Frame { kind: 607, ..frame });
        }
        match self.file(target, file.name) {
            Some(shared) => self.ask_upload(target, who, &shared.name, cx),
            None => self.not_available(who, file, cx),
        }
    }

    /// 607 from a linked server, for a user here.
    pub(super) fn upload_request_here(
        &mut self,
        who: PersonId,
        target: PersonId,
        file: &NickFile<'_>,
        cx: &mut Cx<'_>,
    ) {
        match self.file(target, file.name) {
            Some(shared) => self.ask_upload(target, who, &shared.name, cx),
            None => self.not_available(who, file, cx),
        }
    }

    /// 608: the uploader agrees.
    pub(super) fn on_accept_upload(&mut self, who: PersonId, file: &NickFile<'_>, cx: &mut Cx<'_>) {
        let Some((downloader, shared)) = self.answered(who, file.nick, file.name, cx) else { return };
        let (Some(uploader), Some(other)) = (self.people.get(who), self.people.get(downloader)) else {
            return;
        };
        if !uploader.is_firewalled() {
            return self.contact(downloader, who, &shared.name, &shared.md5, cx);
        }
        if other.is_firewalled() {
            return self.contact(downloader, who, &shared.name, FIREWALL_ERROR, cx);
        }
        let (nick, ip, port, speed) = (other.nick.clone(), other.ip, other.port, other.speed());
        let order =
            Contact { nick: &nick, ip, port, name: &shared.name, md5: &shared.md5, speed: Some(speed) };
        self.answer(who, &ServerMessage::PushOrder(order), cx);
    }

    /// 619: the uploader has no place free.
    pub(super) fn on_queue_full(&mut self, who: PersonId, full: &QueueFull<'_>, cx: &mut Cx<'_>) {
        let Some((downloader, shared)) = self.answered(who, full.nick, full.name, cx) else { return };
        let Some(nick) = self.people.get(who).map(|person| person.nick.clone()) else { return };
        let limit = QueueLimit { nick: &nick, name: &shared.name, size: shared.size, limit: full.limit };
        self.tell(downloader, &ServerMessage::QueueLimit(limit), cx);
    }

    /// 626: a data port cannot be reached.
    pub(super) fn on_data_port_error(&mut self, who: PersonId, nick: &[u8], cx: &mut Cx<'_>) {
        let (Some(target), Some(person)) = (self.people.find(nick), self.people.get(who)) else { return };
        let nick = person.nick.clone();
        self.tell(target, &ServerMessage::DataPortError(Nick { nick: &nick }), cx);
    }

    /// 218 to 221.
    pub(super) fn on_counter(&mut self, who: PersonId, kind: u16) {
        let Some(person) = self.people.get_mut(who) else { return };
        match kind {
            218 => {
                person.downloads = person.downloads.saturating_add(1);
                person.total_downloads = person.total_downloads.saturating_add(1);
            }
            219 => person.downloads = person.downloads.saturating_sub(1),
            220 => {
                person.uploads = person.uploads.saturating_add(1);
                person.total_uploads = person.total_uploads.saturating_add(1);
            }
            // TekNap sends this one alone when it pushes.
            _ => person.uploads = person.uploads.saturating_sub(1),
        }
    }

    /// Of whom a file is asked; otherwise the asker is told why not.
    fn target(&mut self, who: PersonId, file: &NickFile<'_>, cx: &mut Cx<'_>) -> Option<PersonId> {
        let target = self.people.find(file.nick);
        let (Some(target), Some(asker)) = (target, self.people.get(who)) else {
            self.not_available(who, file, cx);
            return None;
        };
        let person = self.people.get(target)?;
        if person.ignores(&asker.nick) {
            let nick = person.nick.clone();
            self.notice_parts(who, &[&nick, b" is ignoring you"], cx);
            return None;
        }
        Some(target)
    }

    /// To whom an uploader's answer goes, and about which file; otherwise the uploader is told why not.
    fn answered(
        &mut self,
        who: PersonId,
        nick: &[u8],
        name: &[u8],
        cx: &mut Cx<'_>,
    ) -> Option<(PersonId, File)> {
        let Some(shared) = self.file(who, name) else {
            self.notice(who, b"Not sharing that file", cx);
            return None;
        };
        let Some(downloader) = self.people.find(nick) else {
            self.notice_parts(who, &[b"User ", nick, b" is not currently online."], cx);
            return None;
        };
        Some((downloader, shared))
    }

    fn file(&self, who: PersonId, name: &[u8]) -> Option<File> {
        let read = |doc: DocId| {
            self.index.with(doc, |hit| File {
                name: hit.entry.name.to_vec(),
                md5: md5_word(hit.entry.key),
                size: hit.entry.attributes.size,
            })
        };
        self.shared_file(who, name).and_then(read)
    }

    fn not_available(&mut self, who: PersonId, file: &NickFile<'_>, cx: &mut Cx<'_>) {
        self.answer(who, &ServerMessage::NotAvailable(*file), cx);
    }

    /// 607 to a user here.
    fn ask_upload(&mut self, target: PersonId, who: PersonId, name: &[u8], cx: &mut Cx<'_>) {
        let Some(asker) = self.people.get(who) else { return };
        let nick = asker.nick.clone();
        let speed: Option<Speed> = matches!(asker.home, Home::There(_)).then(|| asker.speed());
        self.tell(target, &ServerMessage::UploadRequest(UploadRequest { nick: &nick, name, speed }), cx);
    }

    /// 204: where the file can be had.
    fn contact(&mut self, to: PersonId, uploader: PersonId, name: &[u8], md5: &[u8], cx: &mut Cx<'_>) {
        let Some(person) = self.people.get(uploader) else { return };
        let (nick, ip, port, speed) = (person.nick.clone(), person.ip, person.port, person.speed());
        let contact = Contact { nick: &nick, ip, port, name, md5, speed: Some(speed) };
        self.tell(to, &ServerMessage::DownloadReady(contact), cx);
    }
}
