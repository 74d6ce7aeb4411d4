//! A hit as this node understands it.

use super::{endpoint, magnet};
use crate::discovery::{Item, Source};
use std::net::{SocketAddr, SocketAddrV4};
use throng_wire::fasttrack::{self, NodeInfo, TagKind};

/// Bytes of a title at most.
const MAX_TITLE: usize = 1_024;

/// A file found and who has it: a stranger's word, all of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundFile {
    /// What was found; `ft_hash` is always there.
    pub item: Item,
    /// Where its owner serves it; port 0 if it must be pushed.
    pub at: SocketAddrV4,
    /// Its owner.
    pub user: Vec<u8>,
    /// Its owner's supernode.
    pub supernode: SocketAddrV4,
    /// Its owner's swarm endpoint, if it is one of ours.
    pub swarm: Option<SocketAddr>,
}

impl FoundFile {
    /// Reads a hit; `None` if it has no name to be shown by, or no user to be asked for.
    pub(super) fn of(hit: &fasttrack::Hit<'_>, user: &[u8], supernode: SocketAddrV4) -> Option<FoundFile> {
        let name = hit.item.tags.find(TagKind::FILE_NAME).or_else(|| hit.item.tags.find(TagKind::TITLE))?;
        if name.data.is_empty() || name.data.len() > MAX_TITLE || !NodeInfo::is_valid_user(user) {
            return None;
        }
        let mut item = Item {
            title: String::from_utf8_lossy(name.data).into_owned(),
            size: hit.item.size,
            ft_hash: Some(hit.item.hash.0),
            ..Item::default()
        };
        let tag = hit.item.tags.find(TagKind::MAGNET);
        let swarm = tag.and_then(|tag| magnet::read(tag.data, &mut item));
        Some(FoundFile { item, at: hit.at, user: user.to_vec(), supernode, swarm })
    }

    /// How it is fetched.
    pub fn source(&self) -> Source {
        Source::Supernode {
            at: endpoint(self.at),
            user: self.user.clone(),
            supernode: endpoint(self.supernode),
            firewalled: self.is_firewalled(),
        }
    }

    /// Whether its owner cannot be called: no port, or an address that leads nowhere from elsewhere.
    pub fn is_firewalled(&self) -> bool {
        self.at.port() == 0 || self.at.ip().is_unspecified()
    }
}
