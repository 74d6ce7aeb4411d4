//! What survives the end of the program, however it ends: a crash-safe SQLite database.
//!
//! A checkpoint saves the data first and then the bitfield, so a bit in the database always stands for bytes on the
//! disk. Write-ahead logging with `synchronous=NORMAL` is enough: a crash of the machine may undo the last commits,
//! never mix them up, and a bit that is missing only costs a look at its piece. After kill -9, [`Resume::restore`]
//! believes the saved pieces of files that look untouched, and names those to be checked: not saved, but with data.
//!
//! Several processes may share one database: transactions are short, and a busy one is waited for.

mod database;
mod restore;
#[cfg(test)]
mod tests;

pub use database::{Opened, Resume, ResumeError, Saved, SavedFile};
pub use restore::Restored;
