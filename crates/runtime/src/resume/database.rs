//! The tables, and what is written to them when.
//!
//! `torrents` holds one row a torrent: how to take part in it, its bitfield, when it was saved, and whether it ended in
//! order (`clean`). `files` holds size and time of change at that moment, for those files that were written.

use crate::sqlite::set_aside;
use crate::storage::{AtomicBitmap, Stamp, Storage, StorageError};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long another process may hold the database before it counts as locked.
const BUSY: Duration = Duration::from_secs(5);

/// Raised when the tables change; a database of another version is set aside.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS torrents (
        info_hash BLOB PRIMARY KEY, metainfo BLOB NOT NULL, folder BLOB NOT NULL, options BLOB NOT NULL,
        pieces BLOB NOT NULL DEFAULT x'', clean INTEGER NOT NULL DEFAULT 0, saved_at INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS files (
        info_hash BLOB NOT NULL, file INTEGER NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
        PRIMARY KEY (info_hash, file)
    ) STRICT, WITHOUT ROWID;";

/// Why the state could not be read or written, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Another process holds the database.
    #[error("{path} is in use by another program for too long; progress is not remembered", path = .0.display())]
    Locked(PathBuf),
    /// It is no database, or a damaged one.
    #[error("{path} is damaged; it was set aside, and downloads are checked again", path = .0.display())]
    Damaged(PathBuf),
    /// Anything else the database says.
    #[error("cannot use {path}: {source}; progress is not remembered", path = .path.display())]
    Other {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The data could not be saved, so its state was not.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A torrent as it was added.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// Its name in the database: the v1 info-hash, or the whole v2 one.
    pub info_hash: Vec<u8>,
    /// The .torrent file; empty while a magnet's metadata is unknown.
    pub metainfo: Vec<u8>,
    /// The download folder.
    pub folder: PathBuf,
    /// Whatever the application wants to remember.
    pub options: Vec<u8>,
}

/// A file as it was when its pieces were saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavedFile {
    /// Index into the layout's files.
    pub file: usize,
    /// Size and time of change.
    pub stamp: Stamp,
}

/// The saved progress of a torrent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Progress {
    pub(super) pieces: Vec<u8>,
    pub(super) clean: bool,
    /// Nanoseconds since 1970.
    pub(super) saved_at: i64,
    pub(super) files: Vec<SavedFile>,
}

/// The open database.
#[derive(Debug)]
pub struct Resume {
    connection: Connection,
    path: PathBuf,
}

/// A database that can be used, whatever was found.
#[derive(Debug)]
pub struct Opened {
    /// The database; one in memory if the file cannot be used now.
    pub resume: Resume,
    /// What to tell the person.
    pub notice: Option<ResumeError>,
}

impl Resume {
    /// Opens or makes the database. One that is damaged is renamed and a new one made; one that is locked or may not
    /// be written is left alone and nothing is remembered in this run.
    pub fn open(path: &Path) -> Result<Opened, ResumeError> {
        Resume::open_waiting(path, BUSY)
    }

    pub(super) fn open_waiting(path: &Path, busy: Duration) -> Result<Opened, ResumeError> {
        let notice = match Resume::open_file(path, busy) {
            Ok(resume) => return Ok(Opened { resume, notice: None }),
            Err(error) => error,
        };
        if matches!(notice, ResumeError::Damaged(_))
            && set_aside(path).is_ok()
            && let Ok(resume) = Resume::open_file(path, busy)
        {
            return Ok(Opened { resume, notice: Some(notice) });
        }
        Ok(Opened { resume: Resume::in_memory()?, notice: Some(notice) })
    }

    /// A database that is gone with the process.
    pub fn in_memory() -> Result<Resume, ResumeError> {
        let path = PathBuf::from("the database in memory");
        let failed = |error| sort(&path, error);
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        Ok(Resume { connection, path })
    }

    fn open_file(path: &Path, busy: Duration) -> Result<Resume, ResumeError> {
        let failed = |error| sort(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        connection.busy_timeout(busy).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if version != 0 && version != VERSION {
            return Err(ResumeError::Damaged(path.to_owned()));
        }
        let sound: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if sound != "ok" {
            return Err(ResumeError::Damaged(path.to_owned()));
        }
        connection.execute_batch(SCHEMA).map_err(failed)?;
        connection.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        Ok(Resume { connection, path: path.to_owned() })
    }

    /// Remembers a torrent. Progress saved for another folder is forgotten.
    pub fn save(&mut self, saved: &Saved) -> Result<(), ResumeError> {
        let folder = saved.folder.as_os_str().as_encoded_bytes();
        let Resume { connection, path } = self;
        let mut run = || {
            let change = connection.transaction()?;
            let other = "SELECT 1 FROM torrents WHERE info_hash = ?1 AND folder <> ?2";
            if change.query_row(other, params![saved.info_hash, folder], |_| Ok(())).optional()?.is_some() {
                forget(&change, &saved.info_hash)?;
            }
            change.execute(
                "INSERT INTO torrents (info_hash, metainfo, folder, options) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET metainfo = ?2, options = ?4",
                params![saved.info_hash, saved.metainfo, folder, saved.options],
            )?;
            change.commit()
        };
        run().map_err(|error| sort(path, error))
    }

    /// All torrents that are remembered.
    pub fn torrents(&self) -> Result<Vec<Saved>, ResumeError> {
        use std::os::unix::ffi::OsStringExt;
        let run = || {
            let mut rows = self
                .connection
                .prepare("SELECT info_hash, metainfo, folder, options FROM torrents ORDER BY 1")?;
            let folder = |bytes| PathBuf::from(std::ffi::OsString::from_vec(bytes));
            let saved = rows.query_map([], |row| {
                let (info_hash, metainfo) = (row.get(0)?, row.get(1)?);
                Ok(Saved { info_hash, metainfo, folder: folder(row.get(2)?), options: row.get(3)? })
            })?;
            saved.collect::<Result<Vec<_>, _>>()
        };
        run().map_err(|error| self.sort(error))
    }

    /// Forgets a torrent.
    pub fn remove(&mut self, info_hash: &[u8]) -> Result<(), ResumeError> {
        let Resume { connection, path } = self;
        let mut run = || {
            let change = connection.transaction()?;
            forget(&change, info_hash)?;
            change.commit()
        };
        run().map_err(|error| sort(path, error))
    }

    /// Saves the data written since the last time, then the bitfield of what is stored. Waits for the disk: call it
    /// off the network thread, every few seconds while pieces arrive.
    pub fn checkpoint(&mut self, info_hash: &[u8], storage: &Storage) -> Result<(), ResumeError> {
        self.write(info_hash, storage, false)
    }

    /// The last checkpoint of a run: nothing will be written afterwards.
    pub fn finish(&mut self, info_hash: &[u8], storage: &Storage) -> Result<(), ResumeError> {
        self.write(info_hash, storage, true)
    }

    fn write(&mut self, info_hash: &[u8], storage: &Storage, clean: bool) -> Result<(), ResumeError> {
        // In this order: every bit taken now is of a piece whose files are dirty, or were saved before.
        let pieces = certain(storage);
        let files = storage.files();
        let dirty = files.take_dirty();
        files.sync(&dirty)?;
        let stamps: Vec<SavedFile> =
            dirty.iter().filter_map(|&file| Some(SavedFile { file, stamp: files.stamp(file)? })).collect();
        let Resume { connection, path } = self;
        let mut run = || {
            let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let now = nanoseconds(SystemTime::now());
            change.execute(
                "UPDATE torrents SET pieces = ?2, clean = ?3, saved_at = ?4 WHERE info_hash = ?1",
                params![info_hash, pieces, clean, now],
            )?;
            write_stamps(&change, info_hash, &stamps)?;
            change.commit()
        };
        run().map_err(|error| {
            // Their stamps are still to be written.
            files.mark_dirty(&dirty);
            sort(path, error)
        })
    }

    /// Notes that the torrent is in use, so that an end without [`Resume::finish`] is noticed, and the files as they
    /// were found.
    pub(super) fn begin(&mut self, info_hash: &[u8], storage: &Storage) -> Result<(), ResumeError> {
        let pieces = certain(storage);
        let files = storage.files();
        let found =
            files.map().stored().filter_map(|(file, _)| Some(SavedFile { file, stamp: files.stamp(file)? }));
        let found: Vec<SavedFile> = found.collect();
        let Resume { connection, path } = self;
        let mut run = || {
            let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let now = nanoseconds(SystemTime::now());
            change.execute(
                "UPDATE torrents SET pieces = ?2, clean = 0, saved_at = ?3 WHERE info_hash = ?1",
                params![info_hash, pieces, now],
            )?;
            change.execute("DELETE FROM files WHERE info_hash = ?1", [info_hash])?;
            write_stamps(&change, info_hash, &found)?;
            change.commit()
        };
        run().map_err(|error| sort(path, error))
    }

    pub(super) fn progress(&self, info_hash: &[u8]) -> Result<Option<Progress>, ResumeError> {
        let run = || {
            let row = "SELECT pieces, clean, saved_at FROM torrents WHERE info_hash = ?1";
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Progress {
                    pieces: row.get(0)?,
                    clean: row.get(1)?,
                    saved_at: row.get(2)?,
                    files: Vec::new(),
                })
            };
            let Some(mut progress) = self.connection.query_row(row, [info_hash], read).optional()? else {
                return Ok(None);
            };
            let mut files = self
                .connection
                .prepare("SELECT file, size, modified FROM files WHERE info_hash = ?1 ORDER BY 1")?;
            let saved = files.query_map([info_hash], |row| {
                let stamp = Stamp { size: row.get::<_, i64>(1)? as u64, modified: row.get(2)? };
                Ok(SavedFile { file: row.get::<_, i64>(0)? as usize, stamp })
            })?;
            progress.files = saved.collect::<Result<_, _>>()?;
            Ok(Some(progress))
        };
        run().map_err(|error| self.sort(error))
    }

    fn sort(&self, error: rusqlite::Error) -> ResumeError {
        sort(&self.path, error)
    }
}

/// The pieces we know of ourselves to be right; those taken on trust are not vouched for.
fn certain(storage: &Storage) -> Vec<u8> {
    let pieces = AtomicBitmap::new(storage.piece_count());
    let known = (0..storage.piece_count())
        .filter(|&piece| storage.stored().contains(piece) && !storage.is_suspect(piece));
    known.for_each(|piece| pieces.insert(piece));
    pieces.to_bytes()
}

fn write_stamps(change: &Connection, info_hash: &[u8], stamps: &[SavedFile]) -> rusqlite::Result<()> {
    let mut insert = change.prepare("INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4)")?;
    for SavedFile { file, stamp } in stamps {
        insert.execute(params![info_hash, *file as i64, stamp.size as i64, stamp.modified])?;
    }
    Ok(())
}

fn forget(change: &Connection, info_hash: &[u8]) -> rusqlite::Result<()> {
    change.execute("DELETE FROM torrents WHERE info_hash = ?1", [info_hash])?;
    change.execute("DELETE FROM files WHERE info_hash = ?1", [info_hash])?;
    Ok(())
}

fn nanoseconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn sort(path: &Path, error: rusqlite::Error) -> ResumeError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ResumeError::Locked(path.to_owned()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ResumeError::Damaged(path.to_owned()),
        _ => ResumeError::Other { path: path.to_owned(), source: error },
    }
}
