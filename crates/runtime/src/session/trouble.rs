//! Trouble with the storage: the torrent pauses with one line for people, and goes on when the cause is gone.

use super::content::{Content, Stage};
use super::glue::Glue;
use super::request::Note;
use crate::storage::{Class, StorageError};
use std::time::Duration;
use throng_machine::{ContentId, Extent};
use throng_swarm::Command;
use tokio::task::spawn_local;

/// How often a storage in trouble is tried.
const PROBE_EVERY: Duration = Duration::from_secs(3);

impl Glue {
    /// What was asked for is not sent; damaged pieces are to be fetched again, anything else is waited for.
    pub(super) fn on_unreadable(
        &mut self,
        extent: Extent,
        error: &StorageError,
        commands: &mut Vec<Command>,
    ) {
        let content = extent.content;
        let Some(storage) = self.assembly.storage(content) else { return };
        if error.class != Class::Damaged {
            return self.on_trouble(content, error, commands);
        }
        let mut text = error.to_string();
        if storage.files().is_read_only() {
            // It could not be written: nobody is asked for it.
            commands.push(Command::SetWanted(content, storage.stored().to_bytes()));
            let path = error.path.display();
            text = format!(
                "{path} is damaged: its data does not match the torrent; the damaged part is not served"
            );
        }
        // Of several pieces read at once; the swarm ignores those it does not have.
        let lost = storage.pieces_in(extent.offset, extent.len as usize);
        let lost = lost.filter(|&piece| !storage.stored().contains(piece));
        commands.extend(lost.map(|piece| Command::PieceLost(content, piece)));
        self.notice_once(content, text);
    }

    /// Looks whether files in use are as they were, of all torrents that are not known to be in trouble.
    pub(super) fn look(&self) {
        let quiet = |of: &Content| of.trouble.is_none() && matches!(of.stage, Stage::Running);
        for (&content, _) in self.contents.iter().filter(|(_, of)| quiet(of)) {
            let Some(storage) = self.assembly.storage(content).cloned() else { continue };
            let notes = self.notes.clone();
            self.assembly.workers().spawn(move || {
                if let Err(error) = storage.look() {
                    let _ = notes.send(Note::Unreadable(Extent { content, offset: 0, len: 0 }, error));
                }
            });
        }
    }

    /// The storage cannot be used: the torrent waits and the storage is tried from time to time.
    pub(super) fn on_trouble(
        &mut self,
        content: ContentId,
        error: &StorageError,
        commands: &mut Vec<Command>,
    ) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        if of.trouble.replace(error.to_string()).is_none() {
            self.notice(content, error.to_string());
            commands.push(Command::StorageFailed(content));
            self.probe_later(content);
        } else {
            // It failed before; pieces that failed since are to be fetched again too.
            commands.push(Command::StorageFailed(content));
        }
    }

    pub(super) fn on_probed(
        &mut self,
        content: ContentId,
        result: Result<(), StorageError>,
        commands: &mut Vec<Command>,
    ) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        self.news.insert(content);
        match result {
            Ok(()) => {
                of.trouble = None;
                commands.push(Command::StorageRecovered(content));
                self.notice(content, String::from("the storage works again"));
            }
            Err(error) => {
                of.trouble = Some(error.to_string());
                self.probe_later(content);
            }
        }
    }

    fn probe_later(&self, content: ContentId) {
        let Some(storage) = self.assembly.storage(content).cloned() else { return };
        let (workers, notes) = (self.assembly.workers().clone(), self.notes.clone());
        spawn_local(async move {
            tokio::time::sleep(PROBE_EVERY).await;
            workers.spawn(move || _ = notes.send(Note::Probed(content, storage.probe())));
        });
    }
}
