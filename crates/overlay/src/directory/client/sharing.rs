//! Telling directories what we share: in frames of many files, no faster than they are taken (section 6).

use throng_machine::{ContentId, Endpoint};
use throng_wire::napster::{ClientMessage, FileKind, FileRun, MAX_DATA, ShareDirectory, Unshare};

use super::event::Event;
use super::machine::{Client, Cx};
use super::shares::SharedFile;

/// Bytes on the way to a server before more files are told.
const MAX_UNFLUSHED: u64 = 32 << 10;

/// Room in a frame that files of one directory may fill; the directory and its quotes fit beside it.
const MAX_RUN: usize = MAX_DATA - 300;

impl Client {
    pub(super) fn share(&mut self, file: SharedFile, cx: &mut Cx<'_>) {
        let content = file.content;
        if !self.shares.add(file) {
            return cx.emit(Event::NotShared(content));
        }
        for at in self.online() {
            if let Some(server) = self.servers.get_mut(&at) {
                server.pending.insert(content);
            }
            self.pump_shares(at, cx);
        }
    }

    pub(super) fn unshare(&mut self, content: ContentId, cx: &mut Cx<'_>) {
        let Some(file) = self.shares.remove(content) else { return };
        self.end_uploads_of(content, cx);
        for at in self.online() {
            if let Some(server) = self.servers.get_mut(&at)
                && !server.pending.remove(&content)
                && !server.refused.remove(&content)
            {
                server.withdrawn.push_back(file.name.clone());
            }
            self.pump_shares(at, cx);
        }
    }

    fn online(&self) -> Vec<Endpoint> {
        self.servers.iter().filter(|(_, server)| server.is_online()).map(|(at, _)| *at).collect()
    }

    /// The server said that it takes no more.
    pub(super) fn on_share_limit(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        server.full = true;
        for content in std::mem::take(&mut server.pending) {
            server.refused.insert(content);
            cx.emit(Event::NotShared(content));
        }
    }

    /// Tells as much as the connection takes now; `Flushed` calls again.
    pub(super) fn pump_shares(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        loop {
            let Some(server) = self.servers.get_mut(&at).filter(|server| server.is_online()) else { return };
            if server.unflushed > MAX_UNFLUSHED {
                return;
            }
            if let Some(name) = server.withdrawn.pop_front() {
                self.tell(at, &ClientMessage::Unshare(Unshare { name: &name }), cx);
                continue;
            }
            let Some(first) = server.pending.pop_first() else { return };
            if server.full {
                server.refused.insert(first);
                cx.emit(Event::NotShared(first));
                continue;
            }
            self.tell_shares(at, first, cx);
            if let Some(server) = self.servers.get(&at)
                && server.pending.is_empty()
            {
                cx.emit(Event::Shared(at, server.told));
            }
        }
    }

    /// One frame: a file alone (100, 10300) or with those after it of the same directory (870).
    fn tell_shares(&mut self, at: Endpoint, first: ContentId, cx: &mut Cx<'_>) {
        let Some(file) = self.shares.by_content(first).cloned() else { return };
        let md5 = file.md5();
        if file.kind != FileKind::Mp3 {
            return self.tell_counted(at, &ClientMessage::ShareTyped(file.as_typed(&md5)), 1, cx);
        }
        let (directory, base) = file.split();
        let mut run = Vec::new();
        // 870 refuses empty files, and sizes that are so in 32 bits; a name without a directory does not fit.
        let batched = is_batchable(&file) && FileRun::push(&mut run, &file.as_share(base, &md5)).is_ok();
        let count = if batched { 1 + self.extend_run(at, directory, &mut run) } else { 1 };
        if count == 1 {
            return self.tell_counted(at, &ClientMessage::Share(file.as_share(&file.name, &md5)), 1, cx);
        }
        let share = ShareDirectory { directory, files: FileRun(&run) };
        self.tell_counted(at, &ClientMessage::ShareDirectory(share), count, cx);
    }

    /// Moves files of the directory from what is pending into the run while they fit; how many.
    fn extend_run(&mut self, at: Endpoint, directory: &[u8], run: &mut Vec<u8>) -> u32 {
        let Some(server) = self.servers.get_mut(&at) else { return 0 };
        let mut count = 0;
        while let Some(file) = server.pending.first().and_then(|next| self.shares.by_content(*next)) {
            let ((next_directory, base), md5, before) = (file.split(), file.md5(), run.len());
            let fits = is_batchable(file)
                && next_directory == directory
                && FileRun::push(run, &file.as_share(base, &md5)).is_ok();
            if !fits || run.len() > MAX_RUN {
                run.truncate(before);
                break;
            }
            server.pending.pop_first();
            count += 1;
        }
        count
    }

    fn tell_counted(&mut self, at: Endpoint, message: &ClientMessage<'_>, files: u32, cx: &mut Cx<'_>) {
        if self.tell(at, message, cx)
            && let Some(server) = self.servers.get_mut(&at)
        {
            server.told += files;
        }
    }
}

fn is_batchable(file: &SharedFile) -> bool {
    let (directory, base) = file.split();
    file.kind == FileKind::Mp3 && file.size as u32 != 0 && !directory.is_empty() && !base.is_empty()
}
