//! Why no torrent was made, in one line for people.

use crate::storage::StorageError;
use std::io;
use std::path::PathBuf;
use throng_wire::metainfo::BuildError;

/// Why no torrent was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A file or folder could not be looked at.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Look {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A name that other machines could not read.
    #[error("the name of {0:?} is not valid UTF-8; rename it to publish it")]
    Name(PathBuf),
    /// The path is neither a file nor a folder, or has no name.
    #[error("{path} is neither a file nor a folder with a name", path = .0.display())]
    NotAFile(PathBuf),
    /// A file changed while it was read.
    #[error("{path} changed while it was read; try again when nothing writes to it", path = .0.display())]
    Changed(PathBuf),
    /// The files do not make a torrent.
    #[error("{0}")]
    Build(#[from] BuildError),
    /// It was asked to stop.
    #[error("cancelled")]
    Cancelled,
}
