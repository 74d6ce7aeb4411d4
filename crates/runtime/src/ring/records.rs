//! The database of a ring node: the records it holds for others and the contacts it last had.
//!
//! An expiry is kept as wall-clock time, since the monotonic clock ends with the process, and beside it the life that
//! was left when the record was written: a clock set back cannot make a record live longer than that.

use crate::sqlite::set_aside;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use throng_overlay::chord::Change;

/// How long another process may hold the database before it counts as locked.
const BUSY: Duration = Duration::from_secs(5);
/// Raised when the tables change.
const VERSION: i64 = 1;
/// Contacts kept; some of them will answer when we come back.
const MAX_CONTACTS: usize = 64;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (
        id BLOB PRIMARY KEY, record BLOB NOT NULL, expires_at INTEGER NOT NULL, remaining INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS contacts (address TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;";

/// Why the records could not be read or written, in one line.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Another process holds the database.
    #[error("{path} is in use by another program for too long", path = .0.display())]
    Locked(PathBuf),
    /// It is no database, or a damaged one.
    #[error("{path} is damaged; it was set aside, and the records are fetched from the ring again", path = .0.display())]
    Damaged(PathBuf),
    /// It was written by a program newer than this one.
    #[error("{path} was written by a newer version of throng; use that version, or another home", path = .0.display())]
    Newer(PathBuf),
    /// The disk has no room.
    #[error("the disk is full: {path} cannot be written, so nothing new is stored", path = .0.display())]
    Full(PathBuf),
    /// Anything else the database says.
    #[error("cannot use {path}: {source}", path = .path.display())]
    Other {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

/// A record as it was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Restored {
    pub(super) record: Vec<u8>,
    /// Seconds of life left.
    pub(super) remaining: u32,
}

/// The open database.
#[derive(Debug)]
pub(super) struct Records {
    connection: Connection,
    path: PathBuf,
}

impl Records {
    /// Opens or makes the database. One that is damaged is renamed and a new one made; what to tell the person comes
    /// second.
    pub(super) fn open(path: &Path) -> Result<(Records, Option<RecordsError>), RecordsError> {
        match Records::open_file(path) {
            Ok(records) => Ok((records, None)),
            Err(notice @ RecordsError::Damaged(_)) => {
                set_aside(path).map_err(|_| RecordsError::Damaged(path.to_owned()))?;
                Ok((Records::open_file(path)?, Some(notice)))
            }
            Err(error) => Err(error),
        }
    }

    /// A database that is gone with the process.
    pub(super) fn in_memory() -> Result<Records, RecordsError> {
        let path = PathBuf::from("the database in memory");
        let failed = |error| sort(&path, error);
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        Ok(Records { connection, path })
    }

    fn open_file(path: &Path) -> Result<Records, RecordsError> {
        let failed = |error| sort(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if version > VERSION {
            return Err(RecordsError::Newer(path.to_owned()));
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        // Survives the end of the process; a power cut may take the last moments, which the replicas have.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        let sound: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if sound != "ok" {
            return Err(RecordsError::Damaged(path.to_owned()));
        }
        connection.execute_batch(SCHEMA).map_err(failed)?;
        connection.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        Ok(Records { connection, path: path.to_owned() })
    }

    /// Makes changes, all or none; `now` in seconds since 1970.
    pub(super) fn apply<'a>(
        &mut self,
        changes: impl Iterator<Item = &'a Change>,
        now: i64,
    ) -> Result<(), RecordsError> {
        let Records { connection, path } = self;
        let run = || {
            let change = connection.transaction()?;
            let mut write = change.prepare("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4)")?;
            let mut remove = change.prepare("DELETE FROM records WHERE id = ?1")?;
            for one in changes {
                match one {
                    Change::Write { id, record, remaining } => {
                        let expires_at = now.saturating_add(i64::from(*remaining));
                        write.execute(params![id, record, expires_at, remaining])?
                    }
                    Change::Remove { id } => remove.execute([id])?,
                };
            }
            drop((write, remove));
            change.commit()
        };
        run().map_err(|error| sort(path, error))
    }

    /// Forgets what has expired and gives the rest to `each`, one at a time; `now` in seconds since 1970.
    pub(super) fn restore(&mut self, now: i64, mut each: impl FnMut(Restored)) -> Result<(), RecordsError> {
        let Records { connection, path } = self;
        let mut run = || {
            connection.execute("DELETE FROM records WHERE expires_at <= ?1", [now])?;
            let mut rows = connection.prepare("SELECT record, expires_at, remaining FROM records")?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                let (expires_at, at_most): (i64, u32) = (row.get(1)?, row.get(2)?);
                let left = u32::try_from(expires_at.saturating_sub(now)).unwrap_or(u32::MAX);
                each(Restored { record: row.get(0)?, remaining: left.min(at_most) });
            }
            Ok(())
        };
        run().map_err(|error| sort(path, error))
    }

    /// Remembers whom we knew, in place of whom we knew before.
    pub(super) fn keep_contacts(&mut self, contacts: &[SocketAddr]) -> Result<(), RecordsError> {
        let Records { connection, path } = self;
        let mut run = || {
            let change = connection.transaction()?;
            change.execute("DELETE FROM contacts", [])?;
            for contact in contacts.iter().take(MAX_CONTACTS) {
                change.execute("INSERT OR IGNORE INTO contacts VALUES (?1)", [contact.to_string()])?;
            }
            change.commit()
        };
        run().map_err(|error| sort(path, error))
    }

    /// Whom we knew.
    pub(super) fn contacts(&self) -> Result<Vec<SocketAddr>, RecordsError> {
        let run = || {
            let mut rows = self.connection.prepare("SELECT address FROM contacts ORDER BY 1")?;
            let rows = rows.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = run().map_err(|error| sort(&self.path, error))?;
        Ok(rows.iter().filter_map(|row| row.parse().ok()).collect())
    }

    /// Lets the database grow no more, as a full disk would.
    #[cfg(test)]
    pub(super) fn fill_up(&self, full: bool) {
        let pages: i64 = self.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = if full { pages } else { i64::from(u32::MAX - 1) };
        self.connection.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(())).unwrap();
    }
}

fn sort(path: &Path, error: rusqlite::Error) -> RecordsError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => RecordsError::Locked(path.to_owned()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => RecordsError::Damaged(path.to_owned()),
        Some(ErrorCode::DiskFull) => RecordsError::Full(path.to_owned()),
        _ => RecordsError::Other { path: path.to_owned(), source: error },
    }
}
