//! Accounts and bans in SQLite.
//!
//! `accounts` holds one row a registered nick with its password as [`super::workers`] hashes it, `bans` one a ban.
//! Nicks are compared without regard to ASCII case, as the protocol does.

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use throng_overlay::directory::server::{Account, Banned, Level};

/// How long another process may hold the database before it counts as locked.
const BUSY: Duration = Duration::from_secs(5);

/// Raised when the tables change.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS accounts (
        nick BLOB PRIMARY KEY, spelling BLOB NOT NULL, password BLOB NOT NULL, level TEXT NOT NULL DEFAULT 'User',
        email BLOB NOT NULL DEFAULT x'', created INTEGER NOT NULL, last_seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS bans (
        who BLOB NOT NULL, is_address INTEGER NOT NULL, reason BLOB NOT NULL, PRIMARY KEY (who, is_address)
    ) STRICT, WITHOUT ROWID;";

/// Why accounts cannot be kept, in one line.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Made by a later version.
    #[error("{} was made by another version of throng (tables {found}, here {VERSION})", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// What the database says.
    #[error("cannot use {}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rusqlite::Error,
    },
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Account(Account, Vec<u8>),
    Password(Vec<u8>, Vec<u8>),
    Email(Vec<u8>, Vec<u8>),
    Seen(Vec<u8>, u64),
}

/// The open store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens or makes it.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let failed = |source| StoreError::Database { path: path.into(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        Store::with(connection, path)
    }

    /// One that is gone with the process.
    pub fn in_memory() -> Result<Store, StoreError> {
        let path = PathBuf::from("the database in memory");
        let failed = |source| StoreError::Database { path: path.clone(), source };
        Store::with(Connection::open_in_memory().map_err(failed)?, &path)
    }

    fn with(connection: Connection, path: &Path) -> Result<Store, StoreError> {
        let failed = |source| StoreError::Database { path: path.into(), source };
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if found != 0 && found != VERSION {
            return Err(StoreError::Version { path: path.into(), found });
        }
        connection.execute_batch(SCHEMA).map_err(failed)?;
        connection.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        Ok(Store { connection, path: path.into() })
    }

    /// All accounts, by nick.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let query = "SELECT spelling, level, email, created, last_seen FROM accounts ORDER BY nick";
        self.run(|connection| {
            let mut statement = connection.prepare(query)?;
            let rows = statement.query_map([], |row| {
                let level: String = row.get(1)?;
                Ok(Account {
                    nick: row.get(0)?,
                    level: Level::from_word(level.as_bytes()).unwrap_or_default(),
                    email: row.get(2)?,
                    created: row.get::<_, i64>(3)?.try_into().unwrap_or(0),
                    last_seen: row.get::<_, i64>(4)?.try_into().unwrap_or(0),
                })
            })?;
            rows.collect()
        })
    }

    /// All bans with their reasons.
    pub fn bans(&self) -> Result<Vec<(Banned, Vec<u8>)>, StoreError> {
        self.run(|connection| {
            let mut statement = connection.prepare("SELECT who, is_address, reason FROM bans")?;
            let rows = statement.query_map([], |row| {
                let who: Vec<u8> = row.get(0)?;
                Ok((banned(who, row.get(1)?), row.get(2)?))
            })?;
            let rows: Vec<(Option<Banned>, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
            Ok(rows.into_iter().filter_map(|(who, reason)| Some((who?, reason))).collect())
        })
    }

    /// Adds or changes a ban.
    pub fn ban(&self, who: &Banned, reason: &[u8]) -> Result<(), StoreError> {
        let (who, is_address) = key(who);
        let sql = "INSERT INTO bans VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET reason = ?3";
        self.run(|connection| connection.execute(sql, params![who, is_address, reason])).map(drop)
    }

    /// Takes a ban back; whether there was one.
    pub fn unban(&self, who: &Banned) -> Result<bool, StoreError> {
        let (who, is_address) = key(who);
        let sql = "DELETE FROM bans WHERE who = ?1 AND is_address = ?2";
        Ok(self.run(|connection| connection.execute(sql, params![who, is_address]))? > 0)
    }

    /// Changes what a user may do; whether there is that account.
    pub fn set_level(&self, nick: &[u8], level: Level) -> Result<bool, StoreError> {
        let sql = "UPDATE accounts SET level = ?2 WHERE nick = ?1";
        Ok(self.run(|connection| connection.execute(sql, params![fold(nick), level.word()]))? > 0)
    }

    /// Removes an account; whether there was one.
    pub fn forget(&self, nick: &[u8]) -> Result<bool, StoreError> {
        Ok(self.run(|connection| connection.execute("DELETE FROM accounts WHERE nick = ?1", [fold(nick)]))?
            > 0)
    }

    /// An account's password, hashed.
    pub(super) fn password(&self, nick: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT password FROM accounts WHERE nick = ?1";
        self.run(|connection| connection.prepare(sql)?.query_row([fold(nick)], |row| row.get(0)).optional())
    }

    /// Writes all of them or none.
    pub(super) fn write(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.run(|connection| {
            let transaction = connection.unchecked_transaction()?;
            for write in writes {
                one(&transaction, write)?;
            }
            transaction.commit()
        })
    }

    /// A number that changes when another process or connection has changed the store.
    pub(super) fn version(&self) -> Result<i64, StoreError> {
        self.run(|connection| connection.query_row("PRAGMA data_version", [], |row| row.get(0)))
    }

    fn run<R>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        act(&self.connection).map_err(|source| StoreError::Database { path: self.path.clone(), source })
    }
}

fn one(connection: &Connection, write: &Write) -> rusqlite::Result<usize> {
    match write {
        Write::Account(Account { nick, level, email, created, last_seen }, hash) => {
            let sql = "INSERT OR IGNORE INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let (created, seen) = (seconds(*created), seconds(*last_seen));
            let row = params![fold(nick), nick, hash, level.word(), email, created, seen];
            connection.prepare(sql)?.execute(row)
        }
        Write::Password(nick, hash) => connection
            .prepare("UPDATE accounts SET password = ?2 WHERE nick = ?1")?
            .execute(params![fold(nick), hash]),
        Write::Email(nick, email) => connection
            .prepare("UPDATE accounts SET email = ?2 WHERE nick = ?1")?
            .execute(params![fold(nick), email]),
        Write::Seen(nick, at) => connection
            .prepare("UPDATE accounts SET last_seen = ?2 WHERE nick = ?1")?
            .execute(params![fold(nick), seconds(*at)]),
    }
}

fn fold(nick: &[u8]) -> Vec<u8> {
    nick.to_ascii_lowercase()
}

fn seconds(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

fn key(who: &Banned) -> (Vec<u8>, bool) {
    match who {
        Banned::Nick(nick) => (fold(nick), false),
        Banned::Address(address) => (address.to_string().into_bytes(), true),
    }
}

/// A row's meaning; `None` where somebody wrote what is no address.
fn banned(who: Vec<u8>, is_address: bool) -> Option<Banned> {
    if !is_address {
        return Some(Banned::Nick(who));
    }
    String::from_utf8(who).ok()?.parse::<IpAddr>().ok().map(Banned::Address)
}
