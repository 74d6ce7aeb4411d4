//! Files of the library as they are served: opened when somebody fetches them, and only if they are what was hashed.

use crate::net::Read;
use bytes::Bytes;
use rustix::io::{ReadWriteFlags, preadv2};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use throng_machine::{ContentId, Extent};
use tokio::sync::oneshot;

/// A file to share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offering {
    /// Names it; no two are alike.
    pub content: ContentId,
    /// What it is found by.
    pub title: String,
    /// Bytes.
    pub size: u64,
    /// The first half of its pieces root.
    pub root: Option<[u8; 16]>,
    /// Where it lies.
    pub path: PathBuf,
    /// When it was last changed as it was hashed: if it was changed since, nobody gets it.
    pub modified: SystemTime,
    /// What our own nodes are told in its place; empty if there is none.
    pub magnet: String,
}

/// The open file, while somebody fetches it.
type Handle = Arc<Mutex<Option<Arc<File>>>>;

struct Served {
    offering: Offering,
    handle: Handle,
    /// Uploads under way.
    readers: u32,
}

/// All files that are served.
#[derive(Default)]
pub(super) struct Shelf(BTreeMap<ContentId, Served>);

impl Shelf {
    pub(super) fn put(&mut self, offering: Offering) {
        self.0.insert(offering.content, Served { offering, handle: Handle::default(), readers: 0 });
    }

    pub(super) fn remove(&mut self, content: ContentId) {
        self.0.remove(&content);
    }

    pub(super) fn magnet(&self, content: ContentId) -> Option<&str> {
        let magnet = &self.0.get(&content)?.offering.magnet;
        (!magnet.is_empty()).then_some(magnet)
    }

    pub(super) fn begin(&mut self, content: ContentId) {
        if let Some(served) = self.0.get_mut(&content) {
            served.readers += 1;
        }
    }

    /// The last reader closes the file.
    pub(super) fn end(&mut self, content: ContentId) {
        if let Some(served) = self.0.get_mut(&content) {
            served.readers = served.readers.saturating_sub(1);
            if served.readers == 0 {
                set(&served.handle, None);
            }
        }
    }

    pub(super) fn read_now(&self, extent: Extent, into: &mut [u8]) -> Read {
        let Some(served) = self.0.get(&extent.content) else { return Read::Failed };
        let Some(file) = held(&served.handle) else { return Read::Later };
        match preadv2(&*file, &mut [IoSliceMut::new(into)], extent.offset, ReadWriteFlags::NOWAIT) {
            Ok(count) if count == extent.len as usize => Read::Done,
            _ => Read::Later,
        }
    }

    pub(super) fn read_later(&self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        let (answer, receiver) = oneshot::channel();
        if let Some(served) = self.0.get(&extent.content) {
            let (handle, offering) = (Arc::clone(&served.handle), served.offering.clone());
            tokio::task::spawn_blocking(move || {
                // Nobody waits any more if the stream is gone.
                _ = answer.send(read(&handle, &offering, extent));
            });
        }
        receiver
    }
}

fn read(handle: &Handle, offering: &Offering, extent: Extent) -> Option<Bytes> {
    let file = match held(handle) {
        Some(file) => file,
        None => {
            let file = Arc::new(open(&offering.path, offering.size, offering.modified)?);
            set(handle, Some(Arc::clone(&file)));
            file
        }
    };
    let mut bytes = vec![0; extent.len as usize];
    file.read_exact_at(&mut bytes, extent.offset).ok()?;
    Some(Bytes::from(bytes))
}

/// The file, if it is a file and the one that was hashed.
fn open(path: &Path, size: u64, modified: SystemTime) -> Option<File> {
    let same = |metadata: std::fs::Metadata| {
        metadata.is_file() && metadata.len() == size && metadata.modified().is_ok_and(|at| at == modified)
    };
    // Looked at before as well: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).is_ok_and(same) {
        return None;
    }
    let file = File::open(path).ok()?;
    file.metadata().is_ok_and(same).then_some(file)
}

fn held(handle: &Handle) -> Option<Arc<File>> {
    handle.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set(handle: &Handle, file: Option<Arc<File>>) {
    *handle.lock().unwrap_or_else(PoisonError::into_inner) = file;
}
