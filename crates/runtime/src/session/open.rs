//! Opening a torrent's storage and checking what is there, on a worker.

use super::content::Progress;
use super::journal::Journal;
use super::request::{AddRequest, FileFilter, Note, Source};
use crate::create::{Control, check};
use crate::storage::{FileMap, Options, Storage};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use throng_machine::ContentId;
use throng_wire::metainfo::Metainfo;
use tokio::sync::mpsc::UnboundedSender;

/// An open storage.
pub(super) struct Opened {
    pub(super) storage: Arc<Storage>,
    /// Which pieces are wanted; `None` for all.
    pub(super) wanted: Option<Vec<u8>>,
    /// Lines for people.
    pub(super) notices: Vec<String>,
}

/// How to open a torrent, kept until its metainfo is known.
#[derive(Clone)]
pub(super) struct Plan {
    dir: PathBuf,
    map: Option<FileMap>,
    only: Option<FileFilter>,
    trust: bool,
    read_only: bool,
    /// Web seeds besides the torrent's own.
    pub(super) web_seeds: Vec<String>,
}

impl Plan {
    pub(super) fn of(request: &AddRequest) -> Plan {
        let (dir, map, only) = (request.dir.clone(), request.map.clone(), request.only.clone());
        let web_seeds = match &request.source {
            Source::Magnet(magnet) => magnet.web_seeds.clone(),
            Source::Metainfo(_) => Vec::new(),
        };
        Plan { dir, map, only, trust: request.skip_check, read_only: request.read_only, web_seeds }
    }

    /// Whether anything is ever written.
    pub(super) fn writes(&self) -> bool {
        !self.read_only
    }

    /// Opens and then checks, telling the thread of both.
    pub(super) fn carry_out(
        self,
        content: ContentId,
        metainfo: Arc<Metainfo>,
        (progress, journal): (&Progress, &Journal),
        notes: &UnboundedSender<Note>,
    ) {
        let opened = self.open(metainfo);
        let storage = opened.as_ref().ok().map(|opened| opened.storage.clone());
        let _ = notes.send(Note::Opened(content, opened));
        let Some(storage) = storage else { return };
        let unclean = journal.restore(&storage).unwrap_or_else(|error| {
            let _ = notes.send(Note::Trouble(content, error.to_string()));
            (0..storage.piece_count()).collect()
        });
        if !self.trust {
            let told = |done, total| {
                progress.done.store(done, Ordering::Relaxed);
                progress.total.store(total, Ordering::Relaxed);
            };
            check(&storage, &unclean, Control { progress: &told, cancel: &progress.cancel, threads: 0 });
        }
        let _ = notes.send(Note::Checked(content));
    }

    fn open(&self, metainfo: Arc<Metainfo>) -> Result<Opened, String> {
        let options = Options { read_only: self.read_only, trust: self.trust, ..Options::default() };
        let map = self.map.clone().unwrap_or_else(|| FileMap::of(&metainfo));
        let storage =
            Storage::with_map(metainfo, map, &self.dir, options).map_err(|error| error.to_string())?;
        let mut notices = Vec::new();
        if !self.read_only {
            let prepared = storage.prepare().map_err(|error| error.to_string())?;
            let skipped = prepared.skipped_links.iter();
            notices.extend(
                skipped.map(|link| format!("{} is a link that leads nowhere: left out", link.display())),
            );
        }
        let wanted = self.only.as_ref().map(|only| wanted_pieces(&storage, only));
        Ok(Opened { storage: Arc::new(storage), wanted, notices })
    }
}

/// The pieces with bytes of wanted files, first piece in the high bit.
fn wanted_pieces(storage: &Storage, only: &FileFilter) -> Vec<u8> {
    let layout = storage.metainfo().info.layout();
    let mut bits = vec![0u8; layout.piece_count().div_ceil(8) as usize];
    let map = storage.files().map();
    for (index, file) in layout.files().iter().enumerate() {
        if file.length > 0 && !file.attributes.padding && only(index, map.path(index)) {
            for piece in layout.piece_range(index) {
                bits[(piece / 8) as usize] |= 0x80 >> (piece % 8);
            }
        }
    }
    bits
}
