//! Verifying again what is stored, because a person asks for it: on a thread of its own, while the torrent goes on. Pieces
//! that are not as they should be are fetched again.

use super::content::{Progress, Stage};
use super::glue::Glue;
use super::request::Note;
use crate::storage::{READ_CHUNK, Storage};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use throng_machine::ContentId;
use throng_swarm::Command;
use tokio::sync::mpsc::UnboundedSender;

impl Glue {
    pub(super) fn on_verify(&mut self, content: ContentId) {
        let Some(storage) = self.assembly.storage(content).cloned() else { return };
        let Some(of) = self.contents.get_mut(&content) else { return };
        if of.recheck.is_some() || !matches!(of.stage, Stage::Running) {
            return;
        }
        let progress = Arc::new(Progress::default());
        let (notes, own) = (self.notes.clone(), progress.clone());
        let thread = std::thread::Builder::new().name("throng-verify".into());
        if thread.spawn(move || verify(content, &storage, &own, &notes)).is_ok() {
            of.recheck = Some(progress);
            self.news.insert(content);
        }
    }

    pub(super) fn on_reverified(&mut self, content: ContentId, lost: &[u32], commands: &mut Vec<Command>) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        of.recheck = None;
        of.unsaved |= !lost.is_empty();
        of.snapshot.notice(match lost.len() {
            0 => "verified: all that is stored is right".into(),
            1 => "verified: one piece was damaged and is fetched again".into(),
            many => format!("verified: {many} pieces were damaged and are fetched again"),
        });
        commands.extend(lost.iter().map(|piece| Command::PieceLost(content, *piece)));
        self.news.insert(content);
    }
}

fn verify(content: ContentId, storage: &Storage, progress: &Progress, notes: &UnboundedSender<Note>) {
    let bytes = |pieces: &mut dyn Iterator<Item = u32>| -> u64 {
        pieces
            .map(|piece| storage.files().map().piece_range(piece))
            .map(|range| range.end - range.start)
            .sum()
    };
    let stored: Vec<u32> =
        (0..storage.piece_count()).filter(|piece| storage.stored().contains(*piece)).collect();
    progress.total.store(bytes(&mut stored.iter().copied()), Ordering::Relaxed);
    let (mut scratch, mut lost) = (vec![0; READ_CHUNK], Vec::new());
    for piece in stored {
        if progress.cancel.load(Ordering::Relaxed) {
            return;
        }
        // What cannot be read now may be read later: the storage's trouble is told where it is met in earnest.
        if let Ok(false) = storage.verify_piece(piece, &mut scratch) {
            storage.lose(piece);
            lost.push(piece);
        }
        progress.done.fetch_add(bytes(&mut std::iter::once(piece)), Ordering::Relaxed);
    }
    let _ = notes.send(Note::Reverified(content, lost));
}
