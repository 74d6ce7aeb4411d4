//! What is shared with the users of directories.

use crate::shelf::Stored;
use std::path::PathBuf;
use std::time::SystemTime;
use throng_machine::ContentId;

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

impl Offering {
    /// Where its bytes are.
    pub(super) fn stored(&self) -> Stored {
        Stored { size: self.size, path: self.path.clone(), modified: Some(self.modified) }
    }
}
