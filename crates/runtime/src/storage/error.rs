//! What can go wrong with files, sorted by what a person can do about it, in one line each.

use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The kind of trouble, which decides what the session does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// No room: disk, quota or file size limit. Goes on once there is room.
    Full,
    /// Not allowed, or read-only. Goes on once it is allowed.
    Denied,
    /// A file or the folder is gone. Goes on once it is back or given up.
    Missing,
    /// A file lost bytes we had seen in it. Goes on once they are back or given up.
    Shortened,
    /// A stored piece is not what its hash says; it is to be fetched again.
    Damaged,
    /// Anything else, such as a failing disk.
    Other,
}

/// What was being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Opening or making a file or folder.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Making sure that what was written is on the disk.
    Sync,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Open => "open",
            Action::Read => "read",
            Action::Write => "write",
            Action::Sync => "save",
        })
    }
}

/// A failure with the file it concerns; shown as one line that says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub struct StorageError {
    /// What kind of trouble.
    pub class: Class,
    /// What was being done.
    pub action: Action,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said, where it said something.
    #[source]
    pub source: Option<io::Error>,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, path) = (self.action, self.path.display());
        match self.class {
            Class::Full => {
                write!(f, "no room to {action} {path}{}; free some space to go on", self.because())
            }
            Class::Denied => {
                write!(f, "not allowed to {action} {path}{}; change its permissions to go on", self.because())
            }
            Class::Missing => {
                write!(f, "cannot {action} {path}: it is gone; put it back, or start again to fetch it anew")
            }
            Class::Shortened => {
                write!(f, "{path} is shorter than it was; put it back, or start again to fetch the rest anew")
            }
            Class::Damaged => {
                write!(f, "{path} is damaged: its data does not match the torrent; it is fetched again")
            }
            Class::Other => write!(f, "cannot {action} {path}{}; check the disk", self.because()),
        }
    }
}

impl StorageError {
    /// Sorts what the system said.
    pub(crate) fn new(action: Action, path: &Path, source: impl Into<io::Error>) -> StorageError {
        let source = source.into();
        StorageError { class: classify(&source), action, path: path.to_owned(), source: Some(source) }
    }

    /// A failure we found ourselves.
    pub(crate) fn of(class: Class, action: Action, path: &Path) -> StorageError {
        StorageError { class, action, path: path.to_owned(), source: None }
    }

    fn because(&self) -> String {
        self.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default()
    }
}

fn classify(error: &io::Error) -> Class {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Class::Full,
        // ELOOP and EXDEV: a symbolic link stands in the way, and is not followed.
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::LOOP | Errno::XDEV | Errno::TXTBSY) => {
            Class::Denied
        }
        Some(Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV) => Class::Missing,
        _ if error.kind() == io::ErrorKind::UnexpectedEof => Class::Shortened,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_one_line_with_the_file_and_what_to_do() {
        let path = Path::new("/d/f");
        let full = StorageError::new(Action::Write, path, Errno::NOSPC);
        assert_eq!(full.class, Class::Full);
        let text = "no room to write /d/f (No space left on device (os error 28)); free some space to go on";
        assert_eq!(full.to_string(), text);
        for (errno, class) in
            [(Errno::ROFS, Class::Denied), (Errno::NOENT, Class::Missing), (Errno::IO, Class::Other)]
        {
            let error = StorageError::new(Action::Open, path, errno);
            assert_eq!(error.class, class);
            assert!(error.to_string().contains("/d/f") && !error.to_string().contains('\n'));
        }
    }
}
