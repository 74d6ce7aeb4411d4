//! What is shared with servents.

use crate::shelf::Stored;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use throng_machine::ContentId;
use throng_overlay::discovery::{Item, Ticket};
use throng_overlay::http::{Shared, TigerTree};

/// A file to share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offering {
    /// Names it; no two are alike, and all are below 2^31.
    pub content: ContentId,
    /// Its name, size and hashes. Others hardly take it without a SHA-1.
    pub item: Item,
    /// The level of its tiger tree that is served; empty if there is none.
    pub tiger_level: Arc<[[u8; 24]]>,
    /// Where it lies.
    pub path: PathBuf,
    /// When it was last changed as it was hashed: if it was changed since, nobody gets it.
    pub modified: SystemTime,
    /// What our own nodes are told besides; empty if there is none.
    pub magnet: String,
}

impl Offering {
    /// As the transfers serve it; hits name it by the ticket's number.
    pub(super) fn shared(&self, ticket: Ticket) -> Shared {
        let tiger = self.item.tiger.map(|root| TigerTree { root, level: Arc::clone(&self.tiger_level) });
        Shared {
            content: self.content,
            index: ticket.0,
            name: self.item.title.clone(),
            size: self.item.size,
            sha1: self.item.sha1,
            tiger,
            ft_hash: self.item.ft_hash,
            magnet: (!self.magnet.is_empty()).then(|| self.magnet.clone()),
            available: None,
        }
    }

    pub(super) fn stored(&self) -> Stored {
        Stored { size: self.item.size, path: self.path.clone(), modified: Some(self.modified) }
    }
}
