//! What the library remembers, in SQLite: hashes of files, what is published, and what the application keeps.
//!
//! A failure of the database costs time (a file is hashed again), never content: it is logged and gone on from.

use super::LibraryError;
use super::hash::{FileHashes, FileStamp};
use super::publication::{Id, SharedFile};
use crate::sqlite::set_aside;
use crate::storage::Stamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const VERSION: i64 = 1;
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, inode INTEGER NOT NULL,
    piece_length INTEGER NOT NULL, sha1 BLOB NOT NULL, tiger BLOB NOT NULL, tiger_level BLOB NOT NULL,
    ft_hash BLOB NOT NULL, root BLOB, v1 BLOB NOT NULL, v1_end BLOB NOT NULL, v2 BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS publications (
    id TEXT PRIMARY KEY, path BLOB NOT NULL, root BLOB NOT NULL, title TEXT NOT NULL, tags TEXT NOT NULL,
    created INTEGER NOT NULL, sequence INTEGER NOT NULL, fetched INTEGER NOT NULL, metainfo BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
    kind TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
";

/// A publication as it is remembered.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) id: Id,
    pub(super) path: PathBuf,
    pub(super) root: PathBuf,
    pub(super) title: String,
    pub(super) tags: Vec<String>,
    pub(super) created: u64,
    pub(super) sequence: u64,
    pub(super) fetched: bool,
    pub(super) metainfo: Vec<u8>,
}

/// A file that may be as it was hashed.
pub(super) struct Found {
    pub(super) path: Arc<Path>,
    /// As it is now; `None` if it is gone, or of another size.
    pub(super) stamp: Option<FileStamp>,
    /// Bytes a piece of its torrent.
    pub(super) piece_length: u32,
}

/// The open database.
pub(super) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens or makes it. A damaged one is set aside; a newer one is left alone.
    pub(super) fn open(path: &Path) -> Result<(Database, Option<String>), LibraryError> {
        match Database::open_file(path) {
            Err(LibraryError::Database { source, .. }) if is_damage(&source) && set_aside(path).is_ok() => {
                let notice = format!(
                    "{} was damaged: set aside, and files are hashed again; publish again what is missing",
                    path.display()
                );
                Ok((Database::open_file(path)?, Some(notice)))
            }
            opened => Ok((opened?, None)),
        }
    }

    pub(super) fn in_memory() -> Result<Database, LibraryError> {
        let failed = |source| LibraryError::Database { path: PathBuf::from(":memory:"), source };
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        Ok(Database { connection })
    }

    fn open_file(path: &Path) -> Result<Database, LibraryError> {
        let failed = |source| LibraryError::Database { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if version > VERSION {
            return Err(LibraryError::Newer(path.to_owned()));
        }
        connection.execute_batch(SCHEMA).map_err(failed)?;
        connection.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        Ok(Database { connection })
    }

    /// Hashes of a file that has not changed since, for pieces of that length.
    pub(super) fn hashes(&self, path: &Path, stamp: &FileStamp, piece_length: u32) -> Option<FileHashes> {
        let find =
            "SELECT size, piece_length, sha1, tiger, tiger_level, ft_hash, root, v1, v1_end, v2 FROM files
                    WHERE path = ?1 AND size = ?2 AND modified = ?3 AND inode = ?4 AND piece_length = ?5";
        let Stamp { size, modified } = stamp.stamp;
        let wanted =
            params![path.as_os_str().as_bytes(), size as i64, modified, stamp.inode as i64, piece_length];
        let find = || self.connection.prepare(find)?.query_row(wanted, hashes_of).optional();
        let found = find();
        logged(found).flatten().flatten()
    }

    /// What systems share of files, of each that is as it was hashed. All within one transaction: beginning one takes as
    /// long as a look.
    pub(super) fn shared_files(&self, found: &[Found]) -> Vec<Option<SharedFile>> {
        let run = || {
            let _reads = self.connection.unchecked_transaction()?;
            let mut find = self.connection.prepare(
                "SELECT sha1, tiger, ft_hash, root FROM files
                 WHERE path = ?1 AND size = ?2 AND modified = ?3 AND inode = ?4 AND piece_length = ?5",
            )?;
            found.iter().map(|file| shared_file(&mut find, file)).collect()
        };
        logged(run()).unwrap_or_else(|| vec![None; found.len()])
    }

    /// The levels of their tiger trees, empty where none is known.
    pub(super) fn tiger_levels(&self, files: &[SharedFile]) -> Vec<Vec<[u8; 24]>> {
        let find = "SELECT tiger_level FROM files WHERE path = ?1 AND size = ?2 AND modified = ?3";
        let Some(mut statement) = logged(self.connection.prepare(find)) else {
            return vec![Vec::new(); files.len()];
        };
        let mut level = |file: &SharedFile| {
            let wanted = params![file.path.as_os_str().as_bytes(), file.size as i64, file.modified];
            let found = statement.query_row(wanted, |row| row.get::<_, Vec<u8>>(0)).optional();
            logged(found).flatten().unwrap_or_default().as_chunks().0.to_vec()
        };
        files.iter().map(&mut level).collect()
    }

    /// Remembers hashes, all or none.
    pub(super) fn save_hashes(&mut self, files: &[(PathBuf, FileStamp, FileHashes)]) {
        let mut run = || {
            let change = self.connection.transaction()?;
            {
                let mut insert = change.prepare(
                    "INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                )?;
                for (path, stamp, hashes) in files {
                    insert.execute(params![
                        path.as_os_str().as_bytes(),
                        stamp.stamp.size as i64,
                        stamp.stamp.modified,
                        stamp.inode as i64,
                        hashes.piece_length,
                        hashes.sha1,
                        hashes.tiger,
                        hashes.tiger_level.as_flattened(),
                        hashes.ft_hash,
                        hashes.root,
                        hashes.v1.as_flattened(),
                        hashes.v1_end,
                        hashes.v2.as_flattened(),
                    ])?;
                }
            }
            change.commit()
        };
        logged(run());
    }

    /// Remembers a publication.
    pub(super) fn save(&self, row: &Saved) {
        let run = self.connection.execute(
            "INSERT OR REPLACE INTO publications VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                &*row.id,
                row.path.as_os_str().as_bytes(),
                row.root.as_os_str().as_bytes(),
                row.title,
                row.tags.join("\n"),
                row.created as i64,
                row.sequence as i64,
                row.fetched,
                row.metainfo
            ],
        );
        logged(run);
    }

    /// The ids of all publications: all of what is remembered of many would not fit into memory.
    pub(super) fn publications(&self) -> Vec<Id> {
        let run = || {
            let mut rows = self.connection.prepare("SELECT id FROM publications")?;
            rows.query_map([], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()
        };
        logged(run()).unwrap_or_default()
    }

    /// A publication by its id.
    pub(super) fn publication(&self, id: Id) -> Option<Saved> {
        let run = || {
            let find = "SELECT id, path, root, title, tags, created, sequence, fetched, metainfo
                        FROM publications WHERE id = ?1";
            self.connection.prepare(find)?.query_row([&*id], publication_of).optional()
        };
        logged(run()).flatten()
    }

    /// Publications in the order of their ids from behind `after`, up to `count`, and up to the one with which their
    /// torrents have so many bytes.
    pub(super) fn publications_page(&self, after: Option<Id>, count: usize, bytes: usize) -> Vec<Saved> {
        let find = "SELECT id, path, root, title, tags, created, sequence, fetched, metainfo
                    FROM publications WHERE id > ?1 ORDER BY id LIMIT ?2";
        let run = || {
            let (mut page, mut read) = (Vec::new(), 0);
            let mut statement = self.connection.prepare(find)?;
            let after = after.as_deref().unwrap_or_default();
            for row in statement.query_map(params![after, count as i64], publication_of)? {
                let row = row?;
                read += row.metainfo.len();
                page.push(row);
                if read >= bytes {
                    break;
                }
            }
            Ok(page)
        };
        logged(run()).unwrap_or_default()
    }

    /// Forgets a publication; the hashes of its files may serve again.
    pub(super) fn forget(&self, id: Id) {
        logged(self.connection.execute("DELETE FROM publications WHERE id = ?1", [&*id]));
    }

    pub(super) fn keep(&self, (kind, id): (&str, &str), value: &[u8], until: u64) {
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        let run = self
            .connection
            .execute("INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3, ?4)", params![kind, id, value, until]);
        logged(run);
    }

    pub(super) fn kept(&self, kind: &str, now: u64) -> Vec<(String, Vec<u8>)> {
        let run = || {
            self.connection.execute("DELETE FROM kept WHERE until < ?1", [now as i64])?;
            let mut rows = self.connection.prepare("SELECT id, value FROM kept WHERE kind = ?1")?;
            rows.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<_>, _>>()
        };
        logged(run()).unwrap_or_default()
    }

    pub(super) fn kept_page(
        &self,
        (kind, after): (&str, &str),
        count: usize,
        now: u64,
    ) -> Vec<(String, Vec<u8>)> {
        let run = || {
            let mut rows = self.connection.prepare(
                "SELECT id, value FROM kept WHERE kind = ?1 AND id > ?2 AND until >= ?3 ORDER BY id LIMIT ?4",
            )?;
            let page = rows.query_map(params![kind, after, now as i64, count as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            page.collect::<Result<Vec<_>, _>>()
        };
        logged(run()).unwrap_or_default()
    }

    pub(super) fn kept_one(&self, (kind, id): (&str, &str), now: u64) -> Option<Vec<u8>> {
        let find = "SELECT value FROM kept WHERE kind = ?1 AND id = ?2 AND until >= ?3";
        logged(self.connection.query_row(find, params![kind, id, now as i64], |row| row.get(0)).optional())?
    }

    pub(super) fn drop_kept(&self, kind: &str, id: &str) {
        logged(self.connection.execute("DELETE FROM kept WHERE kind = ?1 AND id = ?2", [kind, id]));
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Id> {
        Id::read(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase))
}

/// `None`, and a line in the log, for a failure.
fn logged<T>(result: rusqlite::Result<T>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(%error, "the library's database")).ok()
}

fn shared_file(find: &mut Statement<'_>, found: &Found) -> rusqlite::Result<Option<SharedFile>> {
    let Some(FileStamp { stamp: Stamp { size, modified }, inode }) = found.stamp else { return Ok(None) };
    let path = found.path.as_os_str().as_bytes();
    let wanted = params![path, size as i64, modified, inode as i64, found.piece_length];
    let shared = |row: &Row<'_>| {
        let (sha1, tiger, ft_hash, root) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(SharedFile { path: found.path.clone(), size, modified, root, sha1, tiger, ft_hash })
    };
    find.query_row(wanted, shared).optional()
}

/// `None` within if what is remembered makes no sense.
fn hashes_of(row: &Row<'_>) -> rusqlite::Result<Option<FileHashes>> {
    let size: i64 = row.get(0)?;
    let (sha1, tiger, tiger_level): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?, row.get(4)?);
    let (ft_hash, root, v1): (Vec<u8>, Option<Vec<u8>>, Vec<u8>) = (row.get(5)?, row.get(6)?, row.get(7)?);
    let (v1_end, v2): (Vec<u8>, Vec<u8>) = (row.get(8)?, row.get(9)?);
    let piece_length = row.get(1)?;
    let build = || {
        Some(FileHashes {
            size: size as u64,
            sha1: sha1.try_into().ok()?,
            tiger: tiger.try_into().ok()?,
            tiger_level: tiger_level.as_chunks().0.to_vec(),
            ft_hash: ft_hash.try_into().ok()?,
            root: match root {
                Some(root) => Some(root.try_into().ok()?),
                None => None,
            },
            piece_length,
            v1: v1.as_chunks().0.to_vec(),
            v1_end: v1_end.try_into().ok()?,
            v2: v2.as_chunks().0.to_vec(),
        })
    };
    Ok(build())
}

fn publication_of(row: &Row<'_>) -> rusqlite::Result<Saved> {
    let path = |bytes: Vec<u8>| PathBuf::from(OsString::from_vec(bytes));
    let tags: String = row.get(4)?;
    Ok(Saved {
        id: row.get(0)?,
        path: path(row.get(1)?),
        root: path(row.get(2)?),
        title: row.get(3)?,
        tags: tags.split('\n').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        created: row.get::<_, i64>(5)? as u64,
        sequence: row.get::<_, i64>(6)? as u64,
        fetched: row.get(7)?,
        metainfo: row.get(8)?,
    })
}
