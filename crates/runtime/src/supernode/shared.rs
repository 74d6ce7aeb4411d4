//! What is shared with others.

use crate::shelf::Stored;
use std::path::PathBuf;
use std::time::SystemTime;
use throng_machine::ContentId;
use throng_overlay::discovery::{Item, Ticket};
use throng_overlay::http::Shared;

/// A file to share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offering {
    /// Names it; no two are alike, and all are below 2^31.
    pub content: ContentId,
    /// Its name, size and hashes; without an FTHash it cannot be shared.
    pub item: Item,
    /// Where it lies.
    pub path: PathBuf,
    /// When it was last changed as it was hashed: if it was changed since, nobody gets it.
    pub modified: SystemTime,
    /// What our own nodes are told besides; empty if there is none.
    pub magnet: String,
}

impl Offering {
    /// As the transfers serve it.
    pub(super) fn shared(&self, ticket: Ticket) -> Shared {
        Shared {
            content: self.content,
            index: ticket.0,
            name: self.item.title.clone(),
            size: self.item.size,
            sha1: self.item.sha1,
            tiger: None,
            ft_hash: self.item.ft_hash,
            magnet: (!self.magnet.is_empty()).then(|| self.magnet.clone()),
            available: None,
        }
    }

    pub(super) fn stored(&self) -> Stored {
        Stored { size: self.item.size, path: self.path.clone(), modified: Some(self.modified) }
    }
}
