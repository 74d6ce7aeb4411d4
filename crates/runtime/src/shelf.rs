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

/// A file as it was when it was hashed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// Where it lies.
    pub path: PathBuf,
    /// When it was last changed as it was hashed: if it was changed since, nobody gets it. `None` for one that still
    /// grows, of which only what was checked is given.
    pub modified: Option<SystemTime>,
}

/// The open file, while somebody fetches it.
type Handle = Arc<Mutex<Option<Arc<File>>>>;

struct Served {
    stored: Stored,
    handle: Handle,
    /// Uploads under way.
    readers: u32,
}

/// All files that are served.
#[derive(Default)]
pub(crate) struct Shelf(BTreeMap<ContentId, Served>);

impl Shelf {
    pub(crate) fn put(&mut self, content: ContentId, stored: Stored) {
        self.0.insert(content, Served { stored, handle: Handle::default(), readers: 0 });
    }

    pub(crate) fn remove(&mut self, content: ContentId) {
        self.0.remove(&content);
    }

    pub(crate) fn begin(&mut self, content: ContentId) {
        if let Some(served) = self.0.get_mut(&content) {
            served.readers += 1;
        }
    }

    /// The last reader closes the file.
    pub(crate) fn end(&mut self, content: ContentId) {
        if let Some(served) = self.0.get_mut(&content) {
            served.readers = served.readers.saturating_sub(1);
            if served.readers == 0 {
                set(&served.handle, None);
            }
        }
    }

    pub(crate) fn read_now(&self, extent: Extent, into: &mut [u8]) -> Read {
        let Some(served) = self.0.get(&extent.content) else { return Read::Failed };
        let Some(file) = held(&served.handle) else { return Read::Later };
        match preadv2(&*file, &mut [IoSliceMut::new(into)], extent.offset, ReadWriteFlags::NOWAIT) {
            Ok(count) if count == extent.len as usize => Read::Done,
            _ => Read::Later,
        }
    }

    pub(crate) fn read_later(&self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        let (answer, receiver) = oneshot::channel();
        if let Some(served) = self.0.get(&extent.content) {
            let (handle, stored) = (Arc::clone(&served.handle), served.stored.clone());
            tokio::task::spawn_blocking(move || {
                // Nobody waits any more if the stream is gone.
                _ = answer.send(read(&handle, &stored, extent));
            });
        }
        receiver
    }
}

fn read(handle: &Handle, stored: &Stored, extent: Extent) -> Option<Bytes> {
    let file = match held(handle) {
        Some(file) => file,
        None => {
            let file = Arc::new(open(&stored.path, stored.size, stored.modified)?);
            set(handle, Some(Arc::clone(&file)));
            file
        }
    };
    let mut bytes = vec![0; extent.len as usize];
    file.read_exact_at(&mut bytes, extent.offset).ok()?;
    Some(Bytes::from(bytes))
}

/// The file, if it is a file and the one that was hashed.
fn open(path: &Path, size: u64, modified: Option<SystemTime>) -> Option<File> {
    let unchanged = |metadata: &std::fs::Metadata| {
        modified.is_none_or(|modified| metadata.modified().is_ok_and(|at| at == modified))
    };
    let same =
        |metadata: std::fs::Metadata| metadata.is_file() && metadata.len() == size && unchanged(&metadata);
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
