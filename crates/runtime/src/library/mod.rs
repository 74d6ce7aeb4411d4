//! The library: what this machine shares, hashed once for all systems, remembered, and looked after.
//!
//! Each published path is one torrent (hybrid, so that every client can use it) and the hashes that name its files
//! elsewhere. Hashes are kept by path, size, time of change and inode: what did not change is not read again. The
//! paths are looked at from time to time; what changed is hashed anew and becomes the next version.

mod database;
mod hash;
mod publication;
mod restore;
mod shelve;
#[cfg(test)]
mod tests;
mod watch;

pub use hash::{FileHashes, FileStamp, Watch, hash_file};
pub use publication::{Id, Links, Publication, SharedFile, Torrent};

use crate::create::CreateError;
use database::Database;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use throng_wire::metainfo::Metainfo;
use tokio::sync::mpsc::UnboundedSender;

/// What the library tells; `job` is the number that [`Library::publish`] was given.
#[derive(Clone, Debug)]
pub enum Told {
    /// Files are being hashed.
    Hashing {
        /// The work.
        job: u32,
        /// The published path.
        path: PathBuf,
        /// Bytes.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// These publications of an earlier run are there again.
    Restored(Vec<Arc<Publication>>),
    /// A publication is there: new, or in another version.
    Shelved {
        /// The work.
        job: u32,
        /// How it is now.
        publication: Arc<Publication>,
        /// Its torrent.
        torrent: Torrent,
        /// What was left out, in lines for people.
        skipped: Vec<String>,
    },
    /// A path cannot be published.
    Failed {
        /// The work.
        job: u32,
        /// The path.
        path: PathBuf,
        /// Why, in one line.
        error: String,
    },
    /// A publication cannot be served now, or can again.
    Trouble {
        /// Which.
        id: Id,
        /// Why, in one line.
        reason: Option<String>,
    },
}

/// What is to be published.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// A file or folder.
    pub path: PathBuf,
    /// What it is found by; its name unless said.
    pub title: Option<String>,
    /// More words.
    pub tags: Vec<String>,
}

/// Why the library cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The database cannot be used.
    #[error("cannot use {path}: {source}", path = .path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A later version wrote it.
    #[error("{path} was written by a newer version and is left untouched", path = .0.display())]
    Newer(PathBuf),
}

/// The library; clones are handles on the same one. Its calls wait for the disk only for a moment; hashing is done by
/// threads of its own.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    database: Mutex<Database>,
    shelf: Mutex<BTreeMap<Id, Arc<Publication>>>,
    /// Where the torrent made last says that it can be had: most say the same.
    links: Mutex<Option<Arc<Links>>>,
    told: UnboundedSender<Told>,
    /// Set at the end.
    over: Arc<AtomicBool>,
    trackers: Vec<String>,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

impl Library {
    /// Opens it, and a line for people if it is not as it should be; `None` keeps it in memory. What is published
    /// names these trackers. Nothing happens before [`Library::begin`].
    pub fn open(
        path: Option<&Path>,
        trackers: Vec<String>,
        told: UnboundedSender<Told>,
    ) -> Result<(Library, Option<String>), LibraryError> {
        let (database, notice) = match path {
            Some(path) => Database::open(path)?,
            None => (Database::in_memory()?, None),
        };
        let (shelf, links, over) = (Mutex::default(), Mutex::default(), Arc::default());
        let inner = Inner { database: Mutex::new(database), shelf, links, told, over, trackers };
        Ok((Library(Arc::new(inner)), notice))
    }

    /// Restores what was published and begins to look after it, telling every publication.
    pub fn begin(&self) {
        let library = self.clone();
        spawn("throng-library", move || {
            let changed = library.restore();
            library.look_after(changed);
        });
    }

    /// Hashes a path and puts it on the shelf.
    pub fn publish(&self, job: u32, wish: Wish) {
        let library = self.clone();
        spawn("throng-hash", move || {
            let path = wish.path.clone();
            if let Err(error) = library.shelve(job, wish) {
                library.tell(Told::Failed { job, path, error: error.to_string() });
            }
        });
    }

    /// Puts what was fetched on the shelf, as the torrent it came by; `root` is the folder its paths start from.
    pub fn adopt(&self, job: u32, metainfo: Arc<Metainfo>, root: &Path, title: Option<String>) {
        let (library, root) = (self.clone(), root.to_owned());
        spawn("throng-hash", move || {
            if let Err(error) = library.shelve_fetched(job, metainfo, &root, title) {
                library.tell(Told::Failed { job, path: root, error: error.to_string() });
            }
        });
    }

    /// Takes a publication off the shelf; its files stay. `which` is its id or path.
    pub fn withdraw(&self, which: &str) -> Option<Arc<Publication>> {
        let mut shelf = self.shelf();
        let by_path = || shelf.values().find(|publication| *publication.path == *Path::new(which));
        let by_id = Id::read(which).and_then(|id| shelf.get(&id));
        let id = by_id.or_else(by_path)?.id;
        let publication = shelf.remove(&id)?;
        drop(shelf);
        self.database().forget(id);
        Some(publication)
    }

    /// A publication by its id.
    pub fn publication(&self, id: Id) -> Option<Arc<Publication>> {
        self.shelf().get(&id).cloned()
    }

    /// All publications.
    pub fn publications(&self) -> Vec<Arc<Publication>> {
        self.shelf().values().cloned().collect()
    }

    /// Remembers something of the application for so long.
    pub fn keep(&self, kind: &str, id: &str, value: &[u8], lasts: Duration) {
        self.database().keep((kind, id), value, unix_time().saturating_add(lasts.as_secs()));
    }

    /// What is remembered of a kind.
    pub fn kept(&self, kind: &str) -> Vec<(String, Vec<u8>)> {
        self.database().kept(kind, unix_time())
    }

    /// Up to `count` of what is remembered of a kind, in the order of their ids, from behind `after`.
    pub fn kept_page(&self, kind: &str, after: &str, count: usize) -> Vec<(String, Vec<u8>)> {
        self.database().kept_page((kind, after), count, unix_time())
    }

    /// What is remembered of a kind under an id.
    pub fn kept_one(&self, kind: &str, id: &str) -> Option<Vec<u8>> {
        self.database().kept_one((kind, id), unix_time())
    }

    /// Forgets it.
    pub fn drop_kept(&self, kind: &str, id: &str) {
        self.database().drop_kept(kind, id);
    }

    /// Stops all hashing; what is done is kept.
    pub fn close(&self) {
        self.0.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }

    fn tell(&self, told: Told) {
        // Nobody listens any more at the end of the program.
        let _ = self.0.told.send(told);
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.0.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, BTreeMap<Id, Arc<Publication>>> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that outlives the call; a machine without threads to spare does nothing.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(work) {
        tracing::warn!(%error, "no thread for the library");
    }
}

/// Seconds since 1970; 0 with a clock before that.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whether trying again may help: the file was being written.
fn is_passing(error: &CreateError) -> bool {
    matches!(error, CreateError::Changed(_))
}
