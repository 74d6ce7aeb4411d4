//! The directory client on real sockets and files: each content is one file, written where bytes belong.
//!
//! For files that are not part of a swarm: what is shared from disk as it lies there, and downloads from strangers,
//! which nothing verifies. Reads that would wait for the disk happen on a blocking thread.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::{ReadWriteFlags, preadv2};
use throng_machine::{ContentId, Extent};
use throng_overlay::directory::client::{Client, Command, Event};
use tokio::sync::{Notify, oneshot};

use crate::net::{Application, Read};

/// The application of a directory client: its files, and events for whoever reads them.
#[derive(Default)]
pub struct Files {
    files: BTreeMap<ContentId, Arc<File>>,
    failed: BTreeMap<ContentId, io::Error>,
    events: VecDeque<Event>,
    told: Arc<Notify>,
}

impl Files {
    /// Wakes who waits for events.
    pub fn told(&self) -> Arc<Notify> {
        Arc::clone(&self.told)
    }

    /// The bytes of a content are those of this file, from its beginning.
    pub fn open(&mut self, content: ContentId, file: File) {
        self.failed.remove(&content);
        self.files.insert(content, Arc::new(file));
    }

    /// Forgets the file; gives back what went wrong with it, if anything did.
    pub fn close(&mut self, content: ContentId) -> Option<io::Error> {
        self.files.remove(&content);
        self.failed.remove(&content)
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

impl Application for Files {
    type Machine = Client;

    fn on_event(&mut self, event: Event, _: &mut Vec<Command>) {
        self.events.push_back(event);
        self.told.notify_one();
    }

    fn place(&mut self, extent: Extent, bytes: &[u8]) {
        let Some(file) = self.files.get(&extent.content) else { return };
        if let Err(error) = file.write_all_at(bytes, extent.offset) {
            self.failed.entry(extent.content).or_insert(error);
        }
    }

    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        let Some(file) = self.files.get(&extent.content) else { return Read::Failed };
        match preadv2(file, &mut [IoSliceMut::new(into)], extent.offset, ReadWriteFlags::NOWAIT) {
            Ok(count) if count == extent.len as usize => Read::Done,
            _ => Read::Later,
        }
    }

    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        let (answer, receiver) = oneshot::channel();
        if let Some(file) = self.files.get(&extent.content).map(Arc::clone) {
            tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; extent.len as usize];
                let read = file.read_exact_at(&mut bytes, extent.offset);
                // Nobody waits any more if the stream is gone.
                _ = answer.send(read.is_ok().then(|| Bytes::from(bytes)));
            });
        }
        receiver
    }
}

#[cfg(test)]
mod tests;
